/* OpenBLAS: the step of a dense net by hand, as one would write it for this net alone. Batch 1 goes
 * through matrix-vector products. */
#include <cblas.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <backdag/network.h>

#include "peer_main.h"

enum { MOST_LAYERS = 16 };

/* What stands around the products is vectorised for the processor at hand, too. */
#if defined(__x86_64__) && !defined(__clang__)
#define FOR_EACH_ISA __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define FOR_EACH_ISA
#endif

static const peer_problem *problem;
static int layers, batch;
static int size[MOST_LAYERS];
static float *weight[MOST_LAYERS], *gradient[MOST_LAYERS]; /* [target][source], into layer l */
static float *bias[MOST_LAYERS], *bias_gradient[MOST_LAYERS];
static float *out[MOST_LAYERS], *in_grad[MOST_LAYERS]; /* [batch][size] */
static float *all_weights, *all_gradients;
static uint64_t *edge_of, weight_count;
static double loss;

static float *floats(uint64_t count) {
  void *memory = NULL;
  if (posix_memalign(&memory, 64, (count + 16) * sizeof(float)) != 0) abort();
  memset(memory, 0, (count + 16) * sizeof(float));
  return memory;
}

static const char *prepare(const peer_problem *p, const char **reason) {
  static char description[160];
  problem = p;
  layers = (int)p->header->layers;
  batch = (int)p->header->batch;
  if (layers > MOST_LAYERS || !peer_dense_weights(p, &all_weights, &edge_of, &weight_count)) {
    *reason = "not a dense layered net";
    return NULL;
  }
  openblas_set_num_threads((int)p->header->threads);
  float *copy = floats(weight_count);
  memcpy(copy, all_weights, weight_count * sizeof *copy);
  all_weights = copy;
  all_gradients = floats(weight_count);
  uint64_t offset = 0;
  for (int l = 0; l < layers; l++) {
    size[l] = (int)(p->layer_first[l + 1] - p->layer_first[l]);
    bias[l] = floats((uint64_t)size[l]);
    memcpy(bias[l], p->bias + p->layer_first[l], (size_t)size[l] * sizeof(float));
    bias_gradient[l] = floats((uint64_t)size[l]);
    out[l] = floats((uint64_t)batch * (uint64_t)size[l]);
    in_grad[l] = floats((uint64_t)batch * (uint64_t)size[l]);
    if (l == 0) continue;
    weight[l] = all_weights + offset;
    gradient[l] = all_gradients + offset;
    offset += (uint64_t)size[l] * (uint64_t)size[l - 1];
  }
  memcpy(out[0], p->x, (size_t)batch * (size_t)size[0] * sizeof(float));
  snprintf(description, sizeof description, "%s, core %s, %d threads", openblas_get_config(),
           openblas_get_corename(), openblas_get_num_threads());
  return description;
}

FOR_EACH_ISA static void activate(int l) {
  const int relu = problem->activation[problem->layer_first[l]] == BDAG_RELU;
  for (int s = 0; s < batch; s++) {
    float *restrict row = out[l] + (size_t)s * (size_t)size[l];
    const float *restrict b = bias[l];
    if (relu)
      for (int j = 0; j < size[l]; j++) row[j] = row[j] + b[j] > 0.0f ? row[j] + b[j] : 0.0f;
    else
      for (int j = 0; j < size[l]; j++) row[j] += b[j];
  }
}

static void forward(void) {
  for (int l = 1; l < layers; l++) {
    if (batch == 1)
      cblas_sgemv(CblasRowMajor, CblasNoTrans, size[l], size[l - 1], 1.0f, weight[l], size[l - 1],
                  out[l - 1], 1, 0.0f, out[l], 1);
    else
      cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, batch, size[l], size[l - 1], 1.0f,
                  out[l - 1], size[l - 1], weight[l], size[l - 1], 0.0f, out[l], size[l]);
    activate(l);
  }
}

static void cross_entropy(const float *o, float *g, int n, int class) {
  float most = o[0], sum = 0.0f;
  for (int j = 1; j < n; j++) most = o[j] > most ? o[j] : most;
  for (int j = 0; j < n; j++) sum += g[j] = expf(o[j] - most);
  loss += (double)(logf(sum) + most - o[class]) / batch;
  for (int j = 0; j < n; j++) g[j] = g[j] / sum / (float)batch;
  g[class] -= 1.0f / (float)batch;
}

