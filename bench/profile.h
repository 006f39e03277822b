/* The verb `bench profile`: the machine's costs, measured. May include run_cases and below. */
#ifndef BENCH_PROFILE_H
#define BENCH_PROFILE_H

#include "run_cases.h"

/* Seconds on one thread in float32, data in caches; NaN where it could not be measured. */
typedef struct bench_profile {
  uint32_t threads;               /* of `task` and `team` */
  double dense_forward;           /* a flop of dense panels */
  double dense_backward;          /* pull and weight gradients */
  double list_forward;            /* a flop of irregular neurons */
  double list_backward;           /* sweeps */
  double task;                    /* of threads' time, for one task more */
  double team;                    /* entering and leaving the team */
  double bytes_per_second[4];     /* reading from L1, L2, L3, memory, one thread */
  double bytes_per_second_all[4]; /* all threads together */
} bench_profile;

void bench_profile_measure(bench_profile *profile, const bench_settings *settings,
                           const bench_machine *machine);
json_t *bench_profile_json(const bench_profile *profile, const bench_machine *machine);

/* argv[0] is the name for messages. Returns the exit status. */
int bench_profile_verb(int argc, char **argv);

#endif
