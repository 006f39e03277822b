/* The page: head, style, sections, method. May include html_tables and plot_figures. */
#include "html_report.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "html_tables.h"
#include "plot_figures.h"

static const char style[] =
    ":root{--ground:#fff;--ink:#1c1f24;--soft:#555b66;--grid:#d9dde3;--wash:#f4f6f8;--guess:#"
    "b84300}\n"
    "@media screen and (prefers-color-scheme:dark){:root{--ground:#14171c;--ink:#e9ebee;"
    "--soft:#a9b0bb;--grid:#3a414c;--wash:#1d2128;--guess:#ff9a57}}\n"
    "*{box-sizing:border-box}\n"
    "html{color-scheme:light dark;-webkit-text-size-adjust:100%}\n"
    "body{margin:0 auto;padding:1.25rem;max-width:72rem;background:var(--ground);color:var(--ink);"
    "font:1rem/1.5 system-ui,-apple-system,\"Segoe UI\",Roboto,\"Helvetica Neue\","
    "\"Liberation Sans\",Arial,sans-serif}\n"
    "h1{font-size:1.7rem;line-height:1.2;margin:.5rem 0}h2{font-size:1.25rem;margin:2.5rem 0 .5rem;"
    "padding-top:.5rem;border-top:1px solid var(--grid)}\n"
    "p,dd,figcaption{max-width:44rem}\n"
    "figcaption,.soft,caption,small{color:var(--soft)}figcaption{font-size:.875rem;"
    "margin-bottom:.6rem}\n"
    "code{font:.875rem/1.4 ui-monospace,\"Liberation Mono\",Menlo,Consolas,monospace;"
    "overflow-wrap:anywhere}\n"
    "pre{margin:.5rem 0;padding:.6rem .8rem;background:var(--wash);white-space:pre-wrap;"
    "border-radius:4px}\n"
    "nav a{color:inherit;margin-right:1rem;white-space:nowrap}\n"
    ".warning{padding:.6rem .8rem;border-left:4px solid var(--guess);background:var(--wash)}\n"
    "figure{margin:1rem 0}.panels{display:grid;gap:.75rem}\n"
    ".many .panels{grid-template-columns:repeat(auto-fill,minmax(min(100%,21rem),1fr))}\n"
    ".wide .panel{overflow-x:auto}.wide .plot{min-width:35rem}\n"
    ".scroll{overflow-x:auto;margin:1rem 0}\n"
    "table{border-collapse:collapse;font-size:.8125rem;line-height:1.35;"
    "font-variant-numeric:tabular-nums}\n"
    "caption{text-align:left;padding-bottom:.35rem;font-weight:600}\n"
    "th,td{padding:.28rem .55rem;text-align:right;vertical-align:top;white-space:nowrap}\n"
    "th{font-weight:600}th small{font-weight:400}thead th{vertical-align:bottom}\n"
    "th:first-child,td:first-child,td.note{text-align:left}td.note{white-space:normal}\n"
    "tr td:first-child{text-align:right}\n"
    "tbody tr>th:first-child{position:sticky;left:0;background:var(--ground)}\n"
    "tbody th[scope=rowgroup]{min-width:8rem;white-space:normal;overflow-wrap:anywhere}\n"
    "thead{border-bottom:2px solid var(--soft)}tbody{border-bottom:1px solid var(--grid)}\n"
    ".beyond td{color:var(--soft);font-style:italic}.guess{color:var(--guess)}\n"
    ".guess small{color:inherit}\n"
    "dl.machine{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem;"
    "font-size:.875rem}dl.machine dt{color:var(--soft)}dl.machine dd{margin:0;"
    "overflow-wrap:anywhere}\n"
    "dl.method dt{font-weight:600;margin-top:.7rem}dl.method dd{margin:0}\n"
    "@media print{@page{size:A4;margin:12mm}html{color-scheme:light}\n"
    "body{padding:0;max-width:none;font-size:9.5pt}nav{display:none}h1{font-size:16pt}\n"
    "h2{font-size:12pt;margin-top:1.2rem}\n"
    ".scroll,.wide .panel{overflow:visible}.wide .plot{min-width:0}\n"
    "table{font-size:6.9pt}th,td{padding:.12rem .3rem}\n"
    "tbody tr>th:first-child{position:static}tbody th[scope=rowgroup]{min-width:5rem}\n"
    "thead{display:table-header-group}\n"
    ".scroll,tbody,tr,.panel,dd,pre,figcaption,h2+p{break-inside:avoid}\n"
    "h2,dt,caption,figcaption,h2+p{break-after:avoid}\n"
    "p,dd,figcaption{max-width:none;orphans:3;widows:3}\n"
    ".many .panels{display:block}.many .panel{display:inline-block;width:49%}\n"
    ".plot{max-height:255mm}}\n";

/* ---- Sections ------------------------------------------------------------------------------------ */

static void section(FILE *stream, const char *id, const char *title) {
  fprintf(stream, "<h2 id=\"%s\">%s</h2>\n", id, title);
}

