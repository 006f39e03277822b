/* Vertices of a JSON network: "topology" and "nodes". Inputs take their columns from input_keys, every
 * other order is that of the file. Floor 5: may include base, network. */
#include "io/json_network.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

enum { SAYS_OUTPUT = 1, LISTED_OUTPUT = 2, LISTED_INPUT = 4 };

static const bdag_json_place topology_place = {"topology", BDAG_NONE};

static bdag_json_place node_place(uint64_t index) {
  return (bdag_json_place){"nodes", index};
}

static int compare_keys(const void *left, const void *right) {
  const bdag_json_key *const a = left, *const b = right;
  if (a->key != b->key) return a->key < b->key ? -1 : 1;
  return a->vertex < b->vertex ? -1 : a->vertex > b->vertex;
}

uint64_t bdag_json_find_vertex(const bdag_json_source *source, int64_t key) {
  uint64_t low = 0, high = source->sorted_count;
  while (low < high) {
    const uint64_t middle = low + (high - low) / 2;
    if (source->sorted[middle].key < key)
      low = middle + 1;
    else
      high = middle;
  }
  if (low == source->sorted_count || source->sorted[low].key != key) return BDAG_NONE;
  return source->sorted[low].vertex;
}

bdag_status bdag_json_vertex_at(const bdag_json_source *source, const json_t *list,
                                const char *name, uint64_t index, uint32_t *vertex) {
  const json_t *const element = json_array_get(list, index);
  const bdag_json_place place = {name, index};
  if (!json_is_integer(element)) {
    return bdag_json_fail(&source->reader, BDAG_ERROR_FORMAT, place, NULL,
                          "must be the id of a node, not %s", bdag_json_kind(element));
  }
  const int64_t key = json_integer_value(element);
  const uint64_t found = bdag_json_find_vertex(source, key);
  if (found == BDAG_NONE) {
    return bdag_json_fail(&source->reader, BDAG_ERROR_FORMAT, place, NULL, "no node %" PRId64, key);
  }
  *vertex = (uint32_t)found;
  return BDAG_OK;
}

static void sort_keys(bdag_json_source *source) {
  for (uint64_t v = 0; v < source->vertex_count; v++) {
    source->sorted[v] = (bdag_json_key){source->key[v], (uint32_t)v};
  }
  source->sorted_count = source->vertex_count;
  qsort(source->sorted, source->sorted_count, sizeof *source->sorted, compare_keys);
}

static bdag_status make_arrays(bdag_json_source *source, uint64_t capacity) {
  const bdag_context *const context = source->reader.context;
  if (capacity >= UINT32_MAX) {
    return bdag_json_fail(&source->reader, BDAG_ERROR_LIMIT, node_place(BDAG_NONE), NULL,
                          "%" PRIu64 " are too many; a network has at most %u vertices", capacity,
                          UINT32_MAX);
  }
  source->key = bdag_allocate_array(context, capacity, sizeof *source->key);
  source->kind = bdag_allocate_zeroed(context, capacity, sizeof *source->kind);
  source->role = bdag_allocate_zeroed(context, capacity, sizeof *source->role);
  source->activation = bdag_allocate_array(context, capacity, sizeof *source->activation);
  source->aggregation = bdag_allocate_zeroed(context, capacity, sizeof *source->aggregation);
  source->bias = bdag_allocate_zeroed(context, capacity, sizeof *source->bias);
  source->response = bdag_allocate_zeroed(context, capacity, sizeof *source->response);
  source->neuron = bdag_allocate_array(context, capacity, sizeof *source->neuron);
  source->sorted = bdag_allocate_array(context, capacity, sizeof *source->sorted);
  const int complete = source->key && source->kind && source->role && source->activation &&
                       source->aggregation && source->bias && source->response && source->neuron &&
                       source->sorted;
  return complete ? BDAG_OK : bdag_fail_memory(source->reader.error);
}

void bdag_json_release(bdag_json_source *source) {
  const bdag_context *const context = source->reader.context;
  bdag_free(context, source->key);
  bdag_free(context, source->kind);
  bdag_free(context, source->role);
  bdag_free(context, source->activation);
  bdag_free(context, source->aggregation);
  bdag_free(context, source->bias);
  bdag_free(context, source->response);
  bdag_free(context, source->neuron);
  bdag_free(context, source->sorted);
}

