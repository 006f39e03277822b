/* Populations: each member's pass is bitwise its own, whatever the others do; what is refused and how
 * members fail; threads, and calls from several threads. */
#include <criterion/criterion.h>
#include <omp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <backdag/backdag.h>

enum { INPUTS = 5, OUTPUTS = 2, BATCH = 37, NETS = 60, MOST_EDGES = 220 };

typedef struct creature {
  bdag_network *network;
  bdag_plan *plan;
  bdag_weights *weights;
  bdag_engine *engine, *alone; /* the same engine twice */
  float y[BATCH * OUTPUTS], y_alone[BATCH * OUTPUTS];
} creature;

typedef struct zoo {
  bdag_context *context;
  uint32_t count;
  creature creatures[NETS];
  bdag_member members[NETS];
  float x[BATCH * INPUTS], targets[BATCH * OUTPUTS];
  double sample_weights[BATCH];
  uint64_t random;
  uint32_t shy; /* a registered activation */
} zoo;

static void ok(bdag_status status) {
  cr_assert_eq(status, BDAG_OK, "%s", bdag_status_string(status));
}

static uint32_t draw(zoo *z, uint32_t below) {
  z->random = z->random * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(z->random >> 33) % below;
}

/* What the registered activation does, if anything. */
static void (*watch)(void);

static int shy_value(void *user, bdag_type type, double parameter, size_t count, const void *in,
                     void *out) {
  if (watch != NULL) watch();
  memcpy(out, in, count * (type == BDAG_FLOAT32 ? sizeof(float) : sizeof(double)));
  return parameter < 0;
}

static int shy_derivative(void *user, bdag_type type, double parameter, size_t count,
                          const void *in, const void *out, void *derivative) {
  for (size_t i = 0; i < count; i++) {
    if (type == BDAG_FLOAT32)
      ((float *)derivative)[i] = 1;
    else
      ((double *)derivative)[i] = 1;
  }
  return 0;
}

/* Teams are never larger than the machine. */
static const char *machine = "core:8 pu:1";

static bdag_context *make_context(uint32_t threads, zoo *z) {
  const bdag_activation_functions functions = {shy_value, shy_derivative, NULL};
  bdag_context_options options = BDAG_CONTEXT_OPTIONS_INIT;
  bdag_context *context;
  options.threads = threads;
  options.synthetic = machine;
  options.oversubscribe = 1;
  ok(bdag_context_create(&context, &options, NULL));
  ok(bdag_context_register_activation(context, "shy", &functions, &z->shy, NULL));
  return context;
}

/* A network of its own size and shape: inputs, hidden neurons, outputs. */
static void draw_network(zoo *z, creature *c, uint32_t hidden) {
  static const uint32_t kinds[] = {BDAG_TANH, BDAG_RELU, BDAG_SIGMOID, BDAG_GAUSSIAN};
  uint32_t source[MOST_EDGES], target[MOST_EDGES], edges = 0;
  double weight[MOST_EDGES];
  ok(bdag_network_create(&c->network, z->context, NULL));
  ok(bdag_network_add_inputs(c->network, INPUTS, NULL, NULL));
  for (uint32_t i = 0; i < hidden; i++) {
    const bdag_activation activation = bdag_activation_default(kinds[draw(z, 4)]);
    ok(bdag_network_add_vertices(c->network, 1, &activation, NULL, NULL));
  }
  ok(bdag_network_add_vertices(c->network, OUTPUTS, NULL, NULL, NULL));
  for (uint32_t v = INPUTS; v < INPUTS + hidden + OUTPUTS; v++)
    for (uint32_t i = 0; i < 3; i++, edges++) {
      source[edges] = draw(z, v < INPUTS + hidden ? v : INPUTS + hidden);
      target[edges] = v;
      weight[edges] = draw(z, 2000) / 1000.0 - 1;
    }
  ok(bdag_network_add_edges(c->network, edges, source, target, weight, NULL, NULL));
  const uint32_t ends[] = {INPUTS + hidden, INPUTS + hidden + 1};
  const bdag_output outputs[] = {{.vertex = ends[0], .read_out = BDAG_READ_OUT_SIGMOID},
                                 {.vertex = ends[1], .read_out = BDAG_READ_OUT_SIGMOID}};
  const bdag_loss_term loss = {BDAG_MEAN_SQUARED_ERROR, OUTPUTS, ends, 1.0, 0};
  ok(bdag_network_set_outputs(c->network, OUTPUTS, outputs, NULL));
  ok(bdag_network_add_loss(c->network, &loss, NULL));
}

