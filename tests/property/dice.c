/* See dice.h. */
#include "dice.h"

#include <math.h>

static uint64_t mix(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

dice dice_make(uint64_t seed, uint64_t stream) {
  return (dice){mix(mix(seed + 0x9e3779b97f4a7c15u) + 0x9e3779b97f4a7c15u * (stream + 1))};
}

uint64_t dice_next(dice *dice) {
  return mix(dice->state += 0x9e3779b97f4a7c15u);
}

size_t dice_below(dice *dice, size_t bound) {
  return (size_t)(dice_uniform(dice) * (double)bound);
}

size_t dice_between(dice *dice, size_t low, size_t high) {
  return low + dice_below(dice, high - low + 1);
}

double dice_uniform(dice *dice) {
  return (double)(dice_next(dice) >> 11) * 0x1p-53;
}

double dice_normal(dice *dice) {
  const double radius = sqrt(-2 * log(1 - dice_uniform(dice)));
  return radius * cos(2 * M_PI * dice_uniform(dice));
}

int dice_chance(dice *dice, double probability) {
  return dice_uniform(dice) < probability;
}

void dice_shuffle(dice *dice, size_t count, uint32_t *order) {
  for (size_t i = 0; i < count; i++) {
    const size_t j = dice_below(dice, i + 1);
    order[i] = order[j];
    order[j] = (uint32_t)i;
  }
}
