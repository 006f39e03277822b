/* Memory through the context's allocator. Floor 0: includes nothing of ours but public headers. */
#ifndef BDAG_BASE_MEMORY_H
#define BDAG_BASE_MEMORY_H

#include <backdag/context.h>

/* `size` bytes aligned to 64 (large blocks to 2 MiB, with huge pages where the system has them), not
 * initialised; size 0 gives a valid pointer. NULL when out of memory. */
void *bdag_allocate(const bdag_context *context, size_t size);
/* `count` elements of `size` bytes; NULL when the product overflows. */
void *bdag_allocate_array(const bdag_context *context, uint64_t count, size_t size);
void *bdag_allocate_zeroed(const bdag_context *context, uint64_t count, size_t size);
void bdag_free(const bdag_context *context, void *memory);

/* Nobody will read bytes `from` … `to` − 1 of a block before writing them: memory goes back to the system
 * in large pieces, where it is worth a call. Returns up to where that was done: the next `from`. */
uint64_t bdag_discard(void *block, uint64_t from, uint64_t to);

/* Makes *array hold at least `needed` elements, growing geometrically and keeping the first `used`.
 * Returns 0 on success, −1 when out of memory (then *array is unchanged). */
int bdag_grow(const bdag_context *context, void **array, uint64_t *capacity, uint64_t used,
              uint64_t needed, size_t size);
char *bdag_copy_string(const bdag_context *context, const char *text);

#endif
