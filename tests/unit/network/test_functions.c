/* Activations and losses as descriptions: names, defaults, registered ones, terms. */
#include "fixture.h"

#include "network/activation.h"

TestSuite(functions, .init = set_up, .fini = tear_down);

static const uint32_t kinds[] = {
    BDAG_IDENTITY,     BDAG_RELU,        BDAG_LEAKY_RELU, BDAG_ELU,           BDAG_SELU,
    BDAG_GELU,         BDAG_SILU,        BDAG_SOFTPLUS,   BDAG_TANH,          BDAG_SIGMOID,
    BDAG_SIN,          BDAG_GAUSSIAN,    BDAG_SQUARE,     BDAG_ABS,           BDAG_CLIPPED_RELU,
    BDAG_NEAT_SIGMOID, BDAG_NEAT_TANH,   BDAG_NEAT_SIN,   BDAG_NEAT_GAUSS,    BDAG_NEAT_RELU,
    BDAG_NEAT_ELU,     BDAG_NEAT_LELU,   BDAG_NEAT_SELU,  BDAG_NEAT_SOFTPLUS, BDAG_NEAT_IDENTITY,
    BDAG_NEAT_CLAMPED, BDAG_NEAT_INV,    BDAG_NEAT_LOG,   BDAG_NEAT_EXP,      BDAG_NEAT_ABS,
    BDAG_NEAT_HAT,     BDAG_NEAT_SQUARE, BDAG_NEAT_CUBE};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

Test(functions, activations_have_names) {
  cr_assert_eq(KINDS, 33);
  for (int i = 0; i < KINDS; i++) {
    const char *const name = bdag_activation_name(context, kinds[i]);
    cr_assert_not_null(name);
    uint32_t kind;
    cr_assert_eq(bdag_activation_find(context, name, &kind), BDAG_OK);
    cr_assert_eq(kind, kinds[i], "%s", name);
    cr_assert_eq(bdag_activation_find(NULL, name, &kind), BDAG_OK);
    cr_assert_eq(bdag_activation_default(kind).kind, kind);
    cr_assert(bdag_activation_is_known(context, kind));
    cr_assert_eq(strncmp(name, "neat_", 5) == 0, kinds[i] >= 32);
  }
  cr_assert_str_eq(bdag_activation_name(context, BDAG_RELU), "relu");
  cr_assert_str_eq(bdag_activation_name(context, BDAG_NEAT_SIGMOID), "neat_sigmoid");
  cr_assert_null(bdag_activation_name(context, 15));
  cr_assert_null(bdag_activation_name(context, BDAG_ACTIVATION_REGISTERED));
  cr_assert_null(bdag_activation_name(NULL, BDAG_ACTIVATION_REGISTERED));
  cr_assert_not(bdag_activation_is_known(context, 15));
  uint32_t kind = 5;
  cr_assert_eq(bdag_activation_find(context, "Relu", &kind), BDAG_ERROR_UNKNOWN_ID);
  cr_assert_eq(bdag_activation_find(context, "", &kind), BDAG_ERROR_UNKNOWN_ID);
  cr_assert_eq(bdag_activation_find(context, NULL, &kind), BDAG_ERROR_UNKNOWN_ID);
  cr_assert_eq(kind, 5);
}

Test(functions, activations_have_defaults) {
  cr_assert_eq(bdag_activation_default(BDAG_LEAKY_RELU).parameter, 0.01);
  cr_assert_eq(bdag_activation_default(BDAG_ELU).parameter, 1.0);
  cr_assert_eq(bdag_activation_default(BDAG_CLIPPED_RELU).parameter, 6.0);
  cr_assert_eq(bdag_activation_default(BDAG_TANH).parameter, 0.0);
  for (int i = 0; i < KINDS; i++) {
    const int expected =
        kinds[i] == BDAG_LEAKY_RELU || kinds[i] == BDAG_ELU || kinds[i] == BDAG_CLIPPED_RELU;
    cr_assert_eq(bdag_activation_has_parameter(kinds[i]), expected);
    bdag_activation activation = bdag_activation_default(kinds[i]);
    cr_assert_eq(bdag_activation_check(context, &activation, &error), BDAG_OK);
  }
}

