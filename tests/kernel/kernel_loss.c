/* Loss terms of every instruction set and type against their formulas in long double. */
#include <criterion/criterion.h>
#include <criterion/logging.h>
#include <math.h>
#include <string.h>

#include "kernel_check.h"

#define VERTEX_LIMIT  12
#define STRIDE        80 /* of rows */
#define COUNT_LIMIT   67
#define TARGET_STRIDE 71
#define DOUBLE_UNIT   0x1p-53L

/* One job with all that it points to. Row and gradient buffers begin on a cache line. */
typedef struct scene {
  _Alignas(64) unsigned char rows[VERTEX_LIMIT * STRIDE * sizeof(double)];
  _Alignas(64) unsigned char grad[VERTEX_LIMIT * STRIDE * sizeof(double)];
  unsigned char targets[VERTEX_LIMIT * TARGET_STRIDE * sizeof(double)];
  uint32_t row[VERTEX_LIMIT], grad_row[VERTEX_LIMIT];
  double factor[COUNT_LIMIT], loss[COUNT_LIMIT + 1], scratch[3 * COUNT_LIMIT];
  bdag_type type;
  bdag_loss_job job;
} scene;

static void *element(scene *set_up, void *base, size_t i) {
  return (unsigned char *)base + i * element_size(set_up->type);
}

static void point_job(scene *s) {
  s->job.row = s->row;
  s->job.grad_row = s->grad_row;
  s->job.rows = s->rows;
  s->job.grad = s->grad;
  s->job.targets = s->targets;
  s->job.factor = s->factor;
  s->job.loss = s->loss;
  s->job.scratch = s->scratch;
}

static uint32_t target_columns(const bdag_loss_job *job) {
  return job->kind == BDAG_CLASS_CROSS_ENTROPY ? 1 : job->vertex_count;
}

static long double draw_target(generator *random, const bdag_loss_job *job) {
  switch (job->kind) {
  case BDAG_BINARY_CROSS_ENTROPY:
    return below(random, 2) ? (long double)below(random, 2) : uniform(random, 0, 1);
  case BDAG_CLASS_CROSS_ENTROPY:
    return below(random, job->vertex_count);
  case BDAG_DISTRIBUTION_CROSS_ENTROPY:
    return below(random, 3) ? uniform(random, 0, 2) : 0;
  default:
    return uniform(random, -3, 3);
  }
}

static void draw_scene(generator *random, scene *s, bdag_type type, uint32_t kind) {
  s->type = type;
  s->job = (bdag_loss_job){.kind = kind,
                           .vertex_count = 1 + below(random, VERTEX_LIMIT),
                           .row_stride = STRIDE,
                           .target_stride = TARGET_STRIDE,
                           .lambda = below(random, 4) ? uniform(random, -2, 2) : 1,
                           .parameter = uniform(random, 0.2, 2),
                           .count = 1 + below(random, COUNT_LIMIT)};
  point_job(s);
  for (uint32_t v = 0; v < s->job.vertex_count; v++) {
    /* now and then a vertex twice, which then shares the gradient's row */
    s->row[v] = below(random, VERTEX_LIMIT);
    s->grad_row[v] = (s->row[v] + 5) % VERTEX_LIMIT;
  }
  const double spread = below(random, 5) ? 4 : 300;
  for (size_t i = 0; i < VERTEX_LIMIT * STRIDE; i++) {
    set(type, s->rows, i, uniform(random, -spread, spread));
    set(type, s->grad, i, uniform(random, -1, 1));
  }
  for (size_t i = 0; i < VERTEX_LIMIT * TARGET_STRIDE; i++)
    set(type, s->targets, i, draw_target(random, &s->job));
  for (size_t i = 0; i < COUNT_LIMIT; i++) {
    s->factor[i] = below(random, 5) ? uniform(random, 0.01, 2) : 0;
    s->loss[i] = uniform(random, -1, 1);
  }
  s->loss[COUNT_LIMIT] = 77;
}

