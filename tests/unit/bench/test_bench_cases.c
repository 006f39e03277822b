/* The cases: what they promise about their graphs, and their way into a network. */
#include <criterion/criterion.h>
#include <string.h>

#include "cases.h"
#include "peer_table.h"
#include "peer_tasks.h"

static void assert_sound(const bench_case *c, const bench_graph *graph) {
  uint32_t *degree = bench_allocate(graph->vertex_count, sizeof *degree);
  for (uint64_t e = 0; e < graph->edge_count; e++) {
    if (graph->source[e] >= graph->target[e] || graph->target[e] >= graph->vertex_count ||
        graph->target[e] < graph->input_count ||
        graph->weight[e] != (double)(float)graph->weight[e])
      cr_assert_fail("%s: edge %llu is not sound", c->name, (unsigned long long)e);
    degree[graph->target[e]]++;
  }
  for (uint32_t v = graph->input_count; v < graph->vertex_count; v++)
    if (degree[v] == 0) cr_assert_fail("%s: vertex %u has no in-edge", c->name, v);
  cr_assert_gt(graph->output_count, 0, "%s", c->name);
  bench_free(degree);
}

static int is_large(const bench_case *c) {
  return strstr(c->name, "4096") != NULL || strstr(c->name, "16384") != NULL;
}

Test(cases, graphs_are_sound) {
  for (size_t i = 0; i < bench_case_count; i++) {
    const bench_case *c = &bench_cases[i];
    if (is_large(c)) continue;
    for (uint64_t m = 0; m < c->members; m++) {
      bench_graph *graph = c->build(c->argument, m, 1);
      assert_sound(c, graph);
      bench_graph_destroy(graph);
    }
  }
}

Test(cases, names_are_found_and_unique) {
  for (size_t i = 0; i < bench_case_count; i++)
    cr_assert_eq(bench_case_find(bench_cases[i].name), &bench_cases[i]);
  cr_assert_null(bench_case_find("no such case"));
}

Test(cases, phases_are_found_by_name) {
  for (int p = 0; p < BENCH_PHASES; p++)
    cr_assert_eq(bench_phase_parse(bench_phase_name(p)), BENCH_PHASE_BIT(p));
  cr_assert_eq(bench_phase_parse("sideways"), 0);
}

Test(cases, a_seed_gives_one_graph) {
  bench_graph *a = bench_build_evolved(0, 3, 7), *b = bench_build_evolved(0, 3, 7);
  bench_graph *other = bench_build_evolved(0, 4, 7);
  cr_assert_eq(a->edge_count, b->edge_count);
  cr_assert_eq(memcmp(a->weight, b->weight, a->edge_count * sizeof *a->weight), 0);
  cr_assert(a->edge_count != other->edge_count || a->weight[0] != other->weight[0]);
  bench_graph_destroy(a);
  bench_graph_destroy(b);
  bench_graph_destroy(other);
}

static void assert_degrees(bench_graph *graph, uint32_t least, uint32_t most) {
  uint32_t *degree = bench_allocate(graph->vertex_count, sizeof *degree);
  for (uint64_t e = 0; e < graph->edge_count; e++) degree[graph->target[e]]++;
  for (uint32_t v = graph->input_count; v < graph->vertex_count; v++)
    if (degree[v] < least || degree[v] > most)
      cr_assert_fail("vertex %u has %u in-edges", v, degree[v]);
  bench_free(degree);
}

Test(cases, radix_has_120_layers_of_32_different_in_edges) {
  bench_graph *graph = bench_build_radix(1024, 0, 1);
  cr_assert_eq(graph->vertex_count, 121 * 1024);
  cr_assert_eq(graph->edge_count, 120 * 1024 * 32);
  assert_degrees(graph, 32, 32);
  for (uint64_t e = 0; e < graph->edge_count; e += 32)
    for (int i = 1; i < 32; i++)
      if (graph->source[e] == graph->source[e + i]) cr_assert_fail("edges repeat");
  bench_graph_destroy(graph);
}

Test(cases, challenge_weights) {
  bench_graph *graph = bench_build_radix_challenge(1024, 0, 1);
  cr_assert_eq(graph->weight[12345], 0.0625);
  cr_assert_eq(graph->bias[2000], (double)-0.3f);
  cr_assert_eq(graph->activation[2000], BDAG_CLIPPED_RELU);
  cr_assert_eq(graph->parameter[2000], 32.0);
  bench_graph_destroy(graph);
}

