/* What the random cases contained; see compare.h. */
#include <stdio.h>
#include <stdlib.h>

#include "compare.h"
#include "custom_functions.h"
#include "random_network.h"

static void add_vertices(coverage *k, const random_case *c) {
  const oracle_network *n = &c->oracle;
  for (size_t v = 0; v < n->vertex_count; v++) {
    const oracle_vertex *vertex = &n->vertex[v];
    const size_t first = c->pass.graph.back_first[v], end = c->pass.graph.back_first[v + 1];
    if (end - first > k->degree) k->degree = end - first;
    if (vertex->kind != NEURON) continue;
    const int custom = vertex->activation.custom_value != NULL;
    k->activation[custom ? BDAG_NEAT_CUBE + 1 : vertex->activation.kind]++;
    k->means += vertex->mean;
  }
}

static void add_parameters(coverage *k, const oracle_network *n) {
  char *used = oracle_zeros(n->parameter_count, 1);
  for (size_t e = 0; e < n->edge_count; e++) {
    k->absent_edges += n->edge[e].absent != 0;
    k->tied_weights += used[n->edge[e].parameter];
    used[n->edge[e].parameter] = 1;
  }
  for (size_t v = 0; v < n->vertex_count; v++) {
    const size_t bias = n->vertex[v].bias;
    if (n->vertex[v].kind != NEURON || bias == NO_BIAS) continue;
    k->tied_biases += used[bias];
    used[bias] = 1;
  }
  free(used);
}

static void add_terms(coverage *k, const oracle_network *n) {
  char *has_successor = oracle_zeros(n->vertex_count, 1);
  for (size_t e = 0; e < n->edge_count; e++)
    if (!n->edge[e].absent) has_successor[n->edge[e].source] = 1;
  for (size_t t = 0; t < n->term_count; t++) {
    const oracle_loss_term *term = &n->term[t];
    const uint32_t kind = custom_is_tile_loss(term)    ? BDAG_EXTERNAL_GRADIENT + 1
                          : custom_is_batch_loss(term) ? BDAG_EXTERNAL_GRADIENT + 2
                                                       : term->kind;
    k->loss[kind]++;
    for (size_t i = 0; i < term->n; i++)
      k->in_loss_with_successor += has_successor[term->vertex[i]];
  }
  free(has_successor);
}

void coverage_add(coverage *k, const random_case *c) {
  add_vertices(k, c);
  add_parameters(k, &c->oracle);
  add_terms(k, &c->oracle);
  k->axis[c->engine.axis]++;
  k->threads[c->engine.threads]++;
  k->type[c->engine.type == BDAG_FLOAT64]++;
  if (c->oracle.vertex_count > k->vertices) k->vertices = c->oracle.vertex_count;
  if (c->batch.samples > k->batch) k->batch = c->batch.samples;
}

static int missing(const char *what, const uint64_t *count, size_t first, size_t end) {
  int found = 0;
  for (size_t i = first; i < end; i++) {
    if (count[i] != 0) continue;
    fprintf(stderr, "# never drawn: %s %zu\n", what, i);
    found = 1;
  }
  return found;
}

int coverage_report(const coverage *k) {
  const uint64_t others[] = {k->tied_weights, k->tied_biases, k->means, k->absent_edges,
                             k->in_loss_with_successor};
  const uint64_t limits[] = {k->vertices == RANDOM_MAX_VERTICES, k->degree == RANDOM_MAX_DEGREE,
                             k->batch == RANDOM_MAX_BATCH};
  return missing("activation", k->activation, 0, BDAG_CLIPPED_RELU + 1) |
         missing("activation", k->activation, BDAG_NEAT_SIGMOID, BDAG_NEAT_CUBE + 2) |
         missing("loss", k->loss, 0, sizeof k->loss / sizeof *k->loss) |
         missing("axis", k->axis, 0, 4) | missing("threads", k->threads, 1, 9) |
         missing("type", k->type, 0, 2) |
         missing("tied weights, tied biases, means, absent edges, inner loss vertices: number",
                 others, 0, sizeof others / sizeof *others) |
         missing("most vertices, in-edges, samples: number", limits, 0, 3);
}
