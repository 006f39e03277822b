/* METG (E. Slaughter et al., "Task Bench", SC 2020): one vertex is one task whose activation spins for a
 * known time; the grain at which half of the threads' time is work. May include subject. */
#include <math.h>
#include <string.h>

#include "metg_graph.h"
#include "pin.h"
#include "scaling_run.h"

enum { TASKS = 4000, GRAINS = 11, BATCH = 16 };
#define SHORTEST 25e-9
#define BUDGET   0.12 /* seconds for each grain at most */

/* Dependent multiply-adds: their time does not depend on what else the core can do. */
__attribute__((noinline)) static double spin(uint64_t links) {
  double x = 1.0;
  for (uint64_t i = 0; i < links; i++) {
    x = x * 0.999 + 0.001;
    __asm__ volatile("" : "+x"(x));
  }
  return x;
}

/* Written between passes only. */
static uint64_t links_of_task;

static int spin_value(void *user, bdag_type type, double parameter, size_t count, const void *in,
                      void *out) {
  const double kept = 0.0 * spin(links_of_task);
  for (size_t i = 0; i < count; i++) ((float *)out)[i] = ((const float *)in)[i] + (float)kept;
  return 0;
}

static int spin_derivative(void *user, bdag_type type, double parameter, size_t count,
                           const void *in, const void *out, void *derivative) {
  for (size_t i = 0; i < count; i++) ((float *)derivative)[i] = 1.0f;
  return 0;
}

/* `argument`: shape, 16 bits of width, kind of the activation from bit 32 on. */
static bench_graph *build(uint64_t argument, uint64_t index, uint64_t seed) {
  const uint32_t width = argument >> 8 & 0xffff, kind = (uint32_t)(argument >> 32);
  const uint32_t depth = TASKS / width > 8 ? TASKS / width : 8;
  bench_graph *graph = bench_metg_graph(argument & 3, width, depth + 1, 0.25, seed + index);
  bench_graph_activate(graph, width, width * depth, kind, 0.0);
  bench_graph_set_sinks_as_outputs(graph, BDAG_MEAN_SQUARED_ERROR);
  return graph;
}

typedef struct grain {
  bench_subject *subject; /* NULL: spins alone, for the time of one link */
  uint64_t links;
} grain;

static double run_grain(void *user, uint64_t repetitions) {
  grain *g = user;
  links_of_task = g->links;
  if (g->subject != NULL) return bench_subject_run(BENCH_FORWARD)(g->subject, repetitions);
  static volatile double kept;
  const double begin = bench_now();
  for (uint64_t r = 0; r < repetitions; r++) kept = spin(g->links);
  (void)kept;
  return bench_now() - begin;
}

static void measure_curve(bench_scaling_run *run, bench_subject *subject, bench_metg_shape shape,
                          uint32_t threads) {
  enum { CALIBRATION = 100000 };
  grain grains[GRAINS + 1] = {{NULL, CALIBRATION}};
  bench_alternative alternatives[GRAINS + 1] = {0};
  double link = INFINITY;
  for (int i = 0; i < 10; i++) link = fmin(link, run_grain(&grains[0], 1) / CALIBRATION);
  for (int i = 0; i <= GRAINS; i++) {
    if (i > 0) grains[i] = (grain){subject, (uint64_t)(SHORTEST * exp2(i - 1) / link) + 1};
    alternatives[i] = (bench_alternative){"grain", run_grain, &grains[i], .inner = 1};
  }
  bench_effort effort = run->settings->effort;
  effort.budget = fmin(BUDGET, effort.budget);
  effort.least = 3;
  run_grain(&grains[1], 1);
  if (run->settings->pin) bench_pin_team(threads);
  bench_measure(alternatives, GRAINS + 1, &effort);
  bench_unpin_team();
  bench_metg_curve *curve = bench_scaling_add_metg(run->scaling);
  strcpy(curve->shape, bench_metg_names[shape]);
  curve->threads = threads;
  curve->tasks = subject->vertices - bdag_plan_input_count(subject->member[0].plan);
  /* The least: what is longer was another program's work. */
  const double one =
      bench_describe(alternatives[0].seconds, alternatives[0].count).minimum / CALIBRATION;
  for (int i = 1; i <= GRAINS; i++) {
    const double seconds = bench_describe(alternatives[i].seconds, alternatives[i].count).median;
    const double work = one * (double)grains[i].links;
    const bench_metg_point point = {work, seconds,
                                    work * (double)curve->tasks / (threads * seconds)};
    if (!alternatives[i].failed) bench_metg_add_point(curve, point);
  }
  curve->metg = bench_metg(curve, 0.5);
  bench_alternatives_clear(alternatives, GRAINS + 1);
}

