/* What the programs of stress share: a random case with all that its passes need, and what they give. */
#ifndef BDAG_TEST_STRESS_SUBJECT_H
#define BDAG_TEST_STRESS_SUBJECT_H

#include "random_case.h"

typedef struct stress_subject {
  random_case c;
  bdag_plan *plan;
  bdag_weights *weights;
} stress_subject;

typedef struct stress_result {
  double loss, *out, *weight_grad; /* [samples][vertices], [edges] as raw numbers of the type */
} stress_result;

/* Ends the program unless the status is OK. */
void stress_must(const char *what, bdag_status status);

/* How large a case may be. */
typedef struct stress_size {
  uint64_t least_edges, most_edges, least_samples, most_samples;
} stress_size;

/* The next seed from `seed` on whose case has that size; returns the one after it. */
uint64_t stress_draw(stress_subject *s, const property_world *world, uint64_t seed,
                     stress_size size);
void stress_free(stress_subject *s);

bdag_engine *stress_engine(const stress_subject *s, bdag_axis axis, uint32_t threads);
/* Forward and backward. */
bdag_status stress_passes(const stress_subject *s, bdag_engine *engine, double *loss);

stress_result stress_result_make(const stress_subject *s);
void stress_result_free(stress_result *r);
/* Passes and reading. */
bdag_status stress_run(const stress_subject *s, bdag_engine *engine, stress_result *r);
/* Bitwise. */
int stress_same(const stress_subject *s, const stress_result *a, const stress_result *b);
/* What the serial path gives. */
stress_result stress_reference(const stress_subject *s);

#endif
