/* The widths of the initial draws. */
#include <criterion/criterion.h>
#include <math.h>

#include "train/spread.h"

static void expect(bdag_initialization scheme, uint32_t kind, int uniform, double scale) {
  const bdag_spread spread = bdag_spread_of(scheme, kind, 8, 24);
  cr_assert_eq(spread.uniform, uniform, "kind %u", kind);
  cr_assert_float_eq(spread.scale, scale, 1e-15, "kind %u: %g, not %g", kind, spread.scale, scale);
}

Test(spread, explicit_schemes_ignore_the_activation) {
  static const uint32_t kinds[] = {BDAG_RELU, BDAG_TANH, BDAG_SELU, BDAG_NEAT_SIGMOID, 4099};
  for (int k = 0; k < 5; k++) {
    expect(BDAG_INIT_HE_NORMAL, kinds[k], 0, 0.5);
    expect(BDAG_INIT_HE_UNIFORM, kinds[k], 1, sqrt(0.75));
    expect(BDAG_INIT_GLOROT_NORMAL, kinds[k], 0, 0.25);
    expect(BDAG_INIT_GLOROT_UNIFORM, kinds[k], 1, sqrt(6.0 / 32.0));
  }
}

Test(spread, automatic_by_activation) {
  static const uint32_t he[] = {BDAG_RELU,      BDAG_LEAKY_RELU,   BDAG_ELU,
                                BDAG_GELU,      BDAG_SILU,         BDAG_SOFTPLUS,
                                BDAG_NEAT_RELU, BDAG_NEAT_ELU,     BDAG_CLIPPED_RELU,
                                BDAG_NEAT_LELU, BDAG_NEAT_SOFTPLUS};
  for (size_t k = 0; k < sizeof he / sizeof *he; k++) expect(BDAG_INIT_AUTO, he[k], 0, 0.5);
  expect(BDAG_INIT_AUTO, BDAG_SELU, 0, sqrt(0.125));
  expect(BDAG_INIT_AUTO, BDAG_NEAT_SELU, 0, sqrt(0.125));
  const double glorot = sqrt(6.0 / 32.0);
  static const uint32_t plain[] = {BDAG_IDENTITY, BDAG_TANH,         BDAG_SIGMOID,
                                   BDAG_SIN,      BDAG_SQUARE,       BDAG_ABS,
                                   BDAG_GAUSSIAN, BDAG_NEAT_CLAMPED, BDAG_ACTIVATION_REGISTERED};
  for (size_t k = 0; k < sizeof plain / sizeof *plain; k++)
    expect(BDAG_INIT_AUTO, plain[k], 1, glorot);
  expect(BDAG_INIT_AUTO, BDAG_NEAT_SIGMOID, 1, glorot / 5.0);
  expect(BDAG_INIT_AUTO, BDAG_NEAT_SIN, 1, glorot / 5.0);
  expect(BDAG_INIT_AUTO, BDAG_NEAT_TANH, 1, glorot / 2.5);
  expect(BDAG_INIT_AUTO, BDAG_NEAT_GAUSS, 1, glorot / sqrt(5.0));
}
