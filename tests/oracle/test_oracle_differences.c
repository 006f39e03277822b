/* The oracle's gradients against central differences of its own loss: every activation and every loss
 * on a small graph with a diamond, a skip, a tied weight, a mean and a loss inside the network. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <math.h>

#include <backdag/network.h>

#include "backprop.h"

#define SAMPLES 5

typedef struct fixture {
  oracle_network network;
  double x[SAMPLES * 2], targets[SAMPLES * 4], weight[SAMPLES];
} fixture;

static double loss_of(const fixture *f) {
  oracle_pass pass;
  oracle_run(&pass, &f->network, &(oracle_batch){SAMPLES, f->x, f->targets, f->weight, 1.75});
  const double loss = pass.loss;
  oracle_pass_free(&pass);
  return loss;
}

static double difference_of_width(const fixture *f, double *number, double h) {
  const double at = *number;
  *number = at + h;
  const double right = loss_of(f);
  *number = at - h;
  const double left = loss_of(f);
  *number = at;
  return (right - left) / (2 * h);
}

/* Two widths, extrapolated: the error is of order h⁴. */
static double difference(const fixture *f, double *number) {
  const double h = 4e-5;
  return (4 * difference_of_width(f, number, h / 2) - difference_of_width(f, number, h)) / 3;
}

static void assert_close(double actual, double expected, const char *what, size_t index) {
  cr_assert(fabs(actual - expected) <= 1e-7 * (1 + fabs(expected)),
            "%s %zu: gradient %.12g, central difference %.12g", what, index, actual, expected);
}

/* Inputs 0, 1; 2 = σ(…0, 1), 3 = σ(…2, 0), 4 = σ(…2, 3, 3, 1), with one weight tied. No in(v) lies
 * near a kink. */
static void build(fixture *f, oracle_activation activation) {
  oracle_network *network = &f->network;
  oracle_network_init(network, 2, 3);
  for (size_t v = 2; v < 5; v++) {
    network->vertex[v].activation = activation;
    network->vertex[v].bias = oracle_add_parameter(network, 0.11 * (double)v);
  }
  network->vertex[4].mean = 1;
  network->vertex[4].response = 1.5;
  oracle_add_edge(network, 0, 2, 0.7);
  oracle_add_edge(network, 1, 2, -0.4);
  oracle_add_edge(network, 2, 3, 0.53);
  oracle_add_edge(network, 0, 3, 0.31);
  const size_t tied = oracle_add_parameter(network, -0.37);
  oracle_add_tied_edge(network, 2, 4, tied);
  oracle_add_tied_edge(network, 3, 4, tied);
  oracle_add_edge(network, 3, 4, 0.9);
  oracle_add_edge(network, 1, 4, 1.3);
  const size_t absent = oracle_add_edge(network, 0, 4, 9);
  network->edge[absent].absent = 1;
  for (size_t s = 0; s < SAMPLES; s++) {
    f->x[2 * s] = 0.83 - 0.61 * (double)s;
    f->x[2 * s + 1] = -0.44 + 0.57 * (double)s;
    f->weight[s] = s == 3 ? 0 : 0.5 + 0.25 * (double)s;
  }
}

static void check_all(fixture *f) {
  oracle_network *network = &f->network;
  oracle_pass pass;
  oracle_run(&pass, network, &(oracle_batch){SAMPLES, f->x, f->targets, f->weight, 1.75});
  for (size_t p = 0; p < network->parameter_count; p++) {
    assert_close(pass.parameter_grad[p], difference(f, &network->parameter[p]), "parameter", p);
  }
  for (size_t i = 0; i < SAMPLES * 2; i++) {
    assert_close(pass.out_grad[i / 2 * 5 + i % 2], difference(f, &f->x[i]), "x", i);
  }
  double sum = 0, parts = 0;
  for (size_t p = 0; p < network->parameter_count; p++) sum += pass.parameter_grad[p];
  for (size_t e = 0; e < network->edge_count; e++) parts += pass.weight_grad[e];
  for (size_t v = 0; v < network->vertex_count; v++) parts += pass.bias_grad[v];
  assert_close(sum, parts, "sum of uses", 0);
  oracle_pass_free(&pass);
}

static const uint32_t ACTIVATIONS[] = {
    BDAG_IDENTITY,     BDAG_RELU,        BDAG_LEAKY_RELU, BDAG_ELU,           BDAG_SELU,
    BDAG_GELU,         BDAG_SILU,        BDAG_SOFTPLUS,   BDAG_TANH,          BDAG_SIGMOID,
    BDAG_SIN,          BDAG_GAUSSIAN,    BDAG_SQUARE,     BDAG_ABS,           BDAG_CLIPPED_RELU,
    BDAG_NEAT_SIGMOID, BDAG_NEAT_TANH,   BDAG_NEAT_SIN,   BDAG_NEAT_GAUSS,    BDAG_NEAT_RELU,
    BDAG_NEAT_ELU,     BDAG_NEAT_LELU,   BDAG_NEAT_SELU,  BDAG_NEAT_SOFTPLUS, BDAG_NEAT_IDENTITY,
    BDAG_NEAT_CLAMPED, BDAG_NEAT_INV,    BDAG_NEAT_LOG,   BDAG_NEAT_EXP,      BDAG_NEAT_ABS,
    BDAG_NEAT_HAT,     BDAG_NEAT_SQUARE, BDAG_NEAT_CUBE,
};

