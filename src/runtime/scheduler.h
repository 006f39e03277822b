/* Runs the tasks of a graph on an OpenMP team, each as soon as its predecessors are done. Knows task
 * numbers, counters, successors and one function pointer. Floor 3. */
#ifndef BDAG_RUNTIME_SCHEDULER_H
#define BDAG_RUNTIME_SCHEDULER_H

#include <stdatomic.h>

#include "plan/plan_internal.h"

/* Tasks that a thread runs next, first … end − 1, and after them later … later_end − 1. */
typedef struct bdag_expected {
  uint32_t first, end, later, later_end;
} bdag_expected;

/* The graph may be run as several copies at once; task t of copy c has number c · count + t. Chained: it
 * also waits for task t of the copy before. */
typedef struct bdag_task_work {
  void (*run)(void *argument, uint32_t task);
  void *argument;
  uint32_t copies; /* 0 is 1 */
  int chained;
  /* stages, unless NULL: a thread is about to wait until it may run its next tasks */
  void (*expect)(void *argument, const bdag_expected *tasks);
} bdag_task_work;

/* A thread's own list, which others may take from, and where it waits for a part of theirs: lists are
 * packed, count << 32 | head. A cache line each. */
typedef struct bdag_slot {
  _Alignas(64) _Atomic uint64_t list;
  int works; /* its thread is in a task, or between two */
  _Alignas(64) _Atomic uint64_t offer;
} bdag_slot;

typedef struct bdag_scheduler {
  _Atomic uint32_t *state; /* [capacity] predecessors not done; once released, the next of its list,
                              which does not change any more */
  bdag_slot *slot;         /* [threads] */
  uint32_t patience;       /* turns to wait in a slot */

  /* the run */
  const bdag_task_graph *graph;
  bdag_task_work work;
  uint64_t first; /* list of the tasks without predecessors */
  /* Threads with work, and OpenMP tasks made and not yet begun; BDAG_ASLEEP once a thread went to
   * OpenMP's barrier. It never rises from 0: then all is done. */
  _Alignas(64) _Atomic uint32_t busy;
  /* For those with work: threads without, and those of them that sleep in OpenMP's barrier. */
  _Alignas(64) _Atomic uint32_t idle;
  _Atomic uint32_t asleep;
} bdag_scheduler;

/* For up to `capacity` tasks in all copies of a graph and teams of up to `threads`. Returns 0, −1 when out of memory;
 * destroy also after a failed create. */
int bdag_scheduler_create(bdag_scheduler *scheduler, const bdag_context *context, uint32_t capacity,
                          uint32_t threads);
void bdag_scheduler_destroy(bdag_scheduler *scheduler, const bdag_context *context);

/* Turns to spin for other threads before sleeping: hardly any where they share processors. */
uint32_t bdag_scheduler_patience(const bdag_context *context, uint32_t threads);

/* A run: one thread prepares it, while nobody is in the run before; then every thread of a team, whose
 * number is below `threads`, joins. Join returns when every task has run once, and what the tasks wrote is
 * seen. A team of 1 is the calling thread and touches no OpenMP. Allocates nothing;
 * count · copies ≤ capacity. */
void bdag_scheduler_prepare(bdag_scheduler *scheduler, const bdag_task_graph *graph,
                            const bdag_task_work *work);
void bdag_scheduler_join(bdag_scheduler *scheduler, uint32_t thread, uint32_t team);

/* Prepares and joins with a team of its own. 1 thread, or a call from inside a parallel region: the
 * calling thread. */
void bdag_scheduler_run(bdag_scheduler *scheduler, const bdag_task_graph *graph, uint32_t threads,
                        const bdag_task_work *work);

#endif
