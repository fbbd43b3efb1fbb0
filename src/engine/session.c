/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * session.c - sessions come, change and go; each change is made whole or not at all.
 *
 * The order is always the same: make what is new, put it into the session, replan, and only then
 * free what was replaced, since npf_engine_replan() returns when no tap uses it any more.
 */
#include "engine/session.h"

#include "base/clock.h"
#include "engine/access.h"
#include "engine/account.h"
#include "engine/attend.h"
#include "engine/dumps.h"
#include "engine/log.h"
#include "engine/refuse.h"
#include "engine/watch.h"

#include <stdio.h>
#include <string.h>

#define KIB 1024ull
#define MIB (1024 * KIB)

/* What Linux's SKF_AD_PKTTYPE says of a packet. */
#define PKTTYPE_HOST     0
#define PKTTYPE_OUTGOING 4

static uint64_t memory_of(const struct npf_buffer *b)
{
	struct npf_buffer_info info;

	if (b == NULL)
		return 0;
	npf_buffer_info(b, &info);
	return info.memory;
}

static int check_limits(const struct npf_engine *e, uid_t uid, uint64_t size, unsigned int n_lanes,
	bool opening, struct npf_wire_error *err)
{
	const struct npf_config_limits *limits = &e->conf->npf.limits;
	uint64_t memory = 0;
	unsigned int n = 0;

	for (const struct npf_session *s = e->sessions; s != NULL; s = s->next) {
		if (s->peer.uid != uid)
			continue;
		n++;
		memory += memory_of(s->buffer) + npf_session_send_memory(s);
	}
	memory += npf_dumps_memory(e, uid);
	if (opening && n >= limits->sessions)
		return npf_refuse(err, -EDQUOT,
			"user %u has %u sessions open, the limit (npf.limits.sessions)",
			(unsigned int)uid, n);
	if (size > limits->buffer * MIB)
		return npf_refuse(err, -E2BIG,
			"a buffer of %llu MiB is more than the limit of %u MiB (npf.limits.buffer)",
			(unsigned long long)(size / MIB), limits->buffer);
	if (memory + size * n_lanes > limits->memory * MIB)
		return npf_refuse(err, -EDQUOT,
			"user %u would hold %llu MiB of buffers, the limit is %u MiB "
			"(npf.limits.memory)",
			(unsigned int)uid, (unsigned long long)((memory + size * n_lanes) / MIB),
			limits->memory);
	return 0;
}

static int make_buffer(const struct npf_engine *e, const struct npf_session *s, uint64_t size,
	unsigned int n_lanes, struct npf_buffer **bp, struct npf_wire_error *err)
{
	struct npf_buffer_conf conf = {
		.size = size,
		.n_lanes = (uint16_t)n_lanes,
		.hugepages = e->hugepages,
		.overwrite = (s->flags & NPF_WIRE_OPEN_OVERWRITE) != 0,
	};
	int rc = npf_buffer_new(&conf, bp);

	if (rc == -EMFILE || rc == -ENFILE)
		return npf_refuse(err, rc,
			"the daemon is out of descriptors: its limit of open files can be raised "
			"(ulimit -n, or LimitNOFILE= of its service)");
	if (rc < 0)
		return npf_refuse(err, rc,
			"a buffer of %llu KiB for each of %u lanes can't be had: %s; ask for a "
			"smaller one",
			(unsigned long long)(size / KIB), conf.n_lanes, strerror(-rc));
	return 0;
}

int npf_session_check_memory(const struct npf_engine *e, const struct npf_session *s, uint64_t size,
	struct npf_wire_error *err)
{
	return check_limits(e, s->peer.uid, size, 1, false, err);
}

int npf_session_make_buffer(const struct npf_engine *e, const struct npf_session *s, uint64_t size,
	unsigned int n_lanes, struct npf_buffer **bp, struct npf_wire_error *err)
{
	int rc = check_limits(e, s->peer.uid, size, n_lanes, false, err);

	return rc == 0 ? make_buffer(e, s, size, n_lanes, bp, err) : rc;
}

