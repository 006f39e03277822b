/* How the pass of one sample is shared out: every sum is made once, no step reads or adds to a row that
 * another thread writes in the same stage; a team only where it gains. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/engine_internal.h"

enum { INPUTS = 90, MOST = 60000 };

typedef struct share_case {
  bdag_context *context;
  bdag_network *network;
  bdag_plan *plan;
  bdag_engine *alone, *shared;
  uint64_t random;
  uint32_t vertices, edges, source[MOST], target[MOST];
} share_case;

static uint32_t draw(share_case *c, uint32_t below) {
  c->random = c->random * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(c->random >> 33) % below;
}

static void add_edge(share_case *c, uint32_t u, uint32_t v) {
  cr_assert_lt(c->edges, MOST);
  c->source[c->edges] = u;
  c->target[c->edges++] = v;
}

/* Layers: dense, sparse, or windows; and skips from anywhere. */
static void draw_edges(share_case *c) {
  uint32_t from = 0, count = INPUTS;
  for (uint32_t l = 0; l < 7; l++) {
    const uint32_t to = from + count, next = 1 + draw(c, 110), way = draw(c, 3);
    for (uint32_t r = 0; r < next; r++)
      for (uint32_t k = 0; k < count; k++)
        if (way == 0 || (way == 1 ? draw(c, 5) == 0 : (k + count - r % count) % count < 9))
          add_edge(c, from + k, to + r);
    for (uint32_t i = 0; l > 0 && i < 8; i++) add_edge(c, draw(c, from), to + draw(c, next));
    from = to;
    count = next;
  }
  c->vertices = from + count;
}

static bdag_engine *make_engine(const share_case *c, bdag_axis axis, uint32_t threads) {
  bdag_engine_options options = BDAG_ENGINE_OPTIONS_INIT;
  bdag_engine *engine;
  options.max_batch = 1;
  options.axis = axis;
  options.threads = threads;
  cr_assert_eq(bdag_engine_create(&engine, c->plan, &options, NULL), BDAG_OK);
  return engine;
}

static bdag_context *make_context(uint32_t threads, double flop, const char *machine) {
  bdag_context_options options = BDAG_CONTEXT_OPTIONS_INIT;
  bdag_cost_profile costs = BDAG_COST_PROFILE_INIT;
  bdag_context *context;
  options.threads = threads;
  options.synthetic = machine;
  costs.dense_forward = costs.list_forward = flop;
  cr_assert_eq(bdag_context_create(&context, &options, NULL), BDAG_OK);
  cr_assert_eq(bdag_context_set_costs(context, &costs), BDAG_OK);
  return context;
}

