/* See random_network.h. */
#include "random_network.h"

#include <math.h>
#include <string.h>

typedef enum wiring { ANY, LOCAL, LAYERED, CASCADE, MIXED, THINNED, SLIDING, WIRINGS } wiring;

/* But for thinned layers. */
#define USUAL_VERTICES 300
#define USUAL_DEGREE   40

static const uint32_t KINDS[] = {
    BDAG_IDENTITY,  BDAG_RELU,        BDAG_LEAKY_RELU,    BDAG_ELU,           BDAG_SELU,
    BDAG_GELU,      BDAG_SILU,        BDAG_SOFTPLUS,      BDAG_TANH,          BDAG_SIGMOID,
    BDAG_SIN,       BDAG_GAUSSIAN,    BDAG_ABS,           BDAG_CLIPPED_RELU,  BDAG_NEAT_SIGMOID,
    BDAG_NEAT_TANH, BDAG_NEAT_SIN,    BDAG_NEAT_GAUSS,    BDAG_NEAT_RELU,     BDAG_NEAT_ELU,
    BDAG_NEAT_LELU, BDAG_NEAT_SELU,   BDAG_NEAT_SOFTPLUS, BDAG_NEAT_IDENTITY, BDAG_NEAT_CLAMPED,
    BDAG_NEAT_ABS,  BDAG_NEAT_HAT,    BDAG_SQUARE,        BDAG_NEAT_INV,      BDAG_NEAT_LOG,
    BDAG_NEAT_EXP,  BDAG_NEAT_SQUARE, BDAG_NEAT_CUBE,
};
#define KIND_COUNT (sizeof KINDS / sizeof *KINDS)
#define STEEP_COUNT                                                                                \
  6 /* the last ones: in large numbers they overflow, so they are drawn less often */

typedef struct builder {
  bdag_network *network;
  const oracle_custom *custom;
  dice *dice;
  bdag_error *error;
  bdag_status status; /* of the first failure */
  double scale;
  uint32_t vertices, neurons, sources;  /* sources: inputs and constants */
  uint32_t neuron[RANDOM_MAX_VERTICES]; /* in topological order */
  uint32_t
      source[RANDOM_MAX_VERTICES]; /* inputs and constants, then neurons in topological order */
  uint32_t degree[RANDOM_MAX_VERTICES];
  uint64_t edges;
  uint32_t edge_source[RANDOM_MAX_VERTICES * RANDOM_MAX_DEGREE];
  uint32_t edge_target[RANDOM_MAX_VERTICES * RANDOM_MAX_DEGREE];
  uint8_t removed[RANDOM_MAX_VERTICES];
} builder;

static void keep(builder *b, bdag_status status) {
  if (b->status == BDAG_OK) b->status = status;
}

/* A multiple of 2⁻¹⁰. */
static double coarse(double value) {
  return round(value * 1024) / 1024;
}

static uint32_t draw_vertex_count(dice *dice, wiring wiring) {
  if (wiring == THINNED) return (uint32_t)dice_between(dice, 330, RANDOM_MAX_VERTICES);
  if (wiring == SLIDING) return (uint32_t)dice_between(dice, 100, USUAL_VERTICES);
  if (dice_chance(dice, 0.15)) return (uint32_t)dice_between(dice, 1, 4);
  if (dice_chance(dice, 0.55)) return (uint32_t)dice_between(dice, 5, 60);
  return (uint32_t)dice_between(dice, 61, USUAL_VERTICES);
}

static void add_inputs(builder *b, uint32_t count) {
  uint32_t first = 0;
  if (count == 0) return;
  keep(b, bdag_network_add_inputs(b->network, count, &first, b->error));
  for (uint32_t i = 0; i < count; i++) b->source[b->sources++] = first + i;
}

static void add_constants(builder *b, uint32_t count) {
  double values[8];
  uint32_t first = 0;
  if (count == 0) return;
  for (uint32_t i = 0; i < count; i++) values[i] = coarse(dice_normal(b->dice));
  keep(b, bdag_network_add_constants(b->network, count, values, &first, b->error));
  for (uint32_t i = 0; i < count; i++) b->source[b->sources++] = first + i;
}

