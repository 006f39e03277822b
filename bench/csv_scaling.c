/* The scaling report as CSV: the fields of a case, then those of one of its points. May include
 * scaling_json. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "scaling_json.h"

static void write_text(FILE *stream, const char *text) {
  if (strpbrk(text, ",\"\r\n") == NULL) {
    fputs(text, stream);
    return;
  }
  fputc('"', stream);
  for (; *text != '\0'; text++) {
    if (*text == '"') fputc('"', stream);
    fputc(*text, stream);
  }
  fputc('"', stream);
}

static void write_value(FILE *stream, const bench_field *field, const void *structure) {
  const char *place = (const char *)structure + field->offset;
  switch (field->type) {
  case BENCH_FIELD_NUMBER:
    if (isfinite(*(const double *)place)) fprintf(stream, "%.9g", *(const double *)place);
    break;
  case BENCH_FIELD_COUNT:
    fprintf(stream, "%" PRIu64, *(const uint64_t *)place);
    break;
  case BENCH_FIELD_SMALL:
    fprintf(stream, "%" PRIu32, *(const uint32_t *)place);
    break;
  case BENCH_FIELD_FLAG:
    fprintf(stream, "%d", *(const int *)place != 0);
    break;
  case BENCH_FIELD_TRISTATE:
    if (*(const int *)place >= 0) fprintf(stream, "%d", *(const int *)place != 0);
    break;
  case BENCH_FIELD_AXIS:
    fputs(bench_axis_name(*(const int *)place), stream);
    break;
  case BENCH_FIELD_LEVEL:
    if (*(const char *const *)place != NULL) fputs(*(const char *const *)place, stream);
    break;
  case BENCH_FIELD_TEXT:
    write_text(stream, place);
    break;
  case BENCH_FIELD_LIMIT:
  case BENCH_FIELD_LEVELS:
    break;
  }
}

/* Both tables side by side; `point` NULL leaves its fields empty, `structure` NULL means the header. */
static void write_line(FILE *stream, const bench_scaling_case *structure,
                       const bench_scaling_point *point) {
  const bench_field_table *const tables[] = {&bench_case_fields, &bench_point_fields};
  const void *const structures[] = {structure, point};
  for (int t = 0; t < 2; t++)
    for (size_t i = 0; i < tables[t]->count; i++) {
      if (t > 0 || i > 0) fputc(',', stream);
      if (structure == NULL)
        fputs(tables[t]->fields[i].name, stream);
      else if (structures[t] != NULL)
        write_value(stream, &tables[t]->fields[i], structures[t]);
    }
  fputs("\r\n", stream);
}

int bench_scaling_write_csv(FILE *stream, const bench_scaling *scaling) {
  write_line(stream, NULL, NULL);
  for (uint64_t i = 0; i < scaling->case_count; i++) {
    const bench_scaling_case *c = &scaling->cases[i];
    for (uint32_t k = 0; k < c->point_count; k++) write_line(stream, c, &c->points[k]);
    if (c->point_count == 0) write_line(stream, c, NULL);
  }
  return ferror(stream) ? -1 : 0;
}
