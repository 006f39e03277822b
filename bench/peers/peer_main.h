/* The peer's side of the protocol in peer_problem.h. */
#ifndef BENCH_PEER_MAIN_H
#define BENCH_PEER_MAIN_H

#include "peer_problem.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct peer_problem {
  const peer_header *header;
  const uint32_t *layer_first, *activation, *source, *target, *output;
  const float *bias, *weight, *x, *targets;
  double *y, *loss, *result_weight, *result_bias;
} peer_problem;

typedef enum peer_phase { PEER_FORWARD, PEER_BOTH, PEER_STEP, PEER_TASKS, PEER_PHASES } peer_phase;

typedef struct peer_program {
  /* Prepares; returns a description such as "OpenBLAS 0.3.21", or NULL if this problem is not for it
   * (then `*reason` says why). */
  const char *(*prepare)(const peer_problem *problem, const char **reason);
  /* One repetition of each phase; NULL: it cannot. */
  void (*run[PEER_PHASES])(void);
  /* Writes the results of the last repetition. */
  void (*publish[PEER_PHASES])(void);
} peer_program;

int peer_serve(const peer_program *program);

/* "784×512 dense between layers l and l+1": weight[target][source] of a dense layered problem, all
 * layers one after the other, 0 where an edge is missing; edge_of[i] is the edge behind entry i, or
 * PEER_NO_EDGE; *count: their number. Returns 0 if an edge skips a layer. The arrays are the caller's to
 * free. */
#define PEER_NO_EDGE UINT64_MAX
int peer_dense_weights(const peer_problem *problem, float **weight, uint64_t **edge_of,
                       uint64_t *count);

#ifdef __cplusplus
}
#endif
#endif
