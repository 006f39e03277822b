/* The plan's fields. Floor 2; may include base, network, kernel.
 *
 * Every vertex that takes part has a row. Rows are numbered so that sources come before targets: inputs
 * and constants, then neurons by level, targets of one panel next to each other. Each weight and each
 * bias has a slot; slots of a panel are [source][target]. */
#ifndef BDAG_PLAN_INTERNAL_H
#define BDAG_PLAN_INTERNAL_H

#include <stdatomic.h>

#include <backdag/plan.h>

#include "kernel/kernel.h"
#include "network/network_internal.h"

#define BDAG_NO_ROW UINT32_MAX
/* Rows that are read together while other rows pass by: with 64 float32 samples two thirds of an L1. */
#define BDAG_SEGMENT_ROWS 128u

typedef struct bdag_range {
  uint64_t first, count;
} bdag_range;

/* A dense block: `targets` consecutive rows that read (nearly) the same `sources` rows. The weight of
 * source k and target r has slot + k·step + r; `step` is `targets`, or from 8 targets on the next
 * multiple of 16. Slots of edges that do not exist (`holes`) hold 0 and have no gradient. */
typedef struct bdag_panel {
  uint32_t row, targets, sources, step;
  uint64_t list; /* first entry of its source rows in plan->source */
  uint64_t slot;
  uint64_t hole; /* first entry in plan->hole */
  uint32_t holes;
  uint8_t reaches; /* Loss can be reached from its targets */
} bdag_panel;

/* Consecutive rows whose irregular edges share most of their sources (forward pass only). */
typedef struct bdag_union {
  uint32_t row, targets, sources;
  bdag_ramps ramps;
  uint8_t padded; /* some of its cells are no edges */
  uint64_t list;  /* in plan->source */
  uint64_t entry; /* in plan->union_slot, a cell for each target that reads a source */
} bdag_union;

static inline uint64_t bdag_union_cells(const bdag_union *part) {
  return bdag_ramp_cells(&part->ramps, part->targets, part->sources);
}

typedef struct bdag_union_exception {
  uint32_t cell, slot; /* entry; relative to edge_base */
} bdag_union_exception;

/* Consecutive rows of one activation that do not depend on each other: first what their lists add,
 * then σ. */
typedef struct bdag_row_run {
  uint32_t row, rows;
  uint32_t activation;
  double activation_parameter;
  uint8_t keeps_in, listed; /* rows of `in` are kept; some row has a list */
  uint8_t shares;           /* by bdag_shares_rows */
} bdag_row_run;

/* Consecutive rows that are computed together. */
typedef struct bdag_block {
  uint32_t row, rows;
  uint32_t panel, panels, first_union, unions, run, runs;
} bdag_block;

/* A dense part of a pull: rows read by the targets of one panel. The weight of the i-th row and target r
 * of the panel has slot + i·step + r. */
typedef struct bdag_pull_term {
  uint32_t successor, successors; /* consecutive in_grad rows */
  uint32_t panel;
  int32_t step;
  uint64_t slot;
} bdag_pull_term;

/* Rows at consecutive positions of plan->sweep_row that are pulled from the same panels at once. */
typedef struct bdag_pull_group {
  uint64_t first;
  uint32_t rows;
  uint32_t terms;
  uint64_t term;
  uint8_t from_zero; /* nothing stands in out_grad before */
} bdag_pull_group;

/* Rows at consecutive positions of plan->sweep_row that share most of their successors, backward: entries
 * entry … of plan->sweep_successor are the successors of all. From `slot` on each successor has a weight
 * for each row that reads it; holes hold 0. */
typedef struct bdag_bundle {
  uint32_t first, entry, slot, hole;
  uint32_t rows, successors, holes;
  bdag_ramps ramps;
} bdag_bundle;

/* Positions in plan->sweep_row of rows that do not depend on each other, with one activation: first
 * the sweep over their out-edges, then σ′. */
