/* Options of `run` and `peers`, read with argp. */
#include "settings.h"

#include <argp.h>
#include <stdlib.h>
#include <string.h>

enum {
  KEY_BATCH = 'b',
  KEY_JSON = 'o',
  KEY_PHASE = 'p',
  KEY_QUIET = 'q',
  KEY_SEED = 's',
  KEY_THREADS = 't',
  KEY_TYPE = 256,
  KEY_ISA,
  KEY_GRANULARITY,
  KEY_AMALGAMATION,
  KEY_AXIS,
  KEY_TILE,
  KEY_DETERMINISTIC,
  KEY_NO_PIN,
  KEY_NO_VERIFY,
  KEY_BUDGET,
  KEY_LEAST,
  KEY_CEILINGS,
  KEY_COSTS
};

static const struct argp_option options[] = {
    {"phase", KEY_PHASE, "LIST", 0, "forward, backward, both, step, plan, engine", 0},
    {"batch", KEY_BATCH, "LIST", 0, "samples a pass, e.g. 1,64", 0},
    {"threads", KEY_THREADS, "LIST", 0, "threads, e.g. 1,2; default: all allowed", 0},
    {"type", KEY_TYPE, "TYPE", 0, "float32 (default) or float64", 0},
    {"isa", KEY_ISA, "ISA", 0, "auto, baseline, avx2, avx512 or neon", 0},
    {"granularity", KEY_GRANULARITY, "WORD", 0, "grouped (default) or vertex", 0},
    {"amalgamation", KEY_AMALGAMATION, "WORD", 0, "cost (default), off or forced", 0},
    {"axis", KEY_AXIS, "WORD", 0, "auto (default), tiles, vertices, both or serial", 0},
    {"tile", KEY_TILE, "SAMPLES", 0, "samples a tile, a multiple of 16; default: chosen", 0},
    {"deterministic", KEY_DETERMINISTIC, NULL, 0, "results independent of threads and axis", 0},
    {"no-pin", KEY_NO_PIN, NULL, 0, "do not bind threads to processors", 0},
    {"no-verify", KEY_NO_VERIFY, NULL, 0, "do not compare results with the oracle first", 0},
    {"budget", KEY_BUDGET, "SECONDS", 0, "most time for one row, 0.01 to 600; default 1.5", 0},
    {"uncertainty", KEY_LEAST, "SHARE", 0, "enough when the median is known to it; default 0.005",
     0},
    {"ceilings", KEY_CEILINGS, "SECONDS", 0, "time for measuring the ceilings; default 3", 0},
    {"costs", KEY_COSTS, "FILE", 0, "cost profile of `profile`; default: the library's table", 0},
    {"seed", KEY_SEED, "NUMBER", 0, "of networks and samples; default 1", 0},
    {"json", KEY_JSON, "FILE", 0, "write the report as JSON, too", 0},
    {"quiet", KEY_QUIET, NULL, 0, "no progress on stderr", 0},
    {0}};

static uint64_t parse_number(struct argp_state *state, const char *text, const char *name,
                             uint64_t least, uint64_t most) {
  char *end;
  const unsigned long long value = strtoull(text, &end, 10);
  if (end == text || *end != '\0' || *text == '-' || value < least || value > most)
    argp_error(state, "--%s: \"%s\" is not a number from %llu to %llu", name, text,
               (unsigned long long)least, (unsigned long long)most);
  return value;
}

static double parse_real(struct argp_state *state, const char *text, const char *name, double least,
                         double most) {
  char *end;
  const double value = strtod(text, &end);
  if (end == text || *end != '\0' || !(value >= least && value <= most))
    argp_error(state, "--%s: \"%s\" is not a number from %g to %g", name, text, least, most);
  return value;
}

/* Position of a word in a NULL-terminated list. */
static int parse_word(struct argp_state *state, const char *text, const char *name,
                      const char *const *words) {
  for (int i = 0; words[i] != NULL; i++)
    if (strcmp(words[i], text) == 0) return i;
  argp_error(state, "--%s: \"%s\" is unknown; see --help", name, text);
  return 0;
}

static void parse_list(struct argp_state *state, char *text, const char *name, uint64_t most,
                       void (*take)(bench_settings *settings, int index, uint64_t value)) {
  int count = 0;
  char *rest = NULL;
  for (char *part = strtok_r(text, ",", &rest); part != NULL; part = strtok_r(NULL, ",", &rest)) {
    if (count == BENCH_LIST) argp_error(state, "--%s: more than %d numbers", name, BENCH_LIST);
    take(state->input, count++, parse_number(state, part, name, 1, most));
  }
}

static void take_batch(bench_settings *settings, int index, uint64_t value) {
  settings->batches[index] = value;
}

