/* Activations as descriptions: names, defaults, what a derivative needs. Floor 1. */
#ifndef BDAG_NETWORK_ACTIVATION_H
#define BDAG_NETWORK_ACTIVATION_H

#include <backdag/network.h>

/* Where σ' comes from. */
typedef enum bdag_derivative_source {
  BDAG_DERIVATIVE_CONSTANT = 0, /* identity: 1 */
  BDAG_DERIVATIVE_FROM_OUT = 1, /* e.g. relu: out > 0, tanh: 1 − out² */
  BDAG_DERIVATIVE_FROM_IN = 2   /* the row in(v) must be kept; out may be used too */
} bdag_derivative_source;

/* As the kernels compute it; the table is in activation.c. Registered kinds: FROM_IN. */
bdag_derivative_source bdag_activation_derivative_source(uint32_t kind);
int bdag_activation_has_parameter(uint32_t kind);
int bdag_activation_is_known(const bdag_context *context, uint32_t kind);

/* Checks kind and parameter, and sets a parameter that the kind does not have to 0. Returns OK,
 * UNKNOWN_ID, NOT_FINITE, INVALID_ARGUMENT (a cap ≤ 0). */
bdag_status bdag_activation_check(const bdag_context *context, bdag_activation *activation,
                                  bdag_error *error);

#endif
