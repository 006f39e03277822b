/* What every file of the bench uses: memory that ends the program when there is none, random numbers,
 * the clock. The bench is a tool above the library and includes only the public headers. */
#ifndef BENCH_BASE_H
#define BENCH_BASE_H

#include <stddef.h>
#include <stdint.h>

/* Prints "backdag-bench: …" to stderr and ends the program with status 1. */
__attribute__((noreturn, format(printf, 1, 2))) void bench_die(const char *format, ...);
/* `count` zeroed elements of `size` bytes, aligned to 64; ends the program when there is no memory. */
void *bench_allocate(uint64_t count, size_t size);
void bench_free(void *memory);
char *bench_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

typedef struct bench_random {
  uint64_t state;
} bench_random;

uint64_t bench_random_next(bench_random *random);
/* In [0, 1). */
double bench_random_uniform(bench_random *random);
double bench_random_normal(bench_random *random);
/* In [0, bound). */
uint64_t bench_random_below(bench_random *random, uint64_t bound);
/* permutation[i] of 0 … count−1. */
void bench_random_permutation(bench_random *random, uint64_t count, uint64_t *permutation);

/* Seconds of a monotonic clock. */
double bench_now(void);

#endif
