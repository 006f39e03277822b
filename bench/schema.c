/* Schema version 1 of the report. Fields that are not listed are allowed. */
#include "schema.h"

#include <string.h>

#include "report.h"

typedef enum field_type {
  STRING,
  INTEGER,
  NUMBER,         /* integer or real */
  NUMBER_OR_NULL, /* null: has no meaning here, or was not measured */
  STRING_OR_NULL,
  BOOLEAN,
  NUMBERS, /* array of numbers */
  PAIR,    /* array of two, number or null each */
  OBJECT,
  ARRAY
} field_type;

static const char *const type_names[] = {"string",         "integer", "number",  "number or null",
                                         "string or null", "boolean", "numbers", "pair of numbers",
                                         "object",         "array"};

typedef struct field {
  const char *name;
  field_type type;
  const char *meaning;
} field;

static const field report_fields[] = {
    {"format", STRING, "\"backdag-bench\""},
    {"schema", INTEGER, "version of this schema; it changes when a field changes its meaning"},
    {"kind", STRING,
     "\"run\", \"scaling\", or \"peers\" where rows of one case were measured interleaved"},
    {"machine", OBJECT, "on what the times were taken"},
    {"settings", OBJECT, "options of the command line"},
    {"rows", ARRAY, "one per case, phase, batch, number of threads and implementation"},
};
static const field machine_fields[] = {
    {"cpu", STRING, "model name"},
    {"topology", STRING, "hwloc's tree in one line"},
    {"smt", BOOLEAN, "more processors than cores"},
    {"allowed_processors", INTEGER, "in this process's affinity mask"},
    {"cores", INTEGER, "physical cores"},
    {"cgroup_quota", NUMBER_OR_NULL, "processors; null: no quota"},
    {"governor", STRING_OR_NULL, "frequency governor; null: not readable"},
    {"kernel", STRING, "operating system, release, architecture"},
    {"compiler", STRING, "that built this binary"},
    {"flags", STRING, "build type and options"},
    {"openmp", STRING, "OpenMP runtime that is loaded"},
    {"environment", OBJECT, "variables OMP_*, GOMP_*, KMP_*, BACKDAG_*"},
    {"version", STRING, "of the library"},
    {"commit", STRING, "of the source"},
    {"load_average", NUMBER, "of one minute, before the first measurement"},
    {"busy", BOOLEAN, "the machine had other work"},
    {"time", STRING, "UTC, ISO 8601"},
};
static const field row_fields[] = {
    {"case", STRING, "name of the case, or path of the network file"},
    {"phase", STRING, "forward, backward, both, step, plan, engine or tasks"},
    {"implementation", STRING, "\"backdag\" or the peer's name"},
    {"batch", INTEGER, "samples"},
    {"threads", INTEGER, "threads"},
    {"type", STRING, "float32 or float64"},
    {"seconds", NUMBERS, "samples: seconds of one repetition each, in order of time"},
    {"median", NUMBER_OR_NULL, "of them"},
    {"minimum", NUMBER_OR_NULL, "of them"},
    {"quartiles", PAIR, "25 % and 75 %"},
    {"confidence", PAIR, "95 % interval of the median"},
    {"pace", NUMBER_OR_NULL, "seconds of a fixed chain of multiply-adds measured beside it"},
    {"edge_samples", NUMBER_OR_NULL, "edges times samples of one repetition"},
    {"flops", NUMBER_OR_NULL, "useful operations of one repetition"},
    {"peak", NUMBER_OR_NULL, "measured flop/s of that many threads"},
    {"bytes", NUMBER_OR_NULL, "bytes moved if every row and weight is touched once a pass"},
    {"level", STRING_OR_NULL, "cache level (or memory) that holds them"},
    {"bandwidth", NUMBER_OR_NULL, "measured bytes/s of that level"},
    {"row_bytes", NUMBER_OR_NULL, "bytes of rows if every edge reads its source's row once"},
    {"backward_forward", NUMBER_OR_NULL, "ratio of the medians of one interleaved run"},
    {"bound", NUMBER_OR_NULL, "flop bound of that ratio for this graph"},
    {"memory", INTEGER, "bytes of plans and engines, 0: unknown"},
    {"noisy", BOOLEAN, "quartiles more than 10 % apart, or median uncertain by 3 %"},
    {"valid", BOOLEAN, "false: not to be believed, see note"},
    {"note", STRING, "why not valid, or a remark"},
};
#define COUNT(array) (sizeof(array) / sizeof *(array))