static int figure_of(FILE *stream, const bench_scaling *scaling, bench_plot plot) {
  bench_figure *figure = plot(scaling);
  const int refused = figure != NULL && figure->refused;
  if (figure != NULL) bench_figure_write_html(stream, figure);
  bench_figure_destroy(figure);
  return refused;
}

static void write_text(FILE *stream, const char *before, const char *text, const char *after) {
  fputs(before, stream);
  bench_xml_write(stream, text);
  fputs(after, stream);
}

static const char *machine_text(const bench_scaling *scaling, const char *name) {
  const char *text = json_string_value(json_object_get(scaling->machine, name));
  return text != NULL ? text : "unknown";
}

static void write_head(FILE *stream, const bench_scaling *scaling) {
  fputs("<!DOCTYPE html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\">\n<head>\n"
        "<meta charset=\"utf-8\"/>\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n",
        stream);
  write_text(stream, "<title>backdag on ", machine_text(scaling, "cpu"), "</title>\n");
  fprintf(stream, "<style>\n%s", style);
  bench_svg_write_style(stream);
  fputs("</style>\n</head>\n<body>\n", stream);
  write_text(stream, "<h1>backdag on ", machine_text(scaling, "cpu"), "</h1>\n");
}

static void write_warnings(FILE *stream, const bench_scaling *scaling) {
  uint64_t invalid = 0, noisy = 0, unequal = 0;
  for (uint64_t i = 0; i < scaling->case_count; i++) {
    invalid += !scaling->cases[i].valid;
    for (uint32_t k = 0; k < scaling->cases[i].point_count; k++) {
      noisy += scaling->cases[i].points[k].noisy != 0;
      unequal += scaling->cases[i].points[k].bitwise_equal == 0;
    }
  }
  if (json_is_true(json_object_get(scaling->machine, "busy")))
    fputs(
        "<p class=\"warning\">The machine had other work when this was measured: times are longer "
        "and less certain than they could be.</p>\n",
        stream);
  if (invalid > 0)
    fprintf(stream, "<p class=\"warning\">%llu of %llu cases are not valid.</p>\n",
            (unsigned long long)invalid, (unsigned long long)scaling->case_count);
  if (unequal > 0)
    fprintf(stream,
            "<p class=\"warning\">%llu results are not bitwise equal to those of one thread.</p>\n",
            (unsigned long long)unequal);
  if (noisy > 0)
    fprintf(stream,
            "<p class=\"soft\">%llu times are noisy, marked with an exclamation mark.</p>\n",
            (unsigned long long)noisy);
}

static void write_summary(FILE *stream, const bench_scaling *scaling) {
  fputs("<p>", stream);
  if (scaling->case_count > 0)
    fprintf(stream, "%llu cases on up to %u cores, ", (unsigned long long)scaling->case_count,
            scaling->cores);
  write_text(stream, "measured ", machine_text(scaling, "time"), "");
  if (isfinite(scaling->seconds)) fprintf(stream, " in %.0f s", scaling->seconds);
  write_text(stream, "; backdag ", machine_text(scaling, "version"), "");
  write_text(stream, ", commit ", machine_text(scaling, "commit"), ".</p>\n");
  if (scaling->command != NULL && scaling->command[0] != '\0')
    write_text(stream, "<pre><code>", scaling->command, "</code></pre>\n");
  write_warnings(stream, scaling);
}

static void write_contents(FILE *stream, const bench_scaling *scaling) {
  const struct {
    int there;
    const char *id, *title;
  } parts[] = {{scaling->case_count > 0, "times", "Times"},
               {scaling->case_count > 0, "scaling", "Scaling"},
               {scaling->case_count > 0, "predictions", "Predictions"},
               {scaling->metg_count > 0, "grain", "Task grain"},
               {scaling->roofline_count > 0, "roofline", "Roofline"},
               {scaling->edges_count > 0, "edges", "Edges"},
               {scaling->peer_count > 0, "peers", "Peers"},
               {1, "machine", "Machine"},
               {1, "method", "Method"}};
  fputs("<nav>", stream);
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    if (parts[i].there) fprintf(stream, "<a href=\"#%s\">%s</a> ", parts[i].id, parts[i].title);
  fputs("</nav>\n", stream);
}

static int write_cases(FILE *stream, const bench_scaling *scaling) {
  section(stream, "times", "Times");
  bench_html_times(stream, scaling);
  fputs("<p class=\"soft\">* more threads than cores. ! noisy: quartiles more than 10 % apart, or "
        "the "
        "median uncertain by 3 %. Above 100 % of a bandwidth, a part of the bytes stayed nearer to "
        "the "
        "core.</p>\n",
        stream);
  section(stream, "scaling", "Scaling");
  const int refused = figure_of(stream, scaling, bench_plot_speedup);
  bench_html_scaling(stream, scaling);
  bench_html_networks(stream, scaling);
  section(stream, "predictions", "Predictions");
  fputs("<p>These numbers were computed, not measured. They are shown only where the same formula "
        "gives the measured time of the most threads within 5 %. The word after a time is what "
        "limits: "
        "work (threads share it out), span (the longest chain of tasks), bandwidth (of "
        "memory).</p>\n",
        stream);
  bench_html_predictions(stream, scaling);
  return refused;
}

