/* The oracle on tiny graphs whose gradients are worked out by hand in the comments, and its tables of
 * activations and losses against numbers that were computed elsewhere. */
#include <criterion/criterion.h>
#include <math.h>

#include <backdag/network.h>

#include "backprop.h"

static void assert_close(double actual, double expected) {
  cr_assert(fabs(actual - expected) <= 1e-14 * fmax(1, fabs(expected)), "%.17g instead of %.17g",
            actual, expected);
}

/* Runs one sample of weight 1 with Z = 1. */
static oracle_pass run_one(const oracle_network *network, const double *x, const double *targets) {
  oracle_pass pass;
  oracle_run(&pass, network, &(oracle_batch){1, x, targets, (const double[]){1}, 1});
  return pass;
}

/* x → a → b with w = 2 and 3, σ_a = square: out(a) = (2x)², out(b) = 3·out(a), L = (out(b) − y)².
 * With x = 0.5, y = 1: out(a) = 1, out(b) = 3, L = 4; out_grad(b) = 4, out_grad(a) = 12,
 * in_grad(a) = 12·2·in(a) = 24. */
Test(oracle, chain) {
  oracle_network network;
  oracle_network_init(&network, 1, 2);
  network.vertex[1].activation.kind = BDAG_SQUARE;
  oracle_add_edge(&network, 0, 1, 2);
  oracle_add_edge(&network, 1, 2, 3);
  oracle_add_term(&network, BDAG_MEAN_SQUARED_ERROR, 1, (const size_t[]){2}, 1);
  oracle_pass pass = run_one(&network, (const double[]){0.5}, (const double[]){1});

  assert_close(pass.loss, 4);
  assert_close(pass.in[1], 1);
  assert_close(pass.out[2], 3);
  assert_close(pass.out_grad[2], 4);
  assert_close(pass.in_grad[2], 4);
  assert_close(pass.out_grad[1], 12);
  assert_close(pass.in_grad[1], 24);
  assert_close(pass.out_grad[0], 48);
  assert_close(pass.in_grad[0], 48);
  assert_close(pass.weight_grad[0], 24 * 0.5);
  assert_close(pass.weight_grad[1], 4 * 1);
  oracle_pass_free(&pass);
  oracle_network_free(&network);
}

/* x → a, x → b, a → c, b → c with w = 1, 2, 3, 4 and identities: out(c) = 3·1·x + 4·2·x = 11x.
 * L = (11x − y)², x = 1, y = 10: out_grad(c) = 2, out_grad(a) = 6, out_grad(b) = 8, and both ways add
 * in out_grad(x) = 6·1 + 8·2 = 22. */
Test(oracle, diamond) {
  oracle_network network;
  oracle_network_init(&network, 1, 3);
  oracle_add_edge(&network, 0, 1, 1);
  oracle_add_edge(&network, 0, 2, 2);
  oracle_add_edge(&network, 1, 3, 3);
  oracle_add_edge(&network, 2, 3, 4);
  oracle_add_term(&network, BDAG_MEAN_SQUARED_ERROR, 1, (const size_t[]){3}, 1);
  oracle_pass pass = run_one(&network, (const double[]){1}, (const double[]){10});

  assert_close(pass.out[3], 11);
  assert_close(pass.out_grad[1], 6);
  assert_close(pass.out_grad[2], 8);
  assert_close(pass.out_grad[0], 22);
  const double expected[] = {6, 8, 2 * 1, 2 * 2};
  for (size_t e = 0; e < 4; e++) assert_close(pass.weight_grad[e], expected[e]);
  oracle_pass_free(&pass);
  oracle_network_free(&network);
}

/* a → b, both in N_loss: x → a (w = 2), a → b (w = 3), identities, x = 1, targets 0 and 0.
 * L = ½·(out(a)² + out(b)²) = ½·(4 + 36) = 20. Through Loss out_grad(a) gets ½·2·2 = 2, through b
 * in_grad(b)·3 = 6·3 = 18; both add: 20. */
