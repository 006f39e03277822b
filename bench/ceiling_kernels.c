/* Loops that reach the machine's ceilings, for AVX-512, AVX2 and everything else. */
#include "ceiling_kernels.h"

enum { CHAINS = 12, ROW = 256 };

/* A quarter of a row, in the widest vectors of the target. */
typedef uint64_t quarter __attribute__((vector_size(ROW / 4)));

#define GATHER_LIST(name, attribute)                                                               \
  attribute static void name(void *memory, const uint32_t *index, size_t count, size_t first,      \
                             size_t targets, size_t ahead) {                                       \
    char *rows = memory;                                                                           \
    size_t i = 0;                                                                                  \
    for (size_t r = 0; r < targets; r++) {                                                         \
      quarter a = {0}, b = a, c = a, d = a;                                                        \
      for (const size_t end = count * (r + 1) / targets; i < end; i++) {                           \
        if (ahead > 0)                                                                             \
          for (size_t line = 0; line < ROW; line += 64)                                            \
            __builtin_prefetch(rows + (size_t)index[i + ahead] * ROW + line);                      \
        const quarter *row = (const quarter *)(rows + (size_t)index[i] * ROW);                     \
        a |= row[0], b |= row[1], c |= row[2], d |= row[3];                                        \
      }                                                                                            \
      quarter *to = (quarter *)(rows + (first + r) * ROW);                                         \
      to[0] = a, to[1] = b, to[2] = c, to[3] = d;                                                  \
    }                                                                                              \
  }

GATHER_LIST(gather_list_plain, )

#if defined(__x86_64__)
#include <immintrin.h>

GATHER_LIST(gather_list_avx2, __attribute__((target("avx2"))))
GATHER_LIST(gather_list_avx512, __attribute__((target("avx512f"))))

#define FMA_LOOP(name, isa_name, vector, set, fma, lanes)                                          \
  __attribute__((target(isa_name))) static double name(uint64_t rounds) {                          \
    const vector factor = set(0.999), term = set(0.001);                                           \
    vector a = set(1), b = a, c = a, d = a, e = a, f = a, g = a, h = a, i = a, j = a, k = a,       \
           l = a;                                                                                  \
    for (uint64_t r = 0; r < rounds; r++) {                                                        \
      a = fma(a, factor, term), b = fma(b, factor, term), c = fma(c, factor, term);                \
      d = fma(d, factor, term), e = fma(e, factor, term), f = fma(f, factor, term);                \
      g = fma(g, factor, term), h = fma(h, factor, term), i = fma(i, factor, term);                \
      j = fma(j, factor, term), k = fma(k, factor, term), l = fma(l, factor, term);                \
      __asm__ volatile(""                                                                          \
                       : "+v"(a), "+v"(b), "+v"(c), "+v"(d), "+v"(e), "+v"(f), "+v"(g), "+v"(h),   \
                         "+v"(i), "+v"(j), "+v"(k), "+v"(l));                                      \
    }                                                                                              \
    return (double)rounds * CHAINS * lanes * 2;                                                    \
  }

FMA_LOOP(fma32_avx512, "avx512f", __m512, _mm512_set1_ps, _mm512_fmadd_ps, 16)
FMA_LOOP(fma64_avx512, "avx512f", __m512d, _mm512_set1_pd, _mm512_fmadd_pd, 8)
FMA_LOOP(fma32_avx2, "avx2,fma", __m256, _mm256_set1_ps, _mm256_fmadd_ps, 8)
FMA_LOOP(fma64_avx2, "avx2,fma", __m256d, _mm256_set1_pd, _mm256_fmadd_pd, 4)

