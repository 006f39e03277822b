/* What the verbs of the command-line tool share. Uses the public API only. */
#ifndef BACKDAG_CLI_H
#define BACKDAG_CLI_H

#include <argp.h>
#include <stdio.h>

#include <backdag/backdag.h>

enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

typedef struct cli_verb {
  const char *name;
  const char *summary;
  int (*run)(int argc, char **argv);
  int computes; /* non-zero: runs passes on several threads */
} cli_verb;

int cmd_new(int argc, char **argv);
int cmd_train(int argc, char **argv);
int cmd_evaluate(int argc, char **argv);
int cmd_predict(int argc, char **argv);
int cmd_check_gradient(int argc, char **argv);
int cmd_info(int argc, char **argv);
int cmd_convert(int argc, char **argv);
int cmd_draw(int argc, char **argv);
int cmd_trace(int argc, char **argv);

/* ---- Messages: one line on the standard error each; the failing ones return CLI_FAILED. ---------- */
__attribute__((format(printf, 1, 2))) void cli_note(const char *format, ...);
__attribute__((format(printf, 1, 2))) int cli_fail(const char *format, ...);
/* Says what failed and where, from a filled-in error. */
int cli_fail_error(const bdag_error *error);
/* For passes, which return a status only; `engine` NULL: no further place is known. */
int cli_fail_status(const char *what, bdag_status status, const bdag_engine *engine);

/* ---- Arguments: a bad value ends the program with CLI_USAGE and says what was expected. ---------- */
uint64_t cli_count(struct argp_state *state, const char *option, const char *text, uint64_t least,
                   uint64_t most);
double cli_real(struct argp_state *state, const char *option, const char *text, double least,
                double most);
/* The one NETWORK of a command line: *network becomes `text`; a second one is wrong usage. */
void cli_take_network(struct argp_state *state, const char **network, const char *text);
/* Index of `text` in a list that ends with NULL. */
int cli_choice(struct argp_state *state, const char *option, const char *text,
               const char *const *choices);
/* Comma-separated counts into list[capacity]; returns how many, at least `fewest`. */
size_t cli_counts(struct argp_state *state, const char *option, const char *text, uint64_t *list,
                  size_t fewest, size_t capacity);
/* The entry of a list that ends with NULL which is nearest to `text`, or NULL if none is near. */
const char *cli_nearest(const char *text, const char *const *choices);
/* Non-zero if the path ends with the extension, in either case. */
int cli_has_extension(const char *path, const char *extension);

/* ---- Options that several verbs share, as argp children ------------------------------------------ */
typedef struct cli_compute {
  uint32_t threads;
  int oversubscribe, deterministic;
  bdag_type type;
  bdag_axis axis;
  uint64_t batch;
} cli_compute;
#define CLI_COMPUTE_INIT                                                                           \
  { 0, 0, 0, BDAG_FLOAT32, BDAG_AXIS_AUTO, 128 }
extern const struct argp cli_compute_argp; /* input: cli_compute * */

typedef struct cli_source {
  const char *data, *labels;
  bdag_data_format format;
  int header;
  char delimiter;
  double scale;
} cli_source;
#define CLI_SOURCE_INIT                                                                            \
  { NULL, NULL, BDAG_DATA_AUTO, -1, 0, 0.0 }
extern const struct argp cli_source_argp; /* input: cli_source * */

/* Makes waiting threads sleep instead of spin, unless the environment says how they shall wait. */
void cli_wait_politely(char **argv);

/* ---- A loaded network and what passes need ------------------------------------------------------- */
typedef struct cli_model {
  bdag_context *context;
  bdag_network *network;
  bdag_plan *plan;
  bdag_weights *weights;
} cli_model;

int cli_context_open(bdag_context **context, const cli_compute *compute);
/* Context and network; the model is closed again when it fails. */
int cli_model_open(cli_model *model, const char *path, const cli_compute *compute);
/* Plan and weights of the network as it is now. */
int cli_model_prepare(cli_model *model, bdag_type type, int inference);
void cli_model_close(cli_model *model);

/* Replaces the network's loss by one term over its outputs, and gives outputs without a read-out the
 * one that fits (softmax for cross-entropies, sigmoid for binary cross-entropy). */
int cli_network_set_loss(bdag_network *network, const char *name, double huber_delta);
/* Names of the losses that the command line accepts, ending with NULL. */
extern const char *const cli_loss_names[];
extern const char *const cli_initialization_names[]; /* index: bdag_initialization */

/* ---- Data ---------------------------------------------------------------------------------------- */
typedef struct cli_data {
  bdag_table *table, *label_table;
  bdag_samples samples; /* targets.data is NULL when the file holds none */
} cli_data;

/* Reads the data that a network of so many inputs and target columns takes. `want_targets` non-zero:
 * their absence is an error. */
