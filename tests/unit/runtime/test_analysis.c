/* Work, span and critical path of times that are known. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "trace_fixture.h"

enum { START = 1000000 };

static void assert_near(double value, double expected) {
  cr_assert(fabs(value - expected) <= 1e-12 + 1e-9 * fabs(expected), "%.12g instead of %.12g",
            value, expected);
}

static void assert_nanoseconds(double seconds, double expected) {
  cr_assert(fabs(1e9 * seconds - expected) < 1e-3, "%.6g ns instead of %.6g ns", 1e9 * seconds,
            expected);
}

/* ---- Longest paths ---------------------------------------------------------------------------------- */

/* 0 → 1, 0 → 2, 1 → 3, 2 → 3, and 4 alone. */
static const uint64_t offset[] = {0, 2, 3, 4, 4, 4, 4};
static const uint32_t successor[] = {1, 2, 3, 3};

static bdag_task_graph graph_of(uint32_t count) {
  return (bdag_task_graph){
      .count = count, .offset = (uint64_t *)offset, .successor = (uint32_t *)successor};
}

static double longest(uint32_t count, const double *cost, double release, uint32_t *path) {
  double finish[5];
  uint32_t from[5], last, length = 0;
  const bdag_task_graph graph = graph_of(count);
  const double span = bdag_longest_path(&graph, cost, release, finish, from, &last);
  for (; last != BDAG_NO_TASK; last = from[last]) path[length++] = last;
  for (; length < 5; length++) path[length] = BDAG_NO_TASK;
  return span;
}

Test(analysis, longest_path) {
  static const double right[] = {1, 2, 7, 3, 4}, left[] = {1, 8, 7, 3, 4},
                      alone[] = {1, 2, 7, 3, 40};
  uint32_t path[5];
  assert_near(longest(5, right, 0, path), 11);
  cr_assert(path[0] == 3 && path[1] == 2 && path[2] == 0 && path[3] == BDAG_NO_TASK);
  assert_near(longest(5, left, 0, path), 12);
  cr_assert(path[0] == 3 && path[1] == 1 && path[2] == 0 && path[3] == BDAG_NO_TASK);
  assert_near(longest(5, alone, 0, path), 40);
  cr_assert(path[0] == 4 && path[1] == BDAG_NO_TASK);
  assert_near(longest(5, right, 10, path), 31); /* two dependencies on the path */
  assert_near(longest(5, alone, 20, path), 51); /* which is another one with them */
  cr_assert_eq(path[0], 3);
}

Test(analysis, longest_path_of_nothing) {
  static const double none[] = {0, 0, 0, 0, 0};
  uint32_t path[5];
  assert_near(longest(0, none, 5, path), 0);
  cr_assert_eq(path[0], BDAG_NO_TASK);
  assert_near(longest(5, none, 0, path), 0);
  cr_assert_neq(path[0], BDAG_NO_TASK);
}

Test(analysis, median) {
  double odd[] = {5, 1, 3}, even[] = {4, 1, 3, 2}, one[] = {7};
  assert_near(bdag_median(odd, 3), 3);
  assert_near(bdag_median(even, 4), 2.5);
  assert_near(bdag_median(one, 1), 7);
  assert_near(bdag_median(NULL, 0), 0);
}

/* ---- Traces made by hand ----------------------------------------------------------------------------- */

static void begin_pass(trace_fixture *f, bdag_pass_kind kind, bdag_axis axis, uint32_t threads,
                       uint64_t tiles, uint64_t length) {
  f->trace->pass[f->trace->passes++] = (bdag_trace_pass){.kind = kind,
                                                         .axis = axis,
                                                         .threads = threads,
                                                         .batch = tiles * 16,
                                                         .tiles = tiles,
                                                         .begin = START,
                                                         .end = START + length};
  f->trace->recording = 1;
}

