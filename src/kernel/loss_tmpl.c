/* Loss terms on one tile; the formulas stand in network.h. Compiled once for each instruction set and
 * type, always in double. The loops run over vertices outside and samples inside, so that they
 * vectorise and each sample's sums are in the order of vertices. Samples of factor 0 are computed but
 * neither looked at nor added. May include kernel.h and the vector headers. */
#include "kernel/vector_math.h"

#include <float.h>
#include <math.h>

static const real *out_row(const bdag_loss_job *job, uint32_t v) {
  return (const real *)job->rows + job->row[v] * job->row_stride;
}

static const real *target_row(const bdag_loss_job *job, uint32_t column) {
  return (const real *)job->targets + column * job->target_stride;
}

static real *gradient_row(const bdag_loss_job *job, uint32_t v) {
  return (real *)job->grad + job->grad_row[v] * job->row_stride;
}

/* ---- Targets ---------------------------------------------------------------------------------- */

/* Targets lie in [low, high], and NaN lies nowhere; class indices are whole numbers, too. */
typedef struct target_rule {
  double low, high;
  int is_whole;
} target_rule;

static target_rule rule_of(const bdag_loss_job *job) {
  switch (job->kind) {
  case BDAG_BINARY_CROSS_ENTROPY:
    return (target_rule){0, 1, 0};
  case BDAG_CLASS_CROSS_ENTROPY:
    return (target_rule){0, (double)job->vertex_count - 1, 1};
  case BDAG_DISTRIBUTION_CROSS_ENTROPY:
    return (target_rule){0, DBL_MAX, 0};
  default:
    return (target_rule){-INFINITY, INFINITY, 0};
  }
}

static inline uint64_t is_bad(target_rule rule, double y, double factor) {
  const double whole = rule.is_whole ? floor(y) : y;
  return !((y >= rule.low) & (y <= rule.high) & (y == whole)) & (factor != 0);
}

/* The first bad target of a column among samples 0 … count−1; count if there is none. */
static size_t find_bad_target(const bdag_loss_job *job, uint32_t column, size_t count) {
  const target_rule rule = rule_of(job);
  const real *const y = target_row(job, column);
  uint64_t any = 0;
  for (size_t s = 0; s < count; s++) any |= is_bad(rule, (double)y[s], job->factor[s]);
  if (!any) return count;
  size_t s = 0;
  while (!is_bad(rule, (double)y[s], job->factor[s])) s++;
  return s;
}

/* The bad target of the earliest sample, among those the one of the first column. */
static bdag_status check_targets(const bdag_loss_job *job, size_t *bad_sample, size_t *bad_column) {
  if (job->kind == BDAG_EXTERNAL_GRADIENT) return BDAG_OK;
  const uint32_t columns = job->kind == BDAG_CLASS_CROSS_ENTROPY ? 1 : job->vertex_count;
  size_t first = job->count;
  for (uint32_t column = 0; column < columns; column++) {
    const size_t s = find_bad_target(job, column, first);
    if (s == first) continue;
    first = s;
    *bad_column = column;
  }
  if (first == job->count) return BDAG_OK;
  *bad_sample = first;
  return BDAG_ERROR_BAD_TARGET;
}

/* ---- Adding up -------------------------------------------------------------------------------- */

static void clear(double *x, size_t count) {
  for (size_t s = 0; s < count; s++) x[s] = 0;
}

/* loss += scale·x */
static void add_loss(const bdag_loss_job *job, double scale, const double *x) {
  for (size_t s = 0; s < job->count; s++)
    job->loss[s] = job->factor[s] != 0 ? job->loss[s] + scale * x[s] : job->loss[s];
}

/* The row's gradient += scale·factor·x[0 … count−1] at samples first, first + 1, … */
static void add_gradient(const bdag_loss_job *job, uint32_t v, size_t first, size_t count,
                         double scale, const double *x) {
  real *const grad = gradient_row(job, v) + first;
  const double *const factor = job->factor + first;
  for (size_t i = 0; i < count; i++) {
    const double old = (double)grad[i], sum = old + scale * factor[i] * x[i];
    grad[i] = (real)(factor[i] != 0 ? sum : old);
  }
}

/* ---- Elementary functions on scratch rows ------------------------------------------------------ */

#define DOUBLE_LANES (VECTOR_BYTES / sizeof(double))

