/* A bare graph of tasks on backdag's scheduler. Includes the library's private headers. */
#include "own_tasks.h"

#include <stdlib.h>

#include "runtime/scheduler.h"

struct bench_own_tasks {
  const bdag_context *context;
  bdag_scheduler *scheduler;
  bdag_task_graph graph;
  uint32_t threads;
  void (*body)(void *argument);
  void *argument;
};

static void run_empty(void *argument, uint32_t task) {
  /* The number of the task is made, nothing more. */
  __asm__ volatile("" : : "r"(task));
}

static void run_body(void *argument, uint32_t task) {
  const bench_own_tasks *own = argument;
  own->body(own->argument);
}

/* Ids are a topological order, so that a vertex comes after all of its predecessors. */
static void set_priorities(bdag_task_graph *graph) {
  for (uint32_t t = graph->count; t-- > 0;)
    for (uint64_t i = graph->offset[t]; i < graph->offset[t + 1]; i++) {
      const uint32_t longest = graph->priority[graph->successor[i]] + 1;
      if (longest > graph->priority[t]) graph->priority[t] = longest;
    }
}

static void fill(bdag_task_graph *graph, const bench_graph *from) {
  const uint64_t count = from->vertex_count;
  graph->count = from->vertex_count;
  graph->predecessors = bench_allocate(count, sizeof *graph->predecessors);
  graph->priority = bench_allocate(count, sizeof *graph->priority);
  graph->offset = bench_allocate(count + 2, sizeof *graph->offset);
  graph->successor = bench_allocate(from->edge_count + 1, sizeof *graph->successor);
  for (uint64_t e = 0; e < from->edge_count; e++) {
    graph->offset[from->source[e] + 2]++;
    graph->predecessors[from->target[e]]++;
  }
  for (uint64_t v = 0; v < count; v++) graph->offset[v + 2] += graph->offset[v + 1];
  for (uint64_t e = 0; e < from->edge_count; e++)
    graph->successor[graph->offset[from->source[e] + 1]++] = from->target[e];
  set_priorities(graph);
}

bench_own_tasks *bench_own_tasks_create(bdag_context *context, const bench_graph *graph,
                                        uint32_t threads, void (*body)(void *argument),
                                        void *argument) {
  bench_own_tasks *own = bench_allocate(1, sizeof *own);
  own->context = context;
  own->threads = threads;
  own->body = body;
  own->argument = argument;
  own->scheduler = aligned_alloc(64, sizeof *own->scheduler);
  fill(&own->graph, graph);
  if (own->scheduler == NULL ||
      bdag_scheduler_create(own->scheduler, context, graph->vertex_count, threads) != 0)
    bench_die("no memory for the scheduler");
  return own;
}

void bench_own_tasks_destroy(bench_own_tasks *own) {
  if (own == NULL) return;
  bdag_scheduler_destroy(own->scheduler, own->context);
  free(own->scheduler);
  bench_free(own->graph.predecessors);
  bench_free(own->graph.priority);
  bench_free(own->graph.offset);
  bench_free(own->graph.successor);
  bench_free(own);
}

double bench_own_tasks_run(void *user, uint64_t repetitions) {
  bench_own_tasks *own = user;
  const bdag_task_work work = {own->body != NULL ? run_body : run_empty, own};
  const double begin = bench_now();
  for (uint64_t r = 0; r < repetitions; r++)
    bdag_scheduler_run(own->scheduler, &own->graph, own->threads, &work);
  return bench_now() - begin;
}
