/* The container: safetensors files of little-endian arrays without holes, with a CRC-32 for each
 * tensor ("checksum.<name>" in the metadata) and one of the header itself ("checksum": of its JSON
 * with sorted keys, without spaces and without that member). Floor 5: may include base. */
#ifndef BDAG_IO_SAFETENSORS_H
#define BDAG_IO_SAFETENSORS_H

#include <jansson.h>

#include "io/atomic_file.h"

/* Element types that we write; others are refused by name. */
typedef enum bdag_tensor_type {
  BDAG_TENSOR_U8 = 0,
  BDAG_TENSOR_U32 = 1,
  BDAG_TENSOR_F32 = 2,
  BDAG_TENSOR_U64 = 3,
  BDAG_TENSOR_I64 = 4,
  BDAG_TENSOR_F64 = 5
} bdag_tensor_type;
size_t bdag_tensor_size(bdag_tensor_type type);

/* ---- Writing ---- */

/* rows × columns elements; columns 0: a vector of `rows` elements. F32 is written from doubles. */
typedef struct bdag_tensor_source {
  const char *name;
  bdag_tensor_type type;
  uint64_t rows, columns;
  const void *data; /* NULL: zeros */
} bdag_tensor_source;

typedef struct bdag_tensor_text {
  const char *key, *value;
} bdag_tensor_text;

/* Writes a whole container: tensors with the widest elements first, so that all are aligned. */
bdag_status bdag_safetensors_write(bdag_atomic_file *file, const bdag_context *context,
                                   const bdag_tensor_source *tensors, uint64_t tensor_count,
                                   const bdag_tensor_text *texts, uint64_t text_count,
                                   bdag_error *error);

/* ---- Reading ---- */

typedef struct bdag_tensor {
  const char *name;
  bdag_tensor_type type;
  uint64_t rows, columns;    /* columns 0: a vector */
  uint64_t count;            /* elements */
  const unsigned char *data; /* not aligned */
  uint64_t offset;           /* of the data in the file */
  uint64_t begin, end;
} bdag_tensor;

typedef struct bdag_safetensors {
  const bdag_context *context;
  const char *file; /* NULL: memory */
  bdag_error *error;
  json_t *header;
  const json_t *metadata;
  bdag_tensor *tensors; /* in the order of the file */
  uint64_t tensor_count;
} bdag_safetensors;

/* Checks the container and all checksums; the bytes must outlive it. Returns OK, FORMAT, UNSUPPORTED
 * (an element type), OUT_OF_MEMORY. Release it in any case. */
bdag_status bdag_safetensors_open(bdag_safetensors *tensors, const bdag_context *context,
                                  const void *bytes, uint64_t size, const char *file,
                                  bdag_error *error);
void bdag_safetensors_release(bdag_safetensors *tensors);

/* A tensor by name, or NULL. */
const bdag_tensor *bdag_safetensors_find(const bdag_safetensors *tensors, const char *name);
/* A tensor that must be there with that type and columns, and with `count` elements unless that is
 * BDAG_NONE. */
bdag_status bdag_safetensors_need(const bdag_safetensors *tensors, const char *name,
                                  bdag_tensor_type type, uint64_t columns, uint64_t count,
                                  const bdag_tensor **tensor);
/* Copies elements, F32 as doubles. */
void bdag_tensor_copy(const bdag_tensor *tensor, uint64_t first, uint64_t count, void *to);
/* Fails with "name[index]: …". */
__attribute__((format(printf, 5, 6))) bdag_status
bdag_tensor_fail(const bdag_safetensors *tensors, bdag_status status, const bdag_tensor *tensor,
                 uint64_t index, const char *format, ...);

/* Text of the metadata, or NULL. */
const char *bdag_safetensors_text(const bdag_safetensors *tensors, const char *key);
/* Text that must be there and be a decimal number. */
bdag_status bdag_safetensors_number(const bdag_safetensors *tensors, const char *key,
                                    uint64_t *value);

#endif
