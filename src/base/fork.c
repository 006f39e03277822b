/* Notices forks. Floor 0. */
#include "base/fork.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/single_threaded.h>

static _Atomic int forked, warned;
static int had_threads; /* at the last fork; handlers run one after the other */

/* A process of one thread has no team that could be missing in the child. */
static void before_fork(void) {
  had_threads = !__libc_single_threaded;
}

static void in_child(void) {
  if (!had_threads) return;
  atomic_store_explicit(&forked, 1, memory_order_relaxed);
  atomic_store_explicit(&warned, 0, memory_order_relaxed);
}

static void watch(void) {
  (void)pthread_atfork(before_fork, NULL, in_child);
}

void bdag_fork_watch(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  (void)pthread_once(&once, watch);
}

int bdag_fork_is_child(void) {
  return atomic_load_explicit(&forked, memory_order_relaxed);
}

int bdag_fork_warn(void) {
  return !atomic_exchange_explicit(&warned, 1, memory_order_relaxed);
}
