/* `bench scaling`: options, the order of the parts, and where the report goes. May include everything of
 * the bench. */
#include "scaling.h"

#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "html_report.h"
#include "plot_figures.h"
#include "scaling_json.h"
#include "scaling_run.h"
#include "schema.h"

/* Seconds for all cases together, from which a row's budget follows if none is given. */
#define TOTAL_BUDGET 240.0
#define ROW_BUDGET   1.5

enum { KEY_CSV = 'c', KEY_PEERS = 512, KEY_CASES_ONLY, KEY_HTML, KEY_SVG };

typedef struct scaling_arguments {
  bench_settings settings;
  const char **names, *csv, *html, *svg;
  uint64_t name_count;
  int peers, cases_only;
  char *peer_names; /* NULL: all */
} scaling_arguments;

static const struct argp_option options[] = {
    {"csv", KEY_CSV, "FILE", 0, "write the cases as CSV, too", 1},
    {"html", KEY_HTML, "FILE", 0, "write a self-contained page with tables and plots, too", 1},
    {"svg-dir", KEY_SVG, "FOLDER", 0, "write each plot as a file NAME.svg, too", 1},
    {"peers", KEY_PEERS, "LIST", OPTION_ARG_OPTIONAL,
     "compare with other people's software in the same run; contests, default all", 1},
    {"cases-only", KEY_CASES_ONLY, NULL, 0, "neither task grain nor time over edges", 1},
    {0}};
static const struct argp_child children[] = {{&bench_settings_argp, 0, NULL, 0}, {0}};

