/* From a path and options to context, network, plan and weights. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

const char *const cli_loss_names[] = {"mse",           "mae",          "huber", "bce",
                                      "cross_entropy", "distribution", NULL};

static void print_log(void *user, bdag_log_level level, const char *message) {
  if (level == BDAG_LOG_WARNING) cli_note("warning: %s", message);
}

int cli_context_open(bdag_context **context, const cli_compute *compute) {
  bdag_context_options options = BDAG_CONTEXT_OPTIONS_INIT;
  bdag_error error;
  options.log = print_log;
  options.threads = compute->threads;
  options.oversubscribe = compute->oversubscribe;
  const bdag_status status = bdag_context_create(context, &options, &error);
  if (status == BDAG_ERROR_THREADS) {
    cli_fail_error(&error);
    return cli_fail("lower --threads, or accept it with --oversubscribe");
  }
  return status == BDAG_OK ? CLI_OK : cli_fail_error(&error);
}

int cli_model_open(cli_model *model, const char *path, const cli_compute *compute) {
  bdag_error error;
  *model = (cli_model){NULL, NULL, NULL, NULL};
  if (cli_context_open(&model->context, compute) != CLI_OK) return CLI_FAILED;
  if (bdag_network_load(&model->network, model->context, path, &error) == BDAG_OK) return CLI_OK;
  cli_model_close(model);
  return cli_fail_error(&error);
}

int cli_model_prepare(cli_model *model, bdag_type type, int inference) {
  bdag_plan_options options = BDAG_PLAN_OPTIONS_INIT;
  bdag_error error;
  options.inference = inference;
  if (bdag_plan_create(&model->plan, model->network, &options, &error) != BDAG_OK ||
      bdag_weights_create(&model->weights, model->plan, model->network, type, &error) != BDAG_OK)
    return cli_fail_error(&error);
  return CLI_OK;
}

void cli_model_close(cli_model *model) {
  bdag_weights_release(model->weights);
  bdag_plan_release(model->plan);
  bdag_network_destroy(model->network);
  bdag_context_destroy(model->context);
  *model = (cli_model){NULL, NULL, NULL, NULL};
}

static uint32_t fitting_read_out(uint32_t loss) {
  switch (loss) {
  case BDAG_BINARY_CROSS_ENTROPY:
    return BDAG_READ_OUT_SIGMOID;
  case BDAG_CLASS_CROSS_ENTROPY:
  case BDAG_DISTRIBUTION_CROSS_ENTROPY:
    return BDAG_READ_OUT_SOFTMAX;
  default:
    return BDAG_READ_OUT_NONE;
  }
}

int cli_network_set_loss(bdag_network *network, const char *name, double huber_delta) {
  bdag_error error;
  uint32_t kind = 0;
  const uint32_t count = bdag_network_output_count(network);
  if (count == 0)
    return cli_fail("a loss over the outputs needs outputs; the network declares none");
  if (bdag_loss_find(bdag_network_context(network), name, &kind) != BDAG_OK)
    return cli_fail("the library knows no loss '%s'", name);
  uint32_t *vertices = calloc(count, sizeof *vertices);
  bdag_output *outputs = calloc(count, sizeof *outputs);
  int result = CLI_FAILED;
  if (vertices == NULL || outputs == NULL) {
    cli_fail("out of memory");
    goto done;
  }
  memcpy(outputs, bdag_network_outputs(network), count * sizeof *outputs);
  for (uint32_t i = 0; i < count; i++) {
    vertices[i] = outputs[i].vertex;
    if (outputs[i].read_out == BDAG_READ_OUT_NONE)
      outputs[i] = (bdag_output){outputs[i].vertex, fitting_read_out(kind), 0};
  }
  const bdag_loss_term term = {kind, count, vertices, 1.0, huber_delta};
  bdag_network_clear_loss(network);
  if (bdag_network_set_outputs(network, count, outputs, &error) != BDAG_OK ||
      bdag_network_add_loss(network, &term, &error) != BDAG_OK)
    cli_fail_error(&error);
  else
    result = CLI_OK;
done:
  free(vertices);
  free(outputs);
  return result;
}
