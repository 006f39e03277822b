/* NumPy arrays: types, orders, layouts, and headers that are wrong or not ours. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "table_support.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

typedef struct npy {
  unsigned char bytes[1024];
  size_t size;
} npy;

static npy make(int version, const char *dictionary, const void *elements, size_t size) {
  npy file = {{0x93, 'N', 'U', 'M', 'P', 'Y', (unsigned char)version, 0}, 0};
  const size_t length = strlen(dictionary), begin = version == 1 ? 10 : 12;
  file.bytes[8] = (unsigned char)(length & 255);
  file.bytes[9] = (unsigned char)(length >> 8);
  memcpy(file.bytes + begin, dictionary, length);
  memcpy(file.bytes + begin + length, elements, size);
  file.size = begin + length + size;
  return file;
}

static npy make_typed(const char *type, const char *shape, int fortran, const void *elements,
                      size_t size) {
  char dictionary[256];
  snprintf(dictionary, sizeof dictionary,
           "{'descr': '%s', 'fortran_order': %s, 'shape': %s, }   \n", type,
           fortran ? "True" : "False", shape);
  return make(1, dictionary, elements, size);
}

static void expect(const npy *file, uint64_t rows, uint64_t columns, const double *values) {
  bdag_table *const table = support_parse(file->bytes, file->size, NULL);
  support_expect(table, rows, columns, values);
  bdag_table_destroy(table);
}

static void expect_failure(const npy *file, bdag_status status, const char *fragment) {
  support_expect_failure(file->bytes, file->size, NULL, status, 0, fragment);
}

Test(npy, every_type_and_byte_order) {
  static const struct {
    const char *type;
    size_t size;
    unsigned char bytes[16];
    double values[2];
  } cases[] = {
      {"|b1", 1, {0, 2}, {0, 1}},
      {"|u1", 1, {7, 255}, {7, 255}},
      {"<u1", 1, {7, 255}, {7, 255}},
      {"|i1", 1, {7, 255}, {7, -1}},
      {"<u2", 2, {1, 2, 255, 255}, {513, 65535}},
      {">u2", 2, {1, 2, 255, 255}, {258, 65535}},
      {"<i2", 2, {1, 2, 255, 255}, {513, -1}},
      {">i2", 2, {1, 2, 255, 254}, {258, -2}},
      {"<u4", 4, {1, 0, 1, 0, 255, 255, 255, 255}, {65537, 4294967295.0}},
      {">u4", 4, {0, 1, 0, 2, 255, 255, 255, 255}, {65538, 4294967295.0}},
      {"<i4", 4, {1, 0, 1, 0, 254, 255, 255, 255}, {65537, -2}},
      {">i4", 4, {0, 1, 0, 2, 255, 255, 255, 254}, {65538, -2}},
      {"<u8", 8, {1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 128}, {4294967297.0, 0x1p63}},
      {">i8", 8, {0, 0, 0, 1, 0, 0, 0, 1, 128, 0, 0, 0, 0, 0, 0, 0}, {4294967297.0, -0x1p63}},
      {"<f2", 2, {0, 0x3c, 1, 0x80}, {1, -0x1p-24}},
      {">f2", 2, {0xfc, 0, 0x7b, 0xff}, {-INFINITY, 65504}},
      {"<f2", 2, {0, 0x7e, 0, 0x35}, {NAN, 0.3125}},
      {"<f4", 4, {0, 0, 0xc0, 0x3f, 0, 0, 0x80, 0xff}, {1.5, -INFINITY}},
      {">f4", 4, {0x3f, 0xc0, 0, 0, 0x7f, 0xc0, 0, 0}, {1.5, NAN}},
      {"<f8", 8, {0, 0, 0, 0, 0, 0, 0xf8, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0xc0}, {1.5, -2}},
      {">f8", 8, {0x3f, 0xf8, 0, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0}, {1.5, -2}},
  };
  const bdag_table_options options = support_options(BDAG_DATA_NPY);
  for (size_t i = 0; i < COUNT(cases); i++) {
    const npy file = make_typed(cases[i].type, "(2,)", 0, cases[i].bytes, 2 * cases[i].size);
    expect(&file, 2, 1, cases[i].values);
    cr_assert_eq(support_truncate(file.bytes, file.size, &options, 1), file.size);
  }
}

Test(npy, versions_and_spelling_of_the_header) {
  static const unsigned char elements[] = {1, 2, 3, 4, 5, 6};
  static const double values[] = {1, 2, 3, 4, 5, 6};
  static const char *const headers[] = {
      "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }                    \n",
      "{'shape':(2,3),'descr':'|u1','fortran_order':False}",
      "  { \"fortran_order\" :\tFalse , \"shape\" : ( 2 , 3 , ) , \"descr\" : \"|u1\" , } \n",
      "{'descr': '|u1', 'fortran_order': False, 'shape': (2L, 3L)}\n",
      "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 1, 3, 1)}\n",
  };
  for (size_t i = 0; i < COUNT(headers); i++)
    for (int version = 1; version <= 3; version++) {
      const npy file = make(version, headers[i], elements, 6);
      expect(&file, 2, 3, values);
    }
}

Test(npy, a_long_header_needs_version_2) {
  static unsigned char bytes[12 + 70000 + 2] = "\x93NUMPY\x02";
  const size_t length = 70000;
  memset(bytes + 12, ' ', length);
  memcpy(bytes + 12, "{'descr': '|u1', 'fortran_order': False, 'shape': (2,)}", 55);
  for (int i = 0; i < 4; i++) bytes[8 + i] = (unsigned char)(length >> 8 * i);
  bytes[12 + length] = 8;
  bytes[13 + length] = 9;
  bdag_table *const table = support_parse(bytes, sizeof bytes, NULL);
  support_expect(table, 2, 1, (const double[]){8, 9});
  bdag_table_destroy(table);
}

Test(npy, fortran_order) {
  static const unsigned char elements[] = {1, 2, 3, 4, 5, 6};
  const npy matrix = make_typed("|u1", "(2, 3)", 1, elements, 6);
  expect(&matrix, 2, 3, (const double[]){1, 3, 5, 2, 4, 6});
}

/* Element (i, j, k) of a 2 × 3 × 2 array holds 100 i + 10 j + k in both orders. */
Test(npy, fortran_order_of_three_dimensions) {
  unsigned char c_order[12], fortran[12];
  double values[12];
  for (int i = 0, n = 0; i < 2; i++)
    for (int j = 0; j < 3; j++)
      for (int k = 0; k < 2; k++, n++) {
        values[n] = 100 * i + 10 * j + k;
        c_order[n] = fortran[i + 2 * (j + 3 * k)] = (unsigned char)values[n];
      }
  const npy first = make_typed("|u1", "(2, 3, 2)", 0, c_order, 12);
  expect(&first, 2, 6, values);
  const npy second = make_typed("|u1", "(2, 3, 2)", 1, fortran, 12);
  expect(&second, 2, 6, values);
}

