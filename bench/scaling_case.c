/* One case: verified, then the serial path and all numbers of threads measured in turns. May include
 * run_cases and below. */
#include <math.h>
#include <string.h>

#include "pin.h"
#include "scaling_run.h"
#include "verify.h"

enum { ROUNDS = 3, ALTERNATIVES = BENCH_LIST + 3 };
#define TOLERANCE    0.05 /* of the formula at the largest measured number of threads */
#define LEAST_SAMPLE 0.004
#define SETTLE       0.004

/* One alternative: engines of their own. The serial path comes first, then the numbers of threads. */
typedef struct turn {
  bench_subject *subject;
  bench_phase phase;
  double forward, backward; /* seconds of the two halves of "both", summed */
  int axis;
  uint64_t memory;
  double *seconds;
  uint64_t count;
  int failed;
} turn;

/* What does not come from the times. */
typedef struct findings {
  int equal[BENCH_LIST + 1]; /* bitwise */
  bench_traced traced[BENCH_LIST + 1];
  bench_model model;
  int known; /* the model */
} findings;

static double run_both(turn *t, uint64_t repetitions) {
  bench_subject *subject = t->subject;
  double (*const forward)(void *, uint64_t) = bench_subject_run(BENCH_FORWARD);
  double forward_seconds = 0.0, backward_seconds = 0.0;
  for (uint64_t r = 0; r < repetitions; r++) {
    const double begin = bench_now();
    if (!(forward(subject, 1) >= 0.0)) return NAN;
    const double middle = bench_now();
    for (uint64_t i = 0; i < subject->member_count; i++) {
      bench_member *member = &subject->member[i];
      const void *targets = bdag_plan_target_count(member->plan) > 0 ? member->targets : NULL;
      double loss;
      const bdag_status status =
          bdag_backward(member->engine, member->weights, targets, NULL, &loss);
      if (status == BDAG_OK) continue;
      snprintf(subject->error.message, sizeof subject->error.message, "%s",
               bdag_status_string(status));
      return NAN;
    }
    forward_seconds += middle - begin;
    backward_seconds += bench_now() - middle;
  }
  t->forward += forward_seconds;
  t->backward += backward_seconds;
  return forward_seconds + backward_seconds;
}

/* Bound anew for each sample, because the runtime may make new threads when the team's size changes. */
static double run_turn(void *user, uint64_t repetitions) {
  turn *t = user;
  if (t->subject->settings->pin) bench_pin_team(bench_subject_team(t->subject));
  const double seconds = t->phase == BENCH_BOTH && t->subject->population == NULL
                             ? run_both(t, repetitions)
                             : bench_subject_run(t->phase)(t->subject, repetitions);
  bench_unpin_team();
  return seconds;
}

static double run_pace(void *user, uint64_t repetitions) {
  double seconds = 0.0;
  for (uint64_t r = 0; r < repetitions; r++) seconds += bench_pace();
  return seconds;
}

static void keep_samples(turn *t, const bench_alternative *a) {
  double *all = bench_allocate(t->count + a->count, sizeof *all);
  if (t->count > 0) memcpy(all, t->seconds, t->count * sizeof *all);
  memcpy(all + t->count, a->seconds, a->count * sizeof *all);
  bench_free(t->seconds);
  t->seconds = all;
  t->count += a->count;
  t->failed |= a->failed;
}

static void measure_round(const bench_settings *settings, turn *turns, uint64_t count) {
  bench_alternative alternatives[ALTERNATIVES] = {0};
  for (uint64_t i = 0; i < count; i++)
    alternatives[i] = (bench_alternative){"pass", turns[i].subject != NULL ? run_turn : run_pace,
                                          &turns[i], .inner = 1};
  bench_effort effort = settings->effort;
  effort.budget /= ROUNDS;
  effort.least = 3;
  effort.least_sample = LEAST_SAMPLE;
  effort.settle = SETTLE;
  bench_measure(alternatives, count, &effort);
  for (uint64_t i = 0; i < count; i++) keep_samples(&turns[i], &alternatives[i]);
  bench_alternatives_clear(alternatives, count);
}