/* Ids and types of all nodes. */
static bdag_status read_identities(bdag_json_source *source, const json_t *nodes) {
  const bdag_json_reader *const reader = &source->reader;
  const uint64_t count = json_array_size(nodes);
  for (uint64_t i = 0; i < count; i++) {
    const json_t *const node = json_array_get(nodes, i);
    const char *type;
    if (!json_is_object(node)) {
      return bdag_json_fail(reader, BDAG_ERROR_FORMAT, node_place(i), NULL,
                            "must be an object, not %s", bdag_json_kind(node));
    }
    bdag_status status = bdag_json_integer(reader, node, node_place(i), "id", &source->key[i]);
    if (status == BDAG_OK) status = bdag_json_string(reader, node, node_place(i), "type", &type);
    if (status != BDAG_OK) return status;
    if (strcmp(type, "input") == 0) {
      source->kind[i] = BDAG_VERTEX_INPUT;
    } else if (strcmp(type, "output") == 0) {
      source->role[i] = SAYS_OUTPUT;
    } else if (strcmp(type, "hidden") != 0) {
      return bdag_json_fail(reader, BDAG_ERROR_FORMAT, node_place(i), "type",
                            "must be \"input\", \"hidden\" or \"output\", not \"%.60s\"", type);
    }
  }
  source->vertex_count = count;
  sort_keys(source);
  for (uint64_t i = 1; i < count; i++) {
    const bdag_json_key *const pair = &source->sorted[i - 1];
    if (pair[0].key == pair[1].key) {
      return bdag_json_fail(reader, BDAG_ERROR_FORMAT, node_place(pair[1].vertex), "id",
                            "%" PRId64 " is already the id of nodes[%u]", pair[0].key,
                            pair[0].vertex);
    }
  }
  return BDAG_OK;
}

/* Gives the input nodes, in the order of the file, the keys in the order of input_keys. */
static bdag_status order_inputs(bdag_json_source *source, const json_t *keys) {
  const bdag_json_reader *const reader = &source->reader;
  const uint64_t count = json_array_size(keys);
  uint32_t vertex;
  for (uint64_t i = 0; i < count; i++) {
    const bdag_status status = bdag_json_vertex_at(source, keys, "topology.input_keys", i, &vertex);
    if (status != BDAG_OK) return status;
    const bdag_json_place place = {"topology.input_keys", i};
    if (source->kind[vertex] != BDAG_VERTEX_INPUT) {
      return bdag_json_fail(reader, BDAG_ERROR_FORMAT, place, NULL,
                            "node %" PRId64 " is not of type \"input\"", source->key[vertex]);
    }
    if (source->role[vertex] & LISTED_INPUT) {
      return bdag_json_fail(reader, BDAG_ERROR_FORMAT, place, NULL,
                            "%" PRId64 " is listed a second time", source->key[vertex]);
    }
    source->role[vertex] |= LISTED_INPUT;
  }
  uint64_t next = 0;
  for (uint64_t v = 0; v < source->vertex_count; v++) {
    if (source->kind[v] != BDAG_VERTEX_INPUT) continue;
    if (!(source->role[v] & LISTED_INPUT)) {
      return bdag_json_fail(reader, BDAG_ERROR_FORMAT, node_place(v), "type",
                            "is \"input\", but topology.input_keys does not list %" PRId64,
                            source->key[v]);
    }
    source->key[v] = json_integer_value(json_array_get(keys, next++));
  }
  sort_keys(source);
  return BDAG_OK;
}

