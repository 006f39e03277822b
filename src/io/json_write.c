/* Writes a network as JSON, a line for each node and connection: neat-python's format alone where
 * that says everything, else with a "backdag" object (json_extension.c reads it). Written piece by
 * piece, since a tree of a large network would take far more memory than the network itself.
 * Floor 5: may include base, network. */
#include "io/network_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <backdag/backdag.h>

#include "base/error.h"
#include "base/memory.h"
#include "io/json_network.h"
#include "io/number.h"
#include "network/activation.h"
#include "network/network_internal.h"

/* Failures stay with the file, which tells them when it is committed. */
typedef struct writer {
  const bdag_network *network;
  bdag_atomic_file *file;
  uint8_t *is_output; /* [vertex_count] */
  int constants, no_bias, own_activations, read_outs, explicit_parameters;
} writer;

static void put(const writer *w, const char *text) {
  (void)bdag_atomic_file_write(w->file, text, strlen(text), NULL);
}

static void put_integer(const writer *w, int64_t value) {
  char text[32];
  snprintf(text, sizeof text, "%" PRId64, value);
  put(w, text);
}

static void put_unsigned(const writer *w, uint64_t value) {
  char text[32];
  snprintf(text, sizeof text, "%" PRIu64, value);
  put(w, text);
}

static void put_number(const writer *w, double value) {
  char text[bdag_number_size];
  bdag_number_print(text, BDAG_FLOAT64, value);
  put(w, text);
  /* Stays a real number for readers that tell the two apart; "-0" would lose its sign. */
  if (strpbrk(text, ".eE") == NULL) put(w, ".0");
}

static int64_t key_of(const bdag_network *network, uint32_t vertex) {
  return network->key != NULL ? network->key[vertex] : (int64_t)vertex;
}

static double value_of(const bdag_network *network, uint64_t parameter) {
  return network->value != NULL && parameter != BDAG_NONE ? network->value[parameter] : 0.0;
}

static int edge_removed(const bdag_network *network, uint64_t edge) {
  return network->edge_flags != NULL && (network->edge_flags[edge] & BDAG_EDGE_REMOVED) != 0;
}

static uint64_t run_parameter(const bdag_parameter_run *run, uint64_t edge) {
  const uint64_t i = edge - run->first_edge;
  return run->parameters != NULL ? run->parameters[i] : run->first_parameter + i;
}

static int is_neat(uint32_t kind) {
  return kind >= BDAG_NEAT_SIGMOID && kind <= BDAG_NEAT_CUBE;
}

/* Whether a reader that numbers parameters itself (a bias for each neuron, then a weight for each
 * connection) finds them as they are. */
static int parameters_are_implied(const bdag_network *network) {
  uint64_t next = 0;
  for (uint32_t v = 0; v < network->vertex_count; v++) {
    if (network->vertex_removed[v] || network->vertex_kind[v] != BDAG_VERTEX_NEURON) continue;
    const uint64_t bias = network->bias_parameter[v];
    if (bias != next && !(bias == BDAG_NONE && value_of(network, next) == 0)) return 0;
    next++;
  }
  for (uint64_t r = 0; r < network->run_count; r++) {
    const bdag_parameter_run *const run = &network->run[r];
    for (uint64_t e = run->first_edge; e < run->first_edge + run->count; e++) {
      if (edge_removed(network, e)) continue;
      if (run_parameter(run, e) != next) return 0;
      next++;
    }
  }
  return next == network->parameter_count;
}

static void look_around(writer *w) {
  const bdag_network *const network = w->network;
  for (uint32_t v = 0; v < network->vertex_count; v++) {
    if (network->vertex_removed[v] || network->vertex_kind[v] == BDAG_VERTEX_INPUT) continue;
    if (network->vertex_kind[v] == BDAG_VERTEX_CONSTANT) {
      w->constants = 1;
      continue;
    }
    if (!is_neat(network->activation[v])) w->own_activations = 1;
    if (network->bias_parameter[v] == BDAG_NONE) w->no_bias = 1;
  }
  for (uint32_t i = 0; i < network->output_count; i++) {
    const bdag_output *const output = &network->output[i];
    w->is_output[output->vertex] = 1;
    if (output->read_out != BDAG_READ_OUT_NONE || output->group != 0) w->read_outs = 1;
  }
  w->explicit_parameters = !parameters_are_implied(network);
}

static void put_topology(const writer *w) {
  const bdag_network *const network = w->network;
  put(w, "  \"topology\": {\n    \"num_inputs\": ");
  put_unsigned(w, network->input_count);
  put(w, ",\n    \"num_outputs\": ");
  put_unsigned(w, network->output_count);
  put(w, ",\n    \"input_keys\": [");
  for (uint64_t i = 0; i < network->input_count; i++) {
    if (i > 0) put(w, ", ");
    put_integer(w, key_of(network, network->input[i]));
  }
  put(w, "],\n    \"output_keys\": [");
  for (uint32_t i = 0; i < network->output_count; i++) {
    if (i > 0) put(w, ", ");
    put_integer(w, key_of(network, network->output[i].vertex));
  }
  put(w, "]\n  },\n");
}

