/* Median, quartiles, confidence of the median, Mann-Whitney test. */
#include "statistics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench_base.h"

static int compare_doubles(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double *sorted_copy(const double *values, uint64_t count) {
  double *sorted = bench_allocate(count, sizeof *sorted);
  memcpy(sorted, values, count * sizeof *sorted);
  qsort(sorted, count, sizeof *sorted, compare_doubles);
  return sorted;
}

static double quantile(const double *sorted, uint64_t count, double q) {
  const double position = q * (double)(count - 1);
  const uint64_t below = (uint64_t)position;
  const uint64_t above = below + 1 < count ? below + 1 : below;
  return sorted[below] + (position - (double)below) * (sorted[above] - sorted[below]);
}

bench_statistics bench_describe(const double *values, uint64_t count) {
  bench_statistics s = {count, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN};
  if (count == 0) return s;
  double *sorted = sorted_copy(values, count);
  s.median = quantile(sorted, count, 0.5);
  s.minimum = sorted[0];
  s.maximum = sorted[count - 1];
  s.tenth = quantile(sorted, count, 0.1);
  s.quartile_low = quantile(sorted, count, 0.25);
  s.quartile_high = quantile(sorted, count, 0.75);
  s.confidence_low = s.minimum;
  s.confidence_high = s.maximum;
  if (count >= 6) {
    const double half = 0.98 * sqrt((double)count), middle = 0.5 * (double)count;
    const double low = floor(middle - half), high = ceil(middle + half);
    s.confidence_low = sorted[low < 1 ? 0 : (uint64_t)low - 1];
    s.confidence_high = sorted[high >= (double)count ? count - 1 : (uint64_t)high];
  }
  bench_free(sorted);
  return s;
}

double bench_uncertainty(const bench_statistics *s) {
  return 0.5 * (s->confidence_high - s->confidence_low) / s->median;
}

double bench_spread(const bench_statistics *s) {
  return (s->quartile_high - s->quartile_low) / s->median;
}

int bench_is_noisy(const bench_statistics *s) {
  return bench_spread(s) > 0.10 || bench_uncertainty(s) > 0.03;
}

typedef struct ranked {
  double value;
  int first; /* belongs to the first sample */
} ranked;

static int compare_ranked(const void *a, const void *b) {
  return compare_doubles(&((const ranked *)a)->value, &((const ranked *)b)->value);
}

double bench_mann_whitney(const double *a, uint64_t a_count, const double *b, uint64_t b_count) {
  if (a_count == 0 || b_count == 0) return 1.0;
  const uint64_t count = a_count + b_count;
  ranked *all = bench_allocate(count, sizeof *all);
  for (uint64_t i = 0; i < a_count; i++) all[i] = (ranked){a[i], 1};
  for (uint64_t i = 0; i < b_count; i++) all[a_count + i] = (ranked){b[i], 0};
  qsort(all, count, sizeof *all, compare_ranked);
  double rank_sum = 0.0, ties = 0.0;
  for (uint64_t i = 0, end; i < count; i = end) {
    for (end = i + 1; end < count && all[end].value == all[i].value;) end++;
    const double tied = (double)(end - i), rank = 0.5 * (double)(i + 1 + end);
    ties += tied * tied * tied - tied;
    for (uint64_t j = i; j < end; j++) rank_sum += all[j].first ? rank : 0.0;
  }
  bench_free(all);
  const double n = (double)a_count, m = (double)b_count, total = n + m;
  const double u = rank_sum - 0.5 * n * (n + 1.0);
  const double variance = n * m / 12.0 * (total + 1.0 - ties / (total * (total - 1.0)));
  if (!(variance > 0.0)) return 1.0;
  const double distance = fmax(fabs(u - 0.5 * n * m) - 0.5, 0.0);
  return erfc(distance / sqrt(2.0 * variance));
}

bench_verdict bench_judge(const double *before, uint64_t before_count, const double *later,
                          uint64_t later_count, double least) {
  const bench_statistics a = bench_describe(before, before_count);
  const bench_statistics b = bench_describe(later, later_count);
  const double change = b.median / a.median - 1.0;
  const double threshold = fmax(least, 0.5 * (bench_spread(&a) + bench_spread(&b)));
  if (!(fabs(change) > threshold)) return BENCH_SAME;
  const double low_change = b.tenth / a.tenth - 1.0;
  if (!(low_change * change > 0.0 && fabs(low_change) > 0.5 * least)) return BENCH_SAME;
  if (a.confidence_low <= b.confidence_high && b.confidence_low <= a.confidence_high)
    return BENCH_SAME;
  if (bench_mann_whitney(before, before_count, later, later_count) >= 0.001) return BENCH_SAME;
  return change > 0.0 ? BENCH_SLOWER : BENCH_FASTER;
}

bench_verdict bench_judge_rounds(const double *before, uint64_t before_count, const double *later,
                                 uint64_t later_count, double least) {
  if (before_count < 4 || later_count < 4) return BENCH_SAME;
  const bench_statistics a = bench_describe(before, before_count);
  const bench_statistics b = bench_describe(later, later_count);
  const double apart = 1.0 + 0.5 * least;
  if (b.minimum > apart * a.maximum) return BENCH_SLOWER;
  return apart * b.maximum < a.minimum ? BENCH_FASTER : BENCH_SAME;
}