Test(cases, irregular_has_window_and_skips) {
  bench_graph *graph = bench_build_irregular(20000, 0, 1);
  assert_degrees(graph, 12, 20);
  uint64_t far = 0;
  for (uint64_t e = 0; e < graph->edge_count; e++) {
    const int is_far = graph->target[e] - graph->source[e] > 2048;
    if (is_far && e % 8 != 0) cr_assert_fail("edge %llu leaves the window", (unsigned long long)e);
    far += (uint64_t)is_far;
  }
  cr_assert_gt(far, graph->edge_count / 16);
  bench_graph_destroy(graph);
}

Test(cases, sparsity_is_what_the_name_says) {
  bench_graph *graph = bench_build_sparse(90, 0, 1);
  const double density = (double)(graph->edge_count - 10240) / (3.0 * 1024 * 1024);
  cr_assert(density > 0.098 && density < 0.102, "%g", density);
  bench_graph_destroy(graph);
}

Test(cases, evolved_nets_have_20_to_200_edges) {
  uint64_t least = UINT64_MAX, most = 0;
  for (uint64_t i = 0; i < 150; i++) {
    bench_graph *graph = bench_build_evolved(0, i, 1);
    if (graph->edge_count < least) least = graph->edge_count;
    if (graph->edge_count > most) most = graph->edge_count;
    bench_graph_destroy(graph);
  }
  cr_assert(least >= 20 && least < 40 && most <= 200 && most > 180);
}

Test(cases, tasks_have_two_different_predecessors) {
  bench_graph *graph = bench_build_tasks(1000, 1);
  cr_assert_eq(graph->edge_count, 2 * 998);
  for (uint64_t e = 0; e < graph->edge_count; e += 2) {
    cr_assert_eq(graph->target[e], graph->target[e + 1]);
    cr_assert_neq(graph->source[e], graph->source[e + 1]);
    cr_assert(graph->source[e] < graph->target[e] && graph->source[e + 1] < graph->target[e]);
  }
  bench_graph_destroy(graph);
}

Test(cases, the_network_is_the_graph_shuffled) {
  bdag_context *context = NULL;
  bdag_network *network = NULL;
  uint32_t *vertex_map;
  uint64_t *edge_map;
  cr_assert_eq(bdag_context_create(&context, NULL, NULL), BDAG_OK);
  bench_graph *graph = bench_build_evolved(200, 0, 1);
  cr_assert_eq(bench_graph_to_network(graph, context, 5, &network, &vertex_map, &edge_map, NULL),
               BDAG_OK);
  cr_assert_eq(bdag_network_edge_count(network), graph->edge_count);
  uint64_t moved = 0;
  for (uint64_t e = 0; e < graph->edge_count; e++) {
    uint32_t source, target;
    double weight;
    bdag_network_get_edges(network, edge_map[e], 1, &source, &target, NULL, &weight, NULL);
    cr_assert_eq(source, vertex_map[graph->source[e]]);
    cr_assert_eq(target, vertex_map[graph->target[e]]);
    cr_assert_eq(weight, graph->weight[e]);
    moved += edge_map[e] != e;
  }
  cr_assert_gt(moved, graph->edge_count / 2);
  for (uint32_t v = 0; v < graph->vertex_count; v++) {
    bdag_vertex vertex;
    cr_assert_eq(bdag_network_get_vertex(network, vertex_map[v], &vertex), BDAG_OK);
    cr_assert_eq(vertex.kind == BDAG_VERTEX_INPUT, v < graph->input_count);
    if (v >= graph->input_count) cr_assert_eq(vertex.activation.kind, graph->activation[v]);
  }
  bench_free(vertex_map);
  bench_free(edge_map);
  bench_graph_destroy(graph);
  bdag_network_destroy(network);
  bdag_context_destroy(context);
}

Test(cases, contests_name_what_exists) {
  for (size_t i = 0; i < bench_contest_count; i++) {
    const bench_contest *contest = &bench_contests[i];
    cr_assert(contest->case_name == NULL || bench_case_find(contest->case_name) != NULL);
    cr_assert_not_null(contest->peers[0]);
    for (int p = 0; contest->peers[p] != NULL; p++)
      cr_assert_not_null(bench_peer_program_find(contest->peers[p]));
  }
}
