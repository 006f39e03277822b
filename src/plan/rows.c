/* Rows: inputs and constants, then neurons level by level; within a level targets with similar source
 * lists come next to each other. When a level's turn comes all of its sources have rows, and its lists
 * are sorted by them. May include base and network. */
#include <string.h>

#include "network/activation.h"
#include "plan/build.h"

/* Up to there insertion is faster than counting. */
#define SHORT_LIST  20u
#define LISTS_AHEAD 16u
#define MOST_BITS   11u

/* An edge, seen from its target: source vertex, later source row. */
typedef struct bdag_half_edge {
  uint32_t source, edge;
} bdag_half_edge;

/* Lists of a level lie together, so that all that is done with them finds them in cache. */
typedef struct bdag_leveller {
  bdag_build *build;
  uint64_t *offset; /* [levels + 2] of a level in `sorted` */
  uint32_t *sorted; /* neurons by level */
  uint32_t *space;  /* as long */
  bdag_half_edge *list_space[2];
  uint32_t *level_space; /* lists of a level */
} bdag_leveller;

static void give_row(bdag_build *build, uint32_t v) {
  bdag_plan *plan = build->plan;
  const uint32_t row = plan->rows++;
  plan->row_of_vertex[v] = row;
  plan->vertex_of_row[row] = v;
  plan->reaches[row] = build->reaches[v];
  plan->in_loss[row] = build->in_loss[v];
  plan->in_row[row] = BDAG_NO_ROW;
  const int neuron = build->network->vertex_kind[v] == BDAG_VERTEX_NEURON;
  build->activation[row] = neuron ? build->network->activation[v] : BDAG_IDENTITY;
  build->activation_parameter[row] = neuron ? build->network->activation_parameter[v] : 0;
  if (neuron && build->reaches[v] &&
      bdag_activation_derivative_source(build->activation[row]) == BDAG_DERIVATIVE_FROM_IN)
    plan->in_row[row] = plan->in_rows++;
}

/* ---- Source lists -------------------------------------------------------------------------------- */

static void insert_each(bdag_half_edge *list, uint32_t count) {
  for (uint32_t i = 1; i < count; i++) {
    const bdag_half_edge edge = list[i];
    uint32_t j = i;
    for (; j > 0 && list[j - 1].source > edge.source; j--) list[j] = list[j - 1];
    list[j] = edge;
  }
}

/* Stable, by digits of about as many values as there are edges. Sources lie between `least` and
 * `most`. Returns where the sorted list is, `list` or `space`. */
static bdag_half_edge *sort_by_digits(bdag_half_edge *list, bdag_half_edge *space, uint32_t count,
                                      uint32_t least, uint32_t most) {
  uint32_t bits = 32 - (uint32_t)__builtin_clz(count), begin[1 << MOST_BITS];
  if (bits > MOST_BITS) bits = MOST_BITS;
  const uint32_t all_bits = 32 - (uint32_t)__builtin_clz(most - least);
  const uint32_t passes = (all_bits + bits - 1) / bits;
  bits = (all_bits + passes - 1) / passes;
  const uint32_t digits = 1u << bits;
  bdag_half_edge *from = list, *to = space;
  for (uint32_t shift = 0; shift < 32 && (most - least) >> shift != 0; shift += bits) {
    memset(begin, 0, digits * sizeof *begin);
    for (uint32_t i = 0; i < count; i++) begin[((from[i].source - least) >> shift) % digits]++;
    uint32_t at = 0;
    for (uint32_t d = 0; d < digits; d++) {
      const uint32_t here = begin[d];
      begin[d] = at;
      at += here;
    }
    for (uint32_t i = 0; i < count; i++)
      to[begin[((from[i].source - least) >> shift) % digits]++] = from[i];
    bdag_half_edge *swapped = from;
    from = to;
    to = swapped;
  }
  return from;
}