Test(oracle, loss_vertex_with_a_successor) {
  oracle_network network;
  oracle_network_init(&network, 1, 2);
  oracle_add_edge(&network, 0, 1, 2);
  oracle_add_edge(&network, 1, 2, 3);
  oracle_add_term(&network, BDAG_MEAN_SQUARED_ERROR, 2, (const size_t[]){1, 2}, 2);
  oracle_pass pass = run_one(&network, (const double[]){1}, (const double[]){0, 0});

  assert_close(pass.loss, 20);
  assert_close(pass.out_grad[2], 6);
  assert_close(pass.out_grad[1], 20);
  assert_close(pass.weight_grad[0], 20);
  assert_close(pass.weight_grad[1], 12);
  cr_assert_eq(pass.v[0], 3, "v_0 is Loss");
  cr_assert_eq(pass.v[1], 2);
  cr_assert_eq(pass.v[2], 1);
  cr_assert_eq(pass.v[3], 0);
  oracle_pass_free(&pass);
  oracle_network_free(&network);
}

/* Two edges x → a with w = 2 and 3 are the same as one with w = 5; x = 2: out = 10, L = (10 − 9)². */
Test(oracle, parallel_edges) {
  oracle_network network;
  oracle_network_init(&network, 1, 1);
  oracle_add_edge(&network, 0, 1, 2);
  oracle_add_edge(&network, 0, 1, 3);
  oracle_add_term(&network, BDAG_MEAN_SQUARED_ERROR, 1, (const size_t[]){1}, 1);
  oracle_pass pass = run_one(&network, (const double[]){2}, (const double[]){9});

  assert_close(pass.out[1], 10);
  assert_close(pass.weight_grad[0], 4);
  assert_close(pass.weight_grad[1], 4);
  assert_close(pass.out_grad[0], 2 * 2 + 2 * 3);
  oracle_pass_free(&pass);
  oracle_network_free(&network);
}

/* One parameter p = 2 is the weight of x → a, of a → b and the bias of b:
 * out(b) = p + p·(p·x) = p + p²·x; with x = 3: 14. L = (14 − 13)²: ∂L/∂p = 2·(1 + 2px) = 26,
 * made of 2·p·x = 12 (x → a), 2·out(a) = 12 (a → b) and 2 (bias). */
Test(oracle, tied_weights_and_bias) {
  oracle_network network;
  oracle_network_init(&network, 1, 2);
  const size_t p = oracle_add_parameter(&network, 2);
  oracle_add_tied_edge(&network, 0, 1, p);
  oracle_add_tied_edge(&network, 1, 2, p);
  network.vertex[2].bias = p;
  oracle_add_term(&network, BDAG_MEAN_SQUARED_ERROR, 1, (const size_t[]){2}, 1);
  oracle_pass pass = run_one(&network, (const double[]){3}, (const double[]){13});

  assert_close(pass.out[2], 14);
  assert_close(pass.weight_grad[0], 12);
  assert_close(pass.weight_grad[1], 12);
  assert_close(pass.bias_grad[2], 2);
  assert_close(pass.parameter_grad[p], 26);
  oracle_pass_free(&pass);
  oracle_network_free(&network);
}

/* x → a → Loss and a → b: b reaches nothing, so b and its edge have gradient zero; its out exists. */
Test(oracle, vertex_that_does_not_reach_loss) {
  oracle_network network;
  oracle_network_init(&network, 1, 2);
  oracle_add_edge(&network, 0, 1, 2);
  oracle_add_edge(&network, 1, 2, 5);
  oracle_add_term(&network, BDAG_MEAN_SQUARED_ERROR, 1, (const size_t[]){1}, 1);
  oracle_pass pass = run_one(&network, (const double[]){1}, (const double[]){1});

  assert_close(pass.out[2], 10);
  cr_assert_eq(pass.out_grad[2], 0);
  cr_assert_eq(pass.in_grad[2], 0);
  cr_assert_eq(pass.weight_grad[1], 0);
  assert_close(pass.out_grad[1], 2);
  oracle_pass_free(&pass);
  oracle_network_free(&network);
}

/* a has the constant 4 and x as sources, a mean and response 3: in(a) = 0.5 + 3/2·(2·4 + 1·x). An
 * absent edge counts in neither. x = 2: in(a) = 15.5; L = out(a) as an external gradient of 1. */
