/* What a trace records: every task of a pass exactly once, whatever the axis and the number of threads. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "trace_fixture.h"

/* ---- Completeness ---------------------------------------------------------------------------------- */

/* Counts records of a kind by task and tile of one pass. */
static void count_cells(const bdag_trace *trace, uint32_t pass, bdag_trace_kind kind,
                        uint64_t tiles, uint32_t *cells) {
  bdag_trace_record record;
  for (uint64_t i = 0; bdag_trace_get_record(trace, i, &record) == BDAG_OK; i++) {
    const uint64_t row = record.task == BDAG_NO_TASK ? 0 : record.task;
    if (record.pass != pass || record.kind != kind) continue;
    cr_assert_leq(record.first_tile + record.tiles, tiles);
    for (uint64_t t = 0; t < record.tiles; t++) cells[row * tiles + record.first_tile + t]++;
  }
}

static void check_cells(const bdag_trace *trace, uint32_t pass, bdag_trace_kind kind,
                        bdag_trace_kind other, uint64_t rows, uint32_t expected) {
  bdag_trace_pass info;
  cr_assert_eq(bdag_trace_get_pass(trace, pass, &info), BDAG_OK);
  uint32_t *cells = calloc(rows * info.tiles, sizeof *cells);
  count_cells(trace, pass, kind, info.tiles, cells);
  if (other != kind) count_cells(trace, pass, other, info.tiles, cells);
  for (uint64_t i = 0; i < rows * info.tiles; i++)
    cr_assert_eq(cells[i], expected, "pass %u kind %d: cell %llu of %llu seen %u times", pass,
                 (int)kind, (unsigned long long)i, (unsigned long long)info.tiles, cells[i]);
  free(cells);
}

static void check_times(const bdag_trace *trace) {
  bdag_trace_record record, before = {.thread = UINT32_MAX};
  bdag_trace_pass pass;
  for (uint64_t i = 0; bdag_trace_get_record(trace, i, &record) == BDAG_OK; i++) {
    cr_assert_eq(bdag_trace_get_pass(trace, record.pass, &pass), BDAG_OK);
    cr_assert(pass.begin <= record.begin && record.begin <= record.end && record.end <= pass.end);
    cr_assert_lt(record.thread, pass.threads);
    if (before.thread == record.thread) cr_assert_leq(before.end, record.begin);
    before = record;
  }
}

static void check_step(const trace_fixture *f, uint32_t first) {
  const bdag_trace *trace = f->trace;
  const bdag_plan *plan = f->plan;
  check_cells(trace, first, BDAG_TRACE_LOAD, BDAG_TRACE_LOAD, 1, 1);
  check_cells(trace, first, BDAG_TRACE_FORWARD, BDAG_TRACE_FORWARD, plan->forward_tasks, 1);
  check_cells(trace, first, BDAG_TRACE_STORE, BDAG_TRACE_STORE, 1, 1);
  check_cells(trace, first + 1, BDAG_TRACE_LOSS, BDAG_TRACE_LOSS, 1, 2); /* targets, then losses */
  check_cells(trace, first + 1, BDAG_TRACE_BACKWARD, BDAG_TRACE_WEIGHT_GRAD, plan->backward_tasks,
              1);
}

Test(trace, each_task_once) {
  for (uint32_t threads = 1; threads <= 4; threads *= 2)
    for (int axis = BDAG_AXIS_AUTO; axis <= BDAG_AXIS_BOTH; axis++)
      for (int deterministic = 0; deterministic < 2; deterministic++)
        for (int granularity = 0; granularity < 2; granularity++)
          for (uint64_t batch = 7; batch < 1000; batch = batch * 10 + 1) {
            const trace_wish wish = {.threads = threads,
                                     .axis = (bdag_axis)axis,
                                     .batch = batch,
                                     .deterministic = deterministic,
                                     .granularity = (bdag_granularity)granularity};
            trace_fixture f;
            double loss;
            fixture_random(&f, &wish);
            for (uint32_t step = 0; step < 2; step++)
              cr_assert_eq(fixture_step(&f, &loss), BDAG_OK);
            cr_assert_eq(bdag_trace_pass_count(f.trace), 4);
            cr_assert_eq(bdag_trace_dropped(f.trace), 0);
            check_step(&f, 0);
            check_step(&f, 2);
            check_times(f.trace);
            fixture_release(&f);
          }
}

