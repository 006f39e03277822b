/* Statistics of repeated timings. Knows numbers only. */
#ifndef BENCH_STATISTICS_H
#define BENCH_STATISTICS_H

#include <stdint.h>

typedef struct bench_statistics {
  uint64_t count;
  double median, minimum, maximum;
  double tenth;                           /* 10 % quantile */
  double quartile_low, quartile_high;     /* 25 % and 75 %, interpolated */
  double confidence_low, confidence_high; /* 95 % interval of the median */
} bench_statistics;

/* Of values[count]; all NaN for count 0. The interval comes from the order statistics (binomial, normal
 * approximation), so that nothing is assumed about the distribution; below 6 values it is minimum to
 * maximum. */
bench_statistics bench_describe(const double *values, uint64_t count);

/* Half of the confidence interval's and all of the interquartile range's share of the median. */
double bench_uncertainty(const bench_statistics *statistics);
double bench_spread(const bench_statistics *statistics);
/* Noisy: the quartiles are more than 10 % of the median apart, or the median is uncertain by 3 %. */
int bench_is_noisy(const bench_statistics *statistics);

/* Two-sided p of the Mann-Whitney test that both samples come from one distribution (normal
 * approximation with correction for ties); 1 if either is empty. */
double bench_mann_whitney(const double *a, uint64_t a_count, const double *b, uint64_t b_count);

typedef enum bench_verdict { BENCH_SAME = 0, BENCH_FASTER = -1, BENCH_SLOWER = 1 } bench_verdict;

/* Judges `later` against `before` (seconds). A change is reported when the ratio of the medians leaves
 * 1 ± max(least, half of both spreads), that of the 10 % quantiles leaves 1 ± least / 2 on the same side
 * (other people's work lengthens most samples, but seldom all), the confidence intervals do not meet,
 * and the Mann-Whitney p is below 0.001. */
bench_verdict bench_judge(const double *before, uint64_t before_count, const double *later,
                          uint64_t later_count, double least);

/* Judges by the medians of rounds that are spread over a whole run, so that the machine's drift between
 * minutes is among what they show: all rounds of one run must lie on one side of all rounds of the other,
 * and the nearest two be more than least / 2 apart (a neighbour on the machine may slow a whole run a
 * little, but seldom as evenly as a change of the program). Fewer than 4 rounds on a side: SAME. */
bench_verdict bench_judge_rounds(const double *before, uint64_t before_count, const double *later,
                                 uint64_t later_count, double least);
#endif
