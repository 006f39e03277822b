/* Bounds and fractions on graphs and values that are known by hand. */
#include <criterion/criterion.h>
#include <math.h>

#include "predict.h"

#define assert_near(value, expected)                                                               \
  cr_assert(fabs((value) - (expected)) <= 1e-9 * fabs(expected), "%.12g is not %.12g",             \
            (double)(value), (double)(expected))

Test(predict, amdahl_gives_its_own_serial_fraction_back) {
  for (uint32_t p = 2; p <= 128; p *= 2) {
    const double serial = 0.07, speedup = 1.0 / (serial + (1.0 - serial) / p);
    assert_near(bench_karp_flatt(speedup, p), serial);
  }
}

/* (1/4 − 1/8) / (7/8) = 1/7. */
Test(predict, karp_flatt_by_hand) {
  assert_near(bench_karp_flatt(4.0, 8), 1.0 / 7.0);
  assert_near(bench_karp_flatt(1.0, 2), 1.0);
  cr_assert(fabs(bench_karp_flatt(2.0, 2)) < 1e-15, "perfect");
  cr_assert(bench_karp_flatt(2.5, 2) < 0.0, "superlinear");
  cr_assert(isnan(bench_karp_flatt(1.0, 1)), "one thread reveals nothing");
}

/* Longest path and sum of a graph of tasks by its definition. */
static void work_and_span(uint32_t count, const double *seconds, const uint32_t (*edge)[2],
                          uint32_t edges, double *work, double *span) {
  double end[16] = {0};
  *work = *span = 0.0;
  for (uint32_t t = 0; t < count; t++) {
    double begin = 0.0;
    for (uint32_t e = 0; e < edges; e++)
      if (edge[e][1] == t) begin = fmax(begin, end[edge[e][0]]);
    end[t] = begin + seconds[t];
    *work += seconds[t];
    *span = fmax(*span, end[t]);
  }
}

Test(predict, a_chain_gains_nothing) {
  static const double seconds[] = {1, 2, 3};
  static const uint32_t edge[][2] = {{0, 1}, {1, 2}};
  double work, span;
  work_and_span(3, seconds, edge, 2, &work, &span);
  for (uint32_t p = 1; p <= 64; p++) {
    assert_near(bench_bound_work_span(work, span, p), 6.0);
    assert_near(bench_bound_greedy(work, span, p), 6.0);
  }
}

Test(predict, independent_tasks_divide) {
  static const double seconds[] = {1, 1, 1, 1};
  double work, span;
  work_and_span(4, seconds, NULL, 0, &work, &span);
  assert_near(bench_bound_work_span(work, span, 2), 2.0);
  assert_near(bench_bound_greedy(work, span, 2), 2.5);
  assert_near(bench_bound_work_span(work, span, 4), 1.0);
  assert_near(bench_bound_work_span(work, span, 400), 1.0);
}

/* Fork and join: 1, then three of 4, then 1. Two processors need 10 whatever the order. */
Test(predict, every_schedule_lies_between_the_bounds) {
  static const double seconds[] = {1, 4, 4, 4, 1};
  static const uint32_t edge[][2] = {{0, 1}, {0, 2}, {0, 3}, {1, 4}, {2, 4}, {3, 4}};
  double work, span;
  work_and_span(5, seconds, edge, 6, &work, &span);
  assert_near(work, 14.0);
  assert_near(span, 6.0);
  assert_near(bench_bound_work_span(work, span, 2), 7.0);
  assert_near(bench_bound_greedy(work, span, 2), 10.0);
  assert_near(bench_bound_work_span(work, span, 3), 6.0);
  cr_assert(bench_bound_greedy(work, span, 3) >= 6.0, "3 processors need 6");
}

Test(predict, one_thread_takes_the_work) {
  assert_near(bench_bound_greedy(5.0, 2.0, 1), 5.0);
  assert_near(bench_bound_work_span(5.0, 2.0, 1), 5.0);
}

/* A single pass without tiles, all of whose time is in tasks. */
static bench_model model_of(bench_model_pass *pass, double work, double span, double bandwidth) {
  *pass = (bench_model_pass){.work = work, .span = span, .burdened_span = span};
  return (bench_model){.pass_count = 1, .passes = pass, .bytes = 50.0, .bandwidth = bandwidth};
}

