/* Lists that activate their rows have the bits of sums that are activated afterwards. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "kernel_check.h"
#include "kernel_reference.h"

#define ROWS    40
#define STRIDE  160
#define TARGETS 12
#define TERMS   200

typedef struct lists {
  const bdag_kernels *kernels;
  _Alignas(64) unsigned char rows[ROWS * STRIDE * sizeof(double)];
  _Alignas(64) unsigned char target[(TARGETS + 1) * STRIDE * sizeof(double)];
  _Alignas(64) unsigned char expected[(TARGETS + 1) * STRIDE * sizeof(double)];
  _Alignas(64) unsigned char in[(TARGETS + 1) * STRIDE * sizeof(double)];
  _Alignas(64) unsigned char expected_in[(TARGETS + 1) * STRIDE * sizeof(double)];
  unsigned char weights[TERMS * sizeof(double)], initial[TARGETS * sizeof(double)];
  uint64_t offset[TARGETS + 1];
  uint32_t source[TERMS];
} lists;

static bdag_list_job draw_job(generator *random, lists *x, size_t count) {
  const uint32_t targets = 1 + below(random, TARGETS);
  x->offset[0] = below(random, 8);
  for (uint32_t r = 0; r < targets; r++) x->offset[r + 1] = x->offset[r] + below(random, 16);
  for (uint32_t i = 0; i < TERMS; i++) x->source[i] = below(random, ROWS);
  return (bdag_list_job){.weights = x->weights,
                         .source = x->source,
                         .offset = x->offset,
                         .targets = targets,
                         .rows = x->rows,
                         .row_stride = STRIDE,
                         .target = x->target,
                         .count = count,
                         .initial = below(random, 2) ? x->initial : NULL,
                         .ahead = below(random, 2) * (1 + below(random, 40)),
                         .limit = x->offset[targets]};
}

static void expect(lists *x, bdag_list_job job, uint32_t activation, double parameter, int keeps) {
  const bdag_type type = x->kernels->type;
  const size_t size = element_size(type);
  job.target = x->expected;
  x->kernels->list(&job);
  for (uint32_t r = 0; r < job.targets; r++) {
    void *const row = plus(type, x->expected, r * (size_t)STRIDE);
    if (keeps) memcpy(plus(type, x->expected_in, r * (size_t)STRIDE), row, job.count * size);
    x->kernels->activate(activation, parameter, row, row, job.count);
  }
}

static void check_activation(generator *random, lists *x, uint32_t activation, size_t count) {
  bdag_list_job job = draw_job(random, x, count);
  const double parameter = uniform(random, 0.1, 2);
  const int keeps = (int)below(random, 2);
  fill_numbers(random, x->kernels->type, x->target, (TARGETS + 1) * STRIDE);
  memcpy(x->expected, x->target, sizeof x->target);
  memcpy(x->expected_in, x->in, sizeof x->in);
  expect(x, job, activation, parameter, keeps);
  job.activation = activation;
  job.parameter = parameter;
  if (keeps) job.in = x->in;
  x->kernels->list(&job);
  if (memcmp(x->expected, x->target, sizeof x->target) != 0)
    cr_assert_fail("%s: activation %u of %u targets, %zu samples: other bits",
                   kernels_name(x->kernels), activation, job.targets, count);
  if (memcmp(x->expected_in, x->in, sizeof x->in) != 0)
    cr_assert_fail("%s: activation %u of %u targets, %zu samples: other sums are kept",
                   kernels_name(x->kernels), activation, job.targets, count);
}

Test(list, activates_as_rows_afterwards) {
  lists *x = aligned_alloc(64, (sizeof *x + 63) / 64 * 64);
  generator random = {72};
  for (int n = 0; (x->kernels = kernels_at(n)) != NULL; n++) {
    fill_numbers(&random, x->kernels->type, x->rows, ROWS * STRIDE);
    fill_numbers(&random, x->kernels->type, x->weights, TERMS);
    fill_numbers(&random, x->kernels->type, x->initial, TARGETS);
    fill_numbers(&random, x->kernels->type, x->in, (TARGETS + 1) * STRIDE);
    for (int kind = 0; kind < KIND_COUNT; kind++)
      for (size_t count = BDAG_ROW_QUANTUM; count <= 144; count += BDAG_ROW_QUANTUM)
        for (int round = 0; round < 3; round++) check_activation(&random, x, kind_at(kind), count);
  }
  free(x);
}
