/* Template of the update loops: included once per type with REAL, SQRT, BITS, EXPONENT and NAME
 * defined. Plain loops over restricted pointers, which the compiler vectorises. */

static void NAME(sgd)(const bdag_update *update, uint64_t count, REAL *restrict w,
                      const REAL *restrict g) {
  const REAL rate = (REAL)update->learning_rate, decay = (REAL)update->decay;
  for (uint64_t i = 0; i < count; i++) w[i] -= rate * (g[i] + decay * w[i]);
}

static void NAME(momentum)(const bdag_update *update, uint64_t count, REAL *restrict w,
                           const REAL *restrict g, REAL *restrict m) {
  const REAL rate = (REAL)update->learning_rate, decay = (REAL)update->decay;
  const REAL mu = (REAL)update->momentum;
  for (uint64_t i = 0; i < count; i++) {
    m[i] = mu * m[i] + (g[i] + decay * w[i]);
    w[i] -= rate * m[i];
  }
}

static void NAME(nesterov)(const bdag_update *update, uint64_t count, REAL *restrict w,
                           const REAL *restrict g, REAL *restrict m) {
  const REAL rate = (REAL)update->learning_rate, decay = (REAL)update->decay;
  const REAL mu = (REAL)update->momentum;
  for (uint64_t i = 0; i < count; i++) {
    const REAL slope = g[i] + decay * w[i];
    m[i] = mu * m[i] + slope;
    w[i] -= rate * (slope + mu * m[i]);
  }
}

/* w −= η·(m/c1) / (sqrt(v/c2) + ε) with c = 1 − β^t taken in double. */
static void NAME(adam)(const bdag_update *update, uint64_t count, REAL *restrict w,
                       const REAL *restrict g, REAL *restrict m, REAL *restrict v) {
  const int decoupled = update->optimizer == BDAG_ADAMW;
  const REAL coupled_decay = decoupled ? 0 : (REAL)update->decay;
  const REAL shrinkage = decoupled ? (REAL)(update->learning_rate * update->decay) : 0;
  const double step = (double)update->step;
  const REAL rate = (REAL)(update->learning_rate / (1.0 - pow(update->beta1, step)));
  const REAL root_scale = (REAL)(1.0 / sqrt(1.0 - pow(update->beta2, step)));
  const REAL beta1 = (REAL)update->beta1, beta2 = (REAL)update->beta2;
  const REAL rest1 = (REAL)(1.0 - update->beta1), rest2 = (REAL)(1.0 - update->beta2);
  const REAL epsilon = (REAL)update->epsilon;
  for (uint64_t i = 0; i < count; i++) {
    const REAL slope = g[i] + coupled_decay * w[i];
    m[i] = beta1 * m[i] + rest1 * slope;
    v[i] = beta2 * v[i] + rest2 * (slope * slope);
    w[i] -= shrinkage * w[i] + rate * m[i] / (SQRT(v[i]) * root_scale + epsilon);
  }
}

/* Not inlined, so that no arithmetic moves out of the floating-point mode around the call. */
__attribute__((noinline)) static void NAME(apply)(const bdag_update *update, uint64_t first,
                                                  uint64_t count, void *weights,
                                                  const void *gradient, void *first_moment,
                                                  void *second_moment) {
  REAL *const w = (REAL *)weights + first;
  const REAL *const g = (const REAL *)gradient + first;
  REAL *const m = first_moment == NULL ? NULL : (REAL *)first_moment + first;
  if (update->optimizer != BDAG_SGD) {
    NAME(adam)(update, count, w, g, m, (REAL *)second_moment + first);
  } else if (update->momentum == 0.0) {
    NAME(sgd)(update, count, w, g);
  } else if (update->nesterov) {
    NAME(nesterov)(update, count, w, g, m);
  } else {
    NAME(momentum)(update, count, w, g, m);
  }
}

/* Adding one unit to the exponent field carries out of it exactly for infinities and NaNs; the sign
 * is shifted away first, so that the carries can be collected without a branch. */
static int NAME(is_finite)(uint64_t count, const REAL *restrict values) {
  BITS carry = 0;
  for (uint64_t i = 0; i < count; i++) {
    BITS bits;
    memcpy(&bits, &values[i], sizeof bits);
    carry |= ((bits & ~SIGN) + EXPONENT) & SIGN;
  }
  return carry == 0;
}
