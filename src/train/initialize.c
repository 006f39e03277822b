/* Drawing initial weights fitted to the fans of each edge. May include runtime, plan, network, base. */
#include <backdag/train.h>

#include <math.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/random.h"
#include "runtime/weights.h"
#include "train/spread.h"

#define STREAM_INITIALIZE ((uint64_t)0x494e4954 << 32)

/* Uses of a parameter by edges, as far as it matters. */
enum { USES_NONE = 0, USES_ONE = 1, USES_SEVERAL = 2, USES_DRAWN = 3 };

typedef struct survey {
  uint32_t *fan_in,
      *fan_out;  /* [vertex_count] over active edges, of which a plan has less than 2³² */
  uint8_t *uses; /* [parameter_count], NULL: every parameter of an edge has one use */
} survey;

static void count_edge(const bdag_network *network, survey *found, uint64_t edge,
                       uint64_t parameter) {
  if (!bdag_network_edge_active(network, edge)) return;
  found->fan_in[network->target[edge]]++;
  found->fan_out[network->source[edge]]++;
  if (found->uses != NULL && found->uses[parameter] < USES_SEVERAL) found->uses[parameter]++;
}

static void count_bias(const bdag_network *network, survey *found, uint32_t vertex) {
  if (network->vertex_removed[vertex]) return;
  const uint64_t parameter = network->bias_parameter[vertex];
  if (parameter == BDAG_NONE || found->uses[parameter] != USES_ONE) return;
  found->uses[parameter] = USES_SEVERAL;
}

static uint64_t run_parameter(const bdag_parameter_run *run, uint64_t i) {
  return run->parameters == NULL ? run->first_parameter + i : run->parameters[i];
}

/* One run of consecutive parameters, and biases have others. */
static int uses_are_single(const bdag_network *network) {
  if (network->run_count != 1 || network->run[0].parameters != NULL) return 0;
  for (uint32_t v = 0; v < network->vertex_count; v++) {
    const uint64_t bias = network->bias_parameter[v];
    if (bias != BDAG_NONE && bias - network->run[0].first_parameter < network->run[0].count)
      return 0;
  }
  return 1;
}

static void count_uses(const bdag_network *network, survey *found) {
  for (uint64_t r = 0; r < network->run_count; r++) {
    const bdag_parameter_run *const run = &network->run[r];
    for (uint64_t i = 0; i < run->count; i++)
      count_edge(network, found, run->first_edge + i, run_parameter(run, i));
  }
  for (uint32_t v = 0; found->uses != NULL && v < network->vertex_count; v++)
    count_bias(network, found, v);
}

static void store(bdag_weights *weights, uint64_t index, double value) {
  if (weights->type == BDAG_FLOAT32) {
    ((float *)weights->state)[index] = (float)value;
  } else {
    ((double *)weights->state)[index] = value;
  }
}

/* The factor by which the edge's target rescales the sum, undone. */
static double unscale(const bdag_network *network, uint32_t target, uint64_t fan_in) {
  const double response = fabs(network->response[target]);
  const double mean = network->aggregation[target] == BDAG_MEAN ? (double)fan_in : 1.0;
  return response > 0.0 ? mean / response : mean;
}

static void draw_edge(bdag_weights *weights, const bdag_network *network, survey *found,
                      bdag_initialization scheme, uint64_t seed, uint64_t edge,
                      uint64_t parameter) {
  if (!bdag_network_edge_active(network, edge)) return;
  int tied = 0;
  if (found->uses != NULL) {
    if (found->uses[parameter] == USES_DRAWN) return;
    tied = found->uses[parameter] == USES_SEVERAL;
    found->uses[parameter] = USES_DRAWN;
  }
  const uint64_t index = bdag_plan_state_of_parameter(weights->plan, parameter);
  if (index == BDAG_NONE) return;
  const uint32_t target = network->target[edge];
  const bdag_spread spread =
      bdag_spread_of(scheme, network->activation[target], found->fan_in[target],
                     found->fan_out[network->source[edge]]);
  const double drawn = spread.uniform
                           ? 2.0 * bdag_random_uniform(seed, STREAM_INITIALIZE, parameter) - 1.0
                           : bdag_random_normal(seed, STREAM_INITIALIZE, parameter);
  const double fit = tied ? 1.0 : unscale(network, target, found->fan_in[target]);
  store(weights, index, drawn * spread.scale * fit);
}

