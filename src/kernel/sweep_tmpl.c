/* The backward pass of irregular neurons: one sweep over a row's successors for its out_grad and for the
 * weight gradients, and, where σ′ is short, the row's in_grad from the registers. Compiled per instruction
 * set and type. May include kernel.h, transpose.h, derivative.h. */
#include "kernel/derivative.h"
#include "kernel/transpose.h"

#define INLINE static inline __attribute__((always_inline))

#if defined BDAG_KERNEL_ISA_AVX512 || defined BDAG_KERNEL_ISA_NEON
#define SWEEP_VECTORS 8
#else
#define SWEEP_VECTORS 4
#endif
/* Source rows are asked for that many rows before the sweep needs them. */
#define ROWS_AHEAD 6
/* Gradients are asked for so many entries before they are written. */
#define GRADIENT_AHEAD 128
/* Successors and weights, so many bytes. */
#define STREAM_AHEAD 1024
#define LINE         (64 / sizeof(real))

/* ---- One row --------------------------------------------------------------------------------------- */

/* Entries of one source row: successor[e] with weight[e]; the row of ahead[e] is asked for if `asks`. */
typedef struct bdag_entries_of_row {
  const char *in_grad;
  size_t stride; /* bytes */
  const uint32_t *successor, *ahead;
  const real *weight;
  real *gradient;
  uint64_t count;
} bdag_entries_of_row;

/* Adds one term to `sum` and returns the dot product's lanes. */
INLINE vec sweep_entry(const char *in_grad, size_t stride, const uint32_t *successor,
                       const uint32_t *ahead, const real *weight, uint64_t e, const vec *out,
                       vec *sum, const int vectors, const int pulls, const int dots,
                       const int asks) {
  if (asks) {
    const char *next = in_grad + ahead[e] * stride;
    for (size_t byte = 0; byte < vectors * LANES * sizeof(real); byte += 64)
      __builtin_prefetch(next + byte, 0, 3);
  }
  const real *row = (const real *)(in_grad + successor[e] * stride);
  const vec w = vec_set1(weight[e]);
  vec dot[2];
  for (int j = 0; j < vectors; j++) {
    vec g = vec_loadu(row + j * LANES);
    if (pulls && dots) KEEP(g);
    if (pulls) sum[j] = vec_fma(w, g, sum[j]);
    if (dots) dot[j & 1] = j < 2 ? vec_mul(out[j], g) : vec_fma(out[j], g, dot[j & 1]);
  }
  return !dots ? w : vectors > 1 ? vec_add(dot[0], dot[1]) : dot[0];
}

INLINE void put_sums(const vec *dot, real *gradient, const int count, const int accumulate) {
  if (count == DOTS_AT_ONCE && !accumulate) {
    sums_of_dots(dot, gradient);
    return;
  }
  real sum[DOTS_AT_ONCE];
  sums_of_dots(dot, sum);
  for (int i = 0; i < count; i++) gradient[i] = accumulate ? gradient[i] + sum[i] : sum[i];
}

/* Sums are taken from the registers: rows that are read soon after a store whose address ends in the same
 * twelve bits wait for it. */