static void describe_turn(turn *t) {
  bdag_engine_info info = {sizeof info};
  if (bdag_engine_describe(t->subject->member[0].engine, &info) == BDAG_OK)
    t->axis = (int)info.axis;
  t->memory = t->subject->plan_bytes + t->subject->engine_bytes;
}

static void trace_turns(bench_scaling_run *run, bench_phase phase, const turn *turns,
                        findings *found) {
  uint32_t most = 0;
  for (uint32_t t = 0; t < run->thread_count; t++) {
    found->traced[t] = bench_scaling_trace(turns[t + 1].subject, phase);
    if (run->threads[t] <= run->scaling->cores) most = t;
  }
  found->known =
      bench_scaling_model(turns[0].subject, turns[most + 1].subject, phase, &found->model) == 0;
}

/* Several rounds with engines made anew: where arrays happen to lie is part of the noise. */
static int measure(bench_scaling_run *run, bench_subject *subject, bench_phase phase,
                   uint64_t batch, turn *turns, findings *found, bdag_error *error) {
  bench_settings serial = *run->settings;
  serial.axis = BDAG_AXIS_SERIAL;
  const uint64_t count = run->thread_count + 1;
  void *shift[ROUNDS] = {NULL};
  int failed = 0;
  for (uint64_t round = 0; round < ROUNDS && !failed; round++) {
    shift[round] = bench_allocate(round * 20000 + 64 * round, 1);
    for (uint64_t i = 0; i < count && !failed; i++) {
      turns[i].phase = phase;
      turns[i].subject =
          bench_subject_clone(subject, i == 0 ? &serial : run->settings, batch,
                              i == 0 ? 1 : run->threads[i - 1], phase == BENCH_STEP, error);
      failed = turns[i].subject == NULL;
      if (!failed) describe_turn(&turns[i]);
    }
    if (!failed) measure_round(run->settings, turns, count + 1);
    if (!failed && round == 0) trace_turns(run, phase, turns, found);
    for (uint64_t i = 0; i < count; i++) {
      bench_subject_release_clone(turns[i].subject);
      turns[i].subject = NULL;
    }
  }
  for (int round = 0; round < ROUNDS; round++) bench_free(shift[round]);
  return failed;
}

/* ---- From samples to the report ------------------------------------------------------------------ */

static void fill_point(bench_scaling_run *run, bench_scaling_case *c, const bench_row *row,
                       const turn *t, const bench_traced *traced, int equal) {
  const bench_statistics s = bench_describe(t->seconds, t->count);
  bench_scaling_point *p = &c->points[c->point_count++];
  p->threads = row->threads;
  p->oversubscribed = row->threads > run->scaling->cores;
  p->axis = t->axis;
  p->noisy = bench_is_noisy(&s);
  p->bitwise_equal = equal;
  p->sample_count = s.count;
  p->median = s.median;
  p->minimum = s.minimum;
  p->quartile_low = s.quartile_low;
  p->quartile_high = s.quartile_high;
  p->confidence_low = s.confidence_low;
  p->confidence_high = s.confidence_high;
  p->speedup = c->points[0].median / s.median;
  p->speedup_serial = c->serial / s.median;
  p->efficiency = p->speedup / p->threads;
  p->karp_flatt = bench_karp_flatt(p->speedup, p->threads);
  p->overhead = traced->overhead;
  p->tasks = traced->tasks;
  p->task_seconds = traced->task_seconds;
  p->peak = row->peak > 0.0 ? row->peak : NAN;
  p->level = row->level;
  p->bandwidth = row->bandwidth > 0.0 ? row->bandwidth : NAN;
  p->backward_forward = t->forward > 0.0 ? t->backward / t->forward : NAN;
  p->memory = row->memory;
}

static void append_row(bench_scaling_run *run, bench_row *row, const turn *t, const turn *pace) {
  row->seconds = t->seconds;
  row->count = t->count;
  row->pace = bench_describe(pace->seconds, pace->count).median;
  if (t->forward > 0.0) row->backward_forward = t->backward / t->forward;
  json_array_append_new(run->rows, bench_row_json(row));
}

