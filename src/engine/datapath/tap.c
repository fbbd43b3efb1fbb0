/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tap.c - the tap loop: rx_burst, filter, one copy into each accepting lane, publish, free.
 */
#include "engine/datapath/tap.h"

#include "base/clock.h"
#include "base/exchange.h"
#include "engine/datapath/burst.h"
#include "engine/datapath/count.h"
#include "engine/datapath/deliver.h"
#include "engine/datapath/tsc.h"
#include "engine/syscalls/syscalls.h"

#include <rte_cycles.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_pause.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#define TICK_NS      (500 * NPF_NS_PER_US) /* wake-ups by time, watermarks, clock */
#define CLOCK_GAP_NS (2 * NPF_NS_PER_US)
#define SPIN_POLLS   2000 /* empty polls in a row before the lcore pauses between them */
#define PAUSE_POLLS  4000 /* ... and before it sleeps */
#define SLEEP_MIN_NS (20 * NPF_NS_PER_US)
#define SLEEP_MAX_NS (200 * NPF_NS_PER_US) /* the stated bound of `poll: adaptive` */

struct npf_tap {
	struct npf_exchange plan; /* struct npf_plan, from the control thread */
	_Atomic bool stop;
	unsigned int lcore;
	enum npf_poll poll;
	struct npf_tsc tsc;
	struct npf_tap_turn turn;
	unsigned int rx_burst; /* packets to receive at once, where users have budgets */
	uint64_t to_mono; /* what CLOCK_REALTIME is ahead of CLOCK_MONOTONIC, as of the last tick */
	struct npf_burst burst;
	/* written by the lcore, read for npf_tap_load() */
	_Atomic uint64_t polls, busy_polls, packets, sleeps;
} __attribute__((aligned(NPF_CACHELINE)));

/* Goes on with the burst in q->stall as far as there is room. */
static void resume(struct npf_tap *t, const struct npf_tap_queue *q)
{
	struct npf_tap_stall *s = q->stall;
	struct npf_burst *b = &t->burst;
	const struct npf_burst_position from = {.session = s->next_session};
	unsigned int first = s->next, c = 0;

	npf_burst_load(b, q->port->rx_sent, s->mbufs + first, s->n - first);
	npf_burst_set_origin(b, q->port, q->queue, s->ts_ns);
	npf_burst_describe(b);
	while (c < q->n_clients && q->clients[c].session < s->next_session)
		c++;
	for (; s->next < s->n; s->next++, c = 0) {
		for (; c < q->n_clients; c++) {
			if (!npf_deliver_one(&q->clients[c], b, s->next - first)) {
				s->next_session = q->clients[c].session;
				goto out;
			}
		}
		s->next_session = 0;
	}
out:
	if (q->n_meters > 0)
		npf_count_range(q, b, from,
			(struct npf_burst_position){s->next - first, s->next_session}, s->ts_ns,
			npf_tsc_now(&t->tsc) - t->to_mono);
	if (s->next > first)
		npf_burst_free(&s->mbufs[first], s->next - first);
	if (s->next == s->n)
		s->n = s->next = 0;
	for (c = 0; c < q->n_clients; c++)
		npf_deliver_commit(&q->clients[c], s->ts_ns);
}

/*
 * A burst of a port that drops, to monitors and clients.
 * @sent:    it went out through the port
 * @counted: monitors have counted it already, when it was sent
 */
static void serve(struct npf_tap *t, const struct npf_tap_queue *q, bool sent, bool counted,
	struct rte_mbuf *const *mbufs, unsigned int n)
{
	uint64_t now = npf_tsc_now(&t->tsc);

	npf_burst_load(&t->burst, sent, mbufs, n);
	if (!counted)
		npf_count(q, &t->burst, &t->turn, now, now - t->to_mono);
	if (q->n_clients == 0)
		return;
	npf_burst_set_origin(&t->burst, q->port, q->queue, now);
	npf_deliver(q, &t->burst, &t->turn, now);
}

