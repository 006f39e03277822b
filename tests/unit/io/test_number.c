/* Numbers as text: what is read, what is refused, exact rounding, shortest printing. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/random.h"
#include "io/number.h"
#include "table_support.h"

static bdag_number_result read_text(const char *text, bdag_type type, double *value,
                                    size_t *length) {
  const char *cursor = text;
  const bdag_number_result result = bdag_number_read(&cursor, text + strlen(text), type, value);
  *length = (size_t)(cursor - text);
  return result;
}

Test(number, reads_the_longest_number) {
  static const struct {
    const char *text;
    size_t length;
    double value;
  } cases[] = {{"0", 1, 0},
               {"-1", 2, -1},
               {"+2.5", 4, 2.5},
               {".5", 2, .5},
               {"5.", 2, 5},
               {"1e3", 3, 1000},
               {"1E-3", 4, 1e-3},
               {"1e+2x", 4, 100},
               {"1e", 1, 1},
               {"1e+", 1, 1},
               {"1.2.3", 3, 1.2},
               {"7,5", 1, 7},
               {"0x10", 1, 0},
               {"inf", 3, INFINITY},
               {"-INF", 4, -INFINITY},
               {"Infinity", 8, INFINITY},
               {"infinit", 3, INFINITY},
               {"1_000", 1, 1},
               {"000000000000000000000000000000012", 33, 12},
               {"0.000000000000000000000000000000000000012", 41, 1.2e-38},
               {"12345678901234567890123", 23, 12345678901234567890123.0}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    double value;
    size_t length;
    cr_assert_eq(read_text(cases[i].text, BDAG_FLOAT64, &value, &length), BDAG_NUMBER_OK, "%s",
                 cases[i].text);
    cr_assert_eq(length, cases[i].length, "%s: length %zu", cases[i].text, length);
    cr_assert_eq(value, cases[i].value, "%s gave %.17g", cases[i].text, value);
  }
  double value;
  size_t length;
  cr_assert_eq(read_text("-NaN", BDAG_FLOAT64, &value, &length), BDAG_NUMBER_OK);
  cr_assert(isnan(value) && length == 4);
  cr_assert_eq(read_text("-0", BDAG_FLOAT64, &value, &length), BDAG_NUMBER_OK);
  cr_assert(value == 0 && signbit(value));
}

Test(number, refuses_what_is_none) {
  static const char *const cases[] = {"",    "-",   "+",  ".",  "-.", "e5",
                                      ".e5", "--1", " 1", "na", "in", "x"};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    double value;
    size_t length;
    cr_assert_eq(read_text(cases[i], BDAG_FLOAT64, &value, &length), BDAG_NUMBER_NONE, "\"%s\"",
                 cases[i]);
    cr_assert_eq(length, 0);
  }
}

Test(number, range_depends_on_the_type) {
  double value;
  size_t length;
  cr_assert_eq(read_text("1e39", BDAG_FLOAT32, &value, &length), BDAG_NUMBER_TOO_LARGE);
  cr_assert_eq(length, 4);
  cr_assert_eq(read_text("1e39", BDAG_FLOAT64, &value, &length), BDAG_NUMBER_OK);
  cr_assert_eq(read_text("-1e309", BDAG_FLOAT64, &value, &length), BDAG_NUMBER_TOO_LARGE);
  cr_assert_eq(value, -INFINITY);
  cr_assert_eq(read_text("1e99999999999999999999", BDAG_FLOAT64, &value, &length),
               BDAG_NUMBER_TOO_LARGE);
  cr_assert_eq(read_text("1e-99999999999999999999", BDAG_FLOAT64, &value, &length), BDAG_NUMBER_OK);
  cr_assert_eq(value, 0);
  cr_assert_eq(read_text("0e99999999999999999999", BDAG_FLOAT64, &value, &length), BDAG_NUMBER_OK);
  cr_assert_eq(value, 0);
  cr_assert_eq(read_text("5e-324", BDAG_FLOAT64, &value, &length), BDAG_NUMBER_OK);
  cr_assert_eq(value, 0x1p-1074);
  cr_assert_eq(read_text("1e-45", BDAG_FLOAT32, &value, &length), BDAG_NUMBER_OK);
  cr_assert_eq(value, 0x1p-149);
  cr_assert_eq(read_text("3.4028235e38", BDAG_FLOAT32, &value, &length), BDAG_NUMBER_OK);
  cr_assert_eq(value, (double)FLT_MAX);
}

/* 1 + 2^-24 lies halfway between two floats; the tail decides, even far beyond double's digits. */
Test(number, rounds_once) {
  double value;
  size_t length;
  read_text("1.000000059604644775390625", BDAG_FLOAT32, &value, &length);
  cr_assert_eq(value, 1.0);
  read_text("1.00000005960464477539062500000000000000000000001", BDAG_FLOAT32, &value, &length);
  cr_assert_eq(value, 1.0 + 0x1p-23);
  read_text("9007199254740993", BDAG_FLOAT64, &value, &length);
  cr_assert_eq(value, 9007199254740992.0);
  read_text("9007199254740993.00000000000000000000000000000000000000000000000000000000000001",
            BDAG_FLOAT64, &value, &length);
  cr_assert_eq(value, 9007199254740994.0);
}

