/* Which samples, in which order: the validation split and the shuffling. May include base. */
#include "train/order.h"

#include "base/random.h"

/* Streams of the generator: one for the split, one an epoch for shuffling. */
#define STREAM_SPLIT   ((uint64_t)0x53504c49 << 32)
#define STREAM_SHUFFLE ((uint64_t)0x53485546 << 32)

/* Selection sampling: D. Knuth, The Art of Computer Programming 2, section 3.4.2, algorithm S. */
void bdag_order_split(uint64_t seed, uint64_t count, uint64_t *ids, uint64_t chosen,
                      uint64_t *taken) {
  uint64_t drawn = 0, kept = 0;
  for (uint64_t i = 0; i < count; i++) {
    const uint64_t wanted = chosen - drawn;
    if (wanted > 0 && bdag_random_below(seed, STREAM_SPLIT, i, count - i) < wanted) {
      taken[drawn++] = ids[i];
    } else {
      ids[kept++] = ids[i];
    }
  }
}

/* Fisher–Yates from the inside out: it starts at the given order in every epoch, so that an epoch's
 * order does not depend on the epochs before it. */
void bdag_order_shuffle(uint64_t seed, uint64_t epoch, uint64_t count, const uint64_t *ids,
                        uint64_t *shuffled) {
  for (uint64_t i = 0; i < count; i++) {
    const uint64_t j = bdag_random_below(seed, STREAM_SHUFFLE + epoch, i, i + 1);
    if (j != i) shuffled[i] = shuffled[j];
    shuffled[j] = ids[i];
  }
}
