/* Registration of a user's activations and losses: here, because their names must differ from the
 * built-in ones. Floor 1. */
#include <string.h>

#include "base/context_internal.h"
#include "base/error.h"
#include "base/memory.h"

#include <backdag/network.h>

enum { MOST = 1024 };

static int is_good_name(const char *name) {
  static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
  const size_t length = strnlen(name, 64);
  return length >= 1 && length <= 63 && strspn(name, letters) == length;
}

static bdag_status check_entry(const bdag_context *context, const char *name, int has_functions,
                               const uint32_t *kind, bdag_error *error) {
  if (context == NULL || name == NULL || kind == NULL) {
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT, "%s is NULL",
                     context == NULL ? "context" : (name == NULL ? "name" : "kind"));
  }
  if (!is_good_name(name)) {
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT,
                     "the name \"%.64s\" is not 1 to 63 characters of A-Z a-z 0-9 _ . -", name);
  }
  if (!has_functions) {
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT, "a function of \"%s\" is NULL", name);
  }
  return BDAG_OK;
}

static bdag_status refuse_name(const char *name, bdag_error *error) {
  return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT,
                   "the name \"%s\" is already taken; choose another", name);
}

/* Entries never move, because names are borrowed: the first one brings room for all. */
static bdag_status make_room(const bdag_context *context, void **entries, uint64_t *capacity,
                             uint64_t count, size_t size, bdag_error *error) {
  if (count == MOST) {
    return bdag_fail(error, BDAG_ERROR_LIMIT, "%d functions of this sort are registered already",
                     (int)MOST);
  }
  if (*entries != NULL) return BDAG_OK;
  *entries = bdag_allocate_zeroed(context, MOST, size);
  if (*entries == NULL) return bdag_fail_memory(error);
  *capacity = MOST;
  return BDAG_OK;
}

bdag_status bdag_context_register_activation(bdag_context *context, const char *name,
                                             const bdag_activation_functions *functions,
                                             uint32_t *kind, bdag_error *error) {
  uint32_t taken;
  const int complete =
      functions != NULL && functions->value != NULL && functions->derivative != NULL;
  bdag_status status = check_entry(context, name, complete, kind, error);
  if (status != BDAG_OK) return status;
  if (bdag_activation_find(context, name, &taken) == BDAG_OK) return refuse_name(name, error);
  status = make_room(context, (void **)&context->activations, &context->activation_capacity,
                     context->activation_count, sizeof *context->activations, error);
  if (status != BDAG_OK) return status;
  bdag_registered_activation *const entry = &context->activations[context->activation_count];
  strcpy(entry->name, name);
  entry->functions = *functions;
  *kind = BDAG_ACTIVATION_REGISTERED + (uint32_t)context->activation_count++;
  return BDAG_OK;
}

bdag_status bdag_context_register_loss(bdag_context *context, const char *name,
                                       bdag_loss_callback callback, void *user, int whole_batch,
                                       int has_targets, uint32_t *kind, bdag_error *error) {
  uint32_t taken;
  bdag_status status = check_entry(context, name, callback != NULL, kind, error);
  if (status != BDAG_OK) return status;
  if (bdag_loss_find(context, name, &taken) == BDAG_OK) return refuse_name(name, error);
  status = make_room(context, (void **)&context->losses, &context->loss_capacity,
                     context->loss_count, sizeof *context->losses, error);
  if (status != BDAG_OK) return status;
  bdag_registered_loss *const entry = &context->losses[context->loss_count];
  strcpy(entry->name, name);
  entry->callback = callback;
  entry->user = user;
  entry->whole_batch = whole_batch != 0;
  entry->has_targets = has_targets != 0;
  *kind = BDAG_LOSS_REGISTERED + (uint32_t)context->loss_count++;
  return BDAG_OK;
}
