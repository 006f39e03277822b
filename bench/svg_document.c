/* The writer of SVG. May include only its header and bench_base. */
#include "svg_document.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "bench_base.h"

void bench_svg_open(bench_svg *svg) {
  *svg = (bench_svg){0};
  svg->stream = open_memstream(&svg->text, &svg->size);
  if (svg->stream == NULL) bench_die("out of memory");
}

char *bench_svg_close(bench_svg *svg) {
  if (fclose(svg->stream) != 0) bench_die("out of memory");
  if (!svg->refused) return svg->text;
  free(svg->text);
  return NULL;
}

/* ---- Text ---------------------------------------------------------------------------------------- */

/* Bytes of the UTF-8 character at `text`, 0 if it is none or XML forbids it. */
static int length_of_character(const unsigned char *text) {
  if (text[0] < 0x80) return text[0] >= 0x20 || text[0] == '\t' || text[0] == '\n' ? 1 : 0;
  const int length = text[0] >= 0xf0 && text[0] <= 0xf4  ? 4
                     : text[0] >= 0xe0 && text[0] < 0xf0 ? 3
                     : text[0] >= 0xc2 && text[0] < 0xe0 ? 2
                                                         : 0;
  for (int i = 1; i < length; i++)
    if ((text[i] & 0xc0) != 0x80) return 0;
  const int overlong = (text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xf0 && text[1] < 0x90);
  const int surrogate = text[0] == 0xed && text[1] >= 0xa0;
  const int no_character = text[0] == 0xef && text[1] == 0xbf && text[2] >= 0xbe;
  const int too_large = text[0] == 0xf4 && text[1] >= 0x90;
  return overlong || surrogate || no_character || too_large ? 0 : length;
}

void bench_xml_write(FILE *stream, const char *text) {
  while (*text != '\0') {
    const int length = length_of_character((const unsigned char *)text);
    const char *entity = *text == '<'    ? "&lt;"
                         : *text == '>'  ? "&gt;"
                         : *text == '&'  ? "&amp;"
                         : *text == '"'  ? "&quot;"
                         : *text == '\'' ? "&#39;"
                         : length == 0   ? "\xef\xbf\xbd"
                                         : NULL;
    if (entity != NULL)
      fputs(entity, stream);
    else
      fwrite(text, 1, (size_t)length, stream);
    text += length > 0 ? length : 1;
  }
}

/* ---- Elements ------------------------------------------------------------------------------------ */

/* At most two decimals, and only as many as there are. */
static void write_number(bench_svg *svg, double value) {
  char text[40];
  if (!isfinite(value) || fabs(value) > 1e7) {
    svg->refused = 1;
    return;
  }
  const int length = snprintf(text, sizeof text, "%.2f", value);
  char *end = text + length;
  while (end[-1] == '0') *--end = '\0';
  if (end[-1] == '.') *--end = '\0';
  fputs(strcmp(text, "-0") == 0 ? "0" : text, svg->stream);
}

static void write_attribute(bench_svg *svg, const char *name, double value) {
  fprintf(svg->stream, " %s=\"", name);
  write_number(svg, value);
  fputc('"', svg->stream);
}

void bench_svg_line(bench_svg *svg, const char *type, double x1, double y1, double x2, double y2) {
  fprintf(svg->stream, "<line class=\"%s\"", type);
  write_attribute(svg, "x1", x1);
  write_attribute(svg, "y1", y1);
  write_attribute(svg, "x2", x2);
  write_attribute(svg, "y2", y2);
  fputs("/>\n", svg->stream);
}

void bench_svg_rectangle(bench_svg *svg, const char *type, double x, double y, double width,
                         double height) {
  fprintf(svg->stream, "<rect class=\"%s\"", type);
  write_attribute(svg, "x", x);
  write_attribute(svg, "y", y);
  write_attribute(svg, "width", width);
  write_attribute(svg, "height", height);
  fputs("/>\n", svg->stream);
}

