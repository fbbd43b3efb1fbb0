/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * monitor.c - monitors come and go.
 *
 * The counts of one in the configuration go into its file, if it has one, a line of JSON each
 * interval, and into the report.
 */
#include "engine/monitor/monitor.h"

#include "engine/base/json_text.h"
#include "expression/expression.h"
#include "engine/core/core.h"
#include "engine/base/jsonl.h"
#include "base/log.h"
#include "engine/config/config.h"

#include <string.h>

/* ---- Sinks: the worker's ---- */

static json_t *describe_tally(const struct npf_wire_tally *t)
{
	json_t *sizes = json_array();

	for (unsigned int i = 0; i < NPF_WIRE_N_SIZES; i++)
		json_array_append_new(sizes, npf_json_u64(t->sizes[i]));
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "packets",
		npf_json_u64(t->packets), "bytes", npf_json_u64(t->bytes), "npf_bytes",
		npf_json_u64(t->npf_bytes), "first_ns", npf_json_u64(t->first_ns), "last_ns",
		npf_json_u64(t->last_ns), "peak_packets", npf_json_u64(t->peak_packets),
		"peak_bytes", npf_json_u64(t->peak_bytes), "sizes", sizes);
}

static bool append_interval(void *arg, const struct npf_wire_interval *iv, uint64_t end_ns)
{
	const struct npf_monitor *m = arg;
	json_t *j = NULL;
	npf_autofree char *line = NULL;

	if (m->file < 0)
		return true;
	j = json_pack("{s:s, s:o, s:o, s:i}", "name", m->conf->name, "start_ns",
		npf_json_u64(iv->start_ns), "end_ns", npf_json_u64(end_ns), "intervals",
		(int)iv->covers);
	json_object_update_new(j, describe_tally(&iv->rows[0]));
	line = json_dumps(j, JSON_COMPACT | JSON_PRESERVE_ORDER);
	json_decref(j);
	/* On a full disk the same counts are in the next line that can be written. */
	return line != NULL && npf_jsonl_append(m->file, line) == 0;
}

/* ---- Plans ---- */

static void set_live(struct npf_plan_hook *h, const struct npf_engine_port *p)
{
	struct npf_monitor *m = NPF_CONTAINER_OF(h, struct npf_monitor, hook);

	if (npf_engine_port_is_polled(p))
		npf_collector_set_live(m->worker, m->collector, true);
}

static void unset_live(struct npf_plan_hook *h, const struct npf_engine_port *p)
{
	struct npf_monitor *m = NPF_CONTAINER_OF(h, struct npf_monitor, hook);

	if (!npf_engine_port_is_polled(p))
		npf_collector_set_live(m->worker, m->collector, false);
}

/* ---- Life ---- */

struct npf_monitor *npf_monitor_new(struct npf_engine *e, const struct npf_monitor_conf *conf)
{
	struct npf_monitor *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return NULL;
	m->port = conf->port;
	m->worker = e->collector_worker;
	m->interval_ns = conf->interval_ns;
	m->sink = conf->sink;
	m->arg = conf->arg;
	m->file = -1;
	m->meter = (struct npf_meter_consumer){
		.session = conf->model != NULL ? conf->model->form.session : 0,
		.tap_counters = conf->model != NULL ? conf->model->tap_counters : NULL,
		.model = conf->model,
		.payer = conf->model != NULL ? conf->model->payer : NULL,
		.rows = m->rows,
	};
	m->hook = (struct npf_plan_hook){.before = set_live, .after = unset_live};
	return m;
}

static void free_monitor(struct npf_monitor *m)
{
	npf_collector_free(m->collector);
	for (unsigned int i = 0; i < m->meter.n_rows; i++)
		npf_filter_pair_free(&m->filters[i]);
	npf_close(m->file);
	free(m->arg);
	free(m);
}

void npf_monitor_link(struct npf_engine *e, struct npf_monitor *m)
{
	if (m == NULL)
		return;
	m->next = e->monitors;
	e->monitors = m;
	npf_meter_consumer_add(m->port, &m->meter);
	npf_plan_hook_add(m->port, &m->hook);
}

