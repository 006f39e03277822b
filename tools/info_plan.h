/* What `backdag info --plan` and --svg show of a plan. */
#ifndef BACKDAG_TOOLS_INFO_PLAN_H
#define BACKDAG_TOOLS_INFO_PLAN_H

#include "cli.h"

/* Edges and stored weights by kind of part. */
typedef struct info_parts {
  uint64_t parts[3], edges[3], cells[3];
} info_parts;

void info_count_parts(info_parts *parts, const bdag_plan *plan);
/* Prints panels, padding, bytes and flops. */
void info_print_plan(cli_result *output, const cli_model *model, const cli_compute *compute);
/* Prints which sizes of panels and unions there are, as text. */
void info_print_sizes(const bdag_plan *plan);
/* The weight matrix with the parts found, as an SVG file. Returns CLI_OK or CLI_FAILED. */
int info_draw_plan(const cli_model *model, const char *path);

#endif
