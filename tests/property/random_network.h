/* Random networks through the public building calls. */
#ifndef PROPERTY_RANDOM_NETWORK_H
#define PROPERTY_RANDOM_NETWORK_H

#include <backdag/network.h>

#include "dice.h"
#include "oracle_import.h"

#define RANDOM_MAX_VERTICES 360
#define RANDOM_MAX_DEGREE   160

/* Draws a network: 1 to 360 vertices, in-degree 0 to 160, wired at random, locally, in (nearly) dense
 * layers with skips, as a cascade, or as two layers with a third to a half of the edges between them, or
 * by sliding windows; every activation; biases of their own, shared or none; tied and parallel edges; responses and means;
 * removed and disabled parts; outputs; up to four loss terms that may overlap. Weights have a standard
 * deviation of `scale` by the square root of the in-degree. Numbers other than weights are multiples of
 * 2⁻¹⁰, so that float32 holds them. */
bdag_status random_network(bdag_network **network, bdag_context *context,
                           const oracle_custom *custom, double scale, dice *dice,
                           bdag_error *error);

#endif
