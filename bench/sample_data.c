/* Samples and targets by seed. */
#include "sample_data.h"

#include <math.h>

static void fill_inputs(const bench_subject *subject, bench_member *member, bench_random *random) {
  const bdag_type type = subject->settings->type;
  const double on = subject->the_case != NULL ? subject->the_case->input_on : 0.0;
  const uint64_t count = subject->batch * bdag_plan_input_count(member->plan);
  for (uint64_t i = 0; i < count; i++) {
    /* Not beyond 1.5: FANN, which is compared, takes tanh' beyond tanh = ±0.98 for that of 0.98. */
    const double normal = fmax(-1.5, fmin(1.5, bench_random_normal(random)));
    const double value =
        on > 0.0 ? (double)(bench_random_uniform(random) < on) : (double)(float)normal;
    bench_set_number(type, member->x, i, value);
  }
}

static double draw_target(const bdag_loss_term *term, bench_random *random) {
  switch (term->kind) {
  case BDAG_CLASS_CROSS_ENTROPY:
    return (double)bench_random_below(random, term->vertex_count);
  case BDAG_BINARY_CROSS_ENTROPY:
  case BDAG_DISTRIBUTION_CROSS_ENTROPY:
    return (double)(float)bench_random_uniform(random);
  default:
    return (double)(float)(0.5 * bench_random_normal(random));
  }
}

static void fill_targets(const bench_subject *subject, bench_member *member, bench_random *random) {
  const bdag_type type = subject->settings->type;
  const uint64_t columns = bdag_plan_target_count(member->plan);
  for (uint32_t t = 0; t < bdag_network_loss_count(member->network); t++) {
    bdag_loss_term term;
    uint64_t first, count;
    if (bdag_network_get_loss(member->network, t, &term, &first, &count) != BDAG_OK) return;
    for (uint64_t s = 0; s < subject->batch; s++)
      for (uint64_t j = first; j < first + count; j++)
        bench_set_number(type, member->targets, s * columns + j, draw_target(&term, random));
  }
}

void bench_fill_samples(const bench_subject *subject, bench_member *member, uint64_t index) {
  bench_random random = {subject->settings->seed * 31u + index + 7u};
  fill_inputs(subject, member, &random);
  fill_targets(subject, member, &random);
}
