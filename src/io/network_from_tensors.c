/* Reads a network from safetensors through the builder, in chunks, so that beside the file and the
 * network little memory is needed. Ids are those of the network that was written: what was removed is
 * added and removed again. Floor 5: may include base, network. */
#include "io/network_tensors.h"

#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

enum { CHUNK = 1 << 14, READER = 1 };

/* Working arrays, [CHUNK] each. */
typedef struct chunk {
  uint32_t ids[CHUNK], targets[CHUNK];
  uint64_t edges[CHUNK], parameters[CHUNK];
  double numbers[CHUNK], responses[CHUNK];
  bdag_activation activations[CHUNK];
  bdag_aggregation aggregations[CHUNK];
  int64_t keys[CHUNK];
} chunk;

typedef struct source {
  bdag_context *context;
  bdag_error *error;
  bdag_safetensors file;
  bdag_network *network;
  chunk *chunk;
  const bdag_tensor *kind, *removed; /* removed NULL: none */
  uint64_t vertex_count, edge_count, parameter_count;
} source;

static uint64_t here(uint64_t total, uint64_t first) {
  return total - first < CHUNK ? total - first : CHUNK;
}

static bdag_status need(const source *s, const char *name, bdag_tensor_type type, uint64_t columns,
                        uint64_t count, const bdag_tensor **tensor) {
  return bdag_safetensors_need(&s->file, name, type, columns, count, tensor);
}

static uint8_t byte_at(const bdag_tensor *tensor, uint64_t index) {
  return tensor->data[index];
}

static int is_removed(const source *s, uint64_t vertex) {
  return s->removed != NULL && byte_at(s->removed, vertex) != 0;
}

static bdag_status check_version(const source *s) {
  uint64_t reader;
  const bdag_status status = bdag_safetensors_number(&s->file, "minimum_reader", &reader);
  if (status != BDAG_OK || reader <= READER) return status;
  return bdag_fail_at(s->error, BDAG_ERROR_UNSUPPORTED, s->file.file, 0, 8,
                      "the file needs a reader of version %" PRIu64
                      ", this library is %d; use a newer backdag",
                      reader, READER);
}

/* ---- Names of functions ---- */

/* Element `index` of a list "name,name,…" as a kind. */
static bdag_status read_kind(const source *s, const bdag_tensor *tensor, uint64_t index,
                             const char *list, const char *what,
                             bdag_status (*find)(const bdag_context *, const char *, uint32_t *),
                             uint32_t *kind) {
  uint32_t wanted;
  bdag_tensor_copy(tensor, index, 1, &wanted);
  const char *names = bdag_safetensors_text(&s->file, list);
  for (uint32_t skip = wanted; names != NULL && skip > 0; skip--) {
    names = strchr(names, ',');
    if (names != NULL) names++;
  }
  if (names == NULL || *names == '\0') {
    return bdag_tensor_fail(&s->file, BDAG_ERROR_FORMAT, tensor, index,
                            "%" PRIu32 " is not the index of a name in __metadata__.%s", wanted,
                            list);
  }
  char name[80];
  const size_t length = strcspn(names, ",");
  if (length < sizeof name) {
    memcpy(name, names, length);
    name[length] = '\0';
    if (find(s->context, name, kind) == BDAG_OK) return BDAG_OK;
  }
  return bdag_tensor_fail(&s->file, BDAG_ERROR_UNKNOWN_ID, tensor, index,
                          "the %s \"%.*s\" is neither built in nor registered with the context",
                          what, (int)(length < 60 ? length : 60), names);
}

/* ---- Vertices ---- */

static bdag_status add_run(const source *s, uint8_t kind, const bdag_tensor *values, uint64_t first,
                           uint64_t count) {
  if (kind == BDAG_VERTEX_INPUT) {
    return bdag_network_add_inputs(s->network, (uint32_t)count, NULL, s->error);
  }
  if (kind == BDAG_VERTEX_NEURON) {
    return bdag_network_add_vertices(s->network, (uint32_t)count, NULL, NULL, s->error);
  }
  bdag_status status = BDAG_OK;
  for (uint64_t i = 0; status == BDAG_OK && i < count; i += CHUNK) {
    bdag_tensor_copy(values, first + i, here(count, i), s->chunk->numbers);
    status = bdag_network_add_constants(s->network, (uint32_t)here(count, i), s->chunk->numbers,
                                        NULL, s->error);
  }
  return status;
}