void npf_monitor_unlink(struct npf_engine *e, struct npf_monitor *m)
{
	struct npf_monitor **at = &e->monitors;

	while (*at != NULL && *at != m)
		at = &(*at)->next;
	if (*at == NULL)
		return;
	*at = m->next;
	npf_meter_consumer_remove(m->port, &m->meter);
	npf_plan_hook_remove(m->port, &m->hook);
}

int npf_monitor_add_row(struct npf_requester *requester, struct npf_monitor *m,
	const struct npf_filter_source *source, struct npf_error *err)
{
	unsigned int i = m->meter.n_rows;
	int rc = npf_filter_pair_compile(requester, source, &m->filters[i], err);

	if (rc < 0)
		return rc;
	m->rows[i] = (struct npf_tap_row){m->filters[i].in, m->filters[i].out};
	m->meter.n_rows++;
	return 0;
}

int npf_monitor_start(struct npf_monitor *m)
{
	struct npf_collector_conf conf = {
		.interval_ns = m->interval_ns,
		.n_rows = NPF_MAX(m->meter.n_rows, 1u),
		.n_lcores = m->port->n_taps,
		.sent_lock = &m->port->port.tx_lock,
		.sink = m->sink,
		.arg = m->arg != NULL ? m->arg : m,
	};

	m->collector = npf_collector_new(&conf);
	if (m->collector == NULL)
		return -ENOMEM;
	m->meter.meters = npf_collector_meters(m->collector);
	return npf_collector_start(m->worker, m->collector);
}

void npf_monitor_stop(struct npf_monitor *m)
{
	if (m != NULL && m->collector != NULL)
		npf_collector_stop(m->worker, m->collector);
}

struct npf_monitor *npf_monitor_free(struct npf_monitor *m)
{
	if (m == NULL)
		return NULL;
	npf_monitor_stop(m);
	free_monitor(m);
	return NULL;
}

static int compile_conf(const struct npf_config_monitor *conf, int linktype,
	struct npf_bpf_insn **insnsp, uint32_t *n_insnsp, struct npf_error *err)
{
	int rc = npf_expression_compile(
		&(struct npf_expression){conf->filter, linktype, NPF_REC_MAXCAP}, insnsp, n_insnsp,
		err);

	if (rc < 0)
		npf_error_set(err, rc, "monitor %s: %s", conf->name, err->text);
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

int npf_monitors_check(const struct npf_config *conf, struct npf_error *err)
{
	for (unsigned int i = 0; i < conf->n_monitors; i++) {
		const struct npf_config_monitor *m = &conf->monitors[i];
		npf_autofree struct npf_bpf_insn *insns = NULL;
		uint32_t n_insns;
		int rc = compile_conf(m, linktype_of(conf, m->port), &insns, &n_insns, err);

		if (rc < 0)
			return rc;
	}
	return 0;
}

static int prepare_configured(struct npf_engine *e, struct npf_monitor *m, struct npf_error *err)
{
	npf_autofree struct npf_bpf_insn *insns = NULL;
	struct npf_filter_source source = npf_filter_source(e, m->port, NULL, 0);
	int rc = compile_conf(m->conf, m->port->port.linktype, &insns, &source.n_insns, err);

	if (rc < 0)
		return rc;
	source.insns = insns;
	rc = npf_monitor_add_row(NULL, m, &source, err);
	if (rc < 0)
		return npf_error_set(err, rc, "monitor %s: %s", m->conf->name, err->text);
	if (m->conf->file != NULL) {
		m->file = npf_jsonl_open(m->conf->file, 0644);
		if (m->file < 0)
			return npf_error_set(err, m->file, "monitor %s: can't write to %.150s: %s",
				m->conf->name, m->conf->file,
				m->file == -ENOTSUP ? "it is no regular file" : strerror(-m->file));
	}
	rc = npf_monitor_start(m);
	if (rc < 0)
		npf_error_set(err, rc, "monitor %s: %s", m->conf->name, strerror(-rc));
	return rc;
}

static int start_configured(
	struct npf_engine *e, const struct npf_config_monitor *conf, struct npf_error *err)
{
	struct npf_monitor_conf how = {
		.port = npf_engine_find_port(e, conf->port),
		.interval_ns = conf->interval_ns,
		.sink = append_interval,
	};
	struct npf_monitor *m = npf_monitor_new(e, &how);
	int rc;

