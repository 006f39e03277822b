/* Passes inside other people's processes: forks, limits on threads, parallel regions of the caller,
 * cancelling, binding, several engines at once. Each check is a process of its own, since most change it
 * for good; a plain program, because Criterion's tests must not fork. Prints TAP. */
#include <omp.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server_net.h"
#include "train/trainer_internal.h"

enum { FAILED = 1, SKIPPED = 77, PATIENCE_SECONDS = 120 };

#define CHECK(condition)                                                                           \
  do {                                                                                             \
    if (!(condition)) {                                                                            \
      printf("# line %d: %s\n", __LINE__, #condition);                                             \
      fflush(stdout);                                                                              \
      _exit(FAILED);                                                                               \
    }                                                                                              \
  } while (0)

/* ---- What the checks share ------------------------------------------------------------------------ */

/* A network whose passes are worth a team. */
static void make(server_net *net, uint32_t threads, int bind) {
  bdag_context_options options = BDAG_CONTEXT_OPTIONS_INIT;
  bdag_error error;
  options.threads = threads;
  options.oversubscribe = 1;
  options.bind_threads = bind;
  server_must("context", server_context(net, &options, &error), &error);
  server_build(net, 48, 4, 256);
}

typedef struct result {
  float *y, *gradient;
} result;

static result make_result(const server_net *net) {
  return (result){calloc(net->batch * net->width, sizeof(float)),
                  calloc(server_edges(net), sizeof(float))};
}

static void free_result(result *r) {
  free(r->y);
  free(r->gradient);
}

static result expected_of(const server_net *net) {
  result r = make_result(net);
  bdag_engine *engine = server_engine(net, BDAG_AXIS_SERIAL, 1);
  server_must("serial pass", server_pass(net, engine, r.y, r.gradient), NULL);
  bdag_engine_destroy(engine);
  return r;
}

static int same(const server_net *net, const result *a, const result *b) {
  return memcmp(a->y, b->y, net->batch * net->width * sizeof(float)) == 0 &&
         memcmp(a->gradient, b->gradient, server_edges(net) * sizeof(float)) == 0;
}

static int passes_right(const server_net *net, bdag_engine *engine, const result *expected) {
  result r = make_result(net);
  const int right = server_pass(net, engine, r.y, r.gradient) == BDAG_OK && same(net, &r, expected);
  free_result(&r);
  return right;
}

/* Threads when a check begins: 1, or one more of a sanitizer. */
static int first_tasks;

static void *nothing(void *argument) {
  return argument;
}

/* A sanitizer's own thread comes with the first one. */
static void count_first_tasks(void) {
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, nothing, NULL) == 0);
  pthread_join(thread, NULL);
  usleep(20000);
  first_tasks = server_tasks();
}

/* Threads made since then. Those that have been joined may still be listed for a moment. */
static int made_threads(int expected) {
  for (int i = 0; i < 1000 && server_tasks() != first_tasks + expected; i++) usleep(1000);
  return server_tasks() - first_tasks;
}

/* ---- Teams ---------------------------------------------------------------------------------------- */

static atomic_int elsewhere, within, most_within;
static _Thread_local int is_caller;

static void count_elsewhere(void *user) {
  if (!is_caller) atomic_fetch_add(&elsewhere, 1);
}

static int small_passes_make_no_thread(void) {
  server_net net;
  bdag_context_options options = BDAG_CONTEXT_OPTIONS_INIT;
  options.threads = 8;
  options.oversubscribe = 1;
  server_must("context", server_context(&net, &options, NULL), NULL);
  server_build(&net, 6, 3, 16);
  bdag_engine *engine = server_engine(&net, BDAG_AXIS_AUTO, 0);
  CHECK(made_threads(0) == 0);
  is_caller = 1;
  net.watch = count_elsewhere;
  for (int i = 0; i < 1000; i++) {
    CHECK(server_pass(&net, engine, NULL, NULL) == BDAG_OK);
    CHECK(bdag_forward(engine, net.weights, 1, net.x, NULL) == BDAG_OK);
  }
  CHECK(server_tasks() == first_tasks);
  CHECK(atomic_load(&elsewhere) == 0);
  bdag_engine_destroy(engine);
  server_free(&net);
  /* others do, so that the counts above could have failed */
  make(&net, 8, 0);
  engine = server_engine(&net, BDAG_AXIS_TILES, 0);
  net.watch = count_elsewhere;
  CHECK(server_pass(&net, engine, NULL, NULL) == BDAG_OK);
  CHECK(made_threads(7) == 7);
  CHECK(atomic_load(&elsewhere) > 0);
  bdag_engine_destroy(engine);
  server_free(&net);
  return 0;
}

