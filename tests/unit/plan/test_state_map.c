/* The map from parameters to state: the same places in whatever order edges were given, in short where most are
 * near each other. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include <backdag/backdag.h>

#include "plan/plan_internal.h"

enum { WIDTH = 4096, DEGREE = 32, LAYERS = 8, EDGES = WIDTH * DEGREE * LAYERS };

typedef enum edge_order { BY_TARGET, ALMOST_BY_TARGET, BY_SOME_SOURCES, IN_NO_ORDER } edge_order;

typedef struct fixture {
  bdag_context *context;
  bdag_network *network;
  bdag_plan *plan;
} fixture;

/* Place of edge `e`, where edges are numbered target by target. */
static uint64_t place(edge_order order, uint64_t e) {
  const uint64_t layer = e / (WIDTH * DEGREE), j = e / DEGREE % WIDTH, k = e % DEGREE;
  switch (order) {
  case BY_TARGET:
    return e;
  case ALMOST_BY_TARGET: /* two edges of some blocks change places with those of another */
    return e % 1024 < 2 ? (e + EDGES / 2 / 1024 * 1024) % EDGES : e;
  case BY_SOME_SOURCES: { /* blocks of edges whose sources are 256 neighbours, in no order */
    const uint64_t source = (j + k * (layer % 2 == 0 ? 1 : 128)) % WIDTH;
    return layer * WIDTH * DEGREE + k * WIDTH + source / 256 * 256 + source * 37 % 256;
  }
  default: /* the stride is odd */
    return e * 333667 % EDGES;
  }
}

static void make(fixture *f, edge_order order, const bdag_allocator *allocator) {
  bdag_context_options options = BDAG_CONTEXT_OPTIONS_INIT;
  options.allocator = allocator;
  *f = (fixture){NULL};
  uint32_t *source = malloc(EDGES * sizeof *source), *target = malloc(EDGES * sizeof *target);
  cr_assert(source != NULL && target != NULL);
  for (uint64_t e = 0; e < EDGES; e++) {
    const uint64_t at = place(order, e);
    const uint32_t layer = (uint32_t)(e / (WIDTH * DEGREE)), j = e / DEGREE % WIDTH;
    source[at] = layer * WIDTH + (uint32_t)(j + e % DEGREE * (layer % 2 == 0 ? 1 : 128)) % WIDTH;
    target[at] = (layer + 1) * WIDTH + j;
  }
  cr_assert_eq(bdag_context_create(&f->context, &options, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_create(&f->network, f->context, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_add_inputs(f->network, WIDTH, NULL, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_add_vertices(f->network, WIDTH * LAYERS, NULL, NULL, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_add_edges(f->network, EDGES, source, target, NULL, NULL, NULL),
               BDAG_OK);
  free(source);
  free(target);
}

static fixture make_plan(edge_order order) {
  fixture f;
  make(&f, order, NULL);
  cr_assert_eq(bdag_plan_create(&f.plan, f.network, NULL, NULL), BDAG_OK);
  return f;
}

static void clear(fixture *f) {
  bdag_plan_release(f->plan);
  bdag_network_destroy(f->network);
  bdag_context_destroy(f->context);
}

static void check_places(const bdag_plan *plan) {
  uint8_t *taken = calloc(plan->state_count, 1);
  cr_assert_not_null(taken);
  for (uint64_t p = 0; p < plan->network_parameters; p++) {
    const uint64_t state = bdag_plan_state_of_parameter(plan, p);
    cr_assert_lt(state, plan->state_count);
    cr_assert_not(taken[state]);
    taken[state] = 1;
  }
  free(taken);
  cr_assert_eq(bdag_plan_state_of_parameter(plan, plan->network_parameters), BDAG_NONE);
}

/* What a plan does does not depend on the order of the edges. */
static void check_edges(const bdag_plan *plan, edge_order order) {
  fixture other = make_plan(IN_NO_ORDER);
  for (uint64_t e = 0; e < EDGES; e++)
    cr_assert_eq(bdag_plan_slot_of_edge(plan, place(order, e)),
                 bdag_plan_slot_of_edge(other.plan, place(IN_NO_ORDER, e)));
  clear(&other);
}

Test(state_map, is_short_for_edges_in_order) {
  fixture f = make_plan(BY_TARGET);
  cr_assert_null(f.plan->state_of_parameter);
  check_places(f.plan);
  check_edges(f.plan, BY_TARGET);
  clear(&f);
}

Test(state_map, has_exceptions) {
  fixture f = make_plan(ALMOST_BY_TARGET);
  cr_assert_null(f.plan->state_of_parameter);
  cr_assert_gt(f.plan->state_map.exceptions, 1000);
  check_places(f.plan);
  check_edges(f.plan, ALMOST_BY_TARGET);
  clear(&f);
}

Test(state_map, is_long_for_edges_in_no_order) {
  fixture f = make_plan(IN_NO_ORDER);
  cr_assert_not_null(f.plan->state_of_parameter);
  check_places(f.plan);
  clear(&f);
}

/* Their slots turn out to be far from each other. */
Test(state_map, becomes_long) {
  fixture f = make_plan(BY_SOME_SOURCES);
  cr_assert_not_null(f.plan->state_of_parameter);
  check_places(f.plan);
  check_edges(f.plan, BY_SOME_SOURCES);
  clear(&f);
}

/* ---- Without memory ------------------------------------------------------------------------------ */

typedef struct scarce {
  _Atomic int64_t left, live; /* allocations to come; blocks */
} scarce;

static void *allocate(void *user, size_t size) {
  scarce *s = user;
  if (s->left-- <= 0) return NULL;
  void *block = malloc(size);
  s->live += block != NULL;
  return block;
}

static void release(void *user, void *memory) {
  ((scarce *)user)->live -= memory != NULL;
  free(memory);
}

/* Each allocation fails in turn. */
Test(state_map, survives_without_memory, .timeout = 300) {
  scarce memory = {INT64_MAX, 0};
  const bdag_allocator allocator = {allocate, release, &memory};
  fixture f;
  make(&f, BY_SOME_SOURCES, &allocator);
  const int64_t before = memory.live; /* threads of the plan allocate, too */
  bdag_status status = BDAG_ERROR_OUT_OF_MEMORY;
  int64_t allocations = 0;
  for (; status == BDAG_ERROR_OUT_OF_MEMORY; allocations++) {
    memory.left = allocations;
    status = bdag_plan_create(&f.plan, f.network, NULL, NULL);
    cr_assert_eq(f.plan == NULL, status != BDAG_OK);
    if (status != BDAG_OK) cr_assert_eq(memory.live, before);
  }
  cr_assert_eq(status, BDAG_OK);
  cr_assert_gt(allocations, 80);
  check_places(f.plan);
  clear(&f);
}
