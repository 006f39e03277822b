/* Reads CPU quotas from /proc/self/cgroup, /proc/self/mountinfo and the groups' own files. What cannot
 * be read or understood counts as no quota. Floor 0. */
#include "base/cgroup.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One line without its newline; the rest of a line that does not fit is skipped. */
static int read_line(FILE *file, char *line, int size) {
  if (fgets(line, size, file) == NULL) return 0;
  char *const newline = strchr(line, '\n');
  if (newline != NULL) {
    *newline = '\0';
  } else {
    for (int c = getc(file); c != '\n' && c != EOF;) c = getc(file);
  }
  return 1;
}

static FILE *open_under(const char *root, const char *path) {
  char name[2 * PATH_MAX];
  const int length = snprintf(name, sizeof name, "%s%s", root, path);
  return length > 0 && (size_t)length < sizeof name ? fopen(name, "re") : NULL;
}

static int list_contains(const char *list, const char *word) {
  const size_t length = strlen(word);
  for (const char *item = list; *item != '\0'; item += strcspn(item, ",")) {
    if (*item == ',') item++;
    if (strncmp(item, word, length) == 0 && (item[length] == ',' || item[length] == '\0')) return 1;
  }
  return 0;
}

/* Lines "id:controllers:path"; version 2 has id 0 and no controllers. */
static int find_path(const char *root, int version, char *path) {
  FILE *const file = open_under(root, "/proc/self/cgroup");
  if (file == NULL) return 0;
  char line[PATH_MAX + 256];
  int found = 0;
  while (!found && read_line(file, line, sizeof line)) {
    char *const controllers = strchr(line, ':');
    char *const last = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
    if (last == NULL || strlen(last + 1) >= PATH_MAX) continue;
    *controllers = *last = '\0';
    found = version == 2 ? strcmp(line, "0") == 0 && controllers[1] == '\0'
                         : list_contains(controllers + 1, "cpu");
    if (found) strcpy(path, last + 1);
  }
  fclose(file);
  return found;
}

/* Spaces and the like stand in mountinfo as \ooo. */
static void decode_octal(char *to, const char *from) {
  while (*from != '\0') {
    if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] >= '0' && from[2] <= '7' &&
        from[3] >= '0' && from[3] <= '7') {
      *to++ = (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + (from[3] - '0'));
      from += 4;
    } else {
      *to++ = *from++;
    }
  }
  *to = '\0';
}

/* Lines "id parent device root mount-point options … - type source super-options". */
static int find_mount(const char *root, int version, char *mount, char *mounted) {
  FILE *const file = open_under(root, "/proc/self/mountinfo");
  if (file == NULL) return 0;
  char line[2 * PATH_MAX + 1024];
  int found = 0;
  while (!found && read_line(file, line, sizeof line)) {
    char *field[5] = {NULL};
    char *rest = NULL;
    char *word = strtok_r(line, " ", &rest);
    for (int i = 0; i < 5 && word != NULL; i++) {
      field[i] = word;
      word = strtok_r(NULL, " ", &rest);
    }
    while (word != NULL && strcmp(word, "-") != 0) word = strtok_r(NULL, " ", &rest);
    const char *const type = strtok_r(NULL, " ", &rest);
    const char *const source = type != NULL ? strtok_r(NULL, " ", &rest) : NULL;
    const char *const options = source != NULL ? strtok_r(NULL, " ", &rest) : NULL;
    if (word == NULL || options == NULL || strlen(field[3]) >= PATH_MAX ||
        strlen(field[4]) >= PATH_MAX)
      continue;
    found = version == 2 ? strcmp(type, "cgroup2") == 0
                         : strcmp(type, "cgroup") == 0 && list_contains(options, "cpu");
    if (!found) continue;
    decode_octal(mounted, field[3]);
    decode_octal(mount, field[4]);
  }
  fclose(file);
  return found;
}

static int read_number(const char *root, const char *folder, const char *name, long long *number) {
  char path[2 * PATH_MAX];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *const file = open_under(root, path);
  char line[64];
  if (file == NULL) return 0;
  char *end = line;
  if (read_line(file, line, sizeof line)) *number = strtoll(line, &end, 10);
  fclose(file);
  return end != line;
}

/* "quota period" or "max period". */
static int read_maximum(const char *root, const char *folder, long long *quota, long long *period) {
  char path[2 * PATH_MAX];
  snprintf(path, sizeof path, "%s/cpu.max", folder);
  FILE *const file = open_under(root, path);
  if (file == NULL) return 0;
  char line[64];
  int found = 0;
  if (read_line(file, line, sizeof line)) {
    char *end, *last;
    *quota = strtoll(line, &end, 10);
    *period = strtoll(end, &last, 10);
    found = end != line && last != end;
  }
  fclose(file);
  return found;
}

static uint32_t quota_of_folder(const char *root, int version, const char *folder) {
  long long quota = -1, period = 0;
  const int found = version == 2 ? read_maximum(root, folder, &quota, &period)
                                 : read_number(root, folder, "cpu.cfs_quota_us", &quota) &&
                                       read_number(root, folder, "cpu.cfs_period_us", &period);
  if (!found || quota <= 0 || period <= 0) return UINT32_MAX;
  const long long processors = quota / period + (quota % period != 0);
  return processors < UINT32_MAX ? (uint32_t)processors : UINT32_MAX;
}

/* The part of the process's path below the mounted folder; "" when it lies elsewhere, as in a
 * container that sees only its own group. */
static const char *below(const char *path, const char *mounted) {
  const size_t length = strcmp(mounted, "/") == 0 ? 0 : strlen(mounted);
  if (strncmp(path, mounted, length) != 0 || (path[length] != '/' && path[length] != '\0'))
    return "";
  if (strstr(path, "/..") != NULL) return "";
  return strcmp(path + length, "/") == 0 ? "" : path + length;
}

static uint32_t quota_of_version(const char *root, int version) {
  char path[PATH_MAX], mount[PATH_MAX], mounted[PATH_MAX], folder[2 * PATH_MAX];
  if (!find_path(root, version, path) || !find_mount(root, version, mount, mounted)) {
    return UINT32_MAX;
  }
  const size_t top = strlen(mount);
  snprintf(folder, sizeof folder, "%s%s", mount, below(path, mounted));
  uint32_t smallest = quota_of_folder(root, version, folder);
  while (strlen(folder) > top) {
    *strrchr(folder, '/') = '\0';
    const uint32_t quota = quota_of_folder(root, version, folder);
    if (quota < smallest) smallest = quota;
  }
  return smallest;
}

uint32_t bdag_cgroup_quota(const char *root) {
  const uint32_t first = quota_of_version(root, 1), second = quota_of_version(root, 2);
  return first < second ? first : second;
}
