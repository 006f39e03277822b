/* CPU quotas and limits on tasks of Linux control groups. Floor 0. */
#ifndef BDAG_BASE_CGROUP_H
#define BDAG_BASE_CGROUP_H

#include <stdint.h>

/* The smallest CPU quota (v1 and v2) of the process's groups up to the root, rounded up to whole
 * processors; UINT32_MAX when there is none. Files are looked up under `root`, "" for the system's
 * own. */
uint32_t bdag_cgroup_quota(const char *root);

/* Tasks (threads) that pids.max of the process's groups still allows; UINT64_MAX when unlimited. */
uint64_t bdag_cgroup_tasks_left(const char *root);

#endif
