/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_stress.c - two processes, one ring, everything at random, every byte checked.
 *
 *     stress [-r RECORDS] [-s SECONDS] [-l LANES] [-m MINTOCOPY] [-x SEED]
 *
 * The parent writes: one thread per lane, records of random sizes in random bursts, sometimes
 * waiting for room and sometimes dropping; its main thread exchanges the buffer for one of another
 * size, on hugepages or not, at random moments. The child reads, sleeps on the eventfd when there
 * is nothing, and stalls at random. It demands: each byte of each record; the order of each lane's
 * records without one missing that no gap accounts for; stamps that never go back; a wake-up within
 * ten seconds; and, at the end, counters that agree with what it saw.
 *
 * Ends after RECORDS delivered records or SECONDS, whichever comes first, and prints what it did.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "ringbuf/ring.h"

#include "demand.h"

#define MAX_LANES 8

struct totals {
	_Atomic uint64_t read; /* records that the reader has had */
	_Atomic uint64_t bytes;
	_Atomic uint64_t sleeps;
	_Atomic uint64_t gaps;
	_Atomic bool stop;
};

struct stress {
	uint64_t n_records;
	uint64_t n_seconds;
	uint64_t mintocopy;
	uint64_t seed;
	unsigned int n_lanes;
	int efd;
	int sock[2]; /* buffers' descriptors, parent to child */
	struct totals *totals;
	/* The buffers, in a ring of their own; a lane's thread that has left one says so. */
	struct npf_buffer *buffers[4];
	_Atomic uint64_t newest;
	_Atomic uint64_t at[MAX_LANES];
};

struct feed {
	struct stress *s;
	unsigned int i;
	pthread_t thread;
	uint64_t written, dropped;
};

/* ---- Records: word k of packet n ---- */

static inline uint64_t word(uint64_t n, uint64_t k)
{
	return (n + 1) * 0x9e3779b97f4a7c15ull + k * 0xc2b2ae3d27d4eb4full;
}

static void fill(uint8_t *data, uint64_t n, uint32_t caplen)
{
	uint64_t k = 0, last;

	for (; (k + 1) * 8 <= caplen; k++) {
		uint64_t w = word(n, k);

		memcpy(data + k * 8, &w, 8);
	}
	last = word(n, k);
	memcpy(data + k * 8, &last, caplen % 8);
}

static bool is_filled(const uint8_t *data, uint64_t n, uint32_t caplen)
{
	uint64_t k = 0, wrong = 0, last;

	for (; (k + 1) * 8 <= caplen; k++) {
		uint64_t w;

		memcpy(&w, data + k * 8, 8);
		wrong |= w ^ word(n, k);
	}
	last = word(n, k);
	return !wrong && !memcmp(data + k * 8, &last, caplen % 8);
}

static uint32_t random_size(uint64_t r)
{
	switch (r % 256) {
	case 0:
		return (r >> 8) % 9000;
	case 1 ... 12:
		return (r >> 8) % 1515;
	default:
		return (r >> 8) % 129;
	}
}

/* ---- The parent: producers ---- */

static void wake(struct stress *s, bool due)
{
	if (due)
		DEMAND(eventfd_write(s->efd, 1) == 0);
}

static struct npf_lane *move_on(struct feed *f, struct npf_lane *l)
{
	struct stress *s = f->s;
	uint64_t at = atomic_load(&s->at[f->i]);

	while (at != atomic_load(&s->newest)) {
		npf_lane_close(l);
		wake(s, true);
		l = npf_buffer_lane(s->buffers[++at % 4], f->i);
		atomic_store(&s->at[f->i], at);
	}
	return l;
}