__attribute__((target("avx512f"))) static uint64_t read_avx512(const void *memory, size_t bytes) {
  const __m512i *p = memory;
  __m512i a = _mm512_setzero_si512(), b = a, c = a, d = a;
  for (size_t i = 0; i < bytes / 64; i += 8) {
    a = _mm512_or_si512(a, _mm512_load_si512(p + i));
    b = _mm512_or_si512(b, _mm512_load_si512(p + i + 1));
    c = _mm512_or_si512(c, _mm512_load_si512(p + i + 2));
    d = _mm512_or_si512(d, _mm512_load_si512(p + i + 3));
    a = _mm512_or_si512(a, _mm512_load_si512(p + i + 4));
    b = _mm512_or_si512(b, _mm512_load_si512(p + i + 5));
    c = _mm512_or_si512(c, _mm512_load_si512(p + i + 6));
    d = _mm512_or_si512(d, _mm512_load_si512(p + i + 7));
  }
  return (uint64_t)_mm512_reduce_or_epi64(
      _mm512_or_si512(_mm512_or_si512(a, b), _mm512_or_si512(c, d)));
}

__attribute__((target("avx2"))) static uint64_t read_avx2(const void *memory, size_t bytes) {
  const __m256i *p = memory;
  __m256i a = _mm256_setzero_si256(), b = a, c = a, d = a;
  for (size_t i = 0; i < bytes / 32; i += 8) {
    a = _mm256_or_si256(a, _mm256_load_si256(p + i));
    b = _mm256_or_si256(b, _mm256_load_si256(p + i + 1));
    c = _mm256_or_si256(c, _mm256_load_si256(p + i + 2));
    d = _mm256_or_si256(d, _mm256_load_si256(p + i + 3));
    a = _mm256_or_si256(a, _mm256_load_si256(p + i + 4));
    b = _mm256_or_si256(b, _mm256_load_si256(p + i + 5));
    c = _mm256_or_si256(c, _mm256_load_si256(p + i + 6));
    d = _mm256_or_si256(d, _mm256_load_si256(p + i + 7));
  }
  const __m256i all = _mm256_or_si256(_mm256_or_si256(a, b), _mm256_or_si256(c, d));
  return (uint64_t)(_mm256_extract_epi64(all, 0) | _mm256_extract_epi64(all, 1) |
                    _mm256_extract_epi64(all, 2) | _mm256_extract_epi64(all, 3));
}

static inline void prefetch_row(const char *row) {
  for (size_t line = 0; line < ROW; line += 64) __builtin_prefetch(row + line);
}

__attribute__((target("avx512f"))) static uint64_t
gather_avx512(const void *memory, const uint32_t *index, size_t count, size_t ahead) {
  __m512i a = _mm512_setzero_si512(), b = a, c = a, d = a;
  for (size_t i = 0; i < count; i++) {
    if (ahead > 0) prefetch_row((const char *)memory + (size_t)index[i + ahead] * ROW);
    const __m512i *row = (const __m512i *)((const char *)memory + (size_t)index[i] * ROW);
    a = _mm512_or_si512(a, _mm512_load_si512(row));
    b = _mm512_or_si512(b, _mm512_load_si512(row + 1));
    c = _mm512_or_si512(c, _mm512_load_si512(row + 2));
    d = _mm512_or_si512(d, _mm512_load_si512(row + 3));
  }
  return (uint64_t)_mm512_reduce_or_epi64(
      _mm512_or_si512(_mm512_or_si512(a, b), _mm512_or_si512(c, d)));
}

__attribute__((target("avx2"))) static uint64_t
gather_avx2(const void *memory, const uint32_t *index, size_t count, size_t ahead) {
  __m256i a = _mm256_setzero_si256(), b = a;
  for (size_t i = 0; i < count; i++) {
    if (ahead > 0) prefetch_row((const char *)memory + (size_t)index[i + ahead] * ROW);
    const __m256i *row = (const __m256i *)((const char *)memory + (size_t)index[i] * ROW);
    for (int k = 0; k < 8; k += 2) {
      a = _mm256_or_si256(a, _mm256_load_si256(row + k));
      b = _mm256_or_si256(b, _mm256_load_si256(row + k + 1));
    }
  }
  const __m256i all = _mm256_or_si256(a, b);
  return (uint64_t)(_mm256_extract_epi64(all, 0) | _mm256_extract_epi64(all, 1) |
                    _mm256_extract_epi64(all, 2) | _mm256_extract_epi64(all, 3));
}
#endif

