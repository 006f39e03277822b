/* Turning rows into columns, and LANES vectors into the vector of their sums, each sum in the same
 * order. May include vector.h. */
#ifndef BDAG_KERNEL_TRANSPOSE_H
#define BDAG_KERNEL_TRANSPOSE_H

#include "kernel/vector.h"

#if defined BDAG_KERNEL_ISA_AVX512 && defined BDAG_KERNEL_FLOAT32

#define TRANSPOSE_BLOCK 16

/* Pairs, then quadruples within the four 128-bit parts, then the parts. */
static inline void transpose_block(const real *from, size_t from_stride, real *to,
                                   size_t to_stride) {
  __m512 a[16], b[16];
  for (int i = 0; i < 16; i++) a[i] = _mm512_loadu_ps(from + i * from_stride);
  for (int i = 0; i < 16; i += 2) {
    b[i] = _mm512_unpacklo_ps(a[i], a[i + 1]);
    b[i + 1] = _mm512_unpackhi_ps(a[i], a[i + 1]);
  }
  for (int i = 0; i < 16; i += 4)
    for (int j = 0; j < 2; j++) {
      const __m512d low = _mm512_castps_pd(b[i + j]), high = _mm512_castps_pd(b[i + j + 2]);
      a[i + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(low, high));
      a[i + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low, high));
    }
  for (int i = 0; i < 4; i++) {
    const __m512 p = _mm512_shuffle_f32x4(a[i], a[i + 4], 0x88);
    const __m512 q = _mm512_shuffle_f32x4(a[i], a[i + 4], 0xdd);
    const __m512 r = _mm512_shuffle_f32x4(a[i + 8], a[i + 12], 0x88);
    const __m512 s = _mm512_shuffle_f32x4(a[i + 8], a[i + 12], 0xdd);
    _mm512_storeu_ps(to + i * to_stride, _mm512_shuffle_f32x4(p, r, 0x88));
    _mm512_storeu_ps(to + (i + 4) * to_stride, _mm512_shuffle_f32x4(q, s, 0x88));
    _mm512_storeu_ps(to + (i + 8) * to_stride, _mm512_shuffle_f32x4(p, r, 0xdd));
    _mm512_storeu_ps(to + (i + 12) * to_stride, _mm512_shuffle_f32x4(q, s, 0xdd));
  }
}

static inline vec sums_of(const vec v[16]) {
  __m512 a[8], b[4];
  for (int i = 0; i < 8; i++)
    a[i] = _mm512_add_ps(_mm512_unpacklo_ps(v[2 * i], v[2 * i + 1]),
                         _mm512_unpackhi_ps(v[2 * i], v[2 * i + 1]));
  for (int i = 0; i < 4; i++) {
    const __m512d low = _mm512_castps_pd(a[2 * i]), high = _mm512_castps_pd(a[2 * i + 1]);
    b[i] = _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(low, high)),
                         _mm512_castpd_ps(_mm512_unpackhi_pd(low, high)));
  }
  const __m512 c =
      _mm512_add_ps(_mm512_shuffle_f32x4(b[0], b[1], 0x88), _mm512_shuffle_f32x4(b[0], b[1], 0xdd));
  const __m512 d =
      _mm512_add_ps(_mm512_shuffle_f32x4(b[2], b[3], 0x88), _mm512_shuffle_f32x4(b[2], b[3], 0xdd));
  return _mm512_add_ps(_mm512_shuffle_f32x4(c, d, 0x88), _mm512_shuffle_f32x4(c, d, 0xdd));
}

#elif defined BDAG_KERNEL_ISA_AVX512

#define TRANSPOSE_BLOCK 8

/* Pairs, then the four 128-bit parts of even and of odd columns. */
static inline void transpose_block(const real *from, size_t from_stride, real *to,
                                   size_t to_stride) {
  __m512d a[8];
  for (int i = 0; i < 8; i += 2) {
    const __m512d x = _mm512_loadu_pd(from + i * from_stride);
    const __m512d y = _mm512_loadu_pd(from + (i + 1) * from_stride);
    a[i] = _mm512_unpacklo_pd(x, y);
    a[i + 1] = _mm512_unpackhi_pd(x, y);
  }
  for (int i = 0; i < 2; i++) {
    const __m512d p = _mm512_shuffle_f64x2(a[i], a[i + 2], 0x88);
    const __m512d q = _mm512_shuffle_f64x2(a[i], a[i + 2], 0xdd);
    const __m512d r = _mm512_shuffle_f64x2(a[i + 4], a[i + 6], 0x88);
    const __m512d s = _mm512_shuffle_f64x2(a[i + 4], a[i + 6], 0xdd);
    _mm512_storeu_pd(to + i * to_stride, _mm512_shuffle_f64x2(p, r, 0x88));
    _mm512_storeu_pd(to + (i + 2) * to_stride, _mm512_shuffle_f64x2(q, s, 0x88));
    _mm512_storeu_pd(to + (i + 4) * to_stride, _mm512_shuffle_f64x2(p, r, 0xdd));
    _mm512_storeu_pd(to + (i + 6) * to_stride, _mm512_shuffle_f64x2(q, s, 0xdd));
  }
}

