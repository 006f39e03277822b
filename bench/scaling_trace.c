/* Traced passes: work, span and what scheduling costs. May include subject. */
#include <math.h>

#include <backdag/trace.h>

#include "pin.h"
#include "scaling_run.h"

enum { PASSES = 4 };

/* One pass of a phase; only that of the phase is recorded. */
static bdag_status run_pass(bench_subject *subject, bench_member *member, bdag_trace *trace,
                            bench_phase phase) {
  bdag_trace_enable(trace, phase != BENCH_BACKWARD);
  const bdag_status status = bench_member_pass(subject, member, 0, NULL, NULL);
  bdag_trace_enable(trace, 1);
  if (status != BDAG_OK || phase == BENCH_FORWARD) return status;
  const void *targets = bdag_plan_target_count(member->plan) > 0 ? member->targets : NULL;
  double loss;
  return bdag_backward(member->engine, member->weights, targets, NULL, &loss);
}

/* What one traced pass says. */
typedef struct finding {
  bdag_analysis analysis;
  bdag_axis axis;  /* of the last pass */
  uint64_t tiles;  /* of the last pass */
  double reduce;   /* seconds of adding gradient buffers */
  uint32_t groups; /* buffers that were added to the first */
} finding;

static void look(const bdag_trace *trace, finding *found) {
  bdag_trace_pass pass = {0};
  const uint64_t passes = bdag_trace_pass_count(trace);
  if (passes > 0 && bdag_trace_get_pass(trace, passes - 1, &pass) == BDAG_OK) {
    found->axis = pass.axis;
    found->tiles = pass.tiles;
  }
  found->reduce = 0.0;
  found->groups = 0;
  for (uint64_t i = 0; i < bdag_trace_record_count(trace); i++) {
    bdag_trace_record record;
    if (bdag_trace_get_record(trace, i, &record) != BDAG_OK) return;
    const int gradient =
        record.kind == BDAG_TRACE_BACKWARD || record.kind == BDAG_TRACE_WEIGHT_GRAD;
    if (gradient && record.group > found->groups) found->groups = record.group;
    if (record.kind == BDAG_TRACE_REDUCE)
      found->reduce += 1e-9 * (double)(record.end - record.begin);
  }
}

/* The quickest of a few passes: what is longer was also somebody else's work. */
static int trace_member(bench_subject *subject, bench_member *member, bench_phase phase,
                        const bdag_analysis_options *options, finding *best) {
  bdag_trace *trace = NULL;
  if (bdag_trace_create(&trace, member->engine, NULL, NULL) != BDAG_OK) return -1;
  int traced = 0;
  for (int i = 0; i <= PASSES; i++) {
    bdag_trace_clear(trace);
    finding found = {.analysis = {.size = sizeof found.analysis}};
    if (run_pass(subject, member, trace, phase) != BDAG_OK ||
        bdag_trace_analyse(trace, options, &found.analysis, NULL) != BDAG_OK ||
        found.analysis.dropped > 0)
      break;
    if (i == 0 || (traced && found.analysis.wall >= best->analysis.wall)) continue;
    look(trace, &found);
    *best = found;
    traced = 1;
  }
  bdag_trace_destroy(trace);
  return traced ? 0 : -1;
}

bench_traced bench_scaling_trace(bench_subject *subject, bench_phase phase) {
  const bench_traced unknown = {0, NAN, NAN};
  if (phase == BENCH_STEP) return unknown; /* the trainer's engine is its own */
  bench_traced sum = {0};
  double work = 0.0, wall = 0.0, overhead = 0.0;
  if (subject->settings->pin) bench_pin_team(bench_subject_team(subject));
  uint64_t i = 0;
  for (; i < subject->member_count; i++) {
    finding found = {0};
    if (trace_member(subject, &subject->member[i], phase, NULL, &found) != 0) break;
    sum.tasks += found.analysis.tasks;
    work += found.analysis.work;
    wall += found.analysis.wall;
    overhead += found.analysis.overhead;
  }
  bench_unpin_team();
  if (i < subject->member_count) return unknown;
  sum.task_seconds = work / (double)sum.tasks;
  sum.overhead = fmax(overhead, 0.0) / (wall * subject->threads);
  return sum;
}

