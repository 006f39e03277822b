/* The table of losses a second time: their second derivatives and their own rounding errors. */
#include "loss_sensitivity.h"

#include <math.h>

#include <backdag/network.h>

#include "custom_functions.h"
#include "sensitivity.h"

static const double SMALL = 1.0 / 16; /* an error up to which e^z is known to first order */

/* Terms that are a sum over their vertices, divided by n: d = out − target. */
static void separate_error(const oracle_loss_term *term, size_t i, double out, double target,
                           double error, double unit, loss_error *result) {
  const double n = term->custom == NULL ? (double)term->n : 1, d = out - target, size = fabs(d);
  const double square = unit * error * error; /* second order */
  double grad = 0, value = 0;
  if (custom_is_tile_loss(term)) {
    grad = error + ROUNDINGS * fabs(tanh(d));
    value = fabs(tanh(d)) * error + square + ROUNDINGS * (size + 1);
  } else if (term->kind == BDAG_MEAN_SQUARED_ERROR) {
    grad = 2 * error + 2 * ROUNDINGS * size;
    value = 2 * size * error + square + ROUNDINGS * d * d;
  } else if (term->kind == BDAG_MEAN_ABSOLUTE_ERROR) {
    grad = ROUNDINGS;
    value = error + ROUNDINGS * size;
    result->in_reach |= error > 0 && unit * error >= size;
  } else if (term->kind == BDAG_HUBER) {
    const double slope = fmin(size, term->parameter);
    grad = error + ROUNDINGS * slope;
    value = slope * error + square + ROUNDINGS * slope * (size + term->parameter);
  } else { /* BDAG_BINARY_CROSS_ENTROPY */
    const double p = 1 / (1 + exp(-out));
    grad = p * (1 - p) * error + square + ROUNDINGS * (p + target);
    value = fabs(p - target) * error + square +
            ROUNDINGS * (fmax(out, 0) + log1p(exp(-fabs(out))) + fabs(target * out));
    result->in_reach |= unit * error >= SMALL;
  }
  result->grad[i] = grad / n;
  result->value += value / n;
}

/* total·log Σ e^o − Σ y·o: its gradient is total·p_i − y_i with p the softmax, and
 * |dp_i| ≤ p_i·(|do_i| + Σ_j p_j·|do_j|). e^{o − max} has a relative error of |o − max|. */
static void softmax_error(const oracle_loss_term *term, const double *out, const double *target,
                          const double *error, double unit, loss_error *result) {
  const size_t n = term->n;
  const int by_class = term->kind == BDAG_CLASS_CROSS_ENTROPY;
  double largest = -INFINITY, sum = 0, mean = 0, total = 0;
  for (size_t i = 0; i < n; i++) largest = fmax(largest, out[i]);
  for (size_t i = 0; i < n; i++) sum += exp(out[i] - largest);
  for (size_t i = 0; i < n; i++) {
    mean += exp(out[i] - largest) / sum * (error[i] + fabs(out[i] - largest));
    total += by_class ? 0 : target[i];
    result->in_reach |= unit * error[i] >= SMALL;
  }
  if (by_class) total = 1;
  const double size = fabs(largest) + log(sum);
  result->value = total * ROUNDINGS * (size + (double)n);
  for (size_t i = 0; i < n; i++) {
    const double p = exp(out[i] - largest) / sum;
    const double y = by_class ? (double)(i == (size_t)target[0]) : target[i];
    result->grad[i] = total * p * (error[i] + fabs(out[i] - largest) + mean + (double)n) * 1.25 +
                      ROUNDINGS * (total * p + y);
    result->value += fabs(total * p - y) * error[i] + total * p * unit * error[i] * error[i] +
                     ROUNDINGS * fabs(y * out[i]);
  }
}

/* Σ_i (o_i − m_i)² with the weighted mean m_i over the batch. */
static void spread_error(const oracle_loss_view *view, size_t sample, const double *out_error,
                         double unit, loss_error *result) {
  for (size_t i = 0; i < view->n; i++) {
    double error = 0, mean = 0, size = 0, weights = 0;
    for (size_t s = 0; s < view->samples; s++) {
      if (view->weight[s] == 0) continue;
      weights += view->weight[s];
      error += view->weight[s] * out_error[s * view->n + i];
      mean += view->weight[s] * view->out[s * view->n + i];
      size += view->weight[s] * fabs(view->out[s * view->n + i]);
    }
    const double out = view->out[sample * view->n + i], d = fabs(out - mean / weights);
    const double both = out_error[sample * view->n + i] + error / weights +
                        ROUNDINGS * (fabs(out) + size / weights);
    result->grad[i] = 2 * both + 2 * ROUNDINGS * d;
    result->value += 2 * d * both + unit * both * both + ROUNDINGS * d * d;
  }
}

void loss_error_of(const oracle_loss_term *term, const oracle_loss_view *view, size_t sample,
                   const double *out_error, double unit, loss_error *result) {
  const double *out = view->out + sample * view->n, *error = out_error + sample * view->n;
  const double *target = view->targets + sample * view->columns;
  result->value = 0;
  result->in_reach = 0;
  for (size_t i = 0; i < view->n; i++) result->grad[i] = 0;
  if (view->weight[sample] == 0 || oracle_loss_is_external(term)) return;
  if (custom_is_batch_loss(term)) {
    spread_error(view, sample, out_error, unit, result);
  } else if (term->custom == NULL && (term->kind == BDAG_CLASS_CROSS_ENTROPY ||
                                      term->kind == BDAG_DISTRIBUTION_CROSS_ENTROPY)) {
    softmax_error(term, out, target, error, unit, result);
  } else {
    for (size_t i = 0; i < view->n; i++)
      separate_error(term, i, out[i], target[i], error[i], unit, result);
  }
}
