/* backdag new: makes a network by one of the generators, draws its weights and writes it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "generate.h"

enum {
  KEY_MLP = 0x600,
  KEY_DAG,
  KEY_SMALL_WORLD,
  KEY_RADIX,
  KEY_SKIP,
  KEY_IN_DEGREE,
  KEY_WINDOW,
  KEY_DEPTH,
  KEY_LONG_EDGES,
  KEY_NEIGHBOURS,
  KEY_REWIRE,
  KEY_SEED,
  KEY_ACTIVATION,
  KEY_OUTPUT_ACTIVATION,
  KEY_LOSS,
  KEY_HUBER_DELTA,
  KEY_INIT
};

static const char documentation[] =
    "Make a network, draw its weights and write it to FILE (.json or .safetensors)."
    "\v"
    "Every neuron is a vertex of its own and every weight an edge; nothing needs layers. The "
    "weights are drawn by --seed, fitted to fan-in and activation; biases start at 0.\n"
    "\n"
    "Activations: identity, relu, leaky_relu, elu, selu, gelu, silu, softplus, tanh, sigmoid, sin, "
    "gaussian, square, abs, clipped_relu, and the neat_... family. NAME:NUMBER sets the parameter "
    "of one that has it, as in leaky_relu:0.2.\n"
    "\n"
    "Losses: mse, mae, huber, bce (logits, targets 0 to 1), cross_entropy (logits, one class index "
    "a sample), distribution (logits, one column an output) or none. Without --loss it is "
    "cross_entropy, or mse for a single output. The read-out that predict applies fits the loss: "
    "softmax for the two cross-entropies, sigmoid for bce.\n"
    "\n"
    "Examples:\n"
    "  backdag new --mlp 784,128,64,10 --skip 0.1 --seed 1 net.json\n"
    "  backdag new --mlp 2,20,20,1 --skip 0.5 --activations tanh,sin --loss bce net.json\n"
    "  backdag new --dag 16,4,1000 --in-degree 2,30 --window 200 net.safetensors\n"
    "  backdag new --dag 16,4,1000 --in-degree 2,8 --depth 12 --loss mse net.json\n"
    "  backdag new --small-world 32,8,2000 --neighbours 16 --rewire 0.1 net.json\n"
    "  backdag new --radix 1024,120 --loss mse radix.safetensors\n"
    "\n"
    "Exit status: 0 success, 1 failure at run time, 2 wrong usage.";

static const struct argp_option option_table[] = {
    {NULL, 0, NULL, 0, "Generators (one of them):", 1},
    {"mlp", KEY_MLP, "N,N,...", 0, "Fully connected layers of these sizes, inputs first", 1},
    {"dag", KEY_DAG, "IN,OUT,V", 0,
     "Random graph of V vertices, of them IN inputs and OUT outputs; see --in-degree, --window, "
     "--long-edges, --depth",
     1},
    {"small-world", KEY_SMALL_WORLD, "IN,OUT,V", 0,
     "Watts-Strogatz graph, made acyclic; see --neighbours, --rewire", 1},
    {"radix", KEY_RADIX, "N,LAYERS[,DEGREE]", 0,
     "RadiX-Net: LAYERS layers of N neurons with DEGREE (default 32) in-edges each", 1},
    {NULL, 0, NULL, 0, "Shape:", 2},
    {"skip", KEY_SKIP, "SHARE", 0,
     "mlp: adds random edges that jump over layers, as a share of the layers' edges; all depths "
     "alike",
     2},
    {"in-degree", KEY_IN_DEGREE, "LEAST,MOST", 0, "dag: edges into a neuron. Default: 1,8", 2},
    {"window", KEY_WINDOW, "COUNT", 0,
     "dag: sources lie among the COUNT vertices before. Default: no limit", 2},
    {"long-edges", KEY_LONG_EDGES, "SHARE", 0, "dag: that share of the edges ignores --window", 2},
    {"depth", KEY_DEPTH, "EDGES", 0, "dag: the longest path has exactly that many edges", 2},
    {"neighbours", KEY_NEIGHBOURS, "COUNT", 0, "small-world: edges into a neuron. Default: 8", 2},
    {"rewire", KEY_REWIRE, "SHARE", 0,
     "small-world: probability that an edge moves to a random source. Default: 0.1", 2},
    {NULL, 0, NULL, 0, "Neurons, loss and weights:", 3},
    {"activation", KEY_ACTIVATION, "NAME[,NAME...]", 0,
     "Of the neurons that are no outputs; of several names each neuron draws one. Default: relu",
     3},
    {"activations", 0, NULL, OPTION_ALIAS, NULL, 3},
    {"output-activation", KEY_OUTPUT_ACTIVATION, "NAME", 0, "Default: identity", 3},
    {"loss", KEY_LOSS, "NAME", 0, "See below", 3},
    {"huber-delta", KEY_HUBER_DELTA, "NUMBER", 0, "Where Huber's loss turns linear. Default: 1", 3},
    {"init", KEY_INIT, "SCHEME", 0,
     "auto (default: He for the relu family, else Glorot), he-normal, he-uniform, glorot-normal, "
     "glorot-uniform",
     3},
    {"seed", KEY_SEED, "NUMBER", 0, "Of graph, activations and weights. Default: 1", 3},
    {"quiet", 'q', NULL, 0, "No summary on the standard error", 5},
    {NULL, 0, NULL, 0, NULL, 0}};

typedef int generator(generated *graph, const generate_request *request);

typedef struct arguments {
  generator *generate;
  generate_request request;
  const char *activations, *output_activation, *loss, *path;
  double huber_delta;
  bdag_initialization initialization;
  int quiet;
} arguments;

static void choose_generator(struct argp_state *state, generator *generate, const char *option,
                             const char *text, size_t fewest, size_t most) {
  arguments *a = state->input;
  if (a->generate != NULL) argp_error(state, "only one of --mlp, --dag, --small-world, --radix");
  a->generate = generate;
  a->request.sizes = cli_counts(state, option, text, a->request.size, fewest, most);
}

static error_t parse_shape(int key, char *text, struct argp_state *state) {
  arguments *a = state->input;
  generate_request *r = &a->request;
  switch (key) {
  case KEY_MLP:
    choose_generator(state, generate_mlp, "--mlp", text, 2, 64);
    break;
  case KEY_DAG:
    choose_generator(state, generate_dag, "--dag", text, 3, 3);
    break;
  case KEY_SMALL_WORLD:
    choose_generator(state, generate_small_world, "--small-world", text, 3, 3);
    break;
  case KEY_RADIX:
    choose_generator(state, generate_radix, "--radix", text, 2, 3);
    break;
  case KEY_SKIP:
    r->skip = cli_real(state, "--skip", text, 0, 1e6);
    break;
  case KEY_IN_DEGREE:
    cli_counts(state, "--in-degree", text, r->in_degree, 2, 2);
    break;
  case KEY_WINDOW:
    r->window = cli_count(state, "--window", text, 1, UINT32_MAX);
    break;
  case KEY_LONG_EDGES:
    r->long_share = cli_real(state, "--long-edges", text, 0, 1);
    break;
  case KEY_DEPTH:
    r->depth = cli_count(state, "--depth", text, 1, UINT32_MAX);
    break;
  case KEY_NEIGHBOURS:
    r->neighbours = cli_count(state, "--neighbours", text, 1, UINT32_MAX);
    break;
  case KEY_REWIRE:
    r->rewire = cli_real(state, "--rewire", text, 0, 1);
    break;
  case KEY_SEED:
    r->seed = cli_count(state, "--seed", text, 0, UINT64_MAX);
    break;
  default:
    return ARGP_ERR_UNKNOWN;
  }
  return 0;
}

static error_t parse(int key, char *text, struct argp_state *state) {
  static const char *const no_loss[] = {"mse",           "mae",          "huber", "bce",
                                        "cross_entropy", "distribution", "none",  NULL};
  arguments *a = state->input;
  switch (key) {
  case KEY_ACTIVATION:
    a->activations = text;
    break;
  case KEY_OUTPUT_ACTIVATION:
    a->output_activation = text;
    break;
  case KEY_LOSS:
    a->loss = no_loss[cli_choice(state, "--loss", text, no_loss)];
    break;
  case KEY_HUBER_DELTA:
    a->huber_delta = cli_real(state, "--huber-delta", text, 1e-300, INFINITY);
    break;
  case KEY_INIT:
    a->initialization =
        (bdag_initialization)cli_choice(state, "--init", text, cli_initialization_names);
    break;
  case 'q':
    a->quiet = 1;
    break;
  case ARGP_KEY_ARG:
    if (a->path != NULL) argp_error(state, "one FILE is enough: '%s' and '%s'", a->path, text);
    a->path = text;
    if (!cli_has_extension(text, ".json") && !cli_has_extension(text, ".safetensors"))
      argp_error(state, "'%s': the name must end in .json or .safetensors", text);
    break;
  case ARGP_KEY_END:
    if (a->generate == NULL)
      argp_error(state, "which graph? Give one of --mlp, --dag, --small-world, --radix");
    if (a->path == NULL) argp_error(state, "where to? Give a FILE");
    break;
  default:
    return parse_shape(key, text, state);
  }
  return 0;
}

static int unknown_activation(const bdag_context *context, const char *name) {
  const char *names[BDAG_NEAT_CUBE + 2];
  size_t count = 0;
  for (uint32_t kind = 0; kind <= BDAG_NEAT_CUBE; kind++) {
    names[count] = bdag_activation_name(context, kind);
    count += names[count] != NULL;
  }
  names[count] = NULL;
  const char *nearest = cli_nearest(name, names);
  if (nearest != NULL)
    cli_fail("there is no activation '%s'; did you mean '%s'?", name, nearest);
  else
    cli_fail("there is no activation '%s'; see 'backdag new --help'", name);
  return CLI_USAGE;
}

/* NAME or NAME:PARAMETER; `text` is taken apart. */
static int find_activation(const bdag_context *context, char *text, bdag_activation *activation) {
  char *parameter = strchr(text, ':');
  if (parameter != NULL) *parameter++ = '\0';
  uint32_t kind = 0;
  if (bdag_activation_find(context, text, &kind) != BDAG_OK)
    return unknown_activation(context, text);
  *activation = bdag_activation_default(kind);
  if (parameter == NULL) return CLI_OK;
  char *end = NULL;
  activation->parameter = strtod(parameter, &end);
  if (end != parameter && *end == '\0' && isfinite(activation->parameter)) return CLI_OK;
  cli_fail("activation %s: '%s' is no number", text, parameter);
  return CLI_USAGE;
}

