/* The backward pass, as the note has it, on some tiles of a batch:
 * out_grad(u) = Σ_{u→v} w(u→v)·in_grad(v) (plus what Loss gave), in_grad = out_grad·σ′(in),
 * ∂L/∂w(u→v) = in_grad(v)·out(u), rows from the last to the first.
 * May include plan and below. */
#include <string.h>

#include "network/activation.h"
#include "runtime/step.h"

/* Where rows begin that are moved by so many. Row 0 itself may lie outside of the buffer then. */
static inline char *moved(char *rows, int64_t by, size_t row_bytes) {
  return (char *)((uintptr_t)rows + (uintptr_t)by * row_bytes);
}

static bdag_step backward_step(bdag_engine *engine, const bdag_grad_task *places, uint64_t tile) {
  bdag_step step = step_of(engine, tile);
  step.grad = bdag_grad_rows(engine, engine->in_grad, tile);
  char *out_grad = engine->out_grad + (step.grad - engine->in_grad);
  step.out_grad = moved(out_grad, places->own, step.row_bytes);
  step.in_grad = moved(step.grad, places->own, step.row_bytes);
  step.listed_grad = moved(step.grad, places->listed, step.row_bytes);
  step.places = places;
  return step;
}

/* That of a later tile among those that a task takes, whose gradients follow each other. */
static inline bdag_step step_after(const bdag_step *first, uint64_t tiles) {
  const bdag_engine *engine = first->engine;
  const size_t grad = tiles * engine->grad_rows * first->row_bytes;
  bdag_step step = *first;
  step.out += tiles * step.plan->rows * step.row_bytes;
  step.in += tiles * engine->in_rows * step.row_bytes;
  step.out_grad += grad;
  step.in_grad += grad;
  step.listed_grad += grad;
  step.grad += grad;
  step.tile += tiles;
  step.lanes = bdag_tile_lanes(engine, step.tile);
  return step;
}

/* The same, without a copy of the first one, which would wait for its stores. */
static inline const bdag_step *step_at(const bdag_step *first, uint64_t tiles, bdag_step *room) {
  if (tiles == 0) return first;
  *room = step_after(first, tiles);
  return room;
}

/* in_grad as far as a panel's targets are concerned. */
static inline char *panel_grad(const bdag_step *step, uint32_t panel) {
  const bdag_engine *engine = step->engine;
  const int64_t by = engine->moves_grad ? engine->places.panel[panel] : 0;
  return moved(step->grad, by, step->row_bytes);
}

static void pull_without_padding(const bdag_step *step, const bdag_pull_group *group) {
  const bdag_plan *plan = step->plan;
  for (uint32_t r = 0; r < group->rows; r++) {
    char *target = step->out_grad + plan->sweep_row[group->first + r] * step->row_bytes;
    if (group->from_zero) set_row(step, target, step->engine->zeros);
    for (uint32_t i = 0; i < group->terms; i++) {
      const bdag_pull_term *term = &plan->term[group->term + i];
      for (uint32_t k = 0; k < term->successors; k++) {
        const uint64_t slot = term->slot + (uint64_t)((int64_t)r * term->step) + k;
        const bdag_panel *panel = &plan->panel[term->panel];
        if (!is_hole(plan, panel->hole, panel->holes, slot))
          add_term(step, target, slots_from(step->engine, slot), plan->iota + term->successor + k,
                   panel_grad(step, term->panel));
      }
    }
  }
}

/* Whether padding of the group's panels would meet an in_grad that is not finite. */
static int padding_leaks(const bdag_step *step, const bdag_pull_group *group) {
  for (uint32_t i = 0; i < group->terms; i++) {
    const bdag_pull_term *term = &step->plan->term[group->term + i];
    const char *in_grad = panel_grad(step, term->panel) + term->successor * step->row_bytes;
    if (step->plan->panel[term->panel].holes > 0 && !rows_finite(step, in_grad, term->successors))
      return 1;
  }
  return 0;
}

