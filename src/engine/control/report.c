/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * report.c - one function a report. Keys are plain words in snake_case, sizes are bytes, times
 * nanoseconds unless the key says otherwise. Keys are only ever added.
 */
#include "engine/control/report.h"

#include "engine/base/json_text.h"
#include "base/clock.h"
#include "engine/core/core.h"
#include "engine/dump/dump.h"
#include "engine/send/configured.h"
#include "engine/datapath/datapath.h"
#include "engine/session/session.h"
#include "engine/monitor/monitor.h"

#include <pcap/pcap.h>
#include <rte_cycles.h>
#include <string.h>

static const char *const direction_names[] = {
	[NPF_WIRE_INOUT] = "inout",
	[NPF_WIRE_IN] = "in",
	[NPF_WIRE_OUT] = "out",
};

static json_t *lcores(const struct npf_engine *e)
{
	json_t *list = json_array();

	for (unsigned int t = 0; t < e->n_taps; t++) {
		struct npf_tap_load load;

		npf_tap_load(e->taps[t], &load);
		json_array_append_new(list,
			json_pack("{s:i, s:i, s:s, s:o, s:o, s:o, s:o}", "lcore", (int)load.lcore,
				"cpu", load.cpu, "role", "tap", "polls", npf_json_u64(load.polls),
				"busy_polls", npf_json_u64(load.busy_polls), "packets",
				npf_json_u64(load.packets), "sleeps", npf_json_u64(load.sleeps)));
	}
	return list;
}

static unsigned int count_sessions(const struct npf_engine *e, const struct npf_peer *peer)
{
	unsigned int n = 0;

	for (const struct npf_session *s = e->sessions; s != NULL; s = s->next)
		n += npf_access_user(peer, s->peer.uid);
	return n;
}

static unsigned int count_ports(const struct npf_engine *e, const struct npf_peer *peer)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < e->n_ports; i++)
		n += npf_access_port(e->ports[i]->allow, peer);
	return n;
}

static json_t *status(const struct npf_engine *e, const struct npf_peer *peer)
{
	return json_pack("{s:s, s:i, s:i, s:o, s:s, s:s, s:b, s:i, s:i, s:o}", "version",
		NPF_VERSION, "protocol", NPF_WIRE_VERSION, "pid", (int)getpid(), "uptime_s",
		npf_json_u64((npf_clock_realtime() - e->started_ns) / NPF_NS_PER_S), "socket",
		e->conf->npf.socket, "poll",
		e->conf->npf.poll == NPF_POLL_BUSY ? "busy" : "adaptive", "hugepages", e->hugepages,
		"ports", (int)count_ports(e, peer), "sessions", (int)count_sessions(e, peer),
		"lcores", npf_access_is_privileged(peer) ? lcores(e) : json_array());
}

static json_t *port_counters(const struct npf_port *p)
{
	struct rte_eth_stats st;

	npf_port_stats(p, &st);
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "name",
		p->conf->name, "rx_packets", npf_json_u64(st.ipackets), "rx_bytes",
		npf_json_u64(st.ibytes), "rx_missed", npf_json_u64(st.imissed), "rx_errors",
		npf_json_u64(st.ierrors), "rx_nombuf", npf_json_u64(st.rx_nombuf), "tx_packets",
		npf_json_u64(st.opackets), "tx_bytes", npf_json_u64(st.obytes), "tx_errors",
		npf_json_u64(st.oerrors), "tx_unseen",
		npf_json_u64(atomic_load_explicit(&p->mirror_drops, memory_order_relaxed)));
}

/* As libpcap names it, or its number where it has no name. */
static json_t *link_type(const struct npf_port *p)
{
	const char *name = pcap_datalink_val_to_name(p->linktype);

	return name != NULL ? json_string(name) : json_integer(p->linktype);
}

static json_t *port(const struct npf_engine_port *ep)
{
	const struct npf_port *p = &ep->port;
	char mac[RTE_ETHER_ADDR_FMT_SIZE];
	json_t *j = port_counters(p);
	uint32_t mbps;
	bool up = npf_port_link(p, &mbps);

	rte_ether_format_addr(mac, sizeof(mac), &p->mac);
	json_object_update_new(
		j, json_pack("{s:i, s:s, s:s, s:s, s:i, s:b, s:i, s:s, s:s, s:s, s:b, s:b, s:i, "
			     "s:i, s:i}",
			   "index", (int)p->index, "device", p->conf->device, "driver", p->driver,
			   "mac", mac, "mtu", (int)p->mtu, "link", up, "speed_mbps", (int)mbps,
			   "state", p->running ? "running" : "waiting", "start",
			   p->conf->start == NPF_START_ATTACH ? "attach" : "always", "overflow",
			   p->conf->overflow == NPF_OVERFLOW_WAIT ? "wait" : "drop", "promiscuous",
			   p->promiscuous, "send",
			   p->conf->send == NPF_SWITCH_ON && npf_port_is_ethernet(p), "rx_queues",
			   (int)p->n_queues, "captures", (int)npf_engine_port_n_captures(ep),
			   "readers", (int)npf_engine_port_n_readers(ep)));
	json_object_set_new(j, "link_type", link_type(p));
	if (p->device->describe != NULL)
		p->device->describe(p, j);
	return j;
}

