/* CPU quotas on made-up file trees: both versions, nesting, containers, damaged files. */
#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cgroup.h"

static char root[64];

static void set_up(void) {
  strcpy(root, "/tmp/backdag-cgroup-XXXXXX");
  cr_assert_not_null(mkdtemp(root));
}
static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk) {
  (void)status, (void)type, (void)walk;
  return remove(path);
}
static void tear_down(void) {
  nftw(root, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}
TestSuite(cgroup, .init = set_up, .fini = tear_down);

/* Writes a file below the root and makes the folders on its way. */
static void put(const char *path, const char *text) {
  char name[512];
  snprintf(name, sizeof name, "%s%s", root, path);
  for (char *slash = name + strlen(root) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
    *slash = '\0';
    mkdir(name, 0700);
    *slash = '/';
  }
  FILE *const file = fopen(name, "w");
  cr_assert_not_null(file);
  fputs(text, file);
  fclose(file);
}

#define MOUNT_V2 "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
#define MOUNT_V1                                                                                   \
  "29 22 0:25 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"                              \
  "31 22 0:27 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct\n"

Test(cgroup, nothing_there) {
  cr_assert_eq(bdag_cgroup_quota(root), UINT32_MAX);
  put("/proc/self/cgroup", "0::/\n");
  cr_assert_eq(bdag_cgroup_quota(root), UINT32_MAX);
  put("/proc/self/mountinfo", MOUNT_V2);
  cr_assert_eq(bdag_cgroup_quota(root), UINT32_MAX);
}

static void version_2(const char *group) {
  char line[256];
  snprintf(line, sizeof line, "0::%s\n", group);
  put("/proc/self/cgroup", line);
  put("/proc/self/mountinfo", "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n" MOUNT_V2);
}

Test(cgroup, version_2_rounds_up) {
  version_2("/");
  put("/sys/fs/cgroup/cpu.max", "200000 100000\n");
  cr_assert_eq(bdag_cgroup_quota(root), 2);
  put("/sys/fs/cgroup/cpu.max", "200001 100000\n");
  cr_assert_eq(bdag_cgroup_quota(root), 3);
  put("/sys/fs/cgroup/cpu.max", "1000 100000\n");
  cr_assert_eq(bdag_cgroup_quota(root), 1);
  put("/sys/fs/cgroup/cpu.max", "max 100000\n");
  cr_assert_eq(bdag_cgroup_quota(root), UINT32_MAX);
}

Test(cgroup, version_2_takes_the_least_up_to_the_root) {
  version_2("/a/b/c");
  put("/sys/fs/cgroup/a/b/c/cpu.max", "max 100000\n");
  put("/sys/fs/cgroup/a/b/cpu.max", "800000 100000\n");
  cr_assert_eq(bdag_cgroup_quota(root), 8);
  put("/sys/fs/cgroup/a/cpu.max", "150000 50000\n");
  cr_assert_eq(bdag_cgroup_quota(root), 3);
  put("/sys/fs/cgroup/a/b/c/cpu.max", "200000 100000\n");
  cr_assert_eq(bdag_cgroup_quota(root), 2);
  put("/sys/fs/cgroup/cpu.max", "100000 100000\n");
  cr_assert_eq(bdag_cgroup_quota(root), 1);
}

Test(cgroup, version_2_ignores_neighbours) {
  version_2("/a");
  put("/sys/fs/cgroup/ab/cpu.max", "100000 100000\n");
  put("/sys/fs/cgroup/a/b/cpu.max", "100000 100000\n");
  cr_assert_eq(bdag_cgroup_quota(root), UINT32_MAX);
}

Test(cgroup, damaged_files_are_no_quota) {
  static const char *const texts[] = {
      "",         "\n",        "garbage", "100000",     "100000 0", "-1 5",
      "0 100000", "5 -100000", "max",     "1,5 100000", " ",        "99999999999999999999999 1\n"};
  version_2("/");
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    put("/sys/fs/cgroup/cpu.max", texts[i]);
    cr_assert_eq(bdag_cgroup_quota(root), UINT32_MAX, "%s", texts[i]);
  }
  put("/sys/fs/cgroup/cpu.max", "100000 100000\n");
  cr_assert_eq(bdag_cgroup_quota(root), 1);
  static const char *const groups[] = {"", "0::", "0:", "x", "0::/nowhere/../..\n", ":::::\n"};
  for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
    put("/proc/self/cgroup", groups[i]);
    (void)bdag_cgroup_quota(root);
  }
  put("/proc/self/cgroup", "0::/\n");
  static const char *const mounts[] = {"",
                                       "30",
                                       "30 23 0:26 /",
                                       "30 23 0:26 / /sys/fs/cgroup rw -",
                                       "30 23 0:26 / /sys/fs/cgroup rw - cgroup2",
                                       "30 23 0:26 / /sys/fs/cgroup rw cgroup2 cgroup2 rw\n"};
  for (size_t i = 0; i < sizeof mounts / sizeof mounts[0]; i++) {
    put("/proc/self/mountinfo", mounts[i]);
    cr_assert_eq(bdag_cgroup_quota(root), UINT32_MAX, "%s", mounts[i]);
  }
}

