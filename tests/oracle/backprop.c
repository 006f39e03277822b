/* The algorithm, to be read from top to bottom: enumerate, forward, loss, backward, gradients.
 * The letters are those of the note; nothing here is fast, and nothing is shared with the library.
 *
 *   in(v) = bias(v) + factor(v)·Σ_{u→v} w(u→v)·out(u)        out(v) = σ_v(in(v))
 *   in_grad(v) = ∂L/∂in(v)                                   out_grad(v) = ∂L/∂out(v) */
#include "backprop.h"

#include <stdlib.h>
#include <string.h>

/* v_0 = Loss, v_1, v_2, …: each v_n is a sink once v_0 … v_{n−1} are removed. */
static void enumerate(oracle_pass *pass, const oracle_network *network) {
  const oracle_graph *graph = &pass->graph;
  const size_t loss = graph->loss;
  size_t *successors = oracle_zeros(loss + 1, sizeof *successors); /* not yet removed */
  for (size_t i = 0; i < graph->back_first[loss + 1]; i++)
    successors[graph->source[graph->back[i]]]++;

  size_t count = 0;
  pass->v[count++] = loss;
  for (size_t v = 0; v < loss; v++) {
    if (successors[v] == 0 && network->vertex[v].kind != REMOVED) pass->v[count++] = v;
  }
  for (size_t n = 0; n < count; n++) {
    const size_t v = pass->v[n];
    for (size_t i = graph->back_first[v]; i < graph->back_first[v + 1]; i++) {
      const size_t u = graph->source[graph->back[i]];
      if (--successors[u] == 0) pass->v[count++] = u;
    }
  }
  pass->count = count;
  free(successors);
}

/* What the weighted sum is multiplied by: the response, divided by |back(v)| for a mean. */
static double factor(const oracle_pass *pass, const oracle_vertex *vertex, size_t v) {
  const size_t edges = pass->graph.back_first[v + 1] - pass->graph.back_first[v];
  return vertex->mean && edges > 0 ? vertex->response / edges : vertex->response;
}

/* For …, v_2, v_1 of one sample: every vertex when all of its sources are done. */
static void forward(const oracle_pass *pass, const oracle_network *network, const double *x,
                    double *in, double *out) {
  const oracle_graph *graph = &pass->graph;
  for (size_t n = pass->count - 1; n >= 1; n--) {
    const size_t v = pass->v[n];
    const oracle_vertex *vertex = &network->vertex[v];
    if (vertex->kind == INPUT) in[v] = out[v] = x[vertex->column];
    if (vertex->kind == CONSTANT) in[v] = out[v] = vertex->value;
    if (vertex->kind != NEURON) continue;
    double sum = 0;
    for (size_t i = graph->back_first[v]; i < graph->back_first[v + 1]; i++) {
      const oracle_edge *edge = &network->edge[graph->back[i]];
      sum += network->parameter[edge->parameter] * out[edge->source];
    }
    const double bias = vertex->bias == NO_BIAS ? 0 : network->parameter[vertex->bias];
    in[v] = bias + factor(pass, vertex, v) * sum;
    out[v] = oracle_sigma(&vertex->activation, in[v]);
  }
}

/* The vertex v_0: out(Loss) = L = (1/Z)·Σ_s c_s·Σ_t λ_t·L_t of the tuples in(Loss), and the part of
 * out_grad(v) that comes through the edge v → Loss. */
static void loss_vertex(oracle_pass *pass, const oracle_network *network, const oracle_batch *batch,
                        const oracle_loss_term *term) {
  const size_t samples = batch->samples, n = term->n, vertices = network->vertex_count;
  double *out = oracle_zeros(samples * n, sizeof *out);
  double *grad = oracle_zeros(samples * n, sizeof *grad);
  double *targets = oracle_zeros(samples * term->target_count, sizeof *targets);
  double *value = oracle_zeros(samples, sizeof *value);
  for (size_t s = 0; s < samples; s++) {
    for (size_t i = 0; i < n; i++) out[s * n + i] = pass->out[s * vertices + term->vertex[i]];
    memcpy(targets + s * term->target_count,
           batch->targets + s * network->target_count + term->target_first,
           term->target_count * sizeof *targets);
  }
  oracle_loss(term, &(oracle_loss_view){samples, n, term->target_count, term->parameter, out,
                                        targets, batch->weight, value, grad});
  for (size_t s = 0; s < samples; s++) {
    const double share = term->lambda * batch->weight[s] / batch->normalizer;
    pass->loss += share * value[s];
    for (size_t i = 0; i < n; i++) {
      pass->out_grad[s * vertices + term->vertex[i]] +=
          (oracle_loss_is_external(term) ? 1 : share) * grad[s * n + i];
    }
  }
  free(out);
  free(grad);
  free(targets);
  free(value);
}

