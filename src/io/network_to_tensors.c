/* Writes a network as safetensors: the arrays of the network as they are. Functions are stored as
 * indices into a list of names, so that kinds may be renumbered. Floor 5: may include base, network. */
#include "io/network_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "io/network_tensors.h"
#include "network/network_internal.h"

enum { MOST_TENSORS = 32, MOST_TEXTS = 16 };

typedef struct writer {
  const bdag_network *network;
  bdag_error *error;
  void *owned[MOST_TENSORS]; /* arrays made for the file */
  uint64_t owned_count;
  bdag_tensor_source tensors[MOST_TENSORS];
  uint64_t tensor_count;
  bdag_tensor_text texts[MOST_TEXTS];
  uint64_t text_count;
} writer;

static void *make(writer *w, uint64_t count, size_t size) {
  void *const array = bdag_allocate_array(w->network->context, count, size);
  if (array != NULL) w->owned[w->owned_count++] = array;
  return array;
}

static void add(writer *w, const char *name, bdag_tensor_type type, uint64_t rows,
                const void *data) {
  w->tensors[w->tensor_count++] = (bdag_tensor_source){name, type, rows, 0, data};
}

static void add_text(writer *w, const char *key, const char *value) {
  w->texts[w->text_count++] = (bdag_tensor_text){key, value};
}

/* Turns kinds into indices of a list of the names in use, which it writes as "name,name,…". */
static bdag_status add_kinds(writer *w, const char *tensor, const char *text, uint64_t count,
                             const uint32_t *kinds, uint64_t stride,
                             const char *(*name_of)(const bdag_context *, uint32_t)) {
  enum { MOST_KINDS = 2048 };
  uint32_t *const known = make(w, MOST_KINDS, sizeof *known);
  uint32_t *const index = make(w, count, sizeof *index);
  char *const names = make(w, MOST_KINDS, 64);
  if (known == NULL || index == NULL || names == NULL) return bdag_fail_memory(w->error);
  uint32_t known_count = 0;
  char *end = names;
  *end = '\0';
  for (uint64_t i = 0; i < count; i++) {
    const uint32_t kind = *(const uint32_t *)((const char *)kinds + i * stride);
    uint32_t k = 0;
    while (k < known_count && known[k] != kind) k++;
    index[i] = k;
    if (k < known_count) continue;
    known[known_count++] = kind;
    if (end != names) *end++ = ',';
    end = stpcpy(end, name_of(w->network->context, kind));
  }
  add(w, tensor, BDAG_TENSOR_U32, count, index);
  add_text(w, text, names);
  return BDAG_OK;
}

static bdag_status add_vertices(writer *w) {
  const bdag_network *const network = w->network;
  const uint64_t count = network->vertex_count;
  add(w, "vertices.kind", BDAG_TENSOR_U8, count, network->vertex_kind);
  if (count > 0 && memchr(network->vertex_removed, 1, count) != NULL) {
    add(w, "vertices.removed", BDAG_TENSOR_U8, count, network->vertex_removed);
  }
  add(w, "vertices.aggregation", BDAG_TENSOR_U8, count, network->aggregation);
  add(w, "vertices.activation_parameter", BDAG_TENSOR_F64, count, network->activation_parameter);
  add(w, "vertices.response", BDAG_TENSOR_F64, count, network->response);
  add(w, "vertices.bias_parameter", BDAG_TENSOR_U64, count, network->bias_parameter);
  if (network->key != NULL) add(w, "vertices.key", BDAG_TENSOR_I64, count, network->key);
  return add_kinds(w, "vertices.activation", "activations", count, network->activation,
                   sizeof *network->activation, bdag_activation_name);
}

/* Runs as rows {first edge, count, first parameter}; a run of shared parameters has BDAG_NONE in the
 * last place, and its parameters follow those of the runs before it in edges.shared. */
static bdag_status add_edges(writer *w) {
  const bdag_network *const network = w->network;
  uint64_t shared_count = 0;
  for (uint64_t r = 0; r < network->run_count; r++) {
    if (network->run[r].parameters != NULL) shared_count += network->run[r].count;
  }
  uint64_t *const runs = make(w, network->run_count, 3 * sizeof *runs);
  uint64_t *const shared = make(w, shared_count, sizeof *shared);
  if (runs == NULL || shared == NULL) return bdag_fail_memory(w->error);
  uint64_t used = 0, rows = 0;
  for (uint64_t r = 0; r < network->run_count; r++) {
    const bdag_parameter_run *const run = &network->run[r];
    const int explicit = run->parameters != NULL;
    if (explicit) {
      memcpy(shared + used, run->parameters, (size_t)run->count * sizeof *shared);
      used += run->count;
    }
    if (explicit && r > 0 && network->run[r - 1].parameters != NULL) {
      runs[3 * rows - 2] += run->count;
      continue;
    }
    runs[3 * rows] = run->first_edge;
    runs[3 * rows + 1] = run->count;
    runs[3 * rows + 2] = explicit ? BDAG_NONE : run->first_parameter;
    rows++;
  }
  add(w, "edges.source", BDAG_TENSOR_U32, network->edge_count, network->source);
  add(w, "edges.target", BDAG_TENSOR_U32, network->edge_count, network->target);
  if (network->edge_flags != NULL) {
    add(w, "edges.flags", BDAG_TENSOR_U8, network->edge_count, network->edge_flags);
  }
  add(w, "edges.run", BDAG_TENSOR_U64, rows, runs);
  w->tensors[w->tensor_count - 1].columns = 3;
  add(w, "edges.shared", BDAG_TENSOR_U64, shared_count, shared);
  return BDAG_OK;
}

