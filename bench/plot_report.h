/* What any report of the bench gives to the plots. May include scaling_json. */
#ifndef BENCH_PLOT_REPORT_H
#define BENCH_PLOT_REPORT_H

#include "scaling_data.h"

/* From a report that follows the schema: its part "scaling" if it has one; else peers' ratios and the
 * roofline out of its rows and its machine's ceilings. NULL, with one sentence in `message`, if that part
 * does not follow its schema. */
bench_scaling *bench_plot_read(const json_t *report, char *message, size_t size);

#endif