static json_t *session_counters(const struct npf_session *s)
{
	struct npf_wire_stats st;

	npf_session_stats(s, &st);
	return json_pack("{s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
		"id", npf_json_u64(s->id), "port", s->port->port.conf->name, "received",
		npf_json_u64(st.received), "accepted", npf_json_u64(st.accepted), "screened",
		npf_json_u64(st.screened), "captured", npf_json_u64(st.captured), "captured_bytes",
		npf_json_u64(st.captured_bytes), "drop_full", npf_json_u64(st.drop_full),
		"drop_overwritten", npf_json_u64(st.drop_overwritten), "drop_other",
		npf_json_u64(st.drop_other), "port_missed", npf_json_u64(st.port_missed),
		"port_errors", npf_json_u64(st.port_errors), "sent", npf_json_u64(st.sent),
		"send_failed", npf_json_u64(st.send_failed));
}

static json_t *send_lane(const struct npf_session *s)
{
	struct npf_tx_state st;

	npf_session_send_state(s, &st);
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "memory",
		npf_json_u64(npf_session_send_memory(s)), "pending", npf_json_u64(st.pending),
		"late_p50_ns", npf_json_u64(npf_tx_late(&st, 0.5)), "late_p99_ns",
		npf_json_u64(npf_tx_late(&st, 0.99)), "late_max_ns", npf_json_u64(st.late_max_ns));
}

/* Do its port's taps run its filter together with those of others? */
static bool is_in_set(const struct npf_session *s)
{
	uint32_t keep;

	return npf_joint_set_member(s->port->set, s->filter_in, &keep) != NPF_NO_MEMBER;
}

static json_t *session(const struct npf_session *s)
{
	json_t *j = session_counters(s);

	json_object_update_new(j,
		json_pack("{s:s, s:i, s:o, s:o, s:o, s:i, s:i, s:s, s:b, s:o, s:o, s:o}", "program",
			s->peer.program, "pid", (int)s->peer.pid, "uid", npf_json_u64(s->peer.uid),
			"age_s", npf_json_u64((npf_clock_realtime() - s->opened_ns) / NPF_NS_PER_S),
			"snaplen", npf_json_u64(s->snaplen), "filter_insns", (int)s->n_insns,
			"filter_generation", (int)s->filter_gen, "direction",
			direction_names[s->params.direction], "immediate",
			(s->params.flags & NPF_WIRE_OPEN_IMMEDIATE) != 0, "mintocopy",
			npf_json_u64(s->params.mintocopy), "timeout_ms",
			npf_json_u64(s->params.timeout_ms), "buffer", json_null()));
	if (npf_session_over_budget(s) > 0)
		json_object_set_new(j, "over_budget", npf_json_u64(npf_session_over_budget(s)));
	if (s->filter_in != NULL)
		json_object_set_new(j, "backend",
			json_string(npf_backend_name(npf_filter_backend(s->filter_in))));
	if (s->filter_in != NULL && npf_filter_is_unproven(s->filter_in))
		json_object_set_new(j, "unproven", json_true());
	json_object_set_new(j, "in_set", json_boolean(is_in_set(s)));
	json_object_set_new(j, "filter_in_reader", json_boolean(npf_session_screens(s)));
	json_object_set_new(j, "reads", json_boolean(s->consumer.reads));
	json_object_set_new(j, "port_removed", json_boolean(s->port->removed));
	json_object_set_new(j, "mode", json_string(s->monitor != NULL ? "monitor" : "capture"));
	if (s->tx != NULL)
		json_object_set_new(j, "send_lane", send_lane(s));
	if (s->monitor != NULL)
		json_object_set_new(j, "monitor", npf_monitor_describe(s->monitor));
	if (s->consumer.buffer != NULL) {
		struct npf_buffer_info info;

		npf_buffer_info(s->consumer.buffer, &info);
		json_object_set_new(j, "buffer",
			json_pack("{s:o, s:o, s:o, s:o, s:i}", "size", npf_json_u64(info.size),
				"used", npf_json_u64(npf_buffer_used(s->consumer.buffer)), "memory",
				npf_json_u64(info.memory), "page_size",
				npf_json_u64(info.page_size), "lanes", (int)info.n_lanes));
	}
	return j;
}