/* Between 8 and 9 sixteen digits are nearer to a midpoint of two floats than doubles are to each other:
 * the double is the midpoint itself and no longer tells on which side the digits lay. */
Test(number, rounds_once_beside_midpoints) {
  int differing = 0;
  for (int i = 0; i < 2000; i++) {
    const double midpoint = 8 + (2 * i + 1) * 0x1p-21;
    char text[64];
    snprintf(text, sizeof text, "%.15f", midpoint);
    double value;
    size_t length;
    cr_assert_eq(read_text(text, BDAG_FLOAT32, &value, &length), BDAG_NUMBER_OK);
    cr_assert_eq(value, (double)strtof(text, NULL), "%s", text);
    differing += value != (double)(float)strtod(text, NULL);
  }
  cr_assert_gt(differing, 100, "these numbers do not show the fault");
}

/* 2^53 + 1, then zeros to far beyond what any double can tell apart, then a one. */
Test(number, a_digit_after_a_thousand_zeros_counts) {
  static char text[1200];
  strcpy(text, "9007199254740993.");
  size_t length = strlen(text);
  memset(text + length, '0', 1000);
  strcpy(text + length + 1000, "1");
  double value;
  read_text(text, BDAG_FLOAT64, &value, &length);
  cr_assert_eq(value, 9007199254740994.0);
  cr_assert_eq(length, strlen(text));
}

Test(number, large_powers_cancel) {
  static char text[2200];
  text[0] = '0';
  text[1] = '.';
  memset(text + 2, '0', 2000);
  strcpy(text + 2002, "125e2002");
  double value;
  size_t length;
  cr_assert_eq(read_text(text, BDAG_FLOAT64, &value, &length), BDAG_NUMBER_OK);
  cr_assert_eq(value, 12.5);
}

Test(number, prints_the_fewest_digits) {
  static const struct {
    double value;
    const char *text;
  } cases[] = {{0, "0"},
               {-0.0, "-0"},
               {1, "1"},
               {0.1, "0.1"},
               {100, "100"},
               {1e15, "1000000000000000"},
               {1e16, "1e16"},
               {1e22, "1e22"},
               {0.0001, "0.0001"},
               {0.00001, "1e-5"},
               {5e-324, "5e-324"},
               {DBL_MAX, "1.7976931348623157e308"},
               {0x1p-24, "5.960464477539063e-8"},
               {1.0 / 3, "0.3333333333333333"},
               {-123.456, "-123.456"},
               {INFINITY, "inf"},
               {-INFINITY, "-inf"},
               {NAN, "nan"}};
  char text[bdag_number_size];
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    cr_assert_eq(bdag_number_print(text, BDAG_FLOAT64, cases[i].value), strlen(cases[i].text));
    cr_assert_str_eq(text, cases[i].text);
  }
  bdag_number_print(text, BDAG_FLOAT32, (double)0.1f);
  cr_assert_str_eq(text, "0.1");
  bdag_number_print(text, BDAG_FLOAT32, 0x1p-149);
  cr_assert_str_eq(text, "1e-45");
}

