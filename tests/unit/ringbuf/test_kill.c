/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_kill.c - readers that die at any instruction, and what is left of them: nothing.
 *
 *     test_kill CYCLES
 *
 * A producer that never stops; one reader after another, each a process of its own that is killed
 * after a random time: while reading, while going to sleep, asleep. Each finds the records in
 * order from where the last one had got to, none missing. Every few cycles the buffer itself is
 * freed and made anew. At the end no descriptor, no mapping and no hugepage is left over.
 */
#include <dirent.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "ringbuf/ring.h"

#include "demand.h"

#define CYCLES_PER_BUFFER 8

/* What readers leave behind for the next one. */
struct trace {
	_Atomic uint64_t last; /* number of the last record seen, + 1 */
	_Atomic uint64_t got;
	_Atomic uint64_t sleeps;
};

static unsigned int count_entries(const char *dir)
{
	DIR *d = opendir(dir);
	unsigned int n = 0;

	DEMAND(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static unsigned int count_mappings(void)
{
	FILE *f = fopen("/proc/self/maps", "re");
	unsigned int n = 0;
	int c;

	DEMAND(f);
	while ((c = fgetc(f)) != EOF)
		n += c == '\n';
	fclose(f);
	return n;
}

static void read_until_killed(const struct npf_buffer *b, int efd, struct trace *t)
{
	int fds[NPF_BUFFER_NFDS];
	struct npf_reader *r;
	struct npf_view v;
	uint64_t expected = 0;

	DEMAND(npf_reader_new(efd, &r) == 0);
	DEMAND(npf_reader_add(r, fds, npf_buffer_fds(b, fds)) == 0);
	for (;;) {
		int ret = npf_reader_next(r, &v);
		uint64_t n;

		DEMAND(ret >= 0);
		if (ret == 0) {
			struct pollfd pfd = {.fd = efd, .events = POLLIN};

			if (npf_reader_arm(r, 0)) {
				atomic_fetch_add(&t->sleeps, 1);
				DEMAND(poll(&pfd, 1, 10000) == 1);
				npf_reader_disarm(r);
			}
			continue;
		}
		DEMAND(v.caplen >= 8 && v.gap == 0);
		memcpy(&n, v.data, 8);
		/* The first may be one that the last reader had seen and not freed. */
		DEMAND(expected ? n == expected : n <= atomic_load(&t->last));
		expected = n + 1;
		if (expected > atomic_load(&t->last))
			atomic_store(&t->last, expected);
		atomic_fetch_add(&t->got, 1);
	}
}

/* Write until the time has come; return the next record's number. */
static uint64_t feed(struct npf_lane *l, int efd, uint64_t n, uint64_t until, uint64_t *seed)
{
	uint64_t now;

	while ((now = npf_clock_monotonic()) < until) {
		for (uint64_t burst = random_next(seed) % 32; burst; burst--) {
			struct npf_rec *rec = npf_lane_reserve(l, 8 + random_next(seed) % 200);

			if (!rec)
				break;
			rec->ts_ns = now;
			memcpy(rec + 1, &n, 8);
			n++;
		}
		if (npf_lane_commit(l, now) || npf_lane_tick(l, now, now))
			DEMAND(eventfd_write(efd, 1) == 0);
		DEMAND(npf_lane_fault(l) == 0);
		if (random_next(seed) % 64 == 0) /* let the reader catch up and go to sleep */
			usleep(random_next(seed) % 100);
	}
	return n;
}

static void run(uint64_t cycles, struct trace *t)
{
	struct npf_buffer_conf conf = {.size = 1 << 20, .n_lanes = 1};
	uint64_t seed = 12345, n = 0;
	struct npf_buffer *b = NULL;
	int efd = -1;

	for (uint64_t i = 0; i < cycles; i++) {
		pid_t child;

		if (i % CYCLES_PER_BUFFER == 0) {
			npf_buffer_free(b);
			npf_close(efd);
			conf.hugepages = i / CYCLES_PER_BUFFER % 2;
			conf.size = conf.hugepages ? 2 << 20 : 1 << 20;
			DEMAND(npf_buffer_new(&conf, &b) == 0);
			efd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
			DEMAND(efd >= 0);
			atomic_store(&t->last, n = 0);
		}
		child = fork();
		DEMAND(child >= 0);
		if (child == 0)
			read_until_killed(b, efd, t);
		n = feed(npf_buffer_lane(b, 0), efd, n,
			npf_clock_monotonic() + random_next(&seed) % (2 * NPF_NS_PER_MS), &seed);
		DEMAND(waitpid(child, NULL, WNOHANG) == 0); /* it found nothing wrong */
		DEMAND(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
		DEMAND(atomic_load(&t->last) <= n);
	}
	npf_buffer_free(b);
	npf_close(efd);
}

int main(int argc, char **argv)
{
	uint64_t cycles = argc > 1 ? strtoull(argv[1], NULL, 0) : 300;
	unsigned int n_fds, n_mappings;
	struct trace *t;

	t = mmap(NULL, sizeof(*t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	DEMAND(t != MAP_FAILED);
	run(CYCLES_PER_BUFFER, t); /* what the C library keeps for itself it has now */
	n_fds = count_entries("/proc/self/fd");
	n_mappings = count_mappings();
	run(cycles, t);
	DEMAND(count_entries("/proc/self/fd") == n_fds);
	DEMAND(count_mappings() == n_mappings);
	printf("%" PRIu64 " readers killed, %" PRIu64 " records read, %" PRIu64
	       " sleeps: none lost, nothing left over\n",
		cycles, atomic_load(&t->got), atomic_load(&t->sleeps));
	DEMAND(atomic_load(&t->got) > cycles && atomic_load(&t->sleeps) > 0);
	return 0;
}
