/* A user's activation and two user's losses, once as callbacks for the library and once for the
 * oracle. */
#ifndef PROPERTY_CUSTOM_FUNCTIONS_H
#define PROPERTY_CUSTOM_FUNCTIONS_H

#include <backdag/context.h>

#include "oracle_import.h"

/* σ(z) = p·z/(1 + z²).
 * Tile loss, with targets: ℓ_s = Σ_i log cosh(o_i − y_i).
 * Batch loss, without targets: ℓ_s = Σ_i (o_i − m_i)² with m_i = Σ_s c_s·o_i / Σ_s c_s over the batch,
 * and the gradient 2·(o_i − m_i), which takes m for a constant. */
bdag_status custom_register(bdag_context *context, oracle_custom *custom, bdag_error *error);

/* Which of the losses a term uses. */
int custom_is_tile_loss(const oracle_loss_term *term);
int custom_is_batch_loss(const oracle_loss_term *term);

#endif
