/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * watch.c - monitors come and go; where their counts are delivered.
 *
 * A session's counts go into its ring, which is a small one with a single lane then: the worker is
 * its producer, and the buffer for packets is given back. A standing monitor's go into its
 * file, if it has one, a line of JSON each interval, and into the report.
 */
#include "engine/monitor/monitor.h"

#include "engine/session/attend.h"

#include "engine/config/expression.h"
#include "engine/core/filter_pair.h"
#include "engine/base/lines.h"
#include "base/log.h"
#include "engine/config/replayed.h"

#include <stdio.h>
#include <string.h>

#define DEFAULT_INTERVAL_MS 1000
#define EXPRESSION_SNAPLEN  262144

/* ---- Sinks: the worker's ---- */

static bool tell_session(void *arg, const struct npf_wire_interval *iv, uint64_t end_ns)
{
	const struct npf_watch *w = arg;
	struct npf_session *s = w->session;
	struct npf_wire_counters counters = {
		.packets = (int64_t)iv->rows[0].packets,
		.bytes = (int64_t)iv->rows[0].npf_bytes,
	};
	const void *data = w->detail ? (const void *)iv : &counters;
	uint32_t len = w->detail ? (uint32_t)(sizeof(*iv) + iv->n_rows * sizeof(iv->rows[0]))
				 : (uint32_t)sizeof(counters);
	const struct npf_rec hdr = {
		.ts_ns = end_ns,
		.caplen = len,
		.len = len,
		.flags = NPF_REC_COUNTS,
		.filter_gen = atomic_load_explicit(&s->filter_gen, memory_order_relaxed),
		.port = w->port->port.index,
	};

	if (!npf_lane_try(w->lane, &hdr, data))
		return false;
	if (npf_lane_commit(w->lane, end_ns) && npf_doorbell_ring(&s->bell) > 0)
		s->owes_ring = true; /* the control thread will */
	return true;
}

static json_t *u64(uint64_t v)
{
	return json_integer((json_int_t)v);
}

static json_t *describe_tally(const struct npf_wire_tally *t)
{
	json_t *sizes = json_array();

	for (unsigned int i = 0; i < NPF_WIRE_N_SIZES; i++)
		json_array_append_new(sizes, u64(t->sizes[i]));
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "packets", u64(t->packets),
		"bytes", u64(t->bytes), "npf_bytes", u64(t->npf_bytes), "first_ns",
		u64(t->first_ns), "last_ns", u64(t->last_ns), "peak_packets", u64(t->peak_packets),
		"peak_bytes", u64(t->peak_bytes), "sizes", sizes);
}

static bool tell_file(void *arg, const struct npf_wire_interval *iv, uint64_t end_ns)
{
	const struct npf_watch *w = arg;
	json_t *j = NULL;
	npf_autofree char *line = NULL;

	if (w->file < 0)
		return true;
	j = json_pack("{s:s, s:o, s:o, s:i}", "name", w->conf->name, "start_ns", u64(iv->start_ns),
		"end_ns", u64(end_ns), "intervals", (int)iv->covers);
	json_object_update_new(j, describe_tally(&iv->rows[0]));
	line = json_dumps(j, JSON_COMPACT | JSON_PRESERVE_ORDER);
	json_decref(j);
	/* On a full disk the same counts are in the next line that can be written. */
	return line != NULL && npf_lines_append(w->file, line) == 0;
}

/* ---- Life ---- */

static struct npf_watch *new_watch(struct npf_engine_port *port, struct npf_session *s)
{
	struct npf_watch *w = calloc(1, sizeof(*w));

	if (w != NULL) {
		w->port = port;
		w->session = s;
		w->file = -1;
	}
	return w;
}

static void free_watch(struct npf_watch *w)
{
	if (w == NULL)
		return;
	npf_monitor_free(w->monitor);
	for (unsigned int i = 0; i < w->n_rows; i++) {
		npf_filter_free(w->filter_in[i]);
		npf_filter_free(w->filter_out[i]);
	}
	npf_close(w->file);
	free(w);
}

void npf_watch_link(struct npf_engine *e, struct npf_watch *w)
{
	w->next = e->watches;
	e->watches = w;
}

