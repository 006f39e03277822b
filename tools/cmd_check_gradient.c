/* backdag check-gradient: the engine's gradients against central differences, in float64. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

enum {
  KEY_TOLERANCE = 0x600,
  KEY_SAMPLES,
  KEY_PARAMETERS,
  KEY_SEED,
  KEY_WORST,
  KEY_REDRAW,
  KEY_LOSS
};

static const char documentation[] =
    "Compare the gradient of every parameter of NETWORK with a central difference of the loss."
    "\v"
    "Everything is computed in float64. Without --data the samples are drawn: inputs from the "
    "standard normal distribution, targets to suit the loss. A parameter is off when gradient and "
    "difference differ by more than the tolerance times the larger of the two, but at least of a "
    "thousandth of the largest gradient. Where the loss has a kink within the step (relu at 0), a "
    "difference says nothing: such parameters are recognised by their one-sided differences, tried "
    "again with smaller steps, and counted when no step helps.\n"
    "\n"
    "Examples:\n"
    "  backdag check-gradient net.json\n"
    "  backdag check-gradient net.json --data train.csv --samples 50 --parameters 10000\n"
    "\n"
    "Exit status: 0 all gradients agree, 1 some are off or failure at run time, 2 wrong usage.";

static const struct argp_option option_table[] = {
    {"tolerance", KEY_TOLERANCE, "NUMBER", 0, "Default: 1e-5", 1},
    {"samples", KEY_SAMPLES, "COUNT", 0,
     "Samples drawn, or at most taken from the data. Default: 8", 1},
    {"parameters", KEY_PARAMETERS, "COUNT", 0,
     "Checks that many parameters, drawn by seed, if there are more. Default: 2000", 1},
    {"seed", KEY_SEED, "NUMBER", 0, "Of what is drawn. Default: 1", 1},
    {"worst", KEY_WORST, "COUNT", 0, "Rows in the table of the worst parameters. Default: 10", 1},
    {"redraw", KEY_REDRAW, NULL, 0, "Draw the weights anew instead of taking those of the file", 1},
    {"loss", KEY_LOSS, "NAME", 0, "Use this loss over the outputs instead of the network's own", 1},
    {NULL, 0, NULL, 0, NULL, 0}};

static const struct argp_child children[] = {
    {&cli_source_argp, 0, "Data:", 2}, {&cli_compute_argp, 0, "Computing:", 4}, {NULL, 0, NULL, 0}};

typedef struct arguments {
  cli_source source;
  cli_compute compute;
  const char *network, *loss;
  double tolerance;
  uint64_t samples, parameters, seed, worst;
  int redraw;
} arguments;

static error_t parse(int key, char *text, struct argp_state *state) {
  arguments *a = state->input;
  switch (key) {
  case ARGP_KEY_INIT:
    state->child_inputs[0] = &a->source;
    state->child_inputs[1] = &a->compute;
    break;
  case KEY_TOLERANCE:
    a->tolerance = cli_real(state, "--tolerance", text, 1e-14, 1);
    break;
  case KEY_SAMPLES:
    a->samples = cli_count(state, "--samples", text, 1, 1u << 20);
    break;
  case KEY_PARAMETERS:
    a->parameters = cli_count(state, "--parameters", text, 1, UINT32_MAX);
    break;
  case KEY_SEED:
    a->seed = cli_count(state, "--seed", text, 0, UINT64_MAX);
    break;
  case KEY_WORST:
    a->worst = cli_count(state, "--worst", text, 0, 100000);
    break;
  case KEY_REDRAW:
    a->redraw = 1;
    break;
  case KEY_LOSS:
    a->loss = cli_loss_names[cli_choice(state, "--loss", text, cli_loss_names)];
    break;
  case ARGP_KEY_ARG:
    cli_take_network(state, &a->network, text);
    break;
  case ARGP_KEY_END:
    if (a->network == NULL) argp_error(state, "which NETWORK?");
    if (a->compute.type != BDAG_FLOAT64)
      argp_error(state, "check-gradient computes in float64 only");
    break;
  default:
    return ARGP_ERR_UNKNOWN;
  }
  return 0;
}

typedef struct checked {
  uint64_t parameter;
  double gradient, difference, error; /* error: relative, in units of the tolerance's base */
  int kink;
} checked;

typedef struct check {
  const cli_model *model;
  bdag_engine *engine;
  const cli_batch *samples;
  double floor; /* gradients count as at least that large */
} check;

static bdag_status loss_at(const check *c, uint64_t parameter, double value, double *loss) {
  bdag_status status = bdag_weights_write(c->model->weights, parameter, 1, &value);
  if (status == BDAG_OK)
    status = bdag_forward(c->engine, c->model->weights, c->samples->count, c->samples->x, NULL);
  if (status == BDAG_OK)
    status = bdag_loss(c->engine, c->samples->targets > 0 ? c->samples->y : NULL, NULL, loss);
  return status;
}

