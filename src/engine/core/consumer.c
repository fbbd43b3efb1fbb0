/* SPDX-License-Identifier: BSD-3-Clause */
/* consumer.c - see consumer.h. Invariant: who reads also uses its port. */
#include "engine/core/consumer.h"

#include "engine/core/engine.h"

#include <string.h>

void npf_consumer_add(struct npf_consumer *c)
{
	struct npf_consumer **at = &c->port->consumers;

	while (*at != NULL && (*at)->form.session < c->form.session)
		at = &(*at)->next;
	c->next = *at;
	*at = c;
}

void npf_consumer_remove(struct npf_consumer *c)
{
	struct npf_consumer **at = &c->port->consumers;

	while (*at != NULL && *at != c)
		at = &(*at)->next;
	if (*at != NULL)
		*at = c->next;
	npf_consumer_release(c);
}

void npf_meter_consumer_add(struct npf_engine_port *p, struct npf_meter_consumer *m)
{
	m->next = p->meters;
	p->meters = m;
}

void npf_meter_consumer_remove(struct npf_engine_port *p, struct npf_meter_consumer *m)
{
	struct npf_meter_consumer **at = &p->meters;

	while (*at != NULL && *at != m)
		at = &(*at)->next;
	if (*at != NULL)
		*at = m->next;
}

void npf_plan_hook_add(struct npf_engine_port *p, struct npf_plan_hook *h)
{
	h->next = p->hooks;
	p->hooks = h;
}

void npf_plan_hook_remove(struct npf_engine_port *p, struct npf_plan_hook *h)
{
	struct npf_plan_hook **at = &p->hooks;

	while (*at != NULL && *at != h)
		at = &(*at)->next;
	if (*at != NULL)
		*at = h->next;
}

static bool waits(const struct npf_engine_port *p)
{
	return p->port.conf->overflow == NPF_OVERFLOW_WAIT;
}

static bool attaches(const struct npf_engine_port *p)
{
	return p->port.conf->start == NPF_START_ATTACH;
}

/* Return: 1: the port has been started; 0: it runs already; or -errno. */
static int start_port(struct npf_engine_port *p, struct npf_error *err)
{
	int rc;

	if (p->port.running)
		return 0;
	rc = npf_port_start(&p->port);
	return rc < 0 ? npf_error_set(err, rc,
				"port %s can't be started: %s; the daemon's log says more",
				p->port.conf->name, strerror(-rc))
		      : 1;
}

int npf_consumer_use(struct npf_consumer *c, struct npf_error *err)
{
	int rc = c->uses || c->port->removed ? 0 : start_port(c->port, err);

	if (rc >= 0)
		c->uses = true;
	return rc;
}

int npf_consumer_read(struct npf_consumer *c, struct npf_error *err)
{
	int rc;

	if (c->reads || c->looks || !npf_consumer_captures(c))
		return 0;
	rc = npf_consumer_use(c, err);
	if (rc < 0)
		return rc;
	c->reads = true;
	return 0;
}

void npf_consumer_release(struct npf_consumer *c)
{
	c->reads = c->uses = false;
}

bool npf_consumer_captures(const struct npf_consumer *c)
{
	return c->buffer != NULL || c->form.dump != NULL;
}

bool npf_consumer_is_served(const struct npf_consumer *c)
{
	return c->reads || !waits(c->port);
}

bool npf_consumer_is_planned(const struct npf_consumer *c)
{
	return c->takes && npf_consumer_is_served(c);
}

bool npf_engine_port_has_demand(const struct npf_engine_port *p)
{
	return attaches(p) || waits(p);
}

bool npf_engine_port_is_polled(const struct npf_engine_port *p)
{
	return !p->removed && p->port.running &&
	       !(attaches(p) && waits(p) && npf_engine_port_n_readers(p) == 0);
}

unsigned int npf_engine_port_n_captures(const struct npf_engine_port *p)
{
	unsigned int n = 0;

	for (const struct npf_consumer *c = p->consumers; c != NULL; c = c->next)
		n += npf_consumer_captures(c);
	return n;
}

unsigned int npf_engine_port_n_readers(const struct npf_engine_port *p)
{
	unsigned int n = 0;

	for (const struct npf_consumer *c = p->consumers; c != NULL; c = c->next)
		n += c->reads;
	return n;
}

unsigned int npf_engine_port_n_users(const struct npf_engine_port *p)
{
	unsigned int n = 0;

	for (const struct npf_consumer *c = p->consumers; c != NULL; c = c->next)
		n += c->uses;
	return n;
}
