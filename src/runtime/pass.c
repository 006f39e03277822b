/* The passes on one tile, as the note has them.
 * Forward:  in(v) = bias(v) + Σ_{u→v} w(u→v)·out(u), out(v) = σ_v(in(v)), panels in order of rows.
 * Backward: out_grad(u) = Σ_{u→v} w(u→v)·in_grad(v) (plus what Loss gave), in_grad = out_grad·σ′(in),
 *           ∂L/∂w(u→v) = in_grad(v)·out(u), rows in descending order.
 * May include plan and below. */
#include <math.h>
#include <string.h>

#include "network/activation.h"
#include "runtime/engine_internal.h"

/* Rows that a step reads and writes, and how many lanes of them. */
typedef struct bdag_step {
  bdag_engine *engine;
  const bdag_plan *plan;
  char *out, *in, *out_grad, *in_grad; /* first rows of the tile */
  size_t row_bytes, lanes;
  uint64_t tile;
} bdag_step;

static bdag_step step_of(bdag_engine *engine, uint64_t tile) {
  const bdag_plan *plan = engine->plan;
  bdag_step step = {.engine = engine, .plan = plan, .tile = tile};
  step.row_bytes = engine->tile * engine->element;
  step.lanes = bdag_tile_lanes(engine, tile);
  step.out = bdag_tile_rows(engine, engine->out, tile, plan->rows);
  step.in = bdag_tile_rows(engine, engine->in, tile, engine->in_rows);
  if (engine->out_grad != NULL) {
    step.out_grad = bdag_tile_rows(engine, engine->out_grad, tile, plan->rows);
    step.in_grad = bdag_tile_rows(engine, engine->in_grad, tile, plan->rows);
  }
  return step;
}

static const char *slots_from(const bdag_engine *engine, uint64_t slot) {
  return (const char *)engine->weights->slots + slot * engine->element;
}

/* First of the kept `in` rows of rows row …, or NULL. */
static char *in_rows_of(const bdag_step *step, uint32_t row, uint32_t in_row) {
  if (step->engine->in_full) return step->in + (row - step->plan->first_neuron) * step->row_bytes;
  return in_row == BDAG_NO_ROW ? NULL : step->in + in_row * step->row_bytes;
}

/* ---- Forward ------------------------------------------------------------------------------------- */

static void activate_registered(const bdag_step *step, const bdag_panel *panel, const char *in,
                                char *out) {
  const bdag_registered_activation *activation =
      bdag_context_activation(step->engine->context, panel->activation);
  for (uint32_t r = 0; r < panel->targets; r++) {
    const int failed = activation->functions.value(
        activation->functions.user, step->engine->options.type, panel->activation_parameter,
        step->lanes, in + r * step->row_bytes, out + r * step->row_bytes);
    if (failed)
      bdag_engine_fail(step->engine, BDAG_ERROR_CALLBACK, step->plan->vertex_of_row[panel->row + r],
                       BDAG_NONE, BDAG_NONE);
  }
}

static void activate(const bdag_step *step, const bdag_panel *panel, const char *in, char *out) {
  const bdag_engine *engine = step->engine;
  if (panel->activation >= BDAG_ACTIVATION_REGISTERED) {
    activate_registered(step, panel, in, out);
    return;
  }
  if (panel->activation == BDAG_IDENTITY && in == out) return;
  const int together = step->lanes == engine->tile;
  const uint32_t runs = together ? 1 : panel->targets;
  const size_t count = together ? panel->targets * step->lanes : step->lanes;
  for (uint32_t r = 0; r < runs; r++)
    engine->kernels->activate(panel->activation, panel->activation_parameter,
                              in + r * step->row_bytes, out + r * step->row_bytes, count);
}

static void forward_panel(const bdag_step *step, const bdag_panel *panel) {
  const bdag_engine *engine = step->engine;
  char *out = step->out + panel->row * step->row_bytes;
  char *kept = in_rows_of(step, panel->row, panel->in_row);
  char *in = kept != NULL ? kept : out;
  /* a registered activation may not work in place */
  if (kept == NULL && panel->activation >= BDAG_ACTIVATION_REGISTERED) in = NULL;
  bdag_panel_job job = {
      .weight = slots_from(engine, panel->slot),
      .source_step = panel->targets,
      .target_step = 1,
      .source = step->plan->source + panel->list,
      .sources = panel->sources,
      .targets = panel->targets,
      .rows = step->out,
      .row_stride = engine->tile,
      .target = in,
      .count = step->lanes,
      .initial = slots_from(engine, panel->row - step->plan->first_neuron),
  };
  if (in != NULL) {
    engine->kernels->panel(&job);
    activate(step, panel, in, out);
    return;
  }
  bdag_panel one = *panel;
  one.targets = 1;
  for (uint32_t r = 0; r < panel->targets; r++, one.row++) {
    job.targets = 1;
    job.weight = slots_from(engine, panel->slot + r);
    job.initial = slots_from(engine, one.row - step->plan->first_neuron);
    job.target = bdag_engine_scratch(engine);
    engine->kernels->panel(&job);
    activate_registered(step, &one, job.target, step->out + one.row * step->row_bytes);
  }
}

