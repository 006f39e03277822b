/* Tasks shared out once and for all: stages of tasks that do not depend on each other, in each of which a
 * thread always has the same part. Where tasks are so small that lists of them, taken from each other, cost
 * more than they balance: deep graphs with narrow levels. Knows what the scheduler knows. Floor 3. */
#ifndef BDAG_RUNTIME_STAGES_H
#define BDAG_RUNTIME_STAGES_H

#include "runtime/scheduler.h"

/* Stages that a thread has done. A cache line each. */
typedef struct bdag_stage_count {
  _Alignas(64) _Atomic uint32_t stages;
} bdag_stage_count;

typedef struct bdag_stages {
  uint32_t count, threads;
  uint32_t *first; /* [count · threads + 1] first task of each thread in each stage */
  bdag_stage_count *progress;
  double share; /* of the work, what the busiest thread has, summed over the stages */
  uint32_t patience;
} bdag_stages;

/* For teams of `threads`. `edges` of a stage that are worth a meeting; smaller ones go to one thread. A
 * thread has at least one stage. Returns 0, −1 when out of memory; destroy also after a failed create. */
int bdag_stages_create(bdag_stages *stages, const bdag_context *context,
                       const bdag_task_graph *graph, const bdag_task *task, uint32_t threads,
                       double worth);
void bdag_stages_destroy(bdag_stages *stages, const bdag_context *context);

/* One thread prepares a run; then every thread of a team joins. Join returns when every task has run once,
 * and what the tasks wrote is seen. */
void bdag_stages_prepare(bdag_stages *stages);
void bdag_stages_join(bdag_stages *stages, uint32_t thread, uint32_t team,
                      const bdag_task_work *work);

#endif
