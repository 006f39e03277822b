/* The table of network.h once more, in long double. */
#include "kernel_reference.h"

#include <math.h>

#include "kernel_check.h"

uint32_t kind_at(int index) {
  return index < 15 ? (uint32_t)index : (uint32_t)(index - 15) + 32;
}

static long double sigmoid(long double z) {
  return 1 / (1 + expl(-z));
}

static reference exact(long double value, long double derivative) {
  return (reference){value, derivative, 0, 0, fabsl(derivative)};
}

static reference sum(long double value, long double first, long double second) {
  return (reference){value, first + second, 0, 0, fabsl(first) + fabsl(second)};
}

/* σ(z) = scale·f(factor·z), its argument clamped to ±end. */
static reference scaled(reference f, long double scale, long double factor, long double x,
                        long double second_derivative, long double end) {
  const int inside = -end < x && x < end;
  reference result = {scale * f.value, 0, fabsl(scale * x * f.derivative), 0, 0};
  if (!inside) return result;
  result.derivative = scale * factor * f.derivative;
  result.derivative_terms = fabsl(scale * factor) * f.derivative_terms;
  result.derivative_condition = fabsl(scale * factor * x * second_derivative);
  return result;
}

static reference elu(long double scale, long double alpha, long double z) {
  if (z > 0) return exact(scale * z, scale);
  return sum(scale * alpha * expm1l(z), scale * alpha * expm1l(z), scale * alpha);
}

static reference gelu(long double z) {
  const long double distribution = 0.5L * erfcl(-z * M_SQRT1_2l);
  const long double density = expl(-0.5L * z * z) / sqrtl(2 * M_PIl);
  return sum(z == -INFINITY ? 0 : z * distribution, distribution, isinf(z) ? 0 : z * density);
}

static reference silu(long double z) {
  const long double s = sigmoid(z);
  return sum(z == -INFINITY ? 0 : z * s, s, isinf(z) ? 0 : z * s * sigmoid(-z));
}

static reference softplus(long double z) {
  return exact(fmaxl(z, 0) + log1pl(expl(-fabsl(z))), sigmoid(z));
}

static reference sigmoid_from_out(long double z) {
  const long double s = sigmoid(z);
  reference result = sum(s, s, -s * s);
  result.derivative = s * sigmoid(-z);
  return result;
}

static reference tanh_from_out(long double z) {
  const long double t = tanhl(z), cosh = coshl(z);
  reference result = sum(t, 1, -t * t);
  result.derivative = 1 / cosh / cosh;
  return result;
}

static reference gaussian(long double z) {
  const long double e = expl(-z * z);
  return exact(e, e == 0 ? 0 : -2 * z * e);
}

static long double clamp(long double z, long double end) {
  return z < -end ? -end : z > end ? end : z;
}

static long double sign(long double z) {
  return (long double)((z > 0) - (z < 0));
}

static reference neat(bdag_type type, uint32_t kind, long double z) {
  const long double five = clamp(5 * z, 60), half = clamp(2.5L * z, 60);
  const long double gauss_end = rounded(type, 3.4L), log_end = rounded(type, 1e-7L);
  const long double inverse = isinf(rounded(type, 1 / z)) ? 0 : 1 / z;
  switch (kind) {
  case BDAG_NEAT_SIGMOID:
    return scaled(sigmoid_from_out(five), 1, 5, five, sigmoid(five) * sigmoid(-five), 60);
  case BDAG_NEAT_TANH:
    return scaled(tanh_from_out(half), 1, 2.5L, half, 0, 60);
  case BDAG_NEAT_SIN:
    return scaled(exact(sinl(five), cosl(five)), 1, 5, five, sinl(five), 60);
  case BDAG_NEAT_GAUSS: {
    const long double x = clamp(z, gauss_end), e = expl(-5 * x * x);
    return exact(e, fabsl(z) < gauss_end ? -10 * z * e : 0);
  }
  case BDAG_NEAT_ELU:
    return elu(1, 1, z);
  case BDAG_NEAT_LELU:
    return z > 0 ? exact(z, 1) : exact(rounded(type, 0.005L) * z, rounded(type, 0.005L));
  case BDAG_NEAT_SOFTPLUS:
    return scaled(softplus(five), 0.2L, 5, five, sigmoid(five) * sigmoid(-five), 60);
  case BDAG_NEAT_CLAMPED:
    return exact(clamp(z, 1), fabsl(z) < 1 ? 1 : 0);
  case BDAG_NEAT_INV:
    return exact(inverse, -inverse * inverse);
  case BDAG_NEAT_LOG:
    return exact(logl(fmaxl(z, log_end)), z > log_end ? 1 / z : 0);
  case BDAG_NEAT_EXP:
    return exact(expl(clamp(z, 60)), fabsl(z) < 60 ? expl(z) : 0);
  case BDAG_NEAT_HAT:
    return exact(fmaxl(0, 1 - fabsl(z)), fabsl(z) < 1 ? -sign(z) : 0);
  case BDAG_NEAT_CUBE:
    return exact(z * z * z, 3 * z * z);
  default:
    return exact(z, 1);
  }
}

