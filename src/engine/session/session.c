/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * session.c - sessions come, change and go; each change is made whole or not at all.
 *
 * The order is always the same: make what is new, put it into the session, replan, and only then
 * free what was replaced, since npf_engine_replan() returns when no tap uses it any more.
 */
#include "engine/session/session.h"

#include "base/clock.h"
#include "engine/core/core.h"
#include "engine/dump/dump.h"
#include "base/log.h"
#include "engine/monitor/monitor.h"

#include <string.h>

#define KIB 1024ull

struct npf_memory_conf npf_session_buffer_conf(const struct npf_engine *e,
	const struct npf_session *s, uint64_t size, unsigned int n_lanes)
{
	return (struct npf_memory_conf){
		.buffer = {.size = size,
			.n_lanes = (uint16_t)n_lanes,
			.hugepages = e->hugepages,
			.overwrite = (s->flags & NPF_WIRE_OPEN_OVERWRITE) != 0},
	};
}

int npf_session_make_buffer(const struct npf_engine *e, struct npf_requester *requester,
	const struct npf_memory_conf *conf, struct npf_memory *mem, struct npf_error *err)
{
	int rc = npf_memory_check_size(&e->conf->npf.limits, conf->buffer.size, err);

	return rc == 0 ? npf_memory_get(requester, conf, mem, err) : rc;
}

/* The wake-up rules of params; a buffer that is half full wakes its reader in any case. */
static void apply_wake(struct npf_session *s)
{
	struct npf_buffer_info info;
	uint64_t mintocopy = s->params.mintocopy;

	if (s->consumer.buffer == NULL)
		return;
	npf_buffer_info(s->consumer.buffer, &info);
	/* Counts are not held back: there is one record an interval. */
	if ((s->params.flags & NPF_WIRE_OPEN_IMMEDIATE) != 0 || s->monitor != NULL)
		mintocopy = 0;
	npf_buffer_set_wake(s->consumer.buffer, NPF_MIN(mintocopy, info.size / 2),
		s->params.timeout_ms * NPF_NS_PER_MS);
}

void npf_session_update(struct npf_session *s)
{
	bool screens = npf_session_screens(s);

	s->consumer.takes =
		s->consumer.buffer != NULL && s->monitor == NULL && s->dump == NULL && !s->ended;
	s->consumer.payer = s->account;
	s->consumer.form = (struct npf_tap_client){
		.session = s->id,
		.owner = s->id,
		.filter_in = s->filter_in,
		.filter_out = s->filter_out,
		/* A filter may look beyond what is to be kept. */
		.snaplen = screens ? NPF_REC_MAXCAP : s->snaplen,
		.screens = screens,
		.filter_gen = atomic_load_explicit(&s->filter_gen, memory_order_relaxed),
		.want_in = s->params.direction != NPF_WIRE_OUT,
		.want_out = s->params.direction != NPF_WIRE_IN,
		.want_own = (s->params.flags & NPF_WIRE_OPEN_NO_OWN) == 0,
		.bell = &s->bell,
	};
}

static int replan(struct npf_engine *e, struct npf_session *s)
{
	npf_session_update(s);
	return npf_engine_replan(e);
}

static void append(struct npf_engine *e, struct npf_session *s)
{
	struct npf_session **at = &e->sessions;

	while (*at != NULL)
		at = &(*at)->next;
	*at = s;
	s->next = NULL;
	npf_session_update(s);
	npf_consumer_add(&s->consumer);
}

static void unlink_session(struct npf_engine *e, struct npf_session *s)
{
	struct npf_session **at = &e->sessions;

	while (*at != NULL && *at != s)
		at = &(*at)->next;
	if (*at != NULL)
		*at = s->next;
	npf_consumer_remove(&s->consumer);
}

static void free_session(struct npf_engine *e, struct npf_session *s)
{
	if (s == NULL)
		return;
	npf_memory_free(e->tasks, &s->memory);
	npf_discharge(&s->charge);
	npf_filter_free(s->filter_in);
	npf_filter_free(s->filter_out);
	npf_doorbell_fini(&s->bell);
	npf_account_put(s->account);
	npf_dump_put(s->dump);
	npf_engine_port_put(s->port);
	free(s->consumer.tap_counters);
	free(s);
}

static int prepare_capture(struct npf_engine *e, struct npf_requester *requester,
	struct npf_session *s, struct npf_error *err)
{
	struct npf_memory_conf conf =
		npf_session_buffer_conf(e, s, s->packet_buffer, s->port->n_taps);
	int rc;

