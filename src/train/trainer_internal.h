/* The trainer's fields, for the files of this room. Floor 4. */
#ifndef BDAG_TRAINER_INTERNAL_H
#define BDAG_TRAINER_INTERNAL_H

#include <backdag/train.h>

#include "runtime/weights.h"

struct bdag_trainer {
  const bdag_context *context;
  bdag_plan *plan;       /* one reference */
  bdag_weights *weights; /* one reference, and `held` */
  bdag_engine *engine;
  bdag_trainer_options options;
  uint32_t threads; /* of updates */
  uint64_t steps;
  uint64_t moment_count; /* elements of each moment array: state indices up to the last live one */
  void *first_moment, *second_moment; /* NULL where the optimizer has none */
  /* One mini-batch, gathered by run and evaluate, of the engine's type. */
  void *x, *targets;      /* [max_batch][inputs], [max_batch][target_count] */
  double *sample_weights; /* [max_batch] */
  uint64_t *rows;         /* [max_batch] */
};

#endif
