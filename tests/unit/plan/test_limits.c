/* Counts and offsets beyond 2^32. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <backdag/backdag.h>

#include "network/network_internal.h"

static bdag_context *context;
static bdag_network *network;
static bdag_error error;

static void open_network(void) {
  cr_assert(eq(int, bdag_context_create(&context, NULL, &error), BDAG_OK));
  cr_assert(eq(int, bdag_network_create(&network, context, &error), BDAG_OK));
}

static void close_network(void) {
  bdag_network_destroy(network);
  bdag_context_destroy(context);
}

/* `inputs` inputs, all read with weight 2 by each of `neurons` identity neurons, which are outputs. */
static void connect(uint32_t inputs, uint32_t neurons) {
  cr_assert(eq(int, bdag_network_add_inputs(network, inputs, NULL, &error), BDAG_OK));
  cr_assert(eq(int, bdag_network_add_vertices(network, neurons, NULL, NULL, &error), BDAG_OK));
  bdag_output outputs[8] = {0};
  for (uint32_t v = inputs; v < inputs + neurons; v++) {
    outputs[v - inputs].vertex = v;
    for (uint32_t u = 0; u < inputs; u++) {
      const double weight = 2.0;
      cr_assert(
          eq(int, bdag_network_add_edges(network, 1, &u, &v, &weight, NULL, &error), BDAG_OK));
    }
  }
  cr_assert(eq(int, bdag_network_set_outputs(network, neurons, outputs, &error), BDAG_OK));
}

static void expect_limit(uint64_t edges, const char *message) {
  bdag_plan *plan = NULL;
  const uint64_t before = network->edge_count;
  network->edge_count = edges;
  const bdag_status status = bdag_plan_create(&plan, network, NULL, &error);
  network->edge_count = before;
  cr_assert(eq(int, status, BDAG_ERROR_LIMIT));
  cr_expect(ne(ptr, strstr(error.message, message), NULL), "%s", error.message);
  cr_expect(eq(ptr, plan, NULL));
}

/* Edge numbers of a plan have 32 bits. It refuses before it looks at an edge. */
Test(limits, edges_of_a_plan, .init = open_network, .fini = close_network) {
  connect(2, 2);
  expect_limit(UINT32_MAX, "fewer than 2^32 - 1 edges, not 4294967295");
  expect_limit((UINT64_C(1) << 32) + 4, "fewer than 2^32 - 1 edges, not 4294967300");
  expect_limit(UINT64_C(1) << 40, "not 1099511627776");
}

Test(limits, batches_of_an_engine, .init = open_network, .fini = close_network) {
  connect(2, 2);
  bdag_plan *plan = NULL;
  cr_assert(eq(int, bdag_plan_create(&plan, network, NULL, &error), BDAG_OK));
  bdag_engine_options options = BDAG_ENGINE_OPTIONS_INIT;
  bdag_engine *engine = NULL;
  options.max_batch = UINT64_MAX / 64;
  cr_expect(eq(int, bdag_engine_create(&engine, plan, &options, &error), BDAG_ERROR_LIMIT));
  cr_expect(eq(ptr, engine, NULL));
  bdag_plan_release(plan);
}

/* ---- Rows beyond 4 GiB --------------------------------------------------------------------------- */

static uint64_t available_bytes(void) {
  FILE *file = fopen("/proc/meminfo", "r");
  char line[128];
  unsigned long long kilobytes = 0;
  while (file != NULL && fgets(line, sizeof line, file) != NULL)
    if (sscanf(line, "MemAvailable: %llu", &kilobytes) == 1) break;
  if (file != NULL) fclose(file);
  return (uint64_t)kilobytes * 1024;
}

/* `count` floats whose memory is the same PERIOD floats over and over: 1, 2, 3, … */
#define PERIOD (UINT64_C(3) << 18)
static float *periodic(uint64_t count) {
  const size_t bytes = PERIOD * sizeof(float);
  const uint64_t times = count / PERIOD + 1;
  const int file = memfd_create("periodic", 0);
  cr_assert(ge(int, file, 0));
  cr_assert(eq(int, ftruncate(file, (off_t)bytes), 0));
  char *all =
      mmap(NULL, times * bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  cr_assert(ne(ptr, all, MAP_FAILED));
  for (uint64_t i = 0; i < times; i++)
    cr_assert(ne(
        ptr, mmap(all + i * bytes, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0),
        MAP_FAILED));
  close(file);
  for (uint64_t i = 0; i < PERIOD; i++) ((float *)all)[i] = (float)(i + 1);
  return (float *)all;
}

/* The rows of all tiles take more than 2^32 bytes. Cut to 32 bits an offset would lead from the last tiles
 * to the first ones. */
Test(limits, rows_beyond_four_gigabytes, .init = open_network, .fini = close_network,
     .timeout = 300) {
  if (available_bytes() < UINT64_C(9) << 30) cr_skip_test("9 GiB of memory are wanted");
  enum { NEURONS = 7 };
  connect(1, NEURONS);
  bdag_plan_options plan_options = BDAG_PLAN_OPTIONS_INIT;
  plan_options.inference = 1;
  plan_options.tile = 1024;
  bdag_plan *plan = NULL;
  bdag_weights *weights = NULL;
  bdag_engine *engine = NULL;
  cr_assert(eq(int, bdag_plan_create(&plan, network, &plan_options, &error), BDAG_OK));
  cr_assert(eq(int, bdag_weights_create(&weights, plan, network, BDAG_FLOAT32, &error), BDAG_OK));
  const uint64_t tiles = (UINT64_C(1) << 32) / (1024 * sizeof(float) * (NEURONS + 1)) + 3;
  const uint64_t batch = tiles * 1024;
  bdag_engine_options options = BDAG_ENGINE_OPTIONS_INIT;
  options.max_batch = batch;
  options.keep = BDAG_KEEP_OUT;
  cr_assert(eq(int, bdag_engine_create(&engine, plan, &options, &error), BDAG_OK));
  bdag_engine_info info = {sizeof info};
  bdag_engine_describe(engine, &info);
  cr_assert(gt(u64, info.bytes, UINT64_C(1) << 32));
  float *x = periodic(batch);
  const bdag_array inputs = {x, BDAG_FLOAT32, 1, 0};
  cr_assert(eq(int, bdag_forward_arrays(engine, weights, batch, &inputs, NULL), BDAG_OK));
  const uint64_t looked_at[] = {0, 1, 2, tiles / 2, tiles - 3, tiles - 2, tiles - 1};
  for (size_t i = 0; i < sizeof looked_at / sizeof *looked_at; i++)
    for (uint32_t v = 0; v <= NEURONS; v++) {
      const void *row;
      uint64_t samples;
      cr_assert(eq(int, bdag_read_row(engine, BDAG_OUT, v, looked_at[i], &row, &samples), BDAG_OK));
      cr_assert(eq(u64, samples, 1024));
      for (uint64_t s = 0; s < samples; s++) {
        const float value = (float)((looked_at[i] * 1024 + s) % PERIOD + 1);
        cr_assert(eq(flt, ((const float *)row)[s], v == 0 ? value : 2 * value));
      }
    }
  munmap(x, (batch / PERIOD + 1) * PERIOD * sizeof(float));
  bdag_engine_destroy(engine);
  bdag_weights_release(weights);
  bdag_plan_release(plan);
}
