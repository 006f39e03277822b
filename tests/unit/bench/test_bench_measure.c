/* The method: turns, repetitions, failures. Times are made up by the alternatives themselves. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "bench_base.h"
#include "measure.h"

static char journal[100000];
static size_t journal_length;

typedef struct fake {
  char letter;
  double seconds;      /* of a repetition */
  int calls, fails_at; /* 0: never */
  uint64_t most_repetitions;
} fake;

static double run(void *user, uint64_t repetitions) {
  fake *f = user;
  f->calls++;
  if (journal_length + 1 < sizeof journal) journal[journal_length++] = f->letter;
  if (repetitions > f->most_repetitions) f->most_repetitions = repetitions;
  if (f->fails_at != 0 && f->calls >= f->fails_at) return NAN;
  return f->seconds * (double)repetitions;
}

static const bench_effort quick = {0.02, 1e-3, 0.005, 0.0, 5};

Test(measure, repeats_until_a_sample_is_long_enough) {
  fake f = {'a', 1e-6, 0, 0, 0};
  bench_alternative a = {"a", run, &f, 0, 0, 0, NULL};
  bench_measure(&a, 1, &quick);
  cr_assert_not(a.failed);
  cr_assert_geq(a.inner, 1000);
  cr_assert_leq(a.inner, 1500);
  cr_assert_gt(a.count, 4);
  for (uint64_t i = 0; i < a.count; i++) cr_assert(fabs(a.seconds[i] - 1e-6) < 1e-12);
  bench_alternatives_clear(&a, 1);
  cr_assert_null(a.seconds);
}

Test(measure, long_repetitions_are_not_repeated) {
  fake f = {'a', 0.5, 0, 0, 0};
  bench_alternative a = {"a", run, &f, 0, 0, 0, NULL};
  bench_measure(&a, 1, &quick);
  cr_assert_eq(a.inner, 1);
  cr_assert_eq(f.most_repetitions, 1);
  bench_alternatives_clear(&a, 1);
}

Test(measure, takes_turns) {
  fake f[3] = {{'a', 2e-3, 0, 0, 0}, {'b', 2e-3, 0, 0, 0}, {'c', 2e-3, 0, 0, 0}};
  bench_alternative a[3] = {0};
  for (int i = 0; i < 3; i++) a[i] = (bench_alternative){"x", run, &f[i], 0, 0, 0, NULL};
  bench_measure(a, 3, &quick);
  cr_assert(strncmp(journal, "aabbcc" /* warm-up */ "abccbaabccba", 18) == 0, "%.30s", journal);
  cr_assert_eq(a[0].count, a[1].count);
  cr_assert_eq(a[0].count, a[2].count);
  bench_alternatives_clear(a, 3);
}

Test(measure, a_failure_leaves_the_others_alone) {
  fake f[2] = {{'a', 2e-3, 0, 5, 0}, {'b', 2e-3, 0, 0, 0}};
  bench_alternative a[2] = {{"a", run, &f[0], 0, 0, 0, NULL}, {"b", run, &f[1], 0, 0, 0, NULL}};
  bench_measure(a, 2, &quick);
  cr_assert(a[0].failed);
  cr_assert_eq(f[0].calls, 5);
  cr_assert_eq(a[0].count, 2);
  cr_assert_not(a[1].failed);
  cr_assert_geq(a[1].count, 5);
  bench_alternatives_clear(a, 2);
}

Test(measure, all_failed_ends) {
  fake f = {'a', 2e-3, 0, 1, 0};
  bench_alternative a = {"a", run, &f, 0, 0, 0, NULL};
  bench_measure(&a, 1, &quick);
  cr_assert(a.failed);
  cr_assert_eq(a.count, 0);
  bench_alternatives_clear(&a, 1);
}

Test(measure, a_settling_pause_warms_up_again) {
  fake f = {'a', 2e-3, 0, 0, 0};
  bench_alternative a = {"a", run, &f, 0, 0, 0, NULL};
  const bench_effort effort = {0.02, 1e-3, 0.005, 1e-4, 5};
  bench_measure(&a, 1, &effort);
  cr_assert_eq((uint64_t)f.calls, 2 + 2 * a.count);
  bench_alternatives_clear(&a, 1);
}

static double sleepy(void *user, uint64_t repetitions) {
  const double begin = bench_now();
  uint64_t *calls = user;
  ++*calls;
  while (bench_now() - begin < 2e-3 * (double)repetitions) {
  }
  /* Far apart, so that the median is never known. */
  return *calls % 2 == 0 ? 1e-3 : 1.0;
}

Test(measure, ends_when_the_budget_is_spent) {
  uint64_t calls = 0;
  bench_alternative a = {"a", sleepy, &calls, 0, 0, 0, NULL};
  const double begin = bench_now();
  bench_measure(&a, 1, &quick);
  cr_assert_lt(bench_now() - begin, 2.0);
  cr_assert_geq(a.count, 1);
  cr_assert_lt(a.count, 100);
  bench_alternatives_clear(&a, 1);
}
