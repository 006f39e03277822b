/* Memory, random numbers and the clock of the bench. */
#include "bench_base.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

void bench_die(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("backdag-bench: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
  exit(1);
}

void *bench_allocate(uint64_t count, size_t size) {
  const size_t page = (size_t)2 << 20;
  size_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX - page)
    bench_die("a case is too large for this machine's memory");
  const size_t alignment = bytes >= page ? page : 64;
  void *memory = NULL;
  if (posix_memalign(&memory, alignment, bytes > 0 ? bytes : 1) != 0)
    bench_die("out of memory (%zu bytes wanted)", bytes);
  if (alignment == page) madvise(memory, bytes, MADV_HUGEPAGE);
  memset(memory, 0, bytes);
  return memory;
}

void bench_free(void *memory) {
  free(memory);
}

char *bench_format(const char *format, ...) {
  va_list arguments;
  char *text = NULL;
  va_start(arguments, format);
  const int length = vasprintf(&text, format, arguments);
  va_end(arguments);
  if (length < 0) bench_die("out of memory");
  return text;
}

/* SplitMix64: G. Steele et al., "Fast splittable pseudorandom number generators", OOPSLA 2014. */
uint64_t bench_random_next(bench_random *random) {
  uint64_t z = random->state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

double bench_random_uniform(bench_random *random) {
  return (double)(bench_random_next(random) >> 11) * 0x1p-53;
}

double bench_random_normal(bench_random *random) {
  const double radius = sqrt(-2.0 * log(1.0 - bench_random_uniform(random)));
  return radius * cos(2.0 * 3.14159265358979323846 * bench_random_uniform(random));
}

uint64_t bench_random_below(bench_random *random, uint64_t bound) {
  return (uint64_t)(((unsigned __int128)bench_random_next(random) * bound) >> 64);
}

void bench_random_permutation(bench_random *random, uint64_t count, uint64_t *permutation) {
  for (uint64_t i = 0; i < count; i++) {
    const uint64_t j = bench_random_below(random, i + 1);
    permutation[i] = permutation[j];
    permutation[j] = i;
  }
}

double bench_now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}
