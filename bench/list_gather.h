/* How fast the rows that the irregular edges of one plan read can be gathered: a ceiling of its passes. */
#ifndef BENCH_LIST_GATHER_H
#define BENCH_LIST_GATHER_H

#include <backdag/backdag.h>

/* Bytes a second at which one thread reads a row of 256 bytes (64 samples of float32) for every edge in the
 * plan's lists, in the plan's order, and writes a row for every target, at the best of some distances of
 * prefetching. Measures for about `seconds`. 0 if fewer than nine tenths of the edges, or few, are in
 * lists. */
double bench_list_gather(const bdag_plan *plan, double seconds);

#endif
