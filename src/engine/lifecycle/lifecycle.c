/* SPDX-License-Identifier: BSD-3-Clause */
/* lifecycle.c - all comes up, and goes down again in order. */
#include "engine/lifecycle/lifecycle.h"

#include "base/clock.h"
#include "engine/core/core.h"
#include "engine/datapath/datapath.h"
#include "engine/dump/dump.h"
#include "engine/lifecycle/links.h"
#include "engine/lifecycle/ports.h"
#include "engine/monitor/monitor.h"
#include "engine/send/configured.h"
#include "engine/session/session.h"

#include <rte_lcore.h>
#include <string.h>

static int start_taps(struct npf_engine *e, struct npf_error *err)
{
	unsigned int lcore;

	RTE_LCORE_FOREACH_WORKER(lcore)
	{
		int rc;

		if (e->n_taps == NPF_TAPS_MAX)
			break;
		rc = npf_tap_start(lcore, e->conf->npf.poll, &e->taps[e->n_taps]);
		if (rc < 0)
			return npf_error_set(err, rc, "lcore %u: %s", lcore, strerror(-rc));
		e->n_taps++;
	}
	if (e->n_taps > 0)
		return 0;
	return npf_error_set(err, -EINVAL,
		"eal.lcores: at least two lcores are needed, one to control and one to poll; on "
		"one CPU write \"0@0,1@0\"");
}

int npf_lifecycle_begin(const struct npf_config *conf, bool hugepages, struct npf_engine **ep,
	struct npf_error *err)
{
	struct npf_engine *e = calloc(1, sizeof(*e));
	int rc;

	if (e == NULL)
		return -ENOMEM;
	e->conf = conf;
	e->links_fd = -1;
	e->hugepages = hugepages;
	e->next_session = 1;
	e->started_ns = npf_clock_realtime();
	e->accounts = npf_accounts_new(&conf->npf.limits);
	e->collector_worker = npf_collector_worker_new();
	if (e->collector_worker == NULL || e->accounts == NULL) {
		npf_collector_worker_free(e->collector_worker);
		npf_accounts_free(e->accounts);
		free(e);
		return -ENOMEM;
	}
	rc = npf_port_setup_stamps();
	if (rc < 0)
		npf_error_set(err, rc, "no room for time stamps in mbufs: %s", strerror(-rc));
	else
		rc = start_taps(e, err);
	if (rc == 0)
		rc = npf_ports_open(e, err);
	if (rc == 0) {
		rc = npf_links_open(e);
		if (rc < 0)
			npf_error_set(err, rc, "the kernel's interfaces can't be watched: %s",
				strerror(-rc));
		rc = NPF_MIN(rc, 0);
	}
	if (rc == 0)
		rc = npf_monitors_start_configured(e, NULL, err);
	if (rc == 0)
		rc = npf_sends_load(e, err);
	if (rc < 0) {
		npf_lifecycle_end(e);
		return rc;
	}
	*ep = e;
	return 0;
}

struct npf_engine *npf_lifecycle_end(struct npf_engine *e)
{
	if (e == NULL)
		return NULL;
	for (unsigned int i = 0; i < e->n_ports; i++)
		e->ports[i]->shadow = npf_shadow_close(e->ports[i]->shadow);
	while (e->sessions != NULL)
		npf_session_close(e, e->sessions);
	npf_dumps_end_all(e);
	npf_sends_end_all(e);
	npf_sender_stop(e->sender);
	for (unsigned int t = 0; t < e->n_taps; t++) {
		free(npf_tap_publish(e->taps[t], NULL));
		npf_tap_stop(e->taps[t]);
	}
	npf_monitors_end_all(e);
	npf_collector_worker_free(e->collector_worker);
	npf_ports_close(e);
	npf_accounts_free(e->accounts);
	npf_close(e->links_fd);
	free(e);
	return NULL;
}
