/* Tables of the report. Unknown numbers are a dash. May include svg_axis for the text of numbers. */
#include "html_tables.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "plot_figures.h"
#include "svg_axis.h"

/* ---- Cells --------------------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static void cell(FILE *stream, const char *format, ...) {
  char text[320];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  fputs("<td>", stream);
  bench_xml_write(stream, text);
  fputs("</td>", stream);
}

static void cell_number(FILE *stream, const char *format, double value) {
  char text[64];
  if (isfinite(value))
    snprintf(text, sizeof text, format, value);
  else
    strcpy(text, "–");
  cell(stream, "%s%s", text[0] == '-' ? "−" : "", text + (text[0] == '-'));
}

static void cell_three(FILE *stream, double value) {
  char text[32];
  bench_text_three(text, value);
  cell(stream, "%s", text);
}

static void cell_seconds(FILE *stream, double seconds) {
  char text[32];
  bench_text_seconds(text, seconds);
  cell(stream, "%s", text);
}

/* Digits in groups of three. */
static void cell_count(FILE *stream, uint64_t count) {
  char digits[24], text[64] = "";
  const int length = snprintf(digits, sizeof digits, "%llu", (unsigned long long)count);
  size_t used = 0;
  for (int i = 0; i < length; i++) {
    if (i > 0 && (length - i) % 3 == 0) {
      memcpy(text + used, "\xe2\x80\xaf", 3); /* narrow space that does not break */
      used += 3;
    }
    text[used++] = digits[i];
  }
  text[used] = '\0';
  cell(stream, "%s", text);
}

static void cell_bytes(FILE *stream, double bytes) {
  static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  int unit = 0;
  for (; unit < 4 && bytes >= 1000.0; unit++) bytes /= 1024.0;
  char text[32];
  bench_text_three(text, bytes);
  cell(stream, "%s %s", text, units[unit]);
}

/* Head of a column: a word, and its unit below. */
typedef struct column {
  const char *name, *unit;
} column;

static void open_table(FILE *stream, const char *caption, const column *columns, size_t count) {
  fputs("<div class=\"scroll\">\n<table>\n<caption>", stream);
  bench_xml_write(stream, caption);
  fputs("</caption>\n<thead><tr>", stream);
  for (size_t i = 0; i < count; i++) {
    fputs("<th scope=\"col\">", stream);
    bench_xml_write(stream, columns[i].name);
    if (columns[i].unit != NULL) {
      fputs("<br/><small>", stream);
      bench_xml_write(stream, columns[i].unit);
      fputs("</small>", stream);
    }
    fputs("</th>", stream);
  }
  fputs("</tr></thead>\n", stream);
}

static void close_table(FILE *stream) {
  fputs("</table>\n</div>\n", stream);
}

/* The first cell, which heads `rows` rows. */
static void head_cell(FILE *stream, const char *name, const char *phase, uint64_t batch,
                      uint32_t rows) {
  char rest[64] = ""; /* of a batch of 0, which has no samples */
  if (batch > 0) snprintf(rest, sizeof rest, "%s, batch %llu", phase, (unsigned long long)batch);
  fprintf(stream, "<th scope=\"rowgroup\" rowspan=\"%u\">", rows);
  bench_xml_write(stream, name);
  fputs("<br/><small>", stream);
  bench_xml_write(stream, rest);
  fputs("</small></th>", stream);
}

static void row_head(FILE *stream, const char *text) {
  fputs("<th scope=\"row\">", stream);
  bench_xml_write(stream, text);
  fputs("</th>", stream);
}

static void note_row(FILE *stream, const bench_scaling_case *c, size_t columns) {
  fputs("<tbody><tr>", stream);
  head_cell(stream, c->name, c->phase, c->batch, 1);
  fprintf(stream, "<td class=\"note\" colspan=\"%zu\">", columns - 1);
  bench_xml_write(stream, c->valid ? "nothing was measured" : "not valid: ");
  if (!c->valid) bench_xml_write(stream, c->note);
  fputs("</td></tr></tbody>\n", stream);
}

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- Cases by threads ---------------------------------------------------------------------------- */

