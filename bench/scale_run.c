/* `bench scale`: RadiX-Nets from 10^5 edges on; planning and steps must cost the same an edge at every
 * size. With --layers one network, phase by phase, with what each object holds. */
#include "scale_run.h"

#include <argp.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_base.h"
#include "scale_memory.h"
#include "scale_network.h"

#define LIST 8

typedef struct scale_arguments {
  double edges[LIST];
  uint64_t batches[LIST];
  uint32_t edge_count, batch_count;
  uint32_t width, layers, threads;
  int order; /* 0: by the table, 's' or 'g' */
  double limit;
} scale_arguments;

/* ---- Options ------------------------------------------------------------------------------------- */

static const struct argp_option options[] = {
    {"edges", 'e', "LIST", 0, "numbers of edges; default 1e5,1e6,1e7", 0},
    {"batch", 'b', "LIST", 0, "batches; default 16,64,256, with --layers 16", 0},
    {"width", 'w', "N", 0, "neurons a layer; default 1024, with --layers 16384", 0},
    {"layers", 'l', "N", 0, "one network of that many layers, phase by phase", 0},
    {"order", 'o', "ORDER", 0,
     "shuffled (neurons and edges; default) or given (layer by layer; default with --layers)", 0},
    {"threads", 't', "N", 0, "default 1", 0},
    {"limit", 'm', "GIB", 0, "memory that the library may allocate", 0},
    {0}};

static double parse_number(struct argp_state *state, const char *text, char **end, double most) {
  const double value = strtod(text, end);
  if (*end == text || !(value >= 1.0 && value <= most))
    argp_error(state, "\"%s\" is not a number from 1 to %g", text, most);
  return value;
}

static double parse_one(struct argp_state *state, const char *text, double most) {
  char *end;
  const double value = parse_number(state, text, &end, most);
  if (*end != '\0') argp_error(state, "\"%s\" is not a number", text);
  return value;
}

static uint32_t parse_list(struct argp_state *state, char *text, double *values, double most) {
  uint32_t count = 0;
  char *end = text;
  do {
    if (count == LIST) argp_error(state, "more than %d numbers", LIST);
    values[count++] = parse_number(state, end, &end, most);
  } while (*end++ == ',');
  if (end[-1] != '\0') argp_error(state, "\"%s\" is not a list of numbers", text);
  return count;
}