typedef struct bdag_sweep_group {
  uint64_t first;
  uint32_t rows;
  uint32_t activation;
  double activation_parameter;
  uint8_t from_zero, consecutive, swept; /* out_grad starts at 0; rows ascend by 1; has out-edges */
  uint8_t continues;                     /* the next group has more out-edges of its rows */
  uint32_t bundle, bundles;              /* if there are any, all of its out-edges are in them */
  uint64_t slot, slots;                  /* of its out-edges */
} bdag_sweep_group;

typedef enum bdag_task_kind {
  BDAG_TASK_ROWS = 0,  /* pulls, sweeps and derivatives of rows */
  BDAG_TASK_PANELS = 1 /* weight gradients of dense panels */
} bdag_task_kind;

typedef struct bdag_task {
  uint32_t first, count; /* blocks of a forward task; sweep groups, or panels */
  uint32_t pull, pulls;
  uint8_t kind, is_input;
  uint64_t edges;
} bdag_task;

typedef struct bdag_task_graph {
  uint32_t count;
  uint32_t *predecessors; /* [count] how many must be done first */
  uint64_t *offset;       /* [count + 1] */
  uint32_t *successor;
  uint32_t *priority;  /* [count] tasks on the longest path from here on */
  uint64_t work, span; /* edges of all tasks, and of those on the heaviest path */
} bdag_task_graph;

typedef struct bdag_plan_loss {
  uint32_t kind, vertex_count;
  uint32_t *row; /* [vertex_count] */
  double weight, parameter;
  uint64_t target_first, target_count;
  int registered, whole_batch;
  bdag_loss_callback callback;
  void *user;
} bdag_plan_loss;

typedef struct bdag_state_exception {
  uint32_t parameter, slot;
} bdag_state_exception;

/* Slots of parameters by their distance from that of another one. */
#define BDAG_MAP_BLOCK 32u
typedef enum bdag_map_offset {
  BDAG_MAP_UNKNOWN = 0,
  BDAG_MAP_EXCEPTION = 1,
  BDAG_MAP_FIRST = 2,
  BDAG_MAP_CENTRE = 32768, /* the slot of the block's base */
  BDAG_MAP_END = 65536
} bdag_map_offset;

typedef struct bdag_state_map {
  uint32_t *base;                  /* by BDAG_MAP_BLOCK parameters, BDAG_NO_SLOT: all are unknown */
  uint16_t *offset;                /* [network_parameters], up to the end of a block */
  bdag_state_exception *exception; /* parameters ascend */
  uint64_t exceptions;
} bdag_state_map;

struct bdag_plan {
  _Atomic uint32_t references;
  const bdag_context *context;
  bdag_plan_options options;

  uint32_t network_vertices;
  uint64_t network_edges, network_parameters;

  /* rows */
  uint32_t rows, first_neuron; /* rows below first_neuron are inputs and constants */
  uint32_t *row_of_vertex;     /* [network_vertices] */
  uint32_t *vertex_of_row;
  uint32_t *level;  /* [network_vertices] */
  uint8_t *reaches; /* [rows] */
  uint8_t *in_loss; /* [rows] */
  uint32_t *in_row; /* [rows] place among the rows of `in` that σ′ needs, or BDAG_NO_ROW */
  uint32_t in_rows;
  uint32_t depth;
  uint64_t width;
  uint32_t *enumeration;
  uint64_t enumeration_count;

  uint32_t input_count;
  uint32_t *input_row; /* [input_count], BDAG_NO_ROW where pruned */
  int inputs_in_order; /* input_row[i] is i */
  uint32_t constant_count;
  uint32_t *constant_row;
  double *constant_value;
  uint32_t output_count;
  bdag_output *output;
  uint32_t *output_row;
  uint32_t loss_count;
  bdag_plan_loss *loss;
  uint32_t loss_row_count; /* |N_loss| */
  uint32_t *loss_row;
  uint64_t target_count;
  bdag_normalization normalization;
  int has_loss;

