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

typedef struct bdag_range {
  uint64_t first, count;
} bdag_range;

/* `targets` neurons that read the same `sources` rows: a dense block of weights. */
typedef struct bdag_panel {
  uint32_t row, targets, sources;
  uint32_t activation;
  double activation_parameter;
  uint64_t list;   /* first entry of its source rows in plan->source */
  uint64_t slot;   /* of its first weight */
  uint32_t in_row; /* of its first target among the rows of `in` that are kept, or BDAG_NO_ROW */
  uint8_t reaches; /* Loss can be reached from its targets */
  uint8_t first, last; /* begins with the bias; ends with the activation */
} bdag_panel;

/* A dense part of a pull: rows read by the targets of one panel. Weights of source u and target r of
 * the panel lie at slot + (u − first row)·targets + r. */
typedef struct bdag_pull_term {
  uint32_t successor; /* first of `successors` consecutive in_grad rows */
  uint32_t successors;
  uint64_t slot;
} bdag_pull_term;

/* `rows` consecutive rows whose out_grad is pulled from the same successors. */
typedef struct bdag_pull_group {
  uint32_t row, rows;
  uint32_t activation;
  double activation_parameter;
  uint32_t in_row;
  uint8_t in_loss;     /* out_grad already holds what Loss gave */
  uint64_t term, list; /* first entries in plan->term, and in plan->successor with its slots */
  uint32_t terms, listed;
} bdag_pull_group;

/* Consecutive panels, and the pulls of their targets' rows in ascending order. */
typedef struct bdag_task {
  uint32_t panel, panels;
  uint32_t pull, pulls;
  uint64_t edges;
} bdag_task;

typedef struct bdag_task_graph {
  uint32_t count;
  uint32_t *predecessors; /* [count] how many must be done first */
  uint64_t *offset;       /* [count + 1] */
  uint32_t *successor;
  uint32_t *priority; /* [count] tasks on the longest path from here on */
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
  uint32_t *in_row; /* [rows] */
  uint32_t in_rows;
  uint32_t depth;
  uint64_t width;
  uint32_t *enumeration;
  uint64_t enumeration_count;

  uint32_t input_count;
  uint32_t *input_row; /* [input_count], BDAG_NO_ROW where pruned */
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

  /* panels and pulls */
  uint32_t panels;
  bdag_panel *panel;
  uint64_t sources;
  uint32_t *source;
  uint32_t pulls, input_pulls; /* the pulls of inputs come last */
  bdag_pull_group *pull;
  uint64_t terms, listed;
  bdag_pull_term *term;
  uint32_t *successor;
  uint64_t *successor_slot;
  uint32_t max_targets; /* of a panel, or of a pull term's successors */
  uint32_t *iota;       /* [rows] 0, 1, 2, … */

  /* tasks */
  uint32_t tasks;
  bdag_task *task;
  bdag_task_graph forward, backward;

  /* slots and state; the bias of row r has slot r − first_neuron */
  uint64_t edges, slot_count, state_count;
  int indirect;
  bdag_parameter_run *run; /* edge → parameter, a copy of the network's */
  uint64_t runs;
  uint64_t *state_of_parameter; /* direct: [network_parameters] */
  uint64_t *edge_slot;          /* indirect: [network_edges] */
  uint64_t *slot_parameter;     /* indirect: [slot_count], BDAG_NONE: none */
  double *slot_scale;           /* indirect: [slot_count] */
  uint64_t *use_offset;         /* indirect: [network_parameters + 1] uses of a parameter */
  uint64_t *use_slot;
  uint8_t *has_bias; /* [rows] */
  uint64_t live_weights, live_biases;
  bdag_range *live_weight, *live_bias;

  uint32_t tile; /* samples, 0: the engine chooses by its largest batch */
  uint64_t weight_edges, out_edges;
  uint64_t padding, bytes;
};

/* Slot of an edge, BDAG_NONE if it takes no part. */
uint64_t bdag_plan_slot_of_edge(const bdag_plan *plan, uint64_t edge);

#endif
