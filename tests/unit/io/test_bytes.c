/* Whole files, the standard input, and gzip with every way to be damaged. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include <criterion/criterion.h>

#include "base/random.h"
#include "io/bytes.h"
#include "table_support.h"

/* Compresses to one gzip member; returns its size. */
static size_t compress_member(const void *plain, size_t size, unsigned char *packed, size_t room) {
  z_stream stream = {.zalloc = NULL};
  cr_assert_eq(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  stream.next_in = (Bytef *)plain;
  stream.avail_in = (uInt)size;
  stream.next_out = packed;
  stream.avail_out = (uInt)room;
  cr_assert_eq(deflate(&stream, Z_FINISH), Z_STREAM_END);
  deflateEnd(&stream);
  return room - stream.avail_out;
}

static void expect_inflated(const void *packed, size_t packed_size, const void *plain,
                            size_t size) {
  bdag_bytes result;
  bdag_error error;
  cr_assert_eq(bdag_bytes_inflate(&result, support_context(), packed, packed_size, "f", &error),
               BDAG_OK, "%s", error.message);
  cr_assert_eq(result.size, size);
  cr_assert_eq(memcmp(result.data, plain, size), 0);
  bdag_bytes_release(&result, support_context());
}

static void expect_refused(const void *packed, size_t size, const char *fragment) {
  bdag_bytes result;
  bdag_error error;
  unsigned char *const copy = malloc(size ? size : 1);
  memcpy(copy, packed, size);
  cr_assert_eq(bdag_bytes_inflate(&result, support_context(), copy, size, "file", &error),
               BDAG_ERROR_FORMAT, "%zu bytes were accepted", size);
  free(copy);
  cr_assert(strstr(error.message, fragment), "%s", error.message);
  cr_assert_str_eq(error.file, "file");
}

Test(bytes, gzip_comes_back) {
  static unsigned char plain[300000], packed[310000];
  for (size_t i = 0; i < sizeof plain; i++)
    plain[i] = (unsigned char)bdag_random_below(1, 1, i, 40);
  const size_t size = compress_member(plain, sizeof plain, packed, sizeof packed);
  cr_assert(bdag_bytes_are_gzip(packed, size));
  expect_inflated(packed, size, plain, sizeof plain);
}

Test(bytes, gzip_that_expands_a_thousandfold) {
  static unsigned char plain[5000000], packed[20000];
  const size_t size = compress_member(plain, sizeof plain, packed, sizeof packed);
  expect_inflated(packed, size, plain, sizeof plain);
}

Test(bytes, gzip_members_follow_each_other) {
  unsigned char packed[256];
  size_t size = compress_member("one ", 4, packed, sizeof packed);
  size += compress_member("", 0, packed + size, sizeof packed - size);
  size += compress_member("two", 3, packed + size, sizeof packed - size);
  expect_inflated(packed, size, "one two", 7);
}

Test(bytes, gzip_of_nothing) {
  unsigned char packed[64];
  expect_inflated(packed, compress_member("", 0, packed, sizeof packed), "", 0);
}

Test(bytes, gzip_cut_anywhere) {
  unsigned char packed[256];
  const size_t first = compress_member("the first member", 16, packed, sizeof packed);
  const size_t size = first + compress_member("another", 7, packed + first, sizeof packed - first);
  for (size_t length = 0; length < size; length++)
    if (length != first) expect_refused(packed, length, length < 2 ? "something else" : "");
  expect_refused(packed, first - 1, "ends too early");
  expect_refused(packed, size - 1, "ends too early");
}

Test(bytes, gzip_with_something_behind) {
  unsigned char packed[256] = {0};
  const size_t size = compress_member("data", 4, packed, sizeof packed);
  expect_refused(packed, size + 1, "something else follows");
  expect_refused(packed, size + 100, "something else follows");
  memcpy(packed + size, "\x1f\x8b garbage", 10);
  expect_refused(packed, size + 10, "");
}

Test(bytes, gzip_with_a_flipped_bit) {
  unsigned char packed[256];
  const size_t size = compress_member("some text, some text", 20, packed, sizeof packed);
  /* Behind the ten bytes of the header (its time and system are free) every bit counts. */
  for (size_t i = 10; i < size; i++)
    for (int bit = 0; bit < 8; bit++) {
      packed[i] ^= (unsigned char)(1 << bit);
      expect_refused(packed, size, "gzip");
      packed[i] ^= (unsigned char)(1 << bit);
    }
}

static void *allocate_little(void *user, size_t size) {
  return size <= 1 << 20 ? malloc(size) : NULL;
}

static void release(void *user, void *memory) {
  free(memory);
}

/* A forged size at the end must not make the reader ask for gigabytes. */
Test(bytes, gzip_with_a_forged_size) {
  const bdag_allocator allocator = {allocate_little, release, NULL};
  bdag_context_options options = BDAG_CONTEXT_OPTIONS_INIT;
  options.allocator = &allocator;
  bdag_context *context;
  cr_assert_eq(bdag_context_create(&context, &options, NULL), BDAG_OK);
  unsigned char packed[64];
  const size_t size = compress_member("data", 4, packed, sizeof packed);
  memset(packed + size - 4, 0xff, 4);
  bdag_bytes result;
  bdag_error error;
  cr_assert_eq(bdag_bytes_inflate(&result, context, packed, size, "", &error), BDAG_ERROR_FORMAT);
  cr_assert(strstr(error.message, "damaged"), "%s", error.message);
  bdag_context_destroy(context);
}

static void expect_file(const char *path, const void *content, size_t size) {
  bdag_bytes bytes;
  bdag_error error;
  cr_assert_eq(bdag_bytes_read(&bytes, support_context(), path, &error), BDAG_OK, "%s",
               error.message);
  cr_assert_eq(bytes.size, size);
  cr_assert_eq(memcmp(bytes.data, content, size), 0);
  bdag_bytes_release(&bytes, support_context());
  cr_assert_null(bytes.data);
}

Test(bytes, files_of_all_sizes) {
  static unsigned char content[200001];
  for (size_t i = 0; i < sizeof content; i++) content[i] = (unsigned char)(i * 7 >> 3);
  static const size_t sizes[] = {0, 1, 2, 65535, 65536, 65537, 200001};
  const char *const path = support_path("file");
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    support_write_file(path, content, sizes[i]);
    expect_file(path, content, sizes[i]);
    cr_assert_not_null(freopen(path, "rb", stdin));
    expect_file("-", content, sizes[i]);
  }
}

Test(bytes, a_pipe) {
  int ends[2];
  cr_assert_eq(pipe(ends), 0);
  cr_assert_eq(write(ends[1], "1,2\n", 4), 4);
  close(ends[1]);
  cr_assert_eq(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
  expect_file("-", "1,2\n", 4);
}

static void expect_unreadable(const char *path, bdag_status status, const char *fragment) {
  bdag_bytes bytes;
  bdag_error error;
  cr_assert_eq(bdag_bytes_read(&bytes, support_context(), path, &error), status);
  cr_assert(strstr(error.message, fragment), "%s", error.message);
}

Test(bytes, what_cannot_be_read) {
  expect_unreadable("", BDAG_ERROR_INVALID_ARGUMENT, "empty");
  expect_unreadable(support_path("missing"), BDAG_ERROR_IO, "No such file");
  expect_unreadable(support_folder(), BDAG_ERROR_IO, "directory");
  close(STDIN_FILENO);
  expect_unreadable("-", BDAG_ERROR_IO, "cannot read");
}
