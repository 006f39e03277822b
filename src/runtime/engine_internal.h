/* The engine's fields and the steps of a pass. Floor 3; may include plan and below.
 *
 * A batch is cut into tiles of `tile` samples; within a tile a row is `tile` consecutive numbers:
 * out[tile][row][sample]. The last tile may be shorter; the lanes up to the next multiple of 16 repeat
 * its last sample with out_grad 0. */
#ifndef BDAG_RUNTIME_ENGINE_INTERNAL_H
#define BDAG_RUNTIME_ENGINE_INTERNAL_H

#include "runtime/accumulate.h"
#include "runtime/expect.h"
#include "runtime/grad_places.h"
#include "runtime/meeting.h"
#include "runtime/scheduler.h"
#include "runtime/stages.h"
#include "runtime/weights.h"

/* An update by gradient descent that a backward pass makes on its way; see call_descend.c. */
typedef struct bdag_descent {
  int wanted;
  double rate, decay;
  _Atomic int broken; /* something is not finite */
} bdag_descent;

/* Kept gradients of rows lie in places of their own. */
#define BDAG_KEEPS_GRAD (BDAG_KEEP_OUT_GRAD | BDAG_KEEP_IN_GRAD | BDAG_KEEP_INPUT_GRAD)

/* Places of a pass where the threads wait for each other. */
#define BDAG_MEETINGS 2

struct bdag_engine {
  const bdag_context *context;
  bdag_plan *plan;
  const bdag_kernels *kernels;
  bdag_engine_options options;
  size_t element;         /* bytes a number */
  uint32_t tile;          /* samples a tile */
  uint64_t tiles;         /* for max_batch */
  uint32_t chunk_tiles;   /* tiles that a backward task takes together */
  uint32_t forward_tiles; /* and a forward task */
  uint32_t ahead;         /* rows of irregular edges are prefetched so many entries ahead; 0: not */
  int flush_to_zero;
  uint64_t bytes;

  char *out, *in, *out_grad, *in_grad; /* in_grad may be out_grad; in NULL without rows to keep */
  bdag_grad_places places;             /* of passes that move gradients */
  uint32_t grad_rows;                  /* rows of out_grad and in_grad a tile */
  bdag_single_step *single_step;       /* NULL: there is no pass of one sample */
  uint64_t single_steps;
  uint32_t single_threads, single_stages; /* 1 thread: there are no stages */
  uint64_t *single_segment;     /* [stages][threads], and the end: first step of each thread */
  bdag_meeting *single_meeting; /* [stages] */
  char *single_out, *single_in; /* [rows + BDAG_SINGLE_ROOM] of the last such pass, if is_single */
  int is_single;
  uint32_t in_rows;                             /* rows of `in` a tile */
  int in_full;                                  /* `in` is kept for every neuron */
  char *gradient;                               /* [state_count], indirect plans: [slot_count] */
  char *state_gradient;                         /* indirect plans: [state_count], else gradient */
  bdag_parts parts;                             /* gradients on their way there */
  char *targets;                                /* [tiles][target_count][tile] */
  char *zeros;                                  /* [most targets or rows of one job] */
  double *sample_weight, *factor, *sample_loss; /* [tiles · tile]: c_s, c_s/Z, ℓ_s */
  uint8_t *has_left_out; /* [tiles] samples of weight 0 whose rows are not finite */
  char *gathered; /* irregular weights of lists and then of unions, or [threads][gathered_bytes] */
  size_t gathered_bytes;     /* 0: all of them, gathered once for many passes */
  uint64_t gathered_version; /* of the weights they are from */
  char *scratch;             /* [threads][scratch_bytes] */
  size_t scratch_bytes;
  char *batch_rows;      /* callbacks for the whole batch: out, targets, out_grad of each */
  double *batch_loss;    /* [tiles · tile], for those callbacks */
  uint32_t *loss_column; /* [most vertices of a term] 0, 1, 2, … */
  bdag_scheduler scheduler;
  bdag_stages stages[2]; /* forward, backward: instead of the scheduler where there are any */
  bdag_reach *reach;     /* [threads] of a pass in stages */
  bdag_meeting meeting[BDAG_MEETINGS];
  double tile_seconds[2], team_seconds, foreign; /* estimates for the choice of the axis */
  int mostly_lists;
  int cuts_tiles;              /* a forward pass by tiles, where they are too few */
  uint32_t patience;           /* turns to spin for other threads before sleeping */
  struct bdag_trace *trace;    /* NULL: nothing is recorded */
  struct bdag_trace *attached; /* whether or not it is recording */