static int all_numbers(const json_t *array, int null_too) {
  for (size_t i = 0; i < json_array_size(array); i++) {
    const json_t *value = json_array_get(array, i);
    if (!json_is_number(value) && !(null_too && json_is_null(value))) return 0;
  }
  return 1;
}

static int has_type(const json_t *value, field_type type) {
  switch (type) {
  case STRING:
    return json_is_string(value);
  case INTEGER:
    return json_is_integer(value);
  case NUMBER:
    return json_is_number(value);
  case NUMBER_OR_NULL:
    return json_is_number(value) || json_is_null(value);
  case STRING_OR_NULL:
    return json_is_string(value) || json_is_null(value);
  case BOOLEAN:
    return json_is_boolean(value);
  case NUMBERS:
    return json_is_array(value) && all_numbers(value, 0);
  case PAIR:
    return json_is_array(value) && json_array_size(value) == 2 && all_numbers(value, 1);
  case OBJECT:
    return json_is_object(value);
  case ARRAY:
    return json_is_array(value);
  }
  return 0;
}

static int check_fields(const json_t *object, const char *place, const field *fields, size_t count,
                        char *message, size_t size) {
  if (!json_is_object(object)) {
    snprintf(message, size, "%s is not an object", place);
    return -1;
  }
  for (size_t i = 0; i < count; i++) {
    const json_t *value = json_object_get(object, fields[i].name);
    if (value != NULL && has_type(value, fields[i].type)) continue;
    snprintf(message, size, "%s: field \"%s\" is %s, expected %s", place, fields[i].name,
             value == NULL ? "missing" : "of another type", type_names[fields[i].type]);
    return -1;
  }
  return 0;
}

int bench_schema_check(const json_t *report, char *message, size_t size) {
  if (check_fields(report, "report", report_fields, COUNT(report_fields), message, size) != 0)
    return -1;
  if (strcmp(json_string_value(json_object_get(report, "format")), "backdag-bench") != 0) {
    snprintf(message, size, "the format is not \"backdag-bench\"");
    return -1;
  }
  const json_int_t version = json_integer_value(json_object_get(report, "schema"));
  if (version != BENCH_SCHEMA_VERSION) {
    snprintf(message, size, "schema version %lld is not %d, which this binary knows",
             (long long)version, BENCH_SCHEMA_VERSION);
    return -1;
  }
  if (check_fields(json_object_get(report, "machine"), "machine", machine_fields,
                   COUNT(machine_fields), message, size) != 0)
    return -1;
  const json_t *rows = json_object_get(report, "rows");
  for (size_t i = 0; i < json_array_size(rows); i++) {
    char place[32];
    snprintf(place, sizeof place, "row %zu", i);
    if (check_fields(json_array_get(rows, i), place, row_fields, COUNT(row_fields), message,
                     size) != 0)
      return -1;
  }
  return 0;
}

static void print_fields(FILE *stream, const char *title, const field *fields, size_t count) {
  fprintf(stream, "%s\n", title);
  for (size_t i = 0; i < count; i++)
    fprintf(stream, "  %-19s %-15s %s\n", fields[i].name, type_names[fields[i].type],
            fields[i].meaning);
}

void bench_schema_print(FILE *stream) {
  fprintf(stream,
          "Schema version %d of the JSON report. Rates are per second, times are seconds.\n",
          BENCH_SCHEMA_VERSION);
  print_fields(stream, "report", report_fields, COUNT(report_fields));
  print_fields(stream, "machine", machine_fields, COUNT(machine_fields));
  print_fields(stream, "row", row_fields, COUNT(row_fields));
}
