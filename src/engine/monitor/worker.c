/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * monitor.c - the worker: sleep until an interval ends, sum up the meters, tell the sink.
 *
 * Intervals follow CLOCK_MONOTONIC, so that setting the system's clock neither cuts nor
 * stretches one; for stamps its distance from CLOCK_REALTIME is added, which is taken anew only
 * when the clock was set, so that the ends of intervals are spaced evenly.
 *
 * One mutex guards the list and all that the worker touches; lcores never take it. A sink is called
 * without it, since a disk may take its time.
 */
#include "engine/monitor/worker.h"

#include "base/clock.h"

#include <pthread.h>
#include <string.h>
#include <sys/prctl.h>

#define SLOTS_SPAN_NS (128 * NPF_NS_PER_MS) /* how long the worker may lag */
#define SLOTS_MIN     4u
#define SLOTS_MAX     128u
#define GRACE_NS      (100 * NPF_NS_PER_US) /* for a busy lcore to see that the interval is over */
#define RETRY_NS      (200 * NPF_NS_PER_US) /* for an idle one */
#define CLOCK_SET_NS  NPF_NS_PER_MS

struct npf_monitor {
	struct npf_monitor *next;
	struct npf_monitor_conf conf;
	uint64_t start_ns; /* CLOCK_MONOTONIC */
	uint64_t offset;   /* to CLOCK_REALTIME */
	uint64_t number;   /* of the interval to be collected next */
	uint64_t last_end_ns;
	bool live, stopped;
	struct npf_wire_interval *pending; /* covers is 0: nothing to tell */
	struct npf_wire_tally *last, *total;
	struct npf_meter *meters[];
};

struct npf_monitors {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t thread;
	bool running, stop;
	struct npf_monitor *list;
	struct npf_monitor *telling; /* whose sink is being called */
	pthread_cond_t told;
};

static uint64_t real_offset(void)
{
	return npf_clock_realtime() - npf_clock_monotonic();
}

struct npf_monitor *npf_monitor_new(const struct npf_monitor_conf *conf)
{
	struct npf_monitor *m =
		calloc(1, sizeof(*m) + (conf->n_lcores + 1) * sizeof(struct npf_meter *));
	struct npf_meter_conf meter = {
		.interval_ns = conf->interval_ns,
		.n_rows = conf->n_rows,
		.n_slots = (unsigned int)NPF_MIN(
			SLOTS_SPAN_NS / conf->interval_ns, (uint64_t)SLOTS_MAX),
	};
	bool good;

	if (m == NULL)
		return NULL;
	m->conf = *conf;
	m->offset = real_offset();
	m->start_ns = meter.start_ns = npf_clock_monotonic();
	meter.n_slots = NPF_MAX(meter.n_slots, SLOTS_MIN);
	m->pending = calloc(1, sizeof(*m->pending) + conf->n_rows * sizeof(struct npf_wire_tally));
	m->last = calloc(conf->n_rows, sizeof(*m->last));
	m->total = calloc(conf->n_rows, sizeof(*m->total));
	good = m->pending != NULL && m->last != NULL && m->total != NULL;
	for (unsigned int i = 0; good && i <= conf->n_lcores; i++) {
		m->meters[i] = npf_meter_new(&meter);
		good = m->meters[i] != NULL;
	}
	if (!good)
		return npf_monitor_free(m);
	m->pending->n_rows = conf->n_rows;
	return m;
}

struct npf_monitor *npf_monitor_free(struct npf_monitor *m)
{
	if (m == NULL)
		return NULL;
	for (unsigned int i = 0; i <= m->conf.n_lcores; i++)
		npf_meter_free(m->meters[i]);
	free(m->pending);
	free(m->last);
	free(m->total);
	free(m);
	return NULL;
}

struct npf_meter *const *npf_monitor_meters(struct npf_monitor *m)
{
	return m->meters;
}

