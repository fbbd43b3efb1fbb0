/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * doorbell.c - a wake-up whose ringing end no client can change.
 *
 * A ring that took long by the clock may only have been interrupted: the woken reader often takes
 * the ringing thread's CPU. So a long time by the clock, which is cheap to read, only makes the
 * next ring be measured in CPU time of this thread.
 */
#include "base/doorbell.h"

#include "base/clock.h"

#include <sys/socket.h>

#define EXPENSIVE_NS (50 * NPF_NS_PER_US)
#define SHARE        2u   /* a ring is charged this many times the time that it took */
#define SHARE_COSTLY 100u /* ... if it is expensive */

int npf_doorbell_init(struct npf_doorbell *b, struct npf_doorbell_budget *budget)
{
	const int least = 0; /* the kernel's own minimum */
	int fds[2];

	*b = NPF_DOORBELL_NONE;
	b->budget = budget != NULL ? budget : &b->own;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
		return -errno;
	b->ring_fd = fds[0];
	b->wait_fd = fds[1];
	if (setsockopt(b->ring_fd, SOL_SOCKET, SO_SNDBUF, &least, sizeof(least)) < 0 ||
		shutdown(b->ring_fd, SHUT_RD) < 0)
		return -errno;
	return 0;
}

void npf_doorbell_fini(struct npf_doorbell *b)
{
	b->ring_fd = npf_close(b->ring_fd);
	b->wait_fd = npf_close(b->wait_fd);
}

static void push(const struct npf_doorbell *b)
{
	/* EAGAIN: full, so it is readable. EPIPE: the other end is closed. */
	if (send(b->ring_fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return;
}

/* What a ring is charged, ns. */
static uint64_t push_and_price(const struct npf_doorbell *b, uint64_t now_ns)
{
	struct npf_doorbell_budget *budget = b->budget;
	uint64_t took;

	if (NPF_UNLIKELY(atomic_load_explicit(&budget->suspect, memory_order_relaxed))) {
		uint64_t start = npf_clock_ns(CLOCK_THREAD_CPUTIME_ID);

		push(b);
		took = npf_clock_ns(CLOCK_THREAD_CPUTIME_ID) - start;
		if (took > EXPENSIVE_NS)
			return SHARE_COSTLY * took;
		atomic_store_explicit(&budget->suspect, false, memory_order_relaxed);
		return SHARE * took;
	}
	push(b);
	took = npf_clock_monotonic() - now_ns;
	if (NPF_UNLIKELY(took > EXPENSIVE_NS))
		atomic_store_explicit(&budget->suspect, true, memory_order_relaxed);
	return SHARE * NPF_MIN(took, EXPENSIVE_NS);
}

uint64_t npf_doorbell_ring(struct npf_doorbell *b)
{
	uint64_t now = npf_clock_monotonic();
	uint64_t used = atomic_load_explicit(&b->budget->used_until_ns, memory_order_relaxed);

	if (NPF_UNLIKELY(used > now + NPF_DOORBELL_BUDGET_NS))
		return used - now - NPF_DOORBELL_BUDGET_NS;
	/* Relaxed, and no exchange: of two threads that ring at once one may ring needlessly. */
	atomic_store_explicit(&b->budget->used_until_ns,
		NPF_MAX(used, now) + push_and_price(b, now), memory_order_relaxed);
	return 0;
}

uint64_t npf_doorbell_budget_used(const struct npf_doorbell_budget *budget)
{
	uint64_t now = npf_clock_monotonic();
	uint64_t until = atomic_load_explicit(&budget->used_until_ns, memory_order_relaxed);

	return until > now ? until - now : 0;
}

bool npf_doorbell_is_rung(int wait_fd)
{
	char ring;

	return recv(wait_fd, &ring, sizeof(ring), MSG_PEEK | MSG_DONTWAIT) > 0;
}

void npf_doorbell_drain(int wait_fd)
{
	uint64_t rings[8]; /* more than fit; eight bytes or more, for an eventfd */

	while (read(wait_fd, rings, sizeof(rings)) < 0 && errno == EINTR)
		;
}
