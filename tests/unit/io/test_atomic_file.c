/* Replacing files: what stays, what goes, and what a failure leaves behind. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "io/atomic_file.h"
#include "table_support.h"

static bdag_atomic_file *open_file(const char *path) {
  bdag_atomic_file *file = NULL;
  bdag_error error;
  cr_assert_eq(bdag_atomic_file_open(&file, support_context(), path, &error), BDAG_OK, "%s",
               error.message);
  return file;
}

static void put(bdag_atomic_file *file, const char *text) {
  cr_assert_eq(bdag_atomic_file_write(file, text, strlen(text), NULL), BDAG_OK);
}

static void replace(const char *path, const char *text) {
  bdag_atomic_file *const file = open_file(path);
  put(file, text);
  bdag_error error;
  cr_assert_eq(bdag_atomic_file_commit(file, &error), BDAG_OK, "%s", error.message);
}

static void expect_content(const char *path, const char *text) {
  char content[256];
  support_read_file(path, content, sizeof content);
  cr_assert_str_eq(content, text);
}

static int entries(const char *folder) {
  DIR *const stream = opendir(folder);
  int count = -2;
  while (readdir(stream)) count++;
  closedir(stream);
  return count;
}

static void expect_failure(const char *path, bdag_status status, const char *fragment) {
  bdag_atomic_file *file = NULL;
  bdag_error error;
  cr_assert_eq(bdag_atomic_file_open(&file, support_context(), path, &error), status);
  cr_assert(strstr(error.message, fragment), "%s", error.message);
  cr_assert_null(file);
}

Test(atomic_file, the_old_file_stays_until_the_commit) {
  const char *const path = support_path("f");
  support_write_file(path, "old", 3);
  bdag_atomic_file *const file = open_file(path);
  put(file, "new ");
  expect_content(path, "old");
  put(file, "content");
  cr_assert_eq(bdag_atomic_file_commit(file, NULL), BDAG_OK);
  expect_content(path, "new content");
  cr_assert_eq(entries(support_folder()), 1);
}

Test(atomic_file, an_abort_leaves_no_trace) {
  const char *const path = support_path("f");
  bdag_atomic_file *file = open_file(path);
  put(file, "x");
  bdag_atomic_file_abort(file);
  cr_assert_eq(entries(support_folder()), 0);
  bdag_atomic_file_abort(NULL);
}

Test(atomic_file, pieces_of_all_sizes_arrive_in_order) {
  static char content[400000], back[400001];
  for (size_t i = 0; i < sizeof content; i++) content[i] = (char)('a' + i % 23);
  static const size_t pieces[] = {1, 0, 65535, 65536, 1, 65537, 3, 131072, 70000};
  bdag_atomic_file *const file = open_file(support_path("f"));
  size_t done = 0;
  for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
    cr_assert_eq(bdag_atomic_file_write(file, content + done, pieces[i], NULL), BDAG_OK);
    done += pieces[i];
  }
  cr_assert_eq(bdag_atomic_file_commit(file, NULL), BDAG_OK);
  cr_assert_eq(support_read_file(support_path("f"), back, sizeof back), done);
  cr_assert_eq(memcmp(back, content, done), 0);
}

Test(atomic_file, permissions) {
  struct stat status;
  const char *const path = support_path("f");
  umask(027);
  replace(path, "a");
  stat(path, &status);
  cr_assert_eq(status.st_mode & 07777, 0640u, "a new file follows the umask");
  chmod(path, 0604);
  replace(path, "b");
  stat(path, &status);
  cr_assert_eq(status.st_mode & 07777, 0604u, "an old file's permissions stay");
}

Test(atomic_file, a_link_is_followed) {
  const char *const target = support_path("target"), *const link = support_path("link");
  support_write_file(target, "old", 3);
  cr_assert_eq(symlink("target", link), 0);
  replace(link, "new");
  expect_content(target, "new");
  struct stat status;
  cr_assert_eq(lstat(link, &status), 0);
  cr_assert(S_ISLNK(status.st_mode));
  unlink(target);
  expect_failure(link, BDAG_ERROR_IO, "symbolic link");
}

Test(atomic_file, devices_and_pipes_are_written_in_place) {
  replace("/dev/null", "gone");
  struct stat status;
  cr_assert_eq(stat("/dev/null", &status), 0);
  cr_assert(S_ISCHR(status.st_mode));
}

Test(atomic_file, a_change_of_folder_does_no_harm) {
  cr_assert_eq(chdir(support_folder()), 0);
  bdag_atomic_file *const file = open_file("f");
  put(file, "here");
  cr_assert_eq(chdir("/"), 0);
  cr_assert_eq(bdag_atomic_file_commit(file, NULL), BDAG_OK);
  expect_content(support_path("f"), "here");
}

static void make_leftover(const char *name, time_t age) {
  const char *const path = support_path(name);
  support_write_file(path, "x", 1);
  const time_t when = time(NULL) - age;
  const struct timespec times[2] = {{when, 0}, {when, 0}};
  cr_assert_eq(utimensat(AT_FDCWD, path, times, 0), 0);
}

Test(atomic_file, old_leftovers_of_the_same_file_go) {
  const time_t day = 24 * 60 * 60;
  make_leftover(".f.0123456789abcdef.backdag-tmp", 2 * day);
  make_leftover(".f.fedcba9876543210.backdag-tmp", day / 2);
  make_leftover(".g.0123456789abcdef.backdag-tmp", 2 * day);
  make_leftover(".f.0123456789abcde.backdag-tmp", 2 * day);
  make_leftover(".f.notes", 2 * day);
  replace(support_path("f"), "x");
  cr_assert_neq(access(support_path(".f.0123456789abcdef.backdag-tmp"), F_OK), 0);
  cr_assert_eq(entries(support_folder()), 5);
}

Test(atomic_file, long_names) {
  char name[256];
  memset(name, 'n', 255);
  name[255] = 0;
  replace(support_path(name), "long");
  expect_content(support_path(name), "long");
  cr_assert_eq(entries(support_folder()), 1);
}

Test(atomic_file, what_cannot_be_written) {
  static char endless[5000];
  memset(endless, 'x', sizeof endless - 1);
  expect_failure("", BDAG_ERROR_INVALID_ARGUMENT, "empty");
  expect_failure(support_folder(), BDAG_ERROR_IO, "directory");
  expect_failure(support_path("no/such/folder"), BDAG_ERROR_IO, "folder");
  expect_failure(support_path("new/"), BDAG_ERROR_IO, "");
  expect_failure(endless, BDAG_ERROR_IO, "too long");
}

/* A limit on the size of files stands in for a full disk: both fail in write. The OpenMP runtime makes
 * files too, when the context is made: that must have happened before. */
