/* Decimal numbers as text, exactly rounded and independent of the locale. Floor 5: includes public
 * headers only. */
#ifndef BDAG_IO_NUMBER_H
#define BDAG_IO_NUMBER_H

#include <backdag/context.h>

typedef enum bdag_number_result {
  BDAG_NUMBER_OK = 0,
  BDAG_NUMBER_NONE = 1,     /* no number starts here; the cursor stays */
  BDAG_NUMBER_TOO_LARGE = 2 /* a finite number beyond the range of the type; the cursor passes it */
} bdag_number_result;

enum { bdag_number_size = 32 /* bytes that every printed number fits into, with its NUL */ };

/* Reads the longest number that starts at *cursor and moves *cursor behind it: digits with an
 * optional sign, point and exponent, or nan, inf, infinity in any case. No white space, no
 * hexadecimal. `value` is the nearest number of `type` (ties to even); it may be subnormal or 0. */
bdag_number_result bdag_number_read(const char **cursor, const char *end, bdag_type type,
                                    double *value);

/* Writes the fewest digits that read back to the same number of `type`, or nan, inf, -inf. Returns
 * the length without the NUL. `value` must be a number of `type`. */
size_t bdag_number_print(char text[bdag_number_size], bdag_type type, double value);

#endif
