/* Unions of huge plans. A source's weights for the few targets of a union lie next to each other: where the
 * first one is and a byte for each say what otherwise takes four bytes for each. May include base and
 * network. */
#include "base/memory.h"
#include "plan/build.h"

/* A cell's distance from what its source's first cell counts from. */
#define FARTHEST 255u

typedef struct bdag_cells {
  uint32_t least, most; /* slots of a source's edges; 0 where no edge is */
} bdag_cells;

static bdag_cells cells_of(const uint32_t *slot, uint32_t targets) {
  bdag_cells cells = {UINT32_MAX, 0};
  for (uint32_t r = 0; r < targets; r++) {
    if (slot[r] == 0) continue;
    cells.least = slot[r] < cells.least ? slot[r] : cells.least;
    cells.most = slot[r] > cells.most ? slot[r] : cells.most;
  }
  return cells;
}

static int all_near(const bdag_plan *plan) {
  for (uint32_t i = 0; i < plan->unions; i++) {
    const bdag_union *part = &plan->union_panel[i];
    const uint32_t *slot = plan->union_slot + part->entry;
    for (uint32_t k = 0; k < part->sources; k++, slot += part->targets) {
      const bdag_cells cells = cells_of(slot, part->targets);
      if (cells.most >= cells.least && cells.most - cells.least >= FARTHEST) return 0;
    }
  }
  return 1;
}

static void shorten(bdag_plan *plan, const bdag_union *part) {
  const uint32_t *slot = plan->union_slot + part->entry;
  uint8_t *near = plan->union_near + part->entry;
  for (uint32_t k = 0; k < part->sources; k++)
    for (uint32_t r = 0,
                  base = plan->union_base[part->list + k] = cells_of(slot, part->targets).least - 1;
         r < part->targets; r++, slot++)
      *near++ = *slot == 0 ? 0 : (uint8_t)(*slot - base);
}

int bdag_shorten_unions(bdag_plan *plan) {
  const bdag_context *context = plan->context;
  if (plan->unions == 0 || !all_near(plan)) return 0;
  plan->union_base = bdag_allocate_array(context, plan->sources, sizeof *plan->union_base);
  plan->union_near = bdag_allocate_array(context, plan->union_entries, sizeof *plan->union_near);
  if (plan->union_base == NULL || plan->union_near == NULL) return -1;
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

void bdag_plan_union_slots(const bdag_plan *plan, const bdag_union *part, uint32_t source,
                           uint32_t sources, uint32_t *slot) {
  const uint8_t *near = plan->union_near + part->entry + (uint64_t)source * part->targets;
  const uint32_t *base = plan->union_base + part->list + source;
  for (uint32_t k = 0; k < sources; k++)
    for (uint32_t r = 0; r < part->targets; r++, near++) *slot++ = *near == 0 ? 0 : base[k] + *near;
}

uint32_t bdag_plan_union_slot(const bdag_plan *plan, const bdag_union *part, uint32_t source,
                              uint32_t target) {
  const uint64_t cell = part->entry + (uint64_t)source * part->targets + target;
  if (plan->union_slot != NULL) return plan->union_slot[cell];
  const uint8_t near = plan->union_near[cell];
  return near == 0 ? 0 : plan->union_base[part->list + source] + near;
}