Test(cgroup, long_lines_are_skipped) {
  char text[20000];
  memset(text, 'x', 15000);
  strcpy(text + 15000, "\n0::/a\n");
  put("/proc/self/cgroup", text);
  strcpy(text + 15000, "\n" MOUNT_V2);
  put("/proc/self/mountinfo", text);
  put("/sys/fs/cgroup/a/cpu.max", "400000 100000\n");
  cr_assert_eq(bdag_cgroup_quota(root), 4);
}

Test(cgroup, version_1) {
  put("/proc/self/cgroup", "5:memory:/m\n4:cpu,cpuacct:/user/one\n1:name=systemd:/cpu\n");
  put("/proc/self/mountinfo", MOUNT_V1);
  put("/sys/fs/cgroup/cpu,cpuacct/user/one/cpu.cfs_quota_us", "-1\n");
  put("/sys/fs/cgroup/cpu,cpuacct/user/one/cpu.cfs_period_us", "100000\n");
  cr_assert_eq(bdag_cgroup_quota(root), UINT32_MAX);
  put("/sys/fs/cgroup/cpu,cpuacct/user/cpu.cfs_quota_us", "250000\n");
  put("/sys/fs/cgroup/cpu,cpuacct/user/cpu.cfs_period_us", "100000\n");
  cr_assert_eq(bdag_cgroup_quota(root), 3);
  put("/sys/fs/cgroup/cpu,cpuacct/user/one/cpu.cfs_quota_us", "50000\n");
  cr_assert_eq(bdag_cgroup_quota(root), 1);
}

/* "cpuset" and "cpuacct" begin with "cpu" but are other controllers. */
Test(cgroup, version_1_wants_the_cpu_controller_itself) {
  put("/proc/self/cgroup", "4:cpuset,cpuacct:/x\n");
  put("/proc/self/mountinfo", "31 22 0:27 / /c rw - cgroup cgroup rw,cpuset,cpuacct\n");
  put("/c/x/cpu.cfs_quota_us", "100000\n");
  put("/c/x/cpu.cfs_period_us", "100000\n");
  cr_assert_eq(bdag_cgroup_quota(root), UINT32_MAX);
}

Test(cgroup, both_versions_at_once) {
  put("/proc/self/cgroup", "4:cpu,cpuacct:/v1\n0::/v2\n");
  put("/proc/self/mountinfo", MOUNT_V1 MOUNT_V2);
  put("/sys/fs/cgroup/cpu,cpuacct/v1/cpu.cfs_quota_us", "300000\n");
  put("/sys/fs/cgroup/cpu,cpuacct/v1/cpu.cfs_period_us", "100000\n");
  put("/sys/fs/cgroup/v2/cpu.max", "500000 100000\n");
  cr_assert_eq(bdag_cgroup_quota(root), 3);
  put("/sys/fs/cgroup/v2/cpu.max", "200000 100000\n");
  cr_assert_eq(bdag_cgroup_quota(root), 2);
}

