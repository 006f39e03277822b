/* Reads a network from JSON: neat-python's network format 1.0 and our superset of it.
 * Floor 5: may include base, network. */
#include "io/network_file.h"

#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "io/json_network.h"

static const bdag_json_place top = {"", BDAG_NONE};

static bdag_status check_header(const bdag_json_source *source) {
  const bdag_json_reader *const reader = &source->reader;
  const char *version, *type;
  bdag_status status = bdag_json_string(reader, source->root, top, "format_version", &version);
  if (status == BDAG_OK) {
    status = bdag_json_string(reader, source->root, top, "network_type", &type);
  }
  if (status != BDAG_OK) return status;
  if (strncmp(version, "1.", 2) != 0) {
    return bdag_json_fail(reader, BDAG_ERROR_UNSUPPORTED, top, "format_version",
                          "\"%.60s\" is not supported, only 1.0 is", version);
  }
  if (strcmp(type, "feedforward") == 0) return BDAG_OK;
  static const char *const others[] = {"recurrent", "ctrnn", "iznn"};
  for (int i = 0; i < 3; i++) {
    if (strcmp(type, others[i]) != 0) continue;
    return bdag_json_fail(reader, BDAG_ERROR_UNSUPPORTED, top, "network_type",
                          "\"%s\" networks are not supported, only \"feedforward\"", type);
  }
  return bdag_json_fail(reader, BDAG_ERROR_FORMAT, top, "network_type",
                        "must be \"feedforward\", not \"%.60s\"", type);
}

typedef struct edge_list {
  uint64_t count, disabled_count;
  uint32_t *sources, *targets;
  double *weights;
  uint64_t *disabled;
  uint64_t *parameters; /* NULL: each has its own */
} edge_list;

static void release_edges(const bdag_context *context, edge_list *edges) {
  bdag_free(context, edges->sources);
  bdag_free(context, edges->targets);
  bdag_free(context, edges->weights);
  bdag_free(context, edges->disabled);
  bdag_free(context, edges->parameters);
}

static bdag_status read_end(const bdag_json_source *source, const json_t *connection,
                            bdag_json_place place, const char *member, uint32_t *vertex) {
  int64_t key;
  const bdag_status status = bdag_json_integer(&source->reader, connection, place, member, &key);
  if (status != BDAG_OK) return status;
  const uint64_t found = bdag_json_find_vertex(source, key);
  if (found == BDAG_NONE) {
    return bdag_json_fail(&source->reader, BDAG_ERROR_FORMAT, place, member, "no node %" PRId64,
                          key);
  }
  *vertex = (uint32_t)found;
  return BDAG_OK;
}

static bdag_status read_edge(const bdag_json_source *source, const json_t *connection,
                             edge_list *edges, uint64_t e) {
  const bdag_json_reader *const reader = &source->reader;
  const bdag_json_place place = {"connections", e};
  int enabled;
  if (!json_is_object(connection)) {
    return bdag_json_fail(reader, BDAG_ERROR_FORMAT, place, NULL, "must be an object, not %s",
                          bdag_json_kind(connection));
  }
  bdag_status status = read_end(source, connection, place, "from", &edges->sources[e]);
  if (status == BDAG_OK) status = read_end(source, connection, place, "to", &edges->targets[e]);
  if (status == BDAG_OK) {
    status = bdag_json_number(reader, connection, place, "weight", &edges->weights[e]);
  }
  if (status == BDAG_OK) {
    status = bdag_json_boolean(reader, connection, place, "enabled", &enabled);
  }
  if (status != BDAG_OK) return status;
  const uint32_t target = edges->targets[e];
  if (source->kind[target] != BDAG_VERTEX_NEURON) {
    return bdag_json_fail(reader, BDAG_ERROR_FORMAT, place, "to",
                          "node %" PRId64 " is an input or a constant and takes no connections",
                          source->key[target]);
  }
  if (edges->sources[e] == target) {
    return bdag_json_fail(reader, BDAG_ERROR_CYCLE, place, "to",
                          "node %" PRId64 " is connected to itself; the network must be acyclic",
                          source->key[target]);
  }
  if (!enabled) edges->disabled[edges->disabled_count++] = e;
  return BDAG_OK;
}

