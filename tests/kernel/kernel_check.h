/* What the kernel tests share: the kernels of this machine, rows of either type, units of roundoff.
 * Rows are handled as numbers of a type behind void pointers; references are long double. */
#ifndef BDAG_TESTS_KERNEL_CHECK_H
#define BDAG_TESTS_KERNEL_CHECK_H

#include <math.h>

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

static inline size_t element_size(bdag_type type) {
  return type == BDAG_FLOAT32 ? sizeof(float) : sizeof(double);
}

static inline long double get(bdag_type type, const void *numbers, size_t i) {
  return type == BDAG_FLOAT32 ? (long double)((const float *)numbers)[i]
                              : (long double)((const double *)numbers)[i];
}

static inline void set(bdag_type type, void *numbers, size_t i, long double value) {
  if (type == BDAG_FLOAT32)
    ((float *)numbers)[i] = (float)value;
  else
    ((double *)numbers)[i] = (double)value;
}

/* numbers + elements */
static inline void *plus(bdag_type type, const void *numbers, size_t elements) {
  return (unsigned char *)numbers + elements * element_size(type);
}

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

/* Numbers of both signs and of different sizes. */
void fill_numbers(generator *random, bdag_type type, void *numbers, size_t count);

void set_nan(bdag_type type, void *numbers, size_t count);

/* A sum of products, and the sum of their absolute values that bounds its error. */
typedef struct exact_sum {
  long double sum, terms;
  size_t operations;
} exact_sum;

static inline void add_product(exact_sum *x, long double a, long double b) {
  x->sum += a * b;
  x->terms += fabsl(a * b);
  x->operations++;
}

/* ⟨a, b⟩ of `count` numbers. */
void add_dot(bdag_type type, exact_sum *x, const void *a, const void *b, size_t count);

/* Whether `value` is within the bound of any order of sums, fused or not. */
int is_close(bdag_type type, long double value, const exact_sum *expected);

/* Up to `most` sources a step of the ramps of so many targets; with `most` 1, all steps alike. */
bdag_ramps draw_ramps(generator *random, uint32_t targets, uint32_t most);

/* The end of `capacity` bytes behind which nothing may be read or written; never freed. */
unsigned char *guarded_end(size_t capacity);

/* Nanoseconds of every kernel, to standard output. */
int kernel_benchmark(void);

#endif
