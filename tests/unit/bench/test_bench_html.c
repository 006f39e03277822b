/* The page: well-formed, self-contained, complete, honest. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "html_report.h"
#include "scaling_sample.h"
#include "xml_check.h"

static char *page(const bench_scaling *s) {
  char *text = NULL;
  size_t size = 0;
  FILE *stream = open_memstream(&text, &size);
  cr_assert_eq(bench_html_write(stream, s), 0);
  fclose(stream);
  return text;
}

/* Style sheets are not XML's concern; what is in them is checked by itself. */
static void assert_sound(const char *text) {
  const char *fault = xml_fault(text);
  cr_assert_null(fault, "%s", fault);
  static const char *const foreign[] = {"<script", "src=",   "url(",  "@import", "<link",
                                        "<iframe", "<image", "https", "onload"};
  for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
    cr_assert_eq(count_of(text, foreign[i]), 0, "%s", foreign[i]);
  cr_assert_eq(count_of(text, "http:"), count_of(text, "xmlns=\"http://www.w3.org/"),
               "only names of formats");
  cr_assert_eq(count_of(text, "href=\""), count_of(text, "href=\"#"), "links stay on the page");
  cr_assert_eq(count_of(text, ">nan<") + count_of(text, ">-nan<") + count_of(text, ">inf<"), 0);
}

static void assert_has(const char *text, const char *part) {
  cr_assert(strstr(text, part) != NULL, "no %s", part);
}

Test(html, is_sound_and_complete) {
  bench_scaling *s = scaling_sample();
  char *text = page(s);
  assert_sound(text);
  assert_has(text, "backdag-bench scaling --threads 1,2,4 --json a.json");
  assert_has(text, "Sample &lt;CPU&gt; &amp; &quot;friends&quot; 3.0 GHz");
  assert_has(text, "OMP_WAIT_POLICY");
  assert_has(text, "@media print");
  assert_has(text, "prefers-color-scheme:dark");
  assert_has(text, "name=\"viewport\"");
  /* Three tables of cases; a case that is not valid has no prediction. */
  cr_assert_eq(count_of(text, "\">radix-1024<br/>"), 4);
  cr_assert_eq(count_of(text, "\">broken<br/>"), 3);
  assert_has(text, "not valid: WRONG RESULT");
  assert_has(text, "<td>NO</td>");
  assert_has(text, "results are not bitwise equal");
  assert_has(text, "3\xe2\x80\xaf"
                   "932\xe2\x80\xaf"
                   "160");
  static const char *const ids[] = {"times", "scaling", "predictions", "grain", "roofline",
                                    "edges", "peers",   "machine",     "method"};
  for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
    char id[40], link[40];
    snprintf(id, sizeof id, "id=\"%s\"", ids[i]);
    snprintf(link, sizeof link, "href=\"#%s\"", ids[i]);
    cr_assert_eq(count_of(text, id), 1, "%s", id);
    cr_assert_eq(count_of(text, link), 1, "%s", link);
  }
  cr_assert_eq(count_of(text, "<svg "), 3 + 3 + 2 + 1 + 1, "panels of all figures");
  free(text);
  bench_scaling_destroy(s);
}

Test(html, predictions_are_called_so_and_hidden_where_the_formula_fails) {
  bench_scaling *s = scaling_sample();
  char *text = page(s);
  cr_assert_eq(count_of(text, "class=\"guess\""), s->cases[0].prediction_count);
  cr_assert_eq(count_of(text, "not shown: the formula is off by more than 5 %"), 1);
  assert_has(text, "Predictions: computed, not measured");
  free(text);
  s->cases[0].predictions_shown = 0;
  text = page(s);
  cr_assert_eq(count_of(text, "class=\"guess\""), 0);
  cr_assert_eq(count_of(text, "not shown: the formula is off by more than 5 %"), 2);
  free(text);
  bench_scaling_destroy(s);
}

Test(html, an_empty_report_is_a_page) {
  bench_scaling *s = bench_scaling_create();
  s->seconds = NAN;
  char *text = page(s);
  assert_sound(text);
  cr_assert_eq(count_of(text, "<table") + count_of(text, "<svg "), 0);
  assert_has(text, "id=\"method\"");
  free(text);
  bench_scaling_destroy(s);
}

Test(html, hostile_text_is_escaped) {
  static const char evil[] = "</td><script>alert(1)</script>&\"'\001\xff";
  bench_scaling *s = scaling_sample();
  free(s->command);
  s->command = strdup(evil);
  for (uint64_t i = 0; i < s->case_count; i++) strcpy(s->cases[i].name, evil);
  for (uint64_t i = 0; i < s->peer_count; i++) {
    strcpy(s->peers[i].name, evil);
    strcpy(s->peers[i].note, evil);
  }
  strcpy(s->cases[2].note, evil);
  strcpy(s->metg[0].shape, "<b>&\"'\xc3");
  json_object_set_new(s->machine, "cpu", json_string("<img src=x onerror=alert(1)>"));
  json_object_set_new(json_object_get(s->machine, "environment"), "<b>", json_string("&amp"));
  char *text = page(s);
  const char *fault = xml_fault(text);
  cr_assert_null(fault, "%s", fault);
  cr_assert_eq(count_of(text, "<script") + count_of(text, "<img") + count_of(text, "<b>"), 0);
  cr_assert_eq(count_of(text, "\xff"), 0);
  free(text);
  bench_scaling_destroy(s);
}

Test(html, unknown_numbers_are_dashes) {
  bench_scaling *s = scaling_sample();
  for (uint64_t i = 0; i < s->case_count; i++) {
    bench_scaling_case *c = &s->cases[i];
    c->work = c->span = c->burdened_span = c->release = c->parallelism = c->serial = NAN;
    c->check_predicted = c->check_measured = c->check_error = NAN;
    c->check_threads = 0;
    c->predictions_shown = 0;
    for (uint32_t k = 0; k < c->point_count; k++) {
      bench_scaling_point *p = &c->points[k];
      p->median = p->speedup = p->speedup_serial = p->efficiency = p->overhead = NAN;
      p->task_seconds = p->peak = p->bandwidth = p->quartile_high = INFINITY;
      p->level = NULL;
      p->bitwise_equal = -1;
    }
  }
  char *text = page(s);
  assert_sound(text);
  assert_has(text, "<td>–</td>");
  cr_assert_eq(count_of(text, "nan") + count_of(text, ">inf"), 0);
  free(text);
  bench_scaling_destroy(s);
}

Test(html, files_are_written_or_refused) {
  char path[] = "/tmp/bench-html-XXXXXX";
  const int file = mkstemp(path);
  cr_assert_geq(file, 0);
  close(file);
  bench_scaling *s = scaling_sample();
  cr_assert_eq(bench_html_file(s, path), 0);
  unlink(path);
  cr_assert_eq(bench_html_file(s, "/proc/none/at/all.html"), -1);
  cr_assert_eq(bench_html_file(s, "/dev/full"), -1);
  bench_scaling_destroy(s);
}