static bdag_engine *make_engine(const creature *c) {
  bdag_engine_options options = BDAG_ENGINE_OPTIONS_INIT;
  bdag_engine *engine;
  options.max_batch = BATCH;
  options.axis = BDAG_AXIS_SERIAL;
  ok(bdag_engine_create(&engine, c->plan, &options, NULL));
  return engine;
}

static void finish_creature(zoo *z, uint32_t i) {
  creature *c = &z->creatures[i];
  ok(bdag_plan_create(&c->plan, c->network, NULL, NULL));
  ok(bdag_weights_create(&c->weights, c->plan, c->network, BDAG_FLOAT32, NULL));
  c->engine = make_engine(c);
  c->alone = make_engine(c);
  z->members[i] = (bdag_member)BDAG_MEMBER_INIT;
  z->members[i].engine = c->engine;
  z->members[i].weights = c->weights;
  z->members[i].batch = BATCH - i % 3;
  z->members[i].x = z->x;
  z->members[i].y = c->y;
  z->members[i].targets = z->targets;
  z->members[i].sample_weights = i % 2 ? z->sample_weights : NULL;
}

static zoo *open_zoo(uint32_t threads, uint32_t count, double flop_seconds) {
  zoo *z = calloc(1, sizeof *z);
  bdag_cost_profile costs = BDAG_COST_PROFILE_INIT;
  costs.list_forward = flop_seconds;
  z->random = 7;
  z->context = make_context(threads, z);
  ok(bdag_context_set_costs(z->context, &costs));
  z->count = count;
  for (uint32_t i = 0; i < BATCH * INPUTS; i++) z->x[i] = (float)draw(z, 2000) / 1000 - 1;
  for (uint32_t i = 0; i < BATCH * OUTPUTS; i++) z->targets[i] = (float)draw(z, 100) / 100;
  for (uint32_t i = 0; i < BATCH; i++) z->sample_weights[i] = draw(z, 3);
  for (uint32_t i = 0; i < count; i++) {
    draw_network(z, &z->creatures[i], 3 + draw(z, 60));
    finish_creature(z, i);
  }
  return z;
}

/* A team is always worth it. */
static zoo *open_parallel_zoo(uint32_t threads, uint32_t count) {
  return open_zoo(threads, count, 1e-5);
}

static void close_zoo(zoo *z) {
  for (uint32_t i = 0; i < z->count; i++) {
    creature *c = &z->creatures[i];
    bdag_engine_destroy(c->engine);
    bdag_engine_destroy(c->alone);
    bdag_weights_release(c->weights);
    bdag_plan_release(c->plan);
    bdag_network_destroy(c->network);
  }
  bdag_context_destroy(z->context);
  free(z);
}

/* The member's pass, by its own calls on the other engine. */
static bdag_status alone(const zoo *z, uint32_t i, int predict, int loss, int backward,
                         double *value) {
  const bdag_member *m = &z->members[i];
  creature *c = (creature *)(uintptr_t)&z->creatures[i];
  bdag_status status = predict ? bdag_predict(c->alone, m->weights, m->batch, m->x, c->y_alone)
                               : bdag_forward(c->alone, m->weights, m->batch, m->x, c->y_alone);
  if (status == BDAG_OK && loss) status = bdag_loss(c->alone, m->targets, m->sample_weights, value);
  if (status == BDAG_OK && backward)
    status = bdag_backward(c->alone, m->weights, m->targets, m->sample_weights, value);
  return status;
}

