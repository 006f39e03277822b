/* Runs the tasks of a graph on an OpenMP team, each as soon as its predecessors are done. Knows task
 * numbers, counters, successors and one function pointer. Floor 3. */
#ifndef BDAG_RUNTIME_SCHEDULER_H
#define BDAG_RUNTIME_SCHEDULER_H

#include <stdatomic.h>

#include "plan/plan_internal.h"

typedef struct bdag_task_work {
  void (*run)(void *argument, uint32_t task);
  void *argument;
} bdag_task_work;

/* Where a thread without work waits for a list of tasks; a cache line of its own. */
typedef struct bdag_slot {
  _Alignas(64) _Atomic uint64_t offer;
} bdag_slot;

typedef struct bdag_scheduler {
  _Atomic uint32_t *state; /* [capacity] predecessors not done; of a released task: the next of its
                              list */
  bdag_slot *slot;         /* [threads] */
  uint32_t patience;       /* turns to wait in a slot */

  /* the run */
  const bdag_task_graph *graph;
  bdag_task_work work;
  uint32_t first, firsts; /* list of tasks without predecessors */
  /* Threads with work, and OpenMP tasks made and not yet begun; BDAG_ASLEEP once a thread went to
   * OpenMP's barrier. 0: all is done. */
  _Alignas(64) _Atomic uint32_t busy;
  /* Hints for those with work: threads without, and those of them that sleep. */
  _Alignas(64) _Atomic uint32_t idle;
  _Atomic uint32_t asleep;
} bdag_scheduler;

/* For graphs of up to `capacity` tasks and teams of up to `threads`. Returns 0, −1 when out of memory;
 * destroy also after a failed create. */
int bdag_scheduler_create(bdag_scheduler *scheduler, const bdag_context *context, uint32_t capacity,
                          uint32_t threads);
void bdag_scheduler_destroy(bdag_scheduler *scheduler, const bdag_context *context);

/* Turns to spin for other threads before sleeping: hardly any where they share processors. */
uint32_t bdag_scheduler_patience(const bdag_context *context, uint32_t threads);

/* A run: one thread prepares it; then every thread of a team, whose number is below `threads`, joins.
 * Join returns when every task has run once, and what the tasks wrote is seen. A team of 1 is the calling
 * thread and touches no OpenMP. Allocates nothing; graph->count ≤ capacity. */
void bdag_scheduler_prepare(bdag_scheduler *scheduler, const bdag_task_graph *graph,
                            const bdag_task_work *work);
void bdag_scheduler_join(bdag_scheduler *scheduler, uint32_t thread, uint32_t team);

/* Prepares and joins with a team of its own. 1 thread, or a call from inside a parallel region: the
 * calling thread. */
void bdag_scheduler_run(bdag_scheduler *scheduler, const bdag_task_graph *graph, uint32_t threads,
                        const bdag_task_work *work);

#endif