/* out_grad of the group's rows: the sum over the targets of the panels that read them. */
static void pull_group(const bdag_step *step, const bdag_pull_group *group) {
  const bdag_engine *engine = step->engine;
  const bdag_plan *plan = step->plan;
  /* what Loss gave would be lost if the sums had to be done again */
  if (!group->from_zero && padding_leaks(step, group)) {
    pull_without_padding(step, group);
    return;
  }
  const uint32_t *rows = plan->sweep_row + group->first;
  const uint64_t limit = step->places->row_limit - group->first;
  int padded = 0;
  for (uint32_t r = group->rows; r < 2 * group->rows && r < limit; r++)
    prefetch_read(step->out + rows[r] * step->row_bytes, step->row_bytes);
  for (uint32_t i = 0; i < group->terms; i++) {
    const bdag_pull_term *term = &plan->term[group->term + i];
    const bdag_panel_job job = {
        .weight = slots_from(engine, term->slot),
        .source_step = 1,
        .target_step = term->step,
        .source = plan->iota + term->successor,
        .sources = term->successors,
        .targets = group->rows,
        .rows = panel_grad(step, term->panel),
        .row_stride = engine->tile,
        .target = step->out_grad,
        .target_row = rows,
        .target_limit = limit < UINT32_MAX ? (uint32_t)limit : UINT32_MAX,
        .count = step->lanes,
        .initial = i == 0 && group->from_zero ? engine->zeros : NULL,
    };
    engine->kernels->panel(&job);
    padded |= plan->panel[term->panel].holes > 0;
  }
  for (uint32_t r = 0; padded && group->from_zero && r < group->rows; r++) {
    if (rows_finite(step, step->out_grad + rows[r] * step->row_bytes, 1)) continue;
    pull_without_padding(step, group);
    return;
  }
}

/* Sums over the samples with c_s ≠ 0 only, so that what the others hold cannot spread. `grad`: in_grad. */
static double masked_dot(const bdag_step *step, const char *grad, uint32_t target,
                         uint32_t source) {
  const double *weight = step->engine->sample_weight + step->tile * step->engine->tile;
  const uint64_t samples = bdag_tile_samples(step->engine, step->tile);
  const char *in_grad = grad + target * step->row_bytes;
  const char *out = step->out + source * step->row_bytes;
  double sum = 0;
  for (uint64_t s = 0; s < samples; s++) {
    if (weight[s] == 0) continue;
    sum += step->engine->options.type == BDAG_FLOAT32
               ? (double)((const float *)in_grad)[s] * (double)((const float *)out)[s]
               : ((const double *)in_grad)[s] * ((const double *)out)[s];
  }
  return sum;
}

static void put(const bdag_engine *engine, char *gradient, uint64_t index, double value,
                int accumulate) {
  if (engine->options.type == BDAG_FLOAT32) {
    float *at = (float *)gradient + index;
    *at = (float)(accumulate ? *at + value : value);
  } else {
    double *at = (double *)gradient + index;
    *at = accumulate ? *at + value : value;
  }
}

static char *gradient_from(const bdag_engine *engine, const bdag_gradient *gradient,
                           uint64_t slot) {
  return gradient->weights + (slot - gradient->first) * engine->element;
}

static void masked_sweep(const bdag_step *step, const bdag_sweep_group *group,
                         const bdag_gradient *gradient, int accumulate) {
  const bdag_plan *plan = step->plan;
  char *to = gradient_from(step->engine, gradient, group->slot);
  uint64_t slot = 0;
  for (uint64_t i = group->first; i < group->first + group->rows; i++)
    for (uint64_t e = plan->sweep_offset[i]; e < plan->sweep_offset[i + 1]; e++)
      put(step->engine, to, slot++,
          masked_dot(step, step->listed_grad, plan->sweep_successor[e], plan->sweep_row[i]),
          accumulate);
}

