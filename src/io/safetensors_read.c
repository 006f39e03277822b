/* Reads the safetensors container; nothing in the file is believed before it is checked.
 * Floor 5: may include base. */
#include "io/safetensors.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "io/json_value.h"

static const uint64_t header_limit = 100000000;

static bdag_status fail(const bdag_safetensors *tensors, bdag_status status, uint64_t offset,
                        const char *text) {
  return bdag_fail_at(tensors->error, status, tensors->file, 0, offset, "%s", text);
}

bdag_status bdag_tensor_fail(const bdag_safetensors *tensors, bdag_status status,
                             const bdag_tensor *tensor, uint64_t index, const char *format, ...) {
  char text[300], message[400];
  va_list arguments;
  va_start(arguments, format);
  bdag_format_text(text, sizeof text, format, arguments);
  va_end(arguments);
  const uint64_t offset = tensor->offset + index * bdag_tensor_size(tensor->type);
  snprintf(message, sizeof message, "%.60s[%" PRIu64 "]: %s", tensor->name, index, text);
  bdag_hide_controls(message);
  return bdag_fail_at(tensors->error, status, tensors->file, 0, offset, "%s", message);
}

static bdag_status parse_header(bdag_safetensors *tensors, const unsigned char *bytes,
                                uint64_t length) {
  const bdag_json_reader reader = {(bdag_context *)tensors->context, tensors->file, tensors->error};
  bdag_status status;
  tensors->header = bdag_json_parse(&reader, bytes + 8, length, &status);
  if (tensors->header == NULL) {
    bdag_error *const error = tensors->error;
    if (status == BDAG_ERROR_FORMAT && error != NULL) {
      error->line = 0;
      if (error->offset != UINT64_MAX) error->offset += 8;
    }
    return status;
  }
  if (!json_is_object(tensors->header)) {
    return fail(tensors, BDAG_ERROR_FORMAT, 8, "the header must be an object");
  }
  tensors->metadata = json_object_get(tensors->header, "__metadata__");
  if (tensors->metadata != NULL && !json_is_object(tensors->metadata)) {
    return fail(tensors, BDAG_ERROR_FORMAT, 8, "__metadata__ must be an object");
  }
  return BDAG_OK;
}

static int find_type(const char *name, bdag_tensor_type *type) {
  static const char *const names[] = {"U8", "U32", "F32", "U64", "I64", "F64"};
  for (int i = 0; i < 6; i++) {
    if (strcmp(name, names[i]) != 0) continue;
    *type = (bdag_tensor_type)i;
    return 1;
  }
  return 0;
}

/* [rows] or [rows, columns]; 0 when it is neither or too large. */
static int read_shape(const json_t *shape, bdag_tensor *tensor) {
  const size_t rank = json_array_size(shape);
  if (rank < 1 || rank > 2) return 0;
  uint64_t sizes[2] = {0, 0};
  for (size_t i = 0; i < rank; i++) {
    const json_t *const size = json_array_get(shape, i);
    if (!json_is_integer(size) || json_integer_value(size) < 0) return 0;
    sizes[i] = (uint64_t)json_integer_value(size);
  }
  if (rank == 2 && sizes[1] == 0) return 0;
  tensor->rows = sizes[0];
  tensor->columns = sizes[1];
  return !__builtin_mul_overflow(sizes[0], rank == 2 ? sizes[1] : 1, &tensor->count);
}

static int read_offsets(const json_t *offsets, uint64_t data_size, bdag_tensor *tensor) {
  const json_t *const begin = json_array_get(offsets, 0), *const end = json_array_get(offsets, 1);
  if (json_array_size(offsets) != 2 || !json_is_integer(begin) || !json_is_integer(end)) return 0;
  if (json_integer_value(begin) < 0 || json_integer_value(end) < 0) return 0;
  tensor->begin = (uint64_t)json_integer_value(begin);
  tensor->end = (uint64_t)json_integer_value(end);
  uint64_t size;
  if (__builtin_mul_overflow(tensor->count, bdag_tensor_size(tensor->type), &size)) return 0;
  return tensor->begin <= tensor->end && tensor->end <= data_size &&
         tensor->end - tensor->begin == size;
}

