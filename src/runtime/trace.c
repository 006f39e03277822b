/* Traces: lanes of records, one a thread, made beforehand. May include plan and below. */
#include "runtime/trace_internal.h"

#include <time.h>

#include "base/error.h"
#include "base/memory.h"

#define MOST_BYTES   (UINT64_C(256) << 20)
#define USUAL_PASSES 4u

uint64_t bdag_trace_clock(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- Recording ----------------------------------------------------------------------------------- */

void bdag_trace_put(bdag_trace *trace, uint32_t thread, const bdag_trace_entry *entry) {
  bdag_trace_lane *lane = &trace->lane[thread];
  if (!trace->recording || lane->count == trace->capacity) {
    lane->dropped++;
    return;
  }
  lane->entry[lane->count] = *entry;
  lane->entry[lane->count++].pass = trace->passes - 1;
}

void bdag_trace_note(const bdag_engine *engine, uint64_t begin, bdag_trace_kind kind, uint32_t task,
                     uint64_t first_tile, uint64_t tiles, uint32_t group) {
  const bdag_plan *plan = engine->plan;
  if (kind == BDAG_TRACE_BACKWARD && plan->backward_task[task].kind == BDAG_TASK_PANELS)
    kind = BDAG_TRACE_WEIGHT_GRAD;
  const bdag_trace_entry entry = {.begin = begin,
                                  .end = bdag_trace_clock(),
                                  .task = task,
                                  .first_tile = (uint32_t)first_tile,
                                  .tiles = (uint32_t)tiles,
                                  .group = group,
                                  .kind = kind};
  bdag_trace_put(engine->trace, (uint32_t)bdag_engine_worker(engine), &entry);
}

void bdag_trace_note_pass(bdag_engine *engine, bdag_pass_kind kind, bdag_axis axis) {
  bdag_trace *trace = engine->trace;
  trace->recording = trace->passes < BDAG_TRACE_PASSES;
  if (!trace->recording) {
    trace->dropped_passes++;
    return;
  }
  trace->pass[trace->passes++] = (bdag_trace_pass){.kind = kind,
                                                   .axis = axis,
                                                   .threads = engine->pass_threads,
                                                   .batch = engine->batch,
                                                   .tiles = engine->batch_tiles,
                                                   .begin = bdag_trace_clock()};
}

void bdag_trace_note_end(bdag_engine *engine) {
  bdag_trace *trace = engine->trace;
  if (trace->recording && !bdag_engine_failed(engine))
    trace->pass[trace->passes - 1].end = bdag_trace_clock();
  trace->recording = 0;
}

void bdag_trace_forget(bdag_engine *engine) {
  if (engine->attached != NULL) engine->attached->engine = NULL;
  engine->attached = engine->trace = NULL;
}

/* ---- Traces --------------------------------------------------------------------------------------- */

/* Records of one thread that does all of some passes. */
static uint64_t usual_records(const bdag_engine *engine) {
  const bdag_plan *plan = engine->plan;
  const uint64_t tasks = (uint64_t)plan->forward_tasks + 2 * (uint64_t)plan->backward_tasks;
  const uint64_t reduced = plan->network_parameters / 8192 + 4;
  const uint64_t most = MOST_BYTES / engine->options.threads / sizeof(bdag_trace_entry);
  if (engine->tiles > most / (tasks + 5)) return most;
  const uint64_t wanted = USUAL_PASSES * (engine->tiles * (tasks + 5) + reduced);
  return wanted < most ? wanted : most;
}

bdag_status bdag_trace_create(bdag_trace **trace, bdag_engine *engine,
                              const bdag_trace_options *options, bdag_error *error) {
  static const bdag_trace_options defaults = BDAG_TRACE_OPTIONS_INIT;
  if (trace == NULL || engine == NULL)
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT, "trace and engine must not be NULL");
  *trace = NULL;
  if (options == NULL) options = &defaults;
  if (options->size != sizeof *options)
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT,
                     "trace options have size %zu, expected %zu; use BDAG_TRACE_OPTIONS_INIT",
                     options->size, sizeof *options);
  if (engine->attached != NULL)
    return bdag_fail(error, BDAG_ERROR_BUSY, "the engine has a trace; destroy that one first");
  const uint32_t lanes = engine->options.threads;
  const uint64_t capacity = options->records != 0 ? options->records : usual_records(engine);
  if (capacity > SIZE_MAX / 2 / sizeof(bdag_trace_entry) / lanes)
    return bdag_fail(error, BDAG_ERROR_LIMIT, "%llu records for each of %u threads are too many",
                     (unsigned long long)capacity, lanes);
  const bdag_context *context = engine->context;
  bdag_trace *made = bdag_allocate_zeroed(context, 1, sizeof *made);
  if (made == NULL) return bdag_fail_memory(error);
  made->context = context;
  made->plan = bdag_plan_retain(engine->plan);
  made->deterministic = engine->options.deterministic;
  made->lanes = lanes;
  made->capacity = capacity;
  made->lane = bdag_allocate_zeroed(context, lanes, sizeof *made->lane);
  made->entries = bdag_allocate_array(context, capacity * lanes, sizeof *made->entries);
  made->pass = bdag_allocate_array(context, BDAG_TRACE_PASSES, sizeof *made->pass);
  if (made->lane == NULL || made->entries == NULL || made->pass == NULL) {
    bdag_trace_destroy(made);
    return bdag_fail(error, BDAG_ERROR_OUT_OF_MEMORY,
                     "no memory for %llu records for each of %u threads; ask for fewer",
                     (unsigned long long)capacity, lanes);
  }
  for (uint32_t t = 0; t < lanes; t++) made->lane[t].entry = made->entries + t * capacity;
  made->engine = engine;
  engine->attached = made;
  bdag_trace_enable(made, 1);
  *trace = made;
  return BDAG_OK;
}

