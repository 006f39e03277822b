/* The contract between the engine and the kernels: what is computed on rows of numbers.
 * Floor 1: knows arrays, not networks (of network.h only the numbers of activations and losses).
 *
 * A row is `count` consecutive numbers of one type, one a sample, aligned to 64 bytes; `count` is a
 * multiple of 16 (BDAG_ROW_QUANTUM) in rows of a tile. Every kernel handles each element of a row
 * alone and in a fixed order of sums, so that a sample's result does not depend on its neighbours.
 * One template source per kernel is compiled for each instruction set and type. */
#ifndef BDAG_KERNEL_H
#define BDAG_KERNEL_H

#include <backdag/network.h>

#define BDAG_ROW_QUANTUM 16

/* Dense block. row(target + r) += Σ_k weight[k·source_step + r·target_step] · row(source[k]), for r in
 * [0, targets), k ascending, with one fused multiply-add each. Row i begins at rows + i·row_stride. */
typedef struct bdag_panel_job {
  const void *weight;                 /* first weight of the panel */
  ptrdiff_t source_step, target_step; /* in elements */
  const uint32_t *source;             /* [sources] row numbers in `rows` */
  uint32_t sources, targets;
  const void *rows;           /* rows read */
  size_t row_stride;          /* elements from row to row, of both sides */
  void *target;               /* row of the first target, or row 0 if there is target_row */
  const uint32_t *target_row; /* not NULL: rows of the targets */
  uint32_t target_limit;      /* entries of target_row that may be looked at, to prefetch */
  size_t count;               /* elements a row that are computed */
  const void *initial; /* not NULL: rows start at these `targets` numbers instead of adding */
} bdag_panel_job;

#define BDAG_UNION_TARGETS 6

/* Which of a few targets read a source, where windows slide: of the sources of T targets the first rise[0]
 * are read by target 0 alone, the next rise[1] by 0 and 1, … up to rise[T − 2]; then come those that all
 * read; the last are fall[0], read by all targets but target 0, … up to fall[T − 2], read by the last target
 * alone. The rest is 0. A weight is stored for each target that reads. */
typedef struct bdag_ramps {
  uint8_t rise[BDAG_UNION_TARGETS - 1], fall[BDAG_UNION_TARGETS - 1];
} bdag_ramps;

/* Targets first … end−1 that read source k. */
typedef struct bdag_span {
  uint32_t first, end;
} bdag_span;

static inline bdag_span bdag_span_of(const bdag_ramps *ramps, uint32_t targets, uint32_t sources,
                                     uint32_t k) {
  uint32_t rises = 0, falls = sources;
  for (uint32_t i = 1; i < targets; i++) {
    rises += ramps->rise[i - 1];
    falls -= ramps->fall[targets - i - 1];
    if (k < rises) return (bdag_span){0, i};
    if (k >= falls) return (bdag_span){targets - i, targets};
  }
  return (bdag_span){0, targets};
}

/* Sources that not all targets read, and weights of all. */
static inline uint32_t bdag_ramped_sources(const bdag_ramps *ramps) {
  uint32_t sources = 0;
  for (uint32_t i = 0; i + 1 < BDAG_UNION_TARGETS; i++) sources += ramps->rise[i] + ramps->fall[i];
  return sources;
}

/* Of the first k sources. */
static inline uint64_t bdag_ramp_cells_before(const bdag_ramps *ramps, uint32_t targets,
                                              uint32_t sources, uint32_t k) {
  uint64_t cells = (uint64_t)targets * k;
  uint32_t rises = 0, falls = sources;
  for (uint32_t i = 1; i < targets; i++) {
    const uint32_t rise = ramps->rise[i - 1], fall = ramps->fall[targets - i - 1];
    if (k > rises) cells -= (k - rises < rise ? k - rises : rise) * (targets - i);
    rises += rise;
    falls -= fall;
    if (k > falls) cells -= (k - falls < fall ? k - falls : fall) * (targets - i);
  }
  return cells;
}

static inline uint64_t bdag_ramp_cells(const bdag_ramps *ramps, uint32_t targets,
                                       uint32_t sources) {
  return bdag_ramp_cells_before(ramps, targets, sources, sources);
}

/* Targets that share most of their sources: a small panel with a zero where an edge does not exist. */
typedef struct bdag_union_job {
  const void *weights;       /* by source, then by target that reads it */
  const uint32_t *source;    /* [sources] */
  uint32_t sources, targets; /* 1 ≤ targets ≤ BDAG_UNION_TARGETS */
  bdag_ramps ramps;
  const void *rows;
  size_t row_stride;
  void *target;
  size_t count;
  const void *initial; /* as for panels */
} bdag_union_job;

/* Irregular targets: row(target + r) += Σ_i weights[i − offset[0]] · row(source[i]) over i from offset[r]
 * to offset[r + 1], one target after the other, so that it may read those before it (list, not
 * list_segments). Rows are prefetched `ahead` entries before they are needed, 0: not at all; entries up to
 * `limit` may be looked at for that. */
