/* The weight matrix of a plan as an SVG file: rows are targets, columns sources, both in the plan's order;
 * what became a dense panel, a union or a list has its colour. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "info_plan.h"

enum { CELLS = 160, SIDE = 640, LEFT = 76, TOP = 64, WIDTH = 760, HEIGHT = 860, SHADES = 4 };

typedef struct picture {
  FILE *file;
  const bdag_plan *plan;
  uint64_t rows, step; /* rows of a cell */
  uint32_t cells;
  double *edges[3]; /* [cells][cells] by kind */
  info_parts parts;
} picture;

static int count_cells(picture *p) {
  p->step = (p->rows + CELLS - 1) / CELLS;
  p->cells = (uint32_t)((p->rows + p->step - 1) / p->step);
  for (int kind = 0; kind < 3; kind++)
    if ((p->edges[kind] = calloc((size_t)p->cells * p->cells, sizeof(double))) == NULL) return -1;
  bdag_plan_part part;
  for (uint64_t i = 0; bdag_plan_get_part(p->plan, i, &part) == BDAG_OK; i++) {
    /* edges of a list are one entry each, those of a panel are spread over its targets */
    const int listed = part.kind == BDAG_PART_LISTS;
    const double each =
        listed ? 1.0 / part.targets : (double)part.edges / (double)(part.sources * part.targets);
    for (uint32_t r = part.first_target; r < part.first_target + part.targets; r++)
      for (uint64_t k = 0; k < part.sources; k++)
        p->edges[part.kind][r / p->step * p->cells + part.source[k] / p->step] += each;
  }
  return 0;
}

static double place(const picture *p, double row) {
  return SIDE * row / (double)p->rows;
}

/* Neighbouring cells of one shade are one box. */
static void put_cells(const picture *p) {
  const double side = place(p, (double)p->step), most = (double)p->step * (double)p->step;
  for (uint32_t y = 0; y < p->cells; y++)
    for (uint32_t x = 0; x < p->cells;) {
      int kind = 0, shade = 0;
      uint32_t end = x;
      for (; end < p->cells; end++) {
        int here = 0;
        double sum = 0;
        for (int k = 0; k < 3; k++) {
          const double edges = p->edges[k][(size_t)y * p->cells + end];
          if (edges > p->edges[here][(size_t)y * p->cells + end]) here = k;
          sum += edges;
        }
        const int level = sum <= 0      ? 0
                          : sum >= most ? SHADES
                                        : 1 + (int)(sum / most * (SHADES - 1));
        if (end == x) {
          kind = here;
          shade = level;
        } else if (here != kind || level != shade) {
          break;
        }
      }
      if (shade > 0)
        fprintf(p->file,
                "<rect class=\"k%d\" opacity=\"%.2f\" x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" "
                "height=\"%.2f\"/>\n",
                kind, 0.4 + 0.6 * shade / SHADES, LEFT + x * side, TOP + y * side, (end - x) * side,
                side);
      x = end;
    }
}

static void put_text(const picture *p, double x, double y, const char *class, const char *text) {
  fprintf(p->file, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\">%s</text>\n", class, x, y, text);
}

/* Lines where a level begins, unless they would be all that one sees. */
static void put_levels(const picture *p) {
  uint64_t count, levels = 0;
  const uint32_t *vertex = bdag_plan_rows(p->plan, &count), *level = bdag_plan_levels(p->plan);
  for (uint64_t r = 1; r < count; r++) levels += level[vertex[r]] != level[vertex[r - 1]];
  if (levels > 40) return;
  for (uint64_t r = 1; r < count; r++) {
    if (level[vertex[r]] == level[vertex[r - 1]]) continue;
    const double at = place(p, (double)r);
    fprintf(p->file, "<path class=\"level\" d=\"M%d %.1fh%dM%.1f %dv%d\"/>\n", LEFT, TOP + at, SIDE,
            LEFT + at, TOP, SIDE);
  }
}

