/* An engine that need not keep the gradients of rows lays them over each other; see
 * src/runtime/grad_places.h. What it makes of weights, biases and the loss must be bitwise what an engine
 * that keeps everything makes, on every axis, whatever passes came before. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"
#include "custom_functions.h"
#include "dice.h"
#include "runtime/engine_internal.h"

enum {
  FIRST_SEED = 3000000,
  SEEDS = 60,
  LAYERS = 12,
  WIDEST = 40,
  BATCH = 600,
  MOST_EDGES = 60000
};

#define KEEPS_ALL  (BDAG_KEEP_ALL | BDAG_KEEP_INPUT_GRAD)
#define KEEPS_LESS (BDAG_KEEP_OUT | BDAG_KEEP_WEIGHT_GRAD)

static property_world world;
static bdag_engine *to_cancel;
static _Atomic int calls_left;

static int curb(void *user, bdag_type type, double p, size_t count, const void *in, void *out) {
  for (size_t i = 0; i < count; i++) {
    if (type == BDAG_FLOAT32)
      ((float *)out)[i] = ((const float *)in)[i] / 2;
    else
      ((double *)out)[i] = ((const double *)in)[i] / 2;
  }
  return 0;
}

/* σ′ of the above; one of the calls cancels the pass. */
static int curb_derivative(void *user, bdag_type type, double p, size_t count, const void *in,
                           const void *out, void *derivative) {
  for (size_t i = 0; i < count; i++) {
    if (type == BDAG_FLOAT32)
      ((float *)derivative)[i] = 0.5f;
    else
      ((double *)derivative)[i] = 0.5;
  }
  if (to_cancel != NULL && --calls_left == 0) bdag_engine_cancel(to_cancel);
  return 0;
}

static uint32_t curb_kind;

static void set_up(void) {
  const bdag_activation_functions functions = {curb, curb_derivative, NULL};
  bdag_error error;
  const bdag_status status = property_world_create(&world, &error);
  if (status == BDAG_ERROR_UNSUPPORTED) cr_skip_test("BACKDAG_ISA names what is not here");
  cr_assert_eq(status, BDAG_OK);
  cr_assert_eq(
      bdag_context_register_activation(world.context, "curb", &functions, &curb_kind, &error),
      BDAG_OK);
}

static void tear_down(void) {
  property_world_destroy(&world);
}

static void assert_same_bits(const double *a, const double *b, size_t count, uint64_t seed,
                             const char *what) {
  for (size_t i = 0; i < count; i++) {
    const int same = memcmp(&a[i], &b[i], sizeof *a) == 0 || (isnan(a[i]) && isnan(b[i]));
    cr_assert(same, "seed %" PRIu64 ", %s: number %zu is %.17g and %.17g", seed, what, i, a[i],
              b[i]);
  }
}

/* Whether rows of a plan's gradients share places. */
static int moves(const bdag_plan *plan) {
  bdag_grad_places places = {0};
  cr_assert_eq(bdag_grad_places_create(&places, plan), 0);
  const int found = places.rows > 0;
  cr_assert(places.rows < plan->rows);
  bdag_grad_places_destroy(&places, plan->context);
  return found;
}

/* ---- Networks of any kind ------------------------------------------------------------------------ */

Test(grad_places, random_networks, .init = set_up, .fini = tear_down) {
  uint32_t moved = 0;
  for (uint64_t seed = FIRST_SEED; seed < FIRST_SEED + 4 * SEEDS; seed++) {
    random_case c;
    engine_result kept, reused;
    bdag_error error = {.message = ""};
    bdag_plan *plan;
    cr_assert_eq(random_case_draw(&c, &world, seed, &error), BDAG_OK, "%s", error.message);
    cr_assert_eq(bdag_plan_create(&plan, c.network, &c.plan, &error), BDAG_OK);
    moved += moves(plan);
    bdag_plan_release(plan);
    c.engine.keep = KEEPS_ALL;
    cr_assert_eq(engine_result_run(&kept, &c, &error), BDAG_OK, "%s", error.message);
    c.engine.keep = KEEPS_LESS;
    cr_assert_eq(engine_result_run(&reused, &c, &error), BDAG_OK, "%s", error.message);
    assert_same_bits(&kept.loss, &reused.loss, 1, seed, "loss");
    assert_same_bits(kept.weight_grad, reused.weight_grad, c.oracle.edge_count, seed,
                     "weight_grad");
    assert_same_bits(kept.bias_grad, reused.bias_grad, c.oracle.vertex_count, seed, "bias_grad");
    assert_same_bits(kept.parameter_grad, reused.parameter_grad, c.oracle.parameter_count, seed,
                     "parameter_grad");
    engine_result_free(&kept);
    engine_result_free(&reused);
    random_case_free(&c);
  }
  cr_assert_gt(moved, 10, "only %u networks move rows", moved);
}

