/* The table of cases: which networks are measured, with which batches and phases. */
#ifndef BENCH_CASES_H
#define BENCH_CASES_H

#include "case_graph.h"

#define BENCH_BATCHES 4

typedef enum bench_phase {
  BENCH_FORWARD = 0,
  BENCH_BACKWARD = 1,
  BENCH_BOTH = 2, /* forward and backward as one unit: what peers do */
  BENCH_STEP = 3, /* forward, backward, update */
  BENCH_PLAN = 4,
  BENCH_ENGINE = 5, /* weights and engine creation for a plan that exists */
  BENCH_PHASES = 6
} bench_phase;
#define BENCH_PHASE_BIT(phase) (1u << (phase))
#define BENCH_PASSES                                                                               \
  (BENCH_PHASE_BIT(BENCH_FORWARD) | BENCH_PHASE_BIT(BENCH_BACKWARD) |                              \
   BENCH_PHASE_BIT(BENCH_BOTH) | BENCH_PHASE_BIT(BENCH_STEP))

typedef struct bench_case {
  const char *name, *description;
  /* The graph of member `index`; `argument` as below. */
  bench_graph *(*build)(uint64_t argument, uint64_t index, uint64_t seed);
  uint64_t argument;
  uint32_t members;                /* networks run one after the other as one unit */
  uint32_t batches[BENCH_BATCHES]; /* defaults, 0 ends */
  uint32_t phases;                 /* default phases, bits */
  int in_default_set;
  double alive;     /* share of in_grads that must differ from 0 for a backward pass to count */
  double input_on;  /* > 0: inputs are 0 or 1, 1 with this probability; 0: normal */
  double gigabytes; /* of memory wanted, 0: few */
} bench_case;

extern const bench_case bench_cases[];
extern const size_t bench_case_count;

const bench_case *bench_case_find(const char *name);
const char *bench_phase_name(bench_phase phase);
/* Bit of a phase's name, 0 if there is none. */
uint32_t bench_phase_parse(const char *name);

/* Builders; each returns the same graph for the same arguments on every machine. */
bench_graph *bench_build_mlp(uint64_t layers, uint64_t index, uint64_t seed);
bench_graph *bench_build_sparse(uint64_t percent, uint64_t index, uint64_t seed);
bench_graph *bench_build_skips(uint64_t permille, uint64_t index, uint64_t seed);
bench_graph *bench_build_radix(uint64_t neurons, uint64_t index, uint64_t seed);
bench_graph *bench_build_radix_challenge(uint64_t neurons, uint64_t index, uint64_t seed);
bench_graph *bench_build_irregular(uint64_t vertices, uint64_t index, uint64_t seed);
bench_graph *bench_build_small_world(uint64_t vertices, uint64_t index, uint64_t seed);
bench_graph *bench_build_chain(uint64_t depth, uint64_t index, uint64_t seed);
bench_graph *bench_build_cascade(uint64_t hidden, uint64_t index, uint64_t seed);
bench_graph *bench_build_evolved(uint64_t edges, uint64_t index, uint64_t seed);

/* `argument` of bench_build_mlp. */
typedef enum bench_mlp {
  BENCH_MLP_MNIST = 0,      /* 784-512-512-10, ReLU, cross-entropy */
  BENCH_MLP_SQUARE = 1,     /* 1024-1024-1024-1024, ReLU, mean squared error */
  BENCH_MLP_MNIST_TANH = 2, /* 784-512-512-10, tanh, mean squared error: what FANN can do */
  BENCH_MLP_SMALL = 3       /* 2-8-8-1, tanh, mean squared error */
} bench_mlp;

#endif
