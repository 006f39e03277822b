/* Optimizers as arithmetic on arrays. Floor 4; knows neither plans nor engines. */
#ifndef BDAG_TRAIN_OPTIMIZER_H
#define BDAG_TRAIN_OPTIMIZER_H

#include <backdag/train.h>

/* Below this many weights, opening a parallel region costs more than it saves. */
#define BDAG_PARALLEL_UPDATE ((uint64_t)1 << 17)

/* One step's constants. */
typedef struct bdag_update {
  bdag_optimizer optimizer;
  bdag_type type; /* of all four arrays */
  double learning_rate, momentum, beta1, beta2, epsilon;
  double decay; /* 0 for biases */
  int nesterov;
  uint64_t step; /* 1-based, for Adam's bias correction */
  uint32_t threads;
} bdag_update;

/* How many of the two moment arrays an optimizer needs: 0 to 2. */
uint32_t bdag_optimizer_moments(bdag_optimizer optimizer, double momentum);

/* Updates `count` weights from index `first` on: weights[i] moves along gradient[i]. Moments that the
 * optimizer does not need may be NULL. Elementwise, so bitwise the same for any number of threads;
 * opens a parallel region only for a long range and never inside another one. */
void bdag_optimizer_apply(const bdag_update *update, uint64_t first, uint64_t count, void *weights,
                          const void *gradient, void *first_moment, void *second_moment);

/* Non-zero if every number from index `first` on is finite. */
int bdag_optimizer_is_finite(bdag_type type, uint64_t first, uint64_t count, const void *gradient);

#endif
