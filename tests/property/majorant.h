/* Bounds on the rounding errors of a pass: the running error analysis (Wilkinson; Higham, "Accuracy and
 * Stability of Numerical Algorithms", §3.3) of the algorithm in the oracle. Every formula of the pass
 * is repeated with absolute values, the errors of what it reads are carried on, and each sum adds its
 * own number of roundings times the sum of its absolute values, whatever the order of summation. */
#ifndef PROPERTY_MAJORANT_H
#define PROPERTY_MAJORANT_H

#include "backprop.h"
#include "sensitivity.h"

/* A result x̂ of the engine is right when |x̂ − x| ≤ ERROR_FACTOR·u·G, with x of the oracle and G from
 * here. G bounds to first order the error of one evaluation, with the number of roundings of each sum
 * inside, so the factor needs not grow with depth, degree or batch. It is 2: in double precision the
 * oracle errs as much as the engine; in single precision the second half is left for the higher
 * orders, and for elementary functions that round more often than ROUNDINGS says. */
#define ERROR_FACTOR 2.0

typedef struct precision {
  double u;       /* unit roundoff */
  double tiny;    /* smallest normal number, in units of u: the error of a flush to zero */
  double largest; /* magnitudes above this are taken for an overflow */
} precision;

extern const precision PRECISION_FLOAT32, PRECISION_FLOAT64;

typedef enum verdict {
  SAMPLE_FINE = 0,
  SAMPLE_NEAR_KINK = 1, /* some in(v) or loss lies within its own error of a kink or clamp end */
  SAMPLE_TOO_LARGE = 2
} verdict;

/* Errors in units of u of what oracle_pass holds; the shapes are the same. */
typedef struct majorant {
  double *in, *out, *in_grad, *out_grad;
  double loss;
  double *weight_grad, *bias_grad, *parameter_grad;
  verdict *sample; /* [samples] */
  sensitivity *at; /* [samples][vertices] */
} majorant;

/* To be released with majorant_free. Nothing holds for samples whose verdict is not SAMPLE_FINE, nor
 * for anything summed over the batch when there is such a sample. */
void majorant_run(majorant *bound, const oracle_network *network, const oracle_batch *batch,
                  const oracle_pass *pass, const precision *precision);
void majorant_free(majorant *bound);

#endif
