/* A thin vector layer for the kernel templates: the widest vector of one instruction set and one type.
 * BDAG_KERNEL_ISA_{BASELINE,AVX2,AVX512,NEON} and BDAG_KERNEL_FLOAT{32,64} come from the command line.
 * vec_min and vec_max return NaN when their second argument is NaN. vec_fma rounds once except on
 * BASELINE, which has no fused multiply-add. May include kernel.h only. */
#ifndef BDAG_KERNEL_VECTOR_H
#define BDAG_KERNEL_VECTOR_H

#include "kernel/kernel.h"

#ifdef BDAG_KERNEL_ISA_NEON
#include <arm_neon.h>
#else
#include <immintrin.h>
#endif

#define PASTE_(a, b, c) a##b##c
#define PASTE(a, b, c)  PASTE_(a, b, c)

#if defined BDAG_KERNEL_FLOAT32
typedef float real;
#define PREFIX bdag_f32_
#define SUFFIX _ps
#elif defined BDAG_KERNEL_FLOAT64
typedef double real;
#define PREFIX bdag_f64_
#define SUFFIX _pd
#else
#error "define BDAG_KERNEL_FLOAT32 or BDAG_KERNEL_FLOAT64"
#endif

#if defined BDAG_KERNEL_ISA_BASELINE
#define ISA_SUFFIX   _baseline
#define VECTOR_BYTES 16
#define OP(name)     PASTE(_mm_, name, SUFFIX)
#elif defined BDAG_KERNEL_ISA_AVX2
#define ISA_SUFFIX   _avx2
#define VECTOR_BYTES 32
#define OP(name)     PASTE(_mm256_, name, SUFFIX)
#elif defined BDAG_KERNEL_ISA_AVX512
#define ISA_SUFFIX   _avx512
#define VECTOR_BYTES 64
#define OP(name)     PASTE(_mm512_, name, SUFFIX)
#elif defined BDAG_KERNEL_ISA_NEON
#define ISA_SUFFIX   _neon
#define VECTOR_BYTES 16
#else
#error "define one of BDAG_KERNEL_ISA_BASELINE, _AVX2, _AVX512, _NEON"
#endif

/* bdag_<f32|f64>_<operation>_<isa> */
#define NAME(operation) PASTE(PREFIX, operation, ISA_SUFFIX)
/* Elements a vector. */
#define LANES ((size_t)(VECTOR_BYTES / sizeof(real)))

/* What the templates define. */
void NAME(panel)(const bdag_panel_job *job);
void NAME(union_panel)(const bdag_union_job *job);
void NAME(list)(const bdag_list_job *job);
void NAME(list_segments)(const bdag_list_job *job);
void NAME(gather)(const void *weights, const uint32_t *slot, size_t count, void *to);
int NAME(single)(const bdag_single_job *job);
void NAME(sweep)(const bdag_sweep_job *job);
int NAME(bundle_pull)(const bdag_bundle_job *job);
void NAME(bundle_grad)(const bdag_bundle_job *job);
void NAME(weight_grad)(const bdag_weight_grad_job *job);
void NAME(weight_grad_transposed)(const bdag_weight_grad_job *job);
void NAME(transpose)(const void *from, size_t from_stride, void *to, size_t to_stride, size_t rows,
                     size_t columns);
double NAME(row_sum)(const void *row, size_t count);
int NAME(finite)(const void *row, size_t count);
int NAME(descend)(const void *weights, void *gradient, size_t count, double rate, double decay);
void NAME(activate)(uint32_t kind, double parameter, const void *in, void *out, size_t count);
void NAME(derive)(const bdag_derive_job *job);
bdag_status NAME(loss)(const bdag_loss_job *job, size_t *bad_sample, size_t *bad_column);

/* Holds a loaded vector in a register: compilers fold the load into each of its uses otherwise, and
 * loads, not multiply-adds, become the limit. */
#if defined BDAG_KERNEL_ISA_NEON
#define KEEP(vector) __asm__("" : "+w"(vector))
#elif defined BDAG_KERNEL_ISA_AVX512
#define KEEP(vector) __asm__("" : "+v"(vector))
#else
#define KEEP(vector) __asm__("" : "+x"(vector))
#endif

/* Holds a sum of addresses in a register: compilers take it apart and add its parts in every turn of a
 * loop otherwise. */
#define KEEP_ADDRESS(pointer) __asm__("" : "+r"(pointer))

