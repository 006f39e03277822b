/* Writes SVG: elements, escaped text, one style for all plots (light, dark, print). A number that is not
 * finite is refused: the whole drawing is then NULL. Includes only the standard library. */
#ifndef BENCH_SVG_DOCUMENT_H
#define BENCH_SVG_DOCUMENT_H

#include <stdio.h>

/* Series, told apart by colour, marker and dash. */
enum { BENCH_SVG_SERIES = 6 };

typedef enum bench_svg_anchor { BENCH_SVG_START, BENCH_SVG_MIDDLE, BENCH_SVG_END } bench_svg_anchor;

typedef struct bench_svg_xy {
  double x, y;
} bench_svg_xy;

typedef struct bench_svg {
  FILE *stream;
  char *text;
  size_t size;
  int refused; /* a number was not finite */
} bench_svg;

void bench_svg_open(bench_svg *svg);
/* The elements as text, to be freed; NULL if a number was refused. */
char *bench_svg_close(bench_svg *svg);

/* `type` is one or more class names of the style. */
void bench_svg_line(bench_svg *svg, const char *type, double x1, double y1, double x2, double y2);
void bench_svg_rectangle(bench_svg *svg, const char *type, double x, double y, double width,
                         double height);
/* Joins the points; nothing for fewer than two. */
void bench_svg_path(bench_svg *svg, const char *type, const bench_svg_xy *points, size_t count);
/* Marker of a series, filled or open, about `size` in radius. */
void bench_svg_marker(bench_svg *svg, unsigned series, int open, double x, double y, double size);
__attribute__((format(printf, 6, 7))) void bench_svg_text(bench_svg *svg, const char *type,
                                                          bench_svg_anchor anchor, double x,
                                                          double y, const char *format, ...);
/* The same, turned by `degrees` around its place. */
void bench_svg_turned_text(bench_svg *svg, const char *type, bench_svg_anchor anchor, double x,
                           double y, double degrees, const char *text);
/* What is drawn until bench_svg_end_group shows this text where a pointer rests on it. */
__attribute__((format(printf, 2, 3))) void bench_svg_group(bench_svg *svg, const char *format, ...);
void bench_svg_end_group(bench_svg *svg);

/* Opens and closes a document or an inline element; `style`: with the rules in it. */
void bench_svg_write_head(FILE *stream, double width, double height, const char *title, int style);
void bench_svg_write_foot(FILE *stream);
/* The rules for elements within class "plot". */
void bench_svg_write_style(FILE *stream);

/* Text for XML and HTML, also within quotes; what XML forbids becomes U+FFFD. */
void bench_xml_write(FILE *stream, const char *text);

#endif
