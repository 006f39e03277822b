/* Counting what the library allocates, and reading what the system says. */
#include "scale_memory.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER = 16 };

static void *allocate(void *user, size_t size) {
  bench_counter *counter = user;
  if (size > SIZE_MAX - HEADER) return NULL;
  const uint64_t live = atomic_fetch_add(&counter->live, size) + size;
  char *block = counter->limit > 0 && live > counter->limit ? NULL : malloc(size + HEADER);
  if (block == NULL) {
    atomic_fetch_sub(&counter->live, size);
    return NULL;
  }
  uint64_t peak = atomic_load(&counter->peak);
  while (live > peak && !atomic_compare_exchange_weak(&counter->peak, &peak, live)) {
  }
  memcpy(block, &size, sizeof size);
  return block + HEADER;
}

static void release(void *user, void *memory) {
  bench_counter *counter = user;
  if (memory == NULL) return;
  size_t size;
  memcpy(&size, (char *)memory - HEADER, sizeof size);
  atomic_fetch_sub(&counter->live, size);
  free((char *)memory - HEADER);
}

bdag_allocator bench_counting_allocator(bench_counter *counter) {
  return (bdag_allocator){allocate, release, counter};
}

void bench_counter_restart(bench_counter *counter) {
  atomic_store(&counter->peak, atomic_load(&counter->live));
}

static uint64_t status_field(const char *name) {
  FILE *file = fopen("/proc/self/status", "r");
  if (file == NULL) return 0;
  char line[256];
  unsigned long long kilobytes = 0;
  const size_t length = strlen(name);
  while (fgets(line, sizeof line, file) != NULL)
    if (strncmp(line, name, length) == 0) sscanf(line + length, ": %llu", &kilobytes);
  fclose(file);
  return (uint64_t)kilobytes * 1024;
}

uint64_t bench_resident(void) {
  return status_field("VmRSS");
}

uint64_t bench_resident_peak(void) {
  return status_field("VmHWM");
}
