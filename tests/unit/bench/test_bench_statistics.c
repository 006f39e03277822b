/* Statistics of the bench on known numbers, and its verdict on made-up runs. */
#include <criterion/criterion.h>
#include <math.h>

#include "bench_base.h"
#include "statistics.h"

#define NEAR(a, b) cr_assert(fabs((a) - (b)) <= 1e-12 * fabs(b), "%.17g is not %.17g", (a), (b))

Test(statistics, odd_count) {
  const double values[] = {5, 1, 4, 2, 3};
  const bench_statistics s = bench_describe(values, 5);
  cr_assert_eq(s.count, 5);
  NEAR(s.median, 3.0);
  NEAR(s.minimum, 1.0);
  NEAR(s.maximum, 5.0);
  NEAR(s.quartile_low, 2.0);
  NEAR(s.quartile_high, 4.0);
  /* Too few for an interval: the range. */
  NEAR(s.confidence_low, 1.0);
  NEAR(s.confidence_high, 5.0);
}

Test(statistics, even_count_interpolates) {
  const double values[] = {4, 1, 3, 2};
  const bench_statistics s = bench_describe(values, 4);
  NEAR(s.median, 2.5);
  NEAR(s.tenth, 1.3);
  NEAR(s.quartile_low, 1.75);
  NEAR(s.quartile_high, 3.25);
}

Test(statistics, confidence_by_ranks) {
  double values[100];
  for (int i = 0; i < 100; i++) values[i] = (i * 37) % 100 + 1; /* 1 … 100, shuffled */
  const bench_statistics s = bench_describe(values, 100);
  NEAR(s.median, 50.5);
  /* Ranks 50 − 9.8 rounded down and 50 + 9.8 rounded up, and one. */
  NEAR(s.confidence_low, 40.0);
  NEAR(s.confidence_high, 61.0);
  NEAR(bench_uncertainty(&s), 0.5 * 21.0 / 50.5);
  NEAR(bench_spread(&s), 49.5 / 50.5);
  cr_assert(bench_is_noisy(&s));
}

Test(statistics, one_and_none) {
  const double value = 7.0;
  const bench_statistics one = bench_describe(&value, 1);
  NEAR(one.median, 7.0);
  NEAR(one.quartile_high, 7.0);
  const bench_statistics none = bench_describe(NULL, 0);
  cr_assert(isnan(none.median) && isnan(none.minimum));
  cr_assert_eq(none.count, 0);
}

Test(statistics, the_values_stay_as_they_are) {
  double values[] = {3, 1, 2};
  bench_describe(values, 3);
  NEAR(values[0], 3.0);
  NEAR(values[1], 1.0);
}

Test(statistics, calm_series_is_not_noisy) {
  double values[50];
  for (int i = 0; i < 50; i++) values[i] = 1.0 + 0.001 * (i % 7);
  const bench_statistics s = bench_describe(values, 50);
  cr_assert_not(bench_is_noisy(&s));
}

Test(statistics, mann_whitney_known) {
  const double a[] = {1, 2, 3, 4, 5}, b[] = {6, 7, 8, 9, 10};
  /* U = 0, mean 12.5, variance 25·11/12, corrected by one half. */
  const double expected = erfc(12.0 / sqrt(2.0 * 25.0 * 11.0 / 12.0));
  NEAR(bench_mann_whitney(a, 5, b, 5), expected);
  NEAR(bench_mann_whitney(b, 5, a, 5), expected);
}

Test(statistics, mann_whitney_ties) {
  const double a[] = {1, 1, 2}, b[] = {1, 2, 2};
  /* Ranks 2, 2, 5: U = 3, mean 4.5; two groups of three: 9/12·(7 − 48/30). */
  NEAR(bench_mann_whitney(a, 3, b, 3), erfc(1.0 / sqrt(2.0 * 0.75 * 5.4)));
  const double same[] = {1, 1, 1};
  NEAR(bench_mann_whitney(same, 3, same, 3), 1.0);
  NEAR(bench_mann_whitney(same, 3, NULL, 0), 1.0);
}

/* Times as machines give them: a floor, noise above it, now and then an interruption. */
static void draw(bench_random *random, double *values, int count, double scale) {
  for (int i = 0; i < count; i++) {
    const double noise = 0.02 * fabs(bench_random_normal(random));
    const double interruption = bench_random_uniform(random) < 0.03 ? 0.5 : 0.0;
    values[i] = scale * (1.0 + noise + interruption);
  }
}

static int verdicts(double factor, bench_verdict wanted) {
  int count = 0;
  for (uint64_t seed = 1; seed <= 200; seed++) {
    bench_random random = {seed};
    double before[60], later[40];
    draw(&random, before, 60, 1e-3);
    draw(&random, later, 40, factor * 1e-3);
    count += bench_judge(before, 60, later, 40, 0.05) == wanted;
  }
  return count;
}

