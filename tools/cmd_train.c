/* backdag train: options of a training run, its data, and what it reports. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli_train.h"

enum {
  KEY_EPOCHS = 0x600,
  KEY_OPTIMIZER,
  KEY_LR,
  KEY_SCHEDULE,
  KEY_MOMENTUM,
  KEY_NESTEROV,
  KEY_BETA1,
  KEY_BETA2,
  KEY_EPSILON,
  KEY_WEIGHT_DECAY,
  KEY_NO_SHUFFLE,
  KEY_SEED,
  KEY_LOSS,
  KEY_HUBER_DELTA,
  KEY_INIT,
  KEY_HOLDOUT,
  KEY_TEST,
  KEY_TEST_LABELS,
  KEY_RESUME,
  KEY_CHECKPOINT,
  KEY_PLOT,
  KEY_JSON
};

static const char documentation[] =
    "Train NETWORK on data and write the trained network to FILE."
    "\v"
    "Targets are the columns behind the network's inputs, or --labels. Progress goes to the "
    "standard error; at the end loss, accuracy and mean squared error of the training data and of "
    "what was held out go to the standard output (see 'backdag evaluate --help' for what they "
    "mean).\n"
    "\n"
    "Ctrl-C finishes the batch, saves FILE.checkpoint.safetensors and ends with status 1. --resume "
    "goes on from there: give it the same options; an epoch that was cut short is repeated. A "
    "second Ctrl-C ends the program at once. A checkpoint is an ordinary network file, too.\n"
    "\n"
    "Weights start as they are in NETWORK; if all of them are 0 they are drawn anew, or by --init "
    "in any case. With the same seed and the same number of threads, or with --deterministic, a "
    "run gives the same result again.\n"
    "\n"
    "Examples:\n"
    "  backdag train net.json --data train.idx.gz --labels labels.idx.gz \\\n"
    "      --epochs 10 --holdout 0.2 -o trained.safetensors\n"
    "  backdag train net.json --data mushroom.train --test mushroom.test \\\n"
    "      --optimizer sgd --lr 0.05 --nesterov -o mushroom.json\n"
    "  backdag train genome.json --loss mse --data samples.csv -o genome2.json\n"
    "  backdag train --resume trained.safetensors.checkpoint.safetensors \\\n"
    "      --data train.csv --epochs 10 -o trained.safetensors\n"
    "\n"
    "Exit status: 0 success, 1 failure at run time or interrupted, 2 wrong usage.";

static const struct argp_option option_table[] = {
    {"output", 'o', "FILE", 0, "The trained network, .json or .safetensors", 1},
    {"epochs", KEY_EPOCHS, "COUNT", 0, "Passes over the training data. Default: 10", 1},
    {"loss", KEY_LOSS, "NAME", 0,
     "A loss over the outputs in place of the network's own; needed where it has none: mse, mae, "
     "huber, bce, cross_entropy, distribution",
     1},
    {"huber-delta", KEY_HUBER_DELTA, "NUMBER", 0, "Where Huber's loss turns linear. Default: 1", 1},
    {"init", KEY_INIT, "SCHEME", 0,
     "Draw the weights anew: auto, he-normal, he-uniform, glorot-normal, glorot-uniform", 1},
    {"seed", KEY_SEED, "NUMBER", 0, "Of shuffling, hold-out and --init. Default: 1", 1},
    {"no-shuffle", KEY_NO_SHUFFLE, NULL, 0, "Take the samples in the order of the file", 1},
    {"resume", KEY_RESUME, "CHECKPOINT", 0, "Go on from a checkpoint; NETWORK is not needed then",
     1},
    {"checkpoint", KEY_CHECKPOINT, "COUNT", 0, "Save a checkpoint every COUNT epochs, too", 1},
    {"plot", KEY_PLOT, "FILE", 0, "Draw the loss by epoch as SVG", 1},
    {"json", KEY_JSON, NULL, 0, "Print the results as one JSON object", 1},
    {"quiet", 'q', NULL, 0, "No progress", 1},
    {NULL, 0, NULL, 0, "Held-out data:", 3},
    {"holdout", KEY_HOLDOUT, "SHARE", 0,
     "Hold out that share of the samples, drawn by seed, and report on it", 3},
    {"test", KEY_TEST, "FILE", 0, "Or report on the samples of a file", 3},
    {"test-labels", KEY_TEST_LABELS, "FILE", 0, "Its targets, when they lie in a file of their own",
     3},
    {NULL, 0, NULL, 0, "Optimizer:", 5},
    {"optimizer", KEY_OPTIMIZER, "NAME", 0, "sgd, adam (default) or adamw", 5},
    {"lr", KEY_LR, "NUMBER", 0, "Learning rate. Default: 0.001, sgd 0.01", 5},
    {"schedule", KEY_SCHEDULE, "NAME", 0,
     "Learning rate over the epochs: constant (default), cosine or linear, both towards 0", 5},
    {"momentum", KEY_MOMENTUM, "NUMBER", 0, "sgd: 0 to below 1. Default: 0.9", 5},
    {"nesterov", KEY_NESTEROV, NULL, 0, "sgd: Nesterov's momentum", 5},
    {"beta1", KEY_BETA1, "NUMBER", 0, "adam, adamw. Default: 0.9", 5},
    {"beta2", KEY_BETA2, "NUMBER", 0, "adam, adamw. Default: 0.999", 5},
    {"epsilon", KEY_EPSILON, "NUMBER", 0, "adam, adamw. Default: 1e-8", 5},
    {"weight-decay", KEY_WEIGHT_DECAY, "NUMBER", 0,
     "Of edges' weights, not of biases. Default: 0, adamw 0.01", 5},
    {NULL, 0, NULL, 0, NULL, 0}};

static const struct argp_child children[] = {
    {&cli_source_argp, 0, "Data:", 2}, {&cli_compute_argp, 0, "Computing:", 6}, {NULL, 0, NULL, 0}};

typedef struct arguments {
  cli_source source;
  cli_compute compute;
  cli_train_options train;
  const char *network, *output, *loss, *test, *test_labels, *plot;
  double huber_delta, holdout;
  int initialization; /* -1: keep */
  int lr_given, decay_given, json;
} arguments;