/* neat-python leaves an output that nothing reaches out of "nodes"; its value is 0. */
static void add_unreached_outputs(bdag_json_source *source, const json_t *keys) {
  uint64_t missing = 0;
  for (uint64_t i = 0; i < json_array_size(keys); i++) {
    const int64_t key = json_integer_value(json_array_get(keys, i));
    if (bdag_json_find_vertex(source, key) == BDAG_NONE) {
      source->sorted[source->sorted_count + missing++] = (bdag_json_key){key, 0};
    }
  }
  const bdag_json_key *const tail = source->sorted + source->sorted_count;
  qsort(source->sorted + source->sorted_count, missing, sizeof *source->sorted, compare_keys);
  for (uint64_t i = 0; i < missing; i++) {
    if (i > 0 && tail[i].key == tail[i - 1].key) continue;
    const uint64_t v = source->vertex_count++;
    source->key[v] = tail[i].key;
    source->role[v] = SAYS_OUTPUT;
    source->activation[v] = bdag_activation_default(BDAG_NEAT_IDENTITY);
    source->response[v] = 1.0;
  }
  sort_keys(source);
}

static bdag_status check_outputs(bdag_json_source *source, const json_t *keys) {
  const bdag_json_reader *const reader = &source->reader;
  for (uint64_t i = 0; i < json_array_size(keys); i++) {
    const json_t *const key = json_array_get(keys, i);
    if (json_is_integer(key)) continue;
    return bdag_json_fail(reader, BDAG_ERROR_FORMAT, (bdag_json_place){"topology.output_keys", i},
                          NULL, "must be the id of a node, not %s", bdag_json_kind(key));
  }
  const uint64_t in_file = source->vertex_count;
  add_unreached_outputs(source, keys);
  for (uint64_t i = 0; i < json_array_size(keys); i++) {
    const int64_t key = json_integer_value(json_array_get(keys, i));
    source->role[bdag_json_find_vertex(source, key)] |= LISTED_OUTPUT;
  }
  for (uint64_t v = 0; v < in_file; v++) {
    const int says = (source->role[v] & SAYS_OUTPUT) != 0;
    const int listed = (source->role[v] & LISTED_OUTPUT) != 0;
    if (source->kind[v] == BDAG_VERTEX_INPUT || says == listed) continue;
    return bdag_json_fail(reader, BDAG_ERROR_FORMAT, node_place(v), "type",
                          "is \"%s\", but topology.output_keys %s %" PRId64,
                          says ? "output" : "hidden", listed ? "lists" : "does not list",
                          source->key[v]);
  }
  return BDAG_OK;
}

/* {"name": …, "custom": …}, or just the name. */
static bdag_status read_function(const bdag_json_source *source, const json_t *node,
                                 bdag_json_place place, const char *member, const char **name,
                                 int *custom) {
  const json_t *const value = json_object_get(node, member);
  *custom = 0;
  if (!json_is_object(value)) return bdag_json_string(&source->reader, node, place, member, name);
  char inner[96];
  snprintf(inner, sizeof inner, "nodes[%" PRIu64 "].%s", place.index, member);
  const bdag_json_place within = {inner, BDAG_NONE};
  const bdag_status status = bdag_json_string(&source->reader, value, within, "name", name);
  if (status != BDAG_OK || json_object_get(value, "custom") == NULL) return status;
  return bdag_json_boolean(&source->reader, value, within, "custom", custom);
}

/* neat-python's own functions are ours under "neat_…"; a custom one is a registered one or, in files
 * of ours, any. */
static bdag_status find_activation(const bdag_json_source *source, bdag_json_place place,
                                   const char *name, int custom, bdag_activation *activation) {
  const bdag_json_reader *const reader = &source->reader;
  char own[80];
  snprintf(own, sizeof own, "neat_%.70s", name);
  uint32_t kind;
  const int known = bdag_activation_find(reader->context, custom ? name : own, &kind) == BDAG_OK;
  if (!custom && !known) {
    return bdag_json_fail(reader, BDAG_ERROR_UNSUPPORTED, place, "activation",
                          "\"%.60s\" is not one of the 18 functions of neat-python", name);
  }
  if (!known || (source->extension == NULL && custom && kind < BDAG_ACTIVATION_REGISTERED)) {
    return bdag_json_fail(reader, BDAG_ERROR_UNKNOWN_ID, place, "activation",
                          "the custom function \"%.60s\" is not registered with the context", name);
  }
  *activation = bdag_activation_default(kind);
  return BDAG_OK;
}

