/* Plots: well-formed, complete, honest about predictions, fit for hostile, empty and unknown data. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench_base.h"
#include "plot_figures.h"
#include "plot_report.h"
#include "scaling_sample.h"
#include "svg_axis.h"
#include "svg_labels.h"
#include "xml_check.h"

static const char xmlns[] = "xmlns=\"http://www.w3.org/2000/svg\"";

/* The document, checked; NULL if there is no such figure. */
static char *draw(bench_plot plot, const bench_scaling *s) {
  bench_figure *figure = plot(s);
  if (figure == NULL) return NULL;
  cr_assert_not(figure->refused, "%s was refused", figure->name);
  char *text = NULL;
  size_t size = 0;
  FILE *stream = open_memstream(&text, &size);
  bench_figure_write_svg(stream, figure);
  fclose(stream);
  const char *fault = xml_fault(text);
  cr_assert_null(fault, "%s: %s", figure->name, fault);
  cr_assert_eq(count_of(text, "http"), 1, "%s refers to something", figure->name);
  cr_assert_eq(count_of(text, xmlns), 1);
  cr_assert_eq(count_of(text, "href") + count_of(text, "url(") + count_of(text, "<script"), 0);
  cr_assert_eq(count_of(text, "\"nan") + count_of(text, "\"-nan") + count_of(text, "\"inf"), 0);
  bench_figure_destroy(figure);
  return text;
}

static void assert_has(const char *text, const char *part) {
  cr_assert(strstr(text, part) != NULL, "no %s", part);
}

Test(plots, all_are_well_formed_and_alone) {
  bench_scaling *s = scaling_sample();
  for (int i = 0; i < BENCH_FIGURES; i++) {
    char *text = draw(bench_plots[i], s);
    cr_assert_not_null(text, "figure %d", i);
    assert_has(text, "viewBox=\"0 0 ");
    assert_has(text, "prefers-color-scheme:dark");
    assert_has(text, "<title>");
    free(text);
  }
  bench_scaling_destroy(s);
}

/* Points of measured cases, without those beyond the cores. */
static size_t measured_points(const bench_scaling *s, int oversubscribed) {
  size_t count = 0;
  for (uint64_t i = 0; i < s->case_count; i++)
    for (uint32_t k = 0; k < s->cases[i].point_count; k++)
      count += (s->cases[i].points[k].oversubscribed != 0) == oversubscribed;
  return count;
}

Test(plots, every_case_is_drawn) {
  bench_scaling *s = scaling_sample();
  s->cases[0].span = 0.05 * s->cases[0].work;
  s->cases[0].burdened_span = 0.2 * s->cases[0].work;
  char *text = draw(bench_plot_speedup, s);
  assert_has(text, ">radix-1024, both, batch 256<");
  assert_has(text, "odd, &quot;&lt;name&gt;&quot; &amp; co");
  assert_has(text, ">broken, both, batch 256<");
  assert_has(text, "not valid: WRONG RESULT");
  cr_assert_eq(count_of(text, "class=\"m0\""), measured_points(s, 0));
  cr_assert_eq(count_of(text, "class=\"o5\""), measured_points(s, 1));
  assert_has(text, ">beyond cores<");
  assert_has(text, ">linear<");
  assert_has(text, ">work/span<");
  assert_has(text, ">linear, work/span<");
  assert_has(text, ">greedy<");
  free(text);
  text = draw(bench_plot_roofline, s);
  cr_assert_eq(count_of(text, ">radix-1024<"), 2, "once for each number of threads");
  cr_assert_eq(count_of(text, "class=\"m0\""), s->roofline_count);
  cr_assert_eq(count_of(text, ">L1 ") + count_of(text, ">L2 ") + count_of(text, ">L3 ") +
                   count_of(text, ">memory "),
               8, "every ceiling is named");
  assert_has(text, "multiply-adds: 460 GFLOP/s");
  free(text);
  bench_scaling_destroy(s);
}

