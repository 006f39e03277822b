/* Between the stages of a pass: what a thread may look ahead at, and what it asks for while it waits. Floor 3;
 * may include plan and below. */
#ifndef BDAG_RUNTIME_EXPECT_H
#define BDAG_RUNTIME_EXPECT_H

#include "runtime/scheduler.h"

/* The ends of a thread's part of a stage: of entries in lists, and of positions in plan->sweep_row. A cache
 * line each. */
typedef struct bdag_reach {
  _Alignas(64) uint64_t entry, position;
} bdag_reach;

/* As bdag_task_work's expect; `argument` is the engine. */
void bdag_expect_forward(void *argument, const bdag_expected *tasks);
void bdag_expect_backward(void *argument, const bdag_expected *tasks);

#endif
