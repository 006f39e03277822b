/* Labels that do not overlap: beside points in the plane, or one below the other at the ends of lines.
 * Text is measured generously, for fonts that are not known. May include svg_document. */
#ifndef BENCH_SVG_LABELS_H
#define BENCH_SVG_LABELS_H

#include "svg_document.h"

/* Pixels that the text takes at most in a usual sans-serif font of that size. */
double bench_text_width(const char *text, double size);

typedef struct bench_box {
  double left, top, right, bottom;
} bench_box;

/* Moves places[0 … count−1] apart to at least `gap`, within [low, high], keeping their order; nearer
 * together if there is no room. */
void bench_labels_spread(double *places, size_t count, double gap, double low, double high);

enum { BENCH_MOST_BOXES = 512 };

typedef struct bench_labels {
  bench_box area;                     /* labels stay inside */
  bench_box boxes[BENCH_MOST_BOXES];  /* taken: by markers and by labels */
  bench_box fences[BENCH_MOST_BOXES]; /* better not covered: lines */
  size_t box_count, fence_count;
} bench_labels;

void bench_labels_block(bench_labels *labels, bench_box box);
/* A line, as small boxes along it. */
void bench_labels_fence(bench_labels *labels, double x1, double y1, double x2, double y2);
/* Writes the text near (x, y) where it covers nothing, with a thin line if it is not beside it. Returns
 * the share of the text that covers something all the same: 0 is well. */
double bench_labels_place(bench_labels *labels, bench_svg *svg, double x, double y,
                          const char *text);

#endif