static error_t parse_option(int key, char *text, struct argp_state *state) {
  scaling_arguments *arguments = state->input;
  switch (key) {
  case ARGP_KEY_INIT:
    state->child_inputs[0] = &arguments->settings;
    return 0;
  case ARGP_KEY_ARG:
    arguments->names[arguments->name_count++] = text;
    return 0;
  case KEY_CSV:
    arguments->csv = text;
    return 0;
  case KEY_HTML:
    arguments->html = text;
    return 0;
  case KEY_SVG:
    arguments->svg = text;
    return 0;
  case KEY_PEERS:
    arguments->peers = 1;
    arguments->peer_names = text;
    return 0;
  case KEY_CASES_ONLY:
    arguments->cases_only = 1;
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static const struct argp parser = {
    options,
    parse_option,
    "[CASE|NETWORK-FILE...]",
    "Measures how cases scale with threads: 1, 2, 4, … up to the allowed cores, or --threads. "
    "Alternatives of one case are measured in turns. Without names the default set.",
    children,
    NULL,
    NULL};

/* ---- What is measured ---------------------------------------------------------------------------- */

static int compare_threads(const void *a, const void *b) {
  const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

/* 1 first, then those asked for, or powers of two and the number of cores. */
static void choose_threads(bench_scaling_run *run, uint32_t cores) {
  uint32_t count = 0;
  run->threads[count++] = 1;
  for (int t = 0; t < BENCH_LIST && run->settings->threads[t] != 0; t++)
    run->threads[count++] = run->settings->threads[t];
  if (count == 1) {
    for (uint32_t threads = 2; threads < cores && count < BENCH_LIST; threads *= 2)
      run->threads[count++] = threads;
    if (cores > 1) run->threads[count++] = cores;
  }
  qsort(run->threads, count, sizeof *run->threads, compare_threads);
  for (uint32_t t = 0; t < count; t++)
    if (run->thread_count == 0 || run->threads[run->thread_count - 1] != run->threads[t])
      run->threads[run->thread_count++] = run->threads[t];
}

uint32_t bench_scaling_most(const bench_scaling_run *run) {
  uint32_t most = 1;
  for (uint32_t t = 0; t < run->thread_count; t++)
    if (run->threads[t] <= run->scaling->cores) most = run->threads[t];
  return most;
}

void bench_scaling_progress(bench_scaling_run *run, const char *what) {
  bench_progress(run->settings, what, run->done, run->total, bench_now() - run->begin);
}

static int is_selected(const scaling_arguments *arguments, const bench_case *the_case) {
  if (arguments->name_count == 0) return the_case->in_default_set;
  for (uint64_t i = 0; i < arguments->name_count; i++)
    if (strcmp(arguments->names[i], the_case->name) == 0 || strcmp(arguments->names[i], "all") == 0)
      return 1;
  return 0;
}

static int is_path(const char *name) {
  return bench_case_find(name) == NULL && strcmp(name, "all") != 0;
}

static uint64_t run_cases(bench_scaling_run *run, const scaling_arguments *arguments) {
  uint64_t failures = 0;
  for (size_t i = 0; i < bench_case_count; i++)
    if (is_selected(arguments, &bench_cases[i]))
      failures += bench_scaling_case_run(run, &bench_cases[i], NULL);
  for (uint64_t i = 0; i < arguments->name_count; i++)
    if (is_path(arguments->names[i]))
      failures += bench_scaling_case_run(run, NULL, arguments->names[i]);
  return failures;
}

static uint64_t count_cases(const scaling_arguments *arguments) {
  uint64_t count = 0;
  for (size_t i = 0; i < bench_case_count; i++)
    count += (uint64_t)is_selected(arguments, &bench_cases[i]);
  for (uint64_t i = 0; i < arguments->name_count; i++)
    count += (uint64_t)is_path(arguments->names[i]);
  return count;
}

static uint64_t run_peers(bench_scaling_run *run, const scaling_arguments *arguments) {
  enum { MOST = 32 };
  const char *names[MOST];
  uint64_t count = 0;
  char *rest = NULL;
  for (char *name = strtok_r(arguments->peer_names, ",", &rest); name != NULL && count < MOST;
       name = strtok_r(NULL, ",", &rest))
    names[count++] = name;
  putchar('\n');
  return bench_scaling_peers_run(run, names, count);
}

/* ---- Where the report goes ----------------------------------------------------------------------- */

static int write_csv(const bench_scaling *scaling, const char *path) {
  FILE *file = fopen(path, "we");
  int failed = file == NULL || bench_scaling_write_csv(file, scaling) != 0;
  if (file != NULL && fclose(file) != 0) failed = 1;
  if (failed) fprintf(stderr, "backdag-bench: cannot write %s: %s\n", path, strerror(errno));
  return failed;
}

static void check_schema(const json_t *report) {
  char message[256];
  if (bench_schema_check(report, message, sizeof message) != 0)
    bench_die("the report does not follow its schema: %s", message);
  bench_scaling *again = bench_scaling_from_json(report, message, sizeof message);
  if (again == NULL) bench_die("the report does not follow its schema: %s", message);
  bench_scaling_destroy(again);
}

static int write_report(const scaling_arguments *arguments, const bench_scaling *scaling,
                        json_t *report) {
  json_object_set_new(report, "scaling", bench_scaling_to_json(scaling));
  check_schema(report);
  int failed = 0;
  if (arguments->settings.json != NULL)
    failed |= bench_report_write(report, arguments->settings.json) != 0;
  if (arguments->csv != NULL) failed |= write_csv(scaling, arguments->csv);
  if (arguments->html != NULL) failed |= bench_html_file(scaling, arguments->html) != 0;
  if (arguments->svg != NULL) failed |= bench_plot_files(scaling, arguments->svg) < 0;
  return failed;
}

static char *command_line(int argc, char **argv) {
  char *line = bench_format("backdag-bench scaling");
  for (int i = 1; i < argc; i++) {
    char *longer = bench_format("%s %s", line, argv[i]);
    free(line);
    line = longer;
  }
  return line;
}

static uint64_t measure(bench_scaling_run *run, const scaling_arguments *arguments) {
  uint64_t failures = run_cases(run, arguments);
  if (!arguments->cases_only) {
    bench_scaling_metg_run(run);
    bench_scaling_edges_run(run);
  }
  bench_scaling_roofline(run);
  bench_progress_clear(run->settings);
  if (arguments->peers) failures += run_peers(run, arguments);
  run->scaling->seconds = bench_now() - run->begin;
  bench_scaling_print_rest(stdout, run->scaling);
  return failures;
}

static void choose_budget(bench_settings *settings, uint64_t cases, uint32_t threads) {
  if (settings->effort.budget > 0.0) return;
  const double share = TOTAL_BUDGET / (double)(cases > 0 ? cases : 1) / (threads + 2);
  settings->effort.budget = share < ROW_BUDGET ? share : ROW_BUDGET;
}

int bench_scaling_verb(int argc, char **argv) {
  scaling_arguments arguments = {.settings = bench_settings_default()};
  bench_settings *settings = &arguments.settings;
  settings->effort.budget = 0.0;
  arguments.names = bench_allocate((uint64_t)argc + 1, sizeof *arguments.names);
  char *command = command_line(argc, argv);
  argp_parse(&parser, argc, argv, 0, NULL, &arguments);
  bench_scaling_run run = {.settings = settings, .begin = bench_now()};
  run.scaling = bench_scaling_create();
  run.scaling->command = command;
  bench_machine machine;
  bench_machine_probe(&machine, settings->ceilings);
  bench_machine_print(stdout, machine.json);
  run.machine = &machine;
  uint32_t cores = machine.processors < machine.cores ? machine.processors : machine.cores;
  if (machine.quota > 0 && machine.quota < cores) cores = machine.quota;
  run.scaling->cores = cores;
  choose_threads(&run, cores);
  const uint64_t cases = count_cases(&arguments);
  choose_budget(settings, cases, run.thread_count);
  run.total = (double)cases + (arguments.cases_only ? 0.0 : 2.0);
  run.context = bench_context_create(settings, run.threads[run.thread_count - 1]);
  json_t *report =
      bench_report_create("scaling", json_incref(machine.json), bench_settings_json(settings));
  run.rows = json_object_get(report, "rows");
  run.scaling->machine = json_incref(machine.json);
  run.scaling->settings = json_incref(json_object_get(report, "settings"));
  const uint64_t failures = measure(&run, &arguments);
  const int failed = write_report(&arguments, run.scaling, report);
  if (failures > 0)
    fprintf(stderr, "backdag-bench: %llu results are wrong or not valid\n",
            (unsigned long long)failures);
  json_decref(report);
  bench_scaling_destroy(run.scaling);
  bdag_context_destroy(run.context);
  bench_machine_clear(&machine);
  bench_free(arguments.names);
  return failures > 0 || failed;
}
