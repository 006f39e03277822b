/* Time over edges: irregular graphs of growing size. May include subject. */
#include <math.h>
#include <string.h>

#include "pin.h"
#include "scaling_run.h"

enum { SIZES = 5, BATCH = 64 };
#define BUDGET 0.3 /* seconds for each point at most */

static void add_point(bench_scaling_run *run, const bench_subject *subject, bench_phase phase,
                      const bench_alternative *a) {
  if (a->failed) return;
  const bench_statistics s = bench_describe(a->seconds, a->count);
  bench_edges_point *point = bench_scaling_add_edges(run->scaling);
  strcpy(point->phase, bench_phase_name(phase));
  point->vertices = subject->vertices;
  point->edges = subject->edges;
  point->batch = subject->batch;
  point->threads = subject->threads;
  point->seconds = s.median;
  point->quartile_low = s.quartile_low;
  point->quartile_high = s.quartile_high;
}

static void run_threads(bench_scaling_run *run, bench_subject *subject, uint32_t threads) {
  if (bench_subject_configure(subject, BATCH, threads, 0) != BDAG_OK) return;
  bench_alternative alternatives[2] = {
      {"forward", bench_subject_run(BENCH_FORWARD), subject, .inner = 1},
      {"backward", bench_subject_run(BENCH_BACKWARD), subject, .inner = 1}};
  bench_effort effort = run->settings->effort;
  effort.budget = fmin(BUDGET, effort.budget);
  alternatives[1].run(subject, 1);
  if (run->settings->pin) bench_pin_team(threads);
  bench_measure(alternatives, 2, &effort);
  bench_unpin_team();
  add_point(run, subject, BENCH_FORWARD, &alternatives[0]);
  add_point(run, subject, BENCH_BACKWARD, &alternatives[1]);
  bench_alternatives_clear(alternatives, 2);
}

void bench_scaling_edges_run(bench_scaling_run *run) {
  static const uint64_t vertices[SIZES] = {600, 2000, 8000, 32000, 128000};
  bench_scaling_progress(run, "time over edges");
  const uint32_t most = bench_scaling_most(run);
  for (int i = 0; i < SIZES; i++) {
    const bench_case the_case = {.name = "irregular graphs",
                                 .build = bench_build_irregular,
                                 .argument = vertices[i],
                                 .members = 1};
    bench_subject *subject = bench_subject_create(run->context, run->settings, &the_case, NULL);
    if (subject == NULL) continue;
    run_threads(run, subject, 1);
    if (most > 1) run_threads(run, subject, most);
    bench_subject_destroy(subject);
  }
  run->done += 1.0;
}
