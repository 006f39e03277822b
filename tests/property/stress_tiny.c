/* Eight application threads; every second has a population of engines, one for each case. Engines of all
 * axes and of 1 to 4 threads. */
#include "stress_tiny.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "dice.h"

enum { THREADS = 8, CASES = 6, ROUNDS = STRESS_TINY_PASSES / THREADS / 2 };

typedef struct tiny_world {
  pthread_barrier_t all; /* threads with teams that come or go alone are too much for libomp 14 */
  stress_subject subject[CASES];
  stress_result expected[CASES];
  bdag_engine *engine[THREADS][CASES]; /* alive for all of the run, so that anybody may cancel */
} tiny_world;

typedef struct tiny_application {
  pthread_t thread;
  tiny_world *world;
  stress_result result[CASES];
  int number;
  stress_tiny_counts counts;
} tiny_application;

/* The same for all engines of an application thread, together more than the budget. */
static uint32_t threads_of(int application) {
  return 1 + (uint32_t)application % 4;
}

static void count(tiny_application *a, int i, bdag_status status) {
  if (status == BDAG_OK)
    a->counts.passes += 2;
  else if (status == BDAG_ERROR_CANCELLED)
    a->counts.cancelled++;
  if (status == BDAG_OK ? !stress_same(&a->world->subject[i], &a->result[i], &a->world->expected[i])
                        : status != BDAG_ERROR_CANCELLED)
    a->counts.wrong++;
}

/* An engine that lives for one pass. */
static void run_short_lived(tiny_application *a, int i, bdag_axis axis) {
  bdag_engine *engine = stress_engine(&a->world->subject[i], axis, threads_of(a->number));
  count(a, i, stress_run(&a->world->subject[i], engine, &a->result[i]));
  bdag_engine_destroy(engine);
}

static void *apply(void *argument) {
  tiny_application *a = argument;
  struct dice dice = dice_make(4, (uint64_t)a->number);
  pthread_barrier_wait(&a->world->all);
  for (int round = 0; round < ROUNDS || a->counts.passes < 2 * ROUNDS; round++) {
    const int i = a->number % 2 != 0 ? round % CASES : a->number % CASES;
    bdag_engine *engine = a->world->engine[a->number][i];
    count(a, i, stress_run(&a->world->subject[i], engine, &a->result[i]));
    for (int k = 0; k < 2; k++) {
      const size_t other = dice_below(&dice, THREADS);
      bdag_engine_cancel(a->world->engine[other][dice_below(&dice, CASES)]);
    }
    if (dice_below(&dice, 100) == 0) run_short_lived(a, i, (bdag_axis)dice_below(&dice, 4));
  }
  return NULL;
}

static void begin(tiny_world *tiny, const property_world *world) {
  static const stress_size size = {1, 120, 1, 40};
  uint64_t seed = 3000000;
  pthread_barrier_init(&tiny->all, NULL, THREADS);
  for (int i = 0; i < CASES; i++) {
    seed = stress_draw(&tiny->subject[i], world, seed, size);
    tiny->expected[i] = stress_reference(&tiny->subject[i]);
    for (int t = 0; t < THREADS; t++)
      tiny->engine[t][i] =
          stress_engine(&tiny->subject[i], (bdag_axis)((t + i) % 4), threads_of(t));
  }
}

static void end(tiny_world *tiny) {
  for (int i = 0; i < CASES; i++) {
    for (int t = 0; t < THREADS; t++) bdag_engine_destroy(tiny->engine[t][i]);
    stress_result_free(&tiny->expected[i]);
    stress_free(&tiny->subject[i]);
  }
  pthread_barrier_destroy(&tiny->all);
}

stress_tiny_counts stress_tiny(const property_world *world) {
  tiny_world tiny;
  tiny_application applications[THREADS];
  stress_tiny_counts sum = {0};
  begin(&tiny, world);
  for (int t = 0; t < THREADS; t++) {
    tiny_application *a = &applications[t];
    *a = (tiny_application){.world = &tiny, .number = t};
    for (int i = 0; i < CASES; i++) a->result[i] = stress_result_make(&tiny.subject[i]);
    if (pthread_create(&a->thread, NULL, apply, a) != 0)
      stress_must("pthread_create", BDAG_ERROR_THREADS);
  }
  for (int t = 0; t < THREADS; t++) {
    tiny_application *a = &applications[t];
    pthread_join(a->thread, NULL);
    sum.passes += a->counts.passes;
    sum.cancelled += a->counts.cancelled;
    sum.wrong += a->counts.wrong;
    for (int i = 0; i < CASES; i++) stress_result_free(&a->result[i]);
  }
  end(&tiny);
  return sum;
}
