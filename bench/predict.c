/* Bounds, predictions and METG. May include only scaling_data.h. */
#include "predict.h"

#include <math.h>

double bench_bound_work_span(double work, double span, uint32_t threads) {
  return fmax(work / threads, span);
}

double bench_bound_greedy(double work, double span, uint32_t threads) {
  return fmax(work - span, 0.0) / threads + span;
}

double bench_karp_flatt(double speedup, uint32_t threads) {
  if (threads <= 1) return NAN;
  const double share = 1.0 / threads;
  return (1.0 / speedup - share) / (1.0 - share);
}

static double work_of(const bench_model *model) {
  double work = 0.0;
  for (uint64_t i = 0; i < model->pass_count; i++) work += model->passes[i].work;
  return work;
}

/* Of the network that takes longest. */
static double dearest(const bench_model *model) {
  double most = 0.0;
  for (uint64_t i = 0; i < model->pass_count; i += model->passes_each) {
    double work = 0.0;
    for (uint64_t k = i; k < i + model->passes_each; k++) work += model->passes[k].work;
    most = fmax(most, work);
  }
  return most;
}

double bench_model_span(const bench_model *model) {
  if (model->passes_each > 0) return dearest(model);
  double span = 0.0;
  for (uint64_t i = 0; i < model->pass_count; i++) span += model->passes[i].span;
  return span;
}

void bench_model_fit(bench_model *model, double one) {
  const double factor = one / work_of(model);
  for (uint64_t i = 0; i < model->pass_count; i++) {
    bench_model_pass *pass = &model->passes[i];
    const double burden = pass->burdened_span - pass->span;
    pass->work *= factor;
    pass->span *= factor;
    pass->burdened_span = pass->span + burden;
  }
}

static double seconds_of_pass(const bench_model *model, const bench_model_pass *pass,
                              uint32_t threads) {
  if (pass->serial || threads == 1) return pass->work;
  const double inflation = fmax(pass->inflation, 1.0), work = pass->work * inflation;
  const double burdened =
      bench_bound_greedy(work, pass->span * inflation, threads) + pass->burdened_span - pass->span;
  /* Released tasks stay where they are while nobody is hungry: the burden is never more than the gain. */
  const double greedy = fmin(burdened, pass->work);
  if (pass->tiles < 2) return greedy;
  const double tiles = (double)pass->tiles;
  const double buffers = fmin(tiles, threads);
  const double shared = work * ceil(tiles / threads) / tiles;
  return fmin(greedy, shared + pass->reduce * (buffers - 1.0) / threads + 2.0 * model->release);
}

bench_prediction bench_predict(const bench_model *model, uint32_t threads, double one) {
  bench_prediction p = {.threads = threads};
  if (model->passes_each > 0)
    p.seconds = bench_bound_work_span(work_of(model), dearest(model), threads);
  for (uint64_t i = 0; i < model->pass_count && model->passes_each == 0; i++)
    p.seconds += seconds_of_pass(model, &model->passes[i], threads);
  const double moved = model->bandwidth > 0.0 ? model->bytes / model->bandwidth : 0.0;
  p.limit = work_of(model) / threads >= 0.5 * p.seconds ? BENCH_LIMIT_WORK : BENCH_LIMIT_SPAN;
  if (moved > p.seconds) {
    p.seconds = moved;
    p.limit = BENCH_LIMIT_BANDWIDTH;
  }
  p.speedup = one / p.seconds;
  return p;
}

void bench_predict_check(bench_scaling_case *c, const bench_model *model, double tolerance) {
  const bench_scaling_point *largest = bench_scaling_largest(c);
  c->predictions_shown = 0;
  c->check_threads = 0;
  c->check_predicted = c->check_measured = c->check_error = NAN;
  if (largest == NULL || largest->threads < 2 || !(work_of(model) > 0.0)) return;
  c->check_threads = largest->threads;
  c->check_measured = largest->median;
  c->check_predicted = bench_predict(model, largest->threads, c->points[0].median).seconds;
  c->check_error = c->check_predicted / c->check_measured - 1.0;
  c->predictions_shown = fabs(c->check_error) <= tolerance;
}

double bench_metg(const bench_metg_curve *curve, double share) {
  for (uint32_t i = 0; i < curve->point_count; i++) {
    const bench_metg_point *here = &curve->points[i];
    if (!(here->efficiency >= share)) continue;
    const double scale = (double)curve->threads / (double)curve->tasks;
    if (i == 0) return here->seconds * scale;
    const bench_metg_point *before = here - 1;
    const double part =
        (share - before->efficiency) / fmax(here->efficiency - before->efficiency, 1e-12);
    return scale * exp(log(before->seconds) + part * (log(here->seconds) - log(before->seconds)));
  }
  return NAN;
}
