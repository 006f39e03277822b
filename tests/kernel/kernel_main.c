/* One binary that is both test and benchmark: --benchmark prints nanoseconds, else Criterion runs. */
#include <criterion/criterion.h>
#include <string.h>

#include "kernel_check.h"

int main(int argc, char **argv) {
  if (argc == 2 && strcmp(argv[1], "--benchmark") == 0) return kernel_benchmark();
  struct criterion_test_set *const tests = criterion_initialize();
  int result = 0;
  if (criterion_handle_args(argc, argv, true)) result = !criterion_run_all_tests(tests);
  criterion_finalize(tests);
  return result;
}
