/* Every case on the roofline. May include scaling_run. */
#include <string.h>

#include "scaling_run.h"

static void add_ceiling(bench_scaling_run *run, uint32_t threads) {
  const bench_ceilings *measured = &run->machine->ceilings;
  bench_roofline_ceiling *ceiling = bench_scaling_add_ceiling(run->scaling);
  ceiling->threads = threads;
  ceiling->flops_per_second =
      bench_ceiling_fma(measured, bench_type_size(run->settings->type), threads);
  for (int l = 0; l < BENCH_LEVELS; l++)
    ceiling->bytes_per_second[l] = bench_ceiling_read(measured, l, threads);
}

static void add_points(bench_scaling_run *run, const bench_scaling_case *c, uint32_t threads) {
  for (uint32_t i = 0; i < c->point_count; i++) {
    if (c->points[i].threads != threads || !(c->bytes > 0.0)) continue;
    bench_roofline_point *point = bench_scaling_add_roofline(run->scaling);
    memcpy(point->name, c->name, sizeof point->name);
    memcpy(point->phase, c->phase, sizeof point->phase);
    point->batch = c->batch;
    point->threads = threads;
    point->intensity = c->flops / c->bytes;
    point->flops_per_second = c->flops / c->points[i].median;
  }
}

void bench_scaling_roofline(bench_scaling_run *run) {
  if (run->machine->ceilings.threads == 0) return;
  const uint32_t most = bench_scaling_most(run);
  for (uint32_t threads = 1;; threads = most) {
    add_ceiling(run, threads);
    for (uint64_t i = 0; i < run->scaling->case_count; i++)
      add_points(run, &run->scaling->cases[i], threads);
    if (threads == most) break;
  }
}
