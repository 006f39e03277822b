/* FANN training data: "samples inputs outputs", then that many numbers, separated by white space in
 * any layout of lines. May include base. */
#include "io/table_internal.h"

#include <string.h>

#include "base/error.h"

typedef unsigned long long ull;

typedef struct scanner {
  const bdag_source *source;
  const char *cursor, *end;
  uint64_t line;
} scanner;

static int is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

/* A line ends with LF, CRLF or a lone CR. */
static void skip_space(scanner *text) {
  for (; text->cursor < text->end && is_space(*text->cursor); text->cursor++) {
    const int is_crlf =
        *text->cursor == '\r' && text->cursor + 1 < text->end && text->cursor[1] == '\n';
    if (*text->cursor == '\n' || (*text->cursor == '\r' && !is_crlf)) text->line++;
  }
}

static const char *token_end(const scanner *text) {
  const char *cursor = text->cursor;
  while (cursor < text->end && !is_space(*cursor)) cursor++;
  return cursor;
}

/* Digits only. Returns 0, or −1 when there is no such number or it is too large. */
static int read_count(const char **cursor, const char *end, uint64_t *count) {
  const char *c = *cursor;
  for (*count = 0; c < end && *c >= '0' && *c <= '9'; c++)
    if (__builtin_mul_overflow(*count, 10, count) ||
        __builtin_add_overflow(*count, (uint64_t)(*c - '0'), count))
      return -1;
  if (c == *cursor) return -1;
  *cursor = c;
  return 0;
}

/* Three counts alone on the first line. If only tabs part them it may as well be tab-separated CSV. */
int bdag_fann_matches(const bdag_source *source) {
  const char *cursor = (const char *)source->bytes, *const end = cursor + source->size;
  int has_space = 0;
  for (int i = 0; i < 3; i++) {
    for (; cursor < end && (*cursor == ' ' || *cursor == '\t'); cursor++)
      has_space |= i && *cursor == ' ';
    uint64_t count;
    if (read_count(&cursor, end, &count) != 0) return 0;
    if (cursor < end && !is_space(*cursor)) return 0;
  }
  while (cursor < end && (*cursor == ' ' || *cursor == '\t')) cursor++;
  return has_space && (cursor == end || *cursor == '\n' || *cursor == '\r');
}

static bdag_status fail_token(const scanner *text, const char *expected, bdag_error *error) {
  char excerpt[bdag_excerpt_size];
  return bdag_fail_at(error, BDAG_ERROR_FORMAT, text->source->name, text->line, UINT64_MAX,
                      "line %llu: expected %s, found \"%s\"", (ull)text->line, expected,
                      bdag_excerpt(excerpt, text->cursor, token_end(text)));
}

static bdag_status read_header(scanner *text, uint64_t counts[3], bdag_error *error) {
  static const char *const expected[] = {"the number of samples", "the number of inputs",
                                         "the number of outputs"};
  for (int i = 0; i < 3; i++) {
    skip_space(text);
    const char *const end = token_end(text);
    const char *cursor = text->cursor;
    if (read_count(&cursor, end, &counts[i]) != 0 || cursor != end)
      return fail_token(text, expected[i], error);
    text->cursor = end;
  }
  return BDAG_OK;
}

/* Stores what there is room for and counts the rest, so that the message can tell what is missing. */
static bdag_status read_numbers(bdag_table *table, scanner *text, uint64_t expected, double scale,
                                bdag_error *error) {
  uint64_t found = 0;
  for (;;) {
    skip_space(text);
    if (text->cursor == text->end) break;
    if (found == expected) return fail_token(text, "the end after the last sample", error);
    const char *const end = token_end(text);
    const char *cursor = text->cursor;
    double value;
    const bdag_number_result result = bdag_table_read_number(table, &cursor, end, scale, &value);
    if (result == BDAG_NUMBER_NONE || cursor != end) return fail_token(text, "a number", error);
    if (result == BDAG_NUMBER_TOO_LARGE)
      return fail_token(text, "a number within the type's range", error);
    if (table->values) bdag_table_store(table, found, value);
    text->cursor = end;
    found++;
  }
  if (found == expected) return BDAG_OK;
  return bdag_fail_at(error, BDAG_ERROR_FORMAT, text->source->name, text->line, UINT64_MAX,
                      "line %llu: the file ends after %llu of %llu numbers; %llu are missing",
                      (ull)text->line, (ull)found, (ull)expected, (ull)(expected - found));
}

bdag_status bdag_fann_read(bdag_table *table, const bdag_source *source,
                           const bdag_table_options *options, bdag_error *error) {
  const char *const begin = (const char *)source->bytes;
  scanner text = {source, begin, begin + source->size, 1};
  uint64_t counts[3];
  bdag_status status = read_header(&text, counts, error);
  if (status != BDAG_OK) return status;
  if (counts[0] && !counts[1])
    return bdag_fail_at(error, BDAG_ERROR_FORMAT, source->name, text.line, UINT64_MAX,
                        "line %llu: 0 inputs; expected at least 1", (ull)text.line);
  uint64_t columns, expected;
  if (__builtin_add_overflow(counts[1], counts[2], &columns) ||
      __builtin_mul_overflow(counts[0], columns, &expected))
    return bdag_fail_at(error, BDAG_ERROR_LIMIT, source->name, text.line, UINT64_MAX,
                        "line %llu: %llu samples of %llu inputs and %llu outputs are too many",
                        (ull)text.line, (ull)counts[0], (ull)counts[1], (ull)counts[2]);
  /* A header that promises more numbers than the file has bytes gets no memory. */
  if (expected <= source->size)
    status = bdag_table_reserve(table, source, counts[0], columns, error);
  if (status != BDAG_OK) return status;
  table->input_columns = counts[1];
  const double scale = options->scale != 0.0 ? options->scale : 1.0;
  return read_numbers(table, &text, expected, scale, error);
}