Test(functions, derivatives_have_sources) {
  cr_assert_eq(bdag_activation_derivative_source(BDAG_IDENTITY), BDAG_DERIVATIVE_CONSTANT);
  cr_assert_eq(bdag_activation_derivative_source(BDAG_NEAT_IDENTITY), BDAG_DERIVATIVE_CONSTANT);
  cr_assert_eq(bdag_activation_derivative_source(BDAG_RELU), BDAG_DERIVATIVE_FROM_OUT);
  cr_assert_eq(bdag_activation_derivative_source(BDAG_TANH), BDAG_DERIVATIVE_FROM_OUT);
  /* Not monotonic, or monotonic only for some parameters: out does not tell in. */
  cr_assert_eq(bdag_activation_derivative_source(BDAG_SIN), BDAG_DERIVATIVE_FROM_IN);
  cr_assert_eq(bdag_activation_derivative_source(BDAG_SQUARE), BDAG_DERIVATIVE_FROM_IN);
  cr_assert_eq(bdag_activation_derivative_source(BDAG_ABS), BDAG_DERIVATIVE_FROM_IN);
  cr_assert_eq(bdag_activation_derivative_source(BDAG_LEAKY_RELU), BDAG_DERIVATIVE_FROM_IN);
  cr_assert_eq(bdag_activation_derivative_source(BDAG_NEAT_SIN), BDAG_DERIVATIVE_FROM_IN);
  cr_assert_eq(bdag_activation_derivative_source(BDAG_ACTIVATION_REGISTERED),
               BDAG_DERIVATIVE_FROM_IN);
}

static int double_it(void *user, bdag_type type, double parameter, size_t count, const void *in,
                     void *out) {
  (void)user, (void)type, (void)parameter, (void)count, (void)in, (void)out;
  return 0;
}
static int two(void *user, bdag_type type, double parameter, size_t count, const void *in,
               const void *out, void *derivative) {
  (void)user, (void)type, (void)parameter, (void)count, (void)in, (void)out, (void)derivative;
  return 0;
}
static int no_loss(void *user, const bdag_loss_view *view) {
  (void)user, (void)view;
  return 0;
}
static const bdag_activation_functions doubling = {double_it, two, NULL};

Test(functions, registered_activations) {
  uint32_t first, second, kind;
  assert_ok(bdag_context_register_activation(context, "my.own-1", &doubling, &first, &error));
  cr_assert_eq(first, BDAG_ACTIVATION_REGISTERED);
  const char *const name = bdag_activation_name(context, first);
  assert_ok(bdag_context_register_activation(context, "my.own-2", &doubling, &second, &error));
  cr_assert_eq(second, first + 1);
  for (int i = 3; i <= 1024; i++) {
    char next[32];
    snprintf(next, sizeof next, "my.own-%d", i);
    assert_ok(bdag_context_register_activation(context, next, &doubling, &kind, &error));
  }
  cr_assert_eq(bdag_context_register_activation(context, "another", &doubling, &kind, &error),
               BDAG_ERROR_LIMIT);
  cr_assert_str_eq(name, "my.own-1");
  cr_assert_eq(name, bdag_activation_name(context, first), "borrowed names must stay");
  cr_assert_eq(bdag_activation_find(context, "my.own-700", &kind), BDAG_OK);
  cr_assert_str_eq(bdag_activation_name(context, kind), "my.own-700");
  cr_assert(bdag_activation_has_parameter(first));
  const bdag_activation activation = {second, 0.5};
  assert_ok(bdag_network_add_vertices(network, 1, &activation, NULL, &error));
  const bdag_activation infinite = {second, INFINITY};
  cr_assert_eq(bdag_network_add_vertices(network, 1, &infinite, NULL, &error),
               BDAG_ERROR_NOT_FINITE);
}