static json_t *list_ports(const struct npf_engine *e, const struct npf_peer *peer,
	json_t *(*describe)(const struct npf_engine_port *))
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < e->n_ports; i++)
		if (npf_access_port(e->ports[i]->allow, peer))
			json_array_append_new(list, describe(e->ports[i]));
	return list;
}

static json_t *list_sessions(const struct npf_engine *e, const struct npf_peer *peer,
	json_t *(*describe)(const struct npf_session *))
{
	json_t *list = json_array();

	for (const struct npf_session *s = e->sessions; s != NULL; s = s->next)
		if (npf_access_user(peer, s->peer.uid))
			json_array_append_new(list, describe(s));
	return list;
}

static json_t *counters_of_port(const struct npf_engine_port *p)
{
	return port_counters(&p->port);
}

static json_t *stats(const struct npf_engine *e, const struct npf_peer *peer)
{
	return json_pack("{s:o, s:o, s:o, s:o}", "time_ns", npf_json_u64(npf_clock_realtime()),
		"ports", list_ports(e, peer, counters_of_port), "sessions",
		list_sessions(e, peer, session_counters), "sends",
		npf_access_is_privileged(peer) ? npf_sends_counters(e) : json_array());
}

static json_t *user(const struct npf_account_info *info)
{
	const uint64_t *held = info->held, *limit = info->limit;
	json_t *j = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "uid", npf_json_u64(info->uid),
		"connections", npf_json_u64(held[NPF_RES_CONNECTIONS]), "connections_limit",
		npf_json_u64(limit[NPF_RES_CONNECTIONS]), "sessions",
		npf_json_u64(held[NPF_RES_SESSIONS]), "sessions_limit",
		npf_json_u64(limit[NPF_RES_SESSIONS]), "dumps", npf_json_u64(held[NPF_RES_DUMPS]),
		"dumps_limit", npf_json_u64(limit[NPF_RES_DUMPS]));

	json_object_update_new(j,
		json_pack("{s:o, s:o, s:o, s:o, s:o}", "memory", npf_json_u64(held[NPF_RES_MEMORY]),
			"memory_releasing", npf_json_u64(info->releasing[NPF_RES_MEMORY]),
			"memory_limit", npf_json_u64(limit[NPF_RES_MEMORY]), "wakeups_ns",
			npf_json_u64(info->wakes_ns), "wakeups_limit_ns",
			npf_json_u64(NPF_DOORBELL_BUDGET_NS)));
	json_object_update_new(
		j, json_pack("{s:o, s:o, s:o, s:o}", "descriptors",
			   npf_json_u64(held[NPF_RES_DESCRIPTORS]), "descriptors_limit",
			   npf_json_u64(limit[NPF_RES_DESCRIPTORS]), "requests_ns",
			   npf_json_u64(info->turns_ns), "taps_ns",
			   npf_json_u64(info->tap_cycles * NPF_NS_PER_S / rte_get_tsc_hz())));
	return j;
}

static json_t *users(const struct npf_engine *e, const struct npf_peer *peer)
{
	const struct npf_account *of = NULL;
	json_t *list = json_array();

	while ((of = npf_accounts_next(e->accounts, of)) != NULL) {
		struct npf_account_info info;

		npf_account_info(of, &info);
		if (npf_access_user(peer, info.uid))
			json_array_append_new(list, user(&info));
	}
	return json_pack("{s:o}", "users", list);
}

/* What the configuration monitors and sends is for the administrator only: others get an empty
 * report. */
static json_t *empty_report(const char *what)
{
	return json_pack("{s:o, s:[]}", "time_ns", npf_json_u64(npf_clock_realtime()), what);
}

json_t *npf_report(struct npf_engine *e, const char *what, const struct npf_peer *peer)
{
	bool privileged = npf_access_is_privileged(peer);

	if (strcmp(what, "status") == 0)
		return status(e, peer);
	if (strcmp(what, "ports") == 0)
		return json_pack("{s:o}", "ports", list_ports(e, peer, port));
	if (strcmp(what, "sessions") == 0)
		return json_pack("{s:o}", "sessions", list_sessions(e, peer, session));
	if (strcmp(what, "stats") == 0)
		return stats(e, peer);
	if (strcmp(what, "users") == 0)
		return users(e, peer);
	if (strcmp(what, "dumps") == 0)
		return npf_dumps_report(e, peer);
	if (strcmp(what, "monitors") == 0)
		return privileged ? npf_monitors_report(e) : empty_report("monitors");
	if (strcmp(what, "sends") == 0)
		return privileged ? npf_sends_report(e) : empty_report("sends");
	return NULL;
}
