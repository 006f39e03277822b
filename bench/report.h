/* Rows of a report: as a table, and as JSON (schema.h). */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include <jansson.h>
#include <stdio.h>

#include "statistics.h"

#define BENCH_SCHEMA_VERSION 1

/* Each case is measured in so many turns, spread over the whole run. */
enum { BENCH_ROUNDS = 6 };

typedef struct bench_row {
  const char *name, *phase, *implementation; /* "backdag" or a peer's name */
  uint64_t batch;
  uint32_t threads;
  const char *type;
  const double *seconds; /* [count] of one repetition */
  uint64_t count;
  const double *rounds; /* [round_count] median of each turn; NULL: not taken in turns */
  uint64_t round_count;
  double pace; /* median of bench_pace beside it; 0: not taken */
  /* What one repetition does; 0: has no meaning for this phase. */
  double edge_samples, flops, bytes;
  double peak;          /* flop/s of these threads */
  const char *level;    /* that holds the bytes */
  double bandwidth;     /* bytes/s of that level */
  double row_bytes;     /* if every edge reads its source's row: rows out of caches */
  double row_bandwidth; /* bytes/s at which such rows alone are gathered; 0: not measured */
  double backward_forward, bound; /* 0: not a backward row */
  uint64_t memory;                /* bytes of plans, engines and gradients */
  int valid;                      /* 0: `note` says why not */
  char note[200];
} bench_row;

/* Header of the table, and one row; each line has at most 100 columns. */
void bench_table_header(FILE *stream);
void bench_table_row(FILE *stream, const bench_row *row);
/* "12.3 us" and the like. */
void bench_print_seconds(char text[16], double seconds);
void bench_print_bytes(char text[16], double bytes);

json_t *bench_row_json(const bench_row *row);
/* A report without rows yet; takes the machine's reference over. `kind` is "run" or "peers". */
json_t *bench_report_create(const char *kind, json_t *machine, json_t *settings);
/* Writes the report; returns 0, or −1 after a message on stderr. */
int bench_report_write(const json_t *report, const char *path);

#endif
