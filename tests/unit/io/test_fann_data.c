/* FANN training data: layouts, counts that do not fit, and headers that lie. */
#include <math.h>
#include <string.h>

#include <criterion/criterion.h>

#include "table_support.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void expect_failure(const char *text, bdag_status status, uint64_t line,
                           const char *fragment) {
  const bdag_table_options options = support_options(BDAG_DATA_FANN);
  support_expect_failure(text, strlen(text), &options, status, line, fragment);
}

Test(fann_data, any_layout_of_lines) {
  static const char *const texts[] = {"2 2 1\n1 2\n3\n4 5\n6\n",
                                      "2 2 1\n1 2 3 4 5 6",
                                      "2 2 1\r\n1 2\r\n3\r\n4 5\r\n6\r\n",
                                      "2 2 1\r1\r2\r3\r4\r5\r6",
                                      "2 2 1\n\n\n1\t2\n   3\n\n4 5 6   \n\n",
                                      "  2\t2 1 \n1 2 3\n4 5 6\n"};
  for (size_t i = 0; i < COUNT(texts); i++) {
    bdag_table *const table = support_parse_text(texts[i]);
    support_expect(table, 2, 3, (const double[]){1, 2, 3, 4, 5, 6});
    cr_assert_eq(bdag_table_input_columns(table), 2);
    cr_assert_null(bdag_table_column_name(table, 0));
    const bdag_array outputs = bdag_table_array(table, 2);
    cr_assert_eq(((const double *)outputs.data)[outputs.sample_stride], 6);
    bdag_table_destroy(table);
  }
}

Test(fann_data, inputs_alone) {
  bdag_table *const table = support_parse_text("1 2 0\n-1e-3 inf\n");
  support_expect(table, 1, 2, (const double[]){-1e-3, INFINITY});
  cr_assert_eq(bdag_table_input_columns(table), 2);
  cr_assert_null(bdag_table_array(table, 2).data);
  bdag_table_destroy(table);
}

Test(fann_data, faults_are_named_with_their_line) {
  static const struct {
    const char *text;
    bdag_status status;
    uint64_t line;
    const char *fragment;
  } cases[] = {
      {"2 2 1\n1 2\n3\n4 5\n", BDAG_ERROR_FORMAT, 5, "ends after 5 of 6 numbers; 1 are missing"},
      {"2 2 1\n1 2\n3\n4 5\n6 7\n", BDAG_ERROR_FORMAT, 5,
       "expected the end after the last sample, found \"7\""},
      {"2 2 1\n1 2\nx\n4 5\n6\n", BDAG_ERROR_FORMAT, 3, "expected a number, found \"x\""},
      {"2 2 1\n1 2\n3,\n4 5\n6\n", BDAG_ERROR_FORMAT, 3, "found \"3,\""},
      {"1 1 1\n1 1e999\n", BDAG_ERROR_FORMAT, 2, "within the type's range"},
      {"0 2 1\n", BDAG_ERROR_FORMAT, 0, "no samples"},
      {"1 0 0\n", BDAG_ERROR_FORMAT, 1, "0 inputs"},
      {"1 0 1\n5\n", BDAG_ERROR_FORMAT, 1, "0 inputs"},
      {"2 2\n", BDAG_ERROR_FORMAT, 2, "the number of outputs, found \"\""},
      {"2 -2 1\n", BDAG_ERROR_FORMAT, 1, "the number of inputs, found \"-2\""},
      {"2.0 2 1\n", BDAG_ERROR_FORMAT, 1, "the number of samples, found \"2.0\""},
      {"1 1 99999999999999999999\n", BDAG_ERROR_FORMAT, 1, "the number of outputs"},
      {"4294967296 4294967296 1\n1", BDAG_ERROR_LIMIT, 1, "too many"},
      {"1 18446744073709551615 1\n1", BDAG_ERROR_LIMIT, 1, "too many"},
      {"1000000000 1000000000 1\n1 2 3", BDAG_ERROR_FORMAT, 2,
       "ends after 3 of 1000000001000000000 numbers"},
      {"\n\n", BDAG_ERROR_FORMAT, 3, "the number of samples"},
  };
  for (size_t i = 0; i < COUNT(cases); i++)
    expect_failure(cases[i].text, cases[i].status, cases[i].line, cases[i].fragment);
}

Test(fann_data, float32_scale) {
  bdag_table_options options = support_options(BDAG_DATA_FANN);
  options.type = BDAG_FLOAT32;
  options.scale = 2;
  static const char text[] = "1 1 1\n0.1 3e38";
  support_expect_failure(text, sizeof text - 1, &options, BDAG_ERROR_FORMAT, 2, "range");
  bdag_table *const table = support_parse(text, sizeof text - 4, &options);
  support_expect(table, 1, 2, (const double[]){(double)(float)0.2, 6});
  bdag_table_destroy(table);
}

Test(fann_data, every_truncation) {
  static const char text[] = "2 2 1\r\n1 0.25\r\n3\r\n4 nan\r\n6\r\n";
  const bdag_table_options options = support_options(BDAG_DATA_FANN);
  /* All but those that lack only the last line's end. */
  cr_assert_eq(support_truncate(text, sizeof text - 1, &options, 0), sizeof text - 1 - 2);
}