/* The wake-up rules of params; a buffer that is half full wakes its reader in any case. */
static void apply_wake(struct npf_session *s)
{
	struct npf_buffer_info info;
	uint64_t mintocopy = s->params.mintocopy;

	if (s->buffer == NULL)
		return;
	npf_buffer_info(s->buffer, &info);
	/* Counts are not held back: there is one record an interval. */
	if ((s->params.flags & NPF_WIRE_OPEN_IMMEDIATE) != 0 || s->watch != NULL)
		mintocopy = 0;
	npf_buffer_set_wake(
		s->buffer, NPF_MIN(mintocopy, info.size / 2), s->params.timeout_ms * NPF_NS_PER_MS);
}

struct compiled {
	struct npf_filter *in, *out;
};

static void free_compiled(struct compiled *c)
{
	c->in = npf_filter_free(c->in);
	c->out = npf_filter_free(c->out);
}

/* A filter is compiled twice: direction and port are constants then (`inbound`, `ifindex`). */
static int compile(const struct npf_engine *e, const struct npf_port *port,
	const struct npf_bpf_insn *insns, uint32_t n_insns, struct compiled *c,
	struct npf_wire_error *err)
{
	struct npf_bpf_aux in = {PKTTYPE_HOST, port->index}, out = {PKTTYPE_OUTGOING, port->index};
	struct npf_filter_opts opts = {.aux = &in, .loose = true};
	struct npf_bpf_error bad = {0};
	int rc;

	*c = (struct compiled){0};
	if (n_insns == 0)
		return 0;
	if (n_insns > e->conf->npf.limits.filter)
		return npf_refuse(err, -E2BIG,
			"a filter of %u instructions is longer than the limit of %u "
			"(npf.limits.filter)",
			n_insns, e->conf->npf.limits.filter);
	npf_backend_from_env(&opts.backend);
	rc = npf_filter_compile(insns, n_insns, &opts, &c->in, &bad);
	opts.aux = &out;
	if (rc == 0)
		rc = npf_filter_compile(insns, n_insns, &opts, &c->out, &bad);
	if (rc == 0)
		return 0;
	free_compiled(c);
	if (rc == -EINVAL)
		return npf_refuse(err, rc,
			"the filter is not a valid BPF program: instruction %u: %s", bad.pc,
			bad.reason);
	return npf_refuse(err, rc, "the filter can't be compiled: %s", strerror(-rc));
}

int npf_session_compile(const struct npf_engine *e, const struct npf_port *port,
	const struct npf_bpf_insn *insns, uint32_t n_insns, struct npf_filter **inp,
	struct npf_filter **outp, struct npf_wire_error *err)
{
	struct compiled c;
	int rc = compile(e, port, insns, n_insns, &c, err);

	*inp = c.in;
	*outp = c.out;
	return rc;
}

static void append(struct npf_engine *e, struct npf_session *s)
{
	struct npf_session **at = &e->sessions;

	while (*at != NULL)
		at = &(*at)->next;
	*at = s;
	s->next = NULL;
	if (s->buffer != NULL)
		s->port->n_captures++;
}

static void unlink_session(struct npf_engine *e, struct npf_session *s)
{
	struct npf_session **at = &e->sessions;

	while (*at != NULL && *at != s)
		at = &(*at)->next;
	if (*at == NULL)
		return;
	*at = s->next;
	if (s->buffer != NULL)
		s->port->n_captures--;
	npf_attend_leave(s);
}

static void free_session(struct npf_session *s)
{
	if (s == NULL)
		return;
	npf_buffer_free(s->buffer);
	npf_filter_free(s->filter_in);
	npf_filter_free(s->filter_out);
	npf_doorbell_fini(&s->bell);
	npf_account_put(s->account);
	free(s->feeds);
	free(s);
}

static unsigned int n_feeds(const struct npf_engine_port *p)
{
	return p->n_taps + 1u;
}

