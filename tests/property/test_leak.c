/* What is not finite reaches exactly the vertices that the graph connects to it: forward from an input,
 * backward from a gradient. Panels and unions are padded with zeros, and 0·∞ must not count as an edge.
 * Everything else stays bitwise what it is without the poison. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <backdag/backdag.h>

enum { LAYERS = 4, WIDTH = 40, VERTICES = (LAYERS + 1) * WIDTH, BATCH = 70, MOST_EDGES = 40000 };

typedef struct leak_graph {
  uint64_t random;
  uint32_t losses; /* vertices that Loss reads: the last layer, or also that before it */
  uint32_t edges, source[MOST_EDGES], target[MOST_EDGES];
  bdag_context *context;
  bdag_network *network;
  bdag_plan *plan;
  bdag_weights *weights;
  bdag_engine *engine;
} leak_graph;

static uint32_t draw(leak_graph *graph, uint32_t below) {
  graph->random = graph->random * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(graph->random >> 33) % below;
}

static void add_edge(leak_graph *graph, uint32_t u, uint32_t v) {
  graph->source[graph->edges] = u;
  graph->target[graph->edges++] = v;
}

/* Layers that are dense up to holes, windows that slide, also with gaps, and some skips. */
static void draw_edges(leak_graph *graph) {
  for (uint32_t l = 0; l < LAYERS; l++) {
    const int window = l % 2 == 1;
    for (uint32_t r = 0; r < WIDTH; r++) {
      for (uint32_t k = 0; k < WIDTH; k++)
        if (window ? (k + WIDTH - r) % WIDTH < 9 && (l == 1 || draw(graph, 12) > 0)
                   : draw(graph, 10) < 8)
          add_edge(graph, l * WIDTH + k, (l + 1) * WIDTH + r);
      if (l > 0 && draw(graph, 3) == 0)
        add_edge(graph, draw(graph, l * WIDTH), (l + 1) * WIDTH + r);
    }
  }
}

static uint32_t loss_vertex(uint32_t column) {
  return column < WIDTH ? LAYERS * WIDTH + column : (LAYERS - 2) * WIDTH + column;
}

