/* What the machine allows. Floor 0. */
#ifndef BDAG_BASE_TOPOLOGY_H
#define BDAG_BASE_TOPOLOGY_H

#include "base/context_internal.h"

/* Fills in context->machine and context->topology for this machine, restricted to the calling thread's
 * CPU set, or for a synthetic topology. Returns OK, INVALID_ARGUMENT, OUT_OF_MEMORY. */
bdag_status bdag_topology_load(bdag_context *context, const char *synthetic, bdag_error *error);
void bdag_topology_release(bdag_context *context);

/* Fills in context->machine, except the quota, from context->topology. */
void bdag_topology_describe(bdag_context *context);

/* Numbers of up to `capacity` processors in the order in which bound threads take them: the first of
 * each core, then the second of each core, … neighbours in the machine one after the other. Returns how
 * many. */
uint32_t bdag_topology_places(const bdag_context *context, uint32_t capacity, uint32_t *place);

/* Number of threads for a request (0: none), `variable` being the value of OMP_NUM_THREADS or NULL.
 * Returns OK, THREADS. */
bdag_status bdag_topology_threads(bdag_context *context, uint32_t requested, const char *variable,
                                  bdag_error *error);

#endif