static share_case *open_case(uint64_t seed, uint32_t threads, double flop, const char *machine) {
  static const uint32_t kinds[] = {BDAG_TANH, BDAG_IDENTITY, BDAG_RELU};
  share_case *c = calloc(1, sizeof *c);
  c->random = seed;
  c->context = make_context(threads, flop, machine);
  draw_edges(c);
  cr_assert_eq(bdag_network_create(&c->network, c->context, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_add_inputs(c->network, INPUTS, NULL, NULL), BDAG_OK);
  for (uint32_t v = INPUTS; v < c->vertices; v++) {
    const bdag_activation activation =
        bdag_activation_default(kinds[seed % 2 == 0 ? draw(c, 3) : v / 200 % 3]);
    cr_assert_eq(bdag_network_add_vertices(c->network, 1, &activation, NULL, NULL), BDAG_OK);
  }
  cr_assert_eq(bdag_network_add_edges(c->network, c->edges, c->source, c->target, NULL, NULL, NULL),
               BDAG_OK);
  cr_assert_eq(bdag_plan_create(&c->plan, c->network, NULL, NULL), BDAG_OK);
  c->alone = make_engine(c, BDAG_AXIS_SERIAL, 0);
  c->shared = make_engine(c, BDAG_AXIS_AUTO, 0);
  return c;
}

static void close_case(share_case *c) {
  bdag_engine_destroy(c->alone);
  bdag_engine_destroy(c->shared);
  bdag_plan_release(c->plan);
  bdag_network_destroy(c->network);
  bdag_context_destroy(c->context);
  free(c);
}

/* ---- What the steps do --------------------------------------------------------------------------- */

typedef struct account {
  uint32_t *terms;    /* [rows] of its sum */
  uint32_t *writes;   /* [rows] steps that wrote it: 1 and one for each σ or list by itself */
  uint64_t *finished; /* [rows] activations and copies of in */
  uint32_t *stage;    /* [rows] of the last write, from 1 on */
  uint32_t *thread;
} account;

static account open_account(uint32_t rows) {
  return (account){calloc(rows, sizeof(uint32_t)), calloc(rows, sizeof(uint32_t)),
                   calloc(rows, sizeof(uint64_t)), calloc(rows, sizeof(uint32_t)),
                   calloc(rows, sizeof(uint32_t))};
}

static void close_account(account *a) {
  free(a->terms);
  free(a->writes);
  free(a->finished);
  free(a->stage);
  free(a->thread);
}

/* Rows are there before the stage, or from this thread. */
static void check_read(const share_case *c, const account *a, uint32_t row, uint32_t stage,
                       uint32_t thread) {
  if (row < c->plan->first_neuron) return;
  cr_assert(a->writes[row] > 0, "row %u is read before it is computed", row);
  cr_assert(a->stage[row] < stage || a->thread[row] == thread,
            "row %u is read in stage %u by thread %u, while thread %u writes it", row, stage,
            thread, a->thread[row]);
}

static void note_step(const share_case *c, account *a, const bdag_single_step *step, uint32_t stage,
                      uint32_t thread) {
  const bdag_plan *plan = c->plan;
  const int summed = step->kind == BDAG_SINGLE_PANEL || step->kind == BDAG_SINGLE_UNION;
  for (uint32_t k = 0; summed && k < step->sources; k++)
    check_read(c, a, plan->source[step->list + k], stage, thread);
  for (uint32_t row = step->row; row < step->row + step->targets; row++) {
    const int first =
        step->kind != BDAG_SINGLE_ACTIVATE && step->kind != BDAG_SINGLE_FINITE && !step->adds;
    if (first)
      cr_assert_eq(a->writes[row], 0);
    else
      check_read(c, a, row, stage, thread);
    if (summed) a->terms[row] += step->sources;
    for (uint64_t i = plan->list_offset[row];
         step->kind == BDAG_SINGLE_LISTS && i < plan->list_offset[row + 1]; i++, a->terms[row]++)
      check_read(c, a, plan->list_source[i], stage, thread);
    if (step->kind == BDAG_SINGLE_FINITE) continue;
    a->writes[row]++;
    a->finished[row] += (uint64_t)step->activates << 32 | step->keeps_in;
    a->stage[row] = stage;
    a->thread[row] = thread;
  }
}

static void note_all(const share_case *c, const bdag_engine *engine, account *a) {
  if (engine->single_threads == 1)
    for (uint64_t i = 0; i < engine->single_steps; i++)
      note_step(c, a, &engine->single_step[i], 1, 0);
  uint64_t next = 0;
  for (uint32_t stage = 0; stage < engine->single_stages; stage++)
    for (uint32_t t = 0; t < engine->single_threads && engine->single_threads > 1; t++) {
      const uint64_t *segment =
          engine->single_segment + (uint64_t)stage * engine->single_threads + t;
      cr_assert_eq(segment[0], next);
      cr_assert_leq(segment[0], segment[1]);
      for (; next < segment[1]; next++) note_step(c, a, &engine->single_step[next], stage + 1, t);
    }
  if (engine->single_threads > 1) cr_assert_eq(next, engine->single_steps);
}

static void check_case(const share_case *c) {
  account alone = open_account(c->plan->rows), shared = open_account(c->plan->rows);
  note_all(c, c->alone, &alone);
  note_all(c, c->shared, &shared);
  for (uint32_t row = c->plan->first_neuron; row < c->plan->rows; row++) {
    cr_assert_gt(shared.writes[row], 0);
    cr_assert_eq(shared.terms[row], alone.terms[row]);
    cr_assert_eq(shared.finished[row], alone.finished[row]);
  }
  close_account(&alone);
  close_account(&shared);
}

/* ---- Tests --------------------------------------------------------------------------------------- */

/* Panels of which threads take parts. */
static uint32_t count_parts(const share_case *c) {
  uint32_t parts = 0;
  for (uint64_t i = 0; i < c->shared->single_steps; i++) {
    const bdag_single_step *step = &c->shared->single_step[i];
    parts += step->kind == BDAG_SINGLE_PANEL && step->width > step->targets + 15;
  }
  return parts;
}

Test(single_share, every_sum_is_made_once_and_in_time) {
  uint32_t most_stages = 0, parts = 0;
  for (uint64_t seed = 1; seed <= 40; seed++)
    for (uint32_t threads = 2; threads <= 9; threads += 1 + seed % 3) {
      share_case *c = open_case(seed, threads, 1e-4, "core:9 pu:1");
      cr_assert_eq(c->alone->single_threads, 1);
      cr_assert_eq(c->shared->single_threads, threads);
      check_case(c);
      parts += count_parts(c);
      if (c->shared->single_stages > most_stages) most_stages = c->shared->single_stages;
      close_case(c);
    }
  cr_assert_gt(most_stages, 5);
  cr_assert_gt(parts, 20);
}

/* Stages that are not worth a meeting are one. */
Test(single_share, little_work_is_not_shared) {
  share_case *c = open_case(3, 4, 1e-13, "core:4 pu:1");
  cr_assert_eq(c->shared->single_threads, 1);
  cr_assert_eq(c->shared->single_stages, 0);
  close_case(c);
}

Test(single_share, only_axes_that_allow_it) {
  share_case *c = open_case(4, 4, 1e-4, "core:4 pu:1");
  const bdag_axis axes[] = {BDAG_AXIS_TILES, BDAG_AXIS_SERIAL, BDAG_AXIS_VERTICES, BDAG_AXIS_AUTO};
  for (int i = 0; i < 4; i++) {
    bdag_engine *engine = make_engine(c, axes[i], 0);
    cr_assert_eq(engine->single_threads, i < 2 ? 1 : 4);
    bdag_engine_destroy(engine);
    engine = make_engine(c, axes[i], 1);
    cr_assert_eq(engine->single_threads, 1);
    bdag_engine_destroy(engine);
  }
  close_case(c);
}

/* A chain has nothing to share, however dear it is. */
Test(single_share, chains_have_one_thread) {
  share_case *c = calloc(1, sizeof *c);
  c->context = make_context(4, 1e-4, "core:4 pu:1");
  cr_assert_eq(bdag_network_create(&c->network, c->context, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_add_inputs(c->network, 1, NULL, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_add_vertices(c->network, 200, NULL, NULL, NULL), BDAG_OK);
  for (uint32_t v = 0; v < 200; v++) add_edge(c, v, v + 1);
  cr_assert_eq(bdag_network_add_edges(c->network, c->edges, c->source, c->target, NULL, NULL, NULL),
               BDAG_OK);
  cr_assert_eq(bdag_plan_create(&c->plan, c->network, NULL, NULL), BDAG_OK);
  c->alone = make_engine(c, BDAG_AXIS_SERIAL, 0);
  c->shared = make_engine(c, BDAG_AXIS_AUTO, 0);
  cr_assert_eq(c->shared->single_threads, 1);
  close_case(c);
}

/* NaN under padding sends the pass to rows; the next one is as if nothing had been. */
Test(single_share, a_pass_on_a_team_fails_and_goes_on) {
  share_case *c = open_case(5, 3, 1e-4, "core:3 pu:1");
  float x[INPUTS] = {0}, *first, *second;
  bdag_weights *weights;
  cr_assert_eq(bdag_weights_create(&weights, c->plan, c->network, BDAG_FLOAT32, NULL), BDAG_OK);
  for (uint64_t i = 0; i < bdag_network_parameter_count(c->network); i++) {
    const double value = draw(c, 1000) / 2000.0 - 0.25;
    cr_assert_eq(bdag_weights_write(weights, i, 1, &value), BDAG_OK);
  }
  first = calloc(c->vertices, sizeof *first);
  second = calloc(c->vertices, sizeof *second);
  const bdag_array out = {first, BDAG_FLOAT32, c->vertices, 1},
                   again = {second, BDAG_FLOAT32, c->vertices, 1};
  x[7] = 1;
  cr_assert_eq(bdag_forward(c->shared, weights, 1, x, NULL), BDAG_OK);
  cr_assert_eq(bdag_read_vertices(c->shared, BDAG_OUT, c->vertices, NULL, &out), BDAG_OK);
  x[7] = NAN; /* padding meets it: rows decide */
  cr_assert_eq(bdag_forward(c->shared, weights, 1, x, NULL), BDAG_OK);
  x[7] = 1;
  cr_assert_eq(bdag_forward(c->shared, weights, 1, x, NULL), BDAG_OK);
  cr_assert_eq(bdag_read_vertices(c->shared, BDAG_OUT, c->vertices, NULL, &again), BDAG_OK);
  cr_assert_arr_eq(first, second, c->vertices * sizeof *first);
  free(first);
  free(second);
  bdag_weights_release(weights);
  close_case(c);
}