static void limit_files(rlim_t size) {
  support_context();
  signal(SIGXFSZ, SIG_IGN);
  const struct rlimit limit = {size, RLIM_INFINITY};
  cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

Test(atomic_file, a_failed_write_is_told_and_leaves_the_old_file) {
  static const char block[100000];
  const char *const path = support_path("f");
  support_write_file(path, "old", 3);
  limit_files(150000);
  bdag_atomic_file *const file = open_file(path);
  cr_assert_eq(bdag_atomic_file_write(file, block, sizeof block, NULL), BDAG_OK);
  bdag_error error;
  cr_assert_eq(bdag_atomic_file_write(file, block, sizeof block, &error), BDAG_ERROR_IO);
  cr_assert(strstr(error.message, "too large"), "%s", error.message);
  cr_assert_eq(bdag_atomic_file_write(file, "x", 1, NULL), BDAG_ERROR_IO);
  cr_assert_eq(bdag_atomic_file_commit(file, NULL), BDAG_ERROR_IO);
  limit_files(RLIM_INFINITY); /* or coverage data written at exit would be cut */
  expect_content(path, "old");
  cr_assert_eq(entries(support_folder()), 1);
}

/* The same when only the commit meets the failure, because the bytes were still gathered. */
Test(atomic_file, a_failed_commit_leaves_the_old_file) {
  const char *const path = support_path("f");
  support_write_file(path, "old", 3);
  limit_files(4);
  bdag_atomic_file *const file = open_file(path);
  put(file, "longer than four bytes");
  cr_assert_eq(bdag_atomic_file_commit(file, NULL), BDAG_ERROR_IO);
  limit_files(RLIM_INFINITY); /* or coverage data written at exit would be cut */
  expect_content(path, "old");
  cr_assert_eq(entries(support_folder()), 1);
}

Test(atomic_file, standard_output_keeps_the_order) {
  const char *const path = support_path("out");
  const int descriptor = open(path, O_WRONLY | O_CREAT, 0600);
  cr_assert_eq(dup2(descriptor, STDOUT_FILENO), STDOUT_FILENO);
  printf("first ");
  bdag_atomic_file *file;
  cr_assert_eq(bdag_atomic_file_open_stdout(&file, support_context(), NULL), BDAG_OK);
  put(file, "second ");
  cr_assert_eq(bdag_atomic_file_commit(file, NULL), BDAG_OK);
  printf("third");
  fflush(stdout);
  expect_content(path, "first second third");
}
