/* The threads of passes and of planning. All of a context's draw from one budget, so that the engines and
 * plans of several application threads together do not run more threads than it has and one for each
 * caller. Floor 0. */
#ifndef BDAG_BASE_TEAM_H
#define BDAG_BASE_TEAM_H

#include "base/context_internal.h"

/* Takes `wanted` threads out of the budget, the calling one included, to be handed back with leave by the
 * same thread. Returns how many: `wanted`, cut to the context's number; 1, which needs no budget, when
 * fewer are left, inside a parallel region and in a forked child; 0, with nothing to hand back, when the
 * system does not allow the threads. Waits for nobody, holds no lock.
 *
 * Never some of them: libgomp ends and makes threads when a caller's next team has another size, and
 * libomp 14 crashes in its barrier when several callers' teams change size at the same time. */
uint32_t bdag_team_enter(const bdag_context *context, uint32_t wanted);
void bdag_team_leave(const bdag_context *context, uint32_t threads);

/* For work beside passes, which must not fail: as many threads as the caller's last team had, if it had
 * one, else the context's number; or 1. */
uint32_t bdag_team_enter_again(const bdag_context *context);

/* Bracket the work of thread `number` of a team. With the context's option bind_threads, all but the
 * caller of the pass (number 0) take a free processor, if possible the one they had last. */
void bdag_team_bind(const bdag_context *context, uint32_t number);
void bdag_team_unbind(const bdag_context *context, uint32_t number);

/* work(argument, thread, index) for each index below `count`, on a team of `team` threads that enter gave
 * and of which the first `workers` work: each takes the lowest index that nobody has. Returns when all are
 * done. One worker is the calling thread, without OpenMP. */
typedef void (*bdag_team_work)(void *argument, uint32_t thread, uint64_t index);
void bdag_team_each(const bdag_context *context, uint32_t team, uint32_t workers, uint64_t count,
                    bdag_team_work work, void *argument);

#endif
