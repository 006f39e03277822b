/* Writing a file so that readers see either the old or the new one, whole, even after a crash.
 * Floor 5: may include base. */
#ifndef BDAG_IO_ATOMIC_FILE_H
#define BDAG_IO_ATOMIC_FILE_H

#include <backdag/context.h>

typedef struct bdag_atomic_file bdag_atomic_file;

/* Prepares to write `path`. Bytes go to a temporary file in the same folder, which keeps the
 * permissions of a file that it will replace; a symbolic link is followed. Temporary files that
 * crashed writers of the same path left more than a day ago are removed. A device or pipe is written
 * in place. Returns OK, IO, OUT_OF_MEMORY, INVALID_ARGUMENT (an empty path). */
bdag_status bdag_atomic_file_open(bdag_atomic_file **file, const bdag_context *context,
                                  const char *path, bdag_error *error);
/* The same interface to the standard output, where nothing is atomic. */
bdag_status bdag_atomic_file_open_stdout(bdag_atomic_file **file, const bdag_context *context,
                                         bdag_error *error);
/* Appends bytes; small pieces are gathered. After a failure every later call fails with the same
 * cause, so that a writer may look at the status of the commit alone. Returns OK, IO. */
bdag_status bdag_atomic_file_write(bdag_atomic_file *file, const void *bytes, size_t size,
                                   bdag_error *error);
/* Makes the file durable and puts it in its place. Releases `file` whether it succeeds or not; when
 * it fails, the old file is still there. Returns OK, IO. */
bdag_status bdag_atomic_file_commit(bdag_atomic_file *file, bdag_error *error);
/* Gives up: removes the temporary file and releases `file`; NULL is fine. */
void bdag_atomic_file_abort(bdag_atomic_file *file);

#endif
