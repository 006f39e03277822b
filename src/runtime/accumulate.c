/* Turns: a counter a section tells how many groups are in its slots of the gradient. A thread that comes too
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
/* Small tasks come together until they have so many bytes, or that share of the room. */
#define SECTION_BYTES (UINT64_C(8) << 10)
#define SECTION_SHARE 4u
/* It looks for its turn after so many bytes of small parts. */
#define SETTLE_BYTES (UINT64_C(32) << 10)
/* Shorter stretches go to and fro between caches, longer ones leave some threads with more to do. */
#define STRETCH_BYTES (UINT64_C(256) << 10)

/* ---- Slots of a task ----------------------------------------------------------------------------- */

static bdag_section section_of_task(const bdag_plan *plan, uint32_t number) {
  const bdag_task *task = &plan->backward_task[number];
  bdag_section section = {.task = number, .tasks = 1};
  if (task->count == 0) return section;
  if (task->kind == BDAG_TASK_PANELS) {
    const bdag_panel *first = &plan->panel[task->first], *last = first + task->count - 1;
    section.first = first->slot;
    section.count = last->slot + (uint64_t)last->sources * last->step - first->slot;
    return section;
  }
  const bdag_sweep_group *first = &plan->sweep[task->first], *last = first + task->count - 1;
  section.first = first->slot;
  section.count = last->slot + last->slots - first->slot;
  section.position = first->first;
  section.biases = task->is_input ? 0 : last->first + last->rows - first->first;
  return section;
}

static size_t bytes_of(const bdag_engine *engine, const bdag_section *section) {
  const size_t bytes = (section->count + section->biases) * engine->element;
  return (bytes + LINE - 1) / LINE * LINE;
}

static int follows(const bdag_section *section, const bdag_section *next) {
  if (section->count == 0 || next->count == 0) return 0;
  if (next->first != section->first + section->count) return 0;
  if (section->biases == 0 || next->biases == 0) return section->biases == next->biases;
  return next->position == section->position + section->biases;
}

void bdag_parts_cut(bdag_engine *engine) {
  const bdag_plan *plan = engine->plan;
  bdag_parts *parts = &engine->parts;
  const size_t share = parts->room / SECTION_SHARE;
  const size_t most = share < SECTION_BYTES ? share : SECTION_BYTES;
  parts->sections = 0;
  for (uint32_t t = 0; t < plan->backward_tasks; t++) {
    const bdag_section next = section_of_task(plan, t);
    bdag_section *last = &parts->section[parts->sections - (parts->sections > 0)];
    if (parts->sections > 0 && follows(last, &next) &&
        bytes_of(engine, last) + bytes_of(engine, &next) <= most) {
      last->tasks++;
      last->count += next.count;
      last->biases += next.biases;
    } else {
      parts->section[parts->sections++] = next;
    }
    parts->section_of[t] = parts->sections - 1;
  }
}

/* ---- Adding -------------------------------------------------------------------------------------- */

static void add_float(float *restrict to, const float *restrict from, uint64_t count) {
  for (uint64_t i = 0; i < count; i++) to[i] += from[i];
}

static void add_double(double *restrict to, const double *restrict from, uint64_t count) {
  for (uint64_t i = 0; i < count; i++) to[i] += from[i];
}

