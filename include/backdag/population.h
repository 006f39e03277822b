/* Populations: passes of many different small networks in one call, as evolution needs it.
 *
 * Passes of small networks are not worth a team of threads, one by one; together they are. The members are
 * shared out over the context's threads in one parallel region, the dearest first, the same members on the same
 * thread in every call, so that their numbers are still in that core's cache; a thread that is done takes
 * over what others have not begun. Little work is done on the calling thread.
 *
 *   bdag_member members[150];
 *   for (i = 0; i < 150; i++) {
 *     members[i] = (bdag_member)BDAG_MEMBER_INIT;
 *     members[i].engine = engines[i];              // made with the axis BDAG_AXIS_SERIAL
 *     members[i].weights = weights[i];
 *     members[i].batch = 32;
 *     members[i].x = x;                            // the same samples for all, or each its own
 *     members[i].targets = targets;
 *   }
 *   if (bdag_population_loss(members, 150, NULL) == BDAG_OK) … members[i].loss …
 *
 * tests/unit/runtime/population_example.c lets a population evolve. Afterwards each engine is as its own
 * pass would have left it, bitwise. */
#ifndef BACKDAG_POPULATION_H
#define BACKDAG_POPULATION_H

#include <backdag/engine.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One network of a population: what its pass reads and what comes out of it. */
typedef struct bdag_member {
  size_t size; /* set by the initialiser */
  bdag_engine
      *engine; /* of one thread: made with BDAG_AXIS_SERIAL or threads = 1; no other member's */
  const bdag_weights *weights;
  uint64_t batch;               /* 1 ≤ batch ≤ the engine's max_batch */
  const void *x;                /* [batch][inputs] of the engine's type; members may share it */
  void *y;                      /* [batch][outputs] is written, NULL: not wanted */
  const void *targets;          /* [batch][target_count], NULL when there are no target columns */
  const double *sample_weights; /* [batch], the c_s ≥ 0; NULL: all 1 */
  double loss;                  /* is written by …_loss and …_backward if the status is OK */
  bdag_status status;           /* is written: how this member's pass ended */
} bdag_member;

#define BDAG_MEMBER_INIT                                                                           \
  { sizeof(bdag_member), NULL, NULL, 0, NULL, NULL, NULL, NULL, 0.0, BDAG_OK }

typedef struct bdag_population_options {
  size_t size; /* set by the initialiser */
  /* At most so many, the context's number, and what can run at the same time; 0: as many as that. */
  uint32_t threads;
  /* Asked before each member, on the thread that would run it, at the same time from several. Non-zero:
   * this member and those that have not begun are CANCELLED. Must not jump out. NULL: never. */
  int (*stop)(void *user);
  void *user;
} bdag_population_options;

#define BDAG_POPULATION_OPTIONS_INIT                                                               \
  { sizeof(bdag_population_options), 0, NULL, NULL }

/* Forward passes of members 0 … count−1; 0 members are fine. The engines must be of one context.
 * `options` NULL means defaults. A member that fails does not hinder the others.
 * Each member's status is that of bdag_forward; or INVALID_ARGUMENT (no engine, one of several threads,
 * or of another context than the first engine's), BUSY (an engine that an earlier member has),
 * CANCELLED (by `stop`, or by bdag_engine_cancel while this member ran).
 * Returns OK; the status of the first member that failed; or, before anything has run, whatever the
 * members' statuses say: INVALID_ARGUMENT (`members` NULL, options or a member of an unknown size), LIMIT
 * (2^31 members or more), OUT_OF_MEMORY, THREADS (the system does not allow the threads).
 * Allocates some bytes a member for as long as it runs.
 * As for single passes: called inside a parallel region, in a forked child, or when other passes have the
 * context's threads, it works on the calling thread alone; see context.h.
 * Thread-safe: several threads may call it at once, with engines of their own. */
BDAG_API bdag_status bdag_population_forward(bdag_member *members, uint64_t count,
                                             const bdag_population_options *options);
/* The same with the outputs' read-outs in y, as bdag_predict. */
BDAG_API bdag_status bdag_population_predict(bdag_member *members, uint64_t count,
                                             const bdag_population_options *options);
/* The same, and then the loss without gradients: what a fitness is made of. A member's status may also be
 * one of bdag_loss. */
BDAG_API bdag_status bdag_population_loss(bdag_member *members, uint64_t count,
                                          const bdag_population_options *options);
/* The same, and then the backward pass, member by member; gradients are read from the engines. A member's
 * status may also be one of bdag_backward. */
BDAG_API bdag_status bdag_population_backward(bdag_member *members, uint64_t count,
                                              const bdag_population_options *options);

#ifdef __cplusplus
}
#endif
#endif
