/* The engine against the oracle. Large networks: a few samples of the batch, the others weigh 0. */
#include "verify.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "backprop.h"
#include "oracle_import.h"

enum { CHUNK = 1 << 18, MOST_SAMPLES = 32, FEW_SAMPLES = 3, FEW_FROM_EDGES = 100000 };

void bench_distance_add(bench_distance *d, double value, double expected, double rms) {
  const double difference = value - expected;
  const int off = !(fabs(difference) <= 0.01 * (fabs(expected) + rms));
  *(off ? &d->difference_off : &d->difference) += difference * difference;
  d->norm += expected * expected;
  d->count++;
  d->off += (uint64_t)off;
}

double bench_distance_relative(const bench_distance *d) {
  return d->count > 0 ? sqrt(d->difference / (d->norm > 0.0 ? d->norm : 1.0)) : 0.0;
}

int bench_distance_is_small(const bench_distance *d, double tolerance) {
  return bench_distance_relative(d) <= tolerance && d->off <= d->count / 1000 &&
         d->difference_off <= 1e-4 * d->norm;
}

int bench_distance_may_be_kinks(const bench_distance *d) {
  return d->difference + d->difference_off <= 0.05 * 0.05 * d->norm && d->off <= d->count / 20;
}

static double root_mean_square(const double *values, uint64_t count) {
  double sum = 0.0;
  for (uint64_t i = 0; i < count; i++) sum += values[i] * values[i];
  return count > 0 ? sqrt(sum / (double)count) : 0.0;
}

/* What one member is compared with. */
typedef struct comparison {
  bench_subject *subject;
  bench_member *member;
  bench_verification *result;
  uint64_t sample[MOST_SAMPLES], samples;
  double *sample_weights; /* [batch] */
  oracle_network network;
  oracle_pass pass;
} comparison;

static int accept(comparison *c, const char *what, const bench_distance *distance) {
  const double relative = bench_distance_relative(distance);
  c->result->worst = fmax(c->result->worst, relative);
  const double tolerance = c->subject->settings->type == BDAG_FLOAT32 ? 1e-3 : 1e-9;
  if (bench_distance_is_small(distance, tolerance)) return 1;
  c->result->correct = 0;
  snprintf(c->result->message, sizeof c->result->message,
           "%s differ from the oracle's by %.2g of their norm, %llu of %llu by more than 1 %%",
           what, relative, (unsigned long long)distance->off, (unsigned long long)distance->count);
  return 0;
}

static int refuse(comparison *c, const char *what, bdag_status status) {
  c->result->correct = 0;
  snprintf(c->result->message, sizeof c->result->message, "%s: %s", what,
           bdag_status_string(status));
  return 0;
}

static void choose_samples(comparison *c) {
  const uint64_t batch = c->subject->batch;
  const uint64_t most = c->member->summary.edges >= FEW_FROM_EDGES ? FEW_SAMPLES : MOST_SAMPLES;
  c->samples = batch < most ? batch : most;
  c->sample_weights = bench_allocate(batch, sizeof *c->sample_weights);
  for (uint64_t i = 0; i < c->samples; i++) {
    c->sample[i] = c->samples > 1 ? i * (batch - 1) / (c->samples - 1) : 0;
    c->sample_weights[c->sample[i]] = 1.0;
  }
  c->result->samples = c->samples;
}

/* The chosen samples' rows of a sample-major array, as doubles. */
static double *chosen_rows(const comparison *c, const void *array, uint64_t columns) {
  double *rows = bench_allocate(c->samples * columns, sizeof *rows);
  for (uint64_t i = 0; i < c->samples; i++)
    for (uint64_t j = 0; j < columns; j++)
      rows[i * columns + j] =
          bench_number(c->subject->settings->type, array, c->sample[i] * columns + j);
  return rows;
}

static int run_oracle(comparison *c) {
  const bdag_network *network = c->member->network;
  if (oracle_import(&c->network, network, c->subject->settings->type, NULL) != 0)
    return refuse(c, "the oracle cannot read this network", BDAG_ERROR_UNSUPPORTED);
  double *x = chosen_rows(c, c->member->x, bdag_plan_input_count(c->member->plan));
  double *targets = chosen_rows(c, c->member->targets, bdag_plan_target_count(c->member->plan));
  double ones[MOST_SAMPLES];
  for (uint64_t i = 0; i < c->samples; i++) ones[i] = 1.0;
  const int weighted = bdag_network_get_normalization(network) == BDAG_NORMALIZE_WEIGHTS;
  const oracle_batch batch = {c->samples, x, targets, ones, weighted ? (double)c->samples : 1.0};
  oracle_run(&c->pass, &c->network, &batch);
  bench_free(x);
  bench_free(targets);
  return 1;
}

