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

static int add_rows(struct npf_engine *e, struct npf_monitor *m,
	const struct npf_wire_set_mode *req, const void *tail, struct npf_error *err)
{
	const struct npf_wire_row *rows = tail;
	const struct npf_bpf_insn *insns = (const struct npf_bpf_insn *)(rows + req->n_rows);
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < req->n_rows; i++) {
		rc = npf_monitor_add_row(e, m, insns, rows[i].n_insns, err);
		insns += rows[i].n_insns;
	}
	return rc;
}

/* A monitor and the ring for its counts. */
static int make_monitor(struct npf_engine *e, struct npf_requester *requester,
	struct npf_session *s, const struct npf_wire_set_mode *req, const void *tail,
	struct npf_memory *memory, struct npf_monitor **mp, struct npf_error *err)
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
	int rc;

	*mp = m;
	if (m == NULL) {
		free(sink);
		return npf_error_set(err, -ENOMEM, "the daemon is out of memory");
	}
	rc = add_rows(e, m, req, tail, err);
	if (rc == 0)
		rc = npf_session_make_buffer(e, requester, s, NPF_BUFFER_MIN, 1, memory, err);
	if (rc < 0)
		return rc;
	*sink = (struct counts_sink){
		s, npf_buffer_lane(memory->buffer, 0), (req->flags & NPF_WIRE_MODE_DETAIL) != 0};
	return npf_monitor_start(m);
}

int npf_session_set_mode(struct npf_engine *e, struct npf_requester *requester,
	struct npf_session *s, const struct npf_wire_set_mode *req, const void *tail,
	struct npf_error *err)
{
	struct npf_memory memory = {0};
	struct npf_monitor *m = NULL;
	int rc;

	if ((s->flags & NPF_WIRE_OPEN_SEND_ONLY) != 0)
		return npf_error_set(err, -EINVAL, "a session that only sends has no modes");
	if (req->mode == NPF_WIRE_CAPTURE)
		rc = npf_session_make_buffer(
			e, requester, s, s->packet_buffer, s->port->n_taps, &memory, err);
	else
		rc = make_monitor(e, requester, s, req, tail, &memory, &m, err);
	if (rc == 0)
		rc = npf_session_switch(e, s, &memory, m, err);
	if (rc < 0) {
		npf_monitor_free(m);
		npf_memory_free(e->tasks, &memory);
	}
	return rc;
}
