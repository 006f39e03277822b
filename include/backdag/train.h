/* Training: weight initialisation, optimizers, mini-batches. */
#ifndef BACKDAG_TRAIN_H
#define BACKDAG_TRAIN_H

#include <backdag/engine.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum bdag_initialization {
  BDAG_INIT_AUTO = 0,          /* He for the relu family, gelu, silu and softplus; else Glorot */
  BDAG_INIT_HE_NORMAL = 1,     /* normal, σ = sqrt(2 / fan_in) */
  BDAG_INIT_HE_UNIFORM = 2,    /* uniform, ± sqrt(6 / fan_in) */
  BDAG_INIT_GLOROT_NORMAL = 3, /* normal, σ = sqrt(2 / (fan_in + fan_out)) */
  BDAG_INIT_GLOROT_UNIFORM = 4 /* uniform, ± sqrt(6 / (fan_in + fan_out)) */
} bdag_initialization;

/* Draws every edge's weight anew and sets biases to 0. The draw depends on seed and parameter id only
 * (counter-based generator), fitted to the in-degree of the edge's target and the out-degree of its
 * source (of a tied parameter: its first use). SELU targets get LeCun's σ = sqrt(1 / fan_in) with AUTO.
 * Removed and disabled edges count in no degree and keep their weights. Where the target's response or
 * mean aggregation rescales the sum, σ undoes that (not of tied parameters); with AUTO it is also
 * divided by the inner slope of neat-python's sigmoid, tanh, sin and gauss.
 * The network must be the one of the weights' plan.
 * Returns OK, INVALID_ARGUMENT, MISMATCH, BUSY (frozen or held), OUT_OF_MEMORY. */
BDAG_API bdag_status bdag_weights_initialize(bdag_weights *weights, const bdag_network *network,
                                             bdag_initialization scheme, uint64_t seed,
                                             bdag_error *error);

typedef enum bdag_optimizer {
  BDAG_SGD = 0, /* with momentum μ: m = μ·m + g, w −= η·m; Nesterov: w −= η·(g + μ·m) */
  BDAG_ADAM = 1, /* Kingma & Ba 2015, with bias correction; weight decay is added to g */
  BDAG_ADAMW = 2 /* Loshchilov & Hutter 2019: weight decay is decoupled, w −= η·decay·w */
} bdag_optimizer;

typedef struct bdag_trainer_options {
  size_t size; /* set by the initialiser */
  bdag_optimizer optimizer;
  double learning_rate; /* η > 0 */
  double momentum;      /* SGD: μ in [0, 1) */
  int nesterov;         /* SGD: non-zero */
  double beta1, beta2;  /* Adam: in [0, 1) */
  double epsilon;       /* Adam: > 0 */
  double weight_decay; /* ≥ 0; applies to edges' weights, not to biases; nor to parameters that do
                           not reach Loss */
  uint64_t max_batch;  /* largest mini-batch */
  bdag_axis axis;
  uint32_t threads; /* 0: the context's number */
  int deterministic;
} bdag_trainer_options;

#define BDAG_TRAINER_OPTIONS_INIT                                                                  \
  {                                                                                                \
    sizeof(bdag_trainer_options), BDAG_ADAM, 1e-3, 0.9, 0, 0.9, 0.999, 1e-8, 0.0, 128,             \
        BDAG_AXIS_AUTO, 0, 0                                                                       \
  }

typedef struct bdag_trainer bdag_trainer;

/* Makes a trainer that holds the weights: nobody else may change them until it is destroyed.
 * Returns OK, INVALID_ARGUMENT, MISMATCH (weights of another plan), NO_LOSS, BUSY (frozen, or held by
 * another trainer), LIMIT, OUT_OF_MEMORY.
 * A trainer belongs to one thread at a time. */
BDAG_API bdag_status bdag_trainer_create(bdag_trainer **trainer, bdag_plan *plan,
                                         bdag_weights *weights, const bdag_trainer_options *options,
                                         bdag_error *error);
BDAG_API void bdag_trainer_destroy(bdag_trainer *trainer);