	rc = npf_memory_check_size(&e->conf->npf.limits, s->packet_buffer, err);
	if (rc == 0 && (s->flags & NPF_WIRE_OPEN_IDLE) == 0)
		rc = npf_session_make_buffer(e, requester, &conf, &s->memory, err);
	if (rc < 0)
		return rc;
	s->consumer.buffer = s->memory.buffer;
	rc = npf_doorbell_init(&s->bell, npf_account_wakes(s->account));
	s->consumer.tap_counters = aligned_alloc(
		NPF_CACHELINE, npf_session_n_counters(s->port) * sizeof(*s->consumer.tap_counters));
	if (rc < 0 || s->consumer.tap_counters == NULL)
		return npf_error_set(err, -ENOMEM, "the daemon is out of memory or descriptors");
	memset(s->consumer.tap_counters, 0,
		npf_session_n_counters(s->port) * sizeof(*s->consumer.tap_counters));
	apply_wake(s);
	return 0;
}

/* As libpcap does on the interface itself. */
static int check_iface(
	const struct npf_port *port, const struct npf_wire_open *req, struct npf_error *err)
{
	const uint32_t no_capture = NPF_WIRE_OPEN_IDLE | NPF_WIRE_OPEN_SEND_ONLY;

	if (port->iface.state == NPF_IFACE_ABSENT)
		return npf_error_set(err, -ENODEV,
			"port %s: its interface %s has disappeared; the port goes on when it comes "
			"back",
			req->port, port->iface.name);
	if (port->iface.state == NPF_IFACE_DOWN && (req->flags & no_capture) == 0)
		return npf_error_set(err, -ENETDOWN,
			"port %s: its interface %s is down; `ip link set %s up` lets it run",
			req->port, port->iface.name, port->iface.name);
	return 0;
}

/* Memory comes first: what is before it is done twice. */
static int prepare(struct npf_engine *e, const struct npf_session_spec *spec,
	const struct npf_filter_source *source, struct npf_session *s, struct npf_error *err)
{
	const struct npf_wire_open *req = spec->req;
	struct npf_requester *requester = spec->requester;
	uint64_t size = req->buffer_size != 0 ? req->buffer_size : e->conf->npf.buffer * KIB;
	struct npf_filter_pair filters;
	int rc = 0;

	s->packet_buffer = NPF_MAX(size, (uint64_t)NPF_BUFFER_MIN);
	if (requester != NULL)
		rc = npf_charge(
			requester->accounts, requester->uid, NPF_RES_SESSIONS, 1, &s->charge, err);
	if (rc == 0 && (req->flags & NPF_WIRE_OPEN_SEND_ONLY) == 0)
		rc = prepare_capture(e, requester, s, err);
	if (rc == 0)
		rc = npf_filter_pair_compile(requester, source, &filters, err);
	if (rc < 0)
		return rc;
	s->n_insns = req->n_insns;
	s->filter_in = filters.in;
	s->filter_out = filters.out;
	return 0;
}

static struct npf_session *new_session(
	struct npf_engine *e, struct npf_engine_port *port, const struct npf_session_spec *spec)
{
	const struct npf_wire_open *req = spec->req;
	const struct npf_peer *peer = spec->peer;
	struct npf_session *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->port = npf_engine_port_get(port);
	s->consumer.port = port;
	s->peer = *peer;
	s->peer.groups = NULL;
	s->peer.n_groups = 0;
	s->snaplen = NPF_MIN(req->snaplen, NPF_REC_MAXCAP);
	s->flags = req->flags;
	s->consumer.looks =
		(s->flags & NPF_WIRE_OPEN_LOOK) != 0 && npf_engine_port_has_demand(port);
	s->params = req->params;
	s->params.flags |= req->flags & (NPF_WIRE_OPEN_IMMEDIATE | NPF_WIRE_OPEN_NO_OWN);
	s->bell = NPF_DOORBELL_NONE;
	s->opened_ns = npf_clock_realtime();
	s->account = npf_account_get(e->accounts, peer->uid);
	if (s->account != NULL)
		return s;
	free_session(e, s);
	return NULL;
}

/* May, and can, the peer have a session there? */
static int check_open(const struct npf_engine_port *port, const struct npf_session_spec *spec,
	struct npf_error *err)
{
	const char *name = spec->req->port;

