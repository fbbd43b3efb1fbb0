/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dump.c - the life of a dump: made whole or not at all, put into the plans, taken out, reaped.
 *
 * The producer changes hands: the creator's until the first plan, then the tap's (or, with several
 * taps, the worker's, in merge_taps()), then, once no plan has the dump, ours again to end it.
 */
#include "engine/dump/dump.h"

#include "base/clock.h"
#include "writer/feed/feed.h"
#include "engine/dump/index.h"
#include "engine/dump/make.h"
#include "expression/expression.h"
#include "base/log.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#define GRACE_NS   (10 * NPF_NS_PER_S) /* for a disk that is busy, when the daemon ends ... */
#define REFUSED_NS (2 * NPF_NS_PER_S)  /* ... and for one that refuses */

/* Add its consumer to the port's list. Like a session it counts among the readers of its port. */
static void link_consumer(struct npf_dump *d)
{
	d->consumer.takes = d->consumer.reads = d->consumer.uses = true;
	npf_consumer_add(&d->consumer);
}

static void append(struct npf_engine *e, struct npf_dump *d, const struct npf_consumer *model)
{
	struct npf_dump **at = &e->dumps;

	while (*at != NULL)
		at = &(*at)->next;
	*at = d;
	d->consumer = (struct npf_consumer){
		.port = d->port,
		.buffer = d->buffer,
		.tap_counters = d->tap_counters,
		.payer = d->charge.account,
		.model = model,
		.form = {.session = d->id,
			.dump = d->buffer == NULL ? &d->producer : NULL,
			.filter_in = d->filter_in,
			.filter_out = d->filter_out,
			.snaplen = d->params.snaplen,
			.want_in = true,
			.want_out = true,
			.want_own = true},
	};
	link_consumer(d);
}

/* Is there such a dump in the configuration, though its port may not be there now? */
static bool is_configured(const struct npf_engine *e, const char *name)
{
	for (unsigned int i = 0; i < e->conf->n_dumps; i++)
		if (strcmp(name, e->conf->dumps[i].name) == 0)
			return true;
	return false;
}

static bool is_taken(const struct npf_engine *e, const char *name)
{
	return is_configured(e, name) || npf_dump_find(e, name) != NULL;
}

static void make_name(const struct npf_engine *e, char *name, size_t size)
{
	uint64_t n = e->next_session;

	do
		snprintf(name, size, "dump-%llu", (unsigned long long)n++);
	while (is_taken(e, name));
}

int npf_dump_new(struct npf_engine *e, const struct npf_dump_spec *asked, struct npf_dump **dp,
	struct npf_error *err)
{
	const char *conflict = npf_writer_params_conflict(&asked->params);
	struct npf_dump_spec spec = *asked;
	char name[NPF_WIRE_NAMELEN];
	int rc = 0;

	if (spec.name == NULL || spec.name[0] == '\0') {
		make_name(e, name, sizeof(name));
		spec.name = name;
	} else if (spec.requester != NULL && is_configured(e, spec.name)) {
		return npf_error_set(err, -EEXIST,
			"the configuration has a dump \"%.60s\": choose another name", spec.name);
	}
	if (conflict != NULL)
		return npf_error_set(err, -EINVAL, "%s", conflict);
	npf_writer_params_complete(&spec.params);
	if (spec.index != NULL)
		rc = npf_dump_index_check(spec.index, err);
	if (rc == 0)
		rc = npf_dump_make(e, &spec, dp, err);
	if (rc == 0)
		append(e, *dp, spec.model);
	return rc;
}

static int start_port(const struct npf_dump *d, struct npf_error *err)
{
	int rc = npf_port_start(&d->port->port);

	return rc < 0 ? npf_error_set(err, rc, "port %s can't be started: %s", d->port_name,
				strerror(-rc))
		      : 0;
}

/* Stop it, now or later: its model may be freed before there is memory for new plans. */
static void force_stop(struct npf_engine *e, struct npf_dump *d)
{
	d->must_stop = true;
	npf_dump_stop(e, d);
	d->consumer.model = NULL;
}

int npf_dump_run(struct npf_engine *e, struct npf_dump *d, struct npf_error *err)
{
	int rc = start_port(d, err);

	if (rc == 0) {
		rc = npf_engine_replan(e);
		if (rc < 0)
			npf_error_set(err, rc, "the daemon is out of memory");
	}
	if (rc < 0)
		force_stop(e, d);
	return rc;
}

int npf_dump_start(struct npf_engine *e, const struct npf_dump_spec *spec, struct npf_dump **dp,
	struct npf_error *err)
{
	int rc = npf_dump_new(e, spec, dp, err);

	return rc == 0 ? npf_dump_run(e, *dp, err) : rc;
}

struct npf_dump *npf_dump_get(struct npf_dump *d)
{
	d->n_refs++;
	return d;
}

struct npf_dump *npf_dump_put(struct npf_dump *d)
{
	if (d != NULL)
		d->n_refs--;
	return NULL;
}

static int prepare_configured(
	struct npf_engine *e, const struct npf_config_dump *c, struct npf_error *err)
{
	npf_autofree struct npf_bpf_insn *insns = NULL;
	struct npf_dump_spec spec = {
		.name = c->name,
		.port = c->port,
		.filter = c->filter,
		.comment = c->comment,
		.file = c->file,
		.index = c->index,
		.fd = -1,
		.params = c->params,
		.uid = geteuid(),
	};
	struct npf_dump *d;
	int rc;

	rc = npf_expression_compile(
		&(struct npf_expression){
			c->filter, npf_engine_find_port(e, c->port)->port.linktype, NPF_REC_MAXCAP},
		&insns, &spec.n_insns, err);
	spec.insns = insns;
	return rc == 0 ? npf_dump_new(e, &spec, &d, err) : rc;
}

int npf_dumps_start_configured(
	struct npf_engine *e, const struct npf_engine_port *only, struct npf_error *err)
{
	int rc = 0;

	for (unsigned int i = 0; i < e->conf->n_dumps; i++) {
		if (only != NULL && strcmp(e->conf->dumps[i].port, only->port.conf->name) != 0)
			continue;
		rc = prepare_configured(e, &e->conf->dumps[i], err);
		if (rc < 0)
			return npf_error_set(
				err, rc, "dump %s: %s", e->conf->dumps[i].name, err->text);
	}
	/* All at once, so that of a replay none misses the beginning. */
	for (struct npf_dump *d = e->dumps; d != NULL && rc == 0; d = d->next)
		if (only == NULL || (d->port == only && d->life == NPF_DUMP_RUNNING))
			rc = start_port(d, err);
	return rc == 0 && e->dumps != NULL ? npf_engine_replan(e) : rc;
}

/* ---- ending one ---- */

int npf_dump_stop(struct npf_engine *e, struct npf_dump *d)
{
	int rc;

	if (d->life != NPF_DUMP_RUNNING)
		return 0;
	d->life = NPF_DUMP_ENDING;
	npf_consumer_remove(&d->consumer);
	rc = npf_engine_release_port(e, d->port);
	if (rc < 0) {
		/* No memory for a plan without it: it goes on, and is stopped by a later call. */
		if (!d->must_stop)
			link_consumer(d);
		d->life = NPF_DUMP_RUNNING;
		return rc;
	}
	if (d->buffer != NULL)
		npf_buffer_close(d->buffer);
	else
		npf_writer_end(&d->producer);
	return 0;
}

void npf_dumps_stop_model(struct npf_engine *e, const struct npf_consumer *model)
{
	for (struct npf_dump *d = e->dumps; d != NULL; d = d->next)
		if (d->consumer.model == model)
			force_stop(e, d);
}

void npf_dumps_stop_kept(struct npf_engine *e, const void *keeper)
{
	for (struct npf_dump *d = e->dumps; d != NULL; d = d->next) {
		if (d->keeper != keeper)
			continue;
		d->keeper = NULL;
		force_stop(e, d);
	}
}

unsigned int npf_dumps_count_lasting(const struct npf_engine *e, uid_t uid)
{
	unsigned int n = 0;

	for (const struct npf_dump *d = e->dumps; d != NULL; d = d->next)
		n += d->uid == uid && d->keeper == NULL && !npf_dump_is_over(d);
	return n;
}

bool npf_dump_is_over(const struct npf_dump *d)
{
	return d->life != NPF_DUMP_RUNNING || atomic_load(&d->ring->over);
}

struct npf_dump *npf_dump_find(const struct npf_engine *e, const char *name)
{
	struct npf_dump *found = NULL;

	/* A running one before one that is only remembered. */
	for (struct npf_dump *d = e->dumps; d != NULL; d = d->next)
		if (strcmp(d->name, name) == 0 && (found == NULL || d->life != NPF_DUMP_DONE))
			found = d;
	return found;
}

void npf_dump_refresh(struct npf_dump *d)
{
	const struct npf_writer_counters *c = &d->producer.counters;

	if (d->life == NPF_DUMP_DONE)
		return;
	npf_writer_worker_status(d->worker, &d->state);
	d->counters.received = atomic_load_explicit(&c->received, memory_order_relaxed);
	d->counters.written = atomic_load_explicit(&c->written, memory_order_relaxed);
	d->counters.bytes = atomic_load_explicit(&c->bytes, memory_order_relaxed);
	d->counters.drop_disk = atomic_load_explicit(&c->drop_disk, memory_order_relaxed);
	d->counters.drop_oversize = atomic_load_explicit(&c->drop_oversize, memory_order_relaxed);
	if (d->life == NPF_DUMP_RUNNING) {
		d->counters.missed = npf_dump_port_missed(d) - d->base_missed;
		atomic_store_explicit(
			&d->producer.missed, d->counters.missed, memory_order_relaxed);
	}
}

void npf_dump_add_stats(struct npf_dump *d, struct npf_wire_stats *st)
{
	uint64_t framing;

	if (d == NULL)
		return;
	npf_dump_refresh(d);
	framing = d->producer.rotation.head + d->counters.written * NPF_WRITER_PCAP_RECORD;
	st->received += d->counters.received;
	st->accepted += d->counters.written + d->counters.drop_disk + d->counters.drop_oversize;
	st->captured += d->counters.written;
	st->captured_bytes += d->counters.bytes - NPF_MIN(framing, d->counters.bytes);
	st->drop_full += d->counters.drop_disk;
	st->drop_other += d->counters.drop_oversize;
}

static bool has_exited(const struct npf_dump *d, int timeout_ms)
{
	struct pollfd pfd = {.fd = npf_writer_worker_fd(d->worker), .events = POLLIN};

	return poll(&pfd, 1, timeout_ms) > 0;
}

static void reap(struct npf_dump *d)
{
	npf_dump_refresh(d);
	d->worker = npf_writer_worker_join(d->worker);
	d->life = NPF_DUMP_DONE;
	d->port = npf_engine_port_put(d->port);
	npf_dump_release_resources(d);
	npf_doorbell_ring(&d->done); /* the clients that wait have the other end */
	npf_doorbell_fini(&d->done);
}

/* Free the oldest of those that are only remembered. */
static void trim_history(struct npf_engine *e)
{
	unsigned int n_done = 0;

	for (const struct npf_dump *d = e->dumps; d != NULL; d = d->next)
		n_done += d->life == NPF_DUMP_DONE && d->n_refs == 0;
	for (struct npf_dump **at = &e->dumps; *at != NULL && n_done > NPF_DUMPS_DONE_MAX;) {
		struct npf_dump *d = *at;

		if (d->life != NPF_DUMP_DONE || d->n_refs > 0) {
			at = &d->next;
			continue;
		}
		*at = d->next;
		npf_dump_free(d);
		n_done--;
	}
}

void npf_dumps_tick(struct npf_engine *e)
{
	for (struct npf_dump *d = e->dumps; d != NULL; d = d->next) {
		if (d->life == NPF_DUMP_DONE)
			continue;
		npf_dump_refresh(d);
		if (d->life == NPF_DUMP_RUNNING &&
			(d->must_stop ||
				atomic_load_explicit(&d->ring->over, memory_order_acquire)))
			npf_dump_stop(e, d);
		if (d->life == NPF_DUMP_ENDING && has_exited(d, 0))
			reap(d);
	}
	trim_history(e);
}

/* Is all on disk? Not waited for longer than there is hope. */
static bool wait_for_disk(struct npf_dump *d, uint64_t since_ns)
{
	for (;;) {
		uint64_t waited = npf_clock_monotonic() - since_ns;

		if (has_exited(d, waited < GRACE_NS ? 50 : 0))
			return true;
		npf_dump_refresh(d);
		if (waited >= GRACE_NS || (d->state.error != 0 && waited >= REFUSED_NS))
			return false;
	}
}

/* Several taps: packets that they accepted and the worker has not merged. */
static uint64_t unmerged(const struct npf_dump *d)
{
	uint64_t merged = d->counters.written + d->counters.drop_disk + d->counters.drop_oversize;
	uint64_t accepted = 0;

	for (unsigned int i = 0; d->buffer != NULL && i < d->port->n_taps; i++)
		accepted +=
			atomic_load_explicit(&d->tap_counters[i].accepted, memory_order_relaxed);
	return accepted > merged ? accepted - merged : 0;
}

/* Ends a dump whose disk may not have taken all. Return: false: the disk holds its worker. */
static bool end_abandoned(struct npf_dump *d, uint64_t end_ns)
{
	uint64_t now = npf_clock_monotonic();

	if (!has_exited(d, now < end_ns ? (int)((end_ns - now) / NPF_NS_PER_MS) : 0)) {
		npf_dump_refresh(d);
		npf_err("dump %s: the disk does not answer: what it has not taken, up to %llu "
			"bytes, is lost, and the kernel keeps this process until it answers",
			d->name,
			(unsigned long long)(d->counters.bytes -
					     NPF_MIN(d->state.bytes, d->counters.bytes)));
		return false;
	}
	npf_dump_refresh(d);
	npf_warn("dump %s: the disk did not take what was left: %s; %llu packets are lost by it",
		d->name, d->state.error != 0 ? d->state.reason.text : "it is too slow",
		(unsigned long long)(d->state.lost + unmerged(d)));
	reap(d);
	return true;
}

void npf_dumps_end_all(struct npf_engine *e)
{
	uint64_t now = npf_clock_monotonic();

	for (struct npf_dump *d = e->dumps; d != NULL; d = d->next)
		npf_dump_stop(e, d);
	for (struct npf_dump *d = e->dumps; d != NULL; d = d->next) {
		if (d->life == NPF_DUMP_DONE)
			continue;
		if (wait_for_disk(d, now))
			reap(d);
		else
			npf_writer_worker_abandon(d->worker);
	}
	now = npf_clock_monotonic();
	while (e->dumps != NULL) {
		struct npf_dump *d = e->dumps;

		e->dumps = d->next;
		/* One that is held keeps its memory: its worker is still there. */
		if (d->life == NPF_DUMP_DONE || end_abandoned(d, now + NPF_NS_PER_S))
			npf_dump_free(d);
	}
}
