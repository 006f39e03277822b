/* Where the rows of out_grad and in_grad lie while a pass runs its tasks in their order and nobody may read
 * them afterwards: a row's place is taken by another one as soon as its last reader is done. Floor 3; may
 * include plan and below. */
#ifndef BDAG_RUNTIME_GRAD_PLACES_H
#define BDAG_RUNTIME_GRAD_PLACES_H

#include "plan/plan_internal.h"

/* What a backward task needs to know. A shift is added to a row's number to get its place. */
typedef struct bdag_grad_task {
  int64_t own, listed; /* shifts of the rows that it makes, and of the successors in its lists */
  /* its own shift holds below that position of plan->sweep_row, that of its lists below that entry of
   * plan->sweep_successor */
  uint64_t row_limit, entry_limit;
} bdag_grad_task;

typedef struct bdag_grad_places {
  uint32_t rows;        /* places a tile; 0: every row keeps a place of its own */
  bdag_grad_task *task; /* [backward_tasks] */
  int64_t *panel;       /* [panels] shift of a panel's targets */
  uint32_t *loss_row;   /* places of the vertices of the loss terms, term by term, then of N_loss */
  uint64_t bytes;
} bdag_grad_places;

/* Returns 0, −1 when out of memory; destroy also then. */
int bdag_grad_places_create(bdag_grad_places *places, const bdag_plan *plan);
void bdag_grad_places_destroy(bdag_grad_places *places, const bdag_context *context);

#endif
