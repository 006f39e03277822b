/* Scenarios: plans, weights, engines and training. */
#include "oom.h"

enum { PARAMETERS = 8 + 17 + 2, EDGES = 21, VERTICES = 12 };

static void read_all(oom_state *state, bdag_engine *engine, uint64_t batch) {
  float rows[OOM_SAMPLES * VERTICES], gradient[PARAMETERS];
  const bdag_array array = {rows, BDAG_FLOAT32, VERTICES, 1};
  for (int quantity = BDAG_OUT; quantity <= BDAG_IN_GRAD; quantity++) {
    OOM_NONE(bdag_read_vertices(engine, (bdag_quantity)quantity, VERTICES, NULL, &array));
    oom_add(state, rows, batch * VERTICES * sizeof *rows);
  }
  OOM_NONE(bdag_read_weight_grad(engine, 0, EDGES, gradient));
  oom_add(state, gradient, EDGES * sizeof *gradient);
  OOM_NONE(bdag_read_bias_grad(engine, 0, VERTICES, gradient));
  oom_add(state, gradient, VERTICES * sizeof *gradient);
  OOM_NONE(bdag_read_parameter_grad(engine, 0, PARAMETERS, gradient));
  oom_add(state, gradient, PARAMETERS * sizeof *gradient);
done:
  return;
}

static void pass(oom_state *state, bdag_engine *engine, const bdag_weights *weights) {
  float y[OOM_SAMPLES * OOM_OUTPUTS];
  double loss;
  OOM_NONE(bdag_forward(engine, weights, OOM_SAMPLES, oom_x, y));
  oom_add(state, y, sizeof y);
  OOM_NONE(bdag_predict(engine, weights, OOM_SAMPLES, oom_x, y));
  oom_add(state, y, sizeof y);
  OOM_NONE(bdag_forward(engine, weights, OOM_SAMPLES, oom_x, NULL));
  OOM_NONE(bdag_backward(engine, weights, oom_targets, NULL, &loss));
  oom_add(state, &loss, sizeof loss);
  read_all(state, engine, OOM_SAMPLES);
done:
  return;
}