	if (m == NULL)
		return -ENOMEM;
	m->conf = conf;
	rc = prepare_configured(e, m, err);
	if (rc == 0)
		npf_monitor_link(e, m);
	else
		npf_monitor_free(m);
	return rc;
}

int npf_monitors_start_configured(
	struct npf_engine *e, const struct npf_engine_port *only, struct npf_error *err)
{
	for (unsigned int i = 0; i < e->conf->n_monitors; i++) {
		const struct npf_config_monitor *conf = &e->conf->monitors[i];
		int rc;

		if (only != NULL && strcmp(conf->port, only->port.conf->name) != 0)
			continue;
		rc = start_configured(e, conf, err);
		if (rc < 0)
			return rc;
	}
	return npf_engine_replan(e);
}

unsigned int npf_monitors_end_port(struct npf_engine *e, const struct npf_engine_port *p)
{
	unsigned int n_configured = 0;

	for (struct npf_monitor *m = e->monitors, *next; m != NULL; m = next) {
		next = m->next;
		if (m->port != p)
			continue;
		npf_monitor_unlink(e, m);
		npf_monitor_stop(m);
		npf_collector_finish(m->collector);
		/* A session's is freed with the session. */
		if (m->conf == NULL)
			continue;
		n_configured++;
		npf_monitor_free(m);
	}
	return n_configured;
}

void npf_monitors_end_all(struct npf_engine *e)
{
	while (e->monitors != NULL) {
		struct npf_monitor *m = e->monitors;

		npf_monitor_unlink(e, m);
		npf_monitor_stop(m);
		if (m->conf != NULL)
			npf_collector_finish(m->collector);
		npf_monitor_free(m);
	}
}

/* ---- Reports ---- */

json_t *npf_monitor_describe(const struct npf_monitor *m)
{
	return json_pack("{s:o, s:i, s:o}", "interval_ms",
		npf_json_u64(m->interval_ns / NPF_NS_PER_MS), "rows",
		(int)NPF_MAX(m->meter.n_rows, 1u), "memory",
		npf_json_u64(npf_collector_memory(m->collector)));
}

static json_t *describe_configured(const struct npf_engine *e, const struct npf_monitor *m)
{
	json_t *j = npf_monitor_describe(m);
	struct npf_collector_view v;

	json_object_update_new(
		j, json_pack("{s:s, s:s, s:s}", "name", m->conf->name, "port", m->conf->port,
			   "filter", m->conf->filter != NULL ? m->conf->filter : ""));
	if (m->conf->file != NULL)
		json_object_set_new(j, "file", json_string(m->conf->file));
	if (npf_collector_view(e->collector_worker, m->collector, &v) < 0)
		return j;
	json_object_update_new(
		j, json_pack("{s:o, s:o, s:o, s:o}", "intervals", npf_json_u64(v.n_intervals),
			   "end_ns", npf_json_u64(v.last_end_ns), "last", describe_tally(v.last),
			   "total", describe_tally(v.total)));
	free(v.last);
	free(v.total);
	return j;
}

json_t *npf_monitors_report(const struct npf_engine *e)
{
	json_t *list = json_array();

	/* The list is in reverse order. */
	for (const struct npf_monitor *m = e->monitors; m != NULL; m = m->next)
		if (m->conf != NULL)
			json_array_insert_new(list, 0, describe_configured(e, m));
	return json_pack(
		"{s:o, s:o}", "time_ns", npf_json_u64(npf_clock_realtime()), "monitors", list);
}