Test(plots, every_curve_and_peer_is_drawn) {
  bench_scaling *s = scaling_sample();
  char *text = draw(bench_plot_metg, s);
  assert_has(text, ">chains<");
  assert_has(text, ">stencil<");
  assert_has(text, ">random<");
  assert_has(text, ">2 threads: 300 ns<");
  cr_assert_eq(count_of(text, "class=\"m0\""), 3 * s->metg[0].point_count);
  free(text);
  text = draw(bench_plot_edges, s);
  assert_has(text, ">forward, 2 threads<");
  assert_has(text, ">backward, 2 threads<");
  cr_assert_eq(count_of(text, "class=\"m0\"") + count_of(text, "class=\"m1\""), s->edges_count + 2,
               "each point, and one beside each name");
  free(text);
  text = draw(bench_plot_peers, s);
  assert_has(text, ">openblas, 2 threads<");
  assert_has(text, ">0.900×<");
  assert_has(text, ">3.60×<");
  assert_has(text, "not valid: results disagree by 3e-2");
  cr_assert_eq(count_of(text, "<rect class=\"m0\""), 1, "one peer is slower");
  cr_assert_eq(count_of(text, "<rect class=\"o1\""), 1, "one is faster");
  free(text);
  bench_scaling_destroy(s);
}

Test(plots, predictions_are_marked_and_only_where_shown) {
  bench_scaling *s = scaling_sample();
  char *text = draw(bench_plot_speedup, s);
  cr_assert_eq(count_of(text, ">prediction<"), 1, "of case 0 alone");
  assert_has(text, "prediction at 128 threads");
  assert_has(text, "no prediction: formula off by +17 % at 2 threads");
  cr_assert_eq(count_of(text, "class=\"o1\""), s->cases[0].prediction_count);
  cr_assert_eq(count_of(text, "class=\"l1 d1\""), 1, "dashed");
  free(text);
  s->cases[0].predictions_shown = 0;
  text = draw(bench_plot_speedup, s);
  cr_assert_eq(count_of(text, ">prediction<") + count_of(text, "class=\"o1\"") +
                   count_of(text, "class=\"l1 d1\"") + count_of(text, ">128<"),
               0);
  free(text);
  bench_scaling_destroy(s);
}

Test(plots, hostile_names_are_escaped) {
  static const char *const names[] = {"</text><script>&\"'",          "\xff\xfe\xc3(", "a\001b\x1f",
                                      "\xed\xa0\x80\xf4\x90\x80\x80", "]]>",           "µ→é😀"};
  for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
    bench_scaling *s = scaling_sample();
    for (uint64_t i = 0; i < s->case_count; i++) strcpy(s->cases[i].name, names[n]);
    for (uint64_t i = 0; i < s->roofline_count; i++) strcpy(s->roofline[i].name, names[n]);
    for (uint64_t i = 0; i < s->peer_count; i++) strcpy(s->peers[i].peer, names[n]);
    strcpy(s->metg[0].shape, "<>&\"'");
    strcpy(s->edges[0].phase, "<&\">");
    strcpy(s->cases[2].note, names[n]);
    for (int i = 0; i < BENCH_FIGURES; i++) {
      char *text = draw(bench_plots[i], s);
      cr_assert_not_null(text);
      for (const char *c = text; *c != '\0'; c++)
        cr_assert(*c != '\xff' && *c != '\xfe', "bytes that are no text");
      free(text);
    }
    bench_scaling_destroy(s);
  }
}

Test(plots, nothing_gives_no_figure) {
  bench_scaling *s = bench_scaling_create();
  for (int i = 0; i < BENCH_FIGURES; i++) cr_assert_null(draw(bench_plots[i], s));
  bench_scaling_destroy(s);
}

Test(plots, one_point_is_enough) {
  bench_scaling *s = scaling_sample();
  for (uint64_t i = 0; i < s->case_count; i++) {
    s->cases[i].point_count = s->cases[i].point_count > 0;
    s->cases[i].prediction_count = 0;
  }
  for (uint64_t i = 0; i < s->metg_count; i++) s->metg[i].point_count = 1;
  s->roofline_count = s->edges_count = s->peer_count = 1;
  for (int i = 0; i < BENCH_FIGURES; i++) {
    char *text = draw(bench_plots[i], s);
    cr_assert_not_null(text, "figure %d", i);
    free(text);
  }
  s->ceiling_count = 0;
  char *text = draw(bench_plot_roofline, s);
  assert_has(text, ">radix-1024<");
  free(text);
  bench_scaling_destroy(s);
}

