/* Peers in the same run: their rows, and their ratios to backdag's. May include peers. */
#include <math.h>

#include "peer_ratio.h"
#include "peers.h"
#include "scaling_run.h"

/* Seconds a row: many peers are to fit into the time of a report. */
#define MOST_BUDGET 1.0

uint64_t bench_scaling_peers_run(bench_scaling_run *run, const char *const *names, uint64_t count) {
  json_t *report = json_pack("{s:[]}", "rows");
  const json_t *rows = json_object_get(report, "rows");
  bench_settings settings = *run->settings;
  settings.effort.budget = fmin(settings.effort.budget, MOST_BUDGET);
  const uint64_t failures = bench_run_peers(&settings, run->machine, names, count, report);
  for (size_t i = 0; i < json_array_size(rows); i++)
    json_array_append(run->rows, json_array_get(rows, i));
  bench_peer_ratios_add(run->scaling, rows);
  json_decref(report);
  return failures;
}
