/* Optimizers as arithmetic on arrays: SGD with momentum, Adam, AdamW. May include base, and the
 * runtime's floating-point mode. */
#include "train/optimizer.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "runtime/float_mode.h"

/* Chunks begin at multiples of this, so that threads do not share cache lines. */
#define CHUNK_QUANTUM ((uint64_t)64)

#define JOIN_(a, b) a##_##b
#define JOIN(a, b)  JOIN_(a, b)

#define REAL       float
#define SQRT       sqrtf
#define BITS       uint32_t
#define SIGN       ((uint32_t)1 << 31)
#define EXPONENT   ((uint32_t)1 << 23)
#define NAME(name) JOIN(name, float32)
#include "train/optimizer_tmpl.h"
#undef REAL
#undef SQRT
#undef BITS
#undef SIGN
#undef EXPONENT
#undef NAME

#define REAL       double
#define SQRT       sqrt
#define BITS       uint64_t
#define SIGN       ((uint64_t)1 << 63)
#define EXPONENT   ((uint64_t)1 << 52)
#define NAME(name) JOIN(name, float64)
#include "train/optimizer_tmpl.h"

uint32_t bdag_optimizer_moments(bdag_optimizer optimizer, double momentum) {
  if (optimizer != BDAG_SGD) return 2;
  return momentum == 0.0 ? 0 : 1;
}

/* In the mode of a pass: moments of weights that have stopped moving decay into subnormal numbers,
 * which would slow every later step down, and the caller's rounding must not matter. */
static void apply(const bdag_update *update, uint64_t first, uint64_t count, void *weights,
                  const void *gradient, void *first_moment, void *second_moment) {
  const int single = update->type == BDAG_FLOAT32;
  const uint64_t saved = bdag_float_mode_enter(single);
  if (single) {
    apply_float32(update, first, count, weights, gradient, first_moment, second_moment);
  } else {
    apply_float64(update, first, count, weights, gradient, first_moment, second_moment);
  }
  bdag_float_mode_leave(saved);
}

void bdag_optimizer_apply(const bdag_update *update, uint64_t first, uint64_t count, void *weights,
                          const void *gradient, void *first_moment, void *second_moment) {
  if (update->threads < 2 || count < BDAG_PARALLEL_UPDATE || omp_in_parallel()) {
    apply(update, first, count, weights, gradient, first_moment, second_moment);
    return;
  }
#pragma omp parallel num_threads((int)update->threads)
  {
    const uint64_t team = (uint64_t)omp_get_num_threads(), self = (uint64_t)omp_get_thread_num();
    const uint64_t share = (count / team / CHUNK_QUANTUM + 1) * CHUNK_QUANTUM;
    const uint64_t begin = self * share < count ? self * share : count;
    const uint64_t end = count - begin > share ? begin + share : count;
    apply(update, first + begin, end - begin, weights, gradient, first_moment, second_moment);
  }
}

int bdag_optimizer_is_finite(bdag_type type, uint64_t first, uint64_t count, const void *gradient) {
  if (type == BDAG_FLOAT32) return is_finite_float32(count, (const float *)gradient + first);
  return is_finite_float64(count, (const double *)gradient + first);
}