static error_t parse_optimizer(int key, char *text, struct argp_state *state) {
  static const char *const optimizers[] = {"sgd", "adam", "adamw", NULL};
  static const char *const schedules[] = {"constant", "cosine", "linear", NULL};
  static const double below_one = 1 - 1e-12;
  arguments *a = state->input;
  bdag_trainer_options *t = &a->train.trainer;
  switch (key) {
  case KEY_OPTIMIZER:
    t->optimizer = (bdag_optimizer)cli_choice(state, "--optimizer", text, optimizers);
    break;
  case KEY_LR:
    t->learning_rate = cli_real(state, "--lr", text, 1e-300, INFINITY);
    a->lr_given = 1;
    break;
  case KEY_SCHEDULE:
    a->train.schedule = (cli_schedule)cli_choice(state, "--schedule", text, schedules);
    break;
  case KEY_MOMENTUM:
    t->momentum = cli_real(state, "--momentum", text, 0, below_one);
    break;
  case KEY_NESTEROV:
    t->nesterov = 1;
    break;
  case KEY_BETA1:
    t->beta1 = cli_real(state, "--beta1", text, 0, below_one);
    break;
  case KEY_BETA2:
    t->beta2 = cli_real(state, "--beta2", text, 0, below_one);
    break;
  case KEY_EPSILON:
    t->epsilon = cli_real(state, "--epsilon", text, 1e-300, INFINITY);
    break;
  case KEY_WEIGHT_DECAY:
    t->weight_decay = cli_real(state, "--weight-decay", text, 0, INFINITY);
    a->decay_given = 1;
    break;
  default:
    return ARGP_ERR_UNKNOWN;
  }
  return 0;
}

static error_t parse_run(int key, char *text, struct argp_state *state) {
  arguments *a = state->input;
  switch (key) {
  case 'o':
    a->output = text;
    break;
  case 'q':
    a->train.quiet = 1;
    break;
  case KEY_EPOCHS:
    a->train.epochs = cli_count(state, "--epochs", text, 1, 1000000000);
    break;
  case KEY_LOSS:
    a->loss = cli_loss_names[cli_choice(state, "--loss", text, cli_loss_names)];
    break;
  case KEY_HUBER_DELTA:
    a->huber_delta = cli_real(state, "--huber-delta", text, 1e-300, INFINITY);
    break;
  case KEY_INIT:
    a->initialization = cli_choice(state, "--init", text, cli_initialization_names);
    break;
  case KEY_SEED:
    a->train.seed = cli_count(state, "--seed", text, 0, UINT64_MAX);
    break;
  case KEY_NO_SHUFFLE:
    a->train.shuffle = 0;
    break;
  case KEY_RESUME:
    a->train.resume = text;
    break;
  case KEY_CHECKPOINT:
    a->train.checkpoint_every = cli_count(state, "--checkpoint", text, 1, 1000000000);
    break;
  case KEY_PLOT:
    a->plot = text;
    break;
  case KEY_JSON:
    a->json = 1;
    break;
  case KEY_HOLDOUT:
    a->holdout = cli_real(state, "--holdout", text, 0, 0.999999);
    break;
  case KEY_TEST:
    a->test = text;
    break;
  case KEY_TEST_LABELS:
    a->test_labels = text;
    break;
  default:
    return parse_optimizer(key, text, state);
  }
  return 0;
}

