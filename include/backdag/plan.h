/* The plan: what is computed once per topology and then used by any number of passes. */
#ifndef BACKDAG_PLAN_H
#define BACKDAG_PLAN_H

#include <backdag/network.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bdag_plan bdag_plan;

typedef enum bdag_granularity {
  BDAG_GRANULARITY_GROUPED = 0, /* tasks worth their scheduling cost */
  BDAG_GRANULARITY_VERTEX = 1   /* one task per vertex; no panels of several targets */
} bdag_granularity;

typedef enum bdag_amalgamation {
  BDAG_AMALGAMATE_BY_COST = 0, /* merge vertices into panels where the kernels gain by it */
  BDAG_AMALGAMATE_OFF = 1,     /* every panel has one target */
  BDAG_AMALGAMATE_FORCED = 2   /* merge wherever it is possible at all; for tests */
} bdag_amalgamation;

typedef struct bdag_plan_options {
  size_t size;   /* set by the initialiser */
  int inference; /* non-zero: only the ancestors of outputs are kept; no backward pass */
  bdag_granularity granularity;
  bdag_amalgamation amalgamation;
  /* A caller's enumeration: vertices v_1, v_2, … (the Loss vertex v_0 is implied and not listed), each
   * a sink once Loss and those before it are gone. Either every vertex that is not removed, or those
   * that reach Loss. NULL: the plan makes its own. */
  const uint32_t *enumeration; /* [enumeration_count], copied */
  uint64_t enumeration_count;
  uint32_t tile; /* samples a tile: a multiple of 16 up to 1024; 0: chosen */
  /* Deterministic engines cut a batch into so many groups of tiles, 1..256, and add up their sums in
   * order; 0: by how many rows are needed at once. Others choose by threads and axis. */
  uint32_t accumulation_groups;
  /* Threads that make the plan of a large network, at most those of the context; 0: as many as the caller's
   * last pass had, or the context has. The plan is the same for any number. */
  uint32_t threads;
} bdag_plan_options;

#define BDAG_PLAN_OPTIONS_INIT                                                                     \
  {                                                                                                \
    sizeof(bdag_plan_options), 0, BDAG_GRANULARITY_GROUPED, BDAG_AMALGAMATE_BY_COST, NULL, 0, 0,   \
        0, 0                                                                                       \
  }

/* Analyses a network. The plan is immutable and independent of later changes of the network; any
 * number of threads may use it. `options` NULL means defaults.
 * Returns OK; INVALID_ARGUMENT (options; a network without vertices); CYCLE (the message lists the
 * vertices on one cycle); ENUMERATION (the message names the first violating edge); NO_OUTPUTS
 * (inference without outputs); LIMIT; OUT_OF_MEMORY.
 * From some 100,000 edges on threads of the context's budget share the work, as many as `threads` says, or
 * the calling one alone when fewer are left, the system does not allow more, in a parallel region and in a
 * forked child.
 * Cost: O(V + E) but for the sorting of equal source lists. From 2^28 edges on a plan that is not for
 * inference saves memory: then a forward pass of one sample costs what sixteen do. Thread-safe. */
BDAG_API bdag_status bdag_plan_create(bdag_plan **plan, const bdag_network *network,
                                      const bdag_plan_options *options, bdag_error *error);

/* Plans are reference-counted: weights and engines hold one reference each.
 * Thread-safe. bdag_plan_release accepts NULL. */
BDAG_API bdag_plan *bdag_plan_retain(bdag_plan *plan);
BDAG_API void bdag_plan_release(bdag_plan *plan);

