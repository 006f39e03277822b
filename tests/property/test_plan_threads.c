/* A plan is the same, number by number, whatever the number of threads that made it. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "plan/plan_internal.h"
#include "dice.h"
#include "random_case.h"

enum { SEEDS = 400, WIDTH = 256, DEGREE = 32, LAYERS = 40 };

static property_world world;

static void set_up(void) {
  bdag_error error = {.message = ""};
  cr_assert_eq(property_world_create(&world, &error), BDAG_OK, "%s", error.message);
  world.context->team_edges = 0;
}

static void tear_down(void) {
  property_world_destroy(&world);
}

/* ---- Comparing ----------------------------------------------------------------------------------- */

typedef struct comparison {
  const char *what;
  uint64_t seed;
  uint32_t threads;
} comparison;

static void equal(const comparison *c, const char *name, const void *one, const void *other,
                  uint64_t count, size_t size) {
  cr_assert_eq(one == NULL, other == NULL, "%s %llu, %u threads: %s is there or not", c->what,
               (unsigned long long)c->seed, c->threads, name);
  if (one == NULL || count == 0) return;
  const unsigned char *a = one, *b = other;
  for (uint64_t i = 0; i < count * size; i++)
    cr_assert_eq(a[i], b[i], "%s %llu, %u threads: %s[%llu] of %llu differs", c->what,
                 (unsigned long long)c->seed, c->threads, name, (unsigned long long)(i / size),
                 (unsigned long long)count);
}

#define EQUAL(field, count) equal(c, #field, a->field, b->field, count, sizeof *a->field)
#define SAME(field)         equal(c, #field, &a->field, &b->field, 1, sizeof a->field)

static void compare_graphs(const comparison *c, const bdag_task_graph *a,
                           const bdag_task_graph *b) {
  SAME(count);
  EQUAL(predecessors, a->count);
  EQUAL(offset, a->count + UINT64_C(1));
  EQUAL(successor, a->offset[a->count]);
  EQUAL(priority, a->count);
  SAME(work);
  SAME(span);
}

static void compare_rows(const comparison *c, const bdag_plan *a, const bdag_plan *b) {
  SAME(rows), SAME(first_neuron), SAME(in_rows), SAME(depth), SAME(width), SAME(edges);
  SAME(enumeration_count), SAME(mean_reach), SAME(usual_reach), SAME(padding);
  SAME(weight_edges), SAME(out_edges);
  EQUAL(row_of_vertex, a->network_vertices);
  EQUAL(level, a->network_vertices);
  EQUAL(vertex_of_row, a->rows);
  EQUAL(reaches, a->rows);
  EQUAL(in_loss, a->rows);
  EQUAL(in_row, a->rows);
  EQUAL(iota, a->rows);
  EQUAL(has_bias, a->rows);
  EQUAL(enumeration, a->enumeration_count);
}

/* Structures have bytes between their fields. */
static void compare_blocks(const comparison *c, const bdag_plan *p, const bdag_plan *q) {
  for (uint32_t i = 0; i < p->panels; i++) {
    const bdag_panel *a = &p->panel[i], *b = &q->panel[i];
    SAME(row), SAME(targets), SAME(sources), SAME(step), SAME(list), SAME(slot), SAME(hole);
    SAME(holes), SAME(reaches);
  }
  for (uint32_t i = 0; i < p->unions; i++) {
    const bdag_union *a = &p->union_panel[i], *b = &q->union_panel[i];
    SAME(row), SAME(targets), SAME(sources), SAME(ramps), SAME(padded), SAME(list), SAME(entry);
    if (p->union_base != NULL)
      equal(c, "union_base", p->union_base + a->list, q->union_base + b->list, a->sources,
            sizeof *p->union_base);
  }
  for (uint32_t i = 0; i < p->runs; i++) {
    const bdag_row_run *a = &p->run[i], *b = &q->run[i];
    SAME(row), SAME(rows), SAME(activation), SAME(activation_parameter), SAME(keeps_in);
    SAME(listed), SAME(shares);
  }
}

static void compare_forward(const comparison *c, const bdag_plan *a, const bdag_plan *b) {
  SAME(blocks), SAME(panels), SAME(unions), SAME(runs), SAME(sources), SAME(union_entries);
  SAME(holes), SAME(union_exceptions);
  EQUAL(block, a->blocks);
  compare_blocks(c, a, b);
  EQUAL(source, a->sources);
  EQUAL(union_slot, a->union_entries);
  EQUAL(union_near, a->union_entries);
  EQUAL(union_exception, a->union_exceptions);
  EQUAL(hole, a->holes);
  EQUAL(list_offset, a->rows + UINT64_C(1));
  EQUAL(list_source, a->list_offset[a->rows]);
  EQUAL(list_slot, a->list_offset[a->rows]);
}

