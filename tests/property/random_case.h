/* One random comparison: a network, options, a batch, and the oracle's answer with its bounds. */
#ifndef PROPERTY_RANDOM_CASE_H
#define PROPERTY_RANDOM_CASE_H

#include <backdag/backdag.h>

#include "majorant.h"
#include "oracle_import.h"

#define RANDOM_MAX_BATCH 130

/* The context of all cases, with 8 threads allowed, and the functions registered with it. */
typedef struct property_world {
  bdag_context *context;
  oracle_custom custom;
} property_world;

/* Returns OK or why not; `error` says more. */
bdag_status property_world_create(property_world *world, bdag_error *error);
/* The same with an allocator, NULL: malloc and free. */
bdag_status property_world_create_with(property_world *world, const bdag_allocator *allocator,
                                       bdag_error *error);
void property_world_destroy(property_world *world);

typedef struct random_case {
  uint64_t seed;
  double scale;
  bdag_network *network;
  bdag_plan_options plan;
  bdag_engine_options engine;
  /* ways of calling: `poisoned` runs a pass on NaN before, `accumulated` adds a second backward pass */
  int handed_in_enumeration, arrays, null_weights, poisoned, accumulated;
  oracle_network oracle;
  oracle_batch batch;
  double *x, *targets, *weight; /* what `batch` borrows; numbers of the engine's type */
  oracle_pass pass;
  majorant bound;
  /* how often something was drawn again */
  unsigned samples_near_kink, samples_too_large, networks_near_kink, networks_too_large;
} random_case;

/* Draws the case of a seed; the same seed gives the same case. A sample near a kink, or with numbers
 * that overflow, is drawn again, and after some attempts the whole network is.
 * Returns OK, or what a building call returned. Release with random_case_free in any case. */
bdag_status random_case_draw(random_case *c, const property_world *world, uint64_t seed,
                             bdag_error *error);
void random_case_free(random_case *c);

#endif