static void add_neurons(builder *b, uint32_t count) {
  uint32_t first = 0;
  if (count == 0) return;
  keep(b, bdag_network_add_vertices(b->network, count, NULL, &first, b->error));
  for (uint32_t i = 0; i < count; i++) b->neuron[b->neurons++] = first + i;
}

/* Kinds of vertices in mixed order of ids; neurons in a topological order that the ids do not follow. */
static void add_vertices(builder *b, wiring wiring) {
  dice *dice = b->dice;
  const uint32_t count = b->vertices = draw_vertex_count(dice, wiring);
  uint32_t inputs = (uint32_t)dice_below(dice, count < 16 ? count + 1 : 16);
  if (inputs == 0 && dice_chance(dice, 0.8)) inputs = 1;
  const uint32_t room = count - inputs;
  uint32_t constants = (uint32_t)dice_below(dice, (room < 4 ? room : 4) + 1);
  if (dice_chance(dice, 0.6)) constants = 0;
  const uint32_t neurons = room - constants;
  const uint32_t early_inputs = (uint32_t)dice_between(dice, 0, inputs);
  const uint32_t early_neurons = (uint32_t)dice_between(dice, 0, neurons);
  add_inputs(b, early_inputs);
  add_neurons(b, early_neurons);
  add_constants(b, constants);
  add_inputs(b, inputs - early_inputs);
  add_neurons(b, neurons - early_neurons);
  if (dice_chance(dice, 0.7)) {
    uint32_t order[RANDOM_MAX_VERTICES], ids[RANDOM_MAX_VERTICES];
    dice_shuffle(dice, neurons, order);
    memcpy(ids, b->neuron, sizeof ids);
    for (uint32_t i = 0; i < neurons; i++) b->neuron[i] = ids[order[i]];
  }
  memcpy(b->source + b->sources, b->neuron, neurons * sizeof *b->neuron);
}

static void connect(builder *b, uint32_t source, uint32_t target) {
  if (b->degree[target] == RANDOM_MAX_DEGREE) return;
  b->degree[target]++;
  b->edge_source[b->edges] = source;
  b->edge_target[b->edges++] = target;
}

/* `count` sources out of the last `window` before position `before`; few of them twice. */
static void connect_window(builder *b, uint32_t target, uint32_t before, uint32_t window,
                           uint32_t count) {
  if (before == 0) return;
  if (window > before) window = before;
  uint32_t order[RANDOM_MAX_VERTICES];
  dice_shuffle(b->dice, window, order);
  for (uint32_t i = 0; i < count && i < window; i++) {
    connect(b, b->source[before - 1 - order[i]], target);
    if (dice_chance(b->dice, 0.03)) connect(b, b->source[before - 1 - order[i]], target);
  }
}

static void connect_one(builder *b, wiring wiring, uint32_t position) {
  const uint32_t target = b->neuron[position], before = b->sources + position;
  dice *dice = b->dice;
  if (wiring == MIXED) wiring = dice_chance(dice, 0.5) ? ANY : LOCAL;
  if (dice_chance(dice, 0.04)) return; /* in-degree 0 */
  if (wiring == CASCADE) {
    connect_window(b, target, before, USUAL_DEGREE, USUAL_DEGREE);
  } else if (wiring == LOCAL) {
    const uint32_t window = (uint32_t)dice_between(dice, 1, 8);
    connect_window(b, target, before, window, (uint32_t)dice_between(dice, 1, 3));
  } else {
    const double share = dice_uniform(dice);
    connect_window(b, target, before, before, 1 + (uint32_t)(share * share * share * USUAL_DEGREE));
  }
}

