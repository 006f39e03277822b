/* Matching of rows, and the verdict on each pair. */
#include "compare_reports.h"

#include <string.h>

#include "bench_base.h"
#include "report.h"
#include "schema.h"

json_t *bench_report_load(const char *path) {
  json_error_t error;
  char message[256];
  json_t *report = json_load_file(path, 0, &error);
  if (report == NULL) bench_die("%s, line %d: %s", path, error.line, error.text);
  if (bench_schema_check(report, message, sizeof message) != 0)
    bench_die("%s is no report of this bench: %s", path, message);
  return report;
}

static const char *text_of(const json_t *row, const char *key) {
  return json_string_value(json_object_get(row, key));
}

static int is_same_row(const json_t *a, const json_t *b) {
  static const char *const texts[] = {"case", "phase", "implementation", "type"};
  static const char *const numbers[] = {"batch", "threads"};
  for (int i = 0; i < 4; i++)
    if (strcmp(text_of(a, texts[i]), text_of(b, texts[i])) != 0) return 0;
  for (int i = 0; i < 2; i++)
    if (json_integer_value(json_object_get(a, numbers[i])) !=
        json_integer_value(json_object_get(b, numbers[i])))
      return 0;
  return 1;
}

static const json_t *find_row(const json_t *rows, const json_t *wanted) {
  for (size_t i = 0; i < json_array_size(rows); i++)
    if (is_same_row(json_array_get(rows, i), wanted)) return json_array_get(rows, i);
  return NULL;
}

static double *numbers_of(const json_t *row, const char *key, uint64_t *count) {
  const json_t *array = json_object_get(row, key);
  *count = json_array_size(array);
  double *seconds = bench_allocate(*count, sizeof *seconds);
  for (uint64_t i = 0; i < *count; i++) seconds[i] = json_number_value(json_array_get(array, i));
  return seconds;
}

static int is_usable(const json_t *row) {
  return json_is_true(json_object_get(row, "valid")) &&
         json_array_size(json_object_get(row, "seconds")) > 0;
}

/* How much slower the processor itself ran in the later report; 1 where unknown. */
static double pace_ratio(const json_t *before, const json_t *later) {
  const double a = json_number_value(json_object_get(before, "pace"));
  const double b = json_number_value(json_object_get(later, "pace"));
  return a > 0.0 && b > 0.0 ? b / a : 1.0;
}

static bench_verdict judge_rows(const json_t *before, const json_t *later, double least,
                                double *ratio) {
  uint64_t a_count, b_count;
  double *a = numbers_of(before, "seconds", &a_count);
  double *b = numbers_of(later, "seconds", &b_count);
  *ratio = bench_describe(b, b_count).median / bench_describe(a, a_count).median;
  bench_verdict verdict = bench_judge(a, a_count, b, b_count, least);
  const double pace = pace_ratio(before, later);
  for (uint64_t i = 0; i < b_count; i++) b[i] /= pace;
  if (bench_judge(a, a_count, b, b_count, least) != verdict) verdict = BENCH_SAME;
  bench_free(a);
  bench_free(b);
  if (json_array_size(json_object_get(before, "rounds")) == 0 ||
      json_array_size(json_object_get(later, "rounds")) == 0)
    return verdict;
  a = numbers_of(before, "rounds", &a_count);
  b = numbers_of(later, "rounds", &b_count);
  if (bench_judge_rounds(a, a_count, b, b_count, least) != verdict) verdict = BENCH_SAME;
  bench_free(a);
  bench_free(b);
  return verdict;
}

static void print_pair(FILE *stream, const json_t *before, const json_t *later, double ratio,
                       bench_verdict verdict) {
  char a[16], b[16];
  bench_print_seconds(a, json_number_value(json_object_get(before, "median")));
  bench_print_seconds(b, json_number_value(json_object_get(later, "median")));
  fprintf(stream, "%-16.16s %-8s %-10.10s %5lld %3lld %9s %9s %6.3f  %s%s\n",
          text_of(before, "case"), text_of(before, "phase"), text_of(before, "implementation"),
          (long long)json_integer_value(json_object_get(before, "batch")),
          (long long)json_integer_value(json_object_get(before, "threads")), a, b, ratio,
          verdict == BENCH_SAME     ? "same"
          : verdict == BENCH_SLOWER ? "SLOWER"
                                    : "faster",
          json_is_true(json_object_get(before, "noisy")) ||
                  json_is_true(json_object_get(later, "noisy"))
              ? " (noisy)"
              : "");
}

static void warn_if_busy(FILE *stream, const char *which, const json_t *report) {
  if (json_is_true(json_object_get(json_object_get(report, "machine"), "busy")))
    fprintf(stream, "the machine was busy during the %s report: differences may be others' work\n",
            which);
}

bench_comparison bench_compare_reports(FILE *stream, const json_t *before, const json_t *later,
                                       double least, int all) {
  bench_comparison result = {0};
  const json_t *a = json_object_get(before, "rows"), *b = json_object_get(later, "rows");
  int header = 0;
  warn_if_busy(stream, "first", before);
  warn_if_busy(stream, "second", later);
  for (size_t i = 0; i < json_array_size(a); i++) {
    const json_t *row = json_array_get(a, i), *other = find_row(b, row);
    if (other == NULL) {
      result.unmatched++;
      continue;
    }
    if (!is_usable(row) || !is_usable(other)) {
      result.skipped++;
      continue;
    }
    double ratio;
    const bench_verdict verdict = judge_rows(row, other, least, &ratio);
    result.compared++;
    result.slower += verdict == BENCH_SLOWER;
    result.faster += verdict == BENCH_FASTER;
    if (verdict == BENCH_SAME && !all) continue;
    if (!header++)
      fprintf(stream, "%-16s %-8s %-10s %5s %3s %9s %9s %6s\n", "case", "phase", "what", "batch",
              "thr", "old", "new", "ratio");
    print_pair(stream, row, other, ratio, verdict);
  }
  for (size_t i = 0; i < json_array_size(b); i++)
    result.unmatched += find_row(a, json_array_get(b, i)) == NULL;
  fprintf(stream, "%llu rows compared: %llu slower, %llu faster",
          (unsigned long long)result.compared, (unsigned long long)result.slower,
          (unsigned long long)result.faster);
  if (result.unmatched > 0)
    fprintf(stream, "; %llu in one report only", (unsigned long long)result.unmatched);
  if (result.skipped > 0) fprintf(stream, "; %llu not valid", (unsigned long long)result.skipped);
  fputc('\n', stream);
  return result;
}
