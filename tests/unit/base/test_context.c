/* Creating contexts: options, threads, instruction sets, log, memory. */
#include <criterion/criterion.h>
#include <omp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <backdag/backdag.h>

#include "../counting_allocator.h"
#include "base/context_internal.h"
#include "base/cpu.h"
#include "base/topology.h"

static void set_up(void) {
  unsetenv("OMP_NUM_THREADS");
  unsetenv("BACKDAG_ISA");
}
TestSuite(context, .init = set_up);

Test(context, defaults_work) {
  bdag_context *context;
  bdag_error error;
  cr_assert_eq(bdag_context_create(&context, NULL, &error), BDAG_OK);
  cr_assert(bdag_context_threads(context) >= 1 && bdag_context_threads(context) <= 1024);
  cr_assert_leq(bdag_context_threads(context), context->machine.processors);
  cr_assert_str_eq(bdag_context_isa(context), bdag_isa_name(bdag_isa_best()));
  cr_assert_gt(context->machine.l1, 1024);
  cr_assert_gt(context->machine.l2, context->machine.l1);
  cr_assert_eq(context->machine.is_this_system, 1);
  bdag_context_destroy(context);
  bdag_context_destroy(NULL);
}

Test(context, bad_options_are_refused) {
  bdag_context *context;
  bdag_error error;
  bdag_context_options options = BDAG_CONTEXT_OPTIONS_INIT;
  cr_assert_eq(bdag_context_create(NULL, &options, &error), BDAG_ERROR_INVALID_ARGUMENT);
  options.size--;
  cr_assert_eq(bdag_context_create(&context, &options, &error), BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_null(context);
  options.size = 0;
  cr_assert_eq(bdag_context_create(&context, &options, NULL), BDAG_ERROR_INVALID_ARGUMENT);
  options = (bdag_context_options)BDAG_CONTEXT_OPTIONS_INIT;
  options.threads = 1025;
  options.oversubscribe = 1;
  cr_assert_eq(bdag_context_create(&context, &options, &error), BDAG_ERROR_INVALID_ARGUMENT);
  options.threads = 1024;
  cr_assert_eq(bdag_context_create(&context, &options, &error), BDAG_OK);
  bdag_context_destroy(context);
  options = (bdag_context_options)BDAG_CONTEXT_OPTIONS_INIT;
  const bdag_allocator half = {counting_allocate, NULL, NULL};
  options.allocator = &half;
  cr_assert_eq(bdag_context_create(&context, &options, &error), BDAG_ERROR_INVALID_ARGUMENT);
}

static bdag_context *make(const char *synthetic, uint32_t threads, int oversubscribe) {
  bdag_context_options options = BDAG_CONTEXT_OPTIONS_INIT;
  options.synthetic = synthetic;
  options.threads = threads;
  options.oversubscribe = oversubscribe;
  bdag_context *context;
  bdag_error error;
  const bdag_status status = bdag_context_create(&context, &options, &error);
  cr_assert_eq(status, BDAG_OK, "%s", error.message);
  return context;
}

Test(context, synthetic_topologies) {
  bdag_context *const context =
      make("pack:2 l3:1(size=16777216) l2:4(size=1048576) l1d:1(size=49152) core:1 pu:2", 0, 0);
  cr_assert_eq(context->machine.processors, 16);
  cr_assert_eq(context->machine.cores, 8);
  cr_assert_eq(context->machine.l1, 49152);
  cr_assert_eq(context->machine.l2, 1048576);
  cr_assert_eq(context->machine.l3, 16777216);
  cr_assert_eq(context->machine.quota, UINT32_MAX);
  cr_assert_eq(context->machine.is_this_system, 0);
  cr_assert_eq(bdag_context_threads(context), 8);
  bdag_context_destroy(context);

  bdag_context_options options = BDAG_CONTEXT_OPTIONS_INIT;
  bdag_error error;
  bdag_context *none;
  options.synthetic = "nonsense:of:sorts";
  cr_assert_eq(bdag_context_create(&none, &options, &error), BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_not_null(strstr(error.message, "nonsense:of:sorts"));
}

Test(context, threads_on_request) {
  bdag_context *context = make("core:8 pu:2", 16, 0);
  cr_assert_eq(bdag_context_threads(context), 16);
  bdag_context_destroy(context);
  context = make("core:8 pu:2", 17, 1);
  cr_assert_eq(bdag_context_threads(context), 17);
  bdag_context_destroy(context);
  bdag_context_options options = BDAG_CONTEXT_OPTIONS_INIT;
  bdag_error error;
  options.synthetic = "core:8 pu:2";
  options.threads = 17;
  cr_assert_eq(bdag_context_create(&context, &options, &error), BDAG_ERROR_THREADS);
  cr_assert_not_null(strstr(error.message, "17"));
  cr_assert_not_null(strstr(error.message, "16"));
}

static uint32_t threads_with(const char *variable, uint32_t processors, uint32_t cores,
                             uint32_t quota, int oversubscribe) {
  bdag_context context = {.oversubscribe = oversubscribe,
                          .machine = {.processors = processors, .cores = cores, .quota = quota}};
  cr_assert_eq(bdag_topology_threads(&context, 0, variable, NULL), BDAG_OK);
  return context.threads;
}

Test(context, threads_by_default) {
  cr_assert_eq(threads_with(NULL, 16, 8, UINT32_MAX, 0), 8);
  cr_assert_eq(threads_with(NULL, 16, 8, 3, 0), 3);
  cr_assert_eq(threads_with(NULL, 16, 8, 12, 0), 8);
  cr_assert_eq(threads_with(NULL, 1, 1, 1, 0), 1);
  cr_assert_eq(threads_with(NULL, 4096, 2048, UINT32_MAX, 0), 1024);
}

Test(context, omp_num_threads_goes_before_the_quota) {
  cr_assert_eq(threads_with("6", 16, 8, 3, 0), 6);
  cr_assert_eq(threads_with("12", 16, 8, 3, 0), 12);
  cr_assert_eq(threads_with("4,2,1", 16, 8, UINT32_MAX, 0), 4);
  cr_assert_eq(threads_with(" 5 ,2", 16, 8, UINT32_MAX, 0), 5);
  cr_assert_eq(threads_with("17", 16, 8, UINT32_MAX, 0), 16);
  cr_assert_eq(threads_with("17", 16, 8, UINT32_MAX, 1), 17);
  cr_assert_eq(threads_with("99999999999999999999999999", 16, 8, UINT32_MAX, 1), 1024);
  static const char *const garbage[] = {"", " ", "0", "-3", "many", "4x", ",4", "0x4", "4;2"};
  for (size_t i = 0; i < sizeof garbage / sizeof garbage[0]; i++) {
    cr_assert_eq(threads_with(garbage[i], 16, 8, UINT32_MAX, 0), 8, "%s", garbage[i]);
  }
}

Test(context, omp_num_threads_is_read) {
  setenv("OMP_NUM_THREADS", "3", 1);
  bdag_context *const context = make("core:8 pu:2", 0, 0);
  cr_assert_eq(bdag_context_threads(context), 3);
  bdag_context_destroy(context);
}

/* Run once more with OMP_PROC_BIND set, which has the OpenMP runtime shrink the mask beforehand. */
Test(context, openmp_binding_does_not_hide_processors) {
  cpu_set_t set;
  cr_assert_eq(sched_getaffinity(0, sizeof set, &set), 0);
  if (getenv("OMP_PROC_BIND") == NULL) cr_skip_test("OMP_PROC_BIND is not set");
  bdag_context *const context = make(NULL, 0, 0);
  cr_assert_eq(context->machine.processors, (uint32_t)omp_get_num_procs());
  cr_assert_geq(context->machine.processors, (uint32_t)CPU_COUNT(&set));
  cr_assert_geq(context->machine.cores, 1);
  cr_assert_leq(context->machine.cores, context->machine.processors);
  bdag_context_destroy(context);
}

Test(context, own_cpu_set_counts) {
  if (getenv("OMP_PROC_BIND") != NULL) cr_skip_test("OMP_PROC_BIND is set");
  cpu_set_t set, one;
  cr_assert_eq(sched_getaffinity(0, sizeof set, &set), 0);
  if (CPU_COUNT(&set) < 2) cr_skip_test("one processor only");
  CPU_ZERO(&one);
  for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
    if (!CPU_ISSET(cpu, &set)) continue;
    CPU_SET(cpu, &one);
    break;
  }
  cr_assert_eq(sched_setaffinity(0, sizeof one, &one), 0);
  bdag_context *const context = make(NULL, 0, 0);
  cr_assert_eq(context->machine.processors, 1);
  cr_assert_eq(bdag_context_threads(context), 1);
  bdag_context_destroy(context);
  cpu_set_t after;
  cr_assert_eq(sched_getaffinity(0, sizeof after, &after), 0);
  cr_assert(CPU_EQUAL(&after, &one));
}

static bdag_status create_with_isa(bdag_isa isa, const char *variable, bdag_isa *chosen,
                                   bdag_error *error) {
  bdag_context_options options = BDAG_CONTEXT_OPTIONS_INIT;
  options.isa = isa;
  if (variable != NULL)
    setenv("BACKDAG_ISA", variable, 1);
  else
    unsetenv("BACKDAG_ISA");
  bdag_context *context;
  const bdag_status status = bdag_context_create(&context, &options, error);
  if (status == BDAG_OK) *chosen = context->isa;
  bdag_context_destroy(context);
  return status;
}

Test(context, instruction_sets) {
  bdag_isa chosen;
  bdag_error error;
  for (int isa = BDAG_ISA_BASELINE; isa <= BDAG_ISA_NEON; isa++) {
    const bdag_status expected =
        bdag_isa_available((bdag_isa)isa) ? BDAG_OK : BDAG_ERROR_UNSUPPORTED;
    cr_assert_eq(create_with_isa((bdag_isa)isa, NULL, &chosen, &error), expected);
    if (expected == BDAG_OK)
      cr_assert_eq(chosen, (bdag_isa)isa);
    else
      cr_assert_not_null(strstr(error.message, "baseline"));
    cr_assert_eq(create_with_isa(BDAG_ISA_AUTO, bdag_isa_name((bdag_isa)isa), &chosen, &error),
                 expected);
    if (expected == BDAG_OK)
      cr_assert_eq(chosen, (bdag_isa)isa);
    else
      cr_assert_not_null(strstr(error.message, "BACKDAG_ISA"));
  }
  cr_assert_eq(create_with_isa(BDAG_ISA_AUTO, "auto", &chosen, &error), BDAG_OK);
  cr_assert_eq(chosen, bdag_isa_best());
  cr_assert_eq(create_with_isa(BDAG_ISA_AUTO, "", &chosen, &error), BDAG_OK);
  cr_assert_eq(create_with_isa(BDAG_ISA_AUTO, "AVX2", &chosen, &error), BDAG_ERROR_UNSUPPORTED);
  cr_assert_not_null(strstr(error.message, "\"AVX2\""));
  cr_assert_eq(create_with_isa((bdag_isa)77, NULL, &chosen, &error), BDAG_ERROR_UNSUPPORTED);
  /* An explicit option does not look at the environment. */
  cr_assert_eq(create_with_isa(BDAG_ISA_BASELINE, "nonsense", &chosen, &error), BDAG_OK);
  cr_assert_eq(chosen, BDAG_ISA_BASELINE);
}

Test(context, no_isa_beyond_the_processor) {
  cr_assert_eq(bdag_isa_available(BDAG_ISA_AUTO), 0);
  cr_assert(bdag_isa_available(bdag_isa_best()));
#if defined(__x86_64__)
  cr_assert_not(bdag_isa_available(BDAG_ISA_NEON));
#elif defined(__aarch64__)
  cr_assert_eq(bdag_isa_best(), BDAG_ISA_NEON);
  cr_assert_not(bdag_isa_available(BDAG_ISA_AVX2));
#endif
}

static int lines;
static char last_line[1100];
static void remember(void *user, bdag_log_level level, const char *message) {
  cr_assert_eq(user, (void *)&lines);
  cr_assert(level == BDAG_LOG_WARNING || level == BDAG_LOG_INFO);
  cr_assert_null(strchr(message, '\n'));
  lines++;
  snprintf(last_line, sizeof last_line, "%s", message);
}

Test(context, log_lines_reach_the_callback) {
  bdag_context_options options = BDAG_CONTEXT_OPTIONS_INIT;
  options.log = remember;
  options.log_user = &lines;
  options.synthetic = "core:2 pu:1";
  setenv("OMP_NUM_THREADS", "5", 1);
  bdag_context *context;
  cr_assert_eq(bdag_context_create(&context, &options, NULL), BDAG_OK);
  cr_assert_eq(bdag_context_threads(context), 2);
  cr_assert_eq(lines, 2); /* the capped variable, and the context itself */
  bdag_log(context, BDAG_LOG_WARNING, "%d of %s", 3, "them");
  cr_assert_str_eq(last_line, "3 of them");
  bdag_context_destroy(context);
}

Test(context, memory_comes_from_the_allocator_and_goes_back) {
  counting_allocator counter;
  const bdag_allocator hook = counting_allocator_hook(&counter);
  bdag_context_options options = BDAG_CONTEXT_OPTIONS_INIT;
  options.allocator = &hook;
  bdag_context *context;
  bdag_error error;
  cr_assert_eq(bdag_context_create(&context, &options, &error), BDAG_OK);
  cr_assert_gt(counter.live, 0);
  bdag_context_destroy(context);
  cr_assert_eq(counter.live, 0);
  counter.fail_at = counter.requests;
  cr_assert_eq(bdag_context_create(&context, &options, &error), BDAG_ERROR_OUT_OF_MEMORY);
  cr_assert_null(context);
  cr_assert_eq(error.status, BDAG_ERROR_OUT_OF_MEMORY);
  cr_assert_eq(counter.live, 0);
}

Test(context, version_is_that_of_the_header) {
  char expected[32];
  snprintf(expected, sizeof expected, "%d.%d.%d", BDAG_VERSION_MAJOR, BDAG_VERSION_MINOR,
           BDAG_VERSION_PATCH);
  cr_assert_str_eq(bdag_version(), expected);
}
