/* Weights: creation, values by parameter, sharing. May include plan and below. */
#include "runtime/weights.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/team.h"

/* Below that many slots a parallel region costs more than it saves. */
#define PARALLEL_SLOTS ((uint64_t)1 << 16)

static size_t size_of(bdag_type type) {
  return type == BDAG_FLOAT32 ? sizeof(float) : sizeof(double);
}

static double load(const bdag_weights *weights, uint64_t index) {
  return weights->type == BDAG_FLOAT32 ? ((const float *)weights->state)[index]
                                       : ((const double *)weights->state)[index];
}

static void store(bdag_weights *weights, uint64_t index, double value) {
  if (weights->type == BDAG_FLOAT32)
    ((float *)weights->state)[index] = (float)value;
  else
    ((double *)weights->state)[index] = value;
}

void bdag_weights_touch(bdag_weights *weights) {
  static _Atomic uint64_t versions;
  weights->version = atomic_fetch_add_explicit(&versions, 1, memory_order_relaxed) + 1;
}

static bdag_status allocate(bdag_weights **weights, bdag_plan *plan, bdag_type type,
                            bdag_error *error) {
  const bdag_context *context = plan->context;
  bdag_weights *made = bdag_allocate_zeroed(context, 1, sizeof *made);
  if (made == NULL) return bdag_fail_memory(error);
  made->context = context;
  made->plan = bdag_plan_retain(plan);
  made->type = type;
  atomic_init(&made->references, 1);
  bdag_weights_touch(made);
  made->state = bdag_allocate_zeroed(context, plan->state_count, size_of(type));
  made->slots =
      plan->indirect ? bdag_allocate_zeroed(context, plan->slot_count, size_of(type)) : made->state;
  if (made->state == NULL || made->slots == NULL) {
    bdag_weights_release(made);
    return bdag_fail_memory(error);
  }
  *weights = made;
  return BDAG_OK;
}

static bdag_status check_match(const bdag_plan *plan, const bdag_network *network, bdag_type type,
                               bdag_error *error) {
  if (type != BDAG_FLOAT32 && type != BDAG_FLOAT64)
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT, "weights have unknown type %d", (int)type);
  if (network->parameter_count < plan->network_parameters ||
      network->vertex_count < plan->network_vertices || network->edge_count < plan->network_edges)
    return bdag_fail(
        error, BDAG_ERROR_MISMATCH,
        "the plan was made from another network: it knows %llu parameters, this network "
        "has %llu",
        (unsigned long long)plan->network_parameters, (unsigned long long)network->parameter_count);
  return BDAG_OK;
}

static bdag_status make(bdag_weights **weights, bdag_plan *plan, const bdag_network *network,
                        bdag_type type, const bdag_weights *from, bdag_error *error) {
  if (weights == NULL || plan == NULL || network == NULL)
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT,
                     "weights, plan and network must not be NULL");
  *weights = NULL;
  bdag_status status = check_match(plan, network, type, error);
  if (status != BDAG_OK) return status;
  bdag_weights *made = NULL;
  status = allocate(&made, plan, type, error);
  if (status != BDAG_OK) return status;
  const uint64_t known = from != NULL ? from->plan->network_parameters : 0;
  for (uint64_t p = 0; p < plan->network_parameters; p++) {
    const double value = p < known ? load(from, bdag_plan_state_of_parameter(from->plan, p))
                         : network->value != NULL ? network->value[p]
                                                  : 0.0;
    store(made, bdag_plan_state_of_parameter(plan, p), value);
  }
  bdag_weights_refresh(made);
  *weights = made;
  return BDAG_OK;
}

bdag_status bdag_weights_create(bdag_weights **weights, bdag_plan *plan,
                                const bdag_network *network, bdag_type type, bdag_error *error) {
  return make(weights, plan, network, type, NULL, error);
}

bdag_status bdag_weights_transfer(bdag_weights **weights, bdag_plan *plan,
                                  const bdag_network *network, const bdag_weights *from,
                                  bdag_error *error) {
  if (from == NULL) return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT, "`from` must not be NULL");
  return make(weights, plan, network, from->type, from, error);
}

static void refresh_slot(const bdag_weights *weights, uint64_t slot) {
  const bdag_plan *plan = weights->plan;
  if (plan->slot_parameter[slot] == BDAG_NONE) return;
  const double value = plan->slot_scale[slot] * load(weights, plan->slot_parameter[slot]);
  if (weights->type == BDAG_FLOAT32)
    ((float *)weights->slots)[slot] = (float)value;
  else
    ((double *)weights->slots)[slot] = value;
}

