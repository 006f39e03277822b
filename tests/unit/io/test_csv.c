/* CSV: what is accepted, how it is understood, and how each fault is named. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "table_support.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void expect_text(const char *text, const bdag_table_options *options, uint64_t rows,
                        uint64_t columns, const double *values) {
  bdag_table *const table = support_parse(text, strlen(text), options);
  support_expect(table, rows, columns, values);
  bdag_table_destroy(table);
}

static void expect_error(const char *text, const bdag_table_options *options, uint64_t line,
                         const char *fragment) {
  support_expect_failure(text, strlen(text), options, BDAG_ERROR_FORMAT, line, fragment);
}

Test(csv, layouts_of_the_same_numbers) {
  static const char *const texts[] = {
      "1,2,3\n4,5,6\n",
      "1,2,3\n4,5,6",
      "1,2,3\r\n4,5,6\r\n",
      "1,2,3\r4,5,6\r",
      "1;2;3\n4;5;6\n",
      "1\t2\t3\n4\t5\t6\n",
      "\357\273\2771,2,3\n4,5,6\n",
      "\n\n1,2,3\n \t \n\n4,5,6\n\n",
      " 1 ,\t2, 3 \n4 , 5,6\t\n",
      "\"1\",\"2\" , \"3\"\n4,\"5\",6\n",
      "1.0,2e0,+3\n0.4e1,50E-1,6.\n",
      "a,b,c\n1,2,3\n4,5,6\n",
      "\"a\",\"b\",\"c\"\n1,2,3\n4,5,6\n",
      "a;b;c\r\n1;2;3\r\n4;5;6\r\n",
  };
  static const double values[] = {1, 2, 3, 4, 5, 6};
  for (size_t i = 0; i < COUNT(texts); i++) expect_text(texts[i], NULL, 2, 3, values);
}

Test(csv, one_value) {
  expect_text("7", NULL, 1, 1, (const double[]){7});
  expect_text("\"7\"", NULL, 1, 1, (const double[]){7});
  expect_text("7\r", NULL, 1, 1, (const double[]){7});
}

Test(csv, special_numbers_are_numbers) {
  expect_text("nan,NaN,inf\n-inf,Infinity,-INFINITY\n", NULL, 2, 3,
              (const double[]){NAN, NAN, INFINITY, -INFINITY, INFINITY, -INFINITY});
}

Test(csv, float32_is_rounded_once) {
  bdag_table_options options = support_options(BDAG_DATA_CSV);
  options.type = BDAG_FLOAT32;
  expect_text("0.1,1.00000005960464477539062500000000001\n", &options, 1, 2,
              (const double[]){(double)0.1f, 1.0 + 0x1p-23});
  expect_error("1,2\n3,1e39\n", &options, 2, "column 2: 1e39 is beyond the range");
}

Test(csv, scale_multiplies) {
  bdag_table_options options = support_options(BDAG_DATA_CSV);
  options.scale = 0.5;
  expect_text("1,3\n-inf,nan\n", &options, 2, 2, (const double[]){0.5, 1.5, -INFINITY, NAN});
  options.scale = 1e10;
  expect_error("1e300\n", &options, 1, "beyond the range");
}

Test(csv, names_come_from_the_header) {
  bdag_table *const table = support_parse_text(
      "  plain , \"with \"\"quotes\"\"\" ,\"a,b\",\"two\nlines\",\"\"\n1,2,3,4,5\n");
  cr_assert_str_eq(bdag_table_column_name(table, 0), "plain");
  cr_assert_str_eq(bdag_table_column_name(table, 1), "with \"quotes\"");
  cr_assert_str_eq(bdag_table_column_name(table, 2), "a,b");
  cr_assert_str_eq(bdag_table_column_name(table, 3), "two\nlines");
  cr_assert_str_eq(bdag_table_column_name(table, 4), "");
  cr_assert_null(bdag_table_column_name(table, 5));
  cr_assert_eq(bdag_table_input_columns(table), 0);
  support_expect(table, 1, 5, (const double[]){1, 2, 3, 4, 5});
  bdag_table_destroy(table);
}

Test(csv, no_header_has_no_names) {
  bdag_table *const table = support_parse_text("1,2\n");
  cr_assert_null(bdag_table_column_name(table, 0));
  bdag_table_destroy(table);
}

Test(csv, header_can_be_told) {
  bdag_table_options options = support_options(BDAG_DATA_CSV);
  options.header = 1;
  expect_text("1,2\n3,4\n", &options, 1, 2, (const double[]){3, 4});
  options.header = 0;
  expect_error("a,b\n3,4\n", &options, 1, "expected a number, found \"a\"");
}

Test(csv, a_missing_number_is_no_header) {
  expect_error("1,,3\n4,5,6\n", NULL, 1, "line 1, column 2 is empty");
  bdag_table *const table = support_parse_text(",b\n1,2\n");
  cr_assert_str_eq(bdag_table_column_name(table, 0), "");
  bdag_table_destroy(table);
}

Test(csv, delimiter_is_guessed_from_the_first_line) {
  expect_text("\"a;b\",c\n1,2\n", NULL, 1, 2, (const double[]){1, 2});
  expect_text("\"a,b\";c\n1;2\n", NULL, 1, 2, (const double[]){1, 2});
  expect_text("a\tb c\n1\t2\n", NULL, 1, 2, (const double[]){1, 2});
  bdag_table_options options = support_options(BDAG_DATA_CSV);
  options.delimiter = '|';
  expect_text("a,b|c\n1|2\n", &options, 1, 2, (const double[]){1, 2});
  options.delimiter = ' ';
  expect_text("1 2\n3 4\n", &options, 2, 2, (const double[]){1, 2, 3, 4});
  options.delimiter = ';';
  options.header = 0;
  expect_error("1;2,5\n", &options, 1, "expected a number, found \"2,5\"");
}

Test(csv, faults_are_named_with_their_line) {
  static const struct {
    const char *text;
    uint64_t line;
    const char *fragment;
  } cases[] = {
      {"1,2\n3\n", 2, "line 2 has 1 fields, expected 2 as in line 1"},
      {"\n\na,b\n1,2\n\n3,4,5\n", 6, "line 6 has 3 fields, expected 2 as in line 3"},
      {"1,2\r\n3,x\r\n", 2, "line 2, column 2: expected a number, found \"x\""},
      {"1,2\r3,x\r", 2, "line 2, column 2"},
      {"1,2\n3,\n", 2, "line 2, column 2 is empty"},
      {"1,2\n,4\n", 2, "line 2, column 1 is empty"},
      {"1,2\n3,\"\"\n", 2, "line 2, column 2 is empty"},
      {"1,2\n3,1 2\n", 2, "found \"1 2\""},
      {"1,2\n3,0x10\n", 2, "found \"0x10\""},
      {"1,2\n3,1e\n", 2, "found \"1e\""},
      {"1,2\n3,4.5.6\n", 2, "found \"4.5.6\""},
      {"1,2\n3,\"4\" 5\n", 2, "after a closing quote"},
      {"1,2\n3,\"4\n5\n", 2, "never closed"},
      {"\"a\nb\",c\n1,x\n", 3, "line 3, column 2"},
      {"1,2\n3,a\x01"
       "b\n",
       2, "found \"a?b\""},
      {"1,1e999\n", 1, "1e999 is beyond the range"},
      {"a,b\n", 0, "no samples"},
      {"\n \n\r\n", 0, "no samples"},
      {"\357\273\277", 0, "no samples"},
      {"1,2\n3,this is a long field that goes on and on far beyond what a message should hold\n", 2,
       "..."},
  };
  for (size_t i = 0; i < COUNT(cases); i++)
    expect_error(cases[i].text, NULL, cases[i].line, cases[i].fragment);
}

Test(csv, binary_is_not_text) {
  const bdag_table_options options = support_options(BDAG_DATA_CSV);
  support_expect_failure("1,2\n3,\0", 7, &options, BDAG_ERROR_FORMAT, 0, "zero byte at byte 6");
  support_expect_failure("\xff\xfe"
                         "1\0",
                         4, &options, BDAG_ERROR_UNSUPPORTED, 0, "UTF-16");
  support_expect_failure("\xfe\xff\0"
                         "1",
                         4, &options, BDAG_ERROR_UNSUPPORTED, 0, "UTF-16");
  support_expect_failure("", 0, &options, BDAG_ERROR_FORMAT, 0, "empty");
}

/* Few bytes must not promise much memory: 1,000 fields in line 1, then 100,000 lines of one. */
Test(csv, ragged_lines_cost_no_memory) {
  static char text[2000 + 200000 + 1];
  size_t size = 0;
  for (int i = 0; i < 1000; i++) size += (size_t)sprintf(text + size, i < 999 ? "1," : "1\n");
  for (int i = 0; i < 100000; i++) size += (size_t)sprintf(text + size, "1\n");
  support_expect_failure(text, size, NULL, BDAG_ERROR_FORMAT, 2, "has 1 fields, expected 1000");
}

Test(csv, every_truncation) {
  static const char text[] =
      "\357\273\277name, \"a \"\"b\"\"\"\r\n1.5e-3 ,\"2\"\r\n\r\n-inf,nan\r\n";
  const bdag_table_options options = support_options(BDAG_DATA_CSV);
  const size_t failures = support_truncate(text, sizeof text - 1, &options, 0);
  cr_assert_gt(failures, 30);
  bdag_table *const table = support_parse(text, sizeof text - 1, &options);
  support_expect(table, 2, 2, (const double[]){1.5e-3, 2, -INFINITY, NAN});
  bdag_table_destroy(table);
}

Test(csv, a_comma_locale_changes_nothing) {
  if (!support_comma_locale())
    cr_skip("NOT TESTED: this system has no locale with a decimal comma and no localedef\n");
  expect_text("1.5;2.25\n0.1000000000000000055511151231257827;3\n", NULL, 2, 2,
              (const double[]){1.5, 2.25, 0.1, 3});
  expect_error("1;2\n1,5;2\n", NULL, 2, "found \"1,5\"");
}
