/* Whether this process is the child of one that had threads: an OpenMP team does not come along, and
 * libgomp waits for it for ever. Floor 0. */
#ifndef BDAG_BASE_FORK_H
#define BDAG_BASE_FORK_H

/* Notices forks from now on. Any number of calls, from any thread. */
void bdag_fork_watch(void);

/* Non-zero in a child (and its children) whose parent had more than one thread when it forked. */
int bdag_fork_is_child(void);

/* Non-zero for the first caller in each such child. */
int bdag_fork_warn(void);

#endif
