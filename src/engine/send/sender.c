/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sender.c - the send worker's thread: serve all lanes in turn, be there when a schedule wants it,
 * sleep when nothing does.
 *
 * Before it sleeps it sets a flag in every lane, so that a client wakes it. Up to SPIN_NS before a
 * frame is due it sleeps; then it spins, and leaves lanes without a schedule alone for the last
 * QUIET_NS.
 */
#include "engine/send/sender.h"

#include "base/clock.h"
#include "base/eventfd.h"
#include "base/exchange.h"
#include "engine/syscalls/syscalls.h"

#include <poll.h>
#include <pthread.h>
#include <rte_lcore.h>
#include <rte_pause.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>

#define SPIN_NS  (80 * NPF_NS_PER_US)
#define QUIET_NS (5 * NPF_NS_PER_US)
#define NICE     -10 /* a schedule comes before what else runs on this CPU, if we have the right */
#define IDLE_NS  (30 * NPF_NS_PER_US) /* how long to poll before sleeping */
#define EVENTS   16

struct npf_sender {
	pthread_t thread;
	struct npf_exchange plan; /* struct npf_send_plan, from the control thread */
	_Atomic bool stop;
	int epfd, wake;
	int cpu;
};

static struct npf_send_plan empty_plan;

/* Serve each lane once. Return: how many packets were sent or failed; *againp: when to serve again,
 * UINT64_MAX: when woken; *nowp: the time of the last lane's turn, unchanged without lanes. */
static unsigned int serve_all(const struct npf_send_plan *plan, uint64_t *againp, uint64_t *nowp)
{
	static _Thread_local uint64_t next_due; /* of any schedule, as of the last turn */
	uint64_t again = UINT64_MAX, due = UINT64_MAX;
	unsigned int work = 0;

	for (unsigned int i = 0; i < plan->n_lanes; i++) {
		struct npf_send_lane *s = plan->lanes[i];
		uint64_t now = npf_clock_monotonic(), mine;

		*nowp = now;
		if (!s->timed && next_due > now && next_due - now < QUIET_NS) {
			again = NPF_MIN(again, next_due);
			continue;
		}
		work += npf_send_lane_serve(s, now, &mine);
		if (mine == 0)
			continue;
		again = NPF_MIN(again, mine);
		if (s->timed && s->next < s->n)
			due = NPF_MIN(due, s->due_ns);
	}
	next_due = due != UINT64_MAX ? due : 0;
	*againp = again;
	return work;
}

/* Sleeps until a lane is kicked, the plan changes or the time is over; UINT64_MAX: no time. */
static void wait_for_kick(const struct npf_sender *s, uint64_t ns)
{
	struct pollfd pfd = {.fd = s->epfd, .events = POLLIN};
	const struct timespec ts = {
		.tv_sec = (time_t)(ns / NPF_NS_PER_S), .tv_nsec = (long)(ns % NPF_NS_PER_S)};
	struct epoll_event events[EVENTS];

	/* A lane's kick is an edge, which only epoll_wait() takes. */
	if (ppoll(&pfd, 1, ns != UINT64_MAX ? &ts : NULL, NULL) > 0)
		epoll_wait(s->epfd, events, EVENTS, 0);
}

static void sleep_until(struct npf_sender *s, const struct npf_send_plan *plan, uint64_t until_ns)
{
	uint64_t now = npf_clock_monotonic(), n;
	bool may_sleep = true;

	for (unsigned int i = 0; i < plan->n_lanes; i++) {
		struct npf_tx_lane *l = plan->lanes[i]->lane;
		uint64_t later = npf_tx_lane_wake_due(l);

		may_sleep &= npf_tx_lane_sleep(l);
		if (later > 0)
			until_ns = NPF_MIN(until_ns, now + later);
	}
	if (may_sleep && until_ns > now)
		wait_for_kick(s, until_ns != UINT64_MAX ? until_ns - now : UINT64_MAX);
	for (unsigned int i = 0; i < plan->n_lanes; i++)
		npf_tx_lane_awake(plan->lanes[i]->lane);
	if (read(s->wake, &n, sizeof(n)) < 0)
		return; /* no new plan: it was a lane or the time */
}

