/* Structures to JSON and back by their tables of fields. May include scaling_data. */
#include "scaling_json.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "bench_base.h"

static const char *const axis_names[] = {"auto", "tiles", "vertices", "serial", "both"};
static const char *const levels[] = {"L1", "L2", "L3", "memory"};

const char *bench_axis_name(int axis) {
  return axis_names[axis];
}

static json_t *number(double value) {
  return isfinite(value) ? json_real(value) : json_null();
}

static json_t *value_to_json(const bench_field *field, const void *structure) {
  const char *place = (const char *)structure + field->offset;
  switch (field->type) {
  case BENCH_FIELD_NUMBER:
    return number(*(const double *)place);
  case BENCH_FIELD_COUNT:
    return json_integer((json_int_t) * (const uint64_t *)place);
  case BENCH_FIELD_SMALL:
    return json_integer(*(const uint32_t *)place);
  case BENCH_FIELD_FLAG:
    return json_boolean(*(const int *)place);
  case BENCH_FIELD_TRISTATE:
    return *(const int *)place < 0 ? json_null() : json_boolean(*(const int *)place);
  case BENCH_FIELD_AXIS:
    return json_string(axis_names[*(const int *)place]);
  case BENCH_FIELD_LIMIT:
    return json_string(bench_limit_name(*(const bench_limit *)place));
  case BENCH_FIELD_LEVEL:
    return *(const char *const *)place != NULL ? json_string(*(const char *const *)place)
                                               : json_null();
  case BENCH_FIELD_TEXT:
    return json_string(place);
  case BENCH_FIELD_LEVELS: {
    json_t *array = json_array();
    for (int l = 0; l < 4; l++) json_array_append_new(array, number(((const double *)place)[l]));
    return array;
  }
  }
  return NULL;
}

static json_t *to_json(const bench_field_table *table, const void *structure) {
  json_t *object = json_object();
  for (size_t i = 0; i < table->count; i++)
    json_object_set_new(object, table->fields[i].name, value_to_json(&table->fields[i], structure));
  return object;
}

static json_t *all_to_json(const bench_field_table *table, const void *array, uint64_t count,
                           size_t size) {
  json_t *list = json_array();
  for (uint64_t i = 0; i < count; i++)
    json_array_append_new(list, to_json(table, (const char *)array + i * size));
  return list;
}

#define ALL(table, array, count) all_to_json(&(table), (array), (count), sizeof *(array))

json_t *bench_scaling_to_json(const bench_scaling *s) {
  json_t *cases = json_array(), *metg = json_array();
  for (uint64_t i = 0; i < s->case_count; i++) {
    const bench_scaling_case *c = &s->cases[i];
    json_t *object = to_json(&bench_case_fields, c);
    json_object_set_new(object, "points", ALL(bench_point_fields, c->points, c->point_count));
    json_object_set_new(object, "predictions",
                        ALL(bench_prediction_fields, c->predictions, c->prediction_count));
    json_array_append_new(cases, object);
  }
  for (uint64_t i = 0; i < s->metg_count; i++) {
    const bench_metg_curve *curve = &s->metg[i];
    json_t *object = to_json(&bench_metg_fields, curve);
    json_object_set_new(object, "points",
                        ALL(bench_metg_point_fields, curve->points, curve->point_count));
    json_array_append_new(metg, object);
  }
  return json_pack("{s:s, s:f, s:i, s:o, s:o, s:o, s:o, s:o, s:o}", "command",
                   s->command != NULL ? s->command : "", "seconds", s->seconds, "cores",
                   (int)s->cores, "cases", cases, "metg", metg, "roofline",
                   ALL(bench_roofline_fields, s->roofline, s->roofline_count), "ceilings",
                   ALL(bench_ceiling_fields, s->ceilings, s->ceiling_count), "edges",
                   ALL(bench_edges_fields, s->edges, s->edges_count), "peers",
                   ALL(bench_peer_fields, s->peers, s->peer_count));
}

/* ---- Back ---------------------------------------------------------------------------------------- */

typedef struct reader {
  char *message;
  size_t size;
  int failed;
} reader;

__attribute__((format(printf, 2, 3))) static void fail(reader *r, const char *format, ...) {
  if (r->failed) return;
  r->failed = 1;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(r->message, r->size, format, arguments);
  va_end(arguments);
}

