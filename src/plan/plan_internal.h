/* The plan's fields. Floor 2; may include base, network, kernel. */
#ifndef BDAG_PLAN_INTERNAL_H
#define BDAG_PLAN_INTERNAL_H

#include <backdag/plan.h>

#include "kernel/kernel.h"
#include "network/network_internal.h"

typedef struct bdag_range {
  uint64_t first, count;
} bdag_range;

#endif
