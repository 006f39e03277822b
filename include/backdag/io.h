/* Files: networks as JSON and safetensors, data as CSV, IDX, FANN and NumPy, pictures as DOT. */
#ifndef BACKDAG_IO_H
#define BACKDAG_IO_H

#include <stdio.h>

#include <backdag/train.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum bdag_network_format {
  BDAG_NETWORK_AUTO = 0,       /* by content when reading, by extension when writing */
  BDAG_NETWORK_JSON = 1,       /* .json; a superset of neat-python's network format 1.0 */
  BDAG_NETWORK_SAFETENSORS = 2 /* .safetensors */
} bdag_network_format;

/* Reads a network. Custom activations and losses are found by registered name.
 * Returns OK, IO, FORMAT (the error names line or offset), UNSUPPORTED (what is valid but not ours, by
 * name), UNKNOWN_ID (an unregistered custom function), OUT_OF_MEMORY, and what building returns. */
BDAG_API bdag_status bdag_network_load(bdag_network **network, bdag_context *context,
                                       const char *path, bdag_error *error);
/* The same from memory. */
BDAG_API bdag_status bdag_network_parse(bdag_network **network, bdag_context *context,
                                        const void *bytes, size_t size, bdag_error *error);
/* Writes a network with its initial values, atomically: the file is either the old or the new one.
 * Returns OK, IO, INVALID_ARGUMENT (an extension that names no format), OUT_OF_MEMORY. */
BDAG_API bdag_status bdag_network_save(const bdag_network *network, const char *path,
                                       bdag_network_format format, bdag_error *error);
/* Takes the weights' values into the network as initial values: what to call before saving.
 * Returns OK, MISMATCH, OUT_OF_MEMORY. */
BDAG_API bdag_status bdag_network_take_weights(bdag_network *network, const bdag_weights *weights,
                                               bdag_error *error);

/* A checkpoint: network, weights and the optimizer's state in one safetensors file, which is also an
 * ordinary network file. `epoch` is stored for the caller.
 * Returns as bdag_network_save / bdag_network_load; restoring returns FORMAT if the file holds no
 * optimizer state. */
BDAG_API bdag_status bdag_checkpoint_save(const bdag_network *network, const bdag_weights *weights,
                                          const bdag_trainer *trainer, uint64_t epoch,
                                          const char *path, bdag_error *error);
BDAG_API bdag_status bdag_checkpoint_restore(bdag_trainer *trainer, const bdag_network *network,
                                             const char *path, uint64_t *epoch, bdag_error *error);

/* ---- Data --------------------------------------------------------------------------------------- */

/* A matrix of numbers read from a file: values[rows][columns], float64 or float32. */
typedef struct bdag_table bdag_table;

typedef enum bdag_data_format {
  BDAG_DATA_AUTO = 0, /* by content, then by extension */
  BDAG_DATA_CSV = 1,
  BDAG_DATA_IDX = 2, /* plain or gzip */
  BDAG_DATA_NPY = 3, /* versions 1 to 3, both byte orders, C and Fortran order */
  BDAG_DATA_FANN = 4 /* "samples inputs outputs", then numbers */
} bdag_data_format;

typedef struct bdag_table_options {
  size_t size; /* set by the initialiser */
  bdag_data_format format;
  bdag_type type; /* of the values in memory */
  int header;     /* CSV: 1 yes, 0 no, −1: yes if the first line holds anything but numbers */
  char delimiter; /* CSV: 0: comma, or semicolon or tab if the first line has those instead */
  double scale;   /* every value is multiplied by it; 0: 1, but 1/255 for images of bytes in IDX */
} bdag_table_options;
#define BDAG_TABLE_OPTIONS_INIT                                                                    \
  { sizeof(bdag_table_options), BDAG_DATA_AUTO, BDAG_FLOAT32, -1, 0, 0.0 }

/* Reads a table; `path` "-" is the standard input. Numbers never depend on the locale. IDX and NumPy
 * arrays of more than two dimensions become rows × (product of the rest); one dimension becomes a
 * column. FANN's inputs come first, then its outputs (bdag_table_input_columns tells how many).
 * Returns OK, IO, FORMAT (line or offset, and what was expected), UNSUPPORTED, LIMIT, OUT_OF_MEMORY.
 * `context` provides memory. */
BDAG_API bdag_status bdag_table_load(bdag_table **table, bdag_context *context, const char *path,
                                     const bdag_table_options *options, bdag_error *error);
BDAG_API bdag_status bdag_table_parse(bdag_table **table, bdag_context *context, const void *bytes,
                                      size_t size, const bdag_table_options *options,
                                      bdag_error *error);
BDAG_API void bdag_table_destroy(bdag_table *table);
BDAG_API uint64_t bdag_table_rows(const bdag_table *table);
BDAG_API uint64_t bdag_table_columns(const bdag_table *table);
/* Columns that the format itself calls inputs (FANN), else 0. */
BDAG_API uint64_t bdag_table_input_columns(const bdag_table *table);
/* Name of a column from a CSV header, or NULL. */
BDAG_API const char *bdag_table_column_name(const bdag_table *table, uint64_t column);
/* The values of columns first … as a borrowed array. */
BDAG_API bdag_array bdag_table_array(const bdag_table *table, uint64_t first_column);

/* Writes values[rows][columns] as CSV (shortest digits that read back exactly; `names` [columns] or
 * NULL for no header) or as .npy version 1, to a path (atomically) or, for "-", to standard output.
 * Returns OK, IO, INVALID_ARGUMENT, OUT_OF_MEMORY. */
BDAG_API bdag_status bdag_table_write(bdag_context *context, const char *path,
                                      bdag_data_format format, uint64_t rows, uint64_t columns,
                                      const bdag_array *values, const char *const *names,
                                      bdag_error *error);

/* Writes the network in the DOT language, inputs above, Loss below.
 * Returns OK, IO, LIMIT (more than max_edges edges; 0: 2000). */
BDAG_API bdag_status bdag_network_write_dot(const bdag_network *network, FILE *stream,
                                            uint64_t max_edges, bdag_error *error);

/* ---- Costs -------------------------------------------------------------------------------------- */

/* Reads a cost profile for bdag_context_set_costs from the JSON file that `backdag-bench profile` wrote;
 * costs that it could not measure keep the library's own values. `profile` is written only on success.
 * Returns OK, IO, FORMAT, UNSUPPORTED (another version), NOT_FINITE, INVALID_ARGUMENT, OUT_OF_MEMORY.
 * `context` provides memory. Thread-safe. */
BDAG_API bdag_status bdag_cost_profile_load(bdag_cost_profile *profile, bdag_context *context,
                                            const char *path, bdag_error *error);

#ifdef __cplusplus
}
#endif
#endif
