/* Speed-up over threads, a panel for each case: measured, bounds, and predictions, marked as such. May
 * include predict and the svg headers. */
#include <math.h>
#include <string.h>

#include "plot_figures.h"
#include "predict.h"
#include "svg_axis.h"
#include "svg_labels.h"

#define WIDTH  360.0
#define HEIGHT 292.0

enum { CURVE = 200, MEASURED = 0, PREDICTED = 1, BEYOND = 5 };
enum { TILES = 1 };        /* BDAG_AXIS_TILES */
enum { LINEAR_UP_TO = 8 }; /* threads; beyond, both axes are logarithmic */

typedef struct panel {
  const bench_scaling_case *c;
  bench_frame frame;
  bench_svg svg;
  bench_labels labels;
  uint32_t most; /* threads at the right edge */
} panel;

static double linear_speedup(const bench_scaling_case *c, double threads) {
  return threads;
}

static double span_speedup(const bench_scaling_case *c, double threads) {
  return c->work / fmax(c->work / threads, c->span);
}

/* A greedy schedule never does worse than one thread alone: the burden is paid only where it gains. */
static double greedy_speedup(const bench_scaling_case *c, double threads) {
  const double seconds = fmax(c->work - c->span, 0.0) / threads + c->burdened_span;
  return c->work / fmin(seconds, c->work);
}

static bench_svg_xy place(const panel *p, double threads, double speedup) {
  return (bench_svg_xy){bench_axis_at(&p->frame.x, threads), bench_axis_at(&p->frame.y, speedup)};
}

static int is_shown(double speedup) {
  return speedup > 1e-9 && speedup < 1e9;
}

/* ---- Range --------------------------------------------------------------------------------------- */

static void choose_range(panel *p) {
  const bench_scaling_case *c = p->c;
  bench_axis *y = &p->frame.y;
  y->scale = BENCH_LOG2;
  bench_axis_begin(y);
  bench_axis_include(y, 1.0);
  p->most = 2;
  for (uint32_t i = 0; i < c->point_count; i++) {
    if (c->points[i].threads > p->most) p->most = c->points[i].threads;
    if (is_shown(c->points[i].speedup)) bench_axis_include(y, c->points[i].speedup);
  }
  for (uint32_t i = 0; c->predictions_shown && i < c->prediction_count; i++) {
    if (c->predictions[i].threads > p->most) p->most = c->predictions[i].threads;
    if (is_shown(c->predictions[i].speedup)) bench_axis_include(y, c->predictions[i].speedup);
  }
  const double bound = span_speedup(c, p->most);
  bench_axis_include(
      y, fmin(p->most, fmax(fmax(1.5 * y->high, 2.0), isfinite(bound) ? 1.2 * bound : 0.0)));
  if (p->most <= LINEAR_UP_TO) {
    p->frame.x.low = 1.0 - 0.06 * p->most;
    p->frame.x.high = 1.06 * p->most;
    y->scale = BENCH_LINEAR;
    y->low = 0.0;
    y->high *= 1.04;
    return;
  }
  p->frame.x.scale = BENCH_LOG2;
  p->frame.x.low = exp2(-0.15);
  p->frame.x.high = p->most * exp2(0.15);
  bench_axis_finish(y, 0.04);
}

/* ---- Lines --------------------------------------------------------------------------------------- */

static void fence(panel *p, const bench_svg_xy *points, size_t count) {
  for (size_t i = 1; i < count; i++)
    bench_labels_fence(&p->labels, points[i - 1].x, points[i - 1].y, points[i].x, points[i].y);
}

/* A bound up to where it leaves the frame, and its name there. */
static void draw_bound(panel *p, const char *type, const char *name,
                       double (*speedup)(const bench_scaling_case *c, double threads)) {
  bench_svg_xy points[CURVE];
  size_t count = 0;
  for (int i = 0; i < CURVE; i++) {
    const double threads = pow(p->most, i / (CURVE - 1.0)), value = speedup(p->c, threads);
    if (!bench_axis_shows(&p->frame.y, value) || value > p->frame.y.high) break;
    points[count++] = place(p, threads, value);
  }
  if (count == 0) return;
  bench_svg_path(&p->svg, type, points, count);
  for (size_t i = 20; i < count; i += 20)
    bench_labels_fence(&p->labels, points[i - 20].x, points[i - 20].y, points[i].x, points[i].y);
  bench_labels_place(&p->labels, &p->svg, points[count - 1].x, points[count - 1].y, name);
}

static int nearly(double a, double b) {
  return fabs(a - b) < 0.015 * b;
}

