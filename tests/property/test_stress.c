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

#include "stress_subject.h"
#include "stress_tiny.h"

enum { APPLICATION_THREADS = 5, ROUNDS = 12, CASES = 6 };

/* ---- Counting allocations ------------------------------------------------------------------------ */

static atomic_int counting;
static atomic_uint_fast64_t wrapped_calls, hook_calls;
static atomic_int_fast64_t hook_live; /* blocks of the library that are not released yet */

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
  atomic_fetch_add(&hook_live, 1);
  return __real_malloc(size);
}

static void hook_release(void *user, void *memory) {
  atomic_fetch_add(&hook_calls, 1);
  atomic_fetch_sub(&hook_live, memory != NULL);
  free(memory);
}

/* ---- Several engines at once ---------------------------------------------------------------------- */

typedef struct application {
  pthread_t thread;
  const stress_subject *subjects; /* [CASES] */
  const stress_result *expected;  /* [CASES] */
  bdag_axis axis;
  uint32_t threads;
  int wrong[CASES];
} application;

static void *apply(void *argument) {
  application *a = argument;
  for (int i = 0; i < CASES; i++) {
    const stress_subject *s = &a->subjects[i];
    bdag_engine *engine = stress_engine(s, a->axis, a->threads);
    stress_result r = stress_result_make(s);
    for (int round = 0; round < ROUNDS; round++)
      a->wrong[i] += stress_run(s, engine, &r) != BDAG_OK || !stress_same(s, &r, &a->expected[i]);
    stress_result_free(&r);
    bdag_engine_destroy(engine);
  }
  return NULL;
}

/* The last check of the program: libomp 14 under ThreadSanitizer does not survive that threads which
 * had teams end before others have theirs. */
static void run_concurrently(const stress_subject *subjects, int wrong[CASES]) {
  application applications[APPLICATION_THREADS];
  stress_result expected[CASES];
  for (int i = 0; i < CASES; i++) expected[i] = stress_reference(&subjects[i]);
  for (int t = 0; t < APPLICATION_THREADS; t++) {
    applications[t] = (application){.subjects = subjects,
                                    .expected = expected,
                                    .axis = (bdag_axis)(t % 5),
                                    .threads = (uint32_t)(t + 1)};
    if (pthread_create(&applications[t].thread, NULL, apply, &applications[t]) != 0)
      stress_must("pthread_create", BDAG_ERROR_THREADS);
  }
  for (int t = 0; t < APPLICATION_THREADS; t++) pthread_join(applications[t].thread, NULL);
  for (int i = 0; i < CASES; i++) {
    for (int t = 0; t < APPLICATION_THREADS; t++) wrong[i] += applications[t].wrong[i];
    stress_result_free(&expected[i]);
  }
}

/* ---- No allocation -------------------------------------------------------------------------------- */

static int check_allocations(const stress_subject *s) {
  int wrong = 0;
  for (int axis = 0; axis < 5; axis++) {
    bdag_engine *engine = stress_engine(s, (bdag_axis)axis, 4);
    double loss;
    const uint64_t hooks = atomic_load(&hook_calls), calls = atomic_load(&wrapped_calls);
    atomic_store(&counting, 1);
    for (int round = 0; round < 3; round++) wrong += stress_passes(s, engine, &loss) != BDAG_OK;
    atomic_store(&counting, 0);
    wrong += atomic_load(&hook_calls) != hooks || atomic_load(&wrapped_calls) != calls;
    bdag_engine_destroy(engine);
  }
  /* the counters themselves must work */
  const uint64_t hooks = atomic_load(&hook_calls);
  bdag_engine_destroy(stress_engine(s, BDAG_AXIS_SERIAL, 1));
  return wrong == 0 && atomic_load(&hook_calls) > hooks;
}

