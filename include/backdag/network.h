/* The network: vertices (one neuron each), edges (one weight each), parameters, outputs and losses.
 *
 * in(v) = bias(v) + response(v) · Σ_{u→v} w(u→v)·out(u)      out(v) = σ_v(in(v))
 * (with mean aggregation the sum is divided by the number of edges into v).
 *
 * Source: B. Hanin and P. Rule, "Backpropagation" (note); names follow it. */
#ifndef BACKDAG_NETWORK_H
#define BACKDAG_NETWORK_H

#include <backdag/context.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bdag_network bdag_network;

/* ---- Activations -------------------------------------------------------------------------------
 * σ(z) of each kind, its parameter p and, where σ is not differentiable, the derivative used there.
 * relu(NaN) is NaN; so is every other function of NaN. */
typedef enum bdag_activation_kind {
  BDAG_IDENTITY = 0,
  BDAG_RELU = 1,       /* max(z, 0); σ'(0) = 0 */
  BDAG_LEAKY_RELU = 2, /* z > 0 ? z : p·z, p = slope, default 0.01; σ'(0) = p */
  BDAG_ELU = 3,        /* z > 0 ? z : p·(e^z − 1), p = α, default 1; σ'(0) = p */
  /* 1.0507009873554805 · (z > 0 ? z : 1.6732632423543772·(e^z − 1)); σ'(0) from the left */
  BDAG_SELU = 4,
  BDAG_GELU = 5,     /* z·Φ(z), with the error function */
  BDAG_SILU = 6,     /* z·sigmoid(z) */
  BDAG_SOFTPLUS = 7, /* log(1 + e^z) */
  BDAG_TANH = 8,
  BDAG_SIGMOID = 9,
  BDAG_SIN = 10,
  BDAG_GAUSSIAN = 11, /* e^{−z²} */
  BDAG_SQUARE = 12,
  BDAG_ABS = 13,          /* σ'(0) = 0 */
  BDAG_CLIPPED_RELU = 14, /* min(max(z, 0), p), p = cap > 0, default 6; σ' = 0 at both ends */
  /* The 18 functions of neat-python, with its scalings and clamps. The derivative is that of the
   * clamped function: 0 where a clamp is active (at its end too). */
  BDAG_NEAT_SIGMOID = 32,  /* sigmoid(clamp(5z, ±60)) */
  BDAG_NEAT_TANH = 33,     /* tanh(clamp(2.5z, ±60)) */
  BDAG_NEAT_SIN = 34,      /* sin(clamp(5z, ±60)) */
  BDAG_NEAT_GAUSS = 35,    /* e^{−5·clamp(z, ±3.4)²} */
  BDAG_NEAT_RELU = 36,     /* σ'(0) = 0 */
  BDAG_NEAT_ELU = 37,      /* z > 0 ? z : e^z − 1; σ'(0) = 1 */
  BDAG_NEAT_LELU = 38,     /* z > 0 ? z : 0.005·z; σ'(0) = 0.005 */
  BDAG_NEAT_SELU = 39,     /* as BDAG_SELU */
  BDAG_NEAT_SOFTPLUS = 40, /* 0.2·log(1 + e^{clamp(5z, ±60)}) */
  BDAG_NEAT_IDENTITY = 41,
  BDAG_NEAT_CLAMPED = 42, /* clamp(z, ±1); σ' = 0 at both ends */
  BDAG_NEAT_INV = 43,     /* 1/z, 0 where that is not finite (σ' = 0 there) */
  BDAG_NEAT_LOG = 44,     /* log(max(1e-7, z)); σ' = 0 for z ≤ 1e-7 */
  BDAG_NEAT_EXP = 45,     /* e^{clamp(z, ±60)} */
  BDAG_NEAT_ABS = 46,     /* σ'(0) = 0 */
  BDAG_NEAT_HAT = 47,     /* max(0, 1 − |z|); σ' = 0 at −1, 0 and 1 */
  BDAG_NEAT_SQUARE = 48,
  BDAG_NEAT_CUBE = 49
} bdag_activation_kind;

