/* What an engine that keeps little does differently, on random graphs: in_grad rows take each other's
 * places, and plain gradient descent is fused into the backward pass. Both must give bit for bit what an
 * engine that keeps everything and the update written out give (and those are compared with the oracle by
 * test_random_networks). */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <backdag/backdag.h>

#include "dice.h"

enum { SEEDS = 120, STEPS = 4, MOST_VERTICES = 400, MOST_EDGES = 60000, MOST_BATCH = 600 };

typedef struct subject {
  uint64_t seed;
  dice dice;
  bdag_context *context;
  bdag_network *network;
  bdag_plan *plan;
  bdag_weights *stepped, *written; /* by the trainer, and by hand */
  bdag_engine *engine;             /* keeps everything */
  bdag_engine_options options;
  uint32_t vertices, inputs, edges, biases;
  uint32_t source[MOST_EDGES], target[MOST_EDGES];
  uint8_t has_bias[MOST_VERTICES];
  double decay, x[MOST_BATCH * 24], targets[MOST_BATCH * 2 * 24], weight[MOST_BATCH];
  uint64_t batch, target_count;
} subject;

static void add_edge(subject *s, uint32_t u, uint32_t v) {
  if (s->edges == MOST_EDGES) return;
  s->source[s->edges] = u;
  s->target[s->edges++] = v;
}

/* From one layer to the next: all, most or few edges, or a window that slides. */
static void connect(subject *s, uint32_t first, uint32_t count, uint32_t next, uint32_t width) {
  const uint64_t kind = dice_below(&s->dice, 4);
  const double density = kind == 0 ? 1 : kind == 1 ? 0.8 : 0.25;
  for (uint32_t r = 0; r < width; r++)
    for (uint32_t k = 0; k < count; k++)
      if (kind == 3 ? (k + count - r % count) % count < 6 : dice_chance(&s->dice, density))
        add_edge(s, first + k, next + r);
}

/* Layers with skips; the last vertices lead nowhere. */
static void draw_edges(subject *s, uint32_t *last, uint32_t *width, uint32_t *before) {
  const uint32_t layers = (uint32_t)dice_between(&s->dice, 2, 5);
  uint32_t first = 0, count = s->inputs;
  for (uint32_t l = 0; l < layers; l++) {
    const uint32_t next = first + count, wide = (uint32_t)dice_between(&s->dice, 2, 60);
    connect(s, first, count, next, wide);
    for (uint32_t i = 0; l > 0 && i < wide / 3; i++)
      add_edge(s, (uint32_t)dice_below(&s->dice, first),
               next + (uint32_t)dice_below(&s->dice, wide));
    *before = first;
    first = next;
    count = wide;
  }
  *last = first;
  *width = count;
  const uint32_t end = first + count, dead = (uint32_t)dice_between(&s->dice, 0, 12);
  for (uint32_t v = end; v < end + dead; v++)
    for (uint32_t i = 0; i < 5; i++) add_edge(s, (uint32_t)dice_below(&s->dice, v), v);
  s->vertices = end + dead;
}