static void spoil(bench_scaling *s, double value) {
  for (uint64_t i = 0; i < s->case_count; i++) {
    bench_scaling_case *c = &s->cases[i];
    c->work = c->span = c->burdened_span = c->check_error = value;
    for (uint32_t k = 0; k < c->point_count; k++)
      c->points[k].speedup = c->points[k].median = c->points[k].quartile_low = value;
    for (uint32_t k = 0; k < c->prediction_count; k++) c->predictions[k].speedup = value;
  }
  for (uint64_t i = 0; i < s->metg_count; i++) {
    s->metg[i].metg = s->metg[i].points[0].efficiency = value;
    for (uint32_t k = 1; k < s->metg[i].point_count; k++) s->metg[i].points[k].seconds = value;
  }
  for (uint64_t i = 0; i < s->roofline_count; i++) s->roofline[i].flops_per_second = value;
  for (uint64_t i = 1; i < s->ceiling_count; i++)
    s->ceilings[i].flops_per_second = s->ceilings[i].bytes_per_second[0] = value;
  for (uint64_t i = 0; i < s->edges_count; i++) s->edges[i].seconds = value;
  for (uint64_t i = 0; i < s->peer_count; i++)
    s->peers[i].ratio = s->peers[i].ratio_low = s->peers[i].seconds = value;
}

Test(plots, unknown_and_absurd_numbers_are_left_out) {
  static const double values[] = {NAN, INFINITY, -INFINITY, 0.0, -1.0, 1e300, 1e-300};
  for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
    bench_scaling *s = scaling_sample();
    spoil(s, values[v]);
    for (int i = 0; i < BENCH_FIGURES; i++) {
      char *text = draw(bench_plots[i], s);
      if (text != NULL && i == 0) cr_assert_eq(count_of(text, "class=\"m0\""), 0);
      free(text);
    }
    bench_scaling_destroy(s);
  }
}

Test(plots, a_drawing_with_a_number_that_is_none_is_refused) {
  static const double values[] = {NAN, INFINITY, -INFINITY, 1e300};
  for (size_t v = 0; v < sizeof values / sizeof *values; v++)
    for (int element = 0; element < 5; element++) {
      const bench_svg_xy points[] = {{0, 0}, {1, values[v]}};
      bench_svg svg;
      bench_svg_open(&svg);
      if (element == 0) bench_svg_line(&svg, "axis", 0, 0, values[v], 1);
      if (element == 1) bench_svg_rectangle(&svg, "m0", 0, 0, 1, values[v]);
      if (element == 2) bench_svg_path(&svg, "l0", points, 2);
      if (element == 3) bench_svg_marker(&svg, 1, 0, values[v], 0, 4);
      if (element == 4) bench_svg_text(&svg, "", BENCH_SVG_END, values[v], 0, "text");
      bench_figure *figure = bench_figure_create("name", "title", "caption", 1);
      bench_figure_add(figure, &svg, 10, 10, "panel");
      cr_assert(figure->refused && figure->panel_count == 0, "element %d", element);
      bench_figure_destroy(figure);
    }
}

/* ---- Axes ---------------------------------------------------------------------------------------- */

Test(axes, ticks_ascend_within_the_range) {
  static const double ranges[][2] = {{1e-9, 1e3},  {0.9, 1.1},         {3, 4},
                                     {1e-3, 2e-3}, {1, 128},           {0.5, 2},
                                     {1e5, 3e9},   {0.99999, 1.00001}, {1e-28, 1e28}};
  for (size_t r = 0; r < sizeof ranges / sizeof *ranges; r++)
    for (int scale = BENCH_LINEAR; scale <= BENCH_LOG10; scale++) {
      bench_axis axis = {.scale = scale, .from = 50, .to = 350};
      bench_axis_begin(&axis);
      bench_axis_include(&axis, ranges[r][0]);
      bench_axis_include(&axis, ranges[r][1]);
      bench_axis_include(&axis, NAN);
      cr_assert(bench_axis_finish(&axis, 0.05));
      bench_tick ticks[BENCH_MOST_TICKS];
      const int count = bench_axis_ticks(&axis, ticks);
      cr_assert(count <= BENCH_MOST_TICKS);
      for (int i = 0; i < count; i++) {
        const double place = bench_axis_at(&axis, ticks[i].value);
        cr_assert(place >= 50 && place <= 350);
        if (i > 0) cr_assert_gt(ticks[i].value, ticks[i - 1].value, "range %zu scale %d", r, scale);
      }
    }
}

