/* Wrong results and dead gradients are refused, right ones accepted. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "run_cases.h"
#include "verify.h"

static bench_settings settings;
static bdag_context *context;

static void set_up(void) {
  settings = bench_settings_default();
  settings.pin = 0;
  context = bench_context_create(&settings, 1);
}
static void tear_down(void) {
  bdag_context_destroy(context);
}
TestSuite(verify, .init = set_up, .fini = tear_down);

static bench_subject *subject_of(const char *name, uint64_t batch, int step) {
  bench_subject *subject = bench_subject_create(context, &settings, bench_case_find(name), NULL);
  cr_assert_not_null(subject);
  cr_assert_eq(bench_subject_configure(subject, batch, 1, step), BDAG_OK);
  return subject;
}

static void assert_correct(const char *name, uint64_t batch) {
  bench_subject *subject = subject_of(name, batch, 1);
  bench_verification result;
  bench_verify(subject, 1, 1, &result);
  cr_assert(result.correct, "%s: %s", name, result.message);
  cr_assert(result.checked_backward && result.checked_step);
  cr_assert_gt(result.samples, 0);
  bench_subject_destroy(subject);
}

Test(verify, small_nets_are_right) {
  assert_correct("small", 1);
  assert_correct("small", 32);
  assert_correct("evolved-100", 32);
}

Test(verify, float64_is_right) {
  settings.type = BDAG_FLOAT64;
  assert_correct("small", 32);
}

Test(verify, some_samples_of_a_large_batch) {
  assert_correct("cascade", 100);
}

/* A weight that is not the network's: what a broken kernel would look like. */
static bench_subject *broken_subject(double change) {
  bench_subject *subject = subject_of("small", 32, 0);
  double weight;
  cr_assert_eq(bdag_weights_read(subject->member[0].weights, 20, 1, &weight), BDAG_OK);
  weight += change;
  cr_assert_eq(bdag_weights_write(subject->member[0].weights, 20, 1, &weight), BDAG_OK);
  return subject;
}

Test(verify, one_wrong_weight_is_seen) {
  bench_verification result;
  bench_subject *subject = broken_subject(0.0);
  bench_verify(subject, 1, 0, &result);
  cr_assert(result.correct, "%s", result.message);
  bench_subject_destroy(subject);
  subject = broken_subject(0.3);
  bench_verify(subject, 0, 0, &result);
  cr_assert_not(result.correct);
  cr_assert_not_null(strstr(result.message, "oracle"));
  bench_subject_destroy(subject);
}

Test(verify, distances) {
  bench_distance distance = {0};
  bench_distance_add(&distance, 3.0, 3.0, 1.0);
  bench_distance_add(&distance, 4.05, 4.0, 1.0);
  cr_assert_eq(distance.count, 2);
  cr_assert_eq(distance.off, 0);
  cr_assert(bench_distance_relative(&distance) > 0.00999 &&
            bench_distance_relative(&distance) < 0.01001);
  cr_assert(bench_distance_is_small(&distance, 0.011));
  cr_assert_not(bench_distance_is_small(&distance, 0.009));
  const bench_distance none = {0};
  cr_assert_eq(bench_distance_relative(&none), 0.0);
}

Test(verify, few_elements_may_be_off_and_by_little) {
  bench_distance distance = {0};
  for (int i = 0; i < 1999; i++) bench_distance_add(&distance, 1.0, 1.0, 1.0);
  bench_distance_add(&distance, 1.2, 1.0, 1.0);
  cr_assert_eq(distance.off, 1);
  cr_assert(bench_distance_is_small(&distance, 1e-6));
  bench_distance much = distance, many = distance;
  bench_distance_add(&much, 2.0, 1.0, 1.0);
  cr_assert_not(bench_distance_is_small(&much, 1e-6));
  bench_distance_add(&many, 1.2, 1.0, 1.0);
  bench_distance_add(&many, 1.2, 1.0, 1.0);
  cr_assert_not(bench_distance_is_small(&many, 1e-6));
  bench_distance_add(&distance, NAN, 1.0, 1.0);
  cr_assert_not(bench_distance_is_small(&distance, 1e-6));
}

Test(verify, challenge_weights_are_no_measurement_of_a_backward_pass) {
  char note[200] = "";
  bench_subject *subject = subject_of("challenge-1024", 16, 0);
  cr_assert_not(bench_check_liveness(subject, note, sizeof note));
  cr_assert_not_null(strstr(note, "in_grads differ from 0"), "%s", note);
  bench_subject_destroy(subject);
}

Test(verify, he_weights_are_alive) {
  char note[200] = "";
  bench_subject *subject = subject_of("radix-1024", 16, 0);
  cr_assert(bench_check_liveness(subject, note, sizeof note), "%s", note);
  bench_liveness liveness;
  cr_assert_eq(bench_liveness_count(subject, &liveness), BDAG_OK);
  cr_assert(liveness.alive > 0.3 && liveness.alive < 0.7, "%g", liveness.alive);
  cr_assert_eq(liveness.infinite, 0);
  bench_subject_destroy(subject);
}

Test(verify, rows_describe_the_work) {
  bench_subject *subject = subject_of("small", 4, 0);
  const bench_machine machine = {0};
  bench_row forward = {0}, backward = {0}, plan = {0};
  bench_row_describe(&forward, subject, BENCH_FORWARD, &machine);
  bench_row_describe(&backward, subject, BENCH_BACKWARD, &machine);
  bench_row_describe(&plan, subject, BENCH_PLAN, &machine);
  /* 2·8 + 8·8 + 8 edges; the 16 from inputs need no out_grad. */
  cr_assert_eq(forward.edge_samples, 88.0 * 4);
  cr_assert_eq(forward.flops, 2.0 * 88 * 4);
  cr_assert_eq(backward.flops, 2.0 * (88 + 72) * 4);
  cr_assert_eq(plan.edge_samples, 0.0);
  cr_assert_eq(forward.valid, 1);
  bench_subject_destroy(subject);
}
