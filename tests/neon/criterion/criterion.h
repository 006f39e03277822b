/* What the kernel tests use of Criterion, for a program without libraries; neon_main.c runs it. A test
 * with options (.init, ...) does not compile. */
#ifndef BDAG_TESTS_NEON_CRITERION_H
#define BDAG_TESTS_NEON_CRITERION_H

#include <string.h>

typedef struct neon_test {
  const char *suite, *name;
  void (*run)(void);
  struct neon_test *next;
} neon_test;

void neon_add(neon_test *test);
__attribute__((noreturn, format(printf, 4, 5))) void
neon_fail(const char *file, int line, const char *what, const char *format, ...);

#define Test(suite, name)                                                                          \
  static void suite##_##name##_run(void);                                                          \
  __attribute__((constructor)) static void suite##_##name##_add(void) {                            \
    static neon_test test = {#suite, #name, suite##_##name##_run, NULL};                           \
    neon_add(&test);                                                                               \
  }                                                                                                \
  static void suite##_##name##_run(void)

#define cr_assert(condition, ...)                                                                  \
  ((condition) ? (void)0 : neon_fail(__FILE__, __LINE__, #condition, " " __VA_ARGS__))
#define cr_assert_fail(...)                cr_assert(0, __VA_ARGS__)
#define cr_assert_eq(a, b, ...)            cr_assert((a) == (b), ##__VA_ARGS__)
#define cr_assert_gt(a, b, ...)            cr_assert((a) > (b), ##__VA_ARGS__)
#define cr_assert_arr_eq(a, b, bytes, ...) cr_assert(memcmp(a, b, bytes) == 0, ##__VA_ARGS__)

#endif
