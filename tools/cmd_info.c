/* backdag info: what a network is made of, how deep and wide it is, and what memory it takes. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "info_plan.h"

enum { KEY_JSON = 0x600, KEY_PLAN, KEY_SVG, PROFILE_ROWS = 20, PROFILE_WIDTH = 40 };

static const char documentation[] =
    "Print what NETWORK is made of: vertices, edges, depth, widths, loss, parameters, memory."
    "\v"
    "The level of a vertex is its longest distance from a source, the depth that of the deepest "
    "vertex, the width of a level the number of its vertices. N_loss are the vertices on whose "
    "outputs the loss depends. Unreachable vertices do not reach the loss: their gradients are "
    "zero "
    "and the backward pass leaves them out.\n"
    "\n"
    "Examples:\n"
    "  backdag info net.json\n"
    "  backdag info --plan --svg panels.svg net.json\n"
    "  backdag info --json --batch 1024 trained.safetensors | jq .memory_engine\n"
    "\n"
    "Exit status: 0 success, 1 failure at run time, 2 wrong usage.";

static const struct argp_option option_table[] = {
    {"json", KEY_JSON, NULL, 0, "Print one JSON object", 1},
    {"plan", KEY_PLAN, NULL, 0, "Print the dense structure that the plan found, padding and flops",
     1},
    {"svg", KEY_SVG, "FILE", 0, "Draw what the plan found in the weight matrix", 1},
    {NULL, 0, NULL, 0, NULL, 0}};

static const struct argp_child children[] = {
    {&cli_compute_argp, 0, "For the memory of an engine:", 4}, {NULL, 0, NULL, 0}};

typedef struct arguments {
  cli_compute compute;
  const char *network, *svg;
  int json, plan;
} arguments;

static error_t parse(int key, char *text, struct argp_state *state) {
  arguments *a = state->input;
  switch (key) {
  case ARGP_KEY_INIT:
    state->child_inputs[0] = &a->compute;
    break;
  case KEY_JSON:
    a->json = 1;
    break;
  case KEY_PLAN:
    a->plan = 1;
    break;
  case KEY_SVG:
    a->svg = text;
    break;
  case ARGP_KEY_ARG:
    cli_take_network(state, &a->network, text);
    break;
  case ARGP_KEY_END:
    if (a->network == NULL) argp_error(state, "which NETWORK?");
    break;
  default:
    return ARGP_ERR_UNKNOWN;
  }
  return 0;
}

typedef struct tally {
  uint64_t neurons, constants, removed_vertices;
  uint64_t edges, disabled, removed_edges;
  uint64_t kinds[BDAG_NEAT_CUBE + 2]; /* the last: registered ones */
} tally;

static void count_vertices(tally *t, const bdag_network *network) {
  for (uint32_t v = 0; v < bdag_network_vertex_count(network); v++) {
    bdag_vertex vertex;
    if (bdag_network_get_vertex(network, v, &vertex) != BDAG_OK) continue;
    t->removed_vertices += vertex.removed != 0;
    if (vertex.removed) continue;
    t->constants += vertex.kind == BDAG_VERTEX_CONSTANT;
    if (vertex.kind != BDAG_VERTEX_NEURON) continue;
    const uint32_t kind = vertex.activation.kind;
    t->neurons++;
    t->kinds[kind <= BDAG_NEAT_CUBE ? kind : BDAG_NEAT_CUBE + 1]++;
  }
}

static void count_edges(tally *t, const bdag_network *network) {
  enum { CHUNK = 4096 };
  uint8_t flags[CHUNK];
  const uint64_t all = bdag_network_edge_count(network);
  for (uint64_t first = 0; first < all; first += CHUNK) {
    const uint64_t count = all - first < CHUNK ? all - first : CHUNK;
    if (bdag_network_get_edges(network, first, count, NULL, NULL, NULL, NULL, flags) != BDAG_OK)
      continue;
    for (uint64_t i = 0; i < count; i++) {
      if (flags[i] & BDAG_EDGE_REMOVED)
        t->removed_edges++;
      else if (flags[i] & BDAG_EDGE_DISABLED)
        t->disabled++;
      else
        t->edges++;
    }
  }
}

