/* Typed looks into a JSON tree on top of jansson, whose memory comes from malloc: its allocator can
 * only be set for the whole process. Floor 5: may include base. */
#include "io/json_value.h"

#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"

void bdag_hide_controls(char *text) {
  for (; *text != '\0'; text++) {
    if ((unsigned char)*text < 0x20 || *text == 0x7f) *text = '?';
  }
}

json_t *bdag_json_parse(const bdag_json_reader *reader, const void *bytes, size_t size,
                        bdag_status *status) {
  /* jansson reads the decimal point of the current locale. */
  const locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  if (plain == (locale_t)0) {
    *status = bdag_fail_memory(reader->error);
    return NULL;
  }
  const locale_t before = uselocale(plain);
  json_error_t failure;
  json_t *const root = json_loadb(bytes, size, JSON_REJECT_DUPLICATES, &failure);
  uselocale(before);
  freelocale(plain);
  if (root != NULL) {
    *status = BDAG_OK;
  } else if (json_error_code(&failure) == json_error_out_of_memory) {
    *status = bdag_fail_memory(reader->error);
  } else {
    bdag_hide_controls(failure.text);
    const uint64_t line = failure.line > 0 ? (uint64_t)failure.line : 0;
    const uint64_t offset = failure.position >= 0 ? (uint64_t)failure.position : UINT64_MAX;
    *status = bdag_fail_at(reader->error, BDAG_ERROR_FORMAT, reader->file, line, offset,
                           "not valid JSON: %s", failure.text);
  }
  return root;
}

bdag_status bdag_json_fail(const bdag_json_reader *reader, bdag_status status,
                           bdag_json_place place, const char *member, const char *format, ...) {
  char text[400], index[32] = "", message[sizeof reader->error->message];
  va_list arguments;
  va_start(arguments, format);
  bdag_format_text(text, sizeof text, format, arguments);
  va_end(arguments);
  if (place.index != BDAG_NONE) {
    snprintf(index, sizeof index, "[%llu]", (unsigned long long)place.index);
  }
  const int dotted = member != NULL && place.name[0] != '\0';
  const int named = member != NULL || place.name[0] != '\0';
  snprintf(message, sizeof message, "%.100s%s%s%s%s%s", place.name, index, dotted ? "." : "",
           member != NULL ? member : "", named ? ": " : "", text);
  bdag_hide_controls(message);
  return bdag_fail_at(reader->error, status, reader->file, 0, UINT64_MAX, "%s", message);
}

const char *bdag_json_kind(const json_t *value) {
  switch (json_typeof(value)) {
  case JSON_OBJECT:
    return "an object";
  case JSON_ARRAY:
    return "a list";
  case JSON_STRING:
    return "a string";
  case JSON_INTEGER:
    return "an integer";
  case JSON_REAL:
    return "a number with a fraction";
  case JSON_TRUE:
  case JSON_FALSE:
    return "true or false";
  case JSON_NULL:
    return "null";
  }
  return "something unknown";
}

static bdag_status find(const bdag_json_reader *reader, const json_t *object, bdag_json_place place,
                        const char *member, json_t **value) {
  *value = json_object_get(object, member);
  if (*value != NULL) return BDAG_OK;
  return bdag_json_fail(reader, BDAG_ERROR_FORMAT, place, member, "is missing");
}

static bdag_status wrong_kind(const bdag_json_reader *reader, bdag_json_place place,
                              const char *member, const char *expected, const json_t *value) {
  return bdag_json_fail(reader, BDAG_ERROR_FORMAT, place, member, "must be %s, not %s", expected,
                        bdag_json_kind(value));
}

bdag_status bdag_json_object(const bdag_json_reader *reader, const json_t *object,
                             bdag_json_place place, const char *member, json_t **value) {
  const bdag_status status = find(reader, object, place, member, value);
  if (status != BDAG_OK) return status;
  if (json_is_object(*value)) return BDAG_OK;
  return wrong_kind(reader, place, member, "an object", *value);
}

bdag_status bdag_json_list(const bdag_json_reader *reader, const json_t *object,
                           bdag_json_place place, const char *member, json_t **value) {
  const bdag_status status = find(reader, object, place, member, value);
  if (status != BDAG_OK) return status;
  if (json_is_array(*value)) return BDAG_OK;
  return wrong_kind(reader, place, member, "a list", *value);
}

bdag_status bdag_json_string(const bdag_json_reader *reader, const json_t *object,
                             bdag_json_place place, const char *member, const char **value) {
  json_t *found;
  const bdag_status status = find(reader, object, place, member, &found);
  if (status != BDAG_OK) return status;
  *value = json_string_value(found);
  if (*value != NULL) return BDAG_OK;
  return wrong_kind(reader, place, member, "a string", found);
}

bdag_status bdag_json_number(const bdag_json_reader *reader, const json_t *object,
                             bdag_json_place place, const char *member, double *value) {
  json_t *found;
  const bdag_status status = find(reader, object, place, member, &found);
  if (status != BDAG_OK) return status;
  if (!json_is_number(found)) return wrong_kind(reader, place, member, "a number", found);
  *value = json_number_value(found);
  if (isfinite(*value)) return BDAG_OK;
  return bdag_json_fail(reader, BDAG_ERROR_NOT_FINITE, place, member, "must be finite");
}

bdag_status bdag_json_integer(const bdag_json_reader *reader, const json_t *object,
                              bdag_json_place place, const char *member, int64_t *value) {
  json_t *found;
  const bdag_status status = find(reader, object, place, member, &found);
  if (status != BDAG_OK) return status;
  if (!json_is_integer(found)) return wrong_kind(reader, place, member, "an integer", found);
  *value = (int64_t)json_integer_value(found);
  return BDAG_OK;
}

bdag_status bdag_json_boolean(const bdag_json_reader *reader, const json_t *object,
                              bdag_json_place place, const char *member, int *value) {
  json_t *found;
  const bdag_status status = find(reader, object, place, member, &found);
  if (status != BDAG_OK) return status;
  if (!json_is_boolean(found)) return wrong_kind(reader, place, member, "true or false", found);
  *value = json_is_true(found);
  return BDAG_OK;
}
