/* The budget of threads, and memory that is touched first by its users. */
#include <criterion/criterion.h>
#include <omp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <backdag/backdag.h>

#include "base/memory.h"
#include "base/team.h"
#include "runtime/touch.h"

static bdag_context *make(uint32_t threads) {
  bdag_context_options options = BDAG_CONTEXT_OPTIONS_INIT;
  bdag_context *context;
  bdag_error error;
  options.threads = threads;
  options.oversubscribe = 1;
  cr_assert_eq(bdag_context_create(&context, &options, &error), BDAG_OK, "%s", error.message);
  return context;
}

static uint32_t used(const bdag_context *context) {
  return atomic_load(&context->budget->used);
}

Test(team, takes_what_it_wants_and_gives_it_back) {
  bdag_context *const context = make(8);
  for (uint32_t wanted = 2; wanted <= 8; wanted++) {
    cr_assert_eq(bdag_team_enter(context, wanted), wanted);
    cr_assert_eq(used(context), wanted);
    bdag_team_leave(context, wanted);
    cr_assert_eq(used(context), 0);
  }
  cr_assert_eq(bdag_team_enter(context, 1000), 8);
  bdag_team_leave(context, 8);
  bdag_context_destroy(context);
}

typedef struct visit {
  const bdag_context *context;
  uint32_t wanted, got;
} visit;

static void *enter(void *argument) {
  visit *v = argument;
  v->got = bdag_team_enter(v->context, v->wanted);
  return NULL;
}

/* On a thread of its own, which has no team so far. */
static uint32_t enter_elsewhere(const bdag_context *context, uint32_t wanted) {
  visit v = {context, wanted, 0};
  pthread_t thread;
  cr_assert_eq(pthread_create(&thread, NULL, enter, &v), 0);
  pthread_join(thread, NULL);
  return v.got;
}

/* A team of another size would be a new one. */
Test(team, all_or_the_calling_thread) {
  bdag_context *const context = make(16);
  cr_assert_eq(enter_elsewhere(context, 5), 5);
  cr_assert_eq(enter_elsewhere(context, 12), 1); /* 11 are left */
  cr_assert_eq(enter_elsewhere(context, 16), 1);
  cr_assert_eq(enter_elsewhere(context, 11), 11);
  cr_assert_eq(used(context), 16);
  /* nobody is turned away, and who is alone needs no budget */
  cr_assert_eq(enter_elsewhere(context, 2), 1);
  cr_assert_eq(enter_elsewhere(context, 1), 1);
  cr_assert_eq(used(context), 16);
  bdag_team_leave(context, 1);
  cr_assert_eq(used(context), 16);
  bdag_team_leave(context, 11);
  cr_assert_eq(enter_elsewhere(context, 12), 1);
  cr_assert_eq(enter_elsewhere(context, 8), 8);
  bdag_team_leave(context, 5);
  bdag_team_leave(context, 8);
  bdag_context_destroy(context);
}

Test(team, work_beside_passes_keeps_the_size) {
  bdag_context *const context = make(8);
  uint32_t size = bdag_team_enter_again(context);
  cr_assert_eq(size, 8);
  bdag_team_leave(context, size);
  cr_assert_eq(bdag_team_enter(context, 3), 3);
  bdag_team_leave(context, 3);
  cr_assert_eq(bdag_team_enter(context, 1), 1);
  size = bdag_team_enter_again(context);
  cr_assert_eq(size, 3);
  cr_assert_eq(enter_elsewhere(context, 5), 5);
  cr_assert_eq(bdag_team_enter_again(context), 1);
  bdag_team_leave(context, 8);
  bdag_context_destroy(context);
}

Test(team, alone_inside_a_parallel_region) {
  bdag_context *const context = make(8);
  uint32_t most = 0;
#pragma omp parallel num_threads(2) reduction(max : most)
  {
    const uint32_t size = bdag_team_enter(context, 8);
    most = size > most ? size : most;
    bdag_team_leave(context, size);
  }
  cr_assert_eq(most, 1);
  cr_assert_eq(used(context), 0);
  bdag_context_destroy(context);
}

enum { VISITORS = 8, VISITS = 20000 };

typedef struct visitor {
  pthread_t thread;
  const bdag_context *context;
  uint32_t most;
} visitor;

