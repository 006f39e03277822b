/* Writes the safetensors container. The header holds the checksums, so the data is gone through
 * twice. Floor 5: may include base. */
#include "io/safetensors.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/error.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "tensors are stored as they are in memory");

static const char *const type_names[] = {"U8", "U32", "F32", "U64", "I64", "F64"};

size_t bdag_tensor_size(bdag_tensor_type type) {
  static const size_t sizes[] = {1, 4, 4, 8, 8, 8};
  return sizes[type];
}

static uint64_t element_count(const bdag_tensor_source *tensor) {
  return tensor->rows * (tensor->columns != 0 ? tensor->columns : 1);
}

/* Hands the tensor's bytes piece by piece to the checksum or to the file (NULL: not). */
static void go_through(const bdag_tensor_source *tensor, uLong *checksum, bdag_atomic_file *file) {
  enum { PIECE = 2048 };
  const uint64_t count = element_count(tensor);
  const size_t size = bdag_tensor_size(tensor->type);
  const int narrow = tensor->type == BDAG_TENSOR_F32;
  union {
    float numbers[PIECE];
    unsigned char zeros[PIECE * sizeof(double)];
  } buffer;
  if (tensor->data == NULL) memset(&buffer, 0, sizeof buffer);
  for (uint64_t first = 0; first < count; first += PIECE) {
    const size_t here = count - first < PIECE ? (size_t)(count - first) : PIECE;
    const void *bytes = &buffer;
    if (tensor->data != NULL && narrow) {
      const double *const from = (const double *)tensor->data + first;
      for (size_t i = 0; i < here; i++) buffer.numbers[i] = (float)from[i];
    } else if (tensor->data != NULL) {
      bytes = (const unsigned char *)tensor->data + first * size;
    }
    if (checksum != NULL) *checksum = crc32_z(*checksum, bytes, here * size);
    if (file != NULL) (void)bdag_atomic_file_write(file, bytes, here * size, NULL);
  }
}

static int set_checksum(json_t *metadata, const char *name, uLong checksum) {
  char key[128], text[16];
  snprintf(key, sizeof key, "checksum%s%s", name[0] != '\0' ? "." : "", name);
  snprintf(text, sizeof text, "%08lx", checksum);
  return json_object_set_new(metadata, key, json_string(text));
}

static int describe(json_t *header, json_t *metadata, const bdag_tensor_source *tensor,
                    uint64_t *offset) {
  const uint64_t end = *offset + element_count(tensor) * bdag_tensor_size(tensor->type);
  uLong checksum = crc32_z(0, NULL, 0);
  go_through(tensor, &checksum, NULL);
  json_t *shape = json_pack("[I]", (json_int_t)tensor->rows);
  if (tensor->columns != 0 &&
      json_array_append_new(shape, json_integer((json_int_t)tensor->columns)) != 0) {
    json_decref(shape);
    shape = NULL;
  }
  json_t *const entry =
      json_pack("{s:s, s:o, s:[I, I]}", "dtype", type_names[tensor->type], "shape", shape,
                "data_offsets", (json_int_t)*offset, (json_int_t)end);
  *offset = end;
  if (json_object_set_new(header, tensor->name, entry) != 0) return -1;
  return set_checksum(metadata, tensor->name, checksum);
}

/* Checksum of the header as it is so far. */
static int seal(json_t *header, json_t *metadata) {
  char *const text = json_dumps(header, JSON_COMPACT | JSON_SORT_KEYS);
  if (text == NULL) return -1;
  const uLong checksum = crc32_z(crc32_z(0, NULL, 0), (const Bytef *)text, strlen(text));
  free(text);
  return set_checksum(metadata, "", checksum);
}

/* 8, 4, 1: elements of that size form a pass over the tensors. */
static const size_t passes[] = {8, 4, 1};

static json_t *make_header(const bdag_tensor_source *tensors, uint64_t tensor_count,
                           const bdag_tensor_text *texts, uint64_t text_count) {
  json_t *const header = json_object();
  json_t *const metadata = json_object();
  int failed = json_object_set_new(header, "__metadata__", metadata) != 0;
  for (uint64_t i = 0; !failed && i < text_count; i++) {
    failed = json_object_set_new(metadata, texts[i].key, json_string(texts[i].value)) != 0;
  }
  uint64_t offset = 0;
  for (int pass = 0; pass < 3; pass++) {
    for (uint64_t i = 0; !failed && i < tensor_count; i++) {
      if (bdag_tensor_size(tensors[i].type) != passes[pass]) continue;
      failed = describe(header, metadata, &tensors[i], &offset) != 0;
    }
  }
  if (!failed && seal(header, metadata) == 0) return header;
  json_decref(header);
  return NULL;
}

bdag_status bdag_safetensors_write(bdag_atomic_file *file, const bdag_context *context,
                                   const bdag_tensor_source *tensors, uint64_t tensor_count,
                                   const bdag_tensor_text *texts, uint64_t text_count,
                                   bdag_error *error) {
  (void)context;
  json_t *const header = make_header(tensors, tensor_count, texts, text_count);
  char *const text = header != NULL ? json_dumps(header, JSON_COMPACT) : NULL;
  json_decref(header);
  if (text == NULL) return bdag_fail_memory(error);
  const uint64_t used = strlen(text), padding = -used & 7, length = used + padding;
  (void)bdag_atomic_file_write(file, &length, sizeof length, NULL);
  (void)bdag_atomic_file_write(file, text, used, NULL);
  (void)bdag_atomic_file_write(file, "       ", padding, NULL);
  free(text);
  for (int pass = 0; pass < 3; pass++) {
    for (uint64_t i = 0; i < tensor_count; i++) {
      if (bdag_tensor_size(tensors[i].type) == passes[pass]) go_through(&tensors[i], NULL, file);
    }
  }
  return BDAG_OK;
}