static bdag_status read_edges(const bdag_json_source *source, edge_list *edges) {
  const bdag_json_reader *const reader = &source->reader;
  json_t *list;
  bdag_status status = bdag_json_list(reader, source->root, top, "connections", &list);
  if (status != BDAG_OK) return status;
  edges->count = json_array_size(list);
  edges->sources = bdag_allocate_array(reader->context, edges->count, sizeof *edges->sources);
  edges->targets = bdag_allocate_array(reader->context, edges->count, sizeof *edges->targets);
  edges->weights = bdag_allocate_array(reader->context, edges->count, sizeof *edges->weights);
  edges->disabled = bdag_allocate_array(reader->context, edges->count, sizeof *edges->disabled);
  if (!edges->sources || !edges->targets || !edges->weights || !edges->disabled) {
    return bdag_fail_memory(reader->error);
  }
  for (uint64_t e = 0; status == BDAG_OK && e < edges->count; e++) {
    status = read_edge(source, json_array_get(list, e), edges, e);
  }
  return status;
}

static bdag_status add_edges(const bdag_json_source *source, const edge_list *edges) {
  bdag_error *const error = source->reader.error;
  bdag_status status = BDAG_OK;
  if (edges->count == 0) return status;
  if (edges->parameters != NULL) {
    status = bdag_network_add_tied_edges(source->network, edges->count, edges->sources,
                                         edges->targets, edges->parameters, NULL, error);
  } else {
    status = bdag_network_add_edges(source->network, edges->count, edges->sources, edges->targets,
                                    edges->weights, NULL, error);
  }
  if (status != BDAG_OK || edges->disabled_count == 0) return status;
  return bdag_network_enable_edges(source->network, edges->disabled_count, edges->disabled, 0,
                                   error);
}

static bdag_status build_edges(bdag_json_source *source) {
  edge_list edges = {0};
  bdag_status status = read_edges(source, &edges);
  if (status == BDAG_OK) {
    status = bdag_json_read_parameters(source, edges.count, edges.weights, &edges.parameters);
  }
  if (status == BDAG_OK) status = add_edges(source, &edges);
  release_edges(source->reader.context, &edges);
  return status;
}

static bdag_status build(bdag_json_source *source) {
  bdag_status status = check_header(source);
  if (status == BDAG_OK) status = bdag_json_open_extension(source);
  if (status == BDAG_OK) status = bdag_json_read_vertices(source);
  if (status == BDAG_OK) status = bdag_json_mark_constants(source);
  if (status == BDAG_OK) status = bdag_json_build_vertices(source);
  if (status == BDAG_OK) status = bdag_json_remove_biases(source);
  if (status == BDAG_OK) status = build_edges(source);
  if (status == BDAG_OK) status = bdag_json_build_outputs(source);
  if (status == BDAG_OK) status = bdag_json_build_losses(source);
  return status;
}

bdag_status bdag_json_read_network(bdag_network **network, bdag_context *context, const void *bytes,
                                   size_t size, const char *file, bdag_error *error) {
  bdag_json_source source = {.reader = {context, file, error}};
  bdag_status status;
  json_t *const root = bdag_json_parse(&source.reader, bytes, size, &status);
  if (root == NULL) return status;
  source.root = root;
  if (!json_is_object(root)) {
    status = bdag_json_fail(&source.reader, BDAG_ERROR_FORMAT, top, NULL,
                            "the file must hold an object, not %s", bdag_json_kind(root));
  } else {
    status = bdag_network_create(&source.network, context, error);
  }
  if (status == BDAG_OK) status = build(&source);
  if (status == BDAG_OK) {
    *network = source.network;
  } else {
    bdag_network_destroy(source.network);
  }
  bdag_json_release(&source);
  json_decref(root);
  return status;
}
