/* `bench peers`: other people's software on the same network and data, interleaved with backdag. */
#ifndef BENCH_PEERS_H
#define BENCH_PEERS_H

#include "run_cases.h"

/* Runs the named comparisons (count 0: all), prints the table and appends the rows to `report`.
 * Returns the number of results that disagree. */
uint64_t bench_run_peers(const bench_settings *settings, const bench_machine *machine,
                         const char *const *names, uint64_t count, json_t *report);
/* Prints the comparisons and which peers are here. */
void bench_list_peers(FILE *stream);

#endif