static void by_threads(FILE *stream, const bench_scaling *scaling, const char *caption,
                       const column *columns, size_t count,
                       void (*cells)(FILE *, const bench_scaling_case *,
                                     const bench_scaling_point *)) {
  if (scaling->case_count == 0) return;
  open_table(stream, caption, columns, count);
  for (uint64_t i = 0; i < scaling->case_count; i++) {
    const bench_scaling_case *c = &scaling->cases[i];
    if (!c->valid || c->point_count == 0) {
      note_row(stream, c, count);
      continue;
    }
    fputs("<tbody>", stream);
    for (uint32_t k = 0; k < c->point_count; k++) {
      const bench_scaling_point *point = &c->points[k];
      fputs(point->oversubscribed ? "<tr class=\"beyond\">" : "<tr>", stream);
      if (k == 0) head_cell(stream, c->name, c->phase, c->batch, c->point_count);
      cell(stream, "%u%s", point->threads, point->oversubscribed ? " *" : "");
      cells(stream, c, point);
      fputs("</tr>\n", stream);
    }
    fputs("</tbody>\n", stream);
  }
  close_table(stream);
}

static void time_cells(FILE *stream, const bench_scaling_case *c, const bench_scaling_point *p) {
  cell_seconds(stream, p->median);
  const double spread = (p->quartile_high - p->quartile_low) / p->median;
  cell_number(stream, p->noisy ? "%.1f !" : "%.1f", 100.0 * spread);
  cell_three(stream, 1e-9 * c->edge_samples / p->median);
  cell_three(stream, 1e-9 * c->flops / p->median);
  cell_number(stream, "%.0f", p->peak > 0.0 ? 100.0 * c->flops / p->median / p->peak : NAN);
  cell_three(stream, 1e-9 * c->bytes / p->median);
  if (p->level != NULL && p->bandwidth > 0.0)
    cell(stream, "%.0f of %s", 100.0 * c->bytes / p->median / p->bandwidth, p->level);
  else
    cell(stream, "–");
  cell_number(stream, "%.2f", p->backward_forward);
  cell_bytes(stream, (double)p->memory);
}

void bench_html_times(FILE *stream, const bench_scaling *scaling) {
  static const column columns[] = {{"case", NULL},
                                   {"threads", NULL},
                                   {"time", "median"},
                                   {"spread", "IQR, %"},
                                   {"edges × samples", "10⁹/s"},
                                   {"useful", "GFLOP/s"},
                                   {"of peak", "%"},
                                   {"moved", "GB/s"},
                                   {"of bandwidth", "%, level"},
                                   {"backward", "/ forward"},
                                   {"memory", NULL}};
  by_threads(stream, scaling, "Times and rates", columns, COUNT(columns), time_cells);
}

static void scaling_cells(FILE *stream, const bench_scaling_case *c, const bench_scaling_point *p) {
  static const char *const axes[] = {"auto", "tiles", "vertices", "serial", "both"};
  cell_three(stream, p->speedup);
  cell_three(stream, p->speedup_serial);
  cell_number(stream, "%.0f", 100.0 * p->efficiency);
  cell_number(stream, "%.3f", p->karp_flatt);
  cell_count(stream, p->tasks);
  cell_seconds(stream, p->task_seconds);
  cell_number(stream, "%.0f", 100.0 * p->overhead);
  cell(stream, "%s", p->axis >= 0 && p->axis < 5 ? axes[p->axis] : "–");
  cell(stream, "%s", p->bitwise_equal < 0 ? "–" : p->bitwise_equal ? "yes" : "NO");
}