static void put(trace_fixture *f, uint32_t thread, bdag_trace_kind kind, uint32_t task,
                uint32_t first_tile, uint32_t tiles, uint64_t begin, uint64_t end) {
  const bdag_trace_entry entry = {.begin = START + begin,
                                  .end = START + end,
                                  .task = task,
                                  .first_tile = first_tile,
                                  .tiles = tiles,
                                  .kind = kind};
  bdag_trace_put(f->trace, thread, &entry);
}

/* The task that computes a vertex. */
static uint32_t task_of(const trace_fixture *f, bdag_trace_kind kind, uint32_t vertex) {
  bdag_trace_record record = {.kind = kind};
  bdag_trace_task task;
  for (; bdag_trace_describe(f->trace, &record, &task) == BDAG_OK; record.task++)
    if (task.vertices == 1 && task.lowest == vertex) return record.task;
  cr_assert_fail("no task computes vertex %u", vertex);
  return 0;
}

static bdag_analysis analyse(const trace_fixture *f, bdag_axis axis, double release,
                             uint64_t *path) {
  bdag_analysis_options options = BDAG_ANALYSIS_OPTIONS_INIT;
  bdag_analysis analysis = {.size = sizeof analysis};
  options.axis = axis;
  options.release = release;
  cr_assert_eq(bdag_trace_analyse(f->trace, &options, &analysis, path), BDAG_OK);
  return analysis;
}

static const trace_wish two_threads = {.threads = 2, .axis = BDAG_AXIS_VERTICES, .batch = 100};

/* Thread 0: load 50, vertex 1 100, vertex 3 100, store 20. Thread 1: vertex 2 300. */
static void put_vertices(trace_fixture *f) {
  begin_pass(f, BDAG_PASS_FORWARD, BDAG_AXIS_VERTICES, 2, 1, 700);
  put(f, 0, BDAG_TRACE_LOAD, BDAG_NO_TASK, 0, 1, 0, 50);
  put(f, 0, BDAG_TRACE_FORWARD, task_of(f, BDAG_TRACE_FORWARD, 1), 0, 1, 100, 200);
  put(f, 0, BDAG_TRACE_FORWARD, task_of(f, BDAG_TRACE_FORWARD, 3), 0, 1, 500, 600);
  put(f, 0, BDAG_TRACE_STORE, BDAG_NO_TASK, 0, 1, 600, 620);
  put(f, 1, BDAG_TRACE_FORWARD, task_of(f, BDAG_TRACE_FORWARD, 2), 0, 1, 150, 450);
}

Test(analysis, vertices) {
  trace_fixture f;
  uint64_t path[5];
  fixture_diamond(&f, &two_threads);
  put_vertices(&f);
  const bdag_analysis a = analyse(&f, BDAG_AXIS_AUTO, -1, path);
  cr_assert_eq(a.passes, 1);
  cr_assert_eq(a.records, 5);
  cr_assert_eq(a.tasks, 5);
  cr_assert_eq(a.threads, 2);
  cr_assert_eq(a.axis, BDAG_AXIS_VERTICES);
  assert_nanoseconds(a.work, 570);
  assert_nanoseconds(a.span, 50 + 300 + 100 + 20);
  cr_assert_eq(a.releases, 1);
  assert_nanoseconds(a.release, 50); /* from the end of vertex 2 to the beginning of 3 */
  assert_nanoseconds(a.burdened_span, 470 + 3 * 50);
  assert_near(a.parallelism, 570.0 / 620);
  assert_nanoseconds(a.mean_task, 570 / 5.0);
  assert_nanoseconds(a.wall, 700);
  assert_nanoseconds(a.overhead, 2 * 700 - 570);
  cr_assert_eq(a.path_length, 4);
  cr_assert(path[0] == 0 && path[1] == 4 && path[2] == 2 && path[3] == 3);
  assert_nanoseconds(bdag_analysis_predict(&a, 1), 570);
  assert_nanoseconds(bdag_analysis_predict(&a, 2), 100 / 2.0 + 620);
  assert_nanoseconds(bdag_analysis_predict(&a, 100), 100 / 100.0 + 620);
  fixture_release(&f);
}