/* Layers of equal sources, with a few edges missing and a few skips. */
static void connect_layers(builder *b) {
  dice *dice = b->dice;
  const double missing = dice_chance(dice, 0.5) ? 0 : 0.15,
               skips = dice_chance(dice, 0.5) ? 0 : 0.2;
  uint32_t previous = 0, first = b->sources, end = b->sources + b->neurons;
  for (uint32_t begin = first; begin < end;) {
    uint32_t width = (uint32_t)dice_between(dice, 1, USUAL_DEGREE);
    if (begin + width > end) width = end - begin;
    const uint32_t low = begin - previous > USUAL_DEGREE ? begin - USUAL_DEGREE : previous;
    for (uint32_t i = begin; i < begin + width; i++) {
      for (uint32_t k = low; k < begin; k++) {
        if (!dice_chance(dice, missing)) connect(b, b->source[k], b->source[i]);
      }
      if (begin > 0 && dice_chance(dice, skips))
        connect(b, b->source[dice_below(dice, begin)], b->source[i]);
    }
    previous = begin;
    begin += width;
  }
}

/* Two layers, the first or the second of them wide, and a third or more of the edges between them: what
 * plans take segment by segment, forward or backward. A few last neurons read the second. */
static void connect_thinned(builder *b) {
  dice *dice = b->dice;
  const uint32_t last = 6, layers = b->neurons - last, narrow = layers / 5;
  const uint32_t first = dice_chance(dice, 0.5) ? narrow : layers - narrow;
  const uint32_t share = (uint32_t)dice_between(dice, 34, 50);
  for (uint32_t i = 0; i < first; i++) connect_window(b, b->neuron[i], b->sources, b->sources, 2);
  for (uint32_t i = first; i < layers; i++)
    connect_window(b, b->neuron[i], b->sources + first, first, first * share / 100);
  for (uint32_t i = layers; i < b->neurons; i++)
    connect_window(b, b->neuron[i], b->sources + layers, layers - first, layers - first);
}

/* Layers of equal width in which each neuron reads what its neighbour reads but for one source, as in
 * RadiX-Nets and convolutions; sometimes with gaps. */
static void connect_sliding(builder *b) {
  dice *dice = b->dice;
  const uint32_t width = (uint32_t)dice_between(dice, 16, 48);
  const uint32_t degree =
      (uint32_t)dice_between(dice, 5, width < USUAL_DEGREE ? width : USUAL_DEGREE);
  const double missing = dice_chance(dice, 0.7) ? 0 : 0.05;
  for (uint32_t i = 0; i < b->neurons; i++) {
    if (i < width) {
      connect_window(b, b->neuron[i], b->sources, b->sources, 2);
      continue;
    }
    const uint32_t layer = b->sources + (i / width - 1) * width;
    for (uint32_t k = 0; k < degree; k++)
      if (!dice_chance(dice, missing)) connect(b, b->source[layer + (i + k) % width], b->neuron[i]);
  }
}

static uint64_t add_pool(builder *b, uint64_t count) {
  double values[32];
  uint64_t first = 0;
  for (uint64_t i = 0; i < count; i++) values[i] = b->scale * dice_normal(b->dice) / 2;
  keep(b, bdag_network_add_parameters(b->network, count, values, &first, b->error));
  return first;
}

/* Edges in random order, in runs of own and of tied parameters. */
static void add_edges(builder *b) {
  static uint32_t order[RANDOM_MAX_VERTICES * RANDOM_MAX_DEGREE];
  static uint32_t sources[RANDOM_MAX_VERTICES * RANDOM_MAX_DEGREE];
  static uint32_t targets[RANDOM_MAX_VERTICES * RANDOM_MAX_DEGREE];
  static double weights[RANDOM_MAX_VERTICES * RANDOM_MAX_DEGREE];
  static uint64_t parameters[RANDOM_MAX_VERTICES * RANDOM_MAX_DEGREE];
  dice *dice = b->dice;
  const int tied = dice_chance(dice, 0.35);
  const uint64_t pool = dice_between(dice, 1, 20), first = tied ? add_pool(b, pool) : 0;
  for (uint64_t e = 0; e < b->edges; e++) order[e] = (uint32_t)e;
  if (dice_chance(dice, 0.7)) dice_shuffle(dice, b->edges, order);
  for (uint64_t e = 0; e < b->edges; e++) {
    sources[e] = b->edge_source[order[e]];
    targets[e] = b->edge_target[order[e]];
    weights[e] = b->scale * dice_normal(dice) / sqrt(b->degree[targets[e]]);
    if (dice_chance(dice, 0.02)) weights[e] = 0;
    parameters[e] = first + dice_below(dice, pool);
  }
  for (uint64_t done = 0; done < b->edges;) {
    uint64_t run = dice_between(dice, 1, b->edges);
    if (run > b->edges - done) run = b->edges - done;
    if (tied && dice_chance(dice, 0.5))
      keep(b, bdag_network_add_tied_edges(b->network, run, sources + done, targets + done,
                                          parameters + done, NULL, b->error));
    else
      keep(b, bdag_network_add_edges(b->network, run, sources + done, targets + done,
                                     weights + done, NULL, b->error));
    done += run;
  }
}

