/* Where the threads of a pass note what they did. Floor 3; may include plan and below.
 *
 * Each thread writes to a lane of its own, made beforehand. An engine without a trace pays one branch a
 * task. */
#ifndef BDAG_RUNTIME_TRACE_INTERNAL_H
#define BDAG_RUNTIME_TRACE_INTERNAL_H

#include <backdag/trace.h>

#include "runtime/engine_internal.h"

#define BDAG_TRACE_PASSES 4096u

typedef struct bdag_trace_entry {
  uint64_t begin, end;
  uint32_t task, pass, first_tile, tiles, group;
  uint32_t kind;
} bdag_trace_entry;

typedef struct bdag_trace_lane {
  _Alignas(64) uint64_t count;
  uint64_t dropped;
  bdag_trace_entry *entry; /* [capacity] */
} bdag_trace_lane;

struct bdag_trace {
  const bdag_context *context;
  bdag_plan *plan;
  bdag_engine *engine; /* NULL once it is gone */
  int deterministic;
  uint64_t capacity; /* of a lane */
  uint32_t lanes;
  bdag_trace_lane *lane;
  bdag_trace_entry *entries; /* [lanes][capacity] */
  uint32_t passes;
  uint64_t dropped_passes;
  int recording; /* the pass that runs has room */
  bdag_trace_pass *pass;
};

uint64_t bdag_trace_clock(void);
void bdag_trace_put(bdag_trace *trace, uint32_t thread, const bdag_trace_entry *entry);
void bdag_trace_note(const bdag_engine *engine, uint64_t begin, bdag_trace_kind kind, uint32_t task,
                     uint64_t first_tile, uint64_t tiles, uint32_t group);
void bdag_trace_note_pass(bdag_engine *engine, bdag_pass_kind kind, bdag_axis axis);
void bdag_trace_note_end(bdag_engine *engine);
/* The engine goes; its trace stays. */
void bdag_trace_forget(bdag_engine *engine);

/* Around each piece of work. */
static inline uint64_t bdag_trace_begin(const bdag_engine *engine) {
  return __builtin_expect(engine->trace != NULL, 0) ? bdag_trace_clock() : 0;
}

static inline void bdag_trace_end(const bdag_engine *engine, uint64_t begin, bdag_trace_kind kind,
                                  uint32_t task, uint64_t first_tile, uint64_t tiles,
                                  uint32_t group) {
  if (__builtin_expect(begin != 0, 0))
    bdag_trace_note(engine, begin, kind, task, first_tile, tiles, group);
}

/* Around each pass, on the calling thread. */
static inline void bdag_trace_begin_pass(bdag_engine *engine, bdag_pass_kind kind, bdag_axis axis) {
  if (__builtin_expect(engine->trace != NULL, 0)) bdag_trace_note_pass(engine, kind, axis);
}

static inline void bdag_trace_end_pass(bdag_engine *engine) {
  if (__builtin_expect(engine->trace != NULL, 0)) bdag_trace_note_end(engine);
}

/* A piece of work on one thread that waited for one on another; both are numbers of records. */
typedef struct bdag_release {
  uint64_t from, to;
  int idle;       /* the thread of the latter had nothing else to do meanwhile */
  double seconds; /* from the end of the former to the beginning of the latter */
} bdag_release;
/* All of them; at most as many as there are records. The list is released with the context's bdag_free.
 * Returns OK, OUT_OF_MEMORY. */
bdag_status bdag_trace_find_releases(const bdag_trace *trace, bdag_release **list, uint64_t *count);

/* ---- Analysis: steps that tests call ------------------------------------------------------------ */

/* Longest path over a graph whose tasks are numbered in an order in which they can run: cost[t] for each
 * task and `release` for each dependency. finish[count] and from[count] (the predecessor on the longest
 * path, BDAG_NO_TASK: none) are written. *last: where the path ends, BDAG_NO_TASK in an empty graph. */
double bdag_longest_path(const bdag_task_graph *graph, const double *cost, double release,
                         double *finish, uint32_t *from, uint32_t *last);
/* Median, which reorders the values; 0 for none. */
double bdag_median(double *values, uint64_t count);

#endif
