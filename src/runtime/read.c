/* Reading what a pass left: rows of one vertex, matrices of many, gradients by edge, vertex and
 * parameter, in the floating-point mode of a pass. May include plan and below. */
#include "runtime/engine_internal.h"
#include "runtime/float_mode.h"

static const uint32_t keep_flag[] = {BDAG_KEEP_OUT, BDAG_KEEP_IN, BDAG_KEEP_OUT_GRAD,
                                     BDAG_KEEP_IN_GRAD};

static bdag_status check_quantity(bdag_engine *engine, bdag_quantity quantity) {
  if (engine == NULL || (unsigned)quantity > BDAG_IN_GRAD) return BDAG_ERROR_INVALID_ARGUMENT;
  if (!(engine->options.keep & keep_flag[quantity])) return BDAG_ERROR_NOT_KEPT;
  const int gradient = quantity == BDAG_OUT_GRAD || quantity == BDAG_IN_GRAD;
  if (!(gradient ? engine->backward_done : engine->forward_done)) return BDAG_ERROR_ORDER;
  bdag_spread_single(engine);
  return BDAG_OK;
}

/* The row of a vertex in a tile. NULL: it is zero; *kept 0: not computed. */
static const char *find_row(bdag_engine *engine, bdag_quantity quantity, uint32_t vertex,
                            uint64_t tile, int *kept) {
  const bdag_plan *plan = engine->plan;
  const uint32_t row = plan->row_of_vertex[vertex];
  const size_t row_bytes = engine->tile * engine->element;
  *kept = 1;
  if (row == BDAG_NO_ROW) return NULL;
  const int is_input = row < plan->first_neuron;
  if (quantity == BDAG_OUT || (quantity == BDAG_IN && is_input))
    return bdag_tile_rows(engine, engine->out, tile, plan->rows) + row * row_bytes;
  if (quantity == BDAG_IN)
    return bdag_tile_rows(engine, engine->in, tile, engine->in_rows) +
           (row - plan->first_neuron) * row_bytes;
  if (!plan->reaches[row]) return NULL;
  for (uint32_t i = 0; is_input && i < plan->constant_count; i++)
    if (plan->constant_row[i] == row) return NULL;
  if (is_input && !(engine->options.keep & BDAG_KEEP_INPUT_GRAD)) {
    *kept = 0;
    return NULL;
  }
  char *rows = quantity == BDAG_OUT_GRAD ? engine->out_grad : engine->in_grad;
  return bdag_tile_rows(engine, rows, tile, plan->rows) + row * row_bytes;
}

static void copy_row(const bdag_engine *engine, const char *row, uint64_t tile,
                     const bdag_array *to, uint64_t column) {
  const uint64_t first = tile * engine->tile;
  for (uint64_t s = 0; s < bdag_tile_samples(engine, tile); s++) {
    const double value = row == NULL                            ? 0.0
                         : engine->options.type == BDAG_FLOAT32 ? ((const float *)row)[s]
                                                                : ((const double *)row)[s];
    const ptrdiff_t at =
        (ptrdiff_t)(first + s) * to->sample_stride + (ptrdiff_t)column * to->vertex_stride;
    if (to->type == BDAG_FLOAT32)
      ((float *)to->data)[at] = (float)value;
    else
      ((double *)to->data)[at] = value;
  }
}

bdag_status bdag_read_vertices(bdag_engine *engine, bdag_quantity quantity, uint64_t count,
                               const uint32_t *vertices, const bdag_array *destination) {
  const bdag_status status = check_quantity(engine, quantity);
  if (status != BDAG_OK) return status;
  if (destination == NULL || destination->data == NULL ||
      (destination->type != BDAG_FLOAT32 && destination->type != BDAG_FLOAT64))
    return BDAG_ERROR_INVALID_ARGUMENT;
  for (uint64_t i = 0; i < count; i++) {
    const uint64_t vertex = vertices != NULL ? vertices[i] : i;
    int kept;
    if (vertex >= engine->plan->network_vertices) return BDAG_ERROR_UNKNOWN_ID;
    find_row(engine, quantity, (uint32_t)vertex, 0, &kept);
    if (!kept && vertices != NULL) return BDAG_ERROR_NOT_KEPT;
  }
  const uint64_t saved = bdag_float_mode_enter(engine->flush_to_zero);
  for (uint64_t i = 0; i < count; i++)
    for (uint64_t tile = 0; tile < engine->batch_tiles; tile++) {
      const uint32_t vertex = vertices != NULL ? vertices[i] : (uint32_t)i;
      int kept;
      copy_row(engine, find_row(engine, quantity, vertex, tile, &kept), tile, destination, i);
    }
  bdag_float_mode_leave(saved);
  return BDAG_OK;
}

