/* The JSON report's schema: one table that documents it and checks it. */
#ifndef BENCH_SCHEMA_H
#define BENCH_SCHEMA_H

#include <jansson.h>
#include <stdio.h>

/* Checks a report. Returns 0, or −1 with one sentence in `message`. */
int bench_schema_check(const json_t *report, char *message, size_t size);
/* Prints every field with its type and meaning. */
void bench_schema_print(FILE *stream);

#endif
