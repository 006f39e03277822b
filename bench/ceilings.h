/* What this machine can do at most, measured: multiply-adds, reading, gathering rows at random. */
#ifndef BENCH_CEILINGS_H
#define BENCH_CEILINGS_H

#include <stddef.h>
#include <stdint.h>

enum { BENCH_LEVELS = 4, BENCH_GATHERS = 5, BENCH_ROW_BYTES = 256 };

/* Index 0: one thread; index 1: `threads` threads together. */
typedef struct bench_ceilings {
  uint32_t threads;
  const char *isa;
  double fma32[2], fma64[2]; /* flop/s */
  struct {
    const char *name; /* "L1", "L2", "L3", "memory" */
    size_t bytes;     /* read by each thread, over and over */
    size_t capacity;  /* of one cache; SIZE_MAX for memory */
    double rate[2];   /* bytes/s */
  } read[BENCH_LEVELS];
  struct {
    size_t bytes;         /* out of which each thread takes rows of 256 bytes */
    double rate[2];       /* bytes/s */
    double prefetched[2]; /* with each row prefetched 32 rows ahead */
  } gather[BENCH_GATHERS];
} bench_ceilings;

/* Measures for about `seconds` in all; caches as hwloc gives them (0: unknown, defaults are taken). */
void bench_ceilings_measure(bench_ceilings *ceilings, uint32_t threads, size_t l1, size_t l2,
                            size_t l3, double seconds);

/* Peak of `threads` threads for numbers of `size` bytes. */
double bench_ceiling_fma(const bench_ceilings *ceilings, size_t size, uint32_t threads);
/* Which level holds `bytes` of work shared by `threads` threads, and its rate. */
int bench_ceiling_level(const bench_ceilings *ceilings, double bytes, uint32_t threads);
double bench_ceiling_read(const bench_ceilings *ceilings, int level, uint32_t threads);

/* Seconds that a fixed chain of multiply-adds takes (about a millisecond): how fast the processor runs
 * just now. */
double bench_pace(void);

#endif
