/* Tables as a whole: options, detection, files and streams, writing, memory, real data. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "../counting_allocator.h"
#include "base/random.h"
#include "table_support.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const unsigned char idx_bytes[] = {0, 0, 8, 1, 0, 0, 0, 2, 7, 9};
static const unsigned char gzip_bytes[] = /* of idx_bytes */
    {0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0xff, 0x63, 0x60, 0xe0, 0x60, 0x64,
     0x60, 0x60, 0x60, 0x62, 0xe7, 0x04, 0x00, 0x7a, 0x82, 0x01, 0xa3, 0x0a, 0x00, 0x00, 0x00};

static bdag_status load(bdag_table **table, const char *path, bdag_type type, bdag_error *error) {
  bdag_table_options options = support_options(BDAG_DATA_AUTO);
  options.type = type;
  return bdag_table_load(table, support_context(), path, &options, error);
}

static bdag_table *load_ok(const char *path, bdag_type type) {
  bdag_table *table = NULL;
  bdag_error error;
  cr_assert_eq(load(&table, path, type, &error), BDAG_OK, "%s: %s", path, error.message);
  return table;
}

static void expect_options_refused(bdag_table_options options) {
  support_expect_failure("1\n", 2, &options, BDAG_ERROR_INVALID_ARGUMENT, 0, "bdag_table_options");
}

Test(table, options_out_of_range) {
  const bdag_table_options good = BDAG_TABLE_OPTIONS_INIT;
  bdag_table_options bad = good;
  bad.size = 4;
  expect_options_refused(bad);
  bad.size = sizeof bad + 8;
  expect_options_refused(bad);
  bad = good, bad.format = 5;
  expect_options_refused(bad);
  bad = good, bad.type = 0;
  expect_options_refused(bad);
  bad = good, bad.header = 2;
  expect_options_refused(bad);
  bad = good, bad.scale = NAN;
  expect_options_refused(bad);
  static const char delimiters[] = "a9.-+\"_\n\x80";
  for (const char *c = delimiters; *c; c++) {
    bad = good, bad.delimiter = *c;
    expect_options_refused(bad);
  }
}

Test(table, older_options_are_shorter) {
  bdag_table_options options = BDAG_TABLE_OPTIONS_INIT;
  options.size = offsetof(bdag_table_options, type);
  options.type = 77;
  bdag_table *const table = support_parse("1\n", 2, &options);
  cr_assert_eq(bdag_table_array(table, 0).type, BDAG_FLOAT32);
  bdag_table_destroy(table);
}

Test(table, null_arguments) {
  bdag_table *table;
  cr_assert_eq(bdag_table_load(NULL, support_context(), "x", NULL, NULL),
               BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_table_load(&table, NULL, "x", NULL, NULL), BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_table_load(&table, support_context(), NULL, NULL, NULL),
               BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_table_parse(&table, support_context(), NULL, 1, NULL, NULL),
               BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_table_parse(&table, support_context(), NULL, 0, NULL, NULL), BDAG_ERROR_FORMAT);
  bdag_table_destroy(NULL);
}

Test(table, float32_by_default) {
  bdag_table *table;
  cr_assert_eq(bdag_table_parse(&table, support_context(), "1,2\n3,4\n", 8, NULL, NULL), BDAG_OK);
  const bdag_array array = bdag_table_array(table, 1);
  cr_assert_eq(array.type, BDAG_FLOAT32);
  cr_assert_eq(array.sample_stride, 2);
  cr_assert_eq(array.vertex_stride, 1);
  cr_assert_eq(((const float *)array.data)[0], 2.0f);
  cr_assert_null(bdag_table_array(table, 2).data);
  bdag_table_destroy(table);
}

