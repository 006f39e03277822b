/* The table of losses in backdag/network.h, written out once more.
 * Shares no code with the library. */
#include "oracle_loss.h"

#include <math.h>

#include <backdag/network.h>

static double mean_squared_error(size_t n, const double *out, const double *y, double *grad) {
  double loss = 0;
  for (size_t i = 0; i < n; i++) {
    const double d = out[i] - y[i];
    loss += d * d / n;
    grad[i] = 2 * d / n;
  }
  return loss;
}

static double mean_absolute_error(size_t n, const double *out, const double *y, double *grad) {
  double loss = 0;
  for (size_t i = 0; i < n; i++) {
    const double d = out[i] - y[i];
    loss += fabs(d) / n;
    grad[i] = (double)((d > 0) - (d < 0)) / n;
  }
  return loss;
}

static double huber(size_t n, const double *out, const double *y, double delta, double *grad) {
  double loss = 0;
  for (size_t i = 0; i < n; i++) {
    const double d = out[i] - y[i];
    loss += (fabs(d) <= delta ? d * d / 2 : delta * (fabs(d) - delta / 2)) / n;
    grad[i] = fmax(-delta, fmin(d, delta)) / n;
  }
  return loss;
}

static double binary_cross_entropy(size_t n, const double *out, const double *y, double *grad) {
  double loss = 0;
  for (size_t i = 0; i < n; i++) {
    const double tail = exp(-fabs(out[i]));
    loss += (fmax(out[i], 0) + log1p(tail) - y[i] * out[i]) / n;
    grad[i] = ((out[i] >= 0 ? 1 : tail) / (1 + tail) - y[i]) / n;
  }
  return loss;
}

/* log Σ e^out, and e^out / Σ e^out in `softmax`. */
static double log_sum_exp(size_t n, const double *out, double *softmax) {
  double largest = -INFINITY, sum = 0;
  for (size_t i = 0; i < n; i++) largest = fmax(largest, out[i]);
  for (size_t i = 0; i < n; i++) sum += softmax[i] = exp(out[i] - largest);
  for (size_t i = 0; i < n; i++) softmax[i] /= sum;
  return largest + log(sum);
}

static double class_cross_entropy(size_t n, const double *out, size_t class, double *grad) {
  const double loss = log_sum_exp(n, out, grad) - out[class];
  grad[class] -= 1;
  return loss;
}

static double distribution_cross_entropy(size_t n, const double *out, const double *y,
                                         double *grad) {
  double total = 0;
  for (size_t i = 0; i < n; i++) total += y[i];
  double loss = total * log_sum_exp(n, out, grad);
  for (size_t i = 0; i < n; i++) {
    loss -= y[i] * out[i];
    grad[i] = total * grad[i] - y[i];
  }
  return loss;
}

static double external_gradient(size_t n, const double *y, double *grad) {
  for (size_t i = 0; i < n; i++) grad[i] = y[i];
  return 0;
}

static double one_sample(const oracle_loss_term *term, const double *out, const double *y,
                         double *grad) {
  switch (term->kind) { /* clang-format off */
  case BDAG_MEAN_SQUARED_ERROR: return mean_squared_error(term->n, out, y, grad);
  case BDAG_MEAN_ABSOLUTE_ERROR: return mean_absolute_error(term->n, out, y, grad);
  case BDAG_HUBER: return huber(term->n, out, y, term->parameter, grad);
  case BDAG_BINARY_CROSS_ENTROPY: return binary_cross_entropy(term->n, out, y, grad);
  case BDAG_CLASS_CROSS_ENTROPY: return class_cross_entropy(term->n, out, (size_t)y[0], grad);
  case BDAG_DISTRIBUTION_CROSS_ENTROPY: return distribution_cross_entropy(term->n, out, y, grad);
  case BDAG_EXTERNAL_GRADIENT: return external_gradient(term->n, y, grad);
  default: return NAN;
  } /* clang-format on */
}

void oracle_loss(const oracle_loss_term *term, const oracle_loss_view *view) {
  if (term->custom != NULL) term->custom(view);
  for (size_t s = 0; s < view->samples; s++) {
    const double *out = view->out + s * view->n, *y = view->targets + s * view->columns;
    double *grad = view->grad + s * view->n;
    if (view->weight[s] != 0) {
      if (term->custom == NULL) view->loss[s] = one_sample(term, out, y, grad);
    } else {
      view->loss[s] = 0;
      for (size_t i = 0; i < view->n; i++) grad[i] = 0;
    }
  }
}

int oracle_loss_is_external(const oracle_loss_term *term) {
  return term->custom == NULL && term->kind == BDAG_EXTERNAL_GRADIENT;
}
