/* The graphs of tasks whose METG is measured. */
#ifndef BENCH_METG_GRAPH_H
#define BENCH_METG_GRAPH_H

#include "case_graph.h"

typedef enum bench_metg_shape {
  BENCH_METG_CHAINS,
  BENCH_METG_STENCIL,
  BENCH_METG_RANDOM,
  BENCH_METG_SHAPES
} bench_metg_shape;
extern const char *const bench_metg_names[BENCH_METG_SHAPES];

/* Vertices in `rows` rows of `width`, the first row inputs. Chains: each vertex reads the one above; a
 * stencil: also that one's neighbours; random: two of the last 2·width vertices, drawn by `seed`. */
bench_graph *bench_metg_graph(bench_metg_shape shape, uint32_t width, uint32_t rows, double weight,
                              uint64_t seed);

#endif
