/* The context's fields, for the library's own rooms. Floor 0. */
#ifndef BDAG_BASE_CONTEXT_INTERNAL_H
#define BDAG_BASE_CONTEXT_INTERNAL_H

#include <stdatomic.h>

#include <backdag/context.h>

#define BDAG_MOST_THREADS 1024u

typedef struct bdag_registered_activation {
  char name[64];
  bdag_activation_functions functions;
} bdag_registered_activation;

typedef struct bdag_registered_loss {
  char name[64];
  bdag_loss_callback callback;
  void *user;
  int whole_batch, has_targets;
} bdag_registered_loss;

/* What the machine (or the synthetic topology) allows; filled in by topology.c. */
typedef struct bdag_machine {
  uint32_t processors; /* in the caller's CPU set at creation, or of the synthetic topology */
  uint32_t cores;      /* of them physical cores */
  uint32_t nodes;      /* of memory (NUMA); 1 where unknown */
  uint32_t quota;      /* cgroup CPU quota, rounded up; UINT32_MAX: none */
  size_t l1, l2, l3;   /* bytes of one data cache of that level; defaults where unknown */
  int is_this_system;
} bdag_machine;

/* What the passes of a context share; see base/team.h. */
typedef struct bdag_budget {
  _Alignas(64) _Atomic uint32_t used;                          /* threads in passes */
  _Alignas(64) _Atomic uint64_t taken[BDAG_MOST_THREADS / 64]; /* bit i: place i has a thread */
} bdag_budget;

struct bdag_context {
  bdag_allocator allocator;
  bdag_log_callback log;
  void *log_user;
  uint32_t threads;
  int oversubscribe, bind_threads;
  bdag_isa isa;
  bdag_machine machine;
  bdag_cost_profile costs;
  uint64_t huge_edges; /* from so many on a plan spares memory instead of time */
  uint64_t team_edges; /* from so many on a plan is made by a team of threads */
  void *topology;      /* hwloc_topology_t */
  bdag_budget *budget;
  uint32_t
      *place; /* [places] processors for bound threads, a core each first; without binding none */
  uint32_t places;
  bdag_registered_activation *activations;
  uint64_t activation_count, activation_capacity;
  bdag_registered_loss *losses;
  uint64_t loss_count, loss_capacity;
};

/* The registered entry of a kind, or NULL. */
const bdag_registered_activation *bdag_context_activation(const bdag_context *context,
                                                          uint32_t kind);
const bdag_registered_loss *bdag_context_loss(const bdag_context *context, uint32_t kind);

/* How many of so many threads can run at the same time. */
static inline uint32_t bdag_context_at_once(const bdag_context *context, uint32_t threads) {
  const bdag_machine *machine = &context->machine;
  const uint32_t processors =
      machine->quota < machine->processors ? machine->quota : machine->processors;
  return threads < processors ? threads : processors;
}

__attribute__((format(printf, 3, 4))) void bdag_log(const bdag_context *context,
                                                    bdag_log_level level, const char *format, ...);

/* Best instruction set that this processor and build offer, and whether one is available. */
bdag_isa bdag_isa_best(void);
int bdag_isa_available(bdag_isa isa);

#endif