static void check_arguments(const arguments *a, struct argp_state *state) {
  if (a->network == NULL && a->train.resume == NULL)
    argp_error(state, "which NETWORK? Give a file, or --resume CHECKPOINT");
  if (a->source.data == NULL) argp_error(state, "on what? Give --data FILE");
  if (a->output == NULL) argp_error(state, "where to? Give -o FILE");
  if (!cli_has_extension(a->output, ".json") && !cli_has_extension(a->output, ".safetensors"))
    argp_error(state, "-o '%s': the name must end in .json or .safetensors", a->output);
  if (a->holdout > 0 && a->test != NULL) argp_error(state, "either --holdout or --test, not both");
  if (a->test_labels != NULL && a->test == NULL) argp_error(state, "--test-labels needs --test");
  if (a->train.resume != NULL && a->initialization >= 0)
    argp_error(state, "--resume goes on with the checkpoint's weights; --init would erase them");
}

static error_t parse(int key, char *text, struct argp_state *state) {
  arguments *a = state->input;
  switch (key) {
  case ARGP_KEY_INIT:
    state->child_inputs[0] = &a->source;
    state->child_inputs[1] = &a->compute;
    break;
  case ARGP_KEY_ARG:
    cli_take_network(state, &a->network, text);
    break;
  case ARGP_KEY_END:
    check_arguments(a, state);
    break;
  default:
    return parse_run(key, text, state);
  }
  return 0;
}

/* ---- Weights ------------------------------------------------------------------------------------ */

static int all_zero(const bdag_network *network) {
  enum { CHUNK = 1024 };
  double values[CHUNK];
  const uint64_t all = bdag_network_parameter_count(network);
  for (uint64_t first = 0; first < all; first += CHUNK) {
    const uint64_t count = all - first < CHUNK ? all - first : CHUNK;
    if (bdag_network_get_parameters(network, first, count, values) != BDAG_OK) return 0;
    for (uint64_t i = 0; i < count; i++)
      if (values[i] != 0) return 0;
  }
  return 1;
}

static int draw_weights(const cli_model *model, const arguments *a) {
  bdag_error error;
  const int blank = a->train.resume == NULL && all_zero(model->network);
  if (a->initialization < 0 && !blank) return CLI_OK;
  const bdag_initialization scheme =
      a->initialization < 0 ? BDAG_INIT_AUTO : (bdag_initialization)a->initialization;
  if (bdag_weights_initialize(model->weights, model->network, scheme, a->train.seed, &error) !=
      BDAG_OK)
    return cli_fail_error(&error);
  return CLI_OK;
}

/* ---- Data --------------------------------------------------------------------------------------- */

typedef struct parts {
  cli_data data, test;
  bdag_samples training, held_out; /* held_out.count 0: none */
} parts;

static int load_parts(parts *p, const cli_model *model, const arguments *a) {
  const uint32_t inputs = bdag_network_input_count(model->network);
  const uint64_t targets = bdag_network_target_count(model->network);
  if (cli_data_load(&p->data, model->context, &a->source, a->compute.type, inputs, targets, 1) !=
      CLI_OK)
    return CLI_FAILED;
  p->training = p->data.samples;
  if (a->test != NULL) {
    cli_source source = a->source;
    source.data = a->test;
    source.labels = a->test_labels;
    if (cli_data_load(&p->test, model->context, &source, a->compute.type, inputs, targets, 1) !=
        CLI_OK)
      return CLI_FAILED;
    p->held_out = p->test.samples;
  }
  if (a->holdout > 0) {
    const uint64_t all = p->training.count;
    const uint64_t out = (uint64_t)(a->holdout * (double)all + 0.5);
    if (out == 0 || out == all)
      return cli_fail("--holdout %g of %llu samples leaves nothing on one side", a->holdout,
                      (unsigned long long)all);
    cli_data_shuffle(&p->data, inputs, targets, a->train.seed);
    p->training = cli_samples_slice(&p->data.samples, 0, all - out);
    p->held_out = cli_samples_slice(&p->data.samples, all - out, out);
  }
  return CLI_OK;
}

static void close_parts(parts *p) {
  cli_data_close(&p->data);
  cli_data_close(&p->test);
}

