/* The timeline of a trace as an SVG file: a lane for each thread, a box for each stretch of work, coloured
 * by kind, the critical path marked below the boxes. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "trace_report.h"

enum { WIDTH = 1000, LEFT = 92, RIGHT = 20, TOP = 92, LEGEND_ROW = 22, LETTER = 6 };
static const double merged_width = 0.5; /* boxes below that many pixels join their neighbours */

/* Okabe and Ito's colours, which the colour-blind tell apart; `light`: black letters are readable. */
typedef struct kind_style {
  const char *colour;
  int light;
} kind_style;

static const kind_style styles[BDAG_TRACE_KINDS] = {
    {"#56b4e9", 1}, /* load */
    {"#0072b2", 0}, /* forward */
    {"#a6d8f5", 1}, /* store */
    {"#cc79a7", 1}, /* loss */
    {"#d55e00", 0}, /* backward */
    {"#e69f00", 1}, /* weight gradient */
    {"#0072b2", 0}, /* single sample */
    {"#999999", 1}, /* prepare */
    {"#009e73", 0}, /* reduce */
};

/* One box: a record, or several that are too narrow to be seen alone. */
typedef struct box {
  double from, to; /* pixels */
  uint64_t first;  /* record */
  uint64_t records;
  double busy[BDAG_TRACE_KINDS]; /* pixels of each kind */
  uint32_t thread;
  int critical;
} box;

typedef struct drawing {
  FILE *file;
  const trace_report *report;
  uint64_t begin, end; /* nanoseconds */
  uint32_t threads;
  double lane, bar; /* height of a lane, and of the box in it */
  double bottom;
  double unit; /* nanoseconds of the axis' unit */
  const char *unit_name;
  uint8_t *critical;                /* [records] */
  double seconds[BDAG_TRACE_KINDS]; /* by kind */
} drawing;

static double place_x(const drawing *d, uint64_t time) {
  return LEFT + (WIDTH - LEFT - RIGHT) * (double)(time - d->begin) / (double)(d->end - d->begin);
}

static double lane_y(const drawing *d, uint32_t thread) {
  return TOP + d->lane * thread;
}

static void put_text(const drawing *d, double x, double y, const char *attributes,
                     const char *text) {
  fprintf(d->file, "<text x=\"%.1f\" y=\"%.1f\"%s>", x, y, attributes);
  for (; *text != '\0'; text++) {
    if (*text == '&')
      fputs("&amp;", d->file);
    else if (*text == '<')
      fputs("&lt;", d->file);
    else if ((unsigned char)*text >= 0x20)
      fputc(*text, d->file);
  }
  fputs("</text>\n", d->file);
}

/* With a µ; into 40 bytes. */
static void format_time(char *buffer, double seconds) {
  char *micro = strstr(trace_format_seconds(buffer, seconds), "us");
  if (micro != NULL) strcpy(micro, "µs");
}

/* ---- Boxes ---------------------------------------------------------------------------------------- */

static int main_kind(const box *b) {
  int best = 0;
  for (int kind = 1; kind < BDAG_TRACE_KINDS; kind++)
    if (b->busy[kind] > b->busy[best]) best = kind;
  return best;
}

/* What fits into a box: the vertices or tiles of the label. */
static void put_caption(const drawing *d, const box *b, const char *label, const char *name) {
  char text[64];
  const double room = b->to - b->from - 6;
  const char *rest = strstr(label, ": ");
  if (d->bar < 14 || b->records > 1) return;
  snprintf(text, sizeof text, "%s", rest != NULL ? rest + 2 : name);
  char *comma = strchr(text, ',');
  if (comma != NULL) *comma = '\0';
  if ((double)strlen(text) * LETTER > room) {
    if ((double)strlen(name) * LETTER > room) return;
    snprintf(text, sizeof text, "%s", name);
  }
  const int kind = main_kind(b);
  put_text(d, (b->from + b->to) / 2, lane_y(d, b->thread) + d->bar / 2 + 4,
           styles[kind].light ? " class=\"in dark\"" : " class=\"in\"", text);
}

