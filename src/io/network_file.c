/* Loading and saving networks: picks the format and leaves the rest to its reader or writer.
 * Floor 5: may include everything below. */
#include "io/network_file.h"

#include <string.h>

#include "base/error.h"
#include "io/bytes.h"
#include "io/network_tensors.h"
#include "network/network_internal.h"

bdag_network_format bdag_network_detect(const void *bytes, size_t size) {
  const unsigned char *text = bytes;
  /* The header of safetensors is shorter than 4 GiB; JSON holds no zero bytes. */
  static const unsigned char zeros[4] = {0};
  if (size > 8 && memcmp(text + 4, zeros, sizeof zeros) == 0) return BDAG_NETWORK_SAFETENSORS;
  size_t i = 0;
  while (i < size && (text[i] == ' ' || text[i] == '\t' || text[i] == '\n' || text[i] == '\r')) i++;
  return i < size && text[i] == '{' ? BDAG_NETWORK_JSON : BDAG_NETWORK_AUTO;
}

static bdag_status parse(bdag_network **network, bdag_context *context, const void *bytes,
                         size_t size, const char *file, bdag_error *error) {
  static const unsigned char mark[] = {0xEF, 0xBB, 0xBF};
  if (size >= sizeof mark && memcmp(bytes, mark, sizeof mark) == 0) {
    bytes = (const unsigned char *)bytes + sizeof mark;
    size -= sizeof mark;
  }
  bdag_status status;
  switch (bdag_network_detect(bytes, size)) {
  case BDAG_NETWORK_JSON:
    status = bdag_json_read_network(network, context, bytes, size, file, error);
    break;
  case BDAG_NETWORK_SAFETENSORS:
    status = bdag_tensors_read_network(network, context, bytes, size, file, error);
    break;
  default:
    return bdag_fail_at(error, BDAG_ERROR_FORMAT, file, 0, 0,
                        size == 0 ? "the file is empty; a network is JSON or safetensors"
                                  : "neither JSON nor safetensors; a network is one of these");
  }
  /* Messages of the builder know no file. */
  if (status != BDAG_OK && error != NULL && file != NULL && error->file[0] == '\0') {
    bdag_fail_at(error, status, file, error->line, error->offset, "%s", error->message);
  }
  return status;
}

bdag_status bdag_network_parse(bdag_network **network, bdag_context *context, const void *bytes,
                               size_t size, bdag_error *error) {
  if (network == NULL || context == NULL || (bytes == NULL && size > 0)) {
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT,
                     "network, context and bytes must not be NULL");
  }
  *network = NULL;
  return parse(network, context, bytes != NULL ? bytes : "", size, NULL, error);
}

bdag_status bdag_network_load(bdag_network **network, bdag_context *context, const char *path,
                              bdag_error *error) {
  if (network == NULL || context == NULL || path == NULL) {
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT,
                     "network, context and path must not be NULL");
  }
  *network = NULL;
  bdag_bytes bytes;
  bdag_status status = bdag_bytes_read(&bytes, context, path, error);
  if (status != BDAG_OK) return status;
  status = parse(network, context, bytes.data, bytes.size, bdag_bytes_name(path), error);
  bdag_bytes_release(&bytes, context);
  return status;
}

static int ends_with(const char *text, const char *end) {
  const size_t length = strlen(text), wanted = strlen(end);
  return length >= wanted && strcmp(text + length - wanted, end) == 0;
}

static bdag_status choose_format(const char *path, bdag_network_format *format, bdag_error *error) {
  if (*format == BDAG_NETWORK_JSON || *format == BDAG_NETWORK_SAFETENSORS) return BDAG_OK;
  if (*format != BDAG_NETWORK_AUTO) {
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT, "%d is not a network format",
                     (int)*format);
  }
  if (ends_with(path, ".json")) {
    *format = BDAG_NETWORK_JSON;
  } else if (ends_with(path, ".safetensors")) {
    *format = BDAG_NETWORK_SAFETENSORS;
  } else {
    return bdag_fail_at(error, BDAG_ERROR_INVALID_ARGUMENT, path, 0, UINT64_MAX,
                        "the name does not tell the format; end it with .json or .safetensors");
  }
  return BDAG_OK;
}

bdag_status bdag_network_save(const bdag_network *network, const char *path,
                              bdag_network_format format, bdag_error *error) {
  if (network == NULL || path == NULL) {
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT, "network and path must not be NULL");
  }
  bdag_status status = choose_format(path, &format, error);
  if (status != BDAG_OK) return status;
  bdag_atomic_file *file;
  if (strcmp(path, "-") == 0) {
    status = bdag_atomic_file_open_stdout(&file, network->context, error);
  } else {
    status = bdag_atomic_file_open(&file, network->context, path, error);
  }
  if (status != BDAG_OK) return status;
  status = format == BDAG_NETWORK_JSON ? bdag_json_write_network(network, file, error)
                                       : bdag_tensors_write_network(network, NULL, file, error);
  if (status == BDAG_OK) return bdag_atomic_file_commit(file, error);
  bdag_atomic_file_abort(file);
  return status;
}
