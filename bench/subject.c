/* From a case to networks, plans, engines and data; and the runs that are timed. */
#include "subject.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "sample_data.h"

size_t bench_type_size(bdag_type type) {
  return type == BDAG_FLOAT32 ? sizeof(float) : sizeof(double);
}

double bench_number(bdag_type type, const void *array, uint64_t index) {
  return type == BDAG_FLOAT32 ? (double)((const float *)array)[index]
                              : ((const double *)array)[index];
}

void bench_set_number(bdag_type type, void *array, uint64_t index, double value) {
  if (type == BDAG_FLOAT32)
    ((float *)array)[index] = (float)value;
  else
    ((double *)array)[index] = value;
}

bdag_context *bench_context_create(const bench_settings *settings, uint32_t threads) {
  bdag_context_options options = BDAG_CONTEXT_OPTIONS_INIT;
  options.threads = threads;
  options.oversubscribe = 1;
  options.isa = settings->isa;
  options.bind_threads = settings->pin;
  bdag_context *context = NULL;
  bdag_error error;
  if (bdag_context_create(&context, &options, &error) != BDAG_OK) bench_die("%s", error.message);
  if (settings->costs == NULL) return context;
  bdag_cost_profile costs;
  if (bdag_cost_profile_load(&costs, context, settings->costs, &error) != BDAG_OK)
    bench_die("%s: %s", error.file, error.message);
  if (bdag_context_set_costs(context, &costs) != BDAG_OK)
    bench_die("%s: the costs are out of range", settings->costs);
  return context;
}

static bdag_plan_options plan_options(const bench_settings *settings) {
  bdag_plan_options options = BDAG_PLAN_OPTIONS_INIT;
  options.granularity = settings->granularity;
  options.amalgamation = settings->amalgamation;
  options.tile = settings->tile;
  return options;
}

/* Engines for training: nobody reads more than weight gradients. */
static bdag_engine_options engine_options(const bench_subject *subject) {
  const bench_settings *settings = subject->settings;
  bdag_engine_options options = BDAG_ENGINE_OPTIONS_INIT;
  options.type = settings->type;
  options.max_batch = subject->batch;
  options.axis = settings->axis;
  options.threads = subject->member_count > 1 ? 1 : subject->threads;
  options.deterministic = settings->deterministic;
  options.keep = BDAG_KEEP_WEIGHT_GRAD;
  return options;
}

static bdag_status build_member(bench_subject *subject, uint64_t index, const char *path) {
  const bench_settings *settings = subject->settings;
  bench_member *member = &subject->member[index];
  bdag_status status;
  if (path != NULL) {
    status = bdag_network_load(&member->network, subject->context, path, &subject->error);
  } else {
    const bench_case *c = subject->the_case;
    member->graph = c->build(c->argument, index, settings->seed);
    status = bench_graph_to_network(member->graph, subject->context, settings->seed + index,
                                    &member->network, &member->vertex_map, &member->edge_map,
                                    &subject->error);
  }
  if (status != BDAG_OK) return status;
  const bdag_plan_options options = plan_options(settings);
  const double begin = bench_now();
  status = bdag_plan_create(&member->plan, member->network, &options, &subject->error);
  subject->plan_seconds += bench_now() - begin;
  if (status != BDAG_OK) return status;
  member->summary.size = sizeof member->summary;
  status = bdag_plan_summarize(member->plan, &member->summary);
  subject->vertices += member->summary.vertices;
  subject->edges += member->summary.edges;
  subject->weight_edges += member->summary.weight_edges;
  subject->out_edges += member->summary.out_edges;
  subject->plan_bytes += member->summary.plan_bytes;
  if (bdag_network_loss_count(member->network) == 0) subject->has_loss = 0;
  return status;
}