void bdag_forward_task(bdag_engine *engine, uint32_t task, uint64_t tile) {
  const bdag_step step = step_of(engine, tile);
  const bdag_task *work = &step.plan->task[task];
  for (uint32_t p = work->panel; p < work->panel + work->panels; p++)
    forward_panel(&step, &step.plan->panel[p]);
}

/* ---- Backward ------------------------------------------------------------------------------------ */

/* out_grad of the group's rows: the sum over their successors, dense terms first. */
static void pull_group(const bdag_step *step, const bdag_pull_group *group) {
  const bdag_engine *engine = step->engine;
  const bdag_plan *plan = step->plan;
  char *out_grad = step->out_grad + group->row * step->row_bytes;
  for (uint32_t i = 0; i < group->terms; i++) {
    const bdag_pull_term *term = &plan->term[group->term + i];
    const bdag_panel_job job = {
        .weight = slots_from(engine, term->slot),
        .source_step = 1,
        .target_step = term->successors,
        .source = plan->iota + term->successor,
        .sources = term->successors,
        .targets = group->rows,
        .rows = step->in_grad,
        .row_stride = engine->tile,
        .target = out_grad,
        .count = step->lanes,
        .initial = i == 0 && !group->in_loss ? engine->zeros : NULL,
    };
    engine->kernels->panel(&job);
  }
  if (group->terms == 0 && !group->in_loss) memset(out_grad, 0, group->rows * step->row_bytes);
  if (group->listed == 0) return;
  const bdag_pull_job job = {
      .weights = engine->weights->slots,
      .slot = plan->successor_slot + group->list,
      .successor = plan->successor + group->list,
      .successors = group->listed,
      .rows = step->in_grad,
      .row_stride = engine->tile,
      .target = out_grad,
      .count = step->lanes,
  };
  engine->kernels->pull(&job);
}

/* in_grad = out_grad · σ′ with the user's σ′; 0 where out_grad is 0, whatever σ′ is. */
static void derive_registered(const bdag_step *step, const bdag_pull_group *group, uint32_t r,
                              const char *in, const char *out, const char *out_grad,
                              char *in_grad) {
  bdag_engine *engine = step->engine;
  const bdag_registered_activation *activation =
      bdag_context_activation(engine->context, group->activation);
  void *slope = bdag_engine_scratch(engine);
  if (activation->functions.derivative(activation->functions.user, engine->options.type,
                                       group->activation_parameter, step->lanes, in, out, slope)) {
    bdag_engine_fail(engine, BDAG_ERROR_CALLBACK, step->plan->vertex_of_row[group->row + r],
                     BDAG_NONE, BDAG_NONE);
    return;
  }
  for (size_t s = 0; s < step->lanes; s++) {
    if (engine->options.type == BDAG_FLOAT32) {
      const float g = ((const float *)out_grad)[s];
      ((float *)in_grad)[s] = g == 0 ? 0 : g * ((const float *)slope)[s];
    } else {
      const double g = ((const double *)out_grad)[s];
      ((double *)in_grad)[s] = g == 0 ? 0 : g * ((const double *)slope)[s];
    }
  }
}

static void derive_group(const bdag_step *step, const bdag_pull_group *group) {
  const bdag_engine *engine = step->engine;
  const size_t first = group->row * step->row_bytes;
  const char *kept = in_rows_of(step, group->row, group->in_row);
  const int registered = group->activation >= BDAG_ACTIVATION_REGISTERED;
  const int together = step->lanes == engine->tile && !registered;
  const uint32_t runs = together ? 1 : group->rows;
  const size_t count = together ? group->rows * step->lanes : step->lanes;
  for (uint32_t r = 0; r < runs; r++) {
    const size_t at = first + r * step->row_bytes;
    const char *in = kept != NULL ? kept + r * step->row_bytes : NULL;
    if (registered)
      derive_registered(step, group, r, in, step->out + at, step->out_grad + at,
                        step->in_grad + at);
    else
      engine->kernels->derive(group->activation, group->activation_parameter, in, step->out + at,
                              step->out_grad + at, step->in_grad + at, count);
  }
}