/* ---- Layers -------------------------------------------------------------------------------------- */

typedef struct layers {
  uint64_t seed;
  dice dice;
  bdag_network *network;
  uint32_t count, first[LAYERS + 1]; /* vertices of layer i: first[i] … first[i + 1] − 1 */
  uint32_t edges, source[MOST_EDGES], target[MOST_EDGES];
  double weight[MOST_EDGES];
  uint64_t target_columns;
} layers;

typedef enum wiring { ALL, MOST, FEW, NEAR, QUARTERS, WIRINGS } wiring;

static int is_edge(dice *dice, wiring wiring, uint32_t source, uint32_t target, uint32_t width,
                   uint32_t target_width) {
  switch (wiring) {
  case MOST:
    return dice_chance(dice, 0.85);
  case FEW:
    return dice_chance(dice, 0.2);
  case NEAR:
    return (source + width - target % width) % width < 3;
  case QUARTERS:
    return 4 * source / width == 4 * target / target_width;
  default:
    return 1;
  }
}

static void connect(layers *n, uint32_t from, uint32_t to, wiring wiring) {
  const uint32_t width = n->first[from + 1] - n->first[from];
  const uint32_t target_width = n->first[to + 1] - n->first[to];
  for (uint32_t v = n->first[to]; v < n->first[to + 1]; v++)
    for (uint32_t k = 0; k < width; k++) {
      if (!is_edge(&n->dice, wiring, k, v - n->first[to], width, target_width)) continue;
      n->source[n->edges] = n->first[from] + k;
      n->target[n->edges] = v;
      n->weight[n->edges++] = dice_normal(&n->dice) / 4;
    }
}

static wiring draw_wiring(layers *n) {
  return (wiring)dice_below(&n->dice, WIRINGS);
}

static void activate(layers *n, uint32_t layer) {
  const uint32_t kinds[] = {BDAG_RELU, BDAG_TANH, BDAG_GELU, BDAG_IDENTITY, curb_kind};
  const bdag_activation one = bdag_activation_default(kinds[dice_below(&n->dice, 5)]),
                        other = bdag_activation_default(kinds[dice_below(&n->dice, 5)]);
  for (uint32_t v = n->first[layer]; v < n->first[layer + 1]; v++)
    cr_assert_eq(bdag_network_set_activations(n->network, 1, &v,
                                              dice_chance(&n->dice, 0.8) ? &one : &other, NULL),
                 BDAG_OK);
}

/* Of some vertices of a layer. */
static void add_loss(layers *n, uint32_t layer) {
  const uint32_t kinds[] = {BDAG_MEAN_SQUARED_ERROR, world.custom.loss_kind[0],
                            world.custom.loss_kind[1]};
  const size_t kind = dice_below(&n->dice, 3);
  uint32_t vertices[WIDEST], count = 0;
  for (uint32_t v = n->first[layer]; v < n->first[layer + 1]; v++)
    if (count == 0 || dice_chance(&n->dice, 0.7)) vertices[count++] = v;
  const bdag_loss_term term = {kinds[kind], count, vertices, 0.5 + dice_uniform(&n->dice), 1};
  cr_assert_eq(bdag_network_add_loss(n->network, &term, NULL), BDAG_OK);
  if (kind < 2) n->target_columns += count;
}

static void begin(layers *n, uint64_t seed) {
  n->seed = seed;
  n->dice = dice_make(seed, 1);
  n->edges = 0;
  n->target_columns = 0;
  cr_assert_eq(bdag_network_create(&n->network, world.context, NULL), BDAG_OK);
}

static void add_vertices(layers *n) {
  cr_assert_eq(bdag_network_add_inputs(n->network, n->first[1], NULL, NULL), BDAG_OK);
  cr_assert_eq(
      bdag_network_add_vertices(n->network, n->first[n->count] - n->first[1], NULL, NULL, NULL),
      BDAG_OK);
}

static void end(layers *n) {
  cr_assert_eq(
      bdag_network_add_edges(n->network, n->edges, n->source, n->target, n->weight, NULL, NULL),
      BDAG_OK);
  add_loss(n, n->count - 1);
}

/* 4 to 12 layers that read the one before, and sometimes one further back; loss at the end, and sometimes
 * in the middle. */
