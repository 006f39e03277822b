/* Reading files and inflating gzip into blocks of the context's allocator. May include base. */
#include "io/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/error.h"
#include "base/memory.h"

/* Deflate cannot expand by more than this factor. */
enum { deflate_ratio_max = 1032 };

typedef struct growing {
  const bdag_context *context;
  void *data;
  uint64_t capacity, used;
} growing;

static int reserve(growing *bytes, uint64_t more) {
  uint64_t needed;
  if (__builtin_add_overflow(bytes->used, more, &needed)) return -1;
  return bdag_grow(bytes->context, &bytes->data, &bytes->capacity, bytes->used, needed, 1);
}

static unsigned char *growing_end(const growing *bytes) {
  return (unsigned char *)bytes->data + bytes->used;
}

const char *bdag_bytes_name(const char *path) {
  return strcmp(path, "-") ? path : "standard input";
}

static bdag_status fail_system(bdag_error *error, const char *name, const char *what, int cause) {
  char text[128];
  return bdag_fail_at(error, BDAG_ERROR_IO, name, 0, UINT64_MAX, "%s: %s", what,
                      strerror_r(cause, text, sizeof text));
}

/* Reads to the end. A size that the system tells is only a first guess: the file may change. */
static bdag_status read_all(growing *bytes, int descriptor, const char *name, bdag_error *error) {
  struct stat status;
  if (fstat(descriptor, &status) != 0) return fail_system(error, name, "cannot read", errno);
  if (S_ISDIR(status.st_mode)) return fail_system(error, name, "cannot read", EISDIR);
  const int is_sized = S_ISREG(status.st_mode) && status.st_size > 0;
  /* One byte more lets the end be seen without growing. */
  if (reserve(bytes, is_sized ? (uint64_t)status.st_size + 1 : 1 << 16) != 0)
    return bdag_fail_memory(error);
  for (;;) {
    if (bytes->used == bytes->capacity && reserve(bytes, bytes->capacity / 2) != 0)
      return bdag_fail_memory(error);
    const uint64_t room = bytes->capacity - bytes->used;
    const ssize_t count = read(descriptor, growing_end(bytes), room < SSIZE_MAX ? room : SSIZE_MAX);
    if (count == 0) return BDAG_OK;
    if (count > 0)
      bytes->used += (uint64_t)count;
    else if (errno != EINTR)
      return fail_system(error, name, "cannot read", errno);
  }
}

bdag_status bdag_bytes_read(bdag_bytes *bytes, const bdag_context *context, const char *path,
                            bdag_error *error) {
  if (!*path)
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT, "the path is empty; name a file to read");
  const char *const name = bdag_bytes_name(path);
  const int is_stdin = name != path;
  const int descriptor = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (descriptor < 0) return fail_system(error, name, "cannot open", errno);
  growing content = {context, NULL, 0, 0};
  const bdag_status status = read_all(&content, descriptor, name, error);
  if (!is_stdin) close(descriptor);
  if (status != BDAG_OK) {
    bdag_free(context, content.data);
    return status;
  }
  *bytes = (bdag_bytes){content.data, content.used};
  return BDAG_OK;
}

int bdag_bytes_are_gzip(const void *bytes, size_t size) {
  const unsigned char *const start = bytes;
  return size >= 2 && start[0] == 0x1f && start[1] == 0x8b;
}

static void *zlib_allocate(void *context, unsigned count, unsigned size) {
  return bdag_allocate_array(context, count, size);
}

static void zlib_release(void *context, void *memory) {
  bdag_free(context, memory);
}

/* The last four bytes of a member tell its size (modulo 2³²): the right first guess for one member,
 * unless it promises more than deflate can do. */
static uint64_t guess_size(const unsigned char *bytes, size_t size) {
  if (size < 18) return 64;
  const unsigned char *const tail = bytes + size - 4;
  const uint64_t told =
      tail[0] | (uint64_t)tail[1] << 8 | (uint64_t)tail[2] << 16 | (uint64_t)tail[3] << 24;
  return told / deflate_ratio_max < size ? told + 1 : 1 << 16;
}

static bdag_status fail_gzip(bdag_error *error, const char *name, uint64_t offset,
                             const char *what) {
  return bdag_fail_at(error, BDAG_ERROR_FORMAT, name, 0, offset,
                      "%s at byte %llu; compress the file again", what, (unsigned long long)offset);
}

/* Inflates one member that starts at *offset and moves *offset behind it. */
static bdag_status inflate_member(z_stream *stream, growing *plain, const unsigned char *bytes,
                                  size_t size, size_t *offset, const char *name,
                                  bdag_error *error) {
  size_t fed = *offset;
  stream->avail_in = 0;
  for (;;) {
    if (stream->avail_in == 0) {
      const size_t piece = size - fed < UINT_MAX ? size - fed : UINT_MAX;
      stream->next_in = (Bytef *)(bytes + fed);
      stream->avail_in = (uInt)piece;
      fed += piece;
    }
    if (plain->used == plain->capacity && reserve(plain, plain->capacity / 2 + 1) != 0)
      return bdag_fail_memory(error);
    const uint64_t room = plain->capacity - plain->used;
    stream->next_out = growing_end(plain);
    stream->avail_out = room < UINT_MAX ? (uInt)room : UINT_MAX;
    const uInt before = stream->avail_out;
    const int result = inflate(stream, Z_NO_FLUSH);
    plain->used += before - stream->avail_out;
    *offset = fed - stream->avail_in;
    if (result == Z_STREAM_END) return BDAG_OK;
    if (result == Z_MEM_ERROR) return bdag_fail_memory(error);
    if (result != Z_OK && result != Z_BUF_ERROR)
      return fail_gzip(error, name, *offset, "damaged gzip data");
    if (stream->avail_in == 0 && fed == size && stream->avail_out > 0)
      return fail_gzip(error, name, size, "the gzip data ends too early");
  }
}

static bdag_status inflate_all(z_stream *stream, growing *plain, const unsigned char *bytes,
                               size_t size, const char *name, bdag_error *error) {
  if (reserve(plain, guess_size(bytes, size)) != 0) return bdag_fail_memory(error);
  size_t offset = 0;
  do {
    if (!bdag_bytes_are_gzip(bytes + offset, size - offset))
      return fail_gzip(error, name, offset, "something else follows the gzip data");
    const bdag_status status = inflate_member(stream, plain, bytes, size, &offset, name, error);
    if (status != BDAG_OK) return status;
    inflateReset(stream);
  } while (offset < size);
  return BDAG_OK;
}

bdag_status bdag_bytes_inflate(bdag_bytes *plain, const bdag_context *context, const void *bytes,
                               size_t size, const char *name, bdag_error *error) {
  z_stream stream = {.zalloc = zlib_allocate, .zfree = zlib_release, .opaque = (void *)context};
  const int gzip_only = 15 + 16;
  if (inflateInit2(&stream, gzip_only) != Z_OK) return bdag_fail_memory(error);
  growing content = {context, NULL, 0, 0};
  const bdag_status status = inflate_all(&stream, &content, bytes, size, name, error);
  inflateEnd(&stream);
  if (status != BDAG_OK) {
    bdag_free(context, content.data);
    return status;
  }
  *plain = (bdag_bytes){content.data, content.used};
  return BDAG_OK;
}

void bdag_bytes_release(bdag_bytes *bytes, const bdag_context *context) {
  bdag_free(context, bytes->data);
  *bytes = (bdag_bytes){NULL, 0};
}
