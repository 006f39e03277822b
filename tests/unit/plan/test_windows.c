/* Neurons that read windows of the layer before: sources in the order of their readers, no padding, and rows
 * that meet in many sets of a cache. */
#include <criterion/criterion.h>
#include <string.h>

#include <backdag/backdag.h>

#include "plan/build.h"

#define SOURCES 1500

static uint32_t drawn(uint64_t *state, uint32_t bound) {
  *state = *state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(*state >> 33) % bound;
}

/* A span holds all readers of its source, ramps nothing else, and every cell has one place. */
static void check_order(uint32_t sources, uint32_t targets, const uint32_t *readers) {
  static uint32_t source[SOURCES], space[SOURCES], place[SOURCES];
  static uint8_t seen[SOURCES], taken[SOURCES * BDAG_UNION_TARGETS];
  for (uint32_t k = 0; k < sources; k++) source[k] = k;
  const bdag_ramps ramps = bdag_order_by_readers(source, sources, targets, readers, space);
  bdag_place_by_readers(&ramps, source, sources, targets, place);
  const uint64_t cells = bdag_ramp_cells(&ramps, targets, sources);
  memset(seen, 0, sizeof seen);
  memset(taken, 0, sizeof taken);
  for (uint32_t k = 0; k < sources; k++) {
    const bdag_span span = bdag_span_of(&ramps, targets, sources, k);
    const uint32_t all = (1u << span.end) - (1u << span.first);
    cr_assert(!seen[source[k]]++);
    cr_assert_eq(readers[source[k]] & ~all, 0);
    if (span.end - span.first < targets) cr_assert_eq(readers[source[k]], all);
    for (uint32_t r = span.first; r < span.end; r++) {
      const uint32_t cell = place[source[k]] + r;
      cr_assert_lt(cell, cells);
      cr_assert(!taken[cell]++);
    }
    if (k == 0) continue;
    const bdag_span before = bdag_span_of(&ramps, targets, sources, k - 1);
    cr_assert(memcmp(&span, &before, sizeof span) != 0 || source[k - 1] < source[k]);
    cr_assert_eq(place[source[k]] + span.first, place[source[k - 1]] + before.end);
  }
}

Test(windows, sources_in_the_order_of_their_readers) {
  uint64_t state = 1;
  for (uint32_t targets = 1; targets <= BDAG_UNION_TARGETS; targets++)
    for (uint32_t sources = 0; sources < 120; sources++) {
      uint32_t readers[120];
      for (uint32_t k = 0; k < sources; k++) readers[k] = 1 + drawn(&state, (1u << targets) - 1);
      check_order(sources, targets, readers);
    }
}

/* A step of a ramp holds 255 at most. */
Test(windows, many_of_one_kind) {
  static uint32_t readers[SOURCES];
  for (uint32_t count = 254; count < 258; count++) {
    for (uint32_t k = 0; k < SOURCES; k++) readers[k] = k < count ? 1 : k < 2 * count ? 6 : 7;
    check_order(SOURCES, 3, readers);
    uint32_t source[SOURCES], space[SOURCES];
    for (uint32_t k = 0; k < SOURCES; k++) source[k] = k;
    const bdag_ramps ramps = bdag_order_by_readers(source, SOURCES, 3, readers, space);
    cr_assert_eq(ramps.rise[0], count <= 255 ? count : 0);
    cr_assert_eq(ramps.fall[0], count <= 255 ? count : 0);
  }
}

/* ---- Plans --------------------------------------------------------------------------------------- */

typedef struct built {
  bdag_context *context;
  bdag_network *network;
  bdag_plan *plan;
} built;

/* Layers of `width` neurons; neuron i of layer l reads i + k·stride[l], k < degree, of the one before. */
static built build(uint32_t width, uint32_t degree, const uint32_t *stride, uint32_t layers) {
  built b;
  cr_assert_eq(bdag_context_create(&b.context, NULL, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_create(&b.network, b.context, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_add_inputs(b.network, width, NULL, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_add_vertices(b.network, width * layers, NULL, NULL, NULL), BDAG_OK);
  for (uint32_t l = 0; l < layers; l++)
    for (uint32_t i = 0; i < width; i++)
      for (uint32_t k = 0; k < degree; k++) {
        const uint32_t source = l * width + (i + k * stride[l]) % width,
                       target = (l + 1) * width + i;
        cr_assert_eq(bdag_network_add_edges(b.network, 1, &source, &target, NULL, NULL, NULL),
                     BDAG_OK);
      }
  cr_assert_eq(bdag_plan_create(&b.plan, b.network, NULL, NULL), BDAG_OK);
  return b;
}

static void destroy(built *b) {
  bdag_plan_release(b->plan);
  bdag_network_destroy(b->network);
  bdag_context_destroy(b->context);
}

Test(windows, need_no_padding) {
  static const uint32_t stride[] = {1};
  for (uint32_t degree = 8; degree <= 32; degree += 4) {
    built b = build(256, degree, stride, 1);
    uint64_t unions = 0;
    for (uint64_t i = 0; i < bdag_plan_part_count(b.plan); i++) {
      bdag_plan_part part;
      cr_assert_eq(bdag_plan_get_part(b.plan, i, &part), BDAG_OK);
      unions += part.kind == BDAG_PART_UNION;
    }
    cr_assert_gt(unions, 256 / BDAG_UNION_TARGETS - 4);
    cr_assert_eq(b.plan->padding, 0, "%u sources: %llu zeros", degree,
                 (unsigned long long)b.plan->padding);
    destroy(&b);
  }
}

/* No more than the ways of a set, of 16 rows apart, in what one panel or union reads. */
Test(windows, meet_in_many_sets) {
  static const uint32_t stride[] = {1, 32, 1, 32};
  built b = build(1024, 32, stride, 4);
  for (uint64_t i = 0; i < bdag_plan_part_count(b.plan); i++) {
    bdag_plan_part part;
    uint32_t rows[16] = {0};
    cr_assert_eq(bdag_plan_get_part(b.plan, i, &part), BDAG_OK);
    for (uint64_t k = 0; part.targets > 0 && part.kind != BDAG_PART_LISTS && k < part.sources; k++)
      cr_assert_leq(++rows[part.source[k] % 16], 12, "part %llu", (unsigned long long)i);
  }
  destroy(&b);
}
