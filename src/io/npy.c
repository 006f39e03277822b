/* NumPy's .npy, versions 1 to 3 (NumPy Enhancement Proposal 1): magic, version, length of the header,
 * the header as a Python dictionary, the elements. May include base. */
#include "io/element.h"

#include <string.h>

#include "base/error.h"

typedef unsigned long long ull;

enum { dimensions_max = 64, magic_size = 6 };
static const unsigned char magic[magic_size] = {0x93, 'N', 'U', 'M', 'P', 'Y'};

typedef struct header {
  bdag_element element;
  int is_fortran;
  int dimension_count;
  uint64_t dimensions[dimensions_max];
  uint64_t end; /* offset of the first element */
} header;

typedef struct scanner {
  const bdag_source *source;
  const char *begin, *cursor, *end;
} scanner;

int bdag_npy_matches(const bdag_source *source) {
  return source->size >= magic_size && memcmp(source->bytes, magic, magic_size) == 0;
}

/* ---- The dictionary ---- */

static uint64_t offset_of(const scanner *text) {
  return (uint64_t)(text->cursor - text->begin);
}

static bdag_status fail_expected(const scanner *text, const char *expected, bdag_error *error) {
  return bdag_fail_at(error, BDAG_ERROR_FORMAT, text->source->name, 0, offset_of(text),
                      "the .npy header at byte %llu: expected %s", (ull)offset_of(text), expected);
}

static void skip_space(scanner *text) {
  while (text->cursor < text->end &&
         (*text->cursor == ' ' || (*text->cursor >= '\t' && *text->cursor <= '\r')))
    text->cursor++;
}

/* Takes `wanted` if it comes next. */
static int take(scanner *text, char wanted) {
  skip_space(text);
  if (text->cursor == text->end || *text->cursor != wanted) return 0;
  text->cursor++;
  return 1;
}

static int take_word(scanner *text, const char *word) {
  const size_t length = strlen(word);
  skip_space(text);
  if ((size_t)(text->end - text->cursor) < length || memcmp(text->cursor, word, length)) return 0;
  text->cursor += length;
  return 1;
}

/* A string without escapes in single or double quotes; returns 0 if there is none. */
static int take_string(scanner *text, const char **begin, const char **end) {
  skip_space(text);
  if (text->cursor == text->end || (*text->cursor != '\'' && *text->cursor != '"')) return 0;
  const char quote = *text->cursor;
  const char *const first = text->cursor + 1;
  const char *const last = memchr(first, quote, (size_t)(text->end - first));
  if (!last || memchr(first, '\\', (size_t)(last - first))) return 0;
  *begin = first;
  *end = last;
  text->cursor = last + 1;
  return 1;
}

static int equals(const char *begin, const char *end, const char *word) {
  return (size_t)(end - begin) == strlen(word) && memcmp(begin, word, strlen(word)) == 0;
}

/* Letter and size of an element type; returns −1 for those that are not plain numbers. */
static int find_kind(const char *begin, const char *end, bdag_element_kind *kind) {
  static const struct {
    const char *name;
    bdag_element_kind kind;
  } kinds[] = {{"b1", BDAG_ELEMENT_BOOL}, {"i1", BDAG_ELEMENT_I8},  {"i2", BDAG_ELEMENT_I16},
               {"i4", BDAG_ELEMENT_I32},  {"i8", BDAG_ELEMENT_I64}, {"u1", BDAG_ELEMENT_U8},
               {"u2", BDAG_ELEMENT_U16},  {"u4", BDAG_ELEMENT_U32}, {"u8", BDAG_ELEMENT_U64},
               {"f2", BDAG_ELEMENT_F16},  {"f4", BDAG_ELEMENT_F32}, {"f8", BDAG_ELEMENT_F64}};
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    if (!equals(begin, end, kinds[i].name)) continue;
    *kind = kinds[i].kind;
    return 0;
  }
  return -1;
}

static bdag_status read_element(scanner *text, header *result, bdag_error *error) {
  skip_space(text);
  const uint64_t offset = offset_of(text);
  if (text->cursor < text->end && *text->cursor == '[')
    return bdag_fail_at(error, BDAG_ERROR_UNSUPPORTED, text->source->name, 0, offset,
                        "structured elements are not supported; save one plain array of numbers");
  const char *begin, *end;
  if (!take_string(text, &begin, &end)) return fail_expected(text, "an element type", error);
  const char order = begin < end && strchr("<>|=", *begin) ? *begin : 0;
  if (end - begin > 1 && begin[1] == 'O')
    return bdag_fail_at(error, BDAG_ERROR_UNSUPPORTED, text->source->name, 0, offset,
                        "Python objects are not supported; convert with astype('float32')");
  char excerpt[bdag_excerpt_size];
  if (!order || find_kind(begin + 1, end, &result->element.kind) != 0)
    return bdag_fail_at(error, BDAG_ERROR_UNSUPPORTED, text->source->name, 0, offset,
                        "elements of type '%s' are not supported; convert with astype('float32')",
                        bdag_excerpt(excerpt, begin, end));
  if (order == '|' && bdag_element_size(result->element.kind) > 1)
    return bdag_fail_at(error, BDAG_ERROR_FORMAT, text->source->name, 0, offset,
                        "elements of type '%s' need a byte order, < or >",
                        bdag_excerpt(excerpt, begin, end));
  const int native_big = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;
  result->element.big_endian = order == '>' || (order == '=' && native_big);
  return BDAG_OK;
}