static int take_number(double *place, const json_t *value) {
  if (!json_is_number(value) && !json_is_null(value)) return 0;
  *place = json_is_null(value) ? NAN : json_number_value(value);
  return 1;
}

static int take_word(const char *const *words, int count, const json_t *value) {
  for (int i = 0; json_is_string(value) && i < count; i++)
    if (strcmp(words[i], json_string_value(value)) == 0) return i;
  return -1;
}

static int take_count(uint64_t most, const json_t *value, uint64_t *count) {
  if (!json_is_integer(value) || json_integer_value(value) < 0) return 0;
  *count = (uint64_t)json_integer_value(value);
  return *count <= most;
}

static int take_enumeration(const bench_field *field, char *place, const json_t *value) {
  static const char *const limits[] = {"work", "span", "bandwidth"};
  const int axis = field->type == BENCH_FIELD_AXIS;
  const int word = axis ? take_word(axis_names, 5, value) : take_word(limits, 3, value);
  if (word < 0) return 0;
  if (axis)
    *(int *)place = word;
  else
    *(bench_limit *)place = (bench_limit)word;
  return 1;
}

static int take_level(const char **place, const json_t *value) {
  const int word = take_word(levels, 4, value);
  *place = word < 0 ? NULL : levels[word];
  return word >= 0 || json_is_null(value);
}

static int take_text(const bench_field *field, char *place, const json_t *value) {
  if (!json_is_string(value) || json_string_length(value) >= field->size) return 0;
  memcpy(place, json_string_value(value), json_string_length(value) + 1);
  return 1;
}

/* The field's value into the structure; 0 if it has another type. */
static int take_value(const bench_field *field, void *structure, const json_t *value) {
  char *place = (char *)structure + field->offset;
  uint64_t count = 0;
  switch (field->type) {
  case BENCH_FIELD_NUMBER:
    return take_number((double *)place, value);
  case BENCH_FIELD_COUNT:
    if (!take_count(UINT64_MAX, value, &count)) return 0;
    *(uint64_t *)place = count;
    return 1;
  case BENCH_FIELD_SMALL:
    if (!take_count(UINT32_MAX, value, &count)) return 0;
    *(uint32_t *)place = (uint32_t)count;
    return 1;
  case BENCH_FIELD_FLAG:
    *(int *)place = json_is_true(value);
    return json_is_boolean(value);
  case BENCH_FIELD_TRISTATE:
    *(int *)place = json_is_null(value) ? -1 : json_is_true(value);
    return json_is_boolean(value) || json_is_null(value);
  case BENCH_FIELD_AXIS:
  case BENCH_FIELD_LIMIT:
    return take_enumeration(field, place, value);
  case BENCH_FIELD_LEVEL:
    return take_level((const char **)place, value);
  case BENCH_FIELD_TEXT:
    return take_text(field, place, value);
  case BENCH_FIELD_LEVELS:
    for (int l = 0; l < 4; l++)
      if (!take_number((double *)place + l, json_array_get(value, (size_t)l))) return 0;
    return json_array_size(value) == 4;
  }
  return 0;
}

static void from_json(reader *r, const bench_field_table *table, void *structure,
                      const json_t *object) {
  for (size_t i = 0; i < table->count && !r->failed; i++) {
    const bench_field *field = &table->fields[i];
    const json_t *value = json_object_get(object, field->name);
    if (value == NULL)
      fail(r, "%s: field \"%s\" is missing", table->name, field->name);
    else if (!take_value(field, structure, value))
      fail(r, "%s: field \"%s\" is of another type or out of range", table->name, field->name);
  }
}

static const json_t *list_of(reader *r, const json_t *object, const char *name, size_t most) {
  const json_t *list = json_object_get(object, name);
  if (!json_is_array(list)) fail(r, "scaling: \"%s\" is no array", name);
  if (json_array_size(list) > most) fail(r, "scaling: \"%s\" has more than %zu", name, most);
  return r->failed ? NULL : list;
}

static void read_case(reader *r, bench_scaling_case *c, const json_t *object) {
  from_json(r, &bench_case_fields, c, object);
  const json_t *points = list_of(r, object, "points", BENCH_SCALING_POINTS);
  for (size_t i = 0; i < json_array_size(points); i++)
    from_json(r, &bench_point_fields, &c->points[c->point_count++], json_array_get(points, i));
  const json_t *list = list_of(r, object, "predictions", BENCH_SCALING_PREDICTIONS);
  for (size_t i = 0; i < json_array_size(list); i++)
    from_json(r, &bench_prediction_fields, &c->predictions[c->prediction_count++],
              json_array_get(list, i));
}

