/* Random genomes of neat-python: written as that library exports them, and evaluated straight from its
 * definition, sharing no code with the library under test. */
#ifndef TEST_NEAT_GENOME_H
#define TEST_NEAT_GENOME_H

#include <stdint.h>

enum {
  GENOME_INPUTS = 6,
  GENOME_NODES = 40,
  GENOME_LINKS = 400,
  GENOME_TEXT = 1 << 17,
  GENOME_FUNCTIONS = 18
};

typedef struct genome_node {
  int64_t id;
  int function, is_output, mean;
  double bias, response;
} genome_node;

typedef struct genome_link {
  int source; /* a node, or −1 − (an input) */
  int target;
  double weight;
  int enabled;
} genome_link;

/* Nodes stand in an order in which they can be evaluated. */
typedef struct genome {
  int inputs, nodes, links, outputs;
  genome_node node[GENOME_NODES];
  genome_link link[GENOME_LINKS];
} genome;

/* Draws a genome. Over the seeds every function occurs; `smooth` leaves only those that are easily
 * trained. */
void genome_draw(genome *genome, uint64_t seed, int smooth);
/* Its JSON text: nodes in evaluation order, then inputs. */
void genome_write(const genome *genome, char text[GENOME_TEXT]);
/* Outputs for one sample, in double and in long double. */
void genome_evaluate(const genome *genome, const double *x, double *y);
void genome_evaluate_long(const genome *genome, const double *x, long double *y);

#endif
