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
#include "engine/core/filter_pair.h"
#include "engine/base/lines.h"
#include "base/log.h"
#include "engine/config/replayed.h"

#include <string.h>

#define EXPRESSION_SNAPLEN 262144

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

static bool tell_file(void *arg, const struct npf_wire_interval *iv, uint64_t end_ns)
{
	const struct npf_watch *w = arg;
	json_t *j = NULL;
	npf_autofree char *line = NULL;

	if (w->file < 0)
		return true;
	j = json_pack("{s:s, s:o, s:o, s:i}", "name", w->conf->name, "start_ns",
		npf_json_u64(iv->start_ns), "end_ns", npf_json_u64(end_ns), "intervals",
		(int)iv->covers);
	json_object_update_new(j, describe_tally(&iv->rows[0]));
	line = json_dumps(j, JSON_COMPACT | JSON_PRESERVE_ORDER);
	json_decref(j);
	/* On a full disk the same counts are in the next line that can be written. */
	return line != NULL && npf_lines_append(w->file, line) == 0;
}

/* ---- Plans ---- */

static void go_live(struct npf_plan_hook *h, const struct npf_engine_port *p)
{
	struct npf_watch *w = NPF_CONTAINER_OF(h, struct npf_watch, hook);

	if (npf_engine_port_is_polled(p))
		npf_monitor_set_live(w->monitors, w->monitor, true);
}

static void go_quiet(struct npf_plan_hook *h, const struct npf_engine_port *p)
{
	struct npf_watch *w = NPF_CONTAINER_OF(h, struct npf_watch, hook);

	if (!npf_engine_port_is_polled(p))
		npf_monitor_set_live(w->monitors, w->monitor, false);
}

/* ---- Life ---- */

struct npf_watch *npf_watch_new(struct npf_engine *e, const struct npf_watch_conf *conf)
{
	struct npf_watch *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->port = conf->port;
	w->monitors = e->monitors;
	w->interval_ns = conf->interval_ns;
	w->sink = conf->sink;
	w->arg = conf->arg;
	w->file = -1;
	w->meter = (struct npf_meter_consumer){
		.session = conf->model != NULL ? conf->model->form.session : 0,
		.feeds = conf->model != NULL ? conf->model->feeds : NULL,
		.model = conf->model,
		.rows = w->rows,
	};
	w->hook = (struct npf_plan_hook){.before = go_live, .after = go_quiet};
	return w;
}

static void free_watch(struct npf_watch *w)
{
	npf_monitor_free(w->monitor);
	for (unsigned int i = 0; i < w->meter.n_rows; i++)
		npf_filter_pair_free(&w->filters[i]);
	npf_close(w->file);
	free(w->arg);
	free(w);
}

void npf_watch_link(struct npf_engine *e, struct npf_watch *w)
{
	if (w == NULL)
		return;
	w->next = e->watches;
	e->watches = w;
	npf_meter_consumer_add(w->port, &w->meter);
	npf_plan_hook_add(w->port, &w->hook);
}

void npf_watch_unlink(struct npf_engine *e, struct npf_watch *w)
{
	struct npf_watch **at = &e->watches;

	while (*at != NULL && *at != w)
		at = &(*at)->next;
	if (*at == NULL)
		return;
	*at = w->next;
	npf_meter_consumer_remove(w->port, &w->meter);
	npf_plan_hook_remove(w->port, &w->hook);
}

int npf_watch_add_row(struct npf_engine *e, struct npf_watch *w, const struct npf_bpf_insn *insns,
	uint32_t n_insns, struct npf_error *err)
{
	unsigned int i = w->meter.n_rows;
	int rc = npf_filter_pair_compile(
		&e->conf->npf.limits, w->port->port.index, insns, n_insns, &w->filters[i], err);

	if (rc < 0)
		return rc;
	w->rows[i] = (struct npf_tap_row){w->filters[i].in, w->filters[i].out};
	w->meter.n_rows++;
	return 0;
}

int npf_watch_begin(struct npf_watch *w)
{
	struct npf_monitor_conf conf = {
		.interval_ns = w->interval_ns,
		.n_rows = NPF_MAX(w->meter.n_rows, 1u),
		.n_lcores = w->port->n_taps,
		.sent_lock = &w->port->port.tx_lock,
		.sink = w->sink,
		.arg = w->arg != NULL ? w->arg : w,
	};

	w->monitor = npf_monitor_new(&conf);
	if (w->monitor == NULL)
		return -ENOMEM;
	w->meter.meters = npf_monitor_meters(w->monitor);
	return npf_monitor_start(w->monitors, w->monitor);
}