bench_subject *bench_subject_create(bdag_context *context, const bench_settings *settings,
                                    const bench_case *the_case, const char *path) {
  bench_subject *subject = bench_allocate(1, sizeof *subject);
  subject->settings = settings;
  subject->the_case = the_case;
  subject->name = the_case != NULL ? the_case->name : path;
  subject->context = context;
  subject->has_loss = 1;
  subject->member_count = the_case != NULL ? the_case->members : 1;
  subject->member = bench_allocate(subject->member_count, sizeof *subject->member);
  for (uint64_t i = 0; i < subject->member_count; i++)
    if (build_member(subject, i, path) != BDAG_OK) {
      fprintf(stderr, "backdag-bench: %s: %s\n", subject->name, subject->error.message);
      bench_subject_destroy(subject);
      return NULL;
    }
  return subject;
}

void bench_member_unconfigure(bench_member *member) {
  bdag_trainer_destroy(member->trainer);
  bdag_engine_destroy(member->engine);
  bdag_weights_release(member->weights);
  bdag_weights_release(member->trained);
  bench_free(member->x);
  bench_free(member->y);
  bench_free(member->targets);
  member->trainer = NULL;
  member->engine = NULL;
  member->weights = member->trained = NULL;
  member->x = member->y = member->targets = NULL;
}

void bench_subject_destroy(bench_subject *subject) {
  if (subject == NULL) return;
  for (uint64_t i = 0; i < subject->member_count; i++) {
    bench_member *member = &subject->member[i];
    bench_member_unconfigure(member);
    bdag_plan_release(member->plan);
    bdag_network_destroy(member->network);
    bench_graph_destroy(member->graph);
    bench_free(member->vertex_map);
    bench_free(member->edge_map);
  }
  bench_free(subject->population);
  bench_free(subject->member);
  bench_free(subject);
}

bdag_status bench_member_inspect(bench_subject *subject, bench_member *member) {
  bdag_engine_options options = engine_options(subject);
  options.keep |= BDAG_KEEP_IN_GRAD;
  bdag_engine *inspected = NULL;
  const bdag_status status =
      bdag_engine_create(&inspected, member->plan, &options, &subject->error);
  if (status != BDAG_OK) return status;
  bdag_engine_destroy(member->engine);
  member->engine = inspected;
  return BDAG_OK;
}

static bdag_status make_trainer(bench_subject *subject, bench_member *member) {
  const bench_settings *settings = subject->settings;
  bdag_status status = bdag_weights_create(&member->trained, member->plan, member->network,
                                           settings->type, &subject->error);
  if (status != BDAG_OK) return status;
  bdag_trainer_options options = BDAG_TRAINER_OPTIONS_INIT;
  options.optimizer = BDAG_SGD;
  options.learning_rate = BENCH_LEARNING_RATE;
  options.momentum = 0.0;
  options.max_batch = subject->batch;
  options.axis = settings->axis;
  options.threads = subject->threads;
  options.deterministic = settings->deterministic;
  return bdag_trainer_create(&member->trainer, member->plan, member->trained, &options,
                             &subject->error);
}

static bdag_status configure_member(bench_subject *subject, bench_member *member, uint64_t index,
                                    int step) {
  const bdag_type type = subject->settings->type;
  bdag_status status =
      bdag_weights_create(&member->weights, member->plan, member->network, type, &subject->error);
  if (status != BDAG_OK) return status;
  const bdag_engine_options options = engine_options(subject);
  status = bdag_engine_create(&member->engine, member->plan, &options, &subject->error);
  if (status != BDAG_OK) return status;
  bdag_engine_info info = {sizeof info};
  status = bdag_engine_describe(member->engine, &info);
  if (status != BDAG_OK) return status;
  subject->engine_bytes += info.bytes;
  const size_t size = bench_type_size(type);
  member->x = bench_allocate(subject->batch * bdag_plan_input_count(member->plan), size);
  member->y = bench_allocate(subject->batch * bdag_plan_output_count(member->plan), size);
  member->targets = bench_allocate(subject->batch * bdag_plan_target_count(member->plan), size);
  bench_fill_samples(subject, member, index);
  return step ? make_trainer(subject, member) : BDAG_OK;
}