typedef struct bdag_plan_summary {
  size_t size;            /* set to sizeof(bdag_plan_summary) by the caller */
  uint64_t vertices;      /* that take part */
  uint64_t edges;         /* that take part */
  uint64_t loss_vertices; /* |N_loss| */
  uint64_t reaching;      /* vertices from which Loss can be reached */
  uint64_t unreachable;   /* vertices that take part but do not reach Loss */
  uint32_t depth;         /* edges on the longest path */
  uint64_t width;         /* most vertices at one level (longest distance from a source) */
  uint64_t panels;
  uint64_t forward_tasks, backward_tasks;
  uint64_t padding; /* zeros stored in panels that are no edges */
  uint64_t plan_bytes;
  uint64_t weight_edges; /* edges whose weight gradient a backward pass computes */
  uint64_t out_edges;    /* edges whose source wants an out_grad */
  /* Parts of plan_bytes: by vertex; panels, unions and lists; pulls, sweeps and bundles; places of
   * parameters; tasks. */
  uint64_t row_bytes, forward_bytes, backward_bytes, state_bytes, task_bytes;
} bdag_plan_summary;

/* Fills in `summary`. Returns OK, INVALID_ARGUMENT. Thread-safe. */
BDAG_API bdag_status bdag_plan_summarize(const bdag_plan *plan, bdag_plan_summary *summary);

/* What a plan found in the graph. Rows are the plan's own numbering of the vertices that take part: sources
 * before targets. */
typedef enum bdag_part_kind {
  BDAG_PART_PANEL = 0, /* dense block: all targets read (nearly) all sources */
  BDAG_PART_UNION = 1, /* up to six neighbours that share most of their sources */
  BDAG_PART_LISTS = 2  /* irregular edges, target by target; may be empty */
} bdag_part_kind;

typedef struct bdag_plan_part {
  bdag_part_kind kind;
  uint32_t first_target, targets; /* consecutive rows */
  uint64_t sources;               /* entries of `source` */
  const uint32_t *source;         /* rows; one an edge for LISTS. Borrowed from the plan */
  uint64_t edges;                 /* that exist */
} bdag_plan_part;

/* Parts of the forward pass, numbered from 0. Thread-safe. */
BDAG_API uint64_t bdag_plan_part_count(const bdag_plan *plan);
/* Fills in part `index`. Returns OK, INVALID_ARGUMENT, UNKNOWN_ID. Thread-safe. */
BDAG_API bdag_status bdag_plan_get_part(const bdag_plan *plan, uint64_t index,
                                        bdag_plan_part *part);
/* The vertex of each row, [*count]. Borrowed; lives as long as the plan. Thread-safe. */
BDAG_API const uint32_t *bdag_plan_rows(const bdag_plan *plan, uint64_t *count);

/* Bundles of the backward pass: up to four vertices that share most of their successors. */
typedef struct bdag_plan_bundles {
  size_t size;    /* set by the caller */
  uint64_t count; /* bundles */
  uint64_t rows;  /* vertices in them */
  uint64_t edges; /* out-edges of those that are no part of a panel */
  uint64_t padding;
} bdag_plan_bundles;
/* Returns OK, INVALID_ARGUMENT. Thread-safe. */
BDAG_API bdag_status bdag_plan_count_bundles(const bdag_plan *plan, bdag_plan_bundles *bundles);

/* The reverse topological enumeration v_1, v_2, … of the vertices that reach Loss (v_0 is Loss).
 * Borrowed; lives as long as the plan. `count` receives its length. Thread-safe. */
BDAG_API const uint32_t *bdag_plan_enumeration(const bdag_plan *plan, uint64_t *count);

/* Level (longest distance from a source) of every vertex id, UINT32_MAX for those that take no part:
 * [network's vertex count]. Borrowed. Thread-safe. */
BDAG_API const uint32_t *bdag_plan_levels(const bdag_plan *plan);

/* Non-zero if Loss can be reached from the vertex. Unknown ids give 0. Thread-safe. */
BDAG_API int bdag_plan_reaches_loss(const bdag_plan *plan, uint32_t vertex);

/* Columns of x, y and targets; see network.h. Thread-safe. */
BDAG_API uint32_t bdag_plan_input_count(const bdag_plan *plan);
BDAG_API uint32_t bdag_plan_output_count(const bdag_plan *plan);
BDAG_API uint64_t bdag_plan_target_count(const bdag_plan *plan);

#ifdef __cplusplus
}
#endif
#endif