/* What samples without weight hold must not matter. */
static void spoil_weightless(scene *s) {
  for (size_t i = 0; i < s->job.count; i++) {
    if (s->factor[i] != 0) continue;
    for (size_t v = 0; v < VERTEX_LIMIT; v++) {
      set(s->type, s->rows, v * STRIDE + i, NAN);
      set(s->type, s->targets, v * TARGET_STRIDE + i, v % 2 ? -INFINITY : NAN);
    }
  }
}

/* ---- The reference ---------------------------------------------------------------------------- */

typedef struct expectation {
  long double loss, loss_terms;
  long double grad[VERTEX_LIMIT], grad_terms[VERTEX_LIMIT]; /* ∂L_t/∂o of each vertex */
} expectation;

typedef struct sample {
  long double o[VERTEX_LIMIT], y[VERTEX_LIMIT];
  uint32_t n;
} sample;

static void expect(expectation *e, uint32_t v, long double loss, long double grad,
                   long double terms) {
  e->loss += loss;
  e->loss_terms += fabsl(loss) + terms;
  e->grad[v] = grad;
  e->grad_terms[v] = fabsl(grad) + terms;
}

static void expect_mean(expectation *e, uint32_t kind, long double delta, const sample *x) {
  for (uint32_t v = 0; v < x->n; v++) {
    const long double o = x->o[v], y = x->y[v], d = o - y, n = x->n;
    const long double sign = (long double)((d > 0) - (d < 0));
    switch (kind) {
    case BDAG_MEAN_SQUARED_ERROR:
      expect(e, v, d * d / n, 2 * d / n, 0);
      break;
    case BDAG_MEAN_ABSOLUTE_ERROR:
      expect(e, v, fabsl(d) / n, sign / n, 0);
      break;
    case BDAG_HUBER:
      if (fabsl(d) <= delta)
        expect(e, v, d * d / 2 / n, d / n, 0);
      else
        expect(e, v, delta * (fabsl(d) - delta / 2) / n, delta * sign / n, fabsl(delta * d));
      break;
    default:
      expect(e, v, (fmaxl(o, 0) + log1pl(expl(-fabsl(o))) - y * o) / n,
             (1 / (1 + expl(-o)) - y) / n, 1 / n);
    }
  }
}

static void expect_entropy(expectation *e, uint32_t kind, const sample *x) {
  long double largest = -INFINITY, sum = 0, mass = 0;
  for (uint32_t v = 0; v < x->n; v++) largest = fmaxl(largest, x->o[v]);
  for (uint32_t v = 0; v < x->n; v++) sum += expl(x->o[v] - largest);
  const long double log_sum = largest + logl(sum);
  for (uint32_t v = 0; v < x->n; v++) mass += kind == BDAG_CLASS_CROSS_ENTROPY ? 0 : x->y[v];
  if (kind == BDAG_CLASS_CROSS_ENTROPY) mass = 1;
  for (uint32_t v = 0; v < x->n; v++) {
    const int is_class = x->y[0] == (long double)v;
    const long double y = kind == BDAG_CLASS_CROSS_ENTROPY ? is_class : x->y[v];
    const long double o = x->o[v], p = expl(o - log_sum);
    expect(e, v, y == 0 ? 0 : y * (log_sum - o), mass * p - y,
           (1 + mass) * (1 + (isinf(o) ? 0 : fabsl(o - log_sum))));
  }
}

static void read_sample(const scene *s, size_t i, sample *x) {
  x->n = s->job.vertex_count;
  for (uint32_t v = 0; v < x->n; v++) {
    x->o[v] = get(s->type, s->rows, s->row[v] * STRIDE + i);
    x->y[v] = v < target_columns(&s->job) ? get(s->type, s->targets, v * TARGET_STRIDE + i) : 0;
  }
}

