/* The context: allocator, log, threads, instruction set and registered user functions. */
#ifndef BACKDAG_CONTEXT_H
#define BACKDAG_CONTEXT_H

#include <backdag/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bdag_context bdag_context;

/* Element type of weights, passes and arrays. */
typedef enum bdag_type { BDAG_FLOAT32 = 1, BDAG_FLOAT64 = 2 } bdag_type;

/* "No such vertex, edge or parameter". */
#define BDAG_NONE UINT64_MAX

/* Instruction set of the kernels; AUTO takes the best that processor and build offer. */
typedef enum bdag_isa {
  BDAG_ISA_AUTO = 0,
  BDAG_ISA_BASELINE = 1, /* SSE2 on x86-64 */
  BDAG_ISA_AVX2 = 2,     /* with FMA */
  BDAG_ISA_AVX512 = 3,   /* F, BW, DQ, VL */
  BDAG_ISA_NEON = 4      /* aarch64 */
} bdag_isa;

typedef enum bdag_log_level { BDAG_LOG_WARNING = 1, BDAG_LOG_INFO = 2 } bdag_log_level;

/* Memory functions of the caller. Each must be thread-safe; `allocate` returns memory aligned to
 * 16 bytes or NULL; `release` accepts what `allocate` returned. */
typedef struct bdag_allocator {
  void *(*allocate)(void *user, size_t size);
  void (*release)(void *user, void *memory);
  void *user;
} bdag_allocator;

/* Called with one line of text without a newline; must be thread-safe and must not jump out. */
typedef void (*bdag_log_callback)(void *user, bdag_log_level level, const char *message);

typedef struct bdag_context_options {
  size_t size;                     /* set by the initialiser */
  const bdag_allocator *allocator; /* copied; NULL: malloc and free */
  bdag_log_callback log;           /* NULL: silence */
  void *log_user;
  uint32_t threads;      /* 1..1024; 0: see "Threads" below */
  int oversubscribe;     /* non-zero: more threads than allowed processors are accepted */
  bdag_isa isa;          /* AUTO: the environment variable BACKDAG_ISA, else the best */
  const char *synthetic; /* an hwloc synthetic topology to plan for, NULL: this machine */
  int bind_threads;      /* non-zero: workers (never the caller) are bound to cores in a pass */
} bdag_context_options;

#define BDAG_CONTEXT_OPTIONS_INIT                                                                  \
  { sizeof(bdag_context_options), NULL, NULL, NULL, 0, 0, BDAG_ISA_AUTO, NULL, 0 }

/* ---- Threads -------------------------------------------------------------------------------------
 * How many: the option `threads`, else the first number of OMP_NUM_THREADS (at most the allowed
 * processors), else the physical cores among the processors of the creating thread's CPU set, but no more
 * than the CPU quota of its control groups (v1 and v2), rounded up. Hyper-threads are used only when
 * asked for.
 *
 * Budget: that number is shared by everything that runs on the context at the same time. A pass takes
 * the threads of its engine out of it for as long as it runs; when fewer are left it runs on the calling
 * thread alone, which it always has, and waits for nobody. So P passes at once run at most
 * threads + P − 1 threads. Small passes run on the calling thread and do not touch OpenMP. To serve
 * several requests side by side, give each engine its share by its option `threads`. Engines that one
 * thread uses in turn should have the same number: OpenMP's pool of that thread is made anew for every
 * change, and libomp 14 was seen to crash when several callers' teams changed size at the same time.
 *
 * Asked for more threads than processors, engines that choose their axis themselves, and populations,
 * take no more threads than can run at the same time; the others would only be in the way.
 *
 * Calls from inside an OpenMP parallel region run on the calling thread.
 *
 * OpenMP keeps a pool of threads for each application thread that has run a parallel pass, until that
 * thread ends; it is idle in between (OMP_WAIT_POLICY=passive: without spinning).
 *
 * Forks: a child of a process that had more than one thread when it forked runs its passes on the
 * calling thread, with one warning through the log, because OpenMP's threads do not come along and
 * libgomp would wait for them for ever. Contexts made before the first fork notice it; in a process
 * without any, the caller's own use of OpenMP decides. A child of a process with one thread is as good as
 * new. No pass may run on another thread while the process forks, if the child is to use that engine.
 *
 * Limits: OpenMP runtimes end the process when they cannot make a thread. Before a context is made, and
 * before a pass needs more threads than its calling thread had so far, as many are made for a moment and
 * ended; where the system does not allow that (RLIMIT_NPROC, pids.max, memory) the status is THREADS and
 * the message or a warning in the log names the limits. A context that was not asked for a number takes
 * what there is. What cannot be prevented: that others use up the limit in the microseconds after that,
 * that OMP_STACKSIZE asks for more memory than there is, and that the runtime's own memory runs out.
 *
 * Binding: with `bind_threads` the threads of a pass, but never the calling one, are bound to a free
 * processor each for as long as it runs, one a core first, and get back the mask that they had. Large
 * engines are zeroed by the threads that will use them, so that on machines with several memory nodes
 * their pages lie near; that works best with binding.
 *
 * hwloc describes the machine. Where the kernel does not (no /sys), it asks the processors, for which the
 * thread that makes the context runs on each of them for a moment. The library prints nothing; hwloc
 * itself does only when the kernel's description contradicts itself or its variables ask for it
 * (HWLOC_HIDE_ERRORS=2 silences it). */

