/* Threads of the OpenMP runtime stay the same while the team keeps its size, so that what is bound here
 * are the library's workers. */
#include "pin.h"

#include <omp.h>
#include <sched.h>

static cpu_set_t before;
static uint32_t pinned; /* threads, 0: none */

static void bind_to_nth(uint32_t n) {
  n %= (uint32_t)CPU_COUNT(&before);
  for (int p = 0; p < CPU_SETSIZE; p++) {
    if (!CPU_ISSET(p, &before) || n-- > 0) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(p, &one);
    sched_setaffinity(0, sizeof one, &one);
    return;
  }
}

void bench_pin_team(uint32_t threads) {
  if (pinned > 0 || sched_getaffinity(0, sizeof before, &before) != 0) return;
  pinned = threads;
  if (threads <= 1) {
    bind_to_nth(0);
    return;
  }
#pragma omp parallel num_threads((int)threads)
  bind_to_nth((uint32_t)omp_get_thread_num());
}

void bench_unpin_team(void) {
  if (pinned > 1) {
#pragma omp parallel num_threads((int)pinned)
    sched_setaffinity(0, sizeof before, &before);
  } else if (pinned == 1) {
    sched_setaffinity(0, sizeof before, &before);
  }
  pinned = 0;
}
