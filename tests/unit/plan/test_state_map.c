/* The map from parameters to state: one place for each, whether edges were given in order or not. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include <backdag/backdag.h>

#include "plan/plan_internal.h"

enum { WIDTH = 4096, DEGREE = 32, LAYERS = 9, EDGES = WIDTH * DEGREE * LAYERS };

typedef struct fixture {
  bdag_context *context;
  bdag_network *network;
  bdag_plan *plan;
} fixture;

/* Edge `e` is added as number e·stride mod EDGES; the stride is odd and no multiple of 3. */
static fixture make(uint64_t stride) {
  fixture f;
  uint32_t *source = malloc(EDGES * sizeof *source), *target = malloc(EDGES * sizeof *target);
  cr_assert(source != NULL && target != NULL);
  for (uint64_t e = 0; e < EDGES; e++) {
    const uint64_t at = e * stride % EDGES;
    const uint32_t layer = (uint32_t)(e / (WIDTH * DEGREE)), j = e / DEGREE % WIDTH;
    source[at] = layer * WIDTH + (uint32_t)(j + e % DEGREE * (layer % 2 == 0 ? 1 : 128)) % WIDTH;
    target[at] = (layer + 1) * WIDTH + j;
  }
  cr_assert_eq(bdag_context_create(&f.context, NULL, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_create(&f.network, f.context, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_add_inputs(f.network, WIDTH, NULL, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_add_vertices(f.network, WIDTH * LAYERS, NULL, NULL, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_add_edges(f.network, EDGES, source, target, NULL, NULL, NULL), BDAG_OK);
  cr_assert_eq(bdag_plan_create(&f.plan, f.network, NULL, NULL), BDAG_OK);
  free(source);
  free(target);
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

Test(state_map, is_short_for_edges_in_order) {
  fixture f = make(1);
  cr_assert_null(f.plan->state_of_parameter);
  check_places(f.plan);
  clear(&f);
}

Test(state_map, is_long_for_edges_in_no_order) {
  fixture f = make(333667);
  cr_assert_not_null(f.plan->state_of_parameter);
  check_places(f.plan);
  clear(&f);
}