/* Registered activations have kinds from here on. */
#define BDAG_ACTIVATION_REGISTERED 4096u

typedef struct bdag_activation {
  uint32_t kind;    /* a bdag_activation_kind, or what bdag_context_register_activation returned */
  double parameter; /* see the table; finite; ignored where the kind has none */
} bdag_activation;

/* The activation of that kind with its default parameter. Thread-safe. */
BDAG_API bdag_activation bdag_activation_default(uint32_t kind);

/* Name of a kind as used in files and on the command line ("relu", "neat_sigmoid", or the registered
 * name), or NULL for an unknown one. Lives as long as the context. Thread-safe. */
BDAG_API const char *bdag_activation_name(const bdag_context *context, uint32_t kind);

/* Kind of a name. Returns OK or UNKNOWN_ID. Thread-safe. */
BDAG_API bdag_status bdag_activation_find(const bdag_context *context, const char *name,
                                          uint32_t *kind);

typedef enum bdag_aggregation { BDAG_SUM = 0, BDAG_MEAN = 1 } bdag_aggregation;
typedef enum bdag_vertex_kind {
  BDAG_VERTEX_NEURON = 0,
  BDAG_VERTEX_INPUT = 1,   /* in = out = the sample's value; column = order of addition */
  BDAG_VERTEX_CONSTANT = 2 /* out = a fixed value, no gradient */
} bdag_vertex_kind;

/* ---- Building ---------------------------------------------------------------------------------- */

/* Makes an empty network. Returns OK, INVALID_ARGUMENT, OUT_OF_MEMORY.
 * A network may be read by several threads at once, but changed only by one at a time. */
BDAG_API bdag_status bdag_network_create(bdag_network **network, bdag_context *context,
                                         bdag_error *error);
/* Releases a network; NULL is fine. Plans made from it stay valid. */
BDAG_API void bdag_network_destroy(bdag_network *network);
/* A deep copy with the same ids. Returns OK, INVALID_ARGUMENT, OUT_OF_MEMORY. */
BDAG_API bdag_status bdag_network_copy(bdag_network **copy, const bdag_network *network,
                                       bdag_error *error);

/* Makes room for that many more vertices and edges, so that bulk additions do not reallocate.
 * Returns OK, LIMIT, OUT_OF_MEMORY. */
BDAG_API bdag_status bdag_network_reserve(bdag_network *network, uint64_t vertices, uint64_t edges,
                                          bdag_error *error);

/* Add `count` ≥ 1 vertices; their ids are first, first+1, … (ids are never reused). At most 2³²−1
 * vertices in all. `first` may be NULL.
 * Neurons get an activation, response 1, sum aggregation and a bias parameter of their own each,
 * initial value 0. `activation` NULL means identity. Constants take values[count], all finite.
 * Returns OK, INVALID_ARGUMENT, UNKNOWN_ID (activation kind), NOT_FINITE, LIMIT, OUT_OF_MEMORY. */
BDAG_API bdag_status bdag_network_add_inputs(bdag_network *network, uint32_t count, uint32_t *first,
                                             bdag_error *error);
BDAG_API bdag_status bdag_network_add_constants(bdag_network *network, uint32_t count,
                                                const double *values, uint32_t *first,
                                                bdag_error *error);
BDAG_API bdag_status bdag_network_add_vertices(bdag_network *network, uint32_t count,
                                               const bdag_activation *activation, uint32_t *first,
                                               bdag_error *error);

/* Adds `count` ≥ 1 edges sources[i] → targets[i] with ids first, first+1, …; each gets a parameter of
 * its own with initial value weights[i], 0 when `weights` is NULL. `first` may be NULL.
 * Parallel edges are allowed and add. All or nothing.
 * Returns OK, INVALID_ARGUMENT (an edge into an input or constant), UNKNOWN_ID (a vertex that does
 * not exist or was removed), CYCLE (a self-loop; longer cycles are found by bdag_plan_create),
 * NOT_FINITE (weight), LIMIT, OUT_OF_MEMORY. Cost O(count). */
