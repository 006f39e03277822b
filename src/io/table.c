/* Tables: options, detection of the format, and the finished object. May include base. */
#include "io/table_internal.h"

#include <ctype.h>
#include <float.h>
#include <math.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "base/memory.h"
#include "io/bytes.h"

static size_t type_size(bdag_type type) {
  return type == BDAG_FLOAT32 ? sizeof(float) : sizeof(double);
}

/* ---- Options ---- */

/* A delimiter must not be able to stand in a number. */
static int is_delimiter(char c) {
  return c == '\t' || (c >= ' ' && c <= '~' && !strchr("\"+-._", c) && !(c >= '0' && c <= '9') &&
                       !((c | 32) >= 'a' && (c | 32) <= 'z'));
}

static const char *options_fault(const bdag_table_options *options) {
  if (options->format < BDAG_DATA_AUTO || options->format > BDAG_DATA_FANN)
    return "format is none of BDAG_DATA_…";
  if (options->type != BDAG_FLOAT32 && options->type != BDAG_FLOAT64)
    return "type is neither BDAG_FLOAT32 nor BDAG_FLOAT64";
  if (options->header < -1 || options->header > 1) return "header is none of 1, 0 and -1";
  if (options->delimiter && !is_delimiter(options->delimiter))
    return "delimiter is a letter, a digit, a quote, a sign or not printable";
  return isfinite(options->scale) ? NULL : "scale is not finite";
}

/* Takes as many fields as the caller's version of the struct has. */
static bdag_status take_options(bdag_table_options *taken, const bdag_table_options *options,
                                bdag_error *error) {
  *taken = (bdag_table_options)BDAG_TABLE_OPTIONS_INIT;
  if (!options) return BDAG_OK;
  if (options->size < sizeof options->size || options->size > sizeof *taken)
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT,
                     "bdag_table_options: size is %zu; start from BDAG_TABLE_OPTIONS_INIT",
                     options->size);
  memcpy(taken, options, options->size);
  const char *const fault = options_fault(taken);
  if (!fault) return BDAG_OK;
  return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT, "bdag_table_options: %s", fault);
}

/* ---- Format ---- */

static int has_extension(const char *name, size_t length, const char *extension) {
  const size_t size = strlen(extension);
  return length >= size && strncasecmp(name + length - size, extension, size) == 0;
}

static bdag_data_format format_by_extension(const char *name) {
  size_t length = strlen(name);
  if (has_extension(name, length, ".gz")) length -= 3;
  if (has_extension(name, length, ".csv") || has_extension(name, length, ".tsv"))
    return BDAG_DATA_CSV;
  if (has_extension(name, length, ".npy")) return BDAG_DATA_NPY;
  if (has_extension(name, length, ".idx") || has_extension(name, length, "-ubyte"))
    return BDAG_DATA_IDX;
  return has_extension(name, length, ".fann") ? BDAG_DATA_FANN : BDAG_DATA_AUTO;
}

static bdag_data_format detect(const bdag_source *source) {
  if (bdag_npy_matches(source)) return BDAG_DATA_NPY;
  if (bdag_idx_matches(source)) return BDAG_DATA_IDX;
  const bdag_data_format told = format_by_extension(source->name);
  if (told != BDAG_DATA_AUTO) return told;
  return bdag_fann_matches(source) ? BDAG_DATA_FANN : BDAG_DATA_CSV;
}

static bdag_status read_as(bdag_data_format format, bdag_table *table, const bdag_source *source,
                           const bdag_table_options *options, bdag_error *error) {
  switch (format) {
  case BDAG_DATA_NPY:
    return bdag_npy_read(table, source, options, error);
  case BDAG_DATA_IDX:
    return bdag_idx_read(table, source, options, error);
  case BDAG_DATA_FANN:
    return bdag_fann_read(table, source, options, error);
  default:
    return bdag_csv_read(table, source, options, error);
  }
}

/* ---- Reading ---- */

static bdag_status read_source(bdag_table **result, const bdag_context *context,
                               const bdag_source *source, const bdag_table_options *options,
                               bdag_error *error) {
  if (source->size == 0)
    return bdag_fail_at(error, BDAG_ERROR_FORMAT, source->name, 0, 0,
                        "the file is empty; expected numbers");
  bdag_table *const table = bdag_allocate_zeroed(context, 1, sizeof *table);
  if (!table) return bdag_fail_memory(error);
  table->context = context;
  table->type = options->type;
  const bdag_data_format format = options->format ? options->format : detect(source);
  const bdag_status status = read_as(format, table, source, options, error);
  if (status != BDAG_OK) {
    bdag_table_destroy(table);
    return status;
  }
  *result = table;
  return BDAG_OK;
}

static bdag_status read_gzip(bdag_table **table, const bdag_context *context, bdag_bytes *packed,
                             const char *name, const bdag_table_options *options,
                             bdag_error *error) {
  bdag_bytes plain;
  bdag_status status = bdag_bytes_inflate(&plain, context, packed->data, packed->size, name, error);
  if (status != BDAG_OK) return status;
  bdag_bytes_release(packed, context);
  status =
      read_source(table, context, &(bdag_source){plain.data, plain.size, name}, options, error);
  bdag_bytes_release(&plain, context);
  return status;
}

