/* METG (E. Slaughter et al., "Task Bench", SC 2020) of the scheduler alone: tasks that spin for a known
 * time in graphs of three shapes; the grain at which half of the threads' time is work. */
#include "metg.h"

#include <argp.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "metg_graph.h"
#include "own_tasks.h"
#include "pin.h"
#include "predict.h"
#include "report.h"
#include "subject.h"

enum { TASKS = 8000, GRAINS = 12, WIDTH_A_THREAD = 4 };
#define SHORTEST 15e-9
#define SHARE    0.5
#if defined(__aarch64__)
#define REGISTER "+w"
#else
#define REGISTER "+x"
#endif

/* Dependent multiply-adds, each task's after those of the task before: their time does not depend on what
 * else the core can do. */
__attribute__((noinline)) static void spin(void *links) {
  static _Thread_local double kept = 1.0;
  double x = kept;
  for (uint64_t i = *(const uint64_t *)links; i > 0; i--) {
    x = x * 0.999 + 0.001;
    __asm__ volatile("" : REGISTER(x));
  }
  kept = x;
}

typedef struct grain {
  bench_own_tasks *tasks;
  uint64_t *links, count; /* what the bodies read; this grain's number */
} grain;

static double run_grain(void *user, uint64_t repetitions) {
  const grain *g = user;
  *g->links = g->count;
  return bench_own_tasks_run(g->tasks, repetitions);
}

/* Seconds of one link: the least of some runs. */
static double measure_link(void) {
  uint64_t links = 100000;
  double least = INFINITY;
  for (int i = 0; i < 20; i++) {
    const double begin = bench_now();
    spin(&links);
    least = fmin(least, (bench_now() - begin) / (double)links);
  }
  return least;
}

/* Fills in both curves: by the medians, and by the least times, which other programs disturb less. */
static void measure_curves(const bench_settings *settings, grain *grains, double link,
                           bench_metg_curve *usual, bench_metg_curve *least) {
  bench_alternative alternatives[GRAINS] = {0};
  for (int i = 0; i < GRAINS; i++)
    alternatives[i] = (bench_alternative){"grain", run_grain, &grains[i], .inner = 1};
  bench_effort effort = settings->effort;
  effort.least = 5;
  run_grain(&grains[0], 1);
  if (settings->pin) bench_pin_team(usual->threads);
  bench_measure(alternatives, GRAINS, &effort);
  bench_unpin_team();
  for (int i = 0; i < GRAINS; i++) {
    const bench_statistics s = bench_describe(alternatives[i].seconds, alternatives[i].count);
    const double work = link * (double)grains[i].count;
    const double all = work * (double)usual->tasks / usual->threads;
    bench_metg_add_point(usual, (bench_metg_point){work, s.median, all / s.median});
    bench_metg_add_point(least, (bench_metg_point){work, s.minimum, all / s.minimum});
  }
  usual->metg = bench_metg(usual, SHARE);
  least->metg = bench_metg(least, SHARE);
  bench_alternatives_clear(alternatives, GRAINS);
}

static json_t *curve_json(const bench_metg_curve *usual, const bench_metg_curve *least) {
  json_t *points = json_array();
  for (uint32_t i = 0; i < usual->point_count; i++)
    json_array_append_new(points, json_pack("{s:f, s:f, s:f}", "grain", usual->points[i].grain,
                                            "seconds", usual->points[i].seconds, "efficiency",
                                            usual->points[i].efficiency));
  json_t *json =
      json_pack("{s:s, s:i, s:I, s:o}", "shape", usual->shape, "threads", (int)usual->threads,
                "tasks", (json_int_t)usual->tasks, "points", points);
  json_object_set_new(json, "metg", isfinite(usual->metg) ? json_real(usual->metg) : json_null());
  json_object_set_new(json, "metg_of_minima",
                      isfinite(least->metg) ? json_real(least->metg) : json_null());
  return json;
}

static void run_shape(const bench_settings *settings, bdag_context *context, bench_metg_shape shape,
                      uint32_t width, uint32_t threads, json_t *curves) {
  bench_graph *graph = bench_metg_graph(shape, width, TASKS / width, 0.0, settings->seed);
  uint64_t links = 0;
  grain grains[GRAINS];
  bench_own_tasks *tasks = bench_own_tasks_create(context, graph, threads, spin, &links);
  const double link = measure_link();
  for (int i = 0; i < GRAINS; i++)
    grains[i] = (grain){tasks, &links, (uint64_t)(SHORTEST * exp2(i) / link) + 1};
  bench_metg_curve usual = {.threads = threads, .tasks = graph->vertex_count}, least = usual;
  strcpy(usual.shape, bench_metg_names[shape]);
  measure_curves(settings, grains, link, &usual, &least);
  printf("%-8s %5u %2u %6llu  %8.3f  %8.3f\n", usual.shape, width, threads,
         (unsigned long long)usual.tasks, 1e6 * usual.metg, 1e6 * least.metg);
  fflush(stdout);
  json_array_append_new(curves, curve_json(&usual, &least));
  free(usual.points);
  free(least.points);
  bench_own_tasks_destroy(tasks);
  bench_graph_destroy(graph);
}

static error_t take_option(int key, char *text, struct argp_state *state) {
  if (key != ARGP_KEY_INIT) return ARGP_ERR_UNKNOWN;
  state->child_inputs[0] = state->input;
  return 0;
}

static uint32_t choose_threads(bench_settings *settings) {
  if (settings->threads[0] == 0) {
    bdag_context *context = bench_context_create(settings, 0);
    const uint32_t allowed = bdag_context_threads(context);
    bdag_context_destroy(context);
    settings->threads[0] = 1;
    if (allowed > 1) settings->threads[1] = allowed;
  }
  uint32_t most = 1;
  for (int t = 0; t < BENCH_LIST; t++)
    if (settings->threads[t] > most) most = settings->threads[t];
  return most;
}

int bench_metg_verb(int argc, char **argv) {
  static const struct argp_child children[] = {{&bench_settings_argp, 0, NULL, 0}, {0}};
  static const struct argp parser = {
      NULL,
      take_option,
      "",
      "Task grain at which half of the threads' time is work, in microseconds: threads x time / "
      "tasks. The scheduler alone, chains and stencils four columns a thread, random graphs. By "
      "the medians, and by the least times.",
      children,
      NULL,
      NULL};
  bench_settings settings = bench_settings_default();
  settings.effort.budget = 0.3;
  argp_parse(&parser, argc, argv, 0, NULL, &settings);
  const uint32_t most = choose_threads(&settings);
  bdag_context *context = bench_context_create(&settings, most);
  json_t *curves = json_array();
  printf("%-8s %5s %2s %6s  %8s  %8s\n", "shape", "width", "t", "tasks", "METG us", "of least");
  for (int s = 0; s < BENCH_METG_SHAPES; s++)
    for (int t = 0; t < BENCH_LIST && settings.threads[t] != 0; t++)
      run_shape(&settings, context, s, WIDTH_A_THREAD * most, settings.threads[t], curves);
  json_t *report = json_pack("{s:s, s:s, s:o, s:o}", "format", "backdag-bench", "kind", "metg",
                             "settings", bench_settings_json(&settings), "metg", curves);
  const int failed = settings.json != NULL && bench_report_write(report, settings.json) != 0;
  json_decref(report);
  bdag_context_destroy(context);
  return failed;
}
