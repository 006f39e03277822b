/* backdag draw: a network in the DOT language, or drawn by Graphviz. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli.h"

enum { KEY_MAX_EDGES = 0x600 };

static const char documentation[] =
    "Draw NETWORK: in the DOT language on the standard output, or as FILE."
    "\v"
    "FILE.dot and FILE.gv hold DOT; FILE.svg, FILE.png and FILE.pdf are drawn by 'dot', which must "
    "be installed (Debian: apt install graphviz). Pictures of large networks help nobody and take "
    "Graphviz hours: above --max-edges the verb refuses.\n"
    "\n"
    "Examples:\n"
    "  backdag draw net.json -o net.svg\n"
    "  backdag draw net.json | dot -Tpng > net.png\n"
    "  backdag draw --max-edges 5000 net.json -o net.dot\n"
    "\n"
    "Exit status: 0 success, 1 failure at run time, 2 wrong usage.";

static const struct argp_option option_table[] = {
    {"output", 'o', "FILE", 0, "Write there: .dot, .gv, .svg, .png or .pdf", 1},
    {"max-edges", KEY_MAX_EDGES, "COUNT", 0, "Refuse networks with more edges. Default: 2000", 1},
    {NULL, 0, NULL, 0, NULL, 0}};

typedef struct arguments {
  const char *network, *output;
  const char *picture; /* Graphviz' name of the format, NULL: DOT */
  uint64_t max_edges;
} arguments;

static void take_output(arguments *a, char *path, struct argp_state *state) {
  static const char *const pictures[] = {".svg", ".png", ".pdf"};
  a->output = path;
  a->picture = NULL;
  for (size_t i = 0; i < 3; i++)
    if (cli_has_extension(path, pictures[i])) a->picture = pictures[i] + 1;
  if (a->picture == NULL && !cli_has_extension(path, ".dot") && !cli_has_extension(path, ".gv") &&
      strcmp(path, "-") != 0)
    argp_error(state, "'%s': the name must end in .dot, .gv, .svg, .png or .pdf", path);
}

static error_t parse(int key, char *text, struct argp_state *state) {
  arguments *a = state->input;
  switch (key) {
  case 'o':
    take_output(a, text, state);
    break;
  case KEY_MAX_EDGES:
    a->max_edges = cli_count(state, "--max-edges", text, 1, UINT64_MAX);
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

static int write_dot(const bdag_network *network, FILE *stream, uint64_t max_edges) {
  bdag_error error;
  const bdag_status status = bdag_network_write_dot(network, stream, max_edges, &error);
  if (status == BDAG_OK) return CLI_OK;
  if (status == BDAG_ERROR_LIMIT)
    return cli_fail("the network has %llu edges, too many for a readable picture (at most %llu); "
                    "raise --max-edges, or see 'backdag info'",
                    (unsigned long long)bdag_network_edge_count(network),
                    (unsigned long long)max_edges);
  return cli_fail_error(&error);
}

static int write_file(const bdag_network *network, const arguments *a) {
  FILE *file = fopen(a->output, "w");
  if (file == NULL) return cli_fail("%s: cannot be written: %s", a->output, strerror(errno));
  const int result = write_dot(network, file, a->max_edges);
  if (fclose(file) != 0 && result == CLI_OK)
    return cli_fail("%s: cannot be written: %s", a->output, strerror(errno));
  if (result != CLI_OK) remove(a->output);
  return result;
}

enum { NOT_INSTALLED = 127 };

static int run_graphviz(FILE *graph, const arguments *a) {
  char format[16];
  snprintf(format, sizeof format, "-T%s", a->picture);
  const pid_t child = fork();
  if (child < 0) return cli_fail("cannot start 'dot': %s", strerror(errno));
  if (child == 0) {
    dup2(fileno(graph), STDIN_FILENO);
    execlp("dot", "dot", format, "-o", a->output, (char *)NULL);
    _exit(NOT_INSTALLED);
  }
  int state = 0;
  while (waitpid(child, &state, 0) < 0 && errno == EINTR) continue;
  if (WIFEXITED(state) && WEXITSTATUS(state) == 0) return CLI_OK;
  if (WIFEXITED(state) && WEXITSTATUS(state) == NOT_INSTALLED)
    return cli_fail("%s needs 'dot', which is not installed: install graphviz, or write DOT with "
                    "-o FILE.dot",
                    a->output);
  return cli_fail("'dot' could not draw %s", a->output);
}

static int draw_picture(const bdag_network *network, const arguments *a) {
  FILE *graph = tmpfile();
  if (graph == NULL) return cli_fail("no temporary file: %s", strerror(errno));
  int result = write_dot(network, graph, a->max_edges);
  if (result == CLI_OK && (fflush(graph) != 0 || lseek(fileno(graph), 0, SEEK_SET) != 0))
    result = cli_fail("temporary file: %s", strerror(errno));
  if (result == CLI_OK) result = run_graphviz(graph, a);
  fclose(graph);
  return result;
}

int cmd_draw(int argc, char **argv) {
  static const struct argp parser = {option_table, parse, "NETWORK", documentation,
                                     NULL,         NULL,  NULL};
  arguments a = {NULL, "-", NULL, 2000};
  argp_parse(&parser, argc, argv, 0, NULL, &a);
  const cli_compute compute = CLI_COMPUTE_INIT;
  cli_model model;
  int result = CLI_FAILED;
  if (cli_model_open(&model, a.network, &compute) != CLI_OK) return CLI_FAILED;
  if (a.picture != NULL)
    result = draw_picture(model.network, &a);
  else if (strcmp(a.output, "-") != 0)
    result = write_file(model.network, &a);
  else {
    result = write_dot(model.network, stdout, a.max_edges);
    if (result == CLI_OK) result = cli_flush();
  }
  cli_model_close(&model);
  return result;
}
