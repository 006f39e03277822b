/* Reads the machine's cost profile, which `backdag-bench profile` writes. Floor 5: may include base. */
#include <math.h>
#include <string.h>

#include <backdag/io.h>

#include "base/error.h"
#include "io/bytes.h"
#include "io/json_value.h"

/* No core is that fast. */
#define LEAST_FLOP 1e-15

static const bdag_json_place top = {"", BDAG_NONE};

static bdag_status check_header(const bdag_json_reader *reader, const json_t *root) {
  const char *format;
  int64_t version;
  if (!json_is_object(root))
    return bdag_json_fail(reader, BDAG_ERROR_FORMAT, top, NULL, "must be an object, not %s",
                          bdag_json_kind(root));
  bdag_status status = bdag_json_string(reader, root, top, "format", &format);
  if (status == BDAG_OK && strcmp(format, "backdag-cost-profile") != 0)
    status = bdag_json_fail(reader, BDAG_ERROR_FORMAT, top, "format",
                            "must be \"backdag-cost-profile\", not \"%.60s\"", format);
  if (status == BDAG_OK) status = bdag_json_integer(reader, root, top, "version", &version);
  if (status == BDAG_OK && version != 1)
    status = bdag_json_fail(reader, BDAG_ERROR_UNSUPPORTED, top, "version",
                            "%lld is not supported, only 1 is", (long long)version);
  return status;
}

/* A cost: finite and `least` at least; null where it could not be measured keeps what is there. */
static bdag_status read_cost(const bdag_json_reader *reader, const json_t *object,
                             bdag_json_place place, const char *member, double least,
                             double *cost) {
  if (json_is_null(json_object_get(object, member))) return BDAG_OK;
  double value;
  const bdag_status status = bdag_json_number(reader, object, place, member, &value);
  if (status != BDAG_OK) return status;
  if (value < least)
    return bdag_json_fail(reader, BDAG_ERROR_FORMAT, place, member, "must be at least %g", least);
  *cost = value;
  return BDAG_OK;
}

static bdag_status read_levels(const bdag_json_reader *reader, const json_t *root,
                               double bytes_per_second[4]) {
  json_t *list;
  const bdag_status status = bdag_json_list(reader, root, top, "bytes_per_second", &list);
  if (status != BDAG_OK) return status;
  if (json_array_size(list) != 4)
    return bdag_json_fail(reader, BDAG_ERROR_FORMAT, top, "bytes_per_second",
                          "must have 4 numbers: L1, L2, L3, memory");
  for (size_t l = 0; l < 4; l++) {
    const json_t *value = json_array_get(list, l);
    if (json_is_null(value)) continue;
    const double rate = json_number_value(value);
    if (!json_is_number(value) || !isfinite(rate) || rate < 0.0)
      return bdag_json_fail(reader, BDAG_ERROR_FORMAT, (bdag_json_place){"bytes_per_second", l},
                            NULL, "must be a number that is not negative");
    bytes_per_second[l] = rate;
  }
  return BDAG_OK;
}

static bdag_status read_profile(const bdag_json_reader *reader, const json_t *root,
                                bdag_cost_profile *profile) {
  static const bdag_json_place place = {"seconds_per_flop", BDAG_NONE};
  bdag_cost_profile read = BDAG_COST_PROFILE_INIT;
  const struct {
    const char *member;
    double *cost;
  } flops[] = {{"dense_forward", &read.dense_forward},
               {"dense_backward", &read.dense_backward},
               {"list_forward", &read.list_forward},
               {"list_backward", &read.list_backward}};
  json_t *object;
  bdag_status status = check_header(reader, root);
  if (status == BDAG_OK) status = bdag_json_object(reader, root, top, "seconds_per_flop", &object);
  for (int i = 0; status == BDAG_OK && i < 4; i++)
    status = read_cost(reader, object, place, flops[i].member, LEAST_FLOP, flops[i].cost);
  if (status == BDAG_OK) status = read_cost(reader, root, top, "seconds_per_task", 0.0, &read.task);
  if (status == BDAG_OK) status = read_cost(reader, root, top, "seconds_per_team", 0.0, &read.team);
  if (status == BDAG_OK) status = read_levels(reader, root, read.bytes_per_second);
  if (status == BDAG_OK) *profile = read;
  return status;
}

bdag_status bdag_cost_profile_load(bdag_cost_profile *profile, bdag_context *context,
                                   const char *path, bdag_error *error) {
  if (profile == NULL || context == NULL || path == NULL)
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT,
                     "profile, context and path must not be NULL");
  bdag_bytes bytes;
  bdag_status status = bdag_bytes_read(&bytes, context, path, error);
  if (status != BDAG_OK) return status;
  const bdag_json_reader reader = {context, bdag_bytes_name(path), error};
  json_t *root = bdag_json_parse(&reader, bytes.data, bytes.size, &status);
  bdag_bytes_release(&bytes, context);
  if (root == NULL) return status;
  status = read_profile(&reader, root, profile);
  json_decref(root);
  return status;
}
