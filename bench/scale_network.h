/* RadiX-Nets of any size, handed to the library in bulk. */
#ifndef BENCH_SCALE_NETWORK_H
#define BENCH_SCALE_NETWORK_H

#include <backdag/backdag.h>

#define BENCH_SCALE_DEGREE 32u

typedef struct bench_scale_shape {
  uint32_t width, layers; /* edges: 32 · width · layers */
  int shuffled;           /* neurons and edges in random order, one call; else a call a layer */
  uint64_t seed;
} bench_scale_shape;

/* ReLU neurons, mean squared error of the last layer, all weights 0. */
bdag_status bench_scale_network(bdag_network **network, bdag_context *context,
                                const bench_scale_shape *shape, bdag_error *error);

#endif
