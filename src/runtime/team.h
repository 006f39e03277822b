/* The threads of passes. All passes of a context draw from one budget, so that engines of several
 * application threads together do not run more threads than it has; a pass always has its own. Floor 3. */
#ifndef BDAG_RUNTIME_TEAM_H
#define BDAG_RUNTIME_TEAM_H

#include "base/context_internal.h"

/* Takes up to `wanted` ≥ 1 threads out of the budget, the calling one included, to be handed back with
 * leave by the same thread. Returns how many: 1 inside a parallel region and in a forked child; 0, with nothing to hand back, when the
 * system does not allow the threads. Waits for nobody, holds no lock.
 *
 * libgomp ends and makes threads when a thread's next team has another size. So when the budget leaves
 * fewer than wanted, the number is halved until it fits, and that stays this thread's size until the
 * budget would have allowed more several times in a row. */
uint32_t bdag_team_enter(const bdag_context *context, uint32_t wanted);
void bdag_team_leave(const bdag_context *context, uint32_t threads);

/* The same for work that must not fail: 1 in place of 0. */
uint32_t bdag_team_enter_always(const bdag_context *context, uint32_t wanted);

/* Bracket the work of thread `number` of a team. With the context's option bind_threads, all but the
 * caller of the pass (number 0) take a free processor, if possible the one they had last. */
void bdag_team_bind(const bdag_context *context, uint32_t number);
void bdag_team_unbind(const bdag_context *context, uint32_t number);

#endif