/* An address to prefetch, maybe behind the end of an array: no pointer is formed to it. */
static inline __attribute__((always_inline)) uintptr_t address_after(const void *array,
                                                                     size_t numbers) {
  return (uintptr_t)array + numbers * sizeof(real);
}

/* ---- The types: vec, and mask for comparisons ---------------------------------------------------- */

#if defined BDAG_KERNEL_ISA_BASELINE && defined BDAG_KERNEL_FLOAT32
typedef __m128 vec, mask;
#elif defined BDAG_KERNEL_ISA_BASELINE
typedef __m128d vec, mask;
#elif defined BDAG_KERNEL_ISA_AVX2 && defined BDAG_KERNEL_FLOAT32
typedef __m256 vec, mask;
#elif defined BDAG_KERNEL_ISA_AVX2
typedef __m256d vec, mask;
#elif defined BDAG_KERNEL_ISA_AVX512 && defined BDAG_KERNEL_FLOAT32
typedef __m512 vec;
typedef __mmask16 mask;
#elif defined BDAG_KERNEL_ISA_AVX512
typedef __m512d vec;
typedef __mmask8 mask;
#elif defined BDAG_KERNEL_FLOAT32
typedef float32x4_t vec;
typedef uint32x4_t mask;
#else
typedef float64x2_t vec;
typedef uint64x2_t mask;
#endif

/* z and p → σ(z), by kind of activation; NULL for the identity. */
typedef vec vec_function(vec z, vec p);
extern vec_function *const NAME(activation)[];

/* ---- What x86 instruction sets share ------------------------------------------------------------- */

#ifndef BDAG_KERNEL_ISA_NEON

static inline vec vec_load(const real *from) {
  return OP(load)(from);
}

static inline vec vec_loadu(const real *from) {
  return OP(loadu)(from);
}

static inline void vec_store(real *to, vec a) {
  OP(store)(to, a);
}

static inline void vec_storeu(real *to, vec a) {
  OP(storeu)(to, a);
}

static inline vec vec_set1(real a) {
  return OP(set1)(a);
}

static inline vec vec_zero(void) {
  return OP(setzero)();
}

static inline vec vec_add(vec a, vec b) {
  return OP(add)(a, b);
}

static inline vec vec_sub(vec a, vec b) {
  return OP(sub)(a, b);
}

static inline vec vec_mul(vec a, vec b) {
  return OP(mul)(a, b);
}

static inline vec vec_div(vec a, vec b) {
  return OP(div)(a, b);
}

static inline vec vec_sqrt(vec a) {
  return OP(sqrt)(a);
}

static inline vec vec_min(vec a, vec b) {
  return OP(min)(a, b);
}

static inline vec vec_max(vec a, vec b) {
  return OP(max)(a, b);
}

static inline vec vec_abs(vec a) {
  return OP(andnot)(vec_set1((real)-0.0), a);
}

static inline vec vec_neg(vec a) {
  return OP(xor)(vec_set1((real)-0.0), a);
}

#endif

/* ---- Where they differ: a·b + c, comparisons (false for NaN), m ? a : b, and the sum of all lanes,
 * upper half plus lower half until one is left ------------------------------------------------------ */

#if !defined BDAG_KERNEL_ISA_NEON && defined BDAG_KERNEL_FLOAT32
static inline real sum_of_four(__m128 a) {
  const __m128 two = _mm_add_ps(_mm_movehl_ps(a, a), a);
  return _mm_cvtss_f32(_mm_add_ss(_mm_shuffle_ps(two, two, 1), two));
}
#elif !defined BDAG_KERNEL_ISA_NEON
static inline real sum_of_two(__m128d a) {
  return _mm_cvtsd_f64(_mm_add_sd(_mm_unpackhi_pd(a, a), a));
}
#endif

#if defined BDAG_KERNEL_ISA_BASELINE

static inline vec vec_fma(vec a, vec b, vec c) {
  return OP(add)(OP(mul)(a, b), c);
}

static inline mask vec_less(vec a, vec b) {
  return OP(cmplt)(a, b);
}

static inline mask vec_less_equal(vec a, vec b) {
  return OP(cmple)(a, b);
}

static inline mask vec_equal(vec a, vec b) {
  return OP(cmpeq)(a, b);
}

static inline mask mask_and(mask a, mask b) {
  return OP(and)(a, b);
}

static inline int mask_any(mask a) {
  return OP(movemask)(a) != 0;
}

static inline vec vec_select(mask m, vec a, vec b) {
  return OP(or)(OP(and)(m, a), OP(andnot)(m, b));
}