Test(table, content_tells_the_format) {
  static const unsigned char npy[] = "\x93NUMPY\x01\x00\x37\x00"
                                     "{'descr': '|u1', 'fortran_order': False, 'shape': (1,)}\x05";
  bdag_table *table = support_parse(idx_bytes, sizeof idx_bytes, NULL);
  support_expect(table, 2, 1, (const double[]){7, 9});
  bdag_table_destroy(table);
  table = support_parse(gzip_bytes, sizeof gzip_bytes, NULL);
  support_expect(table, 2, 1, (const double[]){7, 9});
  bdag_table_destroy(table);
  table = support_parse(npy, sizeof npy - 1, NULL);
  support_expect(table, 1, 1, (const double[]){5});
  bdag_table_destroy(table);
  table = support_parse_text("1 2 1\n3 4 5\n");
  cr_assert_eq(bdag_table_input_columns(table), 2);
  bdag_table_destroy(table);
  table = support_parse_text("1,2,1\n3,4,5\n");
  cr_assert_eq(bdag_table_rows(table), 2);
  bdag_table_destroy(table);
}

static void expect_file(const char *name, const char *text, uint64_t rows, uint64_t inputs) {
  support_write_file(support_path(name), text, strlen(text));
  bdag_table *const table = load_ok(support_path(name), BDAG_FLOAT64);
  cr_assert_eq(bdag_table_rows(table), rows, "%s", name);
  cr_assert_eq(bdag_table_input_columns(table), inputs, "%s", name);
  bdag_table_destroy(table);
}

Test(table, extension_decides_where_content_does_not) {
  static const char ambiguous[] = "1\t1\t1\n3\t4\t5\n";
  expect_file("a.tsv", ambiguous, 2, 0);
  expect_file("a.CSV", ambiguous, 2, 0);
  expect_file("a.txt", ambiguous, 2, 0);
  expect_file("a.fann", "1\t1\t1\n3\t4\n", 1, 1);
  expect_file("a.train", "1 1\t1\n3\t4\n", 1, 1);
  bdag_table *table = NULL;
  bdag_error error;
  support_write_file(support_path("b.npy"), "1,2\n", 4);
  cr_assert_eq(load(&table, support_path("b.npy"), BDAG_FLOAT64, &error), BDAG_ERROR_FORMAT);
  cr_assert(strstr(error.message, ".npy"));
  support_write_file(support_path("b.idx.gz"), "1,2\n", 4);
  cr_assert_eq(load(&table, support_path("b.idx.gz"), BDAG_FLOAT64, &error), BDAG_ERROR_FORMAT);
  cr_assert(strstr(error.message, "IDX"));
}

Test(table, errors_name_the_file) {
  const char *const path = support_path("bad.csv");
  support_write_file(path, "1\nx\ny\n", 6);
  bdag_table *table = NULL;
  bdag_error error;
  cr_assert_eq(load(&table, path, BDAG_FLOAT64, &error), BDAG_ERROR_FORMAT);
  cr_assert_str_eq(error.file, path);
  cr_assert_eq(error.line, 2);
  cr_assert_eq(load(&table, support_path("missing"), BDAG_FLOAT64, &error), BDAG_ERROR_IO);
  cr_assert_str_eq(error.file, support_path("missing"));
  cr_assert_null(table);
}

Test(table, standard_input) {
  const char *const path = support_path("in");
  support_write_file(path, "1,2\n3,x\n", 8);
  cr_assert_not_null(freopen(path, "rb", stdin));
  bdag_table *table = NULL;
  bdag_error error;
  cr_assert_eq(load(&table, "-", BDAG_FLOAT64, &error), BDAG_ERROR_FORMAT);
  cr_assert_str_eq(error.file, "standard input");
  support_write_file(path, "1,2\n3,4\n", 8);
  cr_assert_not_null(freopen(path, "rb", stdin));
  table = load_ok("-", BDAG_FLOAT64);
  support_expect(table, 2, 2, (const double[]){1, 2, 3, 4});
  bdag_table_destroy(table);
}

/* ---- Writing ---- */

static void expect_written(bdag_data_format format, uint64_t rows, uint64_t columns,
                           const bdag_array *array, const char *const *names,
                           const char *expected) {
  const char *const path = support_path("out");
  bdag_error error;
  cr_assert_eq(
      bdag_table_write(support_context(), path, format, rows, columns, array, names, &error),
      BDAG_OK, "%s", error.message);
  char text[512];
  support_read_file(path, text, sizeof text);
  cr_assert_str_eq(text, expected);
}

