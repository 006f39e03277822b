/* How rounding errors pass through a loss term; errors are counted as in sensitivity.h. */
#ifndef PROPERTY_LOSS_SENSITIVITY_H
#define PROPERTY_LOSS_SENSITIVITY_H

#include "oracle_loss.h"

typedef struct loss_error {
  double *grad; /* [n], errors of ∂L_t/∂out */
  double value; /* error of L_t */
  int in_reach; /* non-zero: an error of out may cross a kink of the loss or is no longer small */
} loss_error;

/* Errors of one sample of a term, without λ·c_s/Z, from those of its outputs. `radius` is the largest
 * relevant error as a number: `unit` times this, in units of u. `view` is the whole batch. */
void loss_error_of(const oracle_loss_term *term, const oracle_loss_view *view, size_t sample,
                   const double *out_error, double unit, loss_error *result);

#endif
