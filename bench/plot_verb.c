/* `bench plot`: figures and the HTML report out of a JSON report. May include everything of the bench. */
#include "plot_verb.h"

#include <argp.h>
#include <stdlib.h>

#include "bench_base.h"
#include "compare_reports.h"
#include "html_report.h"
#include "plot_figures.h"
#include "plot_report.h"

enum { KEY_FOLDER = 'o', KEY_HTML = 'h' };

typedef struct plot_arguments {
  const char *report, *folder, *html;
} plot_arguments;

static error_t parse_option(int key, char *text, struct argp_state *state) {
  plot_arguments *arguments = state->input;
  switch (key) {
  case KEY_FOLDER:
    arguments->folder = text;
    return 0;
  case KEY_HTML:
    arguments->html = text;
    return 0;
  case ARGP_KEY_ARG:
    if (arguments->report != NULL) argp_error(state, "one report is wanted");
    arguments->report = text;
    return 0;
  case ARGP_KEY_END:
    if (arguments->report == NULL) argp_error(state, "a report is wanted");
    if (arguments->folder == NULL && arguments->html == NULL)
      argp_error(state, "say where to: --output FOLDER, --html FILE, or both");
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

int bench_plot_verb(int argc, char **argv) {
  static const struct argp_option options[] = {
      {"output", KEY_FOLDER, "FOLDER", 0, "write each figure as a file NAME.svg", 0},
      {"html", KEY_HTML, "FILE", 0, "write one self-contained page", 0},
      {0}};
  static const struct argp argp = {options,
                                   parse_option,
                                   "REPORT.json",
                                   "Draws a report of scaling, run or peers: speed-up, task grain, "
                                   "roofline, time over edges, peers; what the report holds.",
                                   NULL,
                                   NULL,
                                   NULL};
  plot_arguments arguments = {0};
  argp_parse(&argp, argc, argv, 0, NULL, &arguments);
  char message[256];
  json_t *report = bench_report_load(arguments.report);
  bench_scaling *scaling = bench_plot_read(report, message, sizeof message);
  if (scaling == NULL) bench_die("%s: %s", arguments.report, message);
  int failed = 0;
  if (arguments.folder != NULL) {
    const int count = bench_plot_files(scaling, arguments.folder);
    if (count == 0) fprintf(stderr, "backdag-bench: %s has nothing to draw\n", arguments.report);
    failed |= count <= 0;
  }
  if (arguments.html != NULL) failed |= bench_html_file(scaling, arguments.html) != 0;
  bench_scaling_destroy(scaling);
  json_decref(report);
  return failed;
}
