/* backdag trace: records when each task of a pass ran, and says what its times mean for more threads. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "trace_report.h"

enum { KEY_PASS = 0x600, KEY_CHROME, KEY_SVG, KEY_SEED, KEY_RUNS, KEY_RELEASE, KEY_PATH, KEY_JSON };

enum { RUNS = 10, MOST_RUNS = 1000, STEPS = 5 };

static const char documentation[] =
    "Record when each task of a pass of NETWORK ran, on which thread, and print work, span, "
    "parallelism and the speed-up that they predict for more threads."
    "\v"
    "Work is the time of all tasks together, span that of the longest chain of tasks that wait for "
    "each other, the burdened span also counts what it takes until a task that was released on "
    "another thread begins. No machine is faster than work / burdened span. The prediction is the "
    "greedy bound, (work - span) / threads + burdened span, for these tasks on this axis; it knows "
    "no limit by memory bandwidth.\n"
    "Without --data the batch is drawn. The pass is run several times; shown is one of the fast "
    "runs.\n"
    "FILE.json opens in https://ui.perfetto.dev and chrome://tracing, FILE.svg in a browser.\n"
    "\n"
    "Examples:\n"
    "  backdag trace net.json\n"
    "  backdag trace net.json --pass backward --axis vertices --threads 2\n"
    "  backdag trace net.json --batch 256 --chrome trace.json --svg trace.svg\n"
    "\n"
    "Exit status: 0 success, 1 failure at run time, 2 wrong usage.";

static const struct argp_option option_table[] = {
    {"pass", KEY_PASS, "NAME", 0,
     "forward, backward, or step: both. Default: step, forward for a network without a loss", 1},
    {"chrome", KEY_CHROME, "FILE", 0,
     "Write the trace as JSON in the trace event format; '-' instead of the tables", 1},
    {"svg", KEY_SVG, "FILE", 0, "Draw the timeline; '-' instead of the tables", 1},
    {"path", KEY_PATH, "COUNT", 0,
     "Show that many of the longest tasks of the critical path. Default: 5", 1},
    {"runs", KEY_RUNS, "COUNT", 0, "Run the pass that often. Default: 10", 1},
    {"release", KEY_RELEASE, "MICROSECONDS", 0,
     "From the end of a task to the start of one that it released on another thread. Default: the "
     "median in these runs",
     1},
    {"seed", KEY_SEED, "NUMBER", 0, "Of a drawn batch. Default: 1", 1},
    {"json", KEY_JSON, NULL, 0, "Print one JSON object", 1},
    {NULL, 0, NULL, 0, NULL, 0}};

static const struct argp_child children[] = {
    {&cli_source_argp, 0, "Data:", 2}, {&cli_compute_argp, 0, "Computing:", 4}, {NULL, 0, NULL, 0}};

enum { PASS_STEP, PASS_FORWARD, PASS_BACKWARD, PASS_FITTING };

typedef struct arguments {
  cli_source source;
  cli_compute compute;
  const char *network, *chrome, *svg;
  int pass, json;
  uint64_t runs, seed, steps;
  double release; /* seconds; negative: measured */
} arguments;

static int is_stdout(const char *path) {
  return path != NULL && strcmp(path, "-") == 0;
}

/* A file on the standard output takes the place of the tables. */
static void check_outputs(const arguments *a, struct argp_state *state) {
  if (is_stdout(a->chrome) + is_stdout(a->svg) + a->json > 1)
    argp_error(state, "--json, --chrome and --svg cannot both take the standard output");
}

