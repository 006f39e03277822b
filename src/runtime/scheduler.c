/* Share when hungry: a released task stays on a list of the thread that released it. A thread without
 * work offers its slot for some microseconds; whoever has more than one task hands it half of the list
 * before the next one. The lists of those who are in a long task it looks through itself. After that it
 * sleeps in OpenMP's barrier, and a half becomes one OpenMP task.
 * May include plan. */
#include "runtime/scheduler.h"

#include <omp.h>

#include "base/context_internal.h"
#include "base/memory.h"
#include "runtime/meeting.h"

#define NO_TASK UINT32_MAX
/* Links that are followed to find the half of a long list. */
#define MOST_KEPT 128u
/* Turns until a waiting thread looks around for the first time; then after twice as many. */
#define FIRST_LOOK 64u

/* What is offered: nothing, that a thread waits, that somebody is about to give; else a list, whose count
 * is not 0. */
#define OFFER_NONE   UINT64_C(0)
#define OFFER_HUNGRY UINT64_C(1)
#define OFFER_TAKEN  UINT64_C(2)

/* Newest first. Links do not change while their tasks are in lists, and a task is in a list once: head and
 * count say all, so that exchanging the two at once is safe. */
typedef struct bdag_task_list {
  uint32_t head, count;
} bdag_task_list;

static const bdag_task_list empty_list = {NO_TASK, 0};

static inline uint64_t pack(bdag_task_list list) {
  return (uint64_t)list.count << 32 | list.head;
}

static inline bdag_task_list unpack(uint64_t packed) {
  return (bdag_task_list){(uint32_t)packed, (uint32_t)(packed >> 32)};
}

int bdag_scheduler_create(bdag_scheduler *s, const bdag_context *context, uint32_t capacity,
                          uint32_t threads) {
  s->patience = bdag_scheduler_patience(context, threads);
  s->state = bdag_allocate_array(context, capacity, sizeof *s->state);
  s->slot = bdag_allocate_zeroed(context, threads, sizeof *s->slot);
  return s->state == NULL || s->slot == NULL ? -1 : 0;
}

void bdag_scheduler_destroy(bdag_scheduler *s, const bdag_context *context) {
  bdag_free(context, s->state);
  bdag_free(context, s->slot);
}

uint32_t bdag_scheduler_patience(const bdag_context *context, uint32_t threads) {
  return threads > bdag_context_at_once(context, threads) ? 1 : BDAG_PATIENCE;
}

static inline uint32_t next_of(const bdag_scheduler *s, uint32_t task) {
  return atomic_load_explicit(&s->state[task], memory_order_relaxed);
}

static inline void link_to(bdag_scheduler *s, uint32_t task, uint32_t next) {
  atomic_store_explicit(&s->state[task], next, memory_order_relaxed);
}

/* ---- Releasing ----------------------------------------------------------------------------------- */

/* Tasks released at once; all but the last are linked. `best` comes on top in the end. */
typedef struct bdag_chain {
  uint32_t head, tail, count;
  uint32_t best, priority;
} bdag_chain;

