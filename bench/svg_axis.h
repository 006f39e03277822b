/* Scales from values to places, tidy ticks, and the frame of a chart. May include svg_document. */
#ifndef BENCH_SVG_AXIS_H
#define BENCH_SVG_AXIS_H

#include "svg_document.h"

typedef enum bench_scale {
  BENCH_LINEAR,
  BENCH_LOG2,  /* a tick at each power of two */
  BENCH_LOG10, /* a tick at each power of ten, and between them where there is room */
} bench_scale;

/* How a tick is written. */
typedef enum bench_tick_format {
  BENCH_TICK_NUMBER,  /* 0.1, 1, 10 */
  BENCH_TICK_POWER,   /* 10⁴ */
  BENCH_TICK_SECONDS, /* 10 µs */
  BENCH_TICK_PERCENT, /* 50 % */
  BENCH_TICK_FACTOR   /* 2× */
} bench_tick_format;

typedef struct bench_axis {
  bench_scale scale;
  bench_tick_format format;
  double low, high;  /* values, low < high; above 0 on a logarithmic scale */
  double from, to;   /* places of low and high */
  double least_step; /* between ticks of a linear scale; 0: any */
  const char *title;
} bench_axis;

typedef struct bench_tick {
  double value;
  int labelled;
} bench_tick;

enum { BENCH_MOST_TICKS = 160 };

/* Takes the value into the range if it can be shown, and is not absurd: 0, or 1e-30 to 1e30 in size. An
 * axis that has seen nothing has low = +Inf. */
void bench_axis_begin(bench_axis *axis);
void bench_axis_include(bench_axis *axis, double value);
/* A range of some extent around what was seen, by `margin` of it wider; 0 if nothing was seen. */
int bench_axis_finish(bench_axis *axis, double margin);

/* 1 if the value can be shown at all: finite, and above 0 on a logarithmic scale. */
int bench_axis_shows(const bench_axis *axis, double value);
/* Its place, held within the axis. NaN for what cannot be shown. */
double bench_axis_at(const bench_axis *axis, double value);

/* Ascending; returns how many. */
int bench_axis_ticks(const bench_axis *axis, bench_tick ticks[BENCH_MOST_TICKS]);
void bench_axis_format(const bench_axis *axis, double value, char text[32]);

typedef struct bench_frame {
  bench_axis x, y; /* y.from is the lower edge */
} bench_frame;

/* Grid, axes, ticks, their labels and the titles. */
void bench_frame_draw(bench_svg *svg, const bench_frame *frame);

/* "12.3 µs". */
void bench_text_seconds(char text[32], double seconds);
/* Three digits: 0.0123, 1.23, 12.3, 123; "–" if unknown. */
void bench_text_three(char text[32], double value);

#endif
