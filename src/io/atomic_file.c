/* Atomic replacement of a file: temporary file in the same folder, fsync, rename, fsync of the
 * folder. All names are taken relative to an open folder, so a change of the working directory
 * meanwhile does no harm. May include base. */
#include "io/atomic_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"

enum { buffer_size = 1 << 16, name_digits = 16, name_prefix_max = 200 };
static const time_t stale_seconds = 24 * 60 * 60;
static const char suffix[] = ".backdag-tmp";

struct bdag_atomic_file {
  const bdag_context *context;
  char *path;
  int folder;     /* −1: written in place */
  int descriptor; /* −1: closed */
  int failure;    /* errno of the first failure */
  char name[NAME_MAX + 1];
  char temporary[NAME_MAX + 1];
  size_t used;
  unsigned char buffer[buffer_size];
};

static bdag_status fail_system(bdag_error *error, const char *path, const char *what, int cause) {
  char text[128];
  return bdag_fail_at(error, BDAG_ERROR_IO, path, 0, UINT64_MAX, "%s: %s", what,
                      strerror_r(cause, text, sizeof text));
}

static void release(bdag_atomic_file *file) {
  if (file->descriptor >= 0 && file->descriptor != STDOUT_FILENO) close(file->descriptor);
  if (file->folder >= 0) close(file->folder);
  const bdag_context *const context = file->context;
  bdag_free(context, file->path);
  bdag_free(context, file);
}

/* NULL when out of memory. */
static bdag_atomic_file *make(const bdag_context *context, const char *path) {
  bdag_atomic_file *const file = bdag_allocate(context, sizeof *file);
  char *const copy = bdag_copy_string(context, path);
  if (!file || !copy) {
    bdag_free(context, file);
    bdag_free(context, copy);
    return NULL;
  }
  file->context = context;
  file->path = copy;
  file->folder = file->descriptor = -1;
  file->failure = 0;
  file->used = 0;
  return file;
}

/* The part of the name that all temporary files of one target share. */
static int temporary_prefix(char prefix[NAME_MAX + 1], const char *name) {
  return snprintf(prefix, NAME_MAX + 1, ".%.*s.", name_prefix_max, name);
}

static int is_temporary(const char *name, const char *prefix, size_t prefix_length) {
  if (strncmp(name, prefix, prefix_length) != 0) return 0;
  name += prefix_length;
  return strspn(name, "0123456789abcdef") == name_digits && !strcmp(name + name_digits, suffix);
}