/* Gradients jump at kinks, and in float32 rounding decides on which side a neuron is. */
static int accept_gradient(comparison *c, const char *what, const bench_distance *distance) {
  if (c->subject->settings->type == BDAG_FLOAT32 && bench_distance_may_be_kinks(distance) &&
      !bench_distance_is_small(distance, 1e-3)) {
    c->result->kinks++;
    return 1;
  }
  return accept(c, what, distance);
}

static int compare_outputs(comparison *c) {
  const bdag_output *outputs = bdag_network_outputs(c->member->network);
  const uint32_t columns = bdag_plan_output_count(c->member->plan);
  const size_t stride = c->network.vertex_count;
  bench_distance distance = {0};
  const double rms = root_mean_square(c->pass.out, c->samples * stride);
  for (uint64_t i = 0; i < c->samples; i++)
    for (uint32_t j = 0; j < columns; j++)
      bench_distance_add(
          &distance,
          bench_number(c->subject->settings->type, c->member->y, c->sample[i] * columns + j),
          c->pass.out[i * stride + outputs[j].vertex], rms);
  return accept(c, "outputs", &distance);
}

typedef bdag_status (*gradient_reader)(bdag_engine *engine, uint64_t first, uint64_t count,
                                       void *gradient);

static int compare_gradient(comparison *c, const char *what, gradient_reader read,
                            const double *expected, uint64_t count) {
  const bdag_type type = c->subject->settings->type;
  void *chunk = bench_allocate(CHUNK, bench_type_size(type));
  const double rms = root_mean_square(expected, count);
  bench_distance distance = {0};
  bdag_status status = BDAG_OK;
  for (uint64_t first = 0; first < count && status == BDAG_OK; first += CHUNK) {
    const uint64_t n = count - first < CHUNK ? count - first : CHUNK;
    status = read(c->member->engine, first, n, chunk);
    for (uint64_t i = 0; i < n && status == BDAG_OK; i++)
      bench_distance_add(&distance, bench_number(type, chunk, i), expected[first + i], rms);
  }
  bench_free(chunk);
  return status == BDAG_OK ? accept_gradient(c, what, &distance) : refuse(c, what, status);
}

static int compare_backward(comparison *c) {
  double loss = 0.0;
  const bdag_status status = bench_member_pass(c->subject, c->member, 1, c->sample_weights, &loss);
  if (status != BDAG_OK) return refuse(c, "backward pass", status);
  bench_distance distance = {0};
  bench_distance_add(&distance, loss, c->pass.loss, fabs(c->pass.loss));
  c->result->checked_backward = 1;
  return accept(c, "the loss", &distance) &&
         compare_gradient(c, "weight gradients", bdag_read_weight_grad, c->pass.weight_grad,
                          c->network.edge_count) &&
         compare_gradient(c, "bias gradients", bdag_read_bias_grad, c->pass.bias_grad,
                          c->network.vertex_count);
}

/* One step of SGD with learning rate 1 on weights of their own: the change is minus the gradient, known
 * to half a unit in the last place of the weights. */
static bdag_status step_once(const comparison *c, double *after) {
  const bench_subject *subject = c->subject;
  const bdag_type type = subject->settings->type;
  bdag_plan *plan = c->member->plan;
  bdag_weights *weights = NULL;
  bdag_trainer *trainer = NULL;
  bdag_trainer_options options = BDAG_TRAINER_OPTIONS_INIT;
  options.optimizer = BDAG_SGD;
  options.learning_rate = 1.0;
  options.momentum = 0.0;
  options.max_batch = subject->batch;
  options.axis = subject->settings->axis;
  options.threads = subject->threads;
  const bdag_array x = {c->member->x, type, bdag_plan_input_count(plan), 1};
  const bdag_array targets = {c->member->targets, type, (ptrdiff_t)bdag_plan_target_count(plan), 1};
  double loss;
  bdag_status status = bdag_weights_create(&weights, plan, c->member->network, type, NULL);
  if (status == BDAG_OK) status = bdag_trainer_create(&trainer, plan, weights, &options, NULL);
  if (status == BDAG_OK)
    status = bdag_trainer_step(trainer, subject->batch, &x, &targets, c->sample_weights, &loss);
  if (status == BDAG_OK) status = bdag_weights_read(weights, 0, c->network.parameter_count, after);
  bdag_trainer_destroy(trainer);
  bdag_weights_release(weights);
  return status;
}