static void same_gradients(const creature *c) {
  float mine[MOST_EDGES], other[MOST_EDGES];
  const uint64_t edges = bdag_network_edge_count(c->network);
  ok(bdag_read_weight_grad(c->engine, 0, edges, mine));
  ok(bdag_read_weight_grad(c->alone, 0, edges, other));
  cr_assert(memcmp(mine, other, edges * sizeof *mine) == 0);
}

typedef bdag_status population_call(bdag_member *members, uint64_t count,
                                    const bdag_population_options *options);

static population_call *const calls[] = {bdag_population_forward, bdag_population_predict,
                                         bdag_population_loss, bdag_population_backward};

static void check_call(zoo *z, int call, uint32_t threads) {
  bdag_population_options options = BDAG_POPULATION_OPTIONS_INIT;
  options.threads = threads;
  for (uint32_t i = 0; i < z->count; i++) {
    memset(z->creatures[i].y, 0xff, sizeof z->creatures[i].y);
    memset(z->creatures[i].y_alone, 0xff, sizeof z->creatures[i].y_alone);
    z->members[i].loss = -1;
    z->members[i].status = BDAG_ERROR_ORDER;
  }
  ok(calls[call](z->members, z->count, threads == 0 ? NULL : &options));
  for (uint32_t i = 0; i < z->count; i++) {
    const creature *c = &z->creatures[i];
    double loss = -1;
    ok(z->members[i].status);
    ok(alone(z, i, call == 1, call == 2, call == 3, &loss));
    cr_assert(memcmp(c->y, c->y_alone, sizeof c->y) == 0, "outputs of member %u", i);
    cr_assert(memcmp(&loss, &z->members[i].loss, sizeof loss) == 0, "loss of member %u", i);
    if (call == 3) same_gradients(c);
  }
}

/* ---- What comes out ------------------------------------------------------------------------------ */

Test(population, is_bitwise_what_single_passes_give) {
  for (uint32_t threads = 1; threads <= 5; threads++) {
    zoo *z = open_parallel_zoo(threads, NETS);
    for (int call = 0; call < 4; call++)
      for (uint32_t asked = 0; asked <= 3; asked++) check_call(z, call, asked);
    close_zoo(z);
  }
}

Test(population, may_be_smaller_than_the_team) {
  for (uint32_t count = 1; count <= 9; count++) {
    zoo *z = open_parallel_zoo(4, count);
    for (int call = 0; call < 4; call++) check_call(z, call, 0);
    close_zoo(z);
  }
}

Test(population, needs_no_outputs_wanted) {
  zoo *z = open_parallel_zoo(2, 3);
  for (uint32_t i = 0; i < 3; i++) z->members[i].y = NULL;
  ok(bdag_population_loss(z->members, 3, NULL));
  for (uint32_t i = 0; i < 3; i++) {
    double loss;
    ok(alone(z, i, 0, 1, 0, &loss));
    cr_assert_eq(loss, z->members[i].loss);
  }
  close_zoo(z);
}

Test(population, of_nobody_is_fine) {
  ok(bdag_population_forward(NULL, 0, NULL));
  zoo *z = open_parallel_zoo(2, 1);
  for (int call = 0; call < 4; call++) ok(calls[call](z->members, 0, NULL));
  close_zoo(z);
}

static atomic_uint threads_seen;
static _Thread_local int was_seen;

static void see_thread(void) {
  if (!was_seen) atomic_fetch_add(&threads_seen, 1);
  was_seen = 1;
  usleep(2000);
}

