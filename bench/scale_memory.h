/* What a process and the library hold. */
#ifndef BENCH_SCALE_MEMORY_H
#define BENCH_SCALE_MEMORY_H

#include <backdag/backdag.h>

/* An allocator that counts and that refuses more than `limit` bytes (0: no limit). Live and peak change
 * with every call, from any thread. */
typedef struct bench_counter {
  uint64_t limit;
  _Atomic uint64_t live, peak;
} bench_counter;

/* The allocator refers to the counter. */
bdag_allocator bench_counting_allocator(bench_counter *counter);
/* The peak becomes what is live now. */
void bench_counter_restart(bench_counter *counter);

/* VmRSS and VmHWM of this process in bytes, 0 where the system does not tell. */
uint64_t bench_resident(void);
uint64_t bench_resident_peak(void);

#endif