/* Edges of a vertex become source rows, ascending, and ids; parallel edges stay in the order of ids. */
static void set_sources(bdag_leveller *leveller, uint32_t v) {
  const bdag_build *build = leveller->build;
  const uint32_t *row_of_vertex = build->plan->row_of_vertex;
  const uint32_t count = build->in_degree[v];
  uint32_t *sources = build->in + 2 * (uint64_t)build->in_offset[v], *edges = sources + count;
  bdag_half_edge *list = leveller->list_space[0];
  uint32_t least = UINT32_MAX, most = 0, before = 0;
  int sorted = 1;
  for (uint32_t k = 0; k < count; k++) {
    const uint32_t row = row_of_vertex[sources[2 * k]];
    list[k] = (bdag_half_edge){row, sources[2 * k + 1]};
    sorted &= row >= before;
    before = row;
    least = row < least ? row : least;
    most = row > most ? row : most;
  }
  if (!sorted && count <= SHORT_LIST)
    insert_each(list, count);
  else if (!sorted)
    list = sort_by_digits(list, leveller->list_space[1], count, least, most);
  for (uint32_t k = 0; k < count; k++) {
    sources[k] = list[k].source;
    edges[k] = list[k].edge;
  }
}

/* Lists of the rows from `first` on, which are those of a level, into the order of rows. */
static void order_lists(const bdag_leveller *leveller, uint32_t first) {
  const bdag_build *build = leveller->build;
  const bdag_plan *plan = build->plan;
  if (plan->rows - first == 1) {
    build->row_first[first + 1] =
        build->row_first[first] + build->in_degree[plan->vertex_of_row[first]];
    return;
  }
  const uint64_t begin = 2 * (uint64_t)build->row_first[first];
  for (uint32_t row = first; row < plan->rows; row++) {
    const uint32_t v = plan->vertex_of_row[row], count = build->in_degree[v];
    const uint64_t at = 2 * (uint64_t)build->row_first[row];
    memcpy(leveller->level_space + (at - begin), build->in + 2 * (uint64_t)build->in_offset[v],
           2 * (size_t)count * sizeof *build->in);
    build->row_first[row + 1] = build->row_first[row] + count;
  }
  const uint64_t end = 2 * (uint64_t)build->row_first[plan->rows];
  memcpy(build->in + begin, leveller->level_space, (end - begin) * sizeof *build->in);
}

static inline void place_edges(bdag_leveller *leveller, int all) {
  const bdag_build *build = leveller->build;
  const bdag_network *network = build->network;
  uint32_t *next = build->in_offset;
  bdag_half_edge *in = (bdag_half_edge *)build->in;
  for (uint64_t e = 0; e < network->edge_count; e++) {
    if (e + BDAG_EDGES_AHEAD < network->edge_count)
      __builtin_prefetch(&in[next[network->target[e + BDAG_EDGES_AHEAD]]], 1);
    if (!all && !bdag_edge_takes_part(build, e)) continue;
    in[next[network->target[e]]++] = (bdag_half_edge){network->source[e], (uint32_t)e};
  }
}

/* Edges by level and target (counting sort). */
static void list_edges(bdag_leveller *leveller, uint32_t neurons) {
  bdag_build *build = leveller->build;
  uint32_t at = 0;
  for (uint32_t i = 0; i < neurons; i++) {
    build->in_offset[leveller->sorted[i]] = at;
    at += build->in_degree[leveller->sorted[i]];
  }
  if (build->all)
    place_edges(leveller, 1);
  else
    place_edges(leveller, 0);
  for (uint32_t i = 0; i < neurons; i++)
    build->in_offset[leveller->sorted[i]] -= build->in_degree[leveller->sorted[i]];
}

/* ---- Levels -------------------------------------------------------------------------------------- */

static int comes_before(const bdag_network *network, const bdag_build *build, uint32_t a,
                        uint32_t b) {
  if (build->reaches[a] != build->reaches[b]) return build->reaches[a] > build->reaches[b];
  if (network->activation[a] != network->activation[b])
    return network->activation[a] < network->activation[b];
  if (network->activation_parameter[a] != network->activation_parameter[b])
    return network->activation_parameter[a] < network->activation_parameter[b];
  return a < b;
}