static void add_biases(bdag_engine *engine, uint32_t number, const bdag_gradient *from) {
  const bdag_plan *plan = engine->plan;
  const bdag_task *task = &plan->backward_task[number];
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

static void zero_holes_of(const bdag_engine *engine, uint32_t number) {
  const bdag_plan *plan = engine->plan;
  const bdag_task *task = &plan->backward_task[number];
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
  const bdag_section *section = &part->section;
  const uint32_t end = section->task + section->tasks;
  char *to = engine->gradient + section->first * engine->element;
  if (engine->options.type == BDAG_FLOAT32)
    add_float((float *)to, (const float *)part->to.weights, section->count);
  else
    add_double((double *)to, (const double *)part->to.weights, section->count);
  for (uint32_t t = section->task; section->biases > 0 && t < end; t++)
    add_biases(engine, t, &part->to);
  for (uint32_t t = section->task; is_last(engine, part->turn) && t < end; t++)
    zero_holes_of(engine, t);
  bdag_trace_end(engine, begin, BDAG_TRACE_REDUCE, BDAG_NO_TASK, 0, 0, 0);
}

/* The part is in the gradient: after the last one weights may take a step; others have their turn. */
static void end_turn(bdag_engine *engine, const bdag_part *part) {
  if (engine->descent.wanted && is_last(engine, part->turn)) {
    const bdag_section section =
        engine->parts.apart ? part->section : section_of_task(engine->plan, part->section.task);
    bdag_descend_slots(engine, section.first, section.count, engine->descent.decay);
  }
  /* release: the gradient up to this group, for has_turn */
  if (engine->parts.turns)
    atomic_store_explicit(&engine->parts.turn[part->number], part->turn + 1, memory_order_release);
}

/* ---- Turns --------------------------------------------------------------------------------------- */

/* Who comes later has more to do: it adds, and fetches what another core wrote. So each thread comes first in
 * some stretches. In deterministic mode only the first two groups change, whose sum is the same in either
 * order if each is summed from zero. */
static uint32_t turn_of(const bdag_engine *engine, const bdag_section *section, uint32_t group) {
  const bdag_parts *parts = &engine->parts;
  if (!parts->rotates) return group;
  const int fixed = engine->options.deterministic;
  if (fixed && (group > 1 || engine->accumulate || bytes_of(engine, section) > parts->room))
    return group;
  const uint32_t threads = fixed ? 2 : engine->pass_threads;
  const uint32_t round = group / threads * threads, rest = engine->pass_groups - round;
  const uint32_t at_once = rest < threads ? rest : threads;
  const uint64_t stretch = section->first * engine->element / parts->stretch;
  return round + (uint32_t)((group - round + stretch) % at_once);
}

static int has_turn(const bdag_engine *engine, const bdag_part *part) {
  /* acquire: what the groups before have added, by end_turn */
  return atomic_load_explicit(&engine->parts.turn[part->number], memory_order_acquire) ==
         part->turn;
}

static bdag_part *oldest(const bdag_engine *engine, size_t worker) {
  return &engine->parts.waiting[worker * BDAG_MOST_WAITING + engine->parts.queue[worker].first];
}

/* Adds what has its turn. */
static void settle(bdag_engine *engine, size_t worker) {
  bdag_part_queue *queue = &engine->parts.queue[worker];
  while (queue->count > 0) {
    const bdag_part *part = oldest(engine, worker);
    if (!has_turn(engine, part)) return;
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

static void wait_for_turn(bdag_engine *engine, const bdag_part *part) {
  settle_down_to(engine, bdag_engine_worker(engine), 0);
  for (uint32_t times = 0; !has_turn(engine, part);)
    if (!wait(engine, &times)) return;
}

/* Where a section's gradient goes. */
static void open_part(bdag_engine *engine, bdag_part *part, uint32_t group, size_t worker) {
  const bdag_parts *parts = &engine->parts;
  const bdag_section *section = &part->section;
  part->turn = turn_of(engine, section, group);
  part->to = whole_gradient(engine);
  part->to.is_complete = is_last(engine, part->turn);
  part->accumulate = part->turn > 0 || engine->accumulate;
  part->size = bytes_of(engine, section);
  if (part->turn == 0 || part->size == 0) return;
  if (part->size > parts->room) {
    if (parts->turns) wait_for_turn(engine, part);
    return;
  }
  part->offset = parts->turns ? make_room(engine, worker, part->size) : 0;
  char *bytes = parts->bytes + worker * parts->room + part->offset;
  part->to = (bdag_gradient){.weights = bytes,
                             .first = section->first,
                             .biases = bytes + section->count * engine->element,
                             .first_bias = section->position,
                             .by_position = 1};
  part->accumulate = 0;
}

bdag_part *bdag_part_begin(bdag_engine *engine, uint32_t task, uint32_t group, bdag_part *alone) {
  const bdag_parts *parts = &engine->parts;
  if (!parts->apart) {
    alone->section.task = task;
    alone->turn = group;
    alone->to = whole_gradient(engine);
    alone->to.is_complete = is_last(engine, group);
    alone->accumulate = group > 0 || engine->accumulate;
    return alone;
  }
  const size_t worker = bdag_engine_worker(engine);
  if (!parts->turns) {
    alone->section = section_of_task(engine->plan, task);
    open_part(engine, alone, group, worker);
    return alone;
  }
  bdag_part *part = &parts->queue[worker].open;
  const uint32_t number = parts->section_of[task];
  if (task != parts->section[number].task) return part;
  part->section = parts->section[number];
  part->number = number;
  open_part(engine, part, group, worker);
  return part;
}

/* Behind those that wait already. */
static void let_wait(bdag_engine *engine, const bdag_part *part) {
  bdag_parts *parts = &engine->parts;
  const size_t worker = bdag_engine_worker(engine);
  bdag_part_queue *queue = &parts->queue[worker];
  const uint32_t last = (queue->first + queue->count++) % BDAG_MOST_WAITING;
  parts->waiting[worker * BDAG_MOST_WAITING + last] = *part;
  queue->end = part->offset + part->size;
  if (queue->end >= queue->settled + SETTLE_BYTES || queue->end < queue->settled) {
    settle(engine, worker);
    queue->settled = queue->end;
  }
}

void bdag_part_end(bdag_engine *engine, uint32_t task, const bdag_part *part) {
  const bdag_parts *parts = &engine->parts;
  if (parts->turns && task + 1 < part->section.task + part->section.tasks) return;
  if (part->to.by_position && parts->turns) {
    let_wait(engine, part);
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
  for (uint32_t i = 0; i < parts->sections; i++)
    atomic_store_explicit(&parts->turn[i], 0, memory_order_relaxed);
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
    const bdag_section section = section_of_task(plan, t);
    const size_t bytes = bytes_of(engine, &section);
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
  const uint64_t cut = at_once ? tasks : 0;
  parts->stretch = STRETCH_BYTES;
  parts->room = choose_room(engine, at_once);
  engine->bytes += threads * (parts->room + sizeof *parts->queue) +
                   waiting * sizeof *parts->waiting +
                   cut * (sizeof *parts->section + sizeof *parts->section_of + sizeof *parts->turn);
  parts->bytes = bdag_allocate_touched(context, threads, parts->room, options->threads);
  parts->waiting = bdag_allocate_array(context, waiting, sizeof *parts->waiting);
  parts->queue = bdag_allocate_zeroed(context, threads, sizeof *parts->queue);
  parts->section = bdag_allocate_array(context, cut, sizeof *parts->section);
  parts->section_of = bdag_allocate_array(context, cut, sizeof *parts->section_of);
  parts->turn = bdag_allocate_array(context, cut, sizeof *parts->turn);
  if (parts->bytes == NULL || parts->waiting == NULL || parts->queue == NULL ||
      parts->section == NULL || parts->section_of == NULL || parts->turn == NULL)
    return -1;
  if (at_once) bdag_parts_cut(engine);
  return 0;
}

void bdag_parts_destroy(bdag_engine *engine) {
  bdag_free(engine->context, engine->parts.bytes);
  bdag_free(engine->context, engine->parts.waiting);
  bdag_free(engine->context, engine->parts.queue);
  bdag_free(engine->context, engine->parts.section);
  bdag_free(engine->context, engine->parts.section_of);
  bdag_free(engine->context, engine->parts.turn);
}