static void expect_sample(const scene *s, size_t i, expectation *e) {
  sample x;
  read_sample(s, i, &x);
  memset(e, 0, sizeof *e);
  if (s->job.kind == BDAG_EXTERNAL_GRADIENT)
    for (uint32_t v = 0; v < x.n; v++) e->grad[v] = x.y[v];
  else if (s->job.kind >= BDAG_CLASS_CROSS_ENTROPY)
    expect_entropy(e, s->job.kind, &x);
  else
    expect_mean(e, s->job.kind, s->job.parameter, &x);
}

/* ---- Comparing -------------------------------------------------------------------------------- */

static void compare_loss(const scene *s, const scene *before, size_t i, const expectation *e) {
  const long double expected = before->loss[i] + s->job.lambda * e->loss;
  const long double terms = fabsl(s->job.lambda) * e->loss_terms + fabs(before->loss[i]);
  const long double error = fabsl(s->loss[i] - expected);
  if (!(error <= 16 * DOUBLE_UNIT * terms))
    cr_assert_fail("loss %u of sample %zu: %.18g instead of %.18Lg", s->job.kind, i, s->loss[i],
                   expected);
}

static void compare_row(const scene *s, const scene *before, uint32_t grad_row, size_t i,
                        const expectation *e) {
  const int is_external = s->job.kind == BDAG_EXTERNAL_GRADIENT;
  const long double scale = is_external ? 1 : s->job.lambda * (long double)s->factor[i];
  const long double old = get(s->type, before->grad, grad_row * STRIDE + i);
  long double expected = old, size = fabsl(old), tolerance = 0;
  int additions = 0;
  for (uint32_t v = 0; v < s->job.vertex_count; v++) {
    if (s->grad_row[v] != grad_row) continue;
    expected += scale * e->grad[v];
    size += fabsl(scale * e->grad[v]);
    tolerance += 16 * DOUBLE_UNIT * fabsl(scale) * e->grad_terms[v];
    additions++;
  }
  tolerance += additions * unit_roundoff(s->type) * size;
  const long double value = get(s->type, s->grad, grad_row * STRIDE + i);
  if (!(fabsl(value - expected) <= tolerance))
    cr_assert_fail("gradient of loss %u, row %u, sample %zu: %.18Lg instead of %.18Lg", s->job.kind,
                   grad_row, i, value, expected);
}

static void compare_scene(const scene *s, const scene *before) {
  for (size_t i = 0; i < s->job.count; i++) {
    if (s->factor[i] == 0) {
      cr_assert(s->loss[i] == before->loss[i], "sample %zu of factor 0 has a loss", i);
      for (size_t v = 0; v < VERTEX_LIMIT; v++)
        cr_assert(same(s->type, s->grad, v * STRIDE + i, before->grad, v * STRIDE + i));
      continue;
    }
    expectation e;
    expect_sample(s, i, &e);
    compare_loss(s, before, i, &e);
    for (uint32_t v = 0; v < VERTEX_LIMIT; v++) compare_row(s, before, v, i, &e);
  }
  for (size_t i = s->job.count; i <= COUNT_LIMIT; i++) cr_assert(s->loss[i] == before->loss[i]);
  for (size_t v = 0; v < VERTEX_LIMIT; v++)
    for (size_t i = s->job.count; i < STRIDE; i++)
      cr_assert(same(s->type, s->grad, v * STRIDE + i, before->grad, v * STRIDE + i));
}

Test(loss, random_terms) {
  static scene s, before;
  for (int k = 0; kernels_at(k) != NULL; k++)
    for (uint32_t kind = 0; kind <= BDAG_EXTERNAL_GRADIENT; kind++) {
      generator random = {300 + kind};
      for (int round = 0; round < 60; round++) {
        draw_scene(&random, &s, kernels_at(k)->type, kind);
        spoil_weightless(&s);
        before = s;
        size_t bad_sample = 0, bad_column = 0;
        cr_assert_eq(kernels_at(k)->loss(&s.job, &bad_sample, &bad_column), BDAG_OK, "%s, loss %u",
                     kernels_name(kernels_at(k)), kind);
        compare_scene(&s, &before);
      }
    }
}