Test(predict, the_limit_is_named) {
  bench_model_pass pass;
  bench_model model = model_of(&pass, 100.0, 1.0, 100.0);
  bench_prediction p = bench_predict(&model, 10, 100.0);
  cr_assert(p.limit == BENCH_LIMIT_WORK, "10.9 s, of which 10 are shared work");
  assert_near(p.seconds, 10.9);
  assert_near(p.speedup, 100.0 / 10.9);
  p = bench_predict(&model, 1000, 100.0);
  cr_assert(p.limit == BENCH_LIMIT_SPAN, "1.099 s, of which 1 is span");
  model.bandwidth = 10.0;
  p = bench_predict(&model, 1000, 100.0);
  cr_assert(p.limit == BENCH_LIMIT_BANDWIDTH, "5 s to move the bytes");
  assert_near(p.seconds, 5.0);
  model.bandwidth = 0.0;
  cr_assert(bench_predict(&model, 1000, 100.0).limit == BENCH_LIMIT_SPAN, "no cap is known");
}

Test(predict, the_burden_counts_on_several_threads_only) {
  bench_model_pass pass = {.work = 10.0, .span = 2.0, .burdened_span = 3.0};
  const bench_model model = {.pass_count = 1, .passes = &pass};
  assert_near(bench_predict(&model, 1, 10.0).seconds, 10.0);
  assert_near(bench_predict(&model, 4, 10.0).seconds, 5.0);
}

Test(predict, a_heavy_burden_leaves_one_thread) {
  bench_model_pass pass = {.work = 10.0, .span = 8.0, .burdened_span = 800.0};
  const bench_model model = {.pass_count = 1, .passes = &pass};
  assert_near(bench_predict(&model, 4, 10.0).seconds, 10.0);
  cr_assert(bench_predict(&model, 4, 10.0).limit == BENCH_LIMIT_SPAN, "nothing is shared");
}

Test(predict, tiles_are_shared_out_whole) {
  bench_model_pass pass = {
      .work = 12.0, .span = 12.0, .burdened_span = 12.0, .tiles = 4, .reduce = 0.9};
  const bench_model model = {.pass_count = 1, .passes = &pass, .release = 0.5};
  assert_near(bench_predict(&model, 2, 12.0).seconds, 6.0 + 0.45 + 1.0);
  assert_near(bench_predict(&model, 3, 12.0).seconds, 6.0 + 0.6 + 1.0);
  assert_near(bench_predict(&model, 8, 12.0).seconds, 3.0 + 0.9 * 3 / 8 + 1.0);
  pass.span = pass.burdened_span = 0.5;
  assert_near(bench_predict(&model, 8, 12.0).seconds, 11.5 / 8 + 0.5);
}

/* 10 % more work, shared by two: 11 / 2 in two tiles; 1.1 · (10 − 2) / 2 + 2.2 and the burden of 1. */
Test(predict, work_grows_on_several_threads) {
  bench_model_pass pass = {
      .work = 10.0, .span = 2.0, .burdened_span = 3.0, .tiles = 2, .inflation = 1.1};
  const bench_model model = {.pass_count = 1, .passes = &pass};
  assert_near(bench_predict(&model, 1, 10.0).seconds, 10.0);
  assert_near(bench_predict(&model, 2, 10.0).seconds, 5.5);
  pass.tiles = 0;
  assert_near(bench_predict(&model, 2, 10.0).seconds, 4.4 + 2.2 + 1.0);
}

Test(predict, passes_follow_each_other) {
  bench_model_pass passes[] = {{.work = 10.0, .span = 1.0, .burdened_span = 1.0},
                               {.serial = 1, .work = 3.0, .span = 1.0, .burdened_span = 1.0}};
  const bench_model model = {.pass_count = 2, .passes = passes};
  assert_near(bench_predict(&model, 3, 13.0).seconds, 4.0 + 3.0);
}