static bdag_status add_vertices(source *s, const bdag_tensor *values) {
  for (uint64_t v = 0, end; v < s->vertex_count; v = end) {
    const uint8_t kind = byte_at(s->kind, v);
    if (kind > BDAG_VERTEX_CONSTANT) {
      return bdag_tensor_fail(&s->file, BDAG_ERROR_FORMAT, s->kind, v, "%u is no kind of vertex",
                              kind);
    }
    for (end = v + 1; end < s->vertex_count && byte_at(s->kind, end) == kind;) end++;
    const bdag_status status = add_run(s, kind, values, v, end - v);
    if (status != BDAG_OK) return status;
  }
  return BDAG_OK;
}

typedef struct attributes {
  const bdag_tensor *activation, *parameter, *aggregation, *response, *bias, *key;
} attributes;

static bdag_status find_attributes(const source *s, attributes *a) {
  const uint64_t count = s->vertex_count;
  bdag_status status = need(s, "vertices.activation", BDAG_TENSOR_U32, 0, count, &a->activation);
  if (status == BDAG_OK) {
    status = need(s, "vertices.activation_parameter", BDAG_TENSOR_F64, 0, count, &a->parameter);
  }
  if (status == BDAG_OK) {
    status = need(s, "vertices.aggregation", BDAG_TENSOR_U8, 0, count, &a->aggregation);
  }
  if (status == BDAG_OK) {
    status = need(s, "vertices.response", BDAG_TENSOR_F64, 0, count, &a->response);
  }
  if (status == BDAG_OK) {
    status = need(s, "vertices.bias_parameter", BDAG_TENSOR_U64, 0, count, &a->bias);
  }
  a->key = NULL;
  if (status == BDAG_OK && bdag_safetensors_find(&s->file, "vertices.key") != NULL) {
    status = need(s, "vertices.key", BDAG_TENSOR_I64, 0, count, &a->key);
  }
  return status;
}

/* Attributes of the vertices from *vertex on that are neurons, up to a chunk of them. */
static bdag_status gather_neurons(const source *s, const attributes *a, uint64_t *vertex,
                                  uint64_t *count) {
  chunk *const c = s->chunk;
  uint64_t n = 0, v = *vertex;
  for (; v < s->vertex_count && n < CHUNK; v++) {
    if (byte_at(s->kind, v) != BDAG_VERTEX_NEURON) continue;
    const bdag_status status = read_kind(s, a->activation, v, "activations", "activation",
                                         bdag_activation_find, &c->activations[n].kind);
    if (status != BDAG_OK) return status;
    if (byte_at(a->aggregation, v) > BDAG_MEAN) {
      return bdag_tensor_fail(&s->file, BDAG_ERROR_FORMAT, a->aggregation, v,
                              "%u is no kind of aggregation", byte_at(a->aggregation, v));
    }
    bdag_tensor_copy(a->bias, v, 1, &c->parameters[n]);
    if (c->parameters[n] != BDAG_NONE && c->parameters[n] >= s->parameter_count) {
      return bdag_tensor_fail(&s->file, BDAG_ERROR_FORMAT, a->bias, v,
                              "there is no parameter %" PRIu64, c->parameters[n]);
    }
    bdag_tensor_copy(a->parameter, v, 1, &c->activations[n].parameter);
    bdag_tensor_copy(a->response, v, 1, &c->responses[n]);
    c->aggregations[n] = (bdag_aggregation)byte_at(a->aggregation, v);
    c->ids[n++] = (uint32_t)v;
  }
  *vertex = v;
  *count = n;
  return BDAG_OK;
}

static bdag_status set_attributes(const source *s, const attributes *a) {
  chunk *const c = s->chunk;
  bdag_status status = BDAG_OK;
  for (uint64_t v = 0, count = 0; status == BDAG_OK && v < s->vertex_count;) {
    status = gather_neurons(s, a, &v, &count);
    if (status != BDAG_OK || count == 0) continue;
    status = bdag_network_set_activations(s->network, count, c->ids, c->activations, s->error);
    if (status == BDAG_OK) {
      status = bdag_network_set_aggregations(s->network, count, c->ids, c->aggregations,
                                             c->responses, s->error);
    }
    if (status == BDAG_OK) {
      status = bdag_network_set_bias_parameters(s->network, count, c->ids, c->parameters, s->error);
    }
  }
  for (uint64_t v = 0; status == BDAG_OK && a->key != NULL && v < s->vertex_count; v += CHUNK) {
    const uint64_t count = here(s->vertex_count, v);
    bdag_tensor_copy(a->key, v, count, c->keys);
    for (uint64_t i = 0; i < count; i++) c->ids[i] = (uint32_t)(v + i);
    status = bdag_network_set_keys(s->network, count, c->ids, c->keys, s->error);
  }
  return status;
}

