/* The Loss vertex v_0: sample losses, and out_grad of the vertices in N_loss, which the pulls then add
 * to. in(Loss) is the tuple of its vertices' outputs. May include plan and below. */
#include <string.h>

#include "runtime/trace_internal.h"

/* Where a term's rows of out_grad lie, or those of N_loss for the number of terms. */
static const uint32_t *grad_rows_of(const bdag_engine *engine, uint32_t term) {
  const bdag_plan *plan = engine->plan;
  if (!engine->moves_grad) return term < plan->loss_count ? plan->loss[term].row : plan->loss_row;
  const uint32_t *rows = engine->places.loss_row;
  for (uint32_t t = 0; t < term; t++) rows += plan->loss[t].vertex_count;
  return rows;
}

/* to[i] += factor_s · λ · from[i] for the samples that count. */
static void add_scaled(const bdag_engine *engine, char *to, const char *from, double lambda,
                       const double *factor, uint64_t samples) {
  for (uint64_t s = 0; s < samples; s++) {
    if (factor[s] == 0) continue;
    if (engine->options.type == BDAG_FLOAT32)
      ((float *)to)[s] += (float)(lambda * factor[s] * ((const float *)from)[s]);
    else
      ((double *)to)[s] += lambda * factor[s] * ((const double *)from)[s];
  }
}

static void add_losses(double *to, const double *from, double lambda, const double *factor,
                       uint64_t samples) {
  for (uint64_t s = 0; s < samples; s++)
    if (factor[s] != 0) to[s] += lambda * from[s];
}

/* A user's loss on one tile: its rows are put side by side first. */
static void registered_tile(bdag_engine *engine, uint32_t term, uint64_t tile, int want_grad) {
  const bdag_plan *plan = engine->plan;
  const bdag_plan_loss *loss = &plan->loss[term];
  const uint32_t *grad_row = grad_rows_of(engine, term);
  const size_t row_bytes = engine->tile * engine->element;
  const uint64_t first = tile * engine->tile, samples = bdag_tile_samples(engine, tile);
  const char *rows = bdag_tile_rows(engine, engine->out, tile, plan->rows);
  const char *targets = bdag_tile_rows(engine, engine->targets, tile, (uint32_t)plan->target_count);
  double *losses = bdag_engine_scratch(engine);
  char *out = (char *)(losses + engine->tile);
  char *grad = out + loss->vertex_count * row_bytes;
  for (uint32_t i = 0; i < loss->vertex_count; i++)
    memcpy(out + i * row_bytes, rows + loss->row[i] * row_bytes, row_bytes);
  memset(grad, 0, loss->vertex_count * row_bytes);
  memset(losses, 0, samples * sizeof *losses);
  const bdag_loss_view view = {
      .type = engine->options.type,
      .vertex_count = loss->vertex_count,
      .sample_first = first,
      .sample_count = samples,
      .stride = engine->tile,
      .out = out,
      .targets = loss->target_count > 0 ? targets + loss->target_first * row_bytes : NULL,
      .sample_weight = engine->sample_weight + first,
      .out_grad = grad,
      .loss = losses,
  };
  if (loss->callback(loss->user, &view)) {
    bdag_engine_fail(engine, BDAG_ERROR_CALLBACK, BDAG_NONE, first, BDAG_NONE);
    return;
  }
  add_losses(engine->sample_loss + first, losses, loss->weight, engine->factor + first, samples);
  if (!want_grad) return;
  char *out_grad = bdag_grad_rows(engine, engine->out_grad, tile);
  for (uint32_t i = 0; i < loss->vertex_count; i++)
    add_scaled(engine, out_grad + grad_row[i] * row_bytes, grad + i * row_bytes, loss->weight,
               engine->factor + first, samples);
}

static void built_in_tile(bdag_engine *engine, uint32_t term, uint64_t tile, int want_grad) {
  const bdag_plan *plan = engine->plan;
  const bdag_plan_loss *loss = &plan->loss[term];
  const size_t row_bytes = engine->tile * engine->element;
  const uint64_t first = tile * engine->tile;
  const char *targets = bdag_tile_rows(engine, engine->targets, tile, (uint32_t)plan->target_count);
  const bdag_loss_job job = {
      .kind = loss->kind,
      .vertex_count = loss->vertex_count,
      .row = loss->row,
      .rows = bdag_tile_rows(engine, engine->out, tile, plan->rows),
      .row_stride = engine->tile,
      .targets = targets + loss->target_first * row_bytes,
      .target_stride = engine->tile,
      .grad_row = grad_rows_of(engine, term),
      .grad = want_grad ? bdag_grad_rows(engine, engine->out_grad, tile) : NULL,
      .lambda = loss->weight,
      .parameter = loss->parameter,
      .count = bdag_tile_samples(engine, tile),
      .factor = engine->factor + first,
      .loss = engine->sample_loss + first,
      .scratch = bdag_engine_scratch(engine),
  };
  size_t bad_sample = 0, bad_column = 0;
  const bdag_status status = engine->kernels->loss(&job, &bad_sample, &bad_column);
  if (status == BDAG_OK) return;
  const uint32_t at = bad_column < loss->vertex_count ? (uint32_t)bad_column : 0;
  bdag_engine_fail(engine, status, plan->vertex_of_row[loss->row[at]], first + bad_sample,
                   loss->target_first + bad_column);
}