Test(axes, places_follow_the_scale) {
  const bench_axis linear = {.low = 0, .high = 10, .from = 100, .to = 200};
  cr_assert_float_eq(bench_axis_at(&linear, 2.5), 125, 1e-9);
  cr_assert_float_eq(bench_axis_at(&linear, 99), 200, 1e-9, "held within the axis");
  const bench_axis logarithmic = {
      .scale = BENCH_LOG10, .low = 1, .high = 100, .from = 300, .to = 100};
  cr_assert_float_eq(bench_axis_at(&logarithmic, 10), 200, 1e-9);
  cr_assert(isnan(bench_axis_at(&logarithmic, 0)));
  cr_assert(isnan(bench_axis_at(&linear, NAN)));
}

Test(axes, numbers_read_well) {
  static const struct {
    double seconds;
    const char *text;
  } times[] = {
      {12.34e-6, "12.3 µs"}, {999.7e-6, "1.00 ms"}, {1.5e-9, "1.50 ns"}, {75, "75.0 s"}, {NAN, "–"},
      {0.25, "250 ms"}};
  char text[32];
  for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
    bench_text_seconds(text, times[i].seconds);
    cr_assert_str_eq(text, times[i].text);
  }
  const bench_axis powers = {.format = BENCH_TICK_POWER}, spans = {.format = BENCH_TICK_SECONDS};
  bench_axis_format(&powers, 1e-12, text);
  cr_assert_str_eq(text, "10⁻¹²");
  bench_axis_format(&spans, 1e-3, text);
  cr_assert_str_eq(text, "1 ms");
  bench_axis_format(&spans, 5e-7, text);
  cr_assert_str_eq(text, "500 ns");
}

/* ---- Labels -------------------------------------------------------------------------------------- */

Test(labels, spread_keeps_order_gap_and_limits) {
  double places[] = {10, 10, 11, 50, 99, 100};
  bench_labels_spread(places, 6, 12, 0, 100);
  for (int i = 0; i < 6; i++) {
    cr_assert(places[i] >= -1e-9 && places[i] <= 100 + 1e-9);
    if (i > 0) cr_assert(places[i] - places[i - 1] >= 12 - 1e-9, "%d", i);
  }
  double many[] = {5, 5, 5, 5};
  bench_labels_spread(many, 4, 50, 0, 90);
  cr_assert_float_eq(many[3] - many[0], 90, 1e-9, "as far as there is room");
}

Test(labels, none_covers_another_or_a_point) {
  enum { POINTS = 24 };
  bench_labels labels = {.area = {0, 0, 600, 400}};
  bench_random random = {7};
  double x[POINTS], y[POINTS];
  bench_svg svg;
  bench_svg_open(&svg);
  for (int i = 0; i < POINTS; i++) {
    x[i] = 300 + 180 * bench_random_uniform(&random);
    y[i] = 100 + 200 * bench_random_uniform(&random);
    bench_labels_block(&labels, (bench_box){x[i] - 5, y[i] - 5, x[i] + 5, y[i] + 5});
  }
  for (int i = 0; i < POINTS; i++)
    cr_assert_float_eq(bench_labels_place(&labels, &svg, x[i], y[i], "challenge-1024"), 0.0, 1e-9,
                       "label %d", i);
  for (size_t i = POINTS; i < labels.box_count; i++)
    for (size_t k = 0; k < i; k++) {
      const bench_box *a = &labels.boxes[i], *b = &labels.boxes[k];
      cr_assert(a->right <= b->left + 1e-9 || b->right <= a->left + 1e-9 ||
                a->bottom <= b->top + 1e-9 || b->bottom <= a->top + 1e-9);
    }
  free(bench_svg_close(&svg));
}

Test(labels, text_is_shortened_at_whole_characters) {
  for (double width = 0; width < 140; width += 3) {
    char text[64] = "µ→é😀 long name of a case";
    bench_plot_shorten(text, sizeof text, 12.0, width);
    cr_assert(bench_text_width(text, 12.0) <= fmax(width, bench_text_width("…", 12.0)));
    char *escaped = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&escaped, &size);
    bench_xml_write(stream, text);
    fclose(stream);
    cr_assert_str_eq(escaped, text, "a character was cut");
    free(escaped);
  }
}

/* ---- Files and other reports --------------------------------------------------------------------- */

