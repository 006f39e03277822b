/* What the generators share: a growing edge list and choosing without repetition. */
#include <stdlib.h>

#include "generate.h"

void generated_free(generated *graph) {
  free(graph->source);
  free(graph->target);
  *graph = (generated){0};
}

int generated_reserve(generated *graph, uint64_t more) {
  if (more > SIZE_MAX / sizeof(uint32_t) / 4 - graph->edges)
    return cli_fail("so many edges do not fit into memory");
  const uint64_t needed = graph->edges + more;
  if (needed <= graph->capacity) return CLI_OK;
  const uint64_t capacity = needed > 2 * graph->capacity ? needed : 2 * graph->capacity;
  uint32_t *source = realloc(graph->source, capacity * sizeof *source);
  if (source != NULL) graph->source = source;
  uint32_t *target = realloc(graph->target, capacity * sizeof *target);
  if (target != NULL) graph->target = target;
  if (source == NULL || target == NULL)
    return cli_fail("out of memory for %llu edges", (unsigned long long)capacity);
  graph->capacity = capacity;
  return CLI_OK;
}

int generated_add(generated *graph, uint32_t source, uint32_t target) {
  if (graph->edges == graph->capacity && generated_reserve(graph, 1) != CLI_OK) return CLI_FAILED;
  graph->source[graph->edges] = source;
  graph->target[graph->edges++] = target;
  return CLI_OK;
}

static int contains(const uint32_t *chosen, uint64_t count, uint32_t value) {
  for (uint64_t i = 0; i < count; i++)
    if (chosen[i] == value) return 1;
  return 0;
}

/* Few of many: Floyd's algorithm with a search among the chosen. Else: a walk over all numbers, each
 * taken with the probability that gives the right count (Knuth's algorithm S). */
void generate_choose(cli_random *random, uint64_t bound, uint64_t count, uint32_t *chosen) {
  if (count <= 64 || count * count <= bound) {
    for (uint64_t i = 0; i < count; i++) {
      const uint64_t top = bound - count + i;
      const uint32_t value = (uint32_t)cli_random_below(random, top + 1);
      chosen[i] = contains(chosen, i, value) ? (uint32_t)top : value;
    }
    return;
  }
  uint64_t taken = 0;
  for (uint64_t i = 0; taken < count; i++)
    if (cli_random_below(random, bound - i) < count - taken) chosen[taken++] = (uint32_t)i;
}

int generate_take_sizes(generated *graph, const generate_request *request) {
  const uint64_t inputs = request->size[0], outputs = request->size[1], vertices = request->size[2];
  if (inputs == 0 || outputs == 0 || vertices < inputs + outputs || vertices >= UINT32_MAX) {
    cli_fail("%llu vertices cannot hold %llu inputs and %llu outputs: INPUTS and OUTPUTS are at "
             "least 1, and VERTICES counts them all",
             (unsigned long long)vertices, (unsigned long long)inputs, (unsigned long long)outputs);
    return CLI_USAGE;
  }
  graph->inputs = (uint32_t)inputs;
  graph->outputs = (uint32_t)outputs;
  graph->vertices = (uint32_t)vertices;
  return CLI_OK;
}
