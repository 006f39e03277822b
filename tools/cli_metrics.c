/* Loss, accuracy and mean squared error of a network on samples. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

/* What is counted while batches go by; which of the counts is the accuracy depends on what all of the
 * targets look like, so it is decided at the end. */
typedef struct tally {
  bdag_loss_term term; /* the first loss term */
  uint64_t target_first;
  uint64_t samples, values;
  double squares;
  uint64_t same_class; /* largest output where the largest target is */
  uint64_t above_half; /* outputs on the right side of ½ */
  uint64_t right_sign; /* outputs on the right side of 0 */
  int all_one_hot, all_zero_one, all_plus_minus;
} tally;

static int begin_tally(tally *t, const bdag_network *network) {
  memset(t, 0, sizeof *t);
  t->all_one_hot = t->all_zero_one = t->all_plus_minus = 1;
  return bdag_network_get_loss(network, 0, &t->term, &t->target_first, NULL) == BDAG_OK &&
         t->term.kind <= BDAG_DISTRIBUTION_CROSS_ENTROPY;
}

static uint32_t largest(const double *values, uint32_t count) {
  uint32_t best = 0;
  for (uint32_t i = 1; i < count; i++)
    if (values[i] > values[best]) best = i;
  return best;
}

static void softmax(double *values, uint32_t count) {
  const double top = values[largest(values, count)];
  double sum = 0;
  for (uint32_t i = 0; i < count; i++) sum += values[i] = exp(values[i] - top);
  for (uint32_t i = 0; i < count; i++) values[i] /= sum;
}

static void read_out(uint32_t loss, double *values, uint32_t count) {
  if (loss == BDAG_CLASS_CROSS_ENTROPY || loss == BDAG_DISTRIBUTION_CROSS_ENTROPY)
    softmax(values, count);
  else if (loss == BDAG_BINARY_CROSS_ENTROPY)
    for (uint32_t i = 0; i < count; i++) values[i] = 1 / (1 + exp(-values[i]));
}

static int is_one_hot(const double *targets, uint32_t count) {
  const uint32_t best = largest(targets, count);
  if (count < 2 || targets[best] <= 0) return 0;
  const double other = targets[best == 0 ? 1 : 0];
  if (other == targets[best] || (other != 0 && other != -targets[best])) return 0;
  for (uint32_t i = 0; i < count; i++)
    if (i != best && targets[i] != other) return 0;
  return 1;
}

static void add_sample(tally *t, double *out, const double *targets) {
  const uint32_t n = t->term.vertex_count;
  read_out(t->term.kind, out, n);
  for (uint32_t i = 0; i < n; i++) {
    const double y = targets[i];
    t->squares += (out[i] - y) * (out[i] - y);
    t->above_half += (out[i] > 0.5) == (y > 0.5);
    t->right_sign += (out[i] > 0) == (y > 0);
    t->all_zero_one &= y == 0 || y == 1;
    t->all_plus_minus &= y == -1 || y == 1;
  }
  t->same_class += largest(out, n) == largest(targets, n);
  t->all_one_hot &= is_one_hot(targets, n);
  t->samples++;
  t->values += n;
}

static double accuracy(const tally *t) {
  const uint32_t kind = t->term.kind;
  if (t->samples == 0) return NAN;
  if (kind == BDAG_CLASS_CROSS_ENTROPY || kind == BDAG_DISTRIBUTION_CROSS_ENTROPY || t->all_one_hot)
    return (double)t->same_class / (double)t->samples;
  if (kind == BDAG_BINARY_CROSS_ENTROPY || t->all_zero_one)
    return (double)t->above_half / (double)t->values;
  if (t->all_plus_minus) return (double)t->right_sign / (double)t->values;
  return NAN;
}

/* Targets of one sample as one number per vertex of the term: a class index becomes one-hot. */
static void spread_targets(const tally *t, const bdag_array *targets, uint64_t sample,
                           double *spread) {
  const uint32_t n = t->term.vertex_count;
  for (uint32_t i = 0; i < n; i++)
    spread[i] = t->term.kind == BDAG_CLASS_CROSS_ENTROPY
                    ? cli_array_get(targets, sample, t->target_first) == i
                    : cli_array_get(targets, sample, t->target_first + i);
}