Test(analysis, given_release) {
  trace_fixture f;
  fixture_diamond(&f, &two_threads);
  put_vertices(&f);
  const bdag_analysis a = analyse(&f, BDAG_AXIS_AUTO, 10e-9, NULL);
  cr_assert_eq(a.releases, 0);
  assert_nanoseconds(a.release, 10);
  assert_nanoseconds(a.burdened_span, 470 + 3 * 10);
  const bdag_analysis none = analyse(&f, BDAG_AXIS_AUTO, 0, NULL);
  assert_nanoseconds(none.burdened_span, 470);
  fixture_release(&f);
}

Test(analysis, busy_threads_tell_no_release) {
  trace_fixture f;
  bdag_release *list;
  uint64_t count = 0;
  fixture_diamond(&f, &two_threads);
  begin_pass(&f, BDAG_PASS_FORWARD, BDAG_AXIS_VERTICES, 2, 2, 700);
  put(&f, 0, BDAG_TRACE_FORWARD, task_of(&f, BDAG_TRACE_FORWARD, 1), 0, 2, 0, 200);
  put(&f, 0, BDAG_TRACE_LOAD, BDAG_NO_TASK, 1, 1, 200, 490);
  put(&f, 0, BDAG_TRACE_FORWARD, task_of(&f, BDAG_TRACE_FORWARD, 3), 0, 2, 500, 600);
  put(&f, 1, BDAG_TRACE_FORWARD, task_of(&f, BDAG_TRACE_FORWARD, 2), 0, 2, 150, 450);
  const bdag_analysis a = analyse(&f, BDAG_AXIS_AUTO, -1, NULL);
  cr_assert_eq(a.releases, 0);
  assert_nanoseconds(a.release, 0);
  cr_assert_eq(bdag_trace_find_releases(f.trace, &list, &count), BDAG_OK);
  cr_assert_eq(count, 1); /* an arrow all the same */
  cr_assert_eq(list[0].from, 3);
  cr_assert_eq(list[0].to, 2);
  cr_assert_eq(list[0].idle, 0);
  bdag_free(f.context, list);
  fixture_release(&f);
}

/* Two chunks, tiles 0 and 1 (420 ns) and tile 2 (225 ns). */
static void put_chunks(trace_fixture *f, bdag_axis axis, uint32_t threads) {
  const uint32_t one = task_of(f, BDAG_TRACE_FORWARD, 1), two = task_of(f, BDAG_TRACE_FORWARD, 2),
                 three = task_of(f, BDAG_TRACE_FORWARD, 3);
  const uint32_t other = threads - 1;
  const uint64_t late = other == 0 ? 500 : 0;
  begin_pass(f, BDAG_PASS_FORWARD, axis, threads, 3, 800);
  put(f, 0, BDAG_TRACE_LOAD, BDAG_NO_TASK, 0, 1, 0, 10);
  put(f, 0, BDAG_TRACE_LOAD, BDAG_NO_TASK, 1, 1, 10, 20);
  put(f, 0, BDAG_TRACE_FORWARD, one, 0, 2, 20, 120);
  put(f, 0, BDAG_TRACE_FORWARD, two, 0, 2, 120, 220);
  put(f, 0, BDAG_TRACE_FORWARD, three, 0, 2, 220, 420);
  put(f, other, BDAG_TRACE_LOAD, BDAG_NO_TASK, 2, 1, late, late + 10);
  put(f, other, BDAG_TRACE_FORWARD, one, 2, 1, late + 10, late + 70);
  put(f, other, BDAG_TRACE_FORWARD, two, 2, 1, late + 70, late + 130);
  put(f, other, BDAG_TRACE_FORWARD, three, 2, 1, late + 130, late + 220);
  put(f, other, BDAG_TRACE_STORE, BDAG_NO_TASK, 2, 1, late + 220, late + 225);
}

