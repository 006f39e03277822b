/* What the steps of building a plan hand to each other. Floor 2. */
#ifndef BDAG_PLAN_BUILD_H
#define BDAG_PLAN_BUILD_H

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/team.h"
#include "plan/plan_internal.h"

#define BDAG_NO_SLOT UINT32_MAX
/* Edges come in any order, so their places are far apart: they are asked for ahead. */
#define BDAG_EDGES_AHEAD 24u
/* gcc drops a call of a function that does nothing but prefetch, unless it is inlined at once. */
#define BDAG_PREFETCHING static inline __attribute__((always_inline)) void
/* From so many edges on memory counts more than the time that the system takes to hand it out anew. */
#define BDAG_LARGE_EDGES (UINT64_C(1) << 24)

/* An edge, seen from its target: source vertex, later source row. */
typedef struct bdag_half_edge {
  uint32_t source, edge;
} bdag_half_edge;

typedef struct bdag_build {
  const bdag_network *network;
  const bdag_context *context;
  bdag_plan *plan;
  uint32_t vertices; /* ids in the network */
  uint8_t *active;   /* [vertices] takes part */
  uint8_t *reaches;  /* [vertices] Loss can be reached */
  uint8_t *in_loss;  /* [vertices] */
  uint32_t *order;   /* [active_count] reverse topological */
  uint32_t active_count;
  uint32_t *activation; /* [rows] */
  double *activation_parameter;
  int all;                          /* every edge takes part */
  uint64_t edges;                   /* that take part; fewer than 2^32 − 1 */
  uint32_t *in_degree, *out_degree; /* [vertices] */
  uint32_t *in_offset;              /* [vertices] first in-edge of a vertex */
  /* In-edges by target, as half edges. Huge plans have only source vertices there (spares: step is 1),
   * until rows are known: then half edges by target row. In the end memory for out-edges. */
  uint32_t *in; /* [2·edges] */
  uint32_t step;
  int by_row;             /* they are in the order of rows */
  uint32_t *row_first;    /* [rows + 1] in-edges of the rows before */
  uint32_t team;          /* threads that share the work */
  uint32_t *row_of_level; /* [levels] first row of the neurons of a level */
  /* [network edges], BDAG_NO_SLOT: takes no part. Part of plan->state_of_parameter, or `own_slots`; NULL:
   * edges are in plan->state_map, from parameter first_parameter on. */
  uint32_t *slot_of_edge, *own_slots;
  uint64_t first_parameter, exception_capacity;
  int failed;           /* bdag_set_slot found no memory */
  uint64_t dense;       /* edges in panels */
  uint32_t *out_length; /* [rows] irregular edges from there that reach Loss */
  /* row(target) − row(source) of edges that reach Loss: the sum, how many have so many bits, the largest */
  uint64_t reach, reach_by_power[33];
  uint32_t longest_reach;
} bdag_build;

static inline int bdag_edge_takes_part(const bdag_build *build, uint64_t edge) {
  const bdag_network *network = build->network;
  return bdag_network_edge_active(network, edge) && build->active[network->source[edge]] &&
         build->active[network->target[edge]];
}

/* A row wants so many edges to the rows of one segment to be worth going there, more if many of those
 * would be in L1 anyway. */
#define BDAG_SEGMENT_EDGES 18

/* Whether `rows` rows with so many edges to rows low … high are best taken segment by segment of those. */
static inline int bdag_shares_rows(uint32_t rows, uint64_t edges, uint32_t low, uint32_t high) {
  if (rows < 8 || high - low < BDAG_SEGMENT_ROWS) return 0;
  const double share = BDAG_SEGMENT_ROWS / (high - low + 1.0);
  return (double)edges * share * (1 - share) >= BDAG_SEGMENT_EDGES * (double)rows;
}

/* work(argument, thread, index), on the plan's team. */
static inline void bdag_share_work(const bdag_build *build, uint64_t count, bdag_team_work work,
                                   void *argument) {
  bdag_team_each(build->context, build->team, build->team, count, work, argument);
}

/* How many edges take part, and how many each vertex has. */
void bdag_count_edges(bdag_build *build);
/* Edges by target into build->in, those of a vertex in the order of ids, from build->in_offset on. */
void bdag_place_edges(bdag_build *build);
/* Source vertex i of those. */
static inline uint32_t bdag_source_at(const bdag_build *build, uint64_t i) {
  return build->in[i * build->step];
}

/* Loss as v_0, then each vertex that is a sink once those before it are gone: order, levels, reach. */
bdag_status bdag_enumerate(bdag_build *build, bdag_error *error);
/* Rows: sources before targets, targets with similar source lists next to each other. */
bdag_status bdag_build_rows(bdag_build *build, bdag_error *error);
/* Blocks, dense panels, unions and lists of the forward pass. */
bdag_status bdag_build_blocks(bdag_build *build, bdag_error *error);
/* Puts sources, which ascend, into the order of their ramps. readers[s]: a bit for each of up to
 * BDAG_UNION_TARGETS targets that reads source s; space: for as many numbers as sources. */
bdag_ramps bdag_order_by_readers(uint32_t *source, uint32_t sources, uint32_t targets,
                                 const uint32_t *readers, uint32_t *space);
/* place[s] + r, modulo 2^32: cell of the weight with which target r reads source s. */
void bdag_place_by_readers(const bdag_ramps *ramps, const uint32_t *source, uint32_t sources,
                           uint32_t targets, uint32_t *place);
