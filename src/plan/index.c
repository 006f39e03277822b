/* Edges by target: a counting sort. Threads share it by ranges of vertices: each goes through all edges
 * and picks its own, so that those of a vertex stay in the order of ids. May include base and network. */
#include "plan/build.h"

#define PICKED 2048u
/* More threads would only read the edges once more. */
#define MOST_RANGES 16u

typedef struct bdag_index {
  bdag_build *build;
  uint32_t ranges;
  uint32_t begin[MOST_RANGES + 1]; /* first vertex of a range */
  uint64_t edges[MOST_RANGES];
} bdag_index;

/* Edges from `first` on that take part and whose vertex is in a range; returns their number. */
static inline uint32_t pick(const bdag_build *build, const uint32_t *vertex, uint64_t first,
                            uint64_t end, uint32_t low, uint32_t vertices, uint32_t *picked) {
  uint32_t count = 0;
  if (build->all) {
    for (uint64_t e = first; e < end; e++) {
      picked[count] = (uint32_t)e;
      count += vertex[e] - low < vertices;
    }
    return count;
  }
  for (uint64_t e = first; e < end; e++)
    if (vertex[e] - low < vertices && bdag_edge_takes_part(build, e)) picked[count++] = (uint32_t)e;
  return count;
}

/* ---- Counting ------------------------------------------------------------------------------------ */

static uint64_t count_range(const bdag_build *build, const uint32_t *vertex, uint32_t *degree,
                            uint32_t low, uint32_t vertices) {
  const uint64_t edges = build->network->edge_count;
  uint32_t picked[PICKED];
  uint64_t counted = 0;
  memset(degree + low, 0, vertices * sizeof *degree);
  if (build->all && vertices == build->vertices) {
    for (uint64_t e = 0; e < edges; e++) degree[vertex[e]]++;
    return edges;
  }
  for (uint64_t first = 0; first < edges; first += PICKED) {
    const uint64_t end = first + PICKED < edges ? first + PICKED : edges;
    const uint32_t count = pick(build, vertex, first, end, low, vertices, picked);
    for (uint32_t i = 0; i < count; i++) degree[vertex[picked[i]]]++;
    counted += count;
  }
  return counted;
}

static void count_both(void *argument, uint32_t thread, uint64_t i) {
  bdag_index *index = argument;
  bdag_build *build = index->build;
  const uint32_t range = (uint32_t)i / 2, low = index->begin[range];
  const uint32_t vertices = index->begin[range + 1] - low;
  if (i % 2 == 0)
    index->edges[range] =
        count_range(build, build->network->target, build->in_degree, low, vertices);
  else
    (void)count_range(build, build->network->source, build->out_degree, low, vertices);
}

void bdag_count_edges(bdag_build *build) {
  const bdag_network *network = build->network;
  bdag_index index = {.build = build, .ranges = (build->team + 1) / 2};
  build->all = network->edge_flags == NULL;
  for (uint32_t v = 0; v < build->vertices; v++) build->all &= build->active[v];
  if (index.ranges > MOST_RANGES) index.ranges = MOST_RANGES;
  for (uint32_t r = 0; r <= index.ranges; r++)
    index.begin[r] = (uint32_t)((uint64_t)build->vertices * r / index.ranges);
  bdag_share_work(build, 2 * (uint64_t)index.ranges, count_both, &index);
  build->edges = 0;
  for (uint32_t r = 0; r < index.ranges; r++) build->edges += index.edges[r];
}

/* ---- Placing ------------------------------------------------------------------------------------- */

static inline void place(const bdag_build *build, uint64_t e, int whole) {
  const bdag_network *network = build->network;
  const uint32_t at = build->in_offset[network->target[e]]++;
  if (whole)
    ((bdag_half_edge *)build->in)[at] = (bdag_half_edge){network->source[e], (uint32_t)e};
  else
    build->in[at] = network->source[e];
}

BDAG_PREFETCHING prefetch_place(const bdag_build *build, uint64_t e) {
  const uint64_t at = build->in_offset[build->network->target[e]];
  __builtin_prefetch(&build->in[at * build->step], 1);
}

static inline void place_all(const bdag_build *build, int whole) {
  const uint64_t edges = build->network->edge_count;
  for (uint64_t e = 0; e < edges; e++) {
    if (e + BDAG_EDGES_AHEAD < edges) prefetch_place(build, e + BDAG_EDGES_AHEAD);
    if (build->all || bdag_edge_takes_part(build, e)) place(build, e, whole);
  }
}

static inline void place_range(const bdag_build *build, uint32_t low, uint32_t vertices,
                               int whole) {
  const bdag_network *network = build->network;
  const uint64_t edges = network->edge_count;
  uint32_t picked[PICKED];
  for (uint64_t first = 0; first < edges; first += PICKED) {
    const uint64_t end = first + PICKED < edges ? first + PICKED : edges;
    const uint32_t count = pick(build, network->target, first, end, low, vertices, picked);
    for (uint32_t i = 0; i < count; i++) {
      if (i + BDAG_EDGES_AHEAD < count) prefetch_place(build, picked[i + BDAG_EDGES_AHEAD]);
      place(build, picked[i], whole);
    }
  }
}

static void place_share(void *argument, uint32_t thread, uint64_t range) {
  const bdag_index *index = argument;
  bdag_build *build = index->build;
  const uint32_t low = index->begin[range], end = index->begin[range + 1];
  if (index->ranges == 1 && build->step == 1)
    place_all(build, 0);
  else if (index->ranges == 1)
    place_all(build, 1);
  else if (build->step == 1)
    place_range(build, low, end - low, 0);
  else
    place_range(build, low, end - low, 1);
  for (uint32_t v = low; v < end; v++) build->in_offset[v] -= build->in_degree[v];
}

/* Ranges with as many edges each. */
static void even_ranges(bdag_index *index) {
  const bdag_build *build = index->build;
  uint64_t edges = 0;
  uint32_t v = 0;
  for (uint32_t r = 1; r < index->ranges; r++) {
    while (v < build->vertices && edges * index->ranges < build->edges * r)
      edges += build->in_degree[v++];
    index->begin[r] = v;
  }
  index->begin[index->ranges] = build->vertices;
}

void bdag_place_edges(bdag_build *build) {
  bdag_index index = {.build = build, .ranges = build->team};
  if (index.ranges > MOST_RANGES) index.ranges = MOST_RANGES;
  even_ranges(&index);
  bdag_share_work(build, index.ranges, place_share, &index);
}
