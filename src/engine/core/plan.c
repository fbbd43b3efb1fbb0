/* SPDX-License-Identifier: BSD-3-Clause */
/* plan.c - see plan.h. Rows of clients, of meters and of their filters follows the queues in a
 * plan's block. */
#include "engine/core/plan.h"

#include "engine/users/users.h"
#include "engine/core/consumer.h"
#include "engine/core/joint_set.h"
#include "engine/datapath/datapath.h"

#define MAX_USERS 64 /* of a tap that are told apart: no more than 1/65 of it for each beyond */

/* Where the next part of each kind goes in the block. */
struct room {
	unsigned int share; /* of the lcore, for a user who has a budget */
	struct npf_tap_queue *queues;
	struct npf_tap_client *clients;
	struct npf_tap_meter *meters;
	struct npf_tap_row *rows;
	struct npf_tap_unsettled *unsettled;
	struct npf_tap_member *members;
	const struct npf_tap_client **others;
};

static unsigned int n_rows_of(const struct npf_meter_consumer *m)
{
	return NPF_MAX(m->n_rows, 1u);
}

/* The lane that tap t feeds of each consumer of the port; the port has a queue on that tap. */
static unsigned int lane_of(const struct npf_engine_port *p, unsigned int t)
{
	unsigned int lane = 0;

	while (p->taps[lane] != t)
		lane++;
	return lane;
}

static void plan_consumer(const struct npf_consumer *c, unsigned int lane, unsigned int share,
	struct npf_tap_client *to)
{
	const struct npf_tap_client *form = npf_consumer_form(c);

	*to = c->form;
	to->owner = form->owner;
	to->filter_in = form->filter_in;
	to->filter_out = form->filter_out;
	to->want_in = form->want_in;
	to->want_out = form->want_out;
	to->want_own = form->want_own;
	to->counters = &c->tap_counters[lane];
	to->budget = npf_account_tap(c->payer, c->port->taps[lane]);
	to->share = share;
	if (c->buffer != NULL) {
		struct npf_buffer_info info;

		npf_buffer_info(c->buffer, &info);
		to->lane = npf_buffer_lane(c->buffer, lane);
		to->lane_size = info.size;
		to->is_merged = info.n_lanes > 1;
	}
}

static unsigned int plan_consumers(const struct npf_engine_port *p, unsigned int lane,
	unsigned int share, struct npf_tap_client *clients)
{
	unsigned int n = 0;

	for (const struct npf_consumer *c = p->consumers; c != NULL; c = c->next)
		if (npf_consumer_is_planned(c))
			plan_consumer(c, lane, share, &clients[n++]);
	return n;
}

static void plan_meter(const struct npf_meter_consumer *m, unsigned int lane,
	struct npf_tap_meter *to, struct npf_tap_row *rows)
{
	const struct npf_tap_client *form = m->model != NULL ? &m->model->form : NULL;

	if (m->n_rows == 0)
		rows[0] = (struct npf_tap_row){form->filter_in, form->filter_out};
	for (unsigned int i = 0; i < m->n_rows; i++)
		rows[i] = m->rows[i];
	*to = (struct npf_tap_meter){
		.session = m->session,
		.meter = m->meters[lane],
		.counters = m->tap_counters != NULL ? &m->tap_counters[lane] : NULL,
		.n_rows = n_rows_of(m),
		.rows = rows,
		.want_in = form == NULL || form->want_in,
		.want_out = form != NULL && form->want_out,
		.want_own = form != NULL && form->want_own,
	};
}

static unsigned int plan_meters(const struct npf_engine_port *p, unsigned int lane,
	struct npf_tap_meter *meters, struct npf_tap_row **rowsp)
{
	unsigned int n = 0;

	for (const struct npf_meter_consumer *m = p->meters; m != NULL; m = m->next) {
		plan_meter(m, lane, &meters[n++], *rowsp);
		*rowsp += n_rows_of(m);
	}
	return n;
}

static void count_meters(const struct npf_engine_port *p, size_t *n_metersp, size_t *n_rowsp)
{
	*n_metersp = *n_rowsp = 0;
	for (const struct npf_meter_consumer *m = p->meters; m != NULL; m = m->next) {
		*n_metersp += 1;
		*n_rowsp += n_rows_of(m);
	}
}

