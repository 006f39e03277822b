/* The epochs of a training run: learning rate, progress, checkpoints, Ctrl-C. */
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cli_train.h"

static volatile sig_atomic_t interrupted;

static void on_signal(int number) {
  interrupted = number;
}

/* A second signal ends the program at once: the handler serves one only. What is ignored, as in a job
 * under nohup, stays ignored. */
static void catch_signal(int number) {
  struct sigaction action;
  if (sigaction(number, NULL, &action) != 0 || action.sa_handler == SIG_IGN) return;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART | (int)SA_RESETHAND;
  sigaction(number, &action, NULL);
}

typedef struct run {
  const cli_model *model;
  const cli_train_options *options;
  bdag_trainer *trainer;
  cli_train_result *result;
  cli_progress progress;
  uint64_t epoch; /* the running one, 1-based */
  uint64_t batch;
  int epoch_ended;
} run;

static int on_progress(void *user, const bdag_progress *report) {
  run *r = user;
  if (report->epoch_end) {
    r->result->loss[r->result->count] = report->loss;
    r->result->held_out[r->result->count++] = report->validation_loss;
    r->epoch_ended = 1;
    cli_progress_epoch(&r->progress, r->epoch, report->loss, report->validation_loss);
    return 0;
  }
  r->batch = report->batch;
  cli_progress_batch(&r->progress, r->epoch, report->batch, report->batches, report->loss,
                     report->samples_per_second);
  return interrupted != 0;
}

static double learning_rate(const cli_train_options *options, uint64_t epoch) {
  const double full = options->trainer.learning_rate;
  const double done = (double)(epoch - 1) / (double)options->epochs;
  switch (options->schedule) {
  case CLI_COSINE:
    return full * 0.5 * (1 + cos(3.141592653589793 * done));
  case CLI_LINEAR:
    return full * (1 - done);
  default:
    return full;
  }
}

static int save_checkpoint(const run *r, uint64_t epoch) {
  bdag_error error;
  const char *path = r->options->checkpoint_path;
  if (bdag_checkpoint_save(r->model->network, r->model->weights, r->trainer, epoch, path, &error) ==
      BDAG_OK)
    return CLI_OK;
  return cli_fail_error(&error);
}

static int stop_interrupted(const run *r) {
  const uint64_t done = r->epoch_ended ? r->epoch : r->epoch - 1;
  if (save_checkpoint(r, done) != CLI_OK) return CLI_FAILED;
  if (r->epoch_ended)
    cli_note("interrupted after epoch %llu of %llu", (unsigned long long)r->epoch,
             (unsigned long long)r->options->epochs);
  else
    cli_note("interrupted in epoch %llu of %llu after batch %llu; the epoch will be repeated",
             (unsigned long long)r->epoch, (unsigned long long)r->options->epochs,
             (unsigned long long)r->batch);
  cli_note("checkpoint saved: %s", r->options->checkpoint_path);
  return cli_fail("to go on, give the same options and --resume %s", r->options->checkpoint_path);
}

static int run_epoch(run *r, const bdag_samples *samples, const bdag_samples *held_out) {
  const cli_train_options *o = r->options;
  bdag_run_options options = BDAG_RUN_OPTIONS_INIT;
  bdag_error error = {.message = ""};
  options.epochs = 1;
  options.batch = o->trainer.max_batch;
  options.seed = cli_random_mix(o->seed, r->epoch);
  options.shuffle = o->shuffle;
  options.validation = held_out;
  options.progress = on_progress;
  options.progress_user = r;
  r->epoch_ended = 0;
  r->batch = 0;
  bdag_status status = bdag_trainer_set_learning_rate(r->trainer, learning_rate(o, r->epoch));
  if (status != BDAG_OK) return cli_fail_status("learning rate", status, NULL);
  const double begin = cli_seconds();
  status = bdag_trainer_run(r->trainer, samples, &options, &error);
  r->result->seconds += cli_seconds() - begin;
  if (status == BDAG_OK || (status == BDAG_ERROR_CANCELLED && interrupted)) return CLI_OK;
  cli_progress_end(&r->progress);
  if (error.message[0] == '\0')
    cli_fail_status("training", status, NULL);
  else
    cli_fail_error(&error);
  if (status == BDAG_ERROR_NOT_FINITE)
    return cli_fail("training broke down in epoch %llu, batch %llu: try a smaller --lr",
                    (unsigned long long)r->epoch, (unsigned long long)r->batch + 1);
  return CLI_FAILED;
}

static int run_epochs(run *r, const bdag_samples *samples, const bdag_samples *held_out) {
  const cli_train_options *o = r->options;
  for (r->epoch = r->result->first_epoch + 1; r->epoch <= o->epochs; r->epoch++) {
    if (run_epoch(r, samples, held_out) != CLI_OK) return CLI_FAILED;
    if (interrupted && !(r->epoch_ended && r->epoch == o->epochs)) {
      cli_progress_end(&r->progress);
      return stop_interrupted(r);
    }
    if (o->checkpoint_every > 0 && r->epoch % o->checkpoint_every == 0 &&
        save_checkpoint(r, r->epoch) != CLI_OK)
      return CLI_FAILED;
  }
  return CLI_OK;
}

static int restore(run *r) {
  bdag_error error;
  uint64_t *epoch = &r->result->first_epoch;
  if (r->options->resume == NULL) return CLI_OK;
  if (bdag_checkpoint_restore(r->trainer, r->model->network, r->options->resume, epoch, &error) !=
      BDAG_OK)
    return cli_fail_error(&error);
  if (*epoch < r->options->epochs) return CLI_OK;
  return cli_fail("%s: %llu epochs are done already; ask for more with --epochs",
                  r->options->resume, (unsigned long long)*epoch);
}

int cli_train(const cli_model *model, const cli_train_options *options, const bdag_samples *samples,
              const bdag_samples *held_out, cli_train_result *result) {
  run r = {.model = model, .options = options, .result = result};
  bdag_error error;
  memset(result, 0, sizeof *result);
  result->loss = calloc(options->epochs, sizeof *result->loss);
  result->held_out = calloc(options->epochs, sizeof *result->held_out);
  if (result->loss == NULL || result->held_out == NULL) return cli_fail("out of memory");
  if (bdag_trainer_create(&r.trainer, model->plan, model->weights, &options->trainer, &error) !=
      BDAG_OK)
    return cli_fail_error(&error);
  int status = restore(&r);
  if (status == CLI_OK) {
    catch_signal(SIGINT);
    catch_signal(SIGTERM);
    cli_progress_begin(&r.progress, options->quiet, result->first_epoch, options->epochs);
    status = run_epochs(&r, samples, held_out);
    cli_progress_end(&r.progress);
  }
  bdag_trainer_destroy(r.trainer);
  return status;
}