/* ---- The model of a case --------------------------------------------------------------------------- */

/* Median latency of releases where tasks are shared out by vertices; 0: none was seen. */
static double measure_release(bench_subject *subject, bench_phase phase, uint32_t threads) {
  bench_settings vertices = *subject->settings;
  vertices.axis = BDAG_AXIS_VERTICES;
  bdag_error error;
  bench_subject *clone =
      bench_subject_clone(subject, &vertices, subject->batch, threads, 0, &error);
  if (clone == NULL) return 0.0;
  double sum = 0.0, count = 0.0;
  if (vertices.pin) bench_pin_team(threads);
  for (uint64_t i = 0; i < clone->member_count; i++) {
    finding found = {0};
    if (trace_member(clone, &clone->member[i], phase, NULL, &found) != 0) continue;
    sum += found.analysis.release * (double)found.analysis.releases;
    count += (double)found.analysis.releases;
  }
  bench_unpin_team();
  bench_subject_release_clone(clone);
  return count > 0.0 ? sum / count : 0.0;
}

/* By the same measure of time: records of tasks, in a pass that was shared out. */
static double pass_inflation(const finding *alone, const finding *together) {
  if (together->axis == BDAG_AXIS_SERIAL || !(alone->analysis.work > 0.0)) return 1.0;
  const double added = together->reduce - alone->reduce;
  return fmax((together->analysis.work - added) / alone->analysis.work, 1.0);
}

/* One pass of a member: its work and graph from the serial path, its way from the threads. */
static int model_pass(bench_subject *serial, bench_subject *parallel, uint64_t member,
                      bench_phase phase, double release, bench_model_pass *pass) {
  bdag_analysis_options options = BDAG_ANALYSIS_OPTIONS_INIT;
  options.axis = BDAG_AXIS_VERTICES;
  options.release = release;
  finding alone = {0}, together = {0};
  if (trace_member(serial, &serial->member[member], phase, &options, &alone) != 0) return -1;
  if (parallel->settings->pin) bench_pin_team(bench_subject_team(parallel));
  const int failed = trace_member(parallel, &parallel->member[member], phase, NULL, &together);
  bench_unpin_team();
  if (failed) return -1;
  *pass =
      (bench_model_pass){.serial = together.axis == BDAG_AXIS_SERIAL,
                         .work = alone.analysis.work,
                         .span = alone.analysis.span,
                         .burdened_span = alone.analysis.burdened_span,
                         .tiles = alone.tiles,
                         .inflation = pass_inflation(&alone, &together),
                         .reduce = together.groups > 0 ? together.reduce / together.groups : 0.0};
  return 0;
}

int bench_scaling_model(bench_subject *serial, bench_subject *parallel, bench_phase phase,
                        bench_model *model) {
  *model = (bench_model){.passes = bench_allocate(2 * serial->member_count, sizeof *model->passes)};
  if (phase == BENCH_STEP || parallel->threads < 2) return -1;
  if (serial->member_count > 1) model->passes_each = phase == BENCH_BOTH ? 2 : 1;
  model->release = measure_release(parallel, phase, parallel->threads);
  for (uint64_t i = 0; i < serial->member_count; i++)
    for (int p = BENCH_FORWARD; p <= BENCH_BACKWARD; p++) {
      if (phase != BENCH_BOTH && p != (int)phase) continue;
      bench_model_pass *pass = &model->passes[model->pass_count++];
      if (model_pass(serial, parallel, i, p, model->release, pass) != 0) return -1;
    }
  return 0;
}