Test(oracle, constants_means_responses_and_absent_edges) {
  oracle_network network;
  oracle_network_init(&network, 1, 2);
  network.vertex[1].kind = CONSTANT;
  network.vertex[1].value = 4;
  network.vertex[2].mean = 1;
  network.vertex[2].response = 3;
  network.vertex[2].bias = oracle_add_parameter(&network, 0.5);
  oracle_add_edge(&network, 1, 2, 2);
  oracle_add_edge(&network, 0, 2, 1);
  const size_t absent = oracle_add_edge(&network, 0, 2, 100);
  network.edge[absent].absent = 1;
  oracle_add_term(&network, BDAG_EXTERNAL_GRADIENT, 1, (const size_t[]){2}, 1)->lambda = 7;
  oracle_pass pass = run_one(&network, (const double[]){2}, (const double[]){1});

  cr_assert_eq(pass.loss, 0);
  assert_close(pass.in[2], 15.5);
  assert_close(pass.weight_grad[0], 1.5 * 4);
  assert_close(pass.weight_grad[1], 1.5 * 2);
  cr_assert_eq(pass.weight_grad[2], 0);
  assert_close(pass.bias_grad[2], 1);
  assert_close(pass.out_grad[0], 1.5);
  cr_assert_eq(pass.out_grad[1], 0, "a constant has no gradient");
  oracle_pass_free(&pass);
  oracle_network_free(&network);
}

/* No edges at all: out(a) = σ(bias). */
Test(oracle, in_degree_zero) {
  oracle_network network;
  oracle_network_init(&network, 0, 2);
  network.vertex[0].bias = oracle_add_parameter(&network, -1.5);
  network.vertex[0].activation.kind = BDAG_SQUARE;
  oracle_add_term(&network, BDAG_MEAN_SQUARED_ERROR, 2, (const size_t[]){0, 1}, 2);
  oracle_pass pass = run_one(&network, NULL, (const double[]){0, 0});

  assert_close(pass.out[0], 2.25);
  cr_assert_eq(pass.out[1], 0);
  assert_close(pass.bias_grad[0], 2.25 * -3);
  cr_assert_eq(pass.bias_grad[1], 0);
  oracle_pass_free(&pass);
  oracle_network_free(&network);
}

/* out = w·x with w = 1, L_s = (x_s − 0)², c = (1, 0, 3), Z = Σ c_s = 4: L = (1·1 + 3·4)/4, and the NaN
 * of the sample of weight 0 spreads nowhere. */
Test(oracle, weighted_samples) {
  oracle_network network;
  oracle_network_init(&network, 1, 1);
  oracle_add_edge(&network, 0, 1, 1);
  oracle_add_term(&network, BDAG_MEAN_SQUARED_ERROR, 1, (const size_t[]){1}, 1);
  const double x[] = {1, NAN, 2}, targets[] = {0, NAN, 0}, weight[] = {1, 0, 3};
  oracle_pass pass;
  oracle_run(&pass, &network, &(oracle_batch){3, x, targets, weight, 4});

  assert_close(pass.loss, 13.0 / 4);
  assert_close(pass.out_grad[0 * 2 + 1], 2.0 / 4);
  cr_assert_eq(pass.out_grad[1 * 2 + 1], 0);
  assert_close(pass.out_grad[2 * 2 + 1], 4.0 * 3 / 4);
  assert_close(pass.weight_grad[0], (2 * 1 + 12 * 2) / 4.0);
  oracle_pass_free(&pass);
  oracle_network_free(&network);
}

/* Two terms on the same vertex, named twice in the first: 2·(2/2·(o − y)) and λ = −3 times sign. */
Test(oracle, overlapping_terms) {
  oracle_network network;
  oracle_network_init(&network, 1, 0);
  oracle_add_term(&network, BDAG_MEAN_SQUARED_ERROR, 2, (const size_t[]){0, 0}, 2);
  oracle_add_term(&network, BDAG_MEAN_ABSOLUTE_ERROR, 1, (const size_t[]){0}, 1)->lambda = -3;
  oracle_pass pass = run_one(&network, (const double[]){2}, (const double[]){1, 0, 5});

  assert_close(pass.loss, (1 + 4) / 2.0 - 3 * 3);
  assert_close(pass.out_grad[0], 1 + 2 + 3);
  oracle_pass_free(&pass);
  oracle_network_free(&network);
}

static double sigma(uint32_t kind, double z) {
  const double parameter = kind == BDAG_LEAKY_RELU ? 0.01 : kind == BDAG_CLIPPED_RELU ? 6 : 1;
  return oracle_sigma(&(oracle_activation){.kind = kind, .parameter = parameter}, z);
}

static double sigma_prime(uint32_t kind, double parameter, double z) {
  return oracle_sigma_prime(&(oracle_activation){.kind = kind, .parameter = parameter}, z);
}