Test(npy, scale_and_type) {
  bdag_table_options options = support_options(BDAG_DATA_AUTO);
  options.scale = 0.25;
  options.type = BDAG_FLOAT32;
  const npy file = make_typed("|u1", "(1, 2)", 0, "\x02\xff", 2);
  bdag_table *const table = support_parse(file.bytes, file.size, &options);
  support_expect(table, 1, 2, (const double[]){0.5, 63.75});
  bdag_table_destroy(table);
}

Test(npy, headers_that_are_wrong) {
  static const struct {
    const char *dictionary;
    bdag_status status;
    const char *fragment;
  } cases[] = {
      {"", BDAG_ERROR_FORMAT, "an opening brace"},
      {"{}", BDAG_ERROR_FORMAT, "the keys descr"},
      {"{'descr': '|u1', 'shape': (2,)}", BDAG_ERROR_FORMAT, "the keys descr"},
      {"{'descr': '|u1', 'fortran_order': False, 'shape': (2,)", BDAG_ERROR_FORMAT,
       "closing brace"},
      {"{'descr': '|u1', 'fortran_order': False, 'shape': (2,)} x", BDAG_ERROR_FORMAT,
       "nothing after"},
      {"{'descr': '|u1', 'descr': '|u1', 'fortran_order': False, 'shape': (2,)}", BDAG_ERROR_FORMAT,
       "twice"},
      {"{'descr': '|u1', 'fortran_order': False, 'shape': (2,), 'x': 1}", BDAG_ERROR_FORMAT,
       "one of the keys"},
      {"{'descr': '|u1', 'fortran_order': false, 'shape': (2,)}", BDAG_ERROR_FORMAT,
       "True or False"},
      {"{'descr': '|u1', 'fortran_order': False, 'shape': 2}", BDAG_ERROR_FORMAT, "tuple"},
      {"{'descr': '|u1', 'fortran_order': False, 'shape': (2)}", BDAG_ERROR_FORMAT,
       "comma in a tuple"},
      {"{'descr': '|u1', 'fortran_order': False, 'shape': (-2,)}", BDAG_ERROR_FORMAT,
       "a dimension"},
      {"{'descr': '|u1', 'fortran_order': False, 'shape': (2.0,)}", BDAG_ERROR_FORMAT,
       "comma or a closing"},
      {"{'descr': '|u1', 'fortran_order': False, 'shape': (2,", BDAG_ERROR_FORMAT, "a dimension"},
      {"{'descr': '|u1' 'fortran_order': False, 'shape': (2,)}", BDAG_ERROR_FORMAT,
       "a comma or a closing brace"},
      {"{descr: '|u1', 'fortran_order': False, 'shape': (2,)}", BDAG_ERROR_FORMAT, "key in quotes"},
      {"{'descr' '|u1', 'fortran_order': False, 'shape': (2,)}", BDAG_ERROR_FORMAT, "a colon"},
      {"{'descr': 1, 'fortran_order': False, 'shape': (2,)}", BDAG_ERROR_FORMAT, "an element type"},
      {"{'descr': '|u1", BDAG_ERROR_FORMAT, "an element type"},
      {"{'descr': '|f4', 'fortran_order': False, 'shape': (2,)}", BDAG_ERROR_FORMAT, "byte order"},
      {"{'descr': '|u1', 'fortran_order': False, 'shape': (0,)}", BDAG_ERROR_FORMAT, "promises"},
      {"{'descr': '|u1', 'fortran_order': False, 'shape': (3,)}", BDAG_ERROR_FORMAT, "promises"},
      {"{'descr': '|u1', 'fortran_order': False, 'shape': (1,)}", BDAG_ERROR_FORMAT, "promises"},
      {"{'descr': '|u1', 'fortran_order': False, 'shape': ()}", BDAG_ERROR_UNSUPPORTED,
       "without dimensions"},
      {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,)}", BDAG_ERROR_UNSUPPORTED,
       "structured"},
      {"{'descr': '|O', 'fortran_order': False, 'shape': (2,)}", BDAG_ERROR_UNSUPPORTED,
       "Python objects"},
      {"{'descr': '|O8', 'fortran_order': False, 'shape': (2,)}", BDAG_ERROR_UNSUPPORTED,
       "Python objects"},
      {"{'descr': '<c8', 'fortran_order': False, 'shape': (2,)}", BDAG_ERROR_UNSUPPORTED, "'<c8'"},
      {"{'descr': '<U3', 'fortran_order': False, 'shape': (2,)}", BDAG_ERROR_UNSUPPORTED, "'<U3'"},
      {"{'descr': '<f16', 'fortran_order': False, 'shape': (2,)}", BDAG_ERROR_UNSUPPORTED,
       "'<f16'"},
      {"{'descr': '', 'fortran_order': False, 'shape': (2,)}", BDAG_ERROR_UNSUPPORTED, "''"},
      {"{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999999999999,)}",
       BDAG_ERROR_LIMIT, "64 bits"},
      {"{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296)}",
       BDAG_ERROR_LIMIT, "counted"},
      {"{'descr': '<f8', 'fortran_order': False, 'shape': (4611686018427387904,)}",
       BDAG_ERROR_LIMIT, "counted"},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    const npy file = make(1, cases[i].dictionary, "ab", 2);
    expect_failure(&file, cases[i].status, cases[i].fragment);
  }
}