Test(analysis, tiles) {
  trace_fixture f;
  uint64_t path[10];
  fixture_diamond(&f, &two_threads);
  put_chunks(&f, BDAG_AXIS_TILES, 2);
  const bdag_analysis a = analyse(&f, BDAG_AXIS_AUTO, -1, path);
  cr_assert_eq(a.axis, BDAG_AXIS_TILES);
  cr_assert_eq(a.tasks, 2);
  assert_nanoseconds(a.work, 645);
  assert_nanoseconds(a.span, 225); /* 420 / 2 is less */
  assert_nanoseconds(a.burdened_span, 225);
  cr_assert_eq(a.path_length, 5);
  for (int i = 0; i < 5; i++) cr_assert_eq(path[i], 5 + i);
  fixture_release(&f);
}

Test(analysis, other_axes_of_the_same_times) {
  trace_fixture f;
  fixture_diamond(&f, &two_threads);
  put_chunks(&f, BDAG_AXIS_TILES, 2);
  const bdag_analysis vertices = analyse(&f, BDAG_AXIS_VERTICES, 0, NULL);
  cr_assert_eq(vertices.axis, BDAG_AXIS_VERTICES);
  cr_assert_eq(vertices.tasks, 3 + 3 + 1);
  assert_nanoseconds(vertices.work, 645);
  assert_nanoseconds(vertices.span, 10 + (160 + 290) + 5);
  const bdag_analysis serial = analyse(&f, BDAG_AXIS_SERIAL, 7, NULL);
  assert_nanoseconds(serial.span, 645);
  assert_nanoseconds(serial.burdened_span, 645);
  assert_near(serial.parallelism, 1);
  cr_assert_eq(serial.path_length, 10);
  fixture_release(&f);
}

Test(analysis, serial_passes_take_the_better_axis) {
  trace_fixture f;
  uint64_t path[10];
  fixture_diamond(&f, &two_threads);
  put_chunks(&f, BDAG_AXIS_SERIAL, 1);
  bdag_analysis a = analyse(&f, BDAG_AXIS_AUTO, 0, path);
  cr_assert_eq(a.axis, BDAG_AXIS_TILES);
  assert_nanoseconds(a.span, 225);
  cr_assert_eq(a.path_length, 5);
  cr_assert_eq(path[0], 5);
  bdag_trace_clear(f.trace);
  begin_pass(&f, BDAG_PASS_FORWARD, BDAG_AXIS_SERIAL, 1, 1, 700);
  put(&f, 0, BDAG_TRACE_FORWARD, task_of(&f, BDAG_TRACE_FORWARD, 1), 0, 1, 0, 100);
  put(&f, 0, BDAG_TRACE_FORWARD, task_of(&f, BDAG_TRACE_FORWARD, 2), 0, 1, 100, 400);
  put(&f, 0, BDAG_TRACE_FORWARD, task_of(&f, BDAG_TRACE_FORWARD, 3), 0, 1, 400, 500);
  a = analyse(&f, BDAG_AXIS_AUTO, 0, path);
  cr_assert_eq(a.axis, BDAG_AXIS_VERTICES);
  assert_nanoseconds(a.span, 400);
  cr_assert_eq(a.path_length, 2);
  cr_assert(path[0] == 1 && path[1] == 2);
  fixture_release(&f);
}

static void put_groups(trace_fixture *f) {
  static const uint32_t group[] = {0, 0, 1};
  static const uint64_t length[] = {100, 80, 150};
  uint64_t time = 0;
  begin_pass(f, BDAG_PASS_BACKWARD, BDAG_AXIS_TILES, 1, 3, 800);
  for (uint32_t tile = 0; tile < 3; tile++) {
    const bdag_trace_entry entry = {.begin = START + time,
                                    .end = START + time + length[tile],
                                    .first_tile = tile,
                                    .tiles = 1,
                                    .group = group[tile],
                                    .kind = BDAG_TRACE_BACKWARD};
    bdag_trace_put(f->trace, 0, &entry);
    time += length[tile];
  }
}