static inline real vec_sum(vec a) {
#ifdef BDAG_KERNEL_FLOAT32
  return sum_of_four(a);
#else
  return sum_of_two(a);
#endif
}

#elif defined BDAG_KERNEL_ISA_AVX2

static inline vec vec_fma(vec a, vec b, vec c) {
  return OP(fmadd)(a, b, c);
}

static inline mask vec_less(vec a, vec b) {
  return OP(cmp)(a, b, _CMP_LT_OQ);
}

static inline mask vec_less_equal(vec a, vec b) {
  return OP(cmp)(a, b, _CMP_LE_OQ);
}

static inline mask vec_equal(vec a, vec b) {
  return OP(cmp)(a, b, _CMP_EQ_OQ);
}

static inline mask mask_and(mask a, mask b) {
  return OP(and)(a, b);
}

static inline int mask_any(mask a) {
  return OP(movemask)(a) != 0;
}

static inline vec vec_select(mask m, vec a, vec b) {
  return OP(blendv)(b, a, m);
}

static inline real vec_sum(vec a) {
#ifdef BDAG_KERNEL_FLOAT32
  return sum_of_four(_mm_add_ps(_mm256_extractf128_ps(a, 1), _mm256_castps256_ps128(a)));
#else
  return sum_of_two(_mm_add_pd(_mm256_extractf128_pd(a, 1), _mm256_castpd256_pd128(a)));
#endif
}

#elif defined BDAG_KERNEL_ISA_AVX512

#define COMPARE PASTE(_mm512_cmp, SUFFIX, _mask)

static inline vec vec_fma(vec a, vec b, vec c) {
  return OP(fmadd)(a, b, c);
}

static inline mask vec_less(vec a, vec b) {
  return COMPARE(a, b, _CMP_LT_OQ);
}

static inline mask vec_less_equal(vec a, vec b) {
  return COMPARE(a, b, _CMP_LE_OQ);
}

static inline mask vec_equal(vec a, vec b) {
  return COMPARE(a, b, _CMP_EQ_OQ);
}

static inline mask mask_and(mask a, mask b) {
  return a & b;
}

static inline int mask_any(mask a) {
  return a != 0;
}

static inline vec vec_select(mask m, vec a, vec b) {
  return OP(mask_blend)(m, b, a);
}

static inline real vec_sum(vec a) {
#ifdef BDAG_KERNEL_FLOAT32
  const __m256 half = _mm256_add_ps(_mm512_extractf32x8_ps(a, 1), _mm512_castps512_ps256(a));
  return sum_of_four(_mm_add_ps(_mm256_extractf128_ps(half, 1), _mm256_castps256_ps128(half)));
#else
  const __m256d half = _mm256_add_pd(_mm512_extractf64x4_pd(a, 1), _mm512_castpd512_pd256(a));
  return sum_of_two(_mm_add_pd(_mm256_extractf128_pd(half, 1), _mm256_castpd256_pd128(half)));
#endif
}

#elif defined BDAG_KERNEL_ISA_NEON

#ifdef BDAG_KERNEL_FLOAT32
#define OP(name) PASTE(v, name, q_f32)
#else
#define OP(name) PASTE(v, name, q_f64)
#endif

static inline vec vec_load(const real *from) {
  return OP(ld1)(from);
}

static inline vec vec_loadu(const real *from) {
  return OP(ld1)(from);
}

static inline void vec_store(real *to, vec a) {
  OP(st1)(to, a);
}

static inline void vec_storeu(real *to, vec a) {
  OP(st1)(to, a);
}

static inline vec vec_set1(real a) {
#ifdef BDAG_KERNEL_FLOAT32
  return vdupq_n_f32(a);
#else
  return vdupq_n_f64(a);
#endif
}

static inline vec vec_zero(void) {
  return vec_set1(0);
}

static inline vec vec_add(vec a, vec b) {
  return OP(add)(a, b);
}

static inline vec vec_sub(vec a, vec b) {
  return OP(sub)(a, b);
}

static inline vec vec_mul(vec a, vec b) {
  return OP(mul)(a, b);
}

static inline vec vec_div(vec a, vec b) {
  return OP(div)(a, b);
}

static inline vec vec_sqrt(vec a) {
  return OP(sqrt)(a);
}

static inline vec vec_min(vec a, vec b) {
  return OP(min)(a, b);
}

static inline vec vec_max(vec a, vec b) {
  return OP(max)(a, b);
}

static inline vec vec_abs(vec a) {
  return OP(abs)(a);
}