/* Where the plan has dense panels, their weight gradients are tasks of their own. */
Test(trace, kinds) {
  const trace_wish wish = {.threads = 1, .axis = BDAG_AXIS_SERIAL, .batch = 100};
  trace_fixture f;
  bdag_trace_record record;
  double loss;
  uint64_t dense = 0;
  fixture_dense(&f, &wish);
  cr_assert_eq(fixture_step(&f, &loss), BDAG_OK);
  for (uint64_t i = 0; bdag_trace_get_record(f.trace, i, &record) == BDAG_OK; i++) {
    if (record.pass == 0 || record.task == BDAG_NO_TASK) continue;
    const int panels = f.plan->backward_task[record.task].kind == BDAG_TASK_PANELS;
    cr_assert_eq(record.kind, panels ? BDAG_TRACE_WEIGHT_GRAD : BDAG_TRACE_BACKWARD);
    dense += panels;
  }
  cr_assert_gt(dense, 0);
  fixture_release(&f);
}

/* Slots that a backward task adds to. */
static int has_gradients(const bdag_plan *plan, const bdag_task *task) {
  uint64_t slots = 0;
  if (task->kind == BDAG_TASK_PANELS) return 1;
  for (uint32_t i = task->first; i < task->first + task->count; i++) slots += plan->sweep[i].slots;
  return slots > 0 || !task->is_input;
}

Test(trace, buffers_are_added_task_by_task) {
  const trace_wish wish = {.threads = 2, .axis = BDAG_AXIS_TILES, .batch = 300};
  trace_fixture f;
  bdag_trace_record record;
  double loss;
  uint64_t pieces = 0, expected = 0;
  fixture_dense(&f, &wish);
  bdag_engine_info info = {.size = sizeof info};
  cr_assert_eq(bdag_engine_describe(f.engine, &info), BDAG_OK);
  cr_assert_eq(info.groups, 2);
  cr_assert_eq(fixture_step(&f, &loss), BDAG_OK);
  for (uint64_t i = 0; bdag_trace_get_record(f.trace, i, &record) == BDAG_OK; i++) {
    if (record.kind != BDAG_TRACE_REDUCE) continue;
    cr_assert_eq(record.pass, 1);
    pieces++;
  }
  for (uint32_t t = 0; t < f.plan->backward_tasks; t++)
    expected += (uint64_t)has_gradients(f.plan, &f.plan->backward_task[t]);
  cr_assert_gt(expected, 1);
  cr_assert_eq(pieces, expected);
  fixture_release(&f);
}

Test(trace, passes_are_described) {
  const trace_wish wish = {.threads = 2, .axis = BDAG_AXIS_TILES, .batch = 300};
  trace_fixture f;
  bdag_trace_pass pass;
  double loss;
  fixture_random(&f, &wish);
  cr_assert_eq(fixture_step(&f, &loss), BDAG_OK);
  cr_assert_eq(bdag_loss(f.engine, f.targets, NULL, &loss), BDAG_OK);
  for (uint32_t i = 0; i < 3; i++) {
    static const bdag_pass_kind kinds[] = {BDAG_PASS_FORWARD, BDAG_PASS_BACKWARD, BDAG_PASS_LOSS};
    cr_assert_eq(bdag_trace_get_pass(f.trace, i, &pass), BDAG_OK);
    cr_assert_eq(pass.kind, kinds[i]);
    cr_assert_eq(pass.axis, BDAG_AXIS_TILES);
    cr_assert_eq(pass.threads, 2);
    cr_assert_eq(pass.batch, 300);
    cr_assert_eq(pass.tiles, (300 + bdag_engine_tile(f.engine) - 1) / bdag_engine_tile(f.engine));
    cr_assert_gt(pass.end, pass.begin);
  }
  cr_assert_eq(bdag_trace_get_pass(f.trace, 3, &pass), BDAG_ERROR_UNKNOWN_ID);
  fixture_release(&f);
}

