/* Irregular weights in the order in which the forward pass needs them. Slots are in the order of the
 * backward sweep, so that gradients are written in order; a copy by list entry spares the forward pass one
 * scattered access an edge. It is made once for all passes with the same weights, or, where that would take
 * too much memory, task by task. May include plan and below. */
#include <omp.h>

#include "base/memory.h"
#include "runtime/trace_internal.h"

/* Copies of all entries may take that much memory. */
#define MOST_BYTES (UINT64_C(1) << 30)
#define CHUNK      16384u
/* Slots that are written out at once where a plan has them in short, and unions of a thread's turn. */
#define SHORT_CHUNK  2048u
#define SHORT_UNIONS 256u
/* Below that many entries a parallel region costs more than it saves. */
#define PARALLEL_ENTRIES 262144u

typedef struct bdag_entries {
  bdag_range lists, unions; /* entries of plan->list_slot and of plan->union_slot */
} bdag_entries;

static bdag_entries entries_of(const bdag_plan *plan, const bdag_task *task) {
  const bdag_block *first = &plan->block[task->first], *last = first + task->count - 1;
  bdag_entries entries = {.lists.first = plan->list_offset[first->row]};
  entries.lists.count = plan->list_offset[last->row + last->rows] - entries.lists.first;
  for (const bdag_block *block = first; block <= last; block++) {
    if (block->unions == 0) continue;
    const bdag_union *begin = &plan->union_panel[block->first_union];
    const bdag_union *end = begin + block->unions - 1;
    if (entries.unions.count == 0) entries.unions.first = begin->entry;
    entries.unions.count = end->entry + bdag_union_cells(end) - entries.unions.first;
  }
  return entries;
}

static uint64_t listed(const bdag_plan *plan) {
  return plan->list_offset[plan->rows];
}

int bdag_gather_create(bdag_engine *engine) {
  const bdag_plan *plan = engine->plan;
  uint64_t bytes = (listed(plan) + plan->union_entries) * engine->element;
  if (bytes > MOST_BYTES) {
    for (uint32_t t = 0; t < plan->forward_tasks; t++) {
      const bdag_entries entries = entries_of(plan, &plan->forward_task[t]);
      const uint64_t needed = (entries.lists.count + entries.unions.count) * engine->element;
      if (needed > engine->gathered_bytes) engine->gathered_bytes = needed;
    }
    engine->gathered_bytes = (engine->gathered_bytes + 127) / 128 * 128;
    bytes = engine->gathered_bytes * engine->options.threads;
  }
  engine->bytes += bytes;
  engine->gathered = bdag_allocate_zeroed(engine->context, bytes, 1);
  return engine->gathered == NULL ? -1 : 0;
}

static const char *irregular_weights(const bdag_engine *engine) {
  return (const char *)engine->weights->slots + engine->plan->edge_base * engine->element;
}

static void gather_chunks(bdag_engine *engine, const uint32_t *slot, uint64_t count, char *to) {
  const char *weights = irregular_weights(engine);
  const uint64_t chunks = (count + CHUNK - 1) / CHUNK;
  const uint32_t team = count < PARALLEL_ENTRIES ? 1 : engine->pass_threads;
#pragma omp parallel for schedule(static) num_threads(team) if (team > 1)
  for (uint64_t c = 0; c < chunks; c++) {
    const uint64_t first = c * CHUNK, rest = count - first;
    engine->kernels->gather(weights, slot + first, rest < CHUNK ? rest : CHUNK,
                            to + first * engine->element);
  }
}

/* Unions begin … end − 1, whose cells follow each other, of a plan that has their slots in short: in pieces
 * that stay in L1. */
static void gather_short(const bdag_engine *engine, uint32_t begin, uint32_t end, char *to) {
  const char *weights = irregular_weights(engine);
  uint32_t slot[SHORT_CHUNK], used = 0;
  for (uint32_t i = begin; i < end; i++) {
    const bdag_union *part = &engine->plan->union_panel[i];
    for (uint32_t k = 0, sources; k < part->sources; k += sources) {
      if (SHORT_CHUNK - used < part->targets) {
        engine->kernels->gather(weights, slot, used, to);
        to += used * engine->element;
        used = 0;
      }
      const uint32_t room = (SHORT_CHUNK - used) / part->targets;
      sources = part->sources - k < room ? part->sources - k : room;
      used += bdag_plan_union_slots(engine->plan, part, k, sources, slot + used);
    }
  }
  engine->kernels->gather(weights, slot, used, to);
}

static void gather_all_unions(bdag_engine *engine, char *to) {
  const bdag_plan *plan = engine->plan;
  if (plan->union_slot != NULL || plan->unions == 0) {
    gather_chunks(engine, plan->union_slot, plan->union_entries, to);
    return;
  }
  const uint32_t parts = plan->unions / SHORT_UNIONS + 1;
  const uint32_t team = plan->union_entries < PARALLEL_ENTRIES ? 1 : engine->pass_threads;
#pragma omp parallel for schedule(static) num_threads(team) if (team > 1)
  for (uint32_t i = 0; i < parts; i++) {
    const uint64_t begin = (uint64_t)i * SHORT_UNIONS, rest = plan->unions - begin;
    const uint64_t end = rest < SHORT_UNIONS ? plan->unions : begin + SHORT_UNIONS;
    if (rest > 0)
      gather_short(engine, (uint32_t)begin, (uint32_t)end,
                   to + plan->union_panel[begin].entry * engine->element);
  }
}

void bdag_gather_weights(bdag_engine *engine) {
  const bdag_plan *plan = engine->plan;
  if (engine->gathered_bytes > 0 || engine->gathered_version == engine->weights->version) return;
  const uint64_t begin = bdag_trace_begin(engine);
  gather_chunks(engine, plan->list_slot, listed(plan), engine->gathered);
  gather_all_unions(engine, engine->gathered + listed(plan) * engine->element);
  engine->gathered_version = engine->weights->version;
  bdag_trace_end(engine, begin, BDAG_TRACE_PREPARE, BDAG_NO_TASK, 0, 0, 0);
}

bdag_gathered bdag_gather_task(const bdag_engine *engine, const bdag_task *task) {
  const bdag_plan *plan = engine->plan;
  if (engine->gathered_bytes == 0)
    return (bdag_gathered){engine->gathered, engine->gathered + listed(plan) * engine->element, 0,
                           0};
  const bdag_entries entries = entries_of(plan, task);
  char *lists = engine->gathered + bdag_engine_worker(engine) * engine->gathered_bytes;
  char *unions = lists + entries.lists.count * engine->element;
  const char *weights = irregular_weights(engine);
  engine->kernels->gather(weights, plan->list_slot + entries.lists.first, entries.lists.count,
                          lists);
  const bdag_block *first = &plan->block[task->first], *last = first + task->count - 1;
  if (plan->union_slot == NULL)
    gather_short(engine, first->first_union, last->first_union + last->unions, unions);
  else
    engine->kernels->gather(weights, plan->union_slot + entries.unions.first, entries.unions.count,
                            unions);
  return (bdag_gathered){lists, unions, entries.lists.first, entries.unions.first};
}