static void put_activation(const writer *w, uint32_t kind, double parameter) {
  const char *const name = bdag_activation_name(w->network->context, kind);
  put(w, "{\"name\": \"");
  if (is_neat(kind)) {
    put(w, name + strlen("neat_"));
    put(w, "\", \"custom\": false}");
    return;
  }
  put(w, name);
  put(w, "\", \"custom\": true");
  if (bdag_activation_has_parameter(kind) || kind >= BDAG_ACTIVATION_REGISTERED) {
    put(w, ", \"parameter\": ");
    put_number(w, parameter);
  }
  put(w, "}");
}

static void put_node(const writer *w, uint32_t v) {
  const bdag_network *const network = w->network;
  const uint8_t kind = network->vertex_kind[v];
  put(w, "    {\"id\": ");
  put_integer(w, key_of(network, v));
  put(w, ", \"type\": \"");
  put(w, kind == BDAG_VERTEX_INPUT ? "input" : w->is_output[v] ? "output" : "hidden");
  put(w, "\", \"activation\": ");
  if (kind == BDAG_VERTEX_NEURON) {
    put_activation(w, network->activation[v], network->activation_parameter[v]);
  } else {
    put(w, "{\"name\": \"identity\", \"custom\": false}");
  }
  put(w, ", \"aggregation\": {\"name\": \"");
  put(w, kind == BDAG_VERTEX_INPUT                                            ? "none"
         : kind == BDAG_VERTEX_NEURON && network->aggregation[v] == BDAG_MEAN ? "mean"
                                                                              : "sum");
  put(w, "\", \"custom\": false}, \"bias\": ");
  if (kind == BDAG_VERTEX_CONSTANT) {
    put_number(w, network->activation_parameter[v]);
  } else {
    put_number(w, kind == BDAG_VERTEX_NEURON ? value_of(network, network->bias_parameter[v]) : 0);
  }
  put(w, ", \"response\": ");
  put_number(w, kind == BDAG_VERTEX_NEURON ? network->response[v] : 1.0);
  put(w, "}");
}

static void put_nodes(const writer *w) {
  const char *separator = "\n";
  put(w, "  \"nodes\": [");
  for (uint32_t v = 0; v < w->network->vertex_count; v++) {
    if (w->network->vertex_removed[v]) continue;
    put(w, separator);
    put_node(w, v);
    separator = ",\n";
  }
  put(w, "\n  ],\n");
}

static void put_connection(const writer *w, uint64_t edge, uint64_t parameter) {
  const bdag_network *const network = w->network;
  put(w, "    {\"from\": ");
  put_integer(w, key_of(network, network->source[edge]));
  put(w, ", \"to\": ");
  put_integer(w, key_of(network, network->target[edge]));
  put(w, ", \"weight\": ");
  put_number(w, value_of(network, parameter));
  put(w, ", \"enabled\": ");
  put(w, bdag_network_edge_active(network, edge) ? "true}" : "false}");
}

/* Calls `each` for every edge that is not removed, with separators between. */
static void for_edges(const writer *w, const char *first, const char *next,
                      void (*each)(const writer *w, uint64_t edge, uint64_t parameter)) {
  const bdag_network *const network = w->network;
  for (uint64_t r = 0; r < network->run_count; r++) {
    const bdag_parameter_run *const run = &network->run[r];
    for (uint64_t e = run->first_edge; e < run->first_edge + run->count; e++) {
      if (edge_removed(network, e)) continue;
      put(w, first);
      each(w, e, run_parameter(run, e));
      first = next;
    }
  }
}

static void put_parameter_id(const writer *w, uint64_t edge, uint64_t parameter) {
  (void)edge;
  put_unsigned(w, parameter);
}

/* A list of the keys of vertices of one kind, or of those without a bias. */
static void put_keys(const writer *w, const char *member, int constants) {
  const bdag_network *const network = w->network;
  const char *separator = "";
  put(w, ",\n    \"");
  put(w, member);
  put(w, "\": [");
  for (uint32_t v = 0; v < network->vertex_count; v++) {
    const uint8_t kind = network->vertex_kind[v];
    const int wanted = constants
                           ? kind == BDAG_VERTEX_CONSTANT
                           : kind == BDAG_VERTEX_NEURON && network->bias_parameter[v] == BDAG_NONE;
    if (network->vertex_removed[v] || !wanted) continue;
    put(w, separator);
    put_integer(w, key_of(network, v));
    separator = ", ";
  }
  put(w, "]");
}

static void put_parameters(const writer *w) {
  const bdag_network *const network = w->network;
  put(w, ",\n    \"parameters\": {\n      \"values\": [");
  for (uint64_t p = 0; p < network->parameter_count; p++) {
    if (p > 0) put(w, ", ");
    put_number(w, value_of(network, p));
  }
  put(w, "],\n      \"biases\": [");
  const char *separator = "";
  for (uint32_t v = 0; v < network->vertex_count; v++) {
    if (network->vertex_removed[v]) continue;
    put(w, separator);
    const int has =
        network->vertex_kind[v] == BDAG_VERTEX_NEURON && network->bias_parameter[v] != BDAG_NONE;
    if (has)
      put_unsigned(w, network->bias_parameter[v]);
    else
      put(w, "null");
    separator = ", ";
  }
  put(w, "],\n      \"weights\": [");
  for_edges(w, "", ", ", put_parameter_id);
  put(w, "]\n    }");
}

