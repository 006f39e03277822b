/* Turns: a counter a task tells how many groups are in its slots of the gradient. A thread that comes too
 * early puts its part behind those that wait already, in a buffer that is used in a circle, and adds it
 * when it sees its turn. The first unfinished group never waits, so that somebody always goes on.
 * May include plan and below. */
#include "runtime/accumulate.h"

#include <sched.h>

#include "base/memory.h"
#include "runtime/touch.h"
#include "runtime/trace_internal.h"

/* Larger tasks have no buffers, so that there never are as many as threads times edges. No property of the
 * machine: it decides sums. */
#define MOST_ROOM (UINT64_C(32) << 20)
/* A thread may be ahead of the one before it by so much. */
#define AHEAD_ROOM (UINT64_C(2) << 20)
#define LINE       64u
/* It looks for its turn after so many bytes of small parts. */
#define SETTLE_BYTES (UINT64_C(32) << 10)
/* Shorter stretches go to and fro between caches, longer ones leave some threads with more to do. */
#define STRETCH_BYTES (UINT64_C(256) << 10)

/* ---- Slots of a task ----------------------------------------------------------------------------- */

typedef struct bdag_extent {
  uint64_t first, count;     /* slots of weights */
  uint64_t position, biases; /* positions in sweep_row of rows with biases, and some between */
} bdag_extent;

static bdag_extent extent_of(const bdag_plan *plan, const bdag_task *task) {
  if (task->count == 0) return (bdag_extent){0};
  if (task->kind == BDAG_TASK_PANELS) {
    const bdag_panel *first = &plan->panel[task->first], *last = first + task->count - 1;
    const uint64_t end = last->slot + (uint64_t)last->sources * last->step;
    return (bdag_extent){.first = first->slot, .count = end - first->slot};
  }
  const bdag_sweep_group *first = &plan->sweep[task->first], *last = first + task->count - 1;
  return (bdag_extent){.first = first->slot,
                       .count = last->slot + last->slots - first->slot,
                       .position = first->first,
                       .biases = task->is_input ? 0 : last->first + last->rows - first->first};
}

static size_t bytes_of(const bdag_engine *engine, const bdag_extent *extent) {
  const size_t bytes = (extent->count + extent->biases) * engine->element;
  return (bytes + LINE - 1) / LINE * LINE;
}

/* ---- Adding -------------------------------------------------------------------------------------- */

static void add_float(float *restrict to, const float *restrict from, uint64_t count) {
  for (uint64_t i = 0; i < count; i++) to[i] += from[i];
}

static void add_double(double *restrict to, const double *restrict from, uint64_t count) {
  for (uint64_t i = 0; i < count; i++) to[i] += from[i];
}

static void add_biases(bdag_engine *engine, const bdag_task *task, const bdag_gradient *from) {
  const bdag_plan *plan = engine->plan;
  char *biases = engine->gradient + plan->bias_slot * engine->element;
  for (uint32_t i = task->first; i < task->first + task->count; i++) {
    const bdag_sweep_group *group = &plan->sweep[i];
    if (group->continues) continue;
    for (uint64_t p = group->first; p < group->first + group->rows; p++) {
      const uint32_t row = plan->sweep_row[p] - plan->first_neuron;
      if (engine->options.type == BDAG_FLOAT32)
        ((float *)biases)[row] += ((const float *)from->biases)[p - from->first_bias];
      else
        ((double *)biases)[row] += ((const double *)from->biases)[p - from->first_bias];
    }
  }
}

void bdag_zero_holes(const bdag_engine *engine, uint64_t hole, uint32_t holes) {
  const uint32_t *slot = engine->plan->hole + hole;
  if (engine->options.type == BDAG_FLOAT32)
    for (uint32_t i = 0; i < holes; i++) ((float *)engine->gradient)[slot[i]] = 0;
  else
    for (uint32_t i = 0; i < holes; i++) ((double *)engine->gradient)[slot[i]] = 0;
}