ParameterizedTestParameters(differences, activation) {
  return cr_make_param_array(const uint32_t, ACTIVATIONS, sizeof ACTIVATIONS / sizeof *ACTIVATIONS);
}

ParameterizedTest(const uint32_t *kind, differences, activation) {
  fixture f = {0};
  build(&f,
        (oracle_activation){.kind = *kind, .parameter = *kind == BDAG_CLIPPED_RELU ? 0.6 : 0.2});
  oracle_add_term(&f.network, BDAG_MEAN_SQUARED_ERROR, 2, (const size_t[]){4, 2}, 2);
  for (size_t i = 0; i < SAMPLES * 2; i++) f.targets[i] = 0.3 - 0.07 * (double)i;
  check_all(&f);
  oracle_network_free(&f.network);
}

static const uint32_t LOSSES[] = {
    BDAG_MEAN_SQUARED_ERROR,   BDAG_MEAN_ABSOLUTE_ERROR, BDAG_HUBER,
    BDAG_BINARY_CROSS_ENTROPY, BDAG_CLASS_CROSS_ENTROPY, BDAG_DISTRIBUTION_CROSS_ENTROPY,
};

ParameterizedTestParameters(differences, loss) {
  return cr_make_param_array(const uint32_t, LOSSES, sizeof LOSSES / sizeof *LOSSES);
}

/* Two terms of the kind with different λ, the second over other vertices, one of them twice. */
ParameterizedTest(const uint32_t *kind, differences, loss) {
  fixture f = {0};
  build(&f, (oracle_activation){.kind = BDAG_TANH});
  const int by_class = *kind == BDAG_CLASS_CROSS_ENTROPY;
  const size_t columns = by_class ? 1 : 2;
  oracle_add_term(&f.network, *kind, 2, (const size_t[]){4, 3}, columns)->parameter = 0.3;
  oracle_loss_term *second =
      oracle_add_term(&f.network, *kind, by_class ? 3 : 2, (const size_t[]){2, 2, 4}, columns);
  second->lambda = 0.6;
  second->parameter = 1.2;
  for (size_t i = 0; i < SAMPLES * 2 * columns; i++) {
    f.targets[i] = by_class ? (double)(i % 2) : 0.05 + 0.043 * (double)i;
  }
  check_all(&f);
  oracle_network_free(&f.network);
}

static void one_coupled_sample(const oracle_loss_view *view) {
  for (size_t s = 0; s < view->samples; s++) {
    const double *out = view->out + 2 * s;
    view->loss[s] = sin(out[0]) * out[1] * view->targets[s];
    view->grad[2 * s] = cos(out[0]) * out[1] * view->targets[s];
    view->grad[2 * s + 1] = sin(out[0]) * view->targets[s];
  }
}

/* A user's loss that mixes its vertices. */
Test(differences, custom_loss) {
  fixture f = {0};
  build(&f, (oracle_activation){.kind = BDAG_SOFTPLUS});
  oracle_add_term(&f.network, BDAG_LOSS_REGISTERED, 2, (const size_t[]){4, 3}, 1)->custom =
      one_coupled_sample;
  for (size_t s = 0; s < SAMPLES; s++) f.targets[s] = 1 - 0.3 * (double)s;
  check_all(&f);
  oracle_network_free(&f.network);
}

/* ∂L/∂out = targets is what a loss Σ_s Σ_i targets·out has, whatever λ, c_s and Z are. */
Test(differences, external_gradient) {
  fixture f = {0};
  build(&f, (oracle_activation){.kind = BDAG_SIGMOID});
  oracle_add_term(&f.network, BDAG_EXTERNAL_GRADIENT, 2, (const size_t[]){4, 3}, 2)->lambda = 5;
  for (size_t i = 0; i < SAMPLES * 2; i++) f.targets[i] = 0.4 - 0.1 * (double)i;
  oracle_pass pass, moved;
  const oracle_batch batch = {SAMPLES, f.x, f.targets, f.weight, 1.75};
  oracle_run(&pass, &f.network, &batch);
  for (size_t p = 0; p < f.network.parameter_count; p++) {
    double sum = 0;
    for (int side = -1; side <= 1; side += 2) {
      f.network.parameter[p] += side * 1e-5;
      oracle_run(&moved, &f.network, &batch);
      for (size_t s = 0; s < SAMPLES; s++) {
        const double dot =
            f.targets[2 * s] * moved.out[5 * s + 4] + f.targets[2 * s + 1] * moved.out[5 * s + 3];
        if (f.weight[s] != 0) sum += side * dot / 2e-5;
      }
      oracle_pass_free(&moved);
      f.network.parameter[p] -= side * 1e-5;
    }
    assert_close(pass.parameter_grad[p], sum, "parameter", p);
  }
  oracle_pass_free(&pass);
  oracle_network_free(&f.network);
}
