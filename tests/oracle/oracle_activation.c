/* The table of activations in backdag/network.h, written out once more.
 * Shares no code with the library. */
#include "oracle_activation.h"

#include <math.h>

#include <backdag/network.h>

static const double SELU_SCALE = 1.0507009873554805, SELU_ALPHA = 1.6732632423543772;

static double sigmoid(double z) {
  return z >= 0 ? 1 / (1 + exp(-z)) : exp(z) / (1 + exp(z));
}

static double softplus(double z) {
  return fmax(z, 0) + log1p(exp(-fabs(z)));
}

/* Φ and φ of the standard normal distribution. */
static double normal_distribution(double z) {
  return 0.5 * erfc(-z / M_SQRT2);
}

static double normal_density(double z) {
  return exp(-0.5 * z * z) / sqrt(2 * M_PI);
}

static double clamp(double z, double low, double high) {
  return z < low ? low : z > high ? high : z;
}

static int inside(double z, double end) {
  return -end < z && z < end;
}

static double inverse(double z) {
  return isinf(1 / z) ? 0 : 1 / z;
}

/* clang-format off */
static double value(uint32_t kind, double p, double z) {
  switch (kind) {
  case BDAG_RELU: return z > 0 ? z : 0;
  case BDAG_LEAKY_RELU: return z > 0 ? z : p * z;
  case BDAG_ELU: return z > 0 ? z : p * expm1(z);
  case BDAG_SELU: return SELU_SCALE * (z > 0 ? z : SELU_ALPHA * expm1(z));
  case BDAG_GELU: return z * normal_distribution(z);
  case BDAG_SILU: return z * sigmoid(z);
  case BDAG_SOFTPLUS: return softplus(z);
  case BDAG_TANH: return tanh(z);
  case BDAG_SIGMOID: return sigmoid(z);
  case BDAG_SIN: return sin(z);
  case BDAG_GAUSSIAN: return exp(-z * z);
  case BDAG_SQUARE: return z * z;
  case BDAG_ABS: return fabs(z);
  case BDAG_CLIPPED_RELU: return clamp(z, 0, p);
  case BDAG_NEAT_SIGMOID: return sigmoid(clamp(5 * z, -60, 60));
  case BDAG_NEAT_TANH: return tanh(clamp(2.5 * z, -60, 60));
  case BDAG_NEAT_SIN: return sin(clamp(5 * z, -60, 60));
  case BDAG_NEAT_GAUSS: return exp(-5 * pow(clamp(z, -3.4, 3.4), 2));
  case BDAG_NEAT_RELU: return z > 0 ? z : 0;
  case BDAG_NEAT_ELU: return z > 0 ? z : expm1(z);
  case BDAG_NEAT_LELU: return z > 0 ? z : 0.005 * z;
  case BDAG_NEAT_SELU: return SELU_SCALE * (z > 0 ? z : SELU_ALPHA * expm1(z));
  case BDAG_NEAT_SOFTPLUS: return 0.2 * softplus(clamp(5 * z, -60, 60));
  case BDAG_NEAT_CLAMPED: return clamp(z, -1, 1);
  case BDAG_NEAT_INV: return inverse(z);
  case BDAG_NEAT_LOG: return log(z < 1e-7 ? 1e-7 : z);
  case BDAG_NEAT_EXP: return exp(clamp(z, -60, 60));
  case BDAG_NEAT_ABS: return fabs(z);
  case BDAG_NEAT_HAT: return fabs(z) < 1 ? 1 - fabs(z) : 0;
  case BDAG_NEAT_SQUARE: return z * z;
  case BDAG_NEAT_CUBE: return z * z * z;
  default: return z; /* BDAG_IDENTITY, BDAG_NEAT_IDENTITY */
  }
}

static double derivative(uint32_t kind, double p, double z) {
  switch (kind) {
  case BDAG_RELU: return z > 0 ? 1 : 0;
  case BDAG_LEAKY_RELU: return z > 0 ? 1 : p;
  case BDAG_ELU: return z > 0 ? 1 : p * exp(z);
  case BDAG_SELU: return SELU_SCALE * (z > 0 ? 1 : SELU_ALPHA * exp(z));
  case BDAG_GELU: return normal_distribution(z) + z * normal_density(z);
  case BDAG_SILU: return sigmoid(z) * (1 + z * sigmoid(-z));
  case BDAG_SOFTPLUS: return sigmoid(z);
  case BDAG_TANH: return pow(cosh(z), -2);
  case BDAG_SIGMOID: return sigmoid(z) * sigmoid(-z);
  case BDAG_SIN: return cos(z);
  case BDAG_GAUSSIAN: return -2 * z * exp(-z * z);
  case BDAG_SQUARE: return 2 * z;
  case BDAG_ABS: return (z > 0) - (z < 0);
  case BDAG_CLIPPED_RELU: return 0 < z && z < p ? 1 : 0;
  case BDAG_NEAT_SIGMOID: return inside(5 * z, 60) ? 5 * sigmoid(5 * z) * sigmoid(-5 * z) : 0;
  case BDAG_NEAT_TANH: return inside(2.5 * z, 60) ? 2.5 * pow(cosh(2.5 * z), -2) : 0;
  case BDAG_NEAT_SIN: return inside(5 * z, 60) ? 5 * cos(5 * z) : 0;
  case BDAG_NEAT_GAUSS: return inside(z, 3.4) ? -10 * z * exp(-5 * z * z) : 0;
  case BDAG_NEAT_RELU: return z > 0 ? 1 : 0;
  case BDAG_NEAT_ELU: return z > 0 ? 1 : exp(z);
  case BDAG_NEAT_LELU: return z > 0 ? 1 : 0.005;
  case BDAG_NEAT_SELU: return SELU_SCALE * (z > 0 ? 1 : SELU_ALPHA * exp(z));
  case BDAG_NEAT_SOFTPLUS: return inside(5 * z, 60) ? sigmoid(5 * z) : 0;
  case BDAG_NEAT_CLAMPED: return inside(z, 1) ? 1 : 0;
  case BDAG_NEAT_INV: return -inverse(z) * inverse(z);
  case BDAG_NEAT_LOG: return z > 1e-7 ? 1 / z : 0;
  case BDAG_NEAT_EXP: return inside(z, 60) ? exp(z) : 0;
  case BDAG_NEAT_ABS: return (z > 0) - (z < 0);
  case BDAG_NEAT_HAT: return inside(z, 1) ? (z < 0) - (z > 0) : 0;
  case BDAG_NEAT_SQUARE: return 2 * z;
  case BDAG_NEAT_CUBE: return 3 * z * z;
  default: return 1; /* BDAG_IDENTITY, BDAG_NEAT_IDENTITY */
  }
}

/* clang-format on */

double oracle_sigma(const oracle_activation *activation, double z) {
  if (isnan(z)) return z;
  if (activation->custom_value != NULL) return activation->custom_value(activation->parameter, z);
  return value(activation->kind, activation->parameter, z);
}

double oracle_sigma_prime(const oracle_activation *activation, double z) {
  if (isnan(z)) return z;
  if (activation->custom_derivative != NULL)
    return activation->custom_derivative(activation->parameter, z);
  return derivative(activation->kind, activation->parameter, z);
}