static void zero_holes_of(const bdag_engine *engine, const bdag_task *task) {
  const bdag_plan *plan = engine->plan;
  for (uint32_t i = task->first; i < task->first + task->count; i++) {
    if (task->kind == BDAG_TASK_PANELS) {
      bdag_zero_holes(engine, plan->panel[i].hole, plan->panel[i].holes);
      continue;
    }
    const bdag_sweep_group *group = &plan->sweep[i];
    for (uint32_t b = group->bundle; b < group->bundle + group->bundles; b++)
      bdag_zero_holes(engine, plan->bundle[b].hole, plan->bundle[b].holes);
  }
}

static int is_last(const bdag_engine *engine, uint32_t turn) {
  return turn + 1 == engine->pass_groups;
}

static void add_part(bdag_engine *engine, const bdag_part *part) {
  const uint64_t begin = bdag_trace_begin(engine);
  const bdag_task *task = &engine->plan->backward_task[part->task];
  const bdag_extent extent = extent_of(engine->plan, task);
  char *to = engine->gradient + extent.first * engine->element;
  if (engine->options.type == BDAG_FLOAT32)
    add_float((float *)to, (const float *)part->to.weights, extent.count);
  else
    add_double((double *)to, (const double *)part->to.weights, extent.count);
  if (extent.biases > 0) add_biases(engine, task, &part->to);
  if (is_last(engine, part->turn)) zero_holes_of(engine, task);
  bdag_trace_end(engine, begin, BDAG_TRACE_REDUCE, BDAG_NO_TASK, 0, 0, 0);
}

/* The part is in the gradient: after the last one weights may take a step; others have their turn. */
static void end_turn(bdag_engine *engine, const bdag_part *part) {
  if (engine->descent.wanted && is_last(engine, part->turn)) {
    const bdag_extent extent = extent_of(engine->plan, &engine->plan->backward_task[part->task]);
    bdag_descend_slots(engine, extent.first, extent.count, engine->descent.decay);
  }
  /* release: the gradient up to this group, for has_turn */
  if (engine->parts.turns)
    atomic_store_explicit(&engine->parts.turn[part->task], part->turn + 1, memory_order_release);
}

/* ---- Turns --------------------------------------------------------------------------------------- */

/* Who comes later has more to do: it adds, and fetches what another core wrote. So each thread comes first in
 * some stretches. In deterministic mode only the first two groups change, whose sum is the same in either
 * order if each is summed from zero. */
static uint32_t turn_of(const bdag_engine *engine, const bdag_extent *extent, uint32_t group) {
  const bdag_parts *parts = &engine->parts;
  if (!parts->rotates) return group;
  const int fixed = engine->options.deterministic;
  if (fixed && (group > 1 || engine->accumulate || bytes_of(engine, extent) > parts->room))
    return group;
  const uint32_t threads = fixed ? 2 : engine->pass_threads;
  const uint32_t round = group / threads * threads, rest = engine->pass_groups - round;
  const uint32_t at_once = rest < threads ? rest : threads;
  const uint64_t stretch = extent->first * engine->element / parts->stretch;
  return round + (uint32_t)((group - round + stretch) % at_once);
}

static int has_turn(const bdag_engine *engine, uint32_t task, uint32_t turn) {
  /* acquire: what the groups before have added, by end_turn */
  return atomic_load_explicit(&engine->parts.turn[task], memory_order_acquire) == turn;
}

static bdag_part *oldest(const bdag_engine *engine, size_t worker) {
  return &engine->parts.waiting[worker * BDAG_MOST_WAITING + engine->parts.queue[worker].first];
}