enum { MOST_ACTIVATIONS = 64 };

static int find_activations(const bdag_context *context, const char *list,
                            bdag_activation *activations, size_t *count) {
  char *copy = strdup(list), *rest = NULL;
  if (copy == NULL) return cli_fail("out of memory");
  int result = CLI_OK;
  *count = 0;
  for (char *name = strtok_r(copy, ",", &rest); name != NULL && result == CLI_OK;
       name = strtok_r(NULL, ",", &rest)) {
    if (*count == MOST_ACTIVATIONS) {
      cli_fail("at most %d activations", MOST_ACTIVATIONS);
      result = CLI_USAGE;
    } else
      result = find_activation(context, name, &activations[(*count)++]);
  }
  if (result == CLI_OK && *count == 0) {
    cli_fail("--activation: give at least one name");
    result = CLI_USAGE;
  }
  free(copy);
  return result;
}

static int set_activations(bdag_network *network, const generated *graph, const arguments *a) {
  bdag_context *context = bdag_network_context(network);
  bdag_activation choices[MOST_ACTIVATIONS], last;
  size_t count = 0;
  char *output_name = strdup(a->output_activation);
  if (output_name == NULL) return cli_fail("out of memory");
  int result = find_activations(context, a->activations, choices, &count);
  if (result == CLI_OK) result = find_activation(context, output_name, &last);
  free(output_name);
  if (result != CLI_OK) return result;

  const uint32_t neurons = graph->vertices - graph->inputs;
  uint32_t *vertex = calloc(neurons, sizeof *vertex);
  bdag_activation *activation = calloc(neurons, sizeof *activation);
  cli_random random = {cli_random_mix(a->request.seed, 4)};
  bdag_error error;
  if (vertex == NULL || activation == NULL) result = cli_fail("out of memory");
  for (uint32_t i = 0; i < neurons && result == CLI_OK; i++) {
    vertex[i] = graph->inputs + i;
    activation[i] = i < neurons - graph->outputs ? choices[cli_random_below(&random, count)] : last;
  }
  if (result == CLI_OK &&
      bdag_network_set_activations(network, neurons, vertex, activation, &error) != BDAG_OK)
    result = cli_fail_error(&error);
  free(vertex);
  free(activation);
  return result;
}

