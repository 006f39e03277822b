/* See majorant.h; the functions have the names and the order of those in the oracle's backprop.c. */
#include "majorant.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "loss_sensitivity.h"

const precision PRECISION_FLOAT32 = {0x1p-24, FLT_MIN / 0x1p-24, 1e15};
const precision PRECISION_FLOAT64 = {0x1p-53, DBL_MIN / 0x1p-53, 1e100};

typedef struct walk {
  const oracle_network *network;
  const oracle_batch *batch;
  const oracle_pass *pass;
  const precision *precision;
  majorant *bound;
  double *size;      /* [samples][vertices], sum of the absolute values in out_grad(v) */
  double *roundings; /* [vertices], terms of out_grad(v) */
} walk;

static double factor(const walk *w, size_t v) {
  const oracle_vertex *vertex = &w->network->vertex[v];
  const size_t edges = w->pass->graph.back_first[v + 1] - w->pass->graph.back_first[v];
  return fabs(vertex->mean && edges > 0 ? vertex->response / (double)edges : vertex->response);
}

/* A result that is not exact may in addition have been flushed to zero, once for each operation. */
static double with_flush(const walk *w, double error, double operations) {
  return error > 0 ? error + operations * w->precision->tiny : 0;
}

static void judge(const walk *w, size_t s, verdict verdict) {
  if (w->bound->sample[s] < verdict) w->bound->sample[s] = verdict;
}

static void judge_size(const walk *w, size_t s, double size) {
  if (size > w->precision->largest) judge(w, s, SAMPLE_TOO_LARGE);
}

/* Inside of an activation, what is flushed may be multiplied by z up to twice. */
static double flushes(double z) {
  return ROUNDINGS * (1 + z * z);
}

/* The sum of d terms and a bias has d roundings; folding response and mean into the weights takes two
 * more, and one is spare. An empty sum is exact. */
static double in_error(const walk *w, size_t s, size_t v) {
  const oracle_graph *graph = &w->pass->graph;
  const oracle_network *network = w->network;
  const size_t at = s * network->vertex_count, bias = network->vertex[v].bias;
  const size_t degree = graph->back_first[v + 1] - graph->back_first[v];
  double size = 0, error = 0;
  for (size_t i = graph->back_first[v]; i < graph->back_first[v + 1]; i++) {
    const oracle_edge *edge = &network->edge[graph->back[i]];
    const double weight = factor(w, v) * fabs(network->parameter[edge->parameter]);
    size += weight * fabs(w->pass->out[at + edge->source]);
    error += weight * w->bound->out[at + edge->source];
  }
  if (bias != NO_BIAS) size += fabs(network->parameter[bias]);
  judge_size(w, s, size);
  return degree == 0 ? 0 : with_flush(w, error + (double)(degree + 3) * size, (double)degree);
}

static void forward(const walk *w, size_t s) {
  const oracle_pass *pass = w->pass;
  majorant *bound = w->bound;
  const size_t row = s * w->network->vertex_count;
  for (size_t n = pass->count - 1; n >= 1; n--) {
    const size_t v = pass->v[n], at = row + v;
    if (w->network->vertex[v].kind != NEURON) continue;
    const double error = in_error(w, s, v), reach = ERROR_FACTOR * w->precision->u * error;
    const sensitivity here = sensitivity_at(&w->network->vertex[v].activation, pass->in[at], reach);
    bound->in[at] = error;
    bound->at[at] = here;
    bound->out[at] = with_flush(w, here.slope * error + here.value_rounding, flushes(pass->in[at]));
    if (isnan(pass->in[at])) continue;
    /* where clamps end is itself rounded, as far as |in| may be */
    const double end = 2 * w->precision->u * fabs(pass->in[at]);
    if (error > 0 && !(reach + end < here.reach)) judge(w, s, SAMPLE_NEAR_KINK);
    judge_size(w, s, fabs(pass->out[at]));
  }
}

