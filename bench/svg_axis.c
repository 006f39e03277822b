/* Scales, ticks, frames. May include svg_labels for the width of text. */
#include "svg_axis.h"

#include <math.h>
#include <string.h>

#include "svg_labels.h"

/* ---- Range --------------------------------------------------------------------------------------- */

static double forward(const bench_axis *axis, double value) {
  return axis->scale == BENCH_LINEAR ? value : log10(value);
}

static double back(const bench_axis *axis, double value) {
  return axis->scale == BENCH_LINEAR ? value : pow(10.0, value);
}

int bench_axis_shows(const bench_axis *axis, double value) {
  return isfinite(value) && (axis->scale == BENCH_LINEAR || (value > 1e-99 && value < 1e99));
}

void bench_axis_begin(bench_axis *axis) {
  axis->low = INFINITY;
  axis->high = -INFINITY;
}

void bench_axis_include(bench_axis *axis, double value) {
  const double size = fabs(value);
  if (!bench_axis_shows(axis, value) || size > 1e30 || (size < 1e-30 && size > 0.0)) return;
  axis->low = fmin(axis->low, value);
  axis->high = fmax(axis->high, value);
}

int bench_axis_finish(bench_axis *axis, double margin) {
  if (!(axis->low <= axis->high)) return 0;
  double low = forward(axis, axis->low), high = forward(axis, axis->high);
  const double least = axis->scale == BENCH_LINEAR ? 1e-9 + 0.1 * fabs(high) : 0.3;
  if (high - low < least) {
    const double middle = 0.5 * (low + high);
    low = middle - 0.5 * least;
    high = middle + 0.5 * least;
  }
  const double more = margin * (high - low);
  axis->low = back(axis, low - more);
  axis->high = back(axis, high + more);
  return 1;
}

double bench_axis_at(const bench_axis *axis, double value) {
  if (!bench_axis_shows(axis, value)) return NAN;
  const double low = forward(axis, axis->low), high = forward(axis, axis->high);
  const double part = (forward(axis, value) - low) / (high - low);
  return axis->from + fmin(fmax(part, 0.0), 1.0) * (axis->to - axis->from);
}

/* ---- Ticks --------------------------------------------------------------------------------------- */

static int add_tick(const bench_axis *axis, bench_tick *ticks, int count, double value,
                    int labelled) {
  const double slack = 1e-9 * (fabs(axis->low) + fabs(axis->high));
  const double low = axis->scale == BENCH_LINEAR ? axis->low - slack : axis->low * (1.0 - 1e-9);
  const double high = axis->scale == BENCH_LINEAR ? axis->high + slack : axis->high * (1.0 + 1e-9);
  if (value < low || value > high || count >= BENCH_MOST_TICKS) return count;
  ticks[count] = (bench_tick){value, labelled};
  return count + 1;
}

static int linear_ticks(const bench_axis *axis, bench_tick *ticks) {
  const double room = fabs(axis->to - axis->from) / 50.0;
  const double wanted = (axis->high - axis->low) / fmax(room, 2.0);
  const double power = pow(10.0, floor(log10(wanted)));
  const double tidy = power * (wanted / power > 5.0   ? 10.0
                               : wanted / power > 2.0 ? 5.0
                               : wanted / power > 1.0 ? 2.0
                                                      : 1.0);
  const double step = fmax(tidy, axis->least_step);
  int count = 0;
  const double first = ceil(axis->low / step - 1e-9);
  for (int i = 0; i < 64 && (first + i) * step <= axis->high * (1.0 + 1e-9) + 1e-12; i++)
    count = add_tick(axis, ticks, count, (first + i) * step, 1);
  return count;
}

static int log2_ticks(const bench_axis *axis, bench_tick *ticks) {
  const int first = (int)ceil(log2(axis->low) - 1e-9), last = (int)floor(log2(axis->high) + 1e-9);
  const double room = fabs(axis->to - axis->from) / 34.0;
  const int every = (int)ceil((last - first + 1) / fmax(room, 2.0));
  int count = 0;
  for (int i = first; i <= last; i++)
    count = add_tick(axis, ticks, count, exp2(i), (i % every + every) % every == 0);
  return count;
}

static int log10_ticks(const bench_axis *axis, bench_tick *ticks) {
  const int first = (int)floor(log10(axis->low)), last = (int)ceil(log10(axis->high));
  const double decade = fabs(axis->to - axis->from) / (log10(axis->high) - log10(axis->low));
  const double label = axis->format == BENCH_TICK_SECONDS  ? 56.0
                       : axis->format == BENCH_TICK_FACTOR ? 32.0
                                                           : 38.0;
  const int every = (int)fmax(ceil(label / decade), 1.0);
  int count = 0;
  for (int i = first; i <= last; i++) {
    const double power = pow(10.0, i);
    count = add_tick(axis, ticks, count, power, (i % every + every) % every == 0);
    for (int m = 2; m <= 9 && decade > 24.0; m++) {
      const int labelled =
          axis->format != BENCH_TICK_POWER && (m == 2 || m == 5) && decade > 3.4 * label;
      count = add_tick(axis, ticks, count, m * power, labelled);
    }
  }
  return count;
}

int bench_axis_ticks(const bench_axis *axis, bench_tick ticks[BENCH_MOST_TICKS]) {
  switch (axis->scale) {
  case BENCH_LOG2:
    return log2_ticks(axis, ticks);
  case BENCH_LOG10:
    return log10_ticks(axis, ticks);
  default:
    return linear_ticks(axis, ticks);
  }
}

