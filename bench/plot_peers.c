/* Peers as bars: their time over backdag's, logarithmic, from 1 to either side. May include the svg
 * headers. */
#include <math.h>
#include <string.h>

#include "bench_base.h"
#include "plot_figures.h"
#include "svg_axis.h"
#include "svg_labels.h"

#define WIDTH 760.0
#define ROW   17.0
#define TOP   40.0

enum { MOST_ROWS = 40 }; /* of a panel: it must fit on a page */

static int same_contest(const bench_peer_ratio *a, const bench_peer_ratio *b) {
  return a->batch == b->batch && strcmp(a->name, b->name) == 0 && strcmp(a->phase, b->phase) == 0;
}

/* Rows as they are drawn: contests in the order of their first row, all rows of one together. */
static const bench_peer_ratio **sort_rows(const bench_scaling *scaling) {
  const uint64_t count = scaling->peer_count;
  const bench_peer_ratio **rows = bench_allocate(count + 1, sizeof *rows);
  uint64_t placed = 0;
  for (uint64_t i = 0; i < count; i++) {
    const bench_peer_ratio *peer = &scaling->peers[i];
    uint64_t at = placed;
    while (at > 0 && !same_contest(rows[at - 1], peer)) at--;
    if (at == 0) at = placed;
    memmove(rows + at + 1, rows + at, (placed - at) * sizeof *rows);
    rows[at] = peer;
    placed++;
  }
  return rows;
}

static int is_shown(const bench_peer_ratio *peer) {
  return peer->valid && peer->ratio > 1e-30 && peer->ratio < 1e30;
}

static void choose_range(bench_axis *x, const bench_scaling *scaling) {
  bench_axis_begin(x);
  bench_axis_include(x, 0.8);
  bench_axis_include(x, 1.25);
  for (uint64_t i = 0; i < scaling->peer_count; i++) {
    if (!is_shown(&scaling->peers[i])) continue;
    bench_axis_include(x, scaling->peers[i].ratio);
    bench_axis_include(x, scaling->peers[i].ratio_low);
    bench_axis_include(x, scaling->peers[i].ratio_high);
  }
  bench_axis_finish(x, 0.02);
}

static void draw_axis(bench_svg *svg, const bench_axis *x, double bottom) {
  bench_tick ticks[BENCH_MOST_TICKS];
  const int count = bench_axis_ticks(x, ticks);
  for (int i = 0; i < count; i++) {
    const double place = bench_axis_at(x, ticks[i].value);
    char text[32];
    bench_axis_format(x, ticks[i].value, text);
    bench_svg_line(svg, ticks[i].labelled ? "grid" : "grid fine", place, TOP - 4, place, bottom);
    if (!ticks[i].labelled) continue;
    bench_svg_text(svg, "small", BENCH_SVG_MIDDLE, place, TOP - 9, "%s", text);
    bench_svg_text(svg, "small", BENCH_SVG_MIDDLE, place, bottom + 15, "%s", text);
  }
  const double one = bench_axis_at(x, 1.0);
  bench_svg_line(svg, "axis", one, TOP - 4, one, bottom + 3);
  bench_svg_text(svg, "soft", BENCH_SVG_END, one - 8, 14, "← the peer is faster");
  bench_svg_text(svg, "soft", BENCH_SVG_START, one + 8, 14, "backdag is faster →");
  bench_svg_text(svg, "soft", BENCH_SVG_MIDDLE, 0.5 * (x->from + x->to), bottom + 34,
                 "time of the peer / time of backdag");
}