static void *come_and_go(void *argument) {
  visitor *v = argument;
  for (int i = 0; i < VISITS; i++) {
    const uint32_t size = bdag_team_enter(v->context, 2 + (uint32_t)i % 3);
    const uint32_t now = atomic_load(&v->context->budget->used);
    if (now > v->most) v->most = now;
    bdag_team_leave(v->context, size);
  }
  return NULL;
}

Test(team, many_at_once) {
  bdag_context *const context = make(4);
  visitor visitors[VISITORS];
  for (int i = 0; i < VISITORS; i++) {
    visitors[i] = (visitor){.context = context};
    cr_assert_eq(pthread_create(&visitors[i].thread, NULL, come_and_go, &visitors[i]), 0);
  }
  for (int i = 0; i < VISITORS; i++) {
    pthread_join(visitors[i].thread, NULL);
    cr_expect_leq(visitors[i].most, 4);
  }
  cr_expect_eq(used(context), 0);
  bdag_context_destroy(context);
}

/* ---- Memory --------------------------------------------------------------------------------------- */

static int all_zero(const char *block, size_t size) {
  for (size_t i = 0; i < size; i++)
    if (block[i] != 0) return 0;
  return 1;
}

/* Freed memory full of ones comes back, so that zeros are no accident. */
static void *dirty_allocate(void *user, size_t size) {
  char *block = malloc(size);
  if (block != NULL) memset(block, 0xff, size);
  return block;
}

static void dirty_release(void *user, void *block) {
  free(block);
}
/* More threads than can run at once are taken only where the caller names the axis. */
Test(team, of_an_engine_that_chooses_fits_the_machine) {
  bdag_context_options options = BDAG_CONTEXT_OPTIONS_INIT;
  bdag_context *context;
  bdag_network *network;
  bdag_plan *plan;
  options.threads = 16;
  options.oversubscribe = 1;
  options.synthetic = "core:3 pu:1";
  cr_assert_eq(bdag_context_create(&context, &options, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_create(&network, context, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_add_inputs(network, 1, NULL, NULL), BDAG_OK);
  const bdag_output output = {.vertex = 0};
  cr_assert_eq(bdag_network_set_outputs(network, 1, &output, NULL), BDAG_OK);
  cr_assert_eq(bdag_plan_create(&plan, network, NULL, NULL), BDAG_OK);
  for (int axis = BDAG_AXIS_AUTO; axis <= BDAG_AXIS_BOTH; axis++)
    for (uint32_t asked = 0; asked < 20; asked++) {
      bdag_engine_options wanted = BDAG_ENGINE_OPTIONS_INIT;
      bdag_engine *engine;
      wanted.axis = (bdag_axis)axis;
      wanted.threads = asked;
      cr_assert_eq(bdag_engine_create(&engine, plan, &wanted, NULL), BDAG_OK);
      bdag_engine_info info = {.size = sizeof info};
      cr_assert_eq(bdag_engine_describe(engine, &info), BDAG_OK);
      const uint32_t most = axis == BDAG_AXIS_AUTO ? 3 : axis == BDAG_AXIS_SERIAL ? 1 : 16;
      cr_expect_eq(info.threads, asked > 0 && asked < most ? asked : most);
      bdag_engine_destroy(engine);
    }
  bdag_plan_release(plan);
  bdag_network_destroy(network);
  bdag_context_destroy(context);
}

Test(touch, everything_is_zero) {
  static const struct {
    uint64_t parts, size;
    uint32_t threads;
  } blocks[] = {{0, 100, 4},     {1, 0, 4},       {1, 9 << 20, 4}, {7, 1 << 20, 4},
                {3, 3 << 20, 8}, {100003, 60, 3}, {1000, 1000, 4}, {9 << 20, 1, 1}};
  const bdag_allocator allocator = {dirty_allocate, dirty_release, NULL};
  bdag_context_options options = BDAG_CONTEXT_OPTIONS_INIT;
  bdag_context *context;
  options.threads = 4;
  options.oversubscribe = 1;
  options.allocator = &allocator;
  cr_assert_eq(bdag_context_create(&context, &options, NULL), BDAG_OK);
  for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
    char *block =
        bdag_allocate_touched(context, blocks[i].parts, blocks[i].size, blocks[i].threads);
    cr_assert_not_null(block);
    cr_expect(all_zero(block, blocks[i].parts * blocks[i].size), "%zu", i);
    bdag_free(context, block);
  }
  cr_expect_null(bdag_allocate_touched(context, UINT64_MAX / 2, 16, 4));
  cr_expect_eq(used(context), 0);
  bdag_context_destroy(context);
}