void bench_html_scaling(FILE *stream, const bench_scaling *scaling) {
  static const column columns[] = {{"case", NULL},
                                   {"threads", NULL},
                                   {"speed-up", "to 1 thread"},
                                   {"speed-up", "to serial path"},
                                   {"efficiency", "%"},
                                   {"serial", "Karp–Flatt"},
                                   {"tasks", NULL},
                                   {"a task", "mean"},
                                   {"overhead", "%"},
                                   {"shared by", NULL},
                                   {"equal", "bitwise"}};
  by_threads(stream, scaling, "Scaling", columns, COUNT(columns), scaling_cells);
}

void bench_html_networks(FILE *stream, const bench_scaling *scaling) {
  static const column columns[] = {{"case", NULL},    {"vertices", "V"},    {"edges", "E"},
                                   {"depth", NULL},   {"width", NULL},      {"serial path", NULL},
                                   {"work", NULL},    {"span", NULL},       {"burdened", "span"},
                                   {"release", NULL}, {"parallelism", NULL}};
  if (scaling->case_count == 0) return;
  open_table(stream, "Networks", columns, COUNT(columns));
  for (uint64_t i = 0; i < scaling->case_count; i++) {
    const bench_scaling_case *c = &scaling->cases[i];
    if (!c->valid) {
      note_row(stream, c, COUNT(columns));
      continue;
    }
    fputs("<tbody><tr>", stream);
    head_cell(stream, c->name, c->phase, c->batch, 1);
    cell_count(stream, c->vertices);
    cell_count(stream, c->edges);
    cell_count(stream, c->depth);
    cell_count(stream, c->width);
    cell_seconds(stream, c->serial);
    cell_seconds(stream, c->work);
    cell_seconds(stream, c->span);
    cell_seconds(stream, c->burdened_span);
    cell_seconds(stream, c->release);
    cell_three(stream, c->parallelism);
    fputs("</tr></tbody>\n", stream);
  }
  close_table(stream);
}

/* ---- Predictions --------------------------------------------------------------------------------- */

/* Numbers of threads that any case predicts, ascending. */
static size_t predicted_threads(const bench_scaling *scaling,
                                uint32_t threads[BENCH_SCALING_PREDICTIONS]) {
  size_t count = 0;
  for (uint64_t i = 0; i < scaling->case_count; i++)
    for (uint32_t k = 0; k < scaling->cases[i].prediction_count; k++) {
      const uint32_t value = scaling->cases[i].predictions[k].threads;
      size_t at = 0;
      while (at < count && threads[at] < value) at++;
      if ((at < count && threads[at] == value) || count == BENCH_SCALING_PREDICTIONS) continue;
      memmove(threads + at + 1, threads + at, (count - at) * sizeof *threads);
      threads[at] = value;
      count++;
    }
  return count;
}

static void prediction_cell(FILE *stream, const bench_scaling_case *c, uint32_t threads) {
  for (uint32_t i = 0; i < c->prediction_count; i++) {
    const bench_prediction *p = &c->predictions[i];
    if (p->threads != threads) continue;
    char time[32], speedup[32];
    bench_text_seconds(time, p->seconds);
    bench_text_three(speedup, p->speedup);
    fputs("<td class=\"guess\">", stream);
    bench_xml_write(stream, speedup);
    fputs("× <small>", stream);
    bench_xml_write(stream, time);
    fprintf(stream, ", %s</small></td>", bench_limit_name(p->limit));
    return;
  }
  cell(stream, "–");
}

static void prediction_row(FILE *stream, const bench_scaling_case *c, const uint32_t *threads,
                           size_t count) {
  fputs("<tbody><tr>", stream);
  head_cell(stream, c->name, c->phase, c->batch, 1);
  if (c->check_threads > 0)
    cell(stream, "%u", c->check_threads);
  else
    cell(stream, "–");
  cell_seconds(stream, c->check_predicted);
  cell_seconds(stream, c->check_measured);
  cell_number(stream, "%+.1f", 100.0 * c->check_error);
  if (c->predictions_shown)
    for (size_t t = 0; t < count; t++) prediction_cell(stream, c, threads[t]);
  else if (count > 0)
    fprintf(stream, "<td class=\"note\" colspan=\"%zu\">%s</td>", count,
            isfinite(c->check_error) ? "not shown: the formula is off by more than 5 %"
                                     : "not shown: the formula was not checked");
  fputs("</tr></tbody>\n", stream);
}

