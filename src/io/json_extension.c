/* The "backdag" object of a JSON network: what neat-python's format cannot say. Constants stand among
 * the nodes as identities without edges into them, so that other readers compute the same.
 * Floor 5: may include base, network. */
#include "io/json_network.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

static const bdag_json_place extension_place = {"backdag", BDAG_NONE};
static const bdag_json_place parameters_place = {"backdag.parameters", BDAG_NONE};

bdag_status bdag_json_open_extension(bdag_json_source *source) {
  const bdag_json_reader *const reader = &source->reader;
  source->extension = json_object_get(source->root, "backdag");
  if (source->extension == NULL) return BDAG_OK;
  if (!json_is_object(source->extension)) {
    return bdag_json_fail(reader, BDAG_ERROR_FORMAT, extension_place, NULL,
                          "must be an object, not %s", bdag_json_kind(source->extension));
  }
  int64_t reader_version;
  const bdag_status status = bdag_json_integer(reader, source->extension, extension_place,
                                               "minimum_reader", &reader_version);
  if (status != BDAG_OK || reader_version <= BDAG_JSON_READER) return status;
  return bdag_json_fail(reader, BDAG_ERROR_UNSUPPORTED, extension_place, "minimum_reader",
                        "the file needs a reader of version %" PRId64
                        ", this library is %d; use a newer backdag",
                        reader_version, BDAG_JSON_READER);
}

/* An optional list of the extension: NULL without it. */
static bdag_status optional_list(const bdag_json_source *source, const char *member,
                                 const json_t **list) {
  *list = NULL;
  if (source->extension == NULL || json_object_get(source->extension, member) == NULL) {
    return BDAG_OK;
  }
  json_t *found;
  const bdag_status status =
      bdag_json_list(&source->reader, source->extension, extension_place, member, &found);
  *list = found;
  return status;
}

bdag_status bdag_json_mark_constants(bdag_json_source *source) {
  static const char name[] = "backdag.constants";
  const json_t *keys;
  bdag_status status = optional_list(source, "constants", &keys);
  for (uint64_t i = 0; status == BDAG_OK && i < json_array_size(keys); i++) {
    uint32_t vertex;
    status = bdag_json_vertex_at(source, keys, name, i, &vertex);
    if (status != BDAG_OK) return status;
    if (source->kind[vertex] != BDAG_VERTEX_NEURON) {
      return bdag_json_fail(&source->reader, BDAG_ERROR_FORMAT, (bdag_json_place){name, i}, NULL,
                            "node %" PRId64 " is an input or listed a second time",
                            source->key[vertex]);
    }
    source->kind[vertex] = BDAG_VERTEX_CONSTANT;
  }
  return status;
}

bdag_status bdag_json_remove_biases(const bdag_json_source *source) {
  static const char name[] = "backdag.no_bias";
  static const uint64_t none = BDAG_NONE;
  const json_t *keys;
  bdag_status status = optional_list(source, "no_bias", &keys);
  for (uint64_t i = 0; status == BDAG_OK && i < json_array_size(keys); i++) {
    uint32_t vertex;
    bdag_vertex description;
    status = bdag_json_vertex_at(source, keys, name, i, &vertex);
    if (status != BDAG_OK) return status;
    status = bdag_network_get_vertex(source->network, vertex, &description);
    if (status != BDAG_OK) return status;
    if (description.kind != BDAG_VERTEX_NEURON || description.bias != 0) {
      return bdag_json_fail(&source->reader, BDAG_ERROR_FORMAT, (bdag_json_place){name, i}, NULL,
                            "node %" PRId64 " is not a neuron, or its bias is not 0",
                            source->key[vertex]);
    }
    status =
        bdag_network_set_bias_parameters(source->network, 1, &vertex, &none, source->reader.error);
  }
  return status;
}

/* Checks that `list` of the parameters has `count` elements. */
static bdag_status sized_list(const bdag_json_source *source, const json_t *object,
                              const char *member, uint64_t count, const char *what, json_t **list) {
  const bdag_status status =
      bdag_json_list(&source->reader, object, parameters_place, member, list);
  if (status != BDAG_OK || json_array_size(*list) == count) return status;
  return bdag_json_fail(&source->reader, BDAG_ERROR_FORMAT, parameters_place, member,
                        "has %zu elements, but there are %" PRIu64 " %s", json_array_size(*list),
                        count, what);
}

