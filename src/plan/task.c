/* Tasks: consecutive panels are put together until a task is worth its scheduling cost. Rows ascend
 * from sources to targets and a task's rows are consecutive, so the tasks' graph is acyclic by
 * construction; backward it is mirrored. May include base and network. */
#include <string.h>

#include "plan/build.h"

/* Edges a task should have: at 64 samples a tile some microseconds of work. */
#define TASK_EDGES 4096u

static int starts_task(const bdag_plan *plan, const bdag_task *task, uint32_t p) {
  if (plan->options.granularity == BDAG_GRANULARITY_VERTEX) return 1;
  const uint64_t edges = (uint64_t)plan->panel[p].sources * plan->panel[p].targets;
  return task->edges + edges > TASK_EDGES || task->edges >= TASK_EDGES / 2;
}

bdag_status bdag_build_tasks(bdag_build *build, bdag_error *error) {
  bdag_plan *plan = build->plan;
  plan->task = bdag_allocate_array(build->context, plan->panels, sizeof *plan->task);
  if (plan->task == NULL) return bdag_fail_memory(error);
  bdag_task *task = NULL;
  for (uint32_t p = 0; p < plan->panels; p++) {
    if (task == NULL || starts_task(plan, task, p)) {
      task = &plan->task[plan->tasks++];
      *task = (bdag_task){.panel = p};
    }
    task->panels++;
    task->edges += (uint64_t)plan->panel[p].sources * plan->panel[p].targets;
  }
  return BDAG_OK;
}

/* Calls for each pair (task of a source, task of a target), source tasks without repeats. */
typedef struct bdag_pairs {
  uint32_t *task_of_row; /* [rows], BDAG_NO_ROW for inputs and constants */
  uint32_t *seen;        /* [tasks] last target task that this source task was seen for */
} bdag_pairs;

static void walk_pairs(const bdag_plan *plan, bdag_pairs *pairs, int only_reaching,
                       void (*visit)(void *, uint32_t, uint32_t), void *argument) {
  memset(pairs->seen, 0xff, plan->tasks * sizeof *pairs->seen);
  for (uint32_t t = 0; t < plan->tasks; t++) {
    const bdag_task *task = &plan->task[t];
    for (uint32_t p = task->panel; p < task->panel + task->panels; p++) {
      const bdag_panel *panel = &plan->panel[p];
      if (only_reaching && !panel->reaches) continue;
      for (uint32_t k = 0; k < panel->sources; k++) {
        const uint32_t from = pairs->task_of_row[plan->source[panel->list + k]];
        if (from == BDAG_NO_ROW || from == t || pairs->seen[from] == t) continue;
        pairs->seen[from] = t;
        visit(argument, from, t);
      }
    }
  }
}

typedef struct bdag_edges_of {
  bdag_task_graph *graph;
  int reversed, filling;
} bdag_edges_of;

static void visit_pair(void *argument, uint32_t from, uint32_t to) {
  const bdag_edges_of *edges = argument;
  bdag_task_graph *graph = edges->graph;
  const uint32_t before = edges->reversed ? to : from, after = edges->reversed ? from : to;
  if (edges->filling) {
    graph->successor[graph->offset[before + 1]++] = after;
  } else {
    graph->predecessors[after]++;
    graph->offset[before + 2]++;
  }
}

static void set_priorities(bdag_task_graph *graph, int reversed) {
  for (uint32_t i = 0; i < graph->count; i++) {
    const uint32_t t = reversed ? i : graph->count - 1 - i;
    uint32_t longest = 0;
    for (uint64_t s = graph->offset[t]; s < graph->offset[t + 1]; s++)
      if (graph->priority[graph->successor[s]] + 1 > longest)
        longest = graph->priority[graph->successor[s]] + 1;
    graph->priority[t] = longest;
  }
}

static bdag_status build_graph(bdag_build *build, bdag_pairs *pairs, bdag_task_graph *graph,
                               int reversed) {
  const bdag_plan *plan = build->plan;
  const bdag_context *context = build->context;
  graph->count = plan->tasks;
  graph->predecessors = bdag_allocate_zeroed(context, plan->tasks, sizeof *graph->predecessors);
  graph->priority = bdag_allocate_zeroed(context, plan->tasks, sizeof *graph->priority);
  graph->offset = bdag_allocate_zeroed(context, (uint64_t)plan->tasks + 2, sizeof *graph->offset);
  if (graph->predecessors == NULL || graph->priority == NULL || graph->offset == NULL)
    return BDAG_ERROR_OUT_OF_MEMORY;
  bdag_edges_of edges = {graph, reversed, 0};
  walk_pairs(plan, pairs, reversed, visit_pair, &edges);
  for (uint32_t t = 0; t <= plan->tasks; t++) graph->offset[t + 1] += graph->offset[t];
  graph->successor =
      bdag_allocate_array(context, graph->offset[plan->tasks + 1], sizeof *graph->successor);
  if (graph->successor == NULL) return BDAG_ERROR_OUT_OF_MEMORY;
  edges.filling = 1;
  walk_pairs(plan, pairs, reversed, visit_pair, &edges);
  set_priorities(graph, reversed);
  return BDAG_OK;
}

bdag_status bdag_build_task_graphs(bdag_build *build, bdag_error *error) {
  bdag_plan *plan = build->plan;
  const bdag_context *context = build->context;
  bdag_pairs pairs = {bdag_allocate_array(context, plan->rows, sizeof(uint32_t)),
                      bdag_allocate_array(context, plan->tasks, sizeof(uint32_t))};
  bdag_status status = BDAG_ERROR_OUT_OF_MEMORY;
  if (pairs.task_of_row != NULL && pairs.seen != NULL) {
    for (uint32_t row = 0; row < plan->first_neuron; row++) pairs.task_of_row[row] = BDAG_NO_ROW;
    for (uint32_t t = 0; t < plan->tasks; t++) {
      const bdag_panel *first = &plan->panel[plan->task[t].panel];
      const bdag_panel *last = first + plan->task[t].panels - 1;
      for (uint32_t row = first->row; row < last->row + last->targets; row++)
        pairs.task_of_row[row] = t;
    }
    status = build_graph(build, &pairs, &plan->forward, 0);
    if (status == BDAG_OK) status = build_graph(build, &pairs, &plan->backward, 1);
  }
  bdag_free(context, pairs.task_of_row);
  bdag_free(context, pairs.seen);
  return status == BDAG_OK ? BDAG_OK : bdag_fail_memory(error);
}