/* Makes a context. `options` NULL means defaults. The context must outlive every object made with
 * it; release it with bdag_context_destroy.
 * Returns OK, INVALID_ARGUMENT (options of an unknown size, threads above 1024, an unknown synthetic
 * topology), UNSUPPORTED (an ISA that this processor or build lacks, also through BACKDAG_ISA),
 * THREADS (more threads than allowed processors without `oversubscribe`, or than the system lets this
 * process make), OUT_OF_MEMORY.
 * Thread-safe. */
BDAG_API bdag_status bdag_context_create(bdag_context **context,
                                         const bdag_context_options *options, bdag_error *error);

/* Releases a context; NULL is fine. No object made with it may still exist. */
BDAG_API void bdag_context_destroy(bdag_context *context);

/* Number of threads that all passes together may use, 1..1024. Thread-safe. */
BDAG_API uint32_t bdag_context_threads(const bdag_context *context);

/* Name of the instruction set in use: "baseline", "avx2", "avx512" or "neon". Static storage.
 * Thread-safe. */
BDAG_API const char *bdag_context_isa(const bdag_context *context);

/* What work costs on a machine, on one thread in float32 with data in caches. */
typedef struct bdag_cost_profile {
  size_t size;                          /* set by the initialiser */
  double dense_forward, dense_backward; /* seconds a flop of dense panels */
  double list_forward, list_backward;   /* seconds a flop of irregular neurons */
  double task;                          /* seconds of the threads' time, for one task more */
  double team;                          /* seconds to enter and leave a team of threads */
  double bytes_per_second[4];           /* reading from L1, L2, L3 and memory; 0: unknown */
} bdag_cost_profile;

/* The library's own table: a server core with AVX-512 of 2025. */
#define BDAG_COST_PROFILE_INIT                                                                     \
  {                                                                                                \
    sizeof(bdag_cost_profile), 5e-12, 5e-12, 3e-11, 2e-11, 100e-9, 1.5e-6, {                       \
      500e9, 250e9, 100e9, 40e9                                                                    \
    }                                                                                              \
  }

/* Hands costs to a context, as `backdag-bench profile` measures them and bdag_cost_profile_load reads
 * them; copied, NULL: the library's own table. Plans made afterwards have tasks, and engines choose their
 * axis, by them: a dearer task makes tasks larger, a dearer team keeps larger passes on the calling
 * thread. Results stay the same in deterministic mode. Nothing is ever measured behind your back.
 * Returns OK, INVALID_ARGUMENT (unknown size; a cost that is negative or not finite; a flop that costs
 * nothing). Not thread-safe: call it before other threads use the context. */
BDAG_API bdag_status bdag_context_set_costs(bdag_context *context,
                                            const bdag_cost_profile *profile);

/* A user's activation on arrays of `count` numbers of `type`; `count` is at least 1, arrays are
 * aligned to 16 bytes at least and do not overlap.
 * Called from several threads at once. Returns 0, anything else fails the pass with
 * BDAG_ERROR_CALLBACK. Must not jump out (longjmp, exceptions). */
typedef struct bdag_activation_functions {
  /* out[i] = σ(in[i]) */
  int (*value)(void *user, bdag_type type, double parameter, size_t count, const void *in,
               void *out);
  /* derivative[i] = σ'(in[i]); out[i] = σ(in[i]) is handed in */
  int (*derivative)(void *user, bdag_type type, double parameter, size_t count, const void *in,
                    const void *out, void *derivative);
  void *user;
} bdag_activation_functions;

/* Registers an activation under `name` (1..63 bytes of [A-Za-z0-9_.-], not the name of another);
 * files refer to it by that name. `kind` receives the value for bdag_activation.kind.
 * Returns OK, INVALID_ARGUMENT, LIMIT (more than 1024), OUT_OF_MEMORY. Not thread-safe: register
 * before other threads use the context. */
BDAG_API bdag_status bdag_context_register_activation(bdag_context *context, const char *name,
                                                      const bdag_activation_functions *functions,
                                                      uint32_t *kind, bdag_error *error);

/* What a user's loss sees: the outputs of its vertices for some samples of one batch.
 * For a tile callback these are the samples of one tile, for a batch callback the whole batch. */
typedef struct bdag_loss_view {
  bdag_type type;
  uint32_t vertex_count;       /* vertices of the term, in its order */
  uint64_t sample_first;       /* position in the batch of the first sample */
  uint64_t sample_count;       /* at least 1 */
  size_t stride;               /* elements from one vertex's row to the next */
  const void *out;             /* out[vertex * stride + sample] */
  const void *targets;         /* targets[vertex * stride + sample], the term's slice; NULL
                                  when the term has no targets */
  const double *sample_weight; /* [sample_count], c_s; 0: the sample counts nothing */
  void *out_grad;              /* to be written: ∂ℓ_s/∂out, without c_s/Z and without λ */
  double *loss;                /* to be written: ℓ_s of each sample, [sample_count] */
} bdag_loss_view;

/* Returns 0, anything else fails the pass with BDAG_ERROR_CALLBACK. Must not jump out. */
typedef int (*bdag_loss_callback)(void *user, const bdag_loss_view *view);

/* Registers a loss under `name` (rules as for activations). With `whole_batch` non-zero it is called
 * once a batch between the passes, on the calling thread; otherwise once a tile, from several threads
 * at once. `has_targets` non-zero: the term takes one target column per vertex.
 * `kind` receives the value for bdag_loss_term.kind.
 * Returns OK, INVALID_ARGUMENT, LIMIT, OUT_OF_MEMORY. Not thread-safe. */
BDAG_API bdag_status bdag_context_register_loss(bdag_context *context, const char *name,
                                                bdag_loss_callback callback, void *user,
                                                int whole_batch, int has_targets, uint32_t *kind,
                                                bdag_error *error);

#ifdef __cplusplus
}
#endif
#endif