static void build(leak_graph *graph, bdag_amalgamation amalgamation, bdag_type type) {
  bdag_plan_options options = BDAG_PLAN_OPTIONS_INIT;
  bdag_engine_options keep = BDAG_ENGINE_OPTIONS_INIT;
  const bdag_activation activation = bdag_activation_default(BDAG_TANH);
  uint32_t outputs[2 * WIDTH];
  double *weight = malloc(sizeof(double) * MOST_EDGES);
  draw_edges(graph);
  for (uint32_t e = 0; e < graph->edges; e++) weight[e] = draw(graph, 2000) / 4000.0 - 0.25;
  for (uint32_t i = 0; i < graph->losses; i++) outputs[i] = loss_vertex(i);
  const bdag_loss_term loss = {BDAG_EXTERNAL_GRADIENT, graph->losses, outputs, 1, 0};
  options.amalgamation = amalgamation;
  keep.type = type;
  keep.keep = BDAG_KEEP_ALL | BDAG_KEEP_INPUT_GRAD;
  keep.max_batch = BATCH;
  cr_assert_eq(bdag_context_create(&graph->context, NULL, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_create(&graph->network, graph->context, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_add_inputs(graph->network, WIDTH, NULL, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_add_vertices(graph->network, LAYERS * WIDTH, &activation, NULL, NULL),
               BDAG_OK);
  cr_assert_eq(bdag_network_add_edges(graph->network, graph->edges, graph->source, graph->target,
                                      weight, NULL, NULL),
               BDAG_OK);
  cr_assert_eq(bdag_network_add_loss(graph->network, &loss, NULL), BDAG_OK);
  cr_assert_eq(bdag_plan_create(&graph->plan, graph->network, &options, NULL), BDAG_OK);
  cr_assert_eq(bdag_weights_create(&graph->weights, graph->plan, graph->network, type, NULL),
               BDAG_OK);
  cr_assert_eq(bdag_engine_create(&graph->engine, graph->plan, &keep, NULL), BDAG_OK);
  free(weight);
}

static void destroy(leak_graph *graph) {
  bdag_engine_destroy(graph->engine);
  bdag_weights_release(graph->weights);
  bdag_plan_release(graph->plan);
  bdag_network_destroy(graph->network);
  bdag_context_destroy(graph->context);
}

/* Edges lead from lower to higher ids, so one walk in order reaches everything. */
static void mark(const leak_graph *graph, uint8_t *marked, int forward) {
  for (int changed = 1; changed;) {
    changed = 0;
    for (uint32_t e = 0; e < graph->edges; e++) {
      const uint32_t from = forward ? graph->source[e] : graph->target[e];
      const uint32_t to = forward ? graph->target[e] : graph->source[e];
      if (!marked[from] || marked[to]) continue;
      marked[to] = 1;
      changed = 1;
    }
  }
}

typedef struct leak_result {
  double out[BATCH][VERTICES], out_grad[BATCH][VERTICES];
} leak_result;

static void pass(leak_graph *graph, const double *x, const double *gradient, leak_result *result) {
  const bdag_array in = {(void *)(uintptr_t)x, BDAG_FLOAT64, WIDTH, 1};
  const bdag_array given = {(void *)(uintptr_t)gradient, BDAG_FLOAT64, graph->losses, 1};
  const bdag_array out = {result->out, BDAG_FLOAT64, VERTICES, 1};
  const bdag_array out_grad = {result->out_grad, BDAG_FLOAT64, VERTICES, 1};
  bdag_backward_options options = BDAG_BACKWARD_OPTIONS_INIT;
  options.targets = &given;
  cr_assert_eq(bdag_forward_arrays(graph->engine, graph->weights, BATCH, &in, NULL), BDAG_OK);
  cr_assert_eq(bdag_read_vertices(graph->engine, BDAG_OUT, VERTICES, NULL, &out), BDAG_OK);
  cr_assert_eq(bdag_backward_arrays(graph->engine, graph->weights, &options, NULL), BDAG_OK);
  cr_assert_eq(bdag_read_vertices(graph->engine, BDAG_OUT_GRAD, VERTICES, NULL, &out_grad),
               BDAG_OK);
}

/* Numbers of a poisoned run: equal to the clean one but where sample and vertex are marked. */
static void compare(const double (*clean)[VERTICES], const double (*poisoned)[VERTICES],
                    uint32_t sample, const uint8_t *marked, const char *what, uint64_t *reached) {
  for (uint32_t s = 0; s < BATCH; s++)
    for (uint32_t v = 0; v < VERTICES; v++) {
      const int may_differ = s == sample && marked[v];
      const int equal = memcmp(&clean[s][v], &poisoned[s][v], sizeof(double)) == 0;
      cr_assert(may_differ || equal, "%s of vertex %u, sample %u: %g instead of %g", what, v, s,
                poisoned[s][v], clean[s][v]);
      *reached += may_differ && !isfinite(poisoned[s][v]);
    }
}

static void check(bdag_amalgamation amalgamation, bdag_type type, uint64_t seed, double poison) {
  leak_graph *graph = calloc(1, sizeof *graph);
  leak_result *clean = malloc(sizeof *clean), *poisoned = malloc(sizeof *poisoned);
  double x[BATCH * WIDTH], gradient[BATCH * 2 * WIDTH];
  uint8_t marked[VERTICES];
  uint64_t reached = 0;
  graph->random = seed;
  graph->losses = seed % 2 == 0 ? WIDTH : 2 * WIDTH;
  build(graph, amalgamation, type);
  for (uint32_t i = 0; i < BATCH * WIDTH; i++) x[i] = draw(graph, 2000) / 1000.0 - 1;
  for (uint32_t i = 0; i < BATCH * graph->losses; i++) gradient[i] = draw(graph, 2000) / 1000.0 - 1;
  pass(graph, x, gradient, clean);
  for (uint32_t round = 0; round < 6; round++) {
    const uint32_t sample = draw(graph, BATCH), vertex = draw(graph, WIDTH);
    double *const place =
        round % 2 == 0 ? &x[sample * WIDTH + vertex] : &gradient[sample * graph->losses + vertex];
    const double before = *place;
    *place = poison;
    pass(graph, x, gradient, poisoned);
    *place = before;
    memset(marked, 0, sizeof marked);
    marked[round % 2 == 0 ? vertex : loss_vertex(vertex)] = 1;
    mark(graph, marked, round % 2 == 0);
    if (round % 2 == 0) {
      compare(clean->out, poisoned->out, sample, marked, "out", &reached);
      mark(graph, marked, 0);
      compare(clean->out_grad, poisoned->out_grad, sample, marked, "out_grad", &reached);
    } else {
      compare(clean->out_grad, poisoned->out_grad, sample, marked, "out_grad", &reached);
    }
  }
  cr_assert_gt(reached, 0, "the poison must reach something");
  destroy(graph);
  free(graph);
  free(clean);
  free(poisoned);
}

static void check_all(bdag_type type) {
  const bdag_amalgamation ways[] = {BDAG_AMALGAMATE_BY_COST, BDAG_AMALGAMATE_OFF,
                                    BDAG_AMALGAMATE_FORCED};
  for (uint64_t seed = 1; seed <= 4; seed++)
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
      check(ways[i], type, seed, NAN);
      check(ways[i], type, seed, INFINITY);
    }
}

Test(leak, float32) {
  check_all(BDAG_FLOAT32);
}

Test(leak, float64) {
  check_all(BDAG_FLOAT64);
}
