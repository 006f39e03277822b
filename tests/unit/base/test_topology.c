/* Topologies of all sorts; what hwloc must not do to the caller. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <hwloc.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include <backdag/backdag.h>

#include "base/context_internal.h"
#include "base/limit.h"
#include "base/topology.h"

static void set_up(void) {
  unsetenv("OMP_NUM_THREADS");
}
TestSuite(topology, .init = set_up);

static bdag_context *make(const char *synthetic) {
  bdag_context_options options = BDAG_CONTEXT_OPTIONS_INIT;
  bdag_context *context;
  bdag_error error;
  options.synthetic = synthetic;
  cr_assert_eq(bdag_context_create(&context, &options, &error), BDAG_OK, "%s: %s", synthetic,
               error.message);
  return context;
}

Test(topology, machines_of_all_sorts) {
  static const struct {
    const char *synthetic;
    uint32_t processors, cores, nodes, threads;
  } machines[] = {
      {"pack:2 numa:1 core:64 pu:2", 256, 128, 2, 128},
      {"pack:1 core:4 pu:1", 4, 4, 1, 4},
      {"core:8 pu:4", 32, 8, 1, 8},
      {"pack:1 core:1 pu:1", 1, 1, 1, 1},
      {"pu:6", 6, 6, 1, 6},
      {"pack:8 numa:4 core:16 pu:2", 1024, 512, 32, 512},
      {"pack:4 numa:4 core:128 pu:2", 4096, 2048, 16, 1024},
      {"pack:2 [numa(memory=1073741824)] l3:2 core:3 pu:2", 24, 12, 2, 12},
      {"numa:3 pu:1", 3, 3, 3, 3},
  };
  for (size_t i = 0; i < sizeof machines / sizeof machines[0]; i++) {
    bdag_context *const context = make(machines[i].synthetic);
    cr_expect_eq(context->machine.processors, machines[i].processors, "%s", machines[i].synthetic);
    cr_expect_eq(context->machine.cores, machines[i].cores, "%s", machines[i].synthetic);
    cr_expect_eq(context->machine.nodes, machines[i].nodes, "%s", machines[i].synthetic);
    cr_expect_eq(bdag_context_threads(context), machines[i].threads, "%s", machines[i].synthetic);
    bdag_context_destroy(context);
  }
}

/* Cores of one and of two processors, as a big-little machine or a mask leaves them. */
Test(topology, uneven_cores) {
  bdag_context *const context = make("pack:2 core:4 pu:2");
  const hwloc_bitmap_t left = hwloc_bitmap_alloc();
  hwloc_bitmap_set_range(left, 0, 2);
  hwloc_bitmap_set(left, 5);
  hwloc_bitmap_set_range(left, 14, 15);
  cr_assert_eq(hwloc_topology_restrict(context->topology, left, 0), 0);
  bdag_topology_describe(context);
  cr_expect_eq(context->machine.processors, 6);
  cr_expect_eq(context->machine.cores, 4);
  static const uint32_t expected[] = {0, 2, 5, 14, 1, 15};
  uint32_t place[16];
  cr_assert_eq(bdag_topology_places(context, 16, place), 6);
  for (int i = 0; i < 6; i++) cr_expect_eq(place[i], expected[i], "%d: %u", i, place[i]);
  cr_assert_eq(bdag_topology_places(context, 5, place), 5);
  cr_expect_eq(bdag_topology_threads(context, 0, NULL, NULL), BDAG_OK);
  cr_expect_eq(context->threads, 4);
  hwloc_bitmap_free(left);
  bdag_context_destroy(context);
}

Test(topology, bound_threads_get_a_core_each_first) {
  uint32_t place[64];
  bdag_context *context = make("pack:2 core:2 pu:4");
  cr_assert_eq(bdag_topology_places(context, 64, place), 16);
  for (uint32_t i = 0; i < 16; i++) cr_expect_eq(place[i], i % 4 * 4 + i / 4);
  bdag_context_destroy(context);
  context = make("pu:3");
  cr_assert_eq(bdag_topology_places(context, 64, place), 3);
  for (uint32_t i = 0; i < 3; i++) cr_expect_eq(place[i], i);
  bdag_context_destroy(context);
}

