/* An allocator for tests: counts live blocks and refuses chosen requests. Not for several threads. */
#ifndef TESTS_COUNTING_ALLOCATOR_H
#define TESTS_COUNTING_ALLOCATOR_H

#include <stdint.h>
#include <stdlib.h>

#include <backdag/context.h>

typedef struct counting_allocator {
  uint64_t requests; /* so far */
  uint64_t live;     /* blocks not yet released */
  uint64_t fail_at;  /* index of the first request to refuse; UINT64_MAX: none */
  int for_ever;      /* refuse all from there on, not only that one */
  uint64_t refused;
} counting_allocator;

static inline void *counting_allocate(void *user, size_t size) {
  counting_allocator *const counter = user;
  const uint64_t index = counter->requests++;
  if (index == counter->fail_at || (counter->for_ever && index > counter->fail_at)) {
    counter->refused++;
    return NULL;
  }
  void *const block = malloc(size);
  if (block != NULL) counter->live++;
  return block;
}

static inline void counting_release(void *user, void *memory) {
  counting_allocator *const counter = user;
  if (memory != NULL) counter->live--;
  free(memory);
}

static inline bdag_allocator counting_allocator_hook(counting_allocator *counter) {
  *counter = (counting_allocator){.fail_at = UINT64_MAX};
  return (bdag_allocator){counting_allocate, counting_release, counter};
}

#endif