static void put_box(const drawing *d, const box *b) {
  bdag_trace_record record;
  char label[160], time[40];
  if (b->records == 0 || bdag_trace_get_record(d->report->trace, b->first, &record) != BDAG_OK)
    return;
  const char *name = bdag_trace_kind_name((bdag_trace_kind)main_kind(b));
  const double y = lane_y(d, b->thread), whole = b->to - b->from;
  const double width = whole > 3 ? whole - 0.6 : fmax(whole, 0.3); /* neighbours keep apart */
  bdag_trace_label(d->report->trace, &record, label, sizeof label);
  format_time(time, 1e-9 * (double)(record.end - record.begin));
  fprintf(d->file, "<rect class=\"k%d\" x=\"%.2f\" y=\"%.1f\" width=\"%.2f\" height=\"%.1f\">",
          main_kind(b), b->from, y, width, d->bar);
  if (b->records == 1)
    fprintf(d->file, "<title>%s: %s</title></rect>\n", label, time);
  else
    fprintf(d->file, "<title>%" PRIu64 " records, mostly %s</title></rect>\n", b->records, name);
  if (b->critical)
    fprintf(d->file,
            "<rect class=\"critical\" x=\"%.2f\" y=\"%.1f\" width=\"%.2f\" height=\"%.1f\"/>\n",
            b->from, y + d->bar + 1, width, fmax(2, d->lane / 8));
  put_caption(d, b, label, name);
}

/* Whether a record that begins at `from` and is `width` wide may join the box. */
static int joins(const box *b, const bdag_trace_record *record, double from, double width,
                 int critical) {
  return b->records > 0 && b->thread == record->thread && b->critical == critical &&
         from - b->to < merged_width && (width < merged_width || b->to - b->from < merged_width);
}

static void put_boxes(drawing *d) {
  bdag_trace_record record;
  box b = {.records = 0};
  for (uint64_t i = 0; bdag_trace_get_record(d->report->trace, i, &record) == BDAG_OK; i++) {
    const double from = place_x(d, record.begin), to = place_x(d, record.end);
    d->seconds[record.kind] += 1e-9 * (double)(record.end - record.begin);
    if (!joins(&b, &record, from, to - from, d->critical[i])) {
      put_box(d, &b);
      b = (box){.from = from, .first = i, .thread = record.thread, .critical = d->critical[i]};
    }
    b.to = to;
    b.busy[record.kind] += to - from;
    b.records++;
  }
  put_box(d, &b);
}

/* Lines from lane to lane where the critical path goes on on another thread. */
static void put_path(const drawing *d) {
  const trace_report *report = d->report;
  bdag_trace_record from, to;
  for (uint64_t i = 0; i + 1 < report->analysis.path_length; i++) {
    if (bdag_trace_get_record(report->trace, report->path[i], &from) != BDAG_OK ||
        bdag_trace_get_record(report->trace, report->path[i + 1], &to) != BDAG_OK ||
        from.thread == to.thread || from.pass != to.pass)
      continue;
    fprintf(d->file, "<path class=\"link\" d=\"M%.1f %.1fL%.1f %.1f\"/>\n", place_x(d, from.end),
            lane_y(d, from.thread) + d->bar + 2, place_x(d, to.begin),
            lane_y(d, to.thread) + d->bar + 2);
  }
}

/* ---- Frame ---------------------------------------------------------------------------------------- */

static double round_step(double rough) {
  const double power = pow(10, floor(log10(rough)));
  const double digit = rough / power;
  return power * (digit <= 1 ? 1 : digit <= 2 ? 2 : digit <= 5 ? 5 : 10);
}

static void put_axis(const drawing *d) {
  char text[64];
  const double length = (double)(d->end - d->begin) / d->unit;
  const double step = round_step(length / 8);
  for (double mark = 0; mark <= length * 1.0001; mark += step) {
    const double x = LEFT + (WIDTH - LEFT - RIGHT) * mark / length;
    fprintf(d->file, "<path class=\"grid\" d=\"M%.1f %dV%.1f\"/>\n", x, TOP - 6, d->bottom);
    snprintf(text, sizeof text, "%.6g", fabs(mark) < step / 2 ? 0 : mark);
    put_text(d, x, d->bottom + 17, " class=\"middle\"", text);
  }
  fprintf(d->file, "<path class=\"axis\" d=\"M%d %.1fH%d\"/>\n", LEFT, d->bottom, WIDTH - RIGHT);
  snprintf(text, sizeof text, "time (%s)", d->unit_name);
  put_text(d, (LEFT + WIDTH - RIGHT) / 2.0, d->bottom + 36, " class=\"middle\"", text);
}