Test(loss, without_gradient) {
  static scene with, without;
  generator random = {17};
  for (int k = 0; kernels_at(k) != NULL; k++)
    for (uint32_t kind = 0; kind <= BDAG_EXTERNAL_GRADIENT; kind++) {
      size_t bad_sample = 0, bad_column = 0;
      draw_scene(&random, &with, kernels_at(k)->type, kind);
      without = with;
      point_job(&without);
      without.job.grad = NULL;
      cr_assert_eq(kernels_at(k)->loss(&with.job, &bad_sample, &bad_column), BDAG_OK);
      cr_assert_eq(kernels_at(k)->loss(&without.job, &bad_sample, &bad_column), BDAG_OK);
      cr_assert_arr_eq(with.loss, without.loss, sizeof with.loss);
    }
}

/* Each sample alone gives the same bits as all of them together. */
Test(loss, samples_do_not_depend_on_each_other) {
  static scene together, alone;
  generator random = {23};
  for (int k = 0; kernels_at(k) != NULL; k++)
    for (uint32_t kind = 0; kind <= BDAG_EXTERNAL_GRADIENT; kind++) {
      size_t bad_sample = 0, bad_column = 0;
      draw_scene(&random, &together, kernels_at(k)->type, kind);
      together.job.count = COUNT_LIMIT;
      alone = together;
      point_job(&alone);
      cr_assert_eq(kernels_at(k)->loss(&together.job, &bad_sample, &bad_column), BDAG_OK);
      const bdag_loss_job all = alone.job;
      for (size_t i = 0; i < COUNT_LIMIT; i++) {
        bdag_loss_job *const job = &alone.job;
        job->count = 1;
        job->rows = element(&alone, alone.rows, i);
        job->grad = element(&alone, alone.grad, i);
        job->targets = element(&alone, alone.targets, i);
        job->factor = all.factor + i;
        job->loss = all.loss + i;
        cr_assert_eq(kernels_at(k)->loss(job, &bad_sample, &bad_column), BDAG_OK);
      }
      cr_assert_arr_eq(alone.loss, together.loss, sizeof alone.loss);
      cr_assert_arr_eq(alone.grad, together.grad, sizeof alone.grad);
    }
}

/* ---- Bad targets ------------------------------------------------------------------------------ */

typedef struct target_case {
  uint32_t kind;
  double target;
  int is_bad;
} target_case;

static const target_case target_cases[] = {
    {BDAG_MEAN_SQUARED_ERROR, NAN, 1},
    {BDAG_MEAN_SQUARED_ERROR, -1e30, 0},
    {BDAG_MEAN_ABSOLUTE_ERROR, NAN, 1},
    {BDAG_HUBER, NAN, 1},
    {BDAG_BINARY_CROSS_ENTROPY, NAN, 1},
    {BDAG_BINARY_CROSS_ENTROPY, -0.001, 1},
    {BDAG_BINARY_CROSS_ENTROPY, 1.001, 1},
    {BDAG_BINARY_CROSS_ENTROPY, 0, 0},
    {BDAG_BINARY_CROSS_ENTROPY, 1, 0},
    {BDAG_CLASS_CROSS_ENTROPY, NAN, 1},
    {BDAG_CLASS_CROSS_ENTROPY, -1, 1},
    {BDAG_CLASS_CROSS_ENTROPY, 0.5, 1},
    {BDAG_CLASS_CROSS_ENTROPY, 3, 1},
    {BDAG_CLASS_CROSS_ENTROPY, 1e30, 1},
    {BDAG_CLASS_CROSS_ENTROPY, INFINITY, 1},
    {BDAG_CLASS_CROSS_ENTROPY, -INFINITY, 1},
    {BDAG_CLASS_CROSS_ENTROPY, 0, 0},
    {BDAG_CLASS_CROSS_ENTROPY, 2, 0},
    {BDAG_DISTRIBUTION_CROSS_ENTROPY, NAN, 1},
    {BDAG_DISTRIBUTION_CROSS_ENTROPY, -1e-3, 1},
    {BDAG_DISTRIBUTION_CROSS_ENTROPY, INFINITY, 1},
    {BDAG_DISTRIBUTION_CROSS_ENTROPY, 1e30, 0},
    {BDAG_EXTERNAL_GRADIENT, NAN, 0},
};

