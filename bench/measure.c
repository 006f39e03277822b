/* Warm-up, repetitions and interleaving. */
#include "measure.h"

#include <time.h>

#include "bench_base.h"

#define LONG_REPETITION 0.05
enum { MOST_SAMPLES = 400, ENOUGH_SAMPLES = 15 };

static void pause_for(double seconds) {
  const struct timespec time = {(time_t)seconds, (long)(1e9 * (seconds - (double)(time_t)seconds))};
  if (seconds > 0.0) nanosleep(&time, NULL);
}

static double run(bench_alternative *a, uint64_t repetitions) {
  const double seconds = a->run(a->user, repetitions);
  if (!(seconds >= 0.0)) a->failed = 1;
  return seconds;
}

/* At least two repetitions, and as many as a sample needs to be long enough. */
static void warm_up(bench_alternative *a, const bench_effort *effort) {
  run(a, 1);
  if (a->failed) return;
  a->inner = 1;
  for (;;) {
    const double seconds = run(a, a->inner);
    if (a->failed || seconds >= effort->least_sample || a->inner >= UINT64_C(1) << 40) return;
    const double wanted = effort->least_sample / (seconds > 1e-9 ? seconds : 1e-9);
    const double factor = wanted > 10.0 ? 10.0 : wanted * 1.1;
    a->inner = (uint64_t)((double)a->inner * factor) + 1;
  }
}

static void take_sample(bench_alternative *a, const bench_effort *effort) {
  if (a->failed) return;
  if (effort->settle > 0.0) {
    /* The others' threads fall asleep, ours wake up outside the timed part; long repetitions do that
     * by themselves. */
    pause_for(effort->settle);
    if (a->count == 0 || a->seconds[0] < LONG_REPETITION) run(a, 1);
    if (a->failed) return;
  }
  const double seconds = run(a, a->inner);
  if (!a->failed) a->seconds[a->count++] = seconds / (double)a->inner;
}

static int is_certain(const bench_alternative *a, const bench_effort *effort) {
  if (a->failed || a->count >= MOST_SAMPLES) return 1;
  if (a->count < ENOUGH_SAMPLES) return 0;
  const bench_statistics s = bench_describe(a->seconds, a->count);
  return bench_uncertainty(&s) <= effort->uncertainty;
}

/* A quarter of the budget is always spent, so that one calm moment does not decide. */
static int is_done(const bench_alternative *alternatives, uint64_t count,
                   const bench_effort *effort, double share_spent) {
  uint64_t least = MOST_SAMPLES;
  int certain = 1, alive = 0;
  for (uint64_t i = 0; i < count; i++) {
    const bench_alternative *a = &alternatives[i];
    if (a->failed) continue;
    alive = 1;
    if (a->count < least) least = a->count;
    certain = certain && is_certain(a, effort);
  }
  if (!alive || least >= MOST_SAMPLES) return 1;
  if (share_spent >= 1.0 && least >= effort->least) return 1;
  if (share_spent >= 3.0 && least >= 1) return 1;
  return share_spent >= 0.25 && certain;
}

void bench_measure(bench_alternative *alternatives, uint64_t count, const bench_effort *effort) {
  uint64_t alive = 0;
  for (uint64_t i = 0; i < count; i++) {
    bench_alternative *a = &alternatives[i];
    a->seconds = bench_allocate(MOST_SAMPLES, sizeof *a->seconds);
    a->count = 0;
    a->failed = 0;
    warm_up(a, effort);
    alive += !a->failed;
  }
  const double begin = bench_now(), budget = effort->budget * (double)(alive > 0 ? alive : 1);
  for (uint64_t round = 0; !is_done(alternatives, count, effort, (bench_now() - begin) / budget);
       round++)
    for (uint64_t i = 0; i < count; i++)
      take_sample(&alternatives[round % 2 == 0 ? i : count - 1 - i], effort);
}

void bench_alternatives_clear(bench_alternative *alternatives, uint64_t count) {
  for (uint64_t i = 0; i < count; i++) {
    bench_free(alternatives[i].seconds);
    alternatives[i].seconds = NULL;
    alternatives[i].count = 0;
  }
}