static error_t parse(int key, char *text, struct argp_state *state) {
  static const char *const passes[] = {"step", "forward", "backward", NULL};
  arguments *a = state->input;
  switch (key) {
  case ARGP_KEY_INIT:
    state->child_inputs[0] = &a->source;
    state->child_inputs[1] = &a->compute;
    break;
  case KEY_PASS:
    a->pass = cli_choice(state, "--pass", text, passes);
    break;
  case KEY_CHROME:
    a->chrome = text;
    break;
  case KEY_SVG:
    a->svg = text;
    break;
  case KEY_PATH:
    a->steps = cli_count(state, "--path", text, 0, UINT64_MAX);
    break;
  case KEY_RUNS:
    a->runs = cli_count(state, "--runs", text, 1, MOST_RUNS);
    break;
  case KEY_RELEASE:
    a->release = 1e-6 * cli_real(state, "--release", text, 0, 1e6);
    break;
  case KEY_SEED:
    a->seed = cli_count(state, "--seed", text, 0, UINT64_MAX);
    break;
  case KEY_JSON:
    a->json = 1;
    break;
  case ARGP_KEY_ARG:
    cli_take_network(state, &a->network, text);
    break;
  case ARGP_KEY_END:
    if (a->network == NULL) argp_error(state, "which NETWORK?");
    if (a->source.labels != NULL && a->source.data == NULL)
      argp_error(state, "--labels needs --data");
    check_outputs(a, state);
    break;
  default:
    return ARGP_ERR_UNKNOWN;
  }
  return 0;
}

typedef struct tracing {
  const cli_model *model;
  const arguments *a;
  cli_batch batch;
  bdag_engine *engine;
  bdag_trace *trace;
  trace_report report;
} tracing;

/* One pass, recorded afresh. */
static int run_once(tracing *t) {
  const bdag_array x = cli_batch_x(&t->batch), y = cli_batch_y(&t->batch);
  bdag_backward_options options = BDAG_BACKWARD_OPTIONS_INIT;
  options.targets = t->batch.targets > 0 ? &y : NULL;
  options.normalizer = (double)t->batch.count;
  bdag_trace_clear(t->trace);
  bdag_trace_enable(t->trace, t->a->pass != PASS_BACKWARD);
  bdag_status status = bdag_forward_arrays(t->engine, t->model->weights, t->batch.count, &x, NULL);
  if (status != BDAG_OK) return cli_fail_status("forward pass", status, t->engine);
  if (t->a->pass == PASS_FORWARD) return CLI_OK;
  bdag_trace_enable(t->trace, 1);
  status = bdag_backward_arrays(t->engine, t->model->weights, &options, NULL);
  return status == BDAG_OK ? CLI_OK : cli_fail_status("backward pass", status, t->engine);
}

static int analyse(tracing *t, double release, uint64_t *path) {
  bdag_analysis_options options = BDAG_ANALYSIS_OPTIONS_INIT;
  options.release = release;
  t->report.analysis.size = sizeof t->report.analysis;
  const bdag_status status = bdag_trace_analyse(t->trace, &options, &t->report.analysis, path);
  return status == BDAG_OK ? CLI_OK : cli_fail_status("analysis", status, NULL);
}

static int compare_reals(const void *a, const void *b) {
  const double left = *(const double *)a, right = *(const double *)b;
  return (left > right) - (left < right);
}

/* Runs until one is about as fast as the fastest, and leaves the trace of that one. *release: the median
 * of the runs' medians. */
static int run_passes(tracing *t, double *release, uint64_t *releases) {
  double fastest = INFINITY, *measured = calloc(3 * t->a->runs, sizeof *measured);
  uint64_t count = 0, run = 0;
  int result = measured != NULL ? run_once(t) : cli_fail("out of memory"); /* warms up */
  *releases = 0;
  for (int done = 0; !done && result == CLI_OK; run++) {
    result = run_once(t);
    if (result == CLI_OK) result = analyse(t, t->a->release, NULL);
    if (result != CLI_OK) break;
    const bdag_analysis *analysis = &t->report.analysis;
    if (analysis->releases > 0) measured[count++] = analysis->release;
    *releases += analysis->releases;
    fastest = fmin(fastest, analysis->wall);
    done = run + 1 >= 3 * t->a->runs || (run + 1 >= t->a->runs && analysis->wall <= 1.05 * fastest);
  }
  t->report.runs = run;
  *release = t->a->release;
  if (t->a->release < 0 && result == CLI_OK) {
    qsort(measured, count, sizeof *measured, compare_reals);
    *release = count > 0 ? measured[count / 2] : 0;
  }
  free(measured);
  return result;
}

