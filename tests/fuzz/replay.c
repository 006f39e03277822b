/* Runs a fuzz target on every file of the folders given, and on every beginning of the small ones, so
 * that what fuzzing once found stays found without a fuzzer. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum { truncated_max = 2048, file_max = 1 << 20 };

/* From a block of exactly that size, so that sanitizers see a step too far. */
static void run(const uint8_t *bytes, size_t size) {
  uint8_t *const copy = malloc(size ? size : 1);
  if (!copy) abort();
  memcpy(copy, bytes, size);
  LLVMFuzzerTestOneInput(copy, size);
  free(copy);
}

static int replay_file(const char *path) {
  static uint8_t bytes[file_max];
  FILE *const stream = fopen(path, "rb");
  if (!stream) {
    perror(path);
    return -1;
  }
  const size_t size = fread(bytes, 1, sizeof bytes, stream);
  fclose(stream);
  if (size <= truncated_max)
    for (size_t length = 0; length < size; length++) run(bytes, length);
  run(bytes, size);
  return 0;
}

/* Returns how many files, −1 on failure. */
static int replay_folder(const char *folder) {
  DIR *const stream = opendir(folder);
  if (!stream) {
    perror(folder);
    return -1;
  }
  int count = 0;
  for (const struct dirent *entry; count >= 0 && (entry = readdir(stream));) {
    if (entry->d_name[0] == '.') continue;
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
    count = replay_file(path) == 0 ? count + 1 : -1;
  }
  closedir(stream);
  return count;
}

int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++) {
    const int count = replay_folder(argv[i]);
    if (count <= 0) {
      fprintf(stderr, "%s: no files were run\n", argv[i]);
      return 1;
    }
    printf("%s: %d files\n", argv[i], count);
  }
  return argc > 1 ? 0 : 1;
}