static inline __attribute__((always_inline)) void map(double_vec (*function)(double_vec), double *x,
                                                      size_t count) {
  for (size_t s = 0; s < count; s += DOUBLE_LANES) {
    const size_t lanes = count - s < DOUBLE_LANES ? count - s : DOUBLE_LANES;
    double_vec a = {0};
    if (lanes == DOUBLE_LANES) {
      memcpy(&a, x + s, sizeof a);
      a = function(a);
      memcpy(x + s, &a, sizeof a);
    } else {
      memcpy(&a, x + s, lanes * sizeof(double));
      a = function(a);
      memcpy(x + s, &a, lanes * sizeof(double));
    }
  }
}

static inline double_vec exp_of(double_vec a) {
  return SLEEF_F64(exp, u10)(a);
}

static inline double_vec log_of(double_vec a) {
  return SLEEF_F64(log, u10)(a);
}

static inline double_vec log1p_of(double_vec a) {
  return SLEEF_F64(log1p, u10)(a);
}

/* ---- Terms that are a mean over their vertices -------------------------------------------------- */

static void squared_error(const bdag_loss_job *job, const real *o, const real *y, double *term,
                          double *derivative) {
  for (size_t s = 0; s < job->count; s++) {
    const double d = (double)o[s] - (double)y[s];
    term[s] += d * d;
    derivative[s] = 2 * d;
  }
}

static void absolute_error(const bdag_loss_job *job, const real *o, const real *y, double *term,
                           double *derivative) {
  for (size_t s = 0; s < job->count; s++) {
    const double d = (double)o[s] - (double)y[s];
    term[s] += fabs(d);
    derivative[s] = d > 0 ? 1 : d < 0 ? -1 : d; /* 0 or NaN */
  }
}

static void huber(const bdag_loss_job *job, const real *o, const real *y, double *term,
                  double *derivative) {
  const double delta = job->parameter;
  for (size_t s = 0; s < job->count; s++) {
    const double d = (double)o[s] - (double)y[s], size = fabs(d);
    const double linear = delta * (size - delta / 2);
    term[s] += size > delta ? linear : d * d / 2;
    derivative[s] = d > delta ? delta : d < -delta ? -delta : d;
  }
}

/* log(1 + e^o) − y·o = log(1 + e^−|o|) + (o > 0 ? (1 − y)·o : −y·o), where 0·∞ is 0. */
static void binary_cross_entropy(const bdag_loss_job *job, const real *o, const real *y,
                                 double *term, double *derivative) {
  double *const e = job->scratch + 2 * job->count;
  for (size_t s = 0; s < job->count; s++) e[s] = -fabs((double)o[s]);
  map(exp_of, e, job->count);
  for (size_t s = 0; s < job->count; s++) {
    const double large = 1 / (1 + e[s]), sigmoid = o[s] < 0 ? e[s] * large : large;
    derivative[s] = sigmoid - (double)y[s];
  }
  map(log1p_of, e, job->count);
  for (size_t s = 0; s < job->count; s++) {
    const double part = o[s] > 0 ? 1 - (double)y[s] : -(double)y[s];
    term[s] += e[s] + (part == 0 ? 0 : part * (double)o[s]);
  }
}

typedef void mean_term(const bdag_loss_job *job, const real *o, const real *y, double *term,
                       double *derivative);

static void add_mean(const bdag_loss_job *job, mean_term *function) {
  double *const term = job->scratch, *const derivative = term + job->count;
  const double scale = job->lambda / job->vertex_count;
  clear(term, job->count);
  for (uint32_t v = 0; v < job->vertex_count; v++) {
    function(job, out_row(job, v), target_row(job, v), term, derivative);
    if (job->grad != NULL) add_gradient(job, v, 0, job->count, scale, derivative);
  }
  add_loss(job, scale, term);
}

/* ---- Cross entropy over all vertices at once ----------------------------------------------------
 * With the largest logit m and l = log Σ e^(o − m): log Σ e^o − o = l − (o − m), softmax = e^(o − m − l).
 * Scratch holds l, m and one more row. */

static void log_sum_exp(const bdag_loss_job *job) {
  const size_t count = job->count;
  double *const log_sum = job->scratch, *const largest = log_sum + count,
                *const e = largest + count;
  for (size_t s = 0; s < count; s++) largest[s] = -INFINITY;
  for (uint32_t v = 0; v < job->vertex_count; v++) {
    const real *const o = out_row(job, v);
    for (size_t s = 0; s < count; s++)
      largest[s] = (double)o[s] > largest[s] ? (double)o[s] : largest[s];
  }
  clear(log_sum, count);
  for (uint32_t v = 0; v < job->vertex_count; v++) {
    const real *const o = out_row(job, v);
    for (size_t s = 0; s < count; s++) e[s] = (double)o[s] - largest[s];
    map(exp_of, e, count);
    for (size_t s = 0; s < count; s++) log_sum[s] += e[s];
  }
  map(log_of, log_sum, count);
}

