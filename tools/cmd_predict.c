/* backdag predict: the outputs of a network for samples, as CSV or NumPy. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

enum { KEY_OUTPUT_FORMAT = 0x600, KEY_NAMES, KEY_CLASS, KEY_RAW };

static const char documentation[] =
    "Write the outputs of NETWORK for every sample, one row each, with read-outs (softmax, "
    "sigmoid) "
    "applied."
    "\v"
    "The data hold the network's inputs; target columns behind them are allowed and ignored. "
    "Numbers are written with the fewest digits that read back exactly.\n"
    "\n"
    "Examples:\n"
    "  backdag predict trained.safetensors --data test.csv > outputs.csv\n"
    "  backdag predict trained.safetensors --data images.idx.gz --class\n"
    "  cut -d, -f1-16 samples.csv | backdag predict net.json --data - -o outputs.npy\n"
    "\n"
    "Exit status: 0 success, 1 failure at run time, 2 wrong usage.";

static const struct argp_option option_table[] = {
    {"output", 'o', "FILE", 0, "Write there instead of to the standard output ('-')", 1},
    {"format", KEY_OUTPUT_FORMAT, "NAME", 0,
     "csv or npy. Default: npy if FILE ends in .npy, else csv", 1},
    {"names", KEY_NAMES, NULL, 0, "CSV: a first line with the names of the columns", 1},
    {"class", KEY_CLASS, NULL, 0,
     "Write the index of the largest output instead (of a single output: whether it is above 1/2)",
     1},
    {"raw", KEY_RAW, NULL, 0, "Do not apply read-outs", 1},
    {NULL, 0, NULL, 0, NULL, 0}};

static const struct argp_child children[] = {
    {&cli_source_argp, 0, "Data:", 2}, {&cli_compute_argp, 0, "Computing:", 4}, {NULL, 0, NULL, 0}};

typedef struct arguments {
  cli_source source;
  cli_compute compute;
  const char *network, *output;
  bdag_data_format format;
  int names, classes, raw;
} arguments;

static error_t parse(int key, char *text, struct argp_state *state) {
  static const char *const formats[] = {"csv", "npy", NULL};
  arguments *a = state->input;
  switch (key) {
  case ARGP_KEY_INIT:
    state->child_inputs[0] = &a->source;
    state->child_inputs[1] = &a->compute;
    break;
  case 'o':
    a->output = text;
    break;
  case KEY_OUTPUT_FORMAT:
    a->format = cli_choice(state, "--format", text, formats) == 0 ? BDAG_DATA_CSV : BDAG_DATA_NPY;
    break;
  case KEY_NAMES:
    a->names = 1;
    break;
  case KEY_CLASS:
    a->classes = 1;
    break;
  case KEY_RAW:
    a->raw = 1;
    break;
  case ARGP_KEY_ARG:
    cli_take_network(state, &a->network, text);
    break;
  case ARGP_KEY_END:
    if (a->network == NULL) argp_error(state, "which NETWORK?");
    if (a->source.data == NULL) argp_error(state, "for what? Give --data FILE");
    if (a->source.labels != NULL) argp_error(state, "predict needs no --labels");
    if (a->format == BDAG_DATA_AUTO)
      a->format = cli_has_extension(a->output, ".npy") ? BDAG_DATA_NPY : BDAG_DATA_CSV;
    break;
  default:
    return ARGP_ERR_UNKNOWN;
  }
  return 0;
}

static int run_passes(const cli_model *model, const arguments *a, const bdag_samples *samples,
                      const bdag_array *outputs) {
  bdag_engine_options options = BDAG_ENGINE_OPTIONS_INIT;
  bdag_engine *engine = NULL;
  bdag_error error;
  const uint64_t batch = a->compute.batch < samples->count ? a->compute.batch : samples->count;
  options.type = a->compute.type;
  options.max_batch = batch;
  options.keep = 0;
  options.axis = a->compute.axis;
  options.threads = a->compute.threads;
  options.deterministic = a->compute.deterministic;
  if (bdag_engine_create(&engine, model->plan, &options, &error) != BDAG_OK)
    return cli_fail_error(&error);
  bdag_status status = BDAG_OK;
  for (uint64_t first = 0; first < samples->count && status == BDAG_OK; first += batch) {
    const uint64_t rest = samples->count - first;
    const bdag_samples slice = cli_samples_slice(samples, first, rest < batch ? rest : batch);
    bdag_array y = *outputs;
    y.data = (char *)outputs->data +
             first * (uint64_t)outputs->sample_stride * cli_type_size(outputs->type);
    status = a->raw ? bdag_forward_arrays(engine, model->weights, slice.count, &slice.x, &y)
                    : bdag_predict_arrays(engine, model->weights, slice.count, &slice.x, &y);
  }
  if (status != BDAG_OK) cli_fail_status("predicting", status, engine);
  bdag_engine_destroy(engine);
  return status == BDAG_OK ? CLI_OK : CLI_FAILED;
}

/* Overwrites the first column with the class; later columns are not written. */
static void take_classes(const bdag_array *outputs, uint64_t rows, uint64_t columns) {
  for (uint64_t s = 0; s < rows; s++) {
    uint64_t best = 0;
    for (uint64_t j = 1; j < columns; j++)
      if (cli_array_get(outputs, s, j) > cli_array_get(outputs, s, best)) best = j;
    if (columns == 1) best = cli_array_get(outputs, s, 0) > 0.5;
    cli_array_set(outputs, s, 0, (double)best);
  }
}