/* The rest of out_grad and the weight gradients of irregular edges; σ′ too if `derive` is not NULL. */
static void sweep_group(const bdag_step *step, const bdag_sweep_group *group,
                        const bdag_gradient *gradient, int accumulate, int pulls,
                        const bdag_derive_job *derive) {
  const bdag_engine *engine = step->engine;
  const bdag_plan *plan = step->plan;
  const int masked = engine->has_left_out[step->tile];
  const bdag_sweep_job job = {
      .weights = slots_from(engine, group->slot),
      .gradient = masked ? NULL : gradient_from(engine, gradient, group->slot),
      .successor = plan->sweep_successor,
      .offset = plan->sweep_offset + group->first,
      .row = plan->sweep_row + group->first,
      .rows = group->rows,
      .row_limit = step->places->row_limit - group->first,
      .out = step->out,
      .in_grad = step->listed_grad,
      .out_grad = pulls ? step->out_grad : NULL,
      .row_stride = engine->tile,
      .count = step->lanes,
      .from_zero = group->from_zero,
      .accumulate = accumulate,
      .ahead = engine->ahead,
      .limit = step->places->entry_limit,
      .derive = derive,
  };
  if (pulls || !masked) engine->kernels->sweep(&job);
  if (masked) masked_sweep(step, group, gradient, accumulate);
}

/* ---- Bundles ------------------------------------------------------------------------------------- */

/* What all bundles of a group have in common. */
static bdag_bundle_job bundle_job(const bdag_step *step, const bdag_sweep_group *group) {
  const bdag_engine *engine = step->engine;
  return (bdag_bundle_job){
      .row_stride = engine->tile,
      .out_tile_step = (size_t)step->plan->rows * engine->tile,
      .grad_tile_step = (size_t)engine->grad_rows * engine->tile,
      .from_zero = group->from_zero,
  };
}

static inline void take_bundle(bdag_bundle_job *job, const bdag_step *step,
                               const bdag_bundle *bundle) {
  const bdag_plan *plan = step->plan;
  job->weights = slots_from(step->engine, bundle->slot);
  job->successor = plan->sweep_successor + bundle->entry;
  job->row = plan->sweep_row + bundle->first;
  job->successors = bundle->successors;
  job->rows = bundle->rows;
  job->ramps = bundle->ramps;
  job->row_limit = step->places->row_limit - bundle->first;
  job->unchecked = bundle->holes == 0;
}

static inline void take_rows(bdag_bundle_job *job, const bdag_step *step) {
  job->out = step->out;
  job->in_grad = step->listed_grad;
  job->out_grad = step->out_grad;
}

static void pull_bundle_without_padding(const bdag_step *step, const bdag_bundle *bundle) {
  const bdag_plan *plan = step->plan;
  for (uint32_t r = 0; r < bundle->rows; r++) {
    char *target = step->out_grad + plan->sweep_row[bundle->first + r] * step->row_bytes;
    set_row(step, target, step->engine->zeros);
    uint64_t slot = bundle->slot;
    for (uint32_t k = 0; k < bundle->successors; k++) {
      const bdag_span span = bdag_span_of(&bundle->ramps, bundle->rows, bundle->successors, k);
      const uint64_t at = slot + r - span.first;
      if (r >= span.first && r < span.end && !is_hole(plan, bundle->hole, bundle->holes, at))
        add_term(step, target, slots_from(step->engine, at),
                 plan->sweep_successor + bundle->entry + k, step->listed_grad);
      slot += span.end - span.first;
    }
  }
}

static void pull_bundle(const bdag_step *step, const bdag_bundle *bundle, bdag_bundle_job *job) {
  take_rows(job, step);
  job->count = step->lanes;
  const int finite = step->engine->kernels->bundle_pull(job);
  if (!finite) pull_bundle_without_padding(step, bundle);
}