Test(trace, one_sample) {
  const trace_wish wish = {.threads = 2, .batch = 1};
  trace_fixture f;
  bdag_trace_record record;
  fixture_random(&f, &wish);
  cr_assert_eq(bdag_forward(f.engine, f.weights, 1, f.x, f.y), BDAG_OK);
  uint64_t single = 0;
  for (uint64_t i = 0; bdag_trace_get_record(f.trace, i, &record) == BDAG_OK; i++)
    single += record.kind == BDAG_TRACE_SINGLE;
  cr_assert_eq(single, 1);
  fixture_release(&f);
}

/* ---- Room ------------------------------------------------------------------------------------------ */

static uint64_t records_of_step(uint64_t room, uint64_t *dropped) {
  const trace_wish wish = {.threads = 1, .axis = BDAG_AXIS_SERIAL, .batch = 500, .records = room};
  trace_fixture f;
  double loss;
  fixture_random(&f, &wish);
  cr_assert_eq(fixture_step(&f, &loss), BDAG_OK);
  const uint64_t count = bdag_trace_record_count(f.trace);
  *dropped = bdag_trace_dropped(f.trace);
  fixture_release(&f);
  return count;
}

Test(trace, dropped_records_are_counted) {
  uint64_t dropped;
  const uint64_t all = records_of_step(100000, &dropped);
  cr_assert_eq(dropped, 0);
  cr_assert_gt(all, 20);
  for (uint64_t room = 1; room < 20; room += 6) {
    cr_assert_eq(records_of_step(room, &dropped), room);
    cr_assert_eq(dropped, all - room);
  }
  cr_assert_eq(records_of_step(all, &dropped), all);
  cr_assert_eq(dropped, 0);
}

Test(trace, passes_without_room_are_counted) {
  const trace_wish wish = {.threads = 1, .batch = 1, .records = 1u << 16};
  trace_fixture f;
  fixture_diamond(&f, &wish);
  for (uint32_t i = 0; i < BDAG_TRACE_PASSES + 3; i++)
    cr_assert_eq(bdag_forward(f.engine, f.weights, 1, f.x, NULL), BDAG_OK);
  cr_assert_eq(bdag_trace_pass_count(f.trace), BDAG_TRACE_PASSES);
  cr_assert_geq(bdag_trace_dropped(f.trace), 3);
  bdag_trace_clear(f.trace);
  cr_assert_eq(bdag_trace_pass_count(f.trace), 0);
  cr_assert_eq(bdag_trace_record_count(f.trace), 0);
  cr_assert_eq(bdag_trace_dropped(f.trace), 0);
  cr_assert_eq(bdag_forward(f.engine, f.weights, 1, f.x, NULL), BDAG_OK);
  cr_assert_eq(bdag_trace_pass_count(f.trace), 1);
  cr_assert_gt(bdag_trace_record_count(f.trace), 0);
  fixture_release(&f);
}

/* ---- Life ------------------------------------------------------------------------------------------ */

Test(trace, off_and_on) {
  const trace_wish wish = {.threads = 2, .axis = BDAG_AXIS_VERTICES, .batch = 100};
  trace_fixture f;
  double loss;
  fixture_random(&f, &wish);
  bdag_trace_enable(f.trace, 0);
  cr_assert_eq(fixture_step(&f, &loss), BDAG_OK);
  cr_assert_eq(bdag_trace_record_count(f.trace), 0);
  cr_assert_eq(bdag_trace_pass_count(f.trace), 0);
  bdag_trace_enable(f.trace, 1);
  cr_assert_eq(fixture_step(&f, &loss), BDAG_OK);
  check_step(&f, 0);
  fixture_release(&f);
}

Test(trace, one_to_an_engine) {
  const trace_wish wish = {.threads = 1, .batch = 10};
  trace_fixture f;
  bdag_trace *second;
  bdag_error error;
  fixture_diamond(&f, &wish);
  cr_assert_eq(bdag_trace_create(&second, f.engine, NULL, &error), BDAG_ERROR_BUSY);
  cr_assert_null(second);
  bdag_trace_enable(f.trace, 0);
  cr_assert_eq(bdag_trace_create(&second, f.engine, NULL, &error), BDAG_ERROR_BUSY);
  bdag_trace_destroy(f.trace);
  cr_assert_eq(bdag_trace_create(&f.trace, f.engine, NULL, &error), BDAG_OK);
  fixture_release(&f);
}