static bdag_status read_entry(bdag_safetensors *tensors, const char *name, const json_t *entry,
                              uint64_t data_size, bdag_tensor *tensor) {
  const bdag_json_reader reader = {(bdag_context *)tensors->context, tensors->file, tensors->error};
  const bdag_json_place place = {name, BDAG_NONE};
  const char *type;
  bdag_status status = bdag_json_string(&reader, entry, place, "dtype", &type);
  if (status != BDAG_OK) return status;
  tensor->name = name;
  if (!find_type(type, &tensor->type)) {
    return bdag_json_fail(&reader, BDAG_ERROR_UNSUPPORTED, place, "dtype",
                          "\"%.20s\" is not one of U8, U32, F32, U64, I64 and F64", type);
  }
  if (!read_shape(json_object_get(entry, "shape"), tensor)) {
    return bdag_json_fail(&reader, BDAG_ERROR_FORMAT, place, "shape",
                          "must be a list of one or two sizes");
  }
  if (!read_offsets(json_object_get(entry, "data_offsets"), data_size, tensor)) {
    return bdag_json_fail(&reader, BDAG_ERROR_FORMAT, place, "data_offsets",
                          "must be [begin, end] within the %" PRIu64
                          " bytes of data, and fit dtype and shape",
                          data_size);
  }
  return BDAG_OK;
}

static int compare_places(const void *left, const void *right) {
  const bdag_tensor *const a = left, *const b = right;
  if (a->begin != b->begin) return a->begin < b->begin ? -1 : 1;
  return a->end < b->end ? -1 : a->end > b->end;
}

static bdag_status check_places(bdag_safetensors *tensors, uint64_t data_size) {
  uint64_t end = 0;
  qsort(tensors->tensors, tensors->tensor_count, sizeof *tensors->tensors, compare_places);
  for (uint64_t i = 0; i < tensors->tensor_count; i++) {
    const bdag_tensor *const tensor = &tensors->tensors[i];
    if (tensor->begin != end) {
      return bdag_tensor_fail(tensors, BDAG_ERROR_FORMAT, tensor, 0,
                              tensor->begin > end ? "unused bytes stand before the tensor"
                                                  : "the tensor overlaps another");
    }
    end = tensor->end;
  }
  if (end == data_size) return BDAG_OK;
  return fail(tensors, BDAG_ERROR_FORMAT, UINT64_MAX, "unused bytes stand at the end of the file");
}

static bdag_status read_entries(bdag_safetensors *tensors, const unsigned char *data,
                                uint64_t data_size, uint64_t data_offset) {
  tensors->tensors = bdag_allocate_array(tensors->context, json_object_size(tensors->header),
                                         sizeof *tensors->tensors);
  if (tensors->tensors == NULL) return bdag_fail_memory(tensors->error);
  const char *name;
  json_t *entry;
  json_object_foreach(tensors->header, name, entry) {
    if (strcmp(name, "__metadata__") == 0) continue;
    bdag_tensor *const tensor = &tensors->tensors[tensors->tensor_count];
    const bdag_status status = read_entry(tensors, name, entry, data_size, tensor);
    if (status != BDAG_OK) return status;
    tensor->data = data + tensor->begin;
    tensor->offset = data_offset + tensor->begin;
    tensors->tensor_count++;
  }
  return check_places(tensors, data_size);
}

static int has_checksum(const bdag_safetensors *tensors, const char *key, const void *bytes,
                        size_t size) {
  char text[16];
  const char *const expected = bdag_safetensors_text(tensors, key);
  snprintf(text, sizeof text, "%08lx", crc32_z(crc32_z(0, NULL, 0), bytes, size));
  return expected != NULL && strcmp(expected, text) == 0;
}

static bdag_status check_header(const bdag_safetensors *tensors) {
  json_t *const header = json_copy(tensors->header);
  json_t *const metadata = json_copy((json_t *)tensors->metadata);
  char *text = NULL;
  if (header != NULL && metadata != NULL) {
    json_object_del(metadata, "checksum");
    if (json_object_set(header, "__metadata__", metadata) == 0) {
      text = json_dumps(header, JSON_COMPACT | JSON_SORT_KEYS);
    }
  }
  json_decref(metadata);
  json_decref(header);
  if (text == NULL) return bdag_fail_memory(tensors->error);
  const int good = has_checksum(tensors, "checksum", text, strlen(text));
  free(text);
  if (good) return BDAG_OK;
  return fail(tensors, BDAG_ERROR_FORMAT, 8,
              "the header does not fit its checksum; the file is damaged");
}

static bdag_status check_data(const bdag_safetensors *tensors) {
  for (uint64_t i = 0; i < tensors->tensor_count; i++) {
    const bdag_tensor *const tensor = &tensors->tensors[i];
    char key[128];
    snprintf(key, sizeof key, "checksum.%.100s", tensor->name);
    if (has_checksum(tensors, key, tensor->data, tensor->end - tensor->begin)) continue;
    return bdag_tensor_fail(tensors, BDAG_ERROR_FORMAT, tensor, 0,
                            "the tensor does not fit its checksum; the file is damaged");
  }
  return BDAG_OK;
}