static bdag_status read_values(bdag_json_source *source, const json_t *object, double **values,
                               uint64_t *count) {
  const bdag_json_reader *const reader = &source->reader;
  json_t *list;
  const bdag_status status = bdag_json_list(reader, object, parameters_place, "values", &list);
  if (status != BDAG_OK) return status;
  *count = json_array_size(list);
  if (*count < source->neuron_count) {
    return bdag_json_fail(reader, BDAG_ERROR_FORMAT, parameters_place, "values",
                          "has %" PRIu64 " elements, fewer than the %" PRIu64 " neurons", *count,
                          source->neuron_count);
  }
  *values = bdag_allocate_array(reader->context, *count, sizeof **values);
  if (*values == NULL) return bdag_fail_memory(reader->error);
  for (uint64_t i = 0; i < *count; i++) {
    const json_t *const element = json_array_get(list, i);
    if (!json_is_number(element)) {
      return bdag_json_fail(reader, BDAG_ERROR_FORMAT,
                            (bdag_json_place){"backdag.parameters.values", i}, NULL,
                            "must be a number, not %s", bdag_json_kind(element));
    }
    (*values)[i] = json_number_value(element);
  }
  const uint64_t extra = *count - source->neuron_count;
  bdag_status built = BDAG_OK;
  if (extra > 0) {
    built = bdag_network_add_parameters(source->network, extra, NULL, NULL, reader->error);
  }
  if (built == BDAG_OK && *count > 0) {
    built = bdag_network_set_parameters(source->network, 0, *count, *values, reader->error);
  }
  return built;
}

/* One parameter id whose value must be that of its use: a changed number must not be lost. */
static bdag_status read_use(const bdag_json_source *source, const json_t *list, const char *name,
                            uint64_t index, double used, const double *values, uint64_t count,
                            uint64_t *parameter) {
  const json_t *const element = json_array_get(list, index);
  const bdag_json_place place = {name, index};
  const json_int_t id = json_integer_value(element);
  if (!json_is_integer(element) || id < 0 || (uint64_t)id >= count) {
    return bdag_json_fail(&source->reader, BDAG_ERROR_FORMAT, place, NULL,
                          "must be a parameter, 0 to %" PRIu64, count - 1);
  }
  if (values[id] != used) {
    return bdag_json_fail(&source->reader, BDAG_ERROR_FORMAT, place, NULL,
                          "the weight or bias differs from backdag.parameters.values[%" PRId64 "]",
                          (int64_t)id);
  }
  *parameter = (uint64_t)id;
  return BDAG_OK;
}

static bdag_status assign_biases(const bdag_json_source *source, const json_t *object,
                                 const double *values, uint64_t count) {
  const bdag_json_reader *const reader = &source->reader;
  json_t *list;
  bdag_status status = sized_list(source, object, "biases", source->vertex_count, "nodes", &list);
  if (status != BDAG_OK || source->neuron_count == 0) return status;
  uint64_t *const parameters =
      bdag_allocate_array(reader->context, source->neuron_count, sizeof *parameters);
  if (parameters == NULL) return bdag_fail_memory(reader->error);
  for (uint64_t n = 0; status == BDAG_OK && n < source->neuron_count; n++) {
    const uint32_t vertex = source->neuron[n];
    parameters[n] = BDAG_NONE;
    if (json_is_null(json_array_get(list, vertex))) continue;
    status = read_use(source, list, "backdag.parameters.biases", vertex, source->bias[n], values,
                      count, &parameters[n]);
  }
  if (status == BDAG_OK) {
    status = bdag_network_set_bias_parameters(source->network, source->neuron_count, source->neuron,
                                              parameters, reader->error);
  }
  bdag_free(reader->context, parameters);
  return status;
}

static bdag_status assign_weights(const bdag_json_source *source, const json_t *object,
                                  const double *values, uint64_t count, uint64_t edge_count,
                                  const double *weights, uint64_t **parameters) {
  json_t *list;
  bdag_status status = sized_list(source, object, "weights", edge_count, "connections", &list);
  if (status != BDAG_OK) return status;
  *parameters = bdag_allocate_array(source->reader.context, edge_count, sizeof **parameters);
  if (*parameters == NULL) return bdag_fail_memory(source->reader.error);
  for (uint64_t e = 0; status == BDAG_OK && e < edge_count; e++) {
    status = read_use(source, list, "backdag.parameters.weights", e, weights[e], values, count,
                      &(*parameters)[e]);
  }
  return status;
}

bdag_status bdag_json_read_parameters(bdag_json_source *source, uint64_t edge_count,
                                      const double *weights, uint64_t **parameters) {
  *parameters = NULL;
  if (source->extension == NULL || json_object_get(source->extension, "parameters") == NULL) {
    return BDAG_OK;
  }
  json_t *object;
  double *values = NULL;
  uint64_t count;
  bdag_status status =
      bdag_json_object(&source->reader, source->extension, extension_place, "parameters", &object);
  if (status == BDAG_OK) status = read_values(source, object, &values, &count);
  if (status == BDAG_OK) status = assign_biases(source, object, values, count);
  if (status == BDAG_OK) {
    status = assign_weights(source, object, values, count, edge_count, weights, parameters);
  }
  bdag_free(source->reader.context, values);
  return status;
}

static const char *const read_out_names[] = {"none", "sigmoid", "softmax"};