static void run_shape(bench_scaling_run *run, bdag_context *context, const bench_settings *settings,
                      uint64_t kind, bench_metg_shape shape) {
  const uint32_t most = bench_scaling_most(run);
  const uint64_t width = most < 2 ? 8 : most < 512 ? 4 * most : 2048;
  const bench_case the_case = {.name = bench_metg_names[shape],
                               .build = build,
                               .argument = kind << 32 | width << 8 | shape,
                               .members = 1};
  bench_subject *subject = bench_subject_create(context, settings, &the_case, NULL);
  if (subject == NULL) return;
  for (uint32_t threads = 1;; threads = most) {
    if (bench_subject_configure(subject, BATCH, threads, 0) == BDAG_OK)
      measure_curve(run, subject, shape, threads);
    if (threads == most) break;
  }
  bench_subject_destroy(subject);
}

static bench_settings settings_of_tasks(const bench_settings *settings) {
  bench_settings changed = *settings;
  changed.type = BDAG_FLOAT32;
  changed.granularity = BDAG_GRANULARITY_VERTEX;
  changed.axis = BDAG_AXIS_VERTICES;
  changed.tile = 16;
  return changed;
}

/* The context, with the activation that spins. */
static bdag_context *context_of_tasks(const bench_settings *settings, uint32_t threads,
                                      uint32_t *kind) {
  bdag_context *context = bench_context_create(settings, threads);
  const bdag_activation_functions functions = {spin_value, spin_derivative, NULL};
  bdag_error error;
  if (bdag_context_register_activation(context, "bench-spin", &functions, kind, &error) != BDAG_OK)
    bench_die("%s", error.message);
  return context;
}

void bench_scaling_metg_run(bench_scaling_run *run) {
  bench_scaling_progress(run, "task grain");
  const bench_settings settings = settings_of_tasks(run->settings);
  uint32_t kind;
  bdag_context *context = context_of_tasks(&settings, bench_scaling_most(run), &kind);
  for (int s = 0; s < BENCH_METG_SHAPES; s++) run_shape(run, context, &settings, kind, s);
  bdag_context_destroy(context);
  run->done += 1.0;
}

double bench_task_cost(const bench_settings *settings, uint32_t threads) {
  enum { WIDTH = 64 };
  const bench_settings tasks = settings_of_tasks(settings);
  bench_settings serial = tasks;
  serial.axis = BDAG_AXIS_SERIAL;
  uint32_t kind;
  bdag_context *context = context_of_tasks(&tasks, threads, &kind);
  const bench_case the_case = {.name = "tasks",
                               .build = build,
                               .argument = (uint64_t)kind << 32 | WIDTH << 8 | BENCH_METG_RANDOM,
                               .members = 1};
  bench_subject *subject = bench_subject_create(context, &tasks, &the_case, NULL), *clone[2] = {0};
  double seconds[2] = {NAN, NAN};
  bdag_error error;
  for (int i = 0; subject != NULL && i < 2; i++) {
    clone[i] = bench_subject_clone(subject, i == 0 ? &serial : &tasks, BATCH, i == 0 ? 1 : threads,
                                   0, &error);
    if (clone[i] == NULL) continue;
    grain empty = {clone[i], 0};
    run_grain(&empty, 1);
    if (settings->pin) bench_pin_team(clone[i]->threads);
    for (int r = 0; r < 50; r++) seconds[i] = fmin(seconds[i], run_grain(&empty, 1));
    bench_unpin_team();
  }
  const double cost = (threads * seconds[1] - seconds[0]) / TASKS;
  for (int i = 0; i < 2; i++) bench_subject_release_clone(clone[i]);
  bench_subject_destroy(subject);
  bdag_context_destroy(context);
  return fmax(cost, 0.0);
}