static bdag_status build_parameters(source *s) {
  const bdag_tensor *values = bdag_safetensors_find(&s->file, "parameters.value");
  const int narrow = values != NULL && values->type == BDAG_TENSOR_F32;
  bdag_status status = need(s, "parameters.value", narrow ? BDAG_TENSOR_F32 : BDAG_TENSOR_F64, 0,
                            BDAG_NONE, &values);
  if (status != BDAG_OK) return status;
  s->parameter_count = values->count;
  const uint64_t biases = bdag_network_parameter_count(s->network);
  if (values->count < biases) {
    return bdag_tensor_fail(&s->file, BDAG_ERROR_FORMAT, values, 0,
                            "%" PRIu64 " parameters are fewer than the %" PRIu64 " neurons",
                            values->count, biases);
  }
  if (values->count > biases) {
    status = bdag_network_add_parameters(s->network, values->count - biases, NULL, NULL, s->error);
  }
  for (uint64_t p = 0; status == BDAG_OK && p < values->count; p += CHUNK) {
    const uint64_t count = here(values->count, p);
    bdag_tensor_copy(values, p, count, s->chunk->numbers);
    status = bdag_network_set_parameters(s->network, p, count, s->chunk->numbers, s->error);
  }
  return status;
}

static bdag_status build_vertices(source *s) {
  attributes a;
  bdag_status status = need(s, "vertices.kind", BDAG_TENSOR_U8, 0, BDAG_NONE, &s->kind);
  if (status != BDAG_OK) return status;
  s->vertex_count = s->kind->count;
  if (bdag_safetensors_find(&s->file, "vertices.removed") != NULL) {
    status = need(s, "vertices.removed", BDAG_TENSOR_U8, 0, s->vertex_count, &s->removed);
  }
  if (status == BDAG_OK) status = find_attributes(s, &a);
  if (status == BDAG_OK) {
    status = bdag_network_reserve(s->network, s->vertex_count, s->edge_count, s->error);
  }
  if (status == BDAG_OK) status = add_vertices(s, a.parameter);
  if (status == BDAG_OK) status = build_parameters(s);
  return status == BDAG_OK ? set_attributes(s, &a) : status;
}

/* ---- Edges ---- */

/* Walks over the runs: which parameters the next edges have. */
typedef struct run_cursor {
  const bdag_tensor *runs, *shared;
  uint64_t next_run, left, parameter, shared_used;
} run_cursor;

static bdag_status open_run(const source *s, run_cursor *cursor, uint64_t edge) {
  uint64_t run[3];
  const uint64_t index = 3 * cursor->next_run;
  if (cursor->next_run == cursor->runs->rows) {
    return bdag_tensor_fail(&s->file, BDAG_ERROR_FORMAT, cursor->runs, index,
                            "no run holds edge %" PRIu64, edge);
  }
  bdag_tensor_copy(cursor->runs, index, 3, run);
  if (run[0] != edge || run[1] == 0 || run[1] > s->edge_count - edge) {
    return bdag_tensor_fail(&s->file, BDAG_ERROR_FORMAT, cursor->runs, index,
                            "the run must begin with edge %" PRIu64 " and hold 1 to %" PRIu64
                            " edges",
                            edge, s->edge_count - edge);
  }
  cursor->next_run++;
  cursor->left = run[1];
  cursor->parameter = run[2];
  return BDAG_OK;
}

