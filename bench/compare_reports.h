/* Two reports against each other. */
#ifndef BENCH_COMPARE_H
#define BENCH_COMPARE_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

typedef struct bench_comparison {
  uint64_t compared, slower, faster, unmatched, skipped;
} bench_comparison;

/* Compares the rows that both reports have and prints those that changed, with their ratios; `least` is
 * the smallest change that is reported (0.05: 5 %), `all` non-zero prints every row. Where the
 * processor's pace differs between the two, a row counts as changed only if it is so with and without
 * correction for the pace, and if all of its rounds lie on one side of all of the other report's. Rows that are not valid are skipped. */
bench_comparison bench_compare_reports(FILE *stream, const json_t *before, const json_t *later,
                                       double least, int all);

/* Loads a report and checks it against the schema; ends the program with a message if it cannot. */
json_t *bench_report_load(const char *path);

#endif