Test(trace, outlives_its_engine) {
  const trace_wish wish = {.threads = 2, .axis = BDAG_AXIS_TILES, .batch = 200};
  trace_fixture f;
  bdag_analysis analysis = {.size = sizeof analysis};
  char label[100];
  bdag_trace_record record;
  double loss;
  fixture_random(&f, &wish);
  cr_assert_eq(fixture_step(&f, &loss), BDAG_OK);
  bdag_engine_destroy(f.engine);
  f.engine = NULL;
  bdag_trace_enable(f.trace, 0);
  bdag_trace_enable(f.trace, 1);
  uint64_t i = 0;
  do cr_assert_eq(bdag_trace_get_record(f.trace, i++, &record), BDAG_OK);
  while (record.kind != BDAG_TRACE_LOAD);
  bdag_trace_label(f.trace, &record, label, sizeof label);
  cr_assert_str_eq(label, "load: tile 0");
  cr_assert_eq(bdag_trace_analyse(f.trace, NULL, &analysis, NULL), BDAG_OK);
  cr_assert_gt(analysis.work, 0);
  fixture_release(&f);
}

Test(trace, failed_passes_stay_incomplete) {
  const trace_wish wish = {.threads = 1, .batch = 10};
  trace_fixture f;
  bdag_trace_pass pass;
  bdag_analysis analysis = {.size = sizeof analysis};
  double loss;
  const double zero[10] = {0};
  fixture_diamond(&f, &wish);
  cr_assert_eq(bdag_trace_analyse(f.trace, NULL, &analysis, NULL), BDAG_ERROR_ORDER);
  bdag_trace_enable(f.trace, 0);
  cr_assert_eq(bdag_forward(f.engine, f.weights, 10, f.x, NULL), BDAG_OK);
  bdag_trace_enable(f.trace, 1);
  cr_assert_eq(bdag_backward(f.engine, f.weights, f.targets, zero, &loss),
               BDAG_ERROR_INVALID_ARGUMENT); /* Z = 0 */
  cr_assert_eq(bdag_trace_get_pass(f.trace, 0, &pass), BDAG_OK);
  cr_assert_eq(pass.end, 0);
  cr_assert_eq(bdag_trace_analyse(f.trace, NULL, &analysis, NULL), BDAG_ERROR_ORDER);
  cr_assert_eq(bdag_backward(f.engine, f.weights, f.targets, NULL, &loss), BDAG_OK);
  cr_assert_eq(bdag_trace_analyse(f.trace, NULL, &analysis, NULL), BDAG_OK);
  cr_assert_eq(analysis.passes, 1);
  fixture_release(&f);
}

static int fails(void *user, bdag_type type, double parameter, size_t count, const void *in,
                 void *out) {
  return 1;
}

static int derivative(void *user, bdag_type type, double parameter, size_t count, const void *in,
                      const void *out, void *result) {
  return 1;
}

Test(trace, failing_callbacks) {
  const bdag_activation_functions functions = {fails, derivative, NULL};
  const trace_wish wish = {.threads = 1, .batch = 20, .functions = &functions};
  trace_fixture f;
  bdag_trace_pass pass;
  fixture_diamond(&f, &wish);
  cr_assert_eq(bdag_forward(f.engine, f.weights, 20, f.x, NULL), BDAG_ERROR_CALLBACK);
  cr_assert_eq(bdag_trace_get_pass(f.trace, 0, &pass), BDAG_OK);
  cr_assert_eq(pass.end, 0);
  fixture_release(&f);
}