/* Lines that lie on each other are drawn once, with both names. */
static void draw_bounds(panel *p) {
  const bench_scaling_case *c = p->c;
  const double most = p->most, span = span_speedup(c, most), greedy = greedy_speedup(c, most);
  const int span_is_linear = nearly(span, most);
  const int greedy_is_span =
      nearly(greedy, span) && nearly(greedy_speedup(c, 2), span_speedup(c, 2));
  draw_bound(p, "bound broken", span_is_linear ? "linear, work/span" : "linear", linear_speedup);
  if (!span_is_linear)
    draw_bound(p, "bound", greedy_is_span ? "both bounds" : "work/span", span_speedup);
  if (!greedy_is_span || span_is_linear) draw_bound(p, "bound dotted", "greedy", greedy_speedup);
}

static void block(panel *p, bench_svg_xy at) {
  bench_labels_block(&p->labels, (bench_box){at.x - 6, at.y - 6, at.x + 6, at.y + 6});
}

static const bench_scaling_point *last_measured(const panel *p) {
  const bench_scaling_point *last = bench_scaling_largest(p->c);
  return last != NULL && is_shown(last->speedup) ? last : NULL;
}

/* Measured points that are shown, oversubscribed or not. */
static size_t measured_points(const panel *p, int oversubscribed, bench_svg_xy *points,
                              const bench_scaling_point **which) {
  size_t count = 0;
  for (uint32_t i = 0; i < p->c->point_count; i++) {
    const bench_scaling_point *point = &p->c->points[i];
    if ((point->oversubscribed != 0) != oversubscribed) continue;
    if (!is_shown(point->speedup)) continue;
    which[count] = point;
    points[count++] = place(p, point->threads, point->speedup);
  }
  return count;
}

/* Places of the quartiles; 0 if they are unknown. */
static int spread_of(const panel *p, const bench_scaling_point *point, double *low, double *high) {
  const double one = point->speedup * point->median;
  *low = bench_axis_at(&p->frame.y, one / point->quartile_high);
  *high = bench_axis_at(&p->frame.y, one / point->quartile_low);
  return isfinite(*low) && isfinite(*high);
}

static void draw_measured(panel *p) {
  bench_svg_xy points[BENCH_SCALING_POINTS];
  const bench_scaling_point *which[BENCH_SCALING_POINTS];
  for (int beyond = 0; beyond < 2; beyond++) {
    const size_t count = measured_points(p, beyond, points, which);
    const unsigned series = beyond ? BEYOND : MEASURED;
    bench_svg_path(&p->svg, beyond ? "l5 d2" : "l0", points, count);
    for (size_t i = 0; i < count; i++) {
      char time[32];
      double low, high;
      bench_text_seconds(time, which[i]->median);
      bench_svg_group(&p->svg, "%s: %u threads, measured %s, speed-up %.3g", p->c->name,
                      which[i]->threads, time, which[i]->speedup);
      if (spread_of(p, which[i], &low, &high))
        bench_svg_line(&p->svg, beyond ? "l5 thin" : "l0 thin", points[i].x, low, points[i].x,
                       high);
      bench_svg_marker(&p->svg, series, beyond, points[i].x, points[i].y, 4.2);
      bench_svg_end_group(&p->svg);
    }
  }
}

static size_t predicted_points(const panel *p, bench_svg_xy *points) {
  size_t count = 0;
  const bench_scaling_point *last = last_measured(p);
  if (!p->c->predictions_shown) return 0;
  if (last != NULL) points[count++] = place(p, last->threads, last->speedup);
  for (uint32_t i = 0; i < p->c->prediction_count; i++)
    if (is_shown(p->c->predictions[i].speedup))
      points[count++] = place(p, p->c->predictions[i].threads, p->c->predictions[i].speedup);
  return count;
}

static void draw_predicted(panel *p) {
  bench_svg_xy points[BENCH_SCALING_PREDICTIONS + 1];
  const size_t count = predicted_points(p, points);
  bench_svg_path(&p->svg, "l1 d1", points, count);
  for (size_t i = last_measured(p) != NULL; i < count; i++)
    bench_svg_marker(&p->svg, PREDICTED, 1, points[i].x, points[i].y, 4.0);
}

/* What is drawn last is blocked and named first, so that names do not cover it. */
static void reserve(panel *p) {
  bench_svg_xy points[BENCH_SCALING_POINTS + BENCH_SCALING_PREDICTIONS + 1];
  const bench_scaling_point *which[BENCH_SCALING_POINTS];
  for (int beyond = 0; beyond < 2; beyond++) {
    const size_t count = measured_points(p, beyond, points, which);
    for (size_t i = 0; i < count; i++) {
      double low, high;
      block(p, points[i]);
      if (spread_of(p, which[i], &low, &high))
        bench_labels_fence(&p->labels, points[i].x, low, points[i].x, high);
    }
    fence(p, points, count);
  }
  const size_t count = predicted_points(p, points);
  for (size_t i = 0; i < count; i++) block(p, points[i]);
  fence(p, points, count);
}

