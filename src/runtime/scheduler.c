/* Share when hungry: a released task stays on a list of the thread that released it. A thread without
 * work offers its slot for some microseconds; somebody with more than one task hands it half of the
 * list. After that it sleeps in OpenMP's barrier, and the half becomes one OpenMP task.
 * May include plan. */
#include "runtime/scheduler.h"

#include <omp.h>

#include "base/context_internal.h"
#include "base/memory.h"
#include "runtime/meeting.h"

#define NO_TASK UINT32_MAX
/* Links that are followed to find the half of a long list. */
#define MOST_KEPT 128u

/* What a slot holds: nothing, that its thread waits, or a list (whose count is not 0). */
#define SLOT_EMPTY  UINT64_C(0)
#define SLOT_HUNGRY UINT64_C(1)

/* A thread's own list, newest first. */
typedef struct bdag_task_list {
  uint32_t head, count;
} bdag_task_list;

static uint64_t pack(bdag_task_list list) {
  return (uint64_t)list.count << 32 | list.head;
}

static bdag_task_list unpack(uint64_t packed) {
  return (bdag_task_list){(uint32_t)packed, (uint32_t)(packed >> 32)};
}

uint32_t bdag_scheduler_patience(const bdag_context *context, uint32_t threads) {
  const bdag_machine *machine = &context->machine;
  const uint32_t processors =
      machine->quota < machine->processors ? machine->quota : machine->processors;
  return threads > processors ? 1 : BDAG_PATIENCE;
}

int bdag_scheduler_create(bdag_scheduler *scheduler, const bdag_context *context, uint32_t capacity,
                          uint32_t threads) {
  scheduler->patience = bdag_scheduler_patience(context, threads);
  scheduler->state = bdag_allocate_array(context, capacity, sizeof *scheduler->state);
  scheduler->slot = bdag_allocate_zeroed(context, threads, sizeof *scheduler->slot);
  return scheduler->state == NULL || scheduler->slot == NULL ? -1 : 0;
}

void bdag_scheduler_destroy(bdag_scheduler *scheduler, const bdag_context *context) {
  bdag_free(context, scheduler->state);
  bdag_free(context, scheduler->slot);
}

/* ---- Lists --------------------------------------------------------------------------------------- */

static inline uint32_t next_of(const bdag_scheduler *s, uint32_t task) {
  return atomic_load_explicit(&s->state[task], memory_order_relaxed);
}

static inline void push(bdag_scheduler *s, bdag_task_list *list, uint32_t task) {
  atomic_store_explicit(&s->state[task], list->head, memory_order_relaxed);
  list->head = task;
  list->count++;
}

/* Takes the older part off a list: half of it, or all but MOST_KEPT. */
static bdag_task_list split(bdag_scheduler *s, bdag_task_list *list) {
  const uint32_t half = (list->count + 1) / 2, keep = half < MOST_KEPT ? half : MOST_KEPT;
  uint32_t last = list->head;
  for (uint32_t i = 1; i < keep; i++) last = next_of(s, last);
  const bdag_task_list rest = {next_of(s, last), list->count - keep};
  list->count = keep;
  return rest;
}

/* Whether it was the last predecessor. The last one finds 1 and need not write. */
static inline int count_down(_Atomic uint32_t *state, int alone) {
  const uint32_t seen =
      atomic_load_explicit(state, alone ? memory_order_relaxed : memory_order_acquire);
  if (seen == 1) return 1;
  if (alone) {
    atomic_store_explicit(state, seen - 1, memory_order_relaxed);
    return 0;
  }
  /* release: what this task wrote; acquire: what the other predecessors wrote before theirs */
  return atomic_fetch_sub_explicit(state, 1, memory_order_acq_rel) == 1;
}

/* Ends a task: successors whose last predecessor it was join the list, the one on the longest path
 * on top. */
static inline void release_successors(bdag_scheduler *s, bdag_task_list *list, uint32_t task,
                                      int alone) {
  const bdag_task_graph *graph = s->graph;
  const uint64_t end = graph->offset[task + 1];
  uint32_t best = NO_TASK;
  if (!alone)
    for (uint64_t i = graph->offset[task]; i < end; i++)
      __builtin_prefetch(&s->state[graph->successor[i]], 1);
  for (uint64_t i = graph->offset[task]; i < end; i++) {
    const uint32_t released = graph->successor[i];
    if (!count_down(&s->state[released], alone)) continue;
    __builtin_prefetch(&graph->offset[released]);
    if (best != NO_TASK && graph->priority[released] <= graph->priority[best]) {
      push(s, list, released);
      continue;
    }
    if (best != NO_TASK) push(s, list, best);
    best = released;
  }
  if (best != NO_TASK) push(s, list, best);
}

