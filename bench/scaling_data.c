/* Growth and release of a scaling report. May include only its header and bench_base. */
#include "scaling_data.h"

#include <stdlib.h>
#include <string.h>

#include "bench_base.h"

bench_scaling *bench_scaling_create(void) {
  return bench_allocate(1, sizeof(bench_scaling));
}

void bench_scaling_destroy(bench_scaling *scaling) {
  if (scaling == NULL) return;
  for (uint64_t i = 0; i < scaling->metg_count; i++) free(scaling->metg[i].points);
  free(scaling->cases);
  free(scaling->metg);
  free(scaling->roofline);
  free(scaling->ceilings);
  free(scaling->edges);
  free(scaling->peers);
  free(scaling->command);
  json_decref(scaling->machine);
  json_decref(scaling->settings);
  bench_free(scaling);
}

/* One more zeroed element behind the last. */
static void *append(void *array, uint64_t *count, size_t size) {
  char *grown = reallocarray(array, *count + 1, size);
  if (grown == NULL) bench_die("out of memory");
  memset(grown + *count * size, 0, size);
  ++*count;
  return grown;
}

bench_scaling_case *bench_scaling_add_case(bench_scaling *scaling) {
  scaling->cases = append(scaling->cases, &scaling->case_count, sizeof *scaling->cases);
  return &scaling->cases[scaling->case_count - 1];
}

bench_metg_curve *bench_scaling_add_metg(bench_scaling *scaling) {
  scaling->metg = append(scaling->metg, &scaling->metg_count, sizeof *scaling->metg);
  return &scaling->metg[scaling->metg_count - 1];
}

void bench_metg_add_point(bench_metg_curve *curve, bench_metg_point point) {
  uint64_t count = curve->point_count;
  curve->points = append(curve->points, &count, sizeof *curve->points);
  curve->points[curve->point_count++] = point;
}

bench_roofline_point *bench_scaling_add_roofline(bench_scaling *scaling) {
  scaling->roofline =
      append(scaling->roofline, &scaling->roofline_count, sizeof *scaling->roofline);
  return &scaling->roofline[scaling->roofline_count - 1];
}

bench_roofline_ceiling *bench_scaling_add_ceiling(bench_scaling *scaling) {
  scaling->ceilings = append(scaling->ceilings, &scaling->ceiling_count, sizeof *scaling->ceilings);
  return &scaling->ceilings[scaling->ceiling_count - 1];
}

bench_edges_point *bench_scaling_add_edges(bench_scaling *scaling) {
  scaling->edges = append(scaling->edges, &scaling->edges_count, sizeof *scaling->edges);
  return &scaling->edges[scaling->edges_count - 1];
}

bench_peer_ratio *bench_scaling_add_peer(bench_scaling *scaling) {
  scaling->peers = append(scaling->peers, &scaling->peer_count, sizeof *scaling->peers);
  return &scaling->peers[scaling->peer_count - 1];
}

const char *bench_limit_name(bench_limit limit) {
  static const char *const names[] = {"work", "span", "bandwidth"};
  return names[limit];
}

const bench_scaling_point *bench_scaling_largest(const bench_scaling_case *the_case) {
  const bench_scaling_point *largest = NULL;
  for (uint32_t i = 0; i < the_case->point_count; i++)
    if (!the_case->points[i].oversubscribed) largest = &the_case->points[i];
  return largest;
}