void npf_watch_unlink(struct npf_engine *e, struct npf_watch *w)
{
	for (struct npf_watch **at = &e->watches; *at != NULL; at = &(*at)->next)
		if (*at == w) {
			*at = w->next;
			return;
		}
}

static int begin(struct npf_engine *e, struct npf_watch *w, npf_monitor_sink sink)
{
	struct npf_monitor_conf conf = {
		.interval_ns = w->interval_ns,
		.n_rows = NPF_MAX(w->n_rows, 1u),
		.n_lcores = w->port->n_taps,
		.sent_lock = &w->port->port.tx_lock,
		.sink = sink,
		.arg = w,
	};

	w->monitor = npf_monitor_new(&conf);
	return w->monitor != NULL ? npf_monitor_start(e->monitors, w->monitor) : -ENOMEM;
}

void npf_watch_stop(struct npf_engine *e, struct npf_watch *w)
{
	if (w != NULL && w->monitor != NULL)
		npf_monitor_stop(e->monitors, w->monitor);
}

struct npf_watch *npf_watch_end(struct npf_engine *e, struct npf_watch *w)
{
	npf_watch_stop(e, w);
	free_watch(w);
	return NULL;
}

static int add_row(struct npf_engine *e, struct npf_watch *w, const struct npf_bpf_insn *insns,
	uint32_t n_insns, struct npf_wire_error *err)
{
	struct npf_filter_pair pair;
	int rc = npf_filter_pair_compile(
		&e->conf->npf.limits, w->port->port.index, insns, n_insns, &pair, err);

	if (rc < 0)
		return rc;
	w->filter_in[w->n_rows] = pair.in;
	w->filter_out[w->n_rows] = pair.out;
	w->n_rows++;
	return 0;
}

static int watch_session(struct npf_engine *e, struct npf_watch *w,
	const struct npf_wire_set_mode *req, const void *tail, struct npf_wire_error *err)
{
	const struct npf_wire_row *rows = tail;
	const struct npf_bpf_insn *insns = (const struct npf_bpf_insn *)(rows + req->n_rows);
	int rc = 0;

	w->interval_ns =
		(req->interval_ms != 0 ? req->interval_ms : DEFAULT_INTERVAL_MS) * NPF_NS_PER_MS;
	w->detail = (req->flags & NPF_WIRE_MODE_DETAIL) != 0;
	for (uint32_t i = 0; rc == 0 && i < req->n_rows; i++) {
		rc = add_row(e, w, insns, rows[i].n_insns, err);
		insns += rows[i].n_insns;
	}
	return rc;
}

int npf_session_set_mode(struct npf_engine *e, struct npf_asker *asker, struct npf_session *s,
	const struct npf_wire_set_mode *req, const void *tail, struct npf_wire_error *err)
{
	struct npf_memory memory = {0};
	struct npf_watch *w = NULL;
	int rc;

	if ((s->flags & NPF_WIRE_OPEN_SEND_ONLY) != 0) {
		snprintf(err->text, sizeof(err->text), "a session that only sends has no modes");
		return -EINVAL;
	}
	if (req->mode == NPF_WIRE_CAPTURE) {
		rc = npf_session_make_buffer(
			e, asker, s, s->packet_buffer, s->port->n_taps, &memory, err);
	} else {
		w = new_watch(s->port, s);
		rc = w != NULL ? watch_session(e, w, req, tail, err) : -ENOMEM;
		if (rc == 0)
			rc = npf_session_make_buffer(e, asker, s, NPF_BUFFER_MIN, 1, &memory, err);
		if (rc == 0) {
			w->lane = npf_buffer_lane(memory.buffer, 0);
			rc = begin(e, w, tell_session);
		}
	}
	if (rc == 0)
		rc = npf_session_switch(e, s, &memory, w, err);
	if (rc < 0) {
		npf_watch_end(e, w);
		npf_memory_free(e->errands, &memory);
	}
	return rc;
}

static int compile_conf(const struct npf_config_monitor *conf, int linktype,
	struct npf_bpf_insn **insnsp, uint32_t *n_insnsp, char *err, size_t err_len)
{
	char text[400];
	int rc = npf_expression_compile(
		conf->filter, linktype, EXPRESSION_SNAPLEN, insnsp, n_insnsp, text, sizeof(text));

