/* What the tests of trainers share: a network, its plan and weights, made and released together. */
#ifndef BDAG_TEST_TRAIN_FIXTURE_H
#define BDAG_TEST_TRAIN_FIXTURE_H

#include <backdag/train.h>

typedef struct fixture {
  bdag_context *context;
  bdag_network *network;
  bdag_plan *plan;
  bdag_weights *weights;
} fixture;

typedef struct edge_spec {
  uint32_t source, target;
} edge_spec;

/* An empty network in a context with that many threads; fixture_finish makes plan and weights. */
fixture fixture_begin(uint32_t threads, const bdag_allocator *allocator);
void fixture_finish(fixture *made, bdag_type type);
void fixture_end(fixture *made);

uint32_t fixture_neurons(fixture *made, uint32_t count, uint32_t kind);
void fixture_edges(fixture *made, uint64_t count, const edge_spec *edges, const double *weights);
void fixture_loss(fixture *made, uint32_t kind, uint32_t count, const uint32_t *vertices);

/* y = w0·x0 + w1·x1 + b with mean squared error; w = (0.5, −0.25), b = 0.125. Parameter 0 is the bias,
 * 1 and 2 are the weights. */
fixture fixture_linear(bdag_type type);

/* Two inputs, three hidden neurons of which the later read the earlier, one output that reads all of
 * them; tanh, mean squared error. */
fixture fixture_small(bdag_type type, uint32_t threads);

uint64_t fixture_parameters(const fixture *made);
/* All parameters; to be freed. */
double *fixture_values(const fixture *made);
void fixture_set_values(fixture *made, const double *values);

bdag_array fixture_array(const void *data, bdag_type type, ptrdiff_t columns);

#endif
