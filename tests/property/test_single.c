/* A batch of one sample takes kernels of its own (src/kernel/single_tmpl.c): what they give must be
 * bitwise what the same sample gives in a larger batch, for panels with and without padding, unions and
 * lists, on every instruction set and for both types. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include <backdag/backdag.h>

enum { INPUTS = 70, LAYERS = 6, BATCH = 37, MOST = 20000 };

static const uint32_t width[LAYERS] = {INPUTS, 133, 40, 40, 5, 10};

typedef struct single_case {
  uint64_t random;
  uint32_t edges, vertices, source[MOST], target[MOST];
  double weight[MOST];
} single_case;

static uint32_t draw(single_case *test, uint32_t below) {
  test->random = test->random * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(test->random >> 33) % below;
}

static void add_edge(single_case *test, uint32_t u, uint32_t v) {
  test->source[test->edges] = u;
  test->target[test->edges] = v;
  test->weight[test->edges++] = draw(test, 2000) / 8000.0 - 0.125;
}

/* Dense, with holes, sliding windows, dense and narrow, dense; and some skips. */
static void draw_edges(single_case *test) {
  uint32_t below = 0;
  for (uint32_t l = 0; l + 1 < LAYERS; l++) {
    const uint32_t from = width[l], to = width[l + 1];
    for (uint32_t r = 0; r < to; r++)
      for (uint32_t k = 0; k < from; k++)
        if (l == 1 ? draw(test, 10) < 8 : l == 2 ? (k + from - r) % from < 9 : 1)
          add_edge(test, below + k, below + from + r);
    for (uint32_t i = 0; l > 0 && i < 6; i++)
      add_edge(test, draw(test, below), below + from + draw(test, to));
    below += from;
  }
  test->vertices = below + width[LAYERS - 1];
}

static bdag_plan *make_plan(const single_case *test, bdag_network *network,
                            bdag_amalgamation amalgamation) {
  const bdag_activation activation = bdag_activation_default(BDAG_TANH);
  bdag_plan_options options = BDAG_PLAN_OPTIONS_INIT;
  bdag_plan *plan;
  options.amalgamation = amalgamation;
  cr_assert_eq(bdag_network_add_inputs(network, INPUTS, NULL, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_add_vertices(network, test->vertices - INPUTS, &activation, NULL, NULL),
               BDAG_OK);
  cr_assert_eq(bdag_network_add_edges(network, test->edges, test->source, test->target,
                                      test->weight, NULL, NULL),
               BDAG_OK);
  cr_assert_eq(bdag_plan_create(&plan, network, &options, NULL), BDAG_OK);
  return plan;
}

/* out of every vertex: [batch][vertices] */
static void run(bdag_engine *engine, const bdag_weights *weights, uint64_t batch, const double *x,
                uint32_t vertices, double *out) {
  const bdag_array in = {(void *)(uintptr_t)x, BDAG_FLOAT64, INPUTS, 1};
  const bdag_array to = {out, BDAG_FLOAT64, (ptrdiff_t)vertices, 1};
  cr_assert_eq(bdag_forward_arrays(engine, weights, batch, &in, NULL), BDAG_OK);
  cr_assert_eq(bdag_read_vertices(engine, BDAG_OUT, vertices, NULL, &to), BDAG_OK);
}

static void check(bdag_isa isa, bdag_type type, bdag_amalgamation amalgamation, uint64_t seed) {
  single_case *test = calloc(1, sizeof *test);
  bdag_context_options options = BDAG_CONTEXT_OPTIONS_INIT;
  bdag_engine_options keep = BDAG_ENGINE_OPTIONS_INIT;
  bdag_context *context;
  bdag_network *network;
  bdag_weights *weights;
  bdag_engine *engine;
  double x[BATCH * INPUTS];
  options.isa = isa;
  keep.type = type;
  keep.max_batch = BATCH;
  test->random = seed;
  draw_edges(test);
  for (uint32_t i = 0; i < BATCH * INPUTS; i++) x[i] = draw(test, 2000) / 1000.0 - 1;
  cr_assert_eq(bdag_context_create(&context, &options, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_create(&network, context, NULL), BDAG_OK);
  bdag_plan *plan = make_plan(test, network, amalgamation);
  cr_assert_eq(bdag_weights_create(&weights, plan, network, type, NULL), BDAG_OK);
  cr_assert_eq(bdag_engine_create(&engine, plan, &keep, NULL), BDAG_OK);
  const size_t numbers = test->vertices;
  double *all = malloc(sizeof(double) * BATCH * numbers), *one = malloc(sizeof(double) * numbers);
  run(engine, weights, BATCH, x, test->vertices, all);
  for (uint32_t s = 0; s < BATCH; s++) {
    run(engine, weights, 1, x + s * INPUTS, test->vertices, one);
    for (uint32_t v = 0; v < numbers; v++)
      cr_assert(memcmp(&one[v], &all[s * numbers + v], sizeof(double)) == 0,
                "%s, sample %u, vertex %u: %.17g alone, %.17g in a batch",
                bdag_context_isa(context), s, v, one[v], all[s * numbers + v]);
  }
  free(all);
  free(one);
  bdag_engine_destroy(engine);
  bdag_weights_release(weights);
  bdag_plan_release(plan);
  bdag_network_destroy(network);
  bdag_context_destroy(context);
  free(test);
}

static void check_all(bdag_type type) {
  const bdag_amalgamation ways[] = {BDAG_AMALGAMATE_BY_COST, BDAG_AMALGAMATE_OFF,
                                    BDAG_AMALGAMATE_FORCED};
  uint32_t available = 0;
  for (bdag_isa isa = BDAG_ISA_BASELINE; isa <= BDAG_ISA_NEON; isa++) {
    bdag_context_options options = BDAG_CONTEXT_OPTIONS_INIT;
    bdag_context *context;
    options.isa = isa;
    if (bdag_context_create(&context, &options, NULL) != BDAG_OK) continue;
    bdag_context_destroy(context);
    available++;
    for (uint64_t seed = 1; seed <= 2; seed++)
      for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) check(isa, type, ways[i], seed);
  }
  cr_assert_gt(available, 0);
}

Test(single, float32) {
  check_all(BDAG_FLOAT32);
}

Test(single, float64) {
  check_all(BDAG_FLOAT64);
}