static void draw_three_vertices(generator *random, scene *s, bdag_type type, uint32_t kind) {
  draw_scene(random, s, type, kind);
  s->job.vertex_count = 3;
  s->job.count = 40;
  for (size_t i = 0; i < VERTEX_LIMIT * TARGET_STRIDE; i++)
    set(type, s->targets, i, draw_target(random, &s->job));
  for (size_t i = 0; i < COUNT_LIMIT; i++) s->factor[i] = 0.5;
}

static void check_target(const bdag_kernels *kernels, const target_case *c, generator *random) {
  static scene s, before;
  draw_three_vertices(random, &s, kernels->type, c->kind);
  const size_t i = below(random, 40), column = below(random, target_columns(&s.job));
  set(s.type, s.targets, column * TARGET_STRIDE + i, c->target);
  before = s;
  size_t bad_sample = 999, bad_column = 999;
  const bdag_status status = kernels->loss(&s.job, &bad_sample, &bad_column);
  cr_assert_eq(status, c->is_bad ? BDAG_ERROR_BAD_TARGET : BDAG_OK, "%s, loss %u, target %g",
               kernels_name(kernels), c->kind, c->target);
  if (!c->is_bad) return;
  cr_assert_eq(bad_sample, i);
  cr_assert_eq(bad_column, column);
  cr_assert_arr_eq(s.loss, before.loss, sizeof s.loss);
  cr_assert_arr_eq(s.grad, before.grad, sizeof s.grad);
  s.factor[i] = 0;
  cr_assert_eq(kernels->loss(&s.job, &bad_sample, &bad_column), BDAG_OK);
}

Test(loss, bad_targets) {
  generator random = {41};
  for (int k = 0; kernels_at(k) != NULL; k++)
    for (size_t i = 0; i < sizeof target_cases / sizeof target_cases[0]; i++)
      for (int round = 0; round < 8; round++)
        check_target(kernels_at(k), &target_cases[i], &random);
}

Test(loss, the_earliest_bad_sample_is_named) {
  static scene s;
  generator random = {43};
  for (int k = 0; kernels_at(k) != NULL; k++) {
    draw_three_vertices(&random, &s, kernels_at(k)->type, BDAG_HUBER);
    set(s.type, s.targets, 0 * TARGET_STRIDE + 30, NAN);
    set(s.type, s.targets, 1 * TARGET_STRIDE + 20, NAN);
    set(s.type, s.targets, 2 * TARGET_STRIDE + 20, NAN);
    set(s.type, s.targets, 2 * TARGET_STRIDE + 45, NAN); /* beyond the samples */
    size_t bad_sample = 0, bad_column = 0;
    cr_assert_eq(kernels_at(k)->loss(&s.job, &bad_sample, &bad_column), BDAG_ERROR_BAD_TARGET);
    cr_assert_eq(bad_sample, 20);
    cr_assert_eq(bad_column, 1);
  }
}

/* ---- Far out ---------------------------------------------------------------------------------- */

typedef struct far_case {
  uint32_t kind;
  double o[3], y[3], loss, grad[3];
} far_case;