static void print_activations(cli_result *output, const tally *t, const bdag_context *context) {
  char text[1024] = "";
  for (uint32_t kind = 0; kind <= BDAG_NEAT_CUBE + 1; kind++) {
    if (t->kinds[kind] == 0) continue;
    const char *name = kind <= BDAG_NEAT_CUBE ? bdag_activation_name(context, kind) : "registered";
    const size_t length = strlen(text);
    snprintf(text + length, sizeof text - length, "%s%s %llu", length > 0 ? ", " : "", name,
             (unsigned long long)t->kinds[kind]);
  }
  cli_result_text(output, "activations", text[0] != '\0' ? text : "none");
}

static void print_losses(cli_result *output, const bdag_network *network) {
  char text[1024] = "";
  for (uint32_t i = 0; i < bdag_network_loss_count(network); i++) {
    bdag_loss_term term;
    if (bdag_network_get_loss(network, i, &term, NULL, NULL) != BDAG_OK) continue;
    const char *name = bdag_loss_name(bdag_network_context(network), term.kind);
    const size_t length = strlen(text);
    snprintf(text + length, sizeof text - length, "%s%s of %u", length > 0 ? ", " : "",
             name != NULL ? name : "unknown", term.vertex_count);
  }
  cli_result_text(output, "loss", text[0] != '\0' ? text : "none");
}

/* Vertices at each level: profile[depth + 1], to be freed. */
static uint64_t *level_profile(const cli_model *model, uint32_t depth) {
  uint64_t *profile = calloc((size_t)depth + 1, sizeof *profile);
  const uint32_t *level = bdag_plan_levels(model->plan);
  if (profile == NULL) return NULL;
  for (uint32_t v = 0; v < bdag_network_vertex_count(model->network); v++)
    if (level[v] <= depth) profile[level[v]]++;
  return profile;
}

static void print_profile(const uint64_t *profile, uint32_t depth) {
  const uint32_t levels = depth + 1, step = (levels + PROFILE_ROWS - 1) / PROFILE_ROWS;
  uint64_t widest = 1;
  for (uint32_t i = 0; i < levels; i++)
    if (profile[i] > widest) widest = profile[i];
  puts(step == 1 ? "width by level" : "width by levels (widest of each group)");
  for (uint32_t first = 0; first < levels; first += step) {
    uint64_t width = 0;
    for (uint32_t i = first; i < levels && i < first + step; i++)
      if (profile[i] > width) width = profile[i];
    char bar[PROFILE_WIDTH + 1] = "";
    const size_t length = (size_t)((double)width / (double)widest * PROFILE_WIDTH + 0.5);
    memset(bar, '#', length > 0 || width == 0 ? length : 1);
    printf("  %6u %10llu %s\n", first, (unsigned long long)width, bar);
  }
}

static void print_counts(cli_result *output, const bdag_network *network, const tally *t) {
  const uint32_t inputs = bdag_network_input_count(network);
  cli_result_count(output, "vertices", inputs + t->neurons + t->constants);
  cli_result_count(output, "inputs", inputs);
  cli_result_count(output, "constants", t->constants);
  cli_result_count(output, "neurons", t->neurons);
  cli_result_count(output, "outputs", bdag_network_output_count(network));
  cli_result_count(output, "edges", t->edges);
  if (t->disabled > 0 || output->json) cli_result_count(output, "disabled edges", t->disabled);
  if (t->removed_edges > 0 || output->json)
    cli_result_count(output, "removed edges", t->removed_edges);
  cli_result_count(output, "parameters", bdag_network_parameter_count(network));
  print_activations(output, t, bdag_network_context(network));
  print_losses(output, network);
}

