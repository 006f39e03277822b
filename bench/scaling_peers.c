/* Peers in the same run: their rows, and their ratios to backdag's. May include peers. */
#include <math.h>
#include <string.h>

#include "peers.h"
#include "scaling_run.h"

/* Seconds a row: many peers are to fit into the time of a report. */
#define MOST_BUDGET 1.0

static const char *text(const json_t *row, const char *name) {
  const char *value = json_string_value(json_object_get(row, name));
  return value != NULL ? value : "";
}

static double real(const json_t *row, const char *name) {
  const json_t *value = json_object_get(row, name);
  return json_is_number(value) ? json_number_value(value) : NAN;
}

static double quartile(const json_t *row, size_t index) {
  const json_t *value = json_array_get(json_object_get(row, "quartiles"), index);
  return json_is_number(value) ? json_number_value(value) : NAN;
}

static int is_own(const json_t *row) {
  return strcmp(text(row, "implementation"), "backdag") == 0;
}

/* Backdag's row of the same contest: rows of one contest follow each other, its own first. */
static const json_t *own_row(const json_t *rows, size_t index) {
  while (index > 0 && !is_own(json_array_get(rows, index))) index--;
  return json_array_get(rows, index);
}

static void add_ratio(bench_scaling *scaling, const json_t *row, const json_t *own) {
  bench_peer_ratio *peer = bench_scaling_add_peer(scaling);
  snprintf(peer->name, sizeof peer->name, "%s", text(row, "case"));
  snprintf(peer->phase, sizeof peer->phase, "%s", text(row, "phase"));
  snprintf(peer->peer, sizeof peer->peer, "%s", text(row, "implementation"));
  snprintf(peer->note, sizeof peer->note, "%s", text(row, "note"));
  peer->batch = (uint64_t)json_integer_value(json_object_get(row, "batch"));
  peer->threads = (uint32_t)json_integer_value(json_object_get(row, "threads"));
  peer->seconds = real(row, "median");
  peer->own_seconds = real(own, "median");
  peer->ratio = peer->seconds / peer->own_seconds;
  peer->ratio_low = quartile(row, 0) / quartile(own, 1);
  peer->ratio_high = quartile(row, 1) / quartile(own, 0);
  peer->valid = json_is_true(json_object_get(row, "valid")) && isfinite(peer->ratio) &&
                json_is_true(json_object_get(own, "valid"));
}

uint64_t bench_scaling_peers_run(bench_scaling_run *run, const char *const *names, uint64_t count) {
  json_t *report = json_pack("{s:[]}", "rows");
  const json_t *rows = json_object_get(report, "rows");
  bench_settings settings = *run->settings;
  settings.effort.budget = fmin(settings.effort.budget, MOST_BUDGET);
  const uint64_t failures = bench_run_peers(&settings, run->machine, names, count, report);
  for (size_t i = 0; i < json_array_size(rows); i++) {
    json_t *row = json_array_get(rows, i);
    json_array_append(run->rows, row);
    /* A peer that is not installed leaves a row without samples. */
    if (!is_own(row) && json_array_size(json_object_get(row, "seconds")) > 0)
      add_ratio(run->scaling, row, own_row(rows, i));
  }
  json_decref(report);
  return failures;
}