/* Rows of one term in batch_rows: out, targets, out_grad, each [vertex][batch]. */
static char *batch_rows_of(const bdag_engine *engine, uint32_t term, size_t *stride) {
  const bdag_plan *plan = engine->plan;
  uint64_t before = 0;
  for (uint32_t t = 0; t < term; t++)
    if (plan->loss[t].whole_batch) before += plan->loss[t].vertex_count;
  *stride = (size_t)(engine->tiles * engine->tile);
  return engine->batch_rows + 3 * before * *stride * engine->element;
}

static void registered_batch(bdag_engine *engine, uint32_t term) {
  const bdag_plan *plan = engine->plan;
  const bdag_plan_loss *loss = &plan->loss[term];
  const size_t row_bytes = engine->tile * engine->element;
  size_t stride;
  char *out = batch_rows_of(engine, term, &stride);
  const size_t block = loss->vertex_count * stride * engine->element;
  char *targets = out + block, *grad = targets + block;
  for (uint64_t tile = 0; tile < engine->batch_tiles; tile++) {
    const char *rows = bdag_tile_rows(engine, engine->out, tile, plan->rows);
    const char *given = bdag_tile_rows(engine, engine->targets, tile, (uint32_t)plan->target_count);
    for (uint32_t i = 0; i < loss->vertex_count; i++) {
      const size_t to = (i * stride + tile * engine->tile) * engine->element;
      memcpy(out + to, rows + loss->row[i] * row_bytes, row_bytes);
      if (loss->target_count > 0)
        memcpy(targets + to, given + (loss->target_first + i) * row_bytes, row_bytes);
    }
  }
  memset(grad, 0, block);
  memset(engine->batch_loss, 0, engine->batch * sizeof *engine->batch_loss);
  const bdag_loss_view view = {
      .type = engine->options.type,
      .vertex_count = loss->vertex_count,
      .sample_first = 0,
      .sample_count = engine->batch,
      .stride = stride,
      .out = out,
      .targets = loss->target_count > 0 ? targets : NULL,
      .sample_weight = engine->sample_weight,
      .out_grad = grad,
      .loss = engine->batch_loss,
  };
  if (loss->callback(loss->user, &view))
    bdag_engine_fail(engine, BDAG_ERROR_CALLBACK, BDAG_NONE, BDAG_NONE, BDAG_NONE);
  else
    add_losses(engine->sample_loss, engine->batch_loss, loss->weight, engine->factor,
               engine->batch);
}

void bdag_loss_batch(bdag_engine *engine) {
  const uint64_t begin = bdag_trace_begin(engine);
  for (uint32_t t = 0; t < engine->plan->loss_count; t++)
    if (engine->plan->loss[t].whole_batch) registered_batch(engine, t);
  bdag_trace_end(engine, begin, BDAG_TRACE_LOSS, BDAG_NO_TASK, 0, engine->batch_tiles, 0);
}

static void add_batch_grad(bdag_engine *engine, uint32_t term, uint64_t tile) {
  const bdag_plan_loss *loss = &engine->plan->loss[term];
  const uint64_t first = tile * engine->tile;
  size_t stride;
  const char *rows = batch_rows_of(engine, term, &stride);
  const char *grad = rows + 2 * loss->vertex_count * stride * engine->element;
  const uint32_t *grad_row = grad_rows_of(engine, term);
  char *out_grad = bdag_grad_rows(engine, engine->out_grad, tile);
  for (uint32_t i = 0; i < loss->vertex_count; i++)
    add_scaled(engine, out_grad + grad_row[i] * engine->tile * engine->element,
               grad + (i * stride + first) * engine->element, loss->weight, engine->factor + first,
               bdag_tile_samples(engine, tile));
}

void bdag_loss_tile(bdag_engine *engine, uint64_t tile, int want_grad) {
  const uint64_t begin = bdag_trace_begin(engine);
  const bdag_plan *plan = engine->plan;
  const size_t row_bytes = engine->tile * engine->element;
  if (want_grad) {
    const uint32_t *row = grad_rows_of(engine, plan->loss_count);
    char *out_grad = bdag_grad_rows(engine, engine->out_grad, tile);
    for (uint32_t i = 0; i < plan->loss_row_count; i++)
      memset(out_grad + row[i] * row_bytes, 0, row_bytes);
  }
  for (uint32_t t = 0; t < plan->loss_count && !bdag_engine_failed(engine); t++) {
    const bdag_plan_loss *loss = &plan->loss[t];
    if (!loss->registered)
      built_in_tile(engine, t, tile, want_grad);
    else if (!loss->whole_batch)
      registered_tile(engine, t, tile, want_grad);
    else if (want_grad)
      add_batch_grad(engine, t, tile);
  }
  bdag_trace_end(engine, begin, BDAG_TRACE_LOSS, BDAG_NO_TASK, tile, 1, 0);
}

double bdag_loss_total(const bdag_engine *engine) {
  double total = 0;
  for (uint64_t s = 0; s < engine->batch; s++)
    if (engine->factor[s] != 0) total += engine->factor[s] * engine->sample_loss[s];
  return total;
}
