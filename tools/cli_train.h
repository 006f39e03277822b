/* A training run of the tool: epochs one by one, so that schedule, checkpoints and Ctrl-C work. */
#ifndef BACKDAG_CLI_TRAIN_H
#define BACKDAG_CLI_TRAIN_H

#include "cli.h"

typedef enum cli_schedule { CLI_CONSTANT, CLI_COSINE, CLI_LINEAR } cli_schedule;

typedef struct cli_train_options {
  bdag_trainer_options trainer;
  uint64_t epochs, seed, checkpoint_every;
  int shuffle, quiet;
  cli_schedule schedule;
  const char *resume;          /* NULL: from the beginning */
  const char *checkpoint_path; /* where checkpoints go */
} cli_train_options;

typedef struct cli_train_result {
  uint64_t first_epoch;    /* epochs done before this run */
  uint64_t count;          /* epochs done by this run */
  double seconds;          /* of these epochs */
  double *loss, *held_out; /* [count]; to be freed */
} cli_train_result;

/* Runs the epochs that are left. `held_out` NULL: none. Interrupted by SIGINT or SIGTERM it finishes
 * the batch, writes a checkpoint, says where, and returns CLI_FAILED. */
int cli_train(const cli_model *model, const cli_train_options *options, const bdag_samples *samples,
              const bdag_samples *held_out, cli_train_result *result);

#endif
