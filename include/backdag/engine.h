/* Weights and engines: the numeric passes over a plan. */
#ifndef BACKDAG_ENGINE_H
#define BACKDAG_ENGINE_H

#include <backdag/plan.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bdag_weights bdag_weights;
typedef struct bdag_engine bdag_engine;

/* A caller's matrix of numbers: element (sample s, vertex or column j) lies at
 * data[s * sample_stride + j * vertex_stride]. */
typedef struct bdag_array {
  void *data;
  bdag_type type;
  ptrdiff_t sample_stride; /* in elements */
  ptrdiff_t vertex_stride; /* in elements */
} bdag_array;

/* ---- Weights: the values of all parameters ----------------------------------------------------- */

/* Makes weights for a plan with the network's initial values, rounded to `type`. The network must be
 * the one that the plan was made from, or an edited copy: state is taken by parameter id.
 * Returns OK, INVALID_ARGUMENT, MISMATCH, OUT_OF_MEMORY. */
BDAG_API bdag_status bdag_weights_create(bdag_weights **weights, bdag_plan *plan,
                                         const bdag_network *network, bdag_type type,
                                         bdag_error *error);
/* Weights for another plan (of an edited network) with the values of `from` by parameter id; those
 * that `from` does not know come from the network. Returns as bdag_weights_create. */
BDAG_API bdag_status bdag_weights_transfer(bdag_weights **weights, bdag_plan *plan,
                                           const bdag_network *network, const bdag_weights *from,
                                           bdag_error *error);
/* Weights start thawed: one owner may change them while no pass runs. Freezing makes them immutable
 * for good, so that any number of threads and engines may read them.
 * Returns OK, BUSY (a trainer holds them). */
BDAG_API bdag_status bdag_weights_freeze(bdag_weights *weights);
BDAG_API int bdag_weights_is_frozen(const bdag_weights *weights);
/* A thawed copy. Returns OK, INVALID_ARGUMENT, OUT_OF_MEMORY. */
BDAG_API bdag_status bdag_weights_copy(bdag_weights **copy, const bdag_weights *weights,
                                       bdag_error *error);
/* Weights are reference-counted. Thread-safe. Release accepts NULL. */
BDAG_API bdag_weights *bdag_weights_retain(bdag_weights *weights);
BDAG_API void bdag_weights_release(bdag_weights *weights);
BDAG_API bdag_type bdag_weights_type(const bdag_weights *weights);

/* Copies the values of parameters first … first+count−1 out of, or into, the weights; `values` are
 * doubles. Writing rounds to the weights' type and refuses what is not finite.
 * Returns OK, INVALID_ARGUMENT, UNKNOWN_ID, and for writing NOT_FINITE and BUSY. */
BDAG_API bdag_status bdag_weights_read(const bdag_weights *weights, uint64_t first, uint64_t count,
                                       double *values);
BDAG_API bdag_status bdag_weights_write(bdag_weights *weights, uint64_t first, uint64_t count,
                                        const double *values);

/* ---- Engine: buffers for passes ---------------------------------------------------------------- */

/* What an engine keeps readable after a pass. */
#define BDAG_KEEP_OUT         1u
#define BDAG_KEEP_IN          2u
#define BDAG_KEEP_OUT_GRAD    4u
#define BDAG_KEEP_IN_GRAD     8u
#define BDAG_KEEP_WEIGHT_GRAD 16u
#define BDAG_KEEP_ALL         31u
/* Gradients of inputs are computed only when asked for. */
#define BDAG_KEEP_INPUT_GRAD 32u

typedef enum bdag_axis {
  BDAG_AXIS_AUTO = 0,
  /* Each thread takes whole tiles from the first task to the last. Where it comes to a task's gradient
   * before its turn, it leaves its part in a buffer of its own until then. Forward, tiles of irregular
   * neurons are cut into parts of 32 samples where there are fewer of them than threads. */
  BDAG_AXIS_TILES = 1,
  BDAG_AXIS_VERTICES = 2, /* tasks of vertices over all tiles, released by the reversed edges */
  BDAG_AXIS_SERIAL = 3,   /* the calling thread alone, without OpenMP */
  /* Each task is cut into groups of tiles, which are scheduled as tasks of their own: for fewer tiles than
   * threads. Groups of one task follow each other where they add to the same gradient. */
  BDAG_AXIS_BOTH = 4
} bdag_axis;

