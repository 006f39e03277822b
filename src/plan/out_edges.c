/* Irregular edges from the side of their sources, which is how the backward program meets them; a window at
 * a time, since all of them would take as much memory as the rest of a plan. May include base. */
#include "base/memory.h"
#include "plan/backward_build.h"

#define PART_EDGES   (UINT64_C(1) << 15)
#define PART_REACHES 8u
/* Of windows whose parts all look through most of the targets. */
#define FAR_PARTS 4u

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

/* Rows whose out-edges one thread lists. */
typedef struct bdag_part_of_window {
  bdag_backward *b;
  uint32_t first, rows;
} bdag_part_of_window;

static inline int is_in(const bdag_part_of_window *part, uint32_t row) {
  return row - part->first < part->rows;
}

static void list_united_edges(const bdag_part_of_window *part, const bdag_union *united) {
  const bdag_plan *plan = part->b->plan;
  uint64_t entry = united->entry;
  for (uint32_t k = 0; k < united->sources; k++) {
    const uint32_t source = plan->source[united->list + k];
    const bdag_span span = bdag_span_of(&united->ramps, united->targets, united->sources, k);
    const uint64_t first = entry;
    entry += span.end - span.first;
    if (!is_in(part, source)) continue;
    for (uint32_t r = span.first; r < span.end; r++) {
      const uint64_t cell = first + r - span.first;
      if (plan->union_slot[cell] != BDAG_NO_SLOT && plan->reaches[united->row + r])
        list_out_edge(part->b, source, united->row + r, part->b->listed + cell);
    }
  }
}

static void list_block_edges(const bdag_part_of_window *part, const bdag_block *block) {
  const bdag_plan *plan = part->b->plan;
  for (uint32_t p = 0; p < block->unions; p++)
    list_united_edges(part, &plan->union_panel[block->first_union + p]);
  for (uint32_t row = block->row; row < block->row + block->rows; row++)
    for (uint64_t e = plan->list_offset[row]; e < plan->list_offset[row + 1]; e++)
      if (plan->reaches[row] && is_in(part, plan->list_source[e]))
        list_out_edge(part->b, plan->list_source[e], row, e);
}

/* The last block that begins at or before a row, the first one if none does. */
static uint32_t block_of(const bdag_plan *plan, uint32_t row) {
  uint32_t low = 0, high = plan->blocks;
  while (high - low > 1) {
    const uint32_t middle = low + (high - low) / 2;
    if (plan->block[middle].row <= row)
      low = middle;
    else
      high = middle;
  }
  return low;
}

static void list_part(void *argument, uint32_t thread, uint64_t i) {
  bdag_backward *b = argument;
  const bdag_plan *plan = b->plan;
  const uint32_t first = b->window + (uint32_t)(b->window_rows * i / b->window_parts);
  const uint32_t end = b->window + (uint32_t)(b->window_rows * (i + 1) / b->window_parts);
  const bdag_part_of_window part = {b, first, end - first};
  const uint64_t after = (uint64_t)end + b->build->longest_reach;
  for (uint32_t k = block_of(plan, first); k < plan->blocks && plan->block[k].row < after; k++)
    list_block_edges(&part, &plan->block[k]);
  for (uint32_t row = first; row < end; row++) b->out_offset[row] -= b->out_length[row];
}

/* Parts of a window are small enough for a cache, and large enough that looking through the targets of
 * several costs little; where edges reach far, only what threads gain. */
static uint32_t count_parts(const bdag_backward *b, uint64_t edges) {
  const uint64_t rows = b->window_rows,
                 least = PART_REACHES * (uint64_t)b->build->longest_reach + 1;
  const uint32_t team = b->build->team < FAR_PARTS ? b->build->team : FAR_PARTS;
  uint64_t parts = edges / PART_EDGES < rows / least ? edges / PART_EDGES : rows / least;
  if (parts < team && edges > PART_EDGES) parts = team;
  return parts < 1 ? 1 : (uint32_t)parts;
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
  b->window_parts = count_parts(b, edges);
  bdag_share_work(b->build, b->window_parts, list_part, b);
}