	if (port == NULL)
		return npf_error_set(
			err, -ENODEV, "there is no port %s; `npfctl ports` lists them", name);
	if (!npf_access_port(port->allow, spec->peer))
		return npf_error_set(err, -EACCES,
			"user %u may not use port %s; its `allow` list in the daemon's "
			"configuration says who may",
			(unsigned int)spec->peer->uid, name);
	return check_iface(&port->port, spec->req, err);
}

int npf_session_open(struct npf_engine *e, const struct npf_session_spec *spec,
	struct npf_session **sp, struct npf_error *err)
{
	struct npf_engine_port *port = npf_engine_find_port(e, spec->req->port);
	struct npf_filter_source source;
	struct npf_session *s;
	int rc = check_open(port, spec, err);

	if (rc < 0)
		return rc;
	source = npf_filter_source(e, port, spec->insns, spec->req->n_insns);
	rc = npf_filters_ahead(spec->requester, &source, 1, err);
	if (rc < 0)
		return rc;
	s = new_session(e, port, spec);
	if (s == NULL)
		return npf_error_set(err, -ENOMEM, "the daemon is out of memory");
	rc = prepare(e, spec, &source, s, err);
	if (rc < 0) {
		free_session(e, s);
		return rc;
	}
	s->id = e->next_session++;
	npf_port_stats(&port->port, &s->port_base);
	append(e, s);
	rc = npf_consumer_read(&s->consumer, err);
	if (rc == 0)
		rc = npf_engine_replan(e);
	if (rc < 0) {
		npf_session_close(e, s);
		return rc;
	}
	*sp = s;
	return 0;
}

/* Remove it from the plans and free it. Return: 0, or -ENOMEM: plans still have it. */
static int try_free(struct npf_engine *e, struct npf_session *s)
{
	int rc = npf_engine_release_port(e, s->port);

	if (rc < 0)
		return rc;
	s->monitor = npf_monitor_free(s->monitor);
	free_session(e, s);
	return 0;
}

struct npf_session *npf_session_close(struct npf_engine *e, struct npf_session *s)
{
	npf_dumps_stop_model(e, &s->consumer);
	unlink_session(e, s);
	npf_session_end_send(e, s);
	npf_monitor_unlink(e, s->monitor);
	if (try_free(e, s) < 0) {
		/* It stays whole until there is memory for plans without it. */
		npf_err("out of memory: session %llu is freed later", (unsigned long long)s->id);
		s->next = e->leaving;
		e->leaving = s;
	}
	return NULL;
}

int npf_session_read(struct npf_engine *e, struct npf_session *s, struct npf_error *err)
{
	int rc;

	if (!s->consumer.looks)
		return 0;
	s->consumer.looks = false;
	rc = npf_consumer_read(&s->consumer, err);
	if (rc == 0) {
		rc = npf_engine_replan(e);
		if (rc == 0)
			return 0;
		npf_error_set(err, rc, "the daemon is out of memory");
		npf_consumer_release(&s->consumer);
	}
	s->consumer.looks = true;
	return rc;
}

/* Only the control thread writes it. */
static void step_generation(struct npf_session *s, int step)
{
	uint16_t gen = atomic_load_explicit(&s->filter_gen, memory_order_relaxed);

	atomic_store_explicit(&s->filter_gen, (uint16_t)(gen + step), memory_order_relaxed);
}

int npf_session_set_filter(struct npf_engine *e, struct npf_requester *requester,
	struct npf_session *s, const struct npf_bpf_insn *insns, uint32_t n_insns,
	struct npf_error *err)
{
	struct npf_filter_pair now, old = {s->filter_in, s->filter_out};
	struct npf_filter_source source = npf_filter_source(e, s->port, insns, n_insns);
	int rc = npf_filters_ahead(requester, &source, 1, err);

	if (rc == 0)
		rc = npf_filter_pair_compile(requester, &source, &now, err);
	if (rc < 0)
		return rc;
	s->filter_in = now.in;
	s->filter_out = now.out;
	step_generation(s, 1);
	rc = replan(e, s);
	if (rc < 0) {
		s->filter_in = old.in;
		s->filter_out = old.out;
		step_generation(s, -1);
		npf_session_update(s);
		npf_filter_pair_free(&now);
		return npf_error_set(
			err, rc, "the daemon is out of memory; the old filter stays in force");
	}
	s->n_insns = n_insns;
	npf_filter_pair_free(&old);
	return 0;
}

int npf_session_set_params(
	struct npf_engine *e, struct npf_session *s, const struct npf_wire_params *params)
{
	struct npf_wire_params old = s->params;
	int rc;

