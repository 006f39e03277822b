/* The engine against the oracle on random networks. Prints TAP: one test for each block of seeds.
 *   test_random_networks [--first N] [--count N] [--seed N] [--huge N]: plans of N edges count as huge
 * Without arguments: seeds 0 … 2047; BACKDAG_PROPERTY_COUNT sets another number. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/context_internal.h"
#include "compare.h"

enum { BLOCK = 64 };

static void print_summary(FILE *stream, const tally *t) {
  const uint64_t gradients = t->count[COMPARED_WEIGHT_GRAD] + t->count[COMPARED_BIAS_GRAD] +
                             t->count[COMPARED_PARAMETER_GRAD];
  double worst = 0;
  for (int i = 0; i < COMPARED_KINDS; i++) worst = t->worst[i] > worst ? t->worst[i] : worst;
  fprintf(stream,
          "# networks %" PRIu64 " (failed %" PRIu64 "), gradients compared %" PRIu64
          ", largest error %.3f of the bound c·u·G with c = %g\n",
          t->networks, t->failed, gradients, worst, ERROR_FACTOR);
  for (int i = 0; i < COMPARED_KINDS; i++) {
    fprintf(stream, "#   %-15s %12" PRIu64 " compared, %" PRIu64 " wrong, largest error %.3f\n",
            COMPARED_NAMES[i], t->count[i], t->wrong[i], t->worst[i]);
  }
  for (int wide = 0; wide < 2; wide++) {
    fprintf(stream,
            "#   float%d: bound below 1 %% of the gradient itself for %.1f %% of %" PRIu64
            " gradients of edges and biases that are not 0\n",
            wide ? 64 : 32,
            100.0 * (double)t->sharp[wide] / (double)(t->live[wide] + !t->live[wide]),
            t->live[wide]);
  }
  fprintf(stream, "#   numbers that must be exact: %" PRIu64 "\n", t->exact);
  fprintf(stream,
          "#   redrawn: %" PRIu64 " networks and %" PRIu64 " samples near a kink, %" PRIu64
          " networks and %" PRIu64 " samples with numbers too large\n",
          t->networks_near_kink, t->samples_near_kink, t->networks_too_large, t->samples_too_large);
}

/* Returns 0 when the case of the seed is right. */
static int run_seed(tally *tally, const property_world *world, uint64_t seed) {
  random_case c;
  bdag_error error = {.message = ""};
  const bdag_status status = random_case_draw(&c, world, seed, &error);
  int result = -1;
  if (status == BDAG_OK)
    result = compare_case(tally, &c);
  else
    fprintf(stderr, "# seed %" PRIu64 ": no network: %s: %s\n", seed, bdag_status_string(status),
            error.message);
  random_case_free(&c);
  return result;
}

static int run_blocks(const property_world *world, uint64_t first, uint64_t count) {
  const uint64_t blocks = (count + BLOCK - 1) / BLOCK;
  tally tally = {0};
  int failed = 0;
  const int complete = count >= 1000; /* few seeds need not draw everything */
  printf("1..%" PRIu64 "\n", blocks + (uint64_t)complete);
  for (uint64_t b = 0; b < blocks; b++) {
    const uint64_t begin = first + b * BLOCK, rest = first + count - begin;
    const uint64_t end = begin + (rest < BLOCK ? rest : BLOCK);
    int wrong = 0;
    for (uint64_t seed = begin; seed < end; seed++) wrong += run_seed(&tally, world, seed) != 0;
    printf("%s %" PRIu64 " - seeds %" PRIu64 " to %" PRIu64 "\n", wrong == 0 ? "ok" : "not ok",
           b + 1, begin, end - 1);
    fflush(stdout);
    failed |= wrong;
  }
  if (complete) {
    const int gap = coverage_report(&tally.coverage);
    printf("%s %" PRIu64 " - everything was drawn\n", gap ? "not ok" : "ok", blocks + 1);
    failed |= gap;
  }
  print_summary(stdout, &tally);
  print_summary(stderr, &tally);
  return failed != 0;
}

int main(int argc, char **argv) {
  const char *more = getenv("BACKDAG_PROPERTY_COUNT");
  uint64_t huge = UINT64_MAX, first = 0, count = more != NULL ? strtoull(more, NULL, 10) : 2048;
  for (int i = 1; i + 1 < argc; i += 2) {
    const uint64_t number = strtoull(argv[i + 1], NULL, 10);
    if (strcmp(argv[i], "--first") == 0 || strcmp(argv[i], "--seed") == 0) first = number;
    if (strcmp(argv[i], "--count") == 0) count = number;
    if (strcmp(argv[i], "--seed") == 0) count = 1;
    if (strcmp(argv[i], "--huge") == 0) huge = number;
  }
  property_world world;
  bdag_error error = {.message = ""};
  const bdag_status status = property_world_create(&world, &error);
  if (status == BDAG_ERROR_UNSUPPORTED) { /* the instruction set that BACKDAG_ISA names */
    printf("1..0 # SKIP %s\n", error.message);
    return 0;
  }
  if (status != BDAG_OK) {
    printf("Bail out! %s\n", error.message);
    return 1;
  }
  world.context->huge_edges = huge;
  const int result = run_blocks(&world, first, count);
  property_world_destroy(&world);
  return result;
}
