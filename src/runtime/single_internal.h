/* From a plan to the list of steps that make the forward pass of one sample. Floor 3; may include plan and
 * below. */
#ifndef BDAG_RUNTIME_SINGLE_INTERNAL_H
#define BDAG_RUNTIME_SINGLE_INTERNAL_H

#include "runtime/engine_internal.h"

/* The list is made twice, first to count. */
typedef struct bdag_single_list {
  const bdag_engine *engine;
  bdag_single_step *step; /* NULL: they are only counted */
  uint64_t count;
  bdag_single_step counted; /* the last one that was only counted */
  int in_order;             /* one thread runs all steps in order */
  uint32_t computed;        /* rows below that are, or will have been */
} bdag_single_list;

/* Whether a block is one dense panel and one σ: sums stay in registers for it, and threads can share it. */
int bdag_single_is_panel(const bdag_plan *plan, const bdag_block *block);
void bdag_single_add_block(bdag_single_list *list, const bdag_block *block);

/* Of such a panel, the `part`-th of `parts` parts of its targets; each has 16 at least. */
void bdag_single_add_part(bdag_single_list *list, const bdag_block *block, uint32_t part,
                          uint32_t parts);

#endif
