/* A small finished scaling report with every kind of content, for tests of what is made from it. */
#ifndef TEST_SCALING_SAMPLE_H
#define TEST_SCALING_SAMPLE_H

#include "scaling_data.h"

/* Two cores. Case 0: 1, 2 and (oversubscribed) 4 threads, predictions shown. Case 1: predictions not
 * shown, results not bitwise equal. Case 2: not valid, no points. Names hold characters that XML, JSON
 * and CSV must escape. Release it with bench_scaling_destroy. */
bench_scaling *scaling_sample(void);

#endif
