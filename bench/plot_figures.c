/* Figures: panels, documents, files. May include the plots' headers. */
#include "plot_figures.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bench_base.h"
#include "svg_labels.h"

const bench_plot bench_plots[BENCH_FIGURES] = {
    bench_plot_speedup, bench_plot_metg, bench_plot_roofline, bench_plot_edges, bench_plot_peers};

bench_figure *bench_figure_create(const char *name, const char *title, const char *caption,
                                  unsigned columns) {
  bench_figure *figure = bench_allocate(1, sizeof *figure);
  figure->name = name;
  figure->title = title;
  figure->caption = caption;
  figure->columns = columns;
  return figure;
}

void bench_figure_add(bench_figure *figure, bench_svg *svg, double width, double height,
                      const char *title) {
  char *body = bench_svg_close(svg);
  if (body == NULL) {
    figure->refused = 1;
    return;
  }
  figure->panels = reallocarray(figure->panels, figure->panel_count + 1, sizeof *figure->panels);
  char *copy = strdup(title);
  if (figure->panels == NULL || copy == NULL) bench_die("out of memory");
  figure->panels[figure->panel_count++] = (bench_panel){copy, body, width, height};
}

bench_figure *bench_figure_finish(bench_figure *figure) {
  if (figure->panel_count > 0 || figure->refused) return figure;
  bench_figure_destroy(figure);
  return NULL;
}

void bench_figure_destroy(bench_figure *figure) {
  if (figure == NULL) return;
  for (uint64_t i = 0; i < figure->panel_count; i++) {
    free(figure->panels[i].title);
    free(figure->panels[i].body);
  }
  free(figure->panels);
  bench_free(figure);
}

/* ---- Writing ------------------------------------------------------------------------------------- */

/* Place of a panel in the grid, whose rows are as high as their highest panel. */
static void place_panel(const bench_figure *figure, uint64_t index, double *x, double *y) {
  *x = *y = 0.0;
  const uint64_t row = index / figure->columns * figure->columns;
  for (uint64_t i = row; i < index; i++) *x += figure->panels[i].width;
  for (uint64_t first = 0; first < row; first += figure->columns) {
    double height = 0.0;
    for (uint64_t i = first; i < first + figure->columns && i < figure->panel_count; i++)
      if (figure->panels[i].height > height) height = figure->panels[i].height;
    *y += height;
  }
}

void bench_figure_write_svg(FILE *stream, const bench_figure *figure) {
  double width = 0.0, height = 0.0;
  for (uint64_t i = 0; i < figure->panel_count; i++) {
    double x, y;
    place_panel(figure, i, &x, &y);
    if (x + figure->panels[i].width > width) width = x + figure->panels[i].width;
    if (y + figure->panels[i].height > height) height = y + figure->panels[i].height;
  }
  bench_svg_write_head(stream, width, height, figure->title, 1);
  for (uint64_t i = 0; i < figure->panel_count; i++) {
    double x, y;
    place_panel(figure, i, &x, &y);
    fprintf(stream, "<g transform=\"translate(%.0f %.0f)\">\n", x, y);
    fputs(figure->panels[i].body, stream);
    fputs("</g>\n", stream);
  }
  bench_svg_write_foot(stream);
}

void bench_figure_write_html(FILE *stream, const bench_figure *figure) {
  fprintf(stream, "<figure class=\"%s\">\n<figcaption>", figure->columns > 1 ? "many" : "wide");
  bench_xml_write(stream, figure->caption);
  fputs("</figcaption>\n<div class=\"panels\">\n", stream);
  for (uint64_t i = 0; i < figure->panel_count; i++) {
    const bench_panel *panel = &figure->panels[i];
    fputs("<div class=\"panel\">", stream);
    bench_svg_write_head(stream, panel->width, panel->height, panel->title, 0);
    fputs(panel->body, stream);
    bench_svg_write_foot(stream);
    fputs("</div>\n", stream);
  }
  fputs("</div>\n</figure>\n", stream);
}

static int write_file(const bench_figure *figure, const char *folder) {
  if (figure->refused) {
    fprintf(stderr, "backdag-bench: %s: a number is not finite\n", figure->name);
    return -1;
  }
  char *path = bench_format("%s/%s.svg", folder, figure->name);
  FILE *file = fopen(path, "we");
  int failed = file == NULL;
  if (file != NULL) {
    bench_figure_write_svg(file, figure);
    failed = ferror(file) != 0;
    if (fclose(file) != 0) failed = 1;
  }
  if (failed) fprintf(stderr, "backdag-bench: cannot write %s: %s\n", path, strerror(errno));
  free(path);
  return failed ? -1 : 0;
}

int bench_plot_files(const bench_scaling *scaling, const char *folder) {
  if (mkdir(folder, 0777) != 0 && errno != EEXIST) {
    fprintf(stderr, "backdag-bench: cannot make the folder %s: %s\n", folder, strerror(errno));
    return -1;
  }
  int count = 0;
  for (int i = 0; i < BENCH_FIGURES && count >= 0; i++) {
    bench_figure *figure = bench_plots[i](scaling);
    if (figure == NULL) continue;
    count = write_file(figure, folder) == 0 ? count + 1 : -1;
    bench_figure_destroy(figure);
  }
  return count;
}

/* ---- Text ---------------------------------------------------------------------------------------- */

void bench_plot_shorten(char *text, size_t size, double font, double width) {
  size_t length = strlen(text);
  if (bench_text_width(text, font) <= width) return;
  char *copy = bench_format("%s", text);
  do {
    while (length > 0 && ((unsigned char)copy[--length] & 0xc0) == 0x80) continue;
    snprintf(text, size, "%.*s…", (int)length, copy);
  } while (length > 0 && bench_text_width(text, font) > width);
  free(copy);
}

void bench_plot_case_name(char *text, size_t size, const char *name, const char *phase,
                          uint64_t batch) {
  const char *slash = strrchr(name, '/');
  const char *last = slash != NULL ? slash + 1 : name;
  if (batch > 0)
    snprintf(text, size, "%s, %s, batch %llu", last, phase, (unsigned long long)batch);
  else
    snprintf(text, size, "%s", last);
}