static void take_threads(bench_settings *settings, int index, uint64_t value) {
  settings->threads[index] = (uint32_t)value;
}

static void parse_phases(struct argp_state *state, char *text) {
  bench_settings *settings = state->input;
  char *rest = NULL;
  for (char *part = strtok_r(text, ",", &rest); part != NULL; part = strtok_r(NULL, ",", &rest)) {
    const uint32_t bit = bench_phase_parse(part);
    if (bit == 0) argp_error(state, "--phase: \"%s\" is unknown; see --help", part);
    settings->phases |= bit;
  }
}

static void parse_engine_option(int key, char *text, struct argp_state *state) {
  static const char *const types[] = {"float32", "float64", NULL};
  static const char *const isas[] = {"auto", "baseline", "avx2", "avx512", "neon", NULL};
  static const char *const granularities[] = {"grouped", "vertex", NULL};
  static const char *const amalgamations[] = {"cost", "off", "forced", NULL};
  static const char *const axes[] = {"auto", "tiles", "vertices", "serial", "both", NULL};
  bench_settings *settings = state->input;
  switch (key) {
  case KEY_TYPE:
    settings->type = 1 + parse_word(state, text, "type", types);
    break;
  case KEY_ISA:
    settings->isa = parse_word(state, text, "isa", isas);
    break;
  case KEY_GRANULARITY:
    settings->granularity = parse_word(state, text, "granularity", granularities);
    break;
  case KEY_AMALGAMATION:
    settings->amalgamation = parse_word(state, text, "amalgamation", amalgamations);
    break;
  case KEY_AXIS:
    settings->axis = parse_word(state, text, "axis", axes);
    break;
  case KEY_TILE:
    settings->tile = (uint32_t)parse_number(state, text, "tile", 16, 1024);
    break;
  default:
    break;
  }
}

static error_t parse_option(int key, char *text, struct argp_state *state) {
  bench_settings *settings = state->input;
  switch (key) {
  case KEY_PHASE:
    parse_phases(state, text);
    break;
  case KEY_BATCH:
    parse_list(state, text, "batch", UINT64_C(1) << 24, take_batch);
    break;
  case KEY_THREADS:
    parse_list(state, text, "threads", 1024, take_threads);
    break;
  case KEY_TYPE:
  case KEY_ISA:
  case KEY_GRANULARITY:
  case KEY_AMALGAMATION:
  case KEY_AXIS:
  case KEY_TILE:
    parse_engine_option(key, text, state);
    break;
  case KEY_DETERMINISTIC:
    settings->deterministic = 1;
    break;
  case KEY_NO_PIN:
    settings->pin = 0;
    break;
  case KEY_NO_VERIFY:
    settings->verify = 0;
    break;
  case KEY_BUDGET:
    settings->effort.budget = parse_real(state, text, "budget", 0.01, 600.0);
    break;
  case KEY_LEAST:
    settings->effort.uncertainty = parse_real(state, text, "uncertainty", 1e-6, 1.0);
    break;
  case KEY_CEILINGS:
    settings->ceilings = parse_real(state, text, "ceilings", 0.0, 600.0);
    break;
  case KEY_COSTS:
    settings->costs = text;
    break;
  case KEY_SEED:
    settings->seed = parse_number(state, text, "seed", 0, UINT32_MAX);
    break;
  case KEY_JSON:
    settings->json = text;
    break;
  case KEY_QUIET:
    settings->quiet = 1;
    break;
  default:
    return ARGP_ERR_UNKNOWN;
  }
  return 0;
}

const struct argp bench_settings_argp = {options, parse_option, NULL, NULL, NULL, NULL, NULL};

bench_settings bench_settings_default(void) {
  const bench_settings settings = {.type = BDAG_FLOAT32,
                                   .pin = 1,
                                   .verify = 1,
                                   .seed = 1,
                                   .ceilings = 3.0,
                                   .effort = BENCH_EFFORT_INIT};
  return settings;
}

json_t *bench_settings_json(const bench_settings *s) {
  return json_pack("{s:s, s:i, s:i, s:i, s:i, s:i, s:b, s:b, s:b, s:I, s:f, s:f}", "type",
                   s->type == BDAG_FLOAT32 ? "float32" : "float64", "isa", (int)s->isa,
                   "granularity", (int)s->granularity, "amalgamation", (int)s->amalgamation, "axis",
                   (int)s->axis, "tile", (int)s->tile, "deterministic", s->deterministic, "pinned",
                   s->pin, "verified", s->verify, "seed", (json_int_t)s->seed, "budget",
                   s->effort.budget, "uncertainty", s->effort.uncertainty);
}
