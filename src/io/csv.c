/* Comma-separated values: one pass finds the shape, so that memory is taken once and ragged rows are
 * known first; a second one reads the numbers. Both see the file through the same fields.
 * May include base. */
#include "io/table_internal.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"

typedef unsigned long long ull;

typedef struct scanner {
  const bdag_source *source;
  const char *cursor, *end;
  uint64_t line; /* of the cursor */
  char delimiter;
} scanner;

typedef struct field {
  const char *begin, *end; /* without surrounding blanks and quotes; "" escapes as they are */
  uint64_t line;           /* on which it begins */
  int is_quoted;
  int is_last; /* of its record */
} field;

/* ---- Fields and records ---- */

static int is_blank(const scanner *text, char c) {
  return (c == ' ' || c == '\t') && c != text->delimiter;
}

static void skip_blanks(scanner *text) {
  while (text->cursor < text->end && is_blank(text, *text->cursor)) text->cursor++;
}

/* A line ends with LF, CRLF or a lone CR; returns whether one ended here. */
static int skip_line_end(scanner *text) {
  if (text->cursor == text->end || (*text->cursor != '\n' && *text->cursor != '\r')) return 0;
  const char first = *text->cursor++;
  if (first == '\r' && text->cursor < text->end && *text->cursor == '\n') text->cursor++;
  text->line++;
  return 1;
}

/* Moves to the next line that is not blank; returns 0 at the end of the file. */
static int find_record(scanner *text) {
  for (;;) {
    const char *const begin = text->cursor;
    skip_blanks(text);
    if (text->cursor == text->end) return 0;
    if (skip_line_end(text)) continue;
    text->cursor = begin;
    return 1;
  }
}

static bdag_status read_quoted(scanner *text, field *result, bdag_error *error) {
  result->is_quoted = 1;
  result->begin = ++text->cursor;
  for (;;) {
    if (text->cursor == text->end)
      return bdag_fail_at(error, BDAG_ERROR_FORMAT, text->source->name, result->line, UINT64_MAX,
                          "line %llu: a quote opens here and is never closed", (ull)result->line);
    if (skip_line_end(text)) continue;
    if (*text->cursor++ != '"') continue;
    if (text->cursor == text->end || *text->cursor != '"') break;
    text->cursor++;
  }
  result->end = text->cursor - 1;
  skip_blanks(text);
  return BDAG_OK;
}

static void read_plain(scanner *text, field *result) {
  result->is_quoted = 0;
  result->begin = text->cursor;
  const char delimiter = text->delimiter;
  const char *c = text->cursor;
  while (c < text->end && *c != delimiter && *c != '\n' && *c != '\r') c++;
  text->cursor = c;
  while (c > result->begin && is_blank(text, c[-1])) c--;
  result->end = c;
}

static bdag_status read_field(scanner *text, field *result, bdag_error *error) {
  result->line = text->line;
  skip_blanks(text);
  if (text->cursor < text->end && *text->cursor == '"') {
    const bdag_status status = read_quoted(text, result, error);
    if (status != BDAG_OK) return status;
  } else {
    read_plain(text, result);
  }
  result->is_last = 1;
  if (text->cursor == text->end || skip_line_end(text)) return BDAG_OK;
  if (*text->cursor != text->delimiter)
    return bdag_fail_at(error, BDAG_ERROR_FORMAT, text->source->name, text->line, UINT64_MAX,
                        "line %llu: expected a delimiter or the line's end after a closing quote",
                        (ull)text->line);
  text->cursor++;
  result->is_last = 0;
  return BDAG_OK;
}

static bdag_status count_fields(scanner *text, uint64_t *count, bdag_error *error) {
  field each;
  *count = 0;
  do {
    const bdag_status status = read_field(text, &each, error);
    if (status != BDAG_OK) return status;
    ++*count;
  } while (!each.is_last);
  return BDAG_OK;
}

/* ---- What the first line tells ---- */

/* Comma, unless the first line has none but a semicolon or else a tab; quotes hide theirs. */
static char find_delimiter(const char *c, const char *end) {
  int has_semicolon = 0, has_tab = 0, is_hidden = 0;
  for (; c < end && (is_hidden || (*c != '\n' && *c != '\r')); c++) {
    if (*c == '"') is_hidden = !is_hidden;
    if (is_hidden) continue;
    if (*c == ',') return ',';
    has_semicolon |= *c == ';';
    has_tab |= *c == '\t';
  }
  return has_semicolon ? ';' : has_tab ? '\t' : ',';
}

static int is_number(const field *text) {
  const char *cursor = text->begin;
  double value;
  return bdag_number_read(&cursor, text->end, BDAG_FLOAT64, &value) != BDAG_NUMBER_NONE &&
         cursor == text->end;
}

/* Whether any field is a word: empty ones are missing numbers as likely as missing names. */
static bdag_status detect_header(scanner text, int *is_header, bdag_error *error) {
  field each;
  *is_header = 0;
  do {
    const bdag_status status = read_field(&text, &each, error);
    if (status != BDAG_OK) return status;
    if (each.begin < each.end && !is_number(&each)) *is_header = 1;
  } while (!each.is_last);
  return BDAG_OK;
}

static char *unescape(char *to, const field *from) {
  for (const char *c = from->begin; c < from->end; c++) {
    *to++ = *c;
    if (from->is_quoted && *c == '"') c++;
  }
  *to++ = 0;
  return to;
}

