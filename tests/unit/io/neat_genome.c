/* Random genomes of neat-python. */
#include "neat_genome.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/random.h"

static const char *const names[GENOME_FUNCTIONS] = {
    "sigmoid",  "tanh",    "sin", "gauss", "relu", "elu", "lelu", "selu",   "softplus",
    "identity", "clamped", "inv", "log",   "exp",  "abs", "hat",  "square", "cube"};

/* ---- Drawing ---- */

static uint64_t below(uint64_t seed, uint64_t stream, uint64_t counter, uint64_t bound) {
  return bdag_random_below(seed, stream, counter, bound);
}

static void draw_links(genome *g, uint64_t seed, int target, uint64_t *counter) {
  const int reach = g->inputs + target;
  const int wanted = 1 + (int)below(seed, 10, (*counter)++, 5);
  for (int i = 0; i < wanted && g->links < GENOME_LINKS; i++) {
    const int pick = (int)below(seed, 11, (*counter)++, (uint64_t)reach);
    g->link[g->links++] = (genome_link){
        .source = pick < g->inputs ? -1 - pick : pick - g->inputs,
        .target = target,
        .weight = bdag_random_normal(seed, 12, (*counter)++),
        .enabled = i == 0 || below(seed, 13, (*counter)++, 6) > 0,
    };
  }
}

void genome_draw(genome *g, uint64_t seed, int smooth) {
  static const int smooth_functions[] = {0, 1, 3, 8, 9};
  uint64_t counter = 0;
  *g = (genome){.inputs = 1 + (int)below(seed, 1, 0, GENOME_INPUTS)};
  g->outputs = 1 + (int)below(seed, 1, 1, 4);
  g->nodes = g->outputs + (int)below(seed, 1, 2, (uint64_t)(GENOME_NODES - g->outputs));
  for (int n = 0; n < g->nodes; n++) {
    /* Outputs have the ids 0, 1, …; they stand last here, the order of hidden ids is mixed. */
    const int hidden = g->nodes - g->outputs;
    const int output = n - hidden;
    const int drawn =
        (int)((below(seed, 2, (uint64_t)n, GENOME_FUNCTIONS) + seed) % GENOME_FUNCTIONS);
    g->node[n] = (genome_node){
        .id = output >= 0 ? output : 100 + (n * 7919) % 1009,
        .function = smooth ? smooth_functions[drawn % 5] : drawn,
        .is_output = output >= 0,
        .mean = below(seed, 3, (uint64_t)n, 4) == 0,
        .bias = bdag_random_normal(seed, 4, (uint64_t)n),
        .response = below(seed, 5, (uint64_t)n, 2) ? 1.0 : bdag_random_normal(seed, 6, (uint64_t)n),
    };
    draw_links(g, seed, n, &counter);
  }
}

/* ---- Writing ---- */

static int64_t id_of(const genome *g, int source) {
  return source < 0 ? source : g->node[source].id;
}

void genome_write(const genome *g, char text[GENOME_TEXT]) {
  char *end = text;
  const char *separator = "";
#define PUT(...) end += snprintf(end, (size_t)(GENOME_TEXT - (end - text)), __VA_ARGS__)
  PUT("{\n  \"format_version\": \"1.0\",\n  \"network_type\": \"feedforward\",\n  \"metadata\": {\n"
      "    \"created_timestamp\": \"2025-11-09T15:23:45+00:00\",\n    \"fitness\": 3.75\n  },\n"
      "  \"topology\": {\n    \"num_inputs\": %d,\n    \"num_outputs\": %d,\n    \"input_keys\": [",
      g->inputs, g->outputs);
  for (int i = 0; i < g->inputs; i++) PUT("%s%d", i > 0 ? ", " : "", -1 - i);
  PUT("],\n    \"output_keys\": [");
  for (int i = 0; i < g->outputs; i++) PUT("%s%d", i > 0 ? ", " : "", i);
  PUT("]\n  },\n  \"nodes\": [");
  for (int n = 0; n < g->nodes; n++, separator = ",") {
    const genome_node *const node = &g->node[n];
    PUT("%s\n    {\"id\": %lld, \"type\": \"%s\", \"activation\": {\"name\": \"%s\", \"custom\": "
        "false}, "
        "\"aggregation\": {\"name\": \"%s\", \"custom\": false}, \"bias\": %.17g, \"response\": "
        "%.17g}",
        separator, (long long)node->id, node->is_output ? "output" : "hidden",
        names[node->function], node->mean ? "mean" : "sum", node->bias, node->response);
  }
  for (int i = 0; i < g->inputs; i++) {
    PUT(",\n    {\"id\": %d, \"type\": \"input\", \"activation\": {\"name\": \"identity\", "
        "\"custom\": "
        "false}, \"aggregation\": {\"name\": \"none\", \"custom\": false}, \"bias\": 0.0, "
        "\"response\": 1.0}",
        -1 - i);
  }
  PUT("\n  ],\n  \"connections\": [");
  for (int l = 0; l < g->links; l++) {
    const genome_link *const link = &g->link[l];
    PUT("%s\n    {\"from\": %lld, \"to\": %lld, \"weight\": %.17g, \"enabled\": %s}",
        l > 0 ? "," : "", (long long)id_of(g, link->source), (long long)g->node[link->target].id,
        link->weight, link->enabled ? "true" : "false");
  }
  PUT("\n  ]\n}\n");
#undef PUT
}