Test(npy, no_rows_and_no_columns) {
  npy file = make_typed("|u1", "(0, 3)", 0, "", 0);
  expect_failure(&file, BDAG_ERROR_FORMAT, "no samples");
  file = make_typed("|u1", "(3, 0)", 1, "", 0);
  expect_failure(&file, BDAG_ERROR_FORMAT, "0 columns");
}

Test(npy, too_many_dimensions) {
  char shape[200] = "(1";
  for (int i = 0; i < 64; i++) strcat(shape, ",1");
  strcat(shape, ")");
  const npy file = make_typed("|u1", shape, 0, "a", 1);
  expect_failure(&file, BDAG_ERROR_UNSUPPORTED, "64 dimensions");
}

Test(npy, other_versions) {
  npy file = make_typed("|u1", "(1,)", 0, "a", 1);
  file.bytes[6] = 4;
  expect_failure(&file, BDAG_ERROR_UNSUPPORTED, "version 4");
  file.bytes[6] = 1;
  file.bytes[7] = 1;
  expect_failure(&file, BDAG_ERROR_UNSUPPORTED, "version 1.1");
  file.bytes[7] = 0;
  file.bytes[9] = 0xff;
  expect_failure(&file, BDAG_ERROR_FORMAT, "the file ends after");
  const bdag_table_options options = support_options(BDAG_DATA_NPY);
  support_expect_failure("1,2\n", 4, &options, BDAG_ERROR_FORMAT, 0, "not a .npy file");
}

Test(npy, what_does_not_fit_float32) {
  static const unsigned char elements[] = {0,    0,    0, 0,    0,    0,    0,    0,
                                           0x9c, 0x75, 0, 0x88, 0x3c, 0xe4, 0x37, 0x7e};
  bdag_table_options options = support_options(BDAG_DATA_NPY);
  options.type = BDAG_FLOAT32;
  for (int fortran = 0; fortran < 2; fortran++) {
    const npy file = make_typed("<f8", "(1, 2)", fortran, elements, 16);
    char fragment[64];
    snprintf(fragment, sizeof fragment, "value at byte %zu is beyond", file.size - 8);
    support_expect_failure(file.bytes, file.size, &options, BDAG_ERROR_FORMAT, 0, fragment);
  }
}
