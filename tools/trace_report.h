/* What backdag trace found, as text, JSON or a picture. */
#ifndef BACKDAG_TRACE_REPORT_H
#define BACKDAG_TRACE_REPORT_H

#include "cli.h"

typedef struct trace_report {
  const bdag_trace *trace;
  const char *network; /* path */
  const char *what;    /* "forward and backward", … */
  uint64_t samples;
  uint64_t runs; /* of which the trace is a fast one */
  bdag_analysis analysis;
  uint64_t *path; /* [analysis.path_length] records of the critical path */
  int release_given;
} trace_report;

/* Prints tables; `steps`: so many of the longest steps of the critical path. */
int trace_report_print(const trace_report *report, uint64_t steps, int json);
/* Writes the timeline as SVG. */
int trace_report_draw(const trace_report *report, const char *path);

/* "12.3 us" into a buffer of 32 bytes: ns, us, ms or s. */
const char *trace_format_seconds(char *buffer, double seconds);

#endif
