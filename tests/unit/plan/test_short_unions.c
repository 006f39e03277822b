/* Unions of huge plans have their slots in short: the same cells, and bitwise the same passes. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <backdag/backdag.h>

#include "plan/build.h"
#include "runtime/engine_internal.h"

enum { WIDTH = 128, LAYERS = 4, DEGREE = 32, VERTICES = WIDTH * (LAYERS + 1), BATCH = 37 };

typedef struct fixture {
  bdag_context *context;
  bdag_network *network;
  bdag_plan *wide, *shortened;
} fixture;

/* Neuron j of a layer reads j … j + 31 of the layer before it; some edges are left out. */
static void add_windows(bdag_network *network) {
  for (uint32_t layer = 0; layer < LAYERS; layer++)
    for (uint32_t j = 0; j < WIDTH; j++)
      for (uint32_t k = 0; k < DEGREE; k++) {
        const uint32_t source = layer * WIDTH + (j + k) % WIDTH, target = (layer + 1) * WIDTH + j;
        const double weight = ((j * 7 + k * 13 + layer) % 29) / 20.0 - 0.7;
        if ((j + 3 * k) % 17 == 0) continue;
        cr_assert_eq(bdag_network_add_edges(network, 1, &source, &target, &weight, NULL, NULL),
                     BDAG_OK);
      }
}