static inline vec sums_of(const vec v[8]) {
  __m512d a[4];
  for (int i = 0; i < 4; i++)
    a[i] = _mm512_add_pd(_mm512_unpacklo_pd(v[2 * i], v[2 * i + 1]),
                         _mm512_unpackhi_pd(v[2 * i], v[2 * i + 1]));
  const __m512d b =
      _mm512_add_pd(_mm512_shuffle_f64x2(a[0], a[1], 0x88), _mm512_shuffle_f64x2(a[0], a[1], 0xdd));
  const __m512d c =
      _mm512_add_pd(_mm512_shuffle_f64x2(a[2], a[3], 0x88), _mm512_shuffle_f64x2(a[2], a[3], 0xdd));
  return _mm512_add_pd(_mm512_shuffle_f64x2(b, c, 0x88), _mm512_shuffle_f64x2(b, c, 0xdd));
}

#elif defined BDAG_KERNEL_ISA_AVX2 && defined BDAG_KERNEL_FLOAT32

#define TRANSPOSE_BLOCK 8

/* Pairs, then quadruples within the halves, then the halves. */
static inline void transpose_block(const real *from, size_t from_stride, real *to,
                                   size_t to_stride) {
  __m256 a[8], b[8];
  for (int i = 0; i < 8; i += 2) {
    const __m256 x = _mm256_loadu_ps(from + i * from_stride);
    const __m256 y = _mm256_loadu_ps(from + (i + 1) * from_stride);
    b[i] = _mm256_unpacklo_ps(x, y);
    b[i + 1] = _mm256_unpackhi_ps(x, y);
  }
  for (int i = 0; i < 8; i += 4)
    for (int j = 0; j < 2; j++) {
      const __m256d low = _mm256_castps_pd(b[i + j]), high = _mm256_castps_pd(b[i + j + 2]);
      a[i + 2 * j] = _mm256_castpd_ps(_mm256_unpacklo_pd(low, high));
      a[i + 2 * j + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(low, high));
    }
  for (int i = 0; i < 4; i++) {
    _mm256_storeu_ps(to + i * to_stride, _mm256_permute2f128_ps(a[i], a[i + 4], 0x20));
    _mm256_storeu_ps(to + (i + 4) * to_stride, _mm256_permute2f128_ps(a[i], a[i + 4], 0x31));
  }
}

static inline vec sums_of(const vec v[8]) {
  __m256 a[4], b[2];
  for (int i = 0; i < 4; i++)
    a[i] = _mm256_add_ps(_mm256_unpacklo_ps(v[2 * i], v[2 * i + 1]),
                         _mm256_unpackhi_ps(v[2 * i], v[2 * i + 1]));
  for (int i = 0; i < 2; i++) {
    const __m256d low = _mm256_castps_pd(a[2 * i]), high = _mm256_castps_pd(a[2 * i + 1]);
    b[i] = _mm256_add_ps(_mm256_castpd_ps(_mm256_unpacklo_pd(low, high)),
                         _mm256_castpd_ps(_mm256_unpackhi_pd(low, high)));
  }
  return _mm256_add_ps(_mm256_permute2f128_ps(b[0], b[1], 0x20),
                       _mm256_permute2f128_ps(b[0], b[1], 0x31));
}

#elif defined BDAG_KERNEL_ISA_AVX2

#define TRANSPOSE_BLOCK 4

static inline void transpose_block(const real *from, size_t from_stride, real *to,
                                   size_t to_stride) {
  __m256d a[4];
  for (int i = 0; i < 4; i += 2) {
    const __m256d x = _mm256_loadu_pd(from + i * from_stride);
    const __m256d y = _mm256_loadu_pd(from + (i + 1) * from_stride);
    a[i] = _mm256_unpacklo_pd(x, y);
    a[i + 1] = _mm256_unpackhi_pd(x, y);
  }
  for (int i = 0; i < 2; i++) {
    _mm256_storeu_pd(to + i * to_stride, _mm256_permute2f128_pd(a[i], a[i + 2], 0x20));
    _mm256_storeu_pd(to + (i + 2) * to_stride, _mm256_permute2f128_pd(a[i], a[i + 2], 0x31));
  }
}

static inline vec sums_of(const vec v[4]) {
  const __m256d a = _mm256_hadd_pd(v[0], v[1]), b = _mm256_hadd_pd(v[2], v[3]);
  return _mm256_add_pd(_mm256_permute2f128_pd(a, b, 0x20), _mm256_permute2f128_pd(a, b, 0x31));
}