bdag_tensor_type bdag_tensor_narrowest(uint64_t count, const double *values) {
  for (uint64_t i = 0; values != NULL && i < count; i++) {
    if ((double)(float)values[i] != values[i]) return BDAG_TENSOR_F64;
  }
  return BDAG_TENSOR_F32;
}

static void add_parameters(writer *w, const double *values) {
  const uint64_t count = w->network->parameter_count;
  add(w, "parameters.value", bdag_tensor_narrowest(count, values), count, values);
}

static bdag_status add_outputs(writer *w) {
  const uint32_t count = w->network->output_count;
  uint32_t *const array = make(w, count, 3 * sizeof *array);
  if (array == NULL) return bdag_fail_memory(w->error);
  for (uint32_t i = 0; i < count; i++) {
    const bdag_output *const output = &w->network->output[i];
    array[3 * i] = output->vertex;
    array[3 * i + 1] = output->read_out;
    array[3 * i + 2] = output->group;
  }
  add(w, "outputs", BDAG_TENSOR_U32, count, array);
  w->tensors[w->tensor_count - 1].columns = 3;
  return BDAG_OK;
}

static bdag_status add_losses(writer *w) {
  static const char *const normalizations[] = {"weights", "one", "given"};
  const bdag_network *const network = w->network;
  const uint64_t count = network->loss_count;
  uint64_t vertex_count = 0;
  for (uint64_t t = 0; t < count; t++) vertex_count += network->loss[t].vertex_count;
  uint32_t *const counts = make(w, count, sizeof *counts);
  uint32_t *const vertices = make(w, vertex_count, sizeof *vertices);
  double *const numbers = make(w, count, 2 * sizeof *numbers);
  if (counts == NULL || vertices == NULL || numbers == NULL) return bdag_fail_memory(w->error);
  uint64_t used = 0;
  for (uint64_t t = 0; t < count; t++) {
    const bdag_stored_loss *const loss = &network->loss[t];
    counts[t] = loss->vertex_count;
    numbers[2 * t] = loss->weight;
    numbers[2 * t + 1] = loss->parameter;
    memcpy(vertices + used, loss->vertices, loss->vertex_count * sizeof *vertices);
    used += loss->vertex_count;
  }
  add(w, "losses.vertex_count", BDAG_TENSOR_U32, count, counts);
  add(w, "losses.vertex", BDAG_TENSOR_U32, vertex_count, vertices);
  add(w, "losses.weight_and_parameter", BDAG_TENSOR_F64, count, numbers);
  w->tensors[w->tensor_count - 1].columns = 2;
  add_text(w, "normalization", normalizations[network->normalization]);
  return add_kinds(w, "losses.kind", "losses", count, count > 0 ? &network->loss[0].kind : NULL,
                   sizeof *network->loss, bdag_loss_name);
}

static void add_extra(writer *w, const bdag_tensor_extra *extra) {
  for (uint64_t i = 0; i < extra->tensor_count; i++) {
    w->tensors[w->tensor_count++] = extra->tensors[i];
  }
  for (uint64_t i = 0; i < extra->text_count; i++) w->texts[w->text_count++] = extra->texts[i];
}

bdag_status bdag_tensors_write_network(const bdag_network *network, const bdag_tensor_extra *extra,
                                       bdag_atomic_file *file, bdag_error *error) {
  writer w = {.network = network, .error = error};
  add_text(&w, "format", "backdag");
  add_text(&w, "version", "1");
  add_text(&w, "minimum_reader", "1");
  add_parameters(&w, extra != NULL && extra->values != NULL ? extra->values : network->value);
  bdag_status status = add_vertices(&w);
  if (status == BDAG_OK) status = add_edges(&w);
  if (status == BDAG_OK) status = add_outputs(&w);
  if (status == BDAG_OK) status = add_losses(&w);
  if (status == BDAG_OK && extra != NULL) add_extra(&w, extra);
  if (status == BDAG_OK) {
    status = bdag_safetensors_write(file, network->context, w.tensors, w.tensor_count, w.texts,
                                    w.text_count, error);
  }
  for (uint64_t i = 0; i < w.owned_count; i++) bdag_free(network->context, w.owned[i]);
  return status;
}
