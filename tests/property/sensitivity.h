/* How rounding errors pass through an activation.
 *
 * Errors are counted in units of u, the unit roundoff: a number x computed as x̂ has an error of e when
 * |x̂ − x| ≤ u·e. */
#ifndef PROPERTY_SENSITIVITY_H
#define PROPERTY_SENSITIVITY_H

#include "oracle_activation.h"

/* Roundings that a function of libm or SLEEF and the two or three operations around it are allowed:
 * a function accurate to one unit in the last place has an error of 2u. */
#define ROUNDINGS 4.0

typedef struct sensitivity {
  double slope;          /* largest |σ'| within `radius` of z */
  double curve;          /* largest |σ''| there */
  double value_rounding; /* error of out = σ(z) by itself, z being exact */
  double
      derivative_rounding; /* error of σ'(z) by itself, whether it is taken from in or from out: the
                                 terms of the formula in absolute value */
  double
      reach; /* this holds for errors of z below it: the distance to the nearest kink or clamp end,
                   and a part of the length on which σ'' changes */
} sensitivity;

sensitivity sensitivity_at(const oracle_activation *activation, double z, double radius);

#endif
