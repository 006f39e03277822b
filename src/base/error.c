/* Status phrases and error reports. Text is formatted in the C locale and never ends within a UTF-8
 * character or with a newline. Floor 0. */
#include "base/error.h"

#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

const char *bdag_status_string(bdag_status status) {
  switch (status) {
  case BDAG_OK:
    return "success";
  case BDAG_ERROR_INVALID_ARGUMENT:
    return "invalid argument";
  case BDAG_ERROR_UNKNOWN_ID:
    return "unknown id";
  case BDAG_ERROR_OUT_OF_MEMORY:
    return "out of memory";
  case BDAG_ERROR_CYCLE:
    return "directed cycle";
  case BDAG_ERROR_ENUMERATION:
    return "not a reverse topological enumeration";
  case BDAG_ERROR_NO_LOSS:
    return "network without a loss";
  case BDAG_ERROR_NO_OUTPUTS:
    return "network without outputs";
  case BDAG_ERROR_NOT_KEPT:
    return "quantity not kept by the engine";
  case BDAG_ERROR_NOT_FINITE:
    return "value is not finite";
  case BDAG_ERROR_BAD_TARGET:
    return "target out of range";
  case BDAG_ERROR_ORDER:
    return "calls in the wrong order";
  case BDAG_ERROR_MISMATCH:
    return "objects do not belong together";
  case BDAG_ERROR_BUSY:
    return "object in use";
  case BDAG_ERROR_CANCELLED:
    return "cancelled";
  case BDAG_ERROR_CALLBACK:
    return "a callback reported failure";
  case BDAG_ERROR_IO:
    return "input or output failed";
  case BDAG_ERROR_FORMAT:
    return "malformed file";
  case BDAG_ERROR_UNSUPPORTED:
    return "not supported";
  case BDAG_ERROR_LIMIT:
    return "limit exceeded";
  case BDAG_ERROR_THREADS:
    return "threads not allowed";
  }
  return "unknown status";
}

/* `length` without a UTF-8 character that was cut at the end. */
static size_t whole_characters(const char *text, size_t length) {
  size_t start = length;
  while (start > 0 && ((unsigned char)text[start - 1] & 0xC0) == 0x80) start--;
  if (start == 0) return length;
  const unsigned char lead = (unsigned char)text[--start];
  const size_t wanted = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
  return length - start < wanted ? start : length;
}

void bdag_format_text(char *text, size_t size, const char *format, va_list arguments) {
  const locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  const locale_t before = plain != (locale_t)0 ? uselocale(plain) : (locale_t)0;
  const int wanted = vsnprintf(text, size, format, arguments);
  if (plain != (locale_t)0) {
    uselocale(before);
    freelocale(plain);
  }
  if (wanted < 0) text[0] = '\0';
  size_t length = strlen(text);
  if (wanted > 0 && (size_t)wanted >= size) length = whole_characters(text, length);
  while (length > 0 && text[length - 1] == '\n') length--;
  text[length] = '\0';
}

/* Keeps the end of a long path: it tells more than the beginning. */
static void copy_path(char *to, size_t size, const char *path) {
  static const char mark[] = "...";
  const size_t length = strlen(path);
  if (length < size) {
    memmove(to, path, length + 1);
    return;
  }
  const char *tail = path + length - (size - sizeof mark);
  while (((unsigned char)*tail & 0xC0) == 0x80) tail++;
  const size_t kept = strlen(tail);
  memmove(to + sizeof mark - 1, tail, kept + 1);
  memcpy(to, mark, sizeof mark - 1);
}

static void write_report(bdag_error *error, bdag_status status, const char *file, uint64_t line,
                         uint64_t offset, const char *format, va_list arguments) {
  if (error == NULL) return;
  bdag_error report = {.status = status, .line = line, .offset = offset};
  /* Into a copy: arguments may point into *error. */
  bdag_format_text(report.message, sizeof report.message, format, arguments);
  if (file != NULL) copy_path(report.file, sizeof report.file, file);
  *error = report;
}

bdag_status bdag_fail(bdag_error *error, bdag_status status, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  write_report(error, status, NULL, 0, UINT64_MAX, format, arguments);
  va_end(arguments);
  return status;
}

bdag_status bdag_fail_at(bdag_error *error, bdag_status status, const char *file, uint64_t line,
                         uint64_t offset, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  write_report(error, status, file, line, offset, format, arguments);
  va_end(arguments);
  return status;
}

bdag_status bdag_fail_memory(bdag_error *error) {
  return bdag_fail(error, BDAG_ERROR_OUT_OF_MEMORY,
                   "the allocator has no more memory; free some or use a smaller network or batch");
}
