/* Draws a network in the DOT language: inputs at the top, Loss at the bottom. Floor 5: may include
 * base, network. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include <backdag/io.h>

#include "base/error.h"
#include "base/memory.h"
#include "io/number.h"
#include "network/network_internal.h"

typedef struct drawing {
  const bdag_network *network;
  FILE *stream;
  uint8_t *is_output, *in_loss; /* [vertex_count] */
  double largest;               /* |weight| */
} drawing;

/* Text within double quotes. */
static void put_escaped(FILE *stream, const char *text) {
  for (; *text != '\0'; text++) {
    if (*text == '"' || *text == '\\') fputc('\\', stream);
    fputc(*text, stream);
  }
}

static void put_number(FILE *stream, double value) {
  char text[bdag_number_size];
  bdag_number_print(text, BDAG_FLOAT64, value);
  fputs(text, stream);
}

static int edge_removed(const bdag_network *network, uint64_t edge) {
  return network->edge_flags != NULL && (network->edge_flags[edge] & BDAG_EDGE_REMOVED) != 0;
}

static double weight_of(const bdag_network *network, uint64_t edge) {
  const uint64_t parameter = bdag_network_edge_parameter(network, edge);
  return network->value != NULL ? network->value[parameter] : 0.0;
}

static void put_vertex(const drawing *d, uint32_t v) {
  const bdag_network *const network = d->network;
  const uint8_t kind = network->vertex_kind[v];
  fprintf(d->stream, "  v%" PRIu32 " [label=\"%" PRId64, v,
          network->key != NULL ? network->key[v] : (int64_t)v);
  if (kind == BDAG_VERTEX_INPUT) {
    fputs("\\ninput\", shape=box, style=filled, fillcolor=\"#d9ead3\"", d->stream);
  } else if (kind == BDAG_VERTEX_CONSTANT) {
    fputs("\\n", d->stream);
    put_number(d->stream, network->activation_parameter[v]);
    fputs("\", shape=diamond, style=filled, fillcolor=\"#eeeeee\"", d->stream);
  } else {
    fputs("\\n", d->stream);
    put_escaped(d->stream, bdag_activation_name(network->context, network->activation[v]));
    fputs("\"", d->stream);
  }
  fputs(d->is_output[v] ? ", peripheries=2];\n" : "];\n", d->stream);
}

static void put_vertices(const drawing *d) {
  const bdag_network *const network = d->network;
  fputs("  { rank=source;", d->stream);
  for (uint64_t i = 0; i < network->input_count; i++) {
    fprintf(d->stream, " v%" PRIu32 ";", network->input[i]);
  }
  fputs(" }\n", d->stream);
  for (uint32_t v = 0; v < network->vertex_count; v++) {
    if (!network->vertex_removed[v]) put_vertex(d, v);
  }
}

/* Blue adds, red subtracts; the width goes with the size. */
static void put_edges(const drawing *d) {
  const bdag_network *const network = d->network;
  for (uint64_t e = 0; e < network->edge_count; e++) {
    if (edge_removed(network, e)) continue;
    const double weight = weight_of(network, e);
    const double share = d->largest > 0 ? fabs(weight) / d->largest : 0;
    fprintf(d->stream,
            "  v%" PRIu32 " -> v%" PRIu32 " [color=\"%s\", penwidth=", network->source[e],
            network->target[e],
            weight > 0   ? "#2166ac"
            : weight < 0 ? "#b2182b"
                         : "#999999");
    put_number(d->stream, round(50 + 300 * share) / 100);
    fputs(", tooltip=\"", d->stream);
    put_number(d->stream, weight);
    fputs(bdag_network_edge_active(network, e) ? "\"];\n" : "\", style=dashed];\n", d->stream);
  }
}

static void put_loss(const drawing *d) {
  const bdag_network *const network = d->network;
  if (network->loss_count == 0) return;
  fputs("  loss [label=\"Loss", d->stream);
  for (uint64_t t = 0; t < network->loss_count; t++) {
    fputs("\\n", d->stream);
    put_escaped(d->stream, bdag_loss_name(network->context, network->loss[t].kind));
  }
  fputs(
      "\", shape=box, style=\"rounded,filled\", fillcolor=\"#f4cccc\"];\n  { rank=sink; loss; }\n",
      d->stream);
  for (uint32_t v = 0; v < network->vertex_count; v++) {
    if (d->in_loss[v]) fprintf(d->stream, "  v%" PRIu32 " -> loss [style=dotted];\n", v);
  }
}

/* Marks outputs and vertices of the loss; returns the number of arrows. */
static uint64_t look_around(drawing *d) {
  const bdag_network *const network = d->network;
  uint64_t arrows = 0;
  for (uint64_t e = 0; e < network->edge_count; e++) {
    if (edge_removed(network, e)) continue;
    arrows++;
    d->largest = fmax(d->largest, fabs(weight_of(network, e)));
  }
  for (uint32_t i = 0; i < network->output_count; i++) d->is_output[network->output[i].vertex] = 1;
  for (uint64_t t = 0; t < network->loss_count; t++) {
    const bdag_stored_loss *const loss = &network->loss[t];
    for (uint32_t i = 0; i < loss->vertex_count; i++) {
      arrows += !d->in_loss[loss->vertices[i]];
      d->in_loss[loss->vertices[i]] = 1;
    }
  }
  return arrows;
}

bdag_status bdag_network_write_dot(const bdag_network *network, FILE *stream, uint64_t max_edges,
                                   bdag_error *error) {
  if (network == NULL || stream == NULL) {
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT, "network and stream must not be NULL");
  }
  const bdag_context *const context = network->context;
  const uint64_t limit = max_edges > 0 ? max_edges : 2000;
  bdag_status status = BDAG_OK;
  drawing d = {.network = network, .stream = stream};
  d.is_output = bdag_allocate_zeroed(context, network->vertex_count, 1);
  d.in_loss = bdag_allocate_zeroed(context, network->vertex_count, 1);
  if (d.is_output == NULL || d.in_loss == NULL) {
    status = bdag_fail_memory(error);
    goto fail;
  }
  const uint64_t arrows = look_around(&d);
  if (arrows > limit) {
    status = bdag_fail(error, BDAG_ERROR_LIMIT,
                       "a picture of %" PRIu64 " edges would not be readable; at most %" PRIu64
                       " are drawn, ask for more if you want them",
                       arrows, limit);
    goto fail;
  }
  fputs("digraph network {\n  rankdir=TB;\n  node [shape=ellipse, fontname=\"sans-serif\"];\n"
        "  edge [arrowsize=0.6];\n",
        stream);
  put_vertices(&d);
  put_edges(&d);
  put_loss(&d);
  fputs("}\n", stream);
  if (fflush(stream) != 0 || ferror(stream)) {
    status = bdag_fail(error, BDAG_ERROR_IO, "the picture could not be written to the stream");
  }
fail:
  bdag_free(context, d.in_loss);
  bdag_free(context, d.is_output);
  return status;
}