static int compare_step(comparison *c) {
  const uint64_t count = c->network.parameter_count;
  double *after = bench_allocate(count, sizeof *after);
  const bdag_status status = step_once(c, after);
  /* Compared are the weights themselves, but with the gradient's size as the yardstick, so far as the
   * weights' digits allow. */
  const double digit = c->subject->settings->type == BDAG_FLOAT32 ? 0x1p-24 : 0x1p-53;
  const double rms = root_mean_square(c->pass.parameter_grad, count);
  bench_distance distance = {0};
  for (uint64_t p = 0; p < count && status == BDAG_OK; p++) {
    const double before = c->network.parameter[p], gradient = c->pass.parameter_grad[p];
    const double slack = 2.0 * digit * (fabs(before) + fabs(after[p]));
    double change = before - after[p];
    if (fabs(change - gradient) <= slack) change = gradient;
    bench_distance_add(&distance, change, gradient, rms);
  }
  bench_free(after);
  c->result->checked_step = 1;
  return status == BDAG_OK ? accept_gradient(c, "changes of the weights in one step", &distance)
                           : refuse(c, "training step", status);
}

static int verify_member(comparison *c, int backward, int step) {
  choose_samples(c);
  int ok = run_oracle(c);
  if (ok) {
    const bdag_status status = bench_member_pass(c->subject, c->member, 0, NULL, NULL);
    ok = status == BDAG_OK ? compare_outputs(c) : refuse(c, "forward pass", status);
    ok = ok && (!backward || compare_backward(c));
    ok = ok && (!step || compare_step(c));
    oracle_pass_free(&c->pass);
    oracle_network_free(&c->network);
  }
  bench_free(c->sample_weights);
  return ok;
}

/* The same plan in float64, where no neuron is near enough to its kink. */
static void verify_in_double(const bench_subject *subject, const bench_member *member,
                             bench_verification *result) {
  bench_settings settings = *subject->settings;
  settings.type = BDAG_FLOAT64;
  bench_member twin = {.graph = member->graph,
                       .network = member->network,
                       .plan = member->plan,
                       .summary = member->summary};
  bench_subject exact = *subject;
  exact.settings = &settings;
  exact.member = &twin;
  exact.member_count = 1;
  const uint64_t batch = subject->batch < MOST_SAMPLES ? subject->batch : MOST_SAMPLES;
  comparison c = {.subject = &exact, .member = &twin, .result = result};
  const bdag_status status = bench_subject_configure(&exact, batch, subject->threads, 0);
  if (status == BDAG_OK)
    verify_member(&c, 1, 0);
  else
    refuse(&c, "float64 engine", status);
  bench_member_unconfigure(&twin);
}

void bench_verify(bench_subject *subject, int backward, int step, bench_verification *result) {
  memset(result, 0, sizeof *result);
  result->correct = 1;
  for (uint64_t i = 0; i < subject->member_count && result->correct; i++) {
    comparison c = {.subject = subject, .member = &subject->member[i], .result = result};
    const int kinks_before = result->kinks;
    if (verify_member(&c, backward, step) && result->kinks > kinks_before)
      verify_in_double(subject, &subject->member[i], result);
  }
}

static void count_row(bdag_type type, const void *row, uint64_t samples, uint64_t *alive,
                      uint64_t *infinite) {
  for (uint64_t s = 0; s < samples; s++) {
    const double value = bench_number(type, row, s);
    *alive += value != 0.0;
    *infinite += !isfinite(value);
  }
}

static bdag_status count_member(const bench_subject *subject, const bench_member *member,
                                uint64_t *alive, uint64_t *infinite, uint64_t *total) {
  uint64_t count;
  const uint32_t *v = bdag_plan_enumeration(member->plan, &count);
  const uint32_t *levels = bdag_plan_levels(member->plan);
  const uint64_t tile = bdag_engine_tile(member->engine);
  for (uint64_t n = 0; n < count; n++) {
    if (levels[v[n]] == 0) continue;
    for (uint64_t t = 0; t * tile < subject->batch; t++) {
      const void *row;
      uint64_t samples;
      const bdag_status read = bdag_read_row(member->engine, BDAG_IN_GRAD, v[n], t, &row, &samples);
      if (read != BDAG_OK) return read;
      count_row(subject->settings->type, row, samples, alive, infinite);
      *total += samples;
    }
  }
  return BDAG_OK;
}

/* With an engine that keeps in_grad, in place of the one that is measured. */
bdag_status bench_liveness_count(bench_subject *subject, bench_liveness *liveness) {
  uint64_t alive = 0, infinite = 0, total = 0;
  for (uint64_t i = 0; i < subject->member_count; i++) {
    bench_member *member = &subject->member[i];
    bdag_engine *const measured = member->engine;
    member->engine = NULL;
    bdag_status status = bench_member_inspect(subject, member);
    if (status == BDAG_OK) status = bench_member_pass(subject, member, 1, NULL, NULL);
    if (status == BDAG_OK) status = count_member(subject, member, &alive, &infinite, &total);
    bdag_engine_destroy(member->engine);
    member->engine = measured;
    if (status != BDAG_OK) return status;
  }
  liveness->alive = total > 0 ? (double)alive / (double)total : 0.0;
  liveness->infinite = infinite;
  return BDAG_OK;
}