/* Adds what has its turn. */
static void settle(bdag_engine *engine, size_t worker) {
  bdag_part_queue *queue = &engine->parts.queue[worker];
  while (queue->count > 0) {
    const bdag_part *part = oldest(engine, worker);
    if (!has_turn(engine, part->task, part->turn)) return;
    add_part(engine, part);
    end_turn(engine, part);
    queue->first = (queue->first + 1) % BDAG_MOST_WAITING;
    queue->count--;
  }
}

/* For threads before this one. Returns 0 once the pass has failed. */
static int wait(bdag_engine *engine, uint32_t *times) {
  if (bdag_engine_failed(engine)) return 0;
  if ((*times)++ < engine->patience)
    bdag_relax();
  else
    sched_yield();
  return 1;
}

/* Adds what waits down to `count` parts. */
static void settle_down_to(bdag_engine *engine, size_t worker, uint32_t count) {
  bdag_part_queue *queue = &engine->parts.queue[worker];
  uint32_t times = 0;
  for (settle(engine, worker); queue->count > count; settle(engine, worker))
    if (!wait(engine, &times)) queue->count = 0;
}

/* Where a part of that size fits behind those that wait, SIZE_MAX: nowhere yet. */
static size_t place(const bdag_engine *engine, size_t worker, size_t size) {
  const bdag_part_queue *queue = &engine->parts.queue[worker];
  if (queue->count == 0) return 0;
  if (queue->count == BDAG_MOST_WAITING) return SIZE_MAX;
  const size_t begin = oldest(engine, worker)->offset, end = queue->end;
  if (end > begin) {
    if (end + size <= engine->parts.room) return end;
    return size <= begin ? 0 : SIZE_MAX;
  }
  return end + size <= begin ? end : SIZE_MAX;
}

static size_t make_room(bdag_engine *engine, size_t worker, size_t size) {
  for (;;) {
    const size_t offset = place(engine, worker, size);
    if (offset != SIZE_MAX) return offset;
    settle_down_to(engine, worker, engine->parts.queue[worker].count - 1);
  }
}

/* ---- Passes -------------------------------------------------------------------------------------- */

static bdag_gradient whole_gradient(const bdag_engine *engine) {
  return (bdag_gradient){.weights = engine->gradient,
                         .biases = engine->gradient + engine->plan->bias_slot * engine->element};
}

static void wait_for_turn(bdag_engine *engine, uint32_t task, uint32_t turn) {
  settle_down_to(engine, bdag_engine_worker(engine), 0);
  for (uint32_t times = 0; !has_turn(engine, task, turn);)
    if (!wait(engine, &times)) return;
}

bdag_part bdag_part_begin(bdag_engine *engine, uint32_t task, uint32_t group) {
  const bdag_parts *parts = &engine->parts;
  bdag_part part = {.task = task,
                    .turn = group,
                    .to = whole_gradient(engine),
                    .accumulate = group > 0 || engine->accumulate};
  part.to.is_complete = is_last(engine, part.turn);
  if (!parts->apart) return part;
  const bdag_extent extent = extent_of(engine->plan, &engine->plan->backward_task[task]);
  const uint32_t turn = part.turn = turn_of(engine, &extent, group);
  part.accumulate = turn > 0 || engine->accumulate;
  part.to.is_complete = is_last(engine, turn);
  if (turn == 0) return part;
  const size_t size = bytes_of(engine, &extent), worker = bdag_engine_worker(engine);
  if (size == 0) return part;
  if (size > parts->room) {
    if (parts->turns) wait_for_turn(engine, task, turn);
    return part;
  }
  part.size = size;
  part.offset = parts->turns ? make_room(engine, worker, size) : 0;
  char *bytes = parts->bytes + worker * parts->room + part.offset;
  part.to = (bdag_gradient){.weights = bytes,
                            .first = extent.first,
                            .biases = bytes + extent.count * engine->element,
                            .first_bias = extent.position,
                            .by_position = 1};
  part.accumulate = 0;
  return part;
}

