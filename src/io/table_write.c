/* Writing a caller's array as CSV or .npy. May include base. */
#include <backdag/io.h>

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "io/atomic_file.h"
#include "io/number.h"

typedef unsigned long long ull;

typedef struct matrix {
  const bdag_array *array;
  uint64_t rows, columns;
} matrix;

static size_t element_size(const matrix *values) {
  return values->array->type == BDAG_FLOAT32 ? sizeof(float) : sizeof(double);
}

static const char *element_at(const matrix *values, uint64_t row, uint64_t column) {
  const ptrdiff_t index = (ptrdiff_t)row * values->array->sample_stride +
                          (ptrdiff_t)column * values->array->vertex_stride;
  return (const char *)values->array->data + index * (ptrdiff_t)element_size(values);
}

static double value_at(const matrix *values, uint64_t row, uint64_t column) {
  const char *const element = element_at(values, row, column);
  if (values->array->type == BDAG_FLOAT64) {
    double value;
    memcpy(&value, element, sizeof value);
    return value;
  }
  float value;
  memcpy(&value, element, sizeof value);
  return (double)value;
}

/* ---- CSV ---- */

static int needs_quotes(const char *name) {
  const size_t length = strlen(name);
  return length == 0 || strpbrk(name, ",;\t\"\r\n") || name[0] == ' ' || name[length - 1] == ' ';
}

static bdag_status write_name(bdag_atomic_file *file, const char *name, bdag_error *error) {
  if (!needs_quotes(name)) return bdag_atomic_file_write(file, name, strlen(name), error);
  bdag_atomic_file_write(file, "\"", 1, NULL);
  for (; *name; name++)
    bdag_atomic_file_write(file, *name == '"' ? "\"\"" : name, 1 + (*name == '"'), NULL);
  return bdag_atomic_file_write(file, "\"", 1, error);
}

static bdag_status write_header(bdag_atomic_file *file, uint64_t columns, const char *const *names,
                                bdag_error *error) {
  for (uint64_t i = 0; i < columns; i++) {
    if (i) bdag_atomic_file_write(file, ",", 1, NULL);
    const bdag_status status = write_name(file, names[i], error);
    if (status != BDAG_OK) return status;
  }
  return bdag_atomic_file_write(file, "\n", 1, error);
}

static bdag_status write_csv(bdag_atomic_file *file, const matrix *values, const char *const *names,
                             bdag_error *error) {
  bdag_status status = names ? write_header(file, values->columns, names, error) : BDAG_OK;
  for (uint64_t row = 0; row < values->rows; row++) {
    for (uint64_t column = 0; column < values->columns && status == BDAG_OK; column++) {
      char text[bdag_number_size + 1];
      const size_t length =
          bdag_number_print(text, values->array->type, value_at(values, row, column));
      text[length] = column + 1 < values->columns ? ',' : '\n';
      status = bdag_atomic_file_write(file, text, length + 1, error);
    }
    if (status != BDAG_OK) return status;
  }
  return status;
}

/* ---- NumPy ---- */

/* Magic, version 1.0, length, dictionary; padded so that the elements begin at a multiple of 64. */
static size_t npy_header(char header[256], const matrix *values) {
  const char order = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? '>' : '<';
  memcpy(header, "\x93NUMPY\x01\x00", 8);
  const int used =
      10 + snprintf(header + 10, 200,
                    "{'descr': '%cf%zu', 'fortran_order': False, "
                    "'shape': (%llu, %llu), }",
                    order, element_size(values), (ull)values->rows, (ull)values->columns);
  const size_t size = ((size_t)used + 1 + 63) / 64 * 64;
  memset(header + used, ' ', size - (size_t)used);
  header[size - 1] = '\n';
  header[8] = (char)((size - 10) & 255);
  header[9] = (char)((size - 10) >> 8);
  return size;
}

static bdag_status write_row(bdag_atomic_file *file, const matrix *values, uint64_t row,
                             bdag_error *error) {
  const size_t size = element_size(values);
  if (values->array->vertex_stride == 1)
    return bdag_atomic_file_write(file, element_at(values, row, 0), values->columns * size, error);
  bdag_status status = BDAG_OK;
  for (uint64_t column = 0; column < values->columns && status == BDAG_OK; column++)
    status = bdag_atomic_file_write(file, element_at(values, row, column), size, error);
  return status;
}

static bdag_status write_npy(bdag_atomic_file *file, const matrix *values, bdag_error *error) {
  char header[256];
  bdag_status status = bdag_atomic_file_write(file, header, npy_header(header, values), error);
  for (uint64_t row = 0; row < values->rows && status == BDAG_OK; row++)
    status = write_row(file, values, row, error);
  return status;
}

/* ---- Both ---- */

static bdag_data_format format_for(const char *path, bdag_data_format format) {
  if (format != BDAG_DATA_AUTO) return format;
  const size_t length = strlen(path);
  return length >= 4 && strcasecmp(path + length - 4, ".npy") == 0 ? BDAG_DATA_NPY : BDAG_DATA_CSV;
}

static const char *argument_fault(const bdag_context *context, const char *path,
                                  bdag_data_format format, const matrix *values,
                                  const char *const *names) {
  if (!context || !path || !values->array) return "context, path or values is NULL";
  if (!values->array->data && values->rows) return "values has no data";
  if (values->array->type != BDAG_FLOAT32 && values->array->type != BDAG_FLOAT64)
    return "values is neither BDAG_FLOAT32 nor BDAG_FLOAT64";
  if (values->columns == 0) return "columns is 0";
  if (format != BDAG_DATA_CSV && format != BDAG_DATA_NPY)
    return "format is neither BDAG_DATA_CSV nor BDAG_DATA_NPY";
  uint64_t bytes;
  if (__builtin_mul_overflow(values->columns, element_size(values), &bytes) || bytes > PTRDIFF_MAX)
    return "columns is larger than memory";
  for (uint64_t i = 0; names && i < values->columns; i++)
    if (!names[i]) return "a name is NULL";
  return NULL;
}

bdag_status bdag_table_write(bdag_context *context, const char *path, bdag_data_format format,
                             uint64_t rows, uint64_t columns, const bdag_array *array,
                             const char *const *names, bdag_error *error) {
  const matrix values = {array, rows, columns};
  const bdag_data_format chosen = path ? format_for(path, format) : format;
  const char *const fault = argument_fault(context, path, chosen, &values, names);
  if (fault) return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT, "bdag_table_write: %s", fault);
  bdag_atomic_file *file;
  bdag_status status = strcmp(path, "-") ? bdag_atomic_file_open(&file, context, path, error)
                                         : bdag_atomic_file_open_stdout(&file, context, error);
  if (status != BDAG_OK) return status;
  status = chosen == BDAG_DATA_NPY ? write_npy(file, &values, error)
                                   : write_csv(file, &values, names, error);
  if (status == BDAG_OK) return bdag_atomic_file_commit(file, error);
  bdag_atomic_file_abort(file);
  return status;
}
