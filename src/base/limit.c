/* Trying is exact: counting a user's tasks would have to know user namespaces, privileges, limits on
 * memory and every controller. Floor 0. */
#include "base/limit.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

#include "base/cgroup.h"

enum { MOST_THREADS = 1024 };

/* Lives until the gate opens. */
static void *wait_at(void *gate) {
  pthread_mutex_lock(gate);
  pthread_mutex_unlock(gate);
  return NULL;
}

/* The caller's signals are not for these threads. */
static int block_signals(pthread_attr_t *attributes) {
  sigset_t all;
  sigfillset(&all);
  return pthread_attr_setsigmask_np(attributes, &all);
}

uint32_t bdag_limit_try(uint32_t count) {
  pthread_t thread[MOST_THREADS];
  pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
  pthread_attr_t attributes;
  uint32_t made = 0;
  if (count > MOST_THREADS) count = MOST_THREADS;
  if (pthread_attr_init(&attributes) != 0) return 0;
  pthread_mutex_lock(&gate);
  if (block_signals(&attributes) == 0)
    while (made < count && pthread_create(&thread[made], &attributes, wait_at, &gate) == 0) made++;
  pthread_mutex_unlock(&gate);
  for (uint32_t i = 0; i < made; i++) pthread_join(thread[i], NULL);
  pthread_attr_destroy(&attributes);
  return made;
}

void bdag_limit_describe(const char *root, char *text, size_t size) {
  struct rlimit limit;
  const uint64_t left = bdag_cgroup_tasks_left(root);
  char processes[64] = "no RLIMIT_NPROC", group[64] = "no pids.max";
  if (getrlimit(RLIMIT_NPROC, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
    snprintf(processes, sizeof processes, "RLIMIT_NPROC is %" PRIu64, (uint64_t)limit.rlim_cur);
  if (left != UINT64_MAX) snprintf(group, sizeof group, "pids.max leaves %" PRIu64, left);
  snprintf(text, size, "%s; %s", processes, group);
}
