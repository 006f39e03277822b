/* Running a random case on the engine; see compare.h. */
#include "compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct objects {
  bdag_plan *plan;
  bdag_weights *weights;
  bdag_engine *engine;
} objects;

static void release(objects *o) {
  bdag_engine_destroy(o->engine);
  bdag_weights_release(o->weights);
  bdag_plan_release(o->plan);
}

/* Sometimes with the enumeration of a first plan handed in. */
static bdag_status make_plan(objects *o, const random_case *c, bdag_error *error) {
  bdag_status status = bdag_plan_create(&o->plan, c->network, &c->plan, error);
  if (status != BDAG_OK || !c->handed_in_enumeration) return status;
  bdag_plan_options options = c->plan;
  bdag_plan *first = o->plan;
  options.enumeration = bdag_plan_enumeration(first, &options.enumeration_count);
  if (options.enumeration_count == 0) return BDAG_OK;
  o->plan = NULL;
  status = bdag_plan_create(&o->plan, c->network, &options, error);
  bdag_plan_release(first);
  return status;
}

static bdag_status make(objects *o, const random_case *c, bdag_error *error) {
  bdag_status status = make_plan(o, c, error);
  if (status != BDAG_OK) return status;
  status = bdag_weights_create(&o->weights, o->plan, c->network, c->engine.type, error);
  if (status != BDAG_OK) return status;
  return bdag_engine_create(&o->engine, o->plan, &c->engine, error);
}

/* An array of the engine's type in place of one of doubles. */
static void *narrowed(const random_case *c, const double *values, size_t count) {
  if (c->engine.type == BDAG_FLOAT64) {
    double *copy = oracle_zeros(count, sizeof *copy);
    if (count > 0) memcpy(copy, values, count * sizeof *copy);
    return copy;
  }
  float *copy = oracle_zeros(count, sizeof *copy);
  for (size_t i = 0; i < count; i++) copy[i] = (float)values[i];
  return copy;
}

static void widen(const random_case *c, const void *values, size_t count, double *wide) {
  for (size_t i = 0; i < count; i++)
    wide[i] = c->engine.type == BDAG_FLOAT64 ? ((const double *)values)[i]
                                             : (double)((const float *)values)[i];
}

/* The transpose: [columns][samples]. */
static double *vertex_major(const double *values, size_t samples, size_t columns) {
  double *turned = oracle_zeros(samples * columns, sizeof *turned);
  for (size_t s = 0; s < samples; s++) {
    for (size_t j = 0; j < columns; j++) turned[j * samples + s] = values[s * columns + j];
  }
  return turned;
}

/* A pass over the largest batch with NaN in every x: nothing of it may be left in the next pass. Its
 * targets are those of a sample that counts; where every loss needs x, the pass may fail. */
static void poison(objects *o, const random_case *c) {
  const size_t samples = c->engine.max_batch, columns = c->oracle.target_count;
  double *x = oracle_zeros(samples * c->oracle.input_count, sizeof *x), loss;
  for (size_t i = 0; i < samples * c->oracle.input_count; i++) x[i] = NAN;
  size_t counted = 0;
  while (c->weight[counted] == 0) counted++;
  const bdag_array x_array = {x, BDAG_FLOAT64, (ptrdiff_t)c->oracle.input_count, 1};
  const bdag_array targets = {c->targets + counted * columns, BDAG_FLOAT64, 0, 1};
  bdag_backward_options options = BDAG_BACKWARD_OPTIONS_INIT;
  options.targets = columns > 0 ? &targets : NULL;
  if (bdag_forward_arrays(o->engine, o->weights, samples,
                          c->oracle.input_count > 0 ? &x_array : NULL, NULL) == BDAG_OK)
    (void)bdag_backward_arrays(o->engine, o->weights, &options, &loss);
  free(x);
}

/* Arrays of doubles, vertex-major, whatever the engine's type is. */
static bdag_status pass_arrays(objects *o, const random_case *c, engine_result *result) {
  const size_t samples = c->batch.samples, outputs = bdag_network_output_count(c->network);
  double *x = vertex_major(c->x, samples, c->oracle.input_count);
  double *targets = vertex_major(c->targets, samples, c->oracle.target_count);
  const ptrdiff_t step = (ptrdiff_t)samples;
  const bdag_array x_array = {x, BDAG_FLOAT64, 1, step};
  const bdag_array y_array = {result->y, BDAG_FLOAT64, (ptrdiff_t)outputs, 1};
  const bdag_array target_array = {targets, BDAG_FLOAT64, 1, step};
  bdag_backward_options options = BDAG_BACKWARD_OPTIONS_INIT;
  options.targets = c->oracle.target_count > 0 ? &target_array : NULL;
  options.sample_weights = c->null_weights ? NULL : c->weight;
  options.normalizer = c->batch.normalizer;
  bdag_status status = bdag_forward_arrays(o->engine, o->weights, samples,
                                           c->oracle.input_count > 0 ? &x_array : NULL,
                                           outputs > 0 ? &y_array : NULL);
  if (status == BDAG_OK)
    status = bdag_backward_arrays(o->engine, o->weights, &options, &result->loss);
  options.accumulate = 1;
  if (status == BDAG_OK && c->accumulated)
    status = bdag_backward_arrays(o->engine, o->weights, &options, &result->loss);
  free(x);
  free(targets);
  return status;
}