  /* the pass that runs, or the last one: not on the cache line of the estimates, which others read */
  _Alignas(64) const bdag_weights *weights;
  uint64_t batch, batch_tiles;
  int reuses_grad; /* see bdag_grad_tile */
  int moves_grad;  /* see grad_places.h */
  uint32_t pass_threads;
  uint32_t pass_groups;            /* of tiles, to whose sum the gradient adds up */
  uint32_t group_step;             /* see bdag_stretch_of */
  uint32_t pass_copies;            /* of each task, for groups or tiles of their own */
  uint64_t caller_mode;            /* its floating-point mode; see float_mode.h */
  int in_stages;                   /* no thread looks ahead further than its reach */
  uint32_t claimed;                /* threads taken out of the context's budget */
  int forward_done, backward_done; /* by the last pass */
  int has_gradient, accumulate;    /* something to accumulate onto; this pass does */
  bdag_descent descent;
  _Atomic int single_broken; /* padding met something that is not finite */
  _Atomic int cancelled;
  _Atomic int status; /* first failure */
  bdag_failure failure;
};

/* Samples of a tile, and the lanes that are computed for them. */
static inline uint64_t bdag_tile_samples(const bdag_engine *engine, uint64_t tile) {
  const uint64_t rest = engine->batch - tile * engine->tile;
  return rest < engine->tile ? rest : engine->tile;
}

static inline size_t bdag_tile_lanes(const bdag_engine *engine, uint64_t tile) {
  const uint64_t quantum = BDAG_ROW_QUANTUM;
  return (size_t)((bdag_tile_samples(engine, tile) + quantum - 1) / quantum * quantum);
}

/* A part of a tile's lanes: in the forward pass a tile may be cut for several threads, since no sample's
 * numbers depend on another's. */
typedef struct bdag_part_of_tile {
  uint32_t number;
  size_t first, lanes;
} bdag_part_of_tile;

static inline bdag_part_of_tile bdag_whole_tile(const bdag_engine *engine, uint64_t tile) {
  return (bdag_part_of_tile){.lanes = bdag_tile_lanes(engine, tile)};
}

/* First row of a tile in one of the row buffers. */
static inline char *bdag_tile_rows(const bdag_engine *engine, char *rows, uint64_t tile,
                                   uint32_t rows_a_tile) {
  return rows + tile * rows_a_tile * engine->tile * engine->element;
}

/* The batch is cut into as many stretches of tiles as there are groups. Groups follow each other on a
 * thread's own stretches, `group_step` side by side; with a step of 0 they are the stretches in order. */
static inline uint64_t bdag_stretch_of(const bdag_engine *engine, uint64_t group) {
  const uint64_t step = engine->group_step;
  if (step == 0) return group;
  return group % (engine->pass_groups / step) * step + group / (engine->pass_groups / step);
}

static inline uint64_t bdag_stretch_begin(const bdag_engine *engine, uint64_t stretch) {
  return stretch * engine->batch_tiles / engine->pass_groups;
}

/* Where a tile's out_grad and in_grad are. If nobody may read them after the pass, each group takes the
 * place of the one before it on the same thread, which is still in cache. */
static inline uint64_t bdag_grad_tile(const bdag_engine *engine, uint64_t tile) {
  if (!engine->reuses_grad || tile == 0) return tile; /* small passes have no other */
  const uint64_t groups = engine->pass_groups, tiles = engine->batch_tiles;
  const uint64_t stretch = ((tile + 1) * groups - 1) / tiles, step = engine->group_step;
  const uint64_t place = step > 0 ? stretch / step : stretch % engine->pass_threads;
  return place * ((tiles + groups - 1) / groups) + tile - bdag_stretch_begin(engine, stretch);
}

/* First row of a tile's gradients. */
static inline char *bdag_grad_rows(const bdag_engine *engine, char *rows, uint64_t tile) {
  return bdag_tile_rows(engine, rows, bdag_grad_tile(engine, tile), engine->grad_rows);
}

static inline int bdag_engine_failed(const bdag_engine *engine) {
  return atomic_load_explicit(&engine->status, memory_order_relaxed) != BDAG_OK;
}

/* Notes the first failure of a pass; later tasks skip their work. */
void bdag_engine_fail(bdag_engine *engine, bdag_status status, uint64_t vertex, uint64_t sample,
                      uint64_t column);
