/* `bench run`: one case after the other, verified, measured, reported. */
#ifndef BENCH_RUN_CASES_H
#define BENCH_RUN_CASES_H

#include <jansson.h>

#include "machine.h"
#include "report.h"
#include "subject.h"

/* Runs the named cases (names of the table, or paths of network files; count 0: the default set),
 * prints the table and appends the rows to `report`. Returns the number of rows that are wrong or not
 * valid. */
uint64_t bench_run_cases(const bench_settings *settings, const bench_machine *machine,
                         const char *const *names, uint64_t count, json_t *report);

/* What one repetition of a phase does, filled into a row. */
void bench_row_describe(bench_row *row, const bench_subject *subject, bench_phase phase,
                        const bench_machine *machine);

/* Fails rows of phases with a backward pass if too few in_grads are alive, or any is not finite.
 * Returns 0 and writes `note` if so. */
int bench_check_liveness(bench_subject *subject, char *note, size_t size);

/* Progress on stderr: `done` of `total` units of work after `seconds`. */
void bench_progress(const bench_settings *settings, const char *what, double done, double total,
                    double seconds);
void bench_progress_clear(const bench_settings *settings);

#endif