Test(table, csv_text) {
  const double values[] = {1, 0.1, -2.5e-7, INFINITY, NAN, 1e300};
  const float singles[] = {0.1f, 16777216.0f};
  const bdag_array wide = {(void *)values, BDAG_FLOAT64, 3, 1};
  const bdag_array narrow = {(void *)singles, BDAG_FLOAT32, 1, 1};
  expect_written(BDAG_DATA_CSV, 2, 3, &wide, NULL, "1,0.1,-2.5e-7\ninf,nan,1e300\n");
  expect_written(BDAG_DATA_AUTO, 2, 1, &narrow, NULL, "0.1\n16777216\n");
  const bdag_array transposed = {(void *)values, BDAG_FLOAT64, 1, 3};
  expect_written(BDAG_DATA_CSV, 3, 2, &transposed, NULL, "1,inf\n0.1,nan\n-2.5e-7,1e300\n");
  const bdag_array backwards = {(void *)(values + 2), BDAG_FLOAT64, 1, -1};
  expect_written(BDAG_DATA_CSV, 1, 3, &backwards, NULL, "-2.5e-7,0.1,1\n");
  const char *const names[] = {"plain", "say \"a, b\"", ""};
  expect_written(BDAG_DATA_CSV, 0, 3, &wide, names, "plain,\"say \"\"a, b\"\"\",\"\"\n");
}

static void expect_round_trip(const char *name, bdag_type type, int is_transposed) {
  enum { rows = 37, columns = 5 };
  double wide[rows * columns];
  float narrow[rows * columns];
  for (int i = 0; i < rows * columns; i++) {
    wide[i] = ldexp(bdag_random_normal(1, 2, (uint64_t)i), i % 100 - 50);
    narrow[i] = (float)wide[i];
  }
  const bdag_array array = {type == BDAG_FLOAT32 ? (void *)narrow : (void *)wide, type,
                            is_transposed ? 1 : columns, is_transposed ? rows : 1};
  const char *const path = support_path(name);
  cr_assert_eq(
      bdag_table_write(support_context(), path, BDAG_DATA_AUTO, rows, columns, &array, NULL, NULL),
      BDAG_OK);
  bdag_table *const table = load_ok(path, type);
  cr_assert_eq(bdag_table_rows(table), rows);
  for (int row = 0; row < rows; row++)
    for (int column = 0; column < columns; column++) {
      const int i = is_transposed ? column * rows + row : row * columns + column;
      cr_assert_eq(support_value(table, (uint64_t)row, (uint64_t)column),
                   type == BDAG_FLOAT32 ? (double)narrow[i] : wide[i]);
    }
  bdag_table_destroy(table);
}

Test(table, what_is_written_reads_back_exactly) {
  for (int is_transposed = 0; is_transposed < 2; is_transposed++) {
    expect_round_trip("a.csv", BDAG_FLOAT32, is_transposed);
    expect_round_trip("a.csv", BDAG_FLOAT64, is_transposed);
    expect_round_trip("a.npy", BDAG_FLOAT32, is_transposed);
    expect_round_trip("a.npy", BDAG_FLOAT64, is_transposed);
  }
}

Test(table, npy_header_is_aligned) {
  const double values[] = {1, 2};
  const bdag_array array = {(void *)values, BDAG_FLOAT64, 2, 1};
  const char *const path = support_path("a.npy");
  cr_assert_eq(bdag_table_write(support_context(), path, BDAG_DATA_NPY, 1, 2, &array, NULL, NULL),
               BDAG_OK);
  char bytes[512];
  const size_t size = support_read_file(path, bytes, sizeof bytes);
  cr_assert_eq((size - 16) % 64, 0);
  cr_assert_eq(bytes[size - 17], '\n');
  cr_assert_eq(memcmp(bytes, "\x93NUMPY\x01\x00", 8), 0);
  cr_assert(strstr(bytes + 10, "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 2), }"));
}

