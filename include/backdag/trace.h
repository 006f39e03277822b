/* Traces: when each task of a pass ran, and what its times say about more threads. */
#ifndef BACKDAG_TRACE_H
#define BACKDAG_TRACE_H

#include <backdag/engine.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bdag_trace bdag_trace;

/* ---- Recording --------------------------------------------------------------------------------- */

typedef struct bdag_trace_options {
  size_t size;      /* set by the initialiser */
  uint64_t records; /* room for each thread; 0: about four passes of max_batch, 256 MiB in all */
} bdag_trace_options;
#define BDAG_TRACE_OPTIONS_INIT                                                                    \
  { sizeof(bdag_trace_options), 0 }

/* Makes a trace and attaches it to an engine: from now on the engine's passes are recorded, each task
 * at the cost of two readings of the clock. Passes allocate nothing: what finds no room is counted as
 * dropped. `options` NULL means defaults. A trace outlives its engine, but not its context.
 * Returns OK, INVALID_ARGUMENT, BUSY (the engine has a trace already), LIMIT, OUT_OF_MEMORY.
 * No function on a trace may be called while a pass runs on its engine, and a trace belongs to one
 * thread at a time; traces of different engines are independent. */
BDAG_API bdag_status bdag_trace_create(bdag_trace **trace, bdag_engine *engine,
                                       const bdag_trace_options *options, bdag_error *error);
/* Detaches and releases a trace; NULL is fine. */
BDAG_API void bdag_trace_destroy(bdag_trace *trace);
/* Stops (0) and continues recording. Starts as continued. */
BDAG_API void bdag_trace_enable(bdag_trace *trace, int enabled);
/* Forgets all records and passes. */
BDAG_API void bdag_trace_clear(bdag_trace *trace);

/* ---- Looking ------------------------------------------------------------------------------------ */

/* What is recorded. Apart from the last two kinds each record is about some tiles of the batch. */
typedef enum bdag_trace_kind {
  BDAG_TRACE_LOAD = 0,        /* the caller's inputs into rows */
  BDAG_TRACE_FORWARD = 1,     /* a forward task: in and out of some vertices */
  BDAG_TRACE_STORE = 2,       /* outputs to the caller */
  BDAG_TRACE_LOSS = 3,        /* losses, and out_grad of the vertices that the loss reads */
  BDAG_TRACE_BACKWARD = 4,    /* a backward task: out_grad and in_grad of some vertices, and weight
                              gradients of their irregular out-edges */
  BDAG_TRACE_WEIGHT_GRAD = 5, /* a backward task: weight gradients of dense panels */
  BDAG_TRACE_SINGLE = 6,      /* the forward pass of one sample, or a thread's share of it */
  BDAG_TRACE_PREPARE = 7,     /* weights put into the order of the forward pass */
  BDAG_TRACE_REDUCE = 8       /* a buffer added to the gradient, tied weights summed */
} bdag_trace_kind;
#define BDAG_TRACE_KINDS 9

/* "forward", "weight gradient", …; NULL for an unknown kind. Static storage. Thread-safe. */
BDAG_API const char *bdag_trace_kind_name(bdag_trace_kind kind);

typedef enum bdag_pass_kind {
  BDAG_PASS_FORWARD = 0,
  BDAG_PASS_LOSS = 1,
  BDAG_PASS_BACKWARD = 2
} bdag_pass_kind;

/* One pass; times are nanoseconds of the monotonic clock. */
typedef struct bdag_trace_pass {
  bdag_pass_kind kind;
  bdag_axis axis; /* TILES, VERTICES, BOTH or SERIAL */
  uint32_t threads;
  uint64_t batch, tiles;
  uint64_t begin, end;
} bdag_trace_pass;

#define BDAG_NO_TASK UINT32_MAX

/* One stretch of work of one thread. A task that takes several chunks of tiles has a record for each. */
typedef struct bdag_trace_record {
  bdag_trace_kind kind;
  uint32_t pass;   /* number of the pass in the trace */
  uint32_t thread; /* 0: the one that called */
  uint32_t task;   /* number in the plan, from 0 for each direction; BDAG_NO_TASK: none */
  uint64_t first_tile, tiles;
  /* backward: number of its group of tiles in the order of sums; forward: of the part of a tile */
  uint32_t group;
  uint64_t begin, end; /* nanoseconds of the monotonic clock */
} bdag_trace_record;

/* What a task computes, in terms of the network. */
typedef struct bdag_trace_task {
  uint64_t vertices, edges, panels; /* edges: those that are multiplied along, for one sample */
  uint32_t lowest, highest;         /* vertex ids; equal to each other for one vertex */
  uint32_t first_level, last_level;
} bdag_trace_task;