/* One-sided differences of a smooth loss agree up to O(step), across a kink they do not. */
static bdag_status differentiate(const check *c, checked *p, double value, double middle) {
  const double first_step = 6e-6 * fmax(1, fabs(value));
  bdag_status status = BDAG_OK;
  p->kink = 1;
  for (double step = first_step; step > first_step / 200 && p->kink && status == BDAG_OK;
       step /= 8) {
    double above = 0, below = 0;
    status = loss_at(c, p->parameter, value + step, &above);
    if (status == BDAG_OK) status = loss_at(c, p->parameter, value - step, &below);
    p->difference = (above - below) / (2 * step);
    const double bend = fabs((above - middle) - (middle - below)) / step;
    const double noise = 16 * 2.2e-16 * fmax(fabs(middle), 1) / step;
    const double size = fmax(fmax(fabs(above - middle), fabs(middle - below)) / step, c->floor);
    p->kink = bend > 1e-3 * size + noise;
  }
  const bdag_status restored = bdag_weights_write(c->model->weights, p->parameter, 1, &value);
  const double base = fmax(fmax(fabs(p->gradient), fabs(p->difference)), c->floor);
  const double apart = fabs(p->gradient - p->difference);
  p->error = apart == 0 ? 0 : apart / base;
  if (isnan(p->error)) p->error = INFINITY;
  return status != BDAG_OK ? status : restored;
}

static int by_parameter(const void *a, const void *b) {
  const uint64_t x = ((const checked *)a)->parameter, y = ((const checked *)b)->parameter;
  return (x > y) - (x < y);
}

static int by_error(const void *a, const void *b) {
  const checked *x = a, *y = b;
  if (x->kink != y->kink) return x->kink - y->kink;
  if (x->error != y->error) return x->error < y->error ? 1 : -1;
  return by_parameter(a, b);
}

/* All parameters, or `count` of them without repetition. */
static void choose(checked *list, uint64_t count, uint64_t all, uint64_t seed) {
  cli_random random = {cli_random_mix(seed, 6)};
  uint64_t taken = 0;
  for (uint64_t i = 0; taken < count; i++)
    if (cli_random_below(&random, all - i) < count - taken) list[taken++].parameter = i;
}

static int analytic(const check *c, checked *list, uint64_t count, uint64_t all, double *middle,
                    double *largest) {
  double *gradient = calloc(all, sizeof *gradient);
  if (gradient == NULL) return cli_fail("out of memory");
  bdag_status status =
      bdag_forward(c->engine, c->model->weights, c->samples->count, c->samples->x, NULL);
  if (status == BDAG_OK)
    status = bdag_backward(c->engine, c->model->weights,
                           c->samples->targets > 0 ? c->samples->y : NULL, NULL, middle);
  if (status == BDAG_OK) status = bdag_read_parameter_grad(c->engine, 0, all, gradient);
  *largest = 0;
  for (uint64_t i = 0; i < all; i++) *largest = fmax(*largest, fabs(gradient[i]));
  for (uint64_t i = 0; i < count; i++) list[i].gradient = gradient[list[i].parameter];
  free(gradient);
  return status == BDAG_OK ? CLI_OK : cli_fail_status("passes", status, c->engine);
}

/* What the parameter is: its first edge, or the vertex whose bias it is. */
static void describe_parameter(const bdag_network *network, uint64_t parameter, char *text,
                               size_t size) {
  const uint64_t edges = bdag_network_edge_count(network);
  for (uint64_t e = 0; e < edges; e++) {
    uint32_t source = 0, target = 0;
    uint64_t own = 0;
    if (bdag_network_get_edges(network, e, 1, &source, &target, &own, NULL, NULL) != BDAG_OK ||
        own != parameter)
      continue;
    snprintf(text, size, "edge %llu: %u -> %u", (unsigned long long)e, source, target);
    return;
  }
  for (uint32_t v = 0; v < bdag_network_vertex_count(network); v++) {
    bdag_vertex vertex;
    if (bdag_network_get_vertex(network, v, &vertex) != BDAG_OK ||
        vertex.bias_parameter != parameter)
      continue;
    snprintf(text, size, "bias of %u", v);
    return;
  }
  snprintf(text, size, "unused");
}

