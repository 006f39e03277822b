/* Tables of the HTML report; each writes nothing if the report has nothing of its kind. May include
 * scaling_data. */
#ifndef BENCH_HTML_TABLES_H
#define BENCH_HTML_TABLES_H

#include <stdio.h>

#include "scaling_data.h"

void bench_html_times(FILE *stream, const bench_scaling *scaling);
void bench_html_scaling(FILE *stream, const bench_scaling *scaling);
void bench_html_networks(FILE *stream, const bench_scaling *scaling);
void bench_html_predictions(FILE *stream, const bench_scaling *scaling);
void bench_html_metg(FILE *stream, const bench_scaling *scaling);
void bench_html_edges(FILE *stream, const bench_scaling *scaling);
void bench_html_peers(FILE *stream, const bench_scaling *scaling);
/* What the times were taken on. */
void bench_html_machine(FILE *stream, const bench_scaling *scaling);

#endif