Test(judge, same_distribution_is_same) {
  cr_assert_eq(verdicts(1.0, BENCH_SAME), 200);
}

Test(judge, ten_percent_slower_is_found) {
  cr_assert_eq(verdicts(1.1, BENCH_SLOWER), 200);
}

Test(judge, ten_percent_faster_is_found) {
  cr_assert_eq(verdicts(0.9, BENCH_FASTER), 200);
}

Test(judge, four_percent_are_below_the_threshold) {
  cr_assert_eq(verdicts(1.02, BENCH_SAME), 200);
  cr_assert_geq(verdicts(1.04, BENCH_SAME), 190);
}

Test(judge, noise_raises_the_threshold) {
  double before[40], later[40];
  for (int i = 0; i < 40; i++) {
    before[i] = 1.0 + 0.4 * (i % 2); /* quartiles 40 % apart */
    later[i] = 1.1 * before[i];
  }
  cr_assert_eq(bench_judge(before, 40, later, 40, 0.05), BENCH_SAME);
}

Test(judge, others_work_is_no_change) {
  /* Four of five samples are longer, but the shortest are what they were. */
  double before[50], later[50];
  for (int i = 0; i < 50; i++) {
    before[i] = 1.0 + 0.001 * (i % 5);
    later[i] = i % 5 == 0 ? 1.0 : 1.2 + 0.001 * (i % 5);
  }
  cr_assert_eq(bench_judge(before, 50, later, 50, 0.05), BENCH_SAME);
  for (int i = 0; i < 50; i++) later[i] = 1.2 * before[i];
  cr_assert_eq(bench_judge(before, 50, later, 50, 0.05), BENCH_SLOWER);
}

Test(judge, too_few_values_say_nothing) {
  const double before[] = {1.0, 1.01}, later[] = {1.5, 1.51};
  cr_assert_eq(bench_judge(before, 2, later, 2, 0.05), BENCH_SAME);
  cr_assert_eq(bench_judge(before, 2, later, 0, 0.05), BENCH_SAME);
}

Test(judge_rounds, separated_rounds_are_a_change) {
  const double before[] = {1.00, 1.02, 0.99, 1.01, 1.00}, later[] = {1.10, 1.12, 1.09, 1.11, 1.10};
  cr_assert_eq(bench_judge_rounds(before, 5, later, 5, 0.05), BENCH_SLOWER);
  cr_assert_eq(bench_judge_rounds(later, 5, before, 5, 0.05), BENCH_FASTER);
}

Test(judge_rounds, drift_within_a_run_is_no_change) {
  const double before[] = {1.00, 1.02, 1.12, 1.01, 1.00}, later[] = {1.10, 1.12, 1.09, 1.11, 1.10};
  cr_assert_eq(bench_judge_rounds(before, 5, later, 5, 0.05), BENCH_SAME);
}

Test(judge_rounds, rounds_that_nearly_touch_are_no_change) {
  const double before[] = {1.16, 1.17, 1.69, 1.03, 1.15}, later[] = {1.01, 0.99, 1.00, 1.02, 1.01};
  cr_assert_eq(bench_judge_rounds(before, 5, later, 5, 0.05), BENCH_SAME);
  cr_assert_eq(bench_judge_rounds(before, 5, later, 5, 0.01), BENCH_FASTER);
}

Test(judge_rounds, few_rounds_say_nothing) {
  const double before[] = {1.00, 1.01, 1.00}, later[] = {2.00, 2.01, 2.02};
  cr_assert_eq(bench_judge_rounds(before, 3, later, 3, 0.05), BENCH_SAME);
}

/* Rounds that drift by 3 %: by chance fewer than 2 of 1000 rows look changed, 9 of 10 changes of 15 % are
 * found. */
Test(judge_rounds, errors_of_both_kinds) {
  uint64_t state = 7, chance = 0, found = 0;
  for (int row = 0; row < 2000; row++) {
    double a[6], b[6], slower[6];
    for (int i = 0; i < 6; i++) {
      double sums[2] = {0, 0};
      for (int side = 0; side < 2; side++)
        for (int k = 0; k < 12; k++) {
          state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
          sums[side] += (double)(state >> 40) / 16777216.0;
        }
      a[i] = 1 + 0.03 * (sums[0] - 6);
      b[i] = 1 + 0.03 * (sums[1] - 6);
      slower[i] = 1.15 * b[i];
    }
    chance += bench_judge_rounds(a, 6, b, 6, 0.05) != BENCH_SAME;
    found += bench_judge_rounds(a, 6, slower, 6, 0.05) == BENCH_SLOWER;
  }
  cr_assert_leq(chance, 4, "%llu of 2000", (unsigned long long)chance);
  cr_assert_geq(found, 1800, "%llu of 2000", (unsigned long long)found);
}
