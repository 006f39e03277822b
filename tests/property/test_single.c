/* A batch of one sample takes kernels of its own (src/kernel/single_tmpl.c): what they give must be
 * bitwise what the same sample gives in a larger batch, for panels with and without padding, unions and
 * lists, on every instruction set and for both types. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <backdag/backdag.h>

/* LONELY is an input that only one vertex reads. */
enum { INPUTS = 70, LONELY = 69, LAYERS = 8, BATCH = 37, MOST = 20000 };

static const uint32_t width[LAYERS] = {INPUTS, 133, 40, 40, 5, 10, 48, 48};

typedef struct single_case {
  uint64_t random;
  int layered; /* one activation a layer */
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

/* Dense, with holes, sliding windows, dense and narrow, dense and wider; and some skips. */
static void draw_edges(single_case *test) {
  uint32_t below = 0;
  for (uint32_t l = 0; l + 1 < LAYERS; l++) {
    const uint32_t from = width[l], to = width[l + 1];
    for (uint32_t r = 0; r < to; r++)
      for (uint32_t k = 0; k < from; k++)
        if (l == 0   ? k < LONELY || r == 1
            : l == 1 ? draw(test, 10) < 8
            : l == 2 ? (k + from - r) % from < 9
                     : 1)
          add_edge(test, below + k, below + from + r);
    for (uint32_t i = 0; l > 0 && i < 6; i++)
      add_edge(test, draw(test, below), below + from + draw(test, to));
    below += from;
  }
  test->vertices = below + width[LAYERS - 1];
}

/* Layers of one activation, of another one for each vertex, and of pairs. */
static void set_activations(const single_case *test, bdag_network *network) {
  static const uint32_t kinds[] = {BDAG_TANH,     BDAG_IDENTITY, BDAG_SIGMOID, BDAG_RELU,
                                   BDAG_SOFTPLUS, BDAG_GELU,     BDAG_NEAT_SIN};
  uint32_t vertex = INPUTS;
  for (uint32_t l = 1; l < LAYERS; l++)
    for (uint32_t r = 0; r < width[l]; r++, vertex++) {
      const uint32_t kind = (test->layered ? 0 : l == 2 ? r : l % 2 == 1 ? r / 2 : 0) + l;
      const bdag_activation activation = bdag_activation_default(kinds[kind % 7]);
      cr_assert_eq(bdag_network_set_activations(network, 1, &vertex, &activation, NULL), BDAG_OK);
    }
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
  set_activations(test, network);
  cr_assert_eq(bdag_network_add_edges(network, test->edges, test->source, test->target,
                                      test->weight, NULL, NULL),
               BDAG_OK);
  const bdag_output outputs[] = {{.vertex = INPUTS + 3},
                                 {.vertex = INPUTS + width[1] + width[2] + 1}};
  cr_assert_eq(bdag_network_set_outputs(network, 2, outputs, NULL), BDAG_OK);
  cr_assert_eq(bdag_plan_create(&plan, network, &options, NULL), BDAG_OK);
  return plan;
}

/* out and in of every vertex: 2 × [batch][vertices] */
static void run(bdag_engine *engine, const bdag_weights *weights, uint64_t batch, const double *x,
                uint32_t vertices, double *out) {
  const bdag_array in = {(void *)(uintptr_t)x, BDAG_FLOAT64, INPUTS, 1};
  const bdag_array to = {out, BDAG_FLOAT64, (ptrdiff_t)vertices, 1};
  cr_assert_eq(bdag_forward_arrays(engine, weights, batch, &in, NULL), BDAG_OK);
  cr_assert_eq(bdag_read_vertices(engine, BDAG_OUT, vertices, NULL, &to), BDAG_OK);
  const bdag_array sums = {out + batch * vertices, BDAG_FLOAT64, (ptrdiff_t)vertices, 1};
  cr_assert_eq(bdag_read_vertices(engine, BDAG_IN, vertices, NULL, &sums), BDAG_OK);
}

/* What a caller gets without looking at vertices. */
static void check_outputs(bdag_engine *engine, const bdag_weights *weights, const double *x,
                          const double *out) {
  double y[2];
  const bdag_array in = {(void *)(uintptr_t)x, BDAG_FLOAT64, INPUTS, 1};
  const bdag_array to = {y, BDAG_FLOAT64, 2, 1};
  cr_assert_eq(bdag_forward_arrays(engine, weights, 1, &in, &to), BDAG_OK);
  cr_assert_arr_eq(&y[0], &out[INPUTS + 3], sizeof y[0]);
  cr_assert_arr_eq(&y[1], &out[INPUTS + width[1] + width[2] + 1], sizeof y[1]);
}

/* Costs that make a team of all threads worthwhile. */
static bdag_context *make_context(bdag_isa isa, uint32_t threads) {
  bdag_context_options options = BDAG_CONTEXT_OPTIONS_INIT;
  bdag_cost_profile costs = BDAG_COST_PROFILE_INIT;
  bdag_context *context;
  options.isa = isa;
  options.threads = threads;
  options.synthetic = "core:8 pu:1";
  costs.dense_forward = costs.list_forward = 1e-4;
  cr_assert_eq(bdag_context_create(&context, &options, NULL), BDAG_OK);
  cr_assert_eq(bdag_context_set_costs(context, &costs), BDAG_OK);
  return context;
}

static void check(bdag_isa isa, bdag_type type, bdag_amalgamation amalgamation, uint64_t seed,
                  uint32_t threads) {
  single_case *test = calloc(1, sizeof *test);
  bdag_engine_options keep = BDAG_ENGINE_OPTIONS_INIT;
  bdag_context *const context = make_context(isa, threads);
  bdag_network *network;
  bdag_weights *weights;
  bdag_engine *engine;
  double x[BATCH * INPUTS];
  keep.type = type;
  keep.max_batch = BATCH;
  keep.keep = BDAG_KEEP_ALL;
  test->random = seed;
  test->layered = seed % 2 == 0;
  draw_edges(test);
  for (uint32_t i = 0; i < BATCH * INPUTS; i++) x[i] = draw(test, 2000) / 1000.0 - 1;
  /* must reach the vertices that the graph connects to them, and no others */
  x[7 * INPUTS + 3] = INFINITY;
  x[8 * INPUTS + LONELY] = NAN;
  x[9 * INPUTS + LONELY] = INFINITY;
  cr_assert_eq(bdag_network_create(&network, context, NULL), BDAG_OK);
  bdag_plan *plan = make_plan(test, network, amalgamation);
  cr_assert_eq(bdag_weights_create(&weights, plan, network, type, NULL), BDAG_OK);
  cr_assert_eq(bdag_engine_create(&engine, plan, &keep, NULL), BDAG_OK);
  const size_t numbers = test->vertices;
  double *all = malloc(2 * sizeof(double) * BATCH * numbers);
  double *one = malloc(2 * sizeof(double) * numbers);
  run(engine, weights, BATCH, x, test->vertices, all);
  for (uint32_t s = 0; s < BATCH; s++) {
    run(engine, weights, 1, x + s * INPUTS, test->vertices, one);
    for (uint32_t v = 0; v < numbers; v++)
      for (uint64_t q = 0; q < 2; q++) {
        const double value = one[q * numbers + v], batch = all[(q * BATCH + s) * numbers + v];
        cr_assert(memcmp(&value, &batch, sizeof value) == 0 || (isnan(value) && isnan(batch)),
                  "%s, %u threads, sample %u, vertex %u, %s: %.17g alone, %.17g in a batch",
                  bdag_context_isa(context), threads, s, v, q == 0 ? "out" : "in", value, batch);
      }
    check_outputs(engine, weights, x + s * INPUTS, one);
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
      for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
        for (uint32_t threads = 1; threads <= 5; threads += 1 + (threads > 1))
          check(isa, type, ways[i], seed, threads);
  }
  cr_assert_gt(available, 0);
}

Test(single, float32) {
  check_all(BDAG_FLOAT32);
}

Test(single, float64) {
  check_all(BDAG_FLOAT64);
}
