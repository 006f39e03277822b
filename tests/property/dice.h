/* Random numbers of the tests: a generator of their own (SplitMix64: Steele, Lea and Flood, "Fast
 * splittable pseudorandom number generators", OOPSLA 2014), so that seeds mean the same for good. */
#ifndef PROPERTY_DICE_H
#define PROPERTY_DICE_H

#include <stddef.h>
#include <stdint.h>

typedef struct dice {
  uint64_t state;
} dice;

/* Independent dice for each seed and stream. */
dice dice_make(uint64_t seed, uint64_t stream);
uint64_t dice_next(dice *dice);
size_t dice_below(dice *dice, size_t bound);              /* 0 … bound − 1, bound ≥ 1 */
size_t dice_between(dice *dice, size_t low, size_t high); /* both included */
double dice_uniform(dice *dice);                          /* [0, 1) */
double dice_normal(dice *dice);
int dice_chance(dice *dice, double probability);
/* A random order of 0 … count − 1. */
void dice_shuffle(dice *dice, size_t count, uint32_t *order);

#endif
