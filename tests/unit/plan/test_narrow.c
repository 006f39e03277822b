/* A layer that reads two or three vertices is a panel, as one that reads more: not unions of six. */
#include <criterion/criterion.h>

#include <backdag/backdag.h>

typedef struct parts {
  uint64_t panels, unions, lists, first_sources;
  uint32_t first_targets;
} parts;

/* Every one of `targets` neurons reads all of `sources` inputs. */
static parts cut(uint32_t sources, uint32_t targets) {
  bdag_context *context;
  bdag_network *network;
  bdag_plan *plan;
  parts found = {0};
  cr_assert_eq(bdag_context_create(&context, NULL, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_create(&network, context, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_add_inputs(network, sources, NULL, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_add_vertices(network, targets, NULL, NULL, NULL), BDAG_OK);
  for (uint32_t r = 0; r < targets; r++)
    for (uint32_t k = 0; k < sources; k++) {
      const uint32_t source = (k + r) % sources, target = sources + r;
      cr_assert_eq(bdag_network_add_edges(network, 1, &source, &target, NULL, NULL, NULL), BDAG_OK);
    }
  cr_assert_eq(bdag_plan_create(&plan, network, NULL, NULL), BDAG_OK);
  for (uint64_t i = 0; i < bdag_plan_part_count(plan); i++) {
    bdag_plan_part part;
    cr_assert_eq(bdag_plan_get_part(plan, i, &part), BDAG_OK);
    if (i == 0) found.first_sources = part.sources;
    if (i == 0) found.first_targets = part.targets;
    found.panels += part.kind == BDAG_PART_PANEL;
    found.unions += part.kind == BDAG_PART_UNION;
    found.lists += part.kind == BDAG_PART_LISTS && part.edges > 0;
  }
  bdag_plan_release(plan);
  bdag_network_destroy(network);
  bdag_context_destroy(context);
  return found;
}

Test(narrow, layers_are_panels) {
  for (uint32_t sources = 2; sources <= 5; sources++)
    for (uint32_t targets = 8; targets <= 40; targets += 4) {
      const parts found = cut(sources, targets);
      cr_assert_eq(found.panels, 1, "%u inputs, %u neurons", sources, targets);
      cr_assert_eq(found.unions + found.lists, 0);
      cr_assert_eq(found.first_sources, sources);
      cr_assert_eq(found.first_targets, targets);
    }
}

Test(narrow, few_neurons_are_not) {
  for (uint32_t sources = 1; sources <= 3; sources++)
    for (uint32_t targets = 1; targets < 8; targets++)
      cr_assert_eq(cut(sources, targets).panels, 0, "%u inputs, %u neurons", sources, targets);
  cr_assert_eq(cut(1, 40).panels, 0);
}