typedef struct buffers {
  void *targets; /* [batch][target columns], of the engine's type */
  double *out;   /* [batch][vertices of the term] */
  double *spread;
} buffers;

static int tally_batch(tally *t, bdag_engine *engine, const bdag_samples *slice, buffers *b) {
  const uint32_t n = t->term.vertex_count;
  const bdag_array out = {b->out, BDAG_FLOAT64, n, 1};
  const bdag_status status = bdag_read_vertices(engine, BDAG_OUT, n, t->term.vertices, &out);
  if (status != BDAG_OK) return cli_fail_status("reading the outputs", status, engine);
  for (uint64_t s = 0; s < slice->count; s++) {
    spread_targets(t, &slice->targets, s, b->spread);
    add_sample(t, b->out + s * n, b->spread);
  }
  return CLI_OK;
}

static int evaluate_batch(const cli_model *model, bdag_engine *engine, const bdag_samples *slice,
                          uint64_t target_count, buffers *b, double *loss_sum) {
  const bdag_array copy = {b->targets, bdag_weights_type(model->weights), (ptrdiff_t)target_count,
                           1};
  for (uint64_t s = 0; s < slice->count; s++)
    for (uint64_t j = 0; j < target_count; j++)
      cli_array_set(&copy, s, j, cli_array_get(&slice->targets, s, j));
  double loss = 0;
  bdag_status status = bdag_forward_arrays(engine, model->weights, slice->count, &slice->x, NULL);
  if (status == BDAG_OK)
    status = bdag_loss(engine, target_count > 0 ? b->targets : NULL, NULL, &loss);
  if (status != BDAG_OK) return cli_fail_status("evaluating", status, engine);
  const int is_mean = bdag_network_get_normalization(model->network) == BDAG_NORMALIZE_WEIGHTS;
  *loss_sum += is_mean ? loss * (double)slice->count : loss;
  return CLI_OK;
}

static int evaluate_all(const cli_model *model, bdag_engine *engine, const bdag_samples *samples,
                        uint64_t batch, cli_metrics *metrics) {
  const uint64_t target_count = bdag_network_target_count(model->network);
  tally t;
  const int tallied = begin_tally(&t, model->network);
  const uint32_t n = tallied ? t.term.vertex_count : 1;
  buffers b = {calloc(batch * target_count + 1, sizeof(double)), calloc(batch * n, sizeof(double)),
               calloc(n, sizeof(double))};
  double loss_sum = 0;
  int result = CLI_FAILED;
  if (b.targets == NULL || b.out == NULL || b.spread == NULL) {
    cli_fail("out of memory");
    goto done;
  }
  for (uint64_t first = 0; first < samples->count; first += batch) {
    const uint64_t rest = samples->count - first;
    const bdag_samples slice = cli_samples_slice(samples, first, rest < batch ? rest : batch);
    if (evaluate_batch(model, engine, &slice, target_count, &b, &loss_sum) != CLI_OK) goto done;
    if (tallied && tally_batch(&t, engine, &slice, &b) != CLI_OK) goto done;
  }
  *metrics =
      (cli_metrics){samples->count, loss_sum / (double)samples->count, tallied ? accuracy(&t) : NAN,
                    tallied ? t.squares / (double)t.values : NAN};
  result = CLI_OK;
done:
  free(b.targets);
  free(b.out);
  free(b.spread);
  return result;
}

int cli_evaluate(const cli_model *model, const cli_compute *compute, const bdag_samples *samples,
                 cli_metrics *metrics) {
  bdag_engine_options options = BDAG_ENGINE_OPTIONS_INIT;
  bdag_engine *engine = NULL;
  bdag_error error;
  const uint64_t batch = compute->batch < samples->count ? compute->batch : samples->count;
  options.type = bdag_weights_type(model->weights);
  options.max_batch = batch;
  options.keep = BDAG_KEEP_OUT;
  options.axis = compute->axis;
  options.threads = compute->threads;
  options.deterministic = compute->deterministic;
  if (bdag_engine_create(&engine, model->plan, &options, &error) != BDAG_OK)
    return cli_fail_error(&error);
  const int result = evaluate_all(model, engine, samples, batch, metrics);
  bdag_engine_destroy(engine);
  return result;
}