/* ---- Report ------------------------------------------------------------------------------------- */

static int report(const cli_model *model, const arguments *a, const parts *p,
                  const cli_train_result *run) {
  cli_metrics training, held_out;
  if (cli_evaluate(model, &a->compute, &p->training, &training) != CLI_OK) return CLI_FAILED;
  if (p->held_out.count > 0 && cli_evaluate(model, &a->compute, &p->held_out, &held_out) != CLI_OK)
    return CLI_FAILED;
  cli_result output;
  cli_result_begin(&output, a->json);
  cli_result_count(&output, "epochs", run->first_epoch + run->count);
  cli_result_metrics(&output, "training", &training);
  if (p->held_out.count > 0) cli_result_metrics(&output, "held-out", &held_out);
  cli_result_count(&output, "threads",
                   a->compute.threads > 0 ? a->compute.threads
                                          : bdag_context_threads(model->context));
  cli_result_real(&output, "seconds per epoch", run->seconds / (double)run->count);
  cli_result_text(&output, "network", a->output);
  if (a->plot != NULL) cli_result_text(&output, "plot", a->plot);
  return cli_result_end(&output);
}

static int save(const cli_model *model, const arguments *a) {
  bdag_error error;
  if (bdag_network_take_weights(model->network, model->weights, &error) != BDAG_OK ||
      bdag_network_save(model->network, a->output, BDAG_NETWORK_AUTO, &error) != BDAG_OK)
    return cli_fail_error(&error);
  return CLI_OK;
}

static int run_training(const cli_model *model, arguments *a, const parts *p) {
  cli_train_result run;
  const bdag_samples *held_out = p->held_out.count > 0 ? &p->held_out : NULL;
  bdag_trainer_options *t = &a->train.trainer;
  t->max_batch = a->compute.batch < p->training.count ? a->compute.batch : p->training.count;
  int result = cli_train(model, &a->train, &p->training, held_out, &run);
  if (result == CLI_OK) result = save(model, a);
  if (result == CLI_OK && a->plot != NULL)
    result = cli_plot_loss(a->plot, run.first_epoch, run.count, run.loss, run.held_out);
  if (result == CLI_OK) result = report(model, a, p, &run);
  free(run.loss);
  free(run.held_out);
  return result;
}

static int train(cli_model *model, arguments *a) {
  if (a->loss != NULL && cli_network_set_loss(model->network, a->loss, a->huber_delta) != CLI_OK)
    return CLI_FAILED;
  if (bdag_network_loss_count(model->network) == 0)
    return cli_fail("%s: the network has no loss; choose one with --loss", a->network);
  parts p = {0};
  int result = load_parts(&p, model, a);
  if (result == CLI_OK) result = cli_model_prepare(model, a->compute.type, 0);
  if (result == CLI_OK) result = draw_weights(model, a);
  if (result == CLI_OK) result = run_training(model, a, &p);
  close_parts(&p);
  return result;
}

/* What depends on several options. Returns the path of checkpoints, to be freed. */
static char *complete(arguments *a) {
  bdag_trainer_options *t = &a->train.trainer;
  if (!a->lr_given) t->learning_rate = t->optimizer == BDAG_SGD ? 0.01 : 0.001;
  if (!a->decay_given) t->weight_decay = t->optimizer == BDAG_ADAMW ? 0.01 : 0;
  t->axis = a->compute.axis;
  t->threads = a->compute.threads;
  t->deterministic = a->compute.deterministic;
  if (a->train.resume != NULL) a->network = a->train.resume;
  char *path = NULL;
  if (asprintf(&path, "%s.checkpoint.safetensors", a->output) < 0) return NULL;
  a->train.checkpoint_path = path;
  return path;
}

int cmd_train(int argc, char **argv) {
  static const struct argp parser = {
      option_table, parse, "NETWORK --data FILE -o FILE", documentation, children, NULL, NULL};
  arguments a = {CLI_SOURCE_INIT, CLI_COMPUTE_INIT, .initialization = -1, .huber_delta = 1};
  a.train = (cli_train_options){BDAG_TRAINER_OPTIONS_INIT, .epochs = 10, .seed = 1, .shuffle = 1};
  argp_parse(&parser, argc, argv, 0, NULL, &a);
  char *checkpoint_path = complete(&a);
  cli_model model;
  int result = CLI_FAILED;
  if (checkpoint_path == NULL)
    cli_fail("out of memory");
  else if (cli_model_open(&model, a.network, &a.compute) == CLI_OK) {
    result = train(&model, &a);
    cli_model_close(&model);
  }
  free(checkpoint_path);
  return result;
}
