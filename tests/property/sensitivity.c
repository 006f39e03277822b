/* The table of activations a third time: their second derivatives, their own rounding errors and their
 * kinks. */
#include "sensitivity.h"

#include <math.h>

#include <backdag/network.h>

/* The part of an activation's own length scale within which its derivatives count as locally
 * known: at a sixteenth, e^z changes by 6 %. */
static const double PART = 1.0 / 16;

static double logistic(double z) {
  return 1 / (1 + exp(-z));
}

static double density(double z) {
  return exp(-0.5 * z * z) / sqrt(2 * M_PI);
}

/* |σ''(z)| of a smooth piece. */
static double second_derivative(const oracle_activation *activation, double z) {
  const double p = activation->parameter, t = 5 * z;
  if (activation->custom_value != NULL)
    return fabs(2 * p * z * (z * z - 3) / pow(1 + z * z, 3)); /* of p·z/(1 + z²) */
  switch (activation->kind) {
  case BDAG_ELU:
    return z > 0 ? 0 : fabs(p) * exp(z);
  case BDAG_NEAT_ELU:
    return z > 0 ? 0 : exp(z);
  case BDAG_SELU:
  case BDAG_NEAT_SELU:
    return z > 0 ? 0 : 1.76 * exp(z);
  case BDAG_GELU:
    return density(z) * (2 + z * z);
  case BDAG_SILU:
    return logistic(z) * logistic(-z) * (2 + fabs(z));
  case BDAG_SOFTPLUS:
    return logistic(z) * logistic(-z);
  case BDAG_TANH:
    return 2 * fabs(tanh(z)) / pow(cosh(z), 2);
  case BDAG_SIGMOID:
    return logistic(z) * logistic(-z);
  case BDAG_SIN:
    return fabs(sin(z));
  case BDAG_GAUSSIAN:
    return (4 * z * z + 2) * exp(-z * z);
  case BDAG_SQUARE:
  case BDAG_NEAT_SQUARE:
    return 2;
  case BDAG_NEAT_SIGMOID:
    return fabs(t) < 60 ? 25 * logistic(t) * logistic(-t) : 0;
  case BDAG_NEAT_TANH:
    return fabs(z) < 24 ? 12.5 / pow(cosh(2.5 * z), 2) : 0;
  case BDAG_NEAT_SIN:
    return fabs(t) < 60 ? 25 * fabs(sin(t)) : 0;
  case BDAG_NEAT_GAUSS:
    return fabs(z) < 3.4 ? (100 * z * z + 10) * exp(-5 * z * z) : 0;
  case BDAG_NEAT_SOFTPLUS:
    return fabs(t) < 60 ? 5 * logistic(t) * logistic(-t) : 0;
  case BDAG_NEAT_INV:
    return z == 0 ? 0 : 2 / fabs(z * z * z);
  case BDAG_NEAT_LOG:
    return z > 1e-7 ? 1 / (z * z) : 0;
  case BDAG_NEAT_EXP:
    return fabs(z) < 60 ? exp(z) : 0;
  case BDAG_NEAT_CUBE:
    return 6 * fabs(z);
  default:
    return 0;
  }
}

static double smooth_within_clamp(double z, double end, double length) {
  return fabs(z) < end ? fmin(PART * length, end - fabs(z)) : fabs(z) - end;
}

static double reach(const oracle_activation *activation, double z) {
  const double p = activation->parameter;
  if (activation->custom_value != NULL) return PART * (1 + fabs(z));
  switch (activation->kind) {
  case BDAG_RELU:
  case BDAG_LEAKY_RELU:
  case BDAG_NEAT_RELU:
  case BDAG_NEAT_LELU:
  case BDAG_ABS:
  case BDAG_NEAT_ABS:
    return fabs(z);
  case BDAG_ELU:
  case BDAG_NEAT_ELU:
  case BDAG_SELU:
  case BDAG_NEAT_SELU:
    return z > 0 ? z : fmin(-z, PART);
  case BDAG_GELU:
  case BDAG_GAUSSIAN:
    return PART / (1 + fabs(z));
  case BDAG_SILU:
  case BDAG_SOFTPLUS:
  case BDAG_TANH:
  case BDAG_SIGMOID:
  case BDAG_SIN:
    return PART;
  case BDAG_CLIPPED_RELU:
    return fmin(fabs(z), fabs(z - p));
  case BDAG_NEAT_SIGMOID:
  case BDAG_NEAT_SIN:
  case BDAG_NEAT_SOFTPLUS:
    return smooth_within_clamp(z, 12, 0.2);
  case BDAG_NEAT_TANH:
    return smooth_within_clamp(z, 24, 0.4);
  case BDAG_NEAT_GAUSS:
    return smooth_within_clamp(z, 3.4, 0.1 / (0.1 + fabs(z)));
  case BDAG_NEAT_CLAMPED:
    return fabs(fabs(z) - 1);
  case BDAG_NEAT_INV:
    return PART * fabs(z);
  case BDAG_NEAT_LOG:
    return z > 1e-7 ? fmin(PART * z, z - 1e-7) : 1e-7 - z;
  case BDAG_NEAT_EXP:
    return smooth_within_clamp(z, 60, 1);
  case BDAG_NEAT_HAT:
    return fmin(fabs(z), fabs(fabs(z) - 1));
  default:
    return INFINITY;
  }
}