/* Another machine's processors are nothing to bind threads of this one to. */
Test(topology, nothing_is_bound_on_a_synthetic_machine) {
  bdag_context_options options = BDAG_CONTEXT_OPTIONS_INIT;
  bdag_context *context;
  options.bind_threads = 1;
  options.synthetic = "core:2 pu:2";
  cr_assert_eq(bdag_context_create(&context, &options, NULL), BDAG_OK);
  cr_expect_eq(context->places, 0);
  bdag_context_destroy(context);
  options.synthetic = NULL;
  cr_assert_eq(bdag_context_create(&context, &options, NULL), BDAG_OK);
  cr_expect_eq(context->places, context->machine.processors);
  bdag_context_destroy(context);
}

Test(topology, quota_and_cores) {
  bdag_context context = {.machine = {.processors = 256, .cores = 128, .quota = 5}};
  cr_assert_eq(bdag_topology_threads(&context, 0, NULL, NULL), BDAG_OK);
  cr_expect_eq(context.threads, 5);
  cr_assert_eq(bdag_topology_threads(&context, 0, "100", NULL), BDAG_OK);
  cr_expect_eq(context.threads, 100);
  cr_assert_eq(bdag_topology_threads(&context, 200, "100", NULL), BDAG_OK);
  cr_expect_eq(context.threads, 200);
}

/* ---- What hwloc must not do ------------------------------------------------------------------------ */

static char said[4096];

/* Runs with stderr and stdout in a file; returns how much was said. */
static ssize_t listen_to(void (*run)(void)) {
  char name[] = "/tmp/backdag-said-XXXXXX";
  const int file = mkstemp(name), out = dup(1), err = dup(2);
  cr_assert_geq(file, 0);
  fflush(NULL);
  dup2(file, 1);
  dup2(file, 2);
  run();
  fflush(NULL);
  dup2(out, 1);
  dup2(err, 2);
  close(out);
  close(err);
  const ssize_t length = pread(file, said, sizeof said - 1, 0);
  close(file);
  unlink(name);
  return length;
}

static void make_and_check(void) {
  cpu_set_t before, after;
  cr_assert_eq(sched_getaffinity(0, sizeof before, &before), 0);
  bdag_context *const context = make(NULL);
  cr_expect_geq(context->machine.processors, 1);
  cr_expect_geq(context->machine.cores, 1);
  cr_expect_geq(bdag_context_threads(context), 1);
  cr_expect_leq(bdag_context_threads(context), context->machine.processors);
  bdag_context_destroy(context);
  cr_assert_eq(sched_getaffinity(0, sizeof after, &after), 0);
  cr_expect(CPU_EQUAL(&before, &after));
}

static void complain(void) {
  fprintf(stderr, "something");
}

Test(topology, nothing_is_printed) {
  cr_assert_eq(listen_to(complain), 9);
  cr_expect_eq(listen_to(make_and_check), 0, "%s", said);
}

/* As in a container that shows no /sys. */
Test(topology, nothing_is_printed_without_sys) {
  if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
      mount("none", "/sys", "tmpfs", 0, NULL) != 0)
    cr_skip_test("needs the right to mount");
  cr_expect_neq(access("/sys/devices", F_OK), 0);
  cr_expect_eq(listen_to(make_and_check), 0, "%s", said);
}

/* ---- Limits ---------------------------------------------------------------------------------------- */

Test(topology, threads_can_be_tried) {
  cr_expect_eq(bdag_limit_try(0), 0);
  cr_expect_eq(bdag_limit_try(1), 1);
  cr_expect_eq(bdag_limit_try(5), 5);
}