static void loss_vertex(const walk *w, const oracle_loss_term *term) {
  const size_t samples = w->batch->samples, n = term->n, vertices = w->network->vertex_count;
  const size_t columns = term->target_count;
  double *out = oracle_zeros(samples * n, sizeof *out), *error = oracle_zeros(samples * n, 8);
  double *grad = oracle_zeros(samples * n, sizeof *grad), *value = oracle_zeros(samples, 8);
  double *targets = oracle_zeros(samples * columns, sizeof *targets);
  for (size_t s = 0; s < samples; s++) {
    for (size_t i = 0; i < n; i++) {
      out[s * n + i] = w->pass->out[s * vertices + term->vertex[i]];
      error[s * n + i] = w->bound->out[s * vertices + term->vertex[i]];
    }
    memcpy(targets + s * columns,
           w->batch->targets + s * w->network->target_count + term->target_first,
           columns * sizeof *targets);
  }
  const oracle_loss_view view = {samples,          n,     columns, term->parameter, out, targets,
                                 w->batch->weight, value, grad};
  oracle_loss(term, &view);
  loss_error bounds = {.grad = oracle_zeros(n, sizeof(double))};
  for (size_t s = 0; s < samples; s++) {
    const double weight = w->batch->weight[s];
    const double share = fabs(term->lambda) * weight / w->batch->normalizer;
    const double scale = oracle_loss_is_external(term) ? 1 : share;
    if (weight == 0) continue;
    loss_error_of(term, &view, s, error, ERROR_FACTOR * w->precision->u, &bounds);
    if (bounds.in_reach) judge(w, s, SAMPLE_NEAR_KINK);
    judge_size(w, s, fabs(value[s]));
    /* summed in double */
    const double sum = (double)(samples * n + 8) * 0x1p-53 / w->precision->u;
    w->bound->loss += share * (bounds.value + sum * fabs(value[s]));
    for (size_t i = 0; i < n; i++) {
      const size_t at = s * vertices + term->vertex[i];
      w->bound->out_grad[at] += scale * bounds.grad[i];
      w->size[at] += scale * fabs(grad[s * n + i]);
    }
  }
  for (size_t i = 0; i < n; i++) w->roundings[term->vertex[i]]++;
  free(bounds.grad);
  free(out);
  free(error);
  free(grad);
  free(value);
  free(targets);
}

/* in_grad = out_grad·σ', in_error·|σ''| being the error of σ' that comes from in(v). */
static void backward(const walk *w, size_t s) {
  const oracle_pass *pass = w->pass;
  const oracle_network *network = w->network;
  majorant *bound = w->bound;
  const size_t row = s * network->vertex_count;
  for (size_t n = 1; n < pass->count; n++) {
    const size_t v = pass->v[n], at = row + v;
    const oracle_vertex *vertex = &network->vertex[v];
    if (vertex->kind == CONSTANT) w->size[at] = bound->out_grad[at] = 0;
    bound->out_grad[at] =
        with_flush(w, bound->out_grad[at] + (w->roundings[v] + 3) * w->size[at], w->roundings[v]);
    judge_size(w, s, w->size[at]);
    if (vertex->kind == INPUT) bound->in_grad[at] = bound->out_grad[at];
    if (vertex->kind != NEURON || bound->out_grad[at] == 0) continue;

    const sensitivity *here = &bound->at[at];
    const double error = bound->out_grad[at];
    const double of_slope = with_flush(w, here->curve * bound->in[at] + here->derivative_rounding,
                                       flushes(pass->in[at]));
    bound->in_grad[at] =
        with_flush(w,
                   here->slope * error + fabs(pass->out_grad[at]) * of_slope +
                       w->precision->u * error * of_slope + fabs(pass->in_grad[at]),
                   4);
    for (size_t i = pass->graph.back_first[v]; i < pass->graph.back_first[v + 1]; i++) {
      const oracle_edge *edge = &network->edge[pass->graph.back[i]];
      const double weight = factor(w, v) * fabs(network->parameter[edge->parameter]);
      bound->out_grad[row + edge->source] += weight * bound->in_grad[at];
      w->size[row + edge->source] += weight * fabs(pass->in_grad[at]);
    }
  }
}

/* Errors of the products in_grad(v)·out(u), summed over the batch; a sum of B products has B roundings,
 * and the factor, the product and the sum over accumulation groups have a few more. */