static void expect_round_trip(bdag_type type, double value) {
  char text[bdag_number_size];
  const size_t size = bdag_number_print(text, type, value);
  cr_assert_lt(size, (size_t)bdag_number_size);
  double again;
  size_t length;
  cr_assert_eq(read_text(text, type, &again, &length), BDAG_NUMBER_OK, "%s", text);
  cr_assert_eq(length, size);
  cr_assert_eq(memcmp(&again, &value, sizeof value), 0, "%a became %a through %s", value, again,
               text);
}

/* Every exponent, powers of two and subnormals included, against the C library in the C locale. */
Test(number, every_bit_pattern_survives) {
  for (uint64_t i = 0; i < 40000; i++) {
    uint64_t bits = bdag_random_u64(1, 2, i);
    if (i % 4 == 1) bits &= ~UINT64_C(0xfffffffffffff);
    if (i % 8 == 2) bits &= ~UINT64_C(0x7ff0000000000000);
    double value;
    memcpy(&value, &bits, sizeof value);
    if (isfinite(value)) expect_round_trip(BDAG_FLOAT64, value);
    uint32_t narrow = (uint32_t)(bits >> 32);
    if (i % 4 == 1) narrow &= ~UINT32_C(0x7fffff);
    float single;
    memcpy(&single, &narrow, sizeof single);
    if (isfinite(single)) expect_round_trip(BDAG_FLOAT32, (double)single);
  }
}

Test(number, reading_agrees_with_the_c_library) {
  for (uint64_t i = 0; i < 40000; i++) {
    char text[64];
    const double value = ldexp(bdag_random_uniform(3, 4, i), (int)(i % 260) - 130);
    snprintf(text, sizeof text, "%.*e", (int)(i % 40), value);
    double wide, narrow;
    size_t length;
    cr_assert_eq(read_text(text, BDAG_FLOAT64, &wide, &length), BDAG_NUMBER_OK);
    cr_assert_eq(wide, strtod(text, NULL), "%s", text);
    const float expected = strtof(text, NULL);
    const bdag_number_result result = read_text(text, BDAG_FLOAT32, &narrow, &length);
    cr_assert_eq(result, isinf(expected) ? BDAG_NUMBER_TOO_LARGE : BDAG_NUMBER_OK);
    cr_assert_eq(narrow, (double)expected, "%s", text);
  }
}

Test(number, a_comma_locale_changes_nothing) {
  if (!support_comma_locale())
    cr_skip("NOT TESTED: this system has no locale with a decimal comma and no localedef\n");
  cr_assert_eq(strtod("1,5", NULL), 1.5, "the locale is not in force");
  for (uint64_t i = 0; i < 2000; i++) {
    const uint64_t bits = bdag_random_u64(5, 6, i);
    double value;
    memcpy(&value, &bits, sizeof value);
    if (isfinite(value)) expect_round_trip(BDAG_FLOAT64, value);
  }
  double value;
  size_t length;
  read_text("1.5", BDAG_FLOAT64, &value, &length);
  cr_assert(value == 1.5 && length == 3);
  read_text("0.12345678901234567890123", BDAG_FLOAT64, &value, &length);
  cr_assert(value == 0.12345678901234568 && length == 25);
  char text[bdag_number_size];
  bdag_number_print(text, BDAG_FLOAT64, 0.5);
  cr_assert_str_eq(text, "0.5");
}