static void masked_bundle(const bdag_step *step, const bdag_bundle *bundle,
                          const bdag_gradient *gradient, int accumulate) {
  const bdag_plan *plan = step->plan;
  char *to = gradient_from(step->engine, gradient, bundle->slot);
  uint64_t cell = 0;
  for (uint32_t k = 0; k < bundle->successors; k++) {
    const bdag_span span = bdag_span_of(&bundle->ramps, bundle->rows, bundle->successors, k);
    for (uint32_t r = span.first; r < span.end; r++)
      put(step->engine, to, cell++,
          masked_dot(step, step->listed_grad, plan->sweep_successor[bundle->entry + k],
                     plan->sweep_row[bundle->first + r]),
          accumulate);
  }
}

/* How many tiles from first_tile on hold no left-out samples. */
static uint64_t whole_tiles(const bdag_engine *engine, uint64_t first_tile, uint64_t most) {
  uint64_t tiles = 0;
  while (tiles < most && !engine->has_left_out[first_tile + tiles]) tiles++;
  return tiles;
}

static void bundle_gradients(const bdag_step *first, const bdag_bundle *bundle,
                             bdag_bundle_job *job, uint64_t tiles, const bdag_gradient *gradient,
                             int accumulate) {
  const bdag_engine *engine = first->engine;
  job->gradient = gradient_from(engine, gradient, bundle->slot);
  job->count = engine->tile;
  for (uint64_t done = 0; done < tiles;) {
    bdag_step room;
    const bdag_step *step = step_at(first, done, &room);
    const uint64_t some = whole_tiles(engine, step->tile, tiles - done);
    if (some == 0) {
      masked_bundle(step, bundle, gradient, accumulate || done > 0);
      done++;
      continue;
    }
    take_rows(job, step);
    job->tiles = (uint32_t)some;
    job->last_count = bdag_tile_lanes(engine, step->tile + some - 1);
    job->accumulate = accumulate || done > 0;
    engine->kernels->bundle_grad(job);
    done += some;
  }
  if (gradient->is_complete && bundle->holes > 0)
    bdag_zero_holes(engine, bundle->hole, bundle->holes);
}

