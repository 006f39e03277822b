/* The report as one HTML page that needs nothing else: no script, nothing from outside, legible on paper,
 * on a phone, light and dark. It is well-formed XML, too. May include scaling_data. */
#ifndef BENCH_HTML_REPORT_H
#define BENCH_HTML_REPORT_H

#include <stdio.h>

#include "scaling_data.h"

/* Returns 0, or −1 if the stream failed or a figure held a number that is not finite. */
int bench_html_write(FILE *stream, const bench_scaling *scaling);
/* The same into a file; after a failure −1 and a message on stderr. */
int bench_html_file(const bench_scaling *scaling, const char *path);

#endif
