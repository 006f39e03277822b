/* Reading: Clinger's exact case (mantissa and power of ten both exact: one rounding); all else goes to
 * strtod as digits and exponent, a form without a point, which no locale touches. Printing: ever more
 * digits until they read back. May include public headers only. */
#include "io/number.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* No double needs more digits to be told from a halfway point (767), if a last non-zero digit stands
 * for all that follow. */
enum { digits_max = 780 };

typedef struct decimal {
  int negative;
  int64_t exponent;  /* of ten, of the last kept digit */
  uint64_t mantissa; /* of the digits if they are at most 19 */
  int count;         /* significant digits kept */
  int cut;           /* non-zero digits were left out */
  char digits[digits_max];
} decimal;

static int is_digit(char c) {
  return c >= '0' && c <= '9';
}

static void add_digit(decimal *number, char digit, int fractional) {
  if (number->count == 0 && digit == '0') {
    number->exponent -= fractional;
  } else if (number->count < digits_max) {
    number->exponent -= fractional;
    number->digits[number->count++] = digit;
    number->mantissa = number->mantissa * 10 + (uint64_t)(digit - '0');
  } else {
    number->exponent += !fractional;
    number->cut |= digit != '0';
  }
}

/* Digits with at most one point; returns the end, or NULL if there is no digit. */
static const char *read_digits(decimal *number, const char *text, const char *end) {
  int fractional = 0, seen = 0;
  for (; text < end; text++) {
    if (is_digit(*text)) {
      add_digit(number, *text, fractional);
      seen = 1;
    } else if (*text == '.' && !fractional) {
      fractional = 1;
    } else {
      break;
    }
  }
  return seen ? text : NULL;
}

static const char *read_exponent(decimal *number, const char *text, const char *end) {
  const char *cursor = text;
  if (cursor == end || (*cursor != 'e' && *cursor != 'E')) return text;
  cursor++;
  const int negative = cursor < end && *cursor == '-';
  if (cursor < end && (*cursor == '-' || *cursor == '+')) cursor++;
  if (cursor == end || !is_digit(*cursor)) return text;
  int64_t exponent = 0;
  for (; cursor < end && is_digit(*cursor); cursor++)
    if (exponent < INT64_C(100000000000000000)) exponent = exponent * 10 + (*cursor - '0');
  number->exponent += negative ? -exponent : exponent;
  return cursor;
}

/* Length of `word` (in lower case) at the start of the text in any case, else 0. */
static size_t match_word(const char *text, const char *end, const char *word) {
  const size_t length = strlen(word);
  if ((size_t)(end - text) < length) return 0;
  for (size_t i = 0; i < length; i++)
    if ((text[i] | 32) != word[i]) return 0;
  return length;
}

static size_t read_word(const char *text, const char *end, double *value) {
  size_t length = match_word(text, end, "nan");
  if (length) {
    *value = NAN;
    return length;
  }
  length = match_word(text, end, "infinity");
  if (!length) length = match_word(text, end, "inf");
  if (length) *value = INFINITY;
  return length;
}

/* strtod on digits and exponent: rounds once, honours no locale. */
static double convert_digits(const char *digits, int count, int cut, int64_t exponent,
                             bdag_type type) {
  char text[digits_max + 32];
  memcpy(text, digits, (size_t)count);
  if (cut) {
    text[count++] = '1';
    exponent--;
  }
  if (exponent > 99999) exponent = 99999;
  if (exponent < -99999) exponent = -99999;
  snprintf(text + count, sizeof text - (size_t)count, "e%d", (int)exponent);
  return type == BDAG_FLOAT32 ? (double)strtof(text, NULL) : strtod(text, NULL);
}