void bench_html_predictions(FILE *stream, const bench_scaling *scaling) {
  uint32_t threads[BENCH_SCALING_PREDICTIONS + 1];
  char names[BENCH_SCALING_PREDICTIONS][32];
  column columns[5 + BENCH_SCALING_PREDICTIONS] = {{"case", NULL},
                                                   {"checked at", "threads"},
                                                   {"formula", NULL},
                                                   {"measured", NULL},
                                                   {"error", "%"}};
  if (scaling->case_count == 0) return;
  const size_t count = predicted_threads(scaling, threads);
  for (size_t t = 0; t < count; t++) {
    snprintf(names[t], sizeof names[t], "%u threads", threads[t]);
    columns[5 + t] = (column){names[t], "prediction"};
  }
  open_table(stream, "Predictions: computed, not measured", columns, 5 + count);
  for (uint64_t i = 0; i < scaling->case_count; i++)
    if (scaling->cases[i].valid) prediction_row(stream, &scaling->cases[i], threads, count);
  close_table(stream);
}

/* ---- The rest ------------------------------------------------------------------------------------ */

/* If the finest grain already has half of the time work, the grain that is looked for is smaller. */
static void cell_metg(FILE *stream, const bench_metg_curve *curve) {
  char text[32];
  bench_text_seconds(text, curve->metg);
  const int less =
      isfinite(curve->metg) && curve->point_count > 0 && curve->points[0].efficiency > 0.5;
  cell(stream, "%s%s", less ? "≤ " : "", text);
}

void bench_html_metg(FILE *stream, const bench_scaling *scaling) {
  static const column columns[] = {
      {"shape", NULL}, {"threads", NULL}, {"tasks", NULL}, {"METG(50 %)", NULL}};
  if (scaling->metg_count == 0) return;
  open_table(stream, "Smallest grain with half of the time work", columns, COUNT(columns));
  fputs("<tbody>", stream);
  for (uint64_t i = 0; i < scaling->metg_count; i++) {
    fputs("<tr>", stream);
    row_head(stream, scaling->metg[i].shape);
    cell(stream, "%u", scaling->metg[i].threads);
    cell_count(stream, scaling->metg[i].tasks);
    cell_metg(stream, &scaling->metg[i]);
    fputs("</tr>\n", stream);
  }
  fputs("</tbody>", stream);
  close_table(stream);
}

void bench_html_edges(FILE *stream, const bench_scaling *scaling) {
  static const column columns[] = {{"phase", NULL},           {"threads", NULL}, {"vertices", NULL},
                                   {"edges", NULL},           {"batch", NULL},   {"time", "median"},
                                   {"an edge", "ps a sample"}};
  if (scaling->edges_count == 0) return;
  open_table(stream, "Irregular graphs of growing size", columns, COUNT(columns));
  fputs("<tbody>", stream);
  for (uint64_t i = 0; i < scaling->edges_count; i++) {
    const bench_edges_point *p = &scaling->edges[i];
    fputs("<tr>", stream);
    row_head(stream, p->phase);
    cell(stream, "%u", p->threads);
    cell_count(stream, p->vertices);
    cell_count(stream, p->edges);
    cell_count(stream, p->batch);
    cell_seconds(stream, p->seconds);
    cell_three(stream, 1e12 * p->seconds / (double)p->edges / (double)p->batch);
    fputs("</tr>\n", stream);
  }
  fputs("</tbody>", stream);
  close_table(stream);
}