BDAG_API bdag_status bdag_network_add_edges(bdag_network *network, uint64_t count,
                                            const uint32_t *sources, const uint32_t *targets,
                                            const double *weights, uint64_t *first,
                                            bdag_error *error);

/* Adds `count` ≥ 1 parameters with ids first, first+1, … and initial values values[i] (NULL: 0).
 * Returns OK, INVALID_ARGUMENT, NOT_FINITE, LIMIT, OUT_OF_MEMORY. */
BDAG_API bdag_status bdag_network_add_parameters(bdag_network *network, uint64_t count,
                                                 const double *values, uint64_t *first,
                                                 bdag_error *error);

/* As bdag_network_add_edges, but edge i uses the existing parameter parameters[i]: tied weights when
 * several edges or biases name the same one. Its gradient is the sum over its uses.
 * Returns what bdag_network_add_edges returns; UNKNOWN_ID also for a parameter. */
BDAG_API bdag_status bdag_network_add_tied_edges(bdag_network *network, uint64_t count,
                                                 const uint32_t *sources, const uint32_t *targets,
                                                 const uint64_t *parameters, uint64_t *first,
                                                 bdag_error *error);

/* ---- Attributes of vertices: arrays of `count` vertices ---------------------------------------
 * Each is all or nothing and returns OK, INVALID_ARGUMENT (not a neuron, value out of range, a bias set
 * where there is none), UNKNOWN_ID, NOT_FINITE, OUT_OF_MEMORY. Keys may be set for any vertex and need
 * not differ. Of a vertex that occurs twice in a call the last value counts. */
BDAG_API bdag_status bdag_network_set_activations(bdag_network *network, uint64_t count,
                                                  const uint32_t *vertices,
                                                  const bdag_activation *activations,
                                                  bdag_error *error);
/* Initial values of the biases' parameters. */
BDAG_API bdag_status bdag_network_set_biases(bdag_network *network, uint64_t count,
                                             const uint32_t *vertices, const double *biases,
                                             bdag_error *error);
/* Which parameter is the bias; BDAG_NONE: no bias. */
BDAG_API bdag_status bdag_network_set_bias_parameters(bdag_network *network, uint64_t count,
                                                      const uint32_t *vertices,
                                                      const uint64_t *parameters,
                                                      bdag_error *error);
/* Response (a finite constant, default 1) and aggregation; either array may be NULL: unchanged. */
BDAG_API bdag_status bdag_network_set_aggregations(bdag_network *network, uint64_t count,
                                                   const uint32_t *vertices,
                                                   const bdag_aggregation *aggregations,
                                                   const double *responses, bdag_error *error);
/* Keys under which files know the vertices, e.g. the node ids of a genome. Default: the vertex id. */
BDAG_API bdag_status bdag_network_set_keys(bdag_network *network, uint64_t count,
                                           const uint32_t *vertices, const int64_t *keys,
                                           bdag_error *error);

/* ---- Edits ------------------------------------------------------------------------------------- */

/* Removes edges, or vertices together with their edges. Ids of others do not change. A vertex that is
 * an output or stands in a loss term cannot be removed (INVALID_ARGUMENT).
 * A removed input takes its column of x along; the columns behind it move up.
 * Returns OK, INVALID_ARGUMENT, UNKNOWN_ID, OUT_OF_MEMORY. Vertices: O(all edges). */
BDAG_API bdag_status bdag_network_remove_edges(bdag_network *network, uint64_t count,
                                               const uint64_t *edges, bdag_error *error);
BDAG_API bdag_status bdag_network_remove_vertices(bdag_network *network, uint64_t count,
                                                  const uint32_t *vertices, bdag_error *error);
/* Disabled edges stay in the network and its files but take no part in a plan.
 * Returns OK, INVALID_ARGUMENT, UNKNOWN_ID, OUT_OF_MEMORY. */
BDAG_API bdag_status bdag_network_enable_edges(bdag_network *network, uint64_t count,
                                               const uint64_t *edges, int enabled,
                                               bdag_error *error);
