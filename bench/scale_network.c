/* RadiX-Nets as in build_radix.c, made without arrays of the whole network unless they are shuffled. */
#include "scale_network.h"

#include "bench_base.h"

typedef struct edge_list {
  uint32_t *source, *target;
  uint64_t count;
} edge_list;

static edge_list make_list(uint64_t capacity) {
  return (edge_list){bench_allocate(capacity, sizeof(uint32_t)),
                     bench_allocate(capacity, sizeof(uint32_t)), 0};
}

static void clear_list(edge_list *list) {
  bench_free(list->source);
  bench_free(list->target);
}

/* Neuron j of a layer reads (j + k·place) mod width, k = 0 … 31. */
static void add_layer(edge_list *list, uint32_t width, uint32_t layer, uint32_t place) {
  const uint32_t sources = layer * width, targets = sources + width;
  for (uint32_t j = 0; j < width; j++)
    for (uint32_t k = 0; k < BENCH_SCALE_DEGREE; k++) {
      list->source[list->count] = sources + (uint32_t)((j + (uint64_t)k * place) % width);
      list->target[list->count++] = targets + j;
    }
}

static uint32_t place_of(uint32_t width, uint32_t layer) {
  uint32_t place[8], places = 0;
  for (uint64_t p = 1; p * BENCH_SCALE_DEGREE <= width; p *= BENCH_SCALE_DEGREE)
    place[places++] = (uint32_t)p;
  if (places == 0) return 1;
  if ((uint64_t)place[places - 1] * BENCH_SCALE_DEGREE < width)
    place[places++] = width / BENCH_SCALE_DEGREE;
  return place[layer % places];
}

static void shuffle(edge_list *list, const bench_scale_shape *shape) {
  bench_random random = {shape->seed};
  const uint64_t neurons = (uint64_t)shape->width * shape->layers;
  uint64_t *renamed = bench_allocate(neurons, sizeof *renamed);
  bench_random_permutation(&random, neurons, renamed);
  for (uint64_t e = 0; e < list->count; e++) {
    uint32_t *ends[] = {&list->source[e], &list->target[e]};
    for (int i = 0; i < 2; i++)
      if (*ends[i] >= shape->width)
        *ends[i] = shape->width + (uint32_t)renamed[*ends[i] - shape->width];
  }
  for (uint64_t e = list->count; e > 1; e--) {
    const uint64_t other = bench_random_below(&random, e);
    const uint32_t source = list->source[e - 1], target = list->target[e - 1];
    list->source[e - 1] = list->source[other];
    list->target[e - 1] = list->target[other];
    list->source[other] = source;
    list->target[other] = target;
  }
  bench_free(renamed);
}

static bdag_status add_edges(bdag_network *network, const bench_scale_shape *shape,
                             bdag_error *error) {
  const uint64_t of_layer = (uint64_t)shape->width * BENCH_SCALE_DEGREE;
  edge_list list = make_list(shape->shuffled ? of_layer * shape->layers : of_layer);
  bdag_status status = BDAG_OK;
  for (uint32_t layer = 0; layer < shape->layers && status == BDAG_OK; layer++) {
    add_layer(&list, shape->width, layer, place_of(shape->width, layer));
    if (shape->shuffled) continue;
    status =
        bdag_network_add_edges(network, list.count, list.source, list.target, NULL, NULL, error);
    list.count = 0;
  }
  if (shape->shuffled) {
    shuffle(&list, shape);
    status =
        bdag_network_add_edges(network, list.count, list.source, list.target, NULL, NULL, error);
  }
  clear_list(&list);
  return status;
}

static bdag_status add_loss(bdag_network *network, const bench_scale_shape *shape,
                            bdag_error *error) {
  uint32_t *last = bench_allocate(shape->width, sizeof *last);
  for (uint32_t i = 0; i < shape->width; i++) last[i] = shape->width * shape->layers + i;
  const bdag_loss_term term = {BDAG_MEAN_SQUARED_ERROR, shape->width, last, 1.0, 1.0};
  const bdag_status status = bdag_network_add_loss(network, &term, error);
  bench_free(last);
  return status;
}

bdag_status bench_scale_network(bdag_network **network, bdag_context *context,
                                const bench_scale_shape *shape, bdag_error *error) {
  const uint64_t neurons = (uint64_t)shape->width * shape->layers;
  if (neurons + shape->width > UINT32_MAX) bench_die("more than 2^32 - 1 vertices");
  bdag_status status = bdag_network_create(network, context, error);
  if (status == BDAG_OK)
    status =
        bdag_network_reserve(*network, neurons + shape->width, neurons * BENCH_SCALE_DEGREE, error);
  if (status == BDAG_OK) status = bdag_network_add_inputs(*network, shape->width, NULL, error);
  const bdag_activation relu = {BDAG_RELU, 0.0};
  if (status == BDAG_OK)
    status = bdag_network_add_vertices(*network, (uint32_t)neurons, &relu, NULL, error);
  if (status == BDAG_OK) status = add_edges(*network, shape, error);
  if (status == BDAG_OK) status = add_loss(*network, shape, error);
  return status;
}
