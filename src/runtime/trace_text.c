/* What a record of a trace is about, in terms of the network. May include plan and below. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "runtime/trace_internal.h"

const char *bdag_trace_kind_name(bdag_trace_kind kind) {
  static const char *const names[BDAG_TRACE_KINDS] = {
      "load",          "forward", "store", "loss", "backward", "weight gradient",
      "single sample", "prepare", "reduce"};
  return (unsigned)kind < BDAG_TRACE_KINDS ? names[kind] : NULL;
}

static void add_row(const bdag_plan *plan, bdag_trace_task *task, uint32_t row) {
  const uint32_t vertex = plan->vertex_of_row[row], level = plan->level[vertex];
  if (task->vertices++ == 0) {
    task->lowest = task->highest = vertex;
    task->first_level = task->last_level = level;
    return;
  }
  if (vertex < task->lowest) task->lowest = vertex;
  if (vertex > task->highest) task->highest = vertex;
  if (level < task->first_level) task->first_level = level;
  if (level > task->last_level) task->last_level = level;
}

static void add_rows(const bdag_plan *plan, bdag_trace_task *task, uint32_t first, uint32_t count) {
  for (uint32_t row = first; row < first + count; row++) add_row(plan, task, row);
}

static void describe_forward(const bdag_plan *plan, const bdag_task *work, bdag_trace_task *task) {
  for (uint32_t i = work->first; i < work->first + work->count; i++) {
    add_rows(plan, task, plan->block[i].row, plan->block[i].rows);
    task->panels += plan->block[i].panels;
  }
}

static void describe_backward(const bdag_plan *plan, const bdag_task *work, bdag_trace_task *task) {
  for (uint32_t i = work->first; i < work->first + work->count; i++) {
    if (work->kind == BDAG_TASK_PANELS) {
      add_rows(plan, task, plan->panel[i].row, plan->panel[i].targets);
      task->panels++;
    } else {
      for (uint32_t r = 0; !plan->sweep[i].continues && r < plan->sweep[i].rows; r++)
        add_row(plan, task, plan->sweep_row[plan->sweep[i].first + r]);
    }
  }
}

bdag_status bdag_trace_describe(const bdag_trace *trace, const bdag_trace_record *record,
                                bdag_trace_task *task) {
  if (trace == NULL || record == NULL || task == NULL) return BDAG_ERROR_INVALID_ARGUMENT;
  const bdag_plan *plan = trace->plan;
  *task = (bdag_trace_task){0};
  if (record->task == BDAG_NO_TASK) {
    add_rows(plan, task, 0, plan->rows);
    task->edges = plan->edges;
    task->panels = plan->panels;
    return BDAG_OK;
  }
  const int forward = record->kind == BDAG_TRACE_FORWARD;
  if (record->task >= (forward ? plan->forward_tasks : plan->backward_tasks))
    return BDAG_ERROR_UNKNOWN_ID;
  const bdag_task *work =
      forward ? &plan->forward_task[record->task] : &plan->backward_task[record->task];
  task->edges = work->edges;
  if (forward)
    describe_forward(plan, work, task);
  else
    describe_backward(plan, work, task);
  return BDAG_OK;
}

/* ---- Names ---------------------------------------------------------------------------------------- */

/* Appends to text[size], of which `used` bytes are taken; returns how many are then. */
__attribute__((format(printf, 4, 5))) static size_t append(char *text, size_t size, size_t used,
                                                           const char *format, ...) {
  va_list arguments;
  if (used + 1 >= size) return used;
  va_start(arguments, format);
  const int more = vsnprintf(text + used, size - used, format, arguments);
  va_end(arguments);
  if (more < 0) return used;
  return used + (size_t)more < size ? used + (size_t)more : size - 1;
}

static size_t append_range(char *text, size_t size, size_t used, const char *one, uint64_t first,
                           uint64_t last) {
  if (first == last) return append(text, size, used, "%s %" PRIu64, one, first);
  return append(text, size, used, "%ss %" PRIu64 "..%" PRIu64, one, first, last);
}

static size_t append_vertices(char *text, size_t size, size_t used, const bdag_trace_task *task) {
  if (task->vertices == 1) return append(text, size, used, "vertex %u", task->lowest);
  if (task->vertices == (uint64_t)task->highest - task->lowest + 1)
    return append(text, size, used, "vertices %u..%u", task->lowest, task->highest);
  return append(text, size, used, "%" PRIu64 " vertices of %u..%u", task->vertices, task->lowest,
                task->highest);
}

void bdag_trace_label(const bdag_trace *trace, const bdag_trace_record *record, char *text,
                      size_t size) {
  bdag_trace_task task;
  size_t used = 0;
  if (text == NULL || size == 0) return;
  text[0] = '\0';
  if (bdag_trace_describe(trace, record, &task) != BDAG_OK) return;
  used = append(text, size, used, "%s", bdag_trace_kind_name(record->kind));
  if (record->task != BDAG_NO_TASK && task.vertices > 0) {
    used = append(text, size, used, ": ");
    used = append_vertices(text, size, used, &task);
    used = append(text, size, used, ", ");
    used = append_range(text, size, used, "level", task.first_level, task.last_level);
  }
  if (record->tiles == 0) return;
  used = append(text, size, used, record->task == BDAG_NO_TASK ? ": " : ", ");
  append_range(text, size, used, "tile", record->first_tile,
               record->first_tile + record->tiles - 1);
}
