/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tasks.c - a pool of threads that grows while its threads are busy, and shrinks when they are
 * not.
 *
 * One lock guards two lists: what waits, in the order in which it came, and what is done. A thread
 * takes the first task whose user may have another thread. A thread that finds nothing ends,
 * unless it would be the last one that is idle.
 */
#include "engine/base/tasks.h"

#include "base/clock.h"
#include "base/eventfd.h"
#include "engine/syscalls/syscalls.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#define NICENESS 10

struct list {
	struct npf_task *first, **end;
};

struct npf_tasks {
	pthread_mutex_t lock;
	pthread_cond_t come;
	struct list waiting, done;
	struct running {
		struct running *next;
		uid_t uid;
	} * running; /* one for each thread at work, on its stack */
	unsigned int n_threads;
	unsigned int n_idle, n_called; /* threads that wait; those of them that were woken */
	unsigned int n_out;            /* submitted and not reaped: the control thread's */
	bool stop;
	int fd; /* eventfd, private to the daemon */
};

static void append(struct list *l, struct npf_task *task)
{
	task->next = NULL;
	*l->end = task;
	l->end = &task->next;
}

static void empty(struct list *l)
{
	l->first = NULL;
	l->end = &l->first;
}

static unsigned int threads_for(uid_t uid)
{
	return NPF_TASKS_THREADS + (uid == 0 || uid == geteuid() ? NPF_TASKS_RESERVE : 0);
}

static bool may_run(const struct npf_tasks *p, uid_t uid)
{
	unsigned int n_all = 0, n = 0;

	for (const struct running *r = p->running; r != NULL; r = r->next) {
		n_all++;
		n += r->uid == uid;
	}
	return n < NPF_TASKS_PER_USER && n_all < threads_for(uid);
}

/* The first whose user may have another thread, or NULL. */
static struct npf_task *take(struct npf_tasks *p)
{
	for (struct npf_task **at = &p->waiting.first; *at != NULL; at = &(*at)->next) {
		struct npf_task *task = *at;

		if (!may_run(p, task->uid))
			continue;
		*at = task->next;
		if (task->next == NULL)
			p->waiting.end = at;
		return task;
	}
	return NULL;
}

/* The lock is held, but for run(). */
static void run_one(struct npf_tasks *p, struct npf_task *task)
{
	struct running me = {.next = p->running, .uid = task->uid};
	struct running **at = &p->running;

	p->running = &me;
	pthread_mutex_unlock(&p->lock);
	task->run(task);
	pthread_mutex_lock(&p->lock);
	while (*at != &me)
		at = &(*at)->next;
	*at = me.next;
	append(&p->done, task);
	/* Whom the signal wakes may take this CPU at once; it would wait for the lock then. */
	pthread_mutex_unlock(&p->lock);
	npf_eventfd_signal(p->fd);
	pthread_mutex_lock(&p->lock);
}

static void *work(void *arg)
{
	struct npf_tasks *p = arg;

	/* Of this thread alone, on Linux: whoever waits for the control thread comes first. */
	setpriority(PRIO_PROCESS, 0, NICENESS);
	prctl(PR_SET_NAME, "npf-task");
	npf_syscalls_confine(NPF_SYSCALLS_TASK);
	pthread_mutex_lock(&p->lock);
	for (;;) {
		struct npf_task *task = take(p);

		if (task != NULL) {
			run_one(p, task);
			continue;
		}
		if (p->stop || p->n_idle > 0)
			break;
		p->n_idle++;
		while (!p->stop && p->n_called == 0)
			pthread_cond_wait(&p->come, &p->lock);
		if (!p->stop)
			p->n_called--;
	}
	p->n_threads--;
	pthread_cond_broadcast(&p->come);
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

/* The lock is held. */
static int start_thread(struct npf_tasks *p)
{
	pthread_attr_t attr;
	pthread_t thread;
	int rc;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	rc = pthread_create(&thread, &attr, work, p);
	pthread_attr_destroy(&attr);
	if (rc == 0)
		p->n_threads++;
	return -rc;
}

struct npf_tasks *npf_tasks_new(void)
{
	struct npf_tasks *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->come, NULL);
	empty(&p->waiting);
	empty(&p->done);
	p->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (p->fd < 0 || start_thread(p) < 0) {
		npf_close(p->fd);
		free(p);
		return NULL;
	}
	return p;
}

void npf_tasks_submit(struct npf_tasks *p, struct npf_task *task)
{
	p->n_out++;
	pthread_mutex_lock(&p->lock);
	append(&p->waiting, task);
	if (p->n_idle > 0) {
		/* It is not idle from now on: the next task needs another thread. */
		p->n_idle--;
		p->n_called++;
		pthread_cond_signal(&p->come);
	} else if (may_run(p, task->uid) && p->n_threads < threads_for(task->uid)) {
		start_thread(p); /* without one, a thread that is at work takes it later */
	}
	pthread_mutex_unlock(&p->lock);
}

int npf_tasks_fd(const struct npf_tasks *p)
{
	return p->fd;
}

void npf_tasks_reap(struct npf_tasks *p)
{
	struct npf_task *task;
	uint64_t n;

	if (read(p->fd, &n, sizeof(n)) < 0 && errno != EAGAIN)
		return;
	pthread_mutex_lock(&p->lock);
	task = p->done.first;
	empty(&p->done);
	pthread_mutex_unlock(&p->lock);
	while (task != NULL) {
		struct npf_task *next = task->next;

		p->n_out--;
		task->done(task);
		task = next;
	}
}

unsigned int npf_tasks_free(struct npf_tasks *p, int timeout_ms)
{
	uint64_t end = npf_clock_monotonic() + (uint64_t)timeout_ms * NPF_NS_PER_MS;
	unsigned int left;

	if (p == NULL)
		return 0;
	while (p->n_out > 0 && npf_clock_monotonic() < end) {
		struct pollfd pfd = {.fd = p->fd, .events = POLLIN};

		poll(&pfd, 1, 10);
		npf_tasks_reap(p);
	}
	left = p->n_out;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_broadcast(&p->come);
	/* A thread that is at work may never return; then nothing is freed. */
	while (left == 0 && p->n_threads > 0)
		pthread_cond_wait(&p->come, &p->lock);
	pthread_mutex_unlock(&p->lock);
	if (left > 0)
		return left;
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->come);
	close(p->fd);
	free(p);
	return 0;
}