static bdag_activation draw_activation(builder *b, uint64_t palette) {
  dice *dice = b->dice;
  size_t i = dice_below(dice, KIND_COUNT + 1);
  while (i < KIND_COUNT &&
         (!(palette >> i & 1) || (i >= KIND_COUNT - STEEP_COUNT && dice_chance(dice, 0.7))))
    i = dice_below(dice, KIND_COUNT + 1);
  const uint32_t kind = i < KIND_COUNT ? KINDS[i] : b->custom->activation_kind;
  bdag_activation activation = bdag_activation_default(kind);
  if (i == KIND_COUNT) activation.parameter = coarse(1 + 0.3 * dice_normal(dice));
  if (kind == BDAG_CLIPPED_RELU || kind == BDAG_ELU || kind == BDAG_LEAKY_RELU)
    activation.parameter = coarse(0.1 + 1.5 * dice_uniform(dice));
  if (kind == BDAG_ELU || kind == BDAG_LEAKY_RELU)
    activation.parameter *= dice_chance(dice, 0.2) ? -1 : 1;
  return activation;
}

/* Of a neuron without in-edges: where activations have their kinks. */
static double draw_constant_bias(dice *dice, double parameter) {
  const double places[] = {0, 1, -1, 12, -12, 0.5, parameter};
  return places[dice_below(dice, sizeof places / sizeof *places)];
}

static void set_attributes(builder *b, wiring wiring) {
  dice *dice = b->dice;
  const uint64_t palette = dice_chance(dice, 0.5) ? UINT64_MAX : dice_next(dice);
  /* rows are taken together where they have the same activation: of these layers, one without kinks */
  const bdag_activation smooth = bdag_activation_default(KINDS[dice_between(dice, 5, 11)]);
  const int shared = dice_chance(dice, 0.3), none = dice_chance(dice, 0.3);
  const int aggregations = dice_chance(dice, 0.3);
  const uint64_t first = shared ? add_pool(b, 4) : 0;
  for (uint32_t i = 0; i < b->neurons; i++) {
    const uint32_t v = b->neuron[i];
    const bdag_activation activation =
        wiring == THINNED || wiring == SLIDING ? smooth : draw_activation(b, palette);
    keep(b, bdag_network_set_activations(b->network, 1, &v, &activation, b->error));
    double bias = dice_chance(dice, 0.1) ? 0 : 0.5 * b->scale * dice_normal(dice);
    if (b->degree[v] == 0 && dice_chance(dice, 0.7))
      bias = draw_constant_bias(dice, activation.parameter);
    keep(b, bdag_network_set_biases(b->network, 1, &v, &bias, b->error));
    if (shared && dice_chance(dice, 0.3)) {
      const uint64_t parameter = first + dice_below(dice, 4);
      keep(b, bdag_network_set_bias_parameters(b->network, 1, &v, &parameter, b->error));
    } else if (none && dice_chance(dice, 0.4)) {
      const uint64_t parameter = BDAG_NONE;
      keep(b, bdag_network_set_bias_parameters(b->network, 1, &v, &parameter, b->error));
    }
    if (!aggregations) continue;
    const bdag_aggregation mean = dice_chance(dice, 0.4) ? BDAG_MEAN : BDAG_SUM;
    const double response = dice_chance(dice, 0.5) ? 1 : coarse(1 + 0.5 * dice_normal(dice));
    keep(b, bdag_network_set_aggregations(b->network, 1, &v, &mean, &response, b->error));
  }
}