bdag_status bdag_json_read_outs(const bdag_json_source *source, uint64_t count,
                                bdag_output *outputs) {
  static const char name[] = "backdag.outputs";
  const bdag_json_reader *const reader = &source->reader;
  const json_t *list;
  bdag_status status = optional_list(source, "outputs", &list);
  if (status != BDAG_OK || list == NULL) return status;
  if (json_array_size(list) != count) {
    return bdag_json_fail(reader, BDAG_ERROR_FORMAT, (bdag_json_place){name, BDAG_NONE}, NULL,
                          "has %zu elements, but topology.output_keys has %" PRIu64,
                          json_array_size(list), count);
  }
  for (uint64_t i = 0; i < count; i++) {
    const bdag_json_place place = {name, i};
    const json_t *const element = json_array_get(list, i);
    const char *kind;
    int64_t group = 0;
    status = bdag_json_string(reader, element, place, "read_out", &kind);
    if (status == BDAG_OK && json_object_get(element, "group") != NULL) {
      status = bdag_json_integer(reader, element, place, "group", &group);
    }
    if (status != BDAG_OK) return status;
    uint32_t k = 0;
    while (k < 3 && strcmp(kind, read_out_names[k]) != 0) k++;
    if (k == 3 || group < 0 || group > UINT32_MAX) {
      return bdag_json_fail(reader, BDAG_ERROR_FORMAT, place, NULL,
                            "read_out must be \"none\", \"sigmoid\" or \"softmax\", and group "
                            "0 to %u",
                            UINT32_MAX);
    }
    outputs[i].read_out = k;
    outputs[i].group = (uint32_t)group;
  }
  return BDAG_OK;
}

static bdag_status read_loss(const bdag_json_source *source, const json_t *element,
                             bdag_json_place place, bdag_loss_term *term, uint32_t **vertices) {
  const bdag_json_reader *const reader = &source->reader;
  const char *kind;
  json_t *list;
  bdag_status status = bdag_json_string(reader, element, place, "kind", &kind);
  if (status == BDAG_OK) status = bdag_json_list(reader, element, place, "vertices", &list);
  if (status == BDAG_OK) status = bdag_json_number(reader, element, place, "weight", &term->weight);
  if (status == BDAG_OK && json_object_get(element, "parameter") != NULL) {
    status = bdag_json_number(reader, element, place, "parameter", &term->parameter);
  }
  if (status != BDAG_OK) return status;
  if (bdag_loss_find(reader->context, kind, &term->kind) != BDAG_OK) {
    return bdag_json_fail(reader, BDAG_ERROR_UNKNOWN_ID, place, "kind",
                          "the loss \"%.60s\" is neither built in nor registered with the context",
                          kind);
  }
  term->vertex_count = (uint32_t)json_array_size(list);
  *vertices = bdag_allocate_array(reader->context, term->vertex_count, sizeof **vertices);
  if (*vertices == NULL) return bdag_fail_memory(reader->error);
  term->vertices = *vertices;
  char name[64];
  snprintf(name, sizeof name, "%s[%" PRIu64 "].vertices", place.name, place.index);
  for (uint64_t i = 0; status == BDAG_OK && i < term->vertex_count; i++) {
    status = bdag_json_vertex_at(source, list, name, i, &(*vertices)[i]);
  }
  return status;
}

static bdag_status build_normalization(const bdag_json_source *source) {
  static const char *const names[] = {"weights", "one", "given"};
  const bdag_json_reader *const reader = &source->reader;
  const char *name;
  if (json_object_get(source->extension, "normalization") == NULL) return BDAG_OK;
  const bdag_status status =
      bdag_json_string(reader, source->extension, extension_place, "normalization", &name);
  if (status != BDAG_OK) return status;
  for (int k = 0; k < 3; k++) {
    if (strcmp(name, names[k]) != 0) continue;
    return bdag_network_set_normalization(source->network, (bdag_normalization)k, reader->error);
  }
  return bdag_json_fail(reader, BDAG_ERROR_FORMAT, extension_place, "normalization",
                        "must be \"weights\", \"one\" or \"given\", not \"%.60s\"", name);
}

bdag_status bdag_json_build_losses(const bdag_json_source *source) {
  if (source->extension == NULL) return BDAG_OK;
  const json_t *list;
  bdag_status status = optional_list(source, "losses", &list);
  for (uint64_t i = 0; status == BDAG_OK && i < json_array_size(list); i++) {
    bdag_loss_term term = {.parameter = 1.0};
    uint32_t *vertices = NULL;
    status = read_loss(source, json_array_get(list, i), (bdag_json_place){"backdag.losses", i},
                       &term, &vertices);
    if (status == BDAG_OK)
      status = bdag_network_add_loss(source->network, &term, source->reader.error);
    bdag_free(source->reader.context, vertices);
  }
  return status == BDAG_OK ? build_normalization(source) : status;
}
