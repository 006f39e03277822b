/* Any bytes as a network in safetensors, as they are and with checksums that fit: otherwise nothing
 * behind them would be reached. A libFuzzer target; replay.c runs it on the stored corpus. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "network_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void set_checksum(json_t *metadata, const char *key, const void *bytes, size_t size) {
  char text[16];
  snprintf(text, sizeof text, "%08lx", crc32_z(crc32_z(0, NULL, 0), bytes, size));
  json_object_set_new(metadata, key, json_string(text));
}

static void fit_checksums(json_t *header, const uint8_t *data, size_t size) {
  json_t *const metadata = json_object_get(header, "__metadata__"), *entry;
  const char *name;
  json_object_foreach(header, name, entry) {
    const json_t *const offsets = json_object_get(entry, "data_offsets");
    const json_int_t begin = json_integer_value(json_array_get(offsets, 0));
    const json_int_t end = json_integer_value(json_array_get(offsets, 1));
    char key[128];
    snprintf(key, sizeof key, "checksum.%.100s", name);
    if (begin >= 0 && begin <= end && (uint64_t)end <= size) {
      set_checksum(metadata, key, data + begin, (size_t)(end - begin));
    }
  }
  json_object_del(metadata, "checksum");
  char *const sorted = json_dumps(header, JSON_COMPACT | JSON_SORT_KEYS);
  if (sorted != NULL) set_checksum(metadata, "checksum", sorted, strlen(sorted));
  free(sorted);
}

static void run_repaired(json_t *header, const uint8_t *data, size_t size) {
  fit_checksums(header, data, size);
  char *const text = json_dumps(header, JSON_COMPACT);
  if (text == NULL) return;
  const uint64_t length = strlen(text);
  uint8_t *const file = malloc(8 + length + size);
  memcpy(file, &length, 8);
  memcpy(file + 8, text, length);
  memcpy(file + 8 + length, data, size);
  fuzz_network(file, 8 + length + size);
  free(file);
  free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  fuzz_network(bytes, size);
  uint64_t length;
  if (size < 8) return 0;
  memcpy(&length, bytes, 8);
  if (length > size - 8) return 0;
  json_t *const header = json_loadb((const char *)bytes + 8, length, JSON_REJECT_DUPLICATES, NULL);
  if (json_is_object(json_object_get(header, "__metadata__"))) {
    run_repaired(header, bytes + 8 + length, size - 8 - length);
  }
  json_decref(header);
  return 0;
}