/* Instead of the last neuron's activation: one that is watched, or that fails. */
static void make_shy(zoo *z, uint32_t i, double parameter) {
  creature *c = &z->creatures[i];
  bdag_engine_destroy(c->engine);
  bdag_engine_destroy(c->alone);
  bdag_weights_release(c->weights);
  bdag_plan_release(c->plan);
  const bdag_activation activation = {z->shy, parameter};
  const uint32_t last = (uint32_t)bdag_network_vertex_count(c->network) - 1;
  ok(bdag_network_set_activations(c->network, 1, &last, &activation, NULL));
  finish_creature(z, i);
}

Test(population, is_shared_out_over_the_team) {
  zoo *z = open_parallel_zoo(3, 12);
  for (uint32_t i = 0; i < 12; i++) make_shy(z, i, 0);
  watch = see_thread;
  ok(bdag_population_forward(z->members, 12, NULL));
  cr_assert_eq(atomic_load(&threads_seen), 3);
  watch = NULL;
  close_zoo(z);
}

/* One member sleeps; whoever is free takes the others, those of the sleeper too. */
static atomic_int sleeper, finished, finished_meanwhile;

static void sleep_once(void) {
  if (atomic_exchange(&sleeper, 0)) {
    for (int i = 0; i < 5000 && atomic_load(&finished) < 11; i++) usleep(1000);
    atomic_store(&finished_meanwhile, atomic_load(&finished));
  } else {
    atomic_fetch_add(&finished, 1);
  }
}

Test(population, is_taken_over_from_a_thread_that_sleeps) {
  zoo *z = open_parallel_zoo(2, 12);
  for (uint32_t i = 0; i < 12; i++) {
    make_shy(z, i, 0);
    z->members[i].batch = 1 + i;
  }
  atomic_store(&sleeper, 1);
  watch = sleep_once;
  ok(bdag_population_forward(z->members, 12, NULL));
  cr_assert_eq(atomic_load(&finished_meanwhile), 11);
  watch = NULL;
  close_zoo(z);
}

Test(population, takes_no_more_threads_than_can_run_at_once) {
  machine = "core:2 pu:1";
  zoo *z = open_parallel_zoo(16, 32);
  for (uint32_t i = 0; i < 32; i++) make_shy(z, i, 0);
  watch = see_thread;
  ok(bdag_population_forward(z->members, 32, NULL));
  cr_assert_eq(atomic_load(&threads_seen), 2);
  watch = NULL;
  close_zoo(z);
}

Test(population, of_little_work_stays_on_the_calling_thread) {
  zoo *z = open_zoo(3, 2, 1e-15);
  for (uint32_t i = 0; i < 2; i++) make_shy(z, i, 0);
  watch = see_thread;
  for (int i = 0; i < 10; i++) ok(bdag_population_forward(z->members, 2, NULL));
  cr_assert_eq(atomic_load(&threads_seen), 1);
  watch = NULL;
  close_zoo(z);
}

Test(population, inside_a_parallel_region_stays_on_its_thread) {
  zoo *first = open_parallel_zoo(2, 8), *second = open_parallel_zoo(2, 8);
  int right = 0;
#pragma omp parallel num_threads(2) reduction(+ : right)
  {
    zoo *z = omp_get_thread_num() == 0 ? first : second;
    right += bdag_population_backward(z->members, z->count, NULL) == BDAG_OK;
  }
  cr_assert_eq(right, 2);
  check_call(first, 3, 0);
  close_zoo(first);
  close_zoo(second);
}

/* ---- What fails ---------------------------------------------------------------------------------- */

/* The others have run, and rightly. */
static void check_others(zoo *z, uint32_t failed) {
  for (uint32_t i = 0; i < z->count; i++) {
    if (i == failed) continue;
    double loss;
    ok(z->members[i].status);
    ok(alone(z, i, 0, 1, 0, &loss));
    cr_assert_eq(loss, z->members[i].loss);
  }
}

static void check_failure(zoo *z, uint32_t failed, bdag_status expected) {
  for (uint32_t threads = 1; threads <= 2; threads++) {
    bdag_population_options options = BDAG_POPULATION_OPTIONS_INIT;
    options.threads = threads;
    for (uint32_t i = 0; i < z->count; i++) z->members[i].loss = -1;
    cr_assert_eq(bdag_population_loss(z->members, z->count, &options), expected);
    cr_assert_eq(z->members[failed].status, expected);
    cr_assert_eq(z->members[failed].loss, -1);
    check_others(z, failed);
  }
}