static void gradients(const walk *w) {
  const oracle_pass *pass = w->pass;
  const oracle_network *network = w->network;
  const size_t samples = w->batch->samples, vertices = network->vertex_count;
  const double roundings = (double)samples + 8;
  double *sizes = oracle_zeros(network->parameter_count, sizeof *sizes);
  double *uses = oracle_zeros(network->parameter_count, sizeof *uses);
  majorant *bound = w->bound;
  for (size_t e = 0; e < network->edge_count; e++) {
    const size_t u = network->edge[e].source, v = network->edge[e].target;
    const size_t p = network->edge[e].parameter;
    if (network->edge[e].absent) continue;
    double error = 0, size = 0;
    for (size_t s = 0; s < samples; s++) {
      const double in_grad = bound->in_grad[s * vertices + v], out = bound->out[s * vertices + u];
      const double in_grad_size = fabs(pass->in_grad[s * vertices + v]);
      if (in_grad == 0) continue;
      const double out_size = fabs(pass->out[s * vertices + u]);
      error += in_grad * out_size + in_grad_size * out + w->precision->u * in_grad * out;
      size += in_grad_size * out_size;
    }
    error = with_flush(w, factor(w, v) * error, 2 * roundings);
    size *= factor(w, v);
    bound->weight_grad[e] = error + roundings * size;
    bound->parameter_grad[p] += bound->weight_grad[e];
    sizes[p] += size;
    uses[p]++;
  }
  for (size_t v = 0; v < vertices; v++) {
    const size_t p = network->vertex[v].bias;
    if (network->vertex[v].kind != NEURON || p == NO_BIAS) continue;
    double error = 0, size = 0;
    for (size_t s = 0; s < samples; s++) {
      error += bound->in_grad[s * vertices + v];
      size += fabs(pass->in_grad[s * vertices + v]);
    }
    bound->bias_grad[v] = with_flush(w, error + roundings * size, 2 * roundings);
    bound->parameter_grad[p] += bound->bias_grad[v];
    sizes[p] += size;
    uses[p]++;
  }
  for (size_t p = 0; p < network->parameter_count; p++)
    bound->parameter_grad[p] += uses[p] * sizes[p];
  free(sizes);
  free(uses);
}

void majorant_run(majorant *bound, const oracle_network *network, const oracle_batch *batch,
                  const oracle_pass *pass, const precision *precision) {
  const size_t vertices = network->vertex_count, numbers = batch->samples * vertices;
  *bound = (majorant){.in = oracle_zeros(numbers, sizeof(double)),
                      .out = oracle_zeros(numbers, sizeof(double)),
                      .in_grad = oracle_zeros(numbers, sizeof(double)),
                      .out_grad = oracle_zeros(numbers, sizeof(double)),
                      .weight_grad = oracle_zeros(network->edge_count, sizeof(double)),
                      .bias_grad = oracle_zeros(vertices, sizeof(double)),
                      .parameter_grad = oracle_zeros(network->parameter_count, sizeof(double)),
                      .sample = oracle_zeros(batch->samples, sizeof(verdict)),
                      .at = oracle_zeros(numbers, sizeof(sensitivity))};
  const walk w = {network,
                  batch,
                  pass,
                  precision,
                  bound,
                  oracle_zeros(numbers, sizeof(double)),
                  oracle_zeros(vertices, sizeof(double))};
  for (size_t i = 0; i < pass->graph.back_first[vertices]; i++)
    w.roundings[pass->graph.source[pass->graph.back[i]]]++;
  for (size_t s = 0; s < batch->samples; s++) forward(&w, s);
  for (size_t t = 0; t < network->term_count; t++) loss_vertex(&w, &network->term[t]);
  for (size_t s = 0; s < batch->samples; s++) backward(&w, s);
  gradients(&w);
  free(w.size);
  free(w.roundings);
}

void majorant_free(majorant *bound) {
  free(bound->in);
  free(bound->out);
  free(bound->in_grad);
  free(bound->out_grad);
  free(bound->weight_grad);
  free(bound->bias_grad);
  free(bound->parameter_grad);
  free(bound->sample);
  free(bound->at);
  *bound = (majorant){0};
}
