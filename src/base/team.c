/* The budget and binding; places are taken by setting a bit. Floor 0. */
#include "base/team.h"

#include <omp.h>
#include <sched.h>

#include "base/fork.h"
#include "base/limit.h"

#define NO_PLACE UINT32_MAX
/* Bytes of a processor mask; kernels have at most 8192 processors. */
#define MASK_BYTES 1024u

/* Size of this application thread's last team, 0: none so far. The OpenMP runtime keeps its threads. */
static _Thread_local uint32_t last_size;

/* Of a bound thread. */
typedef struct bound_state {
  unsigned long before[MASK_BYTES / sizeof(unsigned long)];
  uint32_t place, last; /* places + 1; 0: none */
} bound_state;
static _Thread_local bound_state bound;

/* ---- Budget -------------------------------------------------------------------------------------- */

static int take(bdag_budget *budget, uint32_t threads, uint32_t wanted) {
  uint32_t used = atomic_load_explicit(&budget->used, memory_order_relaxed);
  do {
    if (wanted > threads - used) return 0;
  } while (!atomic_compare_exchange_weak_explicit(&budget->used, &used, used + wanted,
                                                  memory_order_relaxed, memory_order_relaxed));
  return 1;
}

static int in_child(const bdag_context *context) {
  if (!bdag_fork_is_child()) return 0;
  if (context->log != NULL && bdag_fork_warn())
    bdag_log(context, BDAG_LOG_WARNING,
             "this process was forked from one with threads: its passes run on the calling thread "
             "alone; fork before the first context is made, or start a new program");
  return 1;
}

/* OpenMP runtimes end the process when they cannot make a thread. */
static int can_have(const bdag_context *context, uint32_t size) {
  const uint32_t there = last_size > 1 ? last_size : 1;
  if (size <= there || bdag_limit_try(size - there) == size - there) return 1;
  char limits[160];
  bdag_limit_describe("", limits, sizeof limits);
  bdag_log(context, BDAG_LOG_WARNING,
           "a pass needs %u more threads than the system allows now (%s); use fewer threads or "
           "raise the limit",
           size - there, limits);
  return 0;
}

uint32_t bdag_team_enter(const bdag_context *context, uint32_t wanted) {
  if (wanted > context->threads) wanted = context->threads;
  if (wanted <= 1 || omp_in_parallel() || in_child(context)) return 1;
  if (!take(context->budget, context->threads, wanted)) return 1;
  if (!can_have(context, wanted)) {
    bdag_team_leave(context, wanted);
    return 0;
  }
  last_size = wanted;
  return wanted;
}

void bdag_team_leave(const bdag_context *context, uint32_t threads) {
  if (threads > 1) atomic_fetch_sub_explicit(&context->budget->used, threads, memory_order_relaxed);
}

uint32_t bdag_team_enter_again(const bdag_context *context) {
  const uint32_t size = bdag_team_enter(context, last_size > 1 ? last_size : context->threads);
  return size > 0 ? size : 1;
}

/* ---- Binding ------------------------------------------------------------------------------------- */

static int try_place(bdag_budget *budget, uint32_t place) {
  const uint64_t bit = UINT64_C(1) << place % 64;
  return (atomic_fetch_or_explicit(&budget->taken[place / 64], bit, memory_order_relaxed) & bit) ==
         0;
}

static void free_place(bdag_budget *budget, uint32_t place) {
  const uint64_t bit = UINT64_C(1) << place % 64;
  atomic_fetch_and_explicit(&budget->taken[place / 64], ~bit, memory_order_relaxed);
}

/* The place of the processor that the caller runs on. */
static uint32_t current_place(const bdag_context *context) {
  const int processor = sched_getcpu();
  for (uint32_t i = 0; i < context->places; i++)
    if (processor >= 0 && context->place[i] == (uint32_t)processor) return i;
  return NO_PLACE;
}

static uint32_t find_place(const bdag_context *context, uint32_t number) {
  const uint32_t first = bound.last > 0 ? bound.last - 1 : number;
  for (uint32_t i = 0; i < context->places; i++) {
    const uint32_t place = (first + i) % context->places;
    if (try_place(context->budget, place)) return place;
  }
  return NO_PLACE;
}

static int move_to(const bdag_context *context, uint32_t place) {
  unsigned long mask[MASK_BYTES / sizeof(unsigned long)] = {0};
  const uint32_t processor = context->place[place], bits = 8 * sizeof(unsigned long);
  if (processor >= 8 * MASK_BYTES) return 0;
  mask[processor / bits] = 1UL << processor % bits;
  return sched_getaffinity(0, sizeof bound.before, (cpu_set_t *)bound.before) == 0 &&
         sched_setaffinity(0, sizeof mask, (const cpu_set_t *)mask) == 0;
}

/* The caller only marks where it runs, so that no worker goes there. */
void bdag_team_bind(const bdag_context *context, uint32_t number) {
  if (context->places == 0) return;
  uint32_t place = number == 0 ? current_place(context) : find_place(context, number);
  if (place == NO_PLACE) return;
  if (number == 0) {
    if (!try_place(context->budget, place)) return;
  } else if (!move_to(context, place)) {
    free_place(context->budget, place);
    return;
  }
  bound.place = place + 1;
  if (number > 0) bound.last = bound.place;
}

void bdag_team_unbind(const bdag_context *context, uint32_t number) {
  if (bound.place == 0) return;
  free_place(context->budget, bound.place - 1);
  bound.place = 0;
  if (number > 0) (void)sched_setaffinity(0, sizeof bound.before, (const cpu_set_t *)bound.before);
}

/* ---- Sharing out ---------------------------------------------------------------------------------- */

void bdag_team_each(const bdag_context *context, uint32_t team, uint32_t workers, uint64_t count,
                    bdag_team_work work, void *argument) {
  if (team <= 1 || workers <= 1 || count <= 1) {
    for (uint64_t i = 0; i < count; i++) work(argument, 0, i);
    return;
  }
  _Atomic uint64_t next = 0;
#pragma omp parallel num_threads(team)
  {
    const uint32_t number = (uint32_t)omp_get_thread_num();
    bdag_team_bind(context, number);
    /* relaxed: the team's beginning and end order what is written */
    for (uint64_t i; number < workers &&
                     (i = atomic_fetch_add_explicit(&next, 1, memory_order_relaxed)) < count;)
      work(argument, number, i);
    bdag_team_unbind(context, number);
  }
}
