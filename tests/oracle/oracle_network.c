/* Building and releasing the oracle's networks, and the lists back(v) of the augmented network.
 * Shares no code with the library. */
#include "oracle_network.h"

#include <stdlib.h>
#include <string.h>

#include <backdag/network.h>

void *oracle_zeros(size_t count, size_t size) {
  void *memory = calloc(count + 1, size);
  if (memory == NULL) abort();
  return memory;
}

static void *grown(void *array, size_t count, size_t size) {
  if (count != 0 && (count & (count - 1)) != 0) return array; /* capacity: the next power of two */
  array = realloc(array, (count == 0 ? 1 : 2 * count) * size);
  if (array == NULL) abort();
  return array;
}

void oracle_network_init(oracle_network *network, size_t inputs, size_t neurons) {
  *network = (oracle_network){.vertex_count = inputs + neurons, .input_count = inputs};
  network->vertex = oracle_zeros(inputs + neurons, sizeof *network->vertex);
  for (size_t v = 0; v < inputs + neurons; v++) {
    network->vertex[v] = (oracle_vertex){.kind = v < inputs ? INPUT : NEURON,
                                         .activation = {.kind = BDAG_IDENTITY},
                                         .response = 1,
                                         .bias = NO_BIAS,
                                         .column = v};
  }
}

size_t oracle_add_parameter(oracle_network *network, double value) {
  network->parameter =
      grown(network->parameter, network->parameter_count, sizeof *network->parameter);
  network->parameter[network->parameter_count] = value;
  return network->parameter_count++;
}

size_t oracle_add_tied_edge(oracle_network *network, size_t source, size_t target,
                            size_t parameter) {
  network->edge = grown(network->edge, network->edge_count, sizeof *network->edge);
  network->edge[network->edge_count] = (oracle_edge){source, target, parameter, 0};
  return network->edge_count++;
}

size_t oracle_add_edge(oracle_network *network, size_t source, size_t target, double weight) {
  return oracle_add_tied_edge(network, source, target, oracle_add_parameter(network, weight));
}

oracle_loss_term *oracle_add_term(oracle_network *network, uint32_t kind, size_t n,
                                  const size_t *vertex, size_t target_count) {
  network->term = grown(network->term, network->term_count, sizeof *network->term);
  oracle_loss_term *term = &network->term[network->term_count++];
  *term = (oracle_loss_term){.kind = kind,
                             .n = n,
                             .vertex = oracle_zeros(n, sizeof *term->vertex),
                             .lambda = 1,
                             .parameter = 1,
                             .target_first = network->target_count,
                             .target_count = target_count};
  memcpy(term->vertex, vertex, n * sizeof *vertex);
  network->target_count += target_count;
  return term;
}

void oracle_network_free(oracle_network *network) {
  for (size_t t = 0; t < network->term_count; t++) free(network->term[t].vertex);
  free(network->vertex);
  free(network->edge);
  free(network->parameter);
  free(network->term);
  *network = (oracle_network){0};
}

/* The edges v → Loss: one for each v in N_loss, however often it stands there. Returns their number. */
static size_t find_n_loss(const oracle_network *network, size_t *source) {
  char *seen = oracle_zeros(network->vertex_count, 1);
  size_t count = 0;
  for (size_t t = 0; t < network->term_count; t++) {
    for (size_t i = 0; i < network->term[t].n; i++) {
      const size_t v = network->term[t].vertex[i];
      if (!seen[v]) source[count++] = v;
      seen[v] = 1;
    }
  }
  free(seen);
  return count;
}

static size_t target_of(const oracle_network *network, size_t edge) {
  return edge < network->edge_count ? network->edge[edge].target : network->vertex_count;
}

static int is_absent(const oracle_network *network, size_t edge) {
  return edge < network->edge_count && network->edge[edge].absent;
}

void oracle_augment(oracle_graph *graph, const oracle_network *network) {
  const size_t own = network->edge_count, loss = network->vertex_count;
  graph->loss = loss;
  graph->source = oracle_zeros(own + loss, sizeof *graph->source);
  for (size_t e = 0; e < own; e++) graph->source[e] = network->edge[e].source;
  const size_t edges = own + find_n_loss(network, graph->source + own);

  size_t *first = oracle_zeros(loss + 2, sizeof *first);
  for (size_t e = 0; e < edges; e++) first[target_of(network, e) + 1] += !is_absent(network, e);
  for (size_t v = 0; v <= loss; v++) first[v + 1] += first[v];

  size_t *next = oracle_zeros(loss + 1, sizeof *next);
  memcpy(next, first, (loss + 1) * sizeof *next);
  graph->back = oracle_zeros(edges, sizeof *graph->back);
  for (size_t e = 0; e < edges; e++) {
    if (!is_absent(network, e)) graph->back[next[target_of(network, e)]++] = e;
  }
  graph->back_first = first;
  free(next);
}

void oracle_graph_free(oracle_graph *graph) {
  free(graph->source);
  free(graph->back_first);
  free(graph->back);
  *graph = (oracle_graph){0};
}