INLINE void sweep_entries(const bdag_entries_of_row *of, const vec *out, vec *sum,
                          const int vectors, const int pulls, const int dots, const int asks,
                          const int accumulate) {
  /* local: a stored vector could be any field as far as the compiler knows */
  const char *in_grad = of->in_grad;
  const uint32_t *successor = of->successor, *ahead = of->ahead;
  const real *weight = of->weight;
  real *gradient = of->gradient;
  const size_t stride = of->stride;
  const uint64_t count = of->count;
  KEEP_ADDRESS(in_grad);
  KEEP_ADDRESS(successor);
  KEEP_ADDRESS(weight);
  if (asks) KEEP_ADDRESS(ahead);
#define ENTRY(k)                                                                                   \
  sweep_entry(in_grad, stride, successor, ahead, weight, e + (k), out, sum, vectors, pulls, dots,  \
              asks)
  uint64_t e = 0;
  if (!dots) {
    for (; e < count; e++) ENTRY(0);
    return;
  }
  for (; e + DOTS_AT_ONCE <= count; e += DOTS_AT_ONCE) {
    vec dot[DOTS_AT_ONCE];
    for (int k = 0; k < DOTS_AT_ONCE; k++) dot[k] = ENTRY(k);
    put_sums(dot, gradient + e, DOTS_AT_ONCE, accumulate);
  }
  if (e == count) return;
  const vec none = vec_zero();
  vec dot[DOTS_AT_ONCE] = {ENTRY(0), none, none, none};
  if (e + 1 == count) {
    put_sums(dot, gradient + e, 1, accumulate);
    return;
  }
  dot[1] = ENTRY(1);
  if (e + 2 == count) {
    put_sums(dot, gradient + e, 2, accumulate);
    return;
  }
  dot[2] = ENTRY(2);
  put_sums(dot, gradient + e, 3, accumulate);
#undef ENTRY
}

/* in_grad of row i, whose out_grad is in `sum`. Vector by vector, as derive() does it. */
INLINE void derive_row(const bdag_derive_job *derive, vec *totals, uint32_t i, size_t at,
                       const vec *out, const vec *sum, const int vectors) {
  const vec none = vec_zero();
  real *in_grad = (real *)derive->in_grad + at;
  vec product[SWEEP_VECTORS], total = vec_zero();
  switch (derive->kind) {
  case BDAG_TANH:
    for (int j = 0; j < vectors; j++)
      product[j] = chain(sum[j], tanh_derivative(none, out[j], none));
    break;
  case BDAG_SIGMOID:
    for (int j = 0; j < vectors; j++)
      product[j] = chain(sum[j], sigmoid_derivative(none, out[j], none));
    break;
  default:
    for (int j = 0; j < vectors; j++)
      product[j] = chain(sum[j], relu_derivative(none, out[j], none));
  }
  for (int j = 0; j < vectors; j++) {
    vec_storeu(in_grad + j * LANES, product[j]);
    total = vec_add(total, product[j]);
  }
  totals[i % 4] = total;
  if (i % 4 == 3) sums_of_four(totals, derive->sum + i - 3);
}

INLINE void sum_last_rows(const bdag_derive_job *derive, const vec *totals, uint32_t rows) {
  for (uint32_t i = rows / 4 * 4; i < rows; i++) derive->sum[i] = vec_sum(totals[i % 4]);
}

INLINE int derives_rows(const bdag_derive_job *derive) {
  return derive->kind == BDAG_TANH || derive->kind == BDAG_SIGMOID || derive->kind == BDAG_RELU;
}

/* Where rows do not fit the caches, what is read once should not drive out rows of in_grad (`ahead`). */
INLINE void ask_for_rows(const bdag_sweep_job *job, uint32_t i, size_t t, const int vectors,
                         const int pulls, const int ahead) {
  if (i >= job->row_limit) return;
  const size_t at = job->row[i] * job->row_stride + t;
  for (size_t byte = 0; byte < vectors * LANES * sizeof(real); byte += 64) {
    const char *out = (const char *)((const real *)job->out + at) + byte;
    if (ahead)
      __builtin_prefetch(out, 0, 0);
    else
      __builtin_prefetch(out, 0, 3);
    if (pulls) __builtin_prefetch((const char *)((const real *)job->out_grad + at) + byte, 1, 3);
  }
}