typedef struct bdag_engine_options {
  size_t size; /* set by the initialiser */
  bdag_type type;
  uint64_t max_batch; /* largest batch of a pass, ≥ 1 */
  uint32_t keep;      /* BDAG_KEEP_…; OUT, OUT_GRAD/IN_GRAD and WEIGHT_GRAD by default */
  bdag_axis axis;
  /* At most so many in a pass, 1..1024, and the context's number; 0: that number. With AUTO also at most
   * as many as can run at the same time. */
  uint32_t threads;
  int deterministic; /* non-zero: bitwise the same for every number of threads and axis */
  int flush_to_zero; /* 1 on, 0 off, −1: on for float32, off for float64 */
} bdag_engine_options;

#define BDAG_ENGINE_OPTIONS_INIT                                                                   \
  {                                                                                                \
    sizeof(bdag_engine_options), BDAG_FLOAT32, 1024,                                               \
        BDAG_KEEP_OUT | BDAG_KEEP_OUT_GRAD | BDAG_KEEP_IN_GRAD | BDAG_KEEP_WEIGHT_GRAD,            \
        BDAG_AXIS_AUTO, 0, 0, -1                                                                   \
  }

/* Makes an engine. `options` NULL means defaults. Passes allocate nothing afterwards.
 * An engine belongs to one calling thread at a time, which may be another one later; several engines may
 * run at once on one plan and one set of frozen weights, and share the context's threads (see there, also
 * for forks and for limits on threads). Only bdag_engine_cancel may be called from other threads
 * meanwhile.
 * Returns OK, INVALID_ARGUMENT, LIMIT, OUT_OF_MEMORY. */
BDAG_API bdag_status bdag_engine_create(bdag_engine **engine, bdag_plan *plan,
                                        const bdag_engine_options *options, bdag_error *error);
BDAG_API void bdag_engine_destroy(bdag_engine *engine);

/* Forward pass of 1 ≤ batch ≤ max_batch samples.
 * x[batch][inputs] and y[batch][outputs] have the engine's type; y receives out(v) of the outputs in
 * their order, NULL: not wanted. bdag_predict applies each output's read-out.
 * The …_arrays forms take any type and strides.
 * Returns OK, INVALID_ARGUMENT, MISMATCH (weights of another plan or type), NO_OUTPUTS (y without
 * outputs), CALLBACK, CANCELLED, THREADS. */
BDAG_API bdag_status bdag_forward(bdag_engine *engine, const bdag_weights *weights, uint64_t batch,
                                  const void *x, void *y);
BDAG_API bdag_status bdag_predict(bdag_engine *engine, const bdag_weights *weights, uint64_t batch,
                                  const void *x, void *y);
BDAG_API bdag_status bdag_forward_arrays(bdag_engine *engine, const bdag_weights *weights,
                                         uint64_t batch, const bdag_array *x, const bdag_array *y);
BDAG_API bdag_status bdag_predict_arrays(bdag_engine *engine, const bdag_weights *weights,
                                         uint64_t batch, const bdag_array *x, const bdag_array *y);

/* Loss of the last forward pass, without gradients. Arguments and status as bdag_backward. */
BDAG_API bdag_status bdag_loss(bdag_engine *engine, const void *targets,
                               const double *sample_weights, double *loss);

/* Backward pass after the last forward pass of this engine, with the same weights.
 * targets[batch][target_count] has the engine's type (NULL when there are no target columns);
 * sample_weights[batch] are the c_s ≥ 0, NULL: all 1; `loss` receives L, NULL: not wanted.
 * Gradients are overwritten.
 * Returns OK, INVALID_ARGUMENT (Z = 0, a negative or non-finite weight), MISMATCH, ORDER (no forward
 * pass before), NO_LOSS, BAD_TARGET (bdag_engine_last_failure tells which), CALLBACK, CANCELLED,
 * THREADS. */
BDAG_API bdag_status bdag_backward(bdag_engine *engine, const bdag_weights *weights,
                                   const void *targets, const double *sample_weights, double *loss);