/* Learning rate from the next step on. Returns OK, INVALID_ARGUMENT. */
BDAG_API bdag_status bdag_trainer_set_learning_rate(bdag_trainer *trainer, double learning_rate);

/* One step: forward, backward, update, on `batch` samples; arguments as bdag_forward and
 * bdag_backward. Nothing is updated when it fails or when loss or gradient are not finite (NOT_FINITE).
 * The Z of BDAG_NORMALIZE_GIVEN is 1.
 * Returns what they return. */
BDAG_API bdag_status bdag_trainer_step(bdag_trainer *trainer, uint64_t batch, const bdag_array *x,
                                       const bdag_array *targets, const double *sample_weights,
                                       double *loss);

/* Samples in the caller's memory, borrowed. */
typedef struct bdag_samples {
  uint64_t count;
  bdag_array x;                 /* [count][inputs] */
  bdag_array targets;           /* [count][target_count]; data NULL: none */
  const double *sample_weights; /* [count], NULL: all 1 */
} bdag_samples;

typedef struct bdag_progress {
  uint64_t epoch; /* 1-based */
  uint64_t epochs;
  uint64_t batch; /* 1-based; batches + 1 at the report that ends an epoch */
  uint64_t batches;
  double loss;            /* of this batch; mean over the epoch in the report that ends an epoch */
  double validation_loss; /* in the report that ends an epoch, NaN without validation samples */
  double samples_per_second; /* of this run so far */
  int epoch_end;             /* non-zero: this report ends an epoch */
} bdag_progress;

/* Returns 0 to go on, anything else to stop after this batch. Called on the caller's thread. */
typedef int (*bdag_progress_callback)(void *user, const bdag_progress *progress);

typedef struct bdag_run_options {
  size_t size;             /* set by the initialiser */
  uint64_t epochs;         /* ≥ 1 */
  uint64_t batch;          /* samples a mini-batch, 1 … max_batch */
  uint64_t seed;           /* of the shuffling */
  int shuffle;             /* 0: the given order */
  double validation_share; /* in [0, 1): that share of the samples, drawn by seed, is held out */
  const bdag_samples *validation; /* or samples of their own; NULL */
  bdag_progress_callback progress;
  void *progress_user;
} bdag_run_options;
#define BDAG_RUN_OPTIONS_INIT                                                                      \
  { sizeof(bdag_run_options), 1, 128, 1, 1, 0.0, NULL, NULL, NULL }

/* Trains for `epochs`. The order of samples depends on seed and epoch only; samples of weight 0 are
 * left out of the batches. When the callback stops the run, the batch is finished, the weights are valid
 * and the status is CANCELLED. Validation happens only if there is a callback to report it to.
 * `options` NULL means defaults, with batch at most max_batch.
 * Returns what bdag_trainer_step returns, INVALID_ARGUMENT, OUT_OF_MEMORY. */
BDAG_API bdag_status bdag_trainer_run(bdag_trainer *trainer, const bdag_samples *samples,
                                      const bdag_run_options *options, bdag_error *error);

/* Mean loss over samples, each counting with its weight, without training; in batches of max_batch.
 * Returns what bdag_forward and bdag_loss return; INVALID_ARGUMENT also if all weights are 0. */
BDAG_API bdag_status bdag_trainer_evaluate(bdag_trainer *trainer, const bdag_samples *samples,
                                           double *loss);

/* Optimizer state by parameter id, for checkpoints: number of steps taken, and up to two numbers a
 * parameter (momentum or Adam's m; Adam's v). Arrays are [parameter count] and may be NULL; parameters
 * that the plan does not train read as 0. Setting refuses numbers that are not finite in the weights'
 * type, a negative second moment and steps above INT64_MAX; NULL leaves those moments as they are.
 * Return OK, INVALID_ARGUMENT. */
BDAG_API bdag_status bdag_trainer_get_state(const bdag_trainer *trainer, uint64_t *steps,
                                            double *first_moment, double *second_moment);
BDAG_API bdag_status bdag_trainer_set_state(bdag_trainer *trainer, uint64_t steps,
                                            const double *first_moment,
                                            const double *second_moment);

#ifdef __cplusplus
}
#endif
#endif