/* Parameters of `count` edges that do not reach beyond the run. */
static bdag_status read_parameters(const source *s, run_cursor *cursor, uint64_t count,
                                   uint64_t *parameters) {
  const int shared = cursor->parameter == BDAG_NONE;
  if (shared && count > cursor->shared->count - cursor->shared_used) {
    return bdag_tensor_fail(&s->file, BDAG_ERROR_FORMAT, cursor->shared, cursor->shared->count,
                            "%" PRIu64 " more parameters are needed here",
                            count - (cursor->shared->count - cursor->shared_used));
  }
  if (shared) bdag_tensor_copy(cursor->shared, cursor->shared_used, count, parameters);
  for (uint64_t i = 0; i < count; i++) {
    if (!shared) parameters[i] = cursor->parameter + i;
    if (parameters[i] < s->parameter_count) continue;
    return bdag_tensor_fail(&s->file, BDAG_ERROR_FORMAT, shared ? cursor->shared : cursor->runs,
                            shared ? cursor->shared_used + i : 3 * cursor->next_run - 1,
                            "parameter %" PRIu64 " does not exist", parameters[i]);
  }
  if (shared) {
    cursor->shared_used += count;
  } else {
    cursor->parameter += count;
  }
  cursor->left -= count;
  return BDAG_OK;
}

static bdag_status check_edge(const source *s, const bdag_tensor *sources,
                              const bdag_tensor *targets, uint64_t edge, uint32_t from,
                              uint32_t to) {
  if (from >= s->vertex_count || to >= s->vertex_count) {
    const int wrong_source = from >= s->vertex_count;
    return bdag_tensor_fail(&s->file, BDAG_ERROR_FORMAT, wrong_source ? sources : targets, edge,
                            "there is no vertex %" PRIu32, wrong_source ? from : to);
  }
  if (byte_at(s->kind, to) != BDAG_VERTEX_NEURON) {
    return bdag_tensor_fail(&s->file, BDAG_ERROR_FORMAT, targets, edge,
                            "vertex %" PRIu32 " is an input or a constant and takes no edges", to);
  }
  if (from != to) return BDAG_OK;
  return bdag_tensor_fail(&s->file, BDAG_ERROR_CYCLE, targets, edge,
                          "vertex %" PRIu32 " is connected to itself; the network must be acyclic",
                          to);
}

static bdag_status add_edges(const source *s, const bdag_tensor *sources,
                             const bdag_tensor *targets, run_cursor *cursor) {
  chunk *const c = s->chunk;
  for (uint64_t e = 0, count; e < s->edge_count; e += count) {
    bdag_status status = cursor->left > 0 ? BDAG_OK : open_run(s, cursor, e);
    if (status != BDAG_OK) return status;
    count = here(cursor->left, 0);
    bdag_tensor_copy(sources, e, count, c->ids);
    bdag_tensor_copy(targets, e, count, c->targets);
    for (uint64_t i = 0; status == BDAG_OK && i < count; i++) {
      status = check_edge(s, sources, targets, e + i, c->ids[i], c->targets[i]);
    }
    if (status == BDAG_OK) status = read_parameters(s, cursor, count, c->parameters);
    if (status == BDAG_OK) {
      status = bdag_network_add_tied_edges(s->network, count, c->ids, c->targets, c->parameters,
                                           NULL, s->error);
    }
    if (status != BDAG_OK) return status;
  }
  if (cursor->next_run == cursor->runs->rows && cursor->shared_used == cursor->shared->count) {
    return BDAG_OK;
  }
  return bdag_tensor_fail(&s->file, BDAG_ERROR_FORMAT, cursor->runs, 3 * cursor->next_run,
                          "the runs hold more than the %" PRIu64 " edges", s->edge_count);
}

/* Disables or removes the edges with that flag. */
static bdag_status apply_flag(const source *s, const bdag_tensor *flags, uint8_t flag) {
  uint64_t *const list = s->chunk->edges;
  uint64_t n = 0;
  for (uint64_t e = 0; e < s->edge_count; e++) {
    const uint8_t found = byte_at(flags, e);
    if (found > (BDAG_EDGE_REMOVED | BDAG_EDGE_DISABLED)) {
      return bdag_tensor_fail(&s->file, BDAG_ERROR_FORMAT, flags, e, "unknown flags %u", found);
    }
    if (found & flag) list[n++] = e;
    if (n < CHUNK && (e + 1 < s->edge_count || n == 0)) continue;
    const bdag_status status = flag == BDAG_EDGE_REMOVED
                                   ? bdag_network_remove_edges(s->network, n, list, s->error)
                                   : bdag_network_enable_edges(s->network, n, list, 0, s->error);
    if (status != BDAG_OK) return status;
    n = 0;
  }
  return BDAG_OK;
}

