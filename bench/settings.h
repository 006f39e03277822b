/* What the command line chooses. */
#ifndef BENCH_SETTINGS_H
#define BENCH_SETTINGS_H

#include <argp.h>
#include <jansson.h>

#include "cases.h"
#include "measure.h"

#define BENCH_LIST 8

typedef struct bench_settings {
  uint32_t phases;              /* bits; 0: the case's own */
  uint64_t batches[BENCH_LIST]; /* 0 ends; none: the case's own */
  uint32_t threads[BENCH_LIST]; /* 0 ends; none: all that are allowed */
  bdag_type type;
  bdag_isa isa;
  bdag_granularity granularity;
  bdag_amalgamation amalgamation;
  bdag_axis axis;
  uint32_t tile; /* 0: chosen by the plan */
  int deterministic;
  int pin;
  int verify;
  uint64_t seed;
  bench_effort effort;
  double ceilings;   /* seconds for measuring them */
  const char *json;  /* path, NULL: none */
  const char *costs; /* path of a cost profile, NULL: the library's own table */
  int quiet;         /* no progress */
} bench_settings;

bench_settings bench_settings_default(void);
/* The options that change them; the child parser's input is the settings. */
extern const struct argp bench_settings_argp;
json_t *bench_settings_json(const bench_settings *settings);

#endif
