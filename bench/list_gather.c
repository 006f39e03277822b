/* The rows of a plan's lists, gathered without any arithmetic. */
#include "list_gather.h"

#include <math.h>
#include <string.h>

#include "bench_base.h"
#include "ceiling_kernels.h"
#include "ceilings.h"

enum { AHEAD_MOST = 64, EDGES_LEAST = 1 << 16, EDGES_MOST = 1 << 26 };

typedef struct list_part {
  size_t first, targets, count; /* rows; edges */
} list_part;

typedef struct lists {
  uint64_t rows, parts;
  list_part *part;
  uint32_t *source; /* [edges of all parts + AHEAD_MOST] */
  uint64_t edges;
} lists;

static void add_part(lists *l, const bdag_plan_part *part) {
  memcpy(l->source + l->edges, part->source, part->sources * sizeof *l->source);
  l->part[l->parts++] = (list_part){part->first_target, part->targets, part->sources};
  l->edges += part->sources;
}

static int collect(const bdag_plan *plan, lists *l) {
  bdag_plan_summary summary = {.size = sizeof summary};
  if (bdag_plan_summarize(plan, &summary) != BDAG_OK || summary.edges > EDGES_MOST) return -1;
  const uint64_t parts = bdag_plan_part_count(plan);
  bdag_plan_rows(plan, &l->rows);
  l->part = bench_allocate(parts + 1, sizeof *l->part);
  l->source = bench_allocate(summary.edges + AHEAD_MOST, sizeof *l->source);
  for (uint64_t i = 0; i < parts; i++) {
    bdag_plan_part part;
    if (bdag_plan_get_part(plan, i, &part) != BDAG_OK) return -1;
    if (part.kind == BDAG_PART_LISTS && part.targets > 0) add_part(l, &part);
  }
  return l->edges >= EDGES_LEAST && l->edges * 10 >= summary.edges * 9 ? 0 : -1;
}

static void gather_all(const lists *l, void *rows, size_t ahead) {
  const uint32_t *source = l->source;
  for (uint64_t i = 0; i < l->parts; i++) {
    const list_part *part = &l->part[i];
    bench_ceiling_kernels_get()->gather_list(rows, source, part->count, part->first, part->targets,
                                             ahead);
    source += part->count;
  }
}

static double best_seconds(const lists *l, void *rows, double seconds) {
  static const size_t distances[] = {0, 16, 32, AHEAD_MOST};
  double best = INFINITY;
  const double begin = bench_now();
  do {
    for (size_t i = 0; i < sizeof distances / sizeof *distances; i++) {
      const double start = bench_now();
      gather_all(l, rows, distances[i]);
      best = fmin(best, bench_now() - start);
    }
  } while (bench_now() - begin < seconds);
  return best;
}

double bench_list_gather(const bdag_plan *plan, double seconds) {
  lists l = {0};
  double rate = 0.0;
  if (collect(plan, &l) == 0) {
    void *rows = bench_allocate(l.rows, BENCH_ROW_BYTES);
    gather_all(&l, rows, 0);
    rate = (double)l.edges * BENCH_ROW_BYTES / best_seconds(&l, rows, seconds);
    bench_free(rows);
  }
  bench_free(l.part);
  bench_free(l.source);
  return rate;
}