Test(trace, bad_arguments) {
  const trace_wish wish = {.threads = 2, .batch = 10};
  trace_fixture f;
  bdag_trace *trace;
  bdag_trace_options options = BDAG_TRACE_OPTIONS_INIT;
  bdag_trace_record record;
  bdag_trace_task task;
  bdag_error error;
  char text[10] = "unchanged";
  fixture_diamond(&f, &wish);
  bdag_trace_destroy(f.trace);
  f.trace = NULL;
  cr_assert_eq(bdag_trace_create(NULL, f.engine, NULL, &error), BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_trace_create(&trace, NULL, NULL, &error), BDAG_ERROR_INVALID_ARGUMENT);
  options.size--;
  cr_assert_eq(bdag_trace_create(&trace, f.engine, &options, &error), BDAG_ERROR_INVALID_ARGUMENT);
  options.size++;
  options.records = UINT64_MAX / 4;
  cr_assert_eq(bdag_trace_create(&trace, f.engine, &options, &error), BDAG_ERROR_LIMIT);
  cr_assert_null(f.engine->trace);
  cr_assert_eq(bdag_trace_create(&f.trace, f.engine, NULL, &error), BDAG_OK);
  cr_assert_eq(bdag_trace_get_record(f.trace, 0, &record), BDAG_ERROR_UNKNOWN_ID);
  cr_assert_eq(bdag_trace_get_record(NULL, 0, &record), BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_trace_get_pass(f.trace, 0, NULL), BDAG_ERROR_INVALID_ARGUMENT);
  record = (bdag_trace_record){.kind = BDAG_TRACE_FORWARD, .task = f.plan->forward_tasks};
  cr_assert_eq(bdag_trace_describe(f.trace, &record, &task), BDAG_ERROR_UNKNOWN_ID);
  bdag_trace_label(f.trace, &record, text, sizeof text);
  cr_assert_str_eq(text, "");
  bdag_trace_label(f.trace, &record, NULL, 0);
  cr_assert_null(bdag_trace_kind_name((bdag_trace_kind)BDAG_TRACE_KINDS));
  bdag_trace_destroy(NULL);
  bdag_trace_enable(NULL, 1);
  bdag_trace_clear(NULL);
  fixture_release(&f);
}

/* ---- Names ----------------------------------------------------------------------------------------- */

Test(trace, labels) {
  const trace_wish wish = {.threads = 1, .batch = 70, .axis = BDAG_AXIS_SERIAL};
  trace_fixture f;
  char text[100];
  double loss;
  bdag_trace_task task;
  fixture_diamond(&f, &wish);
  cr_assert_eq(fixture_step(&f, &loss), BDAG_OK);
  uint32_t seen = 0;
  bdag_trace_record record;
  for (uint64_t i = 0; bdag_trace_get_record(f.trace, i, &record) == BDAG_OK; i++) {
    if (record.kind != BDAG_TRACE_FORWARD || record.first_tile != 0) continue;
    cr_assert_eq(bdag_trace_describe(f.trace, &record, &task), BDAG_OK);
    cr_assert_eq(task.vertices, 1);
    cr_assert_eq(task.lowest, task.highest);
    cr_assert_eq(task.edges, task.lowest == 3 ? 2 : 1);
    cr_assert_eq(task.first_level, task.lowest == 3 ? 2 : 1);
    seen |= 1u << task.lowest;
    record.tiles = 1;
    bdag_trace_label(f.trace, &record, text, sizeof text);
    if (task.lowest == 3) cr_assert_str_eq(text, "forward: vertex 3, level 2, tile 0");
    record.first_tile = 2;
    record.tiles = 3;
    bdag_trace_label(f.trace, &record, text, sizeof text);
    if (task.lowest == 1) cr_assert_str_eq(text, "forward: vertex 1, level 1, tiles 2..4");
    for (size_t size = 1; size < 40; size++) {
      char cut[40];
      bdag_trace_label(f.trace, &record, cut, size);
      cr_assert_lt(strlen(cut), size);
      cr_assert_eq(strncmp(cut, text, strlen(cut)), 0);
    }
  }
  cr_assert_eq(seen, 1u << 1 | 1u << 2 | 1u << 3);
  record = (bdag_trace_record){.kind = BDAG_TRACE_REDUCE, .task = BDAG_NO_TASK};
  bdag_trace_label(f.trace, &record, text, sizeof text);
  cr_assert_str_eq(text, "reduce");
  fixture_release(&f);
}