static bdag_status build_edges(source *s) {
  const bdag_tensor *sources, *targets, *flags;
  run_cursor cursor = {0};
  bdag_status status = need(s, "edges.source", BDAG_TENSOR_U32, 0, s->edge_count, &sources);
  if (status == BDAG_OK) {
    status = need(s, "edges.target", BDAG_TENSOR_U32, 0, s->edge_count, &targets);
  }
  if (status == BDAG_OK) {
    status = need(s, "edges.run", BDAG_TENSOR_U64, 3, BDAG_NONE, &cursor.runs);
  }
  if (status == BDAG_OK) {
    status = need(s, "edges.shared", BDAG_TENSOR_U64, 0, BDAG_NONE, &cursor.shared);
  }
  if (status == BDAG_OK) status = add_edges(s, sources, targets, &cursor);
  if (status != BDAG_OK || bdag_safetensors_find(&s->file, "edges.flags") == NULL) return status;
  status = need(s, "edges.flags", BDAG_TENSOR_U8, 0, s->edge_count, &flags);
  if (status == BDAG_OK) status = apply_flag(s, flags, BDAG_EDGE_DISABLED);
  return status == BDAG_OK ? apply_flag(s, flags, BDAG_EDGE_REMOVED) : status;
}

/* All at once: each call goes over all edges. */
static bdag_status remove_vertices(const source *s) {
  if (s->removed == NULL) return BDAG_OK;
  uint32_t *const list = bdag_allocate_array(s->context, s->vertex_count, sizeof *list);
  if (list == NULL) return bdag_fail_memory(s->error);
  uint64_t n = 0;
  for (uint64_t v = 0; v < s->vertex_count; v++) {
    if (is_removed(s, v)) list[n++] = (uint32_t)v;
  }
  const bdag_status status = bdag_network_remove_vertices(s->network, n, list, s->error);
  bdag_free(s->context, list);
  return status;
}

/* ---- Outputs and losses ---- */

static bdag_status check_vertex(const source *s, const bdag_tensor *tensor, uint64_t index,
                                uint32_t vertex) {
  if (vertex < s->vertex_count && !is_removed(s, vertex)) return BDAG_OK;
  return bdag_tensor_fail(&s->file, BDAG_ERROR_FORMAT, tensor, index,
                          "vertex %" PRIu32 " does not exist or was removed", vertex);
}

static bdag_status build_outputs(source *s) {
  const bdag_tensor *tensor;
  bdag_status status = need(s, "outputs", BDAG_TENSOR_U32, 3, BDAG_NONE, &tensor);
  if (status != BDAG_OK) return status;
  if (tensor->rows > UINT32_MAX) {
    return bdag_tensor_fail(&s->file, BDAG_ERROR_LIMIT, tensor, 0, "there are too many outputs");
  }
  bdag_output *const outputs = bdag_allocate_array(s->context, tensor->rows, sizeof *outputs);
  if (outputs == NULL) return bdag_fail_memory(s->error);
  for (uint64_t i = 0; status == BDAG_OK && i < tensor->rows; i++) {
    uint32_t row[3];
    bdag_tensor_copy(tensor, 3 * i, 3, row);
    outputs[i] = (bdag_output){row[0], row[1], row[2]};
    status = check_vertex(s, tensor, 3 * i, row[0]);
    if (status == BDAG_OK && row[1] > BDAG_READ_OUT_SOFTMAX) {
      status = bdag_tensor_fail(&s->file, BDAG_ERROR_FORMAT, tensor, 3 * i + 1,
                                "%" PRIu32 " is no kind of read-out", row[1]);
    }
  }
  if (status == BDAG_OK) {
    status = bdag_network_set_outputs(s->network, (uint32_t)tensor->rows, outputs, s->error);
  }
  bdag_free(s->context, outputs);
  return status;
}

typedef struct losses {
  const bdag_tensor *kind, *count, *vertex, *numbers;
} losses;

static bdag_status find_losses(const source *s, losses *l) {
  bdag_status status = need(s, "losses.kind", BDAG_TENSOR_U32, 0, BDAG_NONE, &l->kind);
  if (status != BDAG_OK) return status;
  const uint64_t count = l->kind->count;
  status = need(s, "losses.vertex_count", BDAG_TENSOR_U32, 0, count, &l->count);
  if (status == BDAG_OK) {
    status = need(s, "losses.vertex", BDAG_TENSOR_U32, 0, BDAG_NONE, &l->vertex);
  }
  if (status == BDAG_OK) {
    status = need(s, "losses.weight_and_parameter", BDAG_TENSOR_F64, 2, 2 * count, &l->numbers);
  }
  return status;
}