static int convert_exact(const decimal *number, double *value) {
  static const double power[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                 1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  if (FLT_EVAL_METHOD != 0 || number->count > 19) return 0;
  if (number->mantissa > UINT64_C(1) << 53) return 0;
  if (number->exponent < -22 || number->exponent > 22) return 0;
  const double mantissa = (double)number->mantissa;
  *value = number->exponent < 0 ? mantissa / power[-number->exponent]
                                : mantissa * power[number->exponent];
  return 1;
}

/* Whether rounding a correctly rounded double on to float32 is the same as rounding once: it is unless
 * the double is a midpoint of two floats, for which side the number lay on is lost. */
static int float_is_safe(double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  return value == 0 || (value >= FLT_MIN && value <= FLT_MAX && (bits & 0x1fffffff) != 0x10000000);
}

static double convert(const decimal *number, bdag_type type) {
  if (number->count == 0) return 0.0;
  double value;
  if (convert_exact(number, &value)) {
    if (type == BDAG_FLOAT64) return value;
    if (float_is_safe(value)) return (double)(float)value;
  }
  return convert_digits(number->digits, number->count, number->cut, number->exponent, type);
}

bdag_number_result bdag_number_read(const char **cursor, const char *end, bdag_type type,
                                    double *value) {
  const char *text = *cursor;
  decimal number;
  number.negative = text < end && *text == '-';
  number.exponent = 0;
  number.mantissa = 0;
  number.count = number.cut = 0;
  if (text < end && (*text == '-' || *text == '+')) text++;
  const char *after = read_digits(&number, text, end);
  if (!after) {
    const size_t length = read_word(text, end, value);
    if (!length) return BDAG_NUMBER_NONE;
    if (number.negative) *value = -*value;
    *cursor = text + length;
    return BDAG_NUMBER_OK;
  }
  *cursor = read_exponent(&number, after, end);
  const double magnitude = convert(&number, type);
  *value = number.negative ? -magnitude : magnitude;
  return isinf(magnitude) ? BDAG_NUMBER_TOO_LARGE : BDAG_NUMBER_OK;
}

/* The digits and the exponent of the last digit of a positive value, rounded to `count` digits. */
static int64_t round_to_digits(char *digits, int count, double value) {
  char text[64];
  snprintf(text, sizeof text, "%.*e", count - 1, value);
  /* The locale's point, whatever its bytes, is no digit. */
  const char *c = text;
  for (int found = 0; *c != 'e'; c++)
    if (is_digit(*c)) digits[found++] = *c;
  return atoi(c + 1) - (count - 1);
}

/* The next larger number of the same length; 0 if there is none. */
static int increment(char *digits, int count) {
  while (count-- > 0) {
    if (digits[count] != '9') {
      digits[count]++;
      return 1;
    }
    digits[count] = '0';
  }
  return 0;
}

static int shortest_digits(char *digits, int64_t *exponent, bdag_type type, double value) {
  const double smallest = type == BDAG_FLOAT32 ? FLT_MIN : DBL_MIN;
  /* Up to FLT_DIG or DBL_DIG digits survive, so that shorter forms show as trailing zeros. */
  const int safe = type == BDAG_FLOAT32 ? FLT_DIG : DBL_DIG;
  const int most = type == BDAG_FLOAT32 ? FLT_DECIMAL_DIG : DBL_DECIMAL_DIG;
  int unused;
  /* Below a power of two the neighbours are twice as dense as above: the nearest decimal may lie too
   * far below while the next one above would do. */
  const int is_power = frexp(value, &unused) == 0.5;
  for (int count = value < smallest ? 1 : safe; count < most; count++) {
    *exponent = round_to_digits(digits, count, value);
    if (convert_digits(digits, count, 0, *exponent, type) == value) return count;
    if (is_power && increment(digits, count) &&
        convert_digits(digits, count, 0, *exponent, type) == value)
      return count;
  }
  *exponent = round_to_digits(digits, most, value);
  return most;
}

/* Places the point; `scale` is the exponent of the first digit. */
static char *print_digits(char *text, const char *digits, int count, int scale) {
  const int whole = scale >= -4 && scale < 16 ? scale + 1 : 1;
  if (whole <= 0) {
    *text++ = '0';
    *text++ = '.';
    for (int i = whole; i < 0; i++) *text++ = '0';
  }
  for (int i = 0; i < count || i < whole; i++) {
    if (i == whole && whole > 0) *text++ = '.';
    *text++ = i < count ? digits[i] : '0';
  }
  if (scale < -4 || scale >= 16) text += sprintf(text, "e%d", scale);
  *text = 0;
  return text;
}

size_t bdag_number_print(char text[bdag_number_size], bdag_type type, double value) {
  if (isnan(value)) return (size_t)sprintf(text, "nan");
  char *cursor = text;
  if (signbit(value)) *cursor++ = '-';
  const double magnitude = fabs(value);
  if (isinf(magnitude) || magnitude == 0)
    return (size_t)(cursor - text + sprintf(cursor, isinf(magnitude) ? "inf" : "0"));
  char digits[DBL_DECIMAL_DIG + 1];
  int64_t exponent;
  int count = shortest_digits(digits, &exponent, type, magnitude);
  const int scale = (int)exponent + count - 1;
  while (count > 1 && digits[count - 1] == '0') count--;
  return (size_t)(print_digits(cursor, digits, count, scale) - text);
}
