/* backdag evaluate: loss, accuracy and mean squared error of a network on data. */
#include "cli.h"

enum { KEY_LOSS = 0x600, KEY_JSON };

static const char documentation[] =
    "Print loss, accuracy and mean squared error of NETWORK on data with targets."
    "\v"
    "The loss is the mean over the samples of all loss terms. Accuracy and mse are those of the "
    "first term, after its read-out. A sample is right when the largest output is that of its "
    "class; with 0/1 targets that are no classes, and with a single output, outputs count one by "
    "one, right when they lie on the same side of 1/2 (targets -1 and 1: of 0). Where targets are "
    "no classes at all, no accuracy is printed.\n"
    "\n"
    "Examples:\n"
    "  backdag evaluate trained.safetensors --data test.csv\n"
    "  backdag evaluate trained.json --data images.idx.gz --labels labels.idx.gz --json\n"
    "  backdag evaluate genome.json --loss mse --data - < samples.csv\n"
    "\n"
    "Exit status: 0 success, 1 failure at run time, 2 wrong usage.";

static const struct argp_option option_table[] = {
    {"loss", KEY_LOSS, "NAME", 0,
     "Evaluate this loss over the outputs instead of the network's own: mse, mae, huber, bce, "
     "cross_entropy, distribution",
     1},
    {"json", KEY_JSON, NULL, 0, "Print one JSON object", 1},
    {NULL, 0, NULL, 0, NULL, 0}};

static const struct argp_child children[] = {
    {&cli_source_argp, 0, "Data:", 2}, {&cli_compute_argp, 0, "Computing:", 4}, {NULL, 0, NULL, 0}};

typedef struct arguments {
  cli_source source;
  cli_compute compute;
  const char *network, *loss;
  int json;
} arguments;

static error_t parse(int key, char *text, struct argp_state *state) {
  arguments *a = state->input;
  switch (key) {
  case ARGP_KEY_INIT:
    state->child_inputs[0] = &a->source;
    state->child_inputs[1] = &a->compute;
    break;
  case KEY_LOSS:
    a->loss = cli_loss_names[cli_choice(state, "--loss", text, cli_loss_names)];
    break;
  case KEY_JSON:
    a->json = 1;
    break;
  case ARGP_KEY_ARG:
    cli_take_network(state, &a->network, text);
    break;
  case ARGP_KEY_END:
    if (a->network == NULL) argp_error(state, "which NETWORK?");
    if (a->source.data == NULL) argp_error(state, "on what? Give --data FILE");
    break;
  default:
    return ARGP_ERR_UNKNOWN;
  }
  return 0;
}

static int evaluate(cli_model *model, const arguments *a) {
  cli_data data;
  cli_metrics metrics;
  if (a->loss != NULL && cli_network_set_loss(model->network, a->loss, 1) != CLI_OK)
    return CLI_FAILED;
  if (bdag_network_loss_count(model->network) == 0)
    return cli_fail("%s: the network has no loss; choose one with --loss", a->network);
  if (cli_data_load(&data, model->context, &a->source, a->compute.type,
                    bdag_network_input_count(model->network),
                    bdag_network_target_count(model->network), 1) != CLI_OK)
    return CLI_FAILED;
  int result = cli_model_prepare(model, a->compute.type, 0);
  if (result == CLI_OK) result = cli_evaluate(model, &a->compute, &data.samples, &metrics);
  cli_data_close(&data);
  if (result != CLI_OK) return result;
  cli_result output;
  cli_result_begin(&output, a->json);
  cli_result_metrics(&output, "", &metrics);
  return cli_result_end(&output);
}

int cmd_evaluate(int argc, char **argv) {
  static const struct argp parser = {
      option_table, parse, "NETWORK --data FILE", documentation, children, NULL, NULL};
  arguments a = {CLI_SOURCE_INIT, CLI_COMPUTE_INIT, NULL, NULL, 0};
  argp_parse(&parser, argc, argv, 0, NULL, &a);
  cli_model model;
  if (cli_model_open(&model, a.network, &a.compute) != CLI_OK) return CLI_FAILED;
  const int result = evaluate(&model, &a);
  cli_model_close(&model);
  return result;
}
