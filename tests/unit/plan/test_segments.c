/* Layers too large for L1 of which a third of the edges exist are taken segment by segment, with the
 * results of single rows: on every instruction set, type and axis, beside samples that are left out. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <backdag/backdag.h>

#include "plan/plan_internal.h"

enum { INPUTS = 300, HIDDEN = 300, OUTPUTS = 20, PLAIN = 400 };
enum { FIRST_OUTPUT = INPUTS + 2 * HIDDEN, FIRST_PLAIN = FIRST_OUTPUT + OUTPUTS };
enum { VERTICES = FIRST_PLAIN + PLAIN };
enum { LOSS_VERTICES = OUTPUTS + 2 };
enum { BATCH = 150, LEFT_OUT = 70, MOST = 70000 };

typedef struct fixture {
  bdag_context *context;
  bdag_network *network;
  uint64_t random;
  uint32_t edges, source[MOST], target[MOST];
  double weight[MOST], x[BATCH * INPUTS], targets[BATCH * LOSS_VERTICES], sample_weight[BATCH];
} fixture;

/* As double, whatever the type. */
typedef struct result {
  double y[BATCH * OUTPUTS], loss, input[BATCH * INPUTS], weight[MOST], bias[VERTICES];
} result;

static double uniform(fixture *f) {
  f->random = f->random * 6364136223846793005u + 1442695040888963407u;
  return (double)(f->random >> 11) / 9007199254740992.0;
}

static void draw_edges(fixture *f) {
  for (uint32_t v = INPUTS; v < FIRST_PLAIN; v++) {
    const uint32_t layer = v < INPUTS + 2 * HIDDEN ? (v - INPUTS) / HIDDEN : 2;
    for (uint32_t u = layer * HIDDEN; u < (layer + 1) * HIDDEN; u++) {
      if (uniform(f) > 0.31) continue;
      f->weight[f->edges] = (uniform(f) - 0.5) / 5;
      f->source[f->edges] = u;
      f->target[f->edges++] = v;
    }
  }
}

/* Rows with few edges, which follow rows that come once a segment. */
static void draw_plain_edges(fixture *f) {
  for (uint32_t v = FIRST_PLAIN; v < VERTICES; v++)
    for (uint32_t i = 0; i < 3; i++) {
      f->weight[f->edges] = (uniform(f) - 0.5) / 5;
      f->source[f->edges] = i < 2 ? (2 * v + i) % INPUTS : v;
      f->target[f->edges++] = i < 2 ? v : FIRST_OUTPUT + v % OUTPUTS;
    }
}