/* Room for whatever a tap could have to do. */
static struct npf_plan *new_plan(const struct npf_engine *e, struct room *room)
{
	size_t n_queues = 0, n_clients = 0, n_meters = 0, n_rows = 0;
	struct npf_plan *plan;
	void *end;

	for (unsigned int i = 0; i < e->n_ports; i++) {
		const struct npf_engine_port *p = e->ports[i];
		size_t n_port_meters, n_port_rows;

		count_meters(p, &n_port_meters, &n_port_rows);
		n_queues += p->port.n_queues;
		n_clients += p->port.n_queues * npf_engine_port_n_captures(p);
		n_meters += p->port.n_queues * n_port_meters;
		n_rows += p->port.n_queues * n_port_rows;
	}
	plan = calloc(1, sizeof(*plan) + n_queues * sizeof(*room->queues) +
				 n_clients * (sizeof(*room->clients) + sizeof(*room->members) +
						     sizeof(*room->others)) +
				 n_queues * sizeof(*room->unsettled) +
				 n_meters * sizeof(*room->meters) + n_rows * sizeof(*room->rows));
	if (plan == NULL)
		return NULL;
	room->queues = (struct npf_tap_queue *)(plan + 1);
	room->clients = (struct npf_tap_client *)(room->queues + n_queues);
	room->meters = (struct npf_tap_meter *)(room->clients + n_clients);
	room->rows = (struct npf_tap_row *)(room->meters + n_meters);
	end = room->rows + n_rows;
	room->unsettled = end;
	end = room->unsettled + n_queues;
	room->members = end;
	end = room->members + n_clients;
	room->others = end;
	plan->queues = room->queues;
	return plan;
}

/* A monitor's sent packets are counted by who sends them, whose time is not a tap's. */
static void set_meter_budgets(
	const struct npf_engine_port *p, unsigned int t, const struct room *room)
{
	unsigned int i = 0;

	for (const struct npf_meter_consumer *m = p->meters; m != NULL; m = m->next, i++) {
		room->meters[i].budget = npf_account_tap(m->payer, t);
		room->meters[i].share = room->share;
	}
}

static bool has_budgets(const struct npf_tap_queue *q)
{
	for (unsigned int i = 0; i < q->n_clients; i++)
		if (q->clients[i].budget != NULL)
			return true;
	for (unsigned int i = 0; i < q->n_meters; i++)
		if (q->meters[i].budget != NULL)
			return true;
	return false;
}

static bool has_tap(const struct npf_engine_port *p, unsigned int t)
{
	for (unsigned int i = 0; i < p->n_taps; i++)
		if (p->taps[i] == t)
			return true;
	return false;
}

/* Whose time a tap takes. */
struct payers {
	const struct npf_account *users[MAX_USERS]; /* who have budgets, each once */
	unsigned int n_users;
	bool has_others; /* the daemon itself, root */
};

static void add_payer(struct payers *all, struct npf_account *payer, unsigned int t)
{
	if (npf_account_tap(payer, t) == NULL) {
		all->has_others = true;
		return;
	}
	for (unsigned int i = 0; i < all->n_users; i++)
		if (all->users[i] == payer)
			return;
	if (all->n_users < MAX_USERS)
		all->users[all->n_users++] = payer;
}

static void add_payers(struct payers *all, const struct npf_engine_port *p, unsigned int t)
{
	for (const struct npf_consumer *c = p->consumers; c != NULL; c = c->next)
		if (npf_consumer_is_planned(c))
			add_payer(all, c->payer, t);
	for (const struct npf_meter_consumer *m = p->meters; m != NULL; m = m->next)
		add_payer(all, m->payer, t);
}

/* What each user may take of the tap: all, or an equal part with one part left over for receiving
 * and for root, and no more than the administrator says. */