static void name_lines(panel *p) {
  bench_svg_xy points[BENCH_SCALING_POINTS + BENCH_SCALING_PREDICTIONS + 1];
  const bench_scaling_point *which[BENCH_SCALING_POINTS];
  size_t count = measured_points(p, 0, points, which);
  if (count > 0)
    bench_labels_place(&p->labels, &p->svg, points[count - 1].x, points[count - 1].y, "measured");
  count = measured_points(p, 1, points, which);
  if (count > 0)
    bench_labels_place(&p->labels, &p->svg, points[count - 1].x, points[count - 1].y,
                       "beyond cores");
  count = predicted_points(p, points);
  if (count > (last_measured(p) != NULL))
    bench_labels_place(&p->labels, &p->svg, points[count - 1].x, points[count - 1].y, "prediction");
}

/* ---- The panel ----------------------------------------------------------------------------------- */

static void write_heading(panel *p) {
  const bench_scaling_case *c = p->c;
  char title[160], below[256] = "";
  bench_plot_case_name(title, sizeof title, c->name, c->phase, c->batch);
  bench_plot_shorten(title, sizeof title, 13.0, WIDTH - 20);
  bench_svg_text(&p->svg, "name", BENCH_SVG_START, 10, 18, "%s", title);
  if (!c->valid)
    snprintf(below, sizeof below, "not valid: %s", c->note);
  else if (c->predictions_shown && c->prediction_count > 0) {
    const bench_prediction *last = &c->predictions[c->prediction_count - 1];
    snprintf(below, sizeof below, "prediction at %u threads %.3g×, limit: %s", last->threads,
             last->speedup, bench_limit_name(last->limit));
  } else if (isfinite(c->check_error))
    snprintf(below, sizeof below, "no prediction: formula off by %s%.0f %% at %u threads",
             c->check_error < 0.0 ? "−" : "+", 100.0 * fabs(c->check_error), c->check_threads);
  bench_plot_shorten(below, sizeof below, 11.5, WIDTH - 20);
  bench_svg_text(&p->svg, "small soft", BENCH_SVG_START, 10, 34, "%s", below);
  const bench_scaling_point *last = bench_scaling_largest(c);
  const char *remark = c->members > 1 ? "bounds are of its networks one after the other"
                       : last != NULL && last->axis == TILES
                           ? "ran across tiles; bounds are of vertices as tasks"
                           : "";
  if (c->valid) bench_svg_text(&p->svg, "small soft", BENCH_SVG_START, 10, 49, "%s", remark);
}

static void add_panel(bench_figure *figure, const bench_scaling_case *c) {
  panel p = {.c = c};
  p.frame.x = (bench_axis){.from = 62, .to = WIDTH - 84, .least_step = 1.0, .title = "threads"};
  p.frame.y = (bench_axis){.format = BENCH_TICK_FACTOR,
                           .from = HEIGHT - 48,
                           .to = 60,
                           .title = "speed-up against 1 thread"};
  p.labels.area = (bench_box){p.frame.x.from + 3, p.frame.y.to - 6, WIDTH - 4, p.frame.y.from - 3};
  bench_svg_open(&p.svg);
  write_heading(&p);
  if (c->valid && c->point_count > 0) {
    choose_range(&p);
    bench_frame_draw(&p.svg, &p.frame);
    reserve(&p);
    name_lines(&p);
    draw_bounds(&p);
    draw_predicted(&p);
    draw_measured(&p);
  }
  char title[200], name[120];
  bench_plot_case_name(name, sizeof name, c->name, c->phase, c->batch);
  snprintf(title, sizeof title, "Speed-up over threads: %s", name);
  bench_figure_add(figure, &p.svg, WIDTH, HEIGHT, title);
}

bench_figure *bench_plot_speedup(const bench_scaling *scaling) {
  bench_figure *figure = bench_figure_create(
      "speedup", "Speed-up over threads",
      "Filled circles: measured medians, bars the quartiles. Thin lines: linear speed-up; the "
      "work/span bound, which no schedule of these tasks can beat; the greedy bound, which a "
      "greedy "
      "schedule reaches at least, each release paid for. Dashed with open squares: predictions, "
      "not "
      "measured, drawn only where the same formula gives the time of the most measured threads "
      "within 5 %. Grey with dots: more threads than cores.",
      3);
  for (uint64_t i = 0; i < scaling->case_count; i++) add_panel(figure, &scaling->cases[i]);
  return bench_figure_finish(figure);
}