/* Three networks of 2, 3 and 7 seconds. */
Test(predict, networks_of_a_population_do_not_wait_for_each_other) {
  bench_model_pass passes[] = {
      {.serial = 1, .work = 1.0, .span = 1.0}, {.serial = 1, .work = 1.0, .span = 1.0},
      {.serial = 1, .work = 2.0, .span = 1.0}, {.serial = 1, .work = 1.0, .span = 0.5},
      {.serial = 1, .work = 3.0, .span = 2.0}, {.serial = 1, .work = 4.0, .span = 0.5}};
  bench_model model = {.pass_count = 6, .passes_each = 2, .passes = passes};
  assert_near(bench_model_span(&model), 7.0);
  assert_near(bench_predict(&model, 1, 12.0).seconds, 12.0);
  assert_near(bench_predict(&model, 2, 12.0).seconds, 7.0);
  cr_assert(bench_predict(&model, 100, 12.0).limit == BENCH_LIMIT_SPAN);
  passes[5].work = 1.0;
  assert_near(bench_predict(&model, 2, 9.0).seconds, 4.5);
  cr_assert(bench_predict(&model, 2, 9.0).limit == BENCH_LIMIT_WORK);
  model.passes_each = 0;
  assert_near(bench_model_span(&model), 6.0);
}

Test(predict, one_thread_takes_what_was_measured) {
  bench_model_pass pass = {.work = 10.0, .span = 1.0, .burdened_span = 2.0};
  bench_model model = {.pass_count = 1, .passes = &pass};
  bench_model_fit(&model, 5.0);
  assert_near(pass.work, 5.0);
  assert_near(pass.span, 0.5);
  assert_near(pass.burdened_span, 1.5);
  assert_near(bench_predict(&model, 1, 5.0).seconds, 5.0);
}

static bench_scaling_case measured(double two, double four, int four_oversubscribed) {
  bench_scaling_case c = {.point_count = 3};
  c.points[0] = (bench_scaling_point){.threads = 1, .median = 100.0};
  c.points[1] = (bench_scaling_point){.threads = 2, .median = two};
  c.points[2] =
      (bench_scaling_point){.threads = 4, .median = four, .oversubscribed = four_oversubscribed};
  return c;
}

Test(predict, shown_only_within_the_tolerance) {
  bench_model_pass pass;
  const bench_model model = model_of(&pass, 100.0, 0.0, 0.0);
  bench_scaling_case c = measured(50.0, 26.0, 0);
  bench_predict_check(&c, &model, 0.05);
  cr_assert(c.predictions_shown && c.check_threads == 4, "25 against 26");
  assert_near(c.check_error, 25.0 / 26.0 - 1.0);
  c = measured(50.0, 26.5, 0);
  bench_predict_check(&c, &model, 0.05);
  cr_assert(!c.predictions_shown, "25 against 26.5");
  c = measured(50.0, 23.7, 0);
  bench_predict_check(&c, &model, 0.05);
  cr_assert(!c.predictions_shown, "25 against 23.7: too slow is as wrong");
}

Test(predict, oversubscribed_points_are_no_check) {
  bench_model_pass pass;
  const bench_model model = model_of(&pass, 100.0, 0.0, 0.0);
  bench_scaling_case c = measured(50.0, 60.0, 1);
  bench_predict_check(&c, &model, 0.05);
  cr_assert(c.predictions_shown && c.check_threads == 2, "2 threads are the largest");
  c.point_count = 1;
  bench_predict_check(&c, &model, 0.05);
  cr_assert(!c.predictions_shown && c.check_threads == 0, "1 thread proves nothing");
}

Test(predict, nothing_is_shown_without_measured_work) {
  bench_model_pass pass;
  bench_model model = model_of(&pass, NAN, NAN, 0.0);
  bench_scaling_case c = measured(50.0, 25.0, 0);
  bench_predict_check(&c, &model, 0.05);
  cr_assert(!c.predictions_shown, "no work, no prediction");
  model.pass_count = 0;
  bench_predict_check(&c, &model, 0.05);
  cr_assert(!c.predictions_shown, "no passes, no prediction");
}

Test(predict, metg_is_interpolated) {
  bench_metg_point points[] = {{1e-7, 1e-3, 0.25}, {1e-6, 4e-3, 0.75}, {1e-5, 4e-2, 0.98}};
  const bench_metg_curve curve = {.threads = 2, .tasks = 1000, .point_count = 3, .points = points};
  assert_near(bench_metg(&curve, 0.5), 2.0 * 2e-3 / 1000);
  assert_near(bench_metg(&curve, 0.2), 2.0 * 1e-3 / 1000);
  cr_assert(isnan(bench_metg(&curve, 0.99)), "never reached");
}