/* Ascending, in place. */
void bdag_sort_numbers(uint32_t *numbers, uint64_t count);
/* Pulls and sweeps of the backward pass, in its order, with their tasks; slots of irregular edges. */
bdag_status bdag_build_sweeps(bdag_build *build, bdag_error *error);
/* Forward tasks, and the dependencies of tasks in both directions. */
bdag_status bdag_build_tasks(bdag_build *build, bdag_error *error);
/* Room for slots by edge, before blocks are cut. */
bdag_status bdag_prepare_state(bdag_build *build, bdag_error *error);
/* From parameters to slots and state. */
bdag_status bdag_build_state(bdag_build *build, bdag_error *error);

/* The map of a direct plan in half of the memory, if it has mostly neighbours. 0, −1 when out of memory. */
int bdag_shorten_state_map(bdag_build *build);
/* The same for parameters that are placed one by one, in any order, by bdag_place_parameter. Returns whether
 * it pays: then plan->state_map is empty, if build->failed is not set. */
int bdag_begin_state_map(bdag_build *build);
/* Exceptions into the order in which they are found. */
void bdag_end_state_map(bdag_plan *plan);
/* plan->state_of_parameter instead of the map: 0, −1 when out of memory. */
int bdag_widen_state_map(bdag_build *build);
/* For places too far from the block's first one. When there are many, plan->state_of_parameter takes the place
 * of the map. */
void bdag_place_exception(bdag_build *build, uint64_t parameter, uint32_t slot);

static inline void bdag_place_parameter(bdag_build *build, uint64_t parameter, uint32_t slot) {
  bdag_plan *plan = build->plan;
  bdag_state_map *map = &plan->state_map;
  if (plan->state_of_parameter != NULL) {
    plan->state_of_parameter[parameter] = slot;
    return;
  }
  uint32_t *base = &map->base[parameter / BDAG_MAP_BLOCK];
  if (*base == BDAG_NO_SLOT) {
    *base = slot;
    memset(map->offset + parameter / BDAG_MAP_BLOCK * BDAG_MAP_BLOCK, 0,
           BDAG_MAP_BLOCK * sizeof *map->offset);
  }
  const uint32_t offset = slot - *base + BDAG_MAP_CENTRE;
  if (offset - BDAG_MAP_FIRST < BDAG_MAP_END - BDAG_MAP_FIRST)
    map->offset[parameter] = (uint16_t)offset;
  else
    bdag_place_exception(build, parameter, slot);
}

static inline void bdag_set_slot(bdag_build *build, uint32_t edge, uint32_t slot) {
  if (build->slot_of_edge != NULL)
    build->slot_of_edge[edge] = slot;
  else if (!build->failed)
    bdag_place_parameter(build, build->first_parameter + edge, slot);
}

BDAG_PREFETCHING bdag_prefetch_slot(const bdag_build *build, uint32_t edge) {
  if (build->slot_of_edge != NULL)
    __builtin_prefetch(&build->slot_of_edge[edge], 1);
  else
    __builtin_prefetch(&build->plan->state_map.offset[build->first_parameter + edge], 1);
}

/* Unions in half of the memory if most of their cells are near each other. 0, −1 when out of memory. */
int bdag_shorten_unions(bdag_plan *plan);

/* Lists of entries: list of item i is data[step · (offset[i] + k)] for k below length[i]. */
typedef struct bdag_lists {
  const uint32_t *offset;
  const uint32_t *length;
  const uint32_t *data;
  uint32_t step;
} bdag_lists;

/* Moves the `count` neurons of a level so that rows a power of two apart meet in more sets of a cache;
 * marks: of their chains; space: as long as `order`. */
void bdag_stagger(const bdag_build *build, uint32_t *order, const uint8_t *marks, uint32_t *space,
                  uint32_t count);

/* Memory for finding similar items, made once for many calls. */
typedef struct bdag_numbering {
  uint32_t entry, number;
} bdag_numbering;

typedef struct bdag_similar_work {
  const bdag_context *context;
  uint32_t universe; /* entries are below it */
  uint64_t capacity; /* items of one call */
  uint32_t *given, *chain;
  uint64_t *hash;
  void *item, *item_space, *link;
  bdag_numbering *table;
  uint64_t *bits;
  uint64_t table_capacity, bit_capacity;
} bdag_similar_work;

void bdag_similar_create(bdag_similar_work *work, const bdag_context *context, uint32_t universe);
void bdag_similar_destroy(bdag_similar_work *work);

/* Rearranges `order`, which holds `count` items, so that neighbours share much; chains of such come in the
 * order of their lowest entries: lists must ascend. Items with equal lists stay in the order given. Returns
 * 0, −1 when out of memory. */
int bdag_order_similar(bdag_similar_work *work, const bdag_lists *lists, uint32_t *order,
                       uint32_t count);

/* The same in two steps, for lists whose entries are yet to be numbered. Entries may come in any order. */
enum { BDAG_CHAIN_BEGINS = 1, BDAG_CHAIN_REPEATS = 2 /* the list of the item before */ };
int bdag_find_chains(bdag_similar_work *work, const bdag_lists *lists, uint32_t *order,
                     uint32_t count, uint8_t *marks);
/* lowest[i]: the lowest entry of item order[i], for the first and the last one of each chain. */
int bdag_sort_chains(bdag_similar_work *work, uint32_t *order, uint32_t count, uint8_t *marks,
                     const uint32_t *lowest);

#endif
