/* Unions of huge plans. A source's weights for the few targets of a union mostly lie next to each other: where
 * the first one is and a byte for each say what otherwise takes four bytes for each. May include base and
 * network. */
#include "base/memory.h"
#include "plan/build.h"

/* Bytes of cells: none, a distance from the source's base, or to be looked up among the exceptions. */
#define NO_EDGE   0u
#define EXCEPTION 255u
/* At most one exception for so many cells. */
#define USUAL 64u

/* What the cells of a source are counted from: the first of them is 1. */
static uint32_t base_of(const uint32_t *slot, uint32_t readers) {
  uint32_t least = UINT32_MAX;
  for (uint32_t r = 0; r < readers; r++)
    if (slot[r] != 0 && slot[r] < least) least = slot[r];
  return least - 1;
}

static uint32_t readers_of(const bdag_union *part, uint32_t source) {
  const bdag_span span = bdag_span_of(&part->ramps, part->targets, part->sources, source);
  return span.end - span.first;
}

static uint8_t near_of(uint32_t slot, uint32_t base) {
  if (slot == 0) return NO_EDGE;
  return slot - base < EXCEPTION ? (uint8_t)(slot - base) : EXCEPTION;
}

static uint64_t count_exceptions(const bdag_plan *plan) {
  uint64_t exceptions = 0;
  for (uint32_t i = 0; i < plan->unions; i++) {
    const bdag_union *part = &plan->union_panel[i];
    const uint32_t *slot = plan->union_slot + part->entry;
    for (uint32_t k = 0; k < part->sources; k++) {
      const uint32_t readers = readers_of(part, k), base = base_of(slot, readers);
      for (uint32_t r = 0; r < readers; r++) exceptions += near_of(*slot++, base) == EXCEPTION;
    }
  }
  return exceptions;
}

static void shorten(bdag_plan *plan, const bdag_union *part) {
  uint64_t cell = part->entry;
  for (uint32_t k = 0; k < part->sources; k++) {
    const uint32_t *slot = plan->union_slot + cell, readers = readers_of(part, k);
    const uint32_t base = plan->union_base[part->list + k] = base_of(slot, readers);
    for (uint32_t r = 0; r < readers; r++, cell++) {
      const uint8_t near = plan->union_near[cell] = near_of(slot[r], base);
      if (near == EXCEPTION)
        plan->union_exception[plan->union_exceptions++] =
            (bdag_union_exception){(uint32_t)cell, slot[r]};
    }
  }
}

int bdag_shorten_unions(bdag_plan *plan) {
  const bdag_context *context = plan->context;
  const uint64_t exceptions = count_exceptions(plan);
  if (plan->unions == 0 || exceptions > plan->union_entries / USUAL) return 0;
  plan->union_base = bdag_allocate_array(context, plan->sources, sizeof *plan->union_base);
  plan->union_near = bdag_allocate_array(context, plan->union_entries, sizeof *plan->union_near);
  plan->union_exception = bdag_allocate_array(context, exceptions, sizeof *plan->union_exception);
  if (plan->union_base == NULL || plan->union_near == NULL || plan->union_exception == NULL)
    return -1;
  uint64_t discarded = 0;
  for (uint32_t i = 0; i < plan->unions; i++) {
    shorten(plan, &plan->union_panel[i]);
    discarded = bdag_discard(plan->union_slot, discarded,
                             plan->union_panel[i].entry * sizeof *plan->union_slot);
  }
  bdag_free(context, plan->union_slot);
  plan->union_slot = NULL;
  return 0;
}

static uint32_t find_exception(const bdag_plan *plan, uint64_t cell) {
  uint64_t low = 0, high = plan->union_exceptions;
  while (high - low > 1) {
    const uint64_t middle = low + (high - low) / 2;
    if (plan->union_exception[middle].cell <= cell)
      low = middle;
    else
      high = middle;
  }
  return plan->union_exception[low].slot;
}

static inline uint32_t slot_of(const bdag_plan *plan, uint32_t base, uint64_t cell) {
  const uint32_t near = plan->union_near[cell];
  if (near == EXCEPTION) return find_exception(plan, cell);
  return near == NO_EDGE ? 0 : base + near;
}

/* First cell of a source. */
static uint64_t cell_of(const bdag_union *part, uint32_t source) {
  return part->entry + bdag_ramp_cells_before(&part->ramps, part->targets, part->sources, source);
}

uint32_t bdag_plan_union_slots(const bdag_plan *plan, const bdag_union *part, uint32_t source,
                               uint32_t sources, uint32_t *slot) {
  const uint64_t first = cell_of(part, source);
  uint64_t cell = first;
  for (uint32_t k = source; k < source + sources; k++) {
    const uint32_t base = plan->union_base[part->list + k];
    for (uint32_t readers = readers_of(part, k); readers > 0; readers--)
      *slot++ = slot_of(plan, base, cell++);
  }
  return (uint32_t)(cell - first);
}

uint32_t bdag_plan_union_slot(const bdag_plan *plan, const bdag_union *part, uint32_t source,
                              uint32_t target) {
  const bdag_span span = bdag_span_of(&part->ramps, part->targets, part->sources, source);
  if (target < span.first || target >= span.end) return 0;
  const uint64_t cell = cell_of(part, source) + target - span.first;
  if (plan->union_slot != NULL) return plan->union_slot[cell];
  return slot_of(plan, plan->union_base[part->list + source], cell);
}