static bdag_status read_order(scanner *text, header *result, bdag_error *error) {
  result->is_fortran = take_word(text, "True");
  if (result->is_fortran || take_word(text, "False")) return BDAG_OK;
  return fail_expected(text, "True or False", error);
}

static bdag_status read_dimension(scanner *text, header *result, bdag_error *error) {
  const char *const begin = text->cursor;
  uint64_t value = 0;
  for (; text->cursor < text->end && *text->cursor >= '0' && *text->cursor <= '9'; text->cursor++)
    if (__builtin_mul_overflow(value, 10, &value) ||
        __builtin_add_overflow(value, (uint64_t)(*text->cursor - '0'), &value))
      return bdag_fail_at(error, BDAG_ERROR_LIMIT, text->source->name, 0, offset_of(text),
                          "a dimension in the .npy header is larger than 64 bits");
  if (text->cursor == begin) return fail_expected(text, "a dimension", error);
  /* Python 2 wrote long integers with this letter. */
  if (text->cursor < text->end && *text->cursor == 'L') text->cursor++;
  if (result->dimension_count == dimensions_max)
    return bdag_fail_at(error, BDAG_ERROR_UNSUPPORTED, text->source->name, 0, offset_of(text),
                        "an array of more than %d dimensions is not supported", dimensions_max);
  result->dimensions[result->dimension_count++] = value;
  return BDAG_OK;
}

static bdag_status read_shape(scanner *text, header *result, bdag_error *error) {
  if (!take(text, '(')) return fail_expected(text, "a tuple of dimensions", error);
  result->dimension_count = 0;
  if (take(text, ')'))
    return bdag_fail_at(error, BDAG_ERROR_UNSUPPORTED, text->source->name, 0, offset_of(text),
                        "a single number without dimensions is not supported; save an array");
  for (;;) {
    skip_space(text);
    const bdag_status status = read_dimension(text, result, error);
    if (status != BDAG_OK) return status;
    const int has_comma = take(text, ',');
    if (take(text, ')')) {
      if (has_comma || result->dimension_count > 1) return BDAG_OK;
      return fail_expected(text, "a comma in a tuple of one dimension", error);
    }
    if (!has_comma) return fail_expected(text, "a comma or a closing parenthesis", error);
  }
}

static bdag_status read_entry(scanner *text, header *result, unsigned *seen, bdag_error *error) {
  static const struct {
    const char *key;
    bdag_status (*read)(scanner *, header *, bdag_error *);
  } entries[] = {{"descr", read_element}, {"fortran_order", read_order}, {"shape", read_shape}};
  const char *begin, *end;
  if (!take_string(text, &begin, &end)) return fail_expected(text, "a key in quotes", error);
  for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
    if (!equals(begin, end, entries[i].key)) continue;
    if (*seen >> i & 1) return fail_expected(text, "no key twice", error);
    *seen |= 1u << i;
    if (!take(text, ':')) return fail_expected(text, "a colon", error);
    return entries[i].read(text, result, error);
  }
  return fail_expected(text, "one of the keys descr, fortran_order and shape", error);
}

static bdag_status read_dictionary(scanner *text, header *result, bdag_error *error) {
  unsigned seen = 0;
  if (!take(text, '{')) return fail_expected(text, "an opening brace", error);
  while (!take(text, '}')) {
    const bdag_status status = read_entry(text, result, &seen, error);
    if (status != BDAG_OK) return status;
    if (take(text, ',')) continue;
    if (!take(text, '}')) return fail_expected(text, "a comma or a closing brace", error);
    break;
  }
  skip_space(text);
  if (text->cursor != text->end) return fail_expected(text, "nothing after the brace", error);
  if (seen != 7) return fail_expected(text, "the keys descr, fortran_order and shape", error);
  return BDAG_OK;
}

/* ---- The file ---- */