/* Overwrites the initial values of parameters first … first+count−1.
 * Returns OK, INVALID_ARGUMENT, UNKNOWN_ID, NOT_FINITE, OUT_OF_MEMORY. */
BDAG_API bdag_status bdag_network_set_parameters(bdag_network *network, uint64_t first,
                                                 uint64_t count, const double *values,
                                                 bdag_error *error);

/* ---- Outputs ----------------------------------------------------------------------------------- */

/* What bdag_predict does to an output. Softmax is taken over all outputs that share a `group`. */
typedef enum bdag_read_out_kind {
  BDAG_READ_OUT_NONE = 0,
  BDAG_READ_OUT_SIGMOID = 1,
  BDAG_READ_OUT_SOFTMAX = 2
} bdag_read_out_kind;
typedef struct bdag_output {
  uint32_t vertex;
  uint32_t read_out; /* a bdag_read_out_kind */
  uint32_t group;    /* used by softmax only */
} bdag_output;

/* Declares the ordered outputs, replacing earlier ones; count 0: none. Any vertex may be one, also
 * several times, whether or not the loss depends on it.
 * Returns OK, INVALID_ARGUMENT, UNKNOWN_ID, OUT_OF_MEMORY. */
BDAG_API bdag_status bdag_network_set_outputs(bdag_network *network, uint32_t count,
                                              const bdag_output *outputs, bdag_error *error);

/* ---- Loss --------------------------------------------------------------------------------------
 * L = (1/Z)·Σ_s c_s·ℓ_s,   ℓ = Σ_t λ_t·L_t over the terms, n vertices each; o = out(v), y = target. */
typedef enum bdag_loss_kind {
  BDAG_MEAN_SQUARED_ERROR = 0,  /* (1/n)·Σ (o − y)² */
  BDAG_MEAN_ABSOLUTE_ERROR = 1, /* (1/n)·Σ |o − y|; derivative 0 at o = y */
  BDAG_HUBER = 2, /* (1/n)·Σ (|d| ≤ δ ? d²/2 : δ·(|d| − δ/2)), d = o − y, δ = parameter */
  BDAG_BINARY_CROSS_ENTROPY = 3, /* (1/n)·Σ (log(1 + e^o) − y·o), o a logit, 0 ≤ y ≤ 1 */
  BDAG_CLASS_CROSS_ENTROPY = 4, /* log Σ e^o − o_y, o logits, y = class index 0 … n−1: 1 target */
  BDAG_DISTRIBUTION_CROSS_ENTROPY = 5, /* (Σ y)·log Σ e^o − Σ y·o, y ≥ 0: n targets */
  /* Its n "targets" are ∂L/∂out, taken as they are (no λ, c_s or Z, but samples with c_s = 0 are left
   * out); adds 0 to L. */
  BDAG_EXTERNAL_GRADIENT = 6
} bdag_loss_kind;

/* Registered losses have kinds from here on. */
#define BDAG_LOSS_REGISTERED 4096u

typedef struct bdag_loss_term {
  uint32_t kind;            /* a bdag_loss_kind, or what bdag_context_register_loss returned */
  uint32_t vertex_count;    /* n ≥ 1 */
  const uint32_t *vertices; /* [n], copied; a vertex may occur several times: contributions add */
  double weight;            /* λ, finite; 0 is legal */
  double parameter;         /* δ > 0 of Huber; ignored by the others */
} bdag_loss_term;

/* Z of the loss. */
typedef enum bdag_normalization {
  BDAG_NORMALIZE_WEIGHTS = 0, /* Z = Σ c_s, the default */
  BDAG_NORMALIZE_ONE = 1,     /* Z = 1 */
  BDAG_NORMALIZE_GIVEN = 2    /* Z = the number handed to the pass, e.g. for micro-batches */
} bdag_normalization;

/* Name of a loss kind ("mse", "mae", "huber", "bce", "cross_entropy", "distribution", "external", or
 * the registered name), NULL for an unknown one; and the way back (OK, UNKNOWN_ID). Thread-safe. */