void oom_passes(oom_state *state) {
  bdag_network *const network = oom_make_network(state);
  bdag_plan *plan = NULL, *fine = NULL, *serving = NULL;
  bdag_weights *weights = NULL, *copy = NULL, *moved = NULL, *served = NULL;
  bdag_engine *engines[4] = {NULL}, *server = NULL, *herd[2] = {NULL};
  static const bdag_axis axes[] = {BDAG_AXIS_TILES, BDAG_AXIS_VERTICES, BDAG_AXIS_BOTH,
                                   BDAG_AXIS_SERIAL};
  bdag_plan_options by_vertex = BDAG_PLAN_OPTIONS_INIT, inference = BDAG_PLAN_OPTIONS_INIT;
  by_vertex.granularity = BDAG_GRANULARITY_VERTEX;
  inference.inference = 1;
  bdag_engine_options options = BDAG_ENGINE_OPTIONS_INIT;
  options.max_batch = OOM_SAMPLES;
  options.keep = BDAG_KEEP_ALL | BDAG_KEEP_INPUT_GRAD;
  options.deterministic = 1;
  if (network == NULL) return;
  oom_arm();
  OOM_MAKE(bdag_plan_create(&plan, network, NULL, &state->error));
  OOM_MAKE(bdag_plan_create(&fine, network, &by_vertex, &state->error));
  OOM_MAKE(bdag_plan_create(&serving, network, &inference, &state->error));
  OOM_MAKE(bdag_weights_create(&weights, plan, network, BDAG_FLOAT32, &state->error));
  OOM_MAKE(bdag_weights_copy(&copy, weights, &state->error));
  OOM_MAKE(bdag_weights_transfer(&moved, fine, network, weights, &state->error));
  OOM_MAKE(bdag_weights_transfer(&served, serving, network, weights, &state->error));
  OOM_TRY(bdag_weights_initialize(copy, network, BDAG_INIT_AUTO, 3, &state->error));
  for (int i = 0; i < 4; i++) {
    options.axis = axes[i];
    OOM_MAKE(bdag_engine_create(&engines[i], i == 1 ? fine : plan, &options, &state->error));
  }
  bdag_engine_options small = BDAG_ENGINE_OPTIONS_INIT;
  small.max_batch = 1;
  small.keep = 0;
  OOM_MAKE(bdag_engine_create(&server, serving, &small, &state->error));
  pass(state, engines[0], weights);
  pass(state, engines[0], copy);
  pass(state, engines[1], moved);
  pass(state, engines[2], weights);
  pass(state, engines[3], weights);
  bdag_member members[2] = {BDAG_MEMBER_INIT, BDAG_MEMBER_INIT};
  for (int i = 0; i < 2; i++) {
    OOM_MAKE(bdag_engine_create(&herd[i], plan, &options, &state->error));
    members[i].engine = herd[i];
    members[i].weights = weights;
    members[i].batch = OOM_SAMPLES;
    members[i].x = oom_x;
    members[i].targets = oom_targets;
  }
  OOM_TRY(bdag_population_backward(members, 2, NULL));
  oom_add(state, &members[1].loss, sizeof members[1].loss);
  float y[OOM_OUTPUTS];
  OOM_NONE(bdag_predict(server, served, 1, oom_x, y));
  oom_add(state, y, sizeof y);
done:
  for (int i = 0; i < 2; i++) bdag_engine_destroy(herd[i]);
  bdag_engine_destroy(server);
  for (int i = 0; i < 4; i++) bdag_engine_destroy(engines[i]);
  bdag_weights_release(served);
  bdag_weights_release(moved);
  bdag_weights_release(copy);
  bdag_weights_release(weights);
  bdag_plan_release(serving);
  bdag_plan_release(fine);
  bdag_plan_release(plan);
  bdag_network_destroy(network);
}

static void train(oom_state *state, const bdag_network *network, bdag_optimizer optimizer) {
  bdag_plan *plan = NULL;
  bdag_weights *weights = NULL;
  bdag_trainer *trainer = NULL;
  bdag_trainer_options options = BDAG_TRAINER_OPTIONS_INIT;
  options.optimizer = optimizer;
  options.max_batch = 16;
  options.deterministic = 1;
  options.weight_decay = 0.01;
  const bdag_samples samples = {.count = OOM_SAMPLES,
                                .x = {oom_x, BDAG_FLOAT32, OOM_INPUTS, 1},
                                .targets = {oom_targets, BDAG_FLOAT32, OOM_TARGETS, 1}};
  bdag_run_options run = BDAG_RUN_OPTIONS_INIT;
  run.epochs = 2;
  run.batch = 16;
  run.validation_share = 0.25;
  double loss, values[PARAMETERS];
  oom_arm();
  OOM_MAKE(bdag_plan_create(&plan, network, NULL, &state->error));
  OOM_MAKE(bdag_weights_create(&weights, plan, network, BDAG_FLOAT32, &state->error));
  OOM_MAKE(bdag_trainer_create(&trainer, plan, weights, &options, &state->error));
  OOM_TRY(bdag_trainer_step(trainer, 16, &samples.x, &samples.targets, NULL, &loss));
  oom_add(state, &loss, sizeof loss);
  OOM_TRY(bdag_trainer_run(trainer, &samples, &run, &state->error));
  OOM_TRY(bdag_trainer_evaluate(trainer, &samples, &loss));
  oom_add(state, &loss, sizeof loss);
  OOM_NONE(bdag_weights_read(weights, 0, PARAMETERS, values));
  oom_add(state, values, sizeof values);
done:
  bdag_trainer_destroy(trainer);
  bdag_weights_release(weights);
  bdag_plan_release(plan);
}

void oom_training(oom_state *state) {
  bdag_network *const network = oom_make_network(state);
  if (network == NULL) return;
  train(state, network, BDAG_ADAM);
  bdag_network_destroy(network);
}