/* What neat-python calls by another name. */
static uint32_t plain_kind(uint32_t kind) {
  switch (kind) {
  case BDAG_NEAT_RELU:
    return BDAG_RELU;
  case BDAG_NEAT_SELU:
    return BDAG_SELU;
  case BDAG_NEAT_IDENTITY:
    return BDAG_IDENTITY;
  case BDAG_NEAT_ABS:
    return BDAG_ABS;
  case BDAG_NEAT_SQUARE:
    return BDAG_SQUARE;
  default:
    return kind;
  }
}

reference reference_activation(bdag_type type, uint32_t kind, long double parameter,
                               long double z) {
  if (isnan(z)) return (reference){z, z, 0, 0, z};
  const long double p = rounded(type, parameter);
  switch (plain_kind(kind)) {
  case BDAG_IDENTITY:
    return exact(z, 1);
  case BDAG_RELU:
    return z > 0 ? exact(z, 1) : exact(0, 0);
  case BDAG_LEAKY_RELU:
    return z > 0 ? exact(z, 1) : exact(p * z, p);
  case BDAG_ELU:
    return elu(1, p, z);
  case BDAG_SELU:
    return elu(1.0507009873554805L, 1.6732632423543772L, z);
  case BDAG_GELU:
    return gelu(z);
  case BDAG_SILU:
    return silu(z);
  case BDAG_SOFTPLUS:
    return softplus(z);
  case BDAG_TANH:
    return tanh_from_out(z);
  case BDAG_SIGMOID:
    return sigmoid_from_out(z);
  case BDAG_SIN:
    return exact(sinl(z), cosl(z));
  case BDAG_GAUSSIAN:
    return gaussian(z);
  case BDAG_SQUARE:
    return exact(z * z, 2 * z);
  case BDAG_ABS:
    return exact(fabsl(z), sign(z));
  case BDAG_CLIPPED_RELU:
    return exact(z < 0 ? 0 : fminl(z, p), 0 < z && z < p ? 1 : 0);
  default:
    return neat(type, kind, z);
  }
}

long double distance_to_kink(uint32_t kind, long double parameter, long double z) {
  switch (plain_kind(kind)) {
  case BDAG_RELU:
  case BDAG_LEAKY_RELU:
  case BDAG_ELU:
  case BDAG_SELU:
  case BDAG_ABS:
  case BDAG_NEAT_ELU:
  case BDAG_NEAT_LELU:
  case BDAG_NEAT_INV:
    return fabsl(z);
  case BDAG_CLIPPED_RELU:
    return fminl(fabsl(z), fabsl(z - parameter));
  case BDAG_NEAT_SIGMOID:
  case BDAG_NEAT_SIN:
  case BDAG_NEAT_SOFTPLUS:
    return fabsl(fabsl(z) - 12);
  case BDAG_NEAT_TANH:
    return fabsl(fabsl(z) - 24);
  case BDAG_NEAT_GAUSS:
    return fabsl(fabsl(z) - 3.4L);
  case BDAG_NEAT_CLAMPED:
    return fabsl(fabsl(z) - 1);
  case BDAG_NEAT_LOG:
    return fabsl(z - 1e-7L);
  case BDAG_NEAT_EXP:
    return fabsl(fabsl(z) - 60);
  case BDAG_NEAT_HAT:
    return fminl(fabsl(z), fabsl(fabsl(z) - 1));
  default:
    return INFINITY;
  }
}