static void compare_groups(const comparison *c, const bdag_plan *p, const bdag_plan *q) {
  for (uint32_t i = 0; i < p->bundles; i++) {
    const bdag_bundle *a = &p->bundle[i], *b = &q->bundle[i];
    SAME(first), SAME(entry), SAME(slot), SAME(hole), SAME(rows), SAME(successors), SAME(holes);
    SAME(ramps);
  }
  for (uint32_t i = 0; i < p->sweeps; i++) {
    const bdag_sweep_group *a = &p->sweep[i], *b = &q->sweep[i];
    SAME(first), SAME(rows), SAME(activation), SAME(activation_parameter), SAME(from_zero);
    SAME(consecutive), SAME(swept), SAME(continues), SAME(bundle), SAME(bundles), SAME(slot);
    SAME(slots);
  }
  for (uint32_t i = 0; i < p->pulls; i++) {
    const bdag_pull_group *a = &p->pull[i], *b = &q->pull[i];
    SAME(first), SAME(rows), SAME(terms), SAME(term), SAME(from_zero);
  }
}

static void compare_backward(const comparison *c, const bdag_plan *a, const bdag_plan *b) {
  SAME(swept), SAME(sweeps), SAME(pulls), SAME(bundles), SAME(terms), SAME(live_entries);
  compare_groups(c, a, b);
  EQUAL(sweep_row, a->swept);
  EQUAL(sweep_offset, a->swept + 1);
  EQUAL(sweep_successor, a->live_entries);
  EQUAL(term, a->terms);
}

static void compare_tasks(const comparison *c, const bdag_task *one, const bdag_task *other,
                          uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    const bdag_task *a = &one[i], *b = &other[i];
    SAME(first), SAME(count), SAME(pull), SAME(pulls), SAME(kind), SAME(is_input), SAME(edges);
  }
}

static void compare_state(const comparison *c, const bdag_plan *a, const bdag_plan *b) {
  SAME(slot_count), SAME(state_count), SAME(bias_slot), SAME(panel_slot), SAME(edge_base);
  SAME(live_slots), SAME(indirect), SAME(live_weights), SAME(live_biases);
  EQUAL(state_of_parameter, a->network_parameters);
  SAME(state_map.exceptions);
  EQUAL(state_map.base, a->network_parameters / BDAG_MAP_BLOCK);
  EQUAL(state_map.offset, a->network_parameters);
  EQUAL(state_map.exception, a->state_map.exceptions);
  EQUAL(edge_slot, a->network_edges);
  EQUAL(slot_parameter, a->slot_count);
  EQUAL(slot_scale, a->slot_count);
  EQUAL(use_offset, a->network_parameters + 1);
  if (a->indirect) EQUAL(use_slot, a->use_offset[a->network_parameters]);
  EQUAL(live_weight, a->live_weights);
  EQUAL(live_bias, a->live_biases);
}

static void compare(const comparison *c, const bdag_plan *a, const bdag_plan *b) {
  compare_rows(c, a, b);
  compare_forward(c, a, b);
  compare_backward(c, a, b);
  SAME(forward_tasks), SAME(backward_tasks);
  compare_tasks(c, a->forward_task, b->forward_task, a->forward_tasks);
  compare_tasks(c, a->backward_task, b->backward_task, a->backward_tasks);
  compare_graphs(c, &a->forward, &b->forward);
  compare_graphs(c, &a->backward, &b->backward);
  compare_state(c, a, b);
}

static void check(const char *what, uint64_t seed, const bdag_network *network,
                  bdag_plan_options options) {
  static const uint32_t threads[] = {2, 3, 8};
  bdag_plan *serial = NULL, *plan = NULL;
  options.threads = 1;
  const bdag_status status = bdag_plan_create(&serial, network, &options, NULL);
  for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
    const comparison c = {what, seed, threads[i]};
    options.threads = threads[i];
    cr_assert_eq(bdag_plan_create(&plan, network, &options, NULL), status);
    if (status == BDAG_OK) compare(&c, serial, plan);
    bdag_plan_release(plan);
    cr_assert_eq(atomic_load(&world.context->budget->used), 0, "threads are given back");
  }
  bdag_plan_release(serial);
}

/* ---- Networks ------------------------------------------------------------------------------------ */

Test(plan_threads, random_networks, .init = set_up, .fini = tear_down, .timeout = 300) {
  for (uint64_t seed = 30000; seed < 30000 + SEEDS; seed++) {
    random_case c;
    bdag_error error = {.message = ""};
    world.context->huge_edges = seed % 4 == 0 ? 0 : UINT64_MAX;
    cr_assert_eq(random_case_draw(&c, &world, seed, &error), BDAG_OK, "%s", error.message);
    check("random network", seed, c.network, c.plan);
    c.plan.inference = bdag_network_output_count(c.network) > 0;
    c.plan.enumeration = NULL;
    check("inference", seed, c.network, c.plan);
    random_case_free(&c);
  }
}