static error_t parse_option(int key, char *text, struct argp_state *state) {
  scale_arguments *arguments = state->input;
  double values[LIST];
  switch (key) {
  case 'e':
    arguments->edge_count = parse_list(state, text, arguments->edges, 4.2e9);
    return 0;
  case 'b':
    arguments->batch_count = parse_list(state, text, values, 65536);
    for (uint32_t i = 0; i < arguments->batch_count; i++)
      arguments->batches[i] = (uint64_t)values[i];
    return 0;
  case 'w':
    arguments->width = (uint32_t)parse_one(state, text, 1 << 20);
    if (arguments->width < BENCH_SCALE_DEGREE) argp_error(state, "--width: at least 32");
    return 0;
  case 'l':
    arguments->layers = (uint32_t)parse_one(state, text, 1 << 20);
    return 0;
  case 't':
    arguments->threads = (uint32_t)parse_one(state, text, 1024);
    return 0;
  case 'm':
    arguments->limit = parse_one(state, text, 1e6);
    return 0;
  case 'o':
    arguments->order = text[0];
    if (strcmp(text, "shuffled") != 0 && strcmp(text, "given") != 0)
      argp_error(state, "--order: shuffled or given, not \"%s\"", text);
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static void set_defaults(scale_arguments *arguments) {
  static const double edges[] = {1e5, 1e6, 1e7};
  static const uint64_t batches[] = {16, 64, 256};
  const int one = arguments->layers > 0;
  if (arguments->edge_count == 0) {
    memcpy(arguments->edges, edges, sizeof edges);
    arguments->edge_count = 3;
  }
  if (arguments->batch_count == 0) {
    memcpy(arguments->batches, batches, sizeof batches);
    arguments->batch_count = one ? 1 : 3;
  }
  if (arguments->width == 0) arguments->width = one ? 16384 : 1024;
  if (arguments->order == 0) arguments->order = one ? 'g' : 's';
}

/* ---- One network --------------------------------------------------------------------------------- */

typedef struct subject {
  bench_counter counter;
  bdag_context *context;
  bench_scale_shape shape;
  uint64_t edges;
  bdag_network *network;
  bdag_plan *plan;
  bdag_weights *weights;
  bdag_trainer *trainer;
  bdag_error error;
} subject;

static void check(const subject *s, bdag_status status, const char *what) {
  if (status == BDAG_OK) return;
  bench_die("%s: %s", what,
            s->error.message[0] != '\0' ? s->error.message : bdag_status_string(status));
}

static void open_subject(subject *s, const scale_arguments *arguments, uint32_t width,
                         uint32_t layers) {
  s->counter.limit = (uint64_t)(arguments->limit * 0x1p30);
  s->shape = (bench_scale_shape){width, layers, arguments->order == 's', 1};
  s->edges = (uint64_t)width * layers * BENCH_SCALE_DEGREE;
  const bdag_allocator allocator = bench_counting_allocator(&s->counter);
  bdag_context_options context = BDAG_CONTEXT_OPTIONS_INIT;
  context.allocator = &allocator;
  context.threads = arguments->threads;
  context.oversubscribe = 1;
  check(s, bdag_context_create(&s->context, &context, &s->error), "context");
}

static void close_subject(subject *s) {
  bdag_trainer_destroy(s->trainer);
  bdag_weights_release(s->weights);
  bdag_plan_release(s->plan);
  bdag_network_destroy(s->network);
  bdag_context_destroy(s->context);
}

static void make_weights(subject *s) {
  check(s, bdag_weights_create(&s->weights, s->plan, s->network, BDAG_FLOAT32, &s->error),
        "weights");
  check(s, bdag_weights_initialize(s->weights, s->network, BDAG_INIT_AUTO, 1, &s->error),
        "initial weights");
}

static void make_trainer(subject *s, uint64_t batch) {
  bdag_trainer_options trainer = BDAG_TRAINER_OPTIONS_INIT;
  trainer.optimizer = BDAG_SGD;
  trainer.momentum = 0.0;
  trainer.learning_rate = 1e-3;
  trainer.max_batch = batch;
  check(s, bdag_trainer_create(&s->trainer, s->plan, s->weights, &trainer, &s->error), "trainer");
}

/* Seconds of the fastest of `repetitions` steps. */
static double time_steps(subject *s, uint64_t batch, int repetitions, double *loss) {
  const uint64_t width = s->shape.width;
  float *x = bench_allocate(batch * width, sizeof *x);
  float *y = bench_allocate(batch * width, sizeof *y);
  bench_random random = {7};
  for (uint64_t i = 0; i < batch * width; i++) {
    x[i] = (float)bench_random_uniform(&random);
    y[i] = (float)bench_random_uniform(&random);
  }
  const bdag_array inputs = {x, BDAG_FLOAT32, (ptrdiff_t)width, 1};
  const bdag_array targets = {y, BDAG_FLOAT32, (ptrdiff_t)width, 1};
  double best = INFINITY;
  for (int r = 0; r < repetitions; r++) {
    const double begin = bench_now();
    check(s, bdag_trainer_step(s->trainer, batch, &inputs, &targets, NULL, loss), "step");
    best = fmin(best, bench_now() - begin);
  }
  bench_free(x);
  bench_free(y);
  return best;
}

/* ---- Tables -------------------------------------------------------------------------------------- */

static double plan_once(subject *s) {
  bdag_plan_release(s->plan);
  s->plan = NULL;
  bench_counter_restart(&s->counter);
  const double begin = bench_now();
  check(s, bdag_plan_create(&s->plan, s->network, NULL, &s->error), "plan");
  return bench_now() - begin;
}

static void print_size(const scale_arguments *arguments, double wanted) {
  const double a_layer = (double)arguments->width * BENCH_SCALE_DEGREE;
  const uint32_t layers = (uint32_t)fmax(1.0, floor(wanted / a_layer + 0.5));
  subject s = {.plan = NULL};
  open_subject(&s, arguments, arguments->width, layers);
  const double begin = bench_now();
  check(&s, bench_scale_network(&s.network, s.context, &s.shape, &s.error), "network");
  const double building = bench_now() - begin;
  const uint64_t before = s.counter.live;
  double planning = INFINITY;
  for (int r = 0; r < (s.edges < 30000000 ? 5 : 2); r++) planning = fmin(planning, plan_once(&s));
  const double edges = (double)s.edges;
  printf("%12llu %8.2f %9.3f %8.1f %9.1f %9.1f", (unsigned long long)s.edges, building, planning,
         edges / planning * 1e-6, (double)(s.counter.live - before) / edges,
         (double)(s.counter.peak - before) / edges);
  make_weights(&s);
  for (uint32_t b = 0; b < arguments->batch_count; b++) {
    const uint64_t batch = arguments->batches[b];
    make_trainer(&s, batch);
    double loss;
    const double seconds = time_steps(&s, batch, s.edges < 30000000 ? 5 : 2, &loss);
    printf(" %9.3f", seconds / edges / (double)batch * 1e9);
    bdag_trainer_destroy(s.trainer);
    s.trainer = NULL;
  }
  putchar('\n');
  fflush(stdout);
  close_subject(&s);
}

static void print_sizes(const scale_arguments *arguments) {
  printf("RadiX-Nets of width %u, %s; float32, SGD, threads %u.\n"
         "build: handing the edges over; plan: fastest of several; kept, peak: bytes an edge that\n"
         "planning leaves and needs; then ns an edge and sample of a training step, by batch.\n\n",
         arguments->width, arguments->order == 's' ? "shuffled" : "layer by layer",
         arguments->threads);
  printf("%12s %8s %9s %8s %9s %9s", "edges", "build s", "plan s", "Medge/s", "kept", "peak");
  for (uint32_t b = 0; b < arguments->batch_count; b++) {
    char title[32];
    snprintf(title, sizeof title, "b %llu", (unsigned long long)arguments->batches[b]);
    printf(" %9s", title);
  }
  putchar('\n');
  for (uint32_t i = 0; i < arguments->edge_count; i++) print_size(arguments, arguments->edges[i]);
}

typedef struct phase {
  double begin;
  uint64_t live;
} phase;

static void begin_phase(subject *s, phase *p) {
  bench_counter_restart(&s->counter);
  *p = (phase){bench_now(), s->counter.live};
}

static void end_phase(const subject *s, const phase *p, const char *name) {
  const double edges = (double)s->edges, gib = 0x1p-30;
  const double kept = (double)s->counter.live - (double)p->live;
  const double peak = (double)s->counter.peak - (double)p->live;
  printf("%-22s %9.2f %9.2f %9.2f %9.2f %9.2f %9.2f\n", name, bench_now() - p->begin, kept / edges,
         peak / edges, (double)s->counter.live * gib, (double)bench_resident() * gib,
         (double)bench_resident_peak() * gib);
  fflush(stdout);
}

/* What the plan holds, by kind. */
static void print_plan_bytes(const subject *s) {
  bdag_plan_summary summary = {.size = sizeof summary};
  check(s, bdag_plan_summarize(s->plan, &summary), "summary");
  const struct {
    const char *name;
    uint64_t bytes;
  } kinds[] = {{"  of it: by vertex", summary.row_bytes},
               {"  forward", summary.forward_bytes},
               {"  backward", summary.backward_bytes},
               {"  places of parameters", summary.state_bytes},
               {"  tasks", summary.task_bytes}};
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
    printf("%-22s %9s %9.2f\n", kinds[i].name, "", (double)kinds[i].bytes / (double)s->edges);
}

static void print_phases(const scale_arguments *arguments) {
  subject s = {.plan = NULL};
  open_subject(&s, arguments, arguments->width, arguments->layers);
  const uint64_t batch = arguments->batches[0];
  printf(
      "RadiX-Net %u x %u, %llu edges, %s; float32, batch %llu, SGD, threads %u.\n"
      "kept, peak: bytes an edge that the phase leaves and needs at most, as allocated; then GiB:\n"
      "allocated by the library, and VmRSS and VmHWM of the whole process.\n\n",
      s.shape.width, s.shape.layers, (unsigned long long)s.edges,
      s.shape.shuffled ? "shuffled" : "layer by layer", (unsigned long long)batch,
      arguments->threads);
  printf("%-22s %9s %9s %9s %9s %9s %9s\n", "phase", "seconds", "kept", "peak", "alloc", "VmRSS",
         "VmHWM");
  phase p;
  begin_phase(&s, &p);
  check(&s, bench_scale_network(&s.network, s.context, &s.shape, &s.error), "network");
  end_phase(&s, &p, "network");
  begin_phase(&s, &p);
  plan_once(&s);
  end_phase(&s, &p, "plan");
  print_plan_bytes(&s);
  begin_phase(&s, &p);
  make_weights(&s);
  end_phase(&s, &p, "weights");
  begin_phase(&s, &p);
  bdag_network_destroy(s.network);
  s.network = NULL;
  end_phase(&s, &p, "network destroyed");
  begin_phase(&s, &p);
  make_trainer(&s, batch);
  end_phase(&s, &p, "trainer");
  double loss = 0.0;
  for (int step = 1; step <= 2; step++) {
    begin_phase(&s, &p);
    time_steps(&s, batch, 1, &loss);
    end_phase(&s, &p, step == 1 ? "first step" : "second step");
  }
  printf("\nloss %.9g; VmHWM %.2f GiB, %.2f bytes an edge\n", loss,
         (double)bench_resident_peak() * 0x1p-30, (double)bench_resident_peak() / (double)s.edges);
  close_subject(&s);
}

int bench_scale_verb(int argc, char **argv) {
  const struct argp argp = {
      options,
      parse_option,
      "",
      "Planning speed, memory and the cost of training over the number of edges. The network of "
      "10^9 edges is --layers 1920.",
      NULL,
      NULL,
      NULL};
  scale_arguments arguments = {.threads = 1};
  argp_parse(&argp, argc, argv, 0, NULL, &arguments);
  set_defaults(&arguments);
  if (arguments.layers > 0)
    print_phases(&arguments);
  else
    print_sizes(&arguments);
  return 0;
}