void bdag_trace_destroy(bdag_trace *trace) {
  if (trace == NULL) return;
  if (trace->engine != NULL) bdag_trace_forget(trace->engine);
  const bdag_context *context = trace->context;
  bdag_plan_release(trace->plan);
  bdag_free(context, trace->lane);
  bdag_free(context, trace->entries);
  bdag_free(context, trace->pass);
  bdag_free(context, trace);
}

void bdag_trace_enable(bdag_trace *trace, int enabled) {
  if (trace != NULL && trace->engine != NULL) trace->engine->trace = enabled ? trace : NULL;
}

void bdag_trace_clear(bdag_trace *trace) {
  if (trace == NULL) return;
  for (uint32_t t = 0; t < trace->lanes; t++) trace->lane[t].count = trace->lane[t].dropped = 0;
  trace->passes = 0;
  trace->dropped_passes = 0;
  trace->recording = 0;
}

/* ---- Looking -------------------------------------------------------------------------------------- */

uint64_t bdag_trace_pass_count(const bdag_trace *trace) {
  return trace->passes;
}

uint64_t bdag_trace_record_count(const bdag_trace *trace) {
  uint64_t count = 0;
  for (uint32_t t = 0; t < trace->lanes; t++) count += trace->lane[t].count;
  return count;
}

uint64_t bdag_trace_dropped(const bdag_trace *trace) {
  uint64_t dropped = trace->dropped_passes;
  for (uint32_t t = 0; t < trace->lanes; t++) dropped += trace->lane[t].dropped;
  return dropped;
}

bdag_status bdag_trace_get_pass(const bdag_trace *trace, uint64_t index, bdag_trace_pass *pass) {
  if (trace == NULL || pass == NULL) return BDAG_ERROR_INVALID_ARGUMENT;
  if (index >= trace->passes) return BDAG_ERROR_UNKNOWN_ID;
  *pass = trace->pass[index];
  return BDAG_OK;
}

bdag_status bdag_trace_get_record(const bdag_trace *trace, uint64_t index,
                                  bdag_trace_record *record) {
  if (trace == NULL || record == NULL) return BDAG_ERROR_INVALID_ARGUMENT;
  uint32_t thread = 0;
  while (thread < trace->lanes && index >= trace->lane[thread].count)
    index -= trace->lane[thread++].count;
  if (thread == trace->lanes) return BDAG_ERROR_UNKNOWN_ID;
  const bdag_trace_entry *entry = &trace->lane[thread].entry[index];
  *record = (bdag_trace_record){.kind = (bdag_trace_kind)entry->kind,
                                .pass = entry->pass,
                                .thread = thread,
                                .task = entry->task,
                                .first_tile = entry->first_tile,
                                .tiles = entry->tiles,
                                .group = entry->group,
                                .begin = entry->begin,
                                .end = entry->end};
  return BDAG_OK;
}
