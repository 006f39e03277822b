/* Room for more vertices, edges and parameters, and the checks that several files need. Floor 1. */
#ifndef BDAG_NETWORK_STORAGE_H
#define BDAG_NETWORK_STORAGE_H

#include "network/network_internal.h"

/* Each makes room for that many more, without changing what the network holds. Returns 0, or −1 when
 * out of memory. */
int bdag_network_grow_vertices(bdag_network *network, uint64_t more);
int bdag_network_grow_edges(bdag_network *network, uint64_t more);
int bdag_network_grow_runs(bdag_network *network);
/* Makes the array of values exist, with room for `more` parameters. */
int bdag_network_grow_values(bdag_network *network, uint64_t more);
/* Makes the array of edge flags exist. */
int bdag_network_make_edge_flags(bdag_network *network);
/* Makes the array of keys exist. */
int bdag_network_make_keys(bdag_network *network);

/* Whether a vertex exists and was not removed. */
static inline int bdag_network_has_vertex(const bdag_network *network, uint32_t vertex) {
  return vertex < network->vertex_count && !network->vertex_removed[vertex];
}

/* Non-zero when one of `count` values needs storing, that is, has a bit set. */
int bdag_any_value(uint64_t count, const double *values);

/* Index of the first value that is NaN or infinite, or `count`. */
uint64_t bdag_first_not_finite(uint64_t count, const double *values);

#endif