typedef struct bdag_list_job {
  const void *weights;
  const uint32_t *source;
  const uint64_t *offset; /* [targets + 1] */
  uint32_t targets;
  const void *rows;
  size_t row_stride;
  void *target;
  size_t count;
  const void *initial; /* as for panels */
  uint32_t ahead;
  uint64_t limit;
  uint32_t
      segment; /* list_segments: so many source rows at a time, ≥ 1; nothing is asked for ahead */
  /* list: rows become σ of the sums, which go to `in` too (rows as of `target`) if that is not NULL */
  uint32_t activation;
  double parameter;
  void *in;
} bdag_list_job;

/* One sample: rows are single numbers and vectors run over targets instead of samples. A pass is a list of
 * steps, each on consecutive rows, which sum in the same order as panels, unions and lists above. */
typedef enum bdag_single_kind {
  BDAG_SINGLE_PANEL = 0,
  BDAG_SINGLE_UNION = 1,
  BDAG_SINGLE_LISTS = 2,
  BDAG_SINGLE_FINITE = 3,  /* the run ends with −1 if a row is not finite */
  BDAG_SINGLE_ACTIVATE = 4 /* nothing is summed */
} bdag_single_kind;

typedef struct bdag_single_step {
  uint8_t kind;
  uint8_t adds;      /* lists: to what the rows hold instead of to the biases */
  uint8_t keeps_in;  /* the sums go to `in`, too */
  uint8_t activates; /* the rows become σ of the sums */
  uint8_t spills;    /* what lies behind the rows may be overwritten, up to the end of a vector */
  uint32_t row, targets;
  uint32_t sources,
      width;        /* of panels and unions; width: of panels, numbers from source to source */
  bdag_ramps ramps; /* of unions */
  uint32_t activation;
  double parameter;
  uint64_t bias;   /* slot of the first target's */
  uint64_t list;   /* panels and unions: first of the sources in `source` */
  uint64_t weight; /* panels: first slot; unions: first entry in union_slot */
} bdag_single_step;

typedef struct bdag_single_job {
  const bdag_single_step *step;
  uint64_t steps;
  const void *slots;
  uint64_t edge_base; /* slot from which union_slot and list_slot count */
  const uint32_t *source, *union_slot, *list_source, *list_slot;
  const uint64_t *list_offset; /* by row */
  void *out, *in;              /* by row; with room for a vector behind the last one */
} bdag_single_job;

/* σ′ of rows of one activation: in_grad(row[i]) = out_grad(row[i]) · σ′, and sum[i] is the sum of that: the
 * bias gradient. A product with out_grad 0 is 0 also where σ′ is not finite. in_grad may be out_grad. */
typedef struct bdag_derive_job {
  uint32_t kind; /* no registered one */
  double parameter;
  const uint32_t *row; /* [rows] */
  uint32_t rows;
  const void *in; /* NULL where the kind takes σ′ from out, or needs neither: */
  const uint32_t
      *in_row; /* in(row) is row in_row[row] of `in`, or, if this is NULL, row − in_first */
  uint32_t in_first;
  const void *out, *out_grad;
  void *in_grad;
  size_t row_stride, count; /* any count */
  double *sum;              /* [rows] */
} bdag_derive_job;

/* The one-sweep backward kernel: for each row u = row[i], over its successors v (entries offset[i] …):
 * out_grad(u) += weights[entry] · in_grad(v) and gradient[entry] (+)= ⟨out(u), in_grad(v)⟩, so that
 * in_grad(v) is read once for both. Weights and gradients count from entry offset[0] on. */
typedef struct bdag_sweep_job {
  const void *weights;
  void *gradient; /* NULL: not wanted, then out_grad is */
  const uint32_t *successor;
  const uint64_t *offset; /* [rows + 1], ascending */
  const uint32_t *row;    /* [rows] */
  uint32_t rows;
  uint64_t row_limit; /* entries of `row` that may be looked at, to prefetch */
  const void *out, *in_grad;
  void *out_grad; /* NULL: not wanted */
  size_t row_stride;
  size_t count;
  int from_zero;  /* out_grad rows start at 0 instead of adding */
  int accumulate; /* gradients are added to */
  uint32_t ahead; /* as for lists */
  uint64_t limit;
  /* not NULL: the rows, which are those of `row`, are derived afterwards; needs out_grad. Its out, out_grad
   * and count are the sweep's. */
  const bdag_derive_job *derive;
} bdag_sweep_job;

/* Neurons that share most of their successors, backward, with weights w(k, i) for successors k and rows i.
 * The pull is of one tile: out_grad(row[i]) (+)= Σ_k w(k, i) · in_grad(successor[k]); the gradient over
 * several: g(k, i) (+)= Σ_tile ⟨out(row[i]), in_grad(successor[k])⟩. */