/* Merge sort of `count` vertices, so that those with equal lists end up by activation. */
static void sort_level(const bdag_build *build, uint32_t *vertices, uint32_t *space,
                       uint32_t count) {
  const bdag_network *network = build->network;
  for (uint32_t width = 1; width < count; width *= 2) {
    for (uint32_t begin = 0; begin < count; begin += 2 * width) {
      uint32_t a = begin, b = begin + width < count ? begin + width : count;
      const uint32_t middle = b, end = b + width < count ? b + width : count;
      for (uint32_t i = begin; i < end; i++)
        space[i] =
            b >= end || (a < middle && !comes_before(network, build, vertices[b], vertices[a]))
                ? vertices[a++]
                : vertices[b++];
    }
    memcpy(vertices, space, count * sizeof *vertices);
  }
}

/* Vertices by level, neurons only: offset[level] … in `sorted`. */
static void sort_by_level(const bdag_build *build, uint64_t *offset, uint32_t levels,
                          uint32_t *sorted) {
  const bdag_plan *plan = build->plan;
  for (int fill = 0; fill < 2; fill++) {
    for (uint32_t v = 0; v < build->vertices; v++) {
      if (!build->active[v] || build->network->vertex_kind[v] != BDAG_VERTEX_NEURON) continue;
      if (fill)
        sorted[offset[plan->level[v] + 1]++] = v;
      else
        offset[plan->level[v] + 2]++;
    }
    for (uint32_t l = 0; !fill && l <= levels; l++) offset[l + 1] += offset[l];
  }
}

static void rows_of_inputs_and_constants(bdag_build *build) {
  bdag_plan *plan = build->plan;
  const bdag_network *network = build->network;
  for (uint64_t i = 0; i < network->input_count; i++)
    if (build->active[network->input[i]]) give_row(build, network->input[i]);
  for (uint32_t v = 0; v < build->vertices; v++)
    if (build->active[v] && network->vertex_kind[v] == BDAG_VERTEX_CONSTANT) give_row(build, v);
  plan->first_neuron = plan->rows;
}

static int allocate_rows(bdag_build *build) {
  bdag_plan *plan = build->plan;
  const bdag_context *context = build->context;
  const uint32_t rows = build->active_count;
  plan->vertex_of_row = bdag_allocate_array(context, rows, sizeof *plan->vertex_of_row);
  plan->reaches = bdag_allocate_array(context, rows, 1);
  plan->in_loss = bdag_allocate_array(context, rows, 1);
  plan->has_bias = bdag_allocate_zeroed(context, rows, 1);
  plan->in_row = bdag_allocate_array(context, rows, sizeof *plan->in_row);
  build->activation = bdag_allocate_array(context, rows, sizeof *build->activation);
  build->activation_parameter =
      bdag_allocate_array(context, rows, sizeof *build->activation_parameter);
  plan->iota = bdag_allocate_array(context, rows, sizeof *plan->iota);
  return plan->vertex_of_row == NULL || plan->reaches == NULL || plan->in_loss == NULL ||
         plan->has_bias == NULL || plan->in_row == NULL || build->activation == NULL ||
         build->activation_parameter == NULL || plan->iota == NULL;
}

static int rows_of_levels(bdag_leveller *leveller) {
  bdag_build *build = leveller->build;
  bdag_plan *plan = build->plan;
  const bdag_lists lists = {build->in_offset, build->in_degree, build->in, 2};
  bdag_similar_work work;
  int failed = bdag_similar_create(&work, build->context, build->active_count, build->active_count);
  for (uint32_t l = 0; l <= plan->depth && !failed; l++) {
    uint32_t *level = leveller->sorted + leveller->offset[l];
    const uint32_t count = (uint32_t)(leveller->offset[l + 1] - leveller->offset[l]);
    const uint32_t first = build->row_of_level[l] = plan->rows;
    if (count > plan->width) plan->width = count;
    for (uint32_t i = 0; i < count; i++) {
      if (i + LISTS_AHEAD < count) {
        __builtin_prefetch(&build->in_degree[level[i + LISTS_AHEAD]]);
        __builtin_prefetch(&build->in_offset[level[i + LISTS_AHEAD]]);
      }
      set_sources(leveller, level[i]);
    }
    sort_level(build, level, leveller->space, count);
    if (plan->options.amalgamation != BDAG_AMALGAMATE_OFF) {
      failed = bdag_order_similar(&work, &lists, level, count);
      bdag_stagger(build, &lists, level, leveller->space, count);
    }
    for (uint32_t i = 0; i < count; i++) give_row(build, level[i]);
    order_lists(leveller, first);
  }
  bdag_similar_destroy(&work);
  return failed;
}

