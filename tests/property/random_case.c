/* See random_case.h. */
#include "random_case.h"

#include <math.h>
#include <stdlib.h>

#include "custom_functions.h"
#include "dice.h"
#include "random_network.h"

enum { SAMPLE_ATTEMPTS = 8, NETWORK_ATTEMPTS = 100 };

bdag_status property_world_create(property_world *world, bdag_error *error) {
  return property_world_create_with(world, NULL, error);
}

bdag_status property_world_create_with(property_world *world, const bdag_allocator *allocator,
                                       bdag_error *error) {
  bdag_context_options options = BDAG_CONTEXT_OPTIONS_INIT;
  options.allocator = allocator;
  options.threads = 8;
  options.oversubscribe = 1;
  world->context = NULL;
  bdag_status status = bdag_context_create(&world->context, &options, error);
  if (status == BDAG_OK) status = custom_register(world->context, &world->custom, error);
  return status;
}

void property_world_destroy(property_world *world) {
  bdag_context_destroy(world->context);
}

static double rounded(const random_case *c, double value) {
  return c->engine.type == BDAG_FLOAT32 ? (double)(float)value : value;
}

static void draw_options(random_case *c, dice *dice) {
  const double scales[] = {0.3, 1, 2};
  const uint32_t tiles[] = {0, 0, 16, 32, 48, 64, 128, 256};
  const uint32_t groups[] = {0, 0, 1, 2, 3, 8, 64};
  c->scale = scales[dice_below(dice, 3)];
  c->plan = (bdag_plan_options)BDAG_PLAN_OPTIONS_INIT;
  c->plan.granularity = (bdag_granularity)dice_below(dice, 2);
  c->plan.amalgamation = (bdag_amalgamation)dice_below(dice, 3);
  c->plan.tile = tiles[dice_below(dice, sizeof tiles / sizeof *tiles)];
  c->plan.accumulation_groups = groups[dice_below(dice, sizeof groups / sizeof *groups)];
  c->engine = (bdag_engine_options)BDAG_ENGINE_OPTIONS_INIT;
  c->engine.type = dice_chance(dice, 0.5) ? BDAG_FLOAT32 : BDAG_FLOAT64;
  c->engine.axis = (bdag_axis)dice_below(dice, 5);
  c->engine.threads = (uint32_t)dice_between(dice, 1, 8);
  c->engine.deterministic = dice_chance(dice, 0.3);
  c->engine.keep = dice_chance(dice, 0.3) ? c->engine.keep : BDAG_KEEP_ALL;
  if (dice_chance(dice, 0.8)) c->engine.keep |= BDAG_KEEP_INPUT_GRAD;
  if (dice_chance(dice, 0.2))
    c->engine.keep = BDAG_KEEP_WEIGHT_GRAD; /* rows give way to each other */
  c->handed_in_enumeration = dice_chance(dice, 0.1);
  c->arrays = dice_chance(dice, 0.3);
  c->accumulated = c->arrays && dice_chance(dice, 0.4);
  c->poisoned = dice_chance(dice, 0.5);
}

static size_t draw_samples(dice *dice) {
  const size_t edges[] = {1, 2, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 130};
  if (dice_chance(dice, 0.4)) return edges[dice_below(dice, sizeof edges / sizeof *edges)];
  return dice_between(dice, 1, dice_chance(dice, 0.5) ? 20 : RANDOM_MAX_BATCH);
}

static double draw_target(const random_case *c, const oracle_loss_term *term, dice *dice) {
  const double uniform = dice_uniform(dice);
  if (term->custom == NULL && term->kind == BDAG_BINARY_CROSS_ENTROPY)
    return uniform < 0.2 ? 0 : uniform < 0.4 ? 1 : rounded(c, dice_uniform(dice));
  if (term->custom == NULL && term->kind == BDAG_CLASS_CROSS_ENTROPY)
    return (double)dice_below(dice, term->n);
  if (term->custom == NULL && term->kind == BDAG_DISTRIBUTION_CROSS_ENTROPY)
    return uniform < 0.3 ? 0 : rounded(c, uniform);
  return rounded(c, dice_normal(dice));
}

/* Of samples of weight 0, half have NaN in x, and all in the targets. */
static void draw_sample(random_case *c, size_t s, uint64_t stream) {
  dice dice = dice_make(c->seed, stream);
  double *x = c->x + s * c->oracle.input_count, *y = c->targets + s * c->oracle.target_count;
  for (size_t i = 0; i < c->oracle.input_count; i++) x[i] = rounded(c, dice_normal(&dice));
  for (size_t t = 0; t < c->oracle.term_count; t++) {
    const oracle_loss_term *term = &c->oracle.term[t];
    for (size_t i = 0; i < term->target_count; i++)
      y[term->target_first + i] = draw_target(c, term, &dice);
  }
  if (c->weight[s] != 0) return;
  if (c->oracle.input_count > 0 && dice_chance(&dice, 0.5))
    x[dice_below(&dice, c->oracle.input_count)] = NAN;
  for (size_t i = 0; i < c->oracle.target_count; i++) y[i] = NAN;
}

