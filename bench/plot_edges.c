/* Time over edges, both logarithmic. May include the svg headers. */
#include <math.h>
#include <string.h>

#include "plot_figures.h"
#include "svg_axis.h"
#include "svg_labels.h"

#define WIDTH  620.0
#define HEIGHT 400.0

enum { MOST_POINTS = 64 };

typedef struct panel {
  const bench_scaling *scaling;
  bench_frame frame;
  bench_svg svg;
} panel;

static int is_shown(const panel *p, const bench_edges_point *point) {
  return bench_axis_shows(&p->frame.x, (double)point->edges) &&
         bench_axis_shows(&p->frame.y, point->seconds);
}

static int same_series(const bench_edges_point *a, const bench_edges_point *b) {
  return a->threads == b->threads && a->batch == b->batch && strcmp(a->phase, b->phase) == 0;
}

static int choose_range(panel *p) {
  bench_axis *x = &p->frame.x, *y = &p->frame.y;
  bench_axis_begin(x);
  bench_axis_begin(y);
  for (uint64_t i = 0; i < p->scaling->edges_count; i++) {
    const bench_edges_point *point = &p->scaling->edges[i];
    if (!is_shown(p, point)) continue;
    bench_axis_include(x, (double)point->edges);
    bench_axis_include(y, point->seconds);
  }
  return bench_axis_finish(x, 0.04) && bench_axis_finish(y, 0.06);
}

/* Points of the series of point `first`. */
static size_t places(const panel *p, uint64_t first, bench_svg_xy *points) {
  size_t count = 0;
  for (uint64_t i = first; i < p->scaling->edges_count && count < MOST_POINTS; i++) {
    const bench_edges_point *point = &p->scaling->edges[i];
    if (!same_series(point, &p->scaling->edges[first]) || !is_shown(p, point)) continue;
    points[count++] = (bench_svg_xy){bench_axis_at(&p->frame.x, (double)point->edges),
                                     bench_axis_at(&p->frame.y, point->seconds)};
  }
  return count;
}

static int is_first(const bench_scaling *scaling, uint64_t index) {
  for (uint64_t i = 0; i < index; i++)
    if (same_series(&scaling->edges[i], &scaling->edges[index])) return 0;
  return 1;
}

static void series_name(char *text, size_t size, const bench_edges_point *head) {
  snprintf(text, size, "%s, %u thread%s", head->phase, head->threads,
           head->threads == 1 ? "" : "s");
}

/* Names with their markers in a column at the right, each tied to the end of its line, in the order of
 * the ends: lines may lie on each other. */
static void draw_names(panel *p) {
  bench_svg_xy ends[BENCH_SVG_SERIES * 2], points[MOST_POINTS];
  uint64_t heads[BENCH_SVG_SERIES * 2];
  unsigned series[BENCH_SVG_SERIES * 2], next = 0;
  double places_of[BENCH_SVG_SERIES * 2];
  size_t count = 0;
  for (uint64_t i = 0; i < p->scaling->edges_count && count < 2 * BENCH_SVG_SERIES; i++) {
    if (!is_first(p->scaling, i)) continue;
    const unsigned own = next++;
    const size_t number = places(p, i, points);
    if (number == 0) continue;
    size_t at = count++;
    for (; at > 0 && ends[at - 1].y > points[number - 1].y; at--) {
      ends[at] = ends[at - 1];
      heads[at] = heads[at - 1];
      series[at] = series[at - 1];
    }
    ends[at] = points[number - 1];
    heads[at] = i;
    series[at] = own;
  }
  for (size_t i = 0; i < count; i++) places_of[i] = ends[i].y;
  bench_labels_spread(places_of, count, 16.0, p->frame.y.to, p->frame.y.from);
  for (size_t i = 0; i < count; i++) {
    char name[80];
    const double x = p->frame.x.to + 14;
    series_name(name, sizeof name, &p->scaling->edges[heads[i]]);
    bench_svg_line(&p->svg, "lead", ends[i].x, ends[i].y, x, places_of[i]);
    bench_svg_marker(&p->svg, series[i], 0, x, places_of[i], 3.6);
    bench_svg_text(&p->svg, "small", BENCH_SVG_START, x + 8, places_of[i] + 4, "%s", name);
  }
}

