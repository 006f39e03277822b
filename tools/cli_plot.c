/* The loss curve of a run as an SVG file: logarithmic where the losses allow it. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

enum {
  WIDTH = 720,
  HEIGHT = 420,
  LEFT = 78,
  RIGHT = 24,
  TOP = 44,
  BOTTOM = 54,
  MOST_POINTS = 1000
};

typedef struct scale {
  double low, high; /* of the losses, or of their logarithms */
  int logarithmic;
  uint64_t first, last; /* epochs */
} scale;

static double place_x(const scale *s, double epoch) {
  const double span = s->last > s->first ? (double)(s->last - s->first) : 1;
  return LEFT + (WIDTH - LEFT - RIGHT) * (epoch - (double)s->first) / span;
}

static double place_y(const scale *s, double loss) {
  const double value = s->logarithmic ? log10(loss) : loss;
  return TOP + (HEIGHT - TOP - BOTTOM) * (s->high - value) / (s->high - s->low);
}

static void widen(double *low, double *high, const double *values, uint64_t count) {
  for (uint64_t i = 0; i < count; i++) {
    if (!isfinite(values[i])) continue;
    if (values[i] < *low) *low = values[i];
    if (values[i] > *high) *high = values[i];
  }
}

static scale fit_scale(uint64_t first_epoch, uint64_t count, const double *loss,
                       const double *held_out) {
  double low = INFINITY, high = -INFINITY;
  widen(&low, &high, loss, count);
  widen(&low, &high, held_out, count);
  if (!(low <= high)) low = high = 0;
  scale s = {low, high, low > 0 && high > 2 * low, first_epoch + 1, first_epoch + count};
  if (s.logarithmic) {
    s.low = log10(low);
    s.high = log10(high);
  }
  const double margin = s.high > s.low ? 0.05 * (s.high - s.low) : 0.5 + 0.1 * fabs(s.low);
  s.low -= margin;
  s.high += margin;
  return s;
}

/* 1, 2 or 5 times a power of ten. */
static double round_step(double rough) {
  const double power = pow(10, floor(log10(rough)));
  const double digit = rough / power;
  return power * (digit <= 1 ? 1 : digit <= 2 ? 2 : digit <= 5 ? 5 : 10);
}

static void draw_mark_y(FILE *file, const scale *s, double loss) {
  const double y = place_y(s, loss);
  if (y < TOP || y > HEIGHT - BOTTOM) return;
  fprintf(file, "<path class=\"grid\" d=\"M%d %.1fH%d\"/>\n", LEFT, y, WIDTH - RIGHT);
  fprintf(file, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.4g</text>\n", LEFT - 8, y + 4,
          loss);
}

static void draw_axes(FILE *file, const scale *s) {
  if (s->logarithmic) {
    static const double digits[] = {1, 2, 5};
    const int few = s->high - s->low < 2.5;
    for (int power = (int)floor(s->low); power <= (int)ceil(s->high); power++)
      for (int i = 0; i < (few ? 3 : 1); i++) draw_mark_y(file, s, digits[i] * pow(10, power));
  } else {
    const double step = round_step((s->high - s->low) / 5);
    for (double value = ceil(s->low / step) * step; value <= s->high; value += step)
      draw_mark_y(file, s, fabs(value) < step / 2 ? 0 : value);
  }
  const double step = fmax(1, round_step((double)(s->last - s->first + 1) / 8));
  for (double epoch = ceil((double)s->first / step) * step; epoch <= (double)s->last; epoch += step)
    fprintf(file, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.0f</text>\n",
            place_x(s, epoch), HEIGHT - BOTTOM + 20, epoch);
  fprintf(file, "<path class=\"axis\" d=\"M%d %dV%dH%d\"/>\n", LEFT, TOP, HEIGHT - BOTTOM,
          WIDTH - RIGHT);
  fprintf(file, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">epoch</text>\n",
          (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12);
}

static void draw_curve(FILE *file, const scale *s, const char *colour, uint64_t count,
                       const double *values) {
  const uint64_t step = count / MOST_POINTS + 1;
  fprintf(file, "<polyline class=\"curve\" stroke=\"%s\" points=\"", colour);
  for (uint64_t i = 0; i < count; i++)
    if (isfinite(values[i]) && (i % step == 0 || i == count - 1))
      fprintf(file, "%.1f,%.1f ", place_x(s, (double)(s->first + i)), place_y(s, values[i]));
  fputs("\"/>\n", file);
  if (count == 1 && isfinite(values[0]))
    fprintf(file, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"/>\n",
            place_x(s, (double)s->first), place_y(s, values[0]), colour);
}

static void draw_key(FILE *file, int x, const char *colour, const char *name) {
  fprintf(file, "<path class=\"curve\" stroke=\"%s\" d=\"M%d 24h26\"/>\n", colour, x);
  fprintf(file, "<text x=\"%d\" y=\"28\">%s</text>\n", x + 32, name);
}

static void draw(FILE *file, uint64_t first_epoch, uint64_t count, const double *loss,
                 const double *held_out) {
  static const char training_colour[] = "#2266aa", held_out_colour[] = "#d2691e";
  const scale s = fit_scale(first_epoch, count, loss, held_out);
  fprintf(file,
          "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
          "viewBox=\"0 0 %d %d\">\n<title>Loss by epoch</title>\n"
          "<style>text{font:13px sans-serif;fill:#333}.grid{stroke:#ddd}"
          ".axis{stroke:#333;fill:none}.curve{fill:none;stroke-width:2;stroke-linejoin:round}"
          "</style>\n<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n",
          WIDTH, HEIGHT, WIDTH, HEIGHT, WIDTH, HEIGHT);
  draw_axes(file, &s);
  draw_curve(file, &s, training_colour, count, loss);
  draw_key(file, LEFT, training_colour, "training loss");
  int any = 0;
  for (uint64_t i = 0; i < count; i++) any |= isfinite(held_out[i]);
  if (any) {
    draw_curve(file, &s, held_out_colour, count, held_out);
    draw_key(file, LEFT + 150, held_out_colour, "held-out loss");
  }
  fputs("</svg>\n", file);
}

int cli_plot_loss(const char *path, uint64_t first_epoch, uint64_t count, const double *loss,
                  const double *held_out) {
  FILE *file = fopen(path, "w");
  if (file == NULL) return cli_fail("%s: cannot be written: %s", path, strerror(errno));
  draw(file, first_epoch, count, loss, held_out);
  const int failed = ferror(file);
  if (fclose(file) != 0 || failed)
    return cli_fail("%s: cannot be written: %s", path, strerror(errno));
  return CLI_OK;
}