/* The tx mirror: copies of what was sent through the port, for captures. */
static unsigned int poll_mirror(struct npf_tap *t, const struct npf_tap_queue *q)
{
	struct rte_mbuf *mbufs[NPF_TAP_BURST];
	unsigned int n;

	n = rte_ring_dequeue_burst(q->port->mirror_ring, (void **)mbufs, NPF_TAP_BURST, NULL);
	if (n == 0)
		return 0;
	npf_tap_turn_begin(&t->turn, n == NPF_TAP_BURST);
	serve(t, q, true, true, mbufs, n);
	npf_burst_free(mbufs, n);
	return n;
}

static unsigned int poll_queue(struct npf_tap *t, const struct npf_tap_queue *q)
{
	struct npf_tap_stall *s = q->stall;
	struct rte_mbuf *mbufs[NPF_TAP_BURST];
	uint16_t n;

	if (q->wait) {
		if (s->n == 0) {
			s->n = npf_port_rx(q->port, q->queue, s->mbufs, NPF_TAP_BURST);
			s->next = 0;
			s->next_session = 0;
			s->ts_ns = npf_tsc_now(&t->tsc);
			npf_tap_count(&t->packets, s->n);
		}
		n = s->n;
		if (n > 0) {
			uint16_t before = s->next;

			resume(t, q);
			return s->n == 0 || s->next != before;
		}
		return 0;
	}
	n = npf_port_rx(q->port, q->queue, mbufs, q->has_budgets ? t->rx_burst : NPF_TAP_BURST);
	if (n == 0)
		return 0;
	npf_tap_count(&t->packets, n);
	if (NPF_UNLIKELY(q->has_budgets))
		npf_tap_turn_receive(&t->turn, n, t->rx_burst, NPF_TAP_BURST);
	if (q->n_clients + q->n_meters > 0)
		serve(t, q, q->port->rx_sent, false, mbufs, n);
	if (NPF_UNLIKELY(q->has_budgets))
		t->rx_burst = npf_tap_turn_size(&t->turn, t->rx_burst, NPF_TAP_BURST);
	npf_burst_free(mbufs, n);
	return n;
}

/* What time brings: watermarks, readers whose timeout has passed, the clock's correction. */
static void tick(struct npf_tap *t, const struct npf_plan *plan, uint64_t *next_sync)
{
	uint64_t mono = npf_clock_monotonic();
	uint64_t now = npf_tsc_now(&t->tsc);

	/* Not when something came between the two readings. */
	if (npf_clock_monotonic() - mono < CLOCK_GAP_NS)
		t->to_mono = now - mono;
	for (unsigned int i = 0; i < plan->n_queues; i++) {
		const struct npf_tap_queue *q = &plan->queues[i];
		/* A burst that waits for room will be written with its own, earlier stamp. */
		uint64_t mark = q->wait && q->stall->n > 0 ? q->stall->ts_ns : now;

		for (unsigned int c = 0; c < q->n_clients; c++)
			if (q->clients[c].dump != NULL)
				npf_writer_tick(q->clients[c].dump, now);
			else if (npf_lane_tick(q->clients[c].lane, mark, mono))
				npf_deliver_wake(&q->clients[c]);
		npf_count_tick(q, now - t->to_mono);
		npf_deliver_settle(q, &t->turn);
	}
	if (mono >= *next_sync) {
		/* When the clock was set, CLOCK_MONOTONIC goes on as if nothing had happened. */
		t->to_mono += (uint64_t)npf_tsc_sync(&t->tsc);
		*next_sync = mono + NPF_TSC_SYNC_NS;
	}
}

static void idle(struct npf_tap *t, uint64_t empty)
{
	uint64_t ns;

	if (t->poll == NPF_POLL_BUSY || empty < SPIN_POLLS)
		return;
	if (empty < PAUSE_POLLS) {
		rte_pause();
		return;
	}
	ns = NPF_MIN(SLEEP_MIN_NS * (1 + (empty - PAUSE_POLLS) / 16), SLEEP_MAX_NS);
	nanosleep(&(struct timespec){.tv_nsec = (long)ns}, NULL);
	npf_tap_count(&t->sleeps, 1);
}

/* The plan for the next round; what the last one has put off is done first. */
static struct npf_plan *take_plan(struct npf_tap *t, struct npf_plan *plan)
{
	struct npf_plan *next = npf_exchange_look(&t->plan);