/* ---- Evaluating ---- */

static long double within(long double z, long double bound) {
  return z < -bound ? -bound : z > bound ? bound : z;
}

static long double function_long(int function, long double z) {
  static const long double lambda = 1.0507009873554804934193349852946L;
  static const long double alpha = 1.6732632423543772848170429916717L;
  switch (function) {
  case 0:
    return 1.0L / (1.0L + expl(-within(5 * z, 60)));
  case 1:
    return tanhl(within(2.5L * z, 60));
  case 2:
    return sinl(within(5 * z, 60));
  case 3:
    z = within(z, 3.4L);
    return expl(-5 * z * z);
  case 4:
    return z > 0 ? z : 0;
  case 5:
    return z > 0 ? z : expm1l(z);
  case 6:
    return z > 0 ? z : 0.005L * z;
  case 7:
    return z > 0 ? lambda * z : lambda * alpha * expm1l(z);
  case 8:
    return 0.2L * log1pl(expl(within(5 * z, 60)));
  case 9:
    return z;
  case 10:
    return within(z, 1);
  case 11:
    return z != 0 ? 1 / z : 0;
  case 12:
    return logl(z > 1e-7L ? z : 1e-7L);
  case 13:
    return expl(within(z, 60));
  case 14:
    return fabsl(z);
  case 15:
    return fabsl(z) < 1 ? 1 - fabsl(z) : 0;
  case 16:
    return z * z;
  default:
    return z * z * z;
  }
}

/* The same in double, as neat-python itself computes. */
static double function_double(int function, double z) {
  switch (function) {
  case 0:
    return 1.0 / (1.0 + exp(-(double)within(5.0 * z, 60)));
  case 1:
    return tanh((double)within(2.5 * z, 60));
  case 2:
    return sin((double)within(5.0 * z, 60));
  case 3:
    z = z < -3.4 ? -3.4 : z > 3.4 ? 3.4 : z;
    return exp(-5.0 * (z * z));
  case 5:
    return z > 0.0 ? z : exp(z) - 1;
  case 6:
    return z > 0.0 ? z : 0.005 * z;
  case 7:
    return z > 0.0 ? 1.0507009873554805 * z
                   : 1.0507009873554805 * 1.6732632423543772 * (exp(z) - 1);
  case 8:
    return 0.2 * log(1 + exp((double)within(5.0 * z, 60)));
  case 12:
    return log(z > 1e-7 ? z : 1e-7);
  case 13:
    return exp((double)within(z, 60));
  default:
    return (double)function_long(function, z);
  }
}

void genome_evaluate(const genome *g, const double *x, double *y) {
  double out[GENOME_NODES];
  for (int n = 0; n < g->nodes; n++) {
    const genome_node *const node = &g->node[n];
    double sum = 0;
    int count = 0;
    for (int l = 0; l < g->links; l++) {
      const genome_link *const link = &g->link[l];
      if (link->target != n || !link->enabled) continue;
      sum += (link->source < 0 ? x[-1 - link->source] : out[link->source]) * link->weight;
      count++;
    }
    if (node->mean) sum /= count;
    out[n] = function_double(node->function, node->bias + node->response * sum);
    if (node->is_output) y[node->id] = out[n];
  }
}

void genome_evaluate_long(const genome *g, const double *x, long double *y) {
  long double out[GENOME_NODES];
  for (int n = 0; n < g->nodes; n++) {
    const genome_node *const node = &g->node[n];
    long double sum = 0;
    int count = 0;
    for (int l = 0; l < g->links; l++) {
      const genome_link *const link = &g->link[l];
      if (link->target != n || !link->enabled) continue;
      sum += (link->source < 0 ? (long double)x[-1 - link->source] : out[link->source]) *
             (long double)link->weight;
      count++;
    }
    if (node->mean) sum /= count;
    out[n] =
        function_long(node->function, (long double)node->bias + (long double)node->response * sum);
    if (node->is_output) y[node->id] = out[n];
  }
}
