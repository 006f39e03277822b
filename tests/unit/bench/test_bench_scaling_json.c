/* JSON there and back, the schema's refusals, CSV. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "scaling_json.h"
#include "scaling_sample.h"

static json_t *report_of(const bench_scaling *s) {
  return json_pack("{s:O, s:O, s:o}", "machine", s->machine, "settings", s->settings, "scaling",
                   bench_scaling_to_json(s));
}

/* Through text, as a file would. */
static json_t *through_text(json_t *report) {
  char *text = json_dumps(report, 0);
  json_t *again = json_loads(text, 0, NULL);
  free(text);
  json_decref(report);
  return again;
}

Test(scaling_json, nothing_is_lost) {
  bench_scaling *s = scaling_sample();
  json_t *report = through_text(report_of(s));
  char message[200] = "";
  bench_scaling *again = bench_scaling_from_json(report, message, sizeof message);
  cr_assert_not_null(again, "%s", message);
  json_t *first = bench_scaling_to_json(s), *second = bench_scaling_to_json(again);
  cr_assert(json_equal(first, second), "the copy differs");
  cr_assert_eq(again->case_count, 3);
  cr_assert_eq(again->cases[0].point_count, 3);
  cr_assert_eq(again->cases[1].points[1].bitwise_equal, 0);
  cr_assert_str_eq(again->cases[1].name, s->cases[1].name);
  cr_assert_eq(again->cases[0].predictions[1].limit, BENCH_LIMIT_BANDWIDTH);
  cr_assert_str_eq(again->cases[0].points[0].level, "memory");
  cr_assert(isnan(again->cases[0].points[0].karp_flatt), "null is NaN");
  cr_assert_eq(again->metg[2].point_count, s->metg[2].point_count);
  cr_assert(again->peers[2].valid == 0 && again->peers[1].valid == 1, "flags");
  json_decref(first);
  json_decref(second);
  json_decref(report);
  bench_scaling_destroy(again);
  bench_scaling_destroy(s);
}

typedef struct damage {
  const char *list, *field;
  json_t *value; /* NULL: the field is removed */
  const char *expected;
} damage;

static void check_damage(damage d) {
  bench_scaling *s = scaling_sample();
  json_t *report = report_of(s);
  json_t *object = json_object_get(json_object_get(report, "scaling"), d.list);
  if (json_is_array(object)) object = json_array_get(object, 0);
  if (d.value != NULL)
    json_object_set_new(object, d.field, d.value);
  else
    json_object_del(object, d.field);
  char message[200] = "";
  bench_scaling *again = bench_scaling_from_json(report, message, sizeof message);
  cr_assert_null(again, "%s.%s was taken", d.list, d.field);
  cr_assert(strstr(message, d.expected) != NULL, "\"%s\" does not say %s", message, d.expected);
  json_decref(report);
  bench_scaling_destroy(s);
}

Test(scaling_json, damage_is_refused_by_name) {
  check_damage((damage){"cases", "edges", NULL, "\"edges\" is missing"});
  check_damage((damage){"cases", "edges", json_integer(-1), "\"edges\""});
  check_damage((damage){"cases", "work", json_string("much"), "\"work\""});
  check_damage((damage){"cases", "valid", json_integer(1), "\"valid\""});
  check_damage((damage){"cases", "phase", json_string("longer than twelve"), "\"phase\""});
  check_damage((damage){"cases", "points", json_integer(3), "\"points\" is no array"});
  check_damage((damage){"metg", "points", NULL, "\"points\" is no array"});
  check_damage((damage){"peers", "peer", json_null(), "\"peer\""});
  check_damage((damage){"ceilings", "bytes_per_second", json_array(), "\"bytes_per_second\""});
  check_damage((damage){"edges", "threads", json_integer((json_int_t)1 << 40), "\"threads\""});
}

Test(scaling_json, too_many_points_are_refused) {
  bench_scaling *s = scaling_sample();
  json_t *report = report_of(s);
  json_t *points = json_object_get(
      json_array_get(json_object_get(json_object_get(report, "scaling"), "cases"), 0), "points");
  while (json_array_size(points) <= BENCH_SCALING_POINTS)
    json_array_append(points, json_array_get(points, 0));
  char message[200] = "";
  cr_assert_null(bench_scaling_from_json(report, message, sizeof message));
  cr_assert(strstr(message, "points") != NULL, "%s", message);
  json_decref(report);
  bench_scaling_destroy(s);
}

/* Fields of one line of CSV, quotes respected; returns how many. */
static size_t split(char *line, char **fields, size_t most) {
  size_t count = 0;
  for (char *from = line, *to; from != NULL && count < most;) {
    const int quoted = *from == '"';
    fields[count] = to = from += quoted;
    for (; *from != '\0' && (quoted || *from != ','); from++) {
      if (quoted && *from == '"' && *++from != '"') break;
      *to++ = *from;
    }
    from = *from == ',' ? from + 1 : NULL;
    *to = '\0';
    count++;
  }
  return count;
}

static size_t column(char **header, size_t count, const char *name) {
  size_t i = 0;
  while (i < count && strcmp(header[i], name) != 0) i++;
  cr_assert(i < count, "no column %s", name);
  return i;
}

Test(scaling_json, csv_has_a_line_for_each_point) {
  enum { COLUMNS = 100 };
  bench_scaling *s = scaling_sample();
  char *text = NULL, *rest = NULL;
  size_t size = 0;
  FILE *stream = open_memstream(&text, &size);
  cr_assert_eq(bench_scaling_write_csv(stream, s), 0);
  fclose(stream);
  char *header[COLUMNS], *fields[COLUMNS];
  const size_t columns = split(strtok_r(text, "\r\n", &rest), header, COLUMNS);
  cr_assert_eq(columns, bench_case_fields.count + bench_point_fields.count);
  size_t lines = 0;
  for (char *line; (line = strtok_r(NULL, "\r\n", &rest)) != NULL; lines++) {
    cr_assert_eq(split(line, fields, COLUMNS), columns, "line %zu", lines);
    if (lines == 1) {
      cr_assert_str_eq(fields[column(header, columns, "threads")], "2");
      cr_assert_float_eq(atof(fields[column(header, columns, "median")]), 0.0866, 1e-9);
      cr_assert_str_eq(fields[column(header, columns, "axis")], "vertices");
    }
    if (lines == 0) cr_assert_str_eq(fields[column(header, columns, "karp_flatt")], "");
    if (lines == 3) cr_assert_str_eq(fields[0], "odd, \"<name>\" & co");
    if (lines == 4) cr_assert_str_eq(fields[column(header, columns, "bitwise_equal")], "0");
    if (lines == 5) cr_assert_str_eq(fields[column(header, columns, "median")], "");
  }
  cr_assert_eq(lines, 6);
  free(text);
  bench_scaling_destroy(s);
}