	if (NPF_LIKELY(next == plan))
		return plan;
	for (unsigned int i = 0; plan != NULL && i < plan->n_queues; i++)
		npf_deliver_settle(&plan->queues[i], &t->turn);
	npf_exchange_accept(&t->plan, next);
	return next;
}

static int tap_main(void *arg)
{
	const uint64_t tick_tsc = rte_get_tsc_hz() * TICK_NS / NPF_NS_PER_S;
	uint64_t next_tick = 0, next_sync = 0, empty = 0;
	struct npf_plan *plan = NULL;
	struct npf_tap *t = arg;

	npf_syscalls_confine(NPF_SYSCALLS_DRIVER);
	prctl(PR_SET_TIMERSLACK, 1ul); /* else a sleep of 20 us lasts 70 */
	npf_tsc_init(&t->tsc, rte_get_tsc_hz());
	npf_tap_turn_init(&t->turn, rte_get_tsc_hz());
	t->rx_burst = NPF_TAP_BURST;
	t->to_mono = npf_tsc_now(&t->tsc) - npf_clock_monotonic();
	while (!atomic_load_explicit(&t->stop, memory_order_relaxed)) {
		unsigned int work = 0;
		uint64_t tsc;

		plan = take_plan(t, plan);

		for (unsigned int i = 0; i < plan->n_queues; i++) {
			work += poll_queue(t, &plan->queues[i]);
			if (plan->queues[i].queue == 0)
				work += poll_mirror(t, &plan->queues[i]);
		}
		tsc = __rdtsc();
		if (tsc >= next_tick) {
			tick(t, plan, &next_sync);
			next_tick = tsc + tick_tsc;
		}
		npf_tap_count(&t->polls, 1);
		if (work > 0) {
			npf_tap_count(&t->busy_polls, 1);
			empty = 0;
		} else {
			idle(t, ++empty);
		}
	}
	return 0;
}

void npf_tap_stall_drop(struct npf_tap_stall *s)
{
	if (s->next < s->n)
		npf_burst_free(&s->mbufs[s->next], s->n - s->next);
	s->n = s->next = 0;
}

static struct npf_plan empty_plan;

int npf_tap_start(unsigned int lcore, enum npf_poll poll, struct npf_tap **tp)
{
	struct npf_tap *t = rte_zmalloc(NULL, sizeof(*t), NPF_CACHELINE);
	int rc;

	if (t == NULL)
		return -ENOMEM;
	if (npf_burst_init(&t->burst) < 0) {
		rte_free(t);
		return -ENOMEM;
	}
	t->lcore = lcore;
	t->poll = poll;
	npf_exchange_init(&t->plan, &empty_plan);
	rc = rte_eal_remote_launch(tap_main, t, lcore);
	if (rc < 0) {
		npf_burst_fini(&t->burst);
		rte_free(t);
		return rc;
	}
	*tp = t;
	return 0;
}

struct npf_plan *npf_tap_publish(struct npf_tap *t, struct npf_plan *plan)
{
	struct npf_plan *old = npf_exchange_offered(&t->plan);

	npf_exchange_offer(&t->plan, plan != NULL ? plan : &empty_plan);
	npf_exchange_wait(&t->plan);
	return old == &empty_plan ? NULL : old;
}

struct npf_tap *npf_tap_stop(struct npf_tap *t)
{
	if (t == NULL)
		return NULL;
	atomic_store_explicit(&t->stop, true, memory_order_relaxed);
	rte_eal_wait_lcore(t->lcore);
	npf_burst_fini(&t->burst);
	rte_free(t);
	return NULL;
}

void npf_tap_load(const struct npf_tap *t, struct npf_tap_load *load)
{
	*load = (struct npf_tap_load){
		.lcore = t->lcore,
		.cpu = rte_lcore_to_cpu_id((int)t->lcore),
		.polls = atomic_load_explicit(&t->polls, memory_order_relaxed),
		.busy_polls = atomic_load_explicit(&t->busy_polls, memory_order_relaxed),
		.packets = atomic_load_explicit(&t->packets, memory_order_relaxed),
		.sleeps = atomic_load_explicit(&t->sleeps, memory_order_relaxed),
	};
}
