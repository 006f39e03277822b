/* backdag convert: rewrites a network in the other file format. */
#include "cli.h"

enum { KEY_FORMAT = 0x600 };

static const char documentation[] =
    "Read NETWORK and write it to FILE, as JSON (.json) or safetensors (.safetensors)."
    "\v"
    "Ids, keys, parameters, outputs, losses and values are kept. A neat-python genome (network "
    "format 1.0) loads as it is. FILE is written atomically and may be NETWORK itself.\n"
    "\n"
    "Examples:\n"
    "  backdag convert trained.safetensors trained.json\n"
    "  backdag convert genome.json genome.safetensors\n"
    "  backdag convert --format json net.safetensors net.txt\n"
    "\n"
    "Exit status: 0 success, 1 failure at run time, 2 wrong usage.";

static const struct argp_option option_table[] = {
    {"format", KEY_FORMAT, "NAME", 0, "json or safetensors. Default: by the extension of FILE", 1},
    {NULL, 0, NULL, 0, NULL, 0}};

typedef struct arguments {
  const char *from, *to;
  bdag_network_format format;
} arguments;

static error_t parse(int key, char *text, struct argp_state *state) {
  static const char *const formats[] = {"auto", "json", "safetensors", NULL};
  arguments *a = state->input;
  switch (key) {
  case KEY_FORMAT:
    a->format = (bdag_network_format)cli_choice(state, "--format", text, formats);
    break;
  case ARGP_KEY_ARG:
    if (a->from == NULL)
      a->from = text;
    else if (a->to == NULL)
      a->to = text;
    else
      argp_error(state, "two files are enough; '%s' is a third", text);
    break;
  case ARGP_KEY_END:
    if (a->to == NULL) argp_error(state, "which files? Give NETWORK and FILE");
    if (a->format == BDAG_NETWORK_AUTO && !cli_has_extension(a->to, ".json") &&
        !cli_has_extension(a->to, ".safetensors"))
      argp_error(state, "'%s' ends neither in .json nor in .safetensors: give --format", a->to);
    break;
  default:
    return ARGP_ERR_UNKNOWN;
  }
  return 0;
}

int cmd_convert(int argc, char **argv) {
  static const struct argp parser = {option_table, parse, "NETWORK FILE", documentation, NULL,
                                     NULL,         NULL};
  arguments a = {NULL, NULL, BDAG_NETWORK_AUTO};
  argp_parse(&parser, argc, argv, 0, NULL, &a);
  const cli_compute compute = CLI_COMPUTE_INIT;
  cli_model model;
  bdag_error error;
  if (cli_model_open(&model, a.from, &compute) != CLI_OK) return CLI_FAILED;
  const int result = bdag_network_save(model.network, a.to, a.format, &error) == BDAG_OK
                         ? CLI_OK
                         : cli_fail_error(&error);
  cli_model_close(&model);
  return result;
}
