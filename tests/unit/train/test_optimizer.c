/* The optimizers against a literal transcription of their papers in double. */
#include <criterion/criterion.h>
#include <fenv.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "train/optimizer.h"

enum { COUNT = 133, STEPS = 7, FIRST = 5 };

static double start_weight(uint64_t i) {
  return bdag_random_normal(1, 1, i);
}

static double slope(uint64_t step, uint64_t i) {
  return bdag_random_normal(2, step, i);
}

/* One weight through all steps, as the papers write it. */
static double reference(const bdag_update *options, uint64_t i) {
  double w = start_weight(i), m = 0.0, v = 0.0;
  for (uint64_t t = 1; t <= STEPS; t++) {
    double g = slope(t, i);
    if (options->optimizer == BDAG_SGD) {
      g += options->decay * w;
      m = options->momentum * m + g;
      const double direction = options->nesterov ? g + options->momentum * m : m;
      w -= options->learning_rate * direction;
      continue;
    }
    if (options->optimizer == BDAG_ADAM) g += options->decay * w;
    if (options->optimizer == BDAG_ADAMW) w -= options->learning_rate * options->decay * w;
    m = options->beta1 * m + (1.0 - options->beta1) * g;
    v = options->beta2 * v + (1.0 - options->beta2) * g * g;
    const double m_hat = m / (1.0 - pow(options->beta1, (double)t));
    const double v_hat = v / (1.0 - pow(options->beta2, (double)t));
    w -= options->learning_rate * m_hat / (sqrt(v_hat) + options->epsilon);
  }
  return w;
}

static double get(bdag_type type, const void *array, uint64_t i) {
  return type == BDAG_FLOAT32 ? (double)((const float *)array)[i] : ((const double *)array)[i];
}

static void set(bdag_type type, void *array, uint64_t i, double value) {
  if (type == BDAG_FLOAT32) {
    ((float *)array)[i] = (float)value;
  } else {
    ((double *)array)[i] = value;
  }
}

/* Updates elements FIRST … COUNT−FIRST−1 and requires that the others stay. */
static void compare(bdag_update update, bdag_type type, double tolerance) {
  double w[COUNT], g[COUNT], m[COUNT] = {0}, v[COUNT] = {0};
  const uint32_t moments = bdag_optimizer_moments(update.optimizer, update.momentum);
  update.type = type;
  update.threads = 1;
  for (uint64_t i = 0; i < COUNT; i++) set(type, w, i, start_weight(i));
  for (uint64_t t = 1; t <= STEPS; t++) {
    for (uint64_t i = 0; i < COUNT; i++) set(type, g, i, slope(t, i));
    update.step = t;
    bdag_optimizer_apply(&update, FIRST, COUNT - 2 * FIRST, w, g, moments > 0 ? m : NULL,
                         moments > 1 ? v : NULL);
  }
  for (uint64_t i = 0; i < COUNT; i++) {
    const int touched = i >= FIRST && i < COUNT - FIRST;
    const double expected = touched ? reference(&update, i) : start_weight(i);
    cr_assert_float_eq(get(type, w, i), expected, tolerance, "weight %d is %.17g, not %.17g",
                       (int)i, get(type, w, i), expected);
    if (!touched) cr_assert_eq(get(type, m, i), 0.0);
  }
}

static const bdag_update base = {
    .learning_rate = 0.05, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, .decay = 0.0};

static void compare_both(bdag_update update) {
  compare(update, BDAG_FLOAT64, 1e-13);
  compare(update, BDAG_FLOAT32, 4e-6);
  update.decay = 0.3;
  compare(update, BDAG_FLOAT64, 1e-13);
  compare(update, BDAG_FLOAT32, 4e-6);
}

Test(optimizer, sgd_plain) {
  bdag_update update = base;
  update.optimizer = BDAG_SGD;
  cr_assert_eq(bdag_optimizer_moments(BDAG_SGD, 0.0), 0);
  compare_both(update);
  update.nesterov = 1;
  compare_both(update);
}

