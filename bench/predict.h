/* Formulas of scaling: numbers in, numbers out. Includes nothing.
 *
 * R. Graham, SIAM J. Appl. Math. 17 (1969), and R. Brent, J. ACM 21 (1974): with work W and span S a
 * greedy schedule on P processors takes T_P with max(W/P, S) ≤ T_P ≤ (W − S)/P + S.
 * A. Karp and H. Flatt, Commun. ACM 33 (1990): the serial fraction that a measured speed-up reveals. */
#ifndef BENCH_PREDICT_H
#define BENCH_PREDICT_H

#include <stdint.h>

#include "scaling_data.h"

/* Seconds that no schedule can beat: the work/span bound. */
double bench_bound_work_span(double work, double span, uint32_t threads);
/* Seconds that a greedy schedule needs at most. */
double bench_bound_greedy(double work, double span, uint32_t threads);

/* (1/speedup − 1/threads) / (1 − 1/threads); NaN for one thread. */
double bench_karp_flatt(double speedup, uint32_t threads);
/* Share of threads × seconds that is not `work`, 0 at least; NaN if either is unknown. */
double bench_overhead(double work, double seconds, uint32_t threads);

/* What a prediction is made of. */
typedef struct bench_model {
  double work, burdened_span; /* seconds */
  double bytes;               /* moved by one pass */
  double bandwidth; /* bytes/s of all cores out of the level that holds the bytes; 0 unknown */
} bench_model;

/* The greedy bound with the burdened span, but no less than bytes / bandwidth. `one` is the measured
 * time of one thread, for the speed-up. */
bench_prediction bench_predict(const bench_model *model, uint32_t threads, double one);

/* Fills in check_… and predictions_shown of a case from its largest point that is not oversubscribed:
 * shown where the same formula gives that point's time within `tolerance`, with 2 threads at least. */
void bench_predict_check(bench_scaling_case *the_case, const bench_model *model, double tolerance);

/* Smallest threads × seconds / tasks at which the efficiency reaches `share`, interpolated on
 * logarithms between the two points around it; NaN if no point reaches it. */
double bench_metg(const bench_metg_curve *curve, double share);

#endif