typedef struct bdag_bundle_job {
  const void *weights; /* by successor, then by row that it reads; 0 where no edge is */
  void *gradient;      /* the same; also written where no edge is */
  const uint32_t *successor, *row;
  uint32_t successors, rows; /* rows: 2 or BDAG_BUNDLE_ROWS */
  bdag_ramps ramps;          /* successors are the sources, rows the targets */
  uint64_t row_limit;        /* entries of `row` that may be looked at, to prefetch */
  const void *out, *in_grad; /* of the first tile */
  void *out_grad;
  size_t row_stride;                    /* elements from row to row */
  size_t out_tile_step, grad_tile_step; /* and from tile to tile */
  uint32_t tiles;
  size_t count, last_count; /* elements a row, and in the last tile */
  int from_zero, accumulate;
  int unchecked; /* the pull returns 1, whatever the sums are */
} bdag_bundle_job;
#define BDAG_BUNDLE_ROWS 4

/* Dense weight gradient over several tiles:
 * gradient[k·source_step + r] (+)= Σ_tile Σ_t in_grad_row(target + r)[t] · out_row(source[k])[t].
 * The transposed form works in vectors of targets, writes source_step (a multiple of 16) numbers a
 * source and zeros those beyond `targets`. */
typedef struct bdag_weight_grad_job {
  void *gradient;
  ptrdiff_t source_step;
  const uint32_t *source;
  uint64_t source_limit; /* entries of `source` that may be looked at, to prefetch */
  uint32_t sources, targets;
  const void *rows;   /* out rows of the first tile */
  const void *target; /* in_grad row of the first target, first tile */
  size_t row_stride;
  size_t out_tile_step, grad_tile_step; /* elements from tile to tile */
  uint32_t tiles;
  size_t count, last_count; /* elements a row, and in the last tile */
  int accumulate;           /* 0: overwrite */
  void *scratch;            /* transposed form: [tiles · count · source_step] */
} bdag_weight_grad_job;

/* A built-in loss term on one tile. Sums are taken in double. */
typedef struct bdag_loss_job {
  uint32_t kind;
  uint32_t vertex_count; /* n */
  const uint32_t *row;   /* [n] row numbers of the term's vertices in `rows` */
  const void *rows;
  size_t row_stride;
  const void *targets; /* targets[column · target_stride + sample], the term's slice */
  size_t target_stride;
  const uint32_t *grad_row; /* [n] row numbers in `grad`; rows may repeat: add */
  void *grad;               /* NULL: no gradient wanted */
  double lambda, parameter;
  size_t count;         /* real samples */
  const double *factor; /* [count] c_s / Z; samples with 0 are left out: nothing is added */
  double *loss;         /* [count] += λ·L_t */
  double *scratch;      /* [3·count] */
} bdag_loss_job;

typedef struct bdag_kernels {
  bdag_isa isa;
  bdag_type type;
  void (*panel)(const bdag_panel_job *job);
  void (*union_panel)(const bdag_union_job *job);
  void (*list)(const bdag_list_job *job);
  /* The same sums, for targets that share many sources; those of a target should ascend. */
  void (*list_segments)(const bdag_list_job *job);
  /* to[i] = weights[slot[i]] */
  void (*gather)(const void *weights, const uint32_t *slot, size_t count, void *to);
  int (*single)(const bdag_single_job *job); /* 0, or −1 */
  void (*sweep)(const bdag_sweep_job *job);
  int (*bundle_pull)(const bdag_bundle_job *job); /* returns whether all sums are finite */
  void (*bundle_grad)(const bdag_bundle_job *job);
  void (*weight_grad)(const bdag_weight_grad_job *job);
  void (*weight_grad_transposed)(const bdag_weight_grad_job *job);
  /* to[c·to_stride + r] = from[r·from_stride + c] for r < rows, c < columns. */
  void (*transpose)(const void *from, size_t from_stride, void *to, size_t to_stride, size_t rows,
                    size_t columns);
  /* Σ_t row[t]: the bias gradient. */
  double (*row_sum)(const void *row, size_t count);
  /* Whether every number is finite. */
  int (*finite)(const void *row, size_t count);
  /* gradient[i] = w − rate·(gradient[i] + decay·w) with w = weights[i]: the stepped weights take the
   * gradient's place. Returns whether all of them are finite. */
  int (*descend)(const void *weights, void *gradient, size_t count, double rate, double decay);
  /* out[i] = σ(in[i]); in may equal out. Registered kinds are not known here. */
  void (*activate)(uint32_t kind, double parameter, const void *in, void *out, size_t count);
  void (*derive)(const bdag_derive_job *job);
  /* Returns BDAG_OK or BDAG_ERROR_BAD_TARGET with *bad_sample and *bad_column set. */
  bdag_status (*loss)(const bdag_loss_job *job, size_t *bad_sample, size_t *bad_column);
} bdag_kernels;

/* Kernels of an available instruction set; never NULL for one of bdag_isa_available. */
const bdag_kernels *bdag_kernels_get(bdag_isa isa, bdag_type type);

#endif
