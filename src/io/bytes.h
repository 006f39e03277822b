/* Whole files in memory, and gzip. Floor 5: may include base. */
#ifndef BDAG_IO_BYTES_H
#define BDAG_IO_BYTES_H

#include <backdag/context.h>

typedef struct bdag_bytes {
  unsigned char *data; /* of the context's allocator; never NULL after a success */
  size_t size;
} bdag_bytes;

/* Reads a file, or the standard input for "-", to its end.
 * Returns OK, IO, INVALID_ARGUMENT (an empty path), OUT_OF_MEMORY. */
bdag_status bdag_bytes_read(bdag_bytes *bytes, const bdag_context *context, const char *path,
                            bdag_error *error);
/* What messages call the file `path`. */
const char *bdag_bytes_name(const char *path);

int bdag_bytes_are_gzip(const void *bytes, size_t size);
/* Decompresses one or more gzip members; `name` is for messages. Every member must be complete and
 * its checksum right, and nothing else may follow. Returns OK, FORMAT, OUT_OF_MEMORY. */
bdag_status bdag_bytes_inflate(bdag_bytes *plain, const bdag_context *context, const void *bytes,
                               size_t size, const char *name, bdag_error *error);

void bdag_bytes_release(bdag_bytes *bytes, const bdag_context *context);

#endif
