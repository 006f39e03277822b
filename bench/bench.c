/* backdag-bench: the command line. Verbs: list, run, scaling, scale, compare, machine, peers, plot. */
#include <argp.h>
#include <stdlib.h>
#include <string.h>

#include "compare_reports.h"
#include "metg.h"
#include "peers.h"
#include "plot_verb.h"
#include "profile.h"
#include "scale_run.h"
#include "scaling.h"
#include "scaling_json.h"
#include "schema.h"

static const char usage[] =
    "Usage: backdag-bench list [--schema]\n"
    "       backdag-bench run [OPTION...] [CASE|NETWORK-FILE...]\n"
    "       backdag-bench scaling [OPTION...] [CASE|NETWORK-FILE...]\n"
    "       backdag-bench scale [OPTION...]\n"
    "       backdag-bench compare [--least SHARE] [--all] OLD.json NEW.json\n"
    "       backdag-bench machine [--ceilings SECONDS] [--json FILE]\n"
    "       backdag-bench peers [OPTION...] [CASE...]\n"
    "       backdag-bench metg [OPTION...]\n"
    "       backdag-bench profile [-o FILE]\n"
    "       backdag-bench plot [-o FOLDER] [--html FILE] REPORT.json\n"
    "\n"
    "run measures cases (without names the default set, \"all\" every one), scaling measures them "
    "on\n"
    "1, 2, 4, ... threads and predicts more, peers compares with other people's software, compare\n"
    "finds what changed between two JSON reports, plot draws one.\n"
    "Each verb takes --help.\n";

typedef struct bench_arguments {
  bench_settings settings;
  const char **names;
  uint64_t name_count;
  double least;
  int all, schema, takes_settings;
} bench_arguments;

static error_t take_name(int key, char *text, struct argp_state *state) {
  bench_arguments *arguments = state->input;
  if (key == ARGP_KEY_INIT) {
    if (arguments->takes_settings) state->child_inputs[0] = &arguments->settings;
    return 0;
  }
  if (key != ARGP_KEY_ARG) return ARGP_ERR_UNKNOWN;
  arguments->names[arguments->name_count++] = text;
  return 0;
}

static const struct argp_child settings_children[] = {{&bench_settings_argp, 0, NULL, 0}, {0}};

static void parse(bench_arguments *arguments, const struct argp *argp, int argc, char **argv) {
  arguments->names = bench_allocate((uint64_t)argc + 1, sizeof *arguments->names);
  argp_parse(argp, argc, argv, 0, NULL, arguments);
}

static int finish_report(const bench_settings *settings, json_t *report) {
  char message[256];
  if (bench_schema_check(report, message, sizeof message) != 0)
    bench_die("the report does not follow its schema: %s", message);
  const int status = settings->json != NULL ? bench_report_write(report, settings->json) : 0;
  json_decref(report);
  return status;
}

typedef uint64_t (*measurement)(const bench_settings *settings, const bench_machine *machine,
                                const char *const *names, uint64_t count, json_t *report);

static int measure_verb(int argc, char **argv, const char *kind, const char *names,
                        const char *description, double budget, measurement measure) {
  const struct argp argp = {NULL, take_name, names, description, settings_children, NULL, NULL};
  bench_arguments arguments = {.settings = bench_settings_default(), .takes_settings = 1};
  arguments.settings.effort.budget = budget;
  parse(&arguments, &argp, argc, argv);
  bench_machine machine;
  bench_machine_probe(&machine, arguments.settings.ceilings);
  bench_machine_print(stdout, machine.json);
  fputc('\n', stdout);
  json_t *report = bench_report_create(kind, json_incref(machine.json),
                                       bench_settings_json(&arguments.settings));
  const uint64_t failures =
      measure(&arguments.settings, &machine, arguments.names, arguments.name_count, report);
  const int written = finish_report(&arguments.settings, report);
  bench_machine_clear(&machine);
  bench_free(arguments.names);
  if (failures > 0)
    fprintf(stderr, "backdag-bench: %llu rows are wrong or not valid\n",
            (unsigned long long)failures);
  return failures > 0 || written != 0;
}

static int run_verb(int argc, char **argv) {
  return measure_verb(
      argc, argv, "run", "[CASE|NETWORK-FILE...]",
      "Measures cases. Columns: b batch, t threads, time of one pass (median), IQR% distance of "
      "the "
      "quartiles (! noisy), Ge.s/s 10^9 edge-samples a second, Gflops useful flops, peak their "
      "share "
      "of the measured FMA peak in %, GB/s if every row and weight were moved once, of bw its "
      "share "
      "of the bandwidth of the level that holds them (above 100: a part stayed nearer), b/f "
      "backward over forward, flop its flop "
      "bound, memory of plan and engine. With one thread, where nearly all edges are irregular: "
      "rows, "
      "one an edge, as bytes a second, and their share of what gathering these rows in this order "
      "takes, with a row written a target, nothing computed and the best prefetching.",
      1.5, bench_run_cases);
}

