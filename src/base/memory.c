/* Aligned blocks on top of the caller's allocator. The word before each block is the pointer that the
 * allocator gave, so that nothing need be known to release it. Floor 0. */
#include "base/memory.h"

#include "base/context_internal.h"

#include <errno.h>
#include <string.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

enum { ALIGNMENT = 64, HUGE_ALIGNMENT = 2 << 20, HUGE_FROM = 2 << 20, DISCARD_FROM = 16 << 20 };

static void advise_huge_pages(void *block, size_t size) {
#ifdef MADV_HUGEPAGE
  const int saved = errno;
  (void)madvise(block, size & ~((size_t)HUGE_ALIGNMENT - 1), MADV_HUGEPAGE);
  errno = saved;
#else
  (void)block, (void)size;
#endif
}

void *bdag_allocate(const bdag_context *context, size_t size) {
  const size_t alignment = size >= HUGE_FROM ? HUGE_ALIGNMENT : ALIGNMENT;
  const size_t extra = alignment + sizeof(void *);
  if (size > PTRDIFF_MAX - extra) return NULL;
  char *const raw = context->allocator.allocate(context->allocator.user, size + extra);
  if (raw == NULL) return NULL;
  const uintptr_t earliest = (uintptr_t)raw + sizeof(void *);
  const size_t skip = (size_t)(-earliest & (alignment - 1)) + sizeof(void *);
  char *const block = raw + skip;
  memcpy(block - sizeof(void *), &raw, sizeof raw);
  if (alignment == HUGE_ALIGNMENT) advise_huge_pages(block, size);
  return block;
}

void *bdag_allocate_array(const bdag_context *context, uint64_t count, size_t size) {
  size_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes)) return NULL;
  return bdag_allocate(context, bytes);
}

void *bdag_allocate_zeroed(const bdag_context *context, uint64_t count, size_t size) {
  void *const block = bdag_allocate_array(context, count, size);
  if (block != NULL) memset(block, 0, (size_t)count * size);
  return block;
}

void bdag_free(const bdag_context *context, void *memory) {
  if (memory == NULL) return;
  void *raw;
  memcpy(&raw, (char *)memory - sizeof(void *), sizeof raw);
  context->allocator.release(context->allocator.user, raw);
}

uint64_t bdag_discard(void *block, uint64_t from, uint64_t to) {
  const uint64_t unit = HUGE_ALIGNMENT, base = (uintptr_t)block;
  const uint64_t begin = (base + from + unit - 1) / unit * unit, end = (base + to) / unit * unit;
  if (end < begin + DISCARD_FROM) return from;
#ifdef MADV_DONTNEED
  const int saved = errno;
  (void)madvise((char *)block + (begin - base), end - begin, MADV_DONTNEED);
  errno = saved;
#endif
  return end - base;
}

int bdag_grow(const bdag_context *context, void **array, uint64_t *capacity, uint64_t used,
              uint64_t needed, size_t size) {
  if (needed <= *capacity && *array != NULL) return 0;
  const uint64_t generous = *capacity + *capacity / 2;
  uint64_t grown = needed > generous ? needed : generous;
  if (grown < 8) grown = 8;
  void *const block = bdag_allocate_array(context, grown, size);
  if (block == NULL) return -1;
  if (used > 0) memcpy(block, *array, (size_t)used * size);
  bdag_free(context, *array);
  *array = block;
  *capacity = grown;
  return 0;
}

char *bdag_copy_string(const bdag_context *context, const char *text) {
  const size_t size = strlen(text) + 1;
  char *const copy = bdag_allocate(context, size);
  if (copy != NULL) memcpy(copy, text, size);
  return copy;
}
