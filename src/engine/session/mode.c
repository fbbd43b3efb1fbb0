/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mode.c - a session changes between packets and counts.
 *
 * Counts come through a small ring of a single lane: the monitor's worker is its producer, and the
 * buffer for packets is given back.
 */
#include "engine/session/session.h"

#include "engine/monitor/monitor.h"

#define DEFAULT_INTERVAL_MS 1000

/* Where the counts of a session go. */
struct counts_sink {
	struct npf_session *session;
	struct npf_lane *lane;
	bool detail; /* npf_wire_interval in place of npf_wire_counters */
};

/* Context: the monitor's worker. */
static bool put_counts(void *arg, const struct npf_wire_interval *iv, uint64_t end_ns)
{
	const struct counts_sink *sink = arg;
	struct npf_session *s = sink->session;
	struct npf_wire_counters counters = {
		.packets = (int64_t)iv->rows[0].packets,
		.bytes = (int64_t)iv->rows[0].npf_bytes,
	};
	const void *data = sink->detail ? (const void *)iv : &counters;
	uint32_t len = sink->detail ? (uint32_t)(sizeof(*iv) + iv->n_rows * sizeof(iv->rows[0]))
				    : (uint32_t)sizeof(counters);
	const struct npf_rec hdr = {
		.ts_ns = end_ns,
		.caplen = len,
		.len = len,
		.flags = NPF_REC_COUNTS,
		.filter_gen = atomic_load_explicit(&s->filter_gen, memory_order_relaxed),
		.port = s->port->port.index,
	};

	if (!npf_lane_try(sink->lane, &hdr, data))
		return false;
	if (npf_lane_commit(sink->lane, end_ns) && npf_doorbell_ring(&s->bell) > 0)
		s->owes_ring = true; /* the control thread rings later */
	return true;
}

/* What the rows of a request are compiled from. Return: how many. */
static unsigned int read_rows(const struct npf_engine *e, const struct npf_session *s,
	const struct npf_wire_set_mode *req, const void *tail, struct npf_filter_source *sources)
{
	const struct npf_wire_row *rows = tail;
	const struct npf_bpf_insn *insns = (const struct npf_bpf_insn *)(rows + req->n_rows);

	for (uint32_t i = 0; i < req->n_rows; i++) {
		sources[i] = npf_filter_source(e, s->port, insns, rows[i].n_insns);
		insns += rows[i].n_insns;
	}
	return req->n_rows;
}

static int add_rows(struct npf_requester *requester, struct npf_monitor *m,
	const struct npf_filter_source *sources, unsigned int n, struct npf_error *err)
{
	int rc = 0;

	for (unsigned int i = 0; rc == 0 && i < n; i++)
		rc = npf_monitor_add_row(requester, m, &sources[i], err);
	return rc;
}

/* A monitor that counts into the buffer. */
static struct npf_monitor *new_monitor(struct npf_engine *e, struct npf_session *s,
	const struct npf_wire_set_mode *req, struct npf_buffer *buffer)
{
	uint32_t interval_ms = req->interval_ms != 0 ? req->interval_ms : DEFAULT_INTERVAL_MS;
	struct counts_sink *sink = calloc(1, sizeof(*sink));
	struct npf_monitor_conf conf = {
		.port = s->port,
		.interval_ns = interval_ms * NPF_NS_PER_MS,
		.sink = put_counts,
		.arg = sink,
		.model = &s->consumer,
	};
	struct npf_monitor *m = sink != NULL ? npf_monitor_new(e, &conf) : NULL;

	if (m == NULL)
		free(sink);
	else
		*sink = (struct counts_sink){
			s, npf_buffer_lane(buffer, 0), (req->flags & NPF_WIRE_MODE_DETAIL) != 0};
	return m;
}

/* Replaces the session's buffer by one for packets. */
static int capture(struct npf_engine *e, struct npf_requester *requester, struct npf_session *s,
	struct npf_error *err)
{
	struct npf_memory_conf conf =
		npf_session_buffer_conf(e, s, s->packet_buffer, s->port->n_taps);
	struct npf_memory memory = {0};
	int rc = npf_session_make_buffer(e, requester, &conf, &memory, err);

	if (rc == 0)
		rc = npf_session_switch(e, s, &memory, NULL, err);
	npf_memory_free(e->tasks, &memory);
	return rc;
}

/* Replaces it by one for counts. */
static int monitor(struct npf_engine *e, struct npf_requester *requester, struct npf_session *s,
	const struct npf_wire_set_mode *req, const void *tail, struct npf_error *err)
{
	struct npf_memory_conf conf = npf_session_buffer_conf(e, s, NPF_BUFFER_MIN, 1);
	struct npf_filter_source sources[NPF_WIRE_MAXROWS];
	const unsigned int n = read_rows(e, s, req, tail, sources);
	struct npf_memory memory = {0};
	struct npf_monitor *m = NULL;
	int rc = npf_filters_ahead(requester, sources, n, err);

	if (rc == 0)
		rc = npf_session_make_buffer(e, requester, &conf, &memory, err);
	if (rc == 0) {
		m = new_monitor(e, s, req, memory.buffer);
		rc = m != NULL ? add_rows(requester, m, sources, n, err)
			       : npf_error_set(err, -ENOMEM, "the daemon is out of memory");
	}
	if (rc == 0)
		rc = npf_monitor_start(m);
	if (rc == 0)
		rc = npf_session_switch(e, s, &memory, m, err);
	if (rc < 0)
		npf_monitor_free(m);
	npf_memory_free(e->tasks, &memory);
	return rc;
}

int npf_session_set_mode(struct npf_engine *e, struct npf_requester *requester,
	struct npf_session *s, const struct npf_wire_set_mode *req, const void *tail,
	struct npf_error *err)
{
	if ((s->flags & NPF_WIRE_OPEN_SEND_ONLY) != 0)
		return npf_error_set(err, -EINVAL, "a session that only sends has no modes");
	return req->mode == NPF_WIRE_CAPTURE ? capture(e, requester, s, err)
					     : monitor(e, requester, s, req, tail, err);
}
