/* Samples and targets of a case, fitted to its loss terms. */
#ifndef BENCH_SAMPLE_DATA_H
#define BENCH_SAMPLE_DATA_H

#include "subject.h"

/* Of the trainer in the phase "step": SGD without momentum. Small, so that weights stay alike. */
#define BENCH_LEARNING_RATE 1e-4

/* Fills x[batch][inputs] and targets[batch][target_count]. The numbers are representable in float32. */
void bench_fill_samples(const bench_subject *subject, bench_member *member, uint64_t index);

#endif
