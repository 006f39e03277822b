/* What the steps of building a plan hand to each other. Floor 2. */
#ifndef BDAG_PLAN_BUILD_H
#define BDAG_PLAN_BUILD_H

#include "base/error.h"
#include "base/memory.h"
#include "plan/plan_internal.h"

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
  uint64_t edges;                   /* that take part */
  uint64_t *out_offset;             /* [vertices + 1] edges by source … */
  uint64_t *out_edge;               /* … their ids */
  uint32_t *in_degree, *out_degree; /* [vertices] */
  /* in-edges by target, sources ascending by row once the rows of lower levels are known */
  uint64_t *in_offset; /* [vertices + 1] */
  uint32_t *in_source; /* rows */
  uint64_t *in_edge;
  uint64_t *slot_of_edge; /* [network edges] */
} bdag_build;

/* Loss as v_0, then each vertex that is a sink once those before it are gone: order, levels, reach. */
bdag_status bdag_enumerate(bdag_build *build, bdag_error *error);
/* Rows, panels of targets that share their sources, slots. */
bdag_status bdag_build_panels(bdag_build *build, bdag_error *error);
/* Tasks from panels and their dependencies in both directions. */
bdag_status bdag_build_tasks(bdag_build *build, bdag_error *error);
/* The pulls of out_grad, cut at task boundaries. */
bdag_status bdag_build_pulls(bdag_build *build, bdag_error *error);
bdag_status bdag_build_task_graphs(bdag_build *build, bdag_error *error);
/* From parameters to slots and state. */
bdag_status bdag_build_state(bdag_build *build, bdag_error *error);

#endif
