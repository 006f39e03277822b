/* Small networks and engines whose passes are traced. */
#ifndef TRACE_FIXTURE_H
#define TRACE_FIXTURE_H

#include "runtime/trace_internal.h"

typedef struct trace_fixture {
  bdag_context *context;
  bdag_network *network;
  bdag_plan *plan;
  bdag_weights *weights;
  bdag_engine *engine;
  bdag_trace *trace;
  float *x, *y, *targets;
  uint64_t batch;
} trace_fixture;

typedef struct trace_wish {
  uint32_t threads;
  bdag_axis axis;
  uint64_t batch;
  int deterministic;
  bdag_granularity granularity;
  uint32_t groups;  /* of accumulation; 0: as usual */
  uint64_t records; /* room in the trace; 0: as usual */
  const bdag_allocator *allocator;
  const bdag_activation_functions *functions; /* the diamond's activation; NULL: tanh */
} trace_wish;

/* Input 0 feeds neurons 1 and 2, both feed 3: one task each. */
void fixture_diamond(trace_fixture *f, const trace_wish *wish);
/* 16 inputs, 200 neurons that read 1 to 9 earlier ones, 4 outputs under a squared error. */
void fixture_random(trace_fixture *f, const trace_wish *wish);
/* 16 inputs, 40 neurons, 4 outputs, each reading all of the layer before. */
void fixture_dense(trace_fixture *f, const trace_wish *wish);
void fixture_release(trace_fixture *f);

/* One recorded forward and backward pass. */
bdag_status fixture_step(trace_fixture *f, double *loss);

#endif
