/* Rows of a caller's matrix into a contiguous one. Floor 4. */
#ifndef BDAG_TRAIN_GATHER_H
#define BDAG_TRAIN_GATHER_H

#include <backdag/engine.h>

/* destination[i][j] = element (rows[i], j) of `from`, converted to `type`, for i in [0, count) and j
 * in [0, columns). */
void bdag_gather_rows(bdag_type type, void *destination, const bdag_array *from, uint64_t columns,
                      const uint64_t *rows, uint64_t count);

#endif
