/* The table and the JSON of a report. */
#include "report.h"

#include <errno.h>
#include <math.h>
#include <string.h>

static void print_scaled(char text[16], double value, const char *const *units, double step,
                         int count) {
  int u = 0;
  while (u + 1 < count && fabs(value) >= 0.9995 * step) {
    value /= step;
    u++;
  }
  const int digits = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  snprintf(text, 16, "%.*f %s", digits, value, units[u]);
}

void bench_print_seconds(char text[16], double seconds) {
  static const char *const units[] = {"ns", "us", "ms", "s "};
  print_scaled(text, 1e9 * seconds, units, 1e3, 4);
}

void bench_print_bytes(char text[16], double bytes) {
  static const char *const units[] = {"B", "K", "M", "G", "T"};
  print_scaled(text, bytes, units, 1024.0, 5);
}

void bench_table_header(FILE *stream) {
  fprintf(stream, "%-15s %-8s %4s %2s %7s %4s  %6s %6s %4s %5s %6s %4s %4s %6s\n", "case", "phase",
          "b", "t", "time", "IQR%", "Ge.s/s", "Gflops", "peak", "GB/s", "of bw", "b/f", "flop",
          "memory");
}

static void print_or_dash(char *text, size_t size, int known, const char *format, double value) {
  if (known)
    snprintf(text, size, format, value);
  else
    snprintf(text, size, "-");
}

/* "64 mem" for 64 % of the memory's bandwidth. */
static void print_share(char *text, size_t size, const bench_row *row, double seconds) {
  if (row->bytes > 0.0 && seconds > 0.0 && row->bandwidth > 0.0)
    snprintf(text, size, "%.0f %.3s", 100.0 * row->bytes / seconds / row->bandwidth, row->level);
  else
    snprintf(text, size, "-");
}

void bench_table_row(FILE *stream, const bench_row *row) {
  const bench_statistics s = bench_describe(row->seconds, row->count);
  const int timed = row->count > 0;
  char batch[24], time[16], iqr[12], rate[12], flops[12], peak[12], bytes[12], share[12], ratio[12],
      bound[12], memory[16];
  const char *slash = strrchr(row->name, '/');
  print_or_dash(batch, sizeof batch, row->batch > 0, "%.0f", (double)row->batch);
  bench_print_seconds(time, s.median);
  if (!timed) strcpy(time, "-");
  print_or_dash(iqr, sizeof iqr, timed, bench_spread(&s) < 0.9995 ? "%.1f" : "%.0f",
                100.0 * fmin(bench_spread(&s), 99.99));
  print_or_dash(rate, sizeof rate, timed && row->edge_samples > 0.0, "%.2f",
                1e-9 * row->edge_samples / s.median);
  print_or_dash(flops, sizeof flops, timed && row->flops > 0.0, "%.1f",
                1e-9 * row->flops / s.median);
  print_or_dash(peak, sizeof peak, timed && row->flops > 0.0 && row->peak > 0.0, "%.0f",
                100.0 * row->flops / s.median / row->peak);
  print_or_dash(bytes, sizeof bytes, timed && row->bytes > 0.0, "%.1f",
                1e-9 * row->bytes / s.median);
  print_share(share, sizeof share, row, s.median);
  print_or_dash(ratio, sizeof ratio, row->backward_forward > 0.0, "%.2f", row->backward_forward);
  print_or_dash(bound, sizeof bound, row->backward_forward > 0.0, "%.2f", row->bound);
  bench_print_bytes(memory, (double)row->memory);
  fprintf(stream, "%-15.15s %-8s %4s %2u %7s %4s%c %6s %6s %4s %5s %6s %4s %4s %6s\n",
          slash != NULL ? slash + 1 : row->name, row->phase, batch, row->threads, time, iqr,
          timed && bench_is_noisy(&s) ? '!' : ' ', rate, flops, peak, bytes, share, ratio, bound,
          row->memory > 0 ? memory : "-");
  if (timed && row->row_bandwidth > 0.0)
    fprintf(stream,
            "  rows: %.0f GB/s, %.0f %% of the %.0f GB/s at which they alone are gathered\n",
            1e-9 * row->row_bytes / s.median,
            100.0 * row->row_bytes / s.median / row->row_bandwidth, 1e-9 * row->row_bandwidth);
  if (row->note[0] != '\0')
    fprintf(stream, "  %s: %.86s\n", row->valid ? "note" : "INVALID", row->note);
}

