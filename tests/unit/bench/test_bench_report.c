/* The JSON against its schema, the table against its width, and comparison of reports. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "bench_base.h"
#include "compare_reports.h"
#include "machine.h"
#include "report.h"
#include "schema.h"

static json_t *report;
static char message[256];

static bench_row row_of(const char *name, const double *seconds, uint64_t count) {
  return (bench_row){.name = name,
                     .phase = "forward",
                     .implementation = "backdag",
                     .batch = 64,
                     .threads = 2,
                     .type = "float32",
                     .seconds = seconds,
                     .count = count,
                     .pace = 1e-3,
                     .edge_samples = 1e6,
                     .flops = 2e6,
                     .bytes = 1e5,
                     .peak = 1e11,
                     .level = "L2",
                     .bandwidth = 1e11,
                     .memory = 12345,
                     .valid = 1};
}

static json_t *empty_report(void) {
  bench_machine machine;
  bench_machine_probe(&machine, 0.0);
  return bench_report_create("run", machine.json, json_object());
}

static void set_up(void) {
  static const double seconds[] = {1e-3, 1.1e-3, 1.05e-3};
  const bench_row row = row_of("mlp", seconds, 3);
  report = empty_report();
  json_array_append_new(json_object_get(report, "rows"), bench_row_json(&row));
}
static void tear_down(void) {
  json_decref(report);
}
TestSuite(schema, .init = set_up, .fini = tear_down);

static void refused(const char *part) {
  cr_assert_eq(bench_schema_check(report, message, sizeof message), -1, "%s is not wanted", part);
  cr_assert_not_null(strstr(message, part), "\"%s\" does not name %s", message, part);
}

Test(schema, a_report_follows_it) {
  cr_assert_eq(bench_schema_check(report, message, sizeof message), 0, "%s", message);
}

Test(schema, every_field_of_a_row_is_wanted) {
  json_t *row = json_array_get(json_object_get(report, "rows"), 0);
  json_t *whole = json_deep_copy(row);
  const char *key;
  json_t *value;
  json_object_foreach(whole, key, value) {
    json_object_del(row, key);
    refused(key);
    /* An object is the type of no field of a row. */
    json_object_set_new(row, key, json_object());
    refused(key);
    json_object_set(row, key, value);
  }
  cr_assert_geq(json_object_size(whole), 25);
  cr_assert_eq(bench_schema_check(report, message, sizeof message), 0, "%s", message);
  json_decref(whole);
}

Test(schema, every_field_of_the_machine_is_wanted) {
  json_t *machine = json_object_get(report, "machine");
  json_t *whole = json_deep_copy(machine);
  const char *key;
  json_t *value;
  json_object_foreach(whole, key, value) {
    json_object_del(machine, key);
    refused(key);
    json_object_set(machine, key, value);
  }
  json_decref(whole);
}

Test(schema, numbers_are_numbers) {
  json_t *row = json_array_get(json_object_get(report, "rows"), 0);
  json_array_append_new(json_object_get(row, "seconds"), json_string("1"));
  refused("seconds");
}

Test(schema, another_version) {
  json_object_set_new(report, "schema", json_integer(BENCH_SCHEMA_VERSION + 1));
  refused("version");
}

Test(schema, another_format) {
  json_object_set_new(report, "format", json_string("other"));
  refused("format");
}

Test(schema, not_an_object) {
  json_t *array = json_array();
  cr_assert_eq(bench_schema_check(array, message, sizeof message), -1);
  json_decref(array);
}

Test(schema, rows_without_a_time_have_nulls) {
  const bench_row row = row_of("mlp", NULL, 0);
  json_t *json = bench_row_json(&row);
  cr_assert(json_is_null(json_object_get(json, "median")));
  json_array_append_new(json_object_get(report, "rows"), json);
  cr_assert_eq(bench_schema_check(report, message, sizeof message), 0, "%s", message);
}

Test(schema, the_documentation_names_every_field) {
  char *text = NULL;
  size_t size = 0;
  FILE *stream = open_memstream(&text, &size);
  bench_schema_print(stream);
  fclose(stream);
  const char *key;
  json_t *value;
  json_object_foreach(json_array_get(json_object_get(report, "rows"), 0), key, value)
      cr_assert_not_null(strstr(text, key), "%s is not documented", key);
  free(text);
}

Test(report, is_written_and_loaded) {
  char path[] = "/tmp/backdag-bench-XXXXXX";
  cr_assert_geq(mkstemp(path), 0);
  set_up();
  cr_assert_eq(bench_report_write(report, path), 0);
  json_t *loaded = bench_report_load(path);
  const json_t *a = json_array_get(json_object_get(loaded, "rows"), 0);
  const json_t *b = json_array_get(json_object_get(report, "rows"), 0);
  cr_assert_eq(json_object_size(a), json_object_size(b));
  cr_assert_eq(json_array_size(json_object_get(a, "seconds")), 3);
  cr_assert(json_equal(json_object_get(a, "memory"), json_object_get(b, "memory")));
  json_decref(loaded);
  tear_down();
  remove(path);
}

/* Columns, not bytes: a character's continuation bytes do not count. */
static void assert_narrow(const char *text) {
  size_t columns = 0;
  for (const char *c = text; *c != '\0'; c++) {
    columns = *c == '\n' ? 0 : columns + ((*c & 0xc0) != 0x80);
    cr_assert_leq(columns, 100, "%s", text);
  }
}