size_t npf_monitor_memory(const struct npf_monitor *m)
{
	size_t memory = sizeof(*m) + (m->conf.n_lcores + 1) * sizeof(m->meters[0]) +
			sizeof(*m->pending) + 3 * m->conf.n_rows * sizeof(struct npf_wire_tally);

	for (unsigned int i = 0; i <= m->conf.n_lcores; i++)
		memory += m->meters[i]->memory;
	return memory;
}

static uint64_t end_of(const struct npf_monitor *m, uint64_t number)
{
	return m->start_ns + (number + 1) * m->conf.interval_ns;
}

static void heed_clock(struct npf_monitor *m)
{
	uint64_t now = real_offset();
	int64_t moved = (int64_t)(now - m->offset);

	if (moved > (int64_t)CLOCK_SET_NS || moved < -(int64_t)CLOCK_SET_NS)
		m->offset = now;
}

/* Nobody looks after the meter of sent packets while nothing is sent. */
static void roll_sent(const struct npf_monitor *m, uint64_t mono_ns)
{
	pthread_mutex_lock(m->conf.sent_lock);
	npf_meter_roll(m->meters[m->conf.n_lcores], mono_ns);
	pthread_mutex_unlock(m->conf.sent_lock);
}

static bool is_closed(const struct npf_monitor *m, uint64_t mono_ns)
{
	roll_sent(m, mono_ns);
	for (unsigned int i = 0; i <= m->conf.n_lcores; i++) {
		if (!m->live && i < m->conf.n_lcores)
			npf_meter_roll(m->meters[i], mono_ns);
		if (!npf_meter_is_closed(m->meters[i], m->number))
			return false;
	}
	return true;
}

static void collect(struct npf_monitor *m)
{
	struct npf_wire_interval *iv = m->pending;

	memset(m->last, 0, m->conf.n_rows * sizeof(*m->last));
	for (unsigned int i = 0; i <= m->conf.n_lcores; i++)
		npf_meter_collect(m->meters[i], m->number, m->last);
	if (iv->covers++ == 0) {
		iv->number = m->number;
		iv->start_ns = end_of(m, m->number) - m->conf.interval_ns + m->offset;
		memset(iv->rows, 0, m->conf.n_rows * sizeof(iv->rows[0]));
	}
	for (unsigned int i = 0; i < m->conf.n_rows; i++) {
		npf_meter_extend(&iv->rows[i], &m->last[i]);
		npf_meter_extend(&m->total[i], &m->last[i]);
	}
	m->last_end_ns = end_of(m, m->number) + m->offset;
	m->number++;
}

static void tell(struct npf_monitors *ms, struct npf_monitor *m)
{
	bool taken;

	ms->telling = m;
	pthread_mutex_unlock(&ms->lock);
	taken = m->conf.sink(m->conf.arg, m->pending, m->last_end_ns);
	pthread_mutex_lock(&ms->lock);
	if (taken)
		m->pending->covers = 0;
	ms->telling = NULL;
	pthread_cond_signal(&ms->told);
}

/* All that m has to do by now. Return: when it has something to do again; 0: it was stopped, and
 * the list is another one. */
static uint64_t serve(struct npf_monitors *ms, struct npf_monitor *m)
{
	uint64_t now = npf_clock_monotonic(), due;

	heed_clock(m);
	for (;;) {
		due = end_of(m, m->number);
		if (now < due)
			return due + GRACE_NS;
		if (!is_closed(m, now))
			return now + RETRY_NS;
		collect(m);
		tell(ms, m);
		if (m->stopped)
			return 0;
	}
}

static void *work(void *arg)
{
	struct npf_monitors *ms = arg;

	prctl(PR_SET_TIMERSLACK, 1ul);
	prctl(PR_SET_NAME, "npf-monitor");
	pthread_mutex_lock(&ms->lock);
	while (!ms->stop) {
		uint64_t due = UINT64_MAX;

		for (struct npf_monitor *m = ms->list; m != NULL && due > 0; m = m->next) {
			uint64_t next = serve(ms, m);

			due = NPF_MIN(due, next);
		}
		if (due == 0) {
			continue;
		} else if (due == UINT64_MAX) {
			pthread_cond_wait(&ms->changed, &ms->lock);
		} else {
			struct timespec ts = {
				.tv_sec = (time_t)(due / NPF_NS_PER_S),
				.tv_nsec = (long)(due % NPF_NS_PER_S),
			};

			pthread_cond_timedwait(&ms->changed, &ms->lock, &ts);
		}
	}
	pthread_mutex_unlock(&ms->lock);
	return NULL;
}