static void put_axes(const picture *p) {
  char text[64];
  fprintf(p->file, "<rect class=\"frame\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>\n", LEFT,
          TOP, SIDE, SIDE);
  for (int i = 0; i <= 4; i++) {
    const double row = (double)p->rows * i / 4;
    snprintf(text, sizeof text, "%.0f", row);
    put_text(p, LEFT + place(p, row), TOP + SIDE + 18, "middle", text);
    put_text(p, LEFT - 6, TOP + place(p, row) + 4, "end", text);
  }
  put_text(p, LEFT + SIDE / 2.0, TOP + SIDE + 38, "middle", "source (row of the plan)");
  fprintf(p->file, "<text class=\"middle\" transform=\"translate(18 %d) rotate(-90)\">%s</text>\n",
          TOP + SIDE / 2, "target (row of the plan)");
}

static void put_legend(const picture *p) {
  static const char *const names[] = {"dense panels", "unions", "lists"};
  uint64_t all = p->parts.edges[0] + p->parts.edges[1] + p->parts.edges[2];
  char text[128];
  for (int kind = 0; kind < 3; kind++) {
    const double y = TOP + SIDE + 62 + 24 * kind;
    const double share = all > 0 ? 100.0 * (double)p->parts.edges[kind] / (double)all : 0;
    fprintf(p->file, "<rect class=\"k%d\" x=\"%d\" y=\"%.1f\" width=\"16\" height=\"14\"/>\n", kind,
            LEFT, y);
    snprintf(text, sizeof text, "%s: %llu, %.1f %% of %llu edges", names[kind],
             (unsigned long long)p->parts.parts[kind], share, (unsigned long long)all);
    put_text(p, LEFT + 24, y + 12, "left", text);
  }
}

static void draw(const picture *p) {
  fprintf(p->file,
          "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d "
          "%d\">\n<title>What the plan found</title>\n",
          WIDTH, HEIGHT, WIDTH, HEIGHT);
  fputs("<style>text{font:12px sans-serif;fill:#222}.title{font-size:17px;font-weight:bold}"
        ".middle{text-anchor:middle}.end{text-anchor:end}.paper{fill:#fff}"
        ".frame{fill:none;stroke:#222}.level{stroke:#888;stroke-width:.5;stroke-dasharray:2 3}"
        ".k0{fill:#0072b2}.k1{fill:#e69f00}.k2{fill:#777}"
        "@media screen and (prefers-color-scheme:dark){text{fill:#e6e6e6}.paper{fill:#15181c}"
        ".frame{stroke:#e6e6e6}.k0{fill:#56b4e9}.k2{fill:#aaa}}</style>\n",
        p->file);
  fprintf(p->file, "<rect class=\"paper\" width=\"%d\" height=\"%d\"/>\n", WIDTH, HEIGHT);
  put_text(p, LEFT, 26, "title", "Weights in the order of the plan");
  put_text(p, LEFT, 46, "left", "darker: more of the cell's edges exist; dashed: levels");
  put_cells(p);
  put_levels(p);
  put_axes(p);
  put_legend(p);
  fputs("</svg>\n", p->file);
}

int info_draw_plan(const cli_model *model, const char *path) {
  picture p = {.plan = model->plan};
  bdag_plan_rows(p.plan, &p.rows);
  info_count_parts(&p.parts, p.plan);
  int result = CLI_FAILED;
  if (count_cells(&p) != 0) {
    cli_fail("out of memory");
  } else if ((p.file = fopen(path, "w")) == NULL) {
    cli_fail("%s: %s", path, strerror(errno));
  } else {
    draw(&p);
    const int failed = ferror(p.file);
    if (fclose(p.file) != 0 || failed)
      cli_fail("%s: not written: %s", path, strerror(errno));
    else
      result = CLI_OK;
  }
  for (int kind = 0; kind < 3; kind++) free(p.edges[kind]);
  return result;
}