/* Own errors of σ and σ', given |out|, |σ'| and |σ''|. Where a function's argument is a rounded
 * multiple of z, |z·σ'| and |z·σ''| carry that rounding on. */
static void own_rounding(const oracle_activation *activation, double z, double out,
                         sensitivity *result) {
  const double p = activation->parameter, slope = result->slope, curve = result->curve;
  const double value = ROUNDINGS * out, derivative = ROUNDINGS * slope;
  double *r = &result->value_rounding, *d = &result->derivative_rounding;
  *r = value;
  *d = derivative;
  if (activation->custom_value != NULL) {
    *d = ROUNDINGS * fabs(p) / (1 + z * z); /* p·(1 + z²)/(1 + z²)² */
    return;
  }
  switch (activation->kind) {
  case BDAG_IDENTITY:
  case BDAG_NEAT_IDENTITY:
  case BDAG_RELU:
  case BDAG_NEAT_RELU:
  case BDAG_ABS:
  case BDAG_NEAT_ABS:
  case BDAG_CLIPPED_RELU:
  case BDAG_NEAT_CLAMPED:
    *r = *d = 0;
    break;
  case BDAG_NEAT_HAT:
    *d = 0;
    break;
  case BDAG_ELU:
  case BDAG_NEAT_ELU:
  case BDAG_SELU:
  case BDAG_NEAT_SELU: /* out + α */
    *d = derivative + 2 * ROUNDINGS * out;
    break;
  case BDAG_GELU: /* z·½(1 + erf(z/√2)) and Φ(z) + z·φ(z) */
    *r = 0.5 * ROUNDINGS * fabs(z) * (1 + erf(fabs(z) * M_SQRT1_2)) + z * z * density(z);
    *d = ROUNDINGS * (1 + fabs(z) * (2 + z * z) * density(z));
    break;
  case BDAG_SILU: /* s + z·s·(1 − s) */
    *d = ROUNDINGS * logistic(z) * (1 + fabs(z) * (1 + logistic(z)));
    break;
  case BDAG_TANH: /* 1 − out² */
    *d = ROUNDINGS * (1 + 3 * out * out);
    break;
  case BDAG_NEAT_TANH:
    *r = fabs(z) < 24 ? value + fabs(z) * slope : value;
    *d = fabs(z) < 24 ? 2.5 * (ROUNDINGS * (1 + 3 * out * out)) + fabs(z) * curve : 0;
    break;
  case BDAG_SIGMOID: /* out·(1 − out) */
    *d = ROUNDINGS * out * (1 + out) + value * (1 + 2 * out);
    break;
  case BDAG_NEAT_SIGMOID:
    *r = value + fabs(z) * slope;
    *d =
        fabs(z) < 12 ? 5 * (ROUNDINGS * out * (1 + out) + *r * (1 + 2 * out)) + fabs(z) * curve : 0;
    break;
  case BDAG_NEAT_SIN:
  case BDAG_NEAT_SOFTPLUS:
    *r = value + fabs(z) * slope;
    *d = derivative + fabs(z) * curve;
    break;
  case BDAG_GAUSSIAN: /* the rounding of z² grows in e^{−z²} */
    *r = value + z * z * out;
    *d = derivative + 2 * fabs(z) * *r;
    break;
  case BDAG_NEAT_GAUSS:
    *r = value + 5 * ROUNDINGS * fmin(z * z, 3.4 * 3.4) * out;
    *d = derivative + 10 * fabs(z) * *r * (slope != 0);
    break;
  default:
    break;
  }
}

sensitivity sensitivity_at(const oracle_activation *activation, double z, double radius) {
  sensitivity result = {.slope = fabs(oracle_sigma_prime(activation, z)),
                        .curve = second_derivative(activation, z),
                        .reach = reach(activation, z)};
  own_rounding(activation, z, fabs(oracle_sigma(activation, z)), &result);
  for (int side = -1; side <= 1 && radius > 1e-9; side += 2) {
    const double moved = z + side * radius;
    result.slope = fmax(result.slope, fabs(oracle_sigma_prime(activation, moved)));
    result.curve = fmax(result.curve, second_derivative(activation, moved));
  }
  return result;
}