#define BLOCK 64

/* mass·softmax − y of one vertex; for a class target the mass is 1 and y is 1 or 0. */
static void add_entropy_gradient(const bdag_loss_job *job, uint32_t v) {
  const double *const log_sum = job->scratch, *const largest = log_sum + job->count;
  const double *const mass = largest + job->count;
  const int is_class = job->kind == BDAG_CLASS_CROSS_ENTROPY;
  const real *const o = out_row(job, v), *const y = target_row(job, is_class ? 0 : v);
  for (size_t first = 0; first < job->count; first += BLOCK) {
    const size_t count = job->count - first < BLOCK ? job->count - first : BLOCK;
    double p[BLOCK];
    for (size_t i = 0; i < count; i++)
      p[i] = ((double)o[first + i] - largest[first + i]) - log_sum[first + i];
    map(exp_of, p, count);
    for (size_t i = 0; i < count; i++) {
      const double wanted = is_class ? (double)(y[first + i] == (real)v) : (double)y[first + i];
      p[i] = (is_class ? p[i] : mass[first + i] * p[i]) - wanted;
    }
    add_gradient(job, v, first, count, job->lambda, p);
  }
}

static void class_cross_entropy(const bdag_loss_job *job) {
  const double *const log_sum = job->scratch, *const largest = log_sum + job->count;
  double *const term = job->scratch + 2 * job->count;
  const real *const y = target_row(job, 0);
  for (size_t s = 0; s < job->count; s++) {
    if (job->factor[s] == 0) continue;
    const double o = (double)out_row(job, (uint32_t)y[s])[s];
    term[s] = log_sum[s] - (o - largest[s]);
  }
  add_loss(job, job->lambda, term);
}

static void distribution_cross_entropy(const bdag_loss_job *job) {
  const double *const log_sum = job->scratch, *const largest = log_sum + job->count;
  double *const sum = job->scratch + 2 * job->count;
  clear(sum, job->count);
  for (uint32_t v = 0; v < job->vertex_count; v++) {
    const real *const y = target_row(job, v), *const o = out_row(job, v);
    for (size_t s = 0; s < job->count; s++) {
      const double term = (double)y[s] * (log_sum[s] - ((double)o[s] - largest[s]));
      sum[s] += y[s] == 0 ? 0 : term;
    }
  }
  add_loss(job, job->lambda, sum);
}

static void sum_targets(const bdag_loss_job *job, double *mass) {
  clear(mass, job->count);
  for (uint32_t v = 0; v < job->vertex_count; v++) {
    const real *const y = target_row(job, v);
    for (size_t s = 0; s < job->count; s++) mass[s] += (double)y[s];
  }
}

static void cross_entropy(const bdag_loss_job *job) {
  const int is_class = job->kind == BDAG_CLASS_CROSS_ENTROPY;
  log_sum_exp(job);
  if (is_class)
    class_cross_entropy(job);
  else
    distribution_cross_entropy(job);
  if (job->grad == NULL) return;
  if (!is_class) sum_targets(job, job->scratch + 2 * job->count);
  for (uint32_t v = 0; v < job->vertex_count; v++) add_entropy_gradient(job, v);
}

static void external_gradient(const bdag_loss_job *job) {
  if (job->grad == NULL) return;
  for (uint32_t v = 0; v < job->vertex_count; v++) {
    real *const grad = gradient_row(job, v);
    const real *const y = target_row(job, v);
    for (size_t s = 0; s < job->count; s++)
      grad[s] = job->factor[s] != 0 ? grad[s] + y[s] : grad[s];
  }
}

bdag_status NAME(loss)(const bdag_loss_job *job, size_t *bad_sample, size_t *bad_column) {
  const bdag_status status = check_targets(job, bad_sample, bad_column);
  if (status != BDAG_OK) return status;
  switch (job->kind) {
  case BDAG_MEAN_SQUARED_ERROR:
    add_mean(job, squared_error);
    break;
  case BDAG_MEAN_ABSOLUTE_ERROR:
    add_mean(job, absolute_error);
    break;
  case BDAG_HUBER:
    add_mean(job, huber);
    break;
  case BDAG_BINARY_CROSS_ENTROPY:
    add_mean(job, binary_cross_entropy);
    break;
  case BDAG_CLASS_CROSS_ENTROPY:
  case BDAG_DISTRIBUTION_CROSS_ENTROPY:
    cross_entropy(job);
    break;
  case BDAG_EXTERNAL_GRADIENT:
    external_gradient(job);
    break;
  default:
    break;
  }
  return BDAG_OK;
}