/* Computed with Python's math module. */
Test(oracle, activation_values) {
  static const struct {
    uint32_t kind;
    double at_plus, at_minus; /* σ(0.75), σ(−0.75) */
  } table[] = {
      {BDAG_IDENTITY, 0.75, -0.75},
      {BDAG_RELU, 0.75, 0},
      {BDAG_LEAKY_RELU, 0.75, -0.0075},
      {BDAG_ELU, 0.75, -0.5276334472589853},
      {BDAG_SELU, 0.7880257405166103, -0.9276320158350512},
      {BDAG_GELU, 0.5800294857173488, -0.16997051428265114},
      {BDAG_SILU, 0.5093840243815447, -0.24061597561845527},
      {BDAG_SOFTPLUS, 1.1368710061148999, 0.3868710061149},
      {BDAG_TANH, 0.6351489523872873, -0.6351489523872873},
      {BDAG_SIGMOID, 0.679178699175393, 0.320821300824607},
      {BDAG_SIN, 0.6816387600233341, -0.6816387600233341},
      {BDAG_GAUSSIAN, 0.569782824730923, 0.569782824730923},
      {BDAG_SQUARE, 0.5625, 0.5625},
      {BDAG_ABS, 0.75, 0.75},
      {BDAG_CLIPPED_RELU, 0.75, 0},
      {BDAG_NEAT_SIGMOID, 0.9770226300899744, 0.022977369910025615},
      {BDAG_NEAT_TANH, 0.9540452601799487, -0.9540452601799487},
      {BDAG_NEAT_SIN, -0.5715613187423437, 0.5715613187423437},
      {BDAG_NEAT_GAUSS, 0.060054667895307945, 0.060054667895307945},
      {BDAG_NEAT_RELU, 0.75, 0},
      {BDAG_NEAT_ELU, 0.75, -0.5276334472589853},
      {BDAG_NEAT_LELU, 0.75, -0.00375},
      {BDAG_NEAT_SELU, 0.7880257405166103, -0.9276320158350512},
      {BDAG_NEAT_SOFTPLUS, 0.7546490928744851, 0.004649092874485021},
      {BDAG_NEAT_IDENTITY, 0.75, -0.75},
      {BDAG_NEAT_CLAMPED, 0.75, -0.75},
      {BDAG_NEAT_INV, 1.3333333333333333, -1.3333333333333333},
      {BDAG_NEAT_LOG, -0.2876820724517809, -16.11809565095832},
      {BDAG_NEAT_EXP, 2.117000016612675, 0.4723665527410147},
      {BDAG_NEAT_ABS, 0.75, 0.75},
      {BDAG_NEAT_HAT, 0.25, 0.25},
      {BDAG_NEAT_SQUARE, 0.5625, 0.5625},
      {BDAG_NEAT_CUBE, 0.421875, -0.421875},
  };
  for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
    assert_close(sigma(table[i].kind, 0.75), table[i].at_plus);
    assert_close(sigma(table[i].kind, -0.75), table[i].at_minus);
    cr_assert(isnan(sigma(table[i].kind, NAN)), "kind %u of NaN", table[i].kind);
  }
}

Test(oracle, activation_clamps) {
  assert_close(sigma(BDAG_CLIPPED_RELU, 7), 6);
  assert_close(sigma(BDAG_NEAT_SIGMOID, -20), exp(-60));
  assert_close(sigma(BDAG_NEAT_SIN, 13), sin(60));
  assert_close(sigma(BDAG_NEAT_GAUSS, 4), exp(-5 * 3.4 * 3.4));
  assert_close(sigma(BDAG_NEAT_SOFTPLUS, 100), 12);
  assert_close(sigma(BDAG_NEAT_CLAMPED, -3), -1);
  assert_close(sigma(BDAG_NEAT_INV, 0), 0);
  assert_close(sigma(BDAG_NEAT_LOG, 0), log(1e-7));
  assert_close(sigma(BDAG_NEAT_EXP, 61), exp(60));
  assert_close(sigma(BDAG_NEAT_HAT, 2), 0);
  static const uint32_t clamped[] = {BDAG_NEAT_SIGMOID, BDAG_NEAT_TANH,     BDAG_NEAT_SIN,
                                     BDAG_NEAT_GAUSS,   BDAG_NEAT_SOFTPLUS, BDAG_NEAT_CLAMPED,
                                     BDAG_NEAT_HAT};
  for (size_t i = 0; i < sizeof clamped / sizeof *clamped; i++) {
    cr_assert_eq(sigma_prime(clamped[i], 0, 30), 0, "kind %u", clamped[i]);
    cr_assert_eq(sigma_prime(clamped[i], 0, -30), 0, "kind %u", clamped[i]);
  }
  cr_assert_eq(sigma_prime(BDAG_NEAT_EXP, 0, 61), 0);
}