/* ---- Sharing ------------------------------------------------------------------------------------- */

static void share(bdag_scheduler *s, bdag_task_list *list, uint32_t thread, uint32_t team);

static void work_alone(bdag_scheduler *s, bdag_task_list list) {
  while (list.count > 0) {
    const uint32_t task = list.head;
    list.head = next_of(s, task);
    list.count--;
    s->work.run(s->work.argument, task);
    release_successors(s, &list, task, 1);
  }
}

static void work_off(bdag_scheduler *s, bdag_task_list list, uint32_t thread, uint32_t team) {
  while (list.count > 0) {
    if (list.count > 1 && atomic_load_explicit(&s->idle, memory_order_relaxed) > 0)
      share(s, &list, thread, team);
    const uint32_t task = list.head;
    list.head = next_of(s, task);
    list.count--;
    if (list.count > 0) __builtin_prefetch(&s->graph->successor[s->graph->offset[list.head]]);
    s->work.run(s->work.argument, task);
    release_successors(s, &list, task, 0);
  }
}

/* Waits in the thread's slot. Returns a list; an empty one when all is done or patience at its end. */
static bdag_task_list wait_for_list(bdag_scheduler *s, uint32_t thread) {
  _Atomic uint64_t *offer = &s->slot[thread].offer;
  atomic_store_explicit(offer, SLOT_HUNGRY, memory_order_release);
  atomic_fetch_add_explicit(&s->idle, 1, memory_order_relaxed);
  for (uint32_t turn = 0; turn < s->patience; turn++) {
    /* acquire: what the tasks before those of the list wrote */
    const uint64_t seen = atomic_load_explicit(offer, memory_order_acquire);
    if (seen != SLOT_HUNGRY) {
      atomic_store_explicit(offer, SLOT_EMPTY, memory_order_relaxed);
      return unpack(seen);
    }
    if ((atomic_load_explicit(&s->busy, memory_order_acquire) & ~BDAG_ASLEEP) == 0) break;
    bdag_relax();
  }
  const uint64_t seen = atomic_exchange_explicit(offer, SLOT_EMPTY, memory_order_acq_rel);
  if (seen != SLOT_HUNGRY) return unpack(seen);
  atomic_fetch_sub_explicit(&s->idle, 1, memory_order_relaxed);
  return (bdag_task_list){NO_TASK, 0};
}

/* Works while there is something to do or to be had soon. */
__attribute__((noinline)) static void take_part(bdag_scheduler *s, bdag_task_list list,
                                                uint32_t thread, uint32_t team) {
  while (list.count > 0) {
    work_off(s, list, thread, team);
    /* release: what the tasks wrote; acquire: all of it, for the last one */
    const uint32_t before = atomic_fetch_sub_explicit(&s->busy, 1, memory_order_acq_rel);
    if ((before & ~BDAG_ASLEEP) == 1) return;
    list = wait_for_list(s, thread);
  }
}

/* A thread in OpenMP's barrier comes by this task. */
__attribute__((noinline)) static void awake(bdag_scheduler *s, bdag_task_list list) {
  take_part(s, list, (uint32_t)omp_get_thread_num(), (uint32_t)omp_get_num_threads());
  atomic_fetch_add_explicit(&s->asleep, 1, memory_order_relaxed);
  atomic_fetch_add_explicit(&s->idle, 1, memory_order_relaxed);
}

/* Only the pragma lives here: ThreadSanitizer does not see through the runtime's own hand-over. */
__attribute__((noinline, no_sanitize("thread"))) static void make_task(bdag_scheduler *s,
                                                                       bdag_task_list list) {
#pragma omp task firstprivate(s, list)
  awake(s, list);
}