void bdag_weights_refresh(bdag_weights *weights) {
  bdag_weights_touch(weights);
  if (!weights->plan->indirect) return;
  const uint64_t slots = weights->plan->slot_count;
  const int alone = slots < PARALLEL_SLOTS || omp_in_parallel();
  const uint32_t threads = alone ? 1 : bdag_team_enter_again(weights->context);
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
  for (uint64_t slot = 0; slot < slots; slot++) refresh_slot(weights, slot);
  bdag_team_leave(weights->context, threads);
}

const bdag_range *bdag_plan_live_weights(const bdag_plan *plan, uint64_t *count) {
  *count = plan->live_weights;
  return plan->live_weight;
}

const bdag_range *bdag_plan_live_biases(const bdag_plan *plan, uint64_t *count) {
  *count = plan->live_biases;
  return plan->live_bias;
}

bdag_status bdag_weights_freeze(bdag_weights *weights) {
  if (weights == NULL) return BDAG_ERROR_INVALID_ARGUMENT;
  if (atomic_load(&weights->held)) return BDAG_ERROR_BUSY;
  atomic_store(&weights->frozen, 1);
  return BDAG_OK;
}

int bdag_weights_is_frozen(const bdag_weights *weights) {
  return atomic_load(&weights->frozen);
}

bdag_status bdag_weights_copy(bdag_weights **copy, const bdag_weights *weights, bdag_error *error) {
  if (copy == NULL || weights == NULL)
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT, "copy and weights must not be NULL");
  *copy = NULL;
  bdag_weights *made = NULL;
  const bdag_status status = allocate(&made, weights->plan, weights->type, error);
  if (status != BDAG_OK) return status;
  const size_t size = size_of(weights->type);
  memcpy(made->state, weights->state, weights->plan->state_count * size);
  if (made->slots != made->state)
    memcpy(made->slots, weights->slots, weights->plan->slot_count * size);
  *copy = made;
  return BDAG_OK;
}

bdag_weights *bdag_weights_retain(bdag_weights *weights) {
  if (weights != NULL) atomic_fetch_add_explicit(&weights->references, 1, memory_order_relaxed);
  return weights;
}

void bdag_weights_release(bdag_weights *weights) {
  /* acq_rel: the last owner sees what the others did before they let go */
  if (weights == NULL ||
      atomic_fetch_sub_explicit(&weights->references, 1, memory_order_acq_rel) != 1)
    return;
  if (weights->slots != weights->state) bdag_free(weights->context, weights->slots);
  bdag_free(weights->context, weights->state);
  bdag_plan_release(weights->plan);
  bdag_free(weights->context, weights);
}

bdag_type bdag_weights_type(const bdag_weights *weights) {
  return weights->type;
}

static bdag_status check_parameters(const bdag_weights *weights, uint64_t first, uint64_t count,
                                    const double *values) {
  if (weights == NULL || (values == NULL && count > 0)) return BDAG_ERROR_INVALID_ARGUMENT;
  const uint64_t known = weights->plan->network_parameters;
  return first > known || count > known - first ? BDAG_ERROR_UNKNOWN_ID : BDAG_OK;
}

bdag_status bdag_weights_read(const bdag_weights *weights, uint64_t first, uint64_t count,
                              double *values) {
  const bdag_status status = check_parameters(weights, first, count, values);
  if (status != BDAG_OK) return status;
  for (uint64_t i = 0; i < count; i++)
    values[i] = load(weights, bdag_plan_state_of_parameter(weights->plan, first + i));
  return BDAG_OK;
}

bdag_status bdag_weights_write(bdag_weights *weights, uint64_t first, uint64_t count,
                               const double *values) {
  const bdag_status status = check_parameters(weights, first, count, values);
  if (status != BDAG_OK) return status;
  if (atomic_load(&weights->frozen) || atomic_load(&weights->held)) return BDAG_ERROR_BUSY;
  for (uint64_t i = 0; i < count; i++) {
    const double rounded = weights->type == BDAG_FLOAT32 ? (double)(float)values[i] : values[i];
    if (!isfinite(rounded)) return BDAG_ERROR_NOT_FINITE;
  }
  for (uint64_t i = 0; i < count; i++)
    store(weights, bdag_plan_state_of_parameter(weights->plan, first + i), values[i]);
  bdag_weights_refresh(weights);
  return BDAG_OK;
}
