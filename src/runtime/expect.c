/* What a thread asks for before it waits for others: the rows that its part of the next stage begins with, and
 * the lists and weights of the part after that. Behind its own part lists go on with what other threads
 * do: rows asked for there would be taken away from who still writes them. May include plan and below. */
#include "runtime/expect.h"

#include "runtime/step.h"

/* Rows of the part itself that are asked for, as many as the sweep is ahead by. */
#define ROWS_AHEAD 6u
/* Longer streams are found by the processor. */
#define MOST_BYTES (UINT64_C(16) << 10)

static inline uint64_t end_of(bdag_range range) {
  return range.first + range.count;
}

static void prefetch_some(const void *numbers, size_t size, bdag_range range) {
  const uint64_t bytes = range.count * size;
  prefetch_read((const char *)numbers + range.first * size,
                bytes < MOST_BYTES ? bytes : MOST_BYTES);
}

static void prefetch_written(void *numbers, size_t size, bdag_range range) {
  const uint64_t bytes = range.count * size, end = bytes < MOST_BYTES ? bytes : MOST_BYTES;
  for (uint64_t at = 0; at < end; at += 64)
    __builtin_prefetch((char *)numbers + range.first * size + at, 1, 2);
}

static void prefetch_rows(const bdag_engine *engine, const char *rows, const uint32_t *row,
                          uint64_t count) {
  const size_t row_bytes = engine->tile * engine->element;
  for (uint64_t i = 0; i < count; i++)
    for (size_t at = 0; at < row_bytes; at += 64)
      __builtin_prefetch(rows + row[i] * row_bytes + at, 0, 3);
}

/* Rows of the first entries, as many as kernels are ahead by. */
static void prefetch_listed(const bdag_engine *engine, const char *rows, const uint32_t *list,
                            bdag_range entries) {
  prefetch_rows(engine, rows, list + entries.first,
                entries.count < engine->ahead ? entries.count : engine->ahead);
}

/* ---- Forward ------------------------------------------------------------------------------------- */

static bdag_range rows_of(const bdag_plan *plan, uint32_t first, uint32_t end) {
  if (first == end) return (bdag_range){0};
  const bdag_task *task = &plan->forward_task[end - 1];
  const bdag_block *begin = &plan->block[plan->forward_task[first].first];
  const bdag_block *last = &plan->block[task->first + task->count - 1];
  return (bdag_range){begin->row, last->row + last->rows - begin->row};
}

static bdag_range entries_of(const bdag_plan *plan, bdag_range rows) {
  const uint64_t first = plan->list_offset[rows.first];
  return (bdag_range){first, plan->list_offset[end_of(rows)] - first};
}

void bdag_expect_forward(void *argument, const bdag_expected *tasks) {
  const bdag_engine *engine = argument;
  const bdag_plan *plan = engine->plan;
  const bdag_range next = entries_of(plan, rows_of(plan, tasks->first, tasks->end));
  engine->reach[bdag_engine_worker(engine)].entry = end_of(next);
  prefetch_listed(engine, engine->out, plan->list_source, next);
  const bdag_range rows = rows_of(plan, tasks->later, tasks->later_end);
  const bdag_range later = entries_of(plan, rows);
  prefetch_some(plan->list_offset, sizeof *plan->list_offset, rows);
  prefetch_some(plan->list_source, sizeof *plan->list_source, later);
  if (engine->gathered_bytes == 0) prefetch_some(engine->gathered, engine->element, later);
  prefetch_written(engine->out, engine->tile * engine->element, rows);
}

/* ---- Backward ------------------------------------------------------------------------------------ */

/* What consecutive tasks sweep: positions in plan->sweep_row, entries, slots. */
typedef struct bdag_swept {
  bdag_range positions, entries, slots;
} bdag_swept;

static int sweeps(const bdag_plan *plan, uint32_t task) {
  return plan->backward_task[task].kind == BDAG_TASK_ROWS && plan->backward_task[task].count > 0;
}

static bdag_swept swept_by(const bdag_plan *plan, uint32_t first, uint32_t end) {
  while (first < end && !sweeps(plan, first)) first++;
  while (first < end && !sweeps(plan, end - 1)) end--;
  if (first == end) return (bdag_swept){0};
  const bdag_task *task = &plan->backward_task[end - 1];
  const bdag_sweep_group *begin = &plan->sweep[plan->backward_task[first].first];
  const bdag_sweep_group *last = &plan->sweep[task->first + task->count - 1];
  const uint64_t rows = last->first + last->rows - begin->first;
  const uint64_t entry = plan->sweep_offset[begin->first];
  return (bdag_swept){{begin->first, rows},
                      {entry, plan->sweep_offset[begin->first + rows] - entry},
                      {begin->slot, last->slot + last->slots - begin->slot}};
}

void bdag_expect_backward(void *argument, const bdag_expected *tasks) {
  const bdag_engine *engine = argument;
  const bdag_plan *plan = engine->plan;
  const bdag_swept next = swept_by(plan, tasks->first, tasks->end);
  const uint64_t own = next.positions.count < ROWS_AHEAD ? next.positions.count : ROWS_AHEAD;
  bdag_reach *reach = &engine->reach[bdag_engine_worker(engine)];
  reach->entry = end_of(next.entries);
  reach->position = end_of(next.positions);
  prefetch_listed(engine, engine->in_grad, plan->sweep_successor, next.entries);
  prefetch_rows(engine, engine->out, plan->sweep_row + next.positions.first, own);
  const bdag_swept later = swept_by(plan, tasks->later, tasks->later_end);
  prefetch_some(plan->sweep_row, sizeof *plan->sweep_row, later.positions);
  prefetch_some(plan->sweep_offset, sizeof *plan->sweep_offset, later.positions);
  prefetch_some(plan->sweep_successor, sizeof *plan->sweep_successor, later.entries);
  prefetch_some(engine->weights->slots, engine->element, later.slots);
  prefetch_written(engine->gradient, engine->element, later.slots);
}
