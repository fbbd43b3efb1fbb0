/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * collector.c - the worker sleeps until an interval ends, sums up the meters, and calls the sink.
 *
 * Intervals follow CLOCK_MONOTONIC, so that setting the system's clock neither cuts nor
 * stretches one; for stamps its distance from CLOCK_REALTIME is added, which is taken anew only
 * when the clock was set, so that the ends of intervals are spaced evenly.
 *
 * One mutex guards the list and all that the worker touches; lcores never take it. A sink is called
 * without it, since a disk may take its time.
 */
#include "engine/monitor/collector.h"

#include "base/clock.h"
#include "engine/syscalls/syscalls.h"

#include <pthread.h>
#include <string.h>
#include <sys/prctl.h>

#define SLOTS_SPAN_NS (128 * NPF_NS_PER_MS) /* how long the worker may lag */
#define SLOTS_MIN     4u
#define SLOTS_MAX     128u
#define GRACE_NS      (100 * NPF_NS_PER_US) /* for a busy lcore to see that the interval is over */
#define RETRY_NS      (200 * NPF_NS_PER_US) /* for an idle one */
#define CLOCK_SET_NS  NPF_NS_PER_MS

struct npf_collector {
	struct npf_collector *next;
	struct npf_collector_conf conf;
	uint64_t start_ns; /* CLOCK_MONOTONIC */
	uint64_t offset;   /* to CLOCK_REALTIME */
	uint64_t number;   /* of the interval to be collected next */
	uint64_t last_end_ns;
	bool live, stopped;
	struct npf_wire_interval *pending; /* covers is 0: nothing to deliver */
	struct npf_wire_tally *last, *total;
	struct npf_meter *meters[];
};

struct npf_collector_worker {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t thread;
	bool running, stop;
	struct npf_collector *list;
	struct npf_collector *delivering; /* whose sink is called now */
	pthread_cond_t delivered;
};

static uint64_t real_offset(void)
{
	return npf_clock_realtime() - npf_clock_monotonic();
}

struct npf_collector *npf_collector_new(const struct npf_collector_conf *conf)
{
	struct npf_collector *c =
		calloc(1, sizeof(*c) + (conf->n_lcores + 1) * sizeof(struct npf_meter *));
	struct npf_meter_conf meter = {
		.interval_ns = conf->interval_ns,
		.n_rows = conf->n_rows,
		.n_slots = (unsigned int)NPF_MIN(
			SLOTS_SPAN_NS / conf->interval_ns, (uint64_t)SLOTS_MAX),
	};
	bool good;

	if (c == NULL)
		return NULL;
	c->conf = *conf;
	c->offset = real_offset();
	c->start_ns = meter.start_ns = npf_clock_monotonic();
	meter.n_slots = NPF_MAX(meter.n_slots, SLOTS_MIN);
	c->pending = calloc(1, sizeof(*c->pending) + conf->n_rows * sizeof(struct npf_wire_tally));
	c->last = calloc(conf->n_rows, sizeof(*c->last));
	c->total = calloc(conf->n_rows, sizeof(*c->total));
	good = c->pending != NULL && c->last != NULL && c->total != NULL;
	for (unsigned int i = 0; good && i <= conf->n_lcores; i++) {
		c->meters[i] = npf_meter_new(&meter);
		good = c->meters[i] != NULL;
	}
	if (!good)
		return npf_collector_free(c);
	c->pending->n_rows = conf->n_rows;
	return c;
}

struct npf_collector *npf_collector_free(struct npf_collector *c)
{
	if (c == NULL)
		return NULL;
	for (unsigned int i = 0; i <= c->conf.n_lcores; i++)
		npf_meter_free(c->meters[i]);
	free(c->pending);
	free(c->last);
	free(c->total);
	free(c);
	return NULL;
}

struct npf_meter *const *npf_collector_meters(struct npf_collector *c)
{
	return c->meters;
}

