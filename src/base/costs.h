/* What the context's cost profile means for choices. Floor 0. */
#ifndef BDAG_BASE_COSTS_H
#define BDAG_BASE_COSTS_H

#include <backdag/context.h>

/* The table of the library itself. */
bdag_cost_profile bdag_costs_default(void);
/* Edge·samples below which a pass is not worth a team. */
uint64_t bdag_costs_serial_work(const bdag_context *context);
/* Edges that make a task worth its scheduling cost. */
uint64_t bdag_costs_task_edges(const bdag_context *context);

#endif