static int report(const check *c, const arguments *a, const checked *list, uint64_t count,
                  uint64_t all) {
  uint64_t off = 0, kinks = 0;
  double worst = 0;
  for (uint64_t i = 0; i < count; i++) {
    kinks += (uint64_t)list[i].kink;
    if (list[i].kink) continue;
    off += list[i].error > a->tolerance;
    worst = fmax(worst, list[i].error);
  }
  const uint64_t rows = a->worst < count - kinks ? a->worst : count - kinks;
  if (rows > 0)
    printf("%-12s %-28s %16s %16s %10s\n", "parameter", "is", "gradient", "difference", "error");
  for (uint64_t i = 0; i < rows; i++) {
    char text[64];
    describe_parameter(c->model->network, list[i].parameter, text, sizeof text);
    printf("%-12llu %-28s %16.8g %16.8g %10.2e%s\n", (unsigned long long)list[i].parameter, text,
           list[i].gradient, list[i].difference, list[i].error,
           list[i].error > a->tolerance ? "  OFF" : "");
  }
  printf("%llu of %llu parameters checked on %llu samples: %llu off, %llu at a kink, largest error "
         "%.2e (tolerance %.0e)\n",
         (unsigned long long)count, (unsigned long long)all, (unsigned long long)c->samples->count,
         (unsigned long long)off, (unsigned long long)kinks, worst, a->tolerance);
  if (cli_flush() != CLI_OK) return CLI_FAILED;
  if (count > 0 && kinks == count)
    return cli_fail("every parameter lies at a kink: nothing was checked");
  return off == 0 ? CLI_OK : CLI_FAILED;
}

static int compare(const check *c, const arguments *a, checked *list, uint64_t count,
                   uint64_t all) {
  double middle = 0, largest = 0;
  check own = *c;
  choose(list, count, all, a->seed);
  if (analytic(c, list, count, all, &middle, &largest) != CLI_OK) return CLI_FAILED;
  own.floor = fmax(1e-3 * largest, 1e-12);
  for (uint64_t i = 0; i < count; i++) {
    double value = 0;
    bdag_status status = bdag_weights_read(c->model->weights, list[i].parameter, 1, &value);
    if (status == BDAG_OK) status = differentiate(&own, &list[i], value, middle);
    if (status != BDAG_OK) return cli_fail_status("differences", status, c->engine);
  }
  qsort(list, count, sizeof *list, by_error);
  return report(&own, a, list, count, all);
}

static int prepare_network(cli_model *model, const arguments *a) {
  bdag_error error;
  if (a->loss != NULL && cli_network_set_loss(model->network, a->loss, 1) != CLI_OK)
    return CLI_FAILED;
  if (bdag_network_loss_count(model->network) == 0)
    return cli_fail("%s: the network has no loss; choose one with --loss", a->network);
  for (uint32_t i = 0; i < bdag_network_loss_count(model->network); i++) {
    bdag_loss_term term;
    if (bdag_network_get_loss(model->network, i, &term, NULL, NULL) == BDAG_OK &&
        term.kind == BDAG_EXTERNAL_GRADIENT)
      return cli_fail("%s: loss term %u takes gradients from outside; no difference can tell them",
                      a->network, i);
  }
  if (cli_model_prepare(model, BDAG_FLOAT64, 0) != CLI_OK) return CLI_FAILED;
  if (a->redraw && bdag_weights_initialize(model->weights, model->network, BDAG_INIT_AUTO, a->seed,
                                           &error) != BDAG_OK)
    return cli_fail_error(&error);
  return CLI_OK;
}

static int check_gradient(cli_model *model, const arguments *a) {
  if (prepare_network(model, a) != CLI_OK) return CLI_FAILED;
  const uint64_t all = bdag_network_parameter_count(model->network);
  if (all == 0) return cli_fail("%s: the network has no parameters", a->network);
  const uint64_t count = all < a->parameters ? all : a->parameters;
  cli_batch samples = {0};
  bdag_engine_options options = BDAG_ENGINE_OPTIONS_INIT;
  bdag_error error;
  check c = {model, NULL, &samples, 0};
  checked *list = calloc(count, sizeof *list);
  int result = list != NULL ? CLI_OK : cli_fail("out of memory");
  if (result == CLI_OK && a->source.data != NULL)
    result = cli_batch_load(&samples, model->network, &a->source, BDAG_FLOAT64, a->samples, 1);
  else if (result == CLI_OK)
    result = cli_batch_draw(&samples, model->network, BDAG_FLOAT64, a->samples, a->seed);
  options.type = BDAG_FLOAT64;
  options.max_batch = samples.count;
  options.axis = a->compute.axis;
  options.threads = a->compute.threads;
  options.deterministic = a->compute.deterministic;
  if (result == CLI_OK && bdag_engine_create(&c.engine, model->plan, &options, &error) != BDAG_OK)
    result = cli_fail_error(&error);
  if (result == CLI_OK) result = compare(&c, a, list, count, all);
  bdag_engine_destroy(c.engine);
  cli_batch_release(&samples);
  free(list);
  return result;
}

int cmd_check_gradient(int argc, char **argv) {
  static const struct argp parser = {option_table, parse, "NETWORK", documentation,
                                     children,     NULL,  NULL};
  arguments a = {CLI_SOURCE_INIT, CLI_COMPUTE_INIT, NULL, NULL, 1e-5, 8, 2000, 1, 10, 0};
  a.compute.type = BDAG_FLOAT64;
  argp_parse(&parser, argc, argv, 0, NULL, &a);
  cli_model model;
  if (cli_model_open(&model, a.network, &a.compute) != CLI_OK) return CLI_FAILED;
  const int result = check_gradient(&model, &a);
  cli_model_close(&model);
  return result;
}