static int write_rest(FILE *stream, const bench_scaling *scaling) {
  int refused = 0;
  if (scaling->metg_count > 0) {
    section(stream, "grain", "Task grain");
    refused |= figure_of(stream, scaling, bench_plot_metg);
    bench_html_metg(stream, scaling);
  }
  if (scaling->roofline_count > 0) {
    section(stream, "roofline", "Roofline");
    refused |= figure_of(stream, scaling, bench_plot_roofline);
  }
  if (scaling->edges_count > 0) {
    section(stream, "edges", "Time over edges");
    refused |= figure_of(stream, scaling, bench_plot_edges);
    bench_html_edges(stream, scaling);
  }
  if (scaling->peer_count > 0) {
    section(stream, "peers", "Other people's software");
    refused |= figure_of(stream, scaling, bench_plot_peers);
    bench_html_peers(stream, scaling);
  }
  return refused;
}

static void write_method(FILE *stream) {
  static const char *const terms[][2] = {
      {"Time",
       "The median of many samples of one pass, after a warm-up. A sample is long enough for the "
       "clock; "
       "sampling goes on until the median is known well enough or its share of the time is spent. "
       "What "
       "is compared is measured in turns, so that a change of the machine's pace meets all of it. "
       "Threads are bound to cores. Before anything is timed, its results are compared with a "
       "serial "
       "textbook implementation in double precision."},
      {"Rates", "Edges times samples a second; useful operations a second, without padding; bytes "
                "a second as if "
                "every row and weight moved once. Peaks are measured on this machine by small "
                "loops, not taken "
                "from a data sheet."},
      {"Speed-up and efficiency",
       "The time of one thread over the time of several; divided by the number of threads it is "
       "the "
       "efficiency. The serial path is the same library without OpenMP."},
      {"Karp–Flatt",
       "The share of the work that would have to be serial to explain the speed-up: "
       "(1/speed-up − 1/threads) / (1 − 1/threads). If it grows with the threads, overhead grows."},
      {"Work, span, parallelism", "Work is the time of all tasks on one thread. Span is the "
                                  "longest chain of tasks that wait for "
                                  "each other. The burdened span adds the measured time from the "
                                  "end of a task to the start of its "
                                  "successor on another thread, for each link. Work over burdened "
                                  "span is the largest speed-up "
                                  "that any number of threads can give to these tasks."},
      {"Bounds", "With work W, span S and P threads no schedule is faster than the larger of W/P "
                 "and S. A greedy "
                 "one, which never lets a thread idle while a task waits, needs at most (W − S)/P "
                 "+ S (Graham, "
                 "Brent)."},
      {"Predictions",
       "Each pass by the quickest of three ways: the greedy bound with the burdened "
       "span, its tiles of "
       "samples shared out, or one thread; with the measured inflation of the work, "
       "the tasks' time on several threads over that on one. Networks of a population do "
       "not wait for each other: work over threads, but no less than the dearest one. "
       "All of it no less than the bytes over "
       "the bandwidth of all "
       "cores. A prediction says nothing about machines of another kind."},
      {"Task grain",
       "Each vertex is a task that computes for a known time. METG(50 %) is the smallest "
       "threads × time / tasks at which half of the threads' time is that work: tasks should be "
       "longer."},
      {"Bitwise equal", "Deterministic results of that many threads are compared with those of one "
                        "thread, bit by bit."},
      {"Other people's software", "Each runs in a process of its own on the same network, in turns "
                                  "with backdag; its results must "
                                  "agree before its time counts."}};
  fputs("<dl class=\"method\">\n", stream);
  for (size_t i = 0; i < sizeof terms / sizeof *terms; i++) {
    write_text(stream, "<dt>", terms[i][0], "</dt>");
    write_text(stream, "<dd>", terms[i][1], "</dd>\n");
  }
  fputs("</dl>\n", stream);
}

int bench_html_write(FILE *stream, const bench_scaling *scaling) {
  int refused = 0;
  write_head(stream, scaling);
  write_summary(stream, scaling);
  write_contents(stream, scaling);
  if (scaling->case_count > 0) refused |= write_cases(stream, scaling);
  refused |= write_rest(stream, scaling);
  section(stream, "machine", "Machine");
  bench_html_machine(stream, scaling);
  section(stream, "method", "How this was measured");
  write_method(stream);
  fputs("</body>\n</html>\n", stream);
  return refused || ferror(stream) ? -1 : 0;
}

int bench_html_file(const bench_scaling *scaling, const char *path) {
  FILE *file = fopen(path, "we");
  if (file == NULL) {
    fprintf(stderr, "backdag-bench: cannot write %s: %s\n", path, strerror(errno));
    return -1;
  }
  const int failed = bench_html_write(file, scaling) != 0;
  const int lost = fclose(file) != 0;
  if (failed || lost)
    fprintf(stderr, "backdag-bench: %s is not whole: %s\n", path,
            lost ? strerror(errno) : "a number is not finite, or the disk is full");
  return failed || lost ? -1 : 0;
}