	if (rc < 0)
		snprintf(err, err_len, "monitor %s: %s", conf->name,
			rc == -EINVAL ? text : strerror(-rc));
	return rc;
}

/* Of a port that the configuration has. */
static int linktype_of(const struct npf_config *conf, const char *port)
{
	unsigned int i = 0;

	while (strcmp(conf->ports[i].name, port) != 0)
		i++;
	return npf_replayed_linktype(&conf->ports[i]);
}

int npf_watch_check(const struct npf_config *conf, char *err, size_t err_len)
{
	for (unsigned int i = 0; i < conf->n_monitors; i++) {
		const struct npf_config_monitor *m = &conf->monitors[i];
		npf_autofree struct npf_bpf_insn *insns = NULL;
		uint32_t n_insns;
		int rc =
			compile_conf(m, linktype_of(conf, m->port), &insns, &n_insns, err, err_len);

		if (rc < 0)
			return rc;
	}
	return 0;
}

static int prepare_standing(struct npf_engine *e, struct npf_watch *w, char *err, size_t err_len)
{
	npf_autofree struct npf_bpf_insn *insns = NULL;
	struct npf_wire_error why = {{0}};
	uint32_t n_insns;
	int rc = compile_conf(w->conf, w->port->port.linktype, &insns, &n_insns, err, err_len);

	if (rc < 0)
		return rc;
	rc = add_row(e, w, insns, n_insns, &why);
	if (rc < 0) {
		snprintf(err, err_len, "monitor %s: %s", w->conf->name, why.text);
		return rc;
	}
	if (w->conf->file != NULL) {
		w->file = npf_lines_open(w->conf->file, 0644);
		if (w->file < 0) {
			snprintf(err, err_len, "monitor %s: can't write to %s: %s", w->conf->name,
				w->conf->file,
				w->file == -ENOTSUP ? "it is no regular file" : strerror(-w->file));
			return w->file;
		}
	}
	rc = begin(e, w, tell_file);
	if (rc < 0)
		snprintf(err, err_len, "monitor %s: %s", w->conf->name, strerror(-rc));
	return rc;
}

static int stand(
	struct npf_engine *e, const struct npf_config_monitor *conf, char *err, size_t err_len)
{
	struct npf_watch *w = new_watch(npf_engine_find_port(e, conf->port), NULL);
	int rc;

	if (w == NULL)
		return -ENOMEM;
	w->conf = conf;
	w->interval_ns = conf->interval_ns;
	rc = prepare_standing(e, w, err, err_len);
	if (rc == 0)
		npf_watch_link(e, w);
	else
		npf_watch_end(e, w);
	return rc;
}

int npf_watch_standing(
	struct npf_engine *e, const struct npf_engine_port *only, char *err, size_t err_len)
{
	for (unsigned int i = 0; i < e->conf->n_monitors; i++) {
		const struct npf_config_monitor *conf = &e->conf->monitors[i];
		int rc;

		if (only != NULL && strcmp(conf->port, only->port.conf->name) != 0)
			continue;
		rc = stand(e, conf, err, err_len);
		if (rc < 0)
			return rc;
	}
	return npf_engine_replan(e);
}

unsigned int npf_watch_leave_port(struct npf_engine *e, const struct npf_engine_port *p)
{
	unsigned int n_standing = 0;

	for (struct npf_watch *w = e->watches, *next; w != NULL; w = next) {
		next = w->next;
		if (w->port != p)
			continue;
		npf_watch_unlink(e, w);
		npf_watch_stop(e, w);
		npf_monitor_finish(w->monitor);
		/* A session's is freed with the session. */
		if (w->conf == NULL)
			continue;
		n_standing++;
		npf_watch_end(e, w);
	}
	return n_standing;
}

void npf_watch_end_all(struct npf_engine *e)
{
	while (e->watches != NULL) {
		struct npf_watch *w = e->watches;

		e->watches = w->next;
		npf_watch_stop(e, w);
		if (w->conf != NULL)
			npf_monitor_finish(w->monitor);
		npf_watch_end(e, w);
	}
}