/* ---- Irregular weights, which lie in the order of the backward sweep, in the order of the lists ---- */

/* Gathers all of them if the engine has room and not these weights' yet. */
void bdag_gather_weights(bdag_engine *engine);
/* Finds them for a task: in order, from these places on. */
typedef struct bdag_gathered {
  const char *lists, *unions;
  uint64_t list_first, union_first;
} bdag_gathered;
bdag_gathered bdag_gather_task(const bdag_engine *engine, const bdag_task *task);
/* Room for them: 0, or −1 without memory. */
int bdag_gather_create(bdag_engine *engine);
/* Number of the calling worker in this pass. */
size_t bdag_engine_worker(const bdag_engine *engine);
/* Scratch of the calling worker. */
void *bdag_engine_scratch(const bdag_engine *engine);

/* About the seconds to enter and leave a team. */
double bdag_team_seconds(const bdag_context *context, uint32_t threads);
/* What the choice of the axis needs to know of the plan and the machine. */
void bdag_engine_estimate(bdag_engine *engine);
/* Samples of a narrow tile, and whether tiles of so many, one a thread, are worth it for a batch that
 * otherwise is one tile. */
#define BDAG_NARROW_TILE 32u
int bdag_engine_narrows(const bdag_engine *engine);
/* Whether a forward pass by tiles cuts them into parts of so many lanes. */
int bdag_engine_cuts(const bdag_engine *engine, uint64_t tiles, uint32_t threads);
/* Shares tasks out once and for all where that is quicker than to balance them. Returns 0, −1 when out of
 * memory. */
int bdag_engine_share_tasks(bdag_engine *engine);
/* The axis of a pass over this many tiles. */
bdag_axis bdag_engine_choose_axis(const bdag_engine *engine, uint64_t tiles, int backward);
/* Groups that a pass over so many tiles on an axis has. */
uint32_t bdag_engine_choose_groups(const bdag_engine *engine, uint64_t tiles, bdag_axis axis);
/* Copies of each task on axis BOTH, for so many groups or tiles. */
uint32_t bdag_engine_choose_copies(const bdag_engine *engine, uint64_t groups);

/* The caller's numbers into the rows of a tile, and outputs back. */
void bdag_load_inputs(bdag_engine *engine, uint64_t tile, const bdag_part_of_tile *part,
                      const bdag_array *x);
void bdag_load_targets(bdag_engine *engine, uint64_t tile, const bdag_array *targets);
void bdag_store_outputs(bdag_engine *engine, uint64_t tile, const bdag_part_of_tile *part,
                        const bdag_array *y, int read_out);

/* Loss of a tile: sample losses, and with `want_grad` out_grad of the vertices in N_loss. */
void bdag_loss_tile(bdag_engine *engine, uint64_t tile, int want_grad);
/* Terms that see the whole batch; before the tiles. */
void bdag_loss_batch(bdag_engine *engine);
/* Sums Σ_s factor_s · ℓ_s in the order of the samples. */
double bdag_loss_total(const bdag_engine *engine);

/* One task of the forward or backward pass on tiles first_tile … first_tile+tiles−1; `part`: of one tile,
 * NULL: tiles are whole. */
void bdag_forward_task(bdag_engine *engine, uint32_t task, uint64_t first_tile, uint64_t tiles,
                       const bdag_part_of_tile *part);
void bdag_backward_task(bdag_engine *engine, uint32_t task, uint64_t first_tile, uint64_t tiles,
                        uint32_t group);

/* Numbers behind the rows of one sample, so that whole vectors can be written. */
#define BDAG_SINGLE_ROOM 16
/* Steps and numbers of the pass of one sample, for plans that have it: 0, or −1 without memory. */
int bdag_single_create(bdag_engine *engine);
/* One sample, by the threads of the pass: 0, or −1 when the pass with rows must be taken. Outputs can be stored; afterwards outputs, or
 * everything, can be spread over rows. */
int bdag_forward_single(bdag_engine *engine, const bdag_array *x);
void bdag_store_single(const bdag_engine *engine, const bdag_array *y);
void bdag_spread_outputs(bdag_engine *engine);
void bdag_spread_single(bdag_engine *engine);

/* Gradients of `count` slots from `first` on become stepped weights. */
void bdag_descend_slots(bdag_engine *engine, uint64_t first, uint64_t count, double decay);

/* One thread's share of the end of a backward pass in indirect plans: slots into parameters. */
void bdag_sum_uses_share(bdag_engine *engine, uint32_t worker, uint32_t team);

#endif