static void write_points(bench_svg *svg, const bench_svg_xy *points, size_t count) {
  for (size_t i = 0; i < count; i++) {
    fputc(i == 0 ? 'M' : 'L', svg->stream);
    write_number(svg, points[i].x);
    fputc(' ', svg->stream);
    write_number(svg, points[i].y);
  }
}

void bench_svg_path(bench_svg *svg, const char *type, const bench_svg_xy *points, size_t count) {
  if (count < 2) return;
  fprintf(svg->stream, "<path class=\"%s\" d=\"", type);
  write_points(svg, points, count);
  fputs("\"/>\n", svg->stream);
}

void bench_svg_marker(bench_svg *svg, unsigned series, int open, double x, double y, double size) {
  enum { CORNERS = 4 };
  static const bench_svg_xy shapes[BENCH_SVG_SERIES][CORNERS] = {
      {{0, 0}},                                     /* a circle */
      {{-.9, -.9}, {.9, -.9}, {.9, .9}, {-.9, .9}}, /* a square */
      {{0, -1.25}, {1.1, .8}, {-1.1, .8}, {0, -1.25}},
      {{0, -1.3}, {1.3, 0}, {0, 1.3}, {-1.3, 0}},
      {{0, 1.25}, {1.1, -.8}, {-1.1, -.8}, {0, 1.25}},
      {{-1.3, -.5}, {1.3, -.5}, {1.3, .5}, {-1.3, .5}}};
  series %= BENCH_SVG_SERIES;
  if (series == 0) {
    fprintf(svg->stream, "<circle class=\"%s%u\"", open ? "o" : "m", series);
    write_attribute(svg, "cx", x);
    write_attribute(svg, "cy", y);
    write_attribute(svg, "r", size);
    fputs("/>\n", svg->stream);
    return;
  }
  bench_svg_xy points[CORNERS];
  for (int i = 0; i < CORNERS; i++)
    points[i] = (bench_svg_xy){x + size * shapes[series][i].x, y + size * shapes[series][i].y};
  fprintf(svg->stream, "<path class=\"%s%u\" d=\"", open ? "o" : "m", series);
  write_points(svg, points, CORNERS);
  fputs("Z\"/>\n", svg->stream);
}

static void write_text_head(bench_svg *svg, const char *type, bench_svg_anchor anchor) {
  static const char *const anchors[] = {"", " middle", " end"};
  fprintf(svg->stream, "<text class=\"%s%s\"", type, anchors[anchor]);
}

void bench_svg_text(bench_svg *svg, const char *type, bench_svg_anchor anchor, double x, double y,
                    const char *format, ...) {
  char text[400];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  write_text_head(svg, type, anchor);
  write_attribute(svg, "x", x);
  write_attribute(svg, "y", y);
  fputc('>', svg->stream);
  bench_xml_write(svg->stream, text);
  fputs("</text>\n", svg->stream);
}

void bench_svg_turned_text(bench_svg *svg, const char *type, bench_svg_anchor anchor, double x,
                           double y, double degrees, const char *text) {
  write_text_head(svg, type, anchor);
  fputs(" transform=\"translate(", svg->stream);
  write_number(svg, x);
  fputc(' ', svg->stream);
  write_number(svg, y);
  fputs(") rotate(", svg->stream);
  write_number(svg, degrees);
  fputs(")\">", svg->stream);
  bench_xml_write(svg->stream, text);
  fputs("</text>\n", svg->stream);
}

void bench_svg_group(bench_svg *svg, const char *format, ...) {
  char text[400];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  fputs("<g><title>", svg->stream);
  bench_xml_write(svg->stream, text);
  fputs("</title>\n", svg->stream);
}

void bench_svg_end_group(bench_svg *svg) {
  fputs("</g>\n", svg->stream);
}

/* ---- Documents ----------------------------------------------------------------------------------- */

