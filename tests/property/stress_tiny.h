/* Very many very small passes from several application threads, which cancel each other's now and then. */
#ifndef BDAG_TEST_STRESS_TINY_H
#define BDAG_TEST_STRESS_TINY_H

#include "stress_subject.h"

/* Forward and backward passes that ran to their end, at least. */
#define STRESS_TINY_PASSES UINT64_C(10000)

typedef struct stress_tiny_counts {
  uint64_t passes, cancelled, wrong; /* wrong: another status or other numbers */
} stress_tiny_counts;

stress_tiny_counts stress_tiny(const property_world *world);

#endif