static void squared_error(const float *o, float *g, const float *y, int n) {
  const float scale = 2.0f / (float)n / (float)batch;
  float sum = 0.0f;
  for (int j = 0; j < n; j++) {
    sum += (o[j] - y[j]) * (o[j] - y[j]);
    g[j] = scale * (o[j] - y[j]);
  }
  loss += (double)sum / n / batch;
}

static void loss_gradient(void) {
  const int last = layers - 1, n = size[last];
  const int relu = problem->activation[problem->layer_first[last]] == BDAG_RELU;
  loss = 0.0;
  for (int s = 0; s < batch; s++) {
    const float *o = out[last] + (size_t)s * (size_t)n;
    float *g = in_grad[last] + (size_t)s * (size_t)n;
    if (problem->header->loss == BDAG_CLASS_CROSS_ENTROPY)
      cross_entropy(o, g, n, (int)problem->targets[s]);
    else
      squared_error(o, g, problem->targets + (size_t)s * (size_t)n, n);
    for (int j = 0; relu && j < n; j++) g[j] = o[j] > 0.0f ? g[j] : 0.0f;
  }
}

FOR_EACH_ISA static void bias_sums(int l) {
  float *restrict sum = bias_gradient[l];
  memset(sum, 0, (size_t)size[l] * sizeof *sum);
  for (int s = 0; s < batch; s++) {
    const float *restrict row = in_grad[l] + (size_t)s * (size_t)size[l];
    for (int j = 0; j < size[l]; j++) sum[j] += row[j];
  }
}

FOR_EACH_ISA static void mask(int l) {
  const float *restrict o = out[l];
  float *restrict g = in_grad[l];
  const size_t count = (size_t)batch * (size_t)size[l];
  for (size_t i = 0; i < count; i++) g[i] = o[i] > 0.0f ? g[i] : 0.0f;
}

static void pull(int l) {
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, batch, size[l - 1], size[l], 1.0f,
              in_grad[l], size[l], weight[l], size[l - 1], 0.0f, in_grad[l - 1], size[l - 1]);
  mask(l - 1);
}

/* `target` = scale · target + factor · in_gradᵀ · out: the gradient, or at once the update. */
static void weight_product(int l, float factor, float scale, float *target) {
  cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, size[l], size[l - 1], batch, factor,
              in_grad[l], size[l], out[l - 1], size[l - 1], scale, target, size[l - 1]);
}

static void both(void) {
  forward();
  loss_gradient();
  for (int l = layers - 1; l >= 1; l--) {
    bias_sums(l);
    weight_product(l, 1.0f, 0.0f, gradient[l]);
    if (l > 1) pull(l);
  }
}

static void step(void) {
  const float rate = (float)problem->header->learning_rate;
  forward();
  loss_gradient();
  for (int l = layers - 1; l >= 1; l--) {
    bias_sums(l);
    if (l > 1) pull(l);
    weight_product(l, -rate, 1.0f, weight[l]);
    for (int j = 0; j < size[l]; j++) bias[l][j] -= rate * bias_gradient[l][j];
  }
}

static void publish_forward(void) {
  for (uint64_t i = 0; i < problem->header->batch * problem->header->outputs; i++)
    problem->y[i] = out[layers - 1][i];
}

static void publish(float *const *biases, const float *weights) {
  publish_forward();
  *problem->loss = loss;
  for (uint64_t i = 0; i < weight_count; i++)
    if (edge_of[i] != PEER_NO_EDGE) problem->result_weight[edge_of[i]] = weights[i];
  for (int l = 1; l < layers; l++)
    for (int j = 0; j < size[l]; j++)
      problem->result_bias[problem->layer_first[l] + (uint32_t)j] = biases[l][j];
}

static void publish_both(void) {
  publish(bias_gradient, all_gradients);
}

static void publish_step(void) {
  publish(bias, all_weights);
}

int main(void) {
  const peer_program program = {
      prepare, {forward, both, step, NULL}, {publish_forward, publish_both, publish_step, NULL}};
  return peer_serve(&program);
}