static void draw_series(panel *p, uint64_t first, unsigned series) {
  const bench_edges_point *head = &p->scaling->edges[first];
  bench_svg_xy points[MOST_POINTS];
  const size_t count = places(p, first, points);
  if (count == 0) return;
  char type[16], name[80];
  snprintf(type, sizeof type, "l%u d%u", series % BENCH_SVG_SERIES, series % BENCH_SVG_SERIES);
  series_name(name, sizeof name, head);
  bench_svg_path(&p->svg, type, points, count);
  for (uint64_t i = first; i < p->scaling->edges_count; i++) {
    const bench_edges_point *point = &p->scaling->edges[i];
    if (!same_series(point, head) || !is_shown(p, point)) continue;
    char time[32];
    bench_text_seconds(time, point->seconds);
    bench_svg_group(&p->svg, "%s: %llu edges, batch %llu, %s", name,
                    (unsigned long long)point->edges, (unsigned long long)point->batch, time);
    bench_svg_marker(&p->svg, series, 0, bench_axis_at(&p->frame.x, (double)point->edges),
                     bench_axis_at(&p->frame.y, point->seconds), 4.2);
    bench_svg_end_group(&p->svg);
  }
}

/* What time in proportion to the edges would be, from the quickest time per edge on. */
static void draw_proportion(panel *p) {
  const bench_axis *x = &p->frame.x, *y = &p->frame.y;
  double least = INFINITY;
  for (uint64_t i = 0; i < p->scaling->edges_count; i++)
    if (is_shown(p, &p->scaling->edges[i]))
      least = fmin(least, p->scaling->edges[i].seconds / (double)p->scaling->edges[i].edges);
  const double first = fmax(x->low, y->low / least), last = fmin(x->high, y->high / least);
  if (!(first < last)) return;
  const bench_svg_xy ends[] = {{bench_axis_at(x, first), bench_axis_at(y, first * least)},
                               {bench_axis_at(x, last), bench_axis_at(y, last * least)}};
  bench_svg_path(&p->svg, "bound broken", ends, 2);
  bench_svg_text(&p->svg, "small halo", BENCH_SVG_START, 0.45 * ends[0].x + 0.55 * ends[1].x + 10,
                 0.45 * ends[0].y + 0.55 * ends[1].y + 14, "in proportion to the edges");
}

bench_figure *bench_plot_edges(const bench_scaling *scaling) {
  bench_figure *figure = bench_figure_create(
      "edges", "Time over edges",
      "Irregular graphs of growing size, the time of one pass. The broken line is what time in "
      "proportion to the edges would be, from the quickest time per edge on.",
      1);
  panel p = {.scaling = scaling};
  p.frame.x = (bench_axis){.scale = BENCH_LOG10,
                           .format = BENCH_TICK_POWER,
                           .from = 78,
                           .to = WIDTH - 150,
                           .title = "edges"};
  p.frame.y = (bench_axis){.scale = BENCH_LOG10,
                           .format = BENCH_TICK_SECONDS,
                           .from = HEIGHT - 48,
                           .to = 16,
                           .title = "time of one pass"};
  if (choose_range(&p)) {
    bench_svg_open(&p.svg);
    bench_frame_draw(&p.svg, &p.frame);
    draw_proportion(&p);
    draw_names(&p);
    unsigned series = 0;
    for (uint64_t i = 0; i < scaling->edges_count; i++)
      if (is_first(scaling, i)) draw_series(&p, i, series++);
    bench_figure_add(figure, &p.svg, WIDTH, HEIGHT, "Time over edges");
  }
  return bench_figure_finish(figure);
}
