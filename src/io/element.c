/* Decoding of binary numbers, in pieces that stay in the first-level cache. May include base. */
#include "io/element.h"

#include <math.h>
#include <string.h>

enum { piece_length = 256 };

size_t bdag_element_size(bdag_element_kind kind) {
  switch (kind) {
  case BDAG_ELEMENT_BOOL:
  case BDAG_ELEMENT_U8:
  case BDAG_ELEMENT_I8:
    return 1;
  case BDAG_ELEMENT_U16:
  case BDAG_ELEMENT_I16:
  case BDAG_ELEMENT_F16:
    return 2;
  case BDAG_ELEMENT_U32:
  case BDAG_ELEMENT_I32:
  case BDAG_ELEMENT_F32:
    return 4;
  default:
    return 8;
  }
}

static uint64_t load(const unsigned char *bytes, size_t size, int big_endian) {
  uint64_t bits = 0;
  for (size_t i = 0; i < size; i++)
    bits |= (uint64_t)bytes[i] << 8 * (big_endian ? size - 1 - i : i);
  return bits;
}

static double from_half(uint64_t bits) {
  const int exponent = (int)(bits >> 10) & 31;
  const double fraction = (double)(bits & 1023);
  double magnitude;
  if (exponent == 31)
    magnitude = fraction == 0.0 ? INFINITY : NAN;
  else
    magnitude = exponent ? ldexp(1024.0 + fraction, exponent - 25) : ldexp(fraction, -24);
  return bits & 0x8000 ? -magnitude : magnitude;
}

static double from_float(uint64_t bits) {
  const uint32_t narrow = (uint32_t)bits;
  float value;
  memcpy(&value, &narrow, sizeof value);
  return (double)value;
}

static double from_double(uint64_t bits) {
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static double convert(bdag_element_kind kind, uint64_t bits) {
  switch (kind) {
  case BDAG_ELEMENT_BOOL:
    return bits ? 1.0 : 0.0;
  case BDAG_ELEMENT_I8:
    return (double)(int8_t)bits;
  case BDAG_ELEMENT_I16:
    return (double)(int16_t)bits;
  case BDAG_ELEMENT_I32:
    return (double)(int32_t)bits;
  case BDAG_ELEMENT_I64:
    return (double)(int64_t)bits;
  case BDAG_ELEMENT_F16:
    return from_half(bits);
  case BDAG_ELEMENT_F32:
    return from_float(bits);
  case BDAG_ELEMENT_F64:
    return from_double(bits);
  default:
    return (double)bits;
  }
}

static void decode(double *values, bdag_element element, const unsigned char *bytes, size_t count) {
  if (element.kind == BDAG_ELEMENT_U8) {
    for (size_t i = 0; i < count; i++) values[i] = (double)bytes[i];
    return;
  }
  const size_t size = bdag_element_size(element.kind);
  for (size_t i = 0; i < count; i++)
    values[i] = convert(element.kind, load(bytes + i * size, size, element.big_endian));
}

static size_t store(bdag_table *table, uint64_t first, uint64_t step, const double *values,
                    size_t count, double scale) {
  for (size_t i = 0; i < count; i++) {
    const double scaled = values[i] * scale;
    const double rounded = table->type == BDAG_FLOAT32 ? (double)(float)scaled : scaled;
    if (isinf(rounded) && !isinf(values[i])) return i;
    bdag_table_store(table, first + i * step, rounded);
  }
  return count;
}

uint64_t bdag_element_store(bdag_table *table, uint64_t first, uint64_t step, bdag_element element,
                            const unsigned char *bytes, uint64_t count, double scale) {
  const size_t size = bdag_element_size(element.kind);
  double values[piece_length];
  for (uint64_t done = 0; done < count;) {
    const size_t length = count - done < piece_length ? (size_t)(count - done) : piece_length;
    decode(values, element, bytes + done * size, length);
    const size_t stored = store(table, first + done * step, step, values, length, scale);
    done += stored;
    if (stored < length) return done;
  }
  return count;
}
