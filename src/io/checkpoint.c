/* Trained weights back into networks, and checkpoints: a network file with the optimizer's state in
 * further tensors. Floor 5: may include everything below. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <backdag/io.h>

#include "base/error.h"
#include "base/memory.h"
#include "io/bytes.h"
#include "io/network_file.h"
#include "io/network_tensors.h"
#include "train/trainer_internal.h"

static const char first_name[] = "trainer.first_moment";
static const char second_name[] = "trainer.second_moment";
static const char *const optimizer_names[] = {"sgd", "adam", "adamw"};

static bdag_status read_values(const bdag_network *network, const bdag_weights *weights,
                               double **values, bdag_error *error) {
  const uint64_t count = bdag_network_parameter_count(network);
  if (weights->plan->network_parameters != count) {
    return bdag_fail(error, BDAG_ERROR_MISMATCH,
                     "the weights know %" PRIu64 " parameters, the network has %" PRIu64
                     "; take weights of a plan of this network",
                     weights->plan->network_parameters, count);
  }
  *values = bdag_allocate_array(network->context, count, sizeof **values);
  if (*values == NULL) return bdag_fail_memory(error);
  return bdag_weights_read(weights, 0, count, *values);
}

bdag_status bdag_network_take_weights(bdag_network *network, const bdag_weights *weights,
                                      bdag_error *error) {
  if (network == NULL || weights == NULL) {
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT, "network and weights must not be NULL");
  }
  double *values = NULL;
  bdag_status status = read_values(network, weights, &values, error);
  const uint64_t count = bdag_network_parameter_count(network);
  if (status == BDAG_OK && count > 0) {
    status = bdag_network_set_parameters(network, 0, count, values, error);
  }
  bdag_free(network->context, values);
  return status;
}

static bdag_status write_file(const bdag_network *network, const bdag_tensor_extra *extra,
                              const char *path, bdag_error *error) {
  bdag_atomic_file *file;
  bdag_status status = bdag_atomic_file_open(&file, network->context, path, error);
  if (status != BDAG_OK) return status;
  status = bdag_tensors_write_network(network, extra, file, error);
  if (status == BDAG_OK) return bdag_atomic_file_commit(file, error);
  bdag_atomic_file_abort(file);
  return status;
}

bdag_status bdag_checkpoint_save(const bdag_network *network, const bdag_weights *weights,
                                 const bdag_trainer *trainer, uint64_t epoch, const char *path,
                                 bdag_error *error) {
  if (network == NULL || weights == NULL || trainer == NULL || path == NULL) {
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT,
                     "network, weights, trainer and path must not be NULL");
  }
  const bdag_context *const context = network->context;
  const uint64_t count = bdag_network_parameter_count(network);
  double *values = NULL, *first = NULL, *second = NULL;
  bdag_status status = BDAG_OK;
  if (trainer->plan != weights->plan) {
    status = bdag_fail(error, BDAG_ERROR_MISMATCH,
                       "weights and trainer belong to different plans; save what was trained");
    goto fail;
  }
  status = read_values(network, weights, &values, error);
  if (status != BDAG_OK) goto fail;
  first = bdag_allocate_array(context, count, sizeof *first);
  second = bdag_allocate_array(context, count, sizeof *second);
  if (first == NULL || second == NULL) {
    status = bdag_fail_memory(error);
    goto fail;
  }
  uint64_t steps;
  status = bdag_trainer_get_state(trainer, &steps, first, second);
  if (status != BDAG_OK) goto fail;
  char steps_text[24], epoch_text[24];
  snprintf(steps_text, sizeof steps_text, "%" PRIu64, steps);
  snprintf(epoch_text, sizeof epoch_text, "%" PRIu64, epoch);
  const bdag_tensor_source tensors[] = {
      {first_name, bdag_tensor_narrowest(count, first), count, 0, first},
      {second_name, bdag_tensor_narrowest(count, second), count, 0, second}};
  const bdag_tensor_text texts[] = {
      {"trainer.optimizer", optimizer_names[trainer->options.optimizer]},
      {"trainer.steps", steps_text},
      {"trainer.epoch", epoch_text}};
  const bdag_tensor_extra extra = {values, tensors, 2, texts, 3};
  status = write_file(network, &extra, path, error);
fail:
  bdag_free(context, second);
  bdag_free(context, first);
  bdag_free(context, values);
  return status;
}

static bdag_status read_moments(const bdag_safetensors *file, const char *name, uint64_t count,
                                double **values) {
  const bdag_tensor *tensor = bdag_safetensors_find(file, name);
  const int narrow = tensor != NULL && tensor->type == BDAG_TENSOR_F32;
  const bdag_status status = bdag_safetensors_need(
      file, name, narrow ? BDAG_TENSOR_F32 : BDAG_TENSOR_F64, 0, BDAG_NONE, &tensor);
  if (status != BDAG_OK) return status;
  if (tensor->count != count) {
    return bdag_fail_at(file->error, BDAG_ERROR_MISMATCH, file->file, 0, tensor->offset,
                        "the checkpoint has %" PRIu64 " parameters, the network %" PRIu64
                        "; load the network from the checkpoint too",
                        tensor->count, count);
  }
  *values = bdag_allocate_array(file->context, count, sizeof **values);
  if (*values == NULL) return bdag_fail_memory(file->error);
  bdag_tensor_copy(tensor, 0, count, *values);
  return BDAG_OK;
}

/* Moments of one optimizer mean nothing to another; Adam and AdamW share theirs. */
static bdag_status check_optimizer(const bdag_safetensors *file, const bdag_trainer *trainer) {
  const char *const name = bdag_safetensors_text(file, "trainer.optimizer");
  if (name == NULL) {
    return bdag_fail_at(file->error, BDAG_ERROR_FORMAT, file->file, 0, UINT64_MAX,
                        "the file holds no optimizer state; it is a network, not a checkpoint");
  }
  const int was_sgd = strcmp(name, optimizer_names[BDAG_SGD]) == 0;
  if (was_sgd == (trainer->options.optimizer == BDAG_SGD)) return BDAG_OK;
  return bdag_fail_at(file->error, BDAG_ERROR_MISMATCH, file->file, 0, UINT64_MAX,
                      "the checkpoint is of optimizer \"%.20s\", the trainer uses \"%s\"", name,
                      optimizer_names[trainer->options.optimizer]);
}