static int write_rows(const cli_model *model, const arguments *a, uint64_t rows, uint64_t columns,
                      const bdag_array *outputs) {
  bdag_error error;
  char(*text)[32] = calloc(columns, sizeof *text);
  const char **names = calloc(columns, sizeof *names);
  int result = CLI_FAILED;
  if (text == NULL || names == NULL) {
    cli_fail("out of memory");
    goto done;
  }
  for (uint64_t j = 0; j < columns; j++) {
    snprintf(text[j], sizeof *text, "output_%llu", (unsigned long long)j);
    names[j] = a->classes ? "class" : text[j];
  }
  if (bdag_table_write(model->context, a->output, a->format, rows, columns, outputs,
                       a->names ? names : NULL, &error) != BDAG_OK)
    cli_fail_error(&error);
  else
    result = cli_flush();
done:
  free(text);
  free(names);
  return result;
}

static int predict(cli_model *model, const arguments *a) {
  cli_data data;
  const uint32_t columns = bdag_network_output_count(model->network);
  if (columns == 0) return cli_fail("%s: the network declares no outputs", a->network);
  if (cli_data_load(&data, model->context, &a->source, a->compute.type,
                    bdag_network_input_count(model->network),
                    bdag_network_target_count(model->network), 0) != CLI_OK)
    return CLI_FAILED;
  const uint64_t rows = data.samples.count;
  bdag_array outputs = {NULL, a->compute.type, columns, 1};
  outputs.data = rows <= SIZE_MAX / 8 / columns ? calloc(rows * columns, 8) : NULL;
  int result = outputs.data != NULL ? cli_model_prepare(model, a->compute.type, 1)
                                    : cli_fail("out of memory for the outputs");
  if (result == CLI_OK) result = run_passes(model, a, &data.samples, &outputs);
  if (result == CLI_OK && a->classes) take_classes(&outputs, rows, columns);
  if (result == CLI_OK) result = write_rows(model, a, rows, a->classes ? 1 : columns, &outputs);
  free(outputs.data);
  cli_data_close(&data);
  return result;
}

int cmd_predict(int argc, char **argv) {
  static const struct argp parser = {
      option_table, parse, "NETWORK --data FILE", documentation, children, NULL, NULL};
  arguments a = {CLI_SOURCE_INIT, CLI_COMPUTE_INIT, NULL, "-", BDAG_DATA_AUTO, 0, 0, 0};
  argp_parse(&parser, argc, argv, 0, NULL, &a);
  cli_model model;
  if (cli_model_open(&model, a.network, &a.compute) != CLI_OK) return CLI_FAILED;
  const int result = predict(&model, &a);
  cli_model_close(&model);
  return result;
}