static int prepare(tracing *t) {
  const arguments *a = t->a;
  bdag_engine_options options = BDAG_ENGINE_OPTIONS_INIT;
  bdag_error error;
  const int result = a->source.data != NULL
                         ? cli_batch_load(&t->batch, t->model->network, &a->source, a->compute.type,
                                          a->compute.batch, a->pass != PASS_FORWARD)
                         : cli_batch_draw(&t->batch, t->model->network, a->compute.type,
                                          a->compute.batch, a->seed);
  if (result != CLI_OK) return result;
  options.type = a->compute.type;
  options.max_batch = t->batch.count;
  options.axis = a->compute.axis;
  options.threads = a->compute.threads;
  options.deterministic = a->compute.deterministic;
  if (bdag_engine_create(&t->engine, t->model->plan, &options, &error) != BDAG_OK ||
      bdag_trace_create(&t->trace, t->engine, NULL, &error) != BDAG_OK)
    return cli_fail_error(&error);
  return CLI_OK;
}

static int write_files(const tracing *t) {
  bdag_error error;
  if (t->a->chrome != NULL && bdag_trace_write(t->trace, t->a->chrome, &error) != BDAG_OK)
    return cli_fail_error(&error);
  if (t->a->svg != NULL) return trace_report_draw(&t->report, t->a->svg);
  return CLI_OK;
}

static int trace_network(cli_model *model, const arguments *a) {
  static const char *const whats[] = {"forward and backward", "forward", "backward"};
  tracing t = {.model = model, .a = a};
  double release = 0;
  uint64_t releases = 0;
  int result = prepare(&t);
  if (result == CLI_OK) result = run_passes(&t, &release, &releases);
  if (result == CLI_OK) {
    t.report.path = calloc(bdag_trace_record_count(t.trace) + 1, sizeof *t.report.path);
    result =
        t.report.path != NULL ? analyse(&t, release, t.report.path) : cli_fail("out of memory");
  }
  if (result == CLI_OK) {
    t.report.analysis.releases = releases;
    t.report.release_given = a->release >= 0;
    t.report.trace = t.trace;
    t.report.network = a->network;
    t.report.what = whats[a->pass];
    t.report.samples = t.batch.count;
    result = write_files(&t);
  }
  if (result == CLI_OK)
    result = is_stdout(a->chrome) || is_stdout(a->svg)
                 ? cli_flush()
                 : trace_report_print(&t.report, a->steps, a->json);
  free(t.report.path);
  bdag_trace_destroy(t.trace);
  bdag_engine_destroy(t.engine);
  cli_batch_release(&t.batch);
  return result;
}

int cmd_trace(int argc, char **argv) {
  static const struct argp parser = {option_table, parse, "NETWORK", documentation,
                                     children,     NULL,  NULL};
  arguments a = {
      CLI_SOURCE_INIT, CLI_COMPUTE_INIT, NULL, NULL, NULL, PASS_FITTING, 0, RUNS, 1, STEPS, -1.0};
  argp_parse(&parser, argc, argv, 0, NULL, &a);
  cli_model model;
  if (cli_model_open(&model, a.network, &a.compute) != CLI_OK) return CLI_FAILED;
  const int has_loss = bdag_network_loss_count(model.network) > 0;
  if (a.pass == PASS_FITTING) a.pass = has_loss ? PASS_STEP : PASS_FORWARD;
  int result = CLI_OK;
  if (a.pass != PASS_FORWARD && !has_loss)
    result = cli_fail("%s: the network has no loss; only --pass forward is possible", a.network);
  if (result == CLI_OK) result = cli_model_prepare(&model, a.compute.type, 0);
  if (result == CLI_OK) result = trace_network(&model, &a);
  cli_model_close(&model);
  return result;
}
