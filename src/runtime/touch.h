/* Memory that the threads of a pass touch first, each its own part: the system then places a page on the
 * memory node of the thread that will use it. Floor 3. */
#ifndef BDAG_RUNTIME_TOUCH_H
#define BDAG_RUNTIME_TOUCH_H

#include "base/context_internal.h"

/* A block of `parts` parts of `size` bytes, all zero, for passes on `threads` threads that share the parts
 * out evenly and in order. Small blocks are zeroed by the caller. NULL when out of memory. */
void *bdag_allocate_touched(const bdag_context *context, uint64_t parts, uint64_t size,
                            uint32_t threads);

#endif
