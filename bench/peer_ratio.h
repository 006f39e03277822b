/* Rows of peers as ratios to backdag's row of the same contest. May include scaling_data. */
#ifndef BENCH_PEER_RATIO_H
#define BENCH_PEER_RATIO_H

#include "scaling_data.h"

/* Appends a ratio for each row of a peer that was measured or refused; rows of one contest follow each
 * other, backdag's first. A peer that is not installed leaves a valid row without samples: no ratio. */
void bench_peer_ratios_add(bench_scaling *scaling, const json_t *rows);

#endif
