/* backdag: the command-line tool. Finds the verb; everything else is in cmd_<verb>.c. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static const cli_verb verbs[] = {
    {"new", "make a network: layered with skips, random, small-world, RadiX-Net", cmd_new, 0},
    {"train", "train a network on data", cmd_train, 1},
    {"evaluate", "loss, accuracy and mean squared error on data", cmd_evaluate, 1},
    {"predict", "outputs of a network as CSV or NumPy", cmd_predict, 1},
    {"check-gradient", "compare the engine's gradients with central differences",
     cmd_check_gradient, 1},
    {"info", "vertices, edges, depth, widths, parameters, memory", cmd_info, 0},
    {"convert", "rewrite a network as JSON or safetensors", cmd_convert, 0},
    {"draw", "draw a network as DOT or SVG", cmd_draw, 0},
    {"trace", "when each task of a pass ran, and what more threads would give", cmd_trace, 1},
};
#define VERB_COUNT (sizeof verbs / sizeof verbs[0])

static void print_help(FILE *stream) {
  fputs("Usage: backdag VERB [OPTION...] [ARGUMENT...]\n"
        "Train and run arbitrary directed acyclic graphs of neurons on all cores.\n"
        "\n"
        "Verbs:\n",
        stream);
  for (size_t i = 0; i < VERB_COUNT; i++)
    fprintf(stream, "  %-15s %s\n", verbs[i].name, verbs[i].summary);
  fputs("\n"
        "  backdag VERB --help     options and examples of a verb\n"
        "  backdag --version       version of program and library\n"
        "\n"
        "Example:\n"
        "  backdag new --mlp 784,128,64,10 --skip 0.1 --seed 1 net.json\n"
        "  backdag train net.json --data train.idx.gz --labels labels.idx.gz \\\n"
        "      --epochs 10 -o trained.safetensors\n"
        "  backdag predict trained.safetensors --data test.csv\n"
        "\n"
        "Results go to the standard output, progress and messages to the standard error.\n"
        "Exit status: 0 success, 1 failure at run time, 2 wrong usage.\n",
        stream);
}

static const cli_verb *find_verb(const char *name) {
  for (size_t i = 0; i < VERB_COUNT; i++)
    if (strcmp(verbs[i].name, name) == 0) return &verbs[i];
  return NULL;
}

static int unknown_verb(const char *name) {
  const char *names[VERB_COUNT + 1] = {NULL};
  for (size_t i = 0; i < VERB_COUNT; i++) names[i] = verbs[i].name;
  const char *nearest = cli_nearest(name, names);
  fprintf(stderr, "backdag: there is no %s '%s'", name[0] == '-' ? "option" : "verb", name);
  if (nearest != NULL) fprintf(stderr, "; did you mean 'backdag %s'?", nearest);
  fputs("\nTry 'backdag --help' for the list of verbs.\n", stderr);
  return CLI_USAGE;
}

static int run_verb(const cli_verb *verb, int argc, char **argv) {
  static char name[64];
  snprintf(name, sizeof name, "backdag %s", verb->name);
  argv[0] = name; /* what argp puts in front of its messages */
  return verb->run(argc, argv);
}

int main(int argc, char **argv) {
  static char version[64];
  snprintf(version, sizeof version, "backdag %s", bdag_version());
  argp_program_version = version;
  argp_err_exit_status = CLI_USAGE;
  if (argc < 2) {
    print_help(stderr);
    return CLI_USAGE;
  }
  const char *word = argv[1];
  if (strcmp(word, "--help") == 0 || strcmp(word, "-?") == 0 || strcmp(word, "-h") == 0) {
    print_help(stdout);
    return cli_flush();
  }
  if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) {
    puts(version);
    return cli_flush();
  }
  if (strcmp(word, "help") == 0) {
    if (argc == 2) {
      print_help(stdout);
      return cli_flush();
    }
    const cli_verb *topic = find_verb(argv[2]);
    if (topic == NULL) return unknown_verb(argv[2]);
    char help[] = "--help";
    char *arguments[] = {argv[0], help, NULL};
    return run_verb(topic, 2, arguments);
  }
  const cli_verb *verb = find_verb(word);
  if (verb == NULL) return unknown_verb(word);
  if (verb->computes) cli_wait_politely(argv);
  return run_verb(verb, argc - 1, argv + 1);
}
