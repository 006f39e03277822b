/* IDX, the format of MNIST: two zero bytes, element type, number of dimensions, the dimensions as
 * 32 bits and then the elements, all big-endian. May include base. */
#include "io/element.h"

#include "base/error.h"

typedef unsigned long long ull;

/* Returns 0, or −1 for a code that IDX does not define. */
static int element_kind(unsigned char code, bdag_element_kind *kind) {
  static const struct {
    unsigned char code;
    bdag_element_kind kind;
  } codes[] = {{0x08, BDAG_ELEMENT_U8},  {0x09, BDAG_ELEMENT_I8},  {0x0B, BDAG_ELEMENT_I16},
               {0x0C, BDAG_ELEMENT_I32}, {0x0D, BDAG_ELEMENT_F32}, {0x0E, BDAG_ELEMENT_F64}};
  for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
    if (codes[i].code != code) continue;
    *kind = codes[i].kind;
    return 0;
  }
  return -1;
}

int bdag_idx_matches(const bdag_source *source) {
  bdag_element_kind kind;
  return source->size >= 4 && source->bytes[0] == 0 && source->bytes[1] == 0 &&
         source->bytes[3] >= 1 && element_kind(source->bytes[2], &kind) == 0;
}

static uint64_t dimension(const bdag_source *source, int i) {
  const unsigned char *const bytes = source->bytes + 4 + 4 * (size_t)i;
  return (uint64_t)bytes[0] << 24 | (uint64_t)bytes[1] << 16 | (uint64_t)bytes[2] << 8 | bytes[3];
}

static bdag_status check_header(const bdag_source *source, bdag_element_kind *kind,
                                bdag_error *error) {
  const unsigned char *const bytes = source->bytes;
  if (source->size < 4)
    return bdag_fail_at(error, BDAG_ERROR_FORMAT, source->name, 0, source->size,
                        "the file ends within the first 4 bytes of an IDX header");
  if (bytes[0] || bytes[1])
    return bdag_fail_at(error, BDAG_ERROR_FORMAT, source->name, 0, 0,
                        "not an IDX file: expected two zero bytes, found %02x %02x", bytes[0],
                        bytes[1]);
  if (element_kind(bytes[2], kind) != 0)
    return bdag_fail_at(error, BDAG_ERROR_FORMAT, source->name, 0, 2,
                        "IDX defines no element type %02x; expected 08, 09, 0b, 0c, 0d or 0e",
                        bytes[2]);
  if (bytes[3] == 0)
    return bdag_fail_at(error, BDAG_ERROR_FORMAT, source->name, 0, 3,
                        "an IDX file of 0 dimensions; expected at least 1");
  if (source->size < 4 + 4 * (size_t)bytes[3])
    return bdag_fail_at(error, BDAG_ERROR_FORMAT, source->name, 0, source->size,
                        "the file ends within its IDX header of %d dimensions", bytes[3]);
  return BDAG_OK;
}

static bdag_status check_length(const bdag_source *source, uint64_t header, uint64_t rows,
                                uint64_t columns, size_t element_size, bdag_error *error) {
  uint64_t length;
  if (__builtin_mul_overflow(rows, columns, &length) ||
      __builtin_mul_overflow(length, element_size, &length) ||
      __builtin_add_overflow(length, header, &length))
    return bdag_fail_at(error, BDAG_ERROR_LIMIT, source->name, 0, 4,
                        "the IDX header promises more values than can be counted");
  if (length == source->size) return BDAG_OK;
  return bdag_fail_at(error, BDAG_ERROR_FORMAT, source->name, 0,
                      length < source->size ? length : source->size,
                      "the IDX header promises %llu bytes in all, the file has %llu", (ull)length,
                      (ull)source->size);
}

bdag_status bdag_idx_read(bdag_table *table, const bdag_source *source,
                          const bdag_table_options *options, bdag_error *error) {
  bdag_element_kind kind = BDAG_ELEMENT_U8;
  bdag_status status = check_header(source, &kind, error);
  if (status != BDAG_OK) return status;
  const int dimensions = source->bytes[3];
  const uint64_t header = 4 + 4 * (uint64_t)dimensions;
  const uint64_t rows = dimension(source, 0);
  uint64_t columns = 1;
  for (int i = 1; i < dimensions; i++)
    if (__builtin_mul_overflow(columns, dimension(source, i), &columns))
      return bdag_fail_at(error, BDAG_ERROR_LIMIT, source->name, 0, 4 + 4 * (uint64_t)i,
                          "the IDX header promises more values than can be counted");
  status = check_length(source, header, rows, columns, bdag_element_size(kind), error);
  if (status != BDAG_OK) return status;
  status = bdag_table_reserve(table, source, rows, columns, error);
  if (status != BDAG_OK) return status;
  const int is_image = kind == BDAG_ELEMENT_U8 && dimensions > 1;
  const double natural = is_image ? 1.0 / 255.0 : 1.0;
  const double scale = options->scale != 0.0 ? options->scale : natural;
  const uint64_t count = rows * columns;
  const uint64_t stored = bdag_element_store(table, 0, 1, (bdag_element){kind, 1},
                                             source->bytes + header, count, scale);
  if (stored == count) return BDAG_OK;
  const uint64_t offset = header + stored * bdag_element_size(kind);
  return bdag_fail_at(error, BDAG_ERROR_FORMAT, source->name, 0, offset,
                      "the value at byte %llu is beyond the range of the table's type",
                      (ull)offset);
}
