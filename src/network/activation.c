/* The table of activations, and registered ones beside it. Floor 1. */
#include "network/activation.h"

#include <math.h>
#include <string.h>

#include "base/context_internal.h"
#include "base/error.h"

typedef struct description {
  uint32_t kind;
  const char *name;
  double parameter; /* default */
  int has_parameter;
  bdag_derivative_source source;
} description;

#define FROM_OUT BDAG_DERIVATIVE_FROM_OUT
#define FROM_IN  BDAG_DERIVATIVE_FROM_IN
static const description table[] = {
    {BDAG_IDENTITY, "identity", 0.0, 0, BDAG_DERIVATIVE_CONSTANT},
    {BDAG_RELU, "relu", 0.0, 0, FROM_OUT},
    {BDAG_LEAKY_RELU, "leaky_relu", 0.01, 1, FROM_IN}, /* a negative slope hides the sign of in */
    {BDAG_ELU, "elu", 1.0, 1, FROM_IN},
    {BDAG_SELU, "selu", 0.0, 0, FROM_OUT},
    {BDAG_GELU, "gelu", 0.0, 0, FROM_IN},
    {BDAG_SILU, "silu", 0.0, 0, FROM_IN},
    {BDAG_SOFTPLUS, "softplus", 0.0, 0, FROM_IN},
    {BDAG_TANH, "tanh", 0.0, 0, FROM_OUT},
    {BDAG_SIGMOID, "sigmoid", 0.0, 0, FROM_OUT},
    {BDAG_SIN, "sin", 0.0, 0, FROM_IN},
    {BDAG_GAUSSIAN, "gaussian", 0.0, 0, FROM_IN},
    {BDAG_SQUARE, "square", 0.0, 0, FROM_IN},
    {BDAG_ABS, "abs", 0.0, 0, FROM_IN},
    {BDAG_CLIPPED_RELU, "clipped_relu", 6.0, 1, FROM_OUT},
    {BDAG_NEAT_SIGMOID, "neat_sigmoid", 0.0, 0, FROM_OUT},
    {BDAG_NEAT_TANH, "neat_tanh", 0.0, 0, FROM_OUT},
    {BDAG_NEAT_SIN, "neat_sin", 0.0, 0, FROM_IN},
    {BDAG_NEAT_GAUSS, "neat_gauss", 0.0, 0, FROM_IN},
    {BDAG_NEAT_RELU, "neat_relu", 0.0, 0, FROM_OUT},
    {BDAG_NEAT_ELU, "neat_elu", 0.0, 0, FROM_OUT},
    {BDAG_NEAT_LELU, "neat_lelu", 0.0, 0, FROM_OUT},
    {BDAG_NEAT_SELU, "neat_selu", 0.0, 0, FROM_OUT},
    {BDAG_NEAT_SOFTPLUS, "neat_softplus", 0.0, 0, FROM_IN},
    {BDAG_NEAT_IDENTITY, "neat_identity", 0.0, 0, BDAG_DERIVATIVE_CONSTANT},
    {BDAG_NEAT_CLAMPED, "neat_clamped", 0.0, 0, FROM_OUT},
    {BDAG_NEAT_INV, "neat_inv", 0.0, 0, FROM_OUT},
    {BDAG_NEAT_LOG, "neat_log", 0.0, 0, FROM_IN},
    {BDAG_NEAT_EXP, "neat_exp", 0.0, 0, FROM_OUT},
    {BDAG_NEAT_ABS, "neat_abs", 0.0, 0, FROM_IN},
    {BDAG_NEAT_HAT, "neat_hat", 0.0, 0, FROM_IN},
    {BDAG_NEAT_SQUARE, "neat_square", 0.0, 0, FROM_IN},
    {BDAG_NEAT_CUBE, "neat_cube", 0.0, 0, FROM_IN},
};

static const description *describe(uint32_t kind) {
  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
    if (table[i].kind == kind) return &table[i];
  }
  return NULL;
}

bdag_activation bdag_activation_default(uint32_t kind) {
  const description *const known = describe(kind);
  return (bdag_activation){kind, known != NULL ? known->parameter : 0.0};
}

const char *bdag_activation_name(const bdag_context *context, uint32_t kind) {
  const description *const known = describe(kind);
  if (known != NULL) return known->name;
  const bdag_registered_activation *const registered =
      context != NULL ? bdag_context_activation(context, kind) : NULL;
  return registered != NULL ? registered->name : NULL;
}

bdag_status bdag_activation_find(const bdag_context *context, const char *name, uint32_t *kind) {
  if (name == NULL || kind == NULL) return BDAG_ERROR_UNKNOWN_ID;
  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
    if (strcmp(table[i].name, name) != 0) continue;
    *kind = table[i].kind;
    return BDAG_OK;
  }
  for (uint64_t i = 0; context != NULL && i < context->activation_count; i++) {
    if (strcmp(context->activations[i].name, name) != 0) continue;
    *kind = BDAG_ACTIVATION_REGISTERED + (uint32_t)i;
    return BDAG_OK;
  }
  return BDAG_ERROR_UNKNOWN_ID;
}

bdag_derivative_source bdag_activation_derivative_source(uint32_t kind) {
  const description *const known = describe(kind);
  return known != NULL ? known->source : FROM_IN;
}

int bdag_activation_has_parameter(uint32_t kind) {
  const description *const known = describe(kind);
  return known != NULL ? known->has_parameter : kind >= BDAG_ACTIVATION_REGISTERED;
}

int bdag_activation_is_known(const bdag_context *context, uint32_t kind) {
  return describe(kind) != NULL || bdag_context_activation(context, kind) != NULL;
}

bdag_status bdag_activation_check(const bdag_context *context, bdag_activation *activation,
                                  bdag_error *error) {
  const uint32_t kind = activation->kind;
  if (!bdag_activation_is_known(context, kind)) {
    return bdag_fail(
        error, BDAG_ERROR_UNKNOWN_ID,
        "activation kind %u does not exist; take a bdag_activation_kind or register one", kind);
  }
  if (!bdag_activation_has_parameter(kind)) {
    activation->parameter = 0.0;
    return BDAG_OK;
  }
  if (!isfinite(activation->parameter)) {
    return bdag_fail(error, BDAG_ERROR_NOT_FINITE,
                     "the parameter of activation %s is not finite; use a finite number",
                     bdag_activation_name(context, kind));
  }
  if (kind == BDAG_CLIPPED_RELU && activation->parameter <= 0.0) {
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT,
                     "the cap of clipped_relu is %g; it must be above 0", activation->parameter);
  }
  return BDAG_OK;
}
