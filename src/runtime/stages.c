/* Stages: each thread says how many it has done, and waits for the others before the next. No thread writes
 * what another writes, so that a meeting costs one cache line a thread. May include plan. */
#include "runtime/stages.h"

#include <sched.h>

#include "base/memory.h"
#include "runtime/meeting.h"

/* ---- Sharing out --------------------------------------------------------------------------------- */

typedef struct sharing {
  bdag_stages *stages;
  const bdag_task_graph *graph;
  const bdag_task *task;
  uint32_t *last; /* [tasks] 1 + the last predecessor */
  double worth, work, longest;
} sharing;

static double weight_of(const sharing *s, uint32_t task) {
  return (double)s->task[task].edges + 1;
}

static void find_last_predecessors(sharing *s) {
  const bdag_task_graph *graph = s->graph;
  for (uint32_t t = 0; t < graph->count; t++)
    for (uint64_t i = graph->offset[t]; i < graph->offset[t + 1]; i++)
      s->last[graph->successor[i]] = t + 1;
}

/* The end of the tasks from `first` on that do not depend on each other. */
static uint32_t level_end(const sharing *s, uint32_t first, double *work) {
  uint32_t end = first;
  for (*work = 0; end < s->graph->count && (end == first || s->last[end] <= first); end++)
    *work += weight_of(s, end);
  return end;
}

/* Where a thread begins in the stage at hand. */
static void put(const sharing *s, uint32_t thread, uint32_t task) {
  const bdag_stages *stages = s->stages;
  if (stages->first != NULL)
    stages->first[(uint64_t)stages->count * stages->threads + thread] = task;
}

/* Consecutive parts of about equal work. */
static void share_level(sharing *s, uint32_t first, uint32_t end, double work) {
  const uint32_t threads = s->stages->threads;
  double done = 0, before = 0, most = 0;
  uint32_t task = first;
  for (uint32_t t = 0; t < threads; t++) {
    put(s, t, task);
    const double until = work * (t + 1) / threads;
    for (; task < end && (t + 1 == threads || done + weight_of(s, task) / 2 < until); task++)
      done += weight_of(s, task);
    if (done - before > most) most = done - before;
    before = done;
  }
  s->stages->count++;
  s->longest += most;
}

/* Levels that are not worth a meeting, one after the other by the first thread. */
static void keep_together(sharing *s, uint32_t first, uint32_t end, double work) {
  put(s, 0, first);
  for (uint32_t t = 1; t < s->stages->threads; t++) put(s, t, end);
  s->stages->count++;
  s->longest += work;
}

static void share_out(sharing *s) {
  const uint32_t tasks = s->graph->count;
  s->stages->count = 0;
  s->work = s->longest = 0;
  double work;
  for (uint32_t first = 0; first < tasks;) {
    uint32_t end = level_end(s, first, &work);
    if (work >= s->worth && end - first > 1) {
      share_level(s, first, end, work);
    } else {
      double more;
      for (uint32_t next; end < tasks; end = next, work += more) {
        next = level_end(s, end, &more);
        if (more >= s->worth && next - end > 1) break;
      }
      keep_together(s, first, end, work);
    }
    s->work += work;
    first = end;
  }
  put(s, 0, tasks);
}

int bdag_stages_create(bdag_stages *stages, const bdag_context *context,
                       const bdag_task_graph *graph, const bdag_task *task, uint32_t threads,
                       double worth) {
  sharing s = {.stages = stages, .graph = graph, .task = task, .worth = worth};
  *stages =
      (bdag_stages){.threads = threads, .patience = bdag_scheduler_patience(context, threads)};
  stages->progress = bdag_allocate_zeroed(context, threads, sizeof *stages->progress);
  s.last = bdag_allocate_zeroed(context, graph->count, sizeof *s.last);
  if (s.last != NULL) {
    find_last_predecessors(&s);
    share_out(&s);
    stages->share = s.work > 0 ? s.longest / s.work : 1;
    stages->first =
        bdag_allocate_array(context, (uint64_t)stages->count * threads + 1, sizeof *stages->first);
    if (stages->first != NULL) share_out(&s);
  }
  bdag_free(context, s.last);
  return stages->first == NULL || stages->progress == NULL ? -1 : 0;
}

void bdag_stages_destroy(bdag_stages *stages, const bdag_context *context) {
  bdag_free(context, stages->first);
  bdag_free(context, stages->progress);
}

/* ---- Runs ---------------------------------------------------------------------------------------- */

void bdag_stages_prepare(bdag_stages *stages) {
  for (uint32_t t = 0; t < stages->threads; t++)
    atomic_store_explicit(&stages->progress[t].stages, 0, memory_order_relaxed);
}

/* Until another thread has done so many stages. */
static void wait_for(const bdag_stages *stages, uint32_t thread, uint32_t count) {
  const _Atomic uint32_t *done = &stages->progress[thread].stages;
  /* acquire: what its tasks wrote, by the release in bdag_stages_join */
  for (uint32_t turn = 0; atomic_load_explicit(done, memory_order_acquire) < count; turn++) {
    if (turn < stages->patience)
      bdag_relax();
    else
      sched_yield();
  }
}

static void wait_for_all(const bdag_stages *stages, uint32_t thread, uint32_t team,
                         uint32_t count) {
  for (uint32_t t = 0; t < team; t++)
    if (t != thread) wait_for(stages, t, count);
}

/* Before a thread's part of a stage. */
static void expect(const bdag_stages *stages, uint32_t stage, uint32_t part,
                   const bdag_task_work *work) {
  const uint32_t *next = stages->first + (uint64_t)stage * stages->threads + part;
  const uint32_t *later = stage + 1 < stages->count ? next + stages->threads : next;
  const bdag_expected tasks = {next[0], next[1], later[0], later[1]};
  work->expect(work->argument, &tasks);
}

/* A team that is smaller than was asked for takes over the parts of those that are missing. */
void bdag_stages_join(bdag_stages *stages, uint32_t thread, uint32_t team,
                      const bdag_task_work *work) {
  const uint32_t parts = stages->threads;
  for (uint32_t stage = 0; stage < stages->count; stage++) {
    const uint32_t *first = stages->first + (uint64_t)stage * parts;
    for (uint32_t part = thread; part < parts; part += team) {
      if (work->expect != NULL) expect(stages, stage, part, work);
      if (part == thread) wait_for_all(stages, thread, team, stage);
      for (uint32_t task = first[part]; task < first[part + 1]; task++)
        work->run(work->argument, task);
    }
    atomic_store_explicit(&stages->progress[thread].stages, stage + 1, memory_order_release);
  }
  wait_for_all(stages, thread, team, stages->count);
}