static bdag_status pass_plain(objects *o, const random_case *c, engine_result *result) {
  const size_t samples = c->batch.samples, outputs = bdag_network_output_count(c->network);
  void *x = narrowed(c, c->x, samples * c->oracle.input_count);
  void *targets = narrowed(c, c->targets, samples * c->oracle.target_count);
  void *y = oracle_zeros(samples * outputs, sizeof(double));
  const double *weights = c->null_weights ? NULL : c->weight;
  bdag_status status = bdag_forward(o->engine, o->weights, samples, x, outputs > 0 ? y : NULL);
  if (status == BDAG_OK)
    status = bdag_backward(o->engine, o->weights, c->oracle.target_count > 0 ? targets : NULL,
                           weights, &result->loss);
  widen(c, y, samples * outputs, result->y);
  free(x);
  free(targets);
  free(y);
  return status;
}

static bdag_status read_vertices(objects *o, const random_case *c, bdag_quantity quantity,
                                 unsigned keep, double **destination) {
  const size_t vertices = c->oracle.vertex_count;
  if (!(c->engine.keep & keep)) return BDAG_OK;
  *destination = oracle_zeros(c->batch.samples * vertices, sizeof **destination);
  const bdag_array array = {*destination, BDAG_FLOAT64, (ptrdiff_t)vertices, 1};
  return bdag_read_vertices(o->engine, quantity, vertices, NULL, &array);
}

typedef bdag_status (*reader)(bdag_engine *, uint64_t, uint64_t, void *);

static bdag_status read_gradient(objects *o, const random_case *c, reader read, size_t count,
                                 double **destination) {
  *destination = oracle_zeros(count, sizeof **destination);
  if (count == 0) return BDAG_OK;
  void *raw = oracle_zeros(count, sizeof(double));
  const bdag_status status = read(o->engine, 0, count, raw);
  widen(c, raw, count, *destination);
  free(raw);
  return status;
}

static bdag_status read_all(objects *o, const random_case *c, engine_result *r) {
  const oracle_network *n = &c->oracle;
  const bdag_status status[] = {
      read_vertices(o, c, BDAG_OUT, BDAG_KEEP_OUT, &r->out),
      read_vertices(o, c, BDAG_IN, BDAG_KEEP_IN, &r->in),
      read_vertices(o, c, BDAG_OUT_GRAD, BDAG_KEEP_OUT_GRAD, &r->out_grad),
      read_vertices(o, c, BDAG_IN_GRAD, BDAG_KEEP_IN_GRAD, &r->in_grad),
      read_gradient(o, c, bdag_read_weight_grad, n->edge_count, &r->weight_grad),
      read_gradient(o, c, bdag_read_bias_grad, n->vertex_count, &r->bias_grad),
      read_gradient(o, c, bdag_read_parameter_grad, n->parameter_count, &r->parameter_grad)};
  for (size_t i = 0; i < sizeof status / sizeof *status; i++)
    if (status[i] != BDAG_OK) return status[i];
  return BDAG_OK;
}

bdag_status engine_result_run(engine_result *result, const random_case *c, bdag_error *error) {
  objects o = {NULL, NULL, NULL};
  const size_t outputs = bdag_network_output_count(c->network);
  const int given = bdag_network_get_normalization(c->network) == BDAG_NORMALIZE_GIVEN;
  *result = (engine_result){.y = oracle_zeros(c->batch.samples * outputs, sizeof(double))};
  bdag_status status = make(&o, c, error);
  if (status == BDAG_OK && c->poisoned) poison(&o, c);
  if (status == BDAG_OK)
    status = c->arrays || given ? pass_arrays(&o, c, result) : pass_plain(&o, c, result);
  if (status == BDAG_OK) status = read_all(&o, c, result);
  release(&o);
  return status;
}

bdag_status engine_forward(double **out, const random_case *c, bdag_error *error) {
  objects o = {NULL, NULL, NULL};
  const bdag_array x = {c->x, BDAG_FLOAT64, (ptrdiff_t)c->oracle.input_count, 1};
  *out = NULL;
  bdag_status status = make(&o, c, error);
  if (status == BDAG_OK)
    status = bdag_forward_arrays(o.engine, o.weights, c->batch.samples,
                                 c->oracle.input_count > 0 ? &x : NULL, NULL);
  if (status == BDAG_OK) status = read_vertices(&o, c, BDAG_OUT, BDAG_KEEP_OUT, out);
  release(&o);
  return status;
}

void engine_result_free(engine_result *result) {
  free(result->out);
  free(result->in);
  free(result->out_grad);
  free(result->in_grad);
  free(result->weight_grad);
  free(result->bias_grad);
  free(result->parameter_grad);
  free(result->y);
  *result = (engine_result){0};
}