/* in_grad = out_grad · σ′ with the user's σ′; 0 where out_grad is 0, whatever σ′ is. */
static void derive_registered(const bdag_step *step, const bdag_sweep_group *group, uint32_t row) {
  bdag_engine *engine = step->engine;
  const size_t at = row * step->row_bytes;
  const bdag_registered_activation *activation =
      bdag_context_activation(engine->context, group->activation);
  void *slope = bdag_engine_scratch(engine);
  if (activation->functions.derivative(activation->functions.user, engine->options.type,
                                       group->activation_parameter, step->lanes, kept_in(step, row),
                                       step->out + at, slope)) {
    bdag_engine_fail(engine, BDAG_ERROR_CALLBACK, step->plan->vertex_of_row[row], BDAG_NONE,
                     BDAG_NONE);
    return;
  }
  const char *out_grad = step->out_grad + at;
  char *in_grad = step->in_grad + at;
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

/* Sums of so many rows wait for their places. */
#define SUMMED_ROWS 64u

static void put_sums(const bdag_step *step, uint64_t first, uint32_t rows, const double *sum,
                     const bdag_gradient *gradient, int accumulate) {
  const bdag_plan *plan = step->plan;
  const uint32_t *row = gradient->by_position ? NULL : plan->sweep_row + first;
  const uint64_t from = gradient->by_position ? first - gradient->first_bias : 0;
  if (step->engine->options.type == BDAG_FLOAT32) {
    float *biases = (float *)gradient->biases + from;
    for (uint32_t r = 0; r < rows; r++) {
      float *to = biases + (row != NULL ? row[r] - plan->first_neuron : r);
      *to = (float)(accumulate ? *to + sum[r] : sum[r]);
    }
  } else {
    double *biases = (double *)gradient->biases + from;
    for (uint32_t r = 0; r < rows; r++) {
      double *to = biases + (row != NULL ? row[r] - plan->first_neuron : r);
      *to = accumulate ? *to + sum[r] : sum[r];
    }
  }
}

static void derive_registered_rows(const bdag_step *step, const bdag_sweep_group *group,
                                   uint64_t first, uint32_t rows, double *sum) {
  for (uint32_t r = 0; r < rows; r++) {
    const uint32_t row = step->plan->sweep_row[first + r];
    derive_registered(step, group, row);
    sum[r] = step->engine->kernels->row_sum(step->in_grad + row * step->row_bytes, step->lanes);
  }
}

/* What all rows of a group have in common. */
static bdag_derive_job derive_job(const bdag_step *step, const bdag_sweep_group *group) {
  const bdag_engine *engine = step->engine;
  return (bdag_derive_job){
      .kind = group->activation,
      .parameter = group->activation_parameter,
      .in_row = engine->in_full ? NULL : step->plan->in_row,
      .in_first = step->plan->first_neuron,
      .row_stride = engine->tile,
  };
}

static inline void choose_rows(const bdag_step *step, bdag_derive_job *job, uint64_t first,
                               uint32_t rows, double *sum) {
  job->row = step->plan->sweep_row + first;
  job->rows = rows;
  job->in =
      kept_in(step, job->row[0]) != NULL ? step->in : NULL; /* of all rows of a group or none */
  job->out = step->out;
  job->out_grad = step->out_grad;
  job->in_grad = step->in_grad;
  job->count = step->lanes;
  job->sum = sum;
}

/* σ′ and bias gradients of rows of a group, whose out_grad is complete. */
static void derive_rows(const bdag_step *step, const bdag_sweep_group *group, bdag_derive_job *job,
                        uint64_t first, uint32_t rows, const bdag_gradient *gradient,
                        int accumulate) {
  const int registered = group->activation >= BDAG_ACTIVATION_REGISTERED;
  for (uint32_t done = 0; done < rows; done += SUMMED_ROWS) {
    const uint32_t rest = rows - done, some = rest < SUMMED_ROWS ? rest : SUMMED_ROWS;
    double sum[SUMMED_ROWS];
    if (registered) {
      derive_registered_rows(step, group, first + done, some, sum);
    } else {
      choose_rows(step, job, first + done, some, sum);
      step->engine->kernels->derive(job);
    }
    put_sums(step, first + done, some, sum, gradient, accumulate);
  }
}

/* σ′ and bias gradients of a group, whose out_grad is complete. */
static void finish_group(const bdag_step *step, const bdag_task *task,
                         const bdag_sweep_group *group, const bdag_gradient *gradient,
                         int accumulate, int pulls) {
  const uint32_t *rows = step->plan->sweep_row + group->first;
  if (!task->is_input) {
    if (group->bundles > 0) return;
    bdag_derive_job job = derive_job(step, group);
    derive_rows(step, group, &job, group->first, group->rows, gradient, accumulate);
    return;
  }
  if (!pulls || step->in_grad == step->out_grad) return;
  for (uint32_t r = 0; r < group->rows; r++)
    memcpy(step->in_grad + rows[r] * step->row_bytes, step->out_grad + rows[r] * step->row_bytes,
           step->row_bytes);
}

static void unbundled_group(const bdag_step *step, const bdag_sweep_group *group,
                            const bdag_gradient *gradient, int accumulate, int pulls) {
  const uint32_t *rows = step->plan->sweep_row + group->first;
  if (group->swept)
    sweep_group(step, group, gradient, accumulate, pulls, NULL);
  else
    for (uint32_t r = 0; group->from_zero && pulls && r < group->rows; r++)
      memset(step->out_grad + rows[r] * step->row_bytes, 0, step->row_bytes);
}

/* Whether one kernel can do all of a group. */
static int sweeps_and_derives(const bdag_task *task, const bdag_sweep_group *group) {
  return group->swept && group->bundles == 0 && !group->continues && !task->is_input &&
         group->rows <= SUMMED_ROWS && group->activation < BDAG_ACTIVATION_REGISTERED;
}

static void sweep_and_derive(const bdag_step *step, const bdag_sweep_group *group,
                             const bdag_gradient *gradient, int accumulate) {
  double sum[SUMMED_ROWS];
  bdag_derive_job job = derive_job(step, group);
  choose_rows(step, &job, group->first, group->rows, sum);
  sweep_group(step, group, gradient, accumulate, 1, &job);
  put_sums(step, group->first, group->rows, sum, gradient, accumulate);
}

/* What the rows of one bundle share stays in L1 from the pulls to the gradients. */
static void bundled_group(const bdag_step *first, const bdag_task *task,
                          const bdag_sweep_group *group, uint64_t tiles,
                          const bdag_gradient *gradient, int accumulate, int pulls) {
  const bdag_plan *plan = first->plan;
  bdag_bundle_job job = bundle_job(first, group);
  bdag_derive_job derive = derive_job(first, group);
  for (uint32_t i = group->bundle; i < group->bundle + group->bundles; i++) {
    const bdag_bundle *bundle = &plan->bundle[i];
    prefetch_read(plan->hole + bundle->hole, bundle->holes * sizeof *plan->hole);
    take_bundle(&job, first, bundle);
    for (uint64_t tile = 0; pulls && tile < tiles; tile++) {
      bdag_step room;
      const bdag_step *step = step_at(first, tile, &room);
      pull_bundle(step, bundle, &job);
      if (!task->is_input)
        derive_rows(step, group, &derive, bundle->first, bundle->rows, gradient,
                    accumulate || tile > 0);
    }
    bundle_gradients(first, bundle, &job, tiles, gradient, accumulate);
  }
}

static void backward_rows(const bdag_step *first, const bdag_task *task, uint64_t tiles,
                          const bdag_gradient *gradient, int accumulate) {
  const bdag_plan *plan = first->plan;
  const int pulls = !task->is_input || (first->engine->options.keep & BDAG_KEEP_INPUT_GRAD);
  const uint64_t pulled = pulls && task->pulls > 0 ? tiles : 0;
  for (uint64_t tile = 0; tile < pulled; tile++) {
    bdag_step room;
    const bdag_step *step = step_at(first, tile, &room);
    for (uint32_t i = 0; i < task->pulls; i++) pull_group(step, &plan->pull[task->pull + i]);
  }
  for (uint32_t i = task->first; i < task->first + task->count; i++) {
    const bdag_sweep_group *group = &plan->sweep[i];
    if (group->bundles > 0) bundled_group(first, task, group, tiles, gradient, accumulate, pulls);
    for (uint64_t tile = 0; tile < tiles; tile++) {
      if (group->bundles > 0 && !task->is_input) break;
      bdag_step room;
      const bdag_step *step = step_at(first, tile, &room);
      const int adds = accumulate || tile > 0;
      if (sweeps_and_derives(task, group)) {
        sweep_and_derive(step, group, gradient, adds);
        continue;
      }
      if (group->bundles == 0) unbundled_group(step, group, gradient, adds, pulls);
      if (!group->continues) finish_group(step, task, group, gradient, adds, pulls);
    }
  }
}

static void masked_panel(const bdag_step *step, uint32_t number, const bdag_gradient *gradient,
                         int accumulate) {
  const bdag_panel *panel = &step->plan->panel[number];
  const char *in_grad = panel_grad(step, number);
  char *to = gradient_from(step->engine, gradient, panel->slot);
  for (uint32_t k = 0; k < panel->sources; k++)
    for (uint32_t r = 0; r < panel->targets; r++)
      put(step->engine, to, (uint64_t)k * panel->step + r,
          masked_dot(step, in_grad, panel->row + r, step->plan->source[panel->list + k]),
          accumulate);
}

/* Dot products then take up to a third less time: the transposed form works in whole vectors of targets. */
static int is_small(const bdag_panel *panel) {
  return panel->targets <= 12 && panel->sources <= 16;
}

/* Weight gradients of a dense panel over `tiles` tiles, none of which holds left-out samples. */
static void panel_gradients(const bdag_step *step, uint32_t number, uint64_t tiles,
                            const bdag_gradient *gradient, int accumulate) {
  bdag_engine *engine = step->engine;
  const bdag_panel *panel = &step->plan->panel[number];
  const bdag_weight_grad_job job = {
      .gradient = gradient_from(engine, gradient, panel->slot),
      .source_step = panel->step,
      .source = step->plan->source + panel->list,
      .sources = panel->sources,
      .source_limit = step->plan->sources - panel->list,
      .targets = panel->targets,
      .rows = step->out,
      .target = panel_grad(step, number) + panel->row * step->row_bytes,
      .row_stride = engine->tile,
      .out_tile_step = (size_t)step->plan->rows * engine->tile,
      .grad_tile_step = (size_t)engine->grad_rows * engine->tile,
      .tiles = (uint32_t)tiles,
      .count = engine->tile,
      .last_count = bdag_tile_lanes(engine, step->tile + tiles - 1),
      .accumulate = accumulate,
      .scratch = bdag_engine_scratch(engine),
  };
  if (panel->step % BDAG_ROW_QUANTUM == 0 && !is_small(panel))
    engine->kernels->weight_grad_transposed(&job);
  else
    engine->kernels->weight_grad(&job);
}

/* Lanes between targets and step, which not every kernel writes. */
static void clear_padding(const bdag_engine *engine, const bdag_panel *panel,
                          const bdag_gradient *gradient) {
  const size_t row = panel->step * engine->element, lanes = panel->targets * engine->element;
  char *to = gradient_from(engine, gradient, panel->slot);
  for (uint32_t k = 0; k < panel->sources && lanes < row; k++)
    memset(to + k * row + lanes, 0, row - lanes);
}

static void backward_panels(const bdag_step *first, const bdag_task *task, uint64_t tiles,
                            const bdag_gradient *gradient, int accumulate) {
  const bdag_engine *engine = first->engine;
  for (uint32_t p = task->first; p < task->first + task->count; p++) {
    const bdag_panel *panel = &engine->plan->panel[p];
    if (gradient->by_position) clear_padding(engine, panel, gradient);
    for (uint64_t done = 0; done < tiles;) {
      bdag_step room;
      const bdag_step *step = step_at(first, done, &room);
      const uint64_t rest = tiles - done;
      const uint64_t some =
          whole_tiles(engine, step->tile, rest < engine->chunk_tiles ? rest : engine->chunk_tiles);
      if (some > 0)
        panel_gradients(step, p, some, gradient, accumulate || done > 0);
      else
        masked_panel(step, p, gradient, accumulate || done > 0);
      done += some > 0 ? some : 1;
    }
    if (gradient->is_complete) bdag_zero_holes(engine, panel->hole, panel->holes);
  }
}

/* Without shifts everything ahead may be looked at, or all of the thread's part of a stage. */
static bdag_grad_task places_of(const bdag_engine *engine, uint32_t task) {
  if (engine->moves_grad) return engine->places.task[task];
  if (engine->in_stages) {
    const bdag_reach *reach = &engine->reach[bdag_engine_worker(engine)];
    return (bdag_grad_task){.row_limit = reach->position, .entry_limit = reach->entry};
  }
  return (bdag_grad_task){.row_limit = engine->plan->swept,
                          .entry_limit = engine->plan->live_entries};
}

void bdag_backward_task(bdag_engine *engine, uint32_t task, uint64_t first_tile, uint64_t tiles,
                        uint32_t group) {
  const bdag_task *work = &engine->plan->backward_task[task];
  const bdag_grad_task places = places_of(engine, task);
  bdag_part alone;
  const bdag_part *part = bdag_part_begin(engine, task, group, &alone);
  const uint64_t begin = bdag_trace_begin(engine);
  const bdag_step first = backward_step(engine, &places, first_tile);
  if (work->kind == BDAG_TASK_PANELS)
    backward_panels(&first, work, tiles, &part->to, part->accumulate);
  else
    backward_rows(&first, work, tiles, &part->to, part->accumulate);
  bdag_trace_end(engine, begin, BDAG_TRACE_BACKWARD, task, first_tile, tiles, group);
  bdag_part_end(engine, task, part);
}
