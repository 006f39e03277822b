/* Fully connected layers, and random skip edges that jump over at least one layer. */
#include <stdlib.h>

#include "generate.h"

enum { MOST_LAYERS = 64 };

typedef struct layers {
  size_t count;
  uint32_t first[MOST_LAYERS], size[MOST_LAYERS];
} layers;

static int take_layers(layers *l, generated *graph, const generate_request *request) {
  uint64_t vertices = 0;
  l->count = request->sizes;
  for (size_t i = 0; i < l->count; i++) {
    l->first[i] = (uint32_t)vertices;
    l->size[i] = (uint32_t)request->size[i];
    vertices += request->size[i];
    if (request->size[i] == 0 || vertices >= UINT32_MAX) {
      cli_fail("--mlp: every layer needs at least one vertex, and all together fewer than 2^32");
      return CLI_USAGE;
    }
  }
  graph->inputs = l->size[0];
  graph->outputs = l->size[l->count - 1];
  graph->vertices = (uint32_t)vertices;
  return CLI_OK;
}

static int connect_layers(generated *graph, const layers *l) {
  for (size_t i = 0; i + 1 < l->count; i++) {
    if (generated_reserve(graph, (uint64_t)l->size[i] * l->size[i + 1]) != CLI_OK)
      return CLI_FAILED;
    for (uint32_t v = 0; v < l->size[i + 1]; v++)
      for (uint32_t u = 0; u < l->size[i]; u++)
        if (generated_add(graph, l->first[i] + u, l->first[i + 1] + v) != CLI_OK) return CLI_FAILED;
  }
  return CLI_OK;
}

/* Edges wanted from layer i to layer j, for j ≥ i+2: every jumped depth gets the same number as far as
 * there is room, and within a depth every pair of layers. */
typedef struct quotas {
  uint64_t wanted[MOST_LAYERS][MOST_LAYERS];
} quotas;

static uint64_t room(const layers *l, const quotas *q, size_t i, size_t j) {
  return (uint64_t)l->size[i] * l->size[j] - q->wanted[i][j];
}

static uint64_t depth_room(const layers *l, const quotas *q, size_t depth) {
  uint64_t sum = 0;
  for (size_t i = 0; i + depth < l->count; i++) sum += room(l, q, i, i + depth);
  return sum;
}

static uint64_t fill_depth(const layers *l, quotas *q, size_t depth, uint64_t wanted) {
  uint64_t left = wanted;
  while (left > 0 && depth_room(l, q, depth) > 0) {
    uint64_t open = 0;
    for (size_t i = 0; i + depth < l->count; i++) open += room(l, q, i, i + depth) > 0;
    const uint64_t share = left / open > 0 ? left / open : 1;
    for (size_t i = 0; i + depth < l->count && left > 0; i++) {
      const uint64_t free_pairs = room(l, q, i, i + depth);
      uint64_t more = share < free_pairs ? share : free_pairs;
      if (more > left) more = left;
      q->wanted[i][i + depth] += more;
      left -= more;
    }
  }
  return wanted - left;
}

/* Returns what found no room. */
static uint64_t share_out(const layers *l, quotas *q, uint64_t wanted) {
  uint64_t left = wanted;
  for (;;) {
    uint64_t open = 0;
    for (size_t depth = 2; depth < l->count; depth++) open += depth_room(l, q, depth) > 0;
    if (left == 0 || open == 0) return left;
    const uint64_t share = left / open > 0 ? left / open : 1;
    for (size_t depth = 2; depth < l->count && left > 0; depth++)
      left -= fill_depth(l, q, depth, share < left ? share : left);
  }
}

/* Walks over all pairs of vertices of two layers and takes each with the probability that gives the
 * wanted number: no pair twice, no memory. */
static int add_skips(generated *graph, const layers *l, size_t i, size_t j, uint64_t wanted,
                     cli_random *random) {
  uint64_t rest = (uint64_t)l->size[i] * l->size[j];
  for (uint32_t v = 0; v < l->size[j] && wanted > 0; v++)
    for (uint32_t u = 0; u < l->size[i] && wanted > 0; u++, rest--) {
      if (cli_random_below(random, rest) >= wanted) continue;
      if (generated_add(graph, l->first[i] + u, l->first[j] + v) != CLI_OK) return CLI_FAILED;
      wanted--;
    }
  return CLI_OK;
}

int generate_mlp(generated *graph, const generate_request *request) {
  layers l = {0};
  const int taken = take_layers(&l, graph, request);
  if (taken != CLI_OK) return taken;
  if (connect_layers(graph, &l) != CLI_OK) return CLI_FAILED;
  const uint64_t skips = (uint64_t)(request->skip * (double)graph->edges + 0.5);
  if (skips == 0) return CLI_OK;
  quotas *q = calloc(1, sizeof *q);
  if (q == NULL) return cli_fail("out of memory");
  int result = CLI_OK;
  const uint64_t missing = share_out(&l, q, skips);
  if (missing > 0) {
    cli_fail("--skip %g asks for %llu skip edges, but these layers have room for %llu",
             request->skip, (unsigned long long)skips, (unsigned long long)(skips - missing));
    result = CLI_USAGE;
  }
  cli_random random = {cli_random_mix(request->seed, 1)};
  for (size_t i = 0; i < l.count; i++)
    for (size_t j = i + 2; j < l.count && result == CLI_OK; j++)
      result = add_skips(graph, &l, i, j, q->wanted[i][j], &random);
  free(q);
  return result;
}