int cli_data_load(cli_data *data, bdag_context *context, const cli_source *source, bdag_type type,
                  uint32_t inputs, uint64_t targets, int want_targets);
void cli_data_close(cli_data *data);
/* Shuffles the samples in place, by seed. */
void cli_data_shuffle(cli_data *data, uint32_t inputs, uint64_t targets, uint64_t seed);
/* Samples first … first+count−1 as a view. */
bdag_samples cli_samples_slice(const bdag_samples *samples, uint64_t first, uint64_t count);
double cli_array_get(const bdag_array *array, uint64_t sample, uint64_t column);
void cli_array_set(const bdag_array *array, uint64_t sample, uint64_t column, double value);
size_t cli_type_size(bdag_type type);

/* ---- Random numbers for generators and drawn data (splitmix64) ----------------------------------- */
typedef struct cli_random {
  uint64_t state;
} cli_random;
uint64_t cli_random_next(cli_random *random);
uint64_t cli_random_below(cli_random *random, uint64_t bound); /* bound ≥ 1 */
double cli_random_uniform(cli_random *random);                 /* [0, 1) */
double cli_random_normal(cli_random *random);
uint64_t cli_random_mix(uint64_t seed, uint64_t index); /* an independent seed */

/* ---- One batch in memory ------------------------------------------------------------------------- */
typedef struct cli_batch {
  bdag_type type;
  uint64_t count, inputs, targets;
  void *x, *y; /* [count][inputs], [count][targets] */
} cli_batch;

/* Draws inputs from the standard normal distribution, and targets that fit the losses. Release the
 * batch whether or not these succeed; it starts as zeros. */
int cli_batch_draw(cli_batch *batch, const bdag_network *network, bdag_type type, uint64_t count,
                   uint64_t seed);
/* Takes the first samples of the data, at most `most`. */
int cli_batch_load(cli_batch *batch, const bdag_network *network, const cli_source *source,
                   bdag_type type, uint64_t most, int want_targets);
void cli_batch_release(cli_batch *batch);
bdag_array cli_batch_x(const cli_batch *batch);
bdag_array cli_batch_y(const cli_batch *batch);

/* ---- Results on the standard output, as aligned text or as one JSON object ----------------------- */
typedef struct cli_result {
  int json;
  unsigned count;
} cli_result;

void cli_result_begin(cli_result *result, int json);
void cli_result_text(cli_result *result, const char *name, const char *value);
void cli_result_count(cli_result *result, const char *name, uint64_t value);
void cli_result_real(cli_result *result, const char *name, double value);
void cli_result_share(cli_result *result, const char *name, double value); /* text: in per cent */
void cli_result_bytes(cli_result *result, const char *name, uint64_t value);
void cli_result_list(cli_result *result, const char *name, const uint64_t *values, size_t count);
int cli_result_end(cli_result *result);
/* Flushes the standard output; fails where it could not be written. */
int cli_flush(void);
/* "12.3 MiB" into a buffer of 32 bytes. */
const char *cli_format_bytes(char *buffer, uint64_t bytes);

/* ---- Evaluation ---------------------------------------------------------------------------------- */
typedef struct cli_metrics {
  uint64_t samples;
  double loss;     /* mean over the samples, all terms */
  double accuracy; /* of the first loss term, NaN where its targets are no classes */
  double mse;      /* of the first loss term after its read-out, NaN where there is none */
} cli_metrics;

int cli_evaluate(const cli_model *model, const cli_compute *compute, const bdag_samples *samples,
                 cli_metrics *metrics);
/* Prints loss, accuracy and mse with a word in front of their names ("" for none). */
void cli_result_metrics(cli_result *result, const char *prefix, const cli_metrics *metrics);

/* ---- Progress on the standard error -------------------------------------------------------------- */
typedef struct cli_progress {
  int quiet, terminal, wide_characters, bar_shown;
  uint64_t first_epoch, epochs; /* epochs first_epoch+1 … epochs are run */
  double begin, last_bar, last_line;
  uint64_t last_line_epoch;
} cli_progress;

double cli_seconds(void);
void cli_progress_begin(cli_progress *progress, int quiet, uint64_t first_epoch, uint64_t epochs);
/* After batch `batch` of `batches` in epoch `epoch` (1-based). */
void cli_progress_batch(cli_progress *progress, uint64_t epoch, uint64_t batch, uint64_t batches,
                        double loss, double samples_per_second);
void cli_progress_epoch(cli_progress *progress, uint64_t epoch, double loss, double held_out_loss);
void cli_progress_end(cli_progress *progress);

/* ---- Plot ---------------------------------------------------------------------------------------- */
/* Writes the loss curve as SVG; `held_out` may hold NaN throughout. */
int cli_plot_loss(const char *path, uint64_t first_epoch, uint64_t count, const double *loss,
                  const double *held_out);

#endif