static int prepare(struct npf_engine *e, struct npf_session *s, const struct npf_wire_open *req,
	const struct npf_bpf_insn *insns, struct npf_wire_error *err)
{
	uint64_t size = req->buffer_size != 0 ? req->buffer_size : e->conf->npf.buffer * KIB;
	bool is_idle = (req->flags & NPF_WIRE_OPEN_IDLE) != 0;
	struct compiled filters;
	int rc;

	rc = compile(e, &s->port->port, insns, req->n_insns, &filters, err);
	if (rc < 0)
		return rc;
	size = NPF_MAX(size, (uint64_t)NPF_BUFFER_MIN);
	s->n_insns = req->n_insns;
	s->packet_buffer = size;
	s->filter_in = filters.in;
	s->filter_out = filters.out;
	if ((req->flags & NPF_WIRE_OPEN_SEND_ONLY) != 0)
		return check_limits(e, s->peer.uid, 0, 0, true, err);
	rc = check_limits(e, s->peer.uid, is_idle ? 0 : size, s->port->n_taps, true, err);
	if (rc < 0)
		return rc;
	rc = npf_doorbell_init(&s->bell, npf_account_wakes(s->account));
	s->feeds = aligned_alloc(NPF_CACHELINE, n_feeds(s->port) * sizeof(*s->feeds));
	if (rc < 0 || s->feeds == NULL)
		return npf_refuse(err, -ENOMEM, "the daemon is out of memory or descriptors");
	memset(s->feeds, 0, n_feeds(s->port) * sizeof(*s->feeds));
	if (is_idle)
		return 0;
	rc = make_buffer(e, s, size, s->port->n_taps, &s->buffer, err);
	if (rc == 0)
		apply_wake(s);
	return rc;
}

/* As libpcap does on the interface itself. */
static int check_iface(
	const struct npf_port *port, const struct npf_wire_open *req, struct npf_wire_error *err)
{
	const uint32_t no_capture = NPF_WIRE_OPEN_IDLE | NPF_WIRE_OPEN_SEND_ONLY;

	if (port->iface.state == NPF_IFACE_GONE)
		return npf_refuse(err, -ENODEV,
			"port %s: its interface %s has disappeared; the port goes on when it comes "
			"back",
			req->port, port->iface.name);
	if (port->iface.state == NPF_IFACE_DOWN && (req->flags & no_capture) == 0)
		return npf_refuse(err, -ENETDOWN,
			"port %s: its interface %s is down; `ip link set %s up` lets it run",
			req->port, port->iface.name, port->iface.name);
	return 0;
}

int npf_session_open(struct npf_engine *e, const struct npf_peer *peer,
	const struct npf_wire_open *req, const struct npf_bpf_insn *insns, struct npf_session **sp,
	struct npf_wire_error *err)
{
	struct npf_engine_port *port = npf_engine_find_port(e, req->port);
	struct npf_session *s;
	int rc;

	if (port == NULL)
		return npf_refuse(
			err, -ENODEV, "there is no port %s; `npfctl ports` lists them", req->port);
	if (!npf_access_port(port->port.conf, peer))
		return npf_refuse(err, -EACCES,
			"user %u may not use port %s; its `allow` list in the daemon's "
			"configuration says who may",
			(unsigned int)peer->uid, req->port);
	rc = check_iface(&port->port, req, err);
	if (rc < 0)
		return rc;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return npf_refuse(err, -ENOMEM, "the daemon is out of memory");
	s->port = port;
	s->peer = *peer;
	s->peer.groups = NULL;
	s->peer.n_groups = 0;
	s->snaplen = NPF_MIN(req->snaplen, NPF_REC_MAXCAP);
	s->flags = req->flags;
	if (!npf_attend_matters(port))
		s->flags &= ~NPF_WIRE_OPEN_LOOK;
	s->params = req->params;
	s->params.flags |= req->flags & (NPF_WIRE_OPEN_IMMEDIATE | NPF_WIRE_OPEN_NO_OWN);
	s->bell = NPF_DOORBELL_NONE;
	s->opened_ns = npf_clock_realtime();
	s->account = npf_account_get(e->accounts, peer->uid);
	rc = s->account != NULL ? prepare(e, s, req, insns, err) : -ENOMEM;
	if (rc < 0) {
		free_session(s);
		return rc;
	}
	s->id = e->next_session++;
	npf_port_stats(&port->port, &s->port_base);
	append(e, s);
	rc = npf_attend_read(s, err);
	if (rc == 0)
		rc = npf_engine_replan(e);
	if (rc < 0) {
		npf_session_close(e, s);
		return rc;
	}
	*sp = s;
	return 0;
}

