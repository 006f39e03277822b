/* Turning rows into columns, and LANES vectors into the vector of their sums. May include vector.h. */
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
#endif
