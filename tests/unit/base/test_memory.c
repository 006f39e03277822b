/* Blocks: alignment, overflow, growth, balance with the caller's allocator. */
#include <criterion/criterion.h>
#include <string.h>

#include "../counting_allocator.h"
#include "base/context_internal.h"
#include "base/memory.h"

static counting_allocator counter;
static bdag_context context;

static void set_up(void) {
  context = (bdag_context){.allocator = counting_allocator_hook(&counter)};
}
static void tear_down(void) {
  cr_assert_eq(counter.live, 0, "%d blocks leak", (int)counter.live);
}
TestSuite(memory, .init = set_up, .fini = tear_down);

Test(memory, blocks_are_aligned_to_64) {
  for (size_t size = 0; size < 300; size++) {
    char *const block = bdag_allocate(&context, size);
    cr_assert_not_null(block);
    cr_assert_eq((uintptr_t)block % 64, 0);
    memset(block, 0x5A, size);
    bdag_free(&context, block);
  }
}

/* Alignments of the underlying block that malloc itself never gives. */
static char arena[8192];
static size_t arena_offset;
static void *from_arena(void *user, size_t size) {
  (void)user;
  char *const base = (char *)(((uintptr_t)arena + 4095) & ~(uintptr_t)4095) + arena_offset;
  return base + size <= arena + sizeof arena ? base : NULL;
}
static void *last_released;
static void remember_released(void *user, void *memory) {
  (void)user;
  last_released = memory;
}

Test(memory, any_alignment_of_the_allocator_is_made_up_for) {
  const bdag_context odd = {.allocator = {from_arena, remember_released, NULL}};
  for (arena_offset = 0; arena_offset < 256; arena_offset += 16) {
    char *const raw = from_arena(NULL, 0);
    char *const block = bdag_allocate(&odd, 1000);
    cr_assert_not_null(block);
    cr_assert_eq((uintptr_t)block % 64, 0);
    cr_assert(block >= raw + sizeof(void *) && block + 1000 <= raw + 1000 + 64 + sizeof(void *));
    memset(block, 0, 1000);
    bdag_free(&odd, block);
    cr_assert_eq(last_released, (void *)raw);
  }
}

Test(memory, large_blocks_are_aligned_to_2_mib) {
  const size_t size = (size_t)4 << 20;
  char *const large = bdag_allocate(&context, size);
  cr_assert_not_null(large);
  cr_assert_eq((uintptr_t)large % ((size_t)2 << 20), 0);
  memset(large, 1, size);
  bdag_free(&context, large);
  char *const smaller = bdag_allocate(&context, size - 1);
  cr_assert_not_null(smaller);
  cr_assert_eq((uintptr_t)smaller % 64, 0);
  bdag_free(&context, smaller);
}

Test(memory, overflow_is_refused_without_asking) {
  cr_assert_null(bdag_allocate(&context, SIZE_MAX));
  cr_assert_null(bdag_allocate(&context, SIZE_MAX - 64));
  cr_assert_null(bdag_allocate_array(&context, UINT64_MAX, 8));
  cr_assert_null(bdag_allocate_array(&context, (uint64_t)1 << 61, 8));
  cr_assert_null(bdag_allocate_zeroed(&context, UINT64_MAX / 8 + 1, 8));
  cr_assert_eq(counter.requests, 0);
}

Test(memory, zeroed_is_zero) {
  unsigned char *dirty = bdag_allocate(&context, 4000);
  memset(dirty, 0xFF, 4000);
  bdag_free(&context, dirty);
  unsigned char *const clean = bdag_allocate_zeroed(&context, 1000, 4);
  for (int i = 0; i < 4000; i++) cr_assert_eq(clean[i], 0);
  bdag_free(&context, clean);
}

Test(memory, freeing_null_is_nothing) {
  bdag_free(&context, NULL);
  cr_assert_eq(counter.requests, 0);
}

Test(memory, growth_keeps_contents_and_is_geometric) {
  uint32_t *array = NULL;
  uint64_t capacity = 0;
  for (uint32_t i = 0; i < 100000; i++) {
    cr_assert_eq(bdag_grow(&context, (void **)&array, &capacity, i, i + 1, sizeof *array), 0);
    cr_assert_gt(capacity, i);
    array[i] = i * 7;
  }
  for (uint32_t i = 0; i < 100000; i++) cr_assert_eq(array[i], i * 7);
  cr_assert_lt(counter.requests, 40);
  bdag_free(&context, array);
}

Test(memory, growth_to_a_need_is_exact_at_first) {
  double *array = NULL;
  uint64_t capacity = 0;
  cr_assert_eq(bdag_grow(&context, (void **)&array, &capacity, 0, 1000, sizeof *array), 0);
  cr_assert_eq(capacity, 1000);
  bdag_free(&context, array);
}

Test(memory, failed_growth_changes_nothing) {
  uint32_t *array = NULL;
  uint64_t capacity = 0;
  cr_assert_eq(bdag_grow(&context, (void **)&array, &capacity, 0, 8, sizeof *array), 0);
  uint32_t *const before = array;
  const uint64_t capacity_before = capacity;
  array[7] = 42;
  counter.fail_at = counter.requests;
  cr_assert_eq(bdag_grow(&context, (void **)&array, &capacity, 8, 100, sizeof *array), -1);
  cr_assert_eq(array, before);
  cr_assert_eq(capacity, capacity_before);
  cr_assert_eq(array[7], 42);
  cr_assert_eq(bdag_grow(&context, (void **)&array, &capacity, 8, UINT64_MAX, 4), -1);
  cr_assert_eq(array, before);
  bdag_free(&context, array);
}

Test(memory, strings_are_copied) {
  const char text[] = "a neuron";
  char *const copy = bdag_copy_string(&context, text);
  cr_assert_str_eq(copy, text);
  cr_assert_neq((const char *)copy, (const char *)text);
  bdag_free(&context, copy);
  char *const empty = bdag_copy_string(&context, "");
  cr_assert_str_eq(empty, "");
  bdag_free(&context, empty);
}
