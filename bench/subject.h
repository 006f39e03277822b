/* A case made ready for passes through the public API, and the timed runs of its phases. */
#ifndef BENCH_SUBJECT_H
#define BENCH_SUBJECT_H

#include "settings.h"

typedef struct bench_member {
  bench_graph *graph; /* NULL for a network file */
  bdag_network *network;
  uint32_t *vertex_map; /* [vertex_count] graph → network, NULL for a file */
  uint64_t *edge_map;   /* [edge_count] graph → network, NULL for a file */
  bdag_plan *plan;
  bdag_weights *weights; /* of the passes */
  bdag_engine *engine;
  bdag_weights *trained; /* of the steps */
  bdag_trainer *trainer;
  /* Sample-major arrays of the settings' type, [batch][columns]. */
  void *x, *targets, *y;
  bdag_plan_summary summary;
} bench_member;

typedef struct bench_subject {
  const bench_settings *settings;
  const bench_case *the_case; /* NULL for a network file */
  const char *name;
  bdag_context *context;
  uint64_t member_count;
  bench_member *member;
  bdag_member *population; /* of all members, for one call; NULL: one member, or not configured */
  uint64_t batch;
  uint32_t threads;
  int has_loss;
  double plan_seconds; /* of the plans that the passes use */
  /* Sums over the members. */
  uint64_t vertices, edges, weight_edges, out_edges;
  uint64_t engine_bytes, plan_bytes;
  double list_bandwidth; /* the best of bench_list_gather, 0: not measured */
  double loss;           /* of the last backward pass, summed over the members */
  bdag_status status;    /* of the last failure */
  bdag_error error;
} bench_subject;

/* Context for the settings with `threads` threads at most (0: all allowed). */
bdag_context *bench_context_create(const bench_settings *settings, uint32_t threads);

/* Builds networks and plans of a case, or of a network file. Returns NULL after a message on stderr. */
bench_subject *bench_subject_create(bdag_context *context, const bench_settings *settings,
                                    const bench_case *the_case, const char *path);
void bench_subject_destroy(bench_subject *subject);

/* Makes engines and data for a batch and a number of threads; a trainer when `step` is non-zero.
 * Returns the status; the error is in the subject. */
bdag_status bench_subject_configure(bench_subject *subject, uint64_t batch, uint32_t threads,
                                    int step);

/* Threads of the teams that its passes make: the library may take fewer than it was allowed. */
uint32_t bench_subject_team(const bench_subject *subject);

/* Releases what bench_subject_configure made for one member. */
void bench_member_unconfigure(bench_member *member);

/* The timed run of a phase, as bench_alternative wants it; `user` is the subject. NaN: failed. */
double (*bench_subject_run(bench_phase phase))(void *user, uint64_t repetitions);

/* Puts an engine that keeps in_grad in the place of the member's. */
bdag_status bench_member_inspect(bench_subject *subject, bench_member *member);

/* One forward pass, or one forward and one backward pass, of one member. */
bdag_status bench_member_pass(bench_subject *subject, bench_member *member, int backward,
                              const double *sample_weights, double *loss);

/* Size of one number of a type. */
size_t bench_type_size(bdag_type type);
double bench_number(bdag_type type, const void *array, uint64_t index);
void bench_set_number(bdag_type type, void *array, uint64_t index, double value);

#endif
