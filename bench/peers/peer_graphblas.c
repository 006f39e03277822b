/* SuiteSparse:GraphBLAS: layers as sparse matrices, activations as full ones with their zeros kept. */
#include <GraphBLAS.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <backdag/network.h>

#include "peer_main.h"

static const peer_problem *problem;
static uint64_t layers, batch;
/* Into layer l: weight[target][source], its transpose; out and in_grad are [vertices][batch], so that
 * products run along rows. */
static GrB_Matrix *weight, *transposed, *out, *in_grad, *gradient, *biases;
static GrB_Matrix *alive; /* 1 where relu' is 1 */
static double loss;

#define CHECK(call)                                                                                \
  do {                                                                                             \
    const GrB_Info info = (call);                                                                  \
    if (info != GrB_SUCCESS) {                                                                     \
      fprintf(stderr, "GraphBLAS: %s returned %d\n", #call, (int)info);                            \
      exit(3);                                                                                     \
    }                                                                                              \
  } while (0)

static GrB_Index size_of(uint64_t l) {
  return problem->layer_first[l + 1] - problem->layer_first[l];
}

static GrB_Matrix full(GrB_Index rows, GrB_Index columns, float value) {
  GrB_Matrix matrix;
  CHECK(GrB_Matrix_new(&matrix, GrB_FP32, rows, columns));
  CHECK(GxB_Matrix_Option_set(matrix, GxB_SPARSITY_CONTROL, GxB_FULL));
  CHECK(GrB_Matrix_assign_FP32(matrix, NULL, NULL, value, GrB_ALL, rows, GrB_ALL, columns, NULL));
  CHECK(GrB_Matrix_wait(matrix, GrB_MATERIALIZE));
  return matrix;
}

static GrB_Matrix sparse(GrB_Index rows, GrB_Index columns) {
  GrB_Matrix matrix;
  CHECK(GrB_Matrix_new(&matrix, GrB_FP32, rows, columns));
  CHECK(GxB_Matrix_Option_set(matrix, GxB_SPARSITY_CONTROL, GxB_SPARSE));
  return matrix;
}

/* Edges of a layer go in in one call; they are sorted by layer already. Returns 0 if one is not. */
static int build_weights(void) {
  const uint64_t edges = problem->header->edges;
  GrB_Index *row = malloc(edges * sizeof *row), *column = malloc(edges * sizeof *column);
  uint64_t e = 0;
  for (uint64_t l = 1; l < layers; l++) {
    const uint32_t source = problem->layer_first[l - 1], target = problem->layer_first[l];
    const uint64_t first = e;
    for (; e < edges && problem->target[e] < problem->layer_first[l + 1]; e++) {
      if (problem->target[e] < target || problem->source[e] < source ||
          problem->source[e] >= target)
        return 0;
      row[e] = problem->target[e] - target;
      column[e] = problem->source[e] - source;
    }
    weight[l] = sparse(size_of(l), size_of(l - 1));
    CHECK(GrB_Matrix_build_FP32(weight[l], row + first, column + first, problem->weight + first,
                                e - first, GrB_PLUS_FP32));
    transposed[l] = sparse(size_of(l - 1), size_of(l));
    CHECK(GrB_transpose(transposed[l], NULL, NULL, weight[l], NULL));
    CHECK(GrB_Matrix_wait(weight[l], GrB_MATERIALIZE));
    CHECK(GrB_Matrix_wait(transposed[l], GrB_MATERIALIZE));
    gradient[l] = sparse(size_of(l), size_of(l - 1));
  }
  free(row);
  free(column);
  return e == edges;
}

static void build_rows(void) {
  for (uint64_t l = 0; l < layers; l++) {
    out[l] = full(size_of(l), batch, 0.0f);
    in_grad[l] = full(size_of(l), batch, 0.0f);
    alive[l] = full(size_of(l), batch, 0.0f);
    /* The biases as rows to start the sums from. */
    biases[l] = full(size_of(l), batch, 0.0f);
    for (GrB_Index j = 0; j < size_of(l); j++) {
      const float bias = problem->bias[problem->layer_first[l] + j];
      if (bias != 0.0f)
        CHECK(GrB_Matrix_assign_FP32(biases[l], NULL, NULL, bias, &j, 1, GrB_ALL, batch, NULL));
    }
  }
  for (uint64_t s = 0; s < batch; s++)
    for (GrB_Index j = 0; j < size_of(0); j++)
      CHECK(GrB_Matrix_setElement_FP32(out[0], problem->x[s * size_of(0) + j], j, s));
  CHECK(GrB_Matrix_wait(out[0], GrB_MATERIALIZE));
}

static const char *prepare(const peer_problem *p, const char **reason) {
  static char description[160];
  problem = p;
  layers = p->header->layers;
  batch = p->header->batch;
  if (layers < 2) {
    *reason = "not a layered net";
    return NULL;
  }
  CHECK(GrB_init(GrB_BLOCKING));
  CHECK(GxB_Global_Option_set(GxB_NTHREADS, (int)p->header->threads));
  CHECK(GxB_Global_Option_set(GxB_FORMAT, GxB_BY_ROW));
  GrB_Matrix **const arrays[] = {&weight, &transposed, &out, &in_grad, &gradient, &biases, &alive};
  for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
    *arrays[i] = calloc(layers, sizeof **arrays[i]);
  if (!build_weights()) {
    *reason = "edges are not sorted by layer";
    return NULL;
  }
  build_rows();
  snprintf(description, sizeof description, "SuiteSparse:GraphBLAS %d.%d.%d, %d threads",
           GxB_IMPLEMENTATION_MAJOR, GxB_IMPLEMENTATION_MINOR, GxB_IMPLEMENTATION_SUB,
           (int)p->header->threads);
  return description;
}

static void forward(void) {
  for (uint64_t l = 1; l < layers; l++) {
    CHECK(GrB_Matrix_assign(out[l], NULL, NULL, biases[l], GrB_ALL, size_of(l), GrB_ALL, batch,
                            NULL));
    CHECK(GrB_mxm(out[l], NULL, GrB_PLUS_FP32, GrB_PLUS_TIMES_SEMIRING_FP32, weight[l], out[l - 1],
                  NULL));
    if (problem->activation[problem->layer_first[l]] == BDAG_RELU)
      CHECK(
          GrB_Matrix_apply_BinaryOp2nd_FP32(out[l], NULL, NULL, GrB_MAX_FP32, out[l], 0.0f, NULL));
  }
}

/* The numbers of a full matrix, taken out of it; to be put back. */
static float *unpack(GrB_Matrix matrix, GrB_Index *size, uint64_t count) {
  void *values = NULL;
  bool iso;
  CHECK(GxB_Matrix_unpack_FullR(matrix, &values, size, &iso, NULL));
  if (!iso) return values;
  /* One number stands for all. */
  float *all = malloc(count * sizeof *all);
  for (uint64_t i = 0; i < count; i++) all[i] = *(float *)values;
  free(values);
  *size = count * sizeof *all;
  return all;
}

static void pack(GrB_Matrix matrix, float *values, GrB_Index size) {
  void *raw = values;
  CHECK(GxB_Matrix_pack_FullR(matrix, &raw, size, false, NULL));
}

/* Mean squared error over the last layer. */
static void loss_gradient(void) {
  const uint64_t last = layers - 1, n = size_of(last), count = batch * n;
  const float scale = 2.0f / (float)count;
  GrB_Index o_size, g_size;
  float *o = unpack(out[last], &o_size, count), *g = unpack(in_grad[last], &g_size, count);
  loss = 0.0;
  for (uint64_t j = 0; j < n; j++)
    for (uint64_t s = 0; s < batch; s++) {
      const float difference = o[j * batch + s] - problem->targets[s * n + j];
      loss += (double)difference * difference;
      g[j * batch + s] = scale * difference;
    }
  loss /= (double)count;
  pack(out[last], o, o_size);
  pack(in_grad[last], g, g_size);
}

static void both(void) {
  forward();
  loss_gradient();
  for (uint64_t l = layers - 1; l >= 1; l--) {
    if (problem->activation[problem->layer_first[l]] == BDAG_RELU) {
      CHECK(GrB_Matrix_apply_BinaryOp2nd_FP32(alive[l], NULL, NULL, GxB_ISGT_FP32, out[l], 0.0f,
                                              NULL));
      CHECK(GrB_Matrix_eWiseMult_BinaryOp(in_grad[l], NULL, NULL, GrB_TIMES_FP32, in_grad[l],
                                          alive[l], NULL));
    }
    /* Only where there is an edge. */
    CHECK(GrB_mxm(gradient[l], weight[l], NULL, GrB_PLUS_TIMES_SEMIRING_FP32, in_grad[l],
                  out[l - 1], GrB_DESC_ST1));
    if (l == 1) break;
    CHECK(GrB_Matrix_assign_FP32(in_grad[l - 1], NULL, NULL, 0.0f, GrB_ALL, size_of(l - 1), GrB_ALL,
                                 batch, NULL));
    CHECK(GrB_mxm(in_grad[l - 1], NULL, GrB_PLUS_FP32, GrB_PLUS_TIMES_SEMIRING_FP32, transposed[l],
                  in_grad[l], NULL));
  }
}

static void publish_forward(void) {
  const uint64_t n = size_of(layers - 1);
  GrB_Index size;
  float *values = unpack(out[layers - 1], &size, batch * n);
  for (uint64_t s = 0; s < batch; s++)
    for (uint64_t j = 0; j < n; j++) problem->y[s * n + j] = values[j * batch + s];
  pack(out[layers - 1], values, size);
}

static void publish_both(void) {
  publish_forward();
  *problem->loss = loss;
  uint64_t e = 0;
  for (uint64_t l = 1; l < layers; l++) {
    for (; e < problem->header->edges && problem->target[e] < problem->layer_first[l + 1]; e++) {
      float value = 0.0f;
      GrB_Matrix_extractElement_FP32(&value, gradient[l],
                                     problem->target[e] - problem->layer_first[l],
                                     problem->source[e] - problem->layer_first[l - 1]);
      problem->result_weight[e] = value;
    }
    GrB_Index size;
    float *rows = unpack(in_grad[l], &size, batch * size_of(l));
    for (uint64_t j = 0; j < size_of(l); j++) {
      double sum = 0.0;
      for (uint64_t s = 0; s < batch; s++) sum += rows[j * batch + s];
      problem->result_bias[problem->layer_first[l] + j] = sum;
    }
    pack(in_grad[l], rows, size);
  }
}

int main(void) {
  const peer_program program = {
      prepare, {forward, both, NULL, NULL}, {publish_forward, publish_both, NULL, NULL}};
  return peer_serve(&program);
}
