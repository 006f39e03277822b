/* Lists by segments of sources have the bits of lists, and touch nothing else. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "kernel_check.h"

#define ROWS         160
#define STRIDE       160
#define TARGET_LIMIT 70
#define TERM_LIMIT   (TARGET_LIMIT * 100)

typedef struct lists {
  const bdag_kernels *kernels;
  _Alignas(64) unsigned char rows[ROWS * STRIDE * sizeof(double)];
  _Alignas(64) unsigned char target[(TARGET_LIMIT + 1) * STRIDE * sizeof(double)];
  _Alignas(64) unsigned char again[(TARGET_LIMIT + 1) * STRIDE * sizeof(double)];
  unsigned char weights[TERM_LIMIT * sizeof(double)], initial[TARGET_LIMIT * sizeof(double)];
  uint64_t offset[TARGET_LIMIT + 1];
  uint32_t source[TERM_LIMIT];
} lists;

/* Some rows far apart, some sources twice; now and then a target without sources. */
static void draw_terms(generator *random, lists *x, uint32_t targets, int ascending) {
  uint64_t at = x->offset[0] = below(random, 8);
  for (uint32_t r = 0; r < targets; r++) {
    const uint32_t one_in = 1 + below(random, 6), empty = below(random, 8) == 0;
    for (uint32_t row = 0; row < ROWS && !empty && at + 2 < (r + 1) * 100; row++) {
      if (row == ROWS / 2) row += below(random, 40);
      if (below(random, one_in) > 0) continue;
      x->source[at++] = ascending ? row : below(random, ROWS);
      if (below(random, 20) == 0) x->source[at++] = row;
    }
    x->offset[r + 1] = at;
  }
}

/* The numbers of sources, and the weights, end where memory does. */
static void check_lists(generator *random, lists *x, uint32_t targets, size_t count) {
  static unsigned char *sources, *weights;
  const bdag_type type = x->kernels->type;
  const size_t size = element_size(type);
  if (sources == NULL) sources = guarded_end(sizeof x->source);
  if (weights == NULL) weights = guarded_end(sizeof x->weights);
  draw_terms(random, x, targets, below(random, 4) > 0);
  const uint64_t first = x->offset[0], end = x->offset[targets];
  uint32_t *const source = (uint32_t *)sources - end;
  memcpy(source + first, x->source + first, (end - first) * sizeof *source);
  unsigned char *const weight = weights - (end - first) * size;
  memcpy(weight, x->weights, (end - first) * size);
  fill_numbers(random, type, x->target, (TARGET_LIMIT + 1) * STRIDE);
  memcpy(x->again, x->target, sizeof x->again);
  bdag_list_job job = {.weights = weight,
                       .source = source,
                       .offset = x->offset,
                       .targets = targets,
                       .rows = x->rows,
                       .row_stride = STRIDE,
                       .target = x->target,
                       .count = count,
                       .initial = below(random, 2) ? x->initial : NULL,
                       .limit = end,
                       .segment = 1 + below(random, below(random, 2) ? ROWS + 9 : 12)};
  x->kernels->list(&job);
  job.target = x->again;
  x->kernels->list_segments(&job);
  if (memcmp(x->again, x->target, sizeof x->again) != 0)
    cr_assert_fail("%s: %u targets, %zu samples: other bits by segments of %u",
                   kernels_name(x->kernels), targets, count, job.segment);
}

Test(segment, has_the_bits_of_lists) {
  lists *x = aligned_alloc(64, (sizeof *x + 63) / 64 * 64);
  generator random = {71};
  for (int n = 0; (x->kernels = kernels_at(n)) != NULL; n++) {
    fill_numbers(&random, x->kernels->type, x->rows, ROWS * STRIDE);
    fill_numbers(&random, x->kernels->type, x->weights, TERM_LIMIT);
    fill_numbers(&random, x->kernels->type, x->initial, TARGET_LIMIT);
    for (uint32_t targets = 1; targets <= TARGET_LIMIT; targets++)
      check_lists(&random, x, targets, BDAG_ROW_QUANTUM);
    for (size_t count = BDAG_ROW_QUANTUM; count <= 144; count += BDAG_ROW_QUANTUM)
      for (int round = 0; round < 8; round++)
        check_lists(&random, x, 1 + below(&random, TARGET_LIMIT), count);
  }
  free(x);
}
