/* FANN: fann_run and fann_train, one sample after the other; dense nets with tanh and a linear end. */
#include <floatfann.h>
#include <stdio.h>
#include <stdlib.h>

#include <backdag/network.h>

#include "peer_main.h"

static const peer_problem *problem;
static struct fann *network;
static uint64_t *edge_of; /* of a dense array [target][source], layer by layer */
static float *outputs;    /* of the last sample */
static struct fann_connection *connections;
static unsigned int connection_count;

/* FANN numbers a layer's neurons and then its bias. */
static void find_vertex(unsigned int neuron, uint32_t *vertex, int *is_bias) {
  const peer_header *h = problem->header;
  for (uint64_t l = 0; l < h->layers; l++) {
    const unsigned int size = problem->layer_first[l + 1] - problem->layer_first[l];
    if (neuron <= size) {
      *vertex = problem->layer_first[l] + neuron;
      *is_bias = neuron == size;
      return;
    }
    neuron -= size + 1;
  }
  *vertex = 0;
  *is_bias = 1;
}

static void load_weights(const float *dense) {
  connection_count = fann_get_total_connections(network);
  connections = calloc(connection_count, sizeof *connections);
  fann_get_connection_array(network, connections);
  const peer_header *h = problem->header;
  uint64_t *block = calloc(h->vertices, sizeof *block); /* of each target: its first weight */
  uint32_t *first_source = calloc(h->vertices, sizeof *first_source);
  uint64_t offset = 0;
  for (uint64_t l = 1; l < h->layers; l++)
    for (uint32_t v = problem->layer_first[l]; v < problem->layer_first[l + 1]; v++) {
      block[v] = offset;
      first_source[v] = problem->layer_first[l - 1];
      offset += problem->layer_first[l] - problem->layer_first[l - 1];
    }
  for (unsigned int i = 0; i < connection_count; i++) {
    uint32_t source, target;
    int from_bias, to_bias;
    find_vertex(connections[i].from_neuron, &source, &from_bias);
    find_vertex(connections[i].to_neuron, &target, &to_bias);
    /* In the same order; fann_set_weight_array searches for every one of them. */
    network->weights[i] =
        from_bias ? problem->bias[target] : dense[block[target] + source - first_source[target]];
  }
  free(block);
  free(first_source);
}

static const char *prepare(const peer_problem *p, const char **reason) {
  static char description[64];
  problem = p;
  const peer_header *h = p->header;
  float *dense;
  uint64_t count;
  *reason =
      "FANN does this for dense nets with tanh and a linear last layer, squared error, batch 1";
  if (h->batch != 1 || h->loss != BDAG_MEAN_SQUARED_ERROR ||
      !peer_dense_weights(p, &dense, &edge_of, &count) || count != h->edges)
    return NULL;
  for (uint64_t v = h->inputs; v < h->vertices; v++)
    if (p->activation[v] != (v < p->layer_first[h->layers - 1] ? BDAG_TANH : BDAG_IDENTITY))
      return NULL;
  unsigned int *sizes = calloc(h->layers, sizeof *sizes);
  for (uint64_t l = 0; l < h->layers; l++) sizes[l] = p->layer_first[l + 1] - p->layer_first[l];
  network = fann_create_standard_array((unsigned int)h->layers, sizes);
  free(sizes);
  fann_set_activation_function_hidden(network, FANN_SIGMOID_SYMMETRIC);
  fann_set_activation_function_output(network, FANN_LINEAR);
  fann_set_activation_steepness_hidden(network, 1.0f);
  fann_set_activation_steepness_output(network, 1.0f);
  fann_set_training_algorithm(network, FANN_TRAIN_INCREMENTAL);
  fann_set_train_error_function(network, FANN_ERRORFUNC_LINEAR);
  /* FANN moves by rate·(y − o)·out; the mean squared error's gradient has 2/n before it. */
  fann_set_learning_rate(network, (float)(2.0 * h->learning_rate / (double)h->outputs));
  fann_set_learning_momentum(network, 0.0f);
  load_weights(dense);
  free(dense);
  snprintf(description, sizeof description, "FANN, float, %u connections", connection_count);
  return description;
}

static void forward(void) {
  outputs = fann_run(network, (fann_type *)problem->x);
}

static void step(void) {
  fann_train(network, (fann_type *)problem->x, (fann_type *)problem->targets);
}

static void publish_forward(void) {
  for (uint64_t i = 0; i < problem->header->outputs; i++) problem->y[i] = outputs[i];
}

/* Outputs and loss are those before the update: they come from weights that were read back. */
static void publish_step(void) {
  const peer_header *h = problem->header;
  double sum = 0.0;
  for (uint64_t i = 0; i < h->outputs; i++) {
    const double o = network->output[i];
    problem->y[i] = o;
    sum += (o - problem->targets[i]) * (o - problem->targets[i]);
  }
  *problem->loss = sum / (double)h->outputs;
  fann_get_connection_array(network, connections);
  uint64_t *first_weight = calloc(h->vertices, sizeof *first_weight);
  uint64_t offset = 0;
  for (uint64_t l = 1; l < h->layers; l++)
    for (uint32_t v = problem->layer_first[l]; v < problem->layer_first[l + 1]; v++) {
      first_weight[v] = offset - problem->layer_first[l - 1];
      offset += problem->layer_first[l] - problem->layer_first[l - 1];
    }
  for (unsigned int i = 0; i < connection_count; i++) {
    uint32_t source, target;
    int from_bias, to_bias;
    find_vertex(connections[i].from_neuron, &source, &from_bias);
    find_vertex(connections[i].to_neuron, &target, &to_bias);
    if (from_bias)
      problem->result_bias[target] = connections[i].weight;
    else
      problem->result_weight[edge_of[first_weight[target] + source]] = connections[i].weight;
  }
  free(first_weight);
}

int main(void) {
  const peer_program program = {
      prepare, {forward, NULL, step, NULL}, {publish_forward, NULL, publish_step, NULL}};
  return peer_serve(&program);
}