static void list_population(bench_subject *subject) {
  subject->population = bench_allocate(subject->member_count, sizeof *subject->population);
  for (uint64_t i = 0; i < subject->member_count; i++) {
    const bench_member *member = &subject->member[i];
    bdag_member *listed = &subject->population[i];
    *listed = (bdag_member)BDAG_MEMBER_INIT;
    listed->engine = member->engine;
    listed->weights = member->weights;
    listed->batch = subject->batch;
    listed->x = member->x;
    listed->y = bdag_plan_output_count(member->plan) > 0 ? member->y : NULL;
    listed->targets = bdag_plan_target_count(member->plan) > 0 ? member->targets : NULL;
  }
}

bdag_status bench_subject_configure(bench_subject *subject, uint64_t batch, uint32_t threads,
                                    int step) {
  subject->batch = batch;
  subject->threads = threads;
  subject->engine_bytes = 0;
  bench_free(subject->population);
  subject->population = NULL;
  for (uint64_t i = 0; i < subject->member_count; i++)
    bench_member_unconfigure(&subject->member[i]);
  for (uint64_t i = 0; i < subject->member_count; i++) {
    const bdag_status status = configure_member(subject, &subject->member[i], i, step);
    if (status != BDAG_OK) return status;
  }
  if (subject->member_count > 1) list_population(subject);
  return BDAG_OK;
}

uint32_t bench_subject_team(const bench_subject *subject) {
  const uint32_t processors = (uint32_t)omp_get_num_procs();
  bdag_engine_info info = {.size = sizeof info};
  if (subject->member_count > 1)
    return subject->threads < processors ? subject->threads : processors;
  return bdag_engine_describe(subject->member[0].engine, &info) == BDAG_OK ? info.threads : 1;
}

/* ---- Timed runs -------------------------------------------------------------------------------- */

static double fail(bench_subject *subject, bdag_status status) {
  subject->status = status;
  snprintf(subject->error.message, sizeof subject->error.message, "%s", bdag_status_string(status));
  return NAN;
}

bdag_status bench_member_pass(bench_subject *subject, bench_member *member, int backward,
                              const double *sample_weights, double *loss) {
  void *y = bdag_plan_output_count(member->plan) > 0 ? member->y : NULL;
  const bdag_status status =
      bdag_forward(member->engine, member->weights, subject->batch, member->x, y);
  if (status != BDAG_OK || !backward) return status;
  const void *targets = bdag_plan_target_count(member->plan) > 0 ? member->targets : NULL;
  return bdag_backward(member->engine, member->weights, targets, sample_weights, loss);
}

typedef bdag_status population_pass(bdag_member *members, uint64_t count,
                                    const bdag_population_options *options);

/* All members in one call. */
static bdag_status run_population(bench_subject *subject, population_pass *pass) {
  bdag_population_options options = BDAG_POPULATION_OPTIONS_INIT;
  options.threads = subject->threads;
  const bdag_status status = pass(subject->population, subject->member_count, &options);
  subject->loss = 0.0;
  for (uint64_t i = 0; i < subject->member_count; i++) subject->loss += subject->population[i].loss;
  return status;
}

static bdag_status forward_all(bench_subject *subject) {
  if (subject->population != NULL) return run_population(subject, bdag_population_forward);
  for (uint64_t i = 0; i < subject->member_count; i++) {
    const bdag_status status = bench_member_pass(subject, &subject->member[i], 0, NULL, NULL);
    if (status != BDAG_OK) return status;
  }
  return BDAG_OK;
}

static bdag_status backward_all(bench_subject *subject) {
  double sum = 0.0;
  for (uint64_t i = 0; i < subject->member_count; i++) {
    bench_member *member = &subject->member[i];
    double loss = 0.0;
    const void *targets = bdag_plan_target_count(member->plan) > 0 ? member->targets : NULL;
    const bdag_status status = bdag_backward(member->engine, member->weights, targets, NULL, &loss);
    if (status != BDAG_OK) return status;
    sum += loss;
  }
  subject->loss = sum;
  return BDAG_OK;
}

static double run_forward(void *user, uint64_t repetitions) {
  bench_subject *subject = user;
  const double begin = bench_now();
  for (uint64_t r = 0; r < repetitions; r++) {
    const bdag_status status = forward_all(subject);
    if (status != BDAG_OK) return fail(subject, status);
  }
  return bench_now() - begin;
}

