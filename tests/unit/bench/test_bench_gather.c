/* The gather of lists: what the kernel reads and writes, and which plans have a figure. */
#include <criterion/criterion.h>
#include <string.h>

#include "bench_base.h"
#include "ceiling_kernels.h"
#include "ceilings.h"
#include "list_gather.h"

enum { ROWS = 60, WORDS = BENCH_ROW_BYTES / 8, COUNT = 100, AHEAD = 8 };

static void expect_row(const uint64_t *rows, const uint32_t *index, size_t begin, size_t end,
                       size_t target) {
  for (size_t w = 0; w < WORDS; w++) {
    uint64_t all = 0;
    for (size_t i = begin; i < end; i++) all |= rows[index[i] * WORDS + w];
    cr_assert_eq(rows[target * WORDS + w], all, "row %zu, word %zu", target, w);
  }
}

/* Every row read, and read at the right turn, shows in a target: all rows have bits of their own. */
Test(gather, lists_are_read_and_targets_written) {
  bench_random random = {5};
  uint64_t *rows = bench_allocate(ROWS * WORDS, sizeof *rows);
  uint32_t index[COUNT + AHEAD];
  for (size_t ahead = 0; ahead <= AHEAD; ahead += AHEAD)
    for (size_t targets = 1; targets <= 7; targets += 3) {
      const size_t first = ROWS - 10;
      for (size_t i = 0; i < ROWS * WORDS; i++)
        rows[i] = UINT64_C(1) << bench_random_below(&random, 64);
      for (size_t i = 0; i < COUNT + AHEAD; i++)
        index[i] = (uint32_t)bench_random_below(&random, first);
      bench_ceiling_kernels_get()->gather_list(rows, index, COUNT, first, targets, ahead);
      for (size_t r = 0; r < targets; r++)
        expect_row(rows, index, COUNT * r / targets, COUNT * (r + 1) / targets, first + r);
      for (size_t i = (first + targets) * WORDS; i < ROWS * WORDS; i++)
        cr_assert_eq(__builtin_popcountll(rows[i]), 1, "what follows the targets was written");
    }
  bench_free(rows);
}

/* 300 vertices that read all of 400 inputs, or 10000 that read 8 of 3000 at random each. */
static double gather_of(int dense) {
  bdag_context *context;
  bdag_network *network;
  bdag_plan *plan;
  cr_assert_eq(bdag_context_create(&context, NULL, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_create(&network, context, NULL), BDAG_OK);
  const uint32_t inputs = dense ? 400 : 3000, targets = dense ? 300 : 10000,
                 degree = dense ? inputs : 8;
  uint32_t first_input, first;
  cr_assert_eq(bdag_network_add_inputs(network, inputs, &first_input, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_add_vertices(network, targets, NULL, &first, NULL), BDAG_OK);
  uint32_t *source = bench_allocate((uint64_t)targets * degree, sizeof *source);
  uint32_t *target = bench_allocate((uint64_t)targets * degree, sizeof *target);
  bdag_output *output = bench_allocate(targets, sizeof *output);
  bench_random random = {6};
  for (uint32_t i = 0; i < targets * degree; i++) {
    source[i] = dense ? i % degree : (uint32_t)bench_random_below(&random, inputs);
    target[i] = first + i / degree;
  }
  for (uint32_t i = 0; i < targets; i++) output[i].vertex = first + i;
  cr_assert_eq(
      bdag_network_add_edges(network, (uint64_t)targets * degree, source, target, NULL, NULL, NULL),
      BDAG_OK);
  cr_assert_eq(bdag_network_set_outputs(network, targets, output, NULL), BDAG_OK);
  cr_assert_eq(bdag_plan_create(&plan, network, NULL, NULL), BDAG_OK);
  const double rate = bench_list_gather(plan, 0.01);
  bdag_plan_release(plan);
  bdag_network_destroy(network);
  bdag_context_destroy(context);
  bench_free(source);
  bench_free(target);
  bench_free(output);
  return rate;
}

Test(gather, only_irregular_plans_have_a_figure) {
  cr_assert_eq(gather_of(1), 0.0);
  const double rate = gather_of(0);
  cr_assert(rate > 1e7 && rate < 1e13, "%g bytes/s", rate);
}
