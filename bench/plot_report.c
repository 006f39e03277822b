/* Reports without a part "scaling": peers and roofline out of rows. May include scaling_json. */
#include "plot_report.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "peer_ratio.h"
#include "scaling_json.h"

static const char *text_of(const json_t *object, const char *name) {
  const char *value = json_string_value(json_object_get(object, name));
  return value != NULL ? value : "";
}

static double number_of(const json_t *value) {
  return json_is_number(value) ? json_number_value(value) : NAN;
}

static void add_ceiling(bench_scaling *scaling, const json_t *ceilings, const char *type,
                        size_t index, uint32_t threads) {
  char name[32];
  snprintf(name, sizeof name, "fma_%.16s", type);
  bench_roofline_ceiling *ceiling = bench_scaling_add_ceiling(scaling);
  ceiling->threads = threads;
  ceiling->flops_per_second = number_of(json_array_get(json_object_get(ceilings, name), index));
  const json_t *read = json_object_get(ceilings, "read");
  for (size_t l = 0; l <= BENCH_ROOF_MEMORY; l++)
    ceiling->bytes_per_second[l] = number_of(
        json_array_get(json_object_get(json_array_get(read, l), "bytes_per_second"), index));
}

static void add_ceilings(bench_scaling *scaling, const json_t *report) {
  const json_t *ceilings = json_object_get(json_object_get(report, "machine"), "ceilings");
  const json_int_t threads = json_integer_value(json_object_get(ceilings, "threads"));
  const char *type = text_of(json_object_get(report, "settings"), "type");
  if (threads < 1 || threads > UINT32_MAX) return;
  add_ceiling(scaling, ceilings, type, 0, 1);
  if (threads > 1) add_ceiling(scaling, ceilings, type, 1, (uint32_t)threads);
}

static void add_roofline(bench_scaling *scaling, const json_t *row) {
  const double flops = number_of(json_object_get(row, "flops"));
  const double bytes = number_of(json_object_get(row, "bytes"));
  const double median = number_of(json_object_get(row, "median"));
  if (!json_is_true(json_object_get(row, "valid")) || !(flops > 0.0) || !(bytes > 0.0) ||
      !(median > 0.0) || strcmp(text_of(row, "implementation"), "backdag") != 0)
    return;
  bench_roofline_point *point = bench_scaling_add_roofline(scaling);
  snprintf(point->name, sizeof point->name, "%s", text_of(row, "case"));
  snprintf(point->phase, sizeof point->phase, "%s", text_of(row, "phase"));
  point->batch = (uint64_t)json_integer_value(json_object_get(row, "batch"));
  point->threads = (uint32_t)json_integer_value(json_object_get(row, "threads"));
  point->intensity = flops / bytes;
  point->flops_per_second = flops / median;
}

static bench_scaling *from_rows(const json_t *report) {
  bench_scaling *scaling = bench_scaling_create();
  const json_t *rows = json_object_get(report, "rows");
  scaling->machine = json_incref(json_object_get(report, "machine"));
  scaling->settings = json_incref(json_object_get(report, "settings"));
  scaling->seconds = NAN;
  bench_peer_ratios_add(scaling, rows);
  add_ceilings(scaling, report);
  /* Peers' contests repeat cases: the roofline is of runs. */
  for (size_t i = 0; scaling->peer_count == 0 && i < json_array_size(rows); i++)
    add_roofline(scaling, json_array_get(rows, i));
  return scaling;
}

bench_scaling *bench_plot_read(const json_t *report, char *message, size_t size) {
  if (json_object_get(report, "scaling") != NULL)
    return bench_scaling_from_json(report, message, size);
  return from_rows(report);
}
