/* Share when hungry: a released task stays on a list of the thread that released it; half of a list
 * becomes one OpenMP task only while fewer of those run than there are threads. May include plan. */
#include "runtime/scheduler.h"

#include <omp.h>

#include "base/memory.h"

#define NO_TASK UINT32_MAX

/* A thread's own list, newest first. */
typedef struct bdag_task_list {
  uint32_t head, count;
} bdag_task_list;

typedef struct bdag_run {
  bdag_scheduler *scheduler;
  const bdag_task_graph *graph;
  const bdag_task_work *work;
  uint32_t threads;
  _Atomic uint32_t running; /* OpenMP tasks made and not yet ended; a hint, hence relaxed */
} bdag_run;

int bdag_scheduler_create(bdag_scheduler *scheduler, const bdag_context *context,
                          uint32_t capacity) {
  scheduler->capacity = capacity;
  scheduler->waiting = bdag_allocate_array(context, capacity, sizeof *scheduler->waiting);
  scheduler->next = bdag_allocate_array(context, capacity, sizeof *scheduler->next);
  return scheduler->waiting == NULL || scheduler->next == NULL ? -1 : 0;
}

void bdag_scheduler_destroy(bdag_scheduler *scheduler, const bdag_context *context) {
  bdag_free(context, scheduler->waiting);
  bdag_free(context, scheduler->next);
}

static void push(bdag_run *run, bdag_task_list *list, uint32_t task) {
  run->scheduler->next[task] = list->head;
  list->head = task;
  list->count++;
}

/* Ends a task: successors whose last predecessor it was join the list, the one on the longest path
 * on top. */
static void release_successors(bdag_run *run, bdag_task_list *list, uint32_t task) {
  const bdag_task_graph *graph = run->graph;
  uint32_t best = NO_TASK;
  for (uint64_t i = graph->offset[task]; i < graph->offset[task + 1]; i++) {
    uint32_t s = graph->successor[i];
    /* release: what this task wrote; acquire: what the other predecessors wrote before theirs */
    if (atomic_fetch_sub_explicit(&run->scheduler->waiting[s], 1, memory_order_acq_rel) != 1)
      continue;
    if (best != NO_TASK && graph->priority[s] <= graph->priority[best]) {
      push(run, list, s);
      continue;
    }
    if (best != NO_TASK) push(run, list, best);
    best = s;
  }
  if (best != NO_TASK) push(run, list, best);
}

/* Takes the older half off a list. */
static bdag_task_list split(bdag_run *run, bdag_task_list *list) {
  const uint32_t keep = (list->count + 1) / 2;
  uint32_t last = list->head;
  for (uint32_t i = 1; i < keep; i++) last = run->scheduler->next[last];
  const bdag_task_list half = {run->scheduler->next[last], list->count - keep};
  run->scheduler->next[last] = NO_TASK;
  list->count = keep;
  return half;
}

static void share(bdag_run *run, bdag_task_list list);

__attribute__((noinline)) static void work_off(bdag_run *run, bdag_task_list list) {
  const bdag_task_work *work = run->work;
  const uint64_t saved = work->enter(work->argument);
  while (list.count > 0) {
    if (list.count > 1 && atomic_load_explicit(&run->running, memory_order_relaxed) < run->threads)
      share(run, split(run, &list));
    const uint32_t task = list.head;
    list.head = run->scheduler->next[task];
    list.count--;
    work->run(work->argument, task);
    release_successors(run, &list, task);
  }
  work->leave(work->argument, saved);
  atomic_fetch_sub_explicit(&run->running, 1, memory_order_relaxed);
}

/* Only the pragma lives here: ThreadSanitizer does not see through the runtime's own hand-over. */
__attribute__((noinline, no_sanitize("thread"))) static void share(bdag_run *run,
                                                                   bdag_task_list list) {
  atomic_fetch_add_explicit(&run->running, 1, memory_order_relaxed);
#pragma omp task firstprivate(run, list)
  work_off(run, list);
}

static bdag_task_list roots(bdag_run *run) {
  const bdag_task_graph *graph = run->graph;
  bdag_task_list list = {NO_TASK, 0};
  for (uint32_t t = 0; t < graph->count; t++) {
    atomic_store_explicit(&run->scheduler->waiting[t], graph->predecessors[t],
                          memory_order_relaxed);
    if (graph->predecessors[t] == 0) push(run, &list, t);
  }
  return list;
}

void bdag_scheduler_run(bdag_scheduler *scheduler, const bdag_task_graph *graph, uint32_t threads,
                        const bdag_task_work *work) {
  bdag_run run = {.scheduler = scheduler, .graph = graph, .work = work, .threads = threads};
  atomic_init(&run.running, 1);
  const bdag_task_list list = roots(&run);
  if (threads <= 1 || omp_in_parallel()) {
    run.threads = 0;
    work_off(&run, list);
    return;
  }
#pragma omp parallel num_threads(threads)
#pragma omp single
  work_off(&run, list);
}
