/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * configured.c - the sends of the configuration: a file in memory, a lane like a session's, and a
 * playback thread in place of the client.
 *
 * To the worker, the port and captures a send is like a session: it has an id of its own, and what
 * it sends is mirrored like what sessions send. Files are read once; what happens to them later
 * does not matter.
 */
#include "engine/send/configured.h"

#include "engine/base/json_text.h"
#include "base/clock.h"
#include "engine/core/core.h"
#include "engine/send/playback.h"
#include "base/log.h"
#include "engine/datapath/datapath.h"
#include "replay/replay.h"

#include <string.h>

/* Where the port is not known yet. */
#define LARGEST_MTU (NPF_TX_MAXFRAME - NPF_WIRE_FRAME_MIN)

/* One of the configuration. */
struct npf_configured_send {
	const struct npf_config_send *conf;
	struct npf_replay replay;
	struct npf_savefile *file;
	struct npf_engine_port *port; /* NULL: there is none of that name now */
	struct npf_send_lane lane;    /* with a port only, like playback */
	struct npf_playback *playback;
	struct npf_plan_hook hook; /* linked to the port */
	struct npf_tx_state last;  /* without a port: how far it came */
	uint64_t started_ns;       /* CLOCK_REALTIME */
};

/* ---- Lanes ---- */

int npf_sender_add_lane(struct npf_engine *e, struct npf_send_lane *lane)
{
	struct npf_send_plan *old, *plan;
	unsigned int n;

	if (e->sender == NULL) {
		int rc = npf_sender_start(
			e->conf->npf.send_cpu != NULL ? *e->conf->npf.send_cpu : -1, &e->sender);

		if (rc < 0)
			return rc;
	}
	old = npf_sender_plan(e->sender);
	n = old != NULL ? old->n_lanes : 0;
	plan = malloc(sizeof(*plan) + (n + 1) * sizeof(plan->lanes[0]));
	if (plan == NULL)
		return -ENOMEM;
	if (n > 0)
		memcpy(plan->lanes, old->lanes, n * sizeof(plan->lanes[0]));
	plan->lanes[n] = lane;
	plan->n_lanes = n + 1;
	free(npf_sender_publish(e->sender, plan));
	return 0;
}

void npf_sender_remove_lane(struct npf_engine *e, const struct npf_send_lane *lane)
{
	/* Needs no memory: the plan is ours to change while the worker has none. */
	struct npf_send_plan *plan = npf_sender_publish(e->sender, NULL);
	unsigned int n = 0;

	for (unsigned int i = 0; i < plan->n_lanes; i++)
		if (plan->lanes[i] != lane)
			plan->lanes[n++] = plan->lanes[i];
	plan->n_lanes = n;
	npf_sender_publish(e->sender, plan);
}

/* ---- Files ---- */

static int load(const struct npf_config_send *conf, struct npf_savefile **fp, struct npf_error *err)
{
	int rc = npf_savefile_load(conf->file, NULL, fp, err);

	if (rc < 0)
		npf_error_set(err, rc, "send %s: %s", conf->name, err->text);
	return rc;
}

/* Can each packet be sent on a port of that MTU? */
static int check_lengths(const struct npf_config_send *conf, const struct npf_savefile *f,
	uint32_t mtu, struct npf_error *err)
{
	for (size_t i = 0; i < f->n_packets; i++) {
		const struct npf_saved *k = &f->packets[i];

		if (npf_wire_can_send(mtu, f->data + k->off, k->len))
			continue;
		return npf_error_set(err, -EMSGSIZE,
			"send %s: packet %zu of %.80s has %u bytes: on port %s %u to %u can be "
			"sent, and 4 more for each VLAN tag",
			conf->name, i + 1, conf->file, k->len, conf->port, NPF_WIRE_FRAME_MIN,
			NPF_WIRE_FRAME_MAX(mtu));
	}
	return 0;
}

