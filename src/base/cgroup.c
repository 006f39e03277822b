/* Reads CPU quotas and limits on tasks from /proc/self/cgroup, /proc/self/mountinfo and the groups' own files. What cannot
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
static int find_path(const char *root, int version, const char *controller, char *path) {
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
                         : list_contains(controllers + 1, controller);
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
static int find_mount(const char *root, int version, const char *controller, char *mount,
                      char *mounted) {
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
                         : strcmp(type, "cgroup") == 0 && list_contains(options, controller);
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

/* What one group's folder allows; UINT64_MAX: everything. */
typedef uint64_t (*folder_limit)(const char *root, int version, const char *folder);

static uint64_t quota_of_folder(const char *root, int version, const char *folder) {
  long long quota = -1, period = 0;
  const int found = version == 2 ? read_maximum(root, folder, &quota, &period)
                                 : read_number(root, folder, "cpu.cfs_quota_us", &quota) &&
                                       read_number(root, folder, "cpu.cfs_period_us", &period);
  if (!found || quota <= 0 || period <= 0) return UINT64_MAX;
  return (uint64_t)(quota / period + (quota % period != 0));
}

/* "max" is no number. */
static uint64_t tasks_of_folder(const char *root, int version, const char *folder) {
  (void)version;
  long long most = -1, current = -1;
  if (!read_number(root, folder, "pids.max", &most) || most < 0 ||
      !read_number(root, folder, "pids.current", &current) || current < 0)
    return UINT64_MAX;
  return current < most ? (uint64_t)(most - current) : 0;
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

/* The least of the process's group and those above it. */
static uint64_t least_of_version(const char *root, int version, const char *controller,
                                 folder_limit limit) {
  char path[PATH_MAX], mount[PATH_MAX], mounted[PATH_MAX], folder[2 * PATH_MAX];
  if (!find_path(root, version, controller, path) ||
      !find_mount(root, version, controller, mount, mounted))
    return UINT64_MAX;
  const size_t top = strlen(mount);
  snprintf(folder, sizeof folder, "%s%s", mount, below(path, mounted));
  uint64_t least = limit(root, version, folder);
  while (strlen(folder) > top) {
    *strrchr(folder, '/') = '\0';
    const uint64_t above = limit(root, version, folder);
    if (above < least) least = above;
  }
  return least;
}

static uint64_t least(const char *root, const char *controller, folder_limit limit) {
  const uint64_t first = least_of_version(root, 1, controller, limit);
  const uint64_t second = least_of_version(root, 2, controller, limit);
  return first < second ? first : second;
}

uint32_t bdag_cgroup_quota(const char *root) {
  const uint64_t quota = least(root, "cpu", quota_of_folder);
  return quota < UINT32_MAX ? (uint32_t)quota : UINT32_MAX;
}

uint64_t bdag_cgroup_tasks_left(const char *root) {
  return least(root, "pids", tasks_of_folder);
}