struct npf_session *npf_session_close(struct npf_engine *e, struct npf_session *s)
{
	npf_dump_stop_session(e, s);
	unlink_session(e, s);
	npf_session_end_send(e, s);
	if (s->watch != NULL)
		npf_watch_unlink(e, s->watch);
	if (npf_engine_leave(e, s->port) < 0) {
		/* No memory for a plan without it: it stays in the taps' plans, so it must stay
		 * whole. */
		npf_err("out of memory: session %llu can't be freed", (unsigned long long)s->id);
		return NULL;
	}
	s->watch = npf_watch_end(e, s->watch);
	free_session(s);
	return NULL;
}

int npf_session_read(struct npf_engine *e, struct npf_session *s, struct npf_wire_error *err)
{
	int rc;

	if ((s->flags & NPF_WIRE_OPEN_LOOK) == 0)
		return 0;
	s->flags &= ~NPF_WIRE_OPEN_LOOK;
	rc = npf_attend_read(s, err);
	if (rc == 0) {
		rc = npf_engine_replan(e);
		if (rc == 0)
			return 0;
		npf_refuse(err, rc, "the daemon is out of memory");
		npf_attend_leave(s);
	}
	s->flags |= NPF_WIRE_OPEN_LOOK;
	return rc;
}

int npf_session_set_filter(struct npf_engine *e, struct npf_session *s,
	const struct npf_bpf_insn *insns, uint32_t n_insns, struct npf_wire_error *err)
{
	struct compiled now, old = {s->filter_in, s->filter_out};
	int rc = compile(e, &s->port->port, insns, n_insns, &now, err);

	if (rc < 0)
		return rc;
	s->filter_in = now.in;
	s->filter_out = now.out;
	s->filter_gen++;
	rc = npf_engine_replan(e);
	if (rc < 0) {
		s->filter_in = old.in;
		s->filter_out = old.out;
		s->filter_gen--;
		free_compiled(&now);
		return npf_refuse(
			err, rc, "the daemon is out of memory; the old filter stays in force");
	}
	s->n_insns = n_insns;
	free_compiled(&old);
	return 0;
}

int npf_session_set_params(
	struct npf_engine *e, struct npf_session *s, const struct npf_wire_params *params)
{
	struct npf_wire_params old = s->params;
	int rc;

	s->params = *params;
	rc = npf_engine_replan(e);
	if (rc < 0)
		s->params = old;
	else
		apply_wake(s);
	return rc;
}

static void add_counters(struct npf_ring_counters *sum, const struct npf_buffer *b)
{
	struct npf_ring_counters c;

	npf_buffer_counters(b, &c);
	sum->packets += c.packets;
	sum->bytes += c.bytes;
	for (unsigned int i = 0; i < NPF_N_DROP; i++)
		sum->drop[i] += c.drop[i];
}

static unsigned int lanes_of(const struct npf_buffer *b)
{
	struct npf_buffer_info info;

	npf_buffer_info(b, &info);
	return info.n_lanes;
}

static void close_lanes(struct npf_session *s, struct npf_buffer *b)
{
	for (unsigned int i = 0; i < lanes_of(b); i++)
		npf_lane_close(npf_buffer_lane(b, i));
	if (npf_doorbell_ring(&s->bell) > 0)
		s->owes_ring = true;
}

void npf_sessions_remind(struct npf_engine *e)
{
	/* First taken back, so that what a monitor's worker says meanwhile is not lost. */
	for (struct npf_session *s = e->sessions; s != NULL; s = s->next)
		if (atomic_exchange(&s->owes_ring, false) && npf_doorbell_ring(&s->bell) > 0)
			s->owes_ring = true;
}

void npf_session_end(struct npf_session *s)
{
	if (s->buffer != NULL)
		close_lanes(s, s->buffer);
}

int npf_session_switch(struct npf_engine *e, struct npf_session *s, struct npf_buffer *buffer,
	struct npf_watch *watch, struct npf_wire_error *err)
{
	struct npf_buffer *old = s->buffer;
	struct npf_watch *old_watch = s->watch;
	int rc;