/* Vectors of 16 bytes, which every 64-bit processor has. */
typedef float v4 __attribute__((vector_size(16)));
typedef double v2 __attribute__((vector_size(16)));
typedef uint64_t u2 __attribute__((vector_size(16)));
#if defined(__aarch64__)
#include <arm_neon.h>
#define MULTIPLY_ADD32(x, y, z) vfmaq_f32(z, x, y)
#define MULTIPLY_ADD64(x, y, z) vfmaq_f64(z, x, y)
#define REGISTER                "+w"
#else
#define MULTIPLY_ADD32(x, y, z) ((x) * (y) + (z))
#define MULTIPLY_ADD64(x, y, z) ((x) * (y) + (z))
#define REGISTER                "+x"
#endif

#define PLAIN_LOOP(name, vector, one, scale, shift, fma, lanes)                                    \
  static double name(uint64_t rounds) {                                                            \
    const vector factor = scale, term = shift;                                                     \
    vector a = one, b = a, c = a, d = a, e = a, f = a, g = a, h = a, i = a, j = a, k = a, l = a;   \
    for (uint64_t r = 0; r < rounds; r++) {                                                        \
      a = fma(a, factor, term), b = fma(b, factor, term), c = fma(c, factor, term);                \
      d = fma(d, factor, term), e = fma(e, factor, term), f = fma(f, factor, term);                \
      g = fma(g, factor, term), h = fma(h, factor, term), i = fma(i, factor, term);                \
      j = fma(j, factor, term), k = fma(k, factor, term), l = fma(l, factor, term);                \
      __asm__ volatile(""                                                                          \
                       : REGISTER(a), REGISTER(b), REGISTER(c), REGISTER(d), REGISTER(e),          \
                         REGISTER(f), REGISTER(g), REGISTER(h), REGISTER(i), REGISTER(j),          \
                         REGISTER(k), REGISTER(l));                                                \
    }                                                                                              \
    return (double)rounds * CHAINS * lanes * 2;                                                    \
  }

PLAIN_LOOP(fma32_plain, v4, ((v4){1, 1, 1, 1}), ((v4){0.999f, 0.999f, 0.999f, 0.999f}),
           ((v4){0.001f, 0.001f, 0.001f, 0.001f}), MULTIPLY_ADD32, 4)
PLAIN_LOOP(fma64_plain, v2, ((v2){1, 1}), ((v2){0.999, 0.999}), ((v2){0.001, 0.001}),
           MULTIPLY_ADD64, 2)

static uint64_t read_plain(const void *memory, size_t bytes) {
  const u2 *p = memory;
  u2 a = {0, 0}, b = a, c = a, d = a;
  for (size_t i = 0; i < bytes / 16; i += 4) {
    a |= p[i];
    b |= p[i + 1];
    c |= p[i + 2];
    d |= p[i + 3];
  }
  const u2 all = a | b | c | d;
  return all[0] | all[1];
}

static uint64_t gather_plain(const void *memory, const uint32_t *index, size_t count,
                             size_t ahead) {
  u2 a = {0, 0}, b = a;
  for (size_t i = 0; i < count; i++) {
    if (ahead > 0)
      for (size_t line = 0; line < ROW; line += 64)
        __builtin_prefetch((const char *)memory + (size_t)index[i + ahead] * ROW + line);
    const u2 *row = (const u2 *)((const char *)memory + (size_t)index[i] * ROW);
    for (int k = 0; k < ROW / 16; k += 2) {
      a |= row[k];
      b |= row[k + 1];
    }
  }
  return a[0] | a[1] | b[0] | b[1];
}

const bench_ceiling_kernels *bench_ceiling_kernels_get(void) {
  static const bench_ceiling_kernels plain = {"plain",    fma32_plain,  fma64_plain,
                                              read_plain, gather_plain, gather_list_plain};
#if defined(__x86_64__)
  static const bench_ceiling_kernels avx2 = {"avx2",    fma32_avx2,  fma64_avx2,
                                             read_avx2, gather_avx2, gather_list_avx2};
  static const bench_ceiling_kernels avx512 = {"avx512",    fma32_avx512,  fma64_avx512,
                                               read_avx512, gather_avx512, gather_list_avx512};
  if (__builtin_cpu_supports("avx512f")) return &avx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return &avx2;
#endif
  return &plain;
}