typedef uint32_t (*choose_source)(dice *dice, uint32_t layer, uint32_t target, uint32_t k);

/* Radix nets: every stage reads at another stride. */
static uint32_t radix_source(dice *dice, uint32_t layer, uint32_t target, uint32_t k) {
  const uint32_t stride = layer % 2 == 0 ? 1 : WIDTH / DEGREE;
  const uint32_t place = layer % 2 == 0 ? target / DEGREE * DEGREE : target % stride;
  return layer * WIDTH + place + k * stride;
}

/* Out of all layers before. */
static uint32_t any_source(dice *dice, uint32_t layer, uint32_t target, uint32_t k) {
  const uint32_t near = (uint32_t)dice_below(dice, WIDTH);
  return dice_chance(dice, 0.1) ? (uint32_t)dice_below(dice, layer * WIDTH + WIDTH)
                                : layer * WIDTH + near;
}

static uint32_t all_sources(dice *dice, uint32_t layer, uint32_t target, uint32_t k) {
  return layer * WIDTH + k;
}

/* Three of every four neighbours: dense enough for panels with holes. */
static uint32_t most_sources(dice *dice, uint32_t layer, uint32_t target, uint32_t k) {
  const uint32_t missing = ((target * 2654435761u + k / 3 * 40503u) >> 13) % 4;
  return layer * WIDTH + k / 3 * 4 + k % 3 + (k % 3 >= missing);
}

/* Layers of WIDTH neurons, vertices and edges in any order or as they come. */
static bdag_network *layered(choose_source choose, uint32_t degree, uint32_t layers, int shuffled) {
  const uint32_t vertices = WIDTH * (layers + 1), edges = WIDTH * layers * degree;
  dice dice = dice_make(degree + layers, 3);
  bdag_network *network;
  uint32_t *name = malloc(vertices * sizeof *name), *input = malloc(WIDTH * sizeof *input);
  uint32_t *source = malloc(edges * sizeof *source), *target = malloc(edges * sizeof *target);
  for (uint32_t v = 0; v < vertices; v++) name[v] = v;
  for (uint32_t v = vertices; v-- > WIDTH && shuffled;) {
    const uint32_t other = WIDTH + (uint32_t)dice_below(&dice, v + 1 - WIDTH), kept = name[v];
    name[v] = name[other];
    name[other] = kept;
  }
  for (uint32_t e = 0; e < edges; e++) {
    const uint32_t layer = e / degree / WIDTH, neuron = e / degree % WIDTH;
    source[e] = name[choose(&dice, layer, neuron, e % degree)];
    target[e] = name[(layer + 1) * WIDTH + neuron];
    const uint32_t other = (uint32_t)dice_below(&dice, e + 1);
    if (!shuffled) continue;
    const uint32_t kept[2] = {source[e], target[e]};
    source[e] = source[other], target[e] = target[other];
    source[other] = kept[0], target[other] = kept[1];
  }
  cr_assert_eq(bdag_network_create(&network, world.context, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_add_inputs(network, WIDTH, NULL, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_add_vertices(network, vertices - WIDTH, NULL, NULL, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_add_edges(network, edges, source, target, NULL, NULL, NULL), BDAG_OK);
  for (uint32_t i = 0; i < WIDTH; i++) input[i] = name[layers * WIDTH + i];
  const bdag_loss_term loss = {BDAG_MEAN_SQUARED_ERROR, WIDTH, input, 1.0, 0.0};
  cr_assert_eq(bdag_network_add_loss(network, &loss, NULL), BDAG_OK);
  free(name), free(input), free(source), free(target);
  return network;
}

static void check_layered(const char *what, choose_source choose, uint32_t degree,
                          uint32_t layers) {
  for (int shuffled = 0; shuffled < 2; shuffled++)
    for (int huge = 0; huge < 2; huge++) {
      bdag_plan_options options = BDAG_PLAN_OPTIONS_INIT;
      world.context->huge_edges = huge ? 0 : UINT64_MAX;
      bdag_network *network = layered(choose, degree, layers, shuffled);
      check(what, (uint64_t)(shuffled + 2 * huge), network, options);
      bdag_network_destroy(network);
    }
}

/* Some rounds of chunks each; the first is large enough for the short map of parameters. */
Test(plan_threads, radix, .init = set_up, .fini = tear_down, .timeout = 300) {
  check_layered("radix", radix_source, DEGREE, 4 * LAYERS);
}

Test(plan_threads, long_edges, .init = set_up, .fini = tear_down, .timeout = 300) {
  check_layered("long edges", any_source, 20, LAYERS);
}

Test(plan_threads, dense, .init = set_up, .fini = tear_down, .timeout = 300) {
  check_layered("dense", all_sources, WIDTH, 6);
}

Test(plan_threads, nearly_dense, .init = set_up, .fini = tear_down, .timeout = 300) {
  check_layered("nearly dense", most_sources, WIDTH / 4 * 3, 12);
}
