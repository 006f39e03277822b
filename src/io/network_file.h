/* Readers and writers of networks, a pair for each format. Floor 5: may include base, network. */
#ifndef BDAG_IO_NETWORK_FILE_H
#define BDAG_IO_NETWORK_FILE_H

#include <backdag/io.h>

#include "io/atomic_file.h"

/* `file` names the bytes in errors; NULL: memory. Writers leave failures of the file to its commit. */
bdag_status bdag_json_read_network(bdag_network **network, bdag_context *context, const void *bytes,
                                   size_t size, const char *file, bdag_error *error);
bdag_status bdag_json_write_network(const bdag_network *network, bdag_atomic_file *file,
                                    bdag_error *error);

/* The format of bytes by their content, or AUTO when they are neither. */
bdag_network_format bdag_network_detect(const void *bytes, size_t size);

#endif