/* The derivatives that backdag/network.h fixes where there is none. */
Test(oracle, activation_kinks) {
  static const struct {
    uint32_t kind;
    double parameter, z, derivative;
  } table[] = {
      {BDAG_RELU, 0, 0, 0},
      {BDAG_LEAKY_RELU, 0.25, 0, 0.25},
      {BDAG_ELU, 0.5, 0, 0.5},
      {BDAG_SELU, 0, 0, 1.0507009873554805 * 1.6732632423543772},
      {BDAG_ABS, 0, 0, 0},
      {BDAG_CLIPPED_RELU, 2, 0, 0},
      {BDAG_CLIPPED_RELU, 2, 2, 0},
      {BDAG_CLIPPED_RELU, 2, 1.5, 1},
      {BDAG_NEAT_RELU, 0, 0, 0},
      {BDAG_NEAT_ELU, 0, 0, 1},
      {BDAG_NEAT_LELU, 0, 0, 0.005},
      {BDAG_NEAT_SELU, 0, 0, 1.0507009873554805 * 1.6732632423543772},
      {BDAG_NEAT_SIGMOID, 0, 12, 0},
      {BDAG_NEAT_TANH, 0, -24, 0},
      {BDAG_NEAT_SIN, 0, 12, 0},
      {BDAG_NEAT_GAUSS, 0, 3.4, 0},
      {BDAG_NEAT_SOFTPLUS, 0, 12, 0},
      {BDAG_NEAT_CLAMPED, 0, 1, 0},
      {BDAG_NEAT_CLAMPED, 0, -1, 0},
      {BDAG_NEAT_INV, 0, 0, 0},
      {BDAG_NEAT_LOG, 0, 1e-7, 0},
      {BDAG_NEAT_EXP, 0, 60, 0},
      {BDAG_NEAT_ABS, 0, 0, 0},
      {BDAG_NEAT_HAT, 0, 0, 0},
      {BDAG_NEAT_HAT, 0, 1, 0},
      {BDAG_NEAT_HAT, 0, -1, 0},
  };
  for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
    assert_close(sigma_prime(table[i].kind, table[i].parameter, table[i].z), table[i].derivative);
  }
}

/* One sample, out = (2, −1), λ = 1. */
static double loss_of(uint32_t kind, double parameter, const double *targets, size_t columns) {
  oracle_network network;
  oracle_network_init(&network, 2, 0);
  oracle_add_term(&network, kind, 2, (const size_t[]){0, 1}, columns)->parameter = parameter;
  oracle_pass pass = run_one(&network, (const double[]){2, -1}, targets);
  const double loss = pass.loss;
  oracle_pass_free(&pass);
  oracle_network_free(&network);
  return loss;
}

/* d = (0.5, −3) where it matters; log Σ e^out = log(e² + e^−1) = 2.0485873515737421. */
Test(oracle, loss_values) {
  const double near[] = {1.5, 2}, bits[] = {1, 0.25}, class[] = {1}, shares[] = {0.5, 1.5};
  assert_close(loss_of(BDAG_MEAN_SQUARED_ERROR, 1, near, 2), (0.25 + 9) / 2);
  assert_close(loss_of(BDAG_MEAN_ABSOLUTE_ERROR, 1, near, 2), 3.5 / 2);
  assert_close(loss_of(BDAG_HUBER, 2, near, 2), (0.125 + 2 * (3 - 1)) / 2);
  assert_close(loss_of(BDAG_BINARY_CROSS_ENTROPY, 1, bits, 2),
               (2.1269280110429727 - 2 + 0.31326168751822286 + 0.25) / 2);
  assert_close(loss_of(BDAG_CLASS_CROSS_ENTROPY, 1, class, 1), 2.0485873515737421 + 1);
  assert_close(loss_of(BDAG_DISTRIBUTION_CROSS_ENTROPY, 1, shares, 2),
               2 * 2.0485873515737421 - (0.5 * 2 - 1.5));
  assert_close(loss_of(BDAG_EXTERNAL_GRADIENT, 1, near, 2), 0);
}
