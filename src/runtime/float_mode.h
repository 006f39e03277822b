/* The floating-point mode of a thread during a pass: round to nearest, no traps, and flush-to-zero as
 * the engine wants it; the caller's mode comes back afterwards. Floor 3. */
#ifndef BDAG_RUNTIME_FLOAT_MODE_H
#define BDAG_RUNTIME_FLOAT_MODE_H

#include <stdint.h>

#if defined(__x86_64__)
#include <immintrin.h>

static inline uint64_t bdag_float_mode_enter(int flush_to_zero) {
  const unsigned saved = _mm_getcsr();
  /* all exceptions masked (0x1f80), rounding to nearest; 0x8040: flush results and operands to zero */
  _mm_setcsr(0x1f80u | (flush_to_zero ? 0x8040u : 0u));
  return saved;
}

static inline void bdag_float_mode_leave(uint64_t saved) {
  _mm_setcsr((unsigned)saved);
}

#elif defined(__aarch64__)

static inline uint64_t bdag_float_mode_enter(int flush_to_zero) {
  uint64_t saved;
  __asm__ volatile("mrs %0, fpcr" : "=r"(saved));
  __asm__ volatile("msr fpcr, %0" ::"r"(flush_to_zero ? UINT64_C(1) << 24 : UINT64_C(0)));
  return saved;
}

static inline void bdag_float_mode_leave(uint64_t saved) {
  __asm__ volatile("msr fpcr, %0" ::"r"(saved));
}

#else
#error "backdag supports x86-64 and aarch64"
#endif

#endif
