/* The fastest of several runs of each kernel on rows that stay in the first cache. */
#include <stdio.h>
#include <time.h>

#include "kernel_check.h"
#include "kernel_reference.h"
#include "network/activation.h"

#define COUNT   64
#define SOURCES 32
#define TARGETS 12
#define CLASSES 10

/* Operands of all kernels, and how many elements one call handles. */
typedef struct bench {
  const bdag_kernels *kernels;
  uint32_t kind;
  row in, out, grad, result;
  _Alignas(64) double rows[SOURCES * COUNT], targets[SOURCES * COUNT], weights[SOURCES * TARGETS];
  uint32_t source[SOURCES];
  uint64_t slot[SOURCES];
  double factor[COUNT], loss[COUNT], scratch[3 * COUNT];
} bench;

typedef void bench_call(bench *b);

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

/* Nanoseconds an element, the best of 20 runs of 200 calls. */
static double measure(bench_call *call, bench *b, double elements) {
  double best = 1e30;
  for (int run = 0; run < 20; run++) {
    const double begin = now();
    for (int i = 0; i < 200; i++) call(b);
    const double time = now() - begin;
    if (time < best) best = time;
  }
  return best / 200 / elements;
}

static void call_activate(bench *b) {
  b->kernels->activate(b->kind, 1, b->in.bytes, b->result.bytes, COUNT);
}

static void call_derive(bench *b) {
  b->kernels->derive(b->kind, 1, b->in.bytes, b->out.bytes, b->grad.bytes, b->result.bytes, COUNT);
}

static void call_loss(bench *b) {
  const bdag_loss_job job = {.kind = b->kind,
                             .vertex_count = CLASSES,
                             .row = b->source,
                             .rows = b->rows,
                             .row_stride = COUNT,
                             .targets = b->targets,
                             .target_stride = COUNT,
                             .grad_row = b->source,
                             .grad = b->rows,
                             .lambda = 1e-9,
                             .parameter = 1,
                             .count = COUNT,
                             .factor = b->factor,
                             .loss = b->loss,
                             .scratch = b->scratch};
  size_t bad_sample, bad_column;
  b->kernels->loss(&job, &bad_sample, &bad_column);
}

static void call_panel(bench *b) {
  const bdag_panel_job job = {.weight = b->weights,
                              .source_step = TARGETS,
                              .target_step = 1,
                              .source = b->source,
                              .sources = SOURCES,
                              .targets = TARGETS,
                              .rows = b->rows,
                              .row_stride = COUNT,
                              .target = b->targets,
                              .count = COUNT,
                              .initial = b->weights};
  b->kernels->panel(&job);
}

static void call_pull(bench *b) {
  const bdag_pull_job job = {.weights = b->weights,
                             .slot = b->slot,
                             .successor = b->source,
                             .successors = SOURCES,
                             .rows = b->rows,
                             .row_stride = COUNT,
                             .target = b->out.bytes,
                             .count = COUNT};
  b->kernels->pull(&job);
}

static void call_weight_grad(bench *b) {
  const bdag_weight_grad_job job = {.gradient = b->weights,
                                    .source_step = TARGETS,
                                    .target_step = 1,
                                    .source = b->source,
                                    .sources = SOURCES,
                                    .targets = TARGETS,
                                    .rows = b->rows,
                                    .target = b->targets,
                                    .row_stride = COUNT,
                                    .count = COUNT};
  b->kernels->weight_grad(&job);
}

static void fill(bench *b) {
  generator random = {1};
  const bdag_type type = b->kernels->type;
  for (size_t i = 0; i < COUNT; i++) {
    set(type, b->in.bytes, i, uniform(&random, -3, 3));
    set(type, b->out.bytes, i, uniform(&random, 0, 1));
    set(type, b->grad.bytes, i, uniform(&random, -1, 1));
    b->factor[i] = 1e-3;
    b->loss[i] = 0;
  }
  for (size_t i = 0; i < SOURCES * COUNT; i++) {
    set(type, b->rows, i, uniform(&random, -1, 1));
    set(type, b->targets, i, below(&random, 2));
  }
  for (size_t i = 0; i < SOURCES * TARGETS; i++) set(type, b->weights, i, uniform(&random, -1, 1));
  for (uint32_t i = 0; i < SOURCES; i++) {
    b->source[i] = i;
    b->slot[i] = i;
  }
}

static void print_kernels(bench *b) {
  const char *const name = kernels_name(b->kernels);
  const double edges = (double)SOURCES * COUNT;
  fill(b);
  printf("%-14s panel %.4f  weight_grad %.4f  pull %.4f ns a multiply-add\n", name,
         measure(call_panel, b, edges * TARGETS), measure(call_weight_grad, b, edges * TARGETS),
         measure(call_pull, b, edges));
  for (int i = 0; i < KIND_COUNT; i++) {
    b->kind = kind_at(i);
    fill(b);
    const double value = measure(call_activate, b, COUNT);
    printf("%-14s %-14s %7.3f  derivative %7.3f ns a number\n", name,
           bdag_activation_name(NULL, b->kind), value, measure(call_derive, b, COUNT));
  }
  for (b->kind = 0; b->kind <= BDAG_EXTERNAL_GRADIENT; b->kind++) {
    fill(b);
    printf("%-14s %-14s %7.3f ns a number\n", name, bdag_loss_name(NULL, b->kind),
           measure(call_loss, b, (double)CLASSES * COUNT));
  }
}

int kernel_benchmark(void) {
  static bench b;
  for (int k = 0; kernels_at(k) != NULL; k++) {
    b.kernels = kernels_at(k);
    print_kernels(&b);
  }
  return 0;
}