static void pin(int cpu)
{
	cpu_set_t set;

	if (cpu < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

static void *work(void *arg)
{
	struct npf_sender *s = arg;
	uint64_t last_work = 0, again, now = 0;

	prctl(PR_SET_TIMERSLACK, 1ul);
	prctl(PR_SET_NAME, "npf-send");
	npf_syscalls_confine(NPF_SYSCALLS_DRIVER);
	pin(s->cpu);
	setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
	/* For mempool caches; without them it is slower, no more. */
	bool registered = rte_thread_register() == 0;

	while (!atomic_load_explicit(&s->stop, memory_order_relaxed)) {
		const struct npf_send_plan *plan = npf_exchange_take(&s->plan);

		if (serve_all(plan, &again, &now) > 0) {
			last_work = now;
			continue;
		}
		now = npf_clock_monotonic();
		if (again != UINT64_MAX && again < now + SPIN_NS) {
			rte_pause();
		} else if (again == UINT64_MAX && now < last_work + IDLE_NS) {
			/* The client may well share our CPU. */
			sched_yield();
		} else {
			sleep_until(s, plan, again != UINT64_MAX ? again - SPIN_NS : again);
		}
	}
	if (registered)
		rte_thread_unregister();
	return NULL;
}

int npf_sender_start(int cpu, struct npf_sender **sp)
{
	struct npf_sender *s = calloc(1, sizeof(*s));
	int rc;

	if (s == NULL)
		return -ENOMEM;
	s->cpu = cpu;
	npf_exchange_init(&s->plan, &empty_plan);
	s->epfd = epoll_create1(EPOLL_CLOEXEC);
	s->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	rc = s->epfd >= 0 && s->wake >= 0 ? npf_epoll_add(s->epfd, s->wake, EPOLLIN, NULL) : -errno;
	if (rc == 0)
		rc = -pthread_create(&s->thread, NULL, work, s);
	if (rc < 0) {
		npf_close(s->epfd);
		npf_close(s->wake);
		free(s);
		return rc;
	}
	*sp = s;
	return 0;
}

struct npf_sender *npf_sender_stop(struct npf_sender *s)
{
	if (s == NULL)
		return NULL;
	atomic_store_explicit(&s->stop, true, memory_order_relaxed);
	npf_eventfd_signal(s->wake);
	pthread_join(s->thread, NULL);
	npf_close(s->epfd);
	npf_close(s->wake);
	free(npf_sender_plan(s));
	free(s);
	return NULL;
}

static bool has_lane(const struct npf_send_plan *plan, const struct npf_send_lane *lane)
{
	for (unsigned int i = 0; i < plan->n_lanes; i++)
		if (plan->lanes[i] == lane)
			return true;
	return false;
}

struct npf_send_plan *npf_sender_plan(const struct npf_sender *s)
{
	struct npf_send_plan *plan = npf_exchange_offered(&s->plan);

	return plan == &empty_plan ? NULL : plan;
}

struct npf_send_plan *npf_sender_publish(struct npf_sender *s, struct npf_send_plan *plan)
{
	struct npf_send_plan *old = npf_exchange_offered(&s->plan);

	if (plan == NULL)
		plan = &empty_plan;
	for (unsigned int i = 0; i < old->n_lanes; i++)
		if (!has_lane(plan, old->lanes[i]))
			epoll_ctl(s->epfd, EPOLL_CTL_DEL, npf_tx_lane_kick(old->lanes[i]->lane),
				NULL);
	/* A lane that can't be added to epoll is still served whenever the worker is awake: its
	 * client's frames are late, not lost. */
	for (unsigned int i = 0; i < plan->n_lanes; i++)
		if (!has_lane(old, plan->lanes[i]))
			npf_epoll_add(s->epfd, npf_tx_lane_kick(plan->lanes[i]->lane),
				EPOLLIN | EPOLLET, NULL);
	npf_exchange_offer(&s->plan, plan);
	npf_eventfd_signal(s->wake);
	npf_exchange_wait(&s->plan);
	return old == &empty_plan ? NULL : old;
}