static int parallel_regions_of_the_caller(void) {
  server_net net;
  make(&net, 4, 0);
  result expected = expected_of(&net);
  net.watch = count_elsewhere;
  omp_set_max_active_levels(4);
  int right = 0;
#pragma omp parallel num_threads(3) reduction(+ : right)
  {
    bdag_engine *engine = server_engine(&net, (bdag_axis)(1 + omp_get_thread_num() % 2), 4);
    is_caller = 1;
    for (int i = 0; i < 20; i++) right += passes_right(&net, engine, &expected);
    is_caller = 0;
    bdag_engine_destroy(engine);
  }
  CHECK(right == 60);
  CHECK(atomic_load(&elsewhere) == 0);
  free_result(&expected);
  server_free(&net);
  return 0;
}

typedef struct application {
  pthread_t thread;
  const server_net *net;
  const result *expected;
  int rounds, right;
} application;

static void *apply(void *argument) {
  application *a = argument;
  bdag_engine *engine = server_engine(a->net, BDAG_AXIS_TILES, 0);
  for (int i = 0; i < a->rounds; i++) a->right += passes_right(a->net, engine, a->expected);
  bdag_engine_destroy(engine);
  return NULL;
}

static void linger(void *user) {
  const int now = atomic_fetch_add(&within, 1) + 1;
  int most = atomic_load(&most_within);
  while (now > most && !atomic_compare_exchange_weak(&most_within, &most, now)) {
  }
  usleep(20);
  atomic_fetch_sub(&within, 1);
}

/* Two callers with a budget of 4: the first takes it all, the second has its own thread. */
static int engines_share_the_budget(void) {
  server_net net;
  application applications[2];
  make(&net, 4, 0);
  result expected = expected_of(&net);
  net.watch = linger;
  for (int i = 0; i < 2; i++) {
    applications[i] = (application){.net = &net, .expected = &expected, .rounds = 6};
    CHECK(pthread_create(&applications[i].thread, NULL, apply, &applications[i]) == 0);
  }
  for (int i = 0; i < 2; i++) {
    pthread_join(applications[i].thread, NULL);
    CHECK(applications[i].right == 6);
  }
  CHECK(atomic_load(&most_within) > 1);
  CHECK(atomic_load(&most_within) <= 5);
  free_result(&expected);
  server_free(&net);
  return 0;
}

/* An engine cannot ask for more threads than its context has. */
static int engines_are_cut_to_the_context(void) {
  server_net net;
  make(&net, 3, 0);
  result expected = expected_of(&net);
  bdag_engine *engine = server_engine(&net, BDAG_AXIS_TILES, 16);
  bdag_engine_info info = {.size = sizeof info};
  CHECK(bdag_engine_describe(engine, &info) == BDAG_OK);
  CHECK(info.threads == 3);
  CHECK(passes_right(&net, engine, &expected));
  CHECK(made_threads(2) == 2);
  bdag_engine_destroy(engine);
  free_result(&expected);
  server_free(&net);
  return 0;
}

/* ---- Forks ---------------------------------------------------------------------------------------- */

