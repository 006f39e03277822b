/* Results of the engine against the oracle, before any time of them is believed. */
#ifndef BENCH_VERIFY_H
#define BENCH_VERIFY_H

#include "subject.h"

typedef struct bench_verification {
  int correct; /* 0: a result is wrong, `message` says which */
  int checked_backward, checked_step;
  int kinks;        /* float32 gradients off as kinks explain it, and float64 ones not */
  uint64_t samples; /* of each member that the oracle worked out */
  double worst;     /* largest relative distance of an array from the oracle's */
  char message[256];
} bench_verification;

/* Passes over the whole batch in which only some samples have a weight, compared with the oracle's
 * passes over those samples: outputs, and with `backward` loss and gradients, and with `step` the
 * change of the weights in one training step. */
void bench_verify(bench_subject *subject, int backward, int step, bench_verification *result);

typedef struct bench_liveness {
  double alive;      /* share of the in_grads that are not 0 */
  uint64_t infinite; /* in_grads that are not finite */
} bench_liveness;

/* In_grads of one backward pass over the whole batch, of the vertices that reach Loss and are no
 * inputs. Returns the status of the pass. */
bdag_status bench_liveness_count(bench_subject *subject, bench_liveness *liveness);

/* Distance of numbers from those expected, in the Euclidean norm. Elements that are off by more than
 * 1 % of their size and the root mean square are kept apart: where in(v) lies so near a kink that
 * rounding decides, a few of them are right. */
typedef struct bench_distance {
  double difference, difference_off, norm; /* sums of squares */
  uint64_t count, off;
} bench_distance;
void bench_distance_add(bench_distance *distance, double value, double expected, double rms);
/* Of the elements that are not off, relative to the norm of all. */
double bench_distance_relative(const bench_distance *distance);
/* Relative distance at most `tolerance`; at most one of 1000 off, these by at most 1 % of the norm. */
int bench_distance_is_small(const bench_distance *distance, double tolerance);
/* What a few neurons on the wrong side of their kink can do in a deep net: 5 % of either. */
int bench_distance_may_be_kinks(const bench_distance *distance);

#endif
