/* The machine block as text. */
#include "machine.h"

#include <string.h>

static const char *text_of(const json_t *json, const char *key) {
  const char *text = json_string_value(json_object_get(json, key));
  return text != NULL ? text : "unknown";
}

static double rate_of(const json_t *json, const char *key, size_t index) {
  return 1e-9 * json_number_value(json_array_get(json_object_get(json, key), index));
}

static void print_size(FILE *stream, json_int_t bytes) {
  if (bytes >= 1 << 20)
    fprintf(stream, "%lld MiB", (long long)(bytes >> 20));
  else
    fprintf(stream, "%lld KiB", (long long)(bytes >> 10));
}

/* Long values go on in the next line, at column 12. */
static void print_field(FILE *stream, const char *name, const char *value) {
  enum { WIDTH = 86 };
  fprintf(stream, "%-11s", name);
  size_t length = strlen(value);
  while (length > WIDTH) {
    size_t cut = WIDTH;
    while (cut > 0 && value[cut] != ' ') cut--;
    if (cut == 0) cut = WIDTH;
    fprintf(stream, " %.*s\n%-11s", (int)cut, value, "");
    value += cut;
    value += strspn(value, " ");
    length = strlen(value);
  }
  fprintf(stream, " %s\n", value);
}

static void print_ceilings(FILE *stream, const json_t *c) {
  const int threads = (int)json_integer_value(json_object_get(c, "threads"));
  fprintf(stream, "ceilings    1 / %d threads (%s)\n", threads, text_of(c, "isa"));
  fprintf(stream, "  %-14s %7.1f / %7.1f GFLOP/s   float64 %7.1f / %7.1f GFLOP/s\n", "FMA float32",
          rate_of(c, "fma_float32", 0), rate_of(c, "fma_float32", 1), rate_of(c, "fma_float64", 0),
          rate_of(c, "fma_float64", 1));
  size_t i;
  json_t *entry;
  json_array_foreach(json_object_get(c, "read"), i, entry) {
    fprintf(stream, "  read %-9s %7.1f / %7.1f GB/s      ", text_of(entry, "level"),
            rate_of(entry, "bytes_per_second", 0), rate_of(entry, "bytes_per_second", 1));
    print_size(stream, json_integer_value(json_object_get(entry, "bytes")));
    fputs(" a thread\n", stream);
  }
  json_array_foreach(json_object_get(c, "gather_256_byte_rows"), i, entry) {
    fprintf(stream, "  rows of 256 B  %7.1f / %7.1f GB/s   prefetched %7.1f / %7.1f out of ",
            rate_of(entry, "bytes_per_second", 0), rate_of(entry, "bytes_per_second", 1),
            rate_of(entry, "prefetched_bytes_per_second", 0),
            rate_of(entry, "prefetched_bytes_per_second", 1));
    print_size(stream, json_integer_value(json_object_get(entry, "bytes")));
    fputc('\n', stream);
  }
}

void bench_machine_print(FILE *stream, const json_t *m) {
  char line[1024];
  print_field(stream, "processor", text_of(m, "cpu"));
  print_field(stream, "topology", text_of(m, "topology"));
  const json_t *quota = json_object_get(m, "cgroup_quota");
  int used =
      snprintf(line, sizeof line, "%lld processors, SMT %s, governor %s, cgroup quota ",
               (long long)json_integer_value(json_object_get(m, "allowed_processors")),
               json_is_true(json_object_get(m, "smt")) ? "on" : "off", text_of(m, "governor"));
  if (json_is_number(quota))
    snprintf(line + used, sizeof line - (size_t)used, "%.2f", json_number_value(quota));
  else
    snprintf(line + used, sizeof line - (size_t)used, "none");
  print_field(stream, "allowed", line);
  print_field(stream, "kernel", text_of(m, "kernel"));
  snprintf(line, sizeof line, "%s; %s", text_of(m, "compiler"), text_of(m, "flags"));
  print_field(stream, "compiler", line);
  used = snprintf(line, sizeof line, "%s", text_of(m, "openmp"));
  const char *key;
  json_t *value;
  json_object_foreach(json_object_get(m, "environment"), key, value) {
    if ((size_t)used + strlen(key) + 80 < sizeof line)
      used += snprintf(line + used, sizeof line - (size_t)used, ", %s=%.64s", key,
                       json_string_value(value));
  }
  print_field(stream, "OpenMP", line);
  snprintf(line, sizeof line, "%s, commit %s", text_of(m, "version"), text_of(m, "commit"));
  print_field(stream, "backdag", line);
  snprintf(line, sizeof line, "%.2f%s", json_number_value(json_object_get(m, "load_average")),
           json_is_true(json_object_get(m, "busy"))
               ? "  WARNING: the machine is busy, times will be off"
               : "");
  print_field(stream, "load", line);
  const json_t *ceilings = json_object_get(m, "ceilings");
  if (ceilings != NULL) print_ceilings(stream, ceilings);
}