static void put_lanes(const drawing *d) {
  char text[32];
  const uint32_t every = d->lane >= 14 ? 1 : (uint32_t)ceil(14 / d->lane);
  for (uint32_t t = 0; t < d->threads; t++) {
    fprintf(d->file, "<rect class=\"lane\" x=\"%d\" y=\"%.1f\" width=\"%d\" height=\"%.1f\"/>\n",
            LEFT, lane_y(d, t), WIDTH - LEFT - RIGHT, d->bar);
    if (t % every != 0) continue;
    snprintf(text, sizeof text, "thread %u", t);
    put_text(d, LEFT - 8, lane_y(d, t) + d->bar / 2 + 4, " class=\"end\"", text);
  }
}

static void put_passes(const drawing *d) {
  static const char *const names[] = {"forward", "loss", "backward"};
  bdag_trace_pass pass;
  for (uint64_t p = 0; bdag_trace_get_pass(d->report->trace, p, &pass) == BDAG_OK; p++) {
    if (pass.end == 0) continue;
    const double from = place_x(d, pass.begin), to = place_x(d, pass.end);
    fprintf(d->file, "<path class=\"pass\" d=\"M%.1f %dv6M%.1f %dH%.1fM%.1f %dv6\"/>\n", from,
            TOP - 17, from, TOP - 14, to, to, TOP - 17);
    if (to - from > 60)
      put_text(d, (from + to) / 2, TOP - 20, " class=\"middle small\"", names[pass.kind]);
  }
}

static void put_legend(const drawing *d) {
  char text[96];
  int place = 0;
  const double top = d->bottom + 50, column = (WIDTH - LEFT - RIGHT) / 4.0;
  for (int kind = 0; kind < BDAG_TRACE_KINDS; kind++) {
    if (d->seconds[kind] <= 0) continue;
    const double x = LEFT + column * (place % 4), y = top + LEGEND_ROW * (place / 4);
    snprintf(text, sizeof text, "%s, %.1f %%", bdag_trace_kind_name((bdag_trace_kind)kind),
             100 * d->seconds[kind] / d->report->analysis.work);
    fprintf(d->file, "<rect class=\"k%d\" x=\"%.1f\" y=\"%.1f\" width=\"14\" height=\"12\"/>\n",
            kind, x, y);
    put_text(d, x + 20, y + 11, "", text);
    place++;
  }
  const double x = LEFT + column * (place % 4), y = top + LEGEND_ROW * (place / 4);
  fprintf(d->file, "<rect class=\"critical\" x=\"%.1f\" y=\"%.1f\" width=\"14\" height=\"4\"/>\n",
          x, y + 4);
  put_text(d, x + 20, y + 11, "", "critical path");
}

static double legend_height(const drawing *d) {
  int entries = 1;
  for (int kind = 0; kind < BDAG_TRACE_KINDS; kind++) entries += d->seconds[kind] > 0;
  return 50 + LEGEND_ROW * ((entries + 3) / 4) + 8;
}

static void put_title(const drawing *d) {
  static const char *const axes[] = {"several axes", "tiles", "vertices", "nothing",
                                     "tiles and vertices"};
  const bdag_analysis *analysis = &d->report->analysis;
  char text[256], work[40], span[40];
  snprintf(text, sizeof text, "%s of %" PRIu64 " sample%s, %u thread%s", d->report->what,
           d->report->samples, d->report->samples == 1 ? "" : "s", analysis->threads,
           analysis->threads == 1 ? "" : "s");
  text[0] = (char)(text[0] - 'a' + 'A');
  put_text(d, LEFT, 26, " class=\"title\"", text);
  format_time(work, analysis->work);
  format_time(span, analysis->span);
  snprintf(text, sizeof text, "%s over %s: work %s, span %s, parallelism %.3g, overhead %.1f %%",
           analysis->threads > 1 ? "parallel" : "if it were parallel", axes[analysis->axis], work,
           span, analysis->parallelism,
           100 * analysis->overhead / (analysis->overhead + analysis->work));
  put_text(d, LEFT, 46, "", text);
}