void bdag_part_end(bdag_engine *engine, const bdag_part *part) {
  bdag_parts *parts = &engine->parts;
  if (part->to.by_position && parts->turns) {
    const size_t worker = bdag_engine_worker(engine);
    bdag_part_queue *queue = &parts->queue[worker];
    const uint32_t last = (queue->first + queue->count++) % BDAG_MOST_WAITING;
    parts->waiting[worker * BDAG_MOST_WAITING + last] = *part;
    queue->end = part->offset + part->size;
    if (queue->end >= queue->settled + SETTLE_BYTES || queue->end < queue->settled) {
      settle(engine, worker);
      queue->settled = queue->end;
    }
    return;
  }
  if (part->to.by_position) add_part(engine, part);
  end_turn(engine, part);
}

void bdag_parts_finish(bdag_engine *engine) {
  if (engine->parts.turns) settle_down_to(engine, bdag_engine_worker(engine), 0);
}

void bdag_parts_prepare(bdag_engine *engine, int at_once) {
  bdag_parts *parts = &engine->parts;
  parts->turns = at_once && engine->pass_groups > 1;
  parts->rotates = parts->turns;
  parts->apart = engine->pass_groups > 1 && (at_once || engine->options.deterministic);
  if (!parts->turns) return;
  for (uint32_t t = 0; t < engine->plan->backward_tasks; t++)
    atomic_store_explicit(&parts->turn[t], 0, memory_order_relaxed);
  for (uint32_t t = 0; t < engine->options.threads; t++) {
    parts->queue[t].count = 0;
    parts->queue[t].settled = 0;
  }
}

/* ---- Memory -------------------------------------------------------------------------------------- */

static size_t choose_room(const bdag_engine *engine, int at_once) {
  const bdag_plan *plan = engine->plan;
  size_t largest = 0, all = 0;
  for (uint32_t t = 0; t < plan->backward_tasks; t++) {
    const bdag_extent extent = extent_of(plan, &plan->backward_task[t]);
    const size_t bytes = bytes_of(engine, &extent);
    if (bytes <= MOST_ROOM && bytes > largest) largest = bytes;
    all += bytes;
  }
  if (!at_once || largest >= AHEAD_ROOM) return largest;
  return all < AHEAD_ROOM ? all : AHEAD_ROOM;
}

int bdag_parts_create(bdag_engine *engine) {
  const bdag_engine_options *options = &engine->options;
  bdag_parts *parts = &engine->parts;
  const int at_once =
      options->threads > 1 && (options->axis == BDAG_AXIS_AUTO || options->axis == BDAG_AXIS_TILES);
  if (engine->tiles < 2 || (!at_once && !options->deterministic)) return 0;
  const bdag_context *context = engine->context;
  const uint64_t threads = options->threads, tasks = engine->plan->backward_tasks;
  const uint64_t waiting = at_once ? threads * BDAG_MOST_WAITING : 0;
  parts->stretch = STRETCH_BYTES;
  parts->room = choose_room(engine, at_once);
  engine->bytes += threads * (parts->room + sizeof *parts->queue) +
                   waiting * sizeof *parts->waiting + tasks * sizeof *parts->turn;
  parts->bytes = bdag_allocate_touched(context, threads, parts->room, options->threads);
  parts->waiting = bdag_allocate_array(context, waiting, sizeof *parts->waiting);
  parts->queue = bdag_allocate_zeroed(context, threads, sizeof *parts->queue);
  parts->turn = bdag_allocate_array(context, tasks, sizeof *parts->turn);
  return parts->bytes == NULL || parts->waiting == NULL || parts->queue == NULL ||
                 parts->turn == NULL
             ? -1
             : 0;
}

void bdag_parts_destroy(bdag_engine *engine) {
  bdag_free(engine->context, engine->parts.bytes);
  bdag_free(engine->context, engine->parts.waiting);
  bdag_free(engine->context, engine->parts.queue);
  bdag_free(engine->context, engine->parts.turn);
}
