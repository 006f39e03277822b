/* The roofline: every case, the ceilings of compute and of each level of memory, a panel for each number
 * of threads (S. Williams et al., Commun. ACM 52, 2009). May include the svg headers. */
#include <math.h>
#include <string.h>

#include "plot_figures.h"
#include "svg_axis.h"
#include "svg_labels.h"

#define WIDTH  620.0
#define HEIGHT 460.0
#define GIGA   1e-9

typedef struct panel {
  const bench_scaling *scaling;
  const bench_roofline_ceiling *ceiling; /* NULL: not measured */
  uint32_t threads;
  bench_frame frame;
  bench_svg svg;
  bench_labels labels;
} panel;

static const bench_roofline_ceiling *find_ceiling(const bench_scaling *scaling, uint32_t threads) {
  for (uint64_t i = 0; i < scaling->ceiling_count; i++)
    if (scaling->ceilings[i].threads == threads) return &scaling->ceilings[i];
  return NULL;
}

static int is_shown(const panel *p, const bench_roofline_point *point) {
  return point->threads == p->threads && bench_axis_shows(&p->frame.x, point->intensity) &&
         bench_axis_shows(&p->frame.y, point->flops_per_second);
}

static int choose_range(panel *p) {
  bench_axis *x = &p->frame.x, *y = &p->frame.y;
  bench_axis_begin(x);
  bench_axis_begin(y);
  for (uint64_t i = 0; i < p->scaling->roofline_count; i++) {
    const bench_roofline_point *point = &p->scaling->roofline[i];
    if (!is_shown(p, point)) continue;
    bench_axis_include(x, point->intensity);
    bench_axis_include(y, GIGA * point->flops_per_second);
  }
  if (!(x->low <= x->high)) return 0;
  if (p->ceiling != NULL) {
    const double flops = p->ceiling->flops_per_second;
    bench_axis_include(y, 1.3 * GIGA * flops);
    /* Further to the left, so that the shortest diagonal has room for its name. */
    for (int l = 0; l <= BENCH_ROOF_MEMORY; l++)
      bench_axis_include(x, 0.25 * flops / p->ceiling->bytes_per_second[l]);
  }
  return bench_axis_finish(x, 0.06) && bench_axis_finish(y, 0.05);
}

static double at_x(const panel *p, double intensity) {
  return bench_axis_at(&p->frame.x, intensity);
}

static double at_y(const panel *p, double flops) {
  return bench_axis_at(&p->frame.y, GIGA * flops);
}

static void draw_compute(panel *p) {
  const double flops = p->ceiling->flops_per_second;
  if (!bench_axis_shows(&p->frame.y, flops)) return;
  double fastest = 0.0;
  for (int l = 0; l <= BENCH_ROOF_MEMORY; l++)
    fastest = fmax(fastest, p->ceiling->bytes_per_second[l]);
  const double y = at_y(p, flops);
  const double x = fastest > 0.0 ? at_x(p, flops / fastest) : p->frame.x.from;
  bench_svg_line(&p->svg, "l5", x, y, p->frame.x.to, y);
  char text[80];
  snprintf(text, sizeof text, "measured peak of multiply-adds: %.0f GFLOP/s", GIGA * flops);
  bench_svg_text(&p->svg, "small", BENCH_SVG_END, p->frame.x.to, y - 6, "%s", text);
  bench_labels_block(&p->labels, (bench_box){p->frame.x.to - bench_text_width(text, 11.5), y - 18,
                                             p->frame.x.to, y - 2});
  bench_labels_fence(&p->labels, x, y, p->frame.x.to, y);
}

/* The diagonal of one level, named along it. */
static void draw_level(panel *p, const char *name, double bytes, int below) {
  if (!bench_axis_shows(&p->frame.y, bytes)) return;
  const double flops = p->ceiling->flops_per_second;
  const double first = fmax(p->frame.x.low, p->frame.y.low / (GIGA * bytes));
  const double last = fmin(p->frame.x.high, flops / bytes);
  if (!(first < last)) return;
  const double x1 = at_x(p, first), y1 = at_y(p, first * bytes), x2 = at_x(p, last),
               y2 = at_y(p, last * bytes);
  bench_svg_line(&p->svg, "bound", x1, y1, x2, y2);
  bench_labels_fence(&p->labels, x1, y1, x2, y2);
  char text[48];
  snprintf(text, sizeof text, "%s %.3g GB/s", name, GIGA * bytes);
  const double angle = atan2(y2 - y1, x2 - x1), width = bench_text_width(text, 11.5);
  const double start = below ? 24.0 : 14.0, away = below ? -13.0 : 5.0;
  if (hypot(x2 - x1, y2 - y1) < start + width) return;
  const double dx = cos(angle), dy = sin(angle);
  const double x = x1 + start * dx + away * dy, y = y1 + start * dy - away * dx;
  bench_svg_turned_text(&p->svg, "small soft halo", BENCH_SVG_START, x, y, angle * 180 / M_PI,
                        text);
  for (double along = 0.0; along < width; along += 9.0) {
    const double bx = x + along * dx, by = y + along * dy;
    bench_labels_block(&p->labels, (bench_box){bx - 3, by - 12, bx + 10, by + 3});
  }
}

