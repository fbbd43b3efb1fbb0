/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tasks.h - a pool of threads for what may take long or hang, so that the control thread never
 * waits.
 *
 * A task is run on behalf of a user. A user has a few threads at most at a time, so the tasks of a
 * user that hang delay that user's other tasks only.
 *
 * Context: everything but run() belongs to the control thread.
 */
#ifndef NPF_ENGINE_BASE_TASKS_H
#define NPF_ENGINE_BASE_TASKS_H

#include "base/base.h"

#include <sys/types.h>

#define NPF_TASKS_PER_USER 4  /* running at the same time */
#define NPF_TASKS_THREADS  64 /* for all users ... */
#define NPF_TASKS_RESERVE  8  /* ... and so many more for root and the daemon's own user */

struct npf_tasks;

/* Lifetime: until done() is called, which may free it or submit it again. */
struct npf_task {
	struct npf_task *next; /* the pool's */
	uid_t uid;
	/* Context: a thread of the pool. May block for any time. */
	void (*run)(struct npf_task *);
	/* Context: npf_tasks_reap(). */
	void (*done)(struct npf_task *);
};

/* Return: NULL: no memory, descriptor or thread. */
struct npf_tasks *npf_tasks_new(void);

/*
 * npf_tasks_free - wait a while for the tasks that are not done, and call their done().
 * @timeout_ms: after so long the rest is abandoned, with its threads. The done() of an abandoned
 *              task is never called.
 * Return: how many are left; 0: all is freed.
 */
unsigned int npf_tasks_free(struct npf_tasks *p, int timeout_ms);

/* Submit a task. Never fails and never waits: the task waits for a thread. */
void npf_tasks_submit(struct npf_tasks *p, struct npf_task *task);

/* Readable when npf_tasks_reap() has something to do. */
int npf_tasks_fd(const struct npf_tasks *p);

/* Call done() of the tasks that are done. */
void npf_tasks_reap(struct npf_tasks *p);

#endif
