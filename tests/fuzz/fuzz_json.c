/* Any bytes as a network in JSON. A libFuzzer target; replay.c runs it on the stored corpus. */
#include "network_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  fuzz_network(bytes, size);
  return 0;
}