BDAG_API uint64_t bdag_trace_pass_count(const bdag_trace *trace);
BDAG_API uint64_t bdag_trace_record_count(const bdag_trace *trace);
/* Records and passes that found no room since the trace was made or cleared. */
BDAG_API uint64_t bdag_trace_dropped(const bdag_trace *trace);
/* Pass or record number `index`; records are ordered by thread, and by time for each thread.
 * Returns OK, INVALID_ARGUMENT, UNKNOWN_ID. Records: O(threads). */
BDAG_API bdag_status bdag_trace_get_pass(const bdag_trace *trace, uint64_t index,
                                         bdag_trace_pass *pass);
BDAG_API bdag_status bdag_trace_get_record(const bdag_trace *trace, uint64_t index,
                                           bdag_trace_record *record);
/* The vertices of a record's task; all of the plan where it has no task. Returns OK, INVALID_ARGUMENT,
 * UNKNOWN_ID. O(vertices of the task). */
BDAG_API bdag_status bdag_trace_describe(const bdag_trace *trace, const bdag_trace_record *record,
                                         bdag_trace_task *task);
/* A name that says what the record is about, such as "forward: 64 vertices 784..847, level 1". Cut to
 * `size` ≥ 1 bytes. */
BDAG_API void bdag_trace_label(const bdag_trace *trace, const bdag_trace_record *record, char *text,
                               size_t size);

/* ---- Analysis ----------------------------------------------------------------------------------- */

typedef struct bdag_analysis_options {
  size_t size; /* set by the initialiser */
  /* Which dependencies count. VERTICES: those between tasks. BOTH: the same, a task taking as long as the
   * longest of its records. TILES: chunks of tiles are independent, and more threads split them down to
   * single tiles, so that the span is an equal part of the longest chunk; in deterministic mode those of a
   * group follow each other. AUTO: what the pass ran
   * on, for a serial one the axis with the shorter burdened span. SERIAL: all in a row. */
  bdag_axis axis;
  double release; /* seconds from the end of a task to the start of one that it released on another
                     thread; negative: the trace's own median, 0 where it has none */
} bdag_analysis_options;
#define BDAG_ANALYSIS_OPTIONS_INIT                                                                 \
  { sizeof(bdag_analysis_options), BDAG_AXIS_AUTO, -1.0 }

/* Sums over all passes of a trace, each pass waiting for the one before. Times are seconds. */
typedef struct bdag_analysis {
  size_t size;     /* set by the caller */
  uint64_t passes; /* that are complete */
  uint64_t tasks; /* units that are scheduled: tasks, or chunks of tiles; loading, reducing … too */
  uint64_t records;
  uint64_t dropped;     /* if not 0 the rest is about what was recorded only */
  uint32_t threads;     /* most of any pass */
  bdag_axis axis;       /* whose dependencies counted; AUTO: they differ between passes */
  double work;          /* T₁: time of all tasks */
  double span;          /* T∞: the longest path along the dependencies */
  double burdened_span; /* the same with `release` for each dependency between two threads */
  double release;       /* what was used */
  uint64_t releases;    /* measured ones whose median `release` is; 0: none, or it was given */
  double parallelism;   /* work / burdened_span: no machine gives a larger speed-up */
  double mean_task;     /* work / tasks */
  double wall;          /* time of the passes */
  double overhead;      /* wall · threads − work: scheduling, waiting, everything not recorded */
  uint64_t path_length; /* records on the critical path (of `span`) */
} bdag_analysis;

/* Work, span and what follows from the recorded times. `options` NULL means defaults. `path` receives
 * the critical path: numbers of records in the order of time, [bdag_trace_record_count]; NULL: not
 * wanted.
 * Returns OK, INVALID_ARGUMENT, ORDER (no complete pass in the trace), OUT_OF_MEMORY.
 * O(records · log records + edges between tasks). */
BDAG_API bdag_status bdag_trace_analyse(const bdag_trace *trace,
                                        const bdag_analysis_options *options,
                                        bdag_analysis *analysis, uint64_t *path);

/* Seconds that a greedy scheduler needs at most with so many threads, all else equal:
 * (work − span) / threads + burdened span; with one thread the work. A prediction: it knows no limit
 * by memory bandwidth. Brent, "The parallel evaluation of general arithmetic expressions", 1974. */
BDAG_API double bdag_analysis_predict(const bdag_analysis *analysis, uint32_t threads);

/* ---- Files -------------------------------------------------------------------------------------- */

/* Writes the trace as JSON in the trace event format, which Perfetto and chrome://tracing open:
 * a row for each thread and one for the passes, and arrows where a task released one on another thread.
 * Atomically; "-" is the standard output. Returns OK, IO, INVALID_ARGUMENT, OUT_OF_MEMORY. */
BDAG_API bdag_status bdag_trace_write(const bdag_trace *trace, const char *path, bdag_error *error);

#ifdef __cplusplus
}
#endif
#endif
