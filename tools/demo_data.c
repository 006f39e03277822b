/* Data for tools/demo: noisy points on the arms of a spiral, as CSV: x, y, arm. Not installed. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t state;

static double uniform(void) { /* splitmix64 */
  uint64_t z = state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

static double normal(void) {
  return sqrt(-2 * log(1 - uniform())) * cos(6.283185307179586 * uniform());
}

int main(int argc, char **argv) {
  if (argc != 4) {
    fputs("Usage: demo-data SAMPLES ARMS SEED\n", stderr);
    return 2;
  }
  const long samples = atol(argv[1]), arms = atol(argv[2]);
  state = strtoull(argv[3], NULL, 10);
  if (samples < 1 || arms < 1) return 2;
  puts("x,y,arm");
  for (long i = 0; i < samples; i++) {
    const long arm = i % arms;
    const double way = sqrt(uniform());
    const double angle = 6.283185307179586 * ((double)arm / (double)arms + 1.5 * way);
    const double radius = 0.1 + 0.9 * way;
    printf("%.6f,%.6f,%ld\n", 2 * radius * cos(angle) + 0.05 * normal(),
           2 * radius * sin(angle) + 0.05 * normal(), arm);
  }
  return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