/* ---- Plans ---- */

void npf_watch_needs(const struct npf_engine *e, const struct npf_engine_port *p, size_t *n_metersp,
	size_t *n_rowsp)
{
	for (const struct npf_watch *w = e->watches; w != NULL; w = w->next) {
		if (w->port != p)
			continue;
		*n_metersp += 1;
		*n_rowsp += NPF_MAX(w->n_rows, 1u);
	}
}

static void plan_rows(const struct npf_watch *w, struct npf_tap_row *rows)
{
	if (w->n_rows == 0)
		rows[0] = (struct npf_tap_row){w->session->filter_in, w->session->filter_out};
	for (unsigned int i = 0; i < w->n_rows; i++)
		rows[i] = (struct npf_tap_row){w->filter_in[i], w->filter_out[i]};
}

unsigned int npf_watch_plan(const struct npf_engine *e, const struct npf_engine_port *p,
	unsigned int lane, struct npf_tap_meter *meters, struct npf_tap_row **rowsp)
{
	unsigned int n = 0;

	for (const struct npf_watch *w = e->watches; w != NULL; w = w->next) {
		const struct npf_session *s = w->session;

		if (w->port != p)
			continue;
		plan_rows(w, *rowsp);
		meters[n++] = (struct npf_tap_meter){
			.session = s != NULL ? s->id : 0,
			.meter = npf_monitor_meter(w->monitor, lane),
			.feed = s != NULL ? &s->feeds[lane] : NULL,
			.n_rows = NPF_MAX(w->n_rows, 1u),
			.rows = *rowsp,
			.want_in = s == NULL || s->params.direction != NPF_WIRE_OUT,
			.want_out = s != NULL && s->params.direction != NPF_WIRE_IN,
			.want_own = s != NULL && (s->params.flags & NPF_WIRE_OPEN_NO_OWN) == 0,
		};
		*rowsp += NPF_MAX(w->n_rows, 1u);
	}
	return n;
}

void npf_watch_before(struct npf_engine *e)
{
	for (struct npf_watch *w = e->watches; w != NULL; w = w->next)
		if (npf_attend_is_polled(w->port))
			npf_monitor_set_live(e->monitors, w->monitor, true);
}

void npf_watch_after(struct npf_engine *e)
{
	for (struct npf_watch *w = e->watches; w != NULL; w = w->next)
		if (!npf_attend_is_polled(w->port))
			npf_monitor_set_live(e->monitors, w->monitor, false);
}

/* ---- Reports ---- */

json_t *npf_watch_describe(const struct npf_watch *w)
{
	return json_pack("{s:o, s:i, s:o}", "interval_ms", u64(w->interval_ns / NPF_NS_PER_MS),
		"rows", (int)NPF_MAX(w->n_rows, 1u), "memory", u64(npf_monitor_memory(w->monitor)));
}

static json_t *describe_standing(const struct npf_engine *e, const struct npf_watch *w)
{
	json_t *j = npf_watch_describe(w);
	struct npf_monitor_view v;

	json_object_update_new(
		j, json_pack("{s:s, s:s, s:s}", "name", w->conf->name, "port", w->conf->port,
			   "filter", w->conf->filter != NULL ? w->conf->filter : ""));
	if (w->conf->file != NULL)
		json_object_set_new(j, "file", json_string(w->conf->file));
	if (npf_monitor_view(e->monitors, w->monitor, &v) < 0)
		return j;
	json_object_update_new(
		j, json_pack("{s:o, s:o, s:o, s:o}", "intervals", u64(v.n_intervals), "end_ns",
			   u64(v.last_end_ns), "last", describe_tally(v.last), "total",
			   describe_tally(v.total)));
	free(v.last);
	free(v.total);
	return j;
}

json_t *npf_watch_report(const struct npf_engine *e)
{
	json_t *list = json_array();

	/* The list is in reverse order. */
	for (const struct npf_watch *w = e->watches; w != NULL; w = w->next)
		if (w->conf != NULL)
			json_array_insert_new(list, 0, describe_standing(e, w));
	return json_pack("{s:o, s:o}", "time_ns", u64(npf_clock_realtime()), "monitors", list);
}