Test(table, writing_to_standard_output) {
  const char *const path = support_path("stdout");
  cr_assert_not_null(freopen(path, "wb", stdout));
  const double values[] = {1, 2};
  const bdag_array array = {(void *)values, BDAG_FLOAT64, 2, 1};
  cr_assert_eq(bdag_table_write(support_context(), "-", BDAG_DATA_AUTO, 1, 2, &array, NULL, NULL),
               BDAG_OK);
  char text[64];
  support_read_file(path, text, sizeof text);
  cr_assert_str_eq(text, "1,2\n");
}

Test(table, writing_refuses) {
  const double values[] = {1, 2};
  const bdag_array good = {(void *)values, BDAG_FLOAT64, 2, 1};
  const bdag_array empty = {NULL, BDAG_FLOAT64, 2, 1}, typeless = {(void *)values, 0, 2, 1};
  const char *const names[] = {"a", NULL};
  const char *const path = support_path("none");
  bdag_context *const context = support_context();
  cr_assert_eq(bdag_table_write(NULL, path, BDAG_DATA_CSV, 1, 2, &good, NULL, NULL),
               BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_table_write(context, NULL, BDAG_DATA_CSV, 1, 2, &good, NULL, NULL),
               BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_table_write(context, path, BDAG_DATA_CSV, 1, 2, NULL, NULL, NULL),
               BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_table_write(context, path, BDAG_DATA_CSV, 1, 2, &empty, NULL, NULL),
               BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_table_write(context, path, BDAG_DATA_CSV, 1, 2, &typeless, NULL, NULL),
               BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_table_write(context, path, BDAG_DATA_CSV, 1, 0, &good, NULL, NULL),
               BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_table_write(context, path, BDAG_DATA_CSV, 1, 2, &good, names, NULL),
               BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_table_write(context, path, BDAG_DATA_IDX, 1, 2, &good, NULL, NULL),
               BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_table_write(context, "", BDAG_DATA_CSV, 1, 2, &good, NULL, NULL),
               BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_neq(access(path, F_OK), 0);
  cr_assert_eq(
      bdag_table_write(context, support_path("no/folder"), BDAG_DATA_CSV, 1, 2, &good, NULL, NULL),
      BDAG_ERROR_IO);
}

/* A device that is always full: small tables fail in the commit, large ones while writing. */
Test(table, writing_to_a_full_disk) {
  if (access("/dev/full", W_OK) != 0) cr_skip("NOT TESTED: this system has no /dev/full\n");
  const double value = 1.0 / 3;
  const bdag_array array = {(void *)&value, BDAG_FLOAT64, 0, 0};
  static const uint64_t rows[] = {1, 100000};
  static const bdag_data_format formats[] = {BDAG_DATA_CSV, BDAG_DATA_NPY};
  for (int i = 0; i < 4; i++) {
    bdag_error error;
    cr_assert_eq(bdag_table_write(support_context(), "/dev/full", formats[i / 2], rows[i % 2], 1,
                                  &array, NULL, &error),
                 BDAG_ERROR_IO);
    cr_assert(strstr(error.message, "No space"), "%s", error.message);
    cr_assert_str_eq(error.file, "/dev/full");
  }
}

/* ---- Memory ---- */

/* Refuses the n-th request, once alone and once with all later ones, until none is refused. */
static void expect_survival(const char *path) {
  for (int for_ever = 0; for_ever < 2; for_ever++) {
    for (uint64_t n = 0;; n++) {
      counting_allocator counter;
      const bdag_allocator hook = counting_allocator_hook(&counter);
      bdag_context_options options = BDAG_CONTEXT_OPTIONS_INIT;
      options.allocator = &hook;
      bdag_context *context;
      cr_assert_eq(bdag_context_create(&context, &options, NULL), BDAG_OK);
      const uint64_t live = counter.live;
      counter.fail_at = counter.requests + n;
      counter.for_ever = for_ever;
      bdag_table *table = NULL;
      bdag_error error;
      const bdag_status status = bdag_table_load(&table, context, path, NULL, &error);
      cr_assert_eq(status, counter.refused ? BDAG_ERROR_OUT_OF_MEMORY : BDAG_OK);
      bdag_table_destroy(table);
      cr_assert_eq(counter.live, live);
      const int is_done = counter.refused == 0;
      bdag_context_destroy(context);
      if (!is_done) continue;
      cr_assert_gt(n, 2);
      break;
    }
  }
}

Test(table, out_of_memory) {
  const char *const path = support_path("data");
  support_write_file(path, "\"a\",b\n1,2\n", 10);
  expect_survival(path);
  support_write_file(path, idx_bytes, sizeof idx_bytes);
  expect_survival(path);
  support_write_file(path, gzip_bytes, sizeof gzip_bytes);
  expect_survival(path);
  support_write_file(path, "1 1 1\n2 3\n", 10);
  expect_survival(path);
}

Test(table, out_of_memory_in_writing) {
  counting_allocator counter;
  const bdag_allocator hook = counting_allocator_hook(&counter);
  bdag_context_options options = BDAG_CONTEXT_OPTIONS_INIT;
  options.allocator = &hook;
  bdag_context *context;
  cr_assert_eq(bdag_context_create(&context, &options, NULL), BDAG_OK);
  const uint64_t live = counter.live;
  const double value = 1;
  const bdag_array array = {(void *)&value, BDAG_FLOAT64, 1, 1};
  const char *const path = support_path("none");
  for (uint64_t n = 0; n < 2; n++) {
    counter.fail_at = counter.requests + n;
    cr_assert_eq(bdag_table_write(context, path, BDAG_DATA_CSV, 1, 1, &array, NULL, NULL),
                 BDAG_ERROR_OUT_OF_MEMORY);
    cr_assert_eq(counter.live, live);
    cr_assert_neq(access(path, F_OK), 0);
  }
  bdag_context_destroy(context);
}

/* ---- Real data ---- */

static const char *data_path(const char *name) {
  static char path[1024];
  const char *const folder = getenv("BACKDAG_TEST_DATA");
  snprintf(path, sizeof path, "%s/%s", folder ? folder : TEST_DATA, name);
  if (access(path, R_OK) != 0)
    cr_skip("NOT TESTED: %s is missing; set BACKDAG_TEST_DATA to the folder with it\n", path);
  return path;
}

static double sum(const bdag_table *table) {
  double total = 0;
  for (uint64_t row = 0; row < bdag_table_rows(table); row++)
    for (uint64_t column = 0; column < bdag_table_columns(table); column++)
      total += support_value(table, row, column);
  return total;
}

Test(table, mnist) {
  bdag_table *table = load_ok(data_path("mnist/t10k-images-idx3-ubyte.gz"), BDAG_FLOAT64);
  cr_assert_eq(bdag_table_rows(table), 10000);
  cr_assert_eq(bdag_table_columns(table), 784);
  /* The known mean of the test images. */
  cr_assert_float_eq(sum(table) / 7840000, 0.1325, 5e-5);
  bdag_table_destroy(table);
  table = load_ok(data_path("mnist/t10k-labels-idx1-ubyte.gz"), BDAG_FLOAT64);
  cr_assert_eq(bdag_table_rows(table), 10000);
  static const double first[] = {7, 2, 1, 0, 4, 1, 4, 9};
  for (uint64_t i = 0; i < COUNT(first); i++) cr_assert_eq(support_value(table, i, 0), first[i]);
  bdag_table_destroy(table);
}

Test(table, fann_benchmarks) {
  static const struct {
    const char *name;
    uint64_t rows, inputs, columns;
  } files[] = {{"fann/mushroom.train", 4062, 125, 127},
               {"fann/parity8.train", 256, 8, 9},
               {"fann/robot.test", 594, 48, 51},
               {"fann/thyroid.train", 3600, 21, 24},
               {"fann/two-spiral.train", 193, 2, 3}};
  for (size_t i = 0; i < COUNT(files); i++) {
    bdag_table *const table = load_ok(data_path(files[i].name), BDAG_FLOAT64);
    cr_assert_eq(bdag_table_rows(table), files[i].rows);
    cr_assert_eq(bdag_table_columns(table), files[i].columns);
    cr_assert_eq(bdag_table_input_columns(table), files[i].inputs);
    cr_assert(isfinite(sum(table)));
    bdag_table_destroy(table);
  }
}