#elif defined BDAG_KERNEL_ISA_NEON && defined BDAG_KERNEL_FLOAT32

#define TRANSPOSE_BLOCK 4

static inline void transpose_block(const real *from, size_t from_stride, real *to,
                                   size_t to_stride) {
  const float32x4x2_t a = vtrnq_f32(vld1q_f32(from), vld1q_f32(from + from_stride));
  const float32x4x2_t b =
      vtrnq_f32(vld1q_f32(from + 2 * from_stride), vld1q_f32(from + 3 * from_stride));
  for (int i = 0; i < 2; i++) {
    vst1q_f32(to + i * to_stride, vcombine_f32(vget_low_f32(a.val[i]), vget_low_f32(b.val[i])));
    vst1q_f32(to + (i + 2) * to_stride,
              vcombine_f32(vget_high_f32(a.val[i]), vget_high_f32(b.val[i])));
  }
}

static inline vec sums_of(const vec v[4]) {
  return vpaddq_f32(vpaddq_f32(v[0], v[1]), vpaddq_f32(v[2], v[3]));
}

#else

#define TRANSPOSE_BLOCK 8

static inline void transpose_block(const real *from, size_t from_stride, real *to,
                                   size_t to_stride) {
  for (int r = 0; r < TRANSPOSE_BLOCK; r++)
    for (int c = 0; c < TRANSPOSE_BLOCK; c++) to[c * to_stride + r] = from[r * from_stride + c];
}

static inline vec sums_of(const vec *v) {
  real sum[VECTOR_BYTES / sizeof(real)];
  for (size_t i = 0; i < LANES; i++) sum[i] = vec_sum(v[i]);
  return vec_loadu(sum);
}

#endif

/* ---- Sums of four vectors, lane by lane in the same order as sums_of ------------------------------- */

#define DOTS_AT_ONCE 4

static inline void sums_of_dots(const vec v[DOTS_AT_ONCE], real *to) {
#if defined BDAG_KERNEL_ISA_AVX512 && defined BDAG_KERNEL_FLOAT32
  const __m512d low = _mm512_castps_pd(
      _mm512_add_ps(_mm512_unpacklo_ps(v[0], v[1]), _mm512_unpackhi_ps(v[0], v[1])));
  const __m512d high = _mm512_castps_pd(
      _mm512_add_ps(_mm512_unpacklo_ps(v[2], v[3]), _mm512_unpackhi_ps(v[2], v[3])));
  const __m512 a = _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(low, high)),
                                 _mm512_castpd_ps(_mm512_unpackhi_pd(low, high)));
  const __m512 b = _mm512_add_ps(a, _mm512_shuffle_f32x4(a, a, 0xb1));
  _mm_storeu_ps(to, _mm_add_ps(_mm512_castps512_ps128(b), _mm512_extractf32x4_ps(b, 2)));
#elif defined BDAG_KERNEL_ISA_AVX512
  const __m512d low = _mm512_add_pd(_mm512_unpacklo_pd(v[0], v[1]), _mm512_unpackhi_pd(v[0], v[1]));
  const __m512d high =
      _mm512_add_pd(_mm512_unpacklo_pd(v[2], v[3]), _mm512_unpackhi_pd(v[2], v[3]));
  const __m512d a =
      _mm512_add_pd(_mm512_shuffle_f64x2(low, high, 0x88), _mm512_shuffle_f64x2(low, high, 0xdd));
  const __m512d b = _mm512_add_pd(a, _mm512_shuffle_f64x2(a, a, 0xb1));
  _mm_storeu_pd(to, _mm512_castpd512_pd128(b));
  _mm_storeu_pd(to + 2, _mm512_extractf64x2_pd(b, 2));
#elif defined BDAG_KERNEL_ISA_AVX2 && defined BDAG_KERNEL_FLOAT32
  const __m256d low = _mm256_castps_pd(
      _mm256_add_ps(_mm256_unpacklo_ps(v[0], v[1]), _mm256_unpackhi_ps(v[0], v[1])));
  const __m256d high = _mm256_castps_pd(
      _mm256_add_ps(_mm256_unpacklo_ps(v[2], v[3]), _mm256_unpackhi_ps(v[2], v[3])));
  const __m256 a = _mm256_add_ps(_mm256_castpd_ps(_mm256_unpacklo_pd(low, high)),
                                 _mm256_castpd_ps(_mm256_unpackhi_pd(low, high)));
  _mm_storeu_ps(to, _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1)));
#elif VECTOR_BYTES == 4 * 8 || defined BDAG_KERNEL_FLOAT32
  vec_storeu(to, sums_of(v));
#else
  for (int i = 0; i < DOTS_AT_ONCE; i++) to[i] = vec_sum(v[i]);
#endif
}

#endif