/* Hands a part of the list to a thread that waits in its slot, or else to one that sleeps. */
__attribute__((noinline)) static void share(bdag_scheduler *s, bdag_task_list *list,
                                            uint32_t thread, uint32_t team) {
  for (uint32_t i = 1; i < team; i++) {
    const uint32_t other = thread + i < team ? thread + i : thread + i - team;
    _Atomic uint64_t *offer = &s->slot[other].offer;
    if (atomic_load_explicit(offer, memory_order_relaxed) != SLOT_HUNGRY) continue;
    const bdag_task_list own = *list, rest = split(s, list);
    uint64_t expected = SLOT_HUNGRY;
    /* It counts as busy before it knows, so that `busy` does not reach 0 too early. */
    atomic_fetch_add_explicit(&s->busy, 1, memory_order_relaxed);
    /* release: what the tasks so far wrote, for wait_for_list */
    if (atomic_compare_exchange_strong_explicit(offer, &expected, pack(rest), memory_order_release,
                                                memory_order_relaxed)) {
      atomic_fetch_sub_explicit(&s->idle, 1, memory_order_relaxed);
      return;
    }
    atomic_fetch_sub_explicit(&s->busy, 1, memory_order_relaxed);
    *list = own;
  }
  uint32_t asleep = atomic_load_explicit(&s->asleep, memory_order_relaxed);
  while (asleep > 0)
    if (atomic_compare_exchange_weak_explicit(&s->asleep, &asleep, asleep - 1, memory_order_relaxed,
                                              memory_order_relaxed)) {
      atomic_fetch_sub_explicit(&s->idle, 1, memory_order_relaxed);
      atomic_fetch_add_explicit(&s->busy, 1, memory_order_relaxed);
      make_task(s, split(s, list));
      return;
    }
}

/* Marks the run as one where somebody sleeps; 0 if all was done already. */
static int fall_asleep(bdag_scheduler *s) {
  uint32_t busy = atomic_load_explicit(&s->busy, memory_order_acquire);
  while ((busy & ~BDAG_ASLEEP) != 0)
    if (atomic_compare_exchange_weak_explicit(&s->busy, &busy, busy | BDAG_ASLEEP,
                                              memory_order_acq_rel, memory_order_acquire))
      return 1;
  return 0;
}

/* ---- Runs ---------------------------------------------------------------------------------------- */

void bdag_scheduler_prepare(bdag_scheduler *s, const bdag_task_graph *graph,
                            const bdag_task_work *work) {
  bdag_task_list list = {NO_TASK, 0};
  s->graph = graph;
  s->work = *work;
  for (uint32_t t = graph->count; t-- > 0;) {
    atomic_store_explicit(&s->state[t], graph->predecessors[t], memory_order_relaxed);
    if (graph->predecessors[t] == 0) push(s, &list, t);
  }
  s->first = list.head;
  s->firsts = list.count;
  atomic_store_explicit(&s->busy, list.count > 0, memory_order_relaxed);
  atomic_store_explicit(&s->idle, 0, memory_order_relaxed);
  atomic_store_explicit(&s->asleep, 0, memory_order_relaxed);
}

void bdag_scheduler_join(bdag_scheduler *s, uint32_t thread, uint32_t team) {
  const bdag_task_list all = {s->first, s->firsts};
  if (team == 1) {
    work_alone(s, all);
    return;
  }
  if (thread == 0)
    take_part(s, all, thread, team);
  else
    take_part(s, wait_for_list(s, thread), thread, team);
  if (fall_asleep(s)) {
    atomic_fetch_add_explicit(&s->asleep, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&s->idle, 1, memory_order_relaxed);
  }
  /* acquire: with nobody busy, whatever any task wrote. Marked only while somebody was busy, so that all
   * see the mark or nobody does. */
  if (atomic_load_explicit(&s->busy, memory_order_acquire) & BDAG_ASLEEP) {
#pragma omp barrier
  }
}

void bdag_scheduler_run(bdag_scheduler *scheduler, const bdag_task_graph *graph, uint32_t threads,
                        const bdag_task_work *work) {
  bdag_scheduler_prepare(scheduler, graph, work);
  if (threads <= 1 || omp_in_parallel()) {
    bdag_scheduler_join(scheduler, 0, 1);
    return;
  }
#pragma omp parallel num_threads(threads)
  bdag_scheduler_join(scheduler, (uint32_t)omp_get_thread_num(), (uint32_t)omp_get_num_threads());
}
