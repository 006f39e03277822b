/* A place where all threads of a team wait for each other: they spin for some microseconds, and only if
 * somebody is later than that they sleep in OpenMP's barrier. Floor 3. */
#ifndef BDAG_RUNTIME_MEETING_H
#define BDAG_RUNTIME_MEETING_H

#include <stdatomic.h>
#include <stdint.h>

/* As long as waking a sleeping thread takes: some tens of microseconds. */
#define BDAG_PATIENCE 1000u

typedef struct bdag_meeting {
  _Alignas(64) _Atomic uint32_t here; /* threads, and BDAG_ASLEEP once somebody sleeps */
} bdag_meeting;
#define BDAG_ASLEEP UINT32_C(0x80000000)

/* Before the team begins; a meeting serves once. */
static inline void bdag_meeting_prepare(bdag_meeting *meeting) {
  atomic_store_explicit(&meeting->here, 0, memory_order_relaxed);
}

/* Called by every thread of the team. `patience`: turns to spin. */
void bdag_meet(bdag_meeting *meeting, uint32_t team, uint32_t patience);

static inline void bdag_relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

#endif