size_t npf_collector_memory(const struct npf_collector *c)
{
	size_t memory = sizeof(*c) + (c->conf.n_lcores + 1) * sizeof(c->meters[0]) +
			sizeof(*c->pending) + 3 * c->conf.n_rows * sizeof(struct npf_wire_tally);

	for (unsigned int i = 0; i <= c->conf.n_lcores; i++)
		memory += c->meters[i]->memory;
	return memory;
}

static uint64_t end_of(const struct npf_collector *c, uint64_t number)
{
	return c->start_ns + (number + 1) * c->conf.interval_ns;
}

static void update_offset(struct npf_collector *c)
{
	uint64_t now = real_offset();
	int64_t moved = (int64_t)(now - c->offset);

	if (moved > (int64_t)CLOCK_SET_NS || moved < -(int64_t)CLOCK_SET_NS)
		c->offset = now;
}

/* No other thread advances the meter of sent packets while nothing is sent. */
static void advance_sent(const struct npf_collector *c, uint64_t mono_ns)
{
	pthread_mutex_lock(c->conf.sent_lock);
	npf_meter_advance(c->meters[c->conf.n_lcores], mono_ns);
	pthread_mutex_unlock(c->conf.sent_lock);
}

static bool is_closed(const struct npf_collector *c, uint64_t mono_ns)
{
	advance_sent(c, mono_ns);
	for (unsigned int i = 0; i <= c->conf.n_lcores; i++) {
		if (!c->live && i < c->conf.n_lcores)
			npf_meter_advance(c->meters[i], mono_ns);
		if (!npf_meter_is_closed(c->meters[i], c->number))
			return false;
	}
	return true;
}

static void collect(struct npf_collector *c)
{
	struct npf_wire_interval *iv = c->pending;

	memset(c->last, 0, c->conf.n_rows * sizeof(*c->last));
	for (unsigned int i = 0; i <= c->conf.n_lcores; i++)
		npf_meter_collect(c->meters[i], c->number, c->last);
	if (iv->covers++ == 0) {
		iv->number = c->number;
		iv->start_ns = end_of(c, c->number) - c->conf.interval_ns + c->offset;
		memset(iv->rows, 0, c->conf.n_rows * sizeof(iv->rows[0]));
	}
	for (unsigned int i = 0; i < c->conf.n_rows; i++) {
		npf_meter_merge_max(&iv->rows[i], &c->last[i]);
		npf_meter_merge_max(&c->total[i], &c->last[i]);
	}
	c->last_end_ns = end_of(c, c->number) + c->offset;
	c->number++;
}

static void deliver(struct npf_collector_worker *w, struct npf_collector *c)
{
	bool taken;

	w->delivering = c;
	pthread_mutex_unlock(&w->lock);
	taken = c->conf.sink(c->conf.arg, c->pending, c->last_end_ns);
	pthread_mutex_lock(&w->lock);
	if (taken)
		c->pending->covers = 0;
	w->delivering = NULL;
	pthread_cond_signal(&w->delivered);
}

/* Deliver what is due by now. Return: when the next is due; 0: the collector was stopped, and the
 * list has changed. */
static uint64_t serve(struct npf_collector_worker *w, struct npf_collector *c)
{
	uint64_t now = npf_clock_monotonic(), due;

	update_offset(c);
	for (;;) {
		due = end_of(c, c->number);
		if (now < due)
			return due + GRACE_NS;
		if (!is_closed(c, now))
			return now + RETRY_NS;
		collect(c);
		deliver(w, c);
		if (c->stopped)
			return 0;
	}
}

