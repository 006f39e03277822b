/* Rows of a caller's matrix, of any type and strides, into a contiguous one. May include base. */
#include "train/gather.h"

#include <string.h>

static void gather_float32(float *restrict to, const bdag_array *from, ptrdiff_t start,
                           uint64_t columns) {
  const ptrdiff_t step = from->vertex_stride;
  if (from->type == BDAG_FLOAT32) {
    const float *const source = (const float *)from->data + start;
    for (uint64_t j = 0; j < columns; j++) to[j] = source[(ptrdiff_t)j * step];
  } else {
    const double *const source = (const double *)from->data + start;
    for (uint64_t j = 0; j < columns; j++) to[j] = (float)source[(ptrdiff_t)j * step];
  }
}

static void gather_float64(double *restrict to, const bdag_array *from, ptrdiff_t start,
                           uint64_t columns) {
  const ptrdiff_t step = from->vertex_stride;
  if (from->type == BDAG_FLOAT32) {
    const float *const source = (const float *)from->data + start;
    for (uint64_t j = 0; j < columns; j++) to[j] = source[(ptrdiff_t)j * step];
  } else {
    const double *const source = (const double *)from->data + start;
    for (uint64_t j = 0; j < columns; j++) to[j] = source[(ptrdiff_t)j * step];
  }
}

void bdag_gather_rows(bdag_type type, void *destination, const bdag_array *from, uint64_t columns,
                      const uint64_t *rows, uint64_t count) {
  if (columns == 0) return;
  const size_t width = type == BDAG_FLOAT32 ? sizeof(float) : sizeof(double);
  const int plain = from->type == type && from->vertex_stride == 1;
  for (uint64_t i = 0; i < count; i++) {
    char *const to = (char *)destination + i * columns * width;
    const ptrdiff_t start = (ptrdiff_t)rows[i] * from->sample_stride;
    if (plain) {
      memcpy(to, (const char *)from->data + start * (ptrdiff_t)width, columns * width);
    } else if (type == BDAG_FLOAT32) {
      gather_float32((float *)(void *)to, from, start, columns);
    } else {
      gather_float64((double *)(void *)to, from, start, columns);
    }
  }
}