	s->buffer = buffer;
	rc = npf_attend_read(s, err);
	if (rc < 0) {
		s->buffer = old;
		return rc;
	}
	s->port->n_captures += old == NULL;
	s->watch = watch;
	if (old_watch != NULL)
		npf_watch_unlink(e, old_watch);
	if (watch != NULL)
		npf_watch_link(e, watch);
	apply_wake(s);
	rc = npf_engine_replan(e);
	if (rc < 0) {
		if (old == NULL) {
			s->port->n_captures--;
			npf_attend_leave(s);
		}
		if (watch != NULL)
			npf_watch_unlink(e, watch);
		if (old_watch != NULL)
			npf_watch_link(e, old_watch);
		s->buffer = old;
		s->watch = old_watch;
		return npf_refuse(err, rc, "the daemon is out of memory; all stays as it was");
	}
	/* The reader has the old buffer mapped: it drains that to its end, then goes on with the
	 * new one. */
	npf_watch_stop(e, old_watch);
	if (old == NULL)
		return 0;
	close_lanes(s, old);
	if (old_watch == NULL)
		add_counters(&s->retired, old);
	npf_watch_end(e, old_watch);
	npf_buffer_free(old);
	return 0;
}

int npf_session_set_buffer(
	struct npf_engine *e, struct npf_session *s, uint64_t size, struct npf_wire_error *err)
{
	struct npf_buffer *fresh;
	int rc;

	if (s->buffer == NULL)
		return npf_refuse(err, -EINVAL, "this session captures nothing: it has no buffer");
	if (s->watch != NULL)
		return npf_refuse(err, -EBUSY,
			"a session that monitors has no buffer for packets: set it when it "
			"captures again");
	if (size < NPF_BUFFER_MIN)
		size = NPF_BUFFER_MIN;
	rc = npf_session_make_buffer(e, s, size, s->port->n_taps, &fresh, err);
	if (rc < 0)
		return rc;
	rc = npf_session_switch(e, s, fresh, NULL, err);
	if (rc < 0)
		npf_buffer_free(fresh);
	else
		s->packet_buffer = size;
	return rc;
}

uint64_t npf_session_shown(const struct npf_engine *e, const struct npf_engine_port *port)
{
	uint64_t shown = NPF_SHOWN_NONE;

	if (npf_dumps_on(e, port) > 0)
		return NPF_SHOWN_ALL;
	for (const struct npf_session *s = e->sessions; s != NULL; s = s->next) {
		if (s->port != port || s->buffer == NULL || s->watch != NULL ||
			s->params.direction == NPF_WIRE_IN || !npf_attend_is_served(s))
			continue;
		if (shown != NPF_SHOWN_NONE || (s->params.flags & NPF_WIRE_OPEN_NO_OWN) == 0)
			return NPF_SHOWN_ALL;
		shown = s->id;
	}
	return shown;
}

bool npf_session_screens(const struct npf_session *s)
{
	return s->filter_in != NULL && npf_filter_is_loose(s->filter_in);
}

void npf_session_stats(const struct npf_session *s, struct npf_wire_stats *st)
{
	struct npf_ring_counters c = s->retired;
	struct rte_eth_stats now;
	struct npf_tx_state tx;

	npf_session_send_state(s, &tx);
	*st = s->dumped;
	st->sent = tx.sent;
	st->send_failed = tx.failed;
	npf_dump_add_stats(s->dump, st);
	npf_port_stats(&s->port->port, &now);
	st->port_missed =
		now.imissed + now.rx_nombuf - s->port_base.imissed - s->port_base.rx_nombuf;
	st->port_errors = now.ierrors - s->port_base.ierrors;
	if (s->buffer == NULL)
		return;
	/* Records of a monitor are no packets. */
	if (s->watch == NULL)
		add_counters(&c, s->buffer);
	for (unsigned int i = 0; i < n_feeds(s->port); i++) {
		st->received += __atomic_load_n(&s->feeds[i].received, __ATOMIC_RELAXED);
		st->accepted += __atomic_load_n(&s->feeds[i].accepted, __ATOMIC_RELAXED);
		st->screened += __atomic_load_n(&s->feeds[i].screened, __ATOMIC_RELAXED);
	}
	st->captured += c.packets;
	st->captured_bytes += c.bytes;
	st->drop_full += c.drop[NPF_DROP_FULL];
	st->drop_overwritten += c.drop[NPF_DROP_OVERWRITTEN];
	st->drop_other += c.drop[NPF_DROP_OVERSIZE];
}

int npf_session_fault(const struct npf_session *s)
{
	for (unsigned int i = 0; s->buffer != NULL && i < lanes_of(s->buffer); i++)
		if (npf_lane_fault(npf_buffer_lane(s->buffer, i)) < 0)
			return -EPROTO;
	return npf_session_send_fault(s);
}
