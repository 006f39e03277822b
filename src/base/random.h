/* Counter-based random numbers (Philox4x32-10: Salmon et al., "Parallel random numbers: as easy as
 * 1, 2, 3", SC 2011): the n-th number of a stream needs no state, so it is the same for any number of
 * threads. Floor 0. */
#ifndef BDAG_BASE_RANDOM_H
#define BDAG_BASE_RANDOM_H

#include <stdint.h>

void bdag_philox(uint64_t seed, uint64_t stream, uint64_t counter, uint32_t result[4]);
uint64_t bdag_random_u64(uint64_t seed, uint64_t stream, uint64_t counter);
/* In [0, 1), 53 bits. */
double bdag_random_uniform(uint64_t seed, uint64_t stream, uint64_t counter);
/* Standard normal (Box–Muller). */
double bdag_random_normal(uint64_t seed, uint64_t stream, uint64_t counter);
/* Uniform in [0, bound), without bias; bound ≥ 1. */
uint64_t bdag_random_below(uint64_t seed, uint64_t stream, uint64_t counter, uint64_t bound);

#endif