static bdag_status read_activation(bdag_json_source *source, const json_t *node, uint64_t v) {
  const bdag_json_place place = node_place(v);
  const char *name;
  int custom;
  bdag_status status = read_function(source, node, place, "activation", &name, &custom);
  if (status != BDAG_OK) return status;
  status = find_activation(source, place, name, custom, &source->activation[v]);
  if (status != BDAG_OK) return status;
  const json_t *const function = json_object_get(node, "activation");
  if (json_object_get(function, "parameter") == NULL) return BDAG_OK;
  char inner[64];
  snprintf(inner, sizeof inner, "nodes[%" PRIu64 "].activation", v);
  return bdag_json_number(&source->reader, function, (bdag_json_place){inner, BDAG_NONE},
                          "parameter", &source->activation[v].parameter);
}

static bdag_status read_aggregation(bdag_json_source *source, const json_t *node, uint64_t v) {
  const char *name;
  int custom;
  const bdag_status status =
      read_function(source, node, node_place(v), "aggregation", &name, &custom);
  if (status != BDAG_OK) return status;
  const int sum = !custom && strcmp(name, "sum") == 0;
  const int mean = !custom && strcmp(name, "mean") == 0;
  if (!sum && !mean) {
    return bdag_json_fail(&source->reader, BDAG_ERROR_UNSUPPORTED, node_place(v), "aggregation",
                          "\"%.60s\"%s is not supported, only \"sum\" and \"mean\" are", name,
                          custom ? " (custom)" : "");
  }
  source->aggregation[v] = mean ? BDAG_MEAN : BDAG_SUM;
  return BDAG_OK;
}

static bdag_status read_neuron(bdag_json_source *source, const json_t *node, uint64_t v) {
  const bdag_json_reader *const reader = &source->reader;
  bdag_status status = read_activation(source, node, v);
  if (status == BDAG_OK) status = read_aggregation(source, node, v);
  if (status == BDAG_OK) {
    status = bdag_json_number(reader, node, node_place(v), "bias", &source->bias[v]);
  }
  if (status == BDAG_OK) {
    status = bdag_json_number(reader, node, node_place(v), "response", &source->response[v]);
  }
  return status;
}

static bdag_status read_keys(const bdag_json_source *source, const json_t *topology,
                             const char *keys_name, const char *count_name, json_t **keys) {
  const bdag_json_reader *const reader = &source->reader;
  int64_t count;
  bdag_status status = bdag_json_list(reader, topology, topology_place, keys_name, keys);
  if (status == BDAG_OK) {
    status = bdag_json_integer(reader, topology, topology_place, count_name, &count);
  }
  if (status != BDAG_OK || count == (int64_t)json_array_size(*keys)) return status;
  return bdag_json_fail(reader, BDAG_ERROR_FORMAT, topology_place, count_name,
                        "is %" PRId64 ", but %s has %zu elements", count, keys_name,
                        json_array_size(*keys));
}

bdag_status bdag_json_read_vertices(bdag_json_source *source) {
  const bdag_json_reader *const reader = &source->reader;
  const bdag_json_place top = {"", BDAG_NONE};
  json_t *topology, *nodes, *inputs, *outputs;
  bdag_status status = bdag_json_object(reader, source->root, top, "topology", &topology);
  if (status == BDAG_OK) {
    status = read_keys(source, topology, "input_keys", "num_inputs", &inputs);
  }
  if (status == BDAG_OK) {
    status = read_keys(source, topology, "output_keys", "num_outputs", &outputs);
  }
  if (status == BDAG_OK) status = bdag_json_list(reader, source->root, top, "nodes", &nodes);
  if (status != BDAG_OK) return status;
  const uint64_t in_file = json_array_size(nodes);
  status = make_arrays(source, in_file + json_array_size(outputs));
  if (status == BDAG_OK) status = read_identities(source, nodes);
  if (status == BDAG_OK) status = order_inputs(source, inputs);
  if (status == BDAG_OK) status = check_outputs(source, outputs);
  for (uint64_t v = 0; status == BDAG_OK && v < in_file; v++) {
    if (source->kind[v] == BDAG_VERTEX_INPUT) continue;
    status = read_neuron(source, json_array_get(nodes, v), v);
  }
  return status;
}

