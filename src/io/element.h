/* Binary numbers of any type and byte order, as IDX and NumPy store them. Floor 5. */
#ifndef BDAG_IO_ELEMENT_H
#define BDAG_IO_ELEMENT_H

#include "io/table_internal.h"

typedef enum bdag_element_kind {
  BDAG_ELEMENT_BOOL,
  BDAG_ELEMENT_U8,
  BDAG_ELEMENT_I8,
  BDAG_ELEMENT_U16,
  BDAG_ELEMENT_I16,
  BDAG_ELEMENT_U32,
  BDAG_ELEMENT_I32,
  BDAG_ELEMENT_U64,
  BDAG_ELEMENT_I64,
  BDAG_ELEMENT_F16,
  BDAG_ELEMENT_F32,
  BDAG_ELEMENT_F64
} bdag_element_kind;

typedef struct bdag_element {
  bdag_element_kind kind;
  int big_endian;
} bdag_element;

size_t bdag_element_size(bdag_element_kind kind);

/* Stores `count` elements from `bytes`, times `scale`, as the table's values first, first + step, ….
 * Returns how many: fewer than `count` when the next one is finite but beyond the table's type. */
uint64_t bdag_element_store(bdag_table *table, uint64_t first, uint64_t step, bdag_element element,
                            const unsigned char *bytes, uint64_t count, double scale);

#endif
