/* Parts of `bench scaling` that measure; each appends to the report. May include run_cases and below. */
#ifndef BENCH_SCALING_RUN_H
#define BENCH_SCALING_RUN_H

#include "predict.h"
#include "run_cases.h"

typedef struct bench_scaling_run {
  const bench_settings *settings;
  const bench_machine *machine;
  bdag_context *context;
  uint32_t threads[BENCH_LIST + 1]; /* ascending, 1 among them; 0 ends */
  uint32_t thread_count;
  bench_scaling *scaling;
  json_t *rows;              /* of the report: an ordinary row for each point */
  double begin, done, total; /* progress, in cases */
} bench_scaling_run;

/* Largest number of threads that is not oversubscribed. */
uint32_t bench_scaling_most(const bench_scaling_run *run);
void bench_scaling_progress(bench_scaling_run *run, const char *what);

/* The subject's networks and plans with engines of its own for `threads` threads. Release it with
 * bench_subject_release_clone, before the subject. NULL after a failure, told by `error`. */
bench_subject *bench_subject_clone(const bench_subject *subject, const bench_settings *settings,
                                   uint64_t batch, uint32_t threads, int step, bdag_error *error);
void bench_subject_release_clone(bench_subject *clone);

/* Measures one case (or network file) in its phases; returns the number of results that are not valid.
 */
uint64_t bench_scaling_case_run(bench_scaling_run *run, const bench_case *the_case,
                                const char *path);

/* equal[i]: loss, outputs and gradients of a deterministic pass with run->threads[i] threads are
 * bitwise those with one thread; −1 where a pass failed. */
void bench_scaling_compare_bits(bench_scaling_run *run, bench_subject *subject, uint64_t batch,
                                int backward, int *equal);

/* What the analysis of traced passes says; NaN and 0 where nothing was traced. */
typedef struct bench_traced {
  uint64_t tasks;
  double task_seconds;
  double overhead; /* share of the threads' time that is not work of tasks */
} bench_traced;
/* Traces passes of a configured subject; the quickest of a few. Members follow each other. */
bench_traced bench_scaling_trace(bench_subject *subject, bench_phase phase);
/* What predictions are made of, without bytes and bandwidth, from the engines of the serial path and those
 * of several threads. Returns 0; passes are to be released by bench_free in any case. */
int bench_scaling_model(bench_subject *serial, bench_subject *parallel, bench_phase phase,
                        bench_model *model);

/* Grain of tasks against efficiency, for 1 thread and for the most. */
void bench_scaling_metg_run(bench_scaling_run *run);
/* What a task costs beyond its work, in seconds of the threads' time: empty bodies, random graph. */
double bench_task_cost(const bench_settings *settings, uint32_t threads);
/* Growing irregular graphs. */
void bench_scaling_edges_run(bench_scaling_run *run);
/* Ceilings, and each case on them. */
void bench_scaling_roofline(bench_scaling_run *run);
/* Contests by name (count 0: all); appends their rows, too. Returns how many disagree. */
uint64_t bench_scaling_peers_run(bench_scaling_run *run, const char *const *names, uint64_t count);

/* The table; lines of at most 100 columns. */
void bench_scaling_print_case(FILE *stream, const bench_scaling_case *the_case);
void bench_scaling_print_rest(FILE *stream, const bench_scaling *scaling);

#endif
