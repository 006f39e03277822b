/* The tables of backdag trace. */
#include <inttypes.h>
#include <stdlib.h>

#include "trace_report.h"

static const uint32_t predicted_threads[] = {1, 2, 4, 8, 16, 32, 64, 128};
enum { PREDICTIONS = sizeof predicted_threads / sizeof predicted_threads[0], SHARE_WIDTH = 30 };

const char *trace_format_seconds(char *buffer, double seconds) {
  static const char *const units[] = {"ns", "us", "ms", "s"};
  double value = 1e9 * seconds;
  int unit = 0;
  for (; value >= 999.5 && unit < 3; unit++) value /= 1000;
  snprintf(buffer, 32, "%.3g %s", value, units[unit]);
  return buffer;
}

static const char *axis_name(bdag_axis axis) {
  static const char *const names[] = {"mixed", "tiles", "vertices", "serial", "both"};
  return names[axis];
}

static void print_time(cli_result *result, const char *name, double seconds) {
  char text[32];
  if (result->json)
    cli_result_real(result, name, seconds);
  else
    cli_result_text(result, name, trace_format_seconds(text, seconds));
}

static void print_release(cli_result *result, const trace_report *report) {
  const bdag_analysis *analysis = &report->analysis;
  char text[96], time[32];
  if (result->json) {
    cli_result_real(result, "release", analysis->release);
    cli_result_count(result, "releases measured", analysis->releases);
    return;
  }
  trace_format_seconds(time, analysis->release);
  if (report->release_given)
    snprintf(text, sizeof text, "%s (given)", time);
  else if (analysis->releases > 0)
    snprintf(text, sizeof text, "%s (median of %" PRIu64 " on other threads)", time,
             analysis->releases);
  else
    snprintf(text, sizeof text, "none on another thread; give one with --release");
  cli_result_text(result, "release", text);
}

static void print_summary(cli_result *result, const trace_report *report) {
  const bdag_analysis *analysis = &report->analysis;
  cli_result_text(result, "network", report->network);
  cli_result_text(result, "pass", report->what);
  cli_result_count(result, "samples", report->samples);
  cli_result_count(result, "threads", analysis->threads);
  cli_result_text(result, "axis", axis_name(analysis->axis));
  cli_result_count(result, "runs", report->runs);
  cli_result_count(result, "tasks", analysis->tasks);
  print_time(result, "mean task", analysis->mean_task);
  print_time(result, "work", analysis->work);
  print_time(result, "span", analysis->span);
  print_time(result, "burdened span", analysis->burdened_span);
  print_release(result, report);
  cli_result_real(result, "parallelism", analysis->parallelism);
  print_time(result, "time", analysis->wall);
  cli_result_share(result, "overhead", analysis->overhead / (analysis->overhead + analysis->work));
  cli_result_count(result, "critical path", analysis->path_length);
  cli_result_count(result, "dropped", analysis->dropped);
}

/* ---- Where the work is ---------------------------------------------------------------------------- */

typedef struct kind_sum {
  uint64_t records;
  double seconds;
} kind_sum;

static double seconds_of(const bdag_trace_record *record) {
  return 1e-9 * (double)(record->end - record->begin);
}

static void print_kinds(cli_result *result, const trace_report *report) {
  kind_sum sums[BDAG_TRACE_KINDS] = {{0, 0}};
  bdag_trace_record record;
  char name[64], time[32];
  for (uint64_t i = 0; bdag_trace_get_record(report->trace, i, &record) == BDAG_OK; i++) {
    sums[record.kind].records++;
    sums[record.kind].seconds += seconds_of(&record);
  }
  if (!result->json) puts("\nkind                    records       time   share of the work");
  for (int kind = 0; kind < BDAG_TRACE_KINDS; kind++) {
    const char *word = bdag_trace_kind_name((bdag_trace_kind)kind);
    const double share = report->analysis.work > 0 ? sums[kind].seconds / report->analysis.work : 0;
    if (sums[kind].records == 0) continue;
    if (result->json) {
      snprintf(name, sizeof name, "work of %s", word);
      cli_result_real(result, name, sums[kind].seconds);
      continue;
    }
    trace_format_seconds(time, sums[kind].seconds);
    printf("%-22s %8" PRIu64 " %10s %6.1f %% ", word, sums[kind].records, time, 100 * share);
    for (int i = 0; i < (int)(share * SHARE_WIDTH + 0.5); i++) putchar('#');
    putchar('\n');
  }
}

/* ---- Prediction ----------------------------------------------------------------------------------- */

static void print_predictions(cli_result *result, const trace_report *report) {
  const bdag_analysis *analysis = &report->analysis;
  char name[64], time[32];
  if (!result->json)
    puts("\nPrediction, from these tasks and times alone (no limit by memory bandwidth):\n"
         "threads          time   speed-up");
  for (int i = 0; i < PREDICTIONS; i++) {
    const double seconds = bdag_analysis_predict(analysis, predicted_threads[i]);
    const double speed_up = seconds > 0 ? analysis->work / seconds : 1;
    if (result->json) {
      snprintf(name, sizeof name, "predicted speed-up on %u threads", predicted_threads[i]);
      cli_result_real(result, name, speed_up);
      continue;
    }
    trace_format_seconds(time, seconds);
    printf("%7u %13s %10.2f\n", predicted_threads[i], time, speed_up);
  }
  if (!result->json)
    printf("The measured time with %u thread%s: %s\n", analysis->threads,
           analysis->threads == 1 ? "" : "s", trace_format_seconds(time, analysis->wall));
}

/* ---- Critical path -------------------------------------------------------------------------------- */

typedef struct path_step {
  uint64_t index, place;
  double seconds;
} path_step;

static int compare_steps(const void *a, const void *b) {
  const path_step *left = a, *right = b;
  if (left->seconds != right->seconds) return left->seconds > right->seconds ? -1 : 1;
  return (left->place > right->place) - (left->place < right->place);
}

static int print_path(const trace_report *report, uint64_t steps) {
  const uint64_t length = report->analysis.path_length;
  bdag_trace_record record;
  char label[160], time[32];
  if (steps == 0 || length == 0) return CLI_OK;
  if (steps > length) steps = length;
  path_step *list = calloc(length, sizeof *list);
  if (list == NULL) return cli_fail("out of memory");
  for (uint64_t i = 0; i < length; i++) {
    if (bdag_trace_get_record(report->trace, report->path[i], &record) != BDAG_OK) continue;
    list[i] = (path_step){report->path[i], i + 1, seconds_of(&record)};
  }
  qsort(list, length, sizeof *list, compare_steps);
  printf("\nThe longest of the %" PRIu64 " steps of the critical path:\n"
         "   step       time   what\n",
         length);
  for (uint64_t i = 0; i < steps; i++) {
    if (bdag_trace_get_record(report->trace, list[i].index, &record) != BDAG_OK) continue;
    bdag_trace_label(report->trace, &record, label, sizeof label);
    trace_format_seconds(time, list[i].seconds);
    printf("%7" PRIu64 " %10s   %s\n", list[i].place, time, label);
  }
  free(list);
  return CLI_OK;
}

int trace_report_print(const trace_report *report, uint64_t steps, int json) {
  cli_result result;
  int status = CLI_OK;
  cli_result_begin(&result, json);
  print_summary(&result, report);
  print_kinds(&result, report);
  print_predictions(&result, report);
  if (!json) status = print_path(report, steps);
  const int ended = cli_result_end(&result);
  return status == CLI_OK ? ended : status;
}