/* Removing leftovers is a courtesy: its failures are nobody's concern. */
static void remove_stale(const bdag_atomic_file *file) {
  char prefix[NAME_MAX + 1];
  const size_t length = (size_t)temporary_prefix(prefix, file->name);
  const int descriptor = openat(file->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  DIR *const folder = fdopendir(descriptor);
  if (!folder) {
    close(descriptor);
    return;
  }
  const time_t now = time(NULL);
  for (const struct dirent *entry; (entry = readdir(folder));) {
    if (!is_temporary(entry->d_name, prefix, length)) continue;
    struct stat status;
    if (fstatat(file->folder, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (S_ISREG(status.st_mode) && now - status.st_mtime > stale_seconds)
      unlinkat(file->folder, entry->d_name, 0);
  }
  closedir(folder);
}

static uint64_t unlikely_twice(void) {
  uint64_t number;
  if (getrandom(&number, sizeof number, GRND_NONBLOCK) == (ssize_t)sizeof number) return number;
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return ((uint64_t)getpid() << 40) ^ (uint64_t)now.tv_sec << 30 ^ (uint64_t)now.tv_nsec;
}

/* Creates the temporary file; `old` is the file to be replaced, NULL when there is none. */
static int create_temporary(bdag_atomic_file *file, const struct stat *old) {
  char prefix[NAME_MAX + 1];
  temporary_prefix(prefix, file->name);
  for (int attempt = 0; attempt < 100; attempt++) {
    snprintf(file->temporary, sizeof file->temporary, "%.*s%0*llx%s", name_prefix_max + 2, prefix,
             name_digits, (unsigned long long)unlikely_twice(), suffix);
    file->descriptor =
        openat(file->folder, file->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
               old ? S_IRUSR | S_IWUSR : 0666);
    if (file->descriptor >= 0) break;
    if (errno != EEXIST) return errno;
  }
  if (file->descriptor < 0) return EEXIST;
  if (!old) return 0;
  /* Only root may give a file away; for others the owner changes and the permissions stay. */
  if (fchown(file->descriptor, old->st_uid, old->st_gid) != 0) errno = 0;
  if (fchmod(file->descriptor, old->st_mode & 07777) != 0) {
    const int cause = errno;
    unlinkat(file->folder, file->temporary, 0);
    return cause;
  }
  return 0;
}

static int open_folder(const char *path, size_t length) {
  char folder[PATH_MAX];
  memcpy(folder, path, length);
  folder[length] = 0;
  const char *const name = length ? folder : ".";
  const int descriptor = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor >= 0 || errno != EACCES) return descriptor;
  return open(name, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static bdag_status open_beside(bdag_atomic_file *file, const char *path, const struct stat *old,
                               bdag_error *error) {
  const char *const slash = strrchr(path, '/');
  const char *const name = slash ? slash + 1 : path;
  if (!*name) return fail_system(error, file->path, "cannot write a folder", EISDIR);
  if (strlen(name) > NAME_MAX) return fail_system(error, file->path, "cannot write", ENAMETOOLONG);
  strcpy(file->name, name);
  file->folder = open_folder(path, (size_t)(name - path));
  if (file->folder < 0) return fail_system(error, file->path, "cannot open its folder", errno);
  remove_stale(file);
  const int cause = create_temporary(file, old);
  return cause ? fail_system(error, file->path, "cannot create a file beside it", cause) : BDAG_OK;
}

static bdag_status open_target(bdag_atomic_file *file, bdag_error *error) {
  const char *const path = file->path;
  if (strlen(path) >= PATH_MAX) return fail_system(error, path, "cannot write", ENAMETOOLONG);
  struct stat status;
  if (stat(path, &status) != 0) {
    if (errno != ENOENT) return fail_system(error, path, "cannot write", errno);
    if (lstat(path, &status) == 0)
      return fail_system(error, path, "cannot write through this symbolic link", ENOENT);
    return open_beside(file, path, NULL, error);
  }
  if (S_ISDIR(status.st_mode)) return fail_system(error, path, "cannot write", EISDIR);
  if (!S_ISREG(status.st_mode)) {
    file->descriptor = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    return file->descriptor >= 0 ? BDAG_OK : fail_system(error, path, "cannot write", errno);
  }
  if (access(path, W_OK) != 0) return fail_system(error, path, "cannot replace", errno);
  char resolved[PATH_MAX];
  if (!realpath(path, resolved)) return fail_system(error, path, "cannot write", errno);
  return open_beside(file, resolved, &status, error);
}

bdag_status bdag_atomic_file_open(bdag_atomic_file **result, const bdag_context *context,
                                  const char *path, bdag_error *error) {
  if (!*path)
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT, "the path is empty; name a file to write");
  bdag_atomic_file *const file = make(context, path);
  if (!file) return bdag_fail_memory(error);
  const bdag_status status = open_target(file, error);
  if (status != BDAG_OK) {
    release(file);
    return status;
  }
  *result = file;
  return BDAG_OK;
}

bdag_status bdag_atomic_file_open_stdout(bdag_atomic_file **result, const bdag_context *context,
                                         bdag_error *error) {
  /* What the program printed before must come first. */
  if (fflush(stdout) != 0) return fail_system(error, "-", "cannot write standard output", errno);
  bdag_atomic_file *const file = make(context, "-");
  if (!file) return bdag_fail_memory(error);
  file->descriptor = STDOUT_FILENO;
  *result = file;
  return BDAG_OK;
}

static void write_through(bdag_atomic_file *file, const unsigned char *bytes, size_t size) {
  while (size && !file->failure) {
    const size_t piece = size < SSIZE_MAX ? size : SSIZE_MAX;
    const ssize_t written = write(file->descriptor, bytes, piece);
    if (written > 0) {
      bytes += written;
      size -= (size_t)written;
    } else if (written == 0 || errno != EINTR) {
      file->failure = written == 0 ? EIO : errno;
    }
  }
}

static void flush(bdag_atomic_file *file) {
  write_through(file, file->buffer, file->used);
  file->used = 0;
}

bdag_status bdag_atomic_file_write(bdag_atomic_file *file, const void *bytes, size_t size,
                                   bdag_error *error) {
  if (size > buffer_size - file->used) flush(file);
  if (size > buffer_size) {
    write_through(file, bytes, size);
  } else if (size) {
    memcpy(file->buffer + file->used, bytes, size);
    file->used += size;
  }
  if (file->failure) return fail_system(error, file->path, "cannot write", file->failure);
  return BDAG_OK;
}

/* Syncs and closes. Pipes, terminals and some file systems know no fsync. */
static void finish(bdag_atomic_file *file) {
  flush(file);
  while (!file->failure && fsync(file->descriptor) != 0) {
    if (errno == EINTR) continue;
    if (errno == EINVAL || errno == ENOTSUP || errno == EROFS) break;
    file->failure = errno;
  }
  if (file->descriptor == STDOUT_FILENO) return;
  const int closed = close(file->descriptor);
  file->descriptor = -1;
  if (closed != 0 && errno != EINTR && !file->failure) file->failure = errno;
}

bdag_status bdag_atomic_file_commit(bdag_atomic_file *file, bdag_error *error) {
  finish(file);
  if (!file->failure && file->folder >= 0 &&
      renameat(file->folder, file->temporary, file->folder, file->name) != 0)
    file->failure = errno;
  if (file->failure) {
    const bdag_status status = fail_system(error, file->path, "cannot write", file->failure);
    bdag_atomic_file_abort(file);
    return status;
  }
  /* The new file is in place; a folder that cannot be synced only delays its durability. */
  if (file->folder >= 0) fsync(file->folder);
  release(file);
  return BDAG_OK;
}

void bdag_atomic_file_abort(bdag_atomic_file *file) {
  if (!file) return;
  if (file->folder >= 0) unlinkat(file->folder, file->temporary, 0);
  release(file);
}