bdag_status bdag_read_row(bdag_engine *engine, bdag_quantity quantity, uint32_t vertex,
                          uint64_t tile, const void **row, uint64_t *samples) {
  const bdag_status status = check_quantity(engine, quantity);
  if (status != BDAG_OK) return status;
  if (row == NULL || samples == NULL || tile >= engine->batch_tiles)
    return BDAG_ERROR_INVALID_ARGUMENT;
  if (vertex >= engine->plan->network_vertices) return BDAG_ERROR_UNKNOWN_ID;
  int kept;
  const char *found = find_row(engine, quantity, vertex, tile, &kept);
  if (!kept) return BDAG_ERROR_NOT_KEPT;
  *row = found != NULL ? found : engine->zeros;
  *samples = bdag_tile_samples(engine, tile);
  return BDAG_OK;
}

/* ---- Gradients ----------------------------------------------------------------------------------- */

static bdag_status check_gradient(const bdag_engine *engine, const void *gradient, uint64_t first,
                                  uint64_t count, uint64_t known) {
  if (engine == NULL || (gradient == NULL && count > 0)) return BDAG_ERROR_INVALID_ARGUMENT;
  if (!(engine->options.keep & BDAG_KEEP_WEIGHT_GRAD)) return BDAG_ERROR_NOT_KEPT;
  if (!engine->backward_done) return BDAG_ERROR_ORDER;
  return first > known || count > known - first ? BDAG_ERROR_UNKNOWN_ID : BDAG_OK;
}

/* Whether a slot's gradient is computed: its target reaches Loss. */
static int slot_is_live(const bdag_plan *plan, uint64_t slot) {
  if (slot < plan->panel_slot) {
    const uint64_t row = slot - plan->bias_slot + plan->first_neuron;
    return slot >= plan->bias_slot && row < plan->rows && plan->reaches[row] && plan->has_bias[row];
  }
  if (slot >= plan->edge_base) return slot - plan->edge_base <= plan->live_slots;
  uint32_t low = 0, high = plan->panels;
  while (high - low > 1) {
    const uint32_t middle = low + (high - low) / 2;
    if (plan->panel[middle].slot <= slot)
      low = middle;
    else
      high = middle;
  }
  return plan->panel[low].reaches;
}

static void put_slot(const bdag_engine *engine, uint64_t slot, void *gradient, uint64_t i) {
  const bdag_plan *plan = engine->plan;
  const int live = slot < plan->slot_count && slot_is_live(plan, slot);
  const double scale = plan->indirect && live ? plan->slot_scale[slot] : 1.0;
  if (engine->options.type == BDAG_FLOAT32)
    ((float *)gradient)[i] = live ? (float)scale * ((const float *)engine->gradient)[slot] : 0;
  else
    ((double *)gradient)[i] = live ? scale * ((const double *)engine->gradient)[slot] : 0;
}

bdag_status bdag_read_weight_grad(bdag_engine *engine, uint64_t first, uint64_t count,
                                  void *gradient) {
  const bdag_status status = check_gradient(engine, gradient, first, count,
                                            engine != NULL ? engine->plan->network_edges : 0);
  if (status != BDAG_OK) return status;
  const uint64_t saved = bdag_float_mode_enter(engine->flush_to_zero);
  for (uint64_t i = 0; i < count; i++)
    put_slot(engine, bdag_plan_slot_of_edge(engine->plan, first + i), gradient, i);
  bdag_float_mode_leave(saved);
  return BDAG_OK;
}

bdag_status bdag_read_bias_grad(bdag_engine *engine, uint64_t first, uint64_t count,
                                void *gradient) {
  const bdag_status status = check_gradient(engine, gradient, first, count,
                                            engine != NULL ? engine->plan->network_vertices : 0);
  if (status != BDAG_OK) return status;
  const uint64_t saved = bdag_float_mode_enter(engine->flush_to_zero);
  for (uint64_t i = 0; i < count; i++) {
    const uint32_t row = engine->plan->row_of_vertex[first + i];
    const int neuron = row != BDAG_NO_ROW && row >= engine->plan->first_neuron;
    put_slot(engine,
             neuron ? engine->plan->bias_slot + row - engine->plan->first_neuron : BDAG_NONE,
             gradient, i);
  }
  bdag_float_mode_leave(saved);
  return BDAG_OK;
}

bdag_status bdag_read_parameter_grad(bdag_engine *engine, uint64_t first, uint64_t count,
                                     void *gradient) {
  const bdag_status status = check_gradient(engine, gradient, first, count,
                                            engine != NULL ? engine->plan->network_parameters : 0);
  if (status != BDAG_OK) return status;
  for (uint64_t i = 0; i < count; i++) {
    if (!engine->plan->indirect) {
      put_slot(engine, bdag_plan_state_of_parameter(engine->plan, first + i), gradient, i);
    } else if (engine->options.type == BDAG_FLOAT32) {
      ((float *)gradient)[i] = ((const float *)engine->state_gradient)[first + i];
    } else {
      ((double *)gradient)[i] = ((const double *)engine->state_gradient)[first + i];
    }
  }
  return BDAG_OK;
}