struct npf_monitors *npf_monitors_new(void)
{
	struct npf_monitors *ms = calloc(1, sizeof(*ms));
	pthread_condattr_t attr;

	if (ms == NULL)
		return NULL;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_mutex_init(&ms->lock, NULL);
	pthread_cond_init(&ms->changed, &attr);
	pthread_cond_init(&ms->told, NULL);
	pthread_condattr_destroy(&attr);
	return ms;
}

struct npf_monitors *npf_monitors_free(struct npf_monitors *ms)
{
	if (ms == NULL)
		return NULL;
	pthread_mutex_lock(&ms->lock);
	ms->stop = true;
	pthread_cond_signal(&ms->changed);
	pthread_mutex_unlock(&ms->lock);
	if (ms->running)
		pthread_join(ms->thread, NULL);
	pthread_cond_destroy(&ms->changed);
	pthread_cond_destroy(&ms->told);
	pthread_mutex_destroy(&ms->lock);
	free(ms);
	return NULL;
}

int npf_monitor_start(struct npf_monitors *ms, struct npf_monitor *m)
{
	int rc = 0;

	pthread_mutex_lock(&ms->lock);
	if (!ms->running)
		rc = -pthread_create(&ms->thread, NULL, work, ms);
	if (rc == 0) {
		ms->running = true;
		m->next = ms->list;
		ms->list = m;
		pthread_cond_signal(&ms->changed);
	}
	pthread_mutex_unlock(&ms->lock);
	return rc;
}

void npf_monitor_stop(struct npf_monitors *ms, struct npf_monitor *m)
{
	pthread_mutex_lock(&ms->lock);
	for (struct npf_monitor **at = &ms->list; *at != NULL; at = &(*at)->next)
		if (*at == m) {
			*at = m->next;
			break;
		}
	m->stopped = true;
	while (ms->telling == m)
		pthread_cond_wait(&ms->told, &ms->lock);
	pthread_mutex_unlock(&ms->lock);
}

void npf_monitor_finish(struct npf_monitor *m)
{
	uint64_t now = npf_clock_monotonic();
	uint64_t last = (now - m->start_ns) / m->conf.interval_ns;

	heed_clock(m);
	for (unsigned int i = 0; i <= m->conf.n_lcores; i++)
		npf_meter_turn(m->meters[i], now);
	for (;;) {
		bool is_last = m->number >= last;

		collect(m);
		if (is_last)
			m->last_end_ns = now + m->offset;
		if (m->conf.sink(m->conf.arg, m->pending, m->last_end_ns))
			m->pending->covers = 0;
		if (is_last)
			return;
	}
}

void npf_monitor_set_live(struct npf_monitors *ms, struct npf_monitor *m, bool live)
{
	pthread_mutex_lock(&ms->lock);
	m->live = live;
	pthread_mutex_unlock(&ms->lock);
}

int npf_monitor_view(
	struct npf_monitors *ms, const struct npf_monitor *m, struct npf_monitor_view *v)
{
	size_t size = m->conf.n_rows * sizeof(struct npf_wire_tally);

	*v = (struct npf_monitor_view){.last = malloc(size), .total = malloc(size)};
	if (v->last == NULL || v->total == NULL) {
		free(v->last);
		free(v->total);
		return -ENOMEM;
	}
	pthread_mutex_lock(&ms->lock);
	v->n_intervals = m->number;
	v->last_end_ns = m->last_end_ns;
	memcpy(v->last, m->last, size);
	memcpy(v->total, m->total, size);
	pthread_mutex_unlock(&ms->lock);
	return 0;
}