static uint32_t rows_of_contest(const bench_scaling *scaling, uint64_t first) {
  const bench_peer_ratio *head = &scaling->peers[first];
  uint32_t count = 1;
  for (uint64_t i = first + 1; i < scaling->peer_count; i++, count++)
    if (scaling->peers[i].batch != head->batch || strcmp(scaling->peers[i].name, head->name) != 0 ||
        strcmp(scaling->peers[i].phase, head->phase) != 0)
      break;
  return count;
}

static void peer_cells(FILE *stream, const bench_peer_ratio *p) {
  cell(stream, "%s", p->peer);
  cell(stream, "%u", p->threads);
  cell_seconds(stream, p->seconds);
  cell_seconds(stream, p->own_seconds);
  cell_three(stream, p->valid ? p->ratio : NAN);
  if (!p->valid)
    cell(stream, "not valid");
  else if (isfinite(p->ratio_low) && isfinite(p->ratio_high))
    cell(stream, "%.3g to %.3g", p->ratio_low, p->ratio_high);
  else
    cell(stream, "–");
  fputs("<td class=\"note\">", stream);
  bench_xml_write(stream, p->note);
  fputs("</td></tr>\n", stream);
}

void bench_html_peers(FILE *stream, const bench_scaling *scaling) {
  static const column columns[] = {{"contest", NULL},       {"peer", NULL},
                                   {"threads", NULL},       {"peer's time", "median"},
                                   {"backdag's", "median"}, {"ratio", "peer / backdag"},
                                   {"quartiles", NULL},     {"remark", NULL}};
  if (scaling->peer_count == 0) return;
  open_table(stream, "Above 1 backdag is faster", columns, COUNT(columns));
  for (uint64_t i = 0, count; i < scaling->peer_count; i += count) {
    count = rows_of_contest(scaling, i);
    fputs("<tbody>", stream);
    for (uint64_t k = 0; k < count; k++) {
      const bench_peer_ratio *p = &scaling->peers[i + k];
      fputs("<tr>", stream);
      if (k == 0) head_cell(stream, p->name, p->phase, p->batch, (uint32_t)count);
      peer_cells(stream, p);
    }
    fputs("</tbody>\n", stream);
  }
  close_table(stream);
}

static void machine_row(FILE *stream, const char *name, const json_t *value) {
  char number[40];
  const char *text = json_string_value(value);
  if (json_is_integer(value))
    snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
  else if (json_is_number(value))
    snprintf(number, sizeof number, "%.3g", json_number_value(value));
  else
    strcpy(number, json_is_true(value) ? "yes" : json_is_false(value) ? "no" : "–");
  fputs("<dt>", stream);
  bench_xml_write(stream, name);
  fputs("</dt><dd>", stream);
  bench_xml_write(stream, text != NULL ? text : number);
  fputs("</dd>\n", stream);
}

void bench_html_machine(FILE *stream, const bench_scaling *scaling) {
  static const char *const fields[][2] = {{"cpu", "processor"},
                                          {"topology", "topology"},
                                          {"allowed_processors", "processors allowed"},
                                          {"cores", "physical cores"},
                                          {"smt", "SMT"},
                                          {"cgroup_quota", "cgroup quota"},
                                          {"governor", "governor"},
                                          {"kernel", "kernel"},
                                          {"compiler", "compiler"},
                                          {"flags", "build"},
                                          {"openmp", "OpenMP"},
                                          {"version", "backdag"},
                                          {"commit", "commit"},
                                          {"load_average", "load before"},
                                          {"time", "time (UTC)"}};
  fputs("<dl class=\"machine\">\n", stream);
  for (size_t i = 0; i < COUNT(fields); i++)
    machine_row(stream, fields[i][1], json_object_get(scaling->machine, fields[i][0]));
  const char *key;
  json_t *value;
  json_object_foreach(json_object_get(scaling->machine, "environment"), key, value)
      machine_row(stream, key, value);
  fputs("</dl>\n", stream);
}