void bench_svg_write_head(FILE *stream, double width, double height, const char *title, int style) {
  fprintf(stream,
          "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"plot\" role=\"img\" "
          "viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" height=\"%.0f\">\n<title>",
          width, height, width, height);
  bench_xml_write(stream, title);
  fputs("</title>\n", stream);
  if (style) {
    fputs("<style>\n", stream);
    bench_svg_write_style(stream);
    fputs("</style>\n", stream);
  }
  fprintf(stream, "<rect class=\"ground\" width=\"%.0f\" height=\"%.0f\"/>\n", width, height);
}

void bench_svg_write_foot(FILE *stream) {
  fputs("</svg>\n", stream);
}

/* After Okabe and Ito, darkened or lightened until they contrast with the ground. */
static const char *const light[BENCH_SVG_SERIES] = {"#0067a5", "#b84300", "#00735a",
                                                    "#94386e", "#7a5c00", "#4a4a4a"};
static const char *const dark[BENCH_SVG_SERIES] = {"#5cb8f0", "#ff9a57", "#34c79a",
                                                   "#ea9cc8", "#e6b72e", "#bdbdbd"};
static const char *const dashes[BENCH_SVG_SERIES] = {"none",    "7 3", "2 2.5",
                                                     "9 3 2 3", "4 2", "12 3"};

static void write_colours(FILE *stream, const char *const *series, const char *ground,
                          const char *ink, const char *soft, const char *grid) {
  fprintf(stream,
          ".plot .ground{fill:%s}.plot text{fill:%s}.plot .soft{fill:%s}.plot .axis{stroke:%s}"
          ".plot .grid{stroke:%s}.plot .bound,.plot .lead{stroke:%s}.plot .halo{stroke:%s}\n",
          ground, ink, soft, soft, grid, soft, ground);
  for (int i = 0; i < BENCH_SVG_SERIES; i++)
    fprintf(stream,
            ".plot .l%d{stroke:%s}.plot .m%d{fill:%s;stroke:%s}.plot .o%d{fill:%s;stroke:%s}\n", i,
            series[i], i, series[i], ground, i, ground, series[i]);
}

void bench_svg_write_style(FILE *stream) {
  fputs(".plot{max-width:100%;height:auto}\n"
        ".plot text{font:13px system-ui,-apple-system,\"Segoe UI\",Roboto,\"Helvetica Neue\","
        "\"Liberation Sans\",Arial,sans-serif;font-variant-numeric:tabular-nums}\n"
        ".plot .small{font-size:11.5px}.plot .name{font-weight:600}\n"
        ".plot .middle{text-anchor:middle}.plot .end{text-anchor:end}\n"
        ".plot line,.plot path{fill:none;stroke-width:1}\n"
        ".plot .axis{stroke-width:1.2}.plot .bound{stroke-width:1.3}.plot .lead{stroke-width:.7}\n"
        ".plot .fine{stroke-dasharray:1.5 3}.plot .broken{stroke-dasharray:6 4}"
        ".plot .dotted{stroke-dasharray:2 3}\n"
        ".plot .halo{stroke-width:3.5;paint-order:stroke;stroke-linejoin:round}\n",
        stream);
  for (int i = 0; i < BENCH_SVG_SERIES; i++)
    fprintf(stream,
            ".plot .l%d{stroke-width:2.2;fill:none}.plot .d%d{stroke-dasharray:%s}"
            ".plot .m%d{stroke-width:1}.plot .o%d{stroke-width:1.8}\n",
            i, i, dashes[i], i, i);
  fputs(".plot .thin{stroke-width:1.3}\n", stream);
  write_colours(stream, light, "#ffffff", "#1c1f24", "#555b66", "#e3e6ea");
  fputs("@media screen and (prefers-color-scheme:dark){\n", stream);
  write_colours(stream, dark, "#14171c", "#e9ebee", "#a9b0bb", "#2e343d");
  fputs("}\n", stream);
}
