/* Runs the tasks of a graph on an OpenMP team, each as soon as its predecessors are done. Knows task
 * numbers, counters, successors and one function pointer. Floor 3. */
#ifndef BDAG_RUNTIME_SCHEDULER_H
#define BDAG_RUNTIME_SCHEDULER_H

#include <stdatomic.h>

#include "plan/plan_internal.h"

typedef struct bdag_scheduler {
  _Atomic uint32_t *waiting; /* [capacity] predecessors that are not done */
  uint32_t *next;            /* [capacity] links of the threads' own lists */
  uint32_t capacity;
} bdag_scheduler;

/* `enter` and `leave` bracket the work of a thread; what enter returns is handed to leave. */
typedef struct bdag_task_work {
  void (*run)(void *argument, uint32_t task);
  uint64_t (*enter)(void *argument);
  void (*leave)(void *argument, uint64_t saved);
  void *argument;
} bdag_task_work;

int bdag_scheduler_create(bdag_scheduler *scheduler, const bdag_context *context,
                          uint32_t capacity);
void bdag_scheduler_destroy(bdag_scheduler *scheduler, const bdag_context *context);

/* Runs every task once. Returns when all are done. `threads` ≥ 1; 1, or a call from inside a parallel
 * region, runs them on the calling thread. Allocates nothing; graph->count ≤ capacity. */
void bdag_scheduler_run(bdag_scheduler *scheduler, const bdag_task_graph *graph, uint32_t threads,
                        const bdag_task_work *work);

#endif
