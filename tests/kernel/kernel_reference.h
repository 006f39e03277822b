/* Activations in long double, from the formulas of network.h. */
#ifndef BDAG_TESTS_KERNEL_REFERENCE_H
#define BDAG_TESTS_KERNEL_REFERENCE_H

#include "kernel/kernel.h"

typedef struct reference {
  long double value, derivative;
  /* Change of the value, and of the derivative, for a relative change 1 of an argument that is rounded
   * before σ sees it (5z, 2.5z); 0 for others. */
  long double value_condition, derivative_condition;
  /* Sum of the absolute values of the terms of the derivative's formula. */
  long double derivative_terms;
} reference;

/* Constants and the parameter are those that `type` can hold. */
reference reference_activation(bdag_type type, uint32_t kind, long double parameter, long double z);

/* Every built-in kind: 0 … 14 and 32 … 49. */
#define KIND_COUNT 33
uint32_t kind_at(int index);
/* Distance from z to the nearest place where σ' jumps or is not defined. */
long double distance_to_kink(uint32_t kind, long double parameter, long double z);

#endif
