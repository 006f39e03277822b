/* Derivatives that kernels besides those of activations know: short ones, of out alone.
 * May include vector.h only. */
#ifndef BDAG_KERNEL_DERIVATIVE_H
#define BDAG_KERNEL_DERIVATIVE_H

#include "kernel/vector.h"

#define DERIVATIVE static inline __attribute__((always_inline)) vec

/* out_grad·σ'; 0 where out_grad is 0 even if σ' is not finite. */
DERIVATIVE chain(vec out_grad, vec derivative) {
  const vec zero = vec_zero();
  return vec_select(vec_equal(out_grad, zero), zero, vec_mul(out_grad, derivative));
}

DERIVATIVE relu_derivative(vec in, vec out, vec p) {
  /* out is positive, zero or NaN */
  return vec_select(vec_less(vec_zero(), out), vec_set1(1), out);
}

DERIVATIVE sigmoid_derivative(vec in, vec out, vec p) {
  return vec_mul(out, vec_sub(vec_set1(1), out));
}

DERIVATIVE tanh_derivative(vec in, vec out, vec p) {
  const vec one = vec_set1(1);
  return vec_mul(vec_sub(one, out), vec_add(one, out));
}

#endif