static const far_case far_cases[] = {
    {BDAG_CLASS_CROSS_ENTROPY, {1000, 0, -1000}, {0}, 0, {0, 0, 0}},
    {BDAG_CLASS_CROSS_ENTROPY, {1000, 0, -1000}, {2}, 2000, {1, 0, -1}},
    {BDAG_CLASS_CROSS_ENTROPY, {0, 0, -INFINITY}, {1}, M_LN2, {0.5, -0.5, 0}},
    {BDAG_CLASS_CROSS_ENTROPY,
     {-1000, -1000, -1000},
     {1},
     1.0986122886681098,
     {1. / 3, -2. / 3, 1. / 3}},
    {BDAG_DISTRIBUTION_CROSS_ENTROPY, {0, 0, -INFINITY}, {1, 1, 0}, 2 * M_LN2, {0, 0, 0}},
    {BDAG_DISTRIBUTION_CROSS_ENTROPY, {3, 1, 2}, {0, 0, 0}, 0, {0, 0, 0}},
    {BDAG_BINARY_CROSS_ENTROPY, {1000, -1000, 0}, {1, 0, 0.5}, M_LN2 / 3, {0, 0, 0}},
    {BDAG_BINARY_CROSS_ENTROPY,
     {1000, -1000, 0},
     {0, 1, 0.5},
     (2000 + M_LN2) / 3,
     {1. / 3, -1. / 3, 0}},
    {BDAG_BINARY_CROSS_ENTROPY, {INFINITY, -INFINITY, 0}, {1, 0, 0.5}, M_LN2 / 3, {0, 0, 0}},
    {BDAG_MEAN_ABSOLUTE_ERROR, {1, 2, 3}, {1, 2, 3}, 0, {0, 0, 0}},
    {BDAG_HUBER, {1, -4, 3}, {1, 0, 0}, (3.5 + 2.5) / 3, {0, -1. / 3, 1. / 3}},
};

static void check_far(const bdag_kernels *kernels, const far_case *c) {
  static scene s;
  generator random = {1};
  draw_three_vertices(&random, &s, kernels->type, c->kind);
  memset(s.grad, 0, sizeof s.grad);
  memset(s.loss, 0, sizeof s.loss);
  s.job.lambda = s.job.parameter = 1;
  for (uint32_t v = 0; v < 3; v++) {
    s.row[v] = s.grad_row[v] = v;
    for (size_t i = 0; i < 40; i++) {
      set(s.type, s.rows, v * STRIDE + i, c->o[v]);
      set(s.type, s.targets, v * TARGET_STRIDE + i, c->y[v]);
    }
  }
  size_t bad_sample, bad_column;
  cr_assert_eq(kernels->loss(&s.job, &bad_sample, &bad_column), BDAG_OK);
  for (size_t i = 0; i < 40; i++) {
    cr_assert(fabs(s.loss[i] - c->loss) <= 1e-15 * fmax(1, c->loss), "loss %u: %.17g, not %.17g",
              c->kind, s.loss[i], c->loss);
    for (uint32_t v = 0; v < 3; v++)
      cr_assert(fabsl(get(s.type, s.grad, v * STRIDE + i) - c->grad[v] / 2) <=
                    unit_roundoff(s.type),
                "gradient %u of loss %u: %Lg, not %g", v, c->kind,
                get(s.type, s.grad, v * STRIDE + i), c->grad[v] / 2);
  }
}

Test(loss, far_out) {
  for (int k = 0; kernels_at(k) != NULL; k++)
    for (size_t i = 0; i < sizeof far_cases / sizeof far_cases[0]; i++)
      check_far(kernels_at(k), &far_cases[i]);
}

/* A missing number spoils its own sample only. */
Test(loss, nan_is_seen_and_stays_in_its_sample) {
  static scene s;
  generator random = {53};
  for (int k = 0; kernels_at(k) != NULL; k++)
    for (uint32_t kind = 0; kind < BDAG_EXTERNAL_GRADIENT; kind++) {
      draw_three_vertices(&random, &s, kernels_at(k)->type, kind);
      set(s.type, s.rows, s.row[1] * STRIDE + 11, NAN);
      size_t bad_sample, bad_column;
      cr_assert_eq(kernels_at(k)->loss(&s.job, &bad_sample, &bad_column), BDAG_OK);
      for (size_t i = 0; i < 40; i++)
        cr_assert_eq(isnan(s.loss[i]) != 0, i == 11, "%s, loss %u, sample %zu",
                     kernels_name(kernels_at(k)), kind, i);
      cr_assert(isnan(get(s.type, s.grad, s.grad_row[1] * STRIDE + 11)));
    }
}
