/* What the files that make the backward program share. Floor 2. */
#ifndef BDAG_PLAN_BACKWARD_BUILD_H
#define BDAG_PLAN_BACKWARD_BUILD_H

#include <stdatomic.h>

#include "plan/build.h"

typedef struct bdag_member {
  uint32_t panel, position;
} bdag_member;

/* Rows that are dealt with together: a range of one level, or a block whose rows depend on each other. */
typedef struct bdag_piece {
  uint32_t first, end;
  uint32_t pulled, others; /* rows in b->order from `first` on: those with dense pulls come first */
  uint8_t triangle, is_input;
} bdag_piece;

typedef struct bdag_backward {
  bdag_build *build;
  bdag_plan *plan;
  uint64_t *member_offset; /* [rows + 2] panels that read a row */
  bdag_member *member;
  uint32_t *out_offset; /* [rows] irregular out-edges of a row, targets ascending: */
  uint32_t *out_length;
  uint32_t *out_target;
  uint32_t *out_cell; /* entry of plan->list_slot, or `listed` + entry of plan->union_slot */
  uint64_t listed;
  uint64_t out_capacity, window_edges;
  uint32_t window, window_rows; /* rows whose out-edges are listed */
  uint32_t window_parts;
  uint32_t *order; /* [rows] rows of each piece in the order in which they are pulled and swept */
  uint32_t *stamp, *column, *successor; /* [rows] of the bundle at hand */
  uint32_t stamps;
  uint64_t swept_edges;
  uint64_t task_edges;        /* that a task of panels should have */
  bdag_similar_work *similar; /* [team] */
  bdag_piece *piece;
  uint64_t pieces, piece_capacity;
  uint64_t ordered; /* pieces whose rows are in order */
  uint64_t sweep_capacity, pull_capacity, term_capacity, task_capacity, bundle_capacity,
      hole_capacity, row_capacity, offset_capacity;
  uint32_t panels_left; /* panels below it have no gradient task yet */
  _Atomic int failed;
} bdag_backward;

/* Room for `more` further elements of an array of the plan. Returns b->failed. */
static inline int bdag_backward_grow(bdag_backward *b, void *array, uint64_t *capacity,
                                     uint64_t used, uint64_t more, size_t size) {
  if (!b->failed && bdag_grow(b->build->context, array, capacity, used, used + more, size) != 0)
    b->failed = 1;
  return b->failed;
}

static inline uint32_t bdag_level_of_row(const bdag_plan *plan, uint32_t row) {
  return plan->level[plan->vertex_of_row[row]];
}

/* Whether dense panels read a row. */
static inline int bdag_has_terms(const bdag_backward *b, uint32_t row) {
  return b->member_offset[row] < b->member_offset[row + 1];
}

/* Cells held ids and learn their slots. */
static inline void bdag_give_slot(const bdag_backward *b, uint32_t *cell, uint64_t slot) {
  bdag_set_slot(b->build, *cell, (uint32_t)slot);
  *cell = (uint32_t)(slot - b->plan->edge_base);
}

/* Panels by the rows that they read. */
void bdag_list_members(bdag_backward *b);
/* Irregular edges from rows `first` … end − 1, which are dealt with next, by source row, targets ascending. */
void bdag_list_out_edges(bdag_backward *b, uint32_t first, uint32_t end);
/* Pulls of rows order[0] …, which will be the next in plan->sweep_row. */
void bdag_add_pulls(bdag_backward *b, const uint32_t *order, uint32_t count);
/* Sweeps of the same rows, which must not depend on each other unless `single`: then each has a group. */
void bdag_add_sweeps(bdag_backward *b, const uint32_t *order, uint32_t count, int single);

#endif
