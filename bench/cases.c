/* The table of cases. */
#include "cases.h"

#include <string.h>

#define F   BENCH_PHASE_BIT(BENCH_FORWARD)
#define FB  (F | BENCH_PHASE_BIT(BENCH_BACKWARD))
#define FBS (FB | BENCH_PHASE_BIT(BENCH_STEP))
#define P   BENCH_PHASE_BIT(BENCH_PLAN)
#define E   BENCH_PHASE_BIT(BENCH_ENGINE)

/* name, description, builder, its argument, members, batches, phases, in the default set, alive,
 * inputs that are on, gigabytes. */
/* clang-format off */
const bench_case bench_cases[] = {
    {"mlp", "784-512-512-10, ReLU, cross-entropy; single edges, shuffled",
     bench_build_mlp, BENCH_MLP_MNIST, 1, {128, 1}, FBS | P, 1, 0.3, 0.2, 0},
    {"mlp-1024", "1024-1024-1024-1024, ReLU; single edges, shuffled",
     bench_build_mlp, BENCH_MLP_SQUARE, 1, {128}, FBS, 1, 0.3, 0, 0},
    {"mlp-tanh", "784-512-512-10, tanh, squared error (for FANN)",
     bench_build_mlp, BENCH_MLP_MNIST_TANH, 1, {128}, FBS, 0, 0.3, 0.2, 0},
    {"radix-1024", "RadiX-Net 1024 x 120, 32 in-edges, He weights; shuffled",
     bench_build_radix, 1024, 1, {256}, FBS | P, 1, 0.3, 0, 1},
    {"radix-4096", "RadiX-Net 4096 x 120, He weights",
     bench_build_radix, 4096, 1, {64}, FB, 0, 0.3, 0, 4},
    {"radix-16384", "RadiX-Net 16384 x 120, He weights",
     bench_build_radix, 16384, 1, {64}, FB, 0, 0.3, 0, 15},
    {"challenge-1024", "the same with challenge weights (1/16, bias -0.3, cap 32)",
     bench_build_radix_challenge, 1024, 1, {256}, F, 1, 0.3, 0.2, 1},
    {"challenge-4096", "4096 x 120 with challenge weights (bias -0.35)",
     bench_build_radix_challenge, 4096, 1, {64}, F, 0, 0.3, 0.2, 3},
    {"challenge-16384", "16384 x 120 with challenge weights (bias -0.4)",
     bench_build_radix_challenge, 16384, 1, {64}, F, 0, 0.3, 0.2, 12},
    {"irregular", "100,000 vertices, 12-20 in-edges, window 2,048, skips, tanh",
     bench_build_irregular, 100000, 1, {64}, FBS | P, 1, 0.3, 0, 1},
    {"small-world", "20,000 vertices on a ring of 16 neighbours, 10 % rewired, tanh",
     bench_build_small_world, 20000, 1, {64}, FB, 1, 0.3, 0, 0},
    {"chain", "4 wide, 2,000 deep, tanh", bench_build_chain, 2000, 1, {64}, FB, 1, 0.3, 0, 0},
    {"sparse-00", "1024-1024-1024-1024-10, hidden layers dense",
     bench_build_sparse, 0, 1, {256}, FB, 1, 0.3, 0, 1},
    {"sparse-50", "the same, 50 % of the hidden edges missing",
     bench_build_sparse, 50, 1, {256}, FB, 1, 0.3, 0, 1},
    {"sparse-60", "60 % missing", bench_build_sparse, 60, 1, {256}, FB, 0, 0.3, 0, 1},
    {"sparse-70", "70 % missing", bench_build_sparse, 70, 1, {256}, FB, 0, 0.3, 0, 1},
    {"sparse-80", "80 % missing", bench_build_sparse, 80, 1, {256}, FB, 1, 0.3, 0, 1},
    {"sparse-90", "90 % missing", bench_build_sparse, 90, 1, {256}, FB, 1, 0.3, 0, 1},
    {"sparse-95", "95 % missing", bench_build_sparse, 95, 1, {256}, FB, 0, 0.3, 0, 0},
    {"sparse-99", "99 % missing", bench_build_sparse, 99, 1, {256}, FB, 1, 0.3, 0, 0},
    {"cascade", "300 hidden vertices, each reads all before it, tanh",
     bench_build_cascade, 300, 1, {128}, FB, 1, 0.3, 0, 0},
    {"dense-skips", "784-512-512-10 and 1 % random skips",
     bench_build_skips, 10, 1, {128}, FB, 1, 0.3, 0.2, 0},
    {"small", "2-8-8-1, tanh",
     bench_build_mlp, BENCH_MLP_SMALL, 1, {1, 4, 32}, FBS, 1, 0.3, 0, 0},
    {"population", "150 evolved nets of 20 to 200 edges, in one call",
     bench_build_evolved, 0, 150, {32}, F | BENCH_PHASE_BIT(BENCH_BOTH) | P | E, 1, 0, 0, 0},
    {"evolved-100", "one net of 100 edges: planning, engine creation",
     bench_build_evolved, 100, 1, {32}, F | P | E, 1, 0, 0, 0},
};
/* clang-format on */
const size_t bench_case_count = sizeof bench_cases / sizeof *bench_cases;

static const char *const phase_names[BENCH_PHASES] = {"forward", "backward", "both",
                                                      "step",    "plan",     "engine"};

const bench_case *bench_case_find(const char *name) {
  for (size_t i = 0; i < bench_case_count; i++)
    if (strcmp(bench_cases[i].name, name) == 0) return &bench_cases[i];
  return NULL;
}

const char *bench_phase_name(bench_phase phase) {
  return phase_names[phase];
}

uint32_t bench_phase_parse(const char *name) {
  for (int i = 0; i < BENCH_PHASES; i++)
    if (strcmp(phase_names[i], name) == 0) return BENCH_PHASE_BIT(i);
  return 0;
}
