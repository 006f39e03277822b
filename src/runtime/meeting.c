/* Waiting for the team. May include what its header includes. */
#include "runtime/meeting.h"

void bdag_meet(bdag_meeting *meeting, uint32_t team, uint32_t patience) {
  /* release: what this thread wrote; acquire: what those before it wrote */
  uint32_t seen = atomic_fetch_add_explicit(&meeting->here, 1, memory_order_acq_rel) + 1;
  for (uint32_t turn = 0; seen < team; turn++) {
    if (turn < patience) {
      bdag_relax();
      seen = atomic_load_explicit(&meeting->here, memory_order_acquire);
    } else if (atomic_compare_exchange_weak_explicit(&meeting->here, &seen, seen | BDAG_ASLEEP,
                                                     memory_order_acq_rel, memory_order_acquire)) {
      seen |= BDAG_ASLEEP;
    }
  }
  /* Marked only while somebody was missing, so that all see the mark or nobody does. */
  if (seen & BDAG_ASLEEP) {
#pragma omp barrier
  }
}