Test(analysis, fixed_gradient_buffers_are_chains) {
  trace_fixture f;
  fixture_diamond(&f, &two_threads);
  put_groups(&f);
  assert_nanoseconds(analyse(&f, BDAG_AXIS_AUTO, 0, NULL).span, 150);
  f.trace->deterministic = 1;
  const bdag_analysis a = analyse(&f, BDAG_AXIS_AUTO, 0, NULL);
  assert_nanoseconds(a.span, 180);
  cr_assert_eq(a.path_length, 2);
  cr_assert_eq(a.tasks, 2);
  fixture_release(&f);
}

Test(analysis, reduction_waits) {
  trace_fixture f;
  fixture_diamond(&f, &two_threads);
  begin_pass(&f, BDAG_PASS_BACKWARD, BDAG_AXIS_TILES, 2, 2, 800);
  put(&f, 0, BDAG_TRACE_BACKWARD, 0, 0, 1, 0, 500);
  put(&f, 0, BDAG_TRACE_REDUCE, BDAG_NO_TASK, 0, 0, 510, 520);
  put(&f, 1, BDAG_TRACE_BACKWARD, 0, 1, 1, 0, 400);
  put(&f, 1, BDAG_TRACE_REDUCE, BDAG_NO_TASK, 0, 0, 530, 570);
  put(&f, 1, BDAG_TRACE_REDUCE, BDAG_NO_TASK, 0, 0, 570, 590);
  const bdag_analysis a = analyse(&f, BDAG_AXIS_AUTO, -1, NULL);
  assert_nanoseconds(a.work, 900 + 70);
  assert_nanoseconds(a.span, 500 + 40);
  cr_assert_eq(a.releases, 1); /* the second piece of thread 1 waited for the first */
  assert_nanoseconds(a.release, 30);
  assert_nanoseconds(a.burdened_span, 540 + 30);
  cr_assert_eq(a.tasks, 5);
  fixture_release(&f);
}

Test(analysis, passes_follow_each_other) {
  trace_fixture f;
  fixture_diamond(&f, &two_threads);
  put_vertices(&f);
  put_chunks(&f, BDAG_AXIS_TILES, 2);
  begin_pass(&f, BDAG_PASS_FORWARD, BDAG_AXIS_TILES, 2, 1, 0); /* failed */
  f.trace->pass[2].end = 0;
  put(&f, 0, BDAG_TRACE_LOAD, BDAG_NO_TASK, 0, 1, 0, 5000);
  const bdag_analysis a = analyse(&f, BDAG_AXIS_AUTO, 0, NULL);
  cr_assert_eq(a.passes, 2);
  cr_assert_eq(a.records, 15);
  cr_assert_eq(a.axis, BDAG_AXIS_AUTO);
  assert_nanoseconds(a.work, 570 + 645);
  assert_nanoseconds(a.span, 470 + 225);
  assert_nanoseconds(a.wall, 700 + 800);
  cr_assert_eq(a.path_length, 4 + 5);
  fixture_release(&f);
}

/* ---- Real passes -------------------------------------------------------------------------------------- */

Test(analysis, real_passes) {
  for (uint32_t threads = 1; threads <= 4; threads *= 2)
    for (int axis = BDAG_AXIS_AUTO; axis <= BDAG_AXIS_BOTH; axis++) {
      const trace_wish wish = {.threads = threads,
                               .axis = (bdag_axis)axis,
                               .batch = 400,
                               .granularity = BDAG_GRANULARITY_VERTEX};
      trace_fixture f;
      double loss, on_path = 0;
      fixture_random(&f, &wish);
      for (int i = 0; i < 2; i++) cr_assert_eq(fixture_step(&f, &loss), BDAG_OK);
      uint64_t *path = calloc(bdag_trace_record_count(f.trace), sizeof *path);
      const bdag_analysis a = analyse(&f, BDAG_AXIS_VERTICES, 1e-6, path);
      cr_assert_eq(a.passes, 4);
      cr_assert_eq(a.records, bdag_trace_record_count(f.trace));
      cr_assert(a.span > 0 && a.span <= a.work && a.burdened_span > a.span);
      cr_assert_lt(a.work, a.wall * a.threads);
      uint64_t before = 0;
      for (uint64_t i = 0; i < a.path_length; i++) {
        bdag_trace_record record;
        cr_assert_eq(bdag_trace_get_record(f.trace, path[i], &record), BDAG_OK);
        cr_assert_geq(record.begin, before);
        before = record.begin;
        on_path += 1e-9 * (double)(record.end - record.begin);
      }
      cr_assert(fabs(on_path - a.span) < 1e-9 + 1e-6 * a.span);
      double fewer = a.work;
      for (uint32_t p = 2; p < 200; p++) {
        const double more = bdag_analysis_predict(&a, p);
        cr_assert(more <= fewer + 1e-6 * (double)a.path_length && more >= a.span);
        fewer = more;
      }
      free(path);
      fixture_release(&f);
    }
}

