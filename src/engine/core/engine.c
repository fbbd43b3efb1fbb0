/* SPDX-License-Identifier: BSD-3-Clause */
/* engine.c - plans are exchanged: all taps' at once, or none. */
#include "engine/core/engine.h"

#include "engine/core/consumer.h"
#include "engine/core/plan.h"
#include "engine/core/joint_set.h"
#include "engine/datapath/datapath.h"

#include <string.h>

struct npf_engine_port *npf_engine_find_port(struct npf_engine *e, const char *name)
{
	for (unsigned int i = 0; i < e->n_ports; i++)
		if (strcmp(e->ports[i]->port.conf->name, name) == 0)
			return e->ports[i];
	return NULL;
}

static void call_hooks(const struct npf_engine *e, bool before)
{
	for (unsigned int i = 0; i < e->n_ports; i++) {
		const struct npf_engine_port *p = e->ports[i];

		for (struct npf_plan_hook *h = p->hooks; h != NULL; h = h->next) {
			if (before && h->before != NULL)
				h->before(h, p);
			if (!before && h->after != NULL)
				h->after(h, p);
		}
	}
}

/* Without memory the plans stay as they are, and the next ones have the set. */
static void replan_with_set(struct npf_engine *e)
{
	npf_engine_replan(e);
}

int npf_engine_replan(struct npf_engine *e)
{
	struct npf_sent_meters *sent[NPF_WIRE_MAXPORTS] = {NULL};
	struct npf_plan *plans[NPF_TAPS_MAX] = {NULL};
	int rc = 0;

	for (unsigned int t = 0; rc == 0 && t < e->n_taps; t++) {
		plans[t] = npf_plan_make(e, t);
		rc = plans[t] != NULL ? 0 : -ENOMEM;
	}
	for (unsigned int i = 0; rc == 0 && i < e->n_ports; i++)
		rc = npf_plan_sent_meters(e->ports[i], &sent[i]);
	if (rc < 0) {
		for (unsigned int t = 0; t < e->n_taps; t++)
			free(plans[t]);
		for (unsigned int i = 0; i < e->n_ports; i++)
			npf_sent_meters_free(sent[i]);
		return rc;
	}
	for (unsigned int i = 0; i < e->n_ports; i++)
		atomic_store_explicit(&e->ports[i]->port.mirror_policy,
			npf_plan_mirror_policy(e->ports[i]), memory_order_relaxed);
	call_hooks(e, true);
	for (unsigned int t = 0; t < e->n_taps; t++)
		free(npf_tap_publish(e->taps[t], plans[t]));
	for (unsigned int i = 0; i < e->n_ports; i++)
		npf_sent_meters_free(npf_txq_swap_sent_meters(&e->ports[i]->port, sent[i]));
	call_hooks(e, false);
	for (unsigned int i = 0; i < e->n_ports; i++)
		npf_joint_set_settle(e->ports[i]);
	e->sets_stale = true;
	return 0;
}

void npf_engine_tick(struct npf_engine *e)
{
	const bool stale = e->sets_stale;

	e->sets_stale = false;
	for (unsigned int i = 0; i < e->n_ports; i++)
		if (stale || npf_joint_set_is_abused(e->ports[i]))
			npf_joint_set_update(e, e->ports[i], replan_with_set);
}

int npf_engine_use(struct npf_engine *e, struct npf_consumer *c, struct npf_error *err)
{
	int rc = npf_consumer_use(c, err);

	if (rc <= 0)
		return rc;
	rc = npf_engine_replan(e);
	return rc < 0 ? npf_error_set(err, rc, "the daemon is out of memory") : 0;
}

void npf_engine_port_drop_stalls(struct npf_engine_port *p)
{
	for (unsigned int q = 0; q < NPF_TAPS_MAX; q++)
		npf_tap_stall_drop(&p->stalls[q]);
}

int npf_engine_release_port(struct npf_engine *e, struct npf_engine_port *p)
{
	bool pause = p->port.running && p->port.conf->start == NPF_START_ATTACH &&
		     npf_engine_port_n_users(p) == 0;
	int rc;

	if (p->removed)
		return 0;
	if (pause)
		p->port.running = false; /* takes it out of the plans; really stopped below */
	rc = npf_engine_replan(e);
	if (pause)
		p->port.running = true;
	if (rc < 0 || !pause)
		return rc;
	npf_engine_port_drop_stalls(p);
	npf_port_stop(&p->port);
	return 0;
}