/* ---- Text of numbers ----------------------------------------------------------------------------- */

void bench_text_three(char text[32], double value) {
  const double size = fabs(value);
  if (!isfinite(value))
    strcpy(text, "–");
  else if (size >= 1e6 || (size > 0.0 && size < 1e-4))
    snprintf(text, 32, "%.2e", value);
  else if (size >= 99.95)
    snprintf(text, 32, "%.0f", value);
  else if (size >= 9.995)
    snprintf(text, 32, "%.1f", value);
  else if (size >= 0.9995)
    snprintf(text, 32, "%.2f", value);
  else if (size >= 0.09995)
    snprintf(text, 32, "%.3f", value);
  else
    snprintf(text, 32, "%.3g", value);
}

/* The prefix that leaves one to three digits before the point. */
static const char *seconds_unit(double *seconds) {
  static const char *const units[] = {"ns", "µs", "ms", "s"};
  int unit = 0;
  for (*seconds *= 1e9; unit < 3 && fabs(*seconds) >= 999.5; unit++) *seconds *= 1e-3;
  return units[unit];
}

void bench_text_seconds(char text[32], double seconds) {
  char digits[32];
  if (!isfinite(seconds)) {
    strcpy(text, "–");
    return;
  }
  const char *unit = seconds_unit(&seconds);
  bench_text_three(digits, seconds);
  snprintf(text, 32, "%.20s %s", digits, unit);
}

static void text_power(char text[32], double value) {
  static const char *const digits[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
  char number[16];
  snprintf(number, sizeof number, "%d", (int)lround(log10(value)));
  strcpy(text, "10");
  for (const char *c = number; *c != '\0'; c++) strcat(text, *c == '-' ? "⁻" : digits[*c - '0']);
}

void bench_axis_format(const bench_axis *axis, double value, char text[32]) {
  const char *unit;
  switch (axis->format) {
  case BENCH_TICK_POWER:
    text_power(text, value);
    break;
  case BENCH_TICK_SECONDS:
    value *= 1.0 + 1e-12;
    unit = seconds_unit(&value);
    snprintf(text, 32, "%.4g %s", value, unit);
    break;
  case BENCH_TICK_PERCENT:
    snprintf(text, 32, "%.4g %%", 100.0 * value);
    break;
  case BENCH_TICK_FACTOR:
    snprintf(text, 32, "%.4g×", value);
    break;
  default:
    snprintf(text, 32, "%.4g", value);
  }
}

/* ---- The frame ----------------------------------------------------------------------------------- */

static void draw_x(bench_svg *svg, const bench_frame *frame) {
  const bench_axis *x = &frame->x, *y = &frame->y;
  bench_tick ticks[BENCH_MOST_TICKS];
  const int count = bench_axis_ticks(x, ticks);
  double free_from = -INFINITY;
  for (int i = 0; i < count; i++) {
    const double place = bench_axis_at(x, ticks[i].value);
    char text[32];
    bench_axis_format(x, ticks[i].value, text);
    const double half = 0.5 * bench_text_width(text, 12.0);
    if (ticks[i].labelled) bench_svg_line(svg, "grid", place, y->from, place, y->to);
    bench_svg_line(svg, "axis", place, y->from, place, y->from + (ticks[i].labelled ? 6 : 3));
    if (!ticks[i].labelled || place - half < free_from) continue;
    free_from = place + half + 6.0;
    bench_svg_text(svg, "small", BENCH_SVG_MIDDLE, place, y->from + 19, "%s", text);
  }
  bench_svg_text(svg, "soft", BENCH_SVG_MIDDLE, 0.5 * (x->from + x->to), y->from + 38, "%s",
                 x->title);
}

static void draw_y(bench_svg *svg, const bench_frame *frame) {
  const bench_axis *x = &frame->x, *y = &frame->y;
  bench_tick ticks[BENCH_MOST_TICKS];
  const int count = bench_axis_ticks(y, ticks);
  double widest = 0.0, free_below = INFINITY;
  for (int i = 0; i < count; i++) {
    const double place = bench_axis_at(y, ticks[i].value);
    char text[32];
    bench_axis_format(y, ticks[i].value, text);
    if (ticks[i].labelled) bench_svg_line(svg, "grid", x->from, place, x->to, place);
    bench_svg_line(svg, "axis", x->from - (ticks[i].labelled ? 6 : 3), place, x->from, place);
    if (!ticks[i].labelled || place > free_below) continue;
    free_below = place - 14.0;
    widest = fmax(widest, bench_text_width(text, 11.5));
    bench_svg_text(svg, "small", BENCH_SVG_END, x->from - 9, place + 4, "%s", text);
  }
  bench_svg_turned_text(svg, "soft", BENCH_SVG_MIDDLE, fmax(x->from - 18 - widest, 13.0),
                        0.5 * (y->from + y->to), -90.0, y->title);
}

void bench_frame_draw(bench_svg *svg, const bench_frame *frame) {
  const bench_axis *x = &frame->x, *y = &frame->y;
  draw_x(svg, frame);
  draw_y(svg, frame);
  bench_svg_line(svg, "axis", x->from, y->from, x->to, y->from);
  bench_svg_line(svg, "axis", x->from, y->from, x->from, y->to);
}
