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

/* One pass of one network, on one thread. Its graph of tasks is as for the axis of vertices; across tiles
 * it is `tiles` equal parts, after which gradient buffers are added. */
typedef struct bench_model_pass {
  int serial;                       /* so small that no team is entered, however many threads */
  double work, span, burdened_span; /* seconds */
  uint64_t tiles;                   /* 0 or 1: not this way */
  double reduce;                    /* seconds to add one gradient buffer to another */
  /* Seconds of the tasks on several threads over those on one: rows come out of other cores' caches,
   * weights are read for fewer samples at once. Below 1: unknown, or none. */
  double inflation;
} bench_model_pass;

/* What a prediction is made of: passes that follow each other; or those of networks that do not wait for
 * each other, each on one thread. */
typedef struct bench_model {
  uint64_t pass_count;
  uint64_t passes_each;     /* of one network after the other; 0: all follow each other */
  bench_model_pass *passes; /* [pass_count] */
  double release;           /* latency, seconds */
  double bytes;             /* moved by all passes */
  double bandwidth; /* bytes/s of all cores out of the level that holds the bytes; 0 unknown */
} bench_model;

/* Seconds of the longest path: all passes, or all those of the dearest network, whose own graph of tasks
 * is not shared out. */
double bench_model_span(const bench_model *model);

/* Scales work and span, but not the burden, so that one thread takes exactly `one` seconds: what lies
 * between the tasks is shared with them. */
void bench_model_fit(bench_model *model, double one);

/* Each pass by the quickest of three ways: the greedy bound with the burdened span, its tiles shared out,
 * or one thread; the sum, or work / threads of independent networks and no less than the dearest one, is no
 * less than bytes / bandwidth. `one` is the measured time of one thread, for the speed-up. */
bench_prediction bench_predict(const bench_model *model, uint32_t threads, double one);

/* Fills in check_… and predictions_shown of a case from its largest point that is not oversubscribed:
 * shown where the same formula gives that point's time within `tolerance`, with 2 threads at least. */
void bench_predict_check(bench_scaling_case *the_case, const bench_model *model, double tolerance);

/* Smallest threads × seconds / tasks at which the efficiency reaches `share`, interpolated on
 * logarithms between the two points around it; NaN if no point reaches it. */
double bench_metg(const bench_metg_curve *curve, double share);

#endif