/* ---- Arguments and memory ------------------------------------------------------------------------------ */

Test(analysis, bad_arguments) {
  trace_fixture f;
  bdag_analysis_options options = BDAG_ANALYSIS_OPTIONS_INIT;
  bdag_analysis a = {.size = sizeof a};
  fixture_diamond(&f, &two_threads);
  cr_assert_eq(bdag_trace_analyse(f.trace, NULL, &a, NULL), BDAG_ERROR_ORDER);
  put_vertices(&f);
  cr_assert_eq(bdag_trace_analyse(NULL, NULL, &a, NULL), BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_trace_analyse(f.trace, NULL, NULL, NULL), BDAG_ERROR_INVALID_ARGUMENT);
  options.size++;
  cr_assert_eq(bdag_trace_analyse(f.trace, &options, &a, NULL), BDAG_ERROR_INVALID_ARGUMENT);
  options.size--;
  options.axis = (bdag_axis)7;
  cr_assert_eq(bdag_trace_analyse(f.trace, &options, &a, NULL), BDAG_ERROR_INVALID_ARGUMENT);
  a.size--;
  cr_assert_eq(bdag_trace_analyse(f.trace, NULL, &a, NULL), BDAG_ERROR_INVALID_ARGUMENT);
  fixture_release(&f);
}

static uint64_t left = UINT64_MAX, held;

static void *allocate(void *user, size_t size) {
  if (left == 0) return NULL;
  if (left != UINT64_MAX) left--;
  held++;
  return malloc(size);
}

static void release(void *user, void *memory) {
  held -= memory != NULL;
  free(memory);
}

Test(analysis, without_memory) {
  const bdag_allocator allocator = {allocate, release, NULL};
  const trace_wish wish = {
      .threads = 2, .axis = BDAG_AXIS_VERTICES, .batch = 10, .allocator = &allocator};
  trace_fixture f;
  fixture_diamond(&f, &wish);
  put_vertices(&f);
  const uint64_t before = held;
  bdag_status status = BDAG_ERROR_OUT_OF_MEMORY;
  uint64_t n = 0;
  for (; status != BDAG_OK; n++) {
    bdag_analysis a = {.size = sizeof a};
    left = n;
    status = bdag_trace_analyse(f.trace, NULL, &a, NULL);
    cr_assert(status == BDAG_OK || status == BDAG_ERROR_OUT_OF_MEMORY);
    cr_assert_eq(held, before);
    cr_assert_lt(n, 100);
  }
  cr_assert_gt(n, 10);
  left = UINT64_MAX;
  bdag_trace_destroy(f.trace);
  f.trace = NULL;
  const uint64_t without = held;
  status = BDAG_ERROR_OUT_OF_MEMORY;
  for (n = 0; status != BDAG_OK; n++) {
    cr_assert_eq(held, without);
    left = n;
    status = bdag_trace_create(&f.trace, f.engine, NULL, NULL);
    cr_assert_lt(n, 100);
  }
  cr_assert_geq(n, 5);
  left = UINT64_MAX;
  fixture_release(&f);
  cr_assert_eq(held, 0);
}
