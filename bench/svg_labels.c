/* Placing labels: each in turn at the cheapest of many places around its point. May include only its
 * header. */
#include "svg_labels.h"

#include <math.h>
#include <string.h>

#define TEXT_SIZE   11.5
#define TEXT_HEIGHT 12.0
#define MARKER      6.0 /* from the point's middle to the nearest label */

double bench_text_width(const char *text, double size) {
  double width = 0.0;
  for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
    if ((*c & 0xc0) == 0x80) continue; /* goes with the byte before */
    width += *c == ' ' || strchr("ijl.,:;'|!()[]tfrI-/", *c) != NULL ? 0.38
             : strchr("mwMW@%", *c) != NULL                          ? 0.95
             : *c >= 'A' && *c <= 'Z'                                ? 0.70
                                                                     : 0.61;
  }
  return width * size;
}

void bench_labels_spread(double *places, size_t count, double gap, double low, double high) {
  if (count == 0) return;
  if ((double)(count - 1) * gap > high - low) gap = (high - low) / (double)(count - 1);
  double least = low;
  for (size_t i = 0; i < count; i++) {
    places[i] = fmax(places[i], least);
    least = places[i] + gap;
  }
  double most = high;
  for (size_t i = count; i-- > 0;) {
    places[i] = fmin(places[i], most);
    most = places[i] - gap;
  }
}

void bench_labels_block(bench_labels *labels, bench_box box) {
  if (labels->box_count < BENCH_MOST_BOXES) labels->boxes[labels->box_count++] = box;
}

void bench_labels_fence(bench_labels *labels, double x1, double y1, double x2, double y2) {
  const double length = hypot(x2 - x1, y2 - y1);
  const int pieces = (int)fmin(ceil(length / 8.0), 80.0);
  for (int i = 0; i < pieces && labels->fence_count < BENCH_MOST_BOXES; i++) {
    const double part = (i + 0.5) / pieces;
    const double x = x1 + part * (x2 - x1), y = y1 + part * (y2 - y1);
    labels->fences[labels->fence_count++] = (bench_box){x - 3, y - 3, x + 3, y + 3};
  }
}

static double overlap(const bench_box *a, const bench_box *b) {
  const double width = fmin(a->right, b->right) - fmax(a->left, b->left);
  const double height = fmin(a->bottom, b->bottom) - fmax(a->top, b->top);
  return width > 0.0 && height > 0.0 ? width * height : 0.0;
}

/* Square pixels of `box` that cover boxes or lie outside of the area. */
static double covered(const bench_labels *labels, const bench_box *box) {
  double sum = 0.0;
  for (size_t i = 0; i < labels->box_count; i++) sum += overlap(box, &labels->boxes[i]);
  return sum + (box->right - box->left) * (box->bottom - box->top) - overlap(box, &labels->area);
}

static double crossed(const bench_labels *labels, const bench_box *box) {
  double sum = 0.0;
  for (size_t i = 0; i < labels->fence_count; i++) sum += overlap(box, &labels->fences[i]);
  return sum;
}

/* A box of that size whose nearest edge is `distance` from (x, y) in the direction. */
static bench_box box_towards(double x, double y, double angle, double distance, double width) {
  const double dx = cos(angle), dy = sin(angle);
  const double middle_x = x + dx * (distance + 0.5 * width * fabs(dx));
  const double middle_y = y + dy * (distance + 0.5 * TEXT_HEIGHT);
  const double shift = fabs(dx) < 0.3 ? 0.0
                       : dx > 0.0     ? 0.5 * width * (1 - dx)
                                      : -0.5 * width * (1 + dx);
  return (bench_box){middle_x + shift - 0.5 * width, middle_y - 0.5 * TEXT_HEIGHT,
                     middle_x + shift + 0.5 * width, middle_y + 0.5 * TEXT_HEIGHT};
}

double bench_labels_place(bench_labels *labels, bench_svg *svg, double x, double y,
                          const char *text) {
  enum { DIRECTIONS = 16, RINGS = 18 };
  const double width = bench_text_width(text, TEXT_SIZE);
  bench_box best = {0};
  double least = INFINITY, best_distance = 0.0;
  for (int r = 0; r < RINGS; r++)
    for (int d = 0; d < DIRECTIONS; d++) {
      const double distance = MARKER + (r == 0 ? 0.0 : 4.0 + 9.0 * r);
      const bench_box box = box_towards(x, y, d * 2.0 * M_PI / DIRECTIONS, distance, width);
      const double cost = 50.0 * covered(labels, &box) + 1.4 * crossed(labels, &box) +
                          1.5 * distance + 0.4 * (d % 8 != 0) + 0.2 * (d > 4 && d < 12);
      if (cost >= least) continue;
      least = cost;
      best = box;
      best_distance = distance;
    }
  const double share = covered(labels, &best) / (width * TEXT_HEIGHT);
  if (best_distance > MARKER)
    bench_svg_line(svg, "lead", x, y, fmin(fmax(x, best.left), best.right),
                   fmin(fmax(y, best.top), best.bottom));
  bench_svg_text(svg, "small halo", BENCH_SVG_START, best.left, best.bottom - 2.5, "%s", text);
  bench_labels_block(labels, best);
  return share;
}