BDAG_API const char *bdag_loss_name(const bdag_context *context, uint32_t kind);
BDAG_API bdag_status bdag_loss_find(const bdag_context *context, const char *name, uint32_t *kind);

/* Adds a loss term. Its slice of the targets begins after those of the terms before it.
 * Returns OK, INVALID_ARGUMENT (no vertices, δ ≤ 0), UNKNOWN_ID (vertex or kind), NOT_FINITE (λ),
 * LIMIT, OUT_OF_MEMORY. */
BDAG_API bdag_status bdag_network_add_loss(bdag_network *network, const bdag_loss_term *term,
                                           bdag_error *error);
/* Removes all loss terms. */
BDAG_API void bdag_network_clear_loss(bdag_network *network);
/* Sets Z. Returns OK, INVALID_ARGUMENT. */
BDAG_API bdag_status bdag_network_set_normalization(bdag_network *network,
                                                    bdag_normalization normalization,
                                                    bdag_error *error);

/* ---- Looking ------------------------------------------------------------------------------------
 * Getters borrow: what they return belongs to the network and lives until its next change. Any number
 * of threads may look at once. Ranges that reach beyond the end return UNKNOWN_ID. */
BDAG_API bdag_context *bdag_network_context(const bdag_network *network);
/* Vertex and edge ids handed out so far, those of removed ones too. */
BDAG_API uint32_t bdag_network_vertex_count(const bdag_network *network);
BDAG_API uint64_t bdag_network_edge_count(const bdag_network *network);
BDAG_API uint64_t bdag_network_parameter_count(const bdag_network *network);
/* Columns of x, of y and of the targets. */
BDAG_API uint32_t bdag_network_input_count(const bdag_network *network);
BDAG_API uint32_t bdag_network_output_count(const bdag_network *network);
BDAG_API uint64_t bdag_network_target_count(const bdag_network *network);
BDAG_API uint32_t bdag_network_loss_count(const bdag_network *network);
BDAG_API bdag_normalization bdag_network_get_normalization(const bdag_network *network);

typedef struct bdag_vertex {
  bdag_vertex_kind kind;
  int removed;
  bdag_activation activation;
  bdag_aggregation aggregation;
  double response;
  double value;            /* constants only */
  uint64_t bias_parameter; /* BDAG_NONE: none */
  double bias;             /* initial value, 0 without a bias */
  int64_t key;
} bdag_vertex;

/* Describes one vertex. Returns OK, UNKNOWN_ID. */
BDAG_API bdag_status bdag_network_get_vertex(const bdag_network *network, uint32_t vertex,
                                             bdag_vertex *description);
/* Copies edges first … first+count−1; each array may be NULL. `flags`: bit 0 removed, bit 1 disabled.
 * Returns OK, UNKNOWN_ID. */
#define BDAG_EDGE_REMOVED  1u
#define BDAG_EDGE_DISABLED 2u
BDAG_API bdag_status bdag_network_get_edges(const bdag_network *network, uint64_t first,
                                            uint64_t count, uint32_t *sources, uint32_t *targets,
                                            uint64_t *parameters, double *weights, uint8_t *flags);
/* Copies initial values of parameters. Returns OK, UNKNOWN_ID. */
BDAG_API bdag_status bdag_network_get_parameters(const bdag_network *network, uint64_t first,
                                                 uint64_t count, double *values);
/* Vertex of input column i: [input_count]. */
BDAG_API const uint32_t *bdag_network_inputs(const bdag_network *network);
/* The declared outputs: [output_count]. */
BDAG_API const bdag_output *bdag_network_outputs(const bdag_network *network);
/* One loss term, its first target column and its number of target columns (either may be NULL).
 * Returns OK, UNKNOWN_ID. */
BDAG_API bdag_status bdag_network_get_loss(const bdag_network *network, uint32_t index,
                                           bdag_loss_term *term, uint64_t *target_first,
                                           uint64_t *target_count);

#ifdef __cplusplus
}
#endif
#endif
