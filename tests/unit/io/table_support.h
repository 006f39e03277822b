/* What the tests of tables share. */
#ifndef TESTS_TABLE_SUPPORT_H
#define TESTS_TABLE_SUPPORT_H

#include <backdag/backdag.h>

/* A context with the default allocator, made once a process. */
bdag_context *support_context(void);

/* Parses bytes; a failure fails the test. `options` NULL: float64 and defaults. */
bdag_table *support_parse(const void *bytes, size_t size, const bdag_table_options *options);
bdag_table *support_parse_text(const char *text);
bdag_table_options support_options(bdag_data_format format);
double support_value(const bdag_table *table, uint64_t row, uint64_t column);
/* Compares the whole table with values[rows][columns]. */
void support_expect(const bdag_table *table, uint64_t rows, uint64_t columns, const double *values);

/* Expects a failure with that status, a line (0: none) and a message that holds `fragment`. */
void support_expect_failure(const void *bytes, size_t size, const bdag_table_options *options,
                            bdag_status status, uint64_t line, const char *fragment);
/* Parses every beginning of the bytes, each in a block of its own so that sanitizers see a step too
 * far. `must_fail`: each must give FORMAT; otherwise it may also be OK. Returns how many failed. */
size_t support_truncate(const void *bytes, size_t size, const bdag_table_options *options,
                        int must_fail);

/* A new empty folder; static storage. */
const char *support_folder(void);
/* A path in that folder; static storage, overwritten by the fourth call after. */
const char *support_path(const char *name);
void support_write_file(const char *path, const void *bytes, size_t size);
/* Reads up to `room` − 1 bytes and adds a NUL; returns how many. */
size_t support_read_file(const char *path, char *text, size_t room);

/* A locale whose decimal point is a comma, made with localedef if the system has none. Returns its
 * name or NULL. */
const char *support_comma_locale(void);

#endif
