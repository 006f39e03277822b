/* Philox against its published vectors, and the distributions made from it. */
#include <criterion/criterion.h>
#include <math.h>

#include "base/random.h"

typedef struct known_answer {
  uint32_t counter[4], key[2], result[4];
} known_answer;

/* From the file kat_vectors of the authors' library Random123, entries "philox4x32 10". */
static const known_answer known_answers[] = {
    {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
     {0xffffffff, 0xffffffff},
     {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
     {0xa4093822, 0x299f31d0},
     {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
};

static uint64_t join(uint32_t low, uint32_t high) {
  return (uint64_t)high << 32 | low;
}

Test(random, philox_gives_the_published_numbers) {
  for (size_t i = 0; i < sizeof known_answers / sizeof known_answers[0]; i++) {
    const known_answer *const k = &known_answers[i];
    uint32_t result[4];
    bdag_philox(join(k->key[0], k->key[1]), join(k->counter[2], k->counter[3]),
                join(k->counter[0], k->counter[1]), result);
    for (int word = 0; word < 4; word++) cr_assert_eq(result[word], k->result[word]);
  }
}

Test(random, u64_is_the_first_half) {
  cr_assert_eq(bdag_random_u64(0, 0, 0), UINT64_C(0xe169c58d6627e8d5));
}

Test(random, seed_stream_and_counter_all_matter) {
  const uint64_t base = bdag_random_u64(1, 2, 3);
  cr_assert_eq(base, bdag_random_u64(1, 2, 3));
  cr_assert_neq(base, bdag_random_u64(2, 2, 3));
  cr_assert_neq(base, bdag_random_u64(1, 3, 3));
  cr_assert_neq(base, bdag_random_u64(1, 2, 4));
  cr_assert_neq(base, bdag_random_u64(1 + ((uint64_t)1 << 32), 2, 3));
  cr_assert_neq(base, bdag_random_u64(1, 2 + ((uint64_t)1 << 32), 3));
  cr_assert_neq(base, bdag_random_u64(1, 2, 3 + ((uint64_t)1 << 32)));
}

enum { DRAWS = 200000 };

Test(random, uniform_has_its_moments_and_range) {
  double sum = 0.0, squares = 0.0;
  for (uint64_t i = 0; i < DRAWS; i++) {
    const double x = bdag_random_uniform(7, 1, i);
    cr_assert(x >= 0.0 && x < 1.0);
    sum += x;
    squares += x * x;
  }
  /* Five standard errors: sqrt(1/12/n), sqrt(4/45/n). */
  cr_assert_float_eq(sum / DRAWS, 0.5, 5 * sqrt(1.0 / 12 / DRAWS));
  cr_assert_float_eq(squares / DRAWS, 1.0 / 3, 5 * sqrt(4.0 / 45 / DRAWS));
}

Test(random, normal_has_its_moments) {
  double sum = 0.0, squares = 0.0, fourth = 0.0;
  uint64_t inside = 0;
  for (uint64_t i = 0; i < DRAWS; i++) {
    const double x = bdag_random_normal(7, 2, i);
    cr_assert(isfinite(x));
    sum += x;
    squares += x * x;
    fourth += x * x * x * x;
    inside += fabs(x) < 1.0;
  }
  cr_assert_float_eq(sum / DRAWS, 0.0, 5 / sqrt(DRAWS));
  cr_assert_float_eq(squares / DRAWS, 1.0, 5 * sqrt(2.0 / DRAWS));
  cr_assert_float_eq(fourth / DRAWS, 3.0, 5 * sqrt(96.0 / DRAWS));
  const double share = 0.6826894921370859;
  cr_assert_float_eq((double)inside / DRAWS, share, 5 * sqrt(share * (1 - share) / DRAWS));
}

Test(random, below_stays_below_and_is_even) {
  uint64_t seen[6] = {0};
  for (uint64_t i = 0; i < 60000; i++) {
    const uint64_t x = bdag_random_below(3, 4, i, 6);
    cr_assert_lt(x, 6);
    seen[x]++;
  }
  for (int i = 0; i < 6; i++) cr_assert(seen[i] > 9500 && seen[i] < 10500);
  for (uint64_t i = 0; i < 100; i++) cr_assert_eq(bdag_random_below(3, 4, i, 1), 0);
}

/* With bound = 3·2^62 a quarter of the draws is refused; without that every third value would come twice
 * as often as the others. */
Test(random, below_is_unbiased_for_large_bounds) {
  const uint64_t bound = (uint64_t)3 << 62;
  uint64_t residue[3] = {0}, third[3] = {0};
  for (uint64_t i = 0; i < 30000; i++) {
    const uint64_t x = bdag_random_below(5, 6, i, bound);
    cr_assert_lt(x, bound);
    residue[x % 3]++;
    third[x >> 62]++;
  }
  for (int i = 0; i < 3; i++) {
    cr_assert(residue[i] > 9500 && residue[i] < 10500, "%d", (int)residue[i]);
    cr_assert(third[i] > 9500 && third[i] < 10500, "%d", (int)third[i]);
  }
  cr_assert_lt(bdag_random_below(1, 1, 1, UINT64_MAX), UINT64_MAX);
}
