/* How the gradient becomes a sum over groups of tiles. Each backward task has slots of its own; the groups
 * add to them in a fixed order, whoever computes what when. A group whose turn has not come
 * leaves its part of a task in a buffer of its thread, and adds it later. Floor 3. */
#ifndef BDAG_RUNTIME_ACCUMULATE_H
#define BDAG_RUNTIME_ACCUMULATE_H

#include <stdatomic.h>

#include "plan/plan_internal.h"

struct bdag_engine;

/* Where the gradients of a task's slots are written: the gradient itself, or a buffer of those slots. */
typedef struct bdag_gradient {
  char *weights; /* of slot `first` on */
  uint64_t first;
  char *
      biases; /* by row − first_neuron, or, if by_position, by position in sweep_row − first_bias */
  uint64_t first_bias;
  int by_position;
  int is_complete; /* no other group adds to it later: what is no edge becomes 0 */
} bdag_gradient;

/* Tasks that follow each other, as do their slots: they take their turn together. Where groups do not run
 * side by side each task is alone. */
typedef struct bdag_section {
  uint32_t task, tasks;
  uint64_t first, count;     /* slots of weights */
  uint64_t position, biases; /* positions in sweep_row of rows with biases, and some between */
} bdag_section;

/* A section's gradient for one group. */
typedef struct bdag_part {
  bdag_section section;
  uint32_t number, turn; /* of the section; turn: groups that come before */
  bdag_gradient to;
  int accumulate; /* something is there already */
  size_t offset, size;
} bdag_part;

/* Parts of a thread that wait for their turn, oldest first; where the next one goes. */
typedef struct bdag_part_queue {
  _Alignas(64) uint32_t first, count;
  size_t end, settled; /* settled: `end` when it was last seen whose turn it is */
  bdag_part open;      /* of the section whose tasks are running */
} bdag_part_queue;

typedef struct bdag_parts {
  size_t room;            /* bytes of a thread's buffer; larger tasks wait for their turn first */
  size_t stretch;         /* bytes of the gradient that have the same group first */
  char *bytes;            /* [threads][room] */
  bdag_part *waiting;     /* [threads][BDAG_MOST_WAITING] */
  bdag_part_queue *queue; /* [threads] */
  uint32_t sections;
  bdag_section *section;  /* [sections] */
  uint32_t *section_of;   /* [backward tasks] */
  _Atomic uint32_t *turn; /* [sections] groups that are in the gradient */
  int apart, turns; /* in this pass: groups but the first compute in buffers; several at a time */
  int rotates;      /* which of those comes first changes */
} bdag_parts;
#define BDAG_MOST_WAITING 2048u

/* Buffers for the threads of an engine. Returns 0, −1 when out of memory; destroy also then. */
int bdag_parts_create(struct bdag_engine *engine);
void bdag_parts_destroy(struct bdag_engine *engine);

/* Cuts the tasks into sections again, for the room that there is. */
void bdag_parts_cut(struct bdag_engine *engine);

/* The order is that of the groups' numbers; but groups that the threads run side by side in a pass that is
 * not deterministic take turns in being first. Before the team of a pass begins. `at_once`: groups run at the same time, group g on one thread from the
 * first task to the last, and each thread takes its groups in ascending order. Otherwise the caller sees
 * to it that the groups of a task follow each other. */
void bdag_parts_prepare(struct bdag_engine *engine, int at_once);
/* Around a task's work for one group. The part is `alone`, or that of the task's section. */
bdag_part *bdag_part_begin(struct bdag_engine *engine, uint32_t task, uint32_t group,
                           bdag_part *alone);
void bdag_part_end(struct bdag_engine *engine, uint32_t task, const bdag_part *part);
/* Padding in the gradient, which kernels write as if there were edges. */
void bdag_zero_holes(const struct bdag_engine *engine, uint64_t hole, uint32_t holes);
/* Until all parts of the calling thread are in the gradient, or the pass has failed. */
void bdag_parts_finish(struct bdag_engine *engine);

#endif
