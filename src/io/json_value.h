/* Typed looks into a JSON tree; what is wrong is told by its place, e.g. "nodes[3].bias".
 * Floor 5: may include base, network. */
#ifndef BDAG_IO_JSON_VALUE_H
#define BDAG_IO_JSON_VALUE_H

#include <jansson.h>

#include <backdag/context.h>

typedef struct bdag_json_reader {
  bdag_context *context;
  const char *file; /* NULL: bytes in memory */
  bdag_error *error;
} bdag_json_reader;

/* Where an object stands: "" is the whole file, "topology", or an element of a list. */
typedef struct bdag_json_place {
  const char *name;
  uint64_t index; /* BDAG_NONE: not a list */
} bdag_json_place;

/* Parses one JSON document. NULL on failure, told through `reader->error` and `status`: FORMAT with line
 * and offset, OUT_OF_MEMORY. Release the tree with json_decref. */
json_t *bdag_json_parse(const bdag_json_reader *reader, const void *bytes, size_t size,
                        bdag_status *status);

/* Replaces control characters by "?": texts from a file may hold escape sequences. */
void bdag_hide_controls(char *text);

/* Fails with "place.member: …"; member may be NULL. */
__attribute__((format(printf, 5, 6))) bdag_status
bdag_json_fail(const bdag_json_reader *reader, bdag_status status, bdag_json_place place,
               const char *member, const char *format, ...);

/* A member that must be there and be of that kind. Return OK, FORMAT, and for numbers NOT_FINITE.
 * Strings and values are borrowed. */
bdag_status bdag_json_object(const bdag_json_reader *reader, const json_t *object,
                             bdag_json_place place, const char *member, json_t **value);
bdag_status bdag_json_list(const bdag_json_reader *reader, const json_t *object,
                           bdag_json_place place, const char *member, json_t **value);
bdag_status bdag_json_string(const bdag_json_reader *reader, const json_t *object,
                             bdag_json_place place, const char *member, const char **value);
bdag_status bdag_json_number(const bdag_json_reader *reader, const json_t *object,
                             bdag_json_place place, const char *member, double *value);
bdag_status bdag_json_integer(const bdag_json_reader *reader, const json_t *object,
                              bdag_json_place place, const char *member, int64_t *value);
bdag_status bdag_json_boolean(const bdag_json_reader *reader, const json_t *object,
                              bdag_json_place place, const char *member, int *value);
/* "an integer", "a list", … for messages. */
const char *bdag_json_kind(const json_t *value);

#endif