/* For v_1, v_2, … of one sample: every vertex once, when all of its successors are done. */
static void backward(const oracle_pass *pass, const oracle_network *network, const double *in,
                     double *in_grad, double *out_grad) {
  const oracle_graph *graph = &pass->graph;
  for (size_t n = 1; n < pass->count; n++) {
    const size_t v = pass->v[n];
    const oracle_vertex *vertex = &network->vertex[v];
    if (vertex->kind == CONSTANT) out_grad[v] = 0;
    if (out_grad[v] == 0) continue; /* in_grad(v) is 0 then, also where σ' is not finite */
    if (vertex->kind == INPUT) in_grad[v] = out_grad[v];
    if (vertex->kind != NEURON) continue;
    in_grad[v] = out_grad[v] * oracle_sigma_prime(&vertex->activation, in[v]);
    for (size_t i = graph->back_first[v]; i < graph->back_first[v + 1]; i++) {
      const oracle_edge *edge = &network->edge[graph->back[i]];
      out_grad[edge->source] +=
          in_grad[v] * factor(pass, vertex, v) * network->parameter[edge->parameter];
    }
  }
}

/* ∂L/∂w(u→v) = in_grad(v)·factor(v)·out(u) and ∂L/∂bias(v) = in_grad(v), summed over the batch. */
static void gradients(oracle_pass *pass, const oracle_network *network, const double *out,
                      const double *in_grad) {
  const oracle_graph *graph = &pass->graph;
  for (size_t n = 1; n < pass->count; n++) {
    const size_t v = pass->v[n];
    const oracle_vertex *vertex = &network->vertex[v];
    if (vertex->kind != NEURON || in_grad[v] == 0) continue;
    for (size_t i = graph->back_first[v]; i < graph->back_first[v + 1]; i++) {
      const oracle_edge *edge = &network->edge[graph->back[i]];
      const double grad = in_grad[v] * factor(pass, vertex, v) * out[edge->source];
      pass->weight_grad[graph->back[i]] += grad;
      pass->parameter_grad[edge->parameter] += grad;
    }
    if (vertex->bias == NO_BIAS) continue;
    pass->bias_grad[v] += in_grad[v];
    pass->parameter_grad[vertex->bias] += in_grad[v];
  }
}

void oracle_run(oracle_pass *pass, const oracle_network *network, const oracle_batch *batch) {
  const size_t vertices = network->vertex_count, numbers = batch->samples * vertices;
  *pass = (oracle_pass){.v = oracle_zeros(vertices + 1, sizeof *pass->v),
                        .in = oracle_zeros(numbers, sizeof(double)),
                        .out = oracle_zeros(numbers, sizeof(double)),
                        .in_grad = oracle_zeros(numbers, sizeof(double)),
                        .out_grad = oracle_zeros(numbers, sizeof(double)),
                        .weight_grad = oracle_zeros(network->edge_count, sizeof(double)),
                        .bias_grad = oracle_zeros(vertices, sizeof(double)),
                        .parameter_grad = oracle_zeros(network->parameter_count, sizeof(double))};
  oracle_augment(&pass->graph, network);
  enumerate(pass, network);
  for (size_t s = 0; s < batch->samples; s++) {
    forward(pass, network, batch->x + s * network->input_count, pass->in + s * vertices,
            pass->out + s * vertices);
  }
  for (size_t t = 0; t < network->term_count; t++) {
    loss_vertex(pass, network, batch, &network->term[t]);
  }
  for (size_t s = 0; s < batch->samples; s++) {
    const size_t at = s * vertices;
    backward(pass, network, pass->in + at, pass->in_grad + at, pass->out_grad + at);
    gradients(pass, network, pass->out + at, pass->in_grad + at);
  }
}

void oracle_pass_free(oracle_pass *pass) {
  oracle_graph_free(&pass->graph);
  free(pass->v);
  free(pass->in);
  free(pass->out);
  free(pass->in_grad);
  free(pass->out_grad);
  free(pass->weight_grad);
  free(pass->bias_grad);
  free(pass->parameter_grad);
  *pass = (oracle_pass){0};
}