static bdag_status restore(bdag_trainer *trainer, const bdag_network *network,
                           const bdag_safetensors *file, uint64_t *epoch) {
  double *first = NULL, *second = NULL;
  uint64_t steps, stored_epoch;
  const uint64_t count = bdag_network_parameter_count(network);
  bdag_status status = check_optimizer(file, trainer);
  if (status == BDAG_OK) status = bdag_safetensors_number(file, "trainer.steps", &steps);
  if (status == BDAG_OK) status = bdag_safetensors_number(file, "trainer.epoch", &stored_epoch);
  if (status == BDAG_OK) status = read_moments(file, first_name, count, &first);
  if (status == BDAG_OK) status = read_moments(file, second_name, count, &second);
  if (status == BDAG_OK && bdag_trainer_set_state(trainer, steps, first, second) != BDAG_OK) {
    status = bdag_fail_at(file->error, BDAG_ERROR_FORMAT, file->file, 0, UINT64_MAX,
                          "the optimizer state holds impossible numbers");
  }
  if (status == BDAG_OK && epoch != NULL) *epoch = stored_epoch;
  bdag_free(file->context, second);
  bdag_free(file->context, first);
  return status;
}

bdag_status bdag_checkpoint_restore(bdag_trainer *trainer, const bdag_network *network,
                                    const char *path, uint64_t *epoch, bdag_error *error) {
  if (trainer == NULL || network == NULL || path == NULL) {
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT,
                     "trainer, network and path must not be NULL");
  }
  if (trainer->plan->network_parameters != bdag_network_parameter_count(network)) {
    return bdag_fail(error, BDAG_ERROR_MISMATCH,
                     "the trainer's plan is of another network than the one given");
  }
  const bdag_context *const context = network->context;
  bdag_bytes bytes;
  bdag_status status = bdag_bytes_read(&bytes, context, path, error);
  if (status != BDAG_OK) return status;
  if (bdag_network_detect(bytes.data, bytes.size) != BDAG_NETWORK_SAFETENSORS) {
    status = bdag_fail_at(error, BDAG_ERROR_FORMAT, path, 0, 0,
                          "not a checkpoint: those are safetensors files");
  } else {
    bdag_safetensors file;
    status = bdag_safetensors_open(&file, context, bytes.data, bytes.size, path, error);
    if (status == BDAG_OK) status = restore(trainer, network, &file, epoch);
    bdag_safetensors_release(&file);
  }
  bdag_bytes_release(&bytes, context);
  return status;
}