static void edit(builder *b) {
  dice *dice = b->dice;
  if (b->edges > 0 && dice_chance(dice, 0.3)) {
    uint64_t edge = dice_below(dice, b->edges);
    keep(b, bdag_network_remove_edges(b->network, 1, &edge, b->error));
    for (int i = 0; i < 3; i++) {
      const uint64_t other = dice_below(dice, b->edges);
      if (other == edge) continue;
      keep(b, bdag_network_enable_edges(b->network, 1, &other, 0, b->error));
    }
  }
  if (b->neurons > 3 && dice_chance(dice, 0.2)) {
    const uint32_t v = b->neuron[dice_below(dice, b->neurons)];
    b->removed[v] = 1;
    keep(b, bdag_network_remove_vertices(b->network, 1, &v, b->error));
  }
}

/* A vertex that is not removed; `late`: preferably one that has few successors. */
static uint32_t draw_vertex(builder *b, int late) {
  uint32_t v;
  do {
    const uint32_t from = late ? b->vertices - 1 - b->vertices / 4 : 0;
    v = b->source[from + dice_below(b->dice, b->vertices - from)];
  } while (b->removed[v]);
  return v;
}

static void set_outputs(builder *b) {
  bdag_output outputs[8];
  const uint32_t count = (uint32_t)dice_between(b->dice, 0, 8);
  for (uint32_t i = 0; i < count; i++)
    outputs[i] = (bdag_output){draw_vertex(b, dice_chance(b->dice, 0.5)), BDAG_READ_OUT_NONE, 0};
  keep(b, bdag_network_set_outputs(b->network, count, count > 0 ? outputs : NULL, b->error));
}

static void add_losses(builder *b) {
  dice *dice = b->dice;
  const double lambdas[] = {1, 1, 0.5, 2.25, -0.75, 0};
  const size_t terms = dice_between(dice, 1, 4);
  for (size_t t = 0; t < terms; t++) {
    uint32_t vertices[12];
    const size_t kind = dice_below(dice, BDAG_EXTERNAL_GRADIENT + 3);
    const uint32_t count = (uint32_t)dice_between(dice, 1, 12);
    for (uint32_t i = 0; i < count; i++) vertices[i] = draw_vertex(b, dice_chance(dice, 0.7));
    const double lambda = lambdas[dice_below(dice, sizeof lambdas / sizeof *lambdas)];
    const bdag_loss_term term = {.kind =
                                     kind <= BDAG_EXTERNAL_GRADIENT
                                         ? (uint32_t)kind
                                         : b->custom->loss_kind[kind - BDAG_EXTERNAL_GRADIENT - 1],
                                 .vertex_count = count,
                                 .vertices = vertices,
                                 .weight = lambda,
                                 .parameter = coarse(0.2 + 2 * dice_uniform(dice))};
    keep(b, bdag_network_add_loss(b->network, &term, b->error));
  }
  keep(b, bdag_network_set_normalization(b->network, (bdag_normalization)dice_below(dice, 3),
                                         b->error));
}

bdag_status random_network(bdag_network **network, bdag_context *context,
                           const oracle_custom *custom, double scale, dice *dice,
                           bdag_error *error) {
  static builder b;
  b = (builder){.custom = custom, .dice = dice, .error = error, .scale = scale};
  bdag_status status = bdag_network_create(&b.network, context, error);
  if (status != BDAG_OK) return status;
  const wiring wiring = (enum wiring)dice_below(dice, WIRINGS);
  add_vertices(&b, wiring);
  if (wiring == LAYERED)
    connect_layers(&b);
  else if (wiring == THINNED)
    connect_thinned(&b);
  else if (wiring == SLIDING)
    connect_sliding(&b);
  else
    for (uint32_t i = 0; i < b.neurons; i++) connect_one(&b, wiring, i);
  add_edges(&b);
  set_attributes(&b, wiring);
  edit(&b);
  set_outputs(&b);
  add_losses(&b);
  if (b.status != BDAG_OK) {
    bdag_network_destroy(b.network);
    return b.status;
  }
  *network = b.network;
  return BDAG_OK;
}
