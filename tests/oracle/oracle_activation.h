/* Activations of the oracle: σ and σ' of one number, with libm in double precision.
 * Of the library only the numbers of the kinds are used. */
#ifndef ORACLE_ACTIVATION_H
#define ORACLE_ACTIVATION_H

#include <stdint.h>

/* `custom_…` stand in for a registered activation; NULL for built-in kinds. */
typedef struct oracle_activation {
  uint32_t kind; /* a bdag_activation_kind */
  double parameter;
  double (*custom_value)(double parameter, double z);
  double (*custom_derivative)(double parameter, double z);
} oracle_activation;

double oracle_sigma(const oracle_activation *activation, double z);
double oracle_sigma_prime(const oracle_activation *activation, double z);

#endif
