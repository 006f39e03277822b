/* The order of the sources of a union, or of the successors of a bundle: those that only the first
 * targets read, those that all read, those that only the last ones read, as where windows slide. Then no
 * zeros are stored for them. May include kernel.h. */
#include <string.h>

#include "plan/build.h"

#define MOST_OF_A_RAMP UINT8_MAX
#define CLASSES        (2 * BDAG_UNION_TARGETS - 1)

/* Place of a source in the order of its readers: ramps up, all (or others), ramps down. */
static uint32_t class_of(uint32_t readers, uint32_t targets) {
  const uint32_t all = (1u << targets) - 1;
  for (uint32_t i = 1; i < targets; i++) {
    if (readers == (1u << i) - 1) return i - 1;
    if (readers == (all & ~((1u << i) - 1))) return targets - 1 + i;
  }
  return targets - 1;
}

bdag_ramps bdag_order_by_readers(uint32_t *source, uint32_t sources, uint32_t targets,
                                 const uint32_t *readers, uint32_t *space) {
  uint32_t count[CLASSES] = {0}, next[CLASSES];
  const uint32_t middle = targets - 1;
  for (uint32_t k = 0; k < sources; k++) count[class_of(readers[source[k]], targets)]++;
  for (uint32_t c = 0; c < CLASSES; c++) {
    if (c == middle || count[c] <= MOST_OF_A_RAMP) continue;
    count[middle] += count[c]; /* none of them: each class is cut off as a whole */
    count[c] = 0;
  }
  next[0] = 0;
  for (uint32_t c = 1; c < CLASSES; c++) next[c] = next[c - 1] + count[c - 1];
  for (uint32_t k = 0; k < sources; k++) {
    const uint32_t c = class_of(readers[source[k]], targets);
    space[next[count[c] > 0 ? c : middle]++] = source[k];
  }
  memcpy(source, space, sources * sizeof *source);
  bdag_ramps ramps = {{0}, {0}};
  for (uint32_t i = 0; i + 1 < targets; i++) {
    ramps.rise[i] = (uint8_t)count[i];
    ramps.fall[i] = (uint8_t)count[middle + 1 + i];
  }
  return ramps;
}

void bdag_place_by_readers(const bdag_ramps *ramps, const uint32_t *source, uint32_t sources,
                           uint32_t targets, uint32_t *place) {
  uint32_t cell = 0;
  for (uint32_t k = 0; k < sources; k++) {
    const bdag_span span = bdag_span_of(ramps, targets, sources, k);
    place[source[k]] = cell - span.first;
    cell += span.end - span.first;
  }
}
