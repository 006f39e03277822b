/* The fastest of several runs of each kernel on rows that stay in the first cache. */
#include <stdio.h>
#include <time.h>

#include "kernel_check.h"
#include "kernel_reference.h"
#include "network/activation.h"

#define COUNT   64
#define SOURCES 32
#define TARGETS 30
#define STEP    32
#define CLASSES 10

/* Operands of all kernels, and how many elements one call handles. */
typedef struct bench {
  const bdag_kernels *kernels;
  uint32_t kind;
  row in, out, grad, result;
  _Alignas(64) double rows[SOURCES * COUNT], targets[SOURCES * COUNT], weights[SOURCES * STEP];
  _Alignas(64) double result_rows[SOURCES * COUNT], gradient[SOURCES * STEP], turned[COUNT * STEP];
  uint32_t source[SOURCES * TARGETS];
  uint64_t offset[SOURCES + 1];
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
  static const uint32_t first = 0;
  double sum;
  const bdag_derive_job job = {.kind = b->kind,
                               .parameter = 1,
                               .row = &first,
                               .rows = 1,
                               .in = b->in.bytes,
                               .out = b->out.bytes,
                               .out_grad = b->grad.bytes,
                               .in_grad = b->result.bytes,
                               .row_stride = COUNT,
                               .count = COUNT,
                               .sum = &sum};
  b->kernels->derive(&job);
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
                              .target = b->result_rows,
                              .count = COUNT,
                              .initial = b->weights};
  b->kernels->panel(&job);
}

static void call_union(bench *b) {
  const bdag_union_job job = {.weights = b->weights,
                              .source = b->source,
                              .sources = SOURCES,
                              .targets = BDAG_UNION_TARGETS,
                              .rows = b->rows,
                              .row_stride = COUNT,
                              .target = b->result_rows,
                              .count = COUNT,
                              .initial = b->weights};
  b->kernels->union_panel(&job);
}

static void call_list(bench *b) {
  const bdag_list_job job = {.weights = b->weights,
                             .source = b->source,
                             .offset = b->offset,
                             .targets = SOURCES,
                             .rows = b->rows,
                             .row_stride = COUNT,
                             .target = b->result_rows,
                             .count = COUNT,
                             .initial = b->weights};
  b->kernels->list(&job);
}

static bdag_sweep_job sweep_job(bench *b) {
  return (bdag_sweep_job){.weights = b->weights,
                          .gradient = b->gradient,
                          .successor = b->source,
                          .offset = b->offset,
                          .row = b->source,
                          .rows = SOURCES,
                          .row_limit = SOURCES,
                          .out = b->rows,
                          .in_grad = b->targets,
                          .out_grad = b->result_rows,
                          .row_stride = COUNT,
                          .count = COUNT,
                          .from_zero = 1};
}

static void call_sweep(bench *b) {
  const bdag_sweep_job job = sweep_job(b);
  b->kernels->sweep(&job);
}

static void call_sweep_pull(bench *b) {
  bdag_sweep_job job = sweep_job(b);
  job.gradient = NULL;
  b->kernels->sweep(&job);
}

static void call_sweep_dot(bench *b) {
  bdag_sweep_job job = sweep_job(b);
  job.out_grad = NULL;
  b->kernels->sweep(&job);
}

static bdag_weight_grad_job weight_grad_job(bench *b) {
  return (bdag_weight_grad_job){.gradient = b->gradient,
                                .source_step = STEP,
                                .source = b->source,
                                .sources = SOURCES,
                                .targets = TARGETS,
                                .rows = b->rows,
                                .target = b->targets,
                                .row_stride = COUNT,
                                .tiles = 1,
                                .count = COUNT,
                                .last_count = COUNT,
                                .scratch = b->turned};
}

static void call_weight_grad(bench *b) {
  const bdag_weight_grad_job job = weight_grad_job(b);
  b->kernels->weight_grad(&job);
}

static void call_weight_grad_transposed(bench *b) {
  const bdag_weight_grad_job job = weight_grad_job(b);
  b->kernels->weight_grad_transposed(&job);
}

static void call_transpose(bench *b) {
  b->kernels->transpose(b->targets, COUNT, b->turned, STEP, STEP, COUNT);
}

static void call_finite(bench *b) {
  if (!b->kernels->finite(b->rows, SOURCES * COUNT)) puts("a row is not finite");
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
  for (uint32_t i = 0; i < SOURCES * TARGETS; i++) {
    set(type, b->weights, i, uniform(&random, -1, 1));
    b->source[i] = i < SOURCES ? i : below(&random, SOURCES);
  }
  for (uint32_t i = 0; i <= SOURCES; i++) b->offset[i] = i * TARGETS;
}

/* A whole sweep does two multiply-adds an edge. */
static void print_products(bench *b) {
  static const struct {
    const char *name, *unit;
    bench_call *call;
    double elements;
  } cases[] = {
      {"panel", "multiply-add", call_panel, SOURCES * TARGETS * COUNT},
      {"union", "multiply-add", call_union, SOURCES * BDAG_UNION_TARGETS * COUNT},
      {"list", "multiply-add", call_list, SOURCES * TARGETS * COUNT},
      {"sweep", "multiply-add", call_sweep, 2 * SOURCES * TARGETS * COUNT},
      {"sweep, out_grad", "multiply-add", call_sweep_pull, SOURCES * TARGETS * COUNT},
      {"sweep, gradient", "multiply-add", call_sweep_dot, SOURCES * TARGETS * COUNT},
      {"weight_grad", "multiply-add", call_weight_grad, SOURCES * TARGETS * COUNT},
      {"transposed", "multiply-add", call_weight_grad_transposed, SOURCES * TARGETS * COUNT},
      {"transpose", "number", call_transpose, STEP * COUNT},
      {"finite", "number", call_finite, SOURCES * COUNT},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    printf("%-14s %-15s %7.4f ns a %s\n", kernels_name(b->kernels), cases[i].name,
           measure(cases[i].call, b, cases[i].elements), cases[i].unit);
}

static void print_kernels(bench *b) {
  const char *const name = kernels_name(b->kernels);
  fill(b);
  print_products(b);
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