static void print_plan(cli_result *output, const bdag_plan_summary *s, uint64_t targets) {
  cli_result_count(output, "target columns", targets);
  cli_result_count(output, "N_loss", s->loss_vertices);
  cli_result_count(output, "unreachable vertices", s->unreachable);
  cli_result_count(output, "depth", s->depth);
  cli_result_count(output, "greatest width", s->width);
  cli_result_count(output, "panels", s->panels);
  cli_result_count(output, "padding zeros", s->padding);
  cli_result_count(output, "forward tasks", s->forward_tasks);
  cli_result_count(output, "backward tasks", s->backward_tasks);
  if (s->edges > 0)
    cli_result_real(output, "backward work",
                    (double)(s->weight_edges + s->out_edges) / (double)s->edges);
}

static int print_memory(cli_result *output, const cli_model *model, const arguments *a,
                        uint64_t plan_bytes) {
  bdag_engine_options options = BDAG_ENGINE_OPTIONS_INIT;
  bdag_engine_info info = {.size = sizeof info};
  bdag_engine *engine = NULL;
  bdag_error error;
  options.type = a->compute.type;
  options.max_batch = a->compute.batch;
  options.axis = a->compute.axis;
  options.threads = a->compute.threads;
  options.deterministic = a->compute.deterministic;
  cli_result_bytes(output, "memory parameters",
                   bdag_network_parameter_count(model->network) * cli_type_size(a->compute.type));
  cli_result_bytes(output, "memory plan", plan_bytes);
  if (bdag_engine_create(&engine, model->plan, &options, &error) != BDAG_OK) {
    cli_result_text(output, "memory engine", error.message);
    return CLI_OK;
  }
  const bdag_status status = bdag_engine_describe(engine, &info);
  bdag_engine_destroy(engine);
  if (status != BDAG_OK) return cli_fail_status("describing the engine", status, NULL);
  cli_result_bytes(output, "memory engine", info.bytes);
  cli_result_count(output, "threads", info.threads);
  if (a->plan) cli_result_count(output, "samples a tile", info.tile);
  return CLI_OK;
}

static int print_info(const cli_model *model, const arguments *a) {
  bdag_plan_summary summary = {.size = sizeof summary};
  tally t = {0};
  if (bdag_plan_summarize(model->plan, &summary) != BDAG_OK)
    return cli_fail("the plan cannot be summarised");
  uint64_t *profile = level_profile(model, summary.depth);
  if (profile == NULL) return cli_fail("out of memory");
  count_vertices(&t, model->network);
  count_edges(&t, model->network);
  cli_result output;
  cli_result_begin(&output, a->json);
  cli_result_text(&output, "network", a->network);
  print_counts(&output, model->network, &t);
  print_plan(&output, &summary, bdag_network_target_count(model->network));
  if (a->plan) info_print_plan(&output, model, &a->compute);
  int result = print_memory(&output, model, a, summary.plan_bytes);
  if (a->plan && !a->json) info_print_sizes(model->plan);
  if (a->json)
    cli_result_list(&output, "widths", profile, (size_t)summary.depth + 1);
  else
    print_profile(profile, summary.depth);
  free(profile);
  if (result == CLI_OK) result = cli_result_end(&output);
  return result;
}

int cmd_info(int argc, char **argv) {
  static const struct argp parser = {option_table, parse, "NETWORK", documentation,
                                     children,     NULL,  NULL};
  arguments a = {CLI_COMPUTE_INIT, NULL, NULL, 0, 0};
  argp_parse(&parser, argc, argv, 0, NULL, &a);
  cli_model model;
  if (cli_model_open(&model, a.network, &a.compute) != CLI_OK) return CLI_FAILED;
  int result = cli_model_prepare(&model, a.compute.type, 0);
  if (result == CLI_OK && a.svg != NULL) result = info_draw_plan(&model, a.svg);
  if (result == CLI_OK) result = print_info(&model, &a);
  cli_model_close(&model);
  return result;
}