static int set_outputs(bdag_network *network, const generated *graph) {
  bdag_error error;
  bdag_output *outputs = calloc(graph->outputs, sizeof *outputs);
  if (outputs == NULL) return cli_fail("out of memory");
  for (uint32_t i = 0; i < graph->outputs; i++)
    outputs[i].vertex = graph->vertices - graph->outputs + i;
  const bdag_status status = bdag_network_set_outputs(network, graph->outputs, outputs, &error);
  free(outputs);
  return status == BDAG_OK ? CLI_OK : cli_fail_error(&error);
}

static int build(bdag_network *network, const generated *graph, const arguments *a) {
  bdag_error error;
  if (bdag_network_reserve(network, graph->vertices, graph->edges, &error) != BDAG_OK ||
      bdag_network_add_inputs(network, graph->inputs, NULL, &error) != BDAG_OK ||
      bdag_network_add_vertices(network, graph->vertices - graph->inputs, NULL, NULL, &error) !=
          BDAG_OK ||
      (graph->edges > 0 && bdag_network_add_edges(network, graph->edges, graph->source,
                                                  graph->target, NULL, NULL, &error) != BDAG_OK))
    return cli_fail_error(&error);
  const int activated = set_activations(network, graph, a);
  if (activated != CLI_OK) return activated;
  if (set_outputs(network, graph) != CLI_OK) return CLI_FAILED;
  const char *loss = a->loss != NULL ? a->loss : graph->outputs == 1 ? "mse" : "cross_entropy";
  if (strcmp(loss, "none") == 0) return CLI_OK;
  return cli_network_set_loss(network, loss, a->huber_delta);
}

