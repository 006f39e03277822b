/* Options that several verbs share: where the data come from, and how passes are computed. */
#include <math.h>
#include <string.h>

#include "cli.h"

enum {
  KEY_LABELS = 0x500,
  KEY_FORMAT,
  KEY_HEADER,
  KEY_DELIMITER,
  KEY_SCALE,
  KEY_THREADS,
  KEY_OVERSUBSCRIBE,
  KEY_TYPE,
  KEY_AXIS,
  KEY_DETERMINISTIC,
  KEY_BATCH
};

const char *const cli_initialization_names[] = {"auto",          "he-normal",      "he-uniform",
                                                "glorot-normal", "glorot-uniform", NULL};

/* ---- Data --------------------------------------------------------------------------------------- */

static const struct argp_option source_options[] = {
    {"data", 'd', "FILE", 0,
     "Samples, one a row: CSV, IDX (also .gz), NumPy .npy or FANN training data; '-' reads the "
     "standard input. Columns after the network's inputs are targets",
     2},
    {"labels", KEY_LABELS, "FILE", 0, "Targets, when they lie in a file of their own", 2},
    {"data-format", KEY_FORMAT, "NAME", 0, "Of the samples: auto (default), csv, idx, npy or fann",
     2},
    {"header", KEY_HEADER, "WHEN", 0,
     "Whether the first line of a CSV file holds names: auto (default), yes or no", 2},
    {"delimiter", KEY_DELIMITER, "CHAR", 0,
     "What separates columns of a CSV file, 'tab' for a tabulator. Default: comma, or semicolon or "
     "tab where the first line has those instead",
     2},
    {"scale", KEY_SCALE, "FACTOR", 0,
     "Multiplies every input value; give every verb the same. Default: 1, but 1/255 for images of "
     "bytes in IDX files",
     2},
    {NULL, 0, NULL, 0, NULL, 0}};

static error_t parse_source(int key, char *argument, struct argp_state *state) {
  static const char *const formats[] = {"auto", "csv", "idx", "npy", "fann", NULL};
  static const char *const whens[] = {"auto", "no", "yes", NULL};
  cli_source *source = state->input;
  switch (key) {
  case 'd':
    source->data = argument;
    break;
  case KEY_LABELS:
    source->labels = argument;
    break;
  case KEY_FORMAT:
    source->format = (bdag_data_format)cli_choice(state, "--data-format", argument, formats);
    break;
  case KEY_HEADER:
    source->header = cli_choice(state, "--header", argument, whens) - 1;
    break;
  case KEY_DELIMITER:
    if (strcmp(argument, "tab") == 0)
      source->delimiter = '\t';
    else if (strlen(argument) == 1)
      source->delimiter = argument[0];
    else
      argp_error(state, "--delimiter '%s': expected one character or the word tab", argument);
    break;
  case KEY_SCALE:
    source->scale = cli_real(state, "--scale", argument, -INFINITY, INFINITY);
    if (source->scale == 0.0) argp_error(state, "--scale 0 would erase the data");
    break;
  case ARGP_KEY_END:
    if (source->labels != NULL && source->data != NULL && strcmp(source->labels, "-") == 0 &&
        strcmp(source->data, "-") == 0)
      argp_error(state, "--data and --labels cannot both be the standard input");
    break;
  default:
    return ARGP_ERR_UNKNOWN;
  }
  return 0;
}

const struct argp cli_source_argp = {source_options, parse_source, NULL, NULL, NULL, NULL, NULL};

/* ---- Computing ---------------------------------------------------------------------------------- */

static const struct argp_option compute_options[] = {
    {"threads", KEY_THREADS, "COUNT", 0,
     "Threads to use. Default: OMP_NUM_THREADS, else what processors and quota allow", 4},
    {"oversubscribe", KEY_OVERSUBSCRIBE, NULL, 0, "Accept more threads than processors", 4},
    {"type", KEY_TYPE, "NAME", 0, "Type of the numbers: float32 (default) or float64", 4},
    {"axis", KEY_AXIS, "NAME", 0,
     "What threads share out: auto (default), tiles of samples, vertices, both, or serial: nothing",
     4},
    {"deterministic", KEY_DETERMINISTIC, NULL, 0,
     "The same bits for every number of threads and every axis", 4},
    {"batch", KEY_BATCH, "COUNT", 0, "Samples a pass takes at once. Default: 128", 4},
    {NULL, 0, NULL, 0, NULL, 0}};

static error_t parse_compute(int key, char *argument, struct argp_state *state) {
  static const char *const types[] = {"float32", "float64", NULL};
  static const char *const axes[] = {"auto", "tiles", "vertices", "serial", "both", NULL};
  cli_compute *compute = state->input;
  switch (key) {
  case KEY_THREADS:
    compute->threads = (uint32_t)cli_count(state, "--threads", argument, 1, 1024);
    break;
  case KEY_OVERSUBSCRIBE:
    compute->oversubscribe = 1;
    break;
  case KEY_TYPE:
    compute->type = cli_choice(state, "--type", argument, types) == 0 ? BDAG_FLOAT32 : BDAG_FLOAT64;
    break;
  case KEY_AXIS:
    compute->axis = (bdag_axis)cli_choice(state, "--axis", argument, axes);
    break;
  case KEY_DETERMINISTIC:
    compute->deterministic = 1;
    break;
  case KEY_BATCH:
    compute->batch = cli_count(state, "--batch", argument, 1, 1u << 24);
    break;
  default:
    return ARGP_ERR_UNKNOWN;
  }
  return 0;
}

const struct argp cli_compute_argp = {compute_options, parse_compute, NULL, NULL, NULL, NULL, NULL};