/* Private caches grow with the threads, the rest is what all cores of this machine share. */
static double bandwidth_of(const bench_machine *machine, double bytes, uint32_t threads) {
  const bench_ceilings *ceilings = &machine->ceilings;
  if (ceilings->threads == 0) return 0.0;
  for (int level = 0; level < 2; level++)
    if (bytes <= threads * (double)ceilings->read[level].capacity)
      return ceilings->read[level].rate[1] * threads / ceilings->threads;
  const int level = bench_ceiling_level(ceilings, bytes, threads);
  return bench_ceiling_read(ceilings, level, ceilings->threads);
}

static void predict(bench_scaling_run *run, bench_scaling_case *c, bench_model *model) {
  static const uint32_t asked[] = {8, 32, 128, 512};
  const bench_scaling_point *largest = bench_scaling_largest(c);
  model->bytes = c->bytes;
  model->bandwidth = bandwidth_of(run->machine, c->bytes, largest->threads);
  bench_model_fit(model, c->points[0].median);
  bench_predict_check(c, model, TOLERANCE);
  for (size_t i = 0; i < sizeof asked / sizeof *asked && c->prediction_count < 3; i++) {
    if (asked[i] <= run->scaling->cores) continue;
    model->bandwidth = bandwidth_of(run->machine, c->bytes, asked[i]);
    c->predictions[c->prediction_count++] = bench_predict(model, asked[i], c->points[0].median);
  }
}

static void take_model(bench_scaling_case *c, const bench_model *model) {
  c->work = c->burdened_span = 0.0;
  c->span = bench_model_span(model);
  for (uint64_t i = 0; i < model->pass_count; i++) {
    c->work += model->passes[i].work;
    c->burdened_span += model->passes[i].burdened_span;
  }
  if (model->passes_each > 0) c->burdened_span = c->span + model->release;
  c->release = model->release;
  c->parallelism = c->work / c->burdened_span;
}

static void fill_case(bench_scaling_run *run, bench_subject *subject, bench_scaling_case *c,
                      bench_phase phase, const turn *turns, findings *found) {
  const bench_statistics serial = bench_describe(turns[0].seconds, turns[0].count);
  const turn *pace = &turns[run->thread_count + 1];
  c->serial = serial.median;
  c->serial_low = serial.quartile_low;
  c->serial_high = serial.quartile_high;
  for (uint32_t i = 0; i <= run->thread_count; i++) {
    bench_row row = {0};
    subject->batch = c->batch;
    subject->threads = i == 0 ? 1 : run->threads[i - 1];
    bench_row_describe(&row, subject, phase, run->machine);
    if (i == 0) row.implementation = "backdag-serial";
    c->flops = row.flops;
    c->bytes = row.bytes;
    c->edge_samples = row.edge_samples;
    row.memory = turns[i].memory;
    if (i > 0) fill_point(run, c, &row, &turns[i], &found->traced[i - 1], found->equal[i - 1]);
    append_row(run, &row, &turns[i], pace);
  }
  if (!found->known) return;
  take_model(c, &found->model);
  predict(run, c, &found->model);
}

static bench_scaling_case *describe_case(bench_scaling_run *run, const bench_subject *subject,
                                         bench_phase phase, uint64_t batch) {
  bench_scaling_case *c = bench_scaling_add_case(run->scaling);
  const char *slash = strrchr(subject->name, '/');
  snprintf(c->name, sizeof c->name, "%s", slash != NULL ? slash + 1 : subject->name);
  snprintf(c->phase, sizeof c->phase, "%s", bench_phase_name(phase));
  c->batch = batch;
  c->vertices = subject->vertices;
  c->edges = subject->edges;
  c->members = subject->member_count;
  for (uint64_t i = 0; i < subject->member_count; i++) {
    const bdag_plan_summary *summary = &subject->member[i].summary;
    if (summary->depth > c->depth) c->depth = summary->depth;
    if (summary->width > c->width) c->width = summary->width;
  }
  c->bound_flops = (double)(subject->weight_edges + subject->out_edges) / (double)subject->edges;
  c->work = c->span = c->burdened_span = c->parallelism = c->release = c->serial = NAN;
  c->check_predicted = c->check_measured = c->check_error = NAN;
  c->serial_low = c->serial_high = NAN;
  c->valid = 1;
  return c;
}