static int draw_weights(cli_model *model, const arguments *a) {
  bdag_error error;
  if (cli_model_prepare(model, BDAG_FLOAT64, 0) != CLI_OK) return CLI_FAILED;
  if (bdag_weights_initialize(model->weights, model->network, a->initialization, a->request.seed,
                              &error) != BDAG_OK ||
      bdag_network_take_weights(model->network, model->weights, &error) != BDAG_OK)
    return cli_fail_error(&error);
  return CLI_OK;
}

static int make(cli_model *model, generated *graph, const arguments *a) {
  const cli_compute compute = CLI_COMPUTE_INIT;
  bdag_error error;
  int result = a->generate(graph, &a->request);
  if (result != CLI_OK) return result;
  if (cli_context_open(&model->context, &compute) != CLI_OK) return CLI_FAILED;
  if (bdag_network_create(&model->network, model->context, &error) != BDAG_OK)
    return cli_fail_error(&error);
  result = build(model->network, graph, a);
  if (result != CLI_OK) return result;
  if (draw_weights(model, a) != CLI_OK) return CLI_FAILED;
  if (bdag_network_save(model->network, a->path, BDAG_NETWORK_AUTO, &error) != BDAG_OK)
    return cli_fail_error(&error);
  if (!a->quiet)
    cli_note("%s: %u vertices (%u inputs, %u outputs), %llu edges", a->path, graph->vertices,
             graph->inputs, graph->outputs, (unsigned long long)graph->edges);
  return CLI_OK;
}

int cmd_new(int argc, char **argv) {
  static const struct argp parser = {option_table, parse, "FILE", documentation, NULL, NULL, NULL};
  arguments a = {.activations = "relu", .output_activation = "identity", .huber_delta = 1};
  a.request = (generate_request){.in_degree = {1, 8}, .neighbours = 8, .rewire = 0.1, .seed = 1};
  argp_parse(&parser, argc, argv, 0, NULL, &a);
  cli_model model = {NULL, NULL, NULL, NULL};
  generated graph = {0};
  const int result = make(&model, &graph, &a);
  cli_model_close(&model);
  generated_free(&graph);
  return result;
}