Test(optimizer, sgd_momentum) {
  bdag_update update = base;
  update.optimizer = BDAG_SGD;
  update.momentum = 0.8;
  cr_assert_eq(bdag_optimizer_moments(BDAG_SGD, 0.8), 1);
  compare_both(update);
}

Test(optimizer, sgd_nesterov) {
  bdag_update update = base;
  update.optimizer = BDAG_SGD;
  update.momentum = 0.8;
  update.nesterov = 1;
  compare_both(update);
}

Test(optimizer, adam) {
  bdag_update update = base;
  update.optimizer = BDAG_ADAM;
  cr_assert_eq(bdag_optimizer_moments(BDAG_ADAM, 0.0), 2);
  compare_both(update);
  update.beta1 = 0.0;
  update.beta2 = 0.5;
  update.epsilon = 0.1;
  compare_both(update);
}

Test(optimizer, adamw) {
  bdag_update update = base;
  update.optimizer = BDAG_ADAMW;
  cr_assert_eq(bdag_optimizer_moments(BDAG_ADAMW, 0.9), 2);
  compare_both(update);
}

Test(optimizer, decay_kinds_differ) {
  bdag_update update = base;
  update.decay = 0.3;
  update.optimizer = BDAG_ADAM;
  const double coupled = reference(&update, 0);
  update.optimizer = BDAG_ADAMW;
  cr_assert_gt(fabs(coupled - reference(&update, 0)), 1e-3);
}

/* Many steps on: bias correction has vanished and must not have become NaN. */
Test(optimizer, adam_late_step) {
  bdag_update update = base;
  update.optimizer = BDAG_ADAM;
  update.type = BDAG_FLOAT32;
  update.step = UINT64_MAX / 2;
  float w = 1.0f, g = 0.5f, m = 0.5f, v = 0.25f;
  bdag_optimizer_apply(&update, 0, 1, &w, &g, &m, &v);
  cr_assert_float_eq(w, 0.95, 1e-6);
}

static float *random_floats(uint64_t stream, uint64_t count) {
  float *const values = malloc(count * sizeof *values);
  for (uint64_t i = 0; i < count; i++) values[i] = (float)bdag_random_uniform(3, stream, i) + 0.25f;
  return values;
}

Test(optimizer, threads_give_the_same_bits) {
  const uint64_t count = 300007, first = 3;
  float *const g = random_floats(0, count + first);
  for (int optimizer = BDAG_SGD; optimizer <= BDAG_ADAMW; optimizer++) {
    float *w[2], *m[2], *v[2];
    for (int k = 0; k < 2; k++) {
      bdag_update update = base;
      update.optimizer = (bdag_optimizer)optimizer;
      update.type = BDAG_FLOAT32;
      update.momentum = 0.9;
      update.decay = 0.01;
      update.step = 4;
      update.threads = k == 0 ? 1 : 4;
      w[k] = random_floats(1, count + first);
      m[k] = random_floats(2, count + first);
      v[k] = random_floats(3, count + first);
      bdag_optimizer_apply(&update, first, count, w[k], g, m[k], v[k]);
    }
    cr_assert_arr_eq(w[0], w[1], (count + first) * sizeof(float));
    cr_assert_arr_eq(m[0], m[1], (count + first) * sizeof(float));
    cr_assert_arr_eq(v[0], v[1], (count + first) * sizeof(float));
    for (int k = 0; k < 2; k++) {
      free(w[k]);
      free(m[k]);
      free(v[k]);
    }
  }
  free(g);
}

Test(optimizer, works_inside_a_parallel_region) {
  const uint64_t count = 300000;
  float *const g = random_floats(0, count);
  float *w[2] = {random_floats(1, count), random_floats(1, count)};
  bdag_update update = base;
  update.optimizer = BDAG_SGD;
  update.type = BDAG_FLOAT32;
  update.threads = 2;
#pragma omp parallel for num_threads(2)
  for (int k = 0; k < 2; k++) bdag_optimizer_apply(&update, 0, count, w[k], g, NULL, NULL);
  cr_assert_arr_eq(w[0], w[1], count * sizeof(float));
  free(g);
  free(w[0]);
  free(w[1]);
}

