/* One step of gradient descent, written over the gradient. Compiled per instruction set and type. May
 * include kernel.h and vector.h. */
#include "kernel/vector.h"

int NAME(descend)(const void *weights, void *gradient, size_t count, double rate, double decay) {
  const real *w = weights;
  real *g = gradient;
  const vec step = vec_set1((real)rate), shrink = vec_set1((real)decay);
  vec odd[2] = {vec_zero(), vec_zero()}; /* x·0 is 0 for finite x and NaN otherwise */
  size_t i = 0;
  for (; i + 2 * LANES <= count; i += 2 * LANES)
    for (size_t j = 0; j < 2; j++) {
      const vec old = vec_loadu(w + i + j * LANES);
      const vec slope = vec_add(vec_loadu(g + i + j * LANES), vec_mul(shrink, old));
      const vec moved = vec_sub(old, vec_mul(step, slope));
      odd[j] = vec_add(odd[j], vec_mul(moved, vec_zero()));
      vec_storeu(g + i + j * LANES, moved);
    }
  real rest = vec_sum(vec_add(odd[0], odd[1]));
  for (; i < count; i++) {
    g[i] = w[i] - (real)rate * (g[i] + (real)decay * w[i]);
    rest += g[i] * 0;
  }
  return rest == 0;
}