	s->params = *params;
	rc = replan(e, s);
	if (rc < 0) {
		s->params = old;
		npf_session_update(s);
		return rc;
	}
	apply_wake(s);
	return 0;
}

static void close_buffer(struct npf_session *s, struct npf_buffer *b)
{
	npf_buffer_close(b);
	if (npf_doorbell_ring(&s->bell) > 0)
		s->owes_ring = true;
}

void npf_sessions_tick(struct npf_engine *e)
{
	/* Cleared first, so that what a monitor's worker sets meanwhile is not lost. */
	for (struct npf_session *s = e->sessions; s != NULL; s = s->next)
		if (atomic_exchange(&s->owes_ring, false) && npf_doorbell_ring(&s->bell) > 0)
			s->owes_ring = true;
	for (struct npf_session *s = e->sessions; s != NULL; s = s->next)
		npf_session_tell_over_budget(s);
	while (e->leaving != NULL) {
		struct npf_session *s = e->leaving;

		e->leaving = s->next;
		if (try_free(e, s) == 0)
			continue;
		e->leaving = s;
		break;
	}
}

void npf_session_end_capture(struct npf_session *s)
{
	s->ended = s->ended || s->consumer.takes;
	npf_session_update(s);
}

void npf_session_end(struct npf_session *s)
{
	if (s->consumer.buffer != NULL)
		close_buffer(s, s->consumer.buffer);
}

int npf_session_switch(struct npf_engine *e, struct npf_session *s, struct npf_memory *memory,
	struct npf_monitor *monitor, struct npf_error *err)
{
	struct npf_buffer *old = s->consumer.buffer;
	struct npf_memory old_memory = s->memory;
	struct npf_monitor *old_monitor = s->monitor;
	int rc;

	s->consumer.buffer = memory->buffer;
	rc = npf_consumer_read(&s->consumer, err);
	if (rc < 0) {
		s->consumer.buffer = old;
		return rc;
	}
	s->monitor = monitor;
	npf_monitor_unlink(e, old_monitor);
	npf_monitor_link(e, monitor);
	apply_wake(s);
	rc = replan(e, s);
	if (rc < 0) {
		if (old == NULL)
			npf_consumer_release(&s->consumer);
		npf_monitor_unlink(e, monitor);
		npf_monitor_link(e, old_monitor);
		s->consumer.buffer = old;
		s->monitor = old_monitor;
		npf_session_update(s);
		return npf_error_set(err, rc, "the daemon is out of memory; all stays as it was");
	}
	s->memory = *memory;
	*memory = (struct npf_memory){0};
	/* The reader has the old buffer mapped: it drains that to its end, then goes on with the
	 * new one. */
	npf_monitor_stop(old_monitor);
	if (old == NULL)
		return 0;
	close_buffer(s, old);
	if (old_monitor == NULL)
		npf_session_count_buffer(old, &s->retired);
	npf_monitor_free(old_monitor);
	npf_memory_free(e->tasks, &old_memory);
	return 0;
}

int npf_session_set_buffer(struct npf_engine *e, struct npf_requester *requester,
	struct npf_session *s, uint64_t size, struct npf_error *err)
{
	struct npf_memory_conf conf;
	struct npf_memory fresh;
	int rc;

	if (s->consumer.buffer == NULL)
		return npf_error_set(
			err, -EINVAL, "this session captures nothing: it has no buffer");
	if (s->monitor != NULL)
		return npf_error_set(err, -EBUSY,
			"a session that monitors has no buffer for packets: set it when it "
			"captures again");
	if (size < NPF_BUFFER_MIN)
		size = NPF_BUFFER_MIN;
	conf = npf_session_buffer_conf(e, s, size, s->port->n_taps);
	rc = npf_session_make_buffer(e, requester, &conf, &fresh, err);
	if (rc < 0)
		return rc;
	rc = npf_session_switch(e, s, &fresh, NULL, err);
	if (rc < 0)
		npf_memory_free(e->tasks, &fresh);
	else
		s->packet_buffer = size;
	return rc;
}

bool npf_session_screens(const struct npf_session *s)
{
	return s->filter_in != NULL && npf_filter_is_loose(s->filter_in);
}

int npf_session_fault(const struct npf_session *s)
{
	if (s->consumer.buffer != NULL && npf_buffer_fault(s->consumer.buffer) < 0)
		return -EPROTO;
	return npf_session_send_fault(s);
}
