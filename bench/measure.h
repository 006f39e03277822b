/* How times are taken: warm-up, repetitions until the median is known well enough or the time is up,
 * and alternation of everything that is compared. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include "statistics.h"

typedef struct bench_alternative {
  const char *name;
  /* Runs that many repetitions and returns their seconds, negative or NaN when it failed. */
  double (*run)(void *user, uint64_t repetitions);
  void *user;
  /* Filled in by bench_measure: */
  uint64_t inner; /* repetitions a sample */
  int failed;
  uint64_t count;
  double *seconds; /* [count] of one repetition, each the mean of one sample */
} bench_alternative;

typedef struct bench_effort {
  double budget;       /* seconds for each alternative, once warm */
  double least_sample; /* seconds of a sample at least: repetitions are added up to that */
  double uncertainty;  /* stop when the median of every alternative is known to this share */
  double settle;       /* pause before a sample, so that waiting threads of the others sleep */
  uint64_t least;      /* samples, even when the budget is spent */
} bench_effort;
#define BENCH_EFFORT_INIT                                                                          \
  { 1.5, 1e-3, 0.005, 0.0, 5 }

/* Measures all alternatives interleaved, each round in the opposite order of the one before. Failed
 * alternatives are left out from their failure on. */
void bench_measure(bench_alternative *alternatives, uint64_t count, const bench_effort *effort);
/* Releases the samples. */
void bench_alternatives_clear(bench_alternative *alternatives, uint64_t count);

#endif