static void draw_layers(layers *n, uint64_t seed) {
  begin(n, seed);
  n->count = (uint32_t)dice_between(&n->dice, 4, LAYERS);
  for (uint32_t i = 0; i < n->count; i++)
    n->first[i + 1] = n->first[i] + (uint32_t)dice_between(&n->dice, 3, WIDEST);
  add_vertices(n);
  const int skips = dice_chance(&n->dice, 0.4), deep = dice_chance(&n->dice, 0.3);
  for (uint32_t i = 1; i < n->count; i++) {
    activate(n, i);
    connect(n, i - 1, i, draw_wiring(n));
    if (skips && i > 1 && dice_chance(&n->dice, 0.3))
      connect(n, (uint32_t)dice_below(&n->dice, i - 1), i, draw_wiring(n));
  }
  end(n);
  if (deep) add_loss(n, (uint32_t)dice_between(&n->dice, 1, n->count - 1));
}

/* Inputs, four blocks of `part` neurons that read a quarter of the inputs each, `width` outputs. */
static void draw_parts(layers *n, uint32_t part, uint32_t width) {
  begin(n, part * 100 + width);
  n->count = 3;
  n->first[1] = 48;
  n->first[2] = n->first[1] + 4 * part;
  n->first[3] = n->first[2] + width;
  add_vertices(n);
  connect(n, 0, 1, QUARTERS);
  connect(n, 1, 2, ALL);
  end(n);
}

typedef struct subject {
  bdag_engine *engine;
  const bdag_weights *weights;
  const layers *network;
} subject;

/* Both passes; gradients of edges, and behind them of biases. */
static bdag_status run(const subject *s, uint64_t batch, const double *x, const double *targets,
                       const double *sample_weights, double *loss, double *gradient) {
  const layers *n = s->network;
  const uint32_t vertices = n->first[n->count];
  const bdag_array x_array = {(void *)x, BDAG_FLOAT64, n->first[1], 1};
  const bdag_array target_array = {(void *)targets, BDAG_FLOAT64, (ptrdiff_t)n->target_columns, 1};
  bdag_backward_options options = BDAG_BACKWARD_OPTIONS_INIT;
  options.targets = &target_array;
  options.sample_weights = sample_weights;
  bdag_status status = bdag_forward_arrays(s->engine, s->weights, batch, &x_array, NULL);
  if (status == BDAG_OK) status = bdag_backward_arrays(s->engine, s->weights, &options, loss);
  if (status != BDAG_OK) return status;
  memset(gradient, 0, (n->edges + (size_t)vertices) * sizeof *gradient);
  cr_assert_eq(bdag_read_weight_grad(s->engine, 0, n->edges, gradient), BDAG_OK);
  return bdag_read_bias_grad(s->engine, 0, vertices, gradient + n->edges);
}

static double *draw_numbers(dice *dice, size_t count) {
  double *numbers = malloc((count + 1) * sizeof *numbers);
  for (size_t i = 0; i < count; i++) numbers[i] = (double)(float)dice_normal(dice);
  return numbers;
}

/* A pass over a batch by both; sometimes with samples of weight 0 that hold NaN, or with one that
 * overflows; sometimes one is cancelled before. */
static void compare_pass(const subject *kept, const subject *reused, dice *dice) {
  const layers *n = kept->network;
  const uint64_t batch = dice_between(dice, 1, dice_chance(dice, 0.5) ? BATCH : 70);
  const size_t numbers = n->edges + (size_t)n->first[n->count];
  double *x = draw_numbers(dice, batch * n->first[1]);
  double *targets = draw_numbers(dice, batch * n->target_columns);
  double *weights = draw_numbers(dice, batch);
  double *expected = malloc(numbers * sizeof *expected), *found = malloc(numbers * sizeof *found);
  double loss, other_loss;
  const int weighted = dice_chance(dice, 0.4);
  for (uint64_t s = 0; s < batch; s++) {
    weights[s] = s > 0 && dice_chance(dice, 0.1) ? 0 : fabs(weights[s]) + 0.1;
    if (weighted && weights[s] == 0) x[s * n->first[1]] = NAN;
  }
  if (dice_chance(dice, 0.2)) x[dice_below(dice, batch * n->first[1])] = INFINITY;
  if (dice_chance(dice, 0.4)) {
    to_cancel = reused->engine;
    calls_left = (int)dice_between(dice, 1, 40);
    const bdag_status status = run(reused, batch, x, targets, NULL, &loss, found);
    cr_assert(status == BDAG_OK || status == BDAG_ERROR_CANCELLED);
    to_cancel = NULL;
  }
  cr_assert_eq(run(kept, batch, x, targets, weighted ? weights : NULL, &loss, expected), BDAG_OK);
  cr_assert_eq(run(reused, batch, x, targets, weighted ? weights : NULL, &other_loss, found),
               BDAG_OK);
  assert_same_bits(&loss, &other_loss, 1, n->seed, "loss");
  assert_same_bits(expected, found, numbers, n->seed, "gradient");
  free(x);
  free(targets);
  free(weights);
  free(expected);
  free(found);
}

