/* Forward tasks: consecutive blocks are put together until a task is worth its scheduling cost; and who
 * waits for whom, in both directions. Tasks are numbered in an order in which they can run, so the
 * graphs are acyclic by construction. May include base and network. */
#include <string.h>

#include "base/costs.h"
#include "plan/build.h"

/* Tasks a thread in a layer: the last ones leave threads waiting. */
#define SHARES 4u
/* So much smaller than worth its cost a task may become where a layer is narrow. */
#define FINEST 128u
/* What a task without edges counts. */
#define LEAST_EDGES 32u

static uint64_t block_edges(const bdag_plan *plan, const bdag_block *block) {
  uint64_t edges = plan->list_offset[block->row + block->rows] - plan->list_offset[block->row];
  for (uint32_t i = 0; i < block->panels; i++)
    edges +=
        (uint64_t)plan->panel[block->panel + i].sources * plan->panel[block->panel + i].targets;
  for (uint32_t i = 0; i < block->unions; i++)
    edges += bdag_union_cells(&plan->union_panel[block->first_union + i]);
  return edges;
}

static uint32_t level_of(const bdag_plan *plan, const bdag_block *block) {
  return plan->level[plan->vertex_of_row[block->row]];
}

/* The end of the blocks of one level from `first` on, which do not depend on each other. */
static uint32_t layer_end(const bdag_plan *plan, uint32_t first, uint64_t *edges) {
  const uint32_t level = level_of(plan, &plan->block[first]);
  uint32_t end = first;
  for (*edges = 0; end < plan->blocks && level_of(plan, &plan->block[end]) == level; end++)
    *edges += block_edges(plan, &plan->block[end]);
  return end;
}

/* Edges a task should have in a layer: the cut that leaves each thread some tasks, but each worth its
 * scheduling cost. */
static uint64_t task_size(const bdag_context *context, uint64_t layer) {
  const uint64_t worth = bdag_costs_task_edges(context), least = worth / FINEST + 1;
  const uint32_t at_once = bdag_context_at_once(context, context->threads);
  const uint64_t threads = at_once > 1 ? at_once : 2;
  const uint64_t share = layer / (SHARES * threads);
  if (share >= least) return share < worth ? share : worth;
  /* few tasks: the same number for each thread, if it can be */
  const uint64_t tasks = layer / least;
  if (tasks < 2) return least;
  return tasks > threads ? layer / (tasks - tasks % threads) + 1 : layer / tasks + 1;
}

/* Each layer has tasks of its own, unless it is worth only one: such layers are chained. */
static int group_blocks(bdag_build *build) {
  bdag_plan *plan = build->plan;
  const int vertex = plan->options.granularity == BDAG_GRANULARITY_VERTEX;
  const uint64_t worth = bdag_costs_task_edges(build->context);
  plan->forward_task =
      bdag_allocate_array(build->context, plan->blocks, sizeof *plan->forward_task);
  if (plan->forward_task == NULL) return -1;
  bdag_task *task = NULL;
  uint64_t layer;
  for (uint32_t i = 0; i < plan->blocks;) {
    const uint32_t end = layer_end(plan, i, &layer);
    const uint64_t size = task_size(build->context, layer);
    const int narrow = layer < 2 * size;
    if (!narrow || (task != NULL && task->edges + layer > worth)) task = NULL;
    for (; i < end; i++) {
      const uint64_t edges = block_edges(plan, &plan->block[i]);
      if (task == NULL || vertex || (!narrow && task->edges + edges / 2 > size)) {
        task = &plan->forward_task[plan->forward_tasks++];
        *task = (bdag_task){.first = i};
      }
      task->count++;
      task->edges += edges;
    }
    if (!narrow) task = NULL;
  }
  return 0;
}

/* ---- Dependencies -------------------------------------------------------------------------------- */

typedef struct bdag_dependency {
  uint32_t from, to;
} bdag_dependency;