static fixture open_fixture(void) {
  fixture f;
  const bdag_activation tanh = bdag_activation_default(BDAG_TANH);
  bdag_context_options options = BDAG_CONTEXT_OPTIONS_INIT;
  uint32_t last[WIDTH];
  options.threads = 1;
  for (uint32_t i = 0; i < WIDTH; i++) last[i] = WIDTH * LAYERS + i;
  const bdag_loss_term term = {BDAG_MEAN_SQUARED_ERROR, WIDTH, last, 1.0, 1.0};
  cr_assert_eq(bdag_context_create(&f.context, &options, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_create(&f.network, f.context, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_add_inputs(f.network, WIDTH, NULL, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_add_vertices(f.network, WIDTH * LAYERS, &tanh, NULL, NULL), BDAG_OK);
  add_windows(f.network);
  cr_assert_eq(bdag_network_add_loss(f.network, &term, NULL), BDAG_OK);
  cr_assert_eq(bdag_plan_create(&f.wide, f.network, NULL, NULL), BDAG_OK);
  cr_assert_eq(bdag_plan_create(&f.shortened, f.network, NULL, NULL), BDAG_OK);
  cr_assert_gt(f.wide->unions, 10);
  cr_assert_gt(f.wide->padding, 100);
  return f;
}

static void close_fixture(fixture *f) {
  bdag_plan_release(f->wide);
  bdag_plan_release(f->shortened);
  bdag_network_destroy(f->network);
  bdag_context_destroy(f->context);
}

static void check_cells(const bdag_plan *wide, const bdag_plan *shortened) {
  for (uint32_t i = 0; i < wide->unions; i++) {
    const bdag_union *part = &wide->union_panel[i];
    uint32_t slot[1000];
    cr_assert_leq(part->sources * part->targets, 1000);
    const uint32_t cells = bdag_plan_union_slots(shortened, part, 0, part->sources, slot);
    cr_assert_eq(cells, bdag_union_cells(part));
    uint32_t cell = 0;
    for (uint32_t k = 0; k < part->sources; k++) {
      const bdag_span span = bdag_span_of(&part->ramps, part->targets, part->sources, k);
      uint32_t one[BDAG_UNION_TARGETS];
      cr_assert_eq(bdag_plan_union_slots(shortened, part, k, 1, one), span.end - span.first);
      for (uint32_t r = 0; r < part->targets; r++) {
        const int reads = r >= span.first && r < span.end;
        const uint32_t wanted = reads ? wide->union_slot[part->entry + cell] : 0;
        if (reads) cr_assert_eq(slot[cell++], wanted);
        if (reads) cr_assert_eq(one[r - span.first], wanted);
        cr_assert_eq(bdag_plan_union_slot(wide, part, k, r), wanted);
        cr_assert_eq(bdag_plan_union_slot(shortened, part, k, r), wanted);
      }
    }
    cr_assert_eq(cell, cells);
  }
}

static void check_parts(const bdag_plan *wide, const bdag_plan *shortened) {
  cr_assert_eq(bdag_plan_part_count(wide), bdag_plan_part_count(shortened));
  for (uint64_t i = 0; i < bdag_plan_part_count(wide); i++) {
    bdag_plan_part a, b;
    cr_assert_eq(bdag_plan_get_part(wide, i, &a), BDAG_OK);
    cr_assert_eq(bdag_plan_get_part(shortened, i, &b), BDAG_OK);
    cr_assert_eq(a.edges, b.edges);
  }
}

Test(short_unions, belong_to_huge_plans) {
  fixture f = open_fixture();
  bdag_plan *huge;
  cr_assert_not_null(f.wide->union_slot);
  f.context->huge_edges = f.wide->edges;
  cr_assert_eq(bdag_plan_create(&huge, f.network, NULL, NULL), BDAG_OK);
  cr_assert_null(huge->union_slot);
  check_cells(f.wide, huge);
  check_parts(f.wide, huge);
  bdag_plan_release(huge);
  close_fixture(&f);
}

Test(short_unions, have_the_same_cells) {
  fixture f = open_fixture();
  cr_assert_eq(bdag_shorten_unions(f.shortened), 0);
  cr_assert_null(f.shortened->union_slot);
  check_cells(f.wide, f.shortened);
  check_parts(f.wide, f.shortened);
  close_fixture(&f);
}

/* The cells of the first source that all read become so far apart, in some unions. */
static void spread_cells(bdag_plan *plan, uint32_t unions, uint32_t distance) {
  for (uint32_t i = 0; i < unions; i++) {
    const bdag_union *part = &plan->union_panel[i];
    const uint32_t targets = part->targets;
    uint32_t k = 0;
    for (uint32_t r = 0; r + 1 < targets; r++) k += part->ramps.rise[r];
    uint32_t *slot = plan->union_slot + part->entry +
                     bdag_ramp_cells_before(&part->ramps, targets, part->sources, k);
    for (uint32_t r = 0; r < targets; r++) slot[r] = r == 0 ? 5 : 0;
    slot[targets - 1] = 5 + distance;
  }
}

Test(short_unions, have_exceptions) {
  for (uint32_t distance = 252; distance < 257; distance++) {
    fixture f = open_fixture();
    spread_cells(f.wide, 10, distance);
    spread_cells(f.shortened, 10, distance);
    cr_assert_eq(bdag_shorten_unions(f.shortened), 0);
    cr_assert_null(f.shortened->union_slot);
    cr_assert_eq(f.shortened->union_exceptions, distance < 254 ? 0 : 10);
    check_cells(f.wide, f.shortened);
    close_fixture(&f);
  }
}

static void spread_all_cells(bdag_plan *plan) {
  for (uint64_t i = 0; i < plan->union_entries; i++)
    if (plan->union_slot[i] != 0) plan->union_slot[i] = (uint32_t)(1 + 1000 * i);
}

Test(short_unions, are_made_of_near_cells) {
  fixture f = open_fixture();
  spread_all_cells(f.shortened);
  cr_assert_eq(bdag_shorten_unions(f.shortened), 0);
  cr_assert_not_null(f.shortened->union_slot);
  cr_assert_null(f.shortened->union_near);
  close_fixture(&f);
}

typedef struct passes {
  float out[VERTICES * BATCH], gradient[WIDTH * LAYERS * DEGREE], alone[VERTICES];
  double loss;
} passes;

/* `by_task`: as in engines that have no room for all weights in order. */
static void run(const fixture *f, bdag_plan *plan, int by_task, const float *x, passes *result) {
  bdag_weights *weights;
  bdag_engine *engine;
  bdag_engine_options options = BDAG_ENGINE_OPTIONS_INIT;
  options.max_batch = BATCH;
  options.keep = BDAG_KEEP_OUT | BDAG_KEEP_WEIGHT_GRAD;
  cr_assert_eq(bdag_weights_create(&weights, plan, f->network, BDAG_FLOAT32, NULL), BDAG_OK);
  cr_assert_eq(bdag_engine_create(&engine, plan, &options, NULL), BDAG_OK);
  if (by_task) engine->gathered_bytes = plan->union_entries * sizeof(float);
  const float targets[WIDTH * BATCH] = {0};
  const bdag_array outs = {result->out, BDAG_FLOAT32, VERTICES, 1};
  cr_assert_eq(bdag_forward(engine, weights, BATCH, x, NULL), BDAG_OK);
  cr_assert_eq(bdag_read_vertices(engine, BDAG_OUT, VERTICES, NULL, &outs), BDAG_OK);
  (void)bdag_backward(engine, weights, targets, NULL, &result->loss);
  double gradient[WIDTH * LAYERS * DEGREE];
  cr_assert_eq(bdag_read_weight_grad(engine, 0, f->network->edge_count, gradient), BDAG_OK);
  for (uint64_t e = 0; e < f->network->edge_count; e++) result->gradient[e] = (float)gradient[e];
  const bdag_array one = {result->alone, BDAG_FLOAT32, VERTICES, 1};
  cr_assert_eq(bdag_forward(engine, weights, 1, x, NULL), BDAG_OK);
  cr_assert_eq(engine->single_step == NULL, plan->union_slot == NULL);
  cr_assert_eq(bdag_read_vertices(engine, BDAG_OUT, VERTICES, NULL, &one), BDAG_OK);
  bdag_engine_destroy(engine);
  bdag_weights_release(weights);
}

/* With an input that is not finite padding is gone around. */
static void check_passes(float special) {
  fixture f = open_fixture();
  static float x[WIDTH * BATCH];
  for (uint32_t i = 0; i < WIDTH * BATCH; i++) x[i] = (float)(i % 23) / 8 - 1;
  x[40] = special;
  static passes wanted, got;
  memset(&wanted, 0, sizeof wanted);
  memset(&got, 0, sizeof got);
  run(&f, f.wide, 0, x, &wanted);
  cr_assert_eq(bdag_shorten_unions(f.shortened), 0);
  for (int by_task = 0; by_task < 2; by_task++) {
    run(&f, f.shortened, by_task, x, &got);
    cr_assert_arr_eq(&wanted, &got, sizeof wanted);
  }
  close_fixture(&f);
}

Test(short_unions, give_the_same_numbers) {
  check_passes(0.5f);
}

Test(short_unions, give_the_same_numbers_without_padding) {
  check_passes(INFINITY);
}

typedef struct scarce {
  uint64_t left;
} scarce;

static void *allocate_scarcely(void *user, size_t size) {
  scarce *s = user;
  return s->left == 0 ? NULL : (s->left--, malloc(size));
}

static void release(void *user, void *memory) {
  free(memory);
}

Test(short_unions, survive_without_memory) {
  fixture f = open_fixture();
  for (uint64_t left = 0; left < 3; left++) {
    scarce memory = {left};
    bdag_context scarce_context = *f.context;
    scarce_context.allocator = (bdag_allocator){allocate_scarcely, release, &memory};
    bdag_plan *plan;
    cr_assert_eq(bdag_plan_create(&plan, f.network, NULL, NULL), BDAG_OK);
    plan->context = &scarce_context;
    cr_assert_eq(bdag_shorten_unions(plan), -1);
    cr_assert_not_null(plan->union_slot);
    plan->context = f.context;
    bdag_plan_release(plan);
  }
  close_fixture(&f);
}