bdag_status bdag_table_load(bdag_table **table, bdag_context *context, const char *path,
                            const bdag_table_options *options, bdag_error *error) {
  if (!table || !context || !path)
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT,
                     "bdag_table_load: table, context or path is NULL");
  bdag_table_options taken;
  bdag_status status = take_options(&taken, options, error);
  if (status != BDAG_OK) return status;
  bdag_bytes bytes;
  status = bdag_bytes_read(&bytes, context, path, error);
  if (status != BDAG_OK) return status;
  const char *const name = bdag_bytes_name(path);
  if (bdag_bytes_are_gzip(bytes.data, bytes.size))
    status = read_gzip(table, context, &bytes, name, &taken, error);
  else
    status =
        read_source(table, context, &(bdag_source){bytes.data, bytes.size, name}, &taken, error);
  bdag_bytes_release(&bytes, context);
  return status;
}

bdag_status bdag_table_parse(bdag_table **table, bdag_context *context, const void *bytes,
                             size_t size, const bdag_table_options *options, bdag_error *error) {
  if (!table || !context || (!bytes && size))
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT,
                     "bdag_table_parse: table, context or bytes is NULL");
  bdag_table_options taken;
  bdag_status status = take_options(&taken, options, error);
  if (status != BDAG_OK) return status;
  if (!bdag_bytes_are_gzip(bytes, size))
    return read_source(table, context, &(bdag_source){bytes, size, ""}, &taken, error);
  bdag_bytes plain;
  status = bdag_bytes_inflate(&plain, context, bytes, size, "", error);
  if (status != BDAG_OK) return status;
  status = read_source(table, context, &(bdag_source){plain.data, plain.size, ""}, &taken, error);
  bdag_bytes_release(&plain, context);
  return status;
}

/* ---- What readers share ---- */

bdag_status bdag_table_reserve(bdag_table *table, const bdag_source *source, uint64_t rows,
                               uint64_t columns, bdag_error *error) {
  if (rows == 0)
    return bdag_fail_at(error, BDAG_ERROR_FORMAT, source->name, 0, UINT64_MAX,
                        "no samples: the file has 0 rows, expected at least 1");
  if (columns == 0)
    return bdag_fail_at(error, BDAG_ERROR_FORMAT, source->name, 0, UINT64_MAX,
                        "no values: the file has 0 columns, expected at least 1");
  uint64_t count, bytes;
  if (__builtin_mul_overflow(rows, columns, &count) ||
      __builtin_mul_overflow(count, type_size(table->type), &bytes) || bytes > PTRDIFF_MAX)
    return bdag_fail_at(error, BDAG_ERROR_LIMIT, source->name, 0, UINT64_MAX,
                        "%llu rows of %llu columns are more than this machine can address; "
                        "split the file",
                        (unsigned long long)rows, (unsigned long long)columns);
  table->values = bdag_allocate_array(table->context, count, type_size(table->type));
  if (!table->values) return bdag_fail_memory(error);
  table->rows = rows;
  table->columns = columns;
  return BDAG_OK;
}

bdag_number_result bdag_table_read_number(const bdag_table *table, const char **cursor,
                                          const char *end, double scale, double *value) {
  if (scale == 1.0) return bdag_number_read(cursor, end, table->type, value);
  const bdag_number_result result = bdag_number_read(cursor, end, BDAG_FLOAT64, value);
  if (result != BDAG_NUMBER_OK || !isfinite(*value)) return result;
  *value *= scale;
  if (table->type == BDAG_FLOAT32) *value = (double)(float)*value;
  return isfinite(*value) ? BDAG_NUMBER_OK : BDAG_NUMBER_TOO_LARGE;
}

void bdag_table_store(bdag_table *table, uint64_t index, double value) {
  if (table->type == BDAG_FLOAT32)
    ((float *)table->values)[index] = (float)value;
  else
    ((double *)table->values)[index] = value;
}

const char *bdag_excerpt(char excerpt[bdag_excerpt_size], const char *begin, const char *end) {
  enum { kept_max = bdag_excerpt_size - 4 };
  size_t size = (size_t)(end - begin);
  const int is_cut = size > kept_max;
  if (is_cut) {
    size = kept_max;
    while (size > 0 && ((unsigned char)begin[size] & 0xC0) == 0x80) size--;
  }
  for (size_t i = 0; i < size; i++)
    excerpt[i] = (unsigned char)begin[i] < ' ' || begin[i] == 127 ? '?' : begin[i];
  strcpy(excerpt + size, is_cut ? "..." : "");
  return excerpt;
}

/* ---- The finished object ---- */

void bdag_table_destroy(bdag_table *table) {
  if (!table) return;
  bdag_free(table->context, table->values);
  bdag_free(table->context, table->names);
  bdag_free(table->context, table->name_text);
  bdag_free(table->context, table);
}

uint64_t bdag_table_rows(const bdag_table *table) {
  return table->rows;
}

uint64_t bdag_table_columns(const bdag_table *table) {
  return table->columns;
}

uint64_t bdag_table_input_columns(const bdag_table *table) {
  return table->input_columns;
}

const char *bdag_table_column_name(const bdag_table *table, uint64_t column) {
  return table->names && column < table->columns ? table->names[column] : NULL;
}

bdag_array bdag_table_array(const bdag_table *table, uint64_t first_column) {
  char *const values = table->values;
  return (bdag_array){
      .data = first_column < table->columns ? values + first_column * type_size(table->type) : NULL,
      .type = table->type,
      .sample_stride = (ptrdiff_t)table->columns,
      .vertex_stride = 1,
  };
}
