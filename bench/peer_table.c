/* The tables of peers and contests. */
#include "peer_table.h"

#include <string.h>

#define F   BENCH_PHASE_BIT(BENCH_FORWARD)
#define FB  (F | BENCH_PHASE_BIT(BENCH_BOTH))
#define FS  (F | BENCH_PHASE_BIT(BENCH_STEP))
#define FBS (FB | FS)

const bench_peer_program bench_peer_programs[] = {
    {"openblas", "backdag-peer-openblas", NULL, "libopenblas-dev",
     "step of a dense net by hand: sgemm, for batch 1 sgemv"},
    {"torch", "torch_peer.py", "linear", "python3-torch", "nn.Linear, autograd, SGD"},
    {"torch-csr", "torch_peer.py", "csr", "python3-torch", "sparse CSR matrices"},
    {"torch-level", "torch_peer.py", "levels", "python3-torch", "CSR matrix by level of the graph"},
    {"torch-coo", "torch_peer.py", "coo", "python3-torch", "sparse COO matrices"},
    {"graphblas", "backdag-peer-graphblas", NULL, "libgraphblas-dev",
     "sparse times full matrices, zeros kept"},
    {"fann", "backdag-peer-fann", NULL, "libfann-dev", "fann_run and fann_train, sample by sample"},
    {"adolc", "backdag-peer-adolc", NULL, "libadolc-dev", "tape of one sample, scalar operations"},
    {"tbb", "backdag-peer-tbb", NULL, "libtbb-dev", "task_group and atomic counters"},
    {"omp-depend", "backdag-peer-omp", NULL, "OpenMP of the compiler", "omp task depend"},
};
const size_t bench_peer_program_count = sizeof bench_peer_programs / sizeof *bench_peer_programs;

const bench_contest bench_contests[] = {
    {"mlp", "mlp", 128, BDAG_FLOAT32, FBS, 0, 1e-4, {"openblas", "torch"}},
    {"mlp-b1", "mlp", 1, BDAG_FLOAT32, F, 0, 1e-4, {"openblas", "torch"}},
    {"mlp-1024", "mlp-1024", 128, BDAG_FLOAT32, FBS, 0, 1e-4, {"openblas", "torch"}},
    {"mlp-tanh", "mlp-tanh", 1, BDAG_FLOAT32, FS, 1, 1e-4, {"fann"}},
    {"small", "small", 1, BDAG_FLOAT32, FS, 1, 1e-4, {"fann"}},
    /* Over 120 layers of ReLU some neurons are at their kinks. */
    {"radix",
     "radix-1024",
     256,
     BDAG_FLOAT32,
     FB,
     0,
     3e-3,
     {"graphblas", "torch-csr", "torch-coo"}},
    /* The peer's matrices are dense, 0 where edges are missing. */
    {"sparse-00", "sparse-00", 256, BDAG_FLOAT32, FBS, 0, 1e-4, {"openblas"}},
    {"sparse-50", "sparse-50", 256, BDAG_FLOAT32, FBS, 0, 1e-4, {"openblas"}},
    {"sparse-60", "sparse-60", 256, BDAG_FLOAT32, FBS, 0, 1e-4, {"openblas"}},
    {"sparse-70", "sparse-70", 256, BDAG_FLOAT32, FBS, 0, 1e-4, {"openblas"}},
    {"sparse-80", "sparse-80", 256, BDAG_FLOAT32, FBS, 0, 1e-4, {"openblas"}},
    {"sparse-90", "sparse-90", 256, BDAG_FLOAT32, FBS, 0, 1e-4, {"openblas"}},
    {"sparse-95", "sparse-95", 256, BDAG_FLOAT32, FBS, 0, 1e-4, {"openblas"}},
    {"sparse-99", "sparse-99", 256, BDAG_FLOAT32, FBS, 0, 1e-4, {"openblas"}},
    {"irregular-64", "irregular", 64, BDAG_FLOAT32, F, 0, 1e-4, {"torch-level"}},
    {"irregular", "irregular", 1, BDAG_FLOAT64, FB, 1, 1e-9, {"adolc"}},
    {"tasks", NULL, 0, BDAG_FLOAT32, 0, 0, 0.0, {"tbb", "omp-depend"}, 2},
    {"tasks-2-4", NULL, 0, BDAG_FLOAT32, 0, 0, 0.0, {"tbb", "omp-depend"}, 4},
};
const size_t bench_contest_count = sizeof bench_contests / sizeof *bench_contests;

const bench_peer_program *bench_peer_program_find(const char *name) {
  for (size_t i = 0; i < bench_peer_program_count; i++)
    if (strcmp(bench_peer_programs[i].name, name) == 0) return &bench_peer_programs[i];
  return NULL;
}
