/* Efficiency over the grain of tasks, a panel for each shape of graph. May include the svg headers. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "plot_figures.h"
#include "svg_axis.h"
#include "svg_labels.h"

#define WIDTH  360.0
#define HEIGHT 276.0

enum { MOST_POINTS = 64 };

typedef struct panel {
  bench_frame frame;
  bench_svg svg;
  bench_labels labels;
} panel;

/* Seconds of all threads for one task: its work and what it costs. */
static double grain_of(const bench_metg_curve *curve, const bench_metg_point *point) {
  return curve->threads * point->seconds / (double)curve->tasks;
}

static size_t places(const panel *p, const bench_metg_curve *curve, bench_svg_xy *points) {
  size_t count = 0;
  for (uint32_t i = 0; i < curve->point_count && count < MOST_POINTS; i++) {
    const double grain = grain_of(curve, &curve->points[i]);
    if (!bench_axis_shows(&p->frame.x, grain) || !isfinite(curve->points[i].efficiency)) continue;
    points[count++] = (bench_svg_xy){bench_axis_at(&p->frame.x, grain),
                                     bench_axis_at(&p->frame.y, curve->points[i].efficiency)};
  }
  return count;
}

static void draw_curve(panel *p, const bench_metg_curve *curve, unsigned series) {
  bench_svg_xy points[MOST_POINTS];
  const size_t count = places(p, curve, points);
  char type[16];
  snprintf(type, sizeof type, "l%u d%u", series, series);
  bench_svg_path(&p->svg, type, points, count);
  for (size_t i = 0; i < count; i++)
    bench_svg_marker(&p->svg, series, 0, points[i].x, points[i].y, 3.4);
}

static void reserve(panel *p, const bench_metg_curve *curve) {
  bench_svg_xy points[MOST_POINTS];
  const size_t count = places(p, curve, points);
  for (size_t i = 0; i < count; i++) {
    const bench_svg_xy at = points[i];
    bench_labels_block(&p->labels, (bench_box){at.x - 4, at.y - 4, at.x + 4, at.y + 4});
    if (i > 0) bench_labels_fence(&p->labels, points[i - 1].x, points[i - 1].y, at.x, at.y);
  }
}

static void name_curve(panel *p, const bench_metg_curve *curve) {
  char text[96], time[32];
  const char *threads = curve->threads == 1 ? "thread" : "threads";
  if (bench_axis_shows(&p->frame.x, curve->metg)) {
    bench_text_seconds(time, curve->metg);
    const int less = curve->point_count > 0 && curve->points[0].efficiency > 0.5;
    snprintf(text, sizeof text, "%u %s: %s%s", curve->threads, threads, less ? "≤ " : "", time);
    const double x = bench_axis_at(&p->frame.x, curve->metg);
    const double y = bench_axis_at(&p->frame.y, less ? curve->points[0].efficiency : 0.5);
    bench_labels_place(&p->labels, &p->svg, x, y, text);
    return;
  }
  bench_svg_xy points[MOST_POINTS];
  const size_t count = places(p, curve, points);
  snprintf(text, sizeof text, "%u %s: 50 %% not reached", curve->threads, threads);
  if (count > 0)
    bench_labels_place(&p->labels, &p->svg, points[count / 2].x, points[count / 2].y, text);
}

static int choose_range(panel *p, const bench_scaling *scaling) {
  bench_axis *x = &p->frame.x, *y = &p->frame.y;
  bench_axis_begin(x);
  y->low = 0.0;
  y->high = 1.05;
  for (uint64_t i = 0; i < scaling->metg_count; i++)
    for (uint32_t k = 0; k < scaling->metg[i].point_count; k++)
      bench_axis_include(x, grain_of(&scaling->metg[i], &scaling->metg[i].points[k]));
  return bench_axis_finish(x, 0.05);
}

static void add_panel(bench_figure *figure, const bench_scaling *scaling, const char *shape) {
  panel p = {0};
  p.frame.x = (bench_axis){.scale = BENCH_LOG10,
                           .format = BENCH_TICK_SECONDS,
                           .from = 66,
                           .to = WIDTH - 26,
                           .title = "threads × time / tasks"};
  p.frame.y = (bench_axis){.format = BENCH_TICK_PERCENT,
                           .from = HEIGHT - 48,
                           .to = 30,
                           .title = "efficiency: share that is work"};
  p.labels.area = (bench_box){p.frame.x.from + 3, p.frame.y.to, WIDTH - 4, p.frame.y.from - 3};
  if (!choose_range(&p, scaling)) return;
  bench_svg_open(&p.svg);
  bench_svg_text(&p.svg, "name", BENCH_SVG_START, 10, 18, "%s", shape);
  bench_frame_draw(&p.svg, &p.frame);
  const double half = bench_axis_at(&p.frame.y, 0.5);
  bench_svg_line(&p.svg, "bound broken", p.frame.x.from, half, p.frame.x.to, half);
  bench_labels_fence(&p.labels, p.frame.x.from, half, p.frame.x.to, half);
  for (uint64_t i = 0; i < scaling->metg_count; i++)
    if (strcmp(scaling->metg[i].shape, shape) == 0) reserve(&p, &scaling->metg[i]);
  unsigned series = 0;
  for (uint64_t i = 0; i < scaling->metg_count; i++)
    if (strcmp(scaling->metg[i].shape, shape) == 0) {
      name_curve(&p, &scaling->metg[i]);
      draw_curve(&p, &scaling->metg[i], series++);
    }
  char title[80];
  snprintf(title, sizeof title, "Efficiency over task grain: %s", shape);
  bench_figure_add(figure, &p.svg, WIDTH, HEIGHT, title);
}

bench_figure *bench_plot_metg(const bench_scaling *scaling) {
  bench_figure *figure = bench_figure_create(
      "metg", "Efficiency over task grain",
      "Every vertex is a task that computes for a known time; the grain shrinks from right to "
      "left. "
      "The number beside a curve is METG(50 %): threads × time / tasks where half of the threads' "
      "time is work (broken line), as in Task Bench.",
      3);
  for (uint64_t i = 0; i < scaling->metg_count; i++) {
    uint64_t before = 0;
    while (strcmp(scaling->metg[before].shape, scaling->metg[i].shape) != 0) before++;
    if (before == i) add_panel(figure, scaling, scaling->metg[i].shape);
  }
  return bench_figure_finish(figure);
}
