/* Filling in a caller's bdag_error. Floor 0. */
#ifndef BDAG_BASE_ERROR_H
#define BDAG_BASE_ERROR_H

#include <backdag/status.h>

/* Writes `error` (NULL is fine) and returns `status`, so that callers can `return bdag_fail(…)`. */
__attribute__((format(printf, 3, 4))) bdag_status bdag_fail(bdag_error *error, bdag_status status,
                                                            const char *format, ...);
/* The same with a place in a file: line 0 and offset UINT64_MAX mean none; file NULL means none. */
__attribute__((format(printf, 6, 7))) bdag_status bdag_fail_at(bdag_error *error,
                                                               bdag_status status, const char *file,
                                                               uint64_t line, uint64_t offset,
                                                               const char *format, ...);
bdag_status bdag_fail_memory(bdag_error *error);

#endif
