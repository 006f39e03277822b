/* The oracle: forward and backward pass over an arbitrary DAG as in the note "Backpropagation" of
 * B. Hanin and P. Rule; serial, in double precision, one sample after the other.
 * Read backprop.c for the algorithm. Shares no code with the library. */
#ifndef ORACLE_BACKPROP_H
#define ORACLE_BACKPROP_H

#include "oracle_network.h"

typedef struct oracle_batch {
  size_t samples;
  const double *x;       /* [samples][inputs] */
  const double *targets; /* [samples][target columns] */
  const double *weight;  /* [samples], the c_s; samples of weight 0 are left out of the loss */
  double normalizer;     /* Z */
} oracle_batch;

typedef struct oracle_pass {
  oracle_graph graph;                    /* the augmented network */
  size_t *v, count;                      /* its enumeration v_0 = Loss, v_1, v_2, … */
  double *in, *out, *in_grad, *out_grad; /* [samples][vertices] */
  double loss;
  double *weight_grad;    /* [edges], an edge's own contribution also when its weight is tied */
  double *bias_grad;      /* [vertices], likewise */
  double *parameter_grad; /* [parameters], the sum over all uses */
} oracle_pass;

/* Runs both passes; the result is released with oracle_pass_free. The network must have no cycle. */
void oracle_run(oracle_pass *pass, const oracle_network *network, const oracle_batch *batch);
void oracle_pass_free(oracle_pass *pass);

#endif