Test(trace, labels_of_many_vertices) {
  const trace_wish wish = {.threads = 1, .axis = BDAG_AXIS_SERIAL, .batch = 16};
  trace_fixture f;
  bdag_trace_record record;
  bdag_trace_task task;
  double loss;
  int hidden = 0;
  fixture_dense(&f, &wish);
  cr_assert_eq(fixture_step(&f, &loss), BDAG_OK);
  for (uint64_t i = 0; bdag_trace_get_record(f.trace, i, &record) == BDAG_OK; i++) {
    char text[100];
    if (record.kind != BDAG_TRACE_WEIGHT_GRAD) continue;
    cr_assert_eq(bdag_trace_describe(f.trace, &record, &task), BDAG_OK);
    cr_assert_eq(task.panels, 1);
    bdag_trace_label(f.trace, &record, text, sizeof text);
    hidden |= strcmp(text, "weight gradient: vertices 16..55, level 1, tile 0") == 0;
  }
  cr_assert(hidden);
  record = (bdag_trace_record){.kind = BDAG_TRACE_LOAD, .task = BDAG_NO_TASK};
  cr_assert_eq(bdag_trace_describe(f.trace, &record, &task), BDAG_OK);
  cr_assert_eq(task.vertices, 60);
  cr_assert_eq(task.edges, 16 * 40 + 40 * 4);
  cr_assert_eq(task.last_level, 2);
  fixture_release(&f);
}

/* ---- What it must not change ------------------------------------------------------------------------ */

Test(trace, results_are_the_same) {
  const trace_wish wish = {.threads = 2, .axis = BDAG_AXIS_TILES, .batch = 150, .deterministic = 1};
  trace_fixture f;
  double with, without;
  fixture_random(&f, &wish);
  cr_assert_eq(fixture_step(&f, &with), BDAG_OK);
  float *y = malloc(150 * 4 * sizeof *y);
  memcpy(y, f.y, 150 * 4 * sizeof *y);
  bdag_trace_destroy(f.trace);
  f.trace = NULL;
  cr_assert_eq(fixture_step(&f, &without), BDAG_OK);
  cr_assert_eq(memcmp(y, f.y, 150 * 4 * sizeof *y), 0);
  cr_assert_eq(memcmp(&with, &without, sizeof with), 0);
  free(y);
  fixture_release(&f);
}

static uint64_t allocations;

static void *allocate(void *user, size_t size) {
  allocations++;
  return malloc(size);
}

static void release(void *user, void *memory) {
  free(memory);
}

Test(trace, passes_allocate_nothing) {
  const bdag_allocator allocator = {allocate, release, NULL};
  for (int axis = BDAG_AXIS_TILES; axis <= BDAG_AXIS_BOTH; axis++) {
    const trace_wish wish = {
        .threads = 2, .axis = (bdag_axis)axis, .batch = 200, .allocator = &allocator};
    trace_fixture f;
    double loss;
    fixture_random(&f, &wish);
    const uint64_t before = allocations;
    for (int i = 0; i < 3; i++) cr_assert_eq(fixture_step(&f, &loss), BDAG_OK);
    cr_assert_eq(allocations, before);
    cr_assert_gt(bdag_trace_record_count(f.trace), 0);
    fixture_release(&f);
  }
}

/* ---- Several engines --------------------------------------------------------------------------------- */

enum { ENGINES = 3, STEPS = 40 };

static void *run_engine(void *argument) {
  trace_fixture *f = argument;
  double loss;
  for (int i = 0; i < STEPS; i++) {
    bdag_trace_clear(f->trace);
    if (fixture_step(f, &loss) != BDAG_OK) return f;
  }
  return NULL;
}

Test(trace, engines_at_once) {
  trace_fixture f[ENGINES];
  pthread_t thread[ENGINES];
  for (int i = 0; i < ENGINES; i++) {
    const trace_wish wish = {.threads = 2,
                             .axis = i == 1 ? BDAG_AXIS_TILES : BDAG_AXIS_VERTICES,
                             .batch = 100 + 50 * (uint64_t)i};
    fixture_random(&f[i], &wish);
  }
  for (int i = 0; i < ENGINES; i++)
    cr_assert_eq(pthread_create(&thread[i], NULL, run_engine, &f[i]), 0);
  for (int i = 0; i < ENGINES; i++) {
    void *failed;
    cr_assert_eq(pthread_join(thread[i], &failed), 0);
    cr_assert_null(failed);
    check_step(&f[i], 0);
    check_times(f[i].trace);
    cr_assert_eq(bdag_trace_dropped(f[i].trace), 0);
  }
  for (int i = 0; i < ENGINES; i++) fixture_release(&f[i]);
}
