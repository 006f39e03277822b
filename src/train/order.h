/* Which samples, in which order. Floor 4; pure functions of seeds. */
#ifndef BDAG_TRAIN_ORDER_H
#define BDAG_TRAIN_ORDER_H

#include <stdint.h>

/* Moves `chosen` of the `count` ids, drawn by seed, to `taken` and leaves the rest at the front of
 * `ids`; both keep their order. Every subset is equally likely. chosen ≤ count. */
void bdag_order_split(uint64_t seed, uint64_t count, uint64_t *ids, uint64_t chosen,
                      uint64_t *taken);

/* Writes a permutation of ids[count] to `shuffled`; it depends on seed and epoch only. */
void bdag_order_shuffle(uint64_t seed, uint64_t epoch, uint64_t count, const uint64_t *ids,
                        uint64_t *shuffled);

#endif
