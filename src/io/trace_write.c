/* Writes a trace in the trace event format (JSON), which Perfetto and chrome://tracing open.
 * Floor 5: may include base, plan, runtime. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "io/atomic_file.h"
#include "runtime/trace_internal.h"

/* Rows of the picture: passes, then threads. */
enum { ROW_PASSES = 0, ROW_THREADS = 1 };

/* Perfetto draws that many arrows with ease. */
#define MOST_ARROWS 20000u

typedef struct trace_writer {
  const bdag_trace *trace;
  bdag_atomic_file *file;
  uint64_t start;
  int any; /* an event stands before */
} trace_writer;

/* Only whole numbers and our own words are printed: nothing depends on the locale. */
__attribute__((format(printf, 2, 3))) static void put(trace_writer *w, const char *format, ...) {
  char text[640];
  va_list arguments;
  va_start(arguments, format);
  const int length = vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  if (length > 0)
    bdag_atomic_file_write(w->file, text,
                           (size_t)length < sizeof text ? (size_t)length : sizeof text - 1, NULL);
}

static void begin_event(trace_writer *w, char phase, uint32_t row) {
  put(w, "%s{\"ph\":\"%c\",\"pid\":1,\"tid\":%" PRIu32, w->any ? ",\n" : "\n", phase, row);
  w->any = 1;
}

/* Microseconds with three decimals. */
static void put_time(trace_writer *w, const char *name, uint64_t nanoseconds) {
  put(w, ",\"%s\":%" PRIu64 ".%03u", name, nanoseconds / 1000, (unsigned)(nanoseconds % 1000));
}

static void put_row(trace_writer *w, uint32_t row, const char *name) {
  begin_event(w, 'M', row);
  put(w, ",\"name\":\"thread_name\",\"args\":{\"name\":\"%s\"}}", name);
  begin_event(w, 'M', row);
  put(w, ",\"name\":\"thread_sort_index\",\"args\":{\"sort_index\":%" PRIu32 "}}", row);
}

static void put_rows(trace_writer *w) {
  char name[32];
  begin_event(w, 'M', ROW_PASSES);
  put(w, ",\"name\":\"process_name\",\"args\":{\"name\":\"backdag\"}}");
  put_row(w, ROW_PASSES, "passes");
  for (uint32_t t = 0; t < w->trace->lanes; t++) {
    snprintf(name, sizeof name, "thread %" PRIu32, t);
    put_row(w, ROW_THREADS + t, name);
  }
}

static void put_pass(trace_writer *w, const bdag_trace_pass *pass) {
  static const char *const kinds[] = {"forward", "loss", "backward"};
  static const char *const axes[] = {"auto", "tiles", "vertices", "serial", "both"};
  if (pass->end == 0) return; /* it failed */
  begin_event(w, 'X', ROW_PASSES);
  put(w, ",\"cat\":\"pass\",\"name\":\"%s pass of %" PRIu64 " sample%s\"", kinds[pass->kind],
      pass->batch, pass->batch == 1 ? "" : "s");
  put_time(w, "ts", pass->begin - w->start);
  put_time(w, "dur", pass->end - pass->begin);
  put(w, ",\"args\":{\"axis\":\"%s\",\"threads\":%" PRIu32 ",\"tiles\":%" PRIu64 "}}",
      axes[pass->axis], pass->threads, pass->tiles);
}

static void put_record(trace_writer *w, const bdag_trace_record *record) {
  char label[192];
  bdag_trace_task task;
  bdag_trace_label(w->trace, record, label, sizeof label);
  begin_event(w, 'X', ROW_THREADS + record->thread);
  put(w, ",\"cat\":\"%s\",\"name\":\"%s\"", bdag_trace_kind_name(record->kind), label);
  put_time(w, "ts", record->begin - w->start);
  put_time(w, "dur", record->end - record->begin);
  put(w, ",\"args\":{\"pass\":%" PRIu32, record->pass);
  if (record->tiles > 0)
    put(w, ",\"first tile\":%" PRIu64 ",\"tiles\":%" PRIu64, record->first_tile, record->tiles);
  if (record->task != BDAG_NO_TASK && bdag_trace_describe(w->trace, record, &task) == BDAG_OK)
    put(w,
        ",\"task\":%" PRIu32 ",\"vertices\":%" PRIu64 ",\"edges\":%" PRIu64
        ",\"dense panels\":%" PRIu64,
        record->task, task.vertices, task.edges, task.panels);
  put(w, "}}");
}

static void put_records(trace_writer *w) {
  bdag_trace_record record;
  for (uint64_t i = 0; bdag_trace_get_record(w->trace, i, &record) == BDAG_OK; i++)
    put_record(w, &record);
}

/* An arrow begins within the box of the one task and ends at the beginning of the other. */
static void put_arrow(trace_writer *w, uint64_t number, const bdag_release *release) {
  bdag_trace_record from, to;
  if (bdag_trace_get_record(w->trace, release->from, &from) != BDAG_OK ||
      bdag_trace_get_record(w->trace, release->to, &to) != BDAG_OK)
    return;
  begin_event(w, 's', ROW_THREADS + from.thread);
  put(w, ",\"cat\":\"release\",\"name\":\"release\",\"id\":%" PRIu64, number);
  put_time(w, "ts", (from.end > from.begin ? from.end - 1 : from.end) - w->start);
  put(w, "}");
  begin_event(w, 'f', ROW_THREADS + to.thread);
  put(w, ",\"bp\":\"e\",\"cat\":\"release\",\"name\":\"release\",\"id\":%" PRIu64, number);
  put_time(w, "ts", to.begin - w->start);
  put(w, "}");
}

static uint64_t earliest(const bdag_trace *trace) {
  uint64_t start = UINT64_MAX;
  for (uint32_t p = 0; p < trace->passes; p++)
    if (trace->pass[p].begin < start) start = trace->pass[p].begin;
  for (uint32_t t = 0; t < trace->lanes; t++)
    if (trace->lane[t].count > 0 && trace->lane[t].entry[0].begin < start)
      start = trace->lane[t].entry[0].begin;
  return start;
}

static void put_trace(trace_writer *w, const bdag_release *arrows, uint64_t arrow_count) {
  put(w,
      "{\"displayTimeUnit\":\"ns\",\"otherData\":{\"dropped\":\"%" PRIu64 "\"},\"traceEvents\":[",
      bdag_trace_dropped(w->trace));
  put_rows(w);
  for (uint32_t p = 0; p < w->trace->passes; p++) put_pass(w, &w->trace->pass[p]);
  put_records(w);
  for (uint64_t i = 0; i < arrow_count && i < MOST_ARROWS; i++) put_arrow(w, i, &arrows[i]);
  put(w, "\n]}\n");
}

bdag_status bdag_trace_write(const bdag_trace *trace, const char *path, bdag_error *error) {
  if (trace == NULL || path == NULL)
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT, "trace and path must not be NULL");
  trace_writer writer = {.trace = trace, .start = earliest(trace)};
  bdag_release *arrows;
  uint64_t arrow_count = 0;
  if (bdag_trace_find_releases(trace, &arrows, &arrow_count) != BDAG_OK)
    return bdag_fail_memory(error);
  bdag_status status = strcmp(path, "-") == 0
                           ? bdag_atomic_file_open_stdout(&writer.file, trace->context, error)
                           : bdag_atomic_file_open(&writer.file, trace->context, path, error);
  if (status == BDAG_OK) {
    put_trace(&writer, arrows, arrow_count);
    status = bdag_atomic_file_commit(writer.file, error);
  }
  bdag_free(trace->context, arrows);
  return status;
}