void npf_watch_stop(struct npf_watch *w)
{
	if (w != NULL && w->monitor != NULL)
		npf_monitor_stop(w->monitors, w->monitor);
}

struct npf_watch *npf_watch_end(struct npf_watch *w)
{
	if (w == NULL)
		return NULL;
	npf_watch_stop(w);
	free_watch(w);
	return NULL;
}

static int compile_conf(const struct npf_config_monitor *conf, int linktype,
	struct npf_bpf_insn **insnsp, uint32_t *n_insnsp, struct npf_error *err)
{
	int rc = npf_expression_compile(
		&(struct npf_expression){conf->filter, linktype, EXPRESSION_SNAPLEN}, insnsp,
		n_insnsp, err);

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

int npf_watch_check(const struct npf_config *conf, struct npf_error *err)
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

static int prepare_standing(struct npf_engine *e, struct npf_watch *w, struct npf_error *err)
{
	npf_autofree struct npf_bpf_insn *insns = NULL;
	uint32_t n_insns;
	int rc = compile_conf(w->conf, w->port->port.linktype, &insns, &n_insns, err);

	if (rc < 0)
		return rc;
	rc = npf_watch_add_row(e, w, insns, n_insns, err);
	if (rc < 0)
		return npf_error_set(err, rc, "monitor %s: %s", w->conf->name, err->text);
	if (w->conf->file != NULL) {
		w->file = npf_lines_open(w->conf->file, 0644);
		if (w->file < 0)
			return npf_error_set(err, w->file, "monitor %s: can't write to %.150s: %s",
				w->conf->name, w->conf->file,
				w->file == -ENOTSUP ? "it is no regular file" : strerror(-w->file));
	}
	rc = npf_watch_begin(w);
	if (rc < 0)
		npf_error_set(err, rc, "monitor %s: %s", w->conf->name, strerror(-rc));
	return rc;
}

static int stand(struct npf_engine *e, const struct npf_config_monitor *conf, struct npf_error *err)
{
	struct npf_watch_conf how = {
		.port = npf_engine_find_port(e, conf->port),
		.interval_ns = conf->interval_ns,
		.sink = tell_file,
	};
	struct npf_watch *w = npf_watch_new(e, &how);
	int rc;

	if (w == NULL)
		return -ENOMEM;
	w->conf = conf;
	rc = prepare_standing(e, w, err);
	if (rc == 0)
		npf_watch_link(e, w);
	else
		npf_watch_end(w);
	return rc;
}

int npf_watch_standing(
	struct npf_engine *e, const struct npf_engine_port *only, struct npf_error *err)
{
	for (unsigned int i = 0; i < e->conf->n_monitors; i++) {
		const struct npf_config_monitor *conf = &e->conf->monitors[i];
		int rc;

		if (only != NULL && strcmp(conf->port, only->port.conf->name) != 0)
			continue;
		rc = stand(e, conf, err);
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
		npf_watch_stop(w);
		npf_monitor_finish(w->monitor);
		/* A session's is freed with the session. */
		if (w->conf == NULL)
			continue;
		n_standing++;
		npf_watch_end(w);
	}
	return n_standing;
}

void npf_watch_end_all(struct npf_engine *e)
{
	while (e->watches != NULL) {
		struct npf_watch *w = e->watches;

		npf_watch_unlink(e, w);
		npf_watch_stop(w);
		if (w->conf != NULL)
			npf_monitor_finish(w->monitor);
		npf_watch_end(w);
	}
}

/* ---- Reports ---- */

json_t *npf_watch_describe(const struct npf_watch *w)
{
	return json_pack("{s:o, s:i, s:o}", "interval_ms",
		npf_json_u64(w->interval_ns / NPF_NS_PER_MS), "rows",
		(int)NPF_MAX(w->meter.n_rows, 1u), "memory",
		npf_json_u64(npf_monitor_memory(w->monitor)));
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
		j, json_pack("{s:o, s:o, s:o, s:o}", "intervals", npf_json_u64(v.n_intervals),
			   "end_ns", npf_json_u64(v.last_end_ns), "last", describe_tally(v.last),
			   "total", describe_tally(v.total)));
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
	return json_pack(
		"{s:o, s:o}", "time_ns", npf_json_u64(npf_clock_realtime()), "monitors", list);
}