int npf_sends_check(const struct npf_config *conf, struct npf_error *err)
{
	int rc = 0;

	for (unsigned int i = 0; rc == 0 && i < conf->n_sends; i++) {
		struct npf_savefile *f = NULL;

		rc = load(&conf->sends[i], &f, err);
		if (rc == 0)
			rc = check_lengths(&conf->sends[i], f, LARGEST_MTU, err);
		npf_savefile_free(f);
	}
	return rc;
}

int npf_sends_load(struct npf_engine *e, struct npf_error *err)
{
	int rc = 0;

	if (e->conf->n_sends == 0)
		return 0;
	e->sends = calloc(e->conf->n_sends, sizeof(*e->sends));
	if (e->sends == NULL)
		return -ENOMEM;
	for (unsigned int i = 0; rc == 0 && i < e->conf->n_sends; i++) {
		const struct npf_config_send *conf = &e->conf->sends[i];
		struct npf_configured_send *s = &e->sends[i];

		s->conf = conf;
		rc = load(conf, &s->file, err);
		s->replay = (struct npf_replay){
			.file = s->file,
			.rate = conf->meant,
			.loops = conf->loop,
			.repeat = conf->repeat,
		};
		e->n_sends++;
	}
	return rc;
}

/* ---- Life ---- */

static void free_lane(struct npf_send_lane *s)
{
	npf_send_lane_fini(s);
	s->lane = npf_tx_lane_free(s->lane);
}

/* After new plans: does the port run? */
static void set_live(struct npf_plan_hook *h, const struct npf_engine_port *p)
{
	npf_playback_set_live(
		NPF_CONTAINER_OF(h, struct npf_configured_send, hook)->playback, p->port.running);
}

static int begin(struct npf_engine *e, struct npf_configured_send *s)
{
	struct npf_tx_lane *lane;
	int rc = npf_tx_lane_new(NPF_TX_DEFAULT, NULL, &lane);

	if (rc < 0)
		return rc;
	rc = npf_send_lane_init(&s->lane, &s->port->port, e->next_session++, lane);
	if (rc == 0)
		rc = npf_sender_add_lane(e, &s->lane);
	if (rc == 0) {
		rc = npf_playback_start(&s->replay, s->lane.lane, &s->playback);
		if (rc < 0)
			npf_sender_remove_lane(e, &s->lane);
	}
	if (rc < 0)
		free_lane(&s->lane);
	return rc;
}

static int start_configured(
	struct npf_engine *e, struct npf_configured_send *s, struct npf_error *err)
{
	struct npf_engine_port *p = npf_engine_find_port(e, s->conf->port);
	int rc;

	if (p->port.conf->send != NPF_SWITCH_ON)
		return npf_error_set(err, -EPERM, "send %s: port %s does not say `send: true`",
			s->conf->name, s->conf->port);
	if (!npf_port_is_ethernet(&p->port))
		return npf_error_set(err, -EOPNOTSUPP, "send %s: " NPF_TXQ_NOT_ETHERNET,
			s->conf->name, s->conf->port);
	rc = check_lengths(s->conf, s->file, p->port.mtu, err);
	if (rc < 0)
		return rc;
	s->port = p;
	s->started_ns = npf_clock_realtime();
	rc = begin(e, s);
	if (rc < 0) {
		s->port = NULL;
		return npf_error_set(err, rc, "send %s: %s", s->conf->name, strerror(-rc));
	}
	s->hook = (struct npf_plan_hook){.after = set_live};
	npf_plan_hook_add(p, &s->hook);
	set_live(&s->hook, p);
	return 0;
}

int npf_sends_start_configured(
	struct npf_engine *e, const struct npf_engine_port *only, struct npf_error *err)
{
	int rc = 0;

	for (unsigned int i = 0; rc == 0 && i < e->n_sends; i++)
		if (only == NULL || strcmp(e->sends[i].conf->port, only->port.conf->name) == 0)
			rc = start_configured(e, &e->sends[i], err);
	return rc;
}