static int peers_verb(int argc, char **argv) {
  return measure_verb(argc, argv, "peers", "[CASE...]",
                      "Compares with other people's software, interleaved, results checked.", 2.0,
                      bench_run_peers);
}

static int machine_verb(int argc, char **argv) {
  const struct argp argp = {
      NULL, take_name, "", "Describes the machine and measures its ceilings.", settings_children,
      NULL, NULL};
  bench_arguments arguments = {.settings = bench_settings_default(), .takes_settings = 1};
  parse(&arguments, &argp, argc, argv);
  bench_machine machine;
  bench_machine_probe(&machine, arguments.settings.ceilings);
  bench_machine_print(stdout, machine.json);
  int status = 0;
  if (arguments.settings.json != NULL)
    status = bench_report_write(machine.json, arguments.settings.json) != 0;
  bench_machine_clear(&machine);
  bench_free(arguments.names);
  return status;
}

static error_t take_compare_option(int key, char *text, struct argp_state *state) {
  bench_arguments *arguments = state->input;
  char *end = NULL;
  switch (key) {
  case 'l':
    arguments->least = strtod(text, &end);
    if (end == text || *end != '\0' || !(arguments->least >= 0.0 && arguments->least < 10.0))
      argp_error(state, "--least: \"%s\" is not a share such as 0.05", text);
    return 0;
  case 'a':
    arguments->all = 1;
    return 0;
  case ARGP_KEY_END:
    if (arguments->name_count != 2) argp_error(state, "two reports are wanted");
    return 0;
  default:
    return take_name(key, text, state);
  }
}

static int compare_verb(int argc, char **argv) {
  static const struct argp_option options[] = {
      {"least", 'l', "SHARE", 0, "smallest change that is reported; default 0.05", 0},
      {"all", 'a', NULL, 0, "print rows that did not change, too", 0},
      {0}};
  const struct argp argp = {
      options,
      take_compare_option,
      "OLD.json NEW.json",
      "Finds rows that changed: by more than --least and half of both spreads, confidence "
      "intervals "
      "apart, Mann-Whitney p below 0.001, with and without correction for the processor's pace. "
      "Exit status 1 if a row is slower.",
      NULL,
      NULL,
      NULL};
  bench_arguments arguments = {.settings = bench_settings_default(), .least = 0.05};
  parse(&arguments, &argp, argc, argv);
  json_t *before = bench_report_load(arguments.names[0]);
  json_t *later = bench_report_load(arguments.names[1]);
  const bench_comparison result =
      bench_compare_reports(stdout, before, later, arguments.least, arguments.all);
  json_decref(before);
  json_decref(later);
  bench_free(arguments.names);
  return result.slower > 0;
}

static error_t take_list_option(int key, char *text, struct argp_state *state) {
  bench_arguments *arguments = state->input;
  if (key != 's') return ARGP_ERR_UNKNOWN;
  arguments->schema = 1;
  return 0;
}

static int list_verb(int argc, char **argv) {
  static const struct argp_option options[] = {
      {"schema", 's', NULL, 0, "describe the fields of the JSON report instead", 0}, {0}};
  const struct argp argp = {options, take_list_option, "", "Lists cases and peers.", NULL, NULL,
                            NULL};
  bench_arguments arguments = {.settings = bench_settings_default()};
  parse(&arguments, &argp, argc, argv);
  bench_free(arguments.names);
  if (arguments.schema) {
    bench_schema_print(stdout);
    bench_scaling_schema_print(stdout);
    return 0;
  }
  puts("cases (* in the default set of run)");
  for (size_t i = 0; i < bench_case_count; i++)
    printf("%c %-16s %s\n", bench_cases[i].in_default_set ? '*' : ' ', bench_cases[i].name,
           bench_cases[i].description);
  bench_list_peers(stdout);
  return 0;
}

int main(int argc, char **argv) {
  static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
  } verbs[] = {{"list", list_verb},
               {"run", run_verb},
               {"scaling", bench_scaling_verb},
               {"metg", bench_metg_verb},
               {"compare", compare_verb},
               {"machine", machine_verb},
               {"profile", bench_profile_verb},
               {"peers", peers_verb},
               {"plot", bench_plot_verb},
               {"scale", bench_scale_verb}};
  const char *verb = argc > 1 ? argv[1] : "";
  for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
    if (strcmp(verbs[i].name, verb) != 0) continue;
    char *name = bench_format("backdag-bench %s", verb);
    argv[1] = name;
    const int status = verbs[i].run(argc - 1, argv + 1);
    free(name);
    return status;
  }
  const int help = strcmp(verb, "--help") == 0 || strcmp(verb, "-?") == 0;
  fputs(usage, help ? stdout : stderr);
  return help ? 0 : 2;
}