/* What enumerating needed is not needed any more: lists with ids take the place of those without. */
static int allocate_lists(bdag_leveller *leveller) {
  bdag_build *build = leveller->build;
  const bdag_context *context = build->context;
  bdag_free(context, build->out_degree);
  bdag_free(context, build->order);
  build->in_source = build->out_degree = build->order = NULL;
  const uint32_t levels = build->plan->depth + 1;
  leveller->offset = bdag_allocate_zeroed(context, (uint64_t)levels + 2, sizeof *leveller->offset);
  leveller->sorted = bdag_allocate_array(context, build->active_count, sizeof *leveller->sorted);
  leveller->space = bdag_allocate_array(context, build->active_count, sizeof *leveller->space);
  build->row_of_level = bdag_allocate_array(context, levels, sizeof *build->row_of_level);
  build->row_first =
      bdag_allocate_zeroed(context, (uint64_t)build->active_count + 1, sizeof *build->row_first);
  return leveller->offset == NULL || leveller->sorted == NULL || leveller->space == NULL ||
         build->row_of_level == NULL || build->row_first == NULL;
}

/* Room for the longest list and for the lists of the largest level. */
static int allocate_space(bdag_leveller *leveller) {
  const bdag_build *build = leveller->build;
  const bdag_context *context = build->context;
  uint64_t longest = 0, largest = 0;
  for (uint32_t l = 0; l <= build->plan->depth; l++) {
    uint64_t edges = 0;
    for (uint64_t i = leveller->offset[l]; i < leveller->offset[l + 1]; i++) {
      const uint32_t degree = build->in_degree[leveller->sorted[i]];
      edges += degree;
      if (degree > longest) longest = degree;
    }
    if (edges > largest) largest = edges;
  }
  for (int i = 0; i < 2; i++)
    leveller->list_space[i] =
        bdag_allocate_array(context, longest, sizeof *leveller->list_space[i]);
  leveller->level_space = bdag_allocate_array(context, largest, 2 * sizeof *leveller->level_space);
  return leveller->list_space[0] == NULL || leveller->list_space[1] == NULL ||
         leveller->level_space == NULL;
}

bdag_status bdag_build_rows(bdag_build *build, bdag_error *error) {
  bdag_plan *plan = build->plan;
  const bdag_context *context = build->context;
  bdag_leveller leveller = {.build = build};
  int failed = allocate_rows(build) || allocate_lists(&leveller);
  if (!failed) {
    sort_by_level(build, leveller.offset, plan->depth + 1, leveller.sorted);
    failed = allocate_space(&leveller);
  }
  if (!failed) {
    list_edges(&leveller, (uint32_t)leveller.offset[plan->depth + 1]);
    rows_of_inputs_and_constants(build);
    plan->width = plan->first_neuron;
    failed = rows_of_levels(&leveller);
    for (uint32_t row = 0; row < plan->rows; row++) plan->iota[row] = row;
  }
  bdag_free(context, build->in_offset);
  build->in_offset = NULL;
  bdag_free(context, leveller.offset);
  bdag_free(context, leveller.sorted);
  bdag_free(context, leveller.space);
  for (int i = 0; i < 2; i++) bdag_free(context, leveller.list_space[i]);
  bdag_free(context, leveller.level_space);
  return failed ? bdag_fail_memory(error) : BDAG_OK;
}