/* One record: in place, or through a copy. */
static bool write_one(struct npf_lane *l, uint64_t n, uint64_t r, uint64_t ts, unsigned int lane)
{
	static _Thread_local uint8_t data[9000];
	struct npf_rec hdr = {
		.ts_ns = ts,
		.caplen = random_size(r),
		.len = (uint32_t)n,
		.queue = (uint16_t)lane,
	};
	struct npf_rec *rec = npf_lane_reserve(l, hdr.caplen);

	if (!rec)
		return false;
	rec->ts_ns = hdr.ts_ns;
	rec->len = hdr.len;
	rec->queue = hdr.queue;
	if (r >> 63) {
		fill((uint8_t *)(rec + 1), n, hdr.caplen);
	} else {
		fill(data, n, hdr.caplen);
		npf_lane_copy(rec + 1, data, hdr.caplen);
	}
	return true;
}

static void *produce(void *arg)
{
	struct feed *f = arg;
	struct stress *s = f->s;
	struct npf_lane *l = npf_buffer_lane(s->buffers[0], f->i);
	uint64_t seed = s->seed + 977 * (f->i + 1), n = 0, bursts = 0;
	bool drops = false;

	while (!atomic_load_explicit(&s->totals->stop, memory_order_relaxed)) {
		uint64_t r = random_next(&seed);
		uint64_t ts = npf_clock_monotonic();
		uint64_t burst = 1 + (r >> 8) % 64;
		bool full = false;

		l = move_on(f, l);
		if (++bursts % 4096 == 0)
			drops = r % 8 == 0;
		for (; burst && !full; burst--) {
			if (write_one(l, n, random_next(&seed), ts, f->i)) {
				f->written++;
				n++;
			} else if (drops) {
				npf_lane_drop(l, NPF_DROP_FULL, 1);
				f->dropped++;
				n++;
			} else {
				full = true;
			}
		}
		wake(s, npf_lane_commit(l, ts));
		DEMAND(npf_lane_fault(l) == 0);
		if (full || r % 128 == 0) {
			wake(s, npf_lane_tick(l, ts, ts));
			sched_yield();
		}
		if (r % 65536 == 0)
			usleep((r >> 20) % 3000);
	}
	move_on(f, l);
	return NULL;
}

static struct npf_buffer *new_buffer(struct stress *s, uint64_t *seed)
{
	uint64_t r = random_next(seed);
	struct npf_buffer_conf conf = {
		.size = NPF_BUFFER_MIN + (r >> 16) % (4 << 20),
		.n_lanes = (uint16_t)s->n_lanes,
		.hugepages = r % 2,
		.mintocopy = s->mintocopy,
		.timeout_ns = NPF_NS_PER_MS,
		/* Now and then where positions wrap. */
		.start_pos = r % 4 == 0 ? -(r >> 44 << 4) : 0,
	};
	struct npf_buffer *b;

	DEMAND(npf_buffer_new(&conf, &b) == 0);
	return b;
}

static void send_buffer(struct stress *s, const struct npf_buffer *b)
{
	int fds[NPF_BUFFER_NFDS];
	unsigned int n = npf_buffer_fds(b, fds);
	union {
		struct cmsghdr hdr;
		char room[CMSG_SPACE(sizeof(fds))];
	} control = {.hdr = {
			     .cmsg_level = SOL_SOCKET,
			     .cmsg_type = SCM_RIGHTS,
			     .cmsg_len = CMSG_LEN(n * sizeof(int)),
		     }};
	struct iovec iov = {.iov_base = &n, .iov_len = sizeof(n)};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_SPACE(n * sizeof(int)),
	};

	memcpy(CMSG_DATA(&control.hdr), fds, n * sizeof(int));
	DEMAND(sendmsg(s->sock[0], &msg, 0) == (ssize_t)sizeof(n));
	/* The reader must know it before the first lane moves. */
	DEMAND(recv(s->sock[0], &n, sizeof(n), 0) == (ssize_t)sizeof(n));
}