static int check_counting(void) {
  const uint64_t calls = atomic_load(&wrapped_calls);
  bdag_context *context = NULL;
  atomic_store(&counting, 1);
  stress_must("context", bdag_context_create(&context, NULL, NULL));
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

static int check_mode_with(const stress_subject *s, const stress_result *expected, int rounding,
                           bdag_axis axis) {
  float_mode before_team[4] = {{0}}, after_team[4] = {{0}};
  stress_result r = stress_result_make(s);
  bdag_engine *engine = stress_engine(s, axis, 4);
  team_modes(before_team);
  fesetround(rounding);
  const float_mode before = current_mode();
  const bdag_status status = stress_run(s, engine, &r);
  const float_mode after = current_mode();
  fesetround(FE_TONEAREST);
  team_modes(after_team);
  int right = status == BDAG_OK && same_mode(before, after) && stress_same(s, &r, expected);
  /* threads that the runtime made for the pass began with the caller's mode */
  for (int i = 0; i < 4; i++)
    right &= same_mode(before_team[i], after_team[i]) || same_mode(before, after_team[i]);
  bdag_engine_destroy(engine);
  stress_result_free(&r);
  return right;
}

/* Of a process that has no threads yet: the pass makes those of the team. */
static int check_made_threads(const stress_subject *s) {
  float_mode modes[4] = {{0}};
  double loss;
  bdag_engine *engine = stress_engine(s, BDAG_AXIS_VERTICES, 4);
  const float_mode own = current_mode();
  int right = stress_passes(s, engine, &loss) == BDAG_OK;
  team_modes(modes);
  for (int i = 0; i < 4; i++) right &= same_mode(own, modes[i]);
  bdag_engine_destroy(engine);
  return right;
}

static int check_mode(const stress_subject *s) {
  static const int roundings[] = {FE_TONEAREST, FE_TOWARDZERO, FE_UPWARD};
  stress_result expected = stress_reference(s);
  int right = 1;
  for (int i = 0; i < 3; i++) {
    for (int axis = 0; axis < 5; axis++)
      right &= check_mode_with(s, &expected, roundings[i], (bdag_axis)axis);
  }
  stress_result_free(&expected);
  return right;
}

/* ---------------------------------------------------------------------------------------------------- */

static int report(int number, int right, const char *what, uint64_t seed) {
  printf("%s %d - %s, seed %" PRIu64 "\n", right ? "ok" : "not ok", number, what, seed);
  fflush(stdout);
  return !right;
}

/* A process of its own, for libomp's sake; see run_concurrently. */
static int run_tiny(property_world *world) {
  const int64_t live = atomic_load(&hook_live);
  const stress_tiny_counts tiny = stress_tiny(world);
  printf("1..3\n# %" PRIu64 " tiny passes, %" PRIu64 " cancelled\n", tiny.passes, tiny.cancelled);
  const int failed =
      report(1, tiny.wrong == 0 && tiny.passes >= STRESS_TINY_PASSES, "tiny passes", 0) +
      report(2, tiny.cancelled > 0, "some of them were cancelled", 0) +
      report(3, atomic_load(&hook_live) == live, "nothing of them is left", 0);
  property_world_destroy(world);
  return failed != 0;
}

/* A process of its own, too. */
static int run_made(property_world *world) {
  stress_subject subject;
  const stress_size size = {301, UINT64_MAX, 61, UINT64_MAX};
  const uint64_t seed = stress_draw(&subject, world, 2000000, size);
  printf("1..1\n");
  const int failed =
      report(1, check_made_threads(&subject), "mode of threads that a pass makes", seed - 1);
  stress_free(&subject);
  property_world_destroy(world);
  return failed;
}

int main(int count, char **arguments) {
  const bdag_allocator allocator = {hook_allocate, hook_release, NULL};
  property_world world;
  static const stress_size worth_threads = {301, UINT64_MAX, 61, UINT64_MAX};
  stress_subject subjects[CASES];
  uint64_t seed = 2000000;
  int number = 0, failed = 0, wrong[CASES] = {0};
  stress_must("world", property_world_create_with(&world, &allocator, NULL));
  if (count > 1 && strcmp(arguments[1], "tiny") == 0) return run_tiny(&world);
  if (count > 1 && strcmp(arguments[1], "made") == 0) return run_made(&world);
  printf("1..%d\n", 1 + 3 * CASES);
  failed += report(++number, check_counting(), "allocations are counted", 0);
  for (int i = 0; i < CASES; i++) {
    seed = stress_draw(&subjects[i], &world, seed, worth_threads);
    failed +=
        report(++number, check_allocations(&subjects[i]), "no allocation in a pass", seed - 1);
    failed += report(++number, check_mode(&subjects[i]), "floating-point mode restored", seed - 1);
  }
  run_concurrently(subjects, wrong);
  for (int i = 0; i < CASES; i++) {
    failed += report(++number, wrong[i] == 0, "engines at once", subjects[i].c.seed);
    stress_free(&subjects[i]);
  }
  property_world_destroy(&world);
  return failed != 0;
}
