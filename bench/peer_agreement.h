/* Whether a peer and backdag computed the same. */
#ifndef BENCH_PEER_AGREEMENT_H
#define BENCH_PEER_AGREEMENT_H

#include "peer_process.h"

/* Compares the results in `problem` after the peer's repetition of `phase` with a pass of the subject
 * over the same data. Returns 1, or 0 with one sentence in `note`. */
int bench_peer_agrees(bench_subject *subject, const bench_problem *problem, bench_phase phase,
                      double tolerance, char *note, size_t size);

#endif
