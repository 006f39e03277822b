/* Failing the n-th allocation, for every n: what scenarios use.
 *
 * A scenario prepares what it needs, arms the allocator, does its work through the macros below and
 * adds its results to a checksum. When a call runs out of memory the allocator is healed and the call
 * made once more: it must succeed, and in the end results must be those of an undisturbed run. */
#ifndef TESTS_OOM_H
#define TESTS_OOM_H

#include <stddef.h>
#include <stdint.h>

#include <backdag/backdag.h>

typedef struct oom_state {
  bdag_context *context; /* of the scenario's own making, or the shared one */
  bdag_error error;
  uint64_t checksum;
  char folder[64]; /* for files */
} oom_state;

/* From here on allocations count. */
void oom_arm(void);
/* Allocations succeed again. */
void oom_heal(void);
uint64_t oom_live(void);
uint64_t oom_requests(void);
uint64_t oom_refused(void);
bdag_allocator oom_allocator(void);
/* Records a fault of the code under test. */
void oom_complain(const char *call, const char *file, int line, bdag_status status,
                  const char *why);
void oom_add(oom_state *state, const void *bytes, size_t size);
void oom_add_file(oom_state *state, const char *path);

typedef struct oom_call {
  uint64_t live, refused, requests;
} oom_call;
oom_call oom_before(oom_state *state);
/* Judges a call's first outcome; returns non-zero if it is to be made again. `makes` non-zero: the
 * call makes an object, and must leave no block behind when it fails. */
int oom_judge(oom_state *state, oom_call before, bdag_status status, int makes, const char *call,
              const char *file, int line);

#define OOM_TRY_AS(makes, call)                                                                    \
  do {                                                                                             \
    const oom_call before_ = oom_before(state);                                                    \
    bdag_status status_ = (call);                                                                  \
    if (oom_judge(state, before_, status_, makes, #call, __FILE__, __LINE__)) status_ = (call);    \
    if (status_ != BDAG_OK) {                                                                      \
      oom_complain(#call, __FILE__, __LINE__, status_, state->error.message);                      \
      goto done;                                                                                   \
    }                                                                                              \
  } while (0)

/* A call that changes objects, and one that makes a new object. Both jump to `done` on failure. */
#define OOM_TRY(call)  OOM_TRY_AS(0, call)
#define OOM_MAKE(call) OOM_TRY_AS(1, call)

/* A call that must not allocate. */
#define OOM_NONE(call)                                                                             \
  do {                                                                                             \
    const uint64_t requests_ = oom_requests();                                                     \
    const bdag_status status_ = (call);                                                            \
    if (status_ != BDAG_OK || oom_requests() != requests_) {                                       \
      oom_complain(#call, __FILE__, __LINE__, status_,                                             \
                   "failed, or allocated where nothing may be");                                   \
      goto done;                                                                                   \
    }                                                                                              \
  } while (0)

/* The scenarios. */
void oom_context(oom_state *state);
void oom_building(oom_state *state);
void oom_editing(oom_state *state);
void oom_passes(oom_state *state);
void oom_training(oom_state *state);
void oom_networks_in_files(oom_state *state);
void oom_checkpoint(oom_state *state);
void oom_tables(oom_state *state);

/* A small network with everything in it: skips, tied weights, a mean, responses, registered functions,
 * several loss terms. Not under test here: allocations succeed. */
bdag_network *oom_make_network(oom_state *state);
enum { OOM_INPUTS = 3, OOM_OUTPUTS = 2, OOM_TARGETS = 3, OOM_SAMPLES = 40 };
extern float oom_x[OOM_SAMPLES * OOM_INPUTS], oom_targets[OOM_SAMPLES * OOM_TARGETS];

#endif