static unsigned int share_of(const struct npf_engine *e, unsigned int t)
{
	const unsigned int limit = e->conf->npf.limits.tap * NPF_TAP_WHOLE / 100;
	struct payers all = {.n_users = 0};

	for (unsigned int i = 0; i < e->n_ports; i++)
		if (npf_engine_port_is_polled(e->ports[i]) && has_tap(e->ports[i], t))
			add_payers(&all, e->ports[i], t);
	if (all.n_users + all.has_others <= 1 || limit == NPF_TAP_WHOLE)
		return NPF_TAP_WHOLE;
	return NPF_MIN(limit, NPF_TAP_WHOLE / (all.n_users + 1));
}

/* One whose lane has to be committed with each burst is delivered to one by one. */
static void plan_set(struct npf_tap_queue *queue, const struct npf_joint_set *s, struct room *room)
{
	queue->set = npf_joint_set_compiled(s);
	if (queue->set == NULL)
		return;
	queue->scratch = npf_joint_set_scratch(s, queue->queue);
	queue->unsettled = room->unsettled++;
	queue->members = room->members;
	queue->others = room->others;
	for (unsigned int i = 0; i < queue->n_clients; i++) {
		const struct npf_tap_client *c = &queue->clients[i];
		struct npf_tap_member m = {.number = NPF_NO_MEMBER, .client = c};

		if (c->want_in && !c->is_merged)
			m.number = npf_joint_set_member(s, c->filter_in, &m.keep);
		if (m.number != NPF_NO_MEMBER)
			room->members[queue->n_members++] = m;
		else
			room->others[queue->n_others++] = c;
	}
	room->members += queue->n_members;
	room->others += queue->n_others;
	if (queue->n_members == 0)
		queue->set = NULL;
}

static void plan_queue(struct npf_engine_port *p, uint16_t q, unsigned int t, struct room *room)
{
	unsigned int lane = lane_of(p, t);
	struct npf_tap_queue *queue = room->queues++;

	*queue = (struct npf_tap_queue){
		.port = &p->port,
		.queue = q,
		.wait = p->port.conf->overflow == NPF_OVERFLOW_WAIT,
		.stall = &p->stalls[q],
		.clients = room->clients,
		.meters = room->meters,
	};
	queue->n_clients = plan_consumers(p, lane, room->share, room->clients);
	queue->n_meters = plan_meters(p, lane, room->meters, &room->rows);
	set_meter_budgets(p, t, room);
	queue->has_budgets = has_budgets(queue);
	plan_set(queue, npf_joint_set_for_plans(p), room);
	room->clients += queue->n_clients;
	room->meters += queue->n_meters;
}

struct npf_plan *npf_plan_make(const struct npf_engine *e, unsigned int t)
{
	struct room room;
	struct npf_plan *plan = new_plan(e, &room);

	if (plan == NULL)
		return NULL;
	room.share = share_of(e, t);
	for (unsigned int i = 0; i < e->n_ports; i++) {
		struct npf_engine_port *p = e->ports[i];

		if (!npf_engine_port_is_polled(p))
			continue;
		for (uint16_t q = 0; q < p->port.n_queues; q++)
			if (p->queue_tap[q] == t)
				plan_queue(p, q, t, &room);
	}
	plan->n_queues = (unsigned int)(room.queues - plan->queues);
	return plan;
}

int npf_plan_sent_meters(const struct npf_engine_port *p, struct npf_sent_meters **smp)
{
	size_t n_meters = 0, n_rows = 0;
	struct npf_tap_row *rows;

	*smp = NULL;
	if (!p->removed)
		count_meters(p, &n_meters, &n_rows);
	if (n_meters == 0)
		return 0;
	*smp = npf_sent_meters_new(n_meters, n_rows, &rows);
	if (*smp == NULL)
		return -ENOMEM;
	(*smp)->n_meters = plan_meters(p, p->n_taps, (*smp)->meters, &rows);
	return 0;
}

uint64_t npf_plan_mirror_policy(const struct npf_engine_port *p)
{
	uint64_t policy = NPF_MIRROR_NONE;

	for (const struct npf_consumer *c = p->consumers; c != NULL; c = c->next) {
		const struct npf_tap_client *form = npf_consumer_form(c);

		if (!npf_consumer_is_planned(c) || !form->want_out)
			continue;
		if (policy != NPF_MIRROR_NONE || form->want_own || form->owner == 0)
			return NPF_MIRROR_ALL;
		policy = form->owner;
	}
	return policy;
}