static void build_network(subject *s) {
  static const uint32_t kinds[] = {BDAG_TANH, BDAG_RELU, BDAG_SIGMOID};
  const bdag_activation activation =
      bdag_activation_default(kinds[dice_below(&s->dice, sizeof kinds / sizeof *kinds)]);
  const uint64_t none = BDAG_NONE;
  uint32_t last = 0, width = 0, before = 0, vertices[2 * 24], loss_vertices = 0;
  s->inputs = (uint32_t)dice_between(&s->dice, 2, 24);
  draw_edges(s, &last, &width, &before);
  double *weights = malloc(sizeof(double) * MOST_EDGES);
  for (uint32_t e = 0; e < s->edges; e++) weights[e] = 0.3 * dice_normal(&s->dice);
  for (uint32_t i = 0; i < width && i < 24; i++) vertices[loss_vertices++] = last + i;
  /* inside the network, too: what Loss gives adds to what successors give */
  if (before >= s->inputs && dice_chance(&s->dice, 0.5))
    for (uint32_t v = before; v < last && v < before + 24; v++) vertices[loss_vertices++] = v;
  const bdag_loss_term loss = {BDAG_MEAN_SQUARED_ERROR, loss_vertices, vertices, 1, 0};
  s->target_count = loss_vertices;
  bdag_network *network;
  cr_assert_eq(bdag_network_create(&network, s->context, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_add_inputs(network, s->inputs, NULL, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_add_vertices(network, s->vertices - s->inputs, &activation, NULL, NULL),
               BDAG_OK);
  cr_assert_eq(bdag_network_add_edges(network, s->edges, s->source, s->target, weights, NULL, NULL),
               BDAG_OK);
  for (uint32_t v = s->inputs; v < s->vertices; v++) {
    s->has_bias[v] = dice_chance(&s->dice, 0.8);
    if (!s->has_bias[v])
      cr_assert_eq(bdag_network_set_bias_parameters(network, 1, &v, &none, NULL), BDAG_OK);
  }
  cr_assert_eq(bdag_network_add_loss(network, &loss, NULL), BDAG_OK);
  s->network = network;
  free(weights);
}

static void draw_options(subject *s) {
  static const bdag_axis axes[] = {BDAG_AXIS_TILES, BDAG_AXIS_VERTICES, BDAG_AXIS_SERIAL,
                                   BDAG_AXIS_BOTH};
  static const uint32_t tiles[] = {0, 16, 64, 128};
  bdag_plan_options plan = BDAG_PLAN_OPTIONS_INIT;
  plan.amalgamation = (bdag_amalgamation)dice_below(&s->dice, 3);
  plan.tile = tiles[dice_below(&s->dice, 4)];
  s->batch = dice_between(&s->dice, 1, dice_chance(&s->dice, 0.3) ? 20 : MOST_BATCH);
  s->options = (bdag_engine_options)BDAG_ENGINE_OPTIONS_INIT;
  s->options.type = dice_chance(&s->dice, 0.5) ? BDAG_FLOAT32 : BDAG_FLOAT64;
  s->options.max_batch = s->batch;
  s->options.axis = axes[dice_below(&s->dice, 4)];
  s->options.threads = (uint32_t)dice_between(&s->dice, 1, 4);
  s->options.deterministic = dice_chance(&s->dice, 0.3);
  s->decay = dice_chance(&s->dice, 0.5) ? 0.02 : 0;
  cr_assert_eq(bdag_plan_create(&s->plan, s->network, &plan, NULL), BDAG_OK);
}

static void draw_samples(subject *s) {
  const double kept = dice_chance(&s->dice, 0.7) ? 1 : 0.8;
  for (uint64_t i = 0; i < s->batch * s->inputs; i++) s->x[i] = dice_normal(&s->dice);
  for (uint64_t i = 0; i < s->batch * s->target_count; i++) s->targets[i] = dice_normal(&s->dice);
  for (uint64_t i = 0; i < s->batch; i++) s->weight[i] = dice_chance(&s->dice, kept) ? 1 : 0;
  s->weight[0] = 1;
  /* what a sample of weight 0 holds must not matter */
  for (uint64_t i = 1; i < s->batch; i++)
    if (s->weight[i] == 0) s->x[i * s->inputs] = NAN;
}

static subject *draw(uint64_t seed) {
  bdag_context_options options = BDAG_CONTEXT_OPTIONS_INIT;
  subject *s = calloc(1, sizeof *s);
  s->seed = seed;
  s->dice = dice_make(seed, 11);
  options.threads = 4;
  options.oversubscribe = 1;
  const bdag_status status = bdag_context_create(&s->context, &options, NULL);
  if (status == BDAG_ERROR_UNSUPPORTED) cr_skip_test("BACKDAG_ISA names what is not here");
  cr_assert_eq(status, BDAG_OK);
  build_network(s);
  draw_options(s);
  draw_samples(s);
  cr_assert_eq(bdag_weights_create(&s->stepped, s->plan, s->network, s->options.type, NULL),
               BDAG_OK);
  cr_assert_eq(bdag_weights_create(&s->written, s->plan, s->network, s->options.type, NULL),
               BDAG_OK);
  s->options.keep = BDAG_KEEP_ALL | BDAG_KEEP_INPUT_GRAD;
  cr_assert_eq(bdag_engine_create(&s->engine, s->plan, &s->options, NULL), BDAG_OK);
  return s;
}

static void discard(subject *s) {
  bdag_engine_destroy(s->engine);
  bdag_weights_release(s->stepped);
  bdag_weights_release(s->written);
  bdag_plan_release(s->plan);
  bdag_network_destroy(s->network);
  bdag_context_destroy(s->context);
  free(s);
}

static bdag_status pass(subject *s, bdag_engine *engine, const bdag_weights *weights,
                        double *loss) {
  const bdag_array x = {s->x, BDAG_FLOAT64, (ptrdiff_t)s->inputs, 1};
  const bdag_array targets = {s->targets, BDAG_FLOAT64, (ptrdiff_t)s->target_count, 1};
  bdag_backward_options options = BDAG_BACKWARD_OPTIONS_INIT;
  options.targets = &targets;
  options.sample_weights = s->weight;
  const bdag_status status = bdag_forward_arrays(engine, weights, s->batch, &x, NULL);
  return status != BDAG_OK ? status : bdag_backward_arrays(engine, weights, &options, loss);
}

static uint64_t parameters_of(const subject *s) {
  return bdag_network_parameter_count(s->network);
}

static void *gradients_of(const subject *s, bdag_engine *engine) {
  void *gradient = calloc(parameters_of(s) + 1, sizeof(double));
  cr_assert_eq(bdag_read_parameter_grad(engine, 0, parameters_of(s), gradient), BDAG_OK);
  return gradient;
}

/* ---- Engines that keep little -------------------------------------------------------------------- */

Test(keeps, little_gives_the_same_gradients) {
  for (uint64_t seed = 1; seed <= SEEDS; seed++) {
    subject *s = draw(seed);
    bdag_engine *little;
    bdag_engine_options options = s->options;
    double loss[2];
    options.keep = BDAG_KEEP_WEIGHT_GRAD;
    cr_assert_eq(bdag_engine_create(&little, s->plan, &options, NULL), BDAG_OK);
    for (int turn = 0; turn < 2; turn++) {
      cr_assert_eq(pass(s, s->engine, s->written, &loss[0]), BDAG_OK);
      cr_assert_eq(pass(s, little, s->written, &loss[1]), BDAG_OK);
      void *all = gradients_of(s, s->engine), *few = gradients_of(s, little);
      cr_assert(memcmp(loss, loss + 1, sizeof *loss) == 0, "seed %" PRIu64, seed);
      cr_assert(memcmp(all, few, parameters_of(s) * sizeof(double)) == 0, "seed %" PRIu64, seed);
      free(all);
      free(few);
    }
    bdag_engine_destroy(little);
    discard(s);
  }
}

/* ---- Descent ------------------------------------------------------------------------------------- */

#define RATE 0.05

static double stepped(const subject *s, double w, double g, double decay) {
  if (s->options.type == BDAG_FLOAT64) return w - RATE * (g + decay * w);
  const float w32 = (float)w, rate = (float)RATE, shrink = (float)decay;
  const float slope = (float)g + shrink * w32, step = rate * slope;
  return w32 - step;
}

/* One parameter, if what it belongs to reaches Loss. */
static void step_by_hand(const subject *s, uint64_t parameter, const void *gradient,
                         uint32_t vertex, double decay, double *values) {
  if (!bdag_plan_reaches_loss(s->plan, vertex)) return;
  const double g = s->options.type == BDAG_FLOAT64 ? ((const double *)gradient)[parameter]
                                                   : ((const float *)gradient)[parameter];
  values[parameter] = stepped(s, values[parameter], g, decay);
}

static void write_step(subject *s) {
  double loss, *values = calloc(parameters_of(s) + 1, sizeof *values);
  cr_assert_eq(pass(s, s->engine, s->written, &loss), BDAG_OK);
  void *gradient = gradients_of(s, s->engine);
  cr_assert_eq(bdag_weights_read(s->written, 0, parameters_of(s), values), BDAG_OK);
  for (uint32_t e = 0; e < s->edges; e++) {
    uint64_t parameter;
    cr_assert_eq(bdag_network_get_edges(s->network, e, 1, NULL, NULL, &parameter, NULL, NULL),
                 BDAG_OK);
    step_by_hand(s, parameter, gradient, s->target[e], s->decay, values);
  }
  for (uint32_t v = s->inputs; v < s->vertices; v++) {
    bdag_vertex vertex;
    cr_assert_eq(bdag_network_get_vertex(s->network, v, &vertex), BDAG_OK);
    if (s->has_bias[v]) step_by_hand(s, vertex.bias_parameter, gradient, v, 0, values);
  }
  cr_assert_eq(bdag_weights_write(s->written, 0, parameters_of(s), values), BDAG_OK);
  free(gradient);
  free(values);
}

static void compare_weights(const subject *s, const char *when) {
  double *a = calloc(parameters_of(s) + 1, sizeof *a), *b = calloc(parameters_of(s) + 1, sizeof *b);
  cr_assert_eq(bdag_weights_read(s->stepped, 0, parameters_of(s), a), BDAG_OK);
  cr_assert_eq(bdag_weights_read(s->written, 0, parameters_of(s), b), BDAG_OK);
  for (uint64_t p = 0; p < parameters_of(s); p++)
    cr_assert(memcmp(&a[p], &b[p], sizeof *a) == 0,
              "seed %" PRIu64 ", %s: parameter %" PRIu64 " is %.17g, by hand %.17g", s->seed, when,
              p, a[p], b[p]);
  free(a);
  free(b);
}

static bdag_trainer *make_trainer(const subject *s) {
  bdag_trainer_options options = BDAG_TRAINER_OPTIONS_INIT;
  bdag_trainer *trainer;
  options.optimizer = BDAG_SGD;
  options.momentum = 0;
  options.learning_rate = RATE;
  options.weight_decay = s->decay;
  options.max_batch = s->batch;
  options.axis = s->options.axis;
  options.threads = s->options.threads;
  options.deterministic = s->options.deterministic;
  cr_assert_eq(bdag_trainer_create(&trainer, s->plan, s->stepped, &options, NULL), BDAG_OK);
  return trainer;
}

static bdag_status train(subject *s, bdag_trainer *trainer) {
  const bdag_array x = {s->x, BDAG_FLOAT64, (ptrdiff_t)s->inputs, 1};
  const bdag_array targets = {s->targets, BDAG_FLOAT64, (ptrdiff_t)s->target_count, 1};
  return bdag_trainer_step(trainer, s->batch, &x, &targets, s->weight, NULL);
}

Test(descent, fused_steps_are_those_written_out) {
  for (uint64_t seed = 1; seed <= SEEDS; seed++) {
    subject *s = draw(seed);
    bdag_trainer *trainer = make_trainer(s);
    for (int step = 0; step < STEPS; step++) {
      cr_assert_eq(train(s, trainer), BDAG_OK, "seed %" PRIu64, seed);
      write_step(s);
      compare_weights(s, "after a step");
    }
    bdag_trainer_destroy(trainer);
    discard(s);
  }
}

/* The loss is finite, one gradient is not: x is large, and so is the distance to the target. */
Test(descent, a_gradient_that_overflows_changes_nothing) {
  int refused = 0;
  for (uint64_t seed = 1; seed <= SEEDS; seed++) {
    subject *s = draw(seed);
    s->options.type = BDAG_FLOAT32;
    bdag_weights_release(s->stepped);
    bdag_weights_release(s->written);
    cr_assert_eq(bdag_weights_create(&s->stepped, s->plan, s->network, BDAG_FLOAT32, NULL),
                 BDAG_OK);
    cr_assert_eq(bdag_weights_create(&s->written, s->plan, s->network, BDAG_FLOAT32, NULL),
                 BDAG_OK);
    bdag_trainer *trainer = make_trainer(s);
    cr_assert_eq(train(s, trainer), BDAG_OK);
    double *before = calloc(parameters_of(s) + 1, sizeof *before);
    cr_assert_eq(bdag_weights_read(s->stepped, 0, parameters_of(s), before), BDAG_OK);
    cr_assert_eq(bdag_weights_write(s->written, 0, parameters_of(s), before), BDAG_OK);
    s->x[0] = 1e38;
    for (uint64_t i = 0; i < s->target_count; i++) s->targets[i] = 1e18 * (i % 2 == 0 ? 1 : -1);
    const bdag_status status = train(s, trainer);
    cr_assert(status == BDAG_OK || status == BDAG_ERROR_NOT_FINITE, "seed %" PRIu64, seed);
    if (status == BDAG_ERROR_NOT_FINITE) compare_weights(s, "after a step that failed");
    refused += status == BDAG_ERROR_NOT_FINITE;
    double *after = calloc(parameters_of(s) + 1, sizeof *after);
    cr_assert_eq(bdag_weights_read(s->stepped, 0, parameters_of(s), after), BDAG_OK);
    for (uint64_t p = 0; p < parameters_of(s); p++)
      cr_assert(isfinite(after[p]), "seed %" PRIu64 ": parameter %" PRIu64 " is %g", seed, p,
                after[p]);
    free(before);
    free(after);
    bdag_trainer_destroy(trainer);
    discard(s);
  }
  cr_assert_gt(refused, SEEDS / 10, "only %d steps were refused", refused);
}