static inline vec vec_neg(vec a) {
  return OP(neg)(a);
}

static inline vec vec_fma(vec a, vec b, vec c) {
  return OP(fma)(c, a, b);
}

static inline mask vec_less(vec a, vec b) {
  return OP(clt)(a, b);
}

static inline mask vec_less_equal(vec a, vec b) {
  return OP(cle)(a, b);
}

static inline mask vec_equal(vec a, vec b) {
  return OP(ceq)(a, b);
}

static inline vec vec_select(mask m, vec a, vec b) {
  return OP(bsl)(m, a, b);
}

#ifdef BDAG_KERNEL_FLOAT32
static inline mask mask_and(mask a, mask b) {
  return vandq_u32(a, b);
}

static inline int mask_any(mask a) {
  return vmaxvq_u32(a) != 0;
}

static inline real vec_sum(vec a) {
  const float32x2_t two = vadd_f32(vget_high_f32(a), vget_low_f32(a));
  return vget_lane_f32(two, 1) + vget_lane_f32(two, 0);
}
#else
static inline mask mask_and(mask a, mask b) {
  return vandq_u64(a, b);
}

static inline int mask_any(mask a) {
  return (vgetq_lane_u64(a, 0) | vgetq_lane_u64(a, 1)) != 0;
}

static inline real vec_sum(vec a) {
  return vgetq_lane_f64(a, 1) + vgetq_lane_f64(a, 0);
}
#endif

#endif

/* vec_sum of each of four vectors. */
#if defined BDAG_KERNEL_ISA_AVX512 && defined BDAG_KERNEL_FLOAT32
static inline void sums_of_four(const vec v[4], double *sum) {
  const __m512 a =
      _mm512_add_ps(_mm512_shuffle_f32x4(v[0], v[1], 0xee), _mm512_shuffle_f32x4(v[0], v[1], 0x44));
  const __m512 b =
      _mm512_add_ps(_mm512_shuffle_f32x4(v[2], v[3], 0xee), _mm512_shuffle_f32x4(v[2], v[3], 0x44));
  const __m512 four =
      _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0xdd), _mm512_shuffle_f32x4(a, b, 0x88));
  const __m512 two = _mm512_add_ps(_mm512_permute_ps(four, 0xee), four);
  const __m512 one = _mm512_add_ps(_mm512_permute_ps(two, 0x55), two);
  const __m512i first = _mm512_set_epi32(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 12, 8, 4, 0);
  const __m512 sums = _mm512_permutexvar_ps(first, one);
  _mm256_storeu_pd(sum, _mm256_cvtps_pd(_mm512_castps512_ps128(sums)));
}
#else
static inline void sums_of_four(const vec v[4], double *sum) {
  for (int i = 0; i < 4; i++) sum[i] = vec_sum(v[i]);
}
#endif

/* Lane 0. */
static inline real vec_first(vec a) {
  return a[0];
}

/* ---- The first `count` lanes of a vector, 1 ≤ count ≤ LANES; the others are 0 or left alone -------- */

#if defined BDAG_KERNEL_ISA_AVX512

#define FIRST_LANES(count) ((mask)((1u << (count)) - 1))
#define MASKED(name)       PASTE(_mm512_mask, name, SUFFIX)

static inline vec vec_load_first(const real *from, size_t count) {
  return MASKED(z_loadu)(FIRST_LANES(count), from);
}

static inline void vec_store_first(real *to, vec a, size_t count) {
  MASKED(_storeu)(to, FIRST_LANES(count), a);
}

#elif defined BDAG_KERNEL_ISA_AVX2

static inline __m256i first_lanes(size_t count) {
  static const int32_t ones[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
  return _mm256_loadu_si256((const __m256i *)(ones + (LANES - count) * sizeof(real) / 4));
}

static inline vec vec_load_first(const real *from, size_t count) {
  return OP(maskload)(from, first_lanes(count));
}

static inline void vec_store_first(real *to, vec a, size_t count) {
  OP(maskstore)(to, first_lanes(count), a);
}

#else

static inline vec vec_load_first(const real *from, size_t count) {
  real lane[LANES] = {0};
  for (size_t i = 0; i < LANES && i < count; i++) lane[i] = from[i];
  return vec_loadu(lane);
}

static inline void vec_store_first(real *to, vec a, size_t count) {
  real lane[LANES];
  vec_storeu(lane, a);
  for (size_t i = 0; i < LANES && i < count; i++) to[i] = lane[i];
}

#endif

#endif