static bdag_status add_vertices(bdag_json_source *source) {
  bdag_error *const error = source->reader.error;
  for (uint64_t v = 0, end; v < source->vertex_count; v = end) {
    const uint8_t kind = source->kind[v];
    for (end = v + 1; end < source->vertex_count && source->kind[end] == kind;) end++;
    const uint32_t count = (uint32_t)(end - v);
    bdag_status status;
    if (kind == BDAG_VERTEX_INPUT) {
      status = bdag_network_add_inputs(source->network, count, NULL, error);
    } else if (kind == BDAG_VERTEX_CONSTANT) {
      status = bdag_network_add_constants(source->network, count, source->bias + v, NULL, error);
    } else {
      status = bdag_network_add_vertices(source->network, count, NULL, NULL, error);
    }
    if (status != BDAG_OK) return status;
  }
  return BDAG_OK;
}

/* Closes the gaps that inputs and constants leave in the arrays of attributes. */
static void gather_neurons(bdag_json_source *source) {
  uint64_t n = 0;
  for (uint64_t v = 0; v < source->vertex_count; v++) {
    if (source->kind[v] != BDAG_VERTEX_NEURON) continue;
    source->neuron[n] = (uint32_t)v;
    source->activation[n] = source->activation[v];
    source->aggregation[n] = source->aggregation[v];
    source->response[n] = source->response[v];
    source->bias[n] = source->bias[v];
    n++;
  }
  source->neuron_count = n;
}

static bdag_status set_keys(bdag_json_source *source) {
  uint64_t v = 0;
  while (v < source->vertex_count && source->key[v] == (int64_t)v) v++;
  if (v == source->vertex_count) return BDAG_OK;
  uint32_t *const vertices =
      bdag_allocate_array(source->reader.context, source->vertex_count, sizeof *vertices);
  if (vertices == NULL) return bdag_fail_memory(source->reader.error);
  for (v = 0; v < source->vertex_count; v++) vertices[v] = (uint32_t)v;
  const bdag_status status = bdag_network_set_keys(source->network, source->vertex_count, vertices,
                                                   source->key, source->reader.error);
  bdag_free(source->reader.context, vertices);
  return status;
}

bdag_status bdag_json_build_vertices(bdag_json_source *source) {
  bdag_error *const error = source->reader.error;
  bdag_network *const network = source->network;
  bdag_status status = bdag_network_reserve(network, source->vertex_count, 0, error);
  if (status == BDAG_OK) status = add_vertices(source);
  if (status == BDAG_OK) status = set_keys(source);
  gather_neurons(source);
  const uint64_t count = source->neuron_count;
  if (status != BDAG_OK || count == 0) return status;
  status = bdag_network_set_activations(network, count, source->neuron, source->activation, error);
  if (status == BDAG_OK) {
    status = bdag_network_set_aggregations(network, count, source->neuron, source->aggregation,
                                           source->response, error);
  }
  if (status == BDAG_OK) {
    status = bdag_network_set_biases(network, count, source->neuron, source->bias, error);
  }
  return status;
}

bdag_status bdag_json_build_outputs(bdag_json_source *source) {
  const json_t *const topology = json_object_get(source->root, "topology");
  const json_t *const keys = json_object_get(topology, "output_keys");
  const uint64_t count = json_array_size(keys);
  bdag_output *const outputs = bdag_allocate_zeroed(source->reader.context, count, sizeof *outputs);
  if (outputs == NULL) return bdag_fail_memory(source->reader.error);
  bdag_status status = BDAG_OK;
  for (uint64_t i = 0; status == BDAG_OK && i < count; i++) {
    status = bdag_json_vertex_at(source, keys, "topology.output_keys", i, &outputs[i].vertex);
  }
  if (status == BDAG_OK) status = bdag_json_read_outs(source, count, outputs);
  if (status == BDAG_OK) {
    status =
        bdag_network_set_outputs(source->network, (uint32_t)count, outputs, source->reader.error);
  }
  bdag_free(source->reader.context, outputs);
  return status;
}