static bdag_status read_header(const bdag_source *source, header *result, bdag_error *error) {
  const unsigned char *const bytes = source->bytes;
  if (!bdag_npy_matches(source))
    return bdag_fail_at(error, BDAG_ERROR_FORMAT, source->name, 0, 0,
                        "not a .npy file: expected it to start with \\x93NUMPY");
  if (source->size > 6 && (bytes[6] < 1 || bytes[6] > 3))
    return bdag_fail_at(error, BDAG_ERROR_UNSUPPORTED, source->name, 0, 6,
                        ".npy version %d is not supported; expected 1, 2 or 3", bytes[6]);
  const size_t begin = source->size > 6 && bytes[6] == 1 ? 10 : 12;
  if (source->size < begin)
    return bdag_fail_at(error, BDAG_ERROR_FORMAT, source->name, 0, source->size,
                        "the file ends within the first %zu bytes of a .npy file", begin);
  if (bytes[7] != 0)
    return bdag_fail_at(error, BDAG_ERROR_UNSUPPORTED, source->name, 0, 7,
                        ".npy version %d.%d is not supported; expected minor version 0", bytes[6],
                        bytes[7]);
  uint64_t length = bytes[8] | (uint64_t)bytes[9] << 8;
  if (begin == 12) length |= (uint64_t)bytes[10] << 16 | (uint64_t)bytes[11] << 24;
  if (length > source->size - begin)
    return bdag_fail_at(error, BDAG_ERROR_FORMAT, source->name, 0, source->size,
                        "the .npy header promises %llu bytes, the file ends after %llu",
                        (ull)length, (ull)(source->size - begin));
  const char *const text = (const char *)bytes;
  scanner dictionary = {source, text, text + begin, text + begin + length};
  result->end = begin + length;
  return read_dictionary(&dictionary, result, error);
}

/* Product of all dimensions but the first, and whether all bytes are there. */
static bdag_status check_length(const bdag_source *source, const header *head, uint64_t *columns,
                                bdag_error *error) {
  *columns = 1;
  int overflow = 0;
  for (int i = 1; i < head->dimension_count; i++)
    overflow |= __builtin_mul_overflow(*columns, head->dimensions[i], columns);
  uint64_t length;
  overflow |= __builtin_mul_overflow(*columns, head->dimensions[0], &length);
  overflow |= __builtin_mul_overflow(length, bdag_element_size(head->element.kind), &length);
  overflow |= __builtin_add_overflow(length, head->end, &length);
  if (overflow)
    return bdag_fail_at(error, BDAG_ERROR_LIMIT, source->name, 0, head->end,
                        "the .npy header promises more values than can be counted");
  if (length == source->size) return BDAG_OK;
  return bdag_fail_at(error, BDAG_ERROR_FORMAT, source->name, 0,
                      length < source->size ? length : source->size,
                      "the .npy header promises %llu bytes in all, the file has %llu", (ull)length,
                      (ull)source->size);
}

/* In Fortran order the first dimension runs fastest, then the second: the j-th run of rows belongs to
 * the column whose digits, in the mixed base of the dimensions, are those of j reversed. */
static uint64_t fortran_column(const header *head, uint64_t j) {
  uint64_t column = 0;
  for (int i = 1; i < head->dimension_count; i++) {
    column = column * head->dimensions[i] + j % head->dimensions[i];
    j /= head->dimensions[i];
  }
  return column;
}

/* Returns how many elements were stored, in the file's order. */
static uint64_t store_all(bdag_table *table, const header *head, const unsigned char *bytes,
                          double scale) {
  const uint64_t rows = table->rows, columns = table->columns;
  if (!head->is_fortran)
    return bdag_element_store(table, 0, 1, head->element, bytes, rows * columns, scale);
  const uint64_t run = rows * bdag_element_size(head->element.kind);
  for (uint64_t j = 0; j < columns; j++) {
    const uint64_t stored = bdag_element_store(table, fortran_column(head, j), columns,
                                               head->element, bytes + j * run, rows, scale);
    if (stored < rows) return j * rows + stored;
  }
  return rows * columns;
}

bdag_status bdag_npy_read(bdag_table *table, const bdag_source *source,
                          const bdag_table_options *options, bdag_error *error) {
  header head;
  bdag_status status = read_header(source, &head, error);
  if (status != BDAG_OK) return status;
  uint64_t columns;
  status = check_length(source, &head, &columns, error);
  if (status != BDAG_OK) return status;
  status = bdag_table_reserve(table, source, head.dimensions[0], columns, error);
  if (status != BDAG_OK) return status;
  const double scale = options->scale != 0.0 ? options->scale : 1.0;
  const uint64_t stored = store_all(table, &head, source->bytes + head.end, scale);
  if (stored == table->rows * table->columns) return BDAG_OK;
  const uint64_t offset = head.end + stored * bdag_element_size(head.element.kind);
  return bdag_fail_at(error, BDAG_ERROR_FORMAT, source->name, 0, offset,
                      "the value at byte %llu is beyond the range of the table's type",
                      (ull)offset);
}
