/* The network of the tests of passes in servers. */
#include "server_net.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void server_must(const char *what, bdag_status status, const bdag_error *error) {
  if (status == BDAG_OK) return;
  printf("Bail out! %s: %s, %s\n", what, bdag_status_string(status),
         error != NULL ? error->message : "");
  fflush(stdout);
  exit(1);
}

/* ---- The activation: tanh, watched ---------------------------------------------------------------- */

static int value(void *user, bdag_type type, double parameter, size_t count, const void *in,
                 void *out) {
  const server_net *net = user;
  if (net->watch != NULL) net->watch(net->user);
  for (size_t i = 0; i < count; i++) ((float *)out)[i] = tanhf(((const float *)in)[i]);
  return type != BDAG_FLOAT32;
}

static int derivative(void *user, bdag_type type, double parameter, size_t count, const void *in,
                      const void *out, void *slope) {
  const server_net *net = user;
  if (net->watch != NULL) net->watch(net->user);
  for (size_t i = 0; i < count; i++)
    ((float *)slope)[i] = 1 - ((const float *)out)[i] * ((const float *)out)[i];
  return type != BDAG_FLOAT32;
}

static void note(void *user, bdag_log_level level, const char *message) {
  server_net *net = user;
  if (level != BDAG_LOG_WARNING) return;
  atomic_fetch_add(&net->warnings, 1);
  snprintf(net->last_line, sizeof net->last_line, "%s", message);
}

/* ---- Making it ------------------------------------------------------------------------------------ */

bdag_status server_context(server_net *net, const bdag_context_options *options,
                           bdag_error *error) {
  static const bdag_context_options defaults = BDAG_CONTEXT_OPTIONS_INIT;
  bdag_context_options own = options != NULL ? *options : defaults;
  memset(net, 0, sizeof *net);
  own.log = note;
  own.log_user = net;
  return bdag_context_create(&net->context, &own, error);
}

static void connect(server_net *net, uint32_t from, uint32_t to) {
  const uint64_t count = (uint64_t)net->width * net->width;
  uint32_t *const ends = malloc(2 * count * sizeof *ends);
  for (uint64_t i = 0; i < count; i++) {
    ends[i] = from + (uint32_t)(i % net->width);
    ends[count + i] = to + (uint32_t)(i / net->width);
  }
  server_must("edges",
              bdag_network_add_edges(net->network, count, ends, ends + count, NULL, NULL, NULL),
              NULL);
  free(ends);
}

static void finish(server_net *net, uint32_t last) {
  bdag_error error;
  uint32_t *const vertices = malloc(net->width * sizeof *vertices);
  bdag_output *const outputs = calloc(net->width, sizeof *outputs);
  for (uint32_t i = 0; i < net->width; i++) outputs[i].vertex = vertices[i] = last + i;
  const bdag_loss_term term = {BDAG_MEAN_SQUARED_ERROR, net->width, vertices, 1.0, 1.0};
  server_must("loss", bdag_network_add_loss(net->network, &term, &error), &error);
  server_must("outputs", bdag_network_set_outputs(net->network, net->width, outputs, &error),
              &error);
  server_must("plan", bdag_plan_create(&net->plan, net->network, NULL, &error), &error);
  server_must("weights",
              bdag_weights_create(&net->weights, net->plan, net->network, BDAG_FLOAT32, &error),
              &error);
  server_must("initialize",
              bdag_weights_initialize(net->weights, net->network, BDAG_INIT_AUTO, 1, &error),
              &error);
  free(outputs);
  free(vertices);
}

void server_build(server_net *net, uint32_t width, uint32_t layers, uint64_t batch) {
  const bdag_activation_functions functions = {value, derivative, net};
  bdag_activation activation = {0};
  uint32_t from, to;
  net->width = width;
  net->batch = batch;
  server_must(
      "activation",
      bdag_context_register_activation(net->context, "watched", &functions, &activation.kind, NULL),
      NULL);
  server_must("network", bdag_network_create(&net->network, net->context, NULL), NULL);
  server_must("inputs", bdag_network_add_inputs(net->network, width, &from, NULL), NULL);
  for (uint32_t layer = 0; layer < layers; layer++) {
    server_must("layer", bdag_network_add_vertices(net->network, width, &activation, &to, NULL),
                NULL);
    connect(net, from, to);
    from = to;
  }
  finish(net, from);
  net->x = malloc(batch * width * sizeof *net->x);
  net->targets = malloc(batch * width * sizeof *net->targets);
  for (uint64_t i = 0; i < batch * width; i++) {
    net->x[i] = sinf((float)i);
    net->targets[i] = cosf((float)i);
  }
}

void server_free(server_net *net) {
  bdag_weights_release(net->weights);
  bdag_plan_release(net->plan);
  bdag_network_destroy(net->network);
  bdag_context_destroy(net->context);
  free(net->x);
  free(net->targets);
}

bdag_engine *server_engine(const server_net *net, bdag_axis axis, uint32_t threads) {
  bdag_engine_options options = BDAG_ENGINE_OPTIONS_INIT;
  bdag_engine *engine;
  bdag_error error;
  options.max_batch = net->batch;
  options.axis = axis;
  options.threads = threads;
  options.deterministic = 1;
  server_must("engine", bdag_engine_create(&engine, net->plan, &options, &error), &error);
  return engine;
}

uint64_t server_edges(const server_net *net) {
  return bdag_network_edge_count(net->network);
}

bdag_status server_pass(const server_net *net, bdag_engine *engine, float *y, float *gradient) {
  double loss;
  bdag_status status = bdag_forward(engine, net->weights, net->batch, net->x, y);
  if (status == BDAG_OK) status = bdag_backward(engine, net->weights, net->targets, NULL, &loss);
  if (status == BDAG_OK && gradient != NULL)
    status = bdag_read_weight_grad(engine, 0, server_edges(net), gradient);
  return status;
}

int server_tasks(void) {
  DIR *const folder = opendir("/proc/self/task");
  int count = 0;
  if (folder == NULL) return -1;
  for (const struct dirent *entry; (entry = readdir(folder)) != NULL;)
    count += entry->d_name[0] != '.';
  closedir(folder);
  return count;
}