static void put_style(const drawing *d) {
  fputs("<style>text{font:12px sans-serif;fill:#222}.title{font-size:17px;font-weight:bold}"
        ".middle,.in{text-anchor:middle}.end{text-anchor:end}.small{font-size:11px}"
        ".in{font-size:11px;fill:#fff;pointer-events:none}.in.dark{fill:#000}.paper{fill:#fff}"
        ".lane{fill:#f2f2f2}.grid{stroke:#d8d8d8}.axis,.pass{stroke:#222;fill:none}"
        ".critical{fill:#000}.link{stroke:#000;stroke-width:1.2;fill:none}",
        d->file);
  for (int kind = 0; kind < BDAG_TRACE_KINDS; kind++)
    fprintf(d->file, ".k%d{fill:%s}", kind, styles[kind].colour);
  fputs("@media screen and (prefers-color-scheme:dark){text{fill:#e6e6e6}.in{fill:#fff}"
        ".paper{fill:#15181c}.lane{fill:#23282e}.grid{stroke:#3a4149}.axis,.pass{stroke:#e6e6e6}"
        ".critical{fill:#fff}.link{stroke:#fff}}</style>\n",
        d->file);
}

static void draw(drawing *d, double height) {
  fprintf(d->file,
          "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%.0f\" "
          "viewBox=\"0 0 %d %.0f\">\n<title>Timeline of a pass</title>\n",
          WIDTH, height, WIDTH, height);
  put_style(d);
  fprintf(d->file, "<rect class=\"paper\" width=\"%d\" height=\"%.0f\"/>\n", WIDTH, height);
  put_title(d);
  put_lanes(d);
  put_axis(d);
  put_passes(d);
  memset(d->seconds, 0, sizeof d->seconds);
  put_boxes(d);
  put_path(d);
  put_legend(d);
  fputs("</svg>\n", d->file);
}

static int measure(drawing *d) {
  const bdag_trace *trace = d->report->trace;
  bdag_trace_pass pass;
  bdag_trace_record record;
  d->begin = UINT64_MAX;
  for (uint64_t p = 0; bdag_trace_get_pass(trace, p, &pass) == BDAG_OK; p++) {
    if (pass.begin < d->begin) d->begin = pass.begin;
    if (pass.end > d->end) d->end = pass.end;
    if (pass.threads > d->threads) d->threads = pass.threads;
  }
  for (uint64_t i = 0; bdag_trace_get_record(trace, i, &record) == BDAG_OK; i++)
    d->seconds[record.kind] += 1e-9 * (double)(record.end - record.begin);
  d->critical = calloc(bdag_trace_record_count(trace) + 1, 1);
  if (d->critical == NULL) return cli_fail("out of memory");
  for (uint64_t i = 0; i < d->report->analysis.path_length; i++)
    d->critical[d->report->path[i]] = 1;
  if (d->end <= d->begin) d->end = d->begin + 1;
  const double length = (double)(d->end - d->begin);
  d->unit = length < 2e4 ? 1 : length < 2e7 ? 1e3 : 1e6;
  d->unit_name = length < 2e4 ? "ns" : length < 2e7 ? "µs" : "ms";
  d->lane = d->threads <= 8 ? 40 : d->threads <= 32 ? 20 : 9;
  d->bar = d->lane * 0.7;
  d->bottom = lane_y(d, d->threads) + 2;
  return CLI_OK;
}

int trace_report_draw(const trace_report *report, const char *path) {
  drawing d = {.report = report};
  if (measure(&d) != CLI_OK) return CLI_FAILED;
  int result = CLI_OK;
  const int to_stdout = strcmp(path, "-") == 0;
  d.file = to_stdout ? stdout : fopen(path, "w");
  if (d.file == NULL) {
    result = cli_fail("%s: cannot be written: %s", path, strerror(errno));
  } else {
    draw(&d, d.bottom + legend_height(&d));
    const int failed = ferror(d.file);
    if (!to_stdout && (fclose(d.file) != 0 || failed))
      result = cli_fail("%s: cannot be written: %s", path, strerror(errno));
  }
  free(d.critical);
  return result;
}
