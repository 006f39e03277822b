/* One batch in memory, drawn or taken from data: what a pass takes. */
#include <stdlib.h>

#include "cli.h"

static int allocate(cli_batch *b, const bdag_network *network, bdag_type type, uint64_t count) {
  b->type = type;
  b->count = count;
  b->inputs = bdag_network_input_count(network);
  b->targets = bdag_network_target_count(network);
  b->x = calloc(count * b->inputs + 1, cli_type_size(type));
  b->y = calloc(count * b->targets + 1, cli_type_size(type));
  return b->x != NULL && b->y != NULL ? CLI_OK : cli_fail("out of memory");
}

bdag_array cli_batch_x(const cli_batch *b) {
  return (bdag_array){b->x, b->type, (ptrdiff_t)b->inputs, 1};
}

bdag_array cli_batch_y(const cli_batch *b) {
  return (bdag_array){b->y, b->type, (ptrdiff_t)b->targets, 1};
}

static void draw_targets(const bdag_array *y, uint64_t sample, uint64_t first, uint64_t count,
                         const bdag_loss_term *term, cli_random *random) {
  const uint32_t kind = term->kind;
  double sum = 0;
  for (uint64_t j = 0; j < count; j++) {
    double value;
    if (kind == BDAG_CLASS_CROSS_ENTROPY)
      value = (double)cli_random_below(random, term->vertex_count);
    else if (kind == BDAG_BINARY_CROSS_ENTROPY || kind == BDAG_DISTRIBUTION_CROSS_ENTROPY)
      value = cli_random_uniform(random);
    else
      value = cli_random_normal(random);
    cli_array_set(y, sample, first + j, value);
    sum += value;
  }
  for (uint64_t j = 0; j < count && kind == BDAG_DISTRIBUTION_CROSS_ENTROPY; j++)
    cli_array_set(y, sample, first + j, cli_array_get(y, sample, first + j) / sum);
}

int cli_batch_draw(cli_batch *b, const bdag_network *network, bdag_type type, uint64_t count,
                   uint64_t seed) {
  cli_random random = {cli_random_mix(seed, 5)};
  if (allocate(b, network, type, count) != CLI_OK) return CLI_FAILED;
  const bdag_array x = cli_batch_x(b), y = cli_batch_y(b);
  for (uint64_t s = 0; s < count; s++)
    for (uint64_t j = 0; j < b->inputs; j++) cli_array_set(&x, s, j, cli_random_normal(&random));
  for (uint64_t s = 0; s < count; s++)
    for (uint32_t t = 0; t < bdag_network_loss_count(network); t++) {
      bdag_loss_term term;
      uint64_t first = 0, columns = 0;
      if (bdag_network_get_loss(network, t, &term, &first, &columns) == BDAG_OK)
        draw_targets(&y, s, first, columns, &term, &random);
    }
  return CLI_OK;
}

int cli_batch_load(cli_batch *b, const bdag_network *network, const cli_source *source,
                   bdag_type type, uint64_t most, int want_targets) {
  cli_data data;
  if (cli_data_load(&data, bdag_network_context(network), source, type,
                    bdag_network_input_count(network), bdag_network_target_count(network),
                    want_targets) != CLI_OK)
    return CLI_FAILED;
  const bdag_samples *samples = &data.samples;
  const uint64_t count = samples->count < most ? samples->count : most;
  const int result = allocate(b, network, type, count);
  if (result == CLI_OK) {
    const bdag_array x = cli_batch_x(b), y = cli_batch_y(b);
    for (uint64_t s = 0; s < count; s++) {
      for (uint64_t j = 0; j < b->inputs; j++)
        cli_array_set(&x, s, j, cli_array_get(&samples->x, s, j));
      for (uint64_t j = 0; j < b->targets && samples->targets.data != NULL; j++)
        cli_array_set(&y, s, j, cli_array_get(&samples->targets, s, j));
    }
  }
  cli_data_close(&data);
  return result;
}

void cli_batch_release(cli_batch *b) {
  free(b->x);
  free(b->y);
  b->x = b->y = NULL;
}