/* A container without a namespace of its own: the path is the host's, the mount shows one group. */
Test(cgroup, container_that_sees_only_its_group) {
  put("/proc/self/cgroup", "0::/docker/abc/inner\n");
  put("/proc/self/mountinfo",
      "30 23 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw,nsdelegate\n");
  put("/sys/fs/cgroup/inner/cpu.max", "max 100000\n");
  put("/sys/fs/cgroup/cpu.max", "600000 100000\n");
  cr_assert_eq(bdag_cgroup_quota(root), 6);
  put("/sys/fs/cgroup/inner/cpu.max", "100000 100000\n");
  cr_assert_eq(bdag_cgroup_quota(root), 1);
  put("/proc/self/cgroup", "0::/docker/abcdef\n");
  cr_assert_eq(bdag_cgroup_quota(root), 6);
}

Test(cgroup, mount_points_with_spaces) {
  put("/proc/self/cgroup", "0::/a\n");
  put("/proc/self/mountinfo", "30 23 0:26 / /my\\040groups rw - cgroup2 cgroup2 rw\n");
  put("/my groups/a/cpu.max", "700000 100000\n");
  cr_assert_eq(bdag_cgroup_quota(root), 7);
}

/* ---- Tasks ---------------------------------------------------------------------------------------- */

Test(cgroup, tasks_left_of_version_2) {
  cr_assert_eq(bdag_cgroup_tasks_left(root), UINT64_MAX);
  version_2("/a/b");
  cr_assert_eq(bdag_cgroup_tasks_left(root), UINT64_MAX);
  put("/sys/fs/cgroup/a/b/pids.max", "max\n");
  put("/sys/fs/cgroup/a/b/pids.current", "7\n");
  cr_assert_eq(bdag_cgroup_tasks_left(root), UINT64_MAX);
  put("/sys/fs/cgroup/a/b/pids.max", "10\n");
  cr_assert_eq(bdag_cgroup_tasks_left(root), 3);
  put("/sys/fs/cgroup/a/pids.max", "100\n");
  put("/sys/fs/cgroup/a/pids.current", "99\n");
  cr_assert_eq(bdag_cgroup_tasks_left(root), 1);
  put("/sys/fs/cgroup/a/pids.current", "120\n");
  cr_assert_eq(bdag_cgroup_tasks_left(root), 0);
}

Test(cgroup, tasks_left_of_version_1) {
  put("/proc/self/cgroup", "7:pids:/p\n4:cpu,cpuacct:/c\n");
  put("/proc/self/mountinfo",
      MOUNT_V1 "33 22 0:29 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n");
  put("/sys/fs/cgroup/pids/p/pids.max", "64\n");
  put("/sys/fs/cgroup/pids/p/pids.current", "14\n");
  cr_assert_eq(bdag_cgroup_tasks_left(root), 50);
  cr_assert_eq(bdag_cgroup_quota(root), UINT32_MAX);
}

Test(cgroup, damaged_files_do_not_limit_tasks) {
  static const char *const texts[] = {"", "\n", "many", "-5", "max 5"};
  version_2("/");
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    put("/sys/fs/cgroup/pids.max", texts[i]);
    put("/sys/fs/cgroup/pids.current", "3\n");
    cr_assert_eq(bdag_cgroup_tasks_left(root), UINT64_MAX, "%s", texts[i]);
    put("/sys/fs/cgroup/pids.max", "10\n");
    put("/sys/fs/cgroup/pids.current", texts[i]);
    cr_assert_eq(bdag_cgroup_tasks_left(root), UINT64_MAX, "%s", texts[i]);
  }
}

Test(cgroup, this_machine_answers) {
  cr_assert_geq(bdag_cgroup_quota(""), 1);
}