static json_t *number_or_null(double value) {
  return value > 0.0 && isfinite(value) ? json_real(value) : json_null();
}

json_t *bench_row_json(const bench_row *row) {
  const bench_statistics s = bench_describe(row->seconds, row->count);
  json_t *seconds = json_array();
  for (uint64_t i = 0; i < row->count; i++)
    json_array_append_new(seconds, json_real(row->seconds[i]));
  json_t *json = json_object();
  json_object_set_new(json, "case", json_string(row->name));
  json_object_set_new(json, "phase", json_string(row->phase));
  json_object_set_new(json, "implementation", json_string(row->implementation));
  json_object_set_new(json, "batch", json_integer((json_int_t)row->batch));
  json_object_set_new(json, "threads", json_integer(row->threads));
  json_object_set_new(json, "type", json_string(row->type));
  json_object_set_new(json, "seconds", seconds);
  if (row->round_count > 0) {
    json_t *rounds = json_array();
    for (uint64_t i = 0; i < row->round_count; i++)
      json_array_append_new(rounds, json_real(row->rounds[i]));
    json_object_set_new(json, "rounds", rounds);
  }
  json_object_set_new(json, "median", number_or_null(s.median));
  json_object_set_new(json, "minimum", number_or_null(s.minimum));
  json_object_set_new(
      json, "quartiles",
      json_pack("[o, o]", number_or_null(s.quartile_low), number_or_null(s.quartile_high)));
  json_object_set_new(
      json, "confidence",
      json_pack("[o, o]", number_or_null(s.confidence_low), number_or_null(s.confidence_high)));
  json_object_set_new(json, "pace", number_or_null(row->pace));
  json_object_set_new(json, "edge_samples", number_or_null(row->edge_samples));
  json_object_set_new(json, "flops", number_or_null(row->flops));
  json_object_set_new(json, "peak", number_or_null(row->peak));
  json_object_set_new(json, "bytes", number_or_null(row->bytes));
  json_object_set_new(json, "level", row->level != NULL ? json_string(row->level) : json_null());
  json_object_set_new(json, "bandwidth", number_or_null(row->bandwidth));
  json_object_set_new(json, "row_bytes", number_or_null(row->row_bytes));
  if (row->row_bandwidth > 0.0)
    json_object_set_new(json, "row_bandwidth", json_real(row->row_bandwidth));
  json_object_set_new(json, "backward_forward", number_or_null(row->backward_forward));
  json_object_set_new(json, "bound", number_or_null(row->bound));
  json_object_set_new(json, "memory", json_integer((json_int_t)row->memory));
  json_object_set_new(json, "noisy", json_boolean(row->count > 0 && bench_is_noisy(&s)));
  json_object_set_new(json, "valid", json_boolean(row->valid));
  json_object_set_new(json, "note", json_string(row->note));
  return json;
}

json_t *bench_report_create(const char *kind, json_t *machine, json_t *settings) {
  return json_pack("{s:s, s:i, s:s, s:o, s:o, s:[]}", "format", "backdag-bench", "schema",
                   BENCH_SCHEMA_VERSION, "kind", kind, "machine", machine, "settings", settings,
                   "rows");
}

int bench_report_write(const json_t *report, const char *path) {
  FILE *file = fopen(path, "we");
  int failed =
      file == NULL || json_dumpf(report, file, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) != 0;
  if (file != NULL && fclose(file) != 0) failed = 1;
  if (failed) fprintf(stderr, "backdag-bench: cannot write %s: %s\n", path, strerror(errno));
  return failed ? -1 : 0;
}
