/* Random numbers of the tool: splitmix64 (Steele, Lea and Flood 2014). */
#include <math.h>

#include "cli.h"

static uint64_t scramble(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

uint64_t cli_random_next(cli_random *random) {
  random->state += 0x9e3779b97f4a7c15u;
  return scramble(random->state);
}

uint64_t cli_random_below(cli_random *random, uint64_t bound) {
  /* Numbers above the largest multiple of `bound` would favour the small results. */
  const uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
  uint64_t value = cli_random_next(random);
  while (value >= limit) value = cli_random_next(random);
  return value % bound;
}

double cli_random_uniform(cli_random *random) {
  return (double)(cli_random_next(random) >> 11) * 0x1p-53;
}

double cli_random_normal(cli_random *random) {
  const double radius = sqrt(-2.0 * log(1.0 - cli_random_uniform(random)));
  return radius * cos(6.283185307179586 * cli_random_uniform(random));
}

uint64_t cli_random_mix(uint64_t seed, uint64_t index) {
  return scramble(scramble(seed + 0x9e3779b97f4a7c15u) + index * 0x9e3779b97f4a7c15u);
}