static void draw_ceilings(panel *p) {
  static const char *const names[] = {"L1", "L2", "L3", "memory"};
  if (p->ceiling == NULL) return;
  double before = 0.0;
  for (int l = 0; l <= BENCH_ROOF_MEMORY; l++) {
    const double bytes = p->ceiling->bytes_per_second[l];
    /* Of two lines that lie close together the lower one is named below. */
    draw_level(p, names[l], bytes, bytes < before && bytes > 0.6 * before);
    before = bytes;
  }
  draw_compute(p);
}

static unsigned series_of(const char *phase) {
  return strcmp(phase, "both") == 0 ? 0 : strcmp(phase, "forward") == 0 ? 1 : 2;
}

static void draw_points(panel *p, int named) {
  for (uint64_t i = 0; i < p->scaling->roofline_count; i++) {
    const bench_roofline_point *point = &p->scaling->roofline[i];
    if (!is_shown(p, point)) continue;
    const double x = at_x(p, point->intensity), y = at_y(p, point->flops_per_second);
    char name[96];
    if (named == 0) {
      bench_labels_block(&p->labels, (bench_box){x - 5, y - 5, x + 5, y + 5});
    } else if (named == 1) {
      const char *slash = strrchr(point->name, '/');
      const int both = strcmp(point->phase, "both") == 0;
      snprintf(name, sizeof name, "%s%s%s", slash != NULL ? slash + 1 : point->name,
               both ? "" : ", ", both ? "" : point->phase);
      bench_plot_shorten(name, sizeof name, 11.5, 160);
      bench_labels_place(&p->labels, &p->svg, x, y, name);
    } else {
      bench_svg_group(&p->svg, "%s, %s, batch %llu: %.3g flop/byte, %.4g GFLOP/s", point->name,
                      point->phase, (unsigned long long)point->batch, point->intensity,
                      GIGA * point->flops_per_second);
      bench_svg_marker(&p->svg, series_of(point->phase), 0, x, y, 4.4);
      bench_svg_end_group(&p->svg);
    }
  }
}

static void add_panel(bench_figure *figure, const bench_scaling *scaling, uint32_t threads) {
  panel p = {.scaling = scaling, .threads = threads, .ceiling = find_ceiling(scaling, threads)};
  p.frame.x = (bench_axis){.scale = BENCH_LOG10,
                           .from = 66,
                           .to = WIDTH - 16,
                           .title = "useful floating-point operations / byte moved"};
  p.frame.y =
      (bench_axis){.scale = BENCH_LOG10, .from = HEIGHT - 50, .to = 32, .title = "useful GFLOP/s"};
  p.labels.area =
      (bench_box){p.frame.x.from + 3, p.frame.y.to - 2, p.frame.x.to + 8, p.frame.y.from - 3};
  if (!choose_range(&p)) return;
  bench_svg_open(&p.svg);
  bench_svg_text(&p.svg, "name", BENCH_SVG_START, 10, 18, "%u thread%s", threads,
                 threads == 1 ? "" : "s");
  bench_frame_draw(&p.svg, &p.frame);
  draw_points(&p, 0);
  draw_ceilings(&p);
  draw_points(&p, 1);
  draw_points(&p, 2);
  char title[64];
  snprintf(title, sizeof title, "Roofline, %u threads", threads);
  bench_figure_add(figure, &p.svg, WIDTH, HEIGHT, title);
}

bench_figure *bench_plot_roofline(const bench_scaling *scaling) {
  bench_figure *figure = bench_figure_create(
      "roofline", "Roofline",
      "Each case at its useful operations a byte (every row and weight moved once) and the rate "
      "that it reached. Diagonals: measured bandwidth of each level of memory; above them a case "
      "found a part of its bytes nearer to the core. Circles: forward and backward; squares: "
      "forward alone; triangles: other phases.",
      1);
  for (uint64_t i = 0; i < scaling->roofline_count; i++) {
    uint64_t before = 0;
    while (scaling->roofline[before].threads != scaling->roofline[i].threads) before++;
    if (before == i) add_panel(figure, scaling, scaling->roofline[i].threads);
  }
  return bench_figure_finish(figure);
}