bdag_status bdag_safetensors_open(bdag_safetensors *tensors, const bdag_context *context,
                                  const void *bytes, uint64_t size, const char *file,
                                  bdag_error *error) {
  *tensors = (bdag_safetensors){.context = context, .file = file, .error = error};
  uint64_t length;
  if (size < sizeof length) {
    return fail(tensors, BDAG_ERROR_FORMAT, 0, "the file ends within the length of the header");
  }
  memcpy(&length, bytes, sizeof length);
  if (length > header_limit) {
    return fail(tensors, BDAG_ERROR_FORMAT, 0, "the header is said to be longer than 100 MB");
  }
  if (length > size - sizeof length) {
    return fail(tensors, BDAG_ERROR_FORMAT, 0, "the file ends within the header");
  }
  const uint64_t data_offset = sizeof length + length;
  bdag_status status = parse_header(tensors, bytes, length);
  if (status == BDAG_OK) {
    status = read_entries(tensors, (const unsigned char *)bytes + data_offset, size - data_offset,
                          data_offset);
  }
  if (status != BDAG_OK) return status;
  const char *const format = bdag_safetensors_text(tensors, "format");
  if (format == NULL || strcmp(format, "backdag") != 0) {
    return fail(
        tensors, BDAG_ERROR_UNSUPPORTED, 8,
        "these tensors were not written by backdag: __metadata__.format is not \"backdag\"");
  }
  status = check_header(tensors);
  return status == BDAG_OK ? check_data(tensors) : status;
}

void bdag_safetensors_release(bdag_safetensors *tensors) {
  bdag_free(tensors->context, tensors->tensors);
  json_decref(tensors->header);
}

const bdag_tensor *bdag_safetensors_find(const bdag_safetensors *tensors, const char *name) {
  for (uint64_t i = 0; i < tensors->tensor_count; i++) {
    if (strcmp(tensors->tensors[i].name, name) == 0) return &tensors->tensors[i];
  }
  return NULL;
}

bdag_status bdag_safetensors_need(const bdag_safetensors *tensors, const char *name,
                                  bdag_tensor_type type, uint64_t columns, uint64_t count,
                                  const bdag_tensor **tensor) {
  *tensor = bdag_safetensors_find(tensors, name);
  if (*tensor == NULL) {
    return bdag_fail_at(tensors->error, BDAG_ERROR_FORMAT, tensors->file, 0, UINT64_MAX,
                        "tensor %s is missing", name);
  }
  if ((*tensor)->type != type || (*tensor)->columns != columns) {
    return bdag_fail_at(tensors->error, BDAG_ERROR_FORMAT, tensors->file, 0, (*tensor)->offset,
                        "tensor %s has the wrong dtype or shape", name);
  }
  if (count == BDAG_NONE || (*tensor)->count == count) return BDAG_OK;
  return bdag_fail_at(tensors->error, BDAG_ERROR_FORMAT, tensors->file, 0, (*tensor)->offset,
                      "tensor %s has %" PRIu64 " elements instead of %" PRIu64, name,
                      (*tensor)->count, count);
}

void bdag_tensor_copy(const bdag_tensor *tensor, uint64_t first, uint64_t count, void *to) {
  const size_t size = bdag_tensor_size(tensor->type);
  const unsigned char *const from = tensor->data + first * size;
  if (tensor->type != BDAG_TENSOR_F32) {
    memcpy(to, from, (size_t)count * size);
    return;
  }
  double *const numbers = to;
  for (uint64_t i = 0; i < count; i++) {
    float number;
    memcpy(&number, from + i * sizeof number, sizeof number);
    numbers[i] = (double)number;
  }
}

const char *bdag_safetensors_text(const bdag_safetensors *tensors, const char *key) {
  return json_string_value(json_object_get(tensors->metadata, key));
}

bdag_status bdag_safetensors_number(const bdag_safetensors *tensors, const char *key,
                                    uint64_t *value) {
  const char *const text = bdag_safetensors_text(tensors, key);
  const char *digit = text;
  int wrong = text == NULL || *text == '\0';
  *value = 0;
  for (; !wrong && *digit != '\0'; digit++) {
    wrong = *digit < '0' || *digit > '9' || __builtin_mul_overflow(*value, 10u, value) ||
            __builtin_add_overflow(*value, (uint64_t)(*digit - '0'), value);
  }
  if (!wrong) return BDAG_OK;
  return bdag_fail_at(tensors->error, BDAG_ERROR_FORMAT, tensors->file, 0, 8,
                      "__metadata__.%s must be a decimal number", key);
}