Test(report, the_table_has_at_most_100_columns) {
  static const double extremes[][3] = {
      {1e-9, 2e-9, 9e-9}, {1.0, 999.9, 1234.5}, {1e-3, 1e-3, 1e-3}};
  char *text = NULL;
  size_t size = 0;
  FILE *stream = open_memstream(&text, &size);
  bench_table_header(stream);
  for (int i = 0; i < 3; i++) {
    bench_row row = row_of("a-name-that-is-much-longer-than-its-column", extremes[i], 3);
    row.phase = "backward";
    row.batch = 4096;
    row.threads = 64;
    row.edge_samples = 9e11 * extremes[i][1];
    row.flops = 9e12 * extremes[i][1];
    row.bytes = 9.9e11 * extremes[i][1];
    row.bandwidth = 1e11;
    row.level = "memory";
    row.backward_forward = 99.99;
    row.bound = 2.0;
    row.memory = UINT64_C(999) << 30;
    memset(row.note, 'n', sizeof row.note - 1);
    bench_table_row(stream, &row);
  }
  bench_machine machine;
  bench_machine_probe(&machine, 0.01);
  bench_machine_print(stream, machine.json);
  bench_machine_clear(&machine);
  fclose(stream);
  assert_narrow(text);
  free(text);
}

Test(report, seconds_and_bytes_are_short) {
  char text[16];
  bench_print_seconds(text, 1.234e-6);
  cr_assert_str_eq(text, "1.23 us");
  bench_print_seconds(text, 0.9999);
  cr_assert_str_eq(text, "1.00 s ");
  bench_print_seconds(text, 123.4e-3);
  cr_assert_str_eq(text, "123 ms");
  bench_print_bytes(text, 1536.0);
  cr_assert_str_eq(text, "1.50 K");
}

/* ---- Comparison -------------------------------------------------------------------------------- */

enum { SAMPLES = 50 };

static void add_row(json_t *to, const char *name, double scale, double pace, uint64_t seed) {
  double seconds[SAMPLES];
  bench_random random = {seed};
  for (int i = 0; i < SAMPLES; i++)
    seconds[i] = scale * (1.0 + 0.02 * bench_random_uniform(&random));
  bench_row row = row_of(name, seconds, SAMPLES);
  row.pace = pace;
  json_array_append_new(json_object_get(to, "rows"), bench_row_json(&row));
}

static bench_comparison compare(const json_t *before, const json_t *later, char **text) {
  size_t size = 0;
  FILE *stream = open_memstream(text, &size);
  const bench_comparison result = bench_compare_reports(stream, before, later, 0.05, 0);
  fclose(stream);
  assert_narrow(*text);
  return result;
}

Test(compare, finds_the_slower_row_and_only_that) {
  json_t *before = empty_report(), *later = empty_report();
  add_row(before, "one", 1e-3, 1e-3, 1);
  add_row(before, "two", 2e-3, 1e-3, 2);
  add_row(before, "three", 3e-3, 1e-3, 3);
  add_row(later, "three", 3e-3, 1e-3, 4);
  add_row(later, "two", 2.2e-3, 1e-3, 5);
  add_row(later, "one", 1e-3, 1e-3, 6);
  char *text;
  const bench_comparison result = compare(before, later, &text);
  cr_assert_eq(result.compared, 3);
  cr_assert_eq(result.slower, 1);
  cr_assert_eq(result.faster, 0);
  cr_assert_not_null(strstr(text, "two"));
  cr_assert_not_null(strstr(text, "SLOWER"));
  cr_assert_null(strstr(text, "three"));
  free(text);
  json_decref(before);
  json_decref(later);
}

Test(compare, two_samples_of_one_distribution_are_the_same) {
  json_t *before = empty_report(), *later = empty_report();
  for (uint64_t i = 0; i < 40; i++) {
    char name[16];
    snprintf(name, sizeof name, "row %d", (int)i);
    add_row(before, name, 1e-3, 1e-3, 2 * i);
    add_row(later, name, 1e-3, 1e-3, 2 * i + 1);
  }
  char *text;
  const bench_comparison result = compare(before, later, &text);
  cr_assert_eq(result.compared, 40);
  cr_assert_eq(result.slower + result.faster, 0, "%s", text);
  free(text);
  json_decref(before);
  json_decref(later);
}

Test(compare, a_slower_processor_is_no_slower_code) {
  json_t *before = empty_report(), *later = empty_report();
  add_row(before, "one", 1e-3, 1e-3, 1);
  add_row(later, "one", 1.2e-3, 1.2e-3, 2);
  char *text;
  cr_assert_eq(compare(before, later, &text).slower, 0);
  free(text);
  json_decref(before);
  json_decref(later);
}

Test(compare, counts_what_it_cannot_compare) {
  json_t *before = empty_report(), *later = empty_report();
  add_row(before, "one", 1e-3, 1e-3, 1);
  add_row(before, "gone", 1e-3, 1e-3, 1);
  add_row(later, "one", 1e-3, 1e-3, 1);
  add_row(later, "new", 1e-3, 1e-3, 1);
  json_object_set_new(json_array_get(json_object_get(later, "rows"), 0), "valid", json_false());
  char *text;
  const bench_comparison result = compare(before, later, &text);
  cr_assert_eq(result.compared, 0);
  cr_assert_eq(result.skipped, 1);
  cr_assert_eq(result.unmatched, 2);
  free(text);
  json_decref(before);
  json_decref(later);
}