Test(plots, files_are_written_or_refused) {
  char folder[] = "/tmp/bench-plots-XXXXXX";
  cr_assert_not_null(mkdtemp(folder));
  bench_scaling *s = scaling_sample();
  cr_assert_eq(bench_plot_files(s, folder), BENCH_FIGURES);
  static const char *const names[] = {"speedup", "metg", "roofline", "edges", "peers"};
  for (int i = 0; i < BENCH_FIGURES; i++) {
    char *path = bench_format("%s/%s.svg", folder, names[i]);
    cr_assert_eq(unlink(path), 0, "%s is missing", path);
    free(path);
  }
  rmdir(folder);
  cr_assert_eq(bench_plot_files(s, "/proc/none/at/all"), -1);
  bench_scaling_destroy(s);
}

static json_t *row(const char *name, const char *implementation, double median, int valid) {
  return json_pack("{s:s, s:s, s:s, s:i, s:i, s:[f], s:f, s:[f, f], s:f, s:f, s:b, s:s}", "case",
                   name, "phase", "both", "implementation", implementation, "batch", 64, "threads",
                   2, "seconds", median, "median", median, "quartiles", 0.9 * median, 1.1 * median,
                   "flops", 1e9, "bytes", 1e7, "valid", valid, "note", valid ? "" : "disagrees");
}

static json_t *report_of(json_t *rows) {
  return json_pack("{s:{s:{s:i, s:[f, f], s:[{s:[f, f]}, {s:[f, f]}, {s:[f, f]}, {s:[f, f]}]}},"
                   " s:{s:s}, s:o}",
                   "machine", "ceilings", "threads", 2, "fma_float32", 1e11, 2e11, "read",
                   "bytes_per_second", 4e11, 8e11, "bytes_per_second", 2e11, 4e11,
                   "bytes_per_second", 5e10, 9e10, "bytes_per_second", 1e10, 2e10, "settings",
                   "type", "float32", "rows", rows);
}

Test(plots, rows_of_peers_become_ratios) {
  json_t *report = report_of(json_pack("[o, o, o, o, o]", row("a", "backdag", 1e-3, 1),
                                       row("a", "torch", 3e-3, 1), row("a", "fann", 2e-3, 0),
                                       row("b", "backdag", 4e-3, 1), row("b", "torch", 1e-3, 1)));
  char message[100];
  bench_scaling *s = bench_plot_read(report, message, sizeof message);
  cr_assert_not_null(s);
  cr_assert_eq(s->peer_count, 3);
  cr_assert_float_eq(s->peers[0].ratio, 3.0, 1e-9);
  cr_assert_float_eq(s->peers[0].ratio_low, 2.7 / 1.1, 1e-9);
  cr_assert_not(s->peers[1].valid);
  cr_assert_float_eq(s->peers[2].ratio, 0.25, 1e-9);
  cr_assert_eq(s->roofline_count, 0);
  bench_scaling_destroy(s);
  json_decref(report);
}

Test(plots, rows_of_a_run_become_a_roofline) {
  json_t *report =
      report_of(json_pack("[o, o]", row("a", "backdag", 1e-2, 1), row("b", "backdag", 1e-2, 0)));
  char message[100];
  bench_scaling *s = bench_plot_read(report, message, sizeof message);
  cr_assert_eq(s->peer_count, 0);
  cr_assert_eq(s->roofline_count, 1, "what is not valid is not drawn");
  cr_assert_float_eq(s->roofline[0].intensity, 100.0, 1e-9);
  cr_assert_float_eq(s->roofline[0].flops_per_second, 1e11, 1.0);
  cr_assert_eq(s->ceiling_count, 2);
  cr_assert_float_eq(s->ceilings[1].bytes_per_second[BENCH_ROOF_MEMORY], 2e10, 1.0);
  char *text = draw(bench_plot_roofline, s);
  assert_has(text, "multiply-adds: 200 GFLOP/s");
  free(text);
  bench_scaling_destroy(s);
  json_object_set_new(report, "scaling", json_object());
  cr_assert_null(bench_plot_read(report, message, sizeof message));
  cr_assert(strstr(message, "command") != NULL, "%s", message);
  json_decref(report);
}

Test(plots, the_checker_itself_finds_faults) {
  static const char *const bad[] = {"<a>",      "<a></b>",       "<a b=c/>",    "<a>&</a>",
                                    "<a/><a/>", "text",          "<a>\001</a>", "<a b=\"<\"/>",
                                    "",         "<a><b></a></b>"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    cr_assert_not_null(xml_fault(bad[i]), "%s", bad[i]);
  cr_assert_null(xml_fault("<!DOCTYPE html>\n<a b=\"c &lt; d\"><e/>&amp;</a>\n"));
}