static void draw_weights(bdag_weights *weights, const bdag_network *network, survey *found,
                         bdag_initialization scheme, uint64_t seed) {
  for (uint64_t r = 0; r < network->run_count; r++) {
    const bdag_parameter_run *const run = &network->run[r];
    for (uint64_t i = 0; i < run->count; i++)
      draw_edge(weights, network, found, scheme, seed, run->first_edge + i, run_parameter(run, i));
  }
}

static void clear_biases(bdag_weights *weights, const bdag_network *network, const survey *found) {
  for (uint32_t v = 0; v < network->vertex_count; v++) {
    const uint64_t parameter = network->bias_parameter[v];
    if (network->vertex_removed[v] || parameter == BDAG_NONE) continue;
    if (found->uses != NULL && found->uses[parameter] != USES_NONE) continue;
    const uint64_t index = bdag_plan_state_of_parameter(weights->plan, parameter);
    if (index != BDAG_NONE) store(weights, index, 0.0);
  }
}

static bdag_status draw_all(bdag_weights *weights, const bdag_network *network,
                            bdag_initialization scheme, uint64_t seed, bdag_error *error) {
  const bdag_context *const context = weights->context;
  bdag_status status = BDAG_OK;
  const int single = uses_are_single(network);
  survey found = {
      bdag_allocate_zeroed(context, network->vertex_count, sizeof(uint32_t)),
      bdag_allocate_zeroed(context, network->vertex_count, sizeof(uint32_t)),
      single ? NULL : bdag_allocate_zeroed(context, network->parameter_count, 1),
  };
  if (found.fan_in == NULL || found.fan_out == NULL || (found.uses == NULL && !single)) {
    status = bdag_fail_memory(error);
  } else {
    count_uses(network, &found);
    draw_weights(weights, network, &found, scheme, seed);
    clear_biases(weights, network, &found);
    bdag_weights_refresh(weights);
  }
  bdag_free(context, found.fan_in);
  bdag_free(context, found.fan_out);
  bdag_free(context, found.uses);
  return status;
}

/* Besides the scheme, σ is fitted to what the target does with the sum: it is divided by |response|
 * and, with mean aggregation, multiplied by the in-degree, so that the variance of `in` comes out as
 * the scheme means it. Tied weights serve several targets and are left as drawn. With AUTO, σ is also
 * divided by the inner slope of neat-python's activations (spread.c), so that they start in their
 * linear range. A parameter used by an edge and as a bias counts as a tied weight. */
bdag_status bdag_weights_initialize(bdag_weights *weights, const bdag_network *network,
                                    bdag_initialization scheme, uint64_t seed, bdag_error *error) {
  if (weights == NULL || network == NULL)
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT,
                     "weights and network must be given to initialise weights");
  if ((unsigned)scheme > BDAG_INIT_GLOROT_UNIFORM)
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT,
                     "initialisation scheme %d is unknown; use one of bdag_initialization",
                     (int)scheme);
  if (network->vertex_count != weights->plan->network_vertices ||
      network->edge_count != weights->plan->network_edges ||
      network->parameter_count != weights->plan->network_parameters)
    return bdag_fail(error, BDAG_ERROR_MISMATCH,
                     "the network is not the one that the weights' plan was made from");
  int free_to_take = 0;
  /* Acquire pairs with the release of whoever held the weights before. */
  if (!atomic_compare_exchange_strong_explicit(&weights->held, &free_to_take, 1,
                                               memory_order_acquire, memory_order_relaxed))
    return bdag_fail(error, BDAG_ERROR_BUSY,
                     "a trainer holds the weights; initialise them before it is created");
  const bdag_status status =
      atomic_load_explicit(&weights->frozen, memory_order_acquire)
          ? bdag_fail(error, BDAG_ERROR_BUSY, "the weights are frozen; initialise a copy")
          : draw_all(weights, network, scheme, seed, error);
  atomic_store_explicit(&weights->held, 0, memory_order_release);
  return status;
}
