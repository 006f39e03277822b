/* The machine block: on what, and with what, the times were taken. */
#ifndef BENCH_MACHINE_H
#define BENCH_MACHINE_H

#include <jansson.h>
#include <stdio.h>

#include "ceilings.h"

typedef struct bench_machine {
  uint32_t processors; /* allowed to this process */
  uint32_t cores;
  uint32_t quota; /* of the cgroup, rounded up; 0: none */
  size_t l1, l2, l3;
  double load; /* one-minute load average */
  int busy;    /* others work while this process sleeps */
  bench_ceilings ceilings;
  json_t *json; /* everything, as in the report */
} bench_machine;

/* Looks around, measures the ceilings for about `seconds` (0: not at all), fills in `json`. */
void bench_machine_probe(bench_machine *machine, double seconds);
void bench_machine_clear(bench_machine *machine);
/* Prints the block, at most 100 columns wide. */
void bench_machine_print(FILE *stream, const json_t *json);

#endif
