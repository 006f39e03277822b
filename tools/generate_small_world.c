/* Small worlds (Watts and Strogatz 1998), made acyclic: every neuron reads its K predecessors in one
 * long row, and each of these edges moves with probability P to a source drawn among all before.
 * Outputs never read outputs: they take the last K before the first of them. */
#include <stdlib.h>

#include "generate.h"

static int is_among(const uint32_t *list, uint64_t count, uint32_t value) {
  for (uint64_t i = 0; i < count; i++)
    if (list[i] == value) return 1;
  return 0;
}

static int draw_neuron(generated *graph, const generate_request *request, cli_random *random,
                       uint32_t *source, uint32_t v) {
  const uint32_t first_output = graph->vertices - graph->outputs;
  const uint32_t end = v < first_output ? v : first_output;
  const uint32_t degree = end < request->neighbours ? end : (uint32_t)request->neighbours;
  for (uint32_t i = 0; i < degree; i++) source[i] = end - 1 - i;
  for (uint32_t i = 0; i < degree && degree < end; i++) {
    if (cli_random_uniform(random) >= request->rewire) continue;
    uint32_t other = (uint32_t)cli_random_below(random, end);
    while (is_among(source, degree, other)) other = (uint32_t)cli_random_below(random, end);
    source[i] = other;
  }
  for (uint32_t i = 0; i < degree; i++)
    if (generated_add(graph, source[i], v) != CLI_OK) return CLI_FAILED;
  return CLI_OK;
}

int generate_small_world(generated *graph, const generate_request *request) {
  const int taken = generate_take_sizes(graph, request);
  if (taken != CLI_OK) return taken;
  const uint64_t neurons = graph->vertices - graph->inputs;
  if (generated_reserve(graph, neurons * request->neighbours) != CLI_OK) return CLI_FAILED;
  uint32_t *source = calloc(request->neighbours, sizeof *source);
  if (source == NULL) return cli_fail("out of memory");
  cli_random random = {cli_random_mix(request->seed, 3)};
  int result = CLI_OK;
  for (uint32_t v = graph->inputs; v < graph->vertices && result == CLI_OK; v++)
    result = draw_neuron(graph, request, &random, source, v);
  free(source);
  return result;
}