static void draw_weights(random_case *c, dice *dice) {
  const size_t samples = c->batch.samples;
  const int weighted = dice_chance(dice, 0.5);
  double sum = 0;
  for (size_t s = 0; s < samples; s++) {
    c->weight[s] = !weighted ? 1 : dice_chance(dice, 0.2) ? 0 : 0.1 + 2 * dice_uniform(dice);
    sum += c->weight[s];
  }
  if (sum == 0) sum = c->weight[0] = 1;
  c->null_weights = !weighted;
  const bdag_normalization normalization = bdag_network_get_normalization(c->network);
  c->batch.normalizer = normalization == BDAG_NORMALIZE_WEIGHTS ? sum
                        : normalization == BDAG_NORMALIZE_ONE   ? 1
                                                                : 0.5 + 10 * dice_uniform(dice);
}

static void solve(random_case *c) {
  oracle_run(&c->pass, &c->oracle, &c->batch);
  majorant_run(&c->bound, &c->oracle, &c->batch, &c->pass,
               c->engine.type == BDAG_FLOAT32 ? &PRECISION_FLOAT32 : &PRECISION_FLOAT64);
}

/* Draws the samples that are not fine again. Returns their number. */
static size_t repair(random_case *c, uint64_t stream, verdict *worst) {
  size_t count = 0;
  *worst = SAMPLE_FINE;
  for (size_t s = 0; s < c->batch.samples; s++) {
    const verdict verdict = c->bound.sample[s];
    if (verdict == SAMPLE_FINE) continue;
    if (verdict > *worst) *worst = verdict;
    draw_sample(c, s, stream + s);
    count++;
  }
  return count;
}

static void free_draw(random_case *c) {
  bdag_network_destroy(c->network);
  oracle_network_free(&c->oracle);
  oracle_pass_free(&c->pass);
  majorant_free(&c->bound);
  free(c->x);
  free(c->targets);
  free(c->weight);
  c->network = NULL;
  c->x = c->targets = c->weight = NULL;
}

/* One network with its batch. Returns the worst verdict that remains after all attempts. */
static verdict draw_once(random_case *c, uint64_t attempt, dice *dice) {
  const size_t samples = c->batch.samples = draw_samples(dice);
  c->engine.max_batch = samples + dice_below(dice, 3) * 20;
  c->x = oracle_zeros(samples * c->oracle.input_count, sizeof *c->x);
  c->targets = oracle_zeros(samples * c->oracle.target_count, sizeof *c->targets);
  c->weight = oracle_zeros(samples, sizeof *c->weight);
  draw_weights(c, dice);
  c->batch = (oracle_batch){samples, c->x, c->targets, c->weight, c->batch.normalizer};
  for (size_t s = 0; s < samples; s++) draw_sample(c, s, (attempt + 1) << 32 | s);
  for (uint64_t round = 1;; round++) {
    verdict worst;
    solve(c);
    const size_t again = repair(c, (attempt + 1) << 32 | round << 16, &worst);
    if (again == 0 || round == SAMPLE_ATTEMPTS) return worst;
    c->samples_near_kink += worst == SAMPLE_NEAR_KINK ? (unsigned)again : 0;
    c->samples_too_large += worst == SAMPLE_TOO_LARGE ? (unsigned)again : 0;
    oracle_pass_free(&c->pass);
    majorant_free(&c->bound);
  }
}

bdag_status random_case_draw(random_case *c, const property_world *world, uint64_t seed,
                             bdag_error *error) {
  *c = (random_case){.seed = seed};
  dice options = dice_make(seed, UINT64_MAX); /* the same for all attempts: none may be preferred */
  draw_options(c, &options);
  for (uint64_t attempt = 0; attempt < NETWORK_ATTEMPTS; attempt++) {
    dice dice = dice_make(seed, attempt);
    bdag_status status =
        random_network(&c->network, world->context, &world->custom, c->scale, &dice, error);
    if (status != BDAG_OK) return status;
    if (oracle_import(&c->oracle, c->network, c->engine.type, &world->custom) != 0)
      return BDAG_ERROR_UNKNOWN_ID;
    const verdict verdict = draw_once(c, attempt, &dice);
    if (verdict == SAMPLE_FINE) return BDAG_OK;
    c->networks_near_kink += verdict == SAMPLE_NEAR_KINK;
    c->networks_too_large += verdict == SAMPLE_TOO_LARGE;
    free_draw(c);
  }
  return BDAG_ERROR_LIMIT;
}

void random_case_free(random_case *c) {
  free_draw(c);
}