typedef struct bdag_walk {
  const bdag_plan *plan;
  const bdag_context *context;
  uint32_t *maker; /* [rows] task that makes a row, BDAG_NO_ROW: none */
  uint32_t *seen;  /* [tasks] last task that this one was seen as predecessor of */
  bdag_dependency *found;
  uint64_t count, capacity;
  bdag_task_graph *graph;
  uint32_t reader;
  int failed;
} bdag_walk;

static void note_read(bdag_walk *walk, uint32_t row) {
  const uint32_t from = walk->maker[row];
  if (from == BDAG_NO_ROW || from == walk->reader || walk->seen[from] == walk->reader) return;
  walk->seen[from] = walk->reader;
  void *array = walk->found;
  if (walk->failed || bdag_grow(walk->context, &array, &walk->capacity, walk->count,
                                walk->count + 1, sizeof *walk->found)) {
    walk->failed = 1;
    return;
  }
  walk->found = array;
  walk->found[walk->count++] = (bdag_dependency){from, walk->reader};
}

/* Successors by task, those of one in ascending order (counting sort). */
static int list_successors(bdag_walk *walk) {
  bdag_task_graph *graph = walk->graph;
  graph->successor = bdag_allocate_array(walk->context, walk->count, sizeof *graph->successor);
  if (graph->successor == NULL) return -1;
  for (uint64_t i = 0; i < walk->count; i++) {
    graph->predecessors[walk->found[i].to]++;
    graph->offset[walk->found[i].from + 2]++;
  }
  for (uint32_t t = 0; t <= graph->count; t++) graph->offset[t + 1] += graph->offset[t];
  for (uint64_t i = 0; i < walk->count; i++)
    graph->successor[graph->offset[walk->found[i].from + 1]++] = walk->found[i].to;
  return 0;
}

static void forward_reads(bdag_walk *walk, const bdag_task *task) {
  const bdag_plan *plan = walk->plan;
  for (uint32_t i = task->first; i < task->first + task->count; i++) {
    const bdag_block *block = &plan->block[i];
    for (uint32_t p = block->panel; p < block->panel + block->panels; p++)
      for (uint32_t k = 0; k < plan->panel[p].sources; k++)
        note_read(walk, plan->source[plan->panel[p].list + k]);
    for (uint32_t p = block->first_union; p < block->first_union + block->unions; p++)
      for (uint32_t k = 0; k < plan->union_panel[p].sources; k++)
        note_read(walk, plan->source[plan->union_panel[p].list + k]);
    for (uint64_t e = plan->list_offset[block->row];
         e < plan->list_offset[block->row + block->rows]; e++)
      note_read(walk, plan->list_source[e]);
  }
}

static void note_rows(bdag_walk *walk, uint32_t first, uint32_t count) {
  for (uint32_t row = first; row < first + count; row++) note_read(walk, row);
}

static void backward_reads(bdag_walk *walk, const bdag_task *task) {
  const bdag_plan *plan = walk->plan;
  if (task->kind == BDAG_TASK_PANELS) {
    for (uint32_t p = task->first; p < task->first + task->count; p++)
      note_rows(walk, plan->panel[p].row, plan->panel[p].targets);
    return;
  }
  for (uint32_t i = task->pull; i < task->pull + task->pulls; i++)
    for (uint32_t t = 0; t < plan->pull[i].terms; t++) {
      const bdag_pull_term *term = &plan->term[plan->pull[i].term + t];
      note_rows(walk, term->successor, term->successors);
    }
  for (uint32_t i = task->first; i < task->first + task->count; i++) {
    const bdag_sweep_group *group = &plan->sweep[i];
    const uint64_t end = plan->sweep_offset[group->first + group->rows];
    for (uint64_t e = plan->sweep_offset[group->first]; e < end; e++)
      note_read(walk, plan->sweep_successor[e]);
  }
}

static void forward_makers(const bdag_plan *plan, uint32_t *maker) {
  for (uint32_t t = 0; t < plan->forward_tasks; t++) {
    const bdag_block *first = &plan->block[plan->forward_task[t].first];
    const bdag_block *last = first + plan->forward_task[t].count - 1;
    for (uint32_t row = first->row; row < last->row + last->rows; row++) maker[row] = t;
  }
}

