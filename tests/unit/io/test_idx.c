/* IDX: all element types, scaling, and headers that lie. */
#include <math.h>
#include <string.h>

#include <criterion/criterion.h>

#include "table_support.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void expect_failure(const void *bytes, size_t size, bdag_status status,
                           const char *fragment) {
  const bdag_table_options options = support_options(BDAG_DATA_IDX);
  support_expect_failure(bytes, size, &options, status, 0, fragment);
}

Test(idx, every_element_type) {
  static const double values[] = {-2, 100};
  static const struct {
    unsigned char bytes[24];
    size_t size;
  } files[] = {
      {{0, 0, 0x09, 1, 0, 0, 0, 2, 0xfe, 100}, 10},
      {{0, 0, 0x0B, 1, 0, 0, 0, 2, 0xff, 0xfe, 0, 100}, 12},
      {{0, 0, 0x0C, 1, 0, 0, 0, 2, 0xff, 0xff, 0xff, 0xfe, 0, 0, 0, 100}, 16},
      {{0, 0, 0x0D, 1, 0, 0, 0, 2, 0xc0, 0, 0, 0, 0x42, 0xc8, 0, 0}, 16},
      {{0, 0, 0x0E, 1, 0, 0, 0, 2, 0xc0, 0, 0, 0, 0, 0, 0, 0, 0x40, 0x59, 0, 0, 0, 0, 0, 0}, 24},
  };
  for (size_t i = 0; i < COUNT(files); i++) {
    bdag_table *const table = support_parse(files[i].bytes, files[i].size, NULL);
    support_expect(table, 2, 1, values);
    bdag_table_destroy(table);
    cr_assert_eq(support_truncate(files[i].bytes, files[i].size,
                                  &(bdag_table_options){sizeof(bdag_table_options), BDAG_DATA_IDX,
                                                        BDAG_FLOAT64, -1, 0, 0},
                                  1),
                 files[i].size);
  }
}

Test(idx, bytes_of_images_become_fractions) {
  static const unsigned char images[] = {0, 0, 8, 3, 0, 0, 0,  2,   0,   0, 0,
                                         1, 0, 0, 0, 3, 0, 51, 255, 102, 1, 255};
  bdag_table *table = support_parse(images, sizeof images, NULL);
  support_expect(table, 2, 3,
                 (const double[]){0, 51 * (1.0 / 255), 1, 102 * (1.0 / 255), 1.0 / 255, 1});
  bdag_table_destroy(table);
  bdag_table_options options = support_options(BDAG_DATA_AUTO);
  options.scale = 1;
  table = support_parse(images, sizeof images, &options);
  support_expect(table, 2, 3, (const double[]){0, 51, 255, 102, 1, 255});
  bdag_table_destroy(table);
}

Test(idx, labels_stay_whole) {
  static const unsigned char labels[] = {0, 0, 8, 1, 0, 0, 0, 3, 7, 0, 255};
  bdag_table_options options = support_options(BDAG_DATA_AUTO);
  options.type = BDAG_FLOAT32;
  bdag_table *const table = support_parse(labels, sizeof labels, &options);
  cr_assert_eq(bdag_table_array(table, 0).type, BDAG_FLOAT32);
  support_expect(table, 3, 1, (const double[]){7, 0, 255});
  bdag_table_destroy(table);
}

Test(idx, integers_of_images_are_not_scaled) {
  static const unsigned char bytes[] = {0, 0, 0x0B, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 5, 0xff, 0xfb};
  bdag_table *const table = support_parse(bytes, sizeof bytes, NULL);
  support_expect(table, 1, 2, (const double[]){5, -5});
  bdag_table_destroy(table);
}

Test(idx, four_and_five_dimensions) {
  unsigned char bytes[4 + 20 + 12] = {0, 0, 9, 5, 0, 0, 0, 2, 0, 0, 0, 3,
                                      0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 1};
  double values[12];
  for (int i = 0; i < 12; i++) values[i] = bytes[24 + i] = (unsigned char)(i + 1);
  bdag_table *table = support_parse(bytes, sizeof bytes, NULL);
  support_expect(table, 2, 6, values);
  bdag_table_destroy(table);
  bytes[3] = 4;
  memmove(bytes + 20, bytes + 24, 12);
  table = support_parse(bytes, sizeof bytes - 4, NULL);
  support_expect(table, 2, 6, values);
  bdag_table_destroy(table);
}

Test(idx, headers_that_lie) {
  static const struct {
    unsigned char bytes[24];
    size_t size;
    bdag_status status;
    const char *fragment;
  } cases[] = {
      {{1, 0, 8, 1, 0, 0, 0, 1, 0}, 9, BDAG_ERROR_FORMAT, "expected two zero bytes"},
      {{0, 0, 0x0A, 1, 0, 0, 0, 1, 0}, 9, BDAG_ERROR_FORMAT, "no element type 0a"},
      {{0, 0, 8, 0}, 4, BDAG_ERROR_FORMAT, "0 dimensions"},
      {{0, 0, 8, 255}, 24, BDAG_ERROR_FORMAT, "within its IDX header of 255 dimensions"},
      {{0, 0, 8, 1, 0, 0, 0, 0}, 8, BDAG_ERROR_FORMAT, "no samples"},
      {{0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 0}, 12, BDAG_ERROR_FORMAT, "0 columns"},
      {{0, 0, 8, 1, 0, 0, 0, 2, 0}, 9, BDAG_ERROR_FORMAT, "10 bytes in all, the file has 9"},
      {{0, 0, 8, 1, 0, 0, 0, 1, 0, 0}, 10, BDAG_ERROR_FORMAT, "9 bytes in all, the file has 10"},
      {{0, 0, 8, 1, 255, 255, 255, 255, 0}, 9, BDAG_ERROR_FORMAT, "4294967303 bytes"},
      {{0, 0, 8, 3, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255},
       16,
       BDAG_ERROR_LIMIT,
       "than can be counted"},
      {{0, 0, 8, 4, 0, 0, 0, 1, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255},
       20,
       BDAG_ERROR_LIMIT,
       "than can be counted"},
      {{0, 0, 14, 2, 255, 255, 255, 255, 128, 0, 0, 0},
       12,
       BDAG_ERROR_LIMIT,
       "than can be counted"},
  };
  for (size_t i = 0; i < COUNT(cases); i++)
    expect_failure(cases[i].bytes, cases[i].size, cases[i].status, cases[i].fragment);
}

Test(idx, what_does_not_fit_float32) {
  static const unsigned char bytes[] = {0, 0, 0x0E, 1,    0,    0,    0,    3, 0x7f, 0xf0, 0,
                                        0, 0, 0,    0,    0,    0x40, 0x59, 0, 0,    0,    0,
                                        0, 0, 0x7e, 0x37, 0xe4, 0x3c, 0x88, 0, 0x75, 0x9c};
  bdag_table_options options = support_options(BDAG_DATA_IDX);
  options.type = BDAG_FLOAT32;
  support_expect_failure(bytes, sizeof bytes, &options, BDAG_ERROR_FORMAT, 0,
                         "value at byte 24 is beyond the range");
  bdag_table *const table = support_parse(bytes, sizeof bytes, NULL);
  support_expect(table, 3, 1, (const double[]){INFINITY, 100, 1e300});
  bdag_table_destroy(table);
}