/* Two vertices of the loss have successors. */
static void add_loss(fixture *f) {
  uint32_t vertices[LOSS_VERTICES] = {INPUTS + 7, INPUTS + HIDDEN + 3};
  bdag_output outputs[OUTPUTS];
  for (uint32_t i = 0; i < OUTPUTS; i++) {
    vertices[2 + i] = FIRST_OUTPUT + i;
    outputs[i] = (bdag_output){.vertex = vertices[2 + i], .read_out = BDAG_READ_OUT_NONE};
  }
  const bdag_loss_term term = {BDAG_MEAN_SQUARED_ERROR, LOSS_VERTICES, vertices, 1.0, 1.0};
  cr_assert_eq(bdag_network_set_outputs(f->network, OUTPUTS, outputs, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_add_loss(f->network, &term, NULL), BDAG_OK);
}

/* NULL where the processor does not know the instructions. */
static fixture *open_fixture(bdag_isa isa, int plain) {
  fixture *f = calloc(1, sizeof *f);
  f->random = 5;
  bdag_context_options options = BDAG_CONTEXT_OPTIONS_INIT;
  options.isa = isa;
  options.threads = 2;
  options.oversubscribe = 1;
  if (bdag_context_create(&f->context, &options, NULL) != BDAG_OK) {
    free(f);
    return NULL;
  }
  const bdag_activation activation = bdag_activation_default(BDAG_TANH);
  draw_edges(f);
  if (plain) draw_plain_edges(f);
  cr_assert_eq(bdag_network_create(&f->network, f->context, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_add_inputs(f->network, INPUTS, NULL, NULL), BDAG_OK);
  for (uint32_t v = INPUTS; v < VERTICES; v++)
    cr_assert_eq(bdag_network_add_vertices(f->network, 1, &activation, NULL, NULL), BDAG_OK);
  cr_assert_eq(
      bdag_network_add_edges(f->network, f->edges, f->source, f->target, f->weight, NULL, NULL),
      BDAG_OK);
  add_loss(f);
  for (int i = 0; i < BATCH * INPUTS; i++) f->x[i] = uniform(f) - 0.5;
  for (int i = 0; i < BATCH * LOSS_VERTICES; i++) f->targets[i] = uniform(f) - 0.5;
  for (int i = 0; i < BATCH; i++) f->sample_weight[i] = i == LEFT_OUT ? 0 : 0.5 + uniform(f);
  f->x[LEFT_OUT * INPUTS + 3] = NAN;
  return f;
}

static void close_fixture(fixture *f) {
  bdag_network_destroy(f->network);
  bdag_context_destroy(f->context);
  free(f);
}

static bdag_plan *make_plan(const fixture *f, bdag_amalgamation amalgamation) {
  bdag_plan_options options = BDAG_PLAN_OPTIONS_INIT;
  bdag_plan *plan;
  options.amalgamation = amalgamation;
  cr_assert_eq(bdag_plan_create(&plan, f->network, &options, NULL), BDAG_OK);
  return plan;
}

static void widen(bdag_type type, const void *from, double *to, size_t count) {
  for (size_t i = 0; i < count; i++)
    to[i] = type == BDAG_FLOAT32 ? ((const float *)from)[i] : ((const double *)from)[i];
}

static void read_gradients(const fixture *f, bdag_engine *engine, bdag_type type, result *r) {
  static double numbers[MOST];
  cr_assert_eq(bdag_read_weight_grad(engine, 0, f->edges, numbers), BDAG_OK);
  widen(type, numbers, r->weight, f->edges);
  cr_assert_eq(bdag_read_bias_grad(engine, 0, VERTICES, numbers), BDAG_OK);
  widen(type, numbers, r->bias, VERTICES);
  static uint32_t inputs[INPUTS];
  for (uint32_t i = 0; i < INPUTS; i++) inputs[i] = i;
  const bdag_array array = {r->input, BDAG_FLOAT64, INPUTS, 1};
  cr_assert_eq(bdag_read_vertices(engine, BDAG_OUT_GRAD, INPUTS, inputs, &array), BDAG_OK);
}

/* Two backward passes, of which the second one adds. */
static result *run(const fixture *f, bdag_plan *plan, bdag_type type, bdag_axis axis) {
  result *r = calloc(1, sizeof *r);
  bdag_weights *weights;
  bdag_engine *engine;
  bdag_engine_options options = BDAG_ENGINE_OPTIONS_INIT;
  options.type = type;
  options.axis = axis;
  options.deterministic = 1;
  options.max_batch = BATCH;
  options.keep |= BDAG_KEEP_INPUT_GRAD;
  cr_assert_eq(bdag_weights_create(&weights, plan, f->network, type, NULL), BDAG_OK);
  cr_assert_eq(bdag_engine_create(&engine, plan, &options, NULL), BDAG_OK);
  const bdag_array x = {(void *)f->x, BDAG_FLOAT64, INPUTS, 1};
  const bdag_array y = {r->y, BDAG_FLOAT64, OUTPUTS, 1};
  const bdag_array targets = {(void *)f->targets, BDAG_FLOAT64, LOSS_VERTICES, 1};
  bdag_backward_options backward = BDAG_BACKWARD_OPTIONS_INIT;
  backward.targets = &targets;
  backward.sample_weights = f->sample_weight;
  for (backward.accumulate = 0; backward.accumulate < 2; backward.accumulate++) {
    cr_assert_eq(bdag_forward_arrays(engine, weights, BATCH, &x, &y), BDAG_OK);
    cr_assert_eq(bdag_backward_arrays(engine, weights, &backward, &r->loss), BDAG_OK);
  }
  read_gradients(f, engine, type, r);
  bdag_engine_destroy(engine);
  bdag_weights_release(weights);
  return r;
}

static void check_close(const char *what, const double *a, const double *b, size_t count,
                        double tolerance) {
  double scale = 0;
  for (size_t i = 0; i < count; i++)
    if (fabs(b[i]) > scale) scale = fabs(b[i]);
  for (size_t i = 0; i < count; i++)
    if (!(fabs(a[i] - b[i]) <= tolerance * scale) && !(isnan(a[i]) && isnan(b[i])))
      cr_assert_fail("%s %zu: %g instead of %g", what, i, a[i], b[i]);
}

static void check_results(const fixture *f, bdag_plan *plan, bdag_plan *single, bdag_type type) {
  const double tolerance = type == BDAG_FLOAT32 ? 1e-5 : 1e-13;
  result *expected = run(f, single, type, BDAG_AXIS_SERIAL);
  result *serial = run(f, plan, type, BDAG_AXIS_SERIAL);
  check_close("y", serial->y, expected->y, BATCH * OUTPUTS, tolerance);
  check_close("loss", &serial->loss, &expected->loss, 1, tolerance);
  check_close("input gradient", serial->input, expected->input, BATCH * INPUTS, tolerance);
  check_close("weight gradient", serial->weight, expected->weight, f->edges, tolerance);
  check_close("bias gradient", serial->bias, expected->bias, VERTICES, tolerance);
  for (bdag_axis axis = BDAG_AXIS_TILES; axis <= BDAG_AXIS_VERTICES; axis++) {
    result *other = run(f, plan, type, axis);
    cr_assert_eq(memcmp(other, serial, sizeof *other), 0, "axis %d has other bits", (int)axis);
    free(other);
  }
  free(serial);
  free(expected);
}

static void check_segments(const bdag_plan *plan, int plain) {
  uint64_t forward = 0, backward = 0;
  for (uint32_t i = 0; i < plan->runs; i++) {
    const bdag_row_run *run = &plan->run[i];
    if (run->shares)
      forward += plan->list_offset[run->row + run->rows] - plan->list_offset[run->row];
  }
  for (uint32_t i = 0; i < plan->sweeps; i++)
    if (plan->sweep[i].continues) backward += plan->sweep[i].slots;
  /* all edges between large layers, or those of the layer that no plain rows stand beside */
  cr_assert_gt(forward * 10, plan->edges * (plain ? 4 : 8));
  cr_assert_gt(backward * 10, plan->edges * 4);
}

static void check_all(int plain) {
  for (bdag_isa isa = BDAG_ISA_BASELINE; isa <= BDAG_ISA_NEON; isa++) {
    fixture *f = open_fixture(isa, plain);
    if (f == NULL) continue;
    bdag_plan *plan = make_plan(f, BDAG_AMALGAMATE_BY_COST);
    bdag_plan *single = make_plan(f, BDAG_AMALGAMATE_OFF);
    check_segments(plan, plain);
    check_results(f, plan, single, BDAG_FLOAT32);
    check_results(f, plan, single, BDAG_FLOAT64);
    bdag_plan_release(plan);
    bdag_plan_release(single);
    close_fixture(f);
  }
}

Test(segments, have_the_results_of_single_rows) {
  check_all(0);
}

Test(segments, leave_room_for_other_rows) {
  check_all(1);
}
