/* Philox4x32-10 with key = seed and 128-bit counter = (counter, stream). Floor 0. */
#include "base/random.h"

#include <math.h>

enum { ROUNDS = 10 };

void bdag_philox(uint64_t seed, uint64_t stream, uint64_t counter, uint32_t result[4]) {
  uint32_t key0 = (uint32_t)seed, key1 = (uint32_t)(seed >> 32);
  uint32_t x0 = (uint32_t)counter, x1 = (uint32_t)(counter >> 32);
  uint32_t x2 = (uint32_t)stream, x3 = (uint32_t)(stream >> 32);
  for (int round = 0; round < ROUNDS; round++) {
    const uint64_t product0 = (uint64_t)UINT32_C(0xD2511F53) * x0;
    const uint64_t product1 = (uint64_t)UINT32_C(0xCD9E8D57) * x2;
    const uint32_t y0 = (uint32_t)(product1 >> 32) ^ x1 ^ key0;
    const uint32_t y2 = (uint32_t)(product0 >> 32) ^ x3 ^ key1;
    x1 = (uint32_t)product1;
    x3 = (uint32_t)product0;
    x0 = y0;
    x2 = y2;
    key0 += UINT32_C(0x9E3779B9);
    key1 += UINT32_C(0xBB67AE85);
  }
  result[0] = x0;
  result[1] = x1;
  result[2] = x2;
  result[3] = x3;
}

static uint64_t join(uint32_t low, uint32_t high) {
  return (uint64_t)high << 32 | low;
}

uint64_t bdag_random_u64(uint64_t seed, uint64_t stream, uint64_t counter) {
  uint32_t word[4];
  bdag_philox(seed, stream, counter, word);
  return join(word[0], word[1]);
}

double bdag_random_uniform(uint64_t seed, uint64_t stream, uint64_t counter) {
  return (double)(bdag_random_u64(seed, stream, counter) >> 11) * 0x1p-53;
}

double bdag_random_normal(uint64_t seed, uint64_t stream, uint64_t counter) {
  static const double two_pi = 6.283185307179586477;
  uint32_t word[4];
  bdag_philox(seed, stream, counter, word);
  const double radius = (double)((join(word[0], word[1]) >> 11) + 1) * 0x1p-53; /* (0, 1] */
  const double angle = (double)(join(word[2], word[3]) >> 11) * 0x1p-53;
  return sqrt(-2.0 * log(radius)) * cos(two_pi * angle);
}

/* Lemire, "Fast random integer generation in an interval" (2019): the high half of random · bound,
 * refusing the 2^64 mod bound lowest products. Each refusal draws under another key. */
uint64_t bdag_random_below(uint64_t seed, uint64_t stream, uint64_t counter, uint64_t bound) {
  const uint64_t refused = -bound % bound;
  for (;;) {
    uint32_t word[4];
    bdag_philox(seed, stream, counter, word);
    for (int half = 0; half < 2; half++) {
      const unsigned __int128 product =
          (unsigned __int128)join(word[2 * half], word[2 * half + 1]) * bound;
      if ((uint64_t)product >= refused) return (uint64_t)(product >> 64);
    }
    seed += UINT64_C(0x9E3779B97F4A7C15);
  }
}
