/* Helpers of the kernel tests. */
#include "kernel_check.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/context_internal.h"
#include "base/cpu.h"

const bdag_kernels *kernels_at(int index) {
  for (int isa = BDAG_ISA_BASELINE; isa <= BDAG_ISA_NEON; isa++) {
    if (!bdag_isa_available((bdag_isa)isa)) continue;
    /* with NEON, baseline is another name of it */
    if (isa == BDAG_ISA_BASELINE && bdag_isa_available(BDAG_ISA_NEON)) continue;
    if (index < 2) return bdag_kernels_get((bdag_isa)isa, index == 0 ? BDAG_FLOAT32 : BDAG_FLOAT64);
    index -= 2;
  }
  return NULL;
}

const char *kernels_name(const bdag_kernels *kernels) {
  static char name[32];
  snprintf(name, sizeof name, "%s f%d", bdag_isa_name(kernels->isa),
           kernels->type == BDAG_FLOAT32 ? 32 : 64);
  return name;
}

long double rounded(bdag_type type, long double value) {
  return type == BDAG_FLOAT32 ? (long double)(float)value : (long double)(double)value;
}

int same(bdag_type type, const void *a, size_t i, const void *b, size_t j) {
  const size_t size = element_size(type);
  const char *const x = (const char *)a + i * size, *const y = (const char *)b + j * size;
  return memcmp(x, y, size) == 0 || (isnan(get(type, a, i)) && isnan(get(type, b, j)));
}

long double unit_roundoff(bdag_type type) {
  return type == BDAG_FLOAT32 ? 0x1p-24L : 0x1p-53L;
}

long double smallest_normal(bdag_type type) {
  return type == BDAG_FLOAT32 ? (long double)FLT_MIN : (long double)DBL_MIN;
}

long double unit_in_last_place(bdag_type type, long double value) {
  int exponent;
  frexpl(fmaxl(fabsl(value), smallest_normal(type)), &exponent);
  return ldexpl(unit_roundoff(type), exponent);
}

uint64_t next(generator *random) {
  random->state ^= random->state >> 12;
  random->state ^= random->state << 25;
  random->state ^= random->state >> 27;
  return random->state * UINT64_C(0x2545F4914F6CDD1D);
}

double uniform(generator *random, double low, double high) {
  return low + (high - low) * ((double)(next(random) >> 11) * 0x1p-53);
}

uint32_t below(generator *random, uint32_t bound) {
  return (uint32_t)((next(random) >> 32) * bound >> 32);
}

void fill_numbers(generator *random, bdag_type type, void *numbers, size_t count) {
  for (size_t i = 0; i < count; i++)
    set(type, numbers, i, ldexp(uniform(random, -1, 1), (int)below(random, 9) - 4));
}

void set_nan(bdag_type type, void *numbers, size_t count) {
  for (size_t i = 0; i < count; i++) set(type, numbers, i, NAN);
}

void add_dot(bdag_type type, exact_sum *x, const void *a, const void *b, size_t count) {
  for (size_t t = 0; t < count; t++) add_product(x, get(type, a, t), get(type, b, t));
}

int is_close(bdag_type type, long double value, const exact_sum *expected) {
  const long double bound =
      (long double)(expected->operations + 2) * unit_roundoff(type) * expected->terms;
  return fabsl(value - expected->sum) <= bound;
}

unsigned char *guarded_end(size_t capacity) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE), size = (capacity + page - 1) / page * page;
  unsigned char *const begin =
      mmap(NULL, size + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (begin == MAP_FAILED || mprotect(begin + size, page, PROT_NONE) != 0) {
    perror("guarded_end");
    _exit(1);
  }
  return begin + size;
}

bdag_ramps draw_ramps(generator *random, uint32_t targets, uint32_t most) {
  bdag_ramps ramps = {{0}, {0}};
  for (uint32_t i = 0; i + 1 < targets; i++) {
    ramps.rise[i] = (uint8_t)(most == 1 ? 1 : below(random, most + 1));
    ramps.fall[i] = (uint8_t)(most == 1 ? 1 : below(random, most + 1));
  }
  return ramps;
}