static uint64_t bytes_of(const bdag_engine *engine) {
  bdag_engine_info info = {.size = sizeof info};
  cr_assert_eq(bdag_engine_describe(engine, &info), BDAG_OK);
  return info.bytes;
}

/* Returns whether rows are moved. */
static int compare_engines(const layers *n, bdag_plan *plan, const bdag_weights *weights,
                           bdag_axis axis, uint32_t threads, dice *dice) {
  bdag_engine_options options = BDAG_ENGINE_OPTIONS_INIT;
  subject kept = {NULL, weights, n}, reused = kept;
  options.type = BDAG_FLOAT64;
  options.axis = axis;
  options.threads = threads;
  options.max_batch = BATCH;
  options.deterministic = dice_chance(dice, 0.3);
  options.keep = KEEPS_ALL;
  cr_assert_eq(bdag_engine_create(&kept.engine, plan, &options, NULL), BDAG_OK);
  options.keep = KEEPS_LESS;
  cr_assert_eq(bdag_engine_create(&reused.engine, plan, &options, NULL), BDAG_OK);
  for (int pass = 0; pass < 4; pass++) compare_pass(&kept, &reused, dice);
  /* the kept one has two buffers more, of `in` and of in_grad */
  const bdag_engine *engine = reused.engine;
  const uint64_t all = (uint64_t)plan->rows * engine->tiles * engine->tile * sizeof(double);
  if ((threads == 1 || axis == BDAG_AXIS_TILES) && engine->places.rows > 0)
    cr_assert_lt(bytes_of(engine), bytes_of(kept.engine) - all - all / 4);
  bdag_engine_destroy(kept.engine);
  bdag_engine_destroy(reused.engine);
  return moves(plan);
}

Test(grad_places, layers, .init = set_up, .fini = tear_down) {
  static const struct {
    bdag_axis axis;
    uint32_t threads;
  } ways[] = {{BDAG_AXIS_SERIAL, 1}, {BDAG_AXIS_AUTO, 1},  {BDAG_AXIS_AUTO, 3},
              {BDAG_AXIS_TILES, 2},  {BDAG_AXIS_TILES, 4}, {BDAG_AXIS_VERTICES, 3}};
  static layers n;
  uint32_t moved = 0;
  for (uint64_t seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
    bdag_plan_options options = BDAG_PLAN_OPTIONS_INIT;
    bdag_plan *plan;
    bdag_weights *weights;
    draw_layers(&n, seed);
    dice dice = dice_make(seed, 2);
    options.amalgamation = (bdag_amalgamation)dice_below(&dice, 3);
    options.granularity = (bdag_granularity)dice_below(&dice, 2);
    options.accumulation_groups = (uint32_t)dice_below(&dice, 4);
    options.tile = dice_chance(&dice, 0.5) ? 0 : 16 * (uint32_t)dice_between(&dice, 1, 5);
    cr_assert_eq(bdag_plan_create(&plan, n.network, &options, NULL), BDAG_OK);
    cr_assert_eq(bdag_weights_create(&weights, plan, n.network, BDAG_FLOAT64, NULL), BDAG_OK);
    int any = 0;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
      any |= compare_engines(&n, plan, weights, ways[i].axis, ways[i].threads, &dice);
    moved += any;
    bdag_weights_release(weights);
    bdag_plan_release(plan);
    bdag_network_destroy(n.network);
  }
  cr_assert_gt(moved, SEEDS / 2, "only %u networks move rows", moved);
}

/* Nobody pulls from the first layer: its rows are free again when the weights into them have their
 * gradients. */
Test(grad_places, parts_of_the_first_layer, .init = set_up, .fini = tear_down) {
  static layers n;
  for (uint32_t part = 6; part <= 36; part += 6)
    for (uint32_t width = 8; width <= WIDEST; width += 4) {
      bdag_plan *plan;
      bdag_weights *weights;
      draw_parts(&n, part, width);
      dice dice = dice_make(n.seed, 2);
      cr_assert_eq(bdag_plan_create(&plan, n.network, NULL, NULL), BDAG_OK);
      cr_assert_eq(bdag_weights_create(&weights, plan, n.network, BDAG_FLOAT64, NULL), BDAG_OK);
      compare_engines(&n, plan, weights, BDAG_AXIS_SERIAL, 1, &dice);
      bdag_weights_release(weights);
      bdag_plan_release(plan);
      bdag_network_destroy(n.network);
    }
}