/* Exchange the buffer; free the one that every lane has left. Return: false: not all have yet. */
static bool exchange(struct stress *s, uint64_t *seed)
{
	uint64_t newest = atomic_load(&s->newest);
	struct npf_buffer *b;

	for (unsigned int i = 0; i < s->n_lanes; i++)
		if (atomic_load(&s->at[i]) + 2 < newest)
			return false;
	s->buffers[(newest + 1) % 4] = npf_buffer_free(s->buffers[(newest + 1) % 4]);
	b = new_buffer(s, seed);
	s->buffers[(newest + 1) % 4] = b;
	send_buffer(s, b);
	atomic_store(&s->newest, newest + 1);
	return true;
}

static void write_side(struct stress *s, uint64_t *written, uint64_t *dropped)
{
	uint64_t until = npf_clock_monotonic() + s->n_seconds * NPF_NS_PER_S;
	uint64_t seed = s->seed;
	struct feed feeds[MAX_LANES];

	s->buffers[0] = new_buffer(s, &seed);
	send_buffer(s, s->buffers[0]);
	for (unsigned int i = 0; i < s->n_lanes; i++) {
		feeds[i] = (struct feed){.s = s, .i = i};
		DEMAND(!pthread_create(&feeds[i].thread, NULL, produce, &feeds[i]));
	}
	while (npf_clock_monotonic() < until && atomic_load(&s->totals->read) < s->n_records) {
		usleep(random_next(&seed) % 100000);
		exchange(s, &seed);
		DEMAND(waitpid(-1, NULL, WNOHANG) == 0); /* the reader lives */
	}
	atomic_store(&s->totals->stop, true);
	for (unsigned int i = 0; i < s->n_lanes; i++) {
		uint64_t newest = atomic_load(&s->newest);

		pthread_join(feeds[i].thread, NULL);
		DEMAND(atomic_load(&s->at[i]) == newest);
		npf_lane_close(npf_buffer_lane(s->buffers[newest % 4], i));
		*written += feeds[i].written;
		*dropped += feeds[i].dropped;
	}
	wake(s, true);
	close(s->sock[0]); /* no more buffers */
}

/* ---- The child: reader ---- */

/* The next buffer. Return: false: there is none any more. */
static bool receive_buffer(struct stress *s, struct npf_reader *r, bool wait)
{
	int fds[NPF_BUFFER_NFDS];
	unsigned int n;
	union {
		struct cmsghdr hdr;
		char room[CMSG_SPACE(sizeof(fds))];
	} control;
	struct iovec iov = {.iov_base = &n, .iov_len = sizeof(n)};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t got = recvmsg(s->sock[1], &msg, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));

	if (got < 0 && errno == EAGAIN)
		return true;
	if (got == 0)
		return false;
	DEMAND(got == (ssize_t)sizeof(n) && CMSG_FIRSTHDR(&msg));
	memcpy(fds, CMSG_DATA(&control.hdr), n * sizeof(int));
	DEMAND(npf_reader_add(r, fds, n) == 0);
	for (unsigned int i = 0; i < n; i++)
		close(fds[i]);
	DEMAND(send(s->sock[1], &n, sizeof(n), 0) == (ssize_t)sizeof(n));
	return true;
}

static void sleep_until_woken(struct stress *s, struct npf_reader *r)
{
	struct pollfd pfds[] = {
		{.fd = s->efd, .events = POLLIN}, {.fd = s->sock[1], .events = POLLIN}};

	if (!npf_reader_arm(r, s->mintocopy))
		return;
	atomic_fetch_add(&s->totals->sleeps, 1);
	/* A wake-up is lost when something waits and none comes; that nothing comes is no fault,
	 * and after all processes were stopped for a while the first time-out says nothing. */
	if (poll(pfds, 2, 10000) == 0 && npf_reader_pending(r))
		DEMAND(poll(pfds, 2, 10000) > 0);
	npf_reader_disarm(r);
	if (pfds[1].revents)
		receive_buffer(s, r, false);
}

