/* Peers beside backdag, out of the rows of a report. May include scaling_data. */
#include "peer_ratio.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

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

static void add_ratio(bench_scaling *scaling, const json_t *row, const json_t *own) {
  bench_peer_ratio *peer = bench_scaling_add_peer(scaling);
  snprintf(peer->name, sizeof peer->name, "%s", text(row, "case"));
  snprintf(peer->phase, sizeof peer->phase, "%s", text(row, "phase"));
  snprintf(peer->peer, sizeof peer->peer, "%s", text(row, "implementation"));
  const char *note = text(row, "note");
  snprintf(peer->note, sizeof peer->note, "%s", note[0] != '\0' ? note : text(own, "note"));
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

void bench_peer_ratios_add(bench_scaling *scaling, const json_t *rows) {
  const json_t *own = NULL;
  for (size_t i = 0; i < json_array_size(rows); i++) {
    const json_t *row = json_array_get(rows, i);
    if (is_own(row))
      own = row;
    else if (own != NULL && (json_array_size(json_object_get(row, "seconds")) > 0 ||
                             json_is_false(json_object_get(row, "valid"))))
      add_ratio(scaling, row, own);
  }
}