/* Number of a task in its copy of the graph. */
static inline uint32_t number_of(const bdag_scheduler *s, uint32_t task) {
  return s->work.copies > 1 ? task % s->graph->count : task;
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

static inline void chain_task(bdag_scheduler *s, bdag_chain *chain, uint32_t task) {
  if (chain->count++ == 0)
    chain->tail = task;
  else
    link_to(s, task, chain->head);
  chain->head = task;
}

/* Counts down for task `number` of the copy that begins with task `base`. */
static inline void release_task(bdag_scheduler *s, bdag_chain *chain, uint32_t base,
                                uint32_t number, int alone) {
  const bdag_task_graph *graph = s->graph;
  uint32_t released = base + number;
  if (!count_down(&s->state[released], alone)) return;
  __builtin_prefetch(&graph->offset[number]);
  if (chain->best == NO_TASK || graph->priority[number] > chain->priority) {
    const uint32_t better = released;
    released = chain->best;
    chain->best = better;
    chain->priority = graph->priority[number];
  }
  if (released != NO_TASK) chain_task(s, chain, released);
}

/* Ends a task: the successors whose last predecessor it was, the one on the longest path on top. */
static inline bdag_chain release_successors(bdag_scheduler *s, uint32_t task, int alone) {
  const bdag_task_graph *graph = s->graph;
  const uint32_t number = number_of(s, task), base = task - number;
  const uint64_t begin = graph->offset[number], end = graph->offset[number + 1];
  bdag_chain chain = {NO_TASK, NO_TASK, 0, NO_TASK, 0};
  if (!alone)
    for (uint64_t i = begin; i < end; i++)
      __builtin_prefetch(&s->state[base + graph->successor[i]], 1);
  for (uint64_t i = begin; i < end; i++) release_task(s, &chain, base, graph->successor[i], alone);
  if (s->work.chained && base / graph->count + 1 < s->work.copies)
    release_task(s, &chain, base + graph->count, number, alone);
  if (chain.best != NO_TASK) chain_task(s, &chain, chain.best);
  return chain;
}

/* ---- Lists --------------------------------------------------------------------------------------- */

/* Takes the older part off somebody's list: `kept` of 0 … count stay. */
static bdag_task_list take_part_of(bdag_scheduler *s, _Atomic uint64_t *from) {
  uint64_t seen = atomic_load_explicit(from, memory_order_acquire);
  for (;;) {
    const bdag_task_list list = unpack(seen);
    if (list.count == 0) return empty_list;
    const uint32_t half = list.count / 2, keep = half < MOST_KEPT ? half : MOST_KEPT;
    uint32_t first = list.head;
    for (uint32_t i = 0; i < keep; i++) first = next_of(s, first);
    /* acquire: what was written before those tasks were released, by the owner's release */
    if (atomic_compare_exchange_weak_explicit(from, &seen, pack((bdag_task_list){list.head, keep}),
                                              memory_order_acq_rel, memory_order_acquire))
      return (bdag_task_list){first, list.count - keep};
  }
}

/* The newest task of the own list, NO_TASK when others took the last one. */
static inline uint32_t pop(bdag_scheduler *s, bdag_slot *own) {
  uint64_t seen = atomic_load_explicit(&own->list, memory_order_acquire);
  for (;;) {
    const bdag_task_list list = unpack(seen);
    if (list.count == 0) return NO_TASK;
    const bdag_task_list rest = {next_of(s, list.head), list.count - 1};
    /* acquire: a list that was given is only touched by those who see what came before it */
    if (atomic_compare_exchange_weak_explicit(&own->list, &seen, pack(rest), memory_order_acq_rel,
                                              memory_order_acquire)) {
      if (rest.count > 0)
        __builtin_prefetch(&s->graph->successor[s->graph->offset[number_of(s, rest.head)]]);
      return list.head;
    }
  }
}

/* Puts a chain but for its first task on the own list. */
static inline void push_rest(bdag_scheduler *s, bdag_slot *own, bdag_chain chain) {
  const uint32_t second = next_of(s, chain.head);
  uint64_t seen = atomic_load_explicit(&own->list, memory_order_relaxed);
  for (;;) {
    const bdag_task_list list = unpack(seen);
    link_to(s, chain.tail, list.head);
    /* release: what came before these tasks, for take_part_of; sequentially consistent, so that who
     * falls asleep sees the tasks, or is seen asleep */
    if (atomic_compare_exchange_weak_explicit(
            &own->list, &seen, pack((bdag_task_list){second, list.count + chain.count - 1}),
            memory_order_seq_cst, memory_order_relaxed))
      return;
  }
}

/* ---- Sharing ------------------------------------------------------------------------------------- */

static void share(bdag_scheduler *s, bdag_slot *own, uint32_t thread, uint32_t team);

static inline int somebody_is_idle(const bdag_scheduler *s) {
  return atomic_load_explicit(&s->idle, memory_order_seq_cst) > 0;
}

static inline int has_tasks(const bdag_slot *slot) {
  return atomic_load_explicit(&slot->list, memory_order_relaxed) >> 32 > 0;
}

/* Runs tasks from the own list and those that they release, until there are none. */
static void work_off(bdag_scheduler *s, uint32_t thread, uint32_t team) {
  bdag_slot *own = &s->slot[thread];
  uint32_t task = pop(s, own);
  while (task != NO_TASK) {
    if (somebody_is_idle(s) && has_tasks(own)) share(s, own, thread, team);
    s->work.run(s->work.argument, task);
    const bdag_chain chain = release_successors(s, task, 0);
    if (chain.count > 1) push_rest(s, own, chain);
    task = chain.count > 0 ? chain.head : pop(s, own);
  }
}

/* The same with a list that nobody else sees. */
static void work_alone(bdag_scheduler *s, bdag_task_list list, int alone) {
  while (list.count > 0) {
    const uint32_t task = list.head;
    list.head = next_of(s, task);
    list.count--;
    s->work.run(s->work.argument, task);
    const bdag_chain chain = release_successors(s, task, alone);
    if (chain.count == 0) continue;
    link_to(s, chain.tail, list.head);
    list.head = chain.head;
    list.count += chain.count;
  }
}

static int is_done(const bdag_scheduler *s) {
  /* acquire: whatever any task wrote */
  return (atomic_load_explicit(&s->busy, memory_order_acquire) & ~BDAG_ASLEEP) == 0;
}

/* Counts the calling thread among the busy, which some other must be: 0 if all is done. */
static int become_busy(bdag_scheduler *s) {
  uint32_t seen = atomic_load_explicit(&s->busy, memory_order_relaxed);
  while ((seen & ~BDAG_ASLEEP) != 0)
    if (atomic_compare_exchange_weak_explicit(&s->busy, &seen, seen + 1, memory_order_relaxed,
                                              memory_order_relaxed))
      return 1;
  return 0;
}

static void end_busy(bdag_scheduler *s) {
  /* release: what the tasks wrote; acquire: so that the last one passes on what all wrote */
  atomic_fetch_sub_explicit(&s->busy, 1, memory_order_acq_rel);
}

/* Looks through the lists of the others. Who finds something is busy. */
static bdag_task_list look_around(bdag_scheduler *s, uint32_t thread, uint32_t team) {
  for (uint32_t i = 1; i < team; i++) {
    bdag_slot *other = &s->slot[thread + i < team ? thread + i : thread + i - team];
    if (atomic_load_explicit(&other->list, memory_order_seq_cst) >> 32 == 0) continue;
    if (!become_busy(s)) break;
    const bdag_task_list list = take_part_of(s, &other->list);
    if (list.count > 0) return list;
    end_busy(s);
  }
  return empty_list;
}

/* Withdraws the offer of the own slot, unless somebody has given or is about to. */
static bdag_task_list withdraw(bdag_slot *own) {
  uint64_t seen = OFFER_HUNGRY;
  if (atomic_compare_exchange_strong_explicit(&own->offer, &seen, OFFER_NONE, memory_order_acquire,
                                              memory_order_acquire))
    return empty_list;
  while (seen == OFFER_TAKEN) {
    bdag_relax();
    /* acquire: what came before the tasks of the list */
    seen = atomic_load_explicit(&own->offer, memory_order_acquire);
  }
  atomic_store_explicit(&own->offer, OFFER_NONE, memory_order_relaxed);
  return seen == OFFER_HUNGRY ? empty_list : unpack(seen);
}

static void offer(bdag_slot *own) {
  atomic_store_explicit(&own->offer, OFFER_HUNGRY, memory_order_relaxed);
}

/* Waits for a list; an empty one when all is done or patience at its end. Now and then it looks around,
 * seldom, because that slows down those it looks at. */
static bdag_task_list wait_for_list(bdag_scheduler *s, uint32_t thread, uint32_t team) {
  bdag_slot *own = &s->slot[thread];
  uint32_t look = FIRST_LOOK;
  offer(own);
  atomic_fetch_add_explicit(&s->idle, 1, memory_order_seq_cst);
  for (uint32_t turn = 0; turn < s->patience && !is_done(s); turn++) {
    bdag_relax();
    const int waits = atomic_load_explicit(&own->offer, memory_order_relaxed) == OFFER_HUNGRY;
    if (waits && turn < look) continue;
    look *= 2;
    bdag_task_list list = withdraw(own);
    if (list.count > 0) return list; /* who gave it has counted this thread as no longer idle */
    list = look_around(s, thread, team);
    if (list.count > 0) {
      atomic_fetch_sub_explicit(&s->idle, 1, memory_order_relaxed);
      return list;
    }
    offer(own);
  }
  const bdag_task_list list = withdraw(own);
  if (list.count == 0) atomic_fetch_sub_explicit(&s->idle, 1, memory_order_relaxed);
  return list;
}

/* Works while there is something to do or to be had soon. */
__attribute__((noinline)) static void take_part(bdag_scheduler *s, bdag_task_list list,
                                                uint32_t thread, uint32_t team) {
  bdag_slot *own = &s->slot[thread];
  own->works = 1;
  while (list.count > 0) {
    /* release: for take_part_of; nobody adds to a list but its owner */
    atomic_store_explicit(&own->list, pack(list), memory_order_seq_cst);
    work_off(s, thread, team);
    end_busy(s);
    list = wait_for_list(s, thread, team);
  }
  own->works = 0;
}

/* A thread in OpenMP's barrier, or about to go there, says so; who makes a task for it takes the word
 * back. */
static void count_asleep(bdag_scheduler *s) {
  atomic_fetch_add_explicit(&s->asleep, 1, memory_order_seq_cst);
  atomic_fetch_add_explicit(&s->idle, 1, memory_order_seq_cst);
}

static int take_asleep(bdag_scheduler *s) {
  uint32_t seen = atomic_load_explicit(&s->asleep, memory_order_relaxed);
  while (seen > 0)
    if (atomic_compare_exchange_weak_explicit(&s->asleep, &seen, seen - 1, memory_order_relaxed,
                                              memory_order_relaxed)) {
      atomic_fetch_sub_explicit(&s->idle, 1, memory_order_relaxed);
      return 1;
    }
  return 0;
}

/* Works until all is done, or nothing is to be had and the caller may go to OpenMP's barrier. */
static void work_until_asleep(bdag_scheduler *s, bdag_task_list list, uint32_t thread,
                              uint32_t team) {
  for (;;) {
    take_part(s, list, thread, team);
    if (is_done(s)) return;
    /* Counted first, then the last look: whoever adds to a list later sees that somebody sleeps. */
    count_asleep(s);
    list = look_around(s, thread, team);
    if (list.count == 0) return;
    take_asleep(s);
  }
}

/* What a thread in OpenMP's barrier gets. A runtime may call it at once instead, in the midst of the work
 * of the thread that made it. */
__attribute__((noinline)) static void awake(bdag_scheduler *s, bdag_task_list list) {
  const uint32_t thread = (uint32_t)omp_get_thread_num();
  if (!s->slot[thread].works) {
    work_until_asleep(s, list, thread, (uint32_t)omp_get_num_threads());
    return;
  }
  work_alone(s, list, 0);
  end_busy(s);
  count_asleep(s);
}

/* Only the pragma lives here: ThreadSanitizer does not see through the runtime's own hand-over. */
__attribute__((noinline, no_sanitize("thread"))) static void make_task(bdag_scheduler *s,
                                                                       bdag_task_list list) {
#pragma omp task firstprivate(s, list)
  awake(s, list);
}

/* Gives a part of the own list to a thread that waits in its slot, or else to one that sleeps. Who gets
 * it is busy before it knows. */
__attribute__((noinline)) static void share(bdag_scheduler *s, bdag_slot *own, uint32_t thread,
                                            uint32_t team) {
  for (uint32_t i = 1; i < team; i++) {
    bdag_slot *other = &s->slot[thread + i < team ? thread + i : thread + i - team];
    uint64_t seen = atomic_load_explicit(&other->offer, memory_order_relaxed);
    if (seen != OFFER_HUNGRY ||
        !atomic_compare_exchange_strong_explicit(&other->offer, &seen, OFFER_TAKEN,
                                                 memory_order_relaxed, memory_order_relaxed))
      continue;
    const bdag_task_list part = take_part_of(s, &own->list);
    if (part.count > 0) {
      atomic_fetch_sub_explicit(&s->idle, 1, memory_order_relaxed);
      atomic_fetch_add_explicit(&s->busy, 1, memory_order_relaxed);
    }
    /* release: what came before the tasks of the list, for withdraw */
    atomic_store_explicit(&other->offer, part.count > 0 ? pack(part) : OFFER_HUNGRY,
                          memory_order_release);
    return;
  }
  if (!take_asleep(s)) return;
  const bdag_task_list part = take_part_of(s, &own->list);
  if (part.count == 0) {
    count_asleep(s);
    return;
  }
  atomic_fetch_add_explicit(&s->busy, 1, memory_order_relaxed);
  make_task(s, part);
}

/* ---- Runs ---------------------------------------------------------------------------------------- */

void bdag_scheduler_prepare(bdag_scheduler *s, const bdag_task_graph *graph,
                            const bdag_task_work *work) {
  bdag_task_list list = empty_list;
  const uint32_t copies = work->copies > 1 ? work->copies : 1;
  s->graph = graph;
  s->work = *work;
  for (uint32_t c = copies; c-- > 0;)
    for (uint32_t t = graph->count; t-- > 0;) {
      const uint32_t task = c * graph->count + t;
      const uint32_t predecessors = graph->predecessors[t] + (work->chained && c > 0);
      link_to(s, task, predecessors > 0 ? predecessors : list.head);
      if (predecessors == 0) list = (bdag_task_list){task, list.count + 1};
    }
  s->first = pack(list);
  atomic_store_explicit(&s->busy, list.count > 0, memory_order_relaxed);
  atomic_store_explicit(&s->idle, 0, memory_order_relaxed);
  atomic_store_explicit(&s->asleep, 0, memory_order_relaxed);
}

/* Marks the run as one where somebody sleeps, unless all is done. */
static void mark_asleep(bdag_scheduler *s) {
  uint32_t busy = atomic_load_explicit(&s->busy, memory_order_acquire);
  while ((busy & ~BDAG_ASLEEP) != 0)
    if (atomic_compare_exchange_weak_explicit(&s->busy, &busy, busy | BDAG_ASLEEP,
                                              memory_order_acq_rel, memory_order_acquire))
      return;
}

void bdag_scheduler_join(bdag_scheduler *s, uint32_t thread, uint32_t team) {
  if (team == 1) {
    work_alone(s, unpack(s->first), 1);
    return;
  }
  const bdag_task_list list = thread == 0 ? unpack(s->first) : wait_for_list(s, thread, team);
  work_until_asleep(s, list, thread, team);
  mark_asleep(s);
  /* Marked only while somebody was busy, so that all see the mark or nobody does. */
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
