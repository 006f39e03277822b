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
  uint32_t threads;      /* 1..1024; 0: OMP_NUM_THREADS, else min(cgroup quota, cores allowed) */
  int oversubscribe;     /* non-zero: more threads than allowed processors are accepted */
  bdag_isa isa;          /* AUTO: the environment variable BACKDAG_ISA, else the best */
  const char *synthetic; /* an hwloc synthetic topology to plan for, NULL: this machine */
  int bind_threads;      /* non-zero: workers (never the caller) are bound to cores in a pass */
} bdag_context_options;

#define BDAG_CONTEXT_OPTIONS_INIT                                                                  \
  { sizeof(bdag_context_options), NULL, NULL, NULL, 0, 0, BDAG_ISA_AUTO, NULL, 0 }

/* Makes a context. `options` NULL means defaults. The context must outlive every object made with
 * it; release it with bdag_context_destroy.
 * Returns OK, INVALID_ARGUMENT (options of an unknown size, threads above 1024, an unknown synthetic
 * topology), UNSUPPORTED (an ISA that this processor or build lacks, also through BACKDAG_ISA),
 * THREADS (more threads than allowed processors without `oversubscribe`), OUT_OF_MEMORY.
 * Thread-safe. */
BDAG_API bdag_status bdag_context_create(bdag_context **context,
                                         const bdag_context_options *options, bdag_error *error);

/* Releases a context; NULL is fine. No object made with it may still exist. */
BDAG_API void bdag_context_destroy(bdag_context *context);

/* Number of threads that a pass may use, 1..1024. Thread-safe. */
BDAG_API uint32_t bdag_context_threads(const bdag_context *context);

/* Name of the instruction set in use: "baseline", "avx2", "avx512" or "neon". Static storage.
 * Thread-safe. */
BDAG_API const char *bdag_context_isa(const bdag_context *context);

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
