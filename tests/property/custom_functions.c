/* See custom_functions.h. */
#include "custom_functions.h"

#include <math.h>
#include <stdlib.h>

static double get(bdag_type type, const void *array, size_t i) {
  return type == BDAG_FLOAT32 ? (double)((const float *)array)[i] : ((const double *)array)[i];
}

static void put(bdag_type type, void *array, size_t i, double value) {
  if (type == BDAG_FLOAT32)
    ((float *)array)[i] = (float)value;
  else
    ((double *)array)[i] = value;
}

static double bump(double p, double z) {
  return p * z / (1 + z * z);
}

static double bump_derivative(double p, double z) {
  return p * (1 - z * z) / ((1 + z * z) * (1 + z * z));
}

static int bump_values(void *user, bdag_type type, double p, size_t count, const void *in,
                       void *out) {
  for (size_t i = 0; i < count; i++) put(type, out, i, bump(p, get(type, in, i)));
  return 0;
}

static int bump_derivatives(void *user, bdag_type type, double p, size_t count, const void *in,
                            const void *out, void *derivative) {
  for (size_t i = 0; i < count; i++) put(type, derivative, i, bump_derivative(p, get(type, in, i)));
  return 0;
}

static double log_cosh(double d) {
  return fabs(d) + log1p(exp(-2 * fabs(d))) - M_LN2;
}

static int tile_loss(void *user, const bdag_loss_view *view) {
  for (size_t s = 0; s < view->sample_count; s++) {
    view->loss[s] = 0;
    for (size_t i = 0; i < view->vertex_count; i++) {
      const size_t at = i * view->stride + s;
      const double d = get(view->type, view->out, at) - get(view->type, view->targets, at);
      view->loss[s] += log_cosh(d);
      put(view->type, view->out_grad, at, tanh(d));
    }
  }
  return 0;
}

static void oracle_tile_loss(const oracle_loss_view *view) {
  for (size_t s = 0; s < view->samples; s++) {
    for (size_t i = 0; i < view->n; i++) {
      const double d = view->out[s * view->n + i] - view->targets[s * view->n + i];
      view->loss[s] += log_cosh(d);
      view->grad[s * view->n + i] = tanh(d);
    }
  }
}

static int batch_loss(void *user, const bdag_loss_view *view) {
  for (size_t s = 0; s < view->sample_count; s++) view->loss[s] = 0;
  for (size_t i = 0; i < view->vertex_count; i++) {
    double sum = 0, weights = 0;
    for (size_t s = 0; s < view->sample_count; s++) {
      if (view->sample_weight[s] == 0) continue;
      sum += view->sample_weight[s] * get(view->type, view->out, i * view->stride + s);
      weights += view->sample_weight[s];
    }
    for (size_t s = 0; s < view->sample_count; s++) {
      const double d = get(view->type, view->out, i * view->stride + s) - sum / weights;
      view->loss[s] += d * d;
      put(view->type, view->out_grad, i * view->stride + s, 2 * d);
    }
  }
  return 0;
}

static void oracle_batch_loss(const oracle_loss_view *view) {
  for (size_t i = 0; i < view->n; i++) {
    double sum = 0, weights = 0;
    for (size_t s = 0; s < view->samples; s++) {
      if (view->weight[s] == 0) continue;
      sum += view->weight[s] * view->out[s * view->n + i];
      weights += view->weight[s];
    }
    for (size_t s = 0; s < view->samples; s++) {
      const double d = view->out[s * view->n + i] - sum / weights;
      view->loss[s] += d * d;
      view->grad[s * view->n + i] = 2 * d;
    }
  }
}

bdag_status custom_register(bdag_context *context, oracle_custom *custom, bdag_error *error) {
  *custom = (oracle_custom){
      .value = bump, .derivative = bump_derivative, .loss = {oracle_tile_loss, oracle_batch_loss}};
  const bdag_activation_functions functions = {bump_values, bump_derivatives, NULL};
  bdag_status status = bdag_context_register_activation(context, "bump", &functions,
                                                        &custom->activation_kind, error);
  if (status != BDAG_OK) return status;
  status = bdag_context_register_loss(context, "log_cosh", tile_loss, NULL, 0, 1,
                                      &custom->loss_kind[0], error);
  if (status != BDAG_OK) return status;
  return bdag_context_register_loss(context, "spread", batch_loss, NULL, 1, 0,
                                    &custom->loss_kind[1], error);
}

int custom_is_tile_loss(const oracle_loss_term *term) {
  return term->custom == oracle_tile_loss;
}

int custom_is_batch_loss(const oracle_loss_term *term) {
  return term->custom == oracle_batch_loss;
}
