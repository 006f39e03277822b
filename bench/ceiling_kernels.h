/* The loops behind the ceilings. */
#ifndef BENCH_CEILING_KERNELS_H
#define BENCH_CEILING_KERNELS_H

#include <stddef.h>
#include <stdint.h>

typedef struct bench_ceiling_kernels {
  const char *isa;
  /* Do `rounds` rounds and return the flops done. */
  double (*fma32)(uint64_t rounds);
  double (*fma64)(uint64_t rounds);
  /* Reads `bytes` (a multiple of 1024) and returns something of them. */
  uint64_t (*read)(const void *memory, size_t bytes);
  /* Reads rows[index[i]] of 256 bytes, each prefetched `ahead` rows before (0: not at all);
   * index has `count` + `ahead` entries. */
  uint64_t (*gather)(const void *memory, const uint32_t *index, size_t count, size_t ahead);
  /* The same with a result in memory, as a pass has: rows first … first+targets−1 become the or of about
   * `count` / `targets` rows each (target i of those up to index count·(i+1)/targets). */
  void (*gather_list)(void *memory, const uint32_t *index, size_t count, size_t first,
                      size_t targets, size_t ahead);
} bench_ceiling_kernels;

/* The best for this processor. */
const bench_ceiling_kernels *bench_ceiling_kernels_get(void);

#endif