static void end(struct npf_engine *e, struct npf_configured_send *s)
{
	npf_plan_hook_remove(s->port, &s->hook);
	s->playback = npf_playback_stop(s->playback);
	npf_sender_remove_lane(e, &s->lane);
	/* What the worker had in work is counted, too. */
	npf_send_lane_detach_port(&s->lane);
	npf_tx_lane_state(s->lane.lane, &s->last);
	free_lane(&s->lane);
	s->port = NULL;
}

unsigned int npf_sends_end_port(struct npf_engine *e, const struct npf_engine_port *p)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < e->n_sends; i++) {
		if (e->sends[i].port != p)
			continue;
		end(e, &e->sends[i]);
		n++;
	}
	return n;
}

void npf_sends_end_all(struct npf_engine *e)
{
	for (unsigned int i = 0; i < e->n_sends; i++) {
		if (e->sends[i].port != NULL)
			end(e, &e->sends[i]);
		npf_savefile_free(e->sends[i].file);
	}
	free(e->sends);
}

/* ---- Reports ---- */

static const char *explain(int error)
{
	return error == -ENETDOWN   ? "the port is stopped, or its network is down"
	       : error == -ENOBUFS  ? "the port takes no packets: its transmit queue stays full"
	       : error == -EMSGSIZE ? "a packet is longer than the port's MTU allows"
	       : error == -EIO      ? "the port's driver took packets and lost them"
				    : strerror(-error);
}

static json_t *counters(const struct npf_configured_send *s)
{
	struct npf_tx_state st = s->last;
	struct npf_playback_view v = {0};

	if (s->port != NULL) {
		npf_tx_lane_state(s->lane.lane, &st);
		npf_playback_view(s->playback, &v);
	}
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "name",
		s->conf->name, "port", s->conf->port, "packets", npf_json_u64(st.sent), "bytes",
		npf_json_u64(npf_replay_bytes(&s->replay, st.sent)), "failed",
		npf_json_u64(st.failed), "loops",
		npf_json_u64(st.sent / npf_replay_round(&s->replay)), "stalls",
		npf_json_u64(v.stalls), "late_p50_ns", npf_json_u64(npf_tx_late(&st, 0.5)),
		"late_p99_ns", npf_json_u64(npf_tx_late(&st, 0.99)), "late_max_ns",
		npf_json_u64(st.late_max_ns));
}

static json_t *describe(const struct npf_configured_send *s)
{
	static const char *const states[] = {
		[NPF_PLAYBACK_WAITING] = "waiting",
		[NPF_PLAYBACK_SENDING] = "sending",
		[NPF_PLAYBACK_STALLED] = "stalled",
		[NPF_PLAYBACK_DONE] = "done",
	};
	struct npf_playback_view v = {0};
	json_t *j = counters(s);

	if (s->port != NULL)
		npf_playback_view(s->playback, &v);
	json_object_update_new(
		j, json_pack("{s:s, s:s, s:o, s:o, s:s, s:o, s:o}", "file", s->conf->file, "rate",
			   s->conf->rate != NULL ? s->conf->rate : "original", "loop",
			   npf_json_u64(s->conf->loop), "repeat", npf_json_u64(s->conf->repeat),
			   "state", s->port != NULL ? states[v.state] : "removed", "started_ns",
			   npf_json_u64(s->started_ns), "memory",
			   npf_json_u64(s->file->bytes +
					s->file->n_packets * sizeof(struct npf_saved) +
					(s->port != NULL ? npf_tx_lane_memory(s->lane.lane) : 0))));
	if (v.error < 0)
		json_object_set_new(j, "error", json_string(explain(v.error)));
	return j;
}

static json_t *list(const struct npf_engine *e, json_t *(*one)(const struct npf_configured_send *))
{
	json_t *all = json_array();

	for (unsigned int i = 0; i < e->n_sends; i++)
		json_array_append_new(all, one(&e->sends[i]));
	return all;
}

json_t *npf_sends_report(const struct npf_engine *e)
{
	return json_pack("{s:o, s:o}", "time_ns", npf_json_u64(npf_clock_realtime()), "sends",
		list(e, describe));
}

json_t *npf_sends_counters(const struct npf_engine *e)
{
	return list(e, counters);
}