static void read_side(struct stress *s)
{
	uint64_t expected[MAX_LANES] = {0}, seed = ~s->seed, gaps = 0, missing = 0, last = 0;
	uint64_t got = 0, bytes = 0;
	struct npf_ring_counters c;
	struct npf_reader *r;
	struct npf_view v;

	DEMAND(npf_reader_new(s->efd, &r) == 0);
	for (;;) {
		int ret = npf_reader_next(r, &v);

		if (ret == 1) {
			uint64_t skipped;

			DEMAND(v.queue < s->n_lanes);
			skipped = (uint32_t)(v.len - (uint32_t)expected[v.queue]);
			gaps += v.gap;
			missing += skipped;
			DEMAND(missing <= gaps && (s->n_lanes > 1 || missing == gaps));
			expected[v.queue] += skipped;
			DEMAND(is_filled(v.data, expected[v.queue]++, v.caplen));
			DEMAND(v.ts_ns >= last);
			last = v.ts_ns;
			bytes += v.caplen;
			if (++got % 1024 == 0) {
				atomic_store_explicit(&s->totals->read, got, memory_order_relaxed);
				receive_buffer(s, r, false);
				if (random_next(&seed) % 4096 == 0)
					usleep(random_next(&seed) % 20000);
			}
		} else if (ret == 0) {
			sleep_until_woken(s, r);
		} else {
			DEMAND(ret == -ENODATA);
			if (!receive_buffer(s, r, true))
				break;
		}
	}
	npf_reader_counters(r, &c);
	DEMAND(c.packets == got && c.bytes == bytes && c.drop[NPF_DROP_FULL] >= gaps);
	atomic_store(&s->totals->read, got);
	atomic_store(&s->totals->bytes, bytes);
	atomic_store(&s->totals->gaps, c.drop[NPF_DROP_FULL]);
	npf_reader_free(r);
}

int main(int argc, char **argv)
{
	struct stress s = {.n_records = UINT64_MAX, .n_seconds = 5, .n_lanes = 2, .seed = 1};
	uint64_t written = 0, dropped = 0, start;
	int opt, status;
	pid_t child;

	while ((opt = getopt(argc, argv, "r:s:l:m:x:")) > 0) {
		uint64_t n = opt == '?' ? 0 : strtoull(optarg, NULL, 0);

		switch (opt) {
		case 'r':
			s.n_records = n;
			break;
		case 's':
			s.n_seconds = n;
			break;
		case 'l':
			s.n_lanes = (unsigned int)NPF_MIN(NPF_MAX(n, 1ull), (uint64_t)MAX_LANES);
			break;
		case 'm':
			s.mintocopy = n;
			break;
		case 'x':
			s.seed = n | 1;
			break;
		default:
			fprintf(stderr,
				"usage: %s [-r RECORDS] [-s SECONDS] [-l LANES] "
				"[-m MINTOCOPY] [-x SEED]\n",
				argv[0]);
			return 2;
		}
	}
	s.efd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	s.totals = mmap(
		NULL, sizeof(*s.totals), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	DEMAND(s.efd >= 0 && s.totals != MAP_FAILED);
	DEMAND(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s.sock) == 0);
	start = npf_clock_monotonic();
	fflush(NULL);
	child = fork();
	DEMAND(child >= 0);
	if (child == 0) {
		close(s.sock[0]);
		read_side(&s);
		_exit(0);
	}
	close(s.sock[1]);
	write_side(&s, &written, &dropped);
	DEMAND(waitpid(child, &status, 0) == child && WIFEXITED(status) && !WEXITSTATUS(status));
	start = npf_clock_monotonic() - start;
	printf("%" PRIu64 " records (%" PRIu64 " bytes) in %.1f s, %u lanes, %" PRIu64
	       " buffers, %" PRIu64 " sleeps, %" PRIu64 " dropped: all as they should be\n",
		written, atomic_load(&s.totals->bytes), (double)start / 1e9, s.n_lanes,
		atomic_load(&s.newest) + 1, atomic_load(&s.totals->sleeps), dropped);
	DEMAND(written == atomic_load(&s.totals->read));
	DEMAND(dropped == atomic_load(&s.totals->gaps));
	for (unsigned int i = 0; i < 4; i++)
		npf_buffer_free(s.buffers[i]);
	return 0;
}
