/* Loss terms: names, checks, target columns. Floor 1. */
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "network/storage.h"

static const char *const names[] = {
    [BDAG_MEAN_SQUARED_ERROR] = "mse",
    [BDAG_MEAN_ABSOLUTE_ERROR] = "mae",
    [BDAG_HUBER] = "huber",
    [BDAG_BINARY_CROSS_ENTROPY] = "bce",
    [BDAG_CLASS_CROSS_ENTROPY] = "cross_entropy",
    [BDAG_DISTRIBUTION_CROSS_ENTROPY] = "distribution",
    [BDAG_EXTERNAL_GRADIENT] = "external",
};
enum { NAME_COUNT = sizeof names / sizeof names[0] };

const char *bdag_loss_name(const bdag_context *context, uint32_t kind) {
  if (kind < NAME_COUNT) return names[kind];
  const bdag_registered_loss *const registered =
      context != NULL ? bdag_context_loss(context, kind) : NULL;
  return registered != NULL ? registered->name : NULL;
}

bdag_status bdag_loss_find(const bdag_context *context, const char *name, uint32_t *kind) {
  if (name == NULL || kind == NULL) return BDAG_ERROR_UNKNOWN_ID;
  for (uint32_t i = 0; i < NAME_COUNT; i++) {
    if (strcmp(names[i], name) != 0) continue;
    *kind = i;
    return BDAG_OK;
  }
  for (uint64_t i = 0; context != NULL && i < context->loss_count; i++) {
    if (strcmp(context->losses[i].name, name) != 0) continue;
    *kind = BDAG_LOSS_REGISTERED + (uint32_t)i;
    return BDAG_OK;
  }
  return BDAG_ERROR_UNKNOWN_ID;
}

static bdag_status check_term(const bdag_network *network, const bdag_loss_term *term,
                              bdag_error *error) {
  if (network == NULL || term == NULL) {
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT, "%s is NULL",
                     network == NULL ? "network" : "term");
  }
  const char *const name = bdag_loss_name(network->context, term->kind);
  if (name == NULL) {
    return bdag_fail(error, BDAG_ERROR_UNKNOWN_ID,
                     "loss kind %u does not exist; take a bdag_loss_kind or register one",
                     term->kind);
  }
  if (term->vertex_count == 0 || term->vertices == NULL) {
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT,
                     "the loss term %s has no vertices; it needs at least one", name);
  }
  if (!isfinite(term->weight)) {
    return bdag_fail(error, BDAG_ERROR_NOT_FINITE,
                     "the weight of the loss term %s is not finite; use a finite number", name);
  }
  if (term->kind == BDAG_HUBER && !(term->parameter > 0.0 && isfinite(term->parameter))) {
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT,
                     "the parameter of the loss term huber is %g; it must be finite and above 0",
                     term->parameter);
  }
  for (uint32_t i = 0; i < term->vertex_count; i++) {
    if (bdag_network_has_vertex(network, term->vertices[i])) continue;
    return bdag_fail(error, BDAG_ERROR_UNKNOWN_ID,
                     "vertex %u, number %u of the loss term %s, does not exist; add it first",
                     term->vertices[i], i, name);
  }
  return BDAG_OK;
}

static uint64_t target_columns(const bdag_context *context, const bdag_loss_term *term) {
  if (term->kind == BDAG_CLASS_CROSS_ENTROPY) return 1;
  const bdag_registered_loss *const registered = bdag_context_loss(context, term->kind);
  return registered != NULL && !registered->has_targets ? 0 : term->vertex_count;
}

bdag_status bdag_network_add_loss(bdag_network *network, const bdag_loss_term *term,
                                  bdag_error *error) {
  const bdag_status status = check_term(network, term, error);
  if (status != BDAG_OK) return status;
  const uint64_t columns = target_columns(network->context, term);
  if (network->loss_count == UINT32_MAX || columns > UINT64_MAX - network->target_count) {
    return bdag_fail(error, BDAG_ERROR_LIMIT, "the network has too many loss terms for another");
  }
  if (bdag_grow(network->context, (void **)&network->loss, &network->loss_capacity,
                network->loss_count, network->loss_count + 1, sizeof *network->loss) != 0) {
    return bdag_fail_memory(error);
  }
  uint32_t *const vertices =
      bdag_allocate_array(network->context, term->vertex_count, sizeof *vertices);
  if (vertices == NULL) return bdag_fail_memory(error);
  memcpy(vertices, term->vertices, term->vertex_count * sizeof *vertices);
  network->loss[network->loss_count++] = (bdag_stored_loss){
      .kind = term->kind,
      .vertex_count = term->vertex_count,
      .vertices = vertices,
      .weight = term->weight,
      .parameter = term->parameter,
      .target_first = network->target_count,
      .target_count = columns,
  };
  network->target_count += columns;
  return BDAG_OK;
}

void bdag_network_clear_loss(bdag_network *network) {
  for (uint64_t t = 0; t < network->loss_count; t++) {
    bdag_free(network->context, network->loss[t].vertices);
  }
  network->loss_count = 0;
  network->target_count = 0;
}

bdag_status bdag_network_set_normalization(bdag_network *network, bdag_normalization normalization,
                                           bdag_error *error) {
  if (network == NULL || (unsigned)normalization > BDAG_NORMALIZE_GIVEN) {
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT,
                     "%s; pass a network and one of BDAG_NORMALIZE_…",
                     network == NULL ? "network is NULL" : "the normalization is unknown");
  }
  network->normalization = normalization;
  return BDAG_OK;
}
