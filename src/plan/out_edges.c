/* Irregular edges from the side of their sources, which is how the backward program meets them; a window at
 * a time, since all of them would take as much memory as the rest of a plan. May include base. */
#include "base/memory.h"
#include "plan/backward_build.h"

void bdag_list_members(bdag_backward *b) {
  const bdag_plan *plan = b->plan;
  uint64_t *next = b->member_offset + 1;
  for (uint32_t p = 0; p < plan->panels; p++)
    for (uint32_t k = 0; plan->panel[p].reaches && k < plan->panel[p].sources; k++)
      next[plan->source[plan->panel[p].list + k] + 1]++;
  for (uint32_t row = 0; row < plan->rows; row++) next[row + 1] += next[row];
  for (uint32_t p = 0; p < plan->panels; p++)
    for (uint32_t k = 0; plan->panel[p].reaches && k < plan->panel[p].sources; k++)
      b->member[next[plan->source[plan->panel[p].list + k]]++] = (bdag_member){p, k};
}

static inline void list_out_edge(bdag_backward *b, uint32_t source, uint32_t target,
                                 uint64_t cell) {
  const uint32_t at = b->out_offset[source]++;
  b->out_target[at] = target;
  b->out_cell[at] = (uint32_t)cell;
}

static inline int in_window(const bdag_backward *b, uint32_t row) {
  return row - b->window < b->window_rows;
}

static void list_united_edges(bdag_backward *b, const bdag_union *part) {
  const bdag_plan *plan = b->plan;
  uint64_t entry = part->entry;
  for (uint32_t k = 0; k < part->sources; k++) {
    const uint32_t source = plan->source[part->list + k];
    const bdag_span span = bdag_span_of(&part->ramps, part->targets, part->sources, k);
    const uint64_t first = entry;
    entry += span.end - span.first;
    if (!in_window(b, source)) continue;
    for (uint32_t r = span.first; r < span.end; r++) {
      const uint64_t cell = first + r - span.first;
      if (plan->union_slot[cell] != BDAG_NO_SLOT && plan->reaches[part->row + r])
        list_out_edge(b, source, part->row + r, b->listed + cell);
    }
  }
}

static void list_block_edges(bdag_backward *b, const bdag_block *block) {
  const bdag_plan *plan = b->plan;
  for (uint32_t p = 0; p < block->unions; p++)
    list_united_edges(b, &plan->union_panel[block->first_union + p]);
  for (uint32_t row = block->row; row < block->row + block->rows; row++)
    for (uint64_t e = plan->list_offset[row]; e < plan->list_offset[row + 1]; e++)
      if (plan->reaches[row] && in_window(b, plan->list_source[e]))
        list_out_edge(b, plan->list_source[e], row, e);
}

/* Rows `first` … end − 1, and with them what lies in front as far as there is room: whole levels. */
static uint32_t choose_window(const bdag_backward *b, uint32_t first, uint32_t end,
                              uint64_t *edges) {
  uint64_t sum = 0;
  for (uint32_t row = first; row < end; row++) sum += b->out_length[row];
  *edges = sum;
  for (uint32_t row = first; row > 0; row--) {
    sum += b->out_length[row - 1];
    if (sum > b->window_edges) break;
    if (row > 1 && bdag_level_of_row(b->plan, row - 2) == bdag_level_of_row(b->plan, row - 1))
      continue;
    first = row - 1;
    *edges = sum;
  }
  return first;
}

/* Irregular edges from rows `first` … end − 1, which are dealt with next, by source row, targets ascending
 * (counting sort). All at once where that takes little memory. */
void bdag_list_out_edges(bdag_backward *b, uint32_t first, uint32_t end) {
  const bdag_plan *plan = b->plan;
  const bdag_context *context = b->build->context;
  if (b->failed || first >= b->window) return;
  uint64_t edges;
  b->window = choose_window(b, first, end, &edges);
  b->window_rows = end - b->window;
  if (edges > b->out_capacity) {
    bdag_free(context, b->out_target);
    b->out_target = bdag_allocate_array(context, edges, 2 * sizeof *b->out_target);
    b->out_capacity = edges;
    b->failed = b->out_target == NULL;
    if (b->failed) return;
  }
  b->out_cell = b->out_target + b->out_capacity;
  uint32_t at = 0;
  for (uint32_t row = b->window; row < end; row++) {
    b->out_offset[row] = at;
    at += b->out_length[row];
  }
  uint32_t i = plan->blocks;
  while (i > 0 && plan->block[i - 1].row + plan->block[i - 1].rows > b->window) i--;
  const uint64_t after = (uint64_t)end + b->build->longest_reach;
  for (; i < plan->blocks && plan->block[i].row < after; i++) list_block_edges(b, &plan->block[i]);
  for (uint32_t row = b->window; row < end; row++) b->out_offset[row] -= b->out_length[row];
}
