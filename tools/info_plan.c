/* backdag info --plan: the dense structure that a plan found, padding, bytes and flops. */
#include "info_plan.h"

#include <stdlib.h>
#include <string.h>

enum { SIZES = 12 };

void info_count_parts(info_parts *parts, const bdag_plan *plan) {
  *parts = (info_parts){{0}, {0}, {0}};
  bdag_plan_part part;
  for (uint64_t i = 0; bdag_plan_get_part(plan, i, &part) == BDAG_OK; i++) {
    if (part.edges == 0) continue;
    parts->parts[part.kind]++;
    parts->edges[part.kind] += part.edges;
    parts->cells[part.kind] +=
        part.kind == BDAG_PART_LISTS ? part.edges : part.sources * part.targets;
  }
}

typedef struct panel_size {
  uint64_t targets, sources, panels, edges;
} panel_size;

static int by_edges(const void *left, const void *right) {
  const panel_size *a = left, *b = right;
  return a->edges > b->edges ? -1 : a->edges < b->edges;
}

/* The sizes that hold most edges; sources rounded up to a multiple of 8. */
void info_print_sizes(const bdag_plan *plan) {
  panel_size *sizes = NULL;
  size_t count = 0, capacity = 0;
  bdag_plan_part part;
  for (uint64_t i = 0; bdag_plan_get_part(plan, i, &part) == BDAG_OK; i++) {
    if (part.kind == BDAG_PART_LISTS) break;
    const uint64_t sources = (part.sources + 7) / 8 * 8;
    size_t k = 0;
    while (k < count && (sizes[k].targets != part.targets || sizes[k].sources != sources)) k++;
    if (k == count) {
      if (count == capacity) {
        capacity = capacity == 0 ? 64 : 2 * capacity;
        panel_size *grown = realloc(sizes, capacity * sizeof *sizes);
        if (grown == NULL) break;
        sizes = grown;
      }
      sizes[count++] = (panel_size){part.targets, sources, 0, 0};
    }
    sizes[k].panels++;
    sizes[k].edges += part.edges;
  }
  if (count > 0) {
    qsort(sizes, count, sizeof *sizes, by_edges);
    puts("panels and unions by size (targets x sources up to), those with most edges");
    for (size_t k = 0; k < count && k < SIZES; k++)
      printf("  %6llu x %-6llu %10llu panels %14llu edges\n", (unsigned long long)sizes[k].targets,
             (unsigned long long)sizes[k].sources, (unsigned long long)sizes[k].panels,
             (unsigned long long)sizes[k].edges);
    if (count > SIZES) printf("  and %zu other sizes\n", count - SIZES);
  }
  free(sizes);
}

static double share(uint64_t part, uint64_t whole) {
  return whole > 0 ? (double)part / (double)whole : 0;
}

static void print_flops(cli_result *output, const bdag_plan_summary *s, const info_parts *parts,
                        const bdag_plan_bundles *bundles) {
  const uint64_t cells = parts->cells[0] + parts->cells[1] + parts->cells[2];
  const uint64_t dense = parts->cells[0] - parts->edges[0];
  cli_result_count(output, "flops forward", 2 * s->edges);
  cli_result_count(output, "flops forward padded", 2 * cells);
  cli_result_count(output, "flops backward", 2 * (s->weight_edges + s->out_edges));
  cli_result_count(output, "flops backward padded",
                   2 * (s->weight_edges + s->out_edges + 2 * (dense + bundles->padding)));
}

void info_print_plan(cli_result *output, const cli_model *model, const cli_compute *compute) {
  const bdag_plan *plan = model->plan;
  bdag_plan_summary summary = {.size = sizeof summary};
  bdag_plan_bundles bundles = {.size = sizeof bundles};
  info_parts parts;
  info_count_parts(&parts, plan);
  if (bdag_plan_summarize(plan, &summary) != BDAG_OK ||
      bdag_plan_count_bundles(plan, &bundles) != BDAG_OK)
    return;
  const uint64_t cells = parts.cells[0] + parts.cells[1] + parts.cells[2];
  cli_result_text(output, "isa", bdag_context_isa(bdag_network_context(model->network)));
  cli_result_count(output, "dense panels", parts.parts[BDAG_PART_PANEL]);
  cli_result_share(output, "edges in dense panels",
                   share(parts.edges[BDAG_PART_PANEL], summary.edges));
  cli_result_count(output, "unions", parts.parts[BDAG_PART_UNION]);
  cli_result_share(output, "edges in unions", share(parts.edges[BDAG_PART_UNION], summary.edges));
  cli_result_share(output, "edges in lists", share(parts.edges[BDAG_PART_LISTS], summary.edges));
  cli_result_count(output, "bundles", bundles.count);
  cli_result_share(output, "edges in bundles", share(bundles.edges, summary.edges));
  cli_result_share(output, "padding", share(cells - summary.edges, cells));
  cli_result_real(output, "bytes an edge, plan", share(summary.plan_bytes, summary.edges));
  cli_result_real(output, "bytes an edge, weights",
                  share(cells * cli_type_size(compute->type), summary.edges));
  print_flops(output, &summary, &parts, &bundles);
}
