/* How widely initial weights are drawn. May include base and network.
 * Sources: K. He et al. 2015 ("Delving deep into rectifiers"), X. Glorot and Y. Bengio 2010,
 * G. Klambauer et al. 2017 (SELU needs LeCun's σ² = 1/fan_in). */
#include "train/spread.h"

#include <math.h>

static bdag_spread lecun_normal(double fan_in) {
  return (bdag_spread){0, sqrt(1.0 / fan_in)};
}

static bdag_spread he_normal(double fan_in) {
  return (bdag_spread){0, sqrt(2.0 / fan_in)};
}

/* Glorot's uniform draw divided by the slope that the activation applies to its argument. */
static bdag_spread glorot_uniform(double fan_in, double fan_out, double inner_slope) {
  return (bdag_spread){1, sqrt(6.0 / (fan_in + fan_out)) / inner_slope};
}

static bdag_spread automatic(uint32_t activation, double fan_in, double fan_out) {
  switch (activation) {
  case BDAG_RELU:
  case BDAG_LEAKY_RELU:
  case BDAG_ELU:
  case BDAG_GELU:
  case BDAG_SILU:
  case BDAG_SOFTPLUS:
  case BDAG_CLIPPED_RELU:
  case BDAG_NEAT_RELU:
  case BDAG_NEAT_ELU:
  case BDAG_NEAT_LELU:
  case BDAG_NEAT_SOFTPLUS:
    return he_normal(fan_in);
  case BDAG_SELU:
  case BDAG_NEAT_SELU:
    return lecun_normal(fan_in);
  case BDAG_NEAT_SIGMOID:
  case BDAG_NEAT_SIN:
    return glorot_uniform(fan_in, fan_out, 5.0);
  case BDAG_NEAT_TANH:
    return glorot_uniform(fan_in, fan_out, 2.5);
  case BDAG_NEAT_GAUSS:
    return glorot_uniform(fan_in, fan_out, sqrt(5.0));
  default:
    return glorot_uniform(fan_in, fan_out, 1.0);
  }
}

bdag_spread bdag_spread_of(bdag_initialization scheme, uint32_t activation, uint64_t fan_in,
                           uint64_t fan_out) {
  const double in = (double)fan_in, out = (double)fan_out;
  switch (scheme) {
  case BDAG_INIT_HE_NORMAL:
    return he_normal(in);
  case BDAG_INIT_HE_UNIFORM:
    return (bdag_spread){1, sqrt(6.0 / in)};
  case BDAG_INIT_GLOROT_NORMAL:
    return (bdag_spread){0, sqrt(2.0 / (in + out))};
  case BDAG_INIT_GLOROT_UNIFORM:
    return glorot_uniform(in, out, 1.0);
  case BDAG_INIT_AUTO:
  default:
    return automatic(activation, in, out);
  }
}
