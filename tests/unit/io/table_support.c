/* What the tests of tables share. */
#include "table_support.h"

#include <ftw.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

bdag_context *support_context(void) {
  static bdag_context *context;
  if (context) return context;
  bdag_context_options options = BDAG_CONTEXT_OPTIONS_INIT;
  options.threads = 1;
  cr_assert_eq(bdag_context_create(&context, &options, NULL), BDAG_OK);
  return context;
}

bdag_table_options support_options(bdag_data_format format) {
  bdag_table_options options = BDAG_TABLE_OPTIONS_INIT;
  options.format = format;
  options.type = BDAG_FLOAT64;
  return options;
}

bdag_table *support_parse(const void *bytes, size_t size, const bdag_table_options *options) {
  const bdag_table_options usual = support_options(BDAG_DATA_AUTO);
  bdag_table *table = NULL;
  bdag_error error;
  const bdag_status status =
      bdag_table_parse(&table, support_context(), bytes, size, options ? options : &usual, &error);
  cr_assert_eq(status, BDAG_OK, "%s", status == BDAG_OK ? "" : error.message);
  return table;
}

bdag_table *support_parse_text(const char *text) {
  return support_parse(text, strlen(text), NULL);
}

double support_value(const bdag_table *table, uint64_t row, uint64_t column) {
  const bdag_array array = bdag_table_array(table, 0);
  const ptrdiff_t index =
      (ptrdiff_t)row * array.sample_stride + (ptrdiff_t)column * array.vertex_stride;
  return array.type == BDAG_FLOAT32 ? (double)((const float *)array.data)[index]
                                    : ((const double *)array.data)[index];
}

void support_expect(const bdag_table *table, uint64_t rows, uint64_t columns,
                    const double *values) {
  cr_assert_eq(bdag_table_rows(table), rows);
  cr_assert_eq(bdag_table_columns(table), columns);
  for (uint64_t i = 0; i < rows * columns; i++) {
    const double value = support_value(table, i / columns, i % columns);
    cr_assert(value == values[i] || (isnan(value) && isnan(values[i])),
              "value %llu is %.17g, expected %.17g", (unsigned long long)i, value, values[i]);
  }
}

void support_expect_failure(const void *bytes, size_t size, const bdag_table_options *options,
                            bdag_status status, uint64_t line, const char *fragment) {
  const bdag_table_options usual = support_options(BDAG_DATA_AUTO);
  bdag_table *table = NULL;
  bdag_error error = {.status = BDAG_OK};
  const bdag_status got =
      bdag_table_parse(&table, support_context(), bytes, size, options ? options : &usual, &error);
  cr_assert_neq(got, BDAG_OK, "was accepted; expected \"%s\"", fragment);
  cr_assert_eq(got, status, "status %d, expected %d: %s", got, status, error.message);
  cr_assert_eq(error.status, status);
  cr_assert_eq(error.line, line, "line %llu, expected %llu: %s", (unsigned long long)error.line,
               (unsigned long long)line, error.message);
  cr_assert(strstr(error.message, fragment), "\"%s\" does not say \"%s\"", error.message, fragment);
  cr_assert_null(table);
}

size_t support_truncate(const void *bytes, size_t size, const bdag_table_options *options,
                        int must_fail) {
  size_t failures = 0;
  for (size_t length = 0; length < size; length++) {
    char *const copy = malloc(length ? length : 1);
    memcpy(copy, bytes, length);
    bdag_table *table = NULL;
    bdag_error error = {.status = BDAG_OK};
    const bdag_status status =
        bdag_table_parse(&table, support_context(), copy, length, options, &error);
    free(copy);
    cr_assert(status == BDAG_ERROR_FORMAT || (status == BDAG_OK && !must_fail),
              "%zu of %zu bytes gave status %d: %s", length, size, status, error.message);
    failures += status != BDAG_OK;
    bdag_table_destroy(table);
  }
  return failures;
}

static char folder[256];

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *place) {
  return remove(path);
}

static void remove_folder(void) {
  nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

const char *support_folder(void) {
  if (folder[0]) return folder;
  const char *const parent = getenv("TMPDIR");
  snprintf(folder, sizeof folder, "%s/backdag-test-XXXXXX", parent ? parent : "/tmp");
  cr_assert_not_null(mkdtemp(folder));
  atexit(remove_folder);
  return folder;
}

const char *support_path(const char *name) {
  static char paths[4][512];
  static int next;
  char *const path = paths[next++ % 4];
  snprintf(path, sizeof paths[0], "%s/%s", support_folder(), name);
  return path;
}

void support_write_file(const char *path, const void *bytes, size_t size) {
  FILE *const stream = fopen(path, "wb");
  cr_assert_not_null(stream);
  cr_assert_eq(fwrite(bytes, 1, size, stream), size);
  cr_assert_eq(fclose(stream), 0);
}

size_t support_read_file(const char *path, char *text, size_t room) {
  FILE *const stream = fopen(path, "rb");
  cr_assert_not_null(stream, "cannot open %s", path);
  const size_t size = fread(text, 1, room - 1, stream);
  fclose(stream);
  text[size] = 0;
  return size;
}

static const char *find_comma_locale(void) {
  static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE", "de"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (setlocale(LC_ALL, names[i]) && *localeconv()->decimal_point == ',') return names[i];
  setlocale(LC_ALL, "C");
  return NULL;
}

const char *support_comma_locale(void) {
  const char *found = find_comma_locale();
  if (found) return found;
  char command[512];
  snprintf(command, sizeof command,
           "localedef --no-archive -i de_DE -f UTF-8 %s/de_DE.UTF-8 >/dev/null 2>&1",
           support_folder());
  if (system(command) != 0) return NULL;
  setenv("LOCPATH", support_folder(), 1);
  found = find_comma_locale();
  return found;
}