static void draw_bar(bench_svg *svg, const bench_axis *x, const bench_peer_ratio *peer, double y) {
  const double one = bench_axis_at(x, 1.0), middle = y + 0.5 * ROW;
  if (!is_shown(peer)) {
    char note[220];
    snprintf(note, sizeof note, "not valid%s%s", peer->note[0] != '\0' ? ": " : "", peer->note);
    bench_plot_shorten(note, sizeof note, 11.5, x->to - one + 50);
    bench_svg_text(svg, "small soft", BENCH_SVG_START, one + 8, middle + 4, "%s", note);
    return;
  }
  const double end = bench_axis_at(x, peer->ratio);
  char own[32], other[32], ratio[32];
  bench_text_seconds(own, peer->own_seconds);
  bench_text_seconds(other, peer->seconds);
  bench_text_three(ratio, peer->ratio);
  bench_svg_group(svg, "%s, %s, batch %llu, %u threads: %s %s, backdag %s", peer->name, peer->phase,
                  (unsigned long long)peer->batch, peer->threads, peer->peer, other, own);
  bench_svg_rectangle(svg, peer->ratio >= 1.0 ? "m0" : "o1", fmin(one, end), y + 2.5,
                      fabs(end - one), ROW - 5);
  double left = fmin(one, end), right = fmax(one, end);
  if (bench_axis_shows(x, peer->ratio_low) && bench_axis_shows(x, peer->ratio_high)) {
    const double from = bench_axis_at(x, peer->ratio_low), to = bench_axis_at(x, peer->ratio_high);
    bench_svg_line(svg, "axis", from, middle, to, middle);
    bench_svg_line(svg, "axis", from, middle - 3, from, middle + 3);
    bench_svg_line(svg, "axis", to, middle - 3, to, middle + 3);
    left = fmin(left, from);
    right = fmax(right, to);
  }
  bench_svg_end_group(svg);
  if (peer->ratio >= 1.0)
    bench_svg_text(svg, "small", BENCH_SVG_START, right + 6, middle + 4, "%s×", ratio);
  else
    bench_svg_text(svg, "small", BENCH_SVG_END, left - 6, middle + 4, "%s×", ratio);
}

static void draw_row(bench_svg *svg, const bench_axis *x, const bench_peer_ratio *peer, int heading,
                     double y) {
  char text[160];
  if (heading) {
    bench_plot_case_name(text, sizeof text, peer->name, peer->phase, peer->batch);
    bench_plot_shorten(text, sizeof text, 12.5, 205);
    bench_svg_text(svg, "", BENCH_SVG_START, 8, y + 0.5 * ROW + 4, "%s", text);
    bench_svg_line(svg, "grid", 8, y - 1, WIDTH - 8, y - 1);
  }
  snprintf(text, sizeof text, "%s, %u thread%s", peer->peer, peer->threads,
           peer->threads == 1 ? "" : "s");
  bench_svg_text(svg, "small", BENCH_SVG_START, 218, y + 0.5 * ROW + 4, "%s", text);
  draw_bar(svg, x, peer, y);
}

static void add_panel(bench_figure *figure, const bench_axis *x, const bench_peer_ratio **rows,
                      uint64_t count) {
  const double bottom = TOP + ROW * (double)count;
  bench_svg svg;
  bench_svg_open(&svg);
  draw_axis(&svg, x, bottom);
  for (uint64_t i = 0; i < count; i++) {
    const int heading = i == 0 || !same_contest(rows[i], rows[i - 1]);
    draw_row(&svg, x, rows[i], heading, TOP + ROW * (double)i);
  }
  bench_figure_add(figure, &svg, WIDTH, bottom + 44, "Other people's software beside backdag");
}

/* How many of the rows fit on a panel; a contest stays together where it can. */
static uint64_t rows_of_panel(const bench_peer_ratio **rows, uint64_t count) {
  if (count <= MOST_ROWS) return count;
  for (uint64_t rows_taken = MOST_ROWS; rows_taken > 0; rows_taken--)
    if (!same_contest(rows[rows_taken - 1], rows[rows_taken])) return rows_taken;
  return MOST_ROWS;
}

bench_figure *bench_plot_peers(const bench_scaling *scaling) {
  bench_figure *figure = bench_figure_create(
      "peers", "Other people's software beside backdag",
      "Time of the peer over the time of backdag, measured in turns in one run on the same "
      "network, "
      "results compared. Filled, to the right of 1: backdag is faster; open, to the left: the peer "
      "is. Thin lines: the quartiles of both taken together.",
      1);
  bench_axis x = {.scale = BENCH_LOG10, .format = BENCH_TICK_FACTOR, .from = 390, .to = WIDTH - 54};
  choose_range(&x, scaling);
  const bench_peer_ratio **rows = sort_rows(scaling);
  for (uint64_t first = 0, count; first < scaling->peer_count; first += count) {
    count = rows_of_panel(rows + first, scaling->peer_count - first);
    add_panel(figure, &x, rows + first, count);
  }
  bench_free(rows);
  return bench_figure_finish(figure);
}