Test(functions, bad_registrations_are_refused) {
  uint32_t kind = 3;
  char long_name[65];
  memset(long_name, 'n', 64);
  long_name[64] = '\0';
  const char *const bad[] = {"", "a b", "a/b", "é", "a\n", long_name, "relu", "neat_cube"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    cr_assert_eq(bdag_context_register_activation(context, bad[i], &doubling, &kind, &error),
                 BDAG_ERROR_INVALID_ARGUMENT, "%s", bad[i]);
  }
  cr_assert_eq(bdag_context_register_activation(context, NULL, &doubling, &kind, &error),
               BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_context_register_activation(context, "a", NULL, &kind, &error),
               BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_context_register_activation(context, "a", &doubling, NULL, &error),
               BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_context_register_activation(NULL, "a", &doubling, &kind, &error),
               BDAG_ERROR_INVALID_ARGUMENT);
  const bdag_activation_functions half = {double_it, NULL, NULL};
  cr_assert_eq(bdag_context_register_activation(context, "a", &half, &kind, &error),
               BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(kind, 3);
  long_name[63] = '\0';
  assert_ok(bdag_context_register_activation(context, long_name, &doubling, &kind, &error));
  cr_assert_eq(bdag_context_register_activation(context, long_name, &doubling, &kind, &error),
               BDAG_ERROR_INVALID_ARGUMENT);
  assert_message("taken");
}

Test(functions, losses_have_names) {
  static const char *const names[] = {"mse",           "mae",          "huber",   "bce",
                                      "cross_entropy", "distribution", "external"};
  for (uint32_t i = 0; i < 7; i++) {
    uint32_t kind;
    cr_assert_str_eq(bdag_loss_name(context, i), names[i]);
    cr_assert_eq(bdag_loss_find(context, names[i], &kind), BDAG_OK);
    cr_assert_eq(kind, i);
  }
  uint32_t kind;
  cr_assert_null(bdag_loss_name(context, 7));
  cr_assert_eq(bdag_loss_find(context, "l2", &kind), BDAG_ERROR_UNKNOWN_ID);
  assert_ok(bdag_context_register_loss(context, "mine", no_loss, NULL, 1, 0, &kind, &error));
  cr_assert_eq(kind, BDAG_LOSS_REGISTERED);
  cr_assert_str_eq(bdag_loss_name(context, kind), "mine");
  cr_assert_eq(bdag_loss_find(context, "mine", &kind), BDAG_OK);
  cr_assert_eq(bdag_context_register_loss(context, "mine", no_loss, NULL, 0, 0, &kind, &error),
               BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_context_register_loss(context, "mse", no_loss, NULL, 0, 0, &kind, &error),
               BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_context_register_loss(context, "other", NULL, NULL, 0, 0, &kind, &error),
               BDAG_ERROR_INVALID_ARGUMENT);
  /* An activation may have the name of a loss: they are never mixed up. */
  assert_ok(bdag_context_register_activation(context, "mse", &doubling, &kind, &error));
}

Test(functions, terms_get_their_slice_of_the_targets) {
  uint32_t without, with;
  assert_ok(bdag_context_register_loss(context, "w0", no_loss, NULL, 0, 0, &without, &error));
  assert_ok(bdag_context_register_loss(context, "w1", no_loss, NULL, 1, 7, &with, &error));
  assert_ok(bdag_network_add_vertices(network, 4, NULL, NULL, &error));
  const struct {
    uint32_t kind;
    uint64_t columns;
  } cases[] = {{BDAG_MEAN_SQUARED_ERROR, 3},
               {BDAG_CLASS_CROSS_ENTROPY, 1},
               {BDAG_MEAN_ABSOLUTE_ERROR, 3},
               {without, 0},
               {BDAG_HUBER, 3},
               {BDAG_BINARY_CROSS_ENTROPY, 3},
               {with, 3},
               {BDAG_DISTRIBUTION_CROSS_ENTROPY, 3},
               {BDAG_EXTERNAL_GRADIENT, 3}};
  uint32_t vertices[] = {3, 0, 3};
  uint64_t expected = 0;
  for (uint32_t i = 0; i < 9; i++) {
    const bdag_loss_term term = {cases[i].kind, 3, vertices, 0.25 * i, 2.0};
    assert_ok(bdag_network_add_loss(network, &term, &error));
    cr_assert_eq(bdag_network_loss_count(network), i + 1);
  }
  vertices[0] = 99; /* the list was copied */
  for (uint32_t i = 0; i < 9; i++) {
    bdag_loss_term term;
    uint64_t first, count;
    cr_assert_eq(bdag_network_get_loss(network, i, &term, &first, &count), BDAG_OK);
    cr_assert_eq(term.kind, cases[i].kind);
    cr_assert_eq(term.vertex_count, 3);
    cr_assert_eq(term.vertices[0], 3);
    cr_assert_eq(term.weight, 0.25 * i);
    cr_assert_eq(first, expected);
    cr_assert_eq(count, cases[i].columns);
    expected += count;
  }
  cr_assert_eq(bdag_network_target_count(network), expected);
  cr_assert_eq(bdag_network_get_loss(network, 8, NULL, NULL, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_get_loss(network, 9, NULL, NULL, NULL), BDAG_ERROR_UNKNOWN_ID);
  bdag_network_clear_loss(network);
  cr_assert_eq(bdag_network_loss_count(network), 0);
  cr_assert_eq(bdag_network_target_count(network), 0);
  const bdag_loss_term term = {BDAG_MEAN_SQUARED_ERROR, 1, vertices + 1, 1.0, 0.0};
  assert_ok(bdag_network_add_loss(network, &term, &error));
  cr_assert_eq(bdag_network_target_count(network), 1);
}

Test(functions, bad_terms_are_refused) {
  assert_ok(bdag_network_add_vertices(network, 2, NULL, NULL, &error));
  const uint32_t good[] = {0, 1}, bad[] = {0, 2};
  const struct {
    bdag_loss_term term;
    bdag_status status;
  } cases[] = {
      {{7, 2, good, 1.0, 1.0}, BDAG_ERROR_UNKNOWN_ID},
      {{BDAG_LOSS_REGISTERED, 2, good, 1.0, 1.0}, BDAG_ERROR_UNKNOWN_ID},
      {{BDAG_MEAN_SQUARED_ERROR, 0, good, 1.0, 1.0}, BDAG_ERROR_INVALID_ARGUMENT},
      {{BDAG_MEAN_SQUARED_ERROR, 2, NULL, 1.0, 1.0}, BDAG_ERROR_INVALID_ARGUMENT},
      {{BDAG_MEAN_SQUARED_ERROR, 2, bad, 1.0, 1.0}, BDAG_ERROR_UNKNOWN_ID},
      {{BDAG_MEAN_SQUARED_ERROR, 2, good, NAN, 1.0}, BDAG_ERROR_NOT_FINITE},
      {{BDAG_MEAN_SQUARED_ERROR, 2, good, INFINITY, 1.0}, BDAG_ERROR_NOT_FINITE},
      {{BDAG_HUBER, 2, good, 1.0, 0.0}, BDAG_ERROR_INVALID_ARGUMENT},
      {{BDAG_HUBER, 2, good, 1.0, -1.0}, BDAG_ERROR_INVALID_ARGUMENT},
      {{BDAG_HUBER, 2, good, 1.0, NAN}, BDAG_ERROR_INVALID_ARGUMENT},
      {{BDAG_HUBER, 2, good, 1.0, INFINITY}, BDAG_ERROR_INVALID_ARGUMENT},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    cr_assert_eq(bdag_network_add_loss(network, &cases[i].term, &error), cases[i].status, "%d",
                 (int)i);
  }
  cr_assert_eq(bdag_network_add_loss(network, NULL, &error), BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_network_loss_count(network), 0);
  const bdag_loss_term ignored = {BDAG_MEAN_SQUARED_ERROR, 2, good, 0.0, NAN};
  assert_ok(bdag_network_add_loss(network, &ignored, &error));
}

Test(functions, normalization) {
  assert_ok(bdag_network_set_normalization(network, BDAG_NORMALIZE_GIVEN, &error));
  cr_assert_eq(bdag_network_get_normalization(network), BDAG_NORMALIZE_GIVEN);
  cr_assert_eq(bdag_network_set_normalization(network, (bdag_normalization)3, &error),
               BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_network_set_normalization(network, (bdag_normalization)-1, &error),
               BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_network_set_normalization(NULL, BDAG_NORMALIZE_ONE, &error),
               BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_network_get_normalization(network), BDAG_NORMALIZE_GIVEN);
}
