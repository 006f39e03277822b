/* What the bench hands to a peer process, and what comes back; C and C++.
 *
 * The peer finds the problem, mapped read-only, behind descriptor 3 and room for results behind
 * descriptor 4, commands on its standard input and answers on its standard output, a line each:
 *   (start)         → "ready DESCRIPTION"
 *   check PHASE     → "ok": one repetition was run and its results are in place; or "no REASON"
 *   run PHASE COUNT → "ok SECONDS" of COUNT repetitions
 *   quit, or end of input: the peer exits
 * Phases: forward; both (forward and backward, gradients); step (and update); tasks. */
#ifndef BENCH_PEER_PROBLEM_H
#define BENCH_PEER_PROBLEM_H

#include <stdint.h>

#define PEER_MAGIC      UINT64_C(0x5245455047414442) /* "BDAGPEER" */
#define PEER_PROBLEM_FD 3
#define PEER_RESULT_FD  4

/* Begins the problem. Offsets count bytes from the start of the problem, those of results from the
 * start of the results. Vertices are in topological order, inputs first. */
typedef struct peer_header {
  uint64_t magic, size; /* of the whole problem */
  uint64_t threads, batch;
  uint64_t vertices, inputs, outputs, edges;
  uint64_t layers; /* 0: not layered */
  uint64_t loss;   /* bdag_loss_kind over the outputs */
  uint64_t target_columns;
  double learning_rate;
  uint64_t layer_first; /* uint32 [layers + 1] */
  uint64_t activation;  /* uint32 [vertices], bdag_activation_kind */
  uint64_t bias;        /* float [vertices] */
  uint64_t source;      /* uint32 [edges] */
  uint64_t target;      /* uint32 [edges] */
  uint64_t weight;      /* float [edges] */
  uint64_t output;      /* uint32 [outputs] */
  uint64_t x;           /* float [batch][inputs] */
  uint64_t targets;     /* float [batch][target_columns] */
  /* Results. */
  uint64_t result_size;
  uint64_t y;             /* double [batch][outputs] */
  uint64_t result_loss;   /* double */
  uint64_t result_weight; /* double [edges]: gradients after `both`, weights after `step` */
  uint64_t result_bias;   /* double [vertices], likewise */
} peer_header;

#endif
