/* The engine against the oracle, number by number. */
#ifndef PROPERTY_COMPARE_H
#define PROPERTY_COMPARE_H

#include "random_case.h"

typedef enum compared {
  COMPARED_OUT,
  COMPARED_IN,
  COMPARED_OUT_GRAD,
  COMPARED_IN_GRAD,
  COMPARED_WEIGHT_GRAD,
  COMPARED_BIAS_GRAD,
  COMPARED_PARAMETER_GRAD,
  COMPARED_LOSS,
  COMPARED_KINDS
} compared;

/* What the cases contained, to see that the generator leaves nothing out. Registered functions count in
 * the last places. */
typedef struct coverage {
  uint64_t activation[BDAG_NEAT_CUBE + 2], loss[BDAG_EXTERNAL_GRADIENT + 3], axis[4], threads[9];
  uint64_t type[2], tied_weights, tied_biases, means, absent_edges, in_loss_with_successor;
  size_t vertices, degree, batch; /* largest */
} coverage;

extern const char *const COMPARED_NAMES[COMPARED_KINDS];

typedef struct tally {
  uint64_t networks, failed;
  uint64_t count[COMPARED_KINDS], wrong[COMPARED_KINDS];
  double worst[COMPARED_KINDS]; /* largest |x̂ − x| in units of ERROR_FACTOR·u·G */
  /* of float32 and float64: gradients of weights and biases that are not 0, and those of them whose
   * bound is below a hundredth of themselves */
  uint64_t live[2], sharp[2];
  uint64_t exact; /* numbers whose bound is 0 */
  coverage coverage;
  uint64_t samples_near_kink, samples_too_large, networks_near_kink, networks_too_large;
} tally;

/* Runs the case and adds to the tally. Returns 0 when every number is right; otherwise the first wrong
 * ones are printed to stderr as lines that begin with #. */
int compare_case(tally *tally, const random_case *c);

/* Adds what a case contains. */
void coverage_add(coverage *coverage, const random_case *c);
/* Prints what was never drawn, as lines that begin with #. Returns 0 if there is nothing. */
int coverage_report(const coverage *coverage);

/* What the engine made of a case, in double; NULL where it does not keep something. */
typedef struct engine_result {
  double *out, *in, *out_grad, *in_grad; /* [samples][vertices] */
  double *weight_grad, *bias_grad, *parameter_grad;
  double *y; /* [samples][outputs] */
  double loss;
} engine_result;

/* Makes plan, weights and engine of a case and runs both passes. Returns OK or what failed. */
bdag_status engine_result_run(engine_result *result, const random_case *c, bdag_error *error);
/* The forward pass alone: out[samples][vertices], to be freed. */
bdag_status engine_forward(double **out, const random_case *c, bdag_error *error);
void engine_result_free(engine_result *result);

#endif
