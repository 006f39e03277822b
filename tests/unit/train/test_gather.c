/* Gathering rows: types, strides, order. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "train/gather.h"

enum { ROWS = 5, COLUMNS = 3 };
static const uint64_t picked[] = {4, 0, 4, 2};

static double element(uint64_t row, uint64_t column) {
  return (double)(row * 10 + column) + 0.1;
}

static void check(bdag_type from_type, bdag_type to_type, ptrdiff_t sample, ptrdiff_t vertex,
                  ptrdiff_t origin) {
  float floats[200] = {0};
  double doubles[200] = {0};
  for (int r = 0; r < ROWS; r++)
    for (int c = 0; c < COLUMNS; c++) {
      floats[origin + r * sample + c * vertex] = (float)element((uint64_t)r, (uint64_t)c);
      doubles[origin + r * sample + c * vertex] = element((uint64_t)r, (uint64_t)c);
    }
  const int wide = from_type == BDAG_FLOAT64;
  const bdag_array from = {wide ? (void *)(doubles + origin) : (void *)(floats + origin), from_type,
                           sample, vertex};
  double to[4 * COLUMNS + 1];
  to[4 * COLUMNS] = 77.0;
  bdag_gather_rows(to_type, to, &from, COLUMNS, picked, 4);
  for (int i = 0; i < 4; i++)
    for (int c = 0; c < COLUMNS; c++) {
      const double exact = element(picked[i], (uint64_t)c);
      const double got =
          to_type == BDAG_FLOAT32 ? (double)((float *)to)[i * COLUMNS + c] : to[i * COLUMNS + c];
      const int rounded = to_type == BDAG_FLOAT32 || !wide;
      cr_assert_eq(got, rounded ? (double)(float)exact : exact);
    }
  cr_assert_eq(to[4 * COLUMNS], 77.0);
}

Test(gather, every_type_and_stride) {
  static const ptrdiff_t strides[][3] = {{3, 1, 0},    {1, 5, 0},    {7, 2, 0},
                                         {-3, 1, 150}, {3, -1, 150}, {20, 4, 3}};
  for (int from = BDAG_FLOAT32; from <= BDAG_FLOAT64; from++)
    for (int to = BDAG_FLOAT32; to <= BDAG_FLOAT64; to++)
      for (int k = 0; k < 6; k++)
        check((bdag_type)from, (bdag_type)to, strides[k][0], strides[k][1], strides[k][2]);
}

Test(gather, nothing_to_gather) {
  double to = 5.0;
  const bdag_array none = {NULL, BDAG_FLOAT64, 0, 1};
  bdag_gather_rows(BDAG_FLOAT64, &to, &none, 0, picked, 4);
  bdag_gather_rows(BDAG_FLOAT32, &to, &none, COLUMNS, picked, 0);
  cr_assert_eq(to, 5.0);
}
