/* The context: options are checked once, here. Floor 0. */
#include "base/context_internal.h"

#include <stdarg.h>
#include <stdlib.h>

#include <backdag/network.h>

#include "base/costs.h"
#include "base/cpu.h"
#include "base/error.h"
#include "base/fork.h"
#include "base/limit.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/topology.h"

static void *allocate_with_malloc(void *user, size_t size) {
  (void)user;
  return malloc(size);
}

static void release_with_free(void *user, void *memory) {
  (void)user;
  free(memory);
}

static bdag_status check_options(const bdag_context_options *options, bdag_error *error) {
  if (options->size != sizeof *options) {
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT,
                     "context options of %zu bytes are unknown (expected %zu); begin with "
                     "BDAG_CONTEXT_OPTIONS_INIT and build against the header of this library",
                     options->size, sizeof *options);
  }
  if (options->threads > BDAG_MOST_THREADS) {
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT,
                     "%u threads were asked for; at most %d are possible", options->threads,
                     (int)BDAG_MOST_THREADS);
  }
  const bdag_allocator *const allocator = options->allocator;
  if (allocator != NULL && (allocator->allocate == NULL || allocator->release == NULL)) {
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT,
                     "the allocator lacks a function; set both allocate and release");
  }
  return BDAG_OK;
}

/* Threads that the system does not allow: an error for those who asked for them, else fewer. */
static bdag_status check_limits(bdag_context *context, uint32_t requested, bdag_error *error) {
  if (context->threads == 1 || !context->machine.is_this_system || bdag_fork_is_child())
    return BDAG_OK;
  const uint32_t possible = 1 + bdag_limit_try(context->threads - 1);
  if (possible == context->threads) return BDAG_OK;
  char limits[160];
  bdag_limit_describe("", limits, sizeof limits);
  if (requested != 0)
    return bdag_fail(error, BDAG_ERROR_THREADS,
                     "%u threads were asked for, but the system lets this process make %u (%s); "
                     "ask for fewer or raise the limit",
                     requested, possible - 1, limits);
  bdag_log(context, BDAG_LOG_WARNING, "the system allows %u instead of %u threads (%s): using %u",
           possible, context->threads, limits, possible);
  context->threads = possible;
  return BDAG_OK;
}

static bdag_status share_out(bdag_context *context, bdag_error *error) {
  context->budget = bdag_allocate_zeroed(context, 1, sizeof *context->budget);
  if (context->budget == NULL) return bdag_fail_memory(error);
  if (!context->bind_threads || !context->machine.is_this_system) return BDAG_OK;
  context->place = bdag_allocate_array(context, BDAG_MOST_THREADS, sizeof *context->place);
  if (context->place == NULL) return bdag_fail_memory(error);
  context->places = bdag_topology_places(context, BDAG_MOST_THREADS, context->place);
  return BDAG_OK;
}

static bdag_status fill(bdag_context *context, const bdag_context_options *options,
                        bdag_error *error) {
  context->allocator = (bdag_allocator){allocate_with_malloc, release_with_free, NULL};
  if (options->allocator != NULL) context->allocator = *options->allocator;
  context->log = options->log;
  context->log_user = options->log_user;
  context->oversubscribe = options->oversubscribe != 0;
  context->bind_threads = options->bind_threads != 0;
  context->costs = bdag_costs_default();
  context->huge_edges = UINT64_C(1) << 28;
  context->team_edges = UINT64_C(1) << 16;
  bdag_status status = bdag_isa_choose(options->isa, &context->isa, error);
  if (status != BDAG_OK) return status;
  status = bdag_topology_load(context, options->synthetic, error);
  if (status != BDAG_OK) return status;
  status = bdag_topology_threads(context, options->threads, getenv("OMP_NUM_THREADS"), error);
  if (status != BDAG_OK) return status;
  status = check_limits(context, options->threads, error);
  return status == BDAG_OK ? share_out(context, error) : status;
}

bdag_status bdag_context_create(bdag_context **context, const bdag_context_options *options,
                                bdag_error *error) {
  static const bdag_context_options defaults = BDAG_CONTEXT_OPTIONS_INIT;
  if (context == NULL) {
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT,
                     "context is NULL; pass the address that is to receive it");
  }
  *context = NULL;
  if (options == NULL) options = &defaults;
  bdag_status status = check_options(options, error);
  if (status != BDAG_OK) return status;
  bdag_context made = {0};
  status = fill(&made, options, error);
  if (status == BDAG_OK) {
    *context = bdag_allocate(&made, sizeof made);
    if (*context == NULL) status = bdag_fail_memory(error);
  }
  if (status != BDAG_OK) {
    bdag_free(&made, made.place);
    bdag_free(&made, made.budget);
    bdag_topology_release(&made);
    return status;
  }
  **context = made;
  bdag_fork_watch();
  bdag_log(*context, BDAG_LOG_INFO, "context: %u threads on %u cores (%u processors), %s kernels",
           made.threads, made.machine.cores, made.machine.processors, bdag_isa_name(made.isa));
  return BDAG_OK;
}

void bdag_context_destroy(bdag_context *context) {
  if (context == NULL) return;
  bdag_free(context, context->activations);
  bdag_free(context, context->losses);
  bdag_free(context, context->place);
  bdag_free(context, context->budget);
  bdag_topology_release(context);
  const bdag_context last = *context;
  bdag_free(&last, context);
}

uint32_t bdag_context_threads(const bdag_context *context) {
  return context->threads;
}

const char *bdag_context_isa(const bdag_context *context) {
  return bdag_isa_name(context->isa);
}

void bdag_log(const bdag_context *context, bdag_log_level level, const char *format, ...) {
  if (context->log == NULL) return;
  char text[1024];
  va_list arguments;
  va_start(arguments, format);
  bdag_format_text(text, sizeof text, format, arguments);
  va_end(arguments);
  context->log(context->log_user, level, text);
}

const bdag_registered_activation *bdag_context_activation(const bdag_context *context,
                                                          uint32_t kind) {
  const uint32_t first = BDAG_ACTIVATION_REGISTERED;
  if (kind < first || kind - first >= context->activation_count) return NULL;
  return &context->activations[kind - first];
}

const bdag_registered_loss *bdag_context_loss(const bdag_context *context, uint32_t kind) {
  const uint32_t first = BDAG_LOSS_REGISTERED;
  if (kind < first || kind - first >= context->loss_count) return NULL;
  return &context->losses[kind - first];
}
