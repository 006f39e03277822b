/* What a plan found in the graph, part by part, for pictures and tables. May include base and network. */
#include "plan/plan_internal.h"

uint64_t bdag_plan_part_count(const bdag_plan *plan) {
  return plan == NULL ? 0 : (uint64_t)plan->panels + plan->unions + plan->blocks;
}

static bdag_plan_part panel_part(const bdag_plan *plan, const bdag_panel *panel) {
  return (bdag_plan_part){BDAG_PART_PANEL,
                          panel->row,
                          panel->targets,
                          panel->sources,
                          plan->source + panel->list,
                          (uint64_t)panel->sources * panel->targets - panel->holes};
}

static bdag_plan_part union_part(const bdag_plan *plan, const bdag_union *part) {
  uint64_t edges = 0;
  for (uint32_t k = 0; k < part->sources; k++)
    for (uint32_t r = 0; r < part->targets; r++)
      edges += bdag_plan_union_slot(plan, part, k, r) != 0;
  return (bdag_plan_part){BDAG_PART_UNION,           part->row, part->targets, part->sources,
                          plan->source + part->list, edges};
}

bdag_status bdag_plan_get_part(const bdag_plan *plan, uint64_t index, bdag_plan_part *part) {
  if (plan == NULL || part == NULL) return BDAG_ERROR_INVALID_ARGUMENT;
  if (index < plan->panels) {
    *part = panel_part(plan, &plan->panel[index]);
    return BDAG_OK;
  }
  index -= plan->panels;
  if (index < plan->unions) {
    *part = union_part(plan, &plan->union_panel[index]);
    return BDAG_OK;
  }
  index -= plan->unions;
  if (index >= plan->blocks) return BDAG_ERROR_UNKNOWN_ID;
  const bdag_block *block = &plan->block[index];
  const uint64_t begin = plan->list_offset[block->row];
  const uint64_t edges = plan->list_offset[block->row + block->rows] - begin;
  *part = (bdag_plan_part){BDAG_PART_LISTS,           block->row, block->rows, edges,
                           plan->list_source + begin, edges};
  return BDAG_OK;
}

const uint32_t *bdag_plan_rows(const bdag_plan *plan, uint64_t *count) {
  if (count != NULL) *count = plan->rows;
  return plan->vertex_of_row;
}

bdag_status bdag_plan_count_bundles(const bdag_plan *plan, bdag_plan_bundles *bundles) {
  if (plan == NULL || bundles == NULL || bundles->size != sizeof *bundles)
    return BDAG_ERROR_INVALID_ARGUMENT;
  *bundles = (bdag_plan_bundles){.size = sizeof *bundles, .count = plan->bundles};
  for (uint32_t i = 0; i < plan->bundles; i++) {
    const bdag_bundle *bundle = &plan->bundle[i];
    bundles->rows += bundle->rows;
    bundles->padding += bundle->holes;
    bundles->edges +=
        bdag_ramp_cells(&bundle->ramps, bundle->rows, bundle->successors) - bundle->holes;
  }
  return BDAG_OK;
}