Test(population, goes_on_when_a_member_fails) {
  zoo *z = open_parallel_zoo(2, 7);
  bdag_member *m = &z->members[4];
  const bdag_member good = *m;
  m->engine = NULL;
  check_failure(z, 4, BDAG_ERROR_INVALID_ARGUMENT);
  *m = good;
  m->batch = 0;
  check_failure(z, 4, BDAG_ERROR_INVALID_ARGUMENT);
  m->batch = BATCH + 1;
  check_failure(z, 4, BDAG_ERROR_INVALID_ARGUMENT);
  m->batch = UINT64_MAX;
  check_failure(z, 4, BDAG_ERROR_INVALID_ARGUMENT);
  *m = good;
  m->x = NULL;
  check_failure(z, 4, BDAG_ERROR_INVALID_ARGUMENT);
  *m = good;
  m->targets = NULL;
  check_failure(z, 4, BDAG_ERROR_INVALID_ARGUMENT);
  *m = good;
  m->weights = NULL;
  check_failure(z, 4, BDAG_ERROR_INVALID_ARGUMENT);
  m->weights = z->members[5].weights;
  check_failure(z, 4, BDAG_ERROR_MISMATCH);
  *m = good;
  m->engine = z->members[1].engine;
  m->weights = z->members[1].weights;
  check_failure(z, 4, BDAG_ERROR_BUSY);
  *m = good;
  make_shy(z, 4, -1);
  check_failure(z, 4, BDAG_ERROR_CALLBACK);
  make_shy(z, 4, 0);
  check_call(z, 3, 0);
  close_zoo(z);
}

Test(population, takes_engines_of_one_thread_and_one_context) {
  zoo *z = open_parallel_zoo(2, 4), *other = open_parallel_zoo(2, 1);
  bdag_engine_options options = BDAG_ENGINE_OPTIONS_INIT;
  bdag_engine *wide;
  options.max_batch = BATCH;
  ok(bdag_engine_create(&wide, z->creatures[2].plan, &options, NULL));
  z->members[2].engine = wide;
  check_failure(z, 2, BDAG_ERROR_INVALID_ARGUMENT);
  z->members[2] = other->members[0];
  check_failure(z, 2, BDAG_ERROR_INVALID_ARGUMENT);
  bdag_engine_destroy(wide);
  options.threads = 1;
  ok(bdag_engine_create(&wide, z->creatures[2].plan, &options, NULL));
  z->members[2] = z->members[1];
  z->members[2].engine = wide;
  z->members[2].weights = z->creatures[2].weights;
  ok(bdag_population_forward(z->members, 4, NULL));
  bdag_engine_destroy(wide);
  close_zoo(other);
  close_zoo(z);
}

Test(population, reports_the_first_of_several_failures) {
  zoo *z = open_parallel_zoo(2, 6);
  z->members[5].batch = 0;
  z->members[3].weights = z->members[0].weights;
  cr_assert_eq(bdag_population_forward(z->members, 6, NULL), BDAG_ERROR_MISMATCH);
  cr_assert_eq(z->members[5].status, BDAG_ERROR_INVALID_ARGUMENT);
  for (uint32_t i = 0; i < 6; i++) z->members[i].engine = NULL;
  cr_assert_eq(bdag_population_forward(z->members, 6, NULL), BDAG_ERROR_INVALID_ARGUMENT);
  for (uint32_t i = 0; i < 6; i++) cr_assert_eq(z->members[i].status, BDAG_ERROR_INVALID_ARGUMENT);
  close_zoo(z);
}

