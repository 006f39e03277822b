/* The scaling report as JSON and back, and as CSV; one table of fields serves all of them and the
 * documentation. May include scaling_data. */
#ifndef BENCH_SCALING_JSON_H
#define BENCH_SCALING_JSON_H

#include <stdio.h>

#include "scaling_data.h"

/* The value of "scaling" in a report; NaN becomes null. A new reference. */
json_t *bench_scaling_to_json(const bench_scaling *scaling);
/* The reverse, from a whole report (machine and settings are beside "scaling"). NULL, with one sentence
 * in `message`, if it does not follow the schema. */
bench_scaling *bench_scaling_from_json(const json_t *report, char *message, size_t size);
/* Prints every field with its type and meaning. */
void bench_scaling_schema_print(FILE *stream);

/* One line per case and number of threads, RFC 4180, with a header; unknown numbers are empty. Cases
 * that are not valid have one line without a point. Returns 0, or −1 when the stream fails. */
int bench_scaling_write_csv(FILE *stream, const bench_scaling *scaling);

typedef enum bench_field_type {
  BENCH_FIELD_NUMBER,   /* double; NaN: null */
  BENCH_FIELD_COUNT,    /* uint64_t */
  BENCH_FIELD_SMALL,    /* uint32_t */
  BENCH_FIELD_FLAG,     /* int: boolean */
  BENCH_FIELD_TRISTATE, /* int: boolean, −1: null */
  BENCH_FIELD_AXIS,     /* int: bdag_axis as a word */
  BENCH_FIELD_LIMIT,    /* bench_limit as a word */
  BENCH_FIELD_LEVEL,    /* const char * or NULL: null */
  BENCH_FIELD_TEXT,     /* char[size] */
  BENCH_FIELD_LEVELS    /* double[4] */
} bench_field_type;

typedef struct bench_field {
  const char *name;
  bench_field_type type;
  size_t offset, size;
  const char *meaning;
} bench_field;

typedef struct bench_field_table {
  const char *name;
  const bench_field *fields;
  size_t count;
} bench_field_table;

extern const bench_field_table bench_case_fields, bench_point_fields, bench_prediction_fields,
    bench_metg_fields, bench_metg_point_fields, bench_roofline_fields, bench_ceiling_fields,
    bench_edges_fields, bench_peer_fields;

/* A word of an enumeration, and back (−1: none). */
const char *bench_axis_name(int axis);

#endif