/* Every weight is moved exactly once, whatever the team and the length. */
Test(optimizer, chunks_cover_the_range) {
  for (uint64_t count = 131072; count < 131072 + 200; count += 13) {
    float *const w = calloc(count + 1, sizeof *w), *const g = malloc((count + 1) * sizeof *g);
    for (uint64_t i = 0; i <= count; i++) g[i] = 1.0f;
    bdag_update update = base;
    update.optimizer = BDAG_SGD;
    update.type = BDAG_FLOAT32;
    update.learning_rate = 1.0;
    update.threads = count == 131072 ? 64 : 2; /* 64: the last chunks are empty */
    bdag_optimizer_apply(&update, 0, count, w, g, NULL, NULL);
    for (uint64_t i = 0; i < count; i++) cr_assert_eq(w[i], -1.0f, "weight %d", (int)i);
    cr_assert_eq(w[count], 0.0f);
    free(w);
    free(g);
  }
}

static void check_finite(bdag_type type) {
  static const double bad[] = {INFINITY, -INFINITY, NAN, -NAN};
  const double largest = type == BDAG_FLOAT32 ? 3.4028234663852886e38 : 1.7976931348623157e308;
  double values[41] = {0};
  for (uint64_t i = 0; i < 41; i++)
    set(type, values, i, i % 3 == 0 ? -largest : (i % 3 == 1 ? largest : -0.0));
  cr_assert(bdag_optimizer_is_finite(type, 0, 41, values));
  for (uint64_t i = 0; i < 41; i++) {
    for (int k = 0; k < 4; k++) {
      const double before = get(type, values, i);
      set(type, values, i, bad[k]);
      cr_assert_not(bdag_optimizer_is_finite(type, 0, 41, values));
      cr_assert(bdag_optimizer_is_finite(type, i + 1, 40 - i, values));
      cr_assert(bdag_optimizer_is_finite(type, 0, i, values));
      set(type, values, i, before);
    }
  }
}

Test(optimizer, finds_what_is_not_finite) {
  check_finite(BDAG_FLOAT32);
  check_finite(BDAG_FLOAT64);
}

/* Moments of a weight at rest decay to exactly 0 instead of lingering as subnormal numbers. */
Test(optimizer, moments_at_rest_vanish) {
  bdag_update update = base;
  update.optimizer = BDAG_ADAM;
  update.type = BDAG_FLOAT32;
  float w[8], g[8] = {0}, m[8], v[8] = {0};
  for (int i = 0; i < 8; i++) w[i] = m[i] = 1.0f;
  for (update.step = 1; update.step < 2000; update.step++)
    bdag_optimizer_apply(&update, 0, 8, w, g, m, v);
  for (int i = 0; i < 8; i++) cr_assert_eq(m[i], 0.0f);
}

/* Volatile, so that the division happens between the calls that set the rounding. */
static double third(void) {
  volatile double result = 3.0;
  result = 1.0 / result;
  return result;
}

Test(optimizer, rounding_mode_of_the_caller_does_not_matter_and_comes_back) {
  bdag_update update = base;
  update.optimizer = BDAG_ADAM;
  update.type = BDAG_FLOAT64;
  update.step = 3;
  double w[2] = {1.0 / 3.0, 1.0 / 3.0}, g = 0.1, m[2] = {0.7, 0.7}, v[2] = {0.3, 0.3};
  bdag_optimizer_apply(&update, 0, 1, &w[0], &g, &m[0], &v[0]);
  cr_assert_eq(fesetround(FE_UPWARD), 0);
  bdag_optimizer_apply(&update, 0, 1, &w[1], &g, &m[1], &v[1]);
  const double up = third();
  fesetround(FE_TONEAREST);
  cr_assert_gt(up, third());
  cr_assert_eq(w[0], w[1]);
  cr_assert_eq(v[0], v[1]);
}
