/* Passes under load, as a plain program so that ThreadSanitizer can watch: several application threads
 * with an engine each on one plan and one set of frozen weights; nothing allocated in a pass; the
 * floating-point mode of every thread as it was. Prints TAP.
 * Linked with --wrap for the allocation functions of the library's objects. */
#include <fenv.h>
#include <float.h>
#include <inttypes.h>
#include <omp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include "random_case.h"

enum { APPLICATION_THREADS = 4, ROUNDS = 12, CASES = 6 };

/* ---- Counting allocations ------------------------------------------------------------------------ */

static atomic_int counting;
static atomic_uint_fast64_t wrapped_calls, hook_calls;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
int __real_posix_memalign(void **memory, size_t alignment, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
int __wrap_posix_memalign(void **memory, size_t alignment, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);

static void count_call(void) {
  if (atomic_load(&counting)) atomic_fetch_add(&wrapped_calls, 1);
}

void *__wrap_malloc(size_t size) {
  count_call();
  return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) {
  count_call();
  return __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size) {
  count_call();
  return __real_realloc(memory, size);
}

int __wrap_posix_memalign(void **memory, size_t alignment, size_t size) {
  count_call();
  return __real_posix_memalign(memory, alignment, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size) {
  count_call();
  return __real_aligned_alloc(alignment, size);
}

static void *hook_allocate(void *user, size_t size) {
  atomic_fetch_add(&hook_calls, 1);
  return __real_malloc(size);
}

static void hook_release(void *user, void *memory) {
  atomic_fetch_add(&hook_calls, 1);
  free(memory);
}

/* ---- A case with everything that its passes need -------------------------------------------------- */

typedef struct subject {
  random_case c;
  bdag_plan *plan;
  bdag_weights *weights;
} subject;

typedef struct result {
  double loss, *out, *weight_grad; /* [samples][vertices], [edges] as raw numbers of the type */
} result;

static int die(const char *what, bdag_status status) {
  printf("Bail out! %s: %s\n", what, bdag_status_string(status));
  exit(1);
}

static void must(const char *what, bdag_status status) {
  if (status != BDAG_OK) die(what, status);
}

/* The next seed whose case is large enough to be worth threads. */
static uint64_t draw_subject(subject *s, const property_world *world, uint64_t seed) {
  for (;; seed++) {
    must("draw", random_case_draw(&s->c, world, seed, NULL));
    if (s->c.oracle.edge_count > 300 && s->c.batch.samples > 60) break;
    random_case_free(&s->c);
  }
  s->c.plan.tile = 16;
  s->c.engine.deterministic = 1;
  s->c.engine.keep = BDAG_KEEP_ALL | BDAG_KEEP_INPUT_GRAD;
  must("plan", bdag_plan_create(&s->plan, s->c.network, &s->c.plan, NULL));
  must("weights", bdag_weights_create(&s->weights, s->plan, s->c.network, s->c.engine.type, NULL));
  must("freeze", bdag_weights_freeze(s->weights));
  return seed + 1;
}

static void free_subject(subject *s) {
  bdag_weights_release(s->weights);
  bdag_plan_release(s->plan);
  random_case_free(&s->c);
}

static bdag_engine *make_engine(const subject *s, bdag_axis axis, uint32_t threads) {
  bdag_engine *engine;
  bdag_engine_options options = s->c.engine;
  options.axis = axis;
  options.threads = threads;
  must("engine", bdag_engine_create(&engine, s->plan, &options, NULL));
  return engine;
}

static bdag_status run_passes(const subject *s, bdag_engine *engine, double *loss) {
  const random_case *c = &s->c;
  const bdag_array x = {c->x, BDAG_FLOAT64, (ptrdiff_t)c->oracle.input_count, 1};
  const bdag_array targets = {c->targets, BDAG_FLOAT64, (ptrdiff_t)c->oracle.target_count, 1};
  bdag_backward_options options = BDAG_BACKWARD_OPTIONS_INIT;
  options.targets = c->oracle.target_count > 0 ? &targets : NULL;
  options.sample_weights = c->weight;
  options.normalizer = c->batch.normalizer;
  const bdag_status status = bdag_forward_arrays(engine, s->weights, c->batch.samples,
                                                 c->oracle.input_count > 0 ? &x : NULL, NULL);
  return status == BDAG_OK ? bdag_backward_arrays(engine, s->weights, &options, loss) : status;
}

static result make_result(const subject *s) {
  return (result){.out = oracle_zeros(s->c.batch.samples * s->c.oracle.vertex_count, 8),
                  .weight_grad = oracle_zeros(s->c.oracle.edge_count, 8)};
}

static void free_result(result *r) {
  free(r->out);
  free(r->weight_grad);
}

static bdag_status run(const subject *s, bdag_engine *engine, result *r) {
  const bdag_array out = {r->out, BDAG_FLOAT64, (ptrdiff_t)s->c.oracle.vertex_count, 1};
  bdag_status status = run_passes(s, engine, &r->loss);
  if (status != BDAG_OK) return status;
  status = bdag_read_vertices(engine, BDAG_OUT, s->c.oracle.vertex_count, NULL, &out);
  if (status != BDAG_OK) return status;
  return bdag_read_weight_grad(engine, 0, s->c.oracle.edge_count, r->weight_grad);
}

static int same_numbers(const double *a, const double *b, size_t count) {
  for (size_t i = 0; i < count; i++) {
    const int both_nan = a[i] != a[i] && b[i] != b[i];
    if (!both_nan && memcmp(&a[i], &b[i], sizeof *a) != 0) return 0;
  }
  return 1;
}

static int same(const subject *s, const result *a, const result *b) {
  const size_t element = s->c.engine.type == BDAG_FLOAT32 ? 4 : 8;
  return memcmp(&a->loss, &b->loss, sizeof a->loss) == 0 &&
         memcmp(a->weight_grad, b->weight_grad, s->c.oracle.edge_count * element) == 0 &&
         same_numbers(a->out, b->out, s->c.batch.samples * s->c.oracle.vertex_count);
}

/* ---- Several engines at once ---------------------------------------------------------------------- */

typedef struct application {
  pthread_t thread;
  const subject *subjects; /* [CASES] */
  const result *expected;  /* [CASES] */
  bdag_axis axis;
  uint32_t threads;
  int wrong[CASES];
} application;

static void *apply(void *argument) {
  application *a = argument;
  for (int i = 0; i < CASES; i++) {
    const subject *s = &a->subjects[i];
    bdag_engine *engine = make_engine(s, a->axis, a->threads);
    result r = make_result(s);
    for (int round = 0; round < ROUNDS; round++)
      a->wrong[i] += run(s, engine, &r) != BDAG_OK || !same(s, &r, &a->expected[i]);
    free_result(&r);
    bdag_engine_destroy(engine);
  }
  return NULL;
}

static result reference(const subject *s) {
  result expected = make_result(s);
  bdag_engine *engine = make_engine(s, BDAG_AXIS_SERIAL, 1);
  must("serial pass", run(s, engine, &expected));
  bdag_engine_destroy(engine);
  return expected;
}

/* The last check of the program: libomp 14 under ThreadSanitizer does not survive that threads which
 * had teams end before others have theirs. */
static void run_concurrently(const subject *subjects, int wrong[CASES]) {
  application applications[APPLICATION_THREADS];
  result expected[CASES];
  for (int i = 0; i < CASES; i++) expected[i] = reference(&subjects[i]);
  for (int t = 0; t < APPLICATION_THREADS; t++) {
    applications[t] = (application){.subjects = subjects,
                                    .expected = expected,
                                    .axis = (bdag_axis)(t % 4),
                                    .threads = (uint32_t)(t + 1)};
    if (pthread_create(&applications[t].thread, NULL, apply, &applications[t]) != 0)
      die("pthread_create", BDAG_ERROR_THREADS);
  }
  for (int t = 0; t < APPLICATION_THREADS; t++) pthread_join(applications[t].thread, NULL);
  for (int i = 0; i < CASES; i++) {
    for (int t = 0; t < APPLICATION_THREADS; t++) wrong[i] += applications[t].wrong[i];
    free_result(&expected[i]);
  }
}

/* ---- No allocation -------------------------------------------------------------------------------- */

static int check_allocations(const subject *s) {
  int wrong = 0;
  for (int axis = 0; axis < 4; axis++) {
    bdag_engine *engine = make_engine(s, (bdag_axis)axis, 4);
    double loss;
    const uint64_t hooks = atomic_load(&hook_calls), calls = atomic_load(&wrapped_calls);
    atomic_store(&counting, 1);
    for (int round = 0; round < 3; round++) wrong += run_passes(s, engine, &loss) != BDAG_OK;
    atomic_store(&counting, 0);
    wrong += atomic_load(&hook_calls) != hooks || atomic_load(&wrapped_calls) != calls;
    bdag_engine_destroy(engine);
  }
  /* the counters themselves must work */
  const uint64_t hooks = atomic_load(&hook_calls);
  bdag_engine_destroy(make_engine(s, BDAG_AXIS_SERIAL, 1));
  return wrong == 0 && atomic_load(&hook_calls) > hooks;
}

static int check_counting(void) {
  const uint64_t calls = atomic_load(&wrapped_calls);
  bdag_context *context = NULL;
  atomic_store(&counting, 1);
  must("context", bdag_context_create(&context, NULL, NULL));
  atomic_store(&counting, 0);
  bdag_context_destroy(context);
  return atomic_load(&wrapped_calls) > calls;
}

/* ---- Floating-point mode -------------------------------------------------------------------------- */

typedef struct float_mode {
  int rounding, flushes;
  unsigned control;
} float_mode;

static float_mode current_mode(void) {
  volatile float tiny = FLT_MIN;
  float_mode mode = {.rounding = fegetround(), .flushes = tiny / 4 == 0};
#if defined(__x86_64__)
  mode.control = _mm_getcsr() & ~0x3fu; /* without the flags of exceptions */
#endif
  return mode;
}

static int same_mode(float_mode a, float_mode b) {
  return a.rounding == b.rounding && a.flushes == b.flushes && a.control == b.control;
}

/* Modes of the threads of a team of this program's own, which the library's passes share. */
static void team_modes(float_mode modes[4]) {
#pragma omp parallel num_threads(4)
  modes[omp_get_thread_num() % 4] = current_mode();
}

static int check_mode_with(const subject *s, const result *expected, int rounding, bdag_axis axis) {
  float_mode before_team[4] = {{0}}, after_team[4] = {{0}};
  result r = make_result(s);
  bdag_engine *engine = make_engine(s, axis, 4);
  team_modes(before_team);
  fesetround(rounding);
  const float_mode before = current_mode();
  const bdag_status status = run(s, engine, &r);
  const float_mode after = current_mode();
  fesetround(FE_TONEAREST);
  team_modes(after_team);
  int right = status == BDAG_OK && same_mode(before, after) && same(s, &r, expected);
  for (int i = 0; i < 4; i++) right &= same_mode(before_team[i], after_team[i]);
  bdag_engine_destroy(engine);
  free_result(&r);
  return right;
}

static int check_mode(const subject *s) {
  static const int roundings[] = {FE_TONEAREST, FE_TOWARDZERO, FE_UPWARD};
  result expected = reference(s);
  int right = 1;
  for (int i = 0; i < 3; i++) {
    for (int axis = 0; axis < 4; axis++)
      right &= check_mode_with(s, &expected, roundings[i], (bdag_axis)axis);
  }
  free_result(&expected);
  return right;
}

/* ---------------------------------------------------------------------------------------------------- */

static int report(int number, int right, const char *what, uint64_t seed) {
  printf("%s %d - %s, seed %" PRIu64 "\n", right ? "ok" : "not ok", number, what, seed);
  fflush(stdout);
  return !right;
}

int main(void) {
  const bdag_allocator allocator = {hook_allocate, hook_release, NULL};
  property_world world;
  subject subjects[CASES];
  uint64_t seed = 2000000;
  int number = 0, failed = 0, wrong[CASES] = {0};
  must("world", property_world_create_with(&world, &allocator, NULL));
  printf("1..%d\n", 1 + 3 * CASES);
  failed += report(++number, check_counting(), "allocations are counted", 0);
  for (int i = 0; i < CASES; i++) {
    seed = draw_subject(&subjects[i], &world, seed);
    failed +=
        report(++number, check_allocations(&subjects[i]), "no allocation in a pass", seed - 1);
    failed += report(++number, check_mode(&subjects[i]), "floating-point mode restored", seed - 1);
  }
  run_concurrently(subjects, wrong);
  for (int i = 0; i < CASES; i++) {
    failed += report(++number, wrong[i] == 0, "engines at once", subjects[i].c.seed);
    free_subject(&subjects[i]);
  }
  property_world_destroy(&world);
  return failed != 0;
}
