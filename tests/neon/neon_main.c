/* Runs the tests of criterion/criterion.h beside this file, each in a process of its own, and prints TAP. */
#include "criterion/criterion.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static neon_test *first, **last = &first;

void neon_add(neon_test *test) {
  *last = test;
  last = &test->next;
}

void neon_fail(const char *file, int line, const char *what, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  printf("# %s:%d: %s:", file, line, what);
  vprintf(format, arguments);
  printf("\n");
  va_end(arguments);
  fflush(stdout);
  _exit(1);
}

static int passes(const neon_test *test) {
  int status = 0;
  fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    test->run();
    _exit(0);
  }
  if (child < 0 || waitpid(child, &status, 0) != child) return 0;
  if (WIFSIGNALED(status)) printf("# ended by signal %d\n", WTERMSIG(status));
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int main(void) {
  int tests = 0, number = 0, failures = 0;
  for (const neon_test *test = first; test != NULL; test = test->next) tests++;
  if (tests == 0) {
    printf("Bail out! no tests\n");
    return 99;
  }
  printf("1..%d\n", tests);
  for (const neon_test *test = first; test != NULL; test = test->next) {
    const int passed = passes(test);
    printf("%s %d - %s::%s\n", passed ? "ok" : "not ok", ++number, test->suite, test->name);
    failures += !passed;
  }
  return failures > 0;
}
