/* Networks as safetensors: round trips with the same ids, the container's rules, damage and lies. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include <backdag/backdag.h>

#include "io/bytes.h"
#include "network_samples.h"

static bdag_context *context;

static void make_context(void) {
  context = sample_context();
  sample_register(context);
}

static void destroy_context(void) {
  bdag_context_destroy(context);
}

TestSuite(safetensors, .init = make_context, .fini = destroy_context);

/* Saves the network and releases it. */
static bdag_bytes save(bdag_network *network) {
  bdag_bytes bytes;
  bdag_error error;
  const char *const path = temporary_path("network.safetensors");
  cr_assert_eq(bdag_network_save(network, path, BDAG_NETWORK_AUTO, &error), BDAG_OK, "%s",
               error.message);
  cr_assert_eq(bdag_bytes_read(&bytes, context, path, NULL), BDAG_OK);
  unlink(path);
  bdag_network_destroy(network);
  return bytes;
}

static bdag_status parse(const bdag_bytes *bytes, bdag_network **network, bdag_error *error) {
  unsigned char *const copy = malloc(bytes->size + 1);
  memcpy(copy + 1, bytes->data, bytes->size); /* not aligned */
  const bdag_status status = bdag_network_parse(network, context, copy + 1, bytes->size, error);
  free(copy);
  return status;
}

static void expect_round_trip(bdag_network *network) {
  bdag_network *copy, *again;
  bdag_error error;
  cr_assert_eq(bdag_network_copy(&copy, network, NULL), BDAG_OK);
  bdag_bytes bytes = save(network);
  cr_assert_eq(parse(&bytes, &again, &error), BDAG_OK, "%s", error.message);
  expect_same_network(copy, again);
  bdag_bytes twice = save(again);
  cr_assert_eq(bytes.size, twice.size);
  cr_assert_arr_eq(bytes.data, twice.data, bytes.size);
  bdag_bytes_release(&bytes, context);
  bdag_bytes_release(&twice, context);
  bdag_network_destroy(copy);
}

Test(safetensors, networks_come_back) {
  expect_round_trip(sample_plain(context));
  expect_round_trip(sample_full(context));
  for (uint64_t seed = 1; seed <= 60; seed++) expect_round_trip(sample_random(context, seed));
}

Test(safetensors, removed_ids_stay_removed) {
  expect_round_trip(sample_edited(context));
}

Test(safetensors, empty_network_comes_back) {
  bdag_network *network;
  cr_assert_eq(bdag_network_create(&network, context, NULL), BDAG_OK);
  expect_round_trip(network);
}

