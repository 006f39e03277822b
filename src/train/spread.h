/* How widely initial weights are drawn. Floor 4; pure functions of scheme, activation and fans. */
#ifndef BDAG_TRAIN_SPREAD_H
#define BDAG_TRAIN_SPREAD_H

#include <backdag/train.h>

typedef struct bdag_spread {
  int uniform; /* non-zero: uniform in ± scale; else normal with σ = scale */
  double scale;
} bdag_spread;

/* Spread of an edge whose target has that activation and fan_in ≥ 1 edges, and whose source has
 * fan_out ≥ 1. */
bdag_spread bdag_spread_of(bdag_initialization scheme, uint32_t activation, uint64_t fan_in,
                           uint64_t fan_out);

#endif