Test(population, refuses_what_it_does_not_know) {
  zoo *z = open_parallel_zoo(2, 3);
  bdag_population_options options = BDAG_POPULATION_OPTIONS_INIT;
  options.size--;
  for (int call = 0; call < 4; call++) {
    cr_assert_eq(calls[call](z->members, 3, &options), BDAG_ERROR_INVALID_ARGUMENT);
    cr_assert_eq(calls[call](NULL, 1, NULL), BDAG_ERROR_INVALID_ARGUMENT);
    cr_assert_eq(calls[call](z->members, UINT64_C(1) << 31, NULL), BDAG_ERROR_LIMIT);
    cr_assert_eq(calls[call](z->members, UINT64_MAX, NULL), BDAG_ERROR_LIMIT);
  }
  z->members[2].size = 8;
  z->members[1].status = BDAG_ERROR_CYCLE;
  cr_assert_eq(bdag_population_forward(z->members, 3, NULL), BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(z->members[1].status, BDAG_ERROR_CYCLE);
  close_zoo(z);
}

/* ---- Cancelling ---------------------------------------------------------------------------------- */

typedef struct stop_state {
  atomic_int asked, after;
} stop_state;

static int stop_after(void *user) {
  stop_state *s = user;
  return atomic_fetch_add(&s->asked, 1) >= atomic_load(&s->after);
}

Test(population, can_be_stopped) {
  zoo *z = open_parallel_zoo(3, 30);
  for (int after = 0; after <= 30; after += 6) {
    stop_state state = {0};
    atomic_store(&state.after, after);
    bdag_population_options options = BDAG_POPULATION_OPTIONS_INIT;
    options.stop = stop_after;
    options.user = &state;
    const bdag_status status = bdag_population_backward(z->members, 30, &options);
    cr_assert_eq(status, after < 30 ? BDAG_ERROR_CANCELLED : BDAG_OK);
    int done = 0;
    for (uint32_t i = 0; i < 30; i++) done += z->members[i].status == BDAG_OK;
    cr_assert_eq(done, after);
  }
  check_call(z, 3, 0);
  close_zoo(z);
}

static zoo *watched;

static void cancel_one(void) {
  bdag_engine_cancel(watched->creatures[3].engine);
}

Test(population, lets_one_member_be_cancelled) {
  zoo *z = open_parallel_zoo(2, 8);
  make_shy(z, 3, 0);
  watched = z;
  watch = cancel_one;
  cr_assert_eq(bdag_population_backward(z->members, 8, NULL), BDAG_ERROR_CANCELLED);
  watch = NULL;
  cr_assert_eq(z->members[3].status, BDAG_ERROR_CANCELLED);
  for (uint32_t i = 0; i < 8; i++)
    if (i != 3) ok(z->members[i].status);
  check_call(z, 3, 0);
  close_zoo(z);
}

/* ---- Several callers ----------------------------------------------------------------------------- */

typedef struct caller {
  pthread_t thread;
  zoo *z;
  uint32_t first, count;
  int right;
} caller;

static void *call_often(void *argument) {
  caller *c = argument;
  for (int i = 0; i < 40; i++)
    c->right += bdag_population_backward(c->z->members + c->first, c->count, NULL) == BDAG_OK;
  return NULL;
}

Test(population, several_threads_have_populations_at_once) {
  zoo *z = open_parallel_zoo(3, 40);
  caller callers[4];
  for (uint32_t t = 0; t < 4; t++) {
    callers[t] = (caller){.z = z, .first = 10 * t, .count = 10};
    cr_assert_eq(pthread_create(&callers[t].thread, NULL, call_often, &callers[t]), 0);
  }
  for (uint32_t t = 0; t < 4; t++) {
    pthread_join(callers[t].thread, NULL);
    cr_assert_eq(callers[t].right, 40);
  }
  for (uint32_t i = 0; i < 40; i++) {
    double loss;
    ok(alone(z, i, 0, 0, 1, &loss));
    cr_assert_eq(loss, z->members[i].loss);
    same_gradients(&z->creatures[i]);
  }
  close_zoo(z);
}