static bdag_status read_names(bdag_table *table, scanner *text, uint64_t columns,
                              bdag_error *error) {
  /* Every name is followed by a delimiter or an end, which leaves room for its NUL. */
  scanner ahead = *text;
  uint64_t count;
  bdag_status status = count_fields(&ahead, &count, error);
  if (status != BDAG_OK) return status;
  const size_t room = (size_t)(ahead.cursor - text->cursor) + 1;
  table->names = bdag_allocate_array(table->context, columns, sizeof *table->names);
  table->name_text = bdag_allocate(table->context, room);
  if (!table->names || !table->name_text) return bdag_fail_memory(error);
  char *to = table->name_text;
  for (uint64_t i = 0; i < columns; i++) {
    field name;
    status = read_field(text, &name, error);
    if (status != BDAG_OK) return status;
    table->names[i] = to;
    to = unescape(to, &name);
  }
  return BDAG_OK;
}

/* ---- The two passes ---- */

static bdag_status count_records(scanner text, uint64_t *rows, uint64_t *columns,
                                 bdag_error *error) {
  uint64_t first_line = 0;
  *rows = *columns = 0;
  while (find_record(&text)) {
    const uint64_t line = text.line;
    uint64_t count;
    const bdag_status status = count_fields(&text, &count, error);
    if (status != BDAG_OK) return status;
    if (*rows == 0) {
      *columns = count;
      first_line = line;
    }
    if (count != *columns)
      return bdag_fail_at(error, BDAG_ERROR_FORMAT, text.source->name, line, UINT64_MAX,
                          "line %llu has %llu fields, expected %llu as in line %llu", (ull)line,
                          (ull)count, (ull)*columns, (ull)first_line);
    ++*rows;
  }
  return BDAG_OK;
}

static bdag_status fail_field(const bdag_source *source, const field *at, uint64_t column,
                              bdag_number_result result, bdag_error *error) {
  char excerpt[bdag_excerpt_size];
  bdag_excerpt(excerpt, at->begin, at->end);
  if (at->begin == at->end)
    return bdag_fail_at(error, BDAG_ERROR_FORMAT, source->name, at->line, UINT64_MAX,
                        "line %llu, column %llu is empty; expected a number (nan if unknown)",
                        (ull)at->line, (ull)column);
  if (result == BDAG_NUMBER_TOO_LARGE)
    return bdag_fail_at(error, BDAG_ERROR_FORMAT, source->name, at->line, UINT64_MAX,
                        "line %llu, column %llu: %s is beyond the range of the table's type",
                        (ull)at->line, (ull)column, excerpt);
  return bdag_fail_at(error, BDAG_ERROR_FORMAT, source->name, at->line, UINT64_MAX,
                      "line %llu, column %llu: expected a number, found \"%s\"", (ull)at->line,
                      (ull)column, excerpt);
}

static bdag_status read_values(bdag_table *table, scanner *text, double scale, bdag_error *error) {
  uint64_t index = 0;
  for (uint64_t row = 0; row < table->rows; row++) {
    find_record(text);
    for (uint64_t column = 0; column < table->columns; column++) {
      field each;
      const bdag_status status = read_field(text, &each, error);
      if (status != BDAG_OK) return status;
      const char *cursor = each.begin;
      double value;
      const bdag_number_result result =
          bdag_table_read_number(table, &cursor, each.end, scale, &value);
      if (result != BDAG_NUMBER_OK || cursor != each.end)
        return fail_field(text->source, &each, column + 1,
                          cursor == each.end ? result : BDAG_NUMBER_NONE, error);
      bdag_table_store(table, index++, value);
    }
  }
  return BDAG_OK;
}

static bdag_status check_text(const bdag_source *source, bdag_error *error) {
  const unsigned char *const bytes = source->bytes;
  if (source->size >= 2 &&
      ((bytes[0] == 0xff && bytes[1] == 0xfe) || (bytes[0] == 0xfe && bytes[1] == 0xff)))
    return bdag_fail_at(error, BDAG_ERROR_UNSUPPORTED, source->name, 0, 0,
                        "the text is UTF-16; save it as UTF-8");
  const unsigned char *const zero = memchr(bytes, 0, source->size);
  if (!zero) return BDAG_OK;
  const uint64_t offset = (uint64_t)(zero - bytes);
  return bdag_fail_at(error, BDAG_ERROR_FORMAT, source->name, 0, offset,
                      "a zero byte at byte %llu: this is not text; if the format was guessed, name "
                      "it",
                      (ull)offset);
}

bdag_status bdag_csv_read(bdag_table *table, const bdag_source *source,
                          const bdag_table_options *options, bdag_error *error) {
  bdag_status status = check_text(source, error);
  if (status != BDAG_OK) return status;
  const char *begin = (const char *)source->bytes, *const end = begin + source->size;
  if (source->size >= 3 && memcmp(begin, "\xef\xbb\xbf", 3) == 0) begin += 3;
  scanner text = {source, begin, end, 1, options->delimiter};
  const int has_records = find_record(&text);
  if (has_records && !text.delimiter) text.delimiter = find_delimiter(text.cursor, end);
  uint64_t rows, columns;
  status = count_records(text, &rows, &columns, error);
  if (status != BDAG_OK) return status;
  int has_header = options->header > 0;
  if (has_records && options->header < 0) {
    status = detect_header(text, &has_header, error);
    if (status != BDAG_OK) return status;
  }
  if (has_records && has_header) {
    status = read_names(table, &text, columns, error);
    if (status != BDAG_OK) return status;
    rows--;
  }
  status = bdag_table_reserve(table, source, rows, has_records ? columns : 1, error);
  if (status != BDAG_OK) return status;
  return read_values(table, &text, options->scale != 0.0 ? options->scale : 1.0, error);
}
