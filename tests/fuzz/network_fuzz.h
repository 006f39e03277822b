/* What must hold for any bytes that are parsed as a network. */
#ifndef FUZZ_NETWORK_FUZZ_H
#define FUZZ_NETWORK_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Parses the bytes. A refusal must be told; a network must survive being written and read again in
 * both formats. Memory must be in proportion to the bytes and all be released. */
void fuzz_network(const uint8_t *bytes, size_t size);

#endif
