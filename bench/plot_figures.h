/* Figures of a report: each one or more panels of SVG, alone in a file or inside HTML. May include
 * scaling_data and svg_document. */
#ifndef BENCH_PLOT_FIGURES_H
#define BENCH_PLOT_FIGURES_H

#include "scaling_data.h"
#include "svg_document.h"

typedef struct bench_panel {
  char *title, *body;
  double width, height;
} bench_panel;

typedef struct bench_figure {
  const char *name;  /* of the file, without .svg */
  const char *title; /* a few words */
  const char *caption;
  unsigned columns; /* of panels, in a file */
  uint64_t panel_count;
  bench_panel *panels;
  int refused; /* a panel held a number that was not finite, and is missing */
} bench_figure;

bench_figure *bench_figure_create(const char *name, const char *title, const char *caption,
                                  unsigned columns);
/* Closes the drawing and takes it over. */
void bench_figure_add(bench_figure *figure, bench_svg *svg, double width, double height,
                      const char *title);
/* The figure, or NULL if it has no panel and none was refused. */
bench_figure *bench_figure_finish(bench_figure *figure);
void bench_figure_destroy(bench_figure *figure);

/* A document of its own, all panels in a grid. */
void bench_figure_write_svg(FILE *stream, const bench_figure *figure);
/* An element `figure`; each panel is a svg element. */
void bench_figure_write_html(FILE *stream, const bench_figure *figure);

/* Each NULL if the report has nothing of the kind. Unknown numbers are left out. */
bench_figure *bench_plot_speedup(const bench_scaling *scaling);
bench_figure *bench_plot_metg(const bench_scaling *scaling);
bench_figure *bench_plot_roofline(const bench_scaling *scaling);
bench_figure *bench_plot_edges(const bench_scaling *scaling);
bench_figure *bench_plot_peers(const bench_scaling *scaling);

enum { BENCH_FIGURES = 5 };
typedef bench_figure *(*bench_plot)(const bench_scaling *scaling);
extern const bench_plot bench_plots[BENCH_FIGURES];

/* Writes NAME.svg for each figure into the folder, which is made if it is missing. Returns how many, or −1
 * after a message on stderr. */
int bench_plot_files(const bench_scaling *scaling, const char *folder);

/* Shortens `text` (`size` bytes) by "…" until it is at most `width` pixels wide in that size of font. */
void bench_plot_shorten(char *text, size_t size, double font, double width);
/* "mlp, both, batch 128": the name without folders; alone for a batch of 0, which has no samples. */
void bench_plot_case_name(char *text, size_t size, const char *name, const char *phase,
                          uint64_t batch);

#endif
