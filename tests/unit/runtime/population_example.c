/* An example that is a test: networks of different shapes learn exclusive or by evolution. Each generation
 * is judged in one call; the better half stays, changed copies of the best of each shape take the places of the others. */
#include <stdio.h>
#include <stdlib.h>

#include <backdag/backdag.h>

enum { POPULATION = 32, GENERATIONS = 150, SAMPLES = 4, MOST_PARAMETERS = 64 };

static const float x[SAMPLES][2] = {{0, 0}, {0, 1}, {1, 0}, {1, 1}}, wanted[SAMPLES] = {0, 1, 1, 0};

typedef struct individual {
  bdag_network *network;
  bdag_plan *plan;
  bdag_weights *weights;
  bdag_engine *engine;
  uint64_t parameters;
} individual;

static uint64_t state = 1;

static double draw(void) { /* about normal */
  double sum = 0;
  for (int i = 0; i < 12; i++) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    sum += (double)(state >> 11) * 0x1p-53;
  }
  return sum - 6;
}

static void must(bdag_status status, const bdag_error *error) {
  if (status == BDAG_OK) return;
  printf("Bail out! %s\n", error != NULL ? error->message : bdag_status_string(status));
  exit(1);
}

/* Two inputs, `hidden` tanh neurons of which each reads all before it, one output. */
static void create(individual *one, bdag_context *context, uint32_t hidden) {
  const bdag_activation activation = bdag_activation_default(BDAG_TANH);
  const uint32_t output = 2 + hidden;
  const bdag_loss_term loss = {BDAG_MEAN_SQUARED_ERROR, 1, &output, 1, 0};
  bdag_engine_options options = BDAG_ENGINE_OPTIONS_INIT;
  bdag_error error;
  options.axis = BDAG_AXIS_SERIAL;
  options.max_batch = SAMPLES;
  must(bdag_network_create(&one->network, context, &error), &error);
  must(bdag_network_add_inputs(one->network, 2, NULL, &error), &error);
  must(bdag_network_add_vertices(one->network, hidden, &activation, NULL, &error), &error);
  must(bdag_network_add_vertices(one->network, 1, NULL, NULL, &error), &error);
  for (uint32_t v = 2; v <= output; v++)
    for (uint32_t u = 0; u < v; u++) {
      const double weight = draw();
      must(bdag_network_add_edges(one->network, 1, &u, &v, &weight, NULL, &error), &error);
    }
  must(bdag_network_add_loss(one->network, &loss, &error), &error);
  must(bdag_plan_create(&one->plan, one->network, NULL, &error), &error);
  must(bdag_weights_create(&one->weights, one->plan, one->network, BDAG_FLOAT32, &error), &error);
  must(bdag_engine_create(&one->engine, one->plan, &options, &error), &error);
  one->parameters = bdag_network_parameter_count(one->network);
}

static void destroy(individual *one) {
  bdag_engine_destroy(one->engine);
  bdag_weights_release(one->weights);
  bdag_plan_release(one->plan);
  bdag_network_destroy(one->network);
}

/* The weights of `to` become those of `from`, changed. */
static void inherit(individual *to, const individual *from, double change) {
  double values[MOST_PARAMETERS];
  must(bdag_weights_read(from->weights, 0, to->parameters, values), NULL);
  for (uint64_t i = 0; i < to->parameters; i++) values[i] += change * draw();
  must(bdag_weights_write(to->weights, 0, to->parameters, values), NULL);
}

static const bdag_member *judged;

static int by_loss(const void *a, const void *b) {
  const double x = judged[*(const int *)a].loss, y = judged[*(const int *)b].loss;
  return (x > y) - (x < y);
}

int main(void) {
  static individual all[POPULATION];
  static bdag_member members[POPULATION];
  int order[POPULATION];
  bdag_context *context;
  bdag_error error;
  must(bdag_context_create(&context, NULL, &error), &error);
  for (int i = 0; i < POPULATION; i++) {
    create(&all[i], context, 1 + (uint32_t)i % 4);
    members[i] = (bdag_member)BDAG_MEMBER_INIT;
    members[i].engine = all[i].engine;
    members[i].weights = all[i].weights;
    members[i].batch = SAMPLES;
    members[i].x = x;
    members[i].targets = wanted;
    order[i] = i;
  }
  double first = 0;
  judged = members;
  for (int generation = 0; generation < GENERATIONS; generation++) {
    must(bdag_population_loss(members, POPULATION, NULL), NULL);
    qsort(order, POPULATION, sizeof *order, by_loss);
    if (generation == 0) first = members[order[0]].loss;
    if (generation + 1 == GENERATIONS) break;
    for (int i = POPULATION / 2; i < POPULATION; i++) {
      individual *child = &all[order[i]];
      int parent = 0; /* the best of the same shape */
      while (all[order[parent]].parameters != child->parameters) parent++;
      if (parent < i) inherit(child, &all[order[parent]], i % 2 ? 0.3 : 0.03);
    }
  }
  const double last = members[order[0]].loss;
  printf("# mean squared error of the best: %.4f, then %.6f\n", first, last);
  printf("%sok 1 - evolution finds exclusive or\n1..1\n",
         last < 0.01 && last < first ? "" : "not ");
  for (int i = 0; i < POPULATION; i++) destroy(&all[i]);
  bdag_context_destroy(context);
  return !(last < 0.01);
}