static void *work(void *arg)
{
	struct npf_collector_worker *w = arg;

	prctl(PR_SET_TIMERSLACK, 1ul);
	prctl(PR_SET_NAME, "npf-monitor");
	npf_syscalls_confine(NPF_SYSCALLS_COLLECTOR);
	pthread_mutex_lock(&w->lock);
	while (!w->stop) {
		uint64_t due = UINT64_MAX;

		for (struct npf_collector *c = w->list; c != NULL && due > 0; c = c->next) {
			uint64_t next = serve(w, c);

			due = NPF_MIN(due, next);
		}
		if (due == 0) {
			continue;
		} else if (due == UINT64_MAX) {
			pthread_cond_wait(&w->changed, &w->lock);
		} else {
			struct timespec ts = {
				.tv_sec = (time_t)(due / NPF_NS_PER_S),
				.tv_nsec = (long)(due % NPF_NS_PER_S),
			};

			pthread_cond_timedwait(&w->changed, &w->lock, &ts);
		}
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

struct npf_collector_worker *npf_collector_worker_new(void)
{
	struct npf_collector_worker *w = calloc(1, sizeof(*w));
	pthread_condattr_t attr;

	if (w == NULL)
		return NULL;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->changed, &attr);
	pthread_cond_init(&w->delivered, NULL);
	pthread_condattr_destroy(&attr);
	return w;
}

struct npf_collector_worker *npf_collector_worker_free(struct npf_collector_worker *w)
{
	if (w == NULL)
		return NULL;
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_signal(&w->changed);
	pthread_mutex_unlock(&w->lock);
	if (w->running)
		pthread_join(w->thread, NULL);
	pthread_cond_destroy(&w->changed);
	pthread_cond_destroy(&w->delivered);
	pthread_mutex_destroy(&w->lock);
	free(w);
	return NULL;
}

int npf_collector_start(struct npf_collector_worker *w, struct npf_collector *c)
{
	int rc = 0;

	pthread_mutex_lock(&w->lock);
	if (!w->running)
		rc = -pthread_create(&w->thread, NULL, work, w);
	if (rc == 0) {
		w->running = true;
		c->next = w->list;
		w->list = c;
		pthread_cond_signal(&w->changed);
	}
	pthread_mutex_unlock(&w->lock);
	return rc;
}

void npf_collector_stop(struct npf_collector_worker *w, struct npf_collector *c)
{
	pthread_mutex_lock(&w->lock);
	for (struct npf_collector **at = &w->list; *at != NULL; at = &(*at)->next)
		if (*at == c) {
			*at = c->next;
			break;
		}
	c->stopped = true;
	while (w->delivering == c)
		pthread_cond_wait(&w->delivered, &w->lock);
	pthread_mutex_unlock(&w->lock);
}

void npf_collector_finish(struct npf_collector *c)
{
	uint64_t now = npf_clock_monotonic();
	uint64_t last = (now - c->start_ns) / c->conf.interval_ns;

	update_offset(c);
	for (unsigned int i = 0; i <= c->conf.n_lcores; i++)
		npf_meter_rotate(c->meters[i], now);
	for (;;) {
		bool is_last = c->number >= last;

		collect(c);
		if (is_last)
			c->last_end_ns = now + c->offset;
		if (c->conf.sink(c->conf.arg, c->pending, c->last_end_ns))
			c->pending->covers = 0;
		if (is_last)
			return;
	}
}

void npf_collector_set_live(struct npf_collector_worker *w, struct npf_collector *c, bool live)
{
	pthread_mutex_lock(&w->lock);
	c->live = live;
	pthread_mutex_unlock(&w->lock);
}

int npf_collector_view(
	struct npf_collector_worker *w, const struct npf_collector *c, struct npf_collector_view *v)
{
	size_t size = c->conf.n_rows * sizeof(struct npf_wire_tally);

	*v = (struct npf_collector_view){.last = malloc(size), .total = malloc(size)};
	if (v->last == NULL || v->total == NULL) {
		free(v->last);
		free(v->total);
		return -ENOMEM;
	}
	pthread_mutex_lock(&w->lock);
	v->n_intervals = c->number;
	v->last_end_ns = c->last_end_ns;
	memcpy(v->last, c->last, size);
	memcpy(v->total, c->total, size);
	pthread_mutex_unlock(&w->lock);
	return 0;
}