Test(safetensors, long_arrays_pass_through_chunks) {
  enum { NEURONS = 40000, EDGES = 100000 };
  bdag_network *network;
  cr_assert_eq(bdag_network_create(&network, context, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_add_inputs(network, 3, NULL, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_add_vertices(network, NEURONS, NULL, NULL, NULL), BDAG_OK);
  uint32_t *const sources = malloc(EDGES * sizeof *sources);
  uint32_t *const targets = malloc(EDGES * sizeof *targets);
  double *const weights = malloc(EDGES * sizeof *weights);
  uint64_t *const parameters = malloc(EDGES * sizeof *parameters);
  for (uint32_t i = 0; i < EDGES; i++) {
    targets[i] = 4 + i % (NEURONS - 1);
    sources[i] = i % targets[i];
    weights[i] = i / 7.0;
    parameters[i] = i % 3 == 0 ? i : EDGES - i;
  }
  const double constants[2] = {1, 2};
  cr_assert_eq(bdag_network_add_edges(network, EDGES, sources, targets, weights, NULL, NULL), 0);
  cr_assert_eq(
      bdag_network_add_tied_edges(network, EDGES, sources, targets, parameters, NULL, NULL), 0);
  cr_assert_eq(bdag_network_add_constants(network, 2, constants, NULL, NULL), BDAG_OK);
  for (uint64_t e = 0; e < EDGES; e += 3) parameters[e / 3] = e;
  cr_assert_eq(bdag_network_remove_edges(network, EDGES / 3, parameters, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_enable_edges(network, 1, (uint64_t[]){99998}, 0, NULL), BDAG_OK);
  bdag_network *copy, *again;
  cr_assert_eq(bdag_network_copy(&copy, network, NULL), BDAG_OK);
  bdag_bytes bytes = save(network);
  cr_assert_eq(parse(&bytes, &again, NULL), BDAG_OK);
  expect_same_network(copy, again);
  bdag_bytes twice = save(again);
  cr_assert_eq(bytes.size, twice.size);
  cr_assert_arr_eq(bytes.data, twice.data, bytes.size);
  bdag_network_destroy(copy);
  bdag_bytes_release(&bytes, context);
  bdag_bytes_release(&twice, context);
  free(sources);
  free(targets);
  free(weights);
  free(parameters);
}

static json_t *header_of(const bdag_bytes *bytes) {
  uint64_t length;
  memcpy(&length, bytes->data, 8);
  cr_assert_eq(length % 8, 0);
  json_t *const header = json_loadb((const char *)bytes->data + 8, length, 0, NULL);
  cr_assert_not_null(header);
  return header;
}

static const char *value_type(const json_t *header) {
  return json_string_value(json_object_get(json_object_get(header, "parameters.value"), "dtype"));
}

Test(safetensors, values_are_narrow_only_where_that_is_exact) {
  bdag_bytes wide = save(sample_plain(context));
  json_t *header = header_of(&wide);
  cr_assert_str_eq(value_type(header), "F64");
  json_decref(header);
  bdag_network *network;
  cr_assert_eq(parse(&wide, &network, NULL), BDAG_OK);
  for (uint64_t p = 0; p < bdag_network_parameter_count(network); p++) {
    const double value = (double)(float)(p / 3.0) * (p % 2 == 0 ? 1 : -1);
    cr_assert_eq(bdag_network_set_parameters(network, p, 1, &value, NULL), BDAG_OK);
  }
  bdag_bytes narrow = save(network);
  cr_assert_lt(narrow.size, wide.size);
  header = header_of(&narrow);
  cr_assert_str_eq(value_type(header), "F32");
  json_decref(header);
  cr_assert_eq(parse(&narrow, &network, NULL), BDAG_OK);
  expect_round_trip(network);
  bdag_bytes_release(&wide, context);
  bdag_bytes_release(&narrow, context);
}

Test(safetensors, tensors_are_aligned_and_without_holes) {
  bdag_bytes bytes = save(sample_edited(context));
  json_t *const header = header_of(&bytes), *entry;
  const char *name;
  json_int_t end = 0;
  json_object_foreach(header, name, entry) {
    if (strcmp(name, "__metadata__") == 0) {
      const char *key;
      json_t *value;
      json_object_foreach(entry, key, value) cr_assert(json_is_string(value), "%s", key);
      continue;
    }
    const char *const type = json_string_value(json_object_get(entry, "dtype"));
    const int size = strcmp(type, "U8") == 0 ? 1 : atoi(type + 1) / 8;
    const json_t *const offsets = json_object_get(entry, "data_offsets");
    const json_int_t begin = json_integer_value(json_array_get(offsets, 0));
    cr_assert_eq(begin, end, "%s", name);
    cr_assert_eq(begin % size, 0, "%s", name);
    end = json_integer_value(json_array_get(offsets, 1));
  }
  uint64_t length;
  memcpy(&length, bytes.data, 8);
  cr_assert_eq(8 + length + (uint64_t)end, bytes.size);
  json_decref(header);
  bdag_bytes_release(&bytes, context);
}

Test(safetensors, unregistered_functions_are_named) {
  bdag_bytes bytes = save(sample_full(context));
  bdag_context *const other = sample_context();
  bdag_network *network;
  bdag_error error;
  cr_assert_eq(bdag_network_parse(&network, other, bytes.data, bytes.size, &error),
               BDAG_ERROR_UNKNOWN_ID);
  cr_assert_not_null(strstr(error.message, "\"test.double\""), "%s", error.message);
  const bdag_activation_functions functions = {
      (int (*)(void *, bdag_type, double, size_t, const void *, void *))1,
      (int (*)(void *, bdag_type, double, size_t, const void *, const void *, void *))1, NULL};
  uint32_t kind;
  cr_assert_eq(bdag_context_register_activation(other, "test.double", &functions, &kind, NULL), 0);
  cr_assert_eq(bdag_network_parse(&network, other, bytes.data, bytes.size, &error),
               BDAG_ERROR_UNKNOWN_ID);
  cr_assert_not_null(strstr(error.message, "\"test.loss\""), "%s", error.message);
  bdag_context_destroy(other);
  bdag_bytes_release(&bytes, context);
}

Test(safetensors, every_truncation_is_refused) {
  bdag_bytes bytes = save(sample_edited(context));
  const size_t whole = bytes.size;
  for (bytes.size = 0; bytes.size < whole; bytes.size++) {
    bdag_network *network = (bdag_network *)1;
    bdag_error error;
    cr_assert_eq(parse(&bytes, &network, &error), BDAG_ERROR_FORMAT, "%zu bytes", bytes.size);
    cr_assert_null(network);
  }
  bdag_bytes_release(&bytes, context);
}

Test(safetensors, bytes_at_the_end_are_refused) {
  bdag_bytes bytes = save(sample_plain(context));
  bdag_network *network;
  unsigned char *const longer = calloc(bytes.size + 1, 1);
  memcpy(longer, bytes.data, bytes.size);
  cr_assert_eq(bdag_network_parse(&network, context, longer, bytes.size + 1, NULL),
               BDAG_ERROR_FORMAT);
  free(longer);
  bdag_bytes_release(&bytes, context);
}

Test(safetensors, every_flipped_bit_is_noticed) {
  bdag_bytes bytes = save(sample_edited(context));
  for (size_t i = 0; i < bytes.size; i++) {
    for (int bit = 0; bit < 8; bit++) {
      bdag_network *network;
      bytes.data[i] ^= (unsigned char)(1 << bit);
      const bdag_status status = parse(&bytes, &network, NULL);
      cr_assert(status == BDAG_ERROR_FORMAT || status == BDAG_ERROR_UNSUPPORTED,
                "byte %zu, bit %d: %s", i, bit, bdag_status_string(status));
      bytes.data[i] ^= (unsigned char)(1 << bit);
    }
  }
  bdag_bytes_release(&bytes, context);
}

Test(safetensors, foreign_tensors_are_not_networks) {
  static const char header[] = "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}";
  unsigned char bytes[8 + sizeof header - 1 + 4] = {sizeof header - 1};
  memcpy(bytes + 8, header, sizeof header - 1);
  bdag_network *network;
  bdag_error error;
  cr_assert_eq(bdag_network_parse(&network, context, bytes, sizeof bytes, &error),
               BDAG_ERROR_UNSUPPORTED);
  cr_assert_not_null(strstr(error.message, "not written by backdag"));
}

/* ---- Lies with right checksums ---- */

/* Appends a CRC-32 as text. */
static void set_checksum(json_t *metadata, const char *key, const void *bytes, size_t size) {
  char text[16];
  snprintf(text, sizeof text, "%08lx", crc32_z(crc32_z(0, NULL, 0), bytes, size));
  json_object_set_new(metadata, key, json_string(text));
}

/* A file with that header, whose checksums are made right. */
static bdag_bytes compose(json_t *header, const unsigned char *data, size_t size) {
  json_t *const metadata = json_object_get(header, "__metadata__"), *entry;
  const char *name;
  json_object_foreach(header, name, entry) {
    if (strcmp(name, "__metadata__") == 0) continue;
    const json_t *const offsets = json_object_get(entry, "data_offsets");
    const uint64_t begin = (uint64_t)json_integer_value(json_array_get(offsets, 0));
    const uint64_t end = (uint64_t)json_integer_value(json_array_get(offsets, 1));
    char key[100];
    snprintf(key, sizeof key, "checksum.%s", name);
    if (begin <= end && end <= size) set_checksum(metadata, key, data + begin, end - begin);
  }
  json_object_del(metadata, "checksum");
  char *const sorted = json_dumps(header, JSON_COMPACT | JSON_SORT_KEYS);
  set_checksum(metadata, "checksum", sorted, strlen(sorted));
  free(sorted);
  char *const text = json_dumps(header, JSON_COMPACT);
  const uint64_t length = strlen(text);
  bdag_bytes bytes = {malloc(8 + length + size), 8 + length + size};
  memcpy(bytes.data, &length, 8);
  memcpy(bytes.data + 8, text, length);
  memcpy(bytes.data + 8 + length, data, size);
  free(text);
  return bytes;
}

/* Parses the full sample after a change of the header and of one element of a tensor. */
typedef void (*change)(json_t *header);

static void expect_lie(const char *tensor, uint64_t index, uint64_t value, change change_header,
                       bdag_status status, const char *message) {
  bdag_bytes bytes = save(sample_edited(context));
  json_t *const header = header_of(&bytes);
  uint64_t length;
  memcpy(&length, bytes.data, 8);
  unsigned char *const data = bytes.data + 8 + length;
  if (tensor != NULL) {
    const json_t *const entry = json_object_get(header, tensor);
    cr_assert_not_null(entry, "%s", tensor);
    const char *const type = json_string_value(json_object_get(entry, "dtype"));
    const size_t size = strcmp(type, "U8") == 0 ? 1 : (size_t)atoi(type + 1) / 8;
    const json_t *const offsets = json_object_get(entry, "data_offsets");
    const uint64_t begin = (uint64_t)json_integer_value(json_array_get(offsets, 0));
    memcpy(data + begin + index * size, &value, size);
  }
  if (change_header != NULL) change_header(header);
  bdag_bytes lie = compose(header, data, bytes.size - 8 - length);
  bdag_network *network;
  bdag_error error = {0};
  cr_assert_eq(parse(&lie, &network, &error), status, "%s: %s", message, error.message);
  if (status == BDAG_OK) bdag_network_destroy(network);
  if (status != BDAG_OK) {
    cr_assert_not_null(strstr(error.message, message), "\"%s\" does not say \"%s\"", error.message,
                       message);
  }
  free(lie.data);
  json_decref(header);
  bdag_bytes_release(&bytes, context);
}

Test(safetensors, unchanged_file_can_be_composed_anew) {
  expect_lie(NULL, 0, 0, NULL, BDAG_OK, "");
}

Test(safetensors, wrong_elements) {
  const uint64_t nan = UINT64_C(0x7FF8000000000000);
  expect_lie("vertices.kind", 2, 3, NULL, BDAG_ERROR_FORMAT, "vertices.kind[2]: 3 is no kind");
  expect_lie("vertices.aggregation", 3, 2, NULL, BDAG_ERROR_FORMAT, "vertices.aggregation[3]");
  expect_lie("vertices.activation", 3, 7, NULL, BDAG_ERROR_FORMAT, "vertices.activation[3]: 7");
  expect_lie("vertices.bias_parameter", 3, 1000, NULL, BDAG_ERROR_FORMAT,
             "vertices.bias_parameter[3]: there is no parameter 1000");
  expect_lie("vertices.response", 3, nan, NULL, BDAG_ERROR_NOT_FINITE, "response");
  expect_lie("vertices.activation_parameter", 1, nan, NULL, BDAG_ERROR_NOT_FINITE, "constant");
  expect_lie("parameters.value", 0, nan, NULL, BDAG_ERROR_NOT_FINITE, "parameter 0");
  expect_lie("edges.source", 4, 12, NULL, BDAG_ERROR_FORMAT,
             "edges.source[4]: there is no vertex 12");
  expect_lie("edges.target", 4, UINT32_MAX, NULL, BDAG_ERROR_FORMAT,
             "edges.target[4]: there is no");
  expect_lie("edges.target", 0, 1, NULL, BDAG_ERROR_FORMAT,
             "edges.target[0]: vertex 1 is an input");
  expect_lie("edges.source", 0, 3, NULL, BDAG_ERROR_CYCLE,
             "edges.target[0]: vertex 3 is connected");
  expect_lie("edges.flags", 2, 4, NULL, BDAG_ERROR_FORMAT, "edges.flags[2]: unknown flags 4");
  expect_lie("edges.run", 0, 1, NULL, BDAG_ERROR_FORMAT,
             "edges.run[0]: the run must begin with edge 0");
  expect_lie("edges.run", 1, UINT64_MAX, NULL, BDAG_ERROR_FORMAT, "and hold 1 to 13 edges");
  expect_lie("edges.run", 1, 13, NULL, BDAG_ERROR_FORMAT, "edges.shared[6]: 7 more");
  expect_lie("edges.run", 1, 0, NULL, BDAG_ERROR_FORMAT, "and hold 1 to 13 edges");
  expect_lie("edges.run", 1, 5, NULL, BDAG_ERROR_FORMAT, "must begin with edge 5");
  expect_lie("edges.run", 5, UINT64_MAX - 1, NULL, BDAG_ERROR_FORMAT, "edges.run[5]: parameter");
  expect_lie("edges.shared", 2, 99, NULL, BDAG_ERROR_FORMAT, "edges.shared[2]: parameter 99");
  expect_lie("outputs", 3, 12, NULL, BDAG_ERROR_FORMAT, "outputs[3]: vertex 12 does not exist");
  expect_lie("outputs", 0, 7, NULL, BDAG_ERROR_FORMAT,
             "outputs[0]: vertex 7 does not exist or was");
  expect_lie("outputs", 1, 3, NULL, BDAG_ERROR_FORMAT, "outputs[1]: 3 is no kind of read-out");
  expect_lie("losses.kind", 1, 3, NULL, BDAG_ERROR_FORMAT, "losses.kind[1]: 3 is not the index");
  expect_lie("losses.vertex_count", 2, 2, NULL, BDAG_ERROR_FORMAT, "losses.vertex_count[2]: 2");
  expect_lie("losses.vertex_count", 0, 0, NULL, BDAG_ERROR_FORMAT, "losses.vertex_count[0]: 0");
  expect_lie("losses.vertex", 3, 9, NULL, BDAG_ERROR_FORMAT, "losses.vertex[3]: vertex 9");
  expect_lie("losses.weight_and_parameter", 0, nan, NULL, BDAG_ERROR_NOT_FINITE, "");
  expect_lie("vertices.removed", 6, 1, NULL, BDAG_ERROR_FORMAT, "outputs[0]: vertex 6");
}

static void newer(json_t *header) {
  json_object_set_new(json_object_get(header, "__metadata__"), "minimum_reader", json_string("2"));
}
static void no_reader(json_t *header) {
  json_object_set_new(json_object_get(header, "__metadata__"), "minimum_reader", json_string("1x"));
}
static void no_normalization(json_t *header) {
  json_object_del(json_object_get(header, "__metadata__"), "normalization");
}
static void no_names(json_t *header) {
  json_object_del(json_object_get(header, "__metadata__"), "activations");
}
static void other_type(json_t *header) {
  json_object_set_new(json_object_get(header, "edges.source"), "dtype", json_string("F32"));
}
static void unknown_type(json_t *header) {
  json_object_set_new(json_object_get(header, "edges.source"), "dtype", json_string("BF16"));
}
static void flat(json_t *header) {
  json_t *const entry = json_object_get(header, "outputs");
  json_object_set_new(entry, "shape", json_pack("[i]", 15));
}
static void deep(json_t *header) {
  json_object_set_new(json_object_get(header, "outputs"), "shape", json_pack("[i, i, i]", 5, 3, 1));
}
static void overflowing(json_t *header) {
  json_object_set_new(json_object_get(header, "outputs"), "shape",
                      json_pack("[I, I]", (json_int_t)1 << 62, (json_int_t)1 << 62));
}
static void negative(json_t *header) {
  json_object_set_new(json_object_get(header, "outputs"), "shape", json_pack("[i, i]", -5, -3));
}
static void swapped(json_t *header) {
  json_t *const offsets = json_object_get(json_object_get(header, "outputs"), "data_offsets");
  json_array_insert(offsets, 0, json_array_get(offsets, 1));
  json_array_remove(offsets, 2);
}
static void missing(json_t *header) {
  /* The emptied place becomes part of its neighbour. */
  json_t *const kind = json_object_get(header, "vertices.kind");
  json_t *const removed = json_object_get(header, "vertices.removed");
  json_t *const end = json_array_get(json_object_get(removed, "data_offsets"), 1);
  json_array_set(json_object_get(kind, "data_offsets"), 1, end);
  json_array_set_new(json_object_get(kind, "shape"), 0, json_integer(24));
  json_object_del(header, "vertices.removed");
}
static void without(json_t *header) {
  json_object_del(header, "vertices.aggregation");
}
static void overlapping(json_t *header) {
  json_t *const entry = json_deep_copy(json_object_get(header, "outputs"));
  json_object_set_new(header, "again", entry);
}

Test(safetensors, wrong_headers) {
  expect_lie(NULL, 0, 0, newer, BDAG_ERROR_UNSUPPORTED, "needs a reader of version 2");
  expect_lie(NULL, 0, 0, no_reader, BDAG_ERROR_FORMAT, "minimum_reader must be a decimal number");
  expect_lie(NULL, 0, 0, no_normalization, BDAG_ERROR_FORMAT, "normalization");
  expect_lie(NULL, 0, 0, no_names, BDAG_ERROR_FORMAT, "not the index of a name");
  expect_lie(NULL, 0, 0, other_type, BDAG_ERROR_FORMAT, "edges.source has the wrong dtype");
  expect_lie(NULL, 0, 0, unknown_type, BDAG_ERROR_UNSUPPORTED, "edges.source.dtype: \"BF16\"");
  expect_lie(NULL, 0, 0, flat, BDAG_ERROR_FORMAT, "outputs has the wrong dtype or shape");
  expect_lie(NULL, 0, 0, deep, BDAG_ERROR_FORMAT, "outputs.shape");
  expect_lie(NULL, 0, 0, overflowing, BDAG_ERROR_FORMAT, "outputs.shape");
  expect_lie(NULL, 0, 0, negative, BDAG_ERROR_FORMAT, "outputs.shape");
  expect_lie(NULL, 0, 0, swapped, BDAG_ERROR_FORMAT, "outputs.data_offsets");
  expect_lie(NULL, 0, 0, missing, BDAG_ERROR_FORMAT, "instead of 24");
  expect_lie(NULL, 0, 0, without, BDAG_ERROR_FORMAT, "unused bytes stand before the tensor");
  expect_lie(NULL, 0, 0, overlapping, BDAG_ERROR_FORMAT, "overlaps another");
}

Test(safetensors, huge_header_is_refused) {
  unsigned char bytes[16] = {0, 0, 0, 0x10, 0, 0, 0, 0, '{', '}'};
  bdag_network *network;
  bdag_error error;
  cr_assert_eq(bdag_network_parse(&network, context, bytes, sizeof bytes, &error),
               BDAG_ERROR_FORMAT);
  cr_assert_not_null(strstr(error.message, "100 MB"));
}