static int status_of(pid_t child) {
  int status;
  CHECK(waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void in_forked_child(const server_net *net, bdag_engine *engine, const result *expected) {
  alarm(PATIENCE_SECONDS / 2);
  for (int i = 0; i < 3; i++) CHECK(passes_right(net, engine, expected));
  bdag_engine *own = server_engine(net, BDAG_AXIS_VERTICES, 0);
  for (int i = 0; i < 3; i++) CHECK(passes_right(net, own, expected));
  bdag_engine_destroy(own);
  CHECK(server_tasks() <= first_tasks);
  CHECK(atomic_load(&net->warnings) == 1);
  CHECK(strstr(net->last_line, "fork") != NULL);
  /* and in a child of the child, with a context of its own */
  const pid_t child = fork();
  if (child == 0) {
    server_net other;
    make(&other, 4, 0);
    bdag_engine *late = server_engine(&other, BDAG_AXIS_TILES, 0);
    CHECK(passes_right(&other, late, expected));
    CHECK(server_tasks() <= first_tasks);
    _exit(0);
  }
  CHECK(status_of(child) == 0);
  _exit(0);
}

static int child_after_a_parallel_pass(void) {
  server_net net;
  make(&net, 4, 0);
  result expected = expected_of(&net);
  bdag_engine *engine = server_engine(&net, BDAG_AXIS_TILES, 0);
  CHECK(passes_right(&net, engine, &expected));
  CHECK(made_threads(3) == 3);
  const pid_t child = fork();
  if (child == 0) in_forked_child(&net, engine, &expected);
  CHECK(status_of(child) == 0);
  CHECK(passes_right(&net, engine, &expected));
  CHECK(atomic_load(&net.warnings) == 0);
  bdag_engine_destroy(engine);
  free_result(&expected);
  server_free(&net);
  return 0;
}

static int child_of_a_single_thread(void) {
  server_net net;
  if (first_tasks != 1) return SKIPPED;
  make(&net, 4, 0);
  result expected = expected_of(&net);
  const pid_t child = fork();
  if (child == 0) {
    alarm(PATIENCE_SECONDS / 2);
    bdag_engine *engine = server_engine(&net, BDAG_AXIS_TILES, 0);
    CHECK(passes_right(&net, engine, &expected));
    CHECK(made_threads(3) == 3);
    CHECK(atomic_load(&net.warnings) == 0);
    _exit(0);
  }
  CHECK(status_of(child) == 0);
  free_result(&expected);
  server_free(&net);
  return 0;
}

/* ---- Limits --------------------------------------------------------------------------------------- */

static void limit_tasks(rlim_t tasks) {
  struct rlimit limit;
  CHECK(getrlimit(RLIMIT_NPROC, &limit) == 0);
  limit.rlim_cur = tasks;
  CHECK(setrlimit(RLIMIT_NPROC, &limit) == 0);
}

/* As a user who runs nothing else; root is not limited. */
static int become_nobody(void) {
  const uid_t lonely = 54321;
  return geteuid() != 0 ||
         (setresgid(lonely, lonely, lonely) == 0 && setresuid(lonely, lonely, lonely) == 0);
}

static int too_few_tasks_for_a_pass(void) {
  server_net net;
  bdag_failure failure;
  struct rlimit before;
  if (!become_nobody()) return SKIPPED;
  CHECK(getrlimit(RLIMIT_NPROC, &before) == 0);
  make(&net, 4, 0);
  result expected = expected_of(&net);
  bdag_engine *engine = server_engine(&net, BDAG_AXIS_TILES, 0);
  limit_tasks(1);
  CHECK(bdag_forward(engine, net.weights, net.batch, net.x, NULL) == BDAG_ERROR_THREADS);
  bdag_engine_last_failure(engine, &failure);
  CHECK(failure.status == BDAG_ERROR_THREADS);
  CHECK(atomic_load(&net.warnings) == 1);
  CHECK(strstr(net.last_line, "RLIMIT_NPROC is 1") != NULL);
  CHECK(bdag_backward(engine, net.weights, net.targets, NULL, NULL) == BDAG_ERROR_ORDER);
  bdag_engine *alone = server_engine(&net, BDAG_AXIS_SERIAL, 0);
  CHECK(passes_right(&net, alone, &expected));
  limit_tasks(before.rlim_cur);
  CHECK(passes_right(&net, engine, &expected));
  /* a team that is there needs no more threads */
  limit_tasks(1);
  CHECK(passes_right(&net, engine, &expected));
  bdag_engine_destroy(alone);
  bdag_engine_destroy(engine);
  free_result(&expected);
  server_free(&net);
  return 0;
}

static int too_few_tasks_for_a_context(void) {
  server_net net;
  bdag_error error;
  bdag_context_options options = BDAG_CONTEXT_OPTIONS_INIT;
  if (!become_nobody()) return SKIPPED;
  limit_tasks(1);
  options.threads = 4;
  options.oversubscribe = 1;
  CHECK(server_context(&net, &options, &error) == BDAG_ERROR_THREADS);
  CHECK(net.context == NULL);
  CHECK(strstr(error.message, "4 threads") != NULL);
  CHECK(strstr(error.message, "RLIMIT_NPROC is 1") != NULL);
  /* who did not ask gets what there is */
  options.threads = 0;
  setenv("OMP_NUM_THREADS", "4", 1);
  CHECK(server_context(&net, &options, &error) == BDAG_OK);
  CHECK(bdag_context_threads(net.context) == 1);
  CHECK(atomic_load(&net.warnings) == 1);
  bdag_context_destroy(net.context);
  return 0;
}

/* ---- Cancelling ----------------------------------------------------------------------------------- */

typedef struct canceller {
  pthread_t thread;
  bdag_engine *engine;
  atomic_int running, end;
} canceller;

static void note_running(void *user) {
  atomic_store(&((canceller *)user)->running, 1);
  usleep(50);
}

static void *cancel_when_running(void *argument) {
  canceller *c = argument;
  while (!atomic_load(&c->end)) {
    if (atomic_exchange(&c->running, 0)) bdag_engine_cancel(c->engine);
    sched_yield();
  }
  return NULL;
}

static void cancel_passes(bdag_axis axis, uint32_t threads) {
  server_net net;
  canceller c = {0};
  make(&net, 4, 0);
  result expected = expected_of(&net);
  c.engine = server_engine(&net, axis, threads);
  net.user = &c;
  CHECK(pthread_create(&c.thread, NULL, cancel_when_running, &c) == 0);
  for (int round = 0; round < 5; round++) {
    bdag_failure failure;
    net.watch = note_running;
    CHECK(server_pass(&net, c.engine, NULL, NULL) == BDAG_ERROR_CANCELLED);
    bdag_engine_last_failure(c.engine, &failure);
    CHECK(failure.status == BDAG_ERROR_CANCELLED);
    net.watch = NULL;
    while (atomic_load(&c.running)) sched_yield();
    usleep(1000);
    CHECK(passes_right(&net, c.engine, &expected));
    /* the backward pass too */
    net.watch = note_running;
    CHECK(bdag_backward(c.engine, net.weights, net.targets, NULL, NULL) == BDAG_ERROR_CANCELLED);
    net.watch = NULL;
    while (atomic_load(&c.running)) sched_yield();
    usleep(1000);
    CHECK(passes_right(&net, c.engine, &expected));
  }
  atomic_store(&c.end, 1);
  pthread_join(c.thread, NULL);
  bdag_engine_destroy(c.engine);
  free_result(&expected);
  server_free(&net);
}

static int cancelled_passes(void) {
  cancel_passes(BDAG_AXIS_SERIAL, 1);
  cancel_passes(BDAG_AXIS_TILES, 4);
  cancel_passes(BDAG_AXIS_VERTICES, 4);
  return 0;
}

static int cancel_before_a_pass_is_nothing(void) {
  server_net net;
  make(&net, 4, 0);
  result expected = expected_of(&net);
  bdag_engine *engine = server_engine(&net, BDAG_AXIS_TILES, 0);
  bdag_engine_cancel(engine);
  CHECK(passes_right(&net, engine, &expected));
  bdag_engine_cancel(NULL);
  bdag_engine_destroy(engine);
  free_result(&expected);
  server_free(&net);
  return 0;
}

static void cancel_at_once(void *user) {
  bdag_engine_cancel(user);
}

static int nothing_to_accumulate_onto(void) {
  server_net net;
  make(&net, 4, 0);
  result expected = expected_of(&net), r = make_result(&net);
  bdag_engine *engine = server_engine(&net, BDAG_AXIS_TILES, 0);
  bdag_backward_options options = BDAG_BACKWARD_OPTIONS_INIT;
  const bdag_array targets = {net.targets, BDAG_FLOAT32, net.width, 1};
  options.targets = &targets;
  options.accumulate = 1;
  net.user = engine;
  CHECK(passes_right(&net, engine, &expected));
  net.watch = cancel_at_once;
  CHECK(bdag_backward_arrays(engine, net.weights, &options, NULL) == BDAG_ERROR_CANCELLED);
  net.watch = NULL;
  CHECK(bdag_read_weight_grad(engine, 0, 1, r.gradient) == BDAG_ERROR_ORDER);
  CHECK(bdag_backward_arrays(engine, net.weights, &options, NULL) == BDAG_OK);
  CHECK(bdag_read_weight_grad(engine, 0, server_edges(&net), r.gradient) == BDAG_OK);
  CHECK(memcmp(r.gradient, expected.gradient, server_edges(&net) * sizeof(float)) == 0);
  /* and accumulating does accumulate */
  CHECK(bdag_backward_arrays(engine, net.weights, &options, NULL) == BDAG_OK);
  CHECK(bdag_read_weight_grad(engine, 0, server_edges(&net), r.gradient) == BDAG_OK);
  CHECK(memcmp(r.gradient, expected.gradient, server_edges(&net) * sizeof(float)) != 0);
  bdag_engine_destroy(engine);
  free_result(&expected);
  free_result(&r);
  server_free(&net);
  return 0;
}

typedef struct step_canceller {
  bdag_trainer *trainer;
  atomic_int left; /* calls until it cancels */
} step_canceller;

static void count_down(void *user) {
  step_canceller *c = user;
  if (atomic_fetch_sub(&c->left, 1) == 1) bdag_engine_cancel(c->trainer->engine);
}

static void cancel_steps(bdag_optimizer optimizer, double momentum, bdag_axis axis) {
  server_net net;
  step_canceller c = {0};
  bdag_trainer_options options = BDAG_TRAINER_OPTIONS_INIT;
  make(&net, 4, 0);
  const uint64_t count = bdag_network_parameter_count(net.network);
  double *const before = calloc(count, sizeof *before), *const after = calloc(count, sizeof *after);
  const bdag_array x = {net.x, BDAG_FLOAT32, net.width, 1};
  const bdag_array targets = {net.targets, BDAG_FLOAT32, net.width, 1};
  double loss;
  options.optimizer = optimizer;
  options.momentum = momentum;
  options.axis = axis;
  options.max_batch = net.batch;
  server_must("trainer", bdag_trainer_create(&c.trainer, net.plan, net.weights, &options, NULL),
              NULL);
  net.user = &c;
  CHECK(bdag_weights_read(net.weights, 0, count, before) == BDAG_OK);
  net.watch = count_down;
  int cancelled = 0;
  for (int after_calls = 1; after_calls < 2000; after_calls = after_calls * 3 / 2 + 1) {
    atomic_store(&c.left, after_calls);
    const bdag_status status = bdag_trainer_step(c.trainer, net.batch, &x, &targets, NULL, &loss);
    CHECK(bdag_weights_read(net.weights, 0, count, after) == BDAG_OK);
    CHECK(status == (atomic_load(&c.left) > 0 ? BDAG_OK : BDAG_ERROR_CANCELLED));
    if (status == BDAG_OK) break;
    CHECK(memcmp(before, after, count * sizeof *before) == 0);
    cancelled++;
  }
  CHECK(cancelled >= 4);
  atomic_store(&c.left, 0);
  CHECK(bdag_trainer_step(c.trainer, net.batch, &x, &targets, NULL, &loss) == BDAG_OK);
  CHECK(bdag_weights_read(net.weights, 0, count, after) == BDAG_OK);
  CHECK(memcmp(before, after, count * sizeof *before) != 0);
  bdag_trainer_destroy(c.trainer);
  free(before);
  free(after);
  server_free(&net);
}

static int cancelled_steps_change_no_weight(void) {
  cancel_steps(BDAG_SGD, 0.0, BDAG_AXIS_TILES);
  cancel_steps(BDAG_SGD, 0.0, BDAG_AXIS_VERTICES);
  cancel_steps(BDAG_SGD, 0.0, BDAG_AXIS_SERIAL);
  cancel_steps(BDAG_SGD, 0.9, BDAG_AXIS_TILES);
  cancel_steps(BDAG_ADAM, 0.0, BDAG_AXIS_VERTICES);
  return 0;
}

/* ---- Binding -------------------------------------------------------------------------------------- */

typedef struct sighting {
  cpu_set_t caller;
  atomic_int workers_bound, workers_loose, caller_moved;
} sighting;

static void look_at_mask(void *user) {
  sighting *s = user;
  cpu_set_t now;
  CHECK(sched_getaffinity(0, sizeof now, &now) == 0);
  if (is_caller)
    atomic_fetch_add(&s->caller_moved, !CPU_EQUAL(&now, &s->caller));
  else if (CPU_COUNT(&now) == 1)
    atomic_fetch_add(&s->workers_bound, 1);
  else
    atomic_fetch_add(&s->workers_loose, 1);
  usleep(20);
}

static void watch_binding(int bind, sighting *s) {
  server_net net;
  cpu_set_t after;
  make(&net, 2, bind);
  result expected = expected_of(&net);
  bdag_engine *engine = server_engine(&net, BDAG_AXIS_TILES, 0);
  is_caller = 1;
  CHECK(sched_getaffinity(0, sizeof s->caller, &s->caller) == 0);
  net.watch = look_at_mask;
  net.user = s;
  for (int i = 0; i < 10; i++) CHECK(passes_right(&net, engine, &expected));
  CHECK(sched_getaffinity(0, sizeof after, &after) == 0);
  CHECK(CPU_EQUAL(&after, &s->caller));
  int loose = 0;
#pragma omp parallel num_threads(2) reduction(+ : loose)
  {
    cpu_set_t own;
    sched_getaffinity(0, sizeof own, &own);
    loose += CPU_EQUAL(&own, &s->caller);
  }
  CHECK(loose == 2);
  bdag_engine_destroy(engine);
  free_result(&expected);
  server_free(&net);
}

static int workers_are_bound_for_the_pass(void) {
  cpu_set_t set;
  sighting with = {0}, without = {0};
  CHECK(sched_getaffinity(0, sizeof set, &set) == 0);
  if (CPU_COUNT(&set) < 2) return SKIPPED;
  watch_binding(1, &with);
  CHECK(atomic_load(&with.caller_moved) == 0);
  CHECK(atomic_load(&with.workers_bound) > 0);
  CHECK(atomic_load(&with.workers_loose) == 0);
  watch_binding(0, &without);
  CHECK(atomic_load(&without.workers_bound) == 0);
  CHECK(atomic_load(&without.workers_loose) > 0);
  return 0;
}

/* ---------------------------------------------------------------------------------------------------- */

static const struct {
  const char *name;
  int (*run)(void);
} checks[] = {
    {"small passes make no thread", small_passes_make_no_thread},
    {"parallel regions of the caller", parallel_regions_of_the_caller},
    {"engines share the budget", engines_share_the_budget},
    {"engines are cut to the context", engines_are_cut_to_the_context},
    {"a child after a parallel pass", child_after_a_parallel_pass},
    {"a child of a single thread", child_of_a_single_thread},
    {"too few tasks for a pass", too_few_tasks_for_a_pass},
    {"too few tasks for a context", too_few_tasks_for_a_context},
    {"cancelled passes", cancelled_passes},
    {"cancelling before a pass is nothing", cancel_before_a_pass_is_nothing},
    {"a cancelled pass is nothing to accumulate onto", nothing_to_accumulate_onto},
    {"cancelled steps change no weight", cancelled_steps_change_no_weight},
    {"workers are bound for the pass", workers_are_bound_for_the_pass},
};

int main(void) {
  const int count = (int)(sizeof checks / sizeof checks[0]);
  int failed = 0;
  printf("1..%d\n", count);
  for (int i = 0; i < count; i++) {
    int status;
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
      alarm(PATIENCE_SECONDS);
      count_first_tasks();
      const int result = checks[i].run();
      fflush(stdout);
      _exit(result);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) return 1;
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    printf("%s %d - %s%s\n", code == 0 || code == SKIPPED ? "ok" : "not ok", i + 1, checks[i].name,
           code == SKIPPED ? " # SKIP the system does not allow it" : "");
    if (WIFSIGNALED(status)) printf("# ended by signal %d\n", WTERMSIG(status));
    failed += code != 0 && code != SKIPPED;
  }
  return failed != 0;
}
