/* What the files that cut rows into blocks share. Rows are cut in chunks, each on its own, so that threads
 * can do several at a time; where chunks begin depends on the network alone. Floor 2. */
#ifndef BDAG_PLAN_CUT_H
#define BDAG_PLAN_CUT_H

#include "plan/build.h"

/* Vectors of targets: a panel of 8 or more is padded to it. */
#define BDAG_PANEL_STEP 16u

typedef struct bdag_placed_edge {
  uint32_t edge, slot;
} bdag_placed_edge;

/* An array that grows. */
#define BDAG_LIST(type)                                                                            \
  struct {                                                                                         \
    type *at;                                                                                      \
    uint64_t count, capacity;                                                                      \
  }

/* Consecutive rows and what becomes of them. All that is numbered begins at 0 here: slots at the chunk's
 * first panel, entries at its first ones. */
typedef struct bdag_chunk {
  uint32_t first, end;          /* rows */
  uint32_t level;               /* of the first row */
  uint32_t lowest;              /* row that is read */
  BDAG_LIST(uint32_t) in;       /* lists of in-edges: source rows, ascending, then as many ids */
  BDAG_LIST(uint32_t) level_of; /* [rows] */
  BDAG_LIST(bdag_block) blocks;
  BDAG_LIST(bdag_panel) panels;
  BDAG_LIST(bdag_union) unions;
  BDAG_LIST(bdag_row_run) runs;
  BDAG_LIST(uint32_t) sources;        /* of panels and unions */
  BDAG_LIST(uint32_t) cells;          /* of unions: ids, BDAG_NO_SLOT where no edge is */
  BDAG_LIST(uint32_t) holes;          /* of panels */
  BDAG_LIST(bdag_placed_edge) placed; /* edges of panels */
  BDAG_LIST(bdag_half_edge) listed;   /* the rest, row by row */
  BDAG_LIST(uint32_t) list_end;       /* [rows] entry after the last one of a row */
  uint64_t slots;                     /* of panels */
  uint64_t padding, weight_edges, out_edges;
  uint64_t reach, reach_by_power[33];
  uint32_t longest_reach;
  int failed;
  /* where its parts go in the plan */
  uint32_t block, panel, first_union, run;
  uint64_t source, cell, hole, entry, slot;
} bdag_chunk;

/* A thread's memory. By source row, counted from the lowest one of the chunk: */
typedef struct bdag_cut {
  bdag_build *build;
  bdag_chunk *chunk;
  uint32_t *stamp, *count; /* marks; occurrences in the run at hand */
  uint32_t *last_reader;   /* among measured rows */
  uint32_t *column;        /* sources of the panel at hand, counted so */
  uint32_t *shared;        /* by row of the chunk: sources that it shares with the row before it */
  uint64_t span, rows;     /* room */
  uint32_t stamps;
  uint32_t measured; /* rows of which `shared` is known */
  uint32_t hopeless; /* no dense block begins before this row */
} bdag_cut;

/* The in-edges of a row: source rows, ascending, and ids. */
typedef struct bdag_row_list {
  const uint32_t *source;
  uint32_t *edge;
  uint32_t length;
} bdag_row_list;

static inline bdag_row_list bdag_list_of(const bdag_cut *cut, uint32_t row) {
  const uint32_t *first = cut->build->row_first;
  const uint32_t length = first[row + 1] - first[row];
  uint32_t *list = cut->chunk->in.at + 2 * (uint64_t)(first[row] - first[cut->chunk->first]);
  return (bdag_row_list){list, list + length, length};
}

/* Whether edge k repeats the source of the edge before it. */
static inline int bdag_is_parallel(const bdag_row_list *list, uint32_t k) {
  return k > 0 && list->source[k - 1] == list->source[k];
}

static inline uint32_t bdag_cut_level(const bdag_cut *cut, uint32_t row) {
  return cut->chunk->level_of.at[row - cut->chunk->first];
}

static inline int bdag_is_forced(const bdag_cut *cut) {
  return cut->build->plan->options.amalgamation == BDAG_AMALGAMATE_FORCED;
}

/* Room for `more` further elements of a list of a chunk. Returns chunk->failed. */
#define bdag_chunk_grow(build, chunk, list, more)                                                  \
  bdag_chunk_grow_list(build, chunk, &(list)->at, &(list)->capacity, (list)->count, more,          \
                       sizeof *(list)->at)
static inline int bdag_chunk_grow_list(const bdag_build *build, bdag_chunk *chunk, void *array,
                                       uint64_t *capacity, uint64_t used, uint64_t more,
                                       size_t size) {
  if (!chunk->failed && bdag_grow(build->context, array, capacity, used, used + more, size) != 0)
    chunk->failed = 1;
  return chunk->failed;
}

/* Two lists. */
typedef struct bdag_list_space {
  bdag_half_edge *list;
  uint64_t capacity;
} bdag_list_space;

/* Lists of a chunk's rows, sorted by rows. */
void bdag_load_chunk(const bdag_build *build, bdag_chunk *chunk, bdag_list_space *space);
/* Blocks of a chunk. */
void bdag_cut_chunk(bdag_cut *cut, bdag_chunk *chunk);

/* Rows of a dense block that begins at `first`, 0 if there is none: *columns of its sources are in
 * cut->column. */
uint32_t bdag_find_dense(bdag_cut *cut, uint32_t first, uint32_t *columns);
void bdag_add_panel(bdag_cut *cut, uint32_t first, uint32_t rows, uint32_t columns);
/* How many rows from `first` on are best computed together, by cost an edge; their sources are in
 * cut->column. */
uint32_t bdag_union_rows(bdag_cut *cut, uint32_t first, uint32_t *sources, double *cost_an_edge);
void bdag_add_union(bdag_cut *cut, uint32_t first, uint32_t rows, uint32_t sources);

#endif