static void put_read_outs(const writer *w) {
  static const char *const names[] = {"none", "sigmoid", "softmax"};
  put(w, ",\n    \"outputs\": [");
  for (uint32_t i = 0; i < w->network->output_count; i++) {
    const bdag_output *const output = &w->network->output[i];
    put(w, i > 0 ? ",\n      {\"read_out\": \"" : "\n      {\"read_out\": \"");
    put(w, names[output->read_out]);
    put(w, "\", \"group\": ");
    put_unsigned(w, output->group);
    put(w, "}");
  }
  put(w, "\n    ]");
}

static void put_losses(const writer *w) {
  static const char *const normalizations[] = {"weights", "one", "given"};
  const bdag_network *const network = w->network;
  put(w, ",\n    \"normalization\": \"");
  put(w, normalizations[network->normalization]);
  put(w, "\",\n    \"losses\": [");
  for (uint64_t i = 0; i < network->loss_count; i++) {
    const bdag_stored_loss *const loss = &network->loss[i];
    put(w, i > 0 ? ",\n      {\"kind\": \"" : "\n      {\"kind\": \"");
    put(w, bdag_loss_name(network->context, loss->kind));
    put(w, "\", \"weight\": ");
    put_number(w, loss->weight);
    put(w, ", \"parameter\": ");
    put_number(w, loss->parameter);
    put(w, ", \"vertices\": [");
    for (uint32_t j = 0; j < loss->vertex_count; j++) {
      if (j > 0) put(w, ", ");
      put_integer(w, key_of(network, loss->vertices[j]));
    }
    put(w, "]}");
  }
  put(w, network->loss_count > 0 ? "\n    ]" : "]");
}

static void put_extension(const writer *w) {
  const bdag_network *const network = w->network;
  const int losses = network->loss_count > 0 || network->normalization != BDAG_NORMALIZE_WEIGHTS;
  if (!w->constants && !w->no_bias && !w->own_activations && !w->read_outs &&
      !w->explicit_parameters && !losses) {
    return;
  }
  put(w, ",\n  \"backdag\": {\n    \"version\": ");
  put_integer(w, BDAG_JSON_READER);
  put(w, ",\n    \"minimum_reader\": 1");
  if (w->constants) put_keys(w, "constants", 1);
  if (w->explicit_parameters)
    put_parameters(w);
  else if (w->no_bias)
    put_keys(w, "no_bias", 0);
  if (w->read_outs) put_read_outs(w);
  if (losses) put_losses(w);
  put(w, "\n  }");
}

static int compare_keys(const void *left, const void *right) {
  const bdag_json_key *const a = left, *const b = right;
  return a->key < b->key ? -1 : a->key > b->key;
}

/* Keys are the ids of the nodes. */
static bdag_status check_keys(const bdag_network *network, bdag_error *error) {
  if (network->key == NULL) return BDAG_OK;
  bdag_json_key *const sorted =
      bdag_allocate_array(network->context, network->vertex_count, sizeof *sorted);
  if (sorted == NULL) return bdag_fail_memory(error);
  uint64_t count = 0;
  for (uint32_t v = 0; v < network->vertex_count; v++) {
    if (!network->vertex_removed[v]) sorted[count++] = (bdag_json_key){network->key[v], v};
  }
  qsort(sorted, count, sizeof *sorted, compare_keys);
  bdag_status status = BDAG_OK;
  for (uint64_t i = 1; status == BDAG_OK && i < count; i++) {
    if (sorted[i - 1].key != sorted[i].key) continue;
    status = bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT,
                       "vertices %u and %u have the same key %" PRId64
                       "; give each its own with bdag_network_set_keys before saving as JSON",
                       sorted[i - 1].vertex, sorted[i].vertex, sorted[i].key);
  }
  bdag_free(network->context, sorted);
  return status;
}

bdag_status bdag_json_write_network(const bdag_network *network, bdag_atomic_file *file,
                                    bdag_error *error) {
  const bdag_status status = check_keys(network, error);
  if (status != BDAG_OK) return status;
  writer w = {.network = network, .file = file};
  w.is_output = bdag_allocate_zeroed(network->context, network->vertex_count, 1);
  if (w.is_output == NULL) return bdag_fail_memory(error);
  look_around(&w);
  put(&w, "{\n  \"format_version\": \"1.0\",\n  \"network_type\": \"feedforward\",\n"
          "  \"metadata\": {\"generator\": \"backdag ");
  put(&w, bdag_version());
  put(&w, "\"},\n");
  put_topology(&w);
  put_nodes(&w);
  put(&w, "  \"connections\": [");
  for_edges(&w, "\n", ",\n", put_connection);
  put(&w, "\n  ]");
  put_extension(&w);
  put(&w, "\n}\n");
  bdag_free(network->context, w.is_output);
  return BDAG_OK;
}