/* With the most threads; 0 and a note if a result is wrong or says nothing. */
static int verify(bench_scaling_run *run, bench_subject *subject, bench_scaling_case *c,
                  bench_phase phase) {
  const int backward = phase != BENCH_FORWARD, step = phase == BENCH_STEP;
  const uint32_t threads = bench_scaling_most(run);
  int valid = 0;
  if (bench_subject_configure(subject, c->batch, threads, step) != BDAG_OK) {
    snprintf(c->note, sizeof c->note, "%.190s", subject->error.message);
  } else if (!backward || bench_check_liveness(subject, c->note, sizeof c->note)) {
    bench_verification verification = {.correct = 1};
    if (run->settings->verify) bench_verify(subject, backward, step, &verification);
    valid = verification.correct;
    if (!valid) snprintf(c->note, sizeof c->note, "WRONG RESULT: %.180s", verification.message);
  }
  for (uint64_t i = 0; i < subject->member_count; i++)
    bench_member_unconfigure(&subject->member[i]);
  return valid;
}

static int run_phase(bench_scaling_run *run, bench_subject *subject, bench_phase phase,
                     uint64_t batch) {
  bench_scaling_case *c = describe_case(run, subject, phase, batch);
  turn turns[ALTERNATIVES] = {0};
  findings found = {0};
  bdag_error error = {0};
  c->valid = verify(run, subject, c, phase);
  if (c->valid) {
    bench_scaling_compare_bits(run, subject, batch, phase != BENCH_FORWARD, found.equal);
    c->valid = !measure(run, subject, phase, batch, turns, &found, &error);
    for (uint32_t i = 0; i <= run->thread_count; i++) c->valid = c->valid && !turns[i].failed;
    if (!c->valid) snprintf(c->note, sizeof c->note, "a pass failed: %.150s", error.message);
  }
  if (c->valid) fill_case(run, subject, c, phase, turns, &found);
  for (int i = 0; i < ALTERNATIVES; i++) bench_free(turns[i].seconds);
  bench_free(found.model.passes);
  bench_progress_clear(run->settings);
  bench_scaling_print_case(stdout, c);
  fflush(stdout);
  return c->valid;
}

/* The case's largest batch, unless the settings name one. */
static uint64_t batch_of(const bench_settings *settings, const bench_case *the_case) {
  if (settings->batches[0] != 0) return settings->batches[0];
  uint64_t largest = the_case != NULL ? 1 : 64;
  for (int i = 0; the_case != NULL && i < BENCH_BATCHES && the_case->batches[i] != 0; i++)
    if (the_case->batches[i] > largest) largest = the_case->batches[i];
  return largest;
}

static uint32_t phases_of(const bench_settings *settings, const bench_case *the_case,
                          int has_loss) {
  const uint32_t forward = BENCH_PHASE_BIT(BENCH_FORWARD);
  if (settings->phases != 0) return settings->phases & (has_loss ? BENCH_PASSES : forward);
  const uint32_t backward = BENCH_PHASE_BIT(BENCH_BACKWARD) | BENCH_PHASE_BIT(BENCH_BOTH);
  if (the_case != NULL && !(the_case->phases & backward)) return forward;
  return has_loss ? BENCH_PHASE_BIT(BENCH_BOTH) : forward;
}

uint64_t bench_scaling_case_run(bench_scaling_run *run, const bench_case *the_case,
                                const char *path) {
  bench_scaling_progress(run, the_case != NULL ? the_case->name : path);
  bench_subject *subject = bench_subject_create(run->context, run->settings, the_case, path);
  if (subject == NULL) return 1;
  const uint32_t phases = phases_of(run->settings, the_case, subject->has_loss);
  uint64_t failures = 0;
  for (int p = 0; p < BENCH_PHASES; p++)
    if (phases & BENCH_PHASE_BIT(p))
      failures += !run_phase(run, subject, p, batch_of(run->settings, the_case));
  bench_subject_destroy(subject);
  run->done += 1.0;
  return failures;
}