static bdag_status add_loss(const source *s, const losses *l, uint64_t t, uint32_t *vertices,
                            uint64_t *used) {
  bdag_loss_term term = {.vertices = vertices + *used};
  double numbers[2];
  bdag_tensor_copy(l->count, t, 1, &term.vertex_count);
  if (term.vertex_count == 0 || term.vertex_count > l->vertex->count - *used) {
    return bdag_tensor_fail(&s->file, BDAG_ERROR_FORMAT, l->count, t,
                            "%" PRIu32 " vertices; losses.vertex has %" PRIu64 " left",
                            term.vertex_count, l->vertex->count - *used);
  }
  bdag_status status = read_kind(s, l->kind, t, "losses", "loss", bdag_loss_find, &term.kind);
  for (uint32_t i = 0; status == BDAG_OK && i < term.vertex_count; i++) {
    status = check_vertex(s, l->vertex, *used + i, vertices[*used + i]);
  }
  if (status != BDAG_OK) return status;
  bdag_tensor_copy(l->numbers, 2 * t, 2, numbers);
  term.weight = numbers[0];
  term.parameter = numbers[1];
  *used += term.vertex_count;
  return bdag_network_add_loss(s->network, &term, s->error);
}

static bdag_status build_normalization(const source *s) {
  static const char *const names[] = {"weights", "one", "given"};
  const char *const name = bdag_safetensors_text(&s->file, "normalization");
  for (int k = 0; name != NULL && k < 3; k++) {
    if (strcmp(name, names[k]) != 0) continue;
    return bdag_network_set_normalization(s->network, (bdag_normalization)k, s->error);
  }
  return bdag_fail_at(s->error, BDAG_ERROR_FORMAT, s->file.file, 0, 8,
                      "__metadata__.normalization must be \"weights\", \"one\" or \"given\"");
}

static bdag_status build_losses(source *s) {
  losses l;
  bdag_status status = find_losses(s, &l);
  if (status != BDAG_OK) return status;
  uint32_t *const vertices = bdag_allocate_array(s->context, l.vertex->count, sizeof *vertices);
  if (vertices == NULL) return bdag_fail_memory(s->error);
  bdag_tensor_copy(l.vertex, 0, l.vertex->count, vertices);
  uint64_t used = 0;
  for (uint64_t t = 0; status == BDAG_OK && t < l.kind->count; t++) {
    status = add_loss(s, &l, t, vertices, &used);
  }
  bdag_free(s->context, vertices);
  return status == BDAG_OK ? build_normalization(s) : status;
}

static bdag_status build(source *s) {
  const bdag_tensor *edges;
  bdag_status status = check_version(s);
  if (status == BDAG_OK) {
    status = need(s, "edges.source", BDAG_TENSOR_U32, 0, BDAG_NONE, &edges);
  }
  if (status == BDAG_OK) {
    s->edge_count = edges->count;
    status = build_vertices(s);
  }
  if (status == BDAG_OK) status = build_edges(s);
  if (status == BDAG_OK) status = remove_vertices(s);
  if (status == BDAG_OK) status = build_outputs(s);
  return status == BDAG_OK ? build_losses(s) : status;
}

bdag_status bdag_tensors_read_network(bdag_network **network, bdag_context *context,
                                      const void *bytes, size_t size, const char *file,
                                      bdag_error *error) {
  source s = {.context = context, .error = error};
  bdag_status status = bdag_safetensors_open(&s.file, context, bytes, size, file, error);
  if (status == BDAG_OK) {
    s.chunk = bdag_allocate(context, sizeof *s.chunk);
    status =
        s.chunk != NULL ? bdag_network_create(&s.network, context, error) : bdag_fail_memory(error);
  }
  if (status == BDAG_OK) status = build(&s);
  if (status == BDAG_OK) {
    *network = s.network;
  } else {
    bdag_network_destroy(s.network);
  }
  bdag_free(context, s.chunk);
  bdag_safetensors_release(&s.file);
  return status;
}