typedef struct bdag_backward_options {
  size_t size;                  /* set by the initialiser */
  const bdag_array *targets;    /* NULL: none */
  const double *sample_weights; /* NULL: all 1 */
  double normalizer;            /* Z for BDAG_NORMALIZE_GIVEN, > 0 */
  int accumulate;               /* non-zero: weight gradients are added to those already there */
} bdag_backward_options;
#define BDAG_BACKWARD_OPTIONS_INIT                                                                 \
  { sizeof(bdag_backward_options), NULL, NULL, 1.0, 0 }

BDAG_API bdag_status bdag_backward_arrays(bdag_engine *engine, const bdag_weights *weights,
                                          const bdag_backward_options *options, double *loss);

/* Asks the pass that runs on this engine to stop after the tasks that have begun; it returns CANCELLED,
 * also when it had nothing left to do. Objects stay valid and the next pass is as if there had been none:
 * a cancelled forward pass must be run again before a backward pass (ORDER), a cancelled backward pass
 * leaves no gradients to read or to accumulate onto. Without a running pass it has no effect, also on the pass after it.
 * Thread-safe, also from callbacks, as long as the engine exists. NULL is fine. */
BDAG_API void bdag_engine_cancel(bdag_engine *engine);

/* Where the last failed pass failed. */
typedef struct bdag_failure {
  bdag_status status;
  uint64_t vertex; /* BDAG_NONE: no particular one */
  uint64_t sample; /* BDAG_NONE: no particular one */
  uint64_t column; /* of targets; BDAG_NONE */
} bdag_failure;
BDAG_API void bdag_engine_last_failure(const bdag_engine *engine, bdag_failure *failure);

/* ---- Reading -----------------------------------------------------------------------------------
 * All of these read the last pass; they return OK, INVALID_ARGUMENT, UNKNOWN_ID, ORDER (no such pass
 * yet) and NOT_KEPT. Destinations have the engine's type unless a bdag_array says otherwise.
 * Vertices and edges that take no part in the plan, or do not reach Loss, read as 0. */
typedef enum bdag_quantity {
  BDAG_OUT = 0,
  BDAG_IN = 1,
  BDAG_OUT_GRAD = 2,
  BDAG_IN_GRAD = 3
} bdag_quantity;

/* Gathers a quantity of `count` vertices (NULL: of ids 0 … count−1) into destination[batch][count]. */
BDAG_API bdag_status bdag_read_vertices(bdag_engine *engine, bdag_quantity quantity, uint64_t count,
                                        const uint32_t *vertices, const bdag_array *destination);
/* One vertex in one tile without a copy: `row` has `samples` elements of the engine's type, those from
 * sample tile·tile_length on. Valid until the next pass. */
BDAG_API bdag_status bdag_read_row(bdag_engine *engine, bdag_quantity quantity, uint32_t vertex,
                                   uint64_t tile, const void **row, uint64_t *samples);
/* Samples a tile of this engine. Unless deterministic, it may depend on the number of threads. */
BDAG_API uint32_t bdag_engine_tile(const bdag_engine *engine);
/* ∂L/∂w of edges first … first+count−1 (this edge's own contribution, also when its weight is tied). */
BDAG_API bdag_status bdag_read_weight_grad(bdag_engine *engine, uint64_t first, uint64_t count,
                                           void *gradient);
/* ∂L/∂bias of vertices first … first+count−1; 0 where there is no bias. */
BDAG_API bdag_status bdag_read_bias_grad(bdag_engine *engine, uint64_t first, uint64_t count,
                                         void *gradient);
/* ∂L/∂parameter: the sum over all edges and biases that use it, in a fixed order. */
BDAG_API bdag_status bdag_read_parameter_grad(bdag_engine *engine, uint64_t first, uint64_t count,
                                              void *gradient);

typedef struct bdag_engine_info {
  size_t size;             /* set by the caller */
  uint64_t bytes;          /* memory of this engine */
  uint64_t gradient_bytes; /* of them gradients, and buffers for parts that wait for their turn */
  uint32_t tile;
  uint32_t
      groups; /* of tiles for max_batch, whose sums add up to the gradient one after the other */
  uint32_t threads;
  bdag_axis axis; /* what AUTO chose for max_batch */
} bdag_engine_info;
BDAG_API bdag_status bdag_engine_describe(const bdag_engine *engine, bdag_engine_info *info);

#ifdef __cplusplus
}
#endif
#endif