/* One source row against its successors, `vectors` wide. */
INLINE void sweep_row(const bdag_sweep_job *job, vec *totals, uint32_t i, size_t t,
                      const int vectors, const int pulls, const int dots, const int ahead,
                      const int derives, const int accumulate) {
  const size_t at = job->row[i] * job->row_stride + t;
  vec out[SWEEP_VECTORS], sum[SWEEP_VECTORS];
  ask_for_rows(job, i + ROWS_AHEAD, t, vectors, pulls, ahead);
  for (int j = 0; j < vectors; j++) out[j] = vec_loadu((const real *)job->out + at + j * LANES);
  for (int j = 0; pulls && j < vectors; j++)
    sum[j] = job->from_zero ? vec_zero() : vec_loadu((const real *)job->out_grad + at + j * LANES);
  const uint64_t first = job->offset[i], end = job->offset[i + 1];
  const int asks = ahead && end + job->ahead <= job->limit;
  const bdag_entries_of_row of = {
      .in_grad = (const char *)((const real *)job->in_grad + t),
      .stride = job->row_stride * sizeof(real),
      .successor = job->successor + first,
      .ahead = asks ? job->successor + first + job->ahead : NULL,
      .weight = (const real *)job->weights + (first - job->offset[0]),
      .gradient = dots ? (real *)job->gradient + (first - job->offset[0]) : NULL,
      .count = end - first,
  };
  if (dots && end + GRADIENT_AHEAD < job->offset[job->rows])
    __builtin_prefetch(of.gradient + GRADIENT_AHEAD, 1, 3);
  if (asks) {
    __builtin_prefetch((const void *)((uintptr_t)of.ahead + STREAM_AHEAD), 0, 0);
    __builtin_prefetch((const void *)((uintptr_t)of.weight + STREAM_AHEAD), 0, 0);
  }
  if (asks)
    sweep_entries(&of, out, sum, vectors, pulls, dots, 1, accumulate);
  else
    sweep_entries(&of, out, sum, vectors, pulls, dots, 0, accumulate);
  if (!derives || job->derive->in_grad != job->out_grad)
    for (int j = 0; pulls && j < vectors; j++)
      vec_storeu((real *)job->out_grad + at + j * LANES, sum[j]);
  if (derives) derive_row(job->derive, totals, i, at, out, sum, vectors);
}

/* ---- All rows -------------------------------------------------------------------------------------- */

INLINE void sweep_columns(const bdag_sweep_job *job, size_t t, const int vectors, const int pulls,
                          const int dots, const int ahead, const int derives) {
  const int accumulate = t > 0 || job->accumulate;
  vec totals[4]; /* in_grad of the last rows, whose sums are taken together */
  for (uint32_t i = 0; i < job->rows; i++)
    sweep_row(job, totals, i, t, vectors, pulls, dots, ahead, derives, accumulate);
  if (derives) sum_last_rows(job->derive, totals, job->rows);
}

INLINE void sweep_with(const bdag_sweep_job *job, const int pulls, const int dots,
                       const int ahead) {
  const bdag_derive_job *derive = job->derive;
  const size_t most = SWEEP_VECTORS * LANES;
  if (pulls && dots && derive != NULL && derives_rows(derive)) {
    if (SWEEP_VECTORS == 8 && job->count == most / 2) {
      sweep_columns(job, 0, SWEEP_VECTORS / 2, pulls, dots, ahead, 1);
      return;
    }
    if (job->count == 2 * LANES) {
      sweep_columns(job, 0, 2, pulls, dots, ahead, 1);
      return;
    }
  }
  size_t t = 0;
  for (; t + most <= job->count; t += most)
    sweep_columns(job, t, SWEEP_VECTORS, pulls, dots, ahead, 0);
  for (; t + most / 2 <= job->count; t += most / 2)
    sweep_columns(job, t, SWEEP_VECTORS / 2, pulls, dots, ahead, 0);
  for (; SWEEP_VECTORS > 4 && t + 2 * LANES <= job->count; t += 2 * LANES)
    sweep_columns(job, t, 2, pulls, dots, ahead, 0);
  for (; t < job->count; t += LANES) sweep_columns(job, t, 1, pulls, dots, 0, 0);
  if (derive != NULL) NAME(derive)(derive);
}

void NAME(sweep)(const bdag_sweep_job *job) {
  if (job->gradient == NULL)
    sweep_with(job, 1, 0, 0);
  else if (job->out_grad == NULL)
    sweep_with(job, 0, 1, 0);
  else if (job->ahead > 0)
    sweep_with(job, 1, 1, 1);
  else
    sweep_with(job, 1, 1, 0);
}
