/* Kernels on rows alone, of every instruction set and type: transpose, finiteness. */
#include <criterion/criterion.h>
#include <float.h>
#include <string.h>

#include "kernel_check.h"

#define SIDE 45

static void check_transpose(const bdag_kernels *kernels, const void *from, size_t rows,
                            size_t columns) {
  static unsigned char to[(SIDE + 1) * SIDE * sizeof(double)];
  const bdag_type type = kernels->type;
  memset(to, 0x7f, sizeof to);
  kernels->transpose(from, columns + 2, to, rows + 1, rows, columns);
  for (size_t c = 0; c <= columns; c++)
    for (size_t r = 0; r <= rows; r++) {
      unsigned char untouched[sizeof(double)];
      memset(untouched, 0x7f, sizeof untouched);
      const int inside = c < columns && r < rows;
      if (inside ? !same(type, to, c * (rows + 1) + r, from, r * (columns + 2) + c)
                 : !same(type, to, c * (rows + 1) + r, untouched, 0))
        cr_assert_fail("%s: %zu × %zu turned, row %zu, column %zu", kernels_name(kernels), rows,
                       columns, r, c);
    }
}

Test(transpose, all_shapes) {
  static unsigned char from[SIDE * SIDE * sizeof(double)];
  generator random = {31};
  for (int n = 0; kernels_at(n) != NULL; n++) {
    fill_numbers(&random, kernels_at(n)->type, from, SIDE * SIDE);
    for (size_t rows = 0; rows <= SIDE - 2; rows++)
      for (size_t columns = 0; columns <= SIDE - 2; columns++)
        check_transpose(kernels_at(n), from, rows, columns);
  }
}

static void check_finite(const bdag_kernels *kernels, const row *x, size_t count, int expected) {
  if (kernels->finite(x->bytes, count) != expected)
    cr_assert_fail("%s: row of %zu, finite: %d", kernels_name(kernels), count, expected);
}

/* The largest numbers are finite, and so is a row with NaN beyond its count. */
Test(finite, every_position) {
  static row x;
  const long double bad[] = {NAN, -NAN, INFINITY, -INFINITY};
  for (int n = 0; kernels_at(n) != NULL; n++) {
    const bdag_kernels *const kernels = kernels_at(n);
    const bdag_type type = kernels->type;
    const long double largest = type == BDAG_FLOAT32 ? (long double)FLT_MAX : (long double)DBL_MAX;
    for (size_t count = BDAG_ROW_QUANTUM; count <= 256; count += BDAG_ROW_QUANTUM) {
      for (size_t i = 0; i < ROW_LIMIT; i++)
        set(type, x.bytes, i, i >= count ? NAN : i % 3 == 0 ? -largest : largest);
      check_finite(kernels, &x, count, 1);
      for (size_t i = 0; i < count; i++) {
        const long double good = get(type, x.bytes, i);
        for (int k = 0; k < 4; k++) {
          set(type, x.bytes, i, bad[k]);
          check_finite(kernels, &x, count, 0);
        }
        set(type, x.bytes, i, good);
      }
      check_finite(kernels, &x, count, 1);
      /* two that must not cancel */
      set(type, x.bytes, 0, INFINITY);
      set(type, x.bytes, count - 1, -INFINITY);
      check_finite(kernels, &x, count, 0);
    }
  }
}
