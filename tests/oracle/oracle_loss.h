/* Loss terms of the oracle: L_t and ∂L_t/∂out for each sample of a batch, in double precision.
 * Of the library only the numbers of the kinds are used. */
#ifndef ORACLE_LOSS_H
#define ORACLE_LOSS_H

#include <stddef.h>
#include <stdint.h>

/* One term on a batch. `out` is the tuple in(Loss) of each sample: the outputs of the term's n
 * vertices, which a loss may mix at will. */
typedef struct oracle_loss_view {
  size_t samples, n, columns;
  double parameter;
  const double *out;     /* [samples][n] */
  const double *targets; /* [samples][columns] */
  const double *weight;  /* [samples], the c_s */
  double *loss;          /* [samples], to be written: L_t, without λ, c_s and Z */
  double *grad;          /* [samples][n], to be written: ∂L_t/∂out, likewise */
} oracle_loss_view;

/* Stands in for a registered loss. */
typedef void (*oracle_custom_loss)(const oracle_loss_view *view);

typedef struct oracle_loss_term {
  uint32_t kind; /* a bdag_loss_kind */
  size_t n;
  size_t *vertex; /* [n] */
  double lambda, parameter;
  size_t target_first, target_count; /* columns of the targets */
  oracle_custom_loss custom;         /* NULL for built-in kinds */
} oracle_loss_term;

/* Samples of weight 0 are left out: their loss and gradient are 0. */
void oracle_loss(const oracle_loss_term *term, const oracle_loss_view *view);

/* Non-zero: the gradient is the caller's ∂L/∂out, which λ, c_s and Z leave as it is. */
int oracle_loss_is_external(const oracle_loss_term *term);

#endif
