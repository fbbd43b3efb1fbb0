/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * consumer.h - what wants packets of a port, as data: owners link it to the port, plans are made
 * from it (plan.h).
 *
 * A session and a dump each have a npf_consumer, a monitor has a npf_meter_consumer. An owner
 * changes its consumer, calls npf_engine_replan(), and only then frees what the old plans used.
 *
 * The consumers of a port also say for whom it runs: for those who read or send, not for those who
 * only look. Programs open a port more often than they read from it: to learn its link type, to
 * watch its counters, or once too often. A consumer that only looks starts no port with `start:
 * attach`; a port with `overflow: wait` neither gives it packets nor waits for it.
 *
 * A port with `start: attach` runs as long as a consumer uses it. With `overflow: wait` as well it
 * is polled only while a consumer reads.
 *
 * Context: the control thread.
 */
#ifndef NPF_ENGINE_CORE_CONSUMER_H
#define NPF_ENGINE_CORE_CONSUMER_H

#include "base/error.h"
#include "engine/datapath/datapath.h"
#include "ringbuf/ring.h"
#include "wire/wire.h"

struct npf_account;
struct npf_engine_port;

struct npf_consumer {
	struct npf_consumer *next;    /* on its port, in ascending order of form.session */
	struct npf_engine_port *port; /* Owns: a reference, npf_engine_port_get() */
	bool takes;                   /* packets, as things stand */
	bool looks;                   /* does not read yet */
	bool reads;                   /* its port delivers to it, and waits for it */
	bool uses;                    /* its port runs for it */
	/* What its taps see of it. Each queue fills in lane, lane_size, counters and is_merged. */
	struct npf_tap_client form;
	struct npf_buffer *buffer; /* one lane a tap; NULL: form.dump, or it captures nothing */
	struct npf_tap_counters *tap_counters; /* one a tap */
	struct npf_account *payer;             /* of the taps' time; NULL: the daemon itself */
	/* Whose filter, direction and owner hold in place of form's: a session's, for its dump; or
	 * NULL */
	const struct npf_consumer *model;
};

struct npf_meter_consumer {
	struct npf_meter_consumer *next; /* on its port */
	uint64_t session;                /* id; 0: nobody's */
	struct npf_meter *const *meters;
	struct npf_tap_counters
		*tap_counters; /* or NULL; like meters: one a tap, and one for what is sent */
	unsigned int n_rows;   /* filters of its own; 0: one row, the model's filter */
	const struct npf_tap_row *rows;
	const struct npf_consumer *model; /* whose direction holds; NULL: received packets only */
	struct npf_account *payer;        /* as a consumer's */
};

/* Is called when plans change: before new ones are published, and after. Both may be NULL. */
struct npf_plan_hook {
	struct npf_plan_hook *next; /* on its port */
	void (*before)(struct npf_plan_hook *h, const struct npf_engine_port *p);
	void (*after)(struct npf_plan_hook *h, const struct npf_engine_port *p);
};

/* Put it on a port's list, or take it off; the next plans have it, or no longer. A consumer that is
 * on no list may be removed again. */
void npf_consumer_add(struct npf_consumer *c);
void npf_consumer_remove(struct npf_consumer *c); /* it neither reads nor uses its port any more */
void npf_meter_consumer_add(struct npf_engine_port *p, struct npf_meter_consumer *m);
void npf_meter_consumer_remove(struct npf_engine_port *p, struct npf_meter_consumer *m);
void npf_plan_hook_add(struct npf_engine_port *p, struct npf_plan_hook *h);
void npf_plan_hook_remove(struct npf_engine_port *p, struct npf_plan_hook *h);

/*
 * npf_consumer_read - the consumer reads from the next plans on, unless it only looks or captures
 * nothing: then nothing happens. Its port is started.
 * Return: 0, or -errno with a text in err: the port can't be started.
 */
int npf_consumer_read(struct npf_consumer *c, struct npf_error *err);

/*
 * npf_consumer_use - its port runs for it from now on: it is about to send or to dump.
 * Return: 1: the port has been started, and new plans are due; 0; or -errno with a text in err.
 */
int npf_consumer_use(struct npf_consumer *c, struct npf_error *err);

/* It neither reads nor uses its port any more. */
void npf_consumer_release(struct npf_consumer *c);

/* Does it capture at all? */
bool npf_consumer_captures(const struct npf_consumer *c);
/* Does its port deliver to it? */
bool npf_consumer_is_served(const struct npf_consumer *c);
/* Is it in the next plans? */
bool npf_consumer_is_planned(const struct npf_consumer *c);

/* Whose filter and direction hold for it. */
static inline const struct npf_tap_client *npf_consumer_form(const struct npf_consumer *c)
{
	return c->model != NULL ? &c->model->form : &c->form;
}

/* ---- A port, as its consumers make it ---- */

/* Does it matter who reads? Other ports run and deliver in any case. */
bool npf_engine_port_has_demand(const struct npf_engine_port *p);
/* Is the running port polled, as things stand? */
bool npf_engine_port_is_polled(const struct npf_engine_port *p);

unsigned int npf_engine_port_n_captures(const struct npf_engine_port *p);
unsigned int npf_engine_port_n_readers(const struct npf_engine_port *p);
unsigned int npf_engine_port_n_users(const struct npf_engine_port *p);

#endif
