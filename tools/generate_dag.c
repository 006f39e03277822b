/* Random graphs: every neuron draws its in-degree and its sources. With a depth, neurons are dealt out
 * over that many levels and always take one source from the level before, so that the depth is exact;
 * without, a neuron may read every neuron before it. Outputs never read outputs. */
#include <stdlib.h>

#include "generate.h"

/* First vertex of level `level` (0: the inputs). */
static uint32_t level_begin(const generated *graph, uint64_t depth, uint64_t level) {
  const uint64_t neurons = graph->vertices - graph->inputs;
  if (level == 0) return 0;
  const uint64_t before = neurons / depth * (level - 1) + neurons % depth * (level - 1) / depth;
  return graph->inputs + (uint32_t)before;
}

typedef struct drawing {
  generated *graph;
  const generate_request *request;
  cli_random random;
  uint32_t *chosen; /* [most in-edges] */
} drawing;

/* In-edges of v from the vertices begin … end−1 (those allowed), one of them from must … end−1. */
static int draw_vertex(drawing *d, uint32_t v, uint32_t must, uint32_t end) {
  const generate_request *request = d->request;
  const uint32_t begin =
      request->window != 0 && end > request->window ? end - (uint32_t)request->window : 0;
  if (must < begin) must = begin;
  const uint64_t spread = request->in_degree[1] - request->in_degree[0] + 1;
  uint64_t degree = request->in_degree[0] + cli_random_below(&d->random, spread);
  uint64_t distant = 0;
  for (uint64_t i = 0; i < degree && begin > 0; i++)
    distant += cli_random_uniform(&d->random) < request->long_share;
  if (distant > begin) distant = begin;
  uint64_t near = degree - distant;
  if (near > end - begin) near = end - begin;
  if (near == 0 && must < end && degree > 0) {
    near = 1;
    distant -= distant > 0;
  }
  generate_choose(&d->random, end - begin, near, d->chosen);
  for (uint64_t i = 0; i < near; i++) d->chosen[i] += begin;
  if (distant > 0) generate_choose(&d->random, begin, distant, d->chosen + near);
  if (must < end && near > 0) {
    int served = 0;
    for (uint64_t i = 0; i < near; i++) served |= d->chosen[i] >= must;
    if (!served) d->chosen[0] = must + (uint32_t)cli_random_below(&d->random, end - must);
  }
  for (uint64_t i = 0; i < near + distant; i++)
    if (generated_add(d->graph, d->chosen[i], v) != CLI_OK) return CLI_FAILED;
  return CLI_OK;
}

static int draw_free(drawing *d) {
  const uint32_t first_output = d->graph->vertices - d->graph->outputs;
  for (uint32_t v = d->graph->inputs; v < d->graph->vertices; v++) {
    const uint32_t end = v < first_output ? v : first_output;
    if (draw_vertex(d, v, end, end) != CLI_OK) return CLI_FAILED;
  }
  return CLI_OK;
}

static int draw_levels(drawing *d, uint64_t depth) {
  for (uint64_t level = 1; level <= depth; level++) {
    const uint32_t before = level_begin(d->graph, depth, level - 1);
    const uint32_t begin = level_begin(d->graph, depth, level);
    const uint32_t end =
        level == depth ? d->graph->vertices : level_begin(d->graph, depth, level + 1);
    for (uint32_t v = begin; v < end; v++)
      if (draw_vertex(d, v, before, begin) != CLI_OK) return CLI_FAILED;
  }
  return CLI_OK;
}

static int check(const generated *graph, const generate_request *request) {
  if (request->in_degree[0] > request->in_degree[1]) {
    cli_fail("--in-degree: the least is larger than the most");
    return CLI_USAGE;
  }
  if (request->depth > graph->vertices - graph->inputs) {
    cli_fail("--depth %llu needs at least as many neurons; there are %u",
             (unsigned long long)request->depth, graph->vertices - graph->inputs);
    return CLI_USAGE;
  }
  if (request->depth > 0 && request->in_degree[0] == 0) {
    cli_fail("--depth needs at least one in-edge a neuron: --in-degree 1,…");
    return CLI_USAGE;
  }
  if (request->depth > 0) {
    const uint32_t last = level_begin(graph, request->depth, request->depth);
    if (graph->vertices - last < graph->outputs) {
      cli_fail("--depth %llu leaves %u neurons on the last level, too few for %u outputs",
               (unsigned long long)request->depth, graph->vertices - last, graph->outputs);
      return CLI_USAGE;
    }
  }
  return CLI_OK;
}

int generate_dag(generated *graph, const generate_request *request) {
  int result = generate_take_sizes(graph, request);
  if (result == CLI_OK) result = check(graph, request);
  if (result != CLI_OK) return result;
  const uint64_t mean = (request->in_degree[0] + request->in_degree[1] + 1) / 2;
  if (generated_reserve(graph, mean * (graph->vertices - graph->inputs)) != CLI_OK)
    return CLI_FAILED;
  drawing d = {graph, request, {cli_random_mix(request->seed, 2)}, NULL};
  d.chosen = calloc(request->in_degree[1] + 1, sizeof *d.chosen);
  if (d.chosen == NULL) return cli_fail("out of memory");
  result = request->depth > 0 ? draw_levels(&d, request->depth) : draw_free(&d);
  free(d.chosen);
  return result;
}
