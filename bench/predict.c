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

double bench_overhead(double work, double seconds, uint32_t threads) {
  const double paid = threads * seconds;
  return work <= paid ? (paid - work) / paid : work > paid ? 0.0 : NAN;
}

bench_prediction bench_predict(const bench_model *model, uint32_t threads, double one) {
  const double span = model->burdened_span;
  const double greedy = bench_bound_greedy(model->work, span, threads);
  const double moved = model->bandwidth > 0.0 ? model->bytes / model->bandwidth : 0.0;
  bench_prediction p = {.threads = threads, .seconds = fmax(greedy, moved)};
  if (moved > greedy)
    p.limit = BENCH_LIMIT_BANDWIDTH;
  else
    p.limit = greedy - span >= span ? BENCH_LIMIT_WORK : BENCH_LIMIT_SPAN;
  p.speedup = one / p.seconds;
  return p;
}

void bench_predict_check(bench_scaling_case *c, const bench_model *model, double tolerance) {
  const bench_scaling_point *largest = bench_scaling_largest(c);
  c->predictions_shown = 0;
  c->check_threads = 0;
  c->check_predicted = c->check_measured = c->check_error = NAN;
  if (largest == NULL || largest->threads < 2 || !(model->work > 0.0)) return;
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
