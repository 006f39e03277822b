/* A table's fields, and the contract between table.c and its readers: a reader gets the whole file in
 * memory, makes room once and fills it; table.c releases what a failed reader leaves. Floor 5. */
#ifndef BDAG_IO_TABLE_INTERNAL_H
#define BDAG_IO_TABLE_INTERNAL_H

#include <backdag/io.h>

#include "io/number.h"

struct bdag_table {
  const bdag_context *context;
  bdag_type type;
  uint64_t rows, columns, input_columns;
  void *values;    /* [rows][columns] */
  char **names;    /* [columns] into name_text, or NULL */
  char *name_text; /* or NULL */
};

typedef struct bdag_source {
  const unsigned char *bytes;
  size_t size;
  const char *name; /* for messages; "" when there is no file */
} bdag_source;

/* Readers, all with options that table.c has checked. */
bdag_status bdag_csv_read(bdag_table *table, const bdag_source *source,
                          const bdag_table_options *options, bdag_error *error);
bdag_status bdag_fann_read(bdag_table *table, const bdag_source *source,
                           const bdag_table_options *options, bdag_error *error);
bdag_status bdag_idx_read(bdag_table *table, const bdag_source *source,
                          const bdag_table_options *options, bdag_error *error);
bdag_status bdag_npy_read(bdag_table *table, const bdag_source *source,
                          const bdag_table_options *options, bdag_error *error);

/* Whether a file's first bytes say that it has that format. */
int bdag_idx_matches(const bdag_source *source);
int bdag_npy_matches(const bdag_source *source);
int bdag_fann_matches(const bdag_source *source);

/* Makes room for rows × columns values. Returns OK, FORMAT (no rows or no columns), LIMIT,
 * OUT_OF_MEMORY. */
bdag_status bdag_table_reserve(bdag_table *table, const bdag_source *source, uint64_t rows,
                               uint64_t columns, bdag_error *error);
/* bdag_number_read with the options' scale, rounded to the table's type. */
bdag_number_result bdag_table_read_number(const bdag_table *table, const char **cursor,
                                          const char *end, double scale, double *value);
void bdag_table_store(bdag_table *table, uint64_t index, double value);

enum { bdag_excerpt_size = 64 };
/* A piece of a hostile text, fit for a message. */
const char *bdag_excerpt(char excerpt[bdag_excerpt_size], const char *begin, const char *end);

#endif