static void backward_makers(const bdag_plan *plan, uint32_t *maker) {
  for (uint32_t t = 0; t < plan->backward_tasks; t++) {
    const bdag_task *task = &plan->backward_task[t];
    if (task->kind != BDAG_TASK_ROWS) continue;
    for (uint32_t i = task->first; i < task->first + task->count; i++)
      for (uint32_t r = 0; r < plan->sweep[i].rows; r++)
        maker[plan->sweep_row[plan->sweep[i].first + r]] = t;
  }
}

static void set_priorities(bdag_task_graph *graph) {
  for (uint32_t t = graph->count; t-- > 0;) {
    uint32_t longest = 0;
    for (uint64_t s = graph->offset[t]; s < graph->offset[t + 1]; s++)
      if (graph->priority[graph->successor[s]] + 1 > longest)
        longest = graph->priority[graph->successor[s]] + 1;
    graph->priority[t] = longest;
  }
}

/* What can at best be gained by many threads is work / span. */
static int weigh(bdag_task_graph *graph, const bdag_context *context, const bdag_task *tasks) {
  uint64_t *below = bdag_allocate_array(context, graph->count, sizeof *below);
  if (below == NULL) return -1;
  for (uint32_t t = graph->count; t-- > 0;) {
    uint64_t heaviest = 0;
    for (uint64_t s = graph->offset[t]; s < graph->offset[t + 1]; s++)
      if (below[graph->successor[s]] > heaviest) heaviest = below[graph->successor[s]];
    below[t] = heaviest + tasks[t].edges + LEAST_EDGES;
    graph->work += tasks[t].edges + LEAST_EDGES;
    if (below[t] > graph->span) graph->span = below[t];
  }
  bdag_free(context, below);
  return 0;
}

static int build_graph(bdag_walk *walk, const bdag_context *context, const bdag_task *tasks,
                       uint32_t count, void (*reads)(bdag_walk *, const bdag_task *)) {
  bdag_task_graph *graph = walk->graph;
  graph->count = count;
  graph->predecessors = bdag_allocate_zeroed(context, count, sizeof *graph->predecessors);
  graph->priority = bdag_allocate_zeroed(context, count, sizeof *graph->priority);
  graph->offset = bdag_allocate_zeroed(context, (uint64_t)count + 2, sizeof *graph->offset);
  if (graph->predecessors == NULL || graph->priority == NULL || graph->offset == NULL) return -1;
  memset(walk->seen, 0xff, count * sizeof *walk->seen);
  walk->count = 0;
  for (walk->reader = 0; walk->reader < count; walk->reader++) reads(walk, &tasks[walk->reader]);
  if (walk->failed || list_successors(walk)) return -1;
  set_priorities(graph);
  return weigh(graph, context, tasks);
}

bdag_status bdag_build_tasks(bdag_build *build, bdag_error *error) {
  bdag_plan *plan = build->plan;
  const bdag_context *context = build->context;
  int failed = group_blocks(build);
  const uint32_t most =
      plan->forward_tasks > plan->backward_tasks ? plan->forward_tasks : plan->backward_tasks;
  bdag_walk walk = {.plan = plan,
                    .context = context,
                    .maker = bdag_allocate_array(context, plan->rows, sizeof *walk.maker),
                    .seen = bdag_allocate_array(context, most, sizeof *walk.seen)};
  failed = failed || walk.maker == NULL || walk.seen == NULL;
  if (!failed) {
    memset(walk.maker, 0xff, plan->rows * sizeof *walk.maker);
    forward_makers(plan, walk.maker);
    walk.graph = &plan->forward;
    failed = build_graph(&walk, context, plan->forward_task, plan->forward_tasks, forward_reads);
  }
  if (!failed) {
    memset(walk.maker, 0xff, plan->rows * sizeof *walk.maker);
    backward_makers(plan, walk.maker);
    walk.graph = &plan->backward;
    failed = build_graph(&walk, context, plan->backward_task, plan->backward_tasks, backward_reads);
  }
  bdag_free(context, walk.maker);
  bdag_free(context, walk.seen);
  bdag_free(context, walk.found);
  return failed ? bdag_fail_memory(error) : BDAG_OK;
}