static void read_metg(reader *r, bench_metg_curve *curve, const json_t *object) {
  from_json(r, &bench_metg_fields, curve, object);
  const json_t *points = list_of(r, object, "points", SIZE_MAX);
  for (size_t i = 0; i < json_array_size(points); i++) {
    bench_metg_point point = {0};
    from_json(r, &bench_metg_point_fields, &point, json_array_get(points, i));
    bench_metg_add_point(curve, point);
  }
}

static void read_lists(reader *r, bench_scaling *s, const json_t *json) {
  const json_t *list = list_of(r, json, "cases", SIZE_MAX);
  for (size_t i = 0; i < json_array_size(list); i++)
    read_case(r, bench_scaling_add_case(s), json_array_get(list, i));
  list = list_of(r, json, "metg", SIZE_MAX);
  for (size_t i = 0; i < json_array_size(list); i++)
    read_metg(r, bench_scaling_add_metg(s), json_array_get(list, i));
  list = list_of(r, json, "roofline", SIZE_MAX);
  for (size_t i = 0; i < json_array_size(list); i++)
    from_json(r, &bench_roofline_fields, bench_scaling_add_roofline(s), json_array_get(list, i));
  list = list_of(r, json, "ceilings", SIZE_MAX);
  for (size_t i = 0; i < json_array_size(list); i++)
    from_json(r, &bench_ceiling_fields, bench_scaling_add_ceiling(s), json_array_get(list, i));
  list = list_of(r, json, "edges", SIZE_MAX);
  for (size_t i = 0; i < json_array_size(list); i++)
    from_json(r, &bench_edges_fields, bench_scaling_add_edges(s), json_array_get(list, i));
  list = list_of(r, json, "peers", SIZE_MAX);
  for (size_t i = 0; i < json_array_size(list); i++)
    from_json(r, &bench_peer_fields, bench_scaling_add_peer(s), json_array_get(list, i));
}

bench_scaling *bench_scaling_from_json(const json_t *report, char *message, size_t size) {
  reader r = {message, size, 0};
  const json_t *json = json_object_get(report, "scaling");
  bench_scaling *s = bench_scaling_create();
  const json_t *command = json_object_get(json, "command"),
               *seconds = json_object_get(json, "seconds"), *cores = json_object_get(json, "cores");
  uint64_t count = 0;
  if (!json_is_object(json)) fail(&r, "the report has no object \"scaling\"");
  if (!json_is_string(command)) fail(&r, "scaling: \"command\" is no string");
  if (!json_is_number(seconds)) fail(&r, "scaling: \"seconds\" is no number");
  if (!take_count(UINT32_MAX, cores, &count)) fail(&r, "scaling: \"cores\" is no count");
  if (!r.failed) {
    s->command = bench_format("%s", json_string_value(command));
    s->seconds = json_number_value(seconds);
    s->cores = (uint32_t)count;
    s->machine = json_incref(json_object_get(report, "machine"));
    s->settings = json_incref(json_object_get(report, "settings"));
    read_lists(&r, s, json);
  }
  if (!r.failed) return s;
  bench_scaling_destroy(s);
  return NULL;
}

static const char *type_name(bench_field_type type) {
  static const char *const names[] = {"number or null",  "integer",  "integer", "boolean",
                                      "boolean or null", "string",   "string",  "string or null",
                                      "string",          "4 numbers"};
  return names[type];
}

void bench_scaling_schema_print(FILE *stream) {
  const bench_field_table *const tables[] = {
      &bench_case_fields,    &bench_point_fields,      &bench_prediction_fields,
      &bench_metg_fields,    &bench_metg_point_fields, &bench_roofline_fields,
      &bench_ceiling_fields, &bench_edges_fields,      &bench_peer_fields};
  fputs("scaling (reports of the kind \"scaling\"): command, seconds, cores, and these lists\n",
        stream);
  for (size_t t = 0; t < sizeof tables / sizeof *tables; t++) {
    fprintf(stream, "%s\n", tables[t]->name);
    for (size_t i = 0; i < tables[t]->count; i++) {
      const bench_field *field = &tables[t]->fields[i];
      fprintf(stream, "  %-19s %-15s %s\n", field->name, type_name(field->type), field->meaning);
    }
  }
}
