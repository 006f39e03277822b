/* Which kernels an instruction set and a type have: a table of what the templates were compiled to.
 * May include kernel.h. */
#include "kernel/kernel.h"

#define DECLARE(type, isa)                                                                         \
  void bdag_##type##_panel_##isa(const bdag_panel_job *job);                                       \
  void bdag_##type##_union_panel_##isa(const bdag_union_job *job);                                 \
  void bdag_##type##_list_##isa(const bdag_list_job *job);                                         \
  void bdag_##type##_list_segments_##isa(const bdag_list_job *job);                                \
  void bdag_##type##_gather_##isa(const void *weights, const uint32_t *slot, size_t count,         \
                                  void *to);                                                       \
  int bdag_##type##_single_##isa(const bdag_single_job *job);                                      \
  void bdag_##type##_sweep_##isa(const bdag_sweep_job *job);                                       \
  int bdag_##type##_bundle_pull_##isa(const bdag_bundle_job *job);                                 \
  void bdag_##type##_bundle_grad_##isa(const bdag_bundle_job *job);                                \
  void bdag_##type##_weight_grad_##isa(const bdag_weight_grad_job *job);                           \
  void bdag_##type##_weight_grad_transposed_##isa(const bdag_weight_grad_job *job);                \
  void bdag_##type##_transpose_##isa(const void *from, size_t from_stride, void *to,               \
                                     size_t to_stride, size_t rows, size_t columns);               \
  double bdag_##type##_row_sum_##isa(const void *row, size_t count);                               \
  int bdag_##type##_finite_##isa(const void *row, size_t count);                                   \
  int bdag_##type##_descend_##isa(const void *weights, void *gradient, size_t count, double rate,  \
                                  double decay);                                                   \
  void bdag_##type##_activate_##isa(uint32_t kind, double parameter, const void *in, void *out,    \
                                    size_t count);                                                 \
  void bdag_##type##_derive_##isa(const bdag_derive_job *job);                                     \
  bdag_status bdag_##type##_loss_##isa(const bdag_loss_job *job, size_t *bad_sample,               \
                                       size_t *bad_column);

#define KERNELS(isa_number, type_number, type, isa)                                                \
  {                                                                                                \
    isa_number, type_number, bdag_##type##_panel_##isa, bdag_##type##_union_panel_##isa,           \
        bdag_##type##_list_##isa, bdag_##type##_list_segments_##isa, bdag_##type##_gather_##isa,   \
        bdag_##type##_single_##isa, bdag_##type##_sweep_##isa, bdag_##type##_bundle_pull_##isa,    \
        bdag_##type##_bundle_grad_##isa, bdag_##type##_weight_grad_##isa,                          \
        bdag_##type##_weight_grad_transposed_##isa, bdag_##type##_transpose_##isa,                 \
        bdag_##type##_row_sum_##isa, bdag_##type##_finite_##isa, bdag_##type##_descend_##isa,      \
        bdag_##type##_activate_##isa, bdag_##type##_derive_##isa, bdag_##type##_loss_##isa         \
  }

#if defined __x86_64__

DECLARE(f32, baseline)
DECLARE(f64, baseline)
DECLARE(f32, avx2)
DECLARE(f64, avx2)
DECLARE(f32, avx512)
DECLARE(f64, avx512)

static const bdag_kernels table[] = {
    KERNELS(BDAG_ISA_BASELINE, BDAG_FLOAT32, f32, baseline),
    KERNELS(BDAG_ISA_BASELINE, BDAG_FLOAT64, f64, baseline),
    KERNELS(BDAG_ISA_AVX2, BDAG_FLOAT32, f32, avx2),
    KERNELS(BDAG_ISA_AVX2, BDAG_FLOAT64, f64, avx2),
    KERNELS(BDAG_ISA_AVX512, BDAG_FLOAT32, f32, avx512),
    KERNELS(BDAG_ISA_AVX512, BDAG_FLOAT64, f64, avx512),
};

#elif defined __aarch64__

DECLARE(f32, neon)
DECLARE(f64, neon)

/* every aarch64 processor has NEON: it is the baseline too */
static const bdag_kernels table[] = {
    KERNELS(BDAG_ISA_BASELINE, BDAG_FLOAT32, f32, neon),
    KERNELS(BDAG_ISA_BASELINE, BDAG_FLOAT64, f64, neon),
    KERNELS(BDAG_ISA_NEON, BDAG_FLOAT32, f32, neon),
    KERNELS(BDAG_ISA_NEON, BDAG_FLOAT64, f64, neon),
};

#endif

const bdag_kernels *bdag_kernels_get(bdag_isa isa, bdag_type type) {
  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
    if (table[i].isa == isa && table[i].type == type) return &table[i];
  return NULL;
}