/* Sums over the samples with c_s ≠ 0 only, so that what the others hold cannot spread. */
static double masked_dot(const bdag_step *step, const char *in_grad, const char *out) {
  const double *weight = step->engine->sample_weight + step->tile * step->engine->tile;
  const uint64_t samples = bdag_tile_samples(step->engine, step->tile);
  double sum = 0;
  for (uint64_t s = 0; s < samples; s++) {
    if (weight[s] == 0) continue;
    if (step->engine->options.type == BDAG_FLOAT32)
      sum += (double)((const float *)in_grad)[s] * (out != NULL ? ((const float *)out)[s] : 1.0f);
    else
      sum += ((const double *)in_grad)[s] * (out != NULL ? ((const double *)out)[s] : 1.0);
  }
  return sum;
}

static void put(const bdag_step *step, char *gradient, uint64_t slot, double value,
                int accumulate) {
  if (step->engine->options.type == BDAG_FLOAT32) {
    float *at = (float *)gradient + slot;
    *at = (float)(accumulate ? *at + value : value);
  } else {
    double *at = (double *)gradient + slot;
    *at = accumulate ? *at + value : value;
  }
}

static void masked_weight_grad(const bdag_step *step, const bdag_panel *panel, char *gradient,
                               int accumulate) {
  for (uint32_t k = 0; k < panel->sources; k++) {
    const char *out = step->out + step->plan->source[panel->list + k] * step->row_bytes;
    for (uint32_t r = 0; r < panel->targets; r++) {
      const char *in_grad = step->in_grad + (panel->row + r) * step->row_bytes;
      put(step, gradient, panel->slot + (uint64_t)k * panel->targets + r,
          masked_dot(step, in_grad, out), accumulate);
    }
  }
}

static void gradients_of_panel(const bdag_step *step, const bdag_panel *panel, char *gradient,
                               int accumulate) {
  const bdag_engine *engine = step->engine;
  const char *in_grad = step->in_grad + panel->row * step->row_bytes;
  for (uint32_t r = 0; r < panel->targets; r++)
    put(step, gradient, panel->row + r - step->plan->first_neuron,
        engine->kernels->row_sum(in_grad + r * step->row_bytes, step->lanes), accumulate);
  if (engine->has_left_out[step->tile]) {
    masked_weight_grad(step, panel, gradient, accumulate);
    return;
  }
  const bdag_weight_grad_job job = {
      .gradient = gradient + panel->slot * engine->element,
      .source_step = panel->targets,
      .target_step = 1,
      .source = step->plan->source + panel->list,
      .sources = panel->sources,
      .targets = panel->targets,
      .rows = step->out,
      .target = in_grad,
      .row_stride = engine->tile,
      .count = step->lanes,
      .accumulate = accumulate,
  };
  engine->kernels->weight_grad(&job);
}

void bdag_backward_task(bdag_engine *engine, uint32_t task, uint64_t tile, uint32_t group,
                        int accumulate) {
  const bdag_step step = step_of(engine, tile);
  const bdag_plan *plan = step.plan;
  const bdag_task *work = &plan->task[task];
  char *gradient = engine->gradient + group * plan->slot_count * engine->element;
  for (uint32_t i = work->pulls; i-- > 0;) {
    pull_group(&step, &plan->pull[work->pull + i]);
    derive_group(&step, &plan->pull[work->pull + i]);
  }
  for (uint32_t p = work->panel; p < work->panel + work->panels; p++)
    if (plan->panel[p].reaches) gradients_of_panel(&step, &plan->panel[p], gradient, accumulate);
}

void bdag_backward_inputs(bdag_engine *engine, uint64_t tile) {
  const bdag_step step = step_of(engine, tile);
  const bdag_plan *plan = step.plan;
  for (uint32_t i = plan->pulls - plan->input_pulls; i < plan->pulls; i++) {
    const bdag_pull_group *group = &plan->pull[i];
    pull_group(&step, group);
    const size_t at = group->row * step.row_bytes;
    if (step.in_grad != step.out_grad)
      memcpy(step.in_grad + at, step.out_grad + at, group->rows * step.row_bytes);
  }
}
