/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench.h - what the ring's benchmarks share: two pinned processes, rounds, and how to print them.
 *
 * Machines are noisy and the distance of two cores changes, so nothing is measured once: each
 * round measures every candidate in turn, and what is printed are the least, the middle and
 * the greatest of the rounds, of figures and of the ratios within a round.
 */
#ifndef NPF_BENCH_RING_BENCH_H
#define NPF_BENCH_RING_BENCH_H

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "ringbuf/ring.h"

#define DEMAND(what)                                                                               \
	do {                                                                                       \
		if (!(what)) {                                                                     \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what);         \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

#define BENCH_ROUNDS_MAX 64

/* The CPUs that the process was started on. */
static cpu_set_t bench_cpus;

static void __attribute__((constructor)) bench_find_cpus(void)
{
	DEMAND(sched_getaffinity(0, sizeof(bench_cpus), &bench_cpus) == 0);
	if (CPU_COUNT(&bench_cpus) < 2) {
		printf("this benchmark needs two CPUs\n");
		exit(77);
	}
}

/* Run on the first (0) or second (1) of them. */
static inline void bench_pin(unsigned int nth)
{
	cpu_set_t one;
	unsigned int n = 0;

	CPU_ZERO(&one);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &bench_cpus) && n++ == nth)
			CPU_SET(cpu, &one);
	DEMAND(sched_setaffinity(0, sizeof(one), &one) == 0);
}

static inline void bench_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#endif
}

/* Memory that parent and child share. */
static inline void *bench_share(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	DEMAND(p != MAP_FAILED);
	return p;
}

/* Either would spin for ever without the other. */
static void bench_fail_together(void)
{
	kill(getppid(), SIGTERM);
}

/* The other process, on the second CPU. */
static inline pid_t bench_fork(void (*fn)(void *), void *arg)
{
	pid_t child;

	fflush(NULL);
	child = fork();
	DEMAND(child >= 0);
	if (child == 0) {
		DEMAND(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
		DEMAND(atexit(bench_fail_together) == 0);
		bench_pin(1);
		fn(arg);
		_exit(0);
	}
	return child;
}

static inline void bench_join(pid_t child)
{
	int status;

	DEMAND(waitpid(child, &status, 0) == child && WIFEXITED(status) && !WEXITSTATUS(status));
}

struct bench_series {
	double v[BENCH_ROUNDS_MAX];
	unsigned int n;
};

static inline void bench_add(struct bench_series *s, double v)
{
	s->v[s->n++] = v;
}

static inline int bench_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static inline void bench_print(const char *name, const struct bench_series *s, const char *unit)
{
	struct bench_series sorted = *s;

	qsort(sorted.v, sorted.n, sizeof(sorted.v[0]), bench_compare);
	printf("  %-46s %9.2f %9.2f %9.2f  %s\n", name, sorted.v[0], sorted.v[sorted.n / 2],
		sorted.v[sorted.n - 1], unit);
}

/* a / b, round by round. */
static inline void bench_print_ratio(
	const char *name, const struct bench_series *a, const struct bench_series *b)
{
	struct bench_series r = {.n = 0};

	for (unsigned int i = 0; i < a->n; i++)
		bench_add(&r, a->v[i] / b->v[i]);
	bench_print(name, &r, "");
}

static inline void bench_title(const char *title)
{
	printf("\n%s\n  %-46s %9s %9s %9s\n", title, "", "least", "middle", "greatest");
}

#endif
