/* How many threads the system still allows: OpenMP runtimes end the process when they cannot make one.
 * Floor 0. */
#ifndef BDAG_BASE_LIMIT_H
#define BDAG_BASE_LIMIT_H

#include <stddef.h>
#include <stdint.h>

/* Makes `count` ≤ 1024 threads that live at the same time, ends them, and returns how many could be
 * made. What happens afterwards, other processes' threads included, it cannot know. */
uint32_t bdag_limit_try(uint32_t count);

/* Writes which limits there are, for messages: "RLIMIT_NPROC is 100; pids.max leaves 3". `root` as in
 * cgroup.h. */
void bdag_limit_describe(const char *root, char *text, size_t size);

#endif
