/* Generators of graphs for `backdag new`: plain edge lists. Vertices 0 … inputs−1 are inputs, the
 * others neurons in topological order, the last `outputs` of them the outputs. */
#ifndef BACKDAG_GENERATE_H
#define BACKDAG_GENERATE_H

#include "cli.h"

typedef struct generated {
  uint32_t inputs, outputs, vertices; /* `vertices` counts all */
  uint64_t edges, capacity;
  uint32_t *source, *target;
} generated;

/* What the options of `backdag new` ask for; each generator reads its own fields. */
typedef struct generate_request {
  uint64_t size[64];
  size_t sizes;
  double skip;            /* mlp: skip edges as a share of the layers' edges */
  uint64_t in_degree[2];  /* dag: least and most */
  uint64_t window, depth; /* dag: 0: no limit, not given */
  double long_share;      /* dag: share of edges that ignore the window */
  uint64_t neighbours;    /* small world */
  double rewire;          /* small world */
  uint64_t seed;
} generate_request;

/* Each fills in `graph` or returns CLI_USAGE after a message (impossible sizes) or CLI_FAILED. */
int generate_mlp(generated *graph, const generate_request *request); /* layers, two or more */
int generate_dag(generated *graph, const generate_request *request); /* inputs, outputs, vertices */
int generate_small_world(generated *graph, const generate_request *request); /* as dag */
int generate_radix(generated *graph, const generate_request *request); /* neurons, layers, degree */

void generated_free(generated *graph);
/* Room for that many more edges. */
int generated_reserve(generated *graph, uint64_t more);
int generated_add(generated *graph, uint32_t source, uint32_t target);
/* `count` different numbers below `bound` into chosen[count], in no particular order; count ≤ bound. */
void generate_choose(cli_random *random, uint64_t bound, uint64_t count, uint32_t *chosen);
/* Checks inputs, outputs, vertices of the size list and takes them over. */
int generate_take_sizes(generated *graph, const generate_request *request);

#endif