  /* forward */
  uint32_t blocks, panels, unions, runs;
  bdag_block *block;
  bdag_panel *panel;
  bdag_union *union_panel;
  bdag_row_run *run;
  uint64_t sources, union_entries, holes;
  uint32_t *source;
  uint32_t *union_slot; /* relative to edge_base, 0 where no edge is; huge plans have instead: */
  uint32_t *union_base; /* [sources], for cells of that source */
  uint8_t *union_near;  /* [union_entries] to be added to it, 0 where no edge is */
  bdag_union_exception *union_exception; /* cells ascend */
  uint64_t union_exceptions;
  uint32_t *hole;
  uint64_t *list_offset;             /* [rows + 1] */
  uint32_t *list_source, *list_slot; /* slots relative to edge_base */

  /* backward; the groups of inputs come last */
  uint64_t swept; /* rows in sweep_row */
  uint32_t *sweep_row;
  uint64_t *sweep_offset;    /* [swept + 1] entries */
  uint32_t *sweep_successor; /* by entry; slots in the same order but for bundles */
  uint32_t sweeps, pulls, bundles;
  bdag_bundle *bundle;
  bdag_sweep_group *sweep;
  bdag_pull_group *pull;
  uint64_t terms;
  bdag_pull_term *term;
  uint32_t *iota; /* [rows] 0, 1, 2, … */

  /* tasks */
  uint32_t forward_tasks, backward_tasks;
  bdag_task *forward_task, *backward_task;
  bdag_task_graph forward, backward;

  /* slots: 16 zeros, biases (of row r: bias_slot + r − first_neuron), panels, a zero (edge_base), edges
   * in the order of the sweep, edges that do not reach Loss */
  uint64_t edges, slot_count, state_count;
  uint64_t bias_slot, panel_slot, edge_base, live_entries, live_slots;
  int indirect;
  bdag_parameter_run *parameter_run; /* edge → parameter, a copy of the network's */
  uint64_t parameter_runs;
  uint32_t *state_of_parameter; /* direct: [network_parameters], or NULL: */
  bdag_state_map state_map;
  uint32_t *edge_slot;      /* indirect: [network_edges], UINT32_MAX: takes no part */
  uint64_t *slot_parameter; /* indirect: [slot_count], BDAG_NONE: none */
  double *slot_scale;       /* indirect: [slot_count] */
  uint64_t *use_offset;     /* indirect: [network_parameters + 1] uses of a parameter */
  uint64_t *use_slot;
  uint8_t *has_bias; /* [rows] */
  uint64_t live_weights, live_biases;
  bdag_range *live_weight, *live_bias;

  uint32_t tile; /* samples, 0: the engine chooses by its largest batch */
  uint64_t weight_edges, out_edges;
  uint64_t mean_reach;  /* rows between source and target, on average */
  uint64_t usual_reach; /* not exceeded by three quarters of the edges; a power of two */
  uint64_t padding, bytes;
};

/* Index of a parameter in the weights' state, BDAG_NONE for an unknown one. */
uint64_t bdag_plan_state_of_parameter(const bdag_plan *plan, uint64_t parameter);
/* Of a cell of a union, relative to edge_base; 0 where no edge is. */
uint32_t bdag_plan_union_slot(const bdag_plan *plan, const bdag_union *part, uint32_t source,
                              uint32_t target);
/* The same for all cells of several sources, in plans without union_slot. Returns their number. */
uint32_t bdag_plan_union_slots(const bdag_plan *plan, const bdag_union *part, uint32_t source,
                               uint32_t sources, uint32_t *slot);
/* Slot of an edge, BDAG_NONE if it takes no part. */
uint64_t bdag_plan_slot_of_edge(const bdag_plan *plan, uint64_t edge);

#endif