/* Long passes: each after a forward pass that is not counted, as in training. Short ones, where the
 * clock would disturb: one forward pass for all repetitions. */
static double run_backward(void *user, uint64_t repetitions) {
  bench_subject *subject = user;
  const int each = repetitions <= 8;
  double seconds = 0.0;
  bdag_status status = each ? BDAG_OK : forward_all(subject);
  for (uint64_t r = 0; status == BDAG_OK && r < (each ? repetitions : 1); r++) {
    if (each) status = forward_all(subject);
    const double begin = bench_now();
    for (uint64_t i = 0; status == BDAG_OK && i < (each ? 1 : repetitions); i++)
      status = backward_all(subject);
    seconds += bench_now() - begin;
  }
  return status == BDAG_OK ? seconds : fail(subject, status);
}

static double run_both(void *user, uint64_t repetitions) {
  bench_subject *subject = user;
  const double begin = bench_now();
  for (uint64_t r = 0; r < repetitions; r++) {
    bdag_status status = subject->population != NULL
                             ? run_population(subject, bdag_population_backward)
                             : forward_all(subject);
    if (status == BDAG_OK && subject->population == NULL) status = backward_all(subject);
    if (status != BDAG_OK) return fail(subject, status);
  }
  return bench_now() - begin;
}

static bdag_array sample_major(const bench_subject *subject, void *data, uint64_t columns) {
  return (bdag_array){data, subject->settings->type, (ptrdiff_t)columns, 1};
}

static double run_step(void *user, uint64_t repetitions) {
  bench_subject *subject = user;
  const double begin = bench_now();
  for (uint64_t r = 0; r < repetitions; r++)
    for (uint64_t i = 0; i < subject->member_count; i++) {
      bench_member *member = &subject->member[i];
      const bdag_array x = sample_major(subject, member->x, bdag_plan_input_count(member->plan));
      const bdag_array targets =
          sample_major(subject, member->targets, bdag_plan_target_count(member->plan));
      double loss;
      const bdag_status status =
          bdag_trainer_step(member->trainer, subject->batch, &x, &targets, NULL, &loss);
      if (status != BDAG_OK) return fail(subject, status);
    }
  return bench_now() - begin;
}

static double run_plan(void *user, uint64_t repetitions) {
  bench_subject *subject = user;
  const bdag_plan_options options = plan_options(subject->settings);
  const double begin = bench_now();
  for (uint64_t r = 0; r < repetitions; r++)
    for (uint64_t i = 0; i < subject->member_count; i++) {
      bdag_plan *plan = NULL;
      const bdag_status status =
          bdag_plan_create(&plan, subject->member[i].network, &options, NULL);
      if (status != BDAG_OK) return fail(subject, status);
      bdag_plan_release(plan);
    }
  return bench_now() - begin;
}

static double run_engine(void *user, uint64_t repetitions) {
  bench_subject *subject = user;
  const bdag_engine_options options = engine_options(subject);
  const double begin = bench_now();
  for (uint64_t r = 0; r < repetitions; r++)
    for (uint64_t i = 0; i < subject->member_count; i++) {
      bench_member *member = &subject->member[i];
      bdag_weights *weights = NULL;
      bdag_engine *engine = NULL;
      bdag_status status =
          bdag_weights_create(&weights, member->plan, member->network, options.type, NULL);
      if (status == BDAG_OK) status = bdag_engine_create(&engine, member->plan, &options, NULL);
      bdag_engine_destroy(engine);
      bdag_weights_release(weights);
      if (status != BDAG_OK) return fail(subject, status);
    }
  return bench_now() - begin;
}

double (*bench_subject_run(bench_phase phase))(void *user, uint64_t repetitions) {
  switch (phase) {
  case BENCH_FORWARD:
    return run_forward;
  case BENCH_BACKWARD:
    return run_backward;
  case BENCH_BOTH:
    return run_both;
  case BENCH_STEP:
    return run_step;
  case BENCH_PLAN:
    return run_plan;
  case BENCH_ENGINE:
    return run_engine;
  default:
    return NULL;
  }
}
