/* What the kernel tests share: the kernels of this machine, rows of either type, units of roundoff.
 * Rows are handled as numbers of a type behind void pointers; references are long double. */
#ifndef BDAG_TESTS_KERNEL_CHECK_H
#define BDAG_TESTS_KERNEL_CHECK_H

#include "kernel/kernel.h"

#define ROW_LIMIT 288

/* A row with room for more than any test uses, so that writes beyond `count` are seen. */
typedef struct row {
  _Alignas(64) unsigned char bytes[ROW_LIMIT * sizeof(double)];
} row;

/* Kernels number `index` of this processor, all instruction sets × both types; NULL after the last. */
const bdag_kernels *kernels_at(int index);
/* E.g. "avx2 f32". */
const char *kernels_name(const bdag_kernels *kernels);

size_t element_size(bdag_type type);
long double get(bdag_type type, const void *numbers, size_t i);
void set(bdag_type type, void *numbers, size_t i, long double value);
long double rounded(bdag_type type, long double value);
/* Equal bits, or both NaN. */
int same(bdag_type type, const void *a, size_t i, const void *b, size_t j);

/* Half the distance from 1 to the next number; the smallest normal number. */
long double unit_roundoff(bdag_type type);
long double smallest_normal(bdag_type type);
/* Distance of neighbours of that type at `value`. */
long double unit_in_last_place(bdag_type type, long double value);

/* xorshift64*; a test begins with its own seed. */
typedef struct generator {
  uint64_t state;
} generator;
uint64_t next(generator *random);
double uniform(generator *random, double low, double high);
uint32_t below(generator *random, uint32_t bound);

/* Nanoseconds of every kernel, to standard output. */
int kernel_benchmark(void);

#endif
