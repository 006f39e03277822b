/* Shuffling and the validation split: permutations and subsets that depend on seeds alone. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "train/order.h"

enum { COUNT = 500 };

/* All COUNT of them: callers use the first few. */
static void identity(uint64_t *ids) {
  for (uint64_t i = 0; i < COUNT; i++) ids[i] = 3 * i + 1;
}

Test(order, shuffle_is_a_permutation) {
  for (uint64_t count = 0; count <= COUNT; count += count < 10 ? 1 : 49) {
    uint64_t ids[COUNT], shuffled[COUNT];
    int seen[COUNT] = {0};
    identity(ids);
    bdag_order_shuffle(7, 1, count, ids, shuffled);
    for (uint64_t i = 0; i < count; i++) {
      cr_assert_eq(shuffled[i] % 3, 1);
      cr_assert_lt(shuffled[i] / 3, count);
      seen[shuffled[i] / 3]++;
    }
    for (uint64_t i = 0; i < count; i++) cr_assert_eq(seen[i], 1);
  }
}

Test(order, shuffle_depends_on_seed_and_epoch_only) {
  uint64_t ids[COUNT], a[COUNT], b[COUNT];
  identity(ids);
  bdag_order_shuffle(7, 3, COUNT, ids, a);
  memset(b, 0xff, sizeof b);
  bdag_order_shuffle(7, 3, COUNT, ids, b);
  cr_assert_arr_eq(a, b, sizeof a);
  bdag_order_shuffle(7, 4, COUNT, ids, b);
  cr_assert_neq(memcmp(a, b, sizeof a), 0);
  bdag_order_shuffle(8, 3, COUNT, ids, b);
  cr_assert_neq(memcmp(a, b, sizeof a), 0);
}

/* Each of the 24 orders of four comes equally often: χ² with 23 degrees of freedom stays below its
 * 99.9 % quantile. */
Test(order, shuffle_is_uniform) {
  const uint64_t ids[4] = {0, 1, 2, 3};
  const int rounds = 24000;
  int hits[256] = {0};
  for (int r = 0; r < rounds; r++) {
    uint64_t s[4];
    bdag_order_shuffle(11, (uint64_t)r, 4, ids, s);
    hits[s[0] | s[1] << 2 | s[2] << 4 | s[3] << 6]++;
  }
  double chi = 0.0;
  int kinds = 0;
  for (int k = 0; k < 256; k++) {
    if (hits[k] == 0) continue;
    kinds++;
    chi += pow(hits[k] - rounds / 24.0, 2.0) / (rounds / 24.0);
  }
  cr_assert_eq(kinds, 24);
  cr_assert_lt(chi, 49.7);
}

Test(order, split_is_disjoint_and_keeps_the_order) {
  for (uint64_t chosen = 0; chosen <= COUNT; chosen += 100) {
    uint64_t ids[COUNT], taken[COUNT];
    int seen[COUNT] = {0};
    identity(ids);
    bdag_order_split(5, COUNT, ids, chosen, taken);
    for (uint64_t i = 0; i < COUNT - chosen; i++) {
      seen[ids[i] / 3]++;
      if (i > 0) cr_assert_lt(ids[i - 1], ids[i]);
    }
    for (uint64_t i = 0; i < chosen; i++) {
      seen[taken[i] / 3]++;
      if (i > 0) cr_assert_lt(taken[i - 1], taken[i]);
    }
    for (uint64_t i = 0; i < COUNT; i++) cr_assert_eq(seen[i], 1);
  }
}

Test(order, split_is_uniform_over_places_and_depends_on_the_seed) {
  enum { N = 10, CHOSEN = 3, ROUNDS = 10000 };
  int hits[N] = {0};
  for (uint64_t seed = 0; seed < ROUNDS; seed++) {
    uint64_t ids[N], taken[CHOSEN];
    for (uint64_t i = 0; i < N; i++) ids[i] = i;
    bdag_order_split(seed, N, ids, CHOSEN, taken);
    for (int i = 0; i < CHOSEN; i++) hits[taken[i]]++;
  }
  /* Binomial with p = 0.3: σ = 46; five of them either way. */
  for (int i = 0; i < N; i++) cr_assert(abs(hits[i] - 3000) < 230, "place %d: %d", i, hits[i]);
}
