/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * joint_set.c - which filters a port's set has is known by their serial numbers, in ascending
 * order: a filter that has gone is never taken for a new one at its address.
 */
#include "engine/core/joint_set.h"

#include "engine/base/tasks.h"
#include "engine/core/consumer.h"
#include "engine/users/users.h"

#include <string.h>

#define MIN_FILTERS 4u    /* of fewer, each alone is as good */
#define MAX_INSNS   1024u /* of a program that is copied: a longer one would not fit */

struct part {
	uint64_t serial;
	const struct npf_filter *filter; /* valid only while the parts are collected */
	uint32_t member;                 /* or NPF_NO_MEMBER: it runs alone */
};

struct npf_joint_set {
	struct npf_filter_set *set; /* NULL: it would not pay, or there is no memory */
	unsigned int n_overdrawn;   /* clients that were left out when it was made */
	unsigned int n_queues;
	struct npf_filter_set_scratch *scratch[NPF_TAPS_MAX]; /* by queue */
	unsigned int n;
	struct part parts[]; /* in ascending order of serial */
};

struct npf_set_compilation {
	struct npf_task task;
	struct npf_engine *engine;
	struct npf_engine_port *port; /* Owns: a reference */
	void (*made)(struct npf_engine *e);
	struct npf_joint_set *made_set;
	struct npf_filter_set_member *members; /* one a part, their programs behind them */
};

/* ---- which filters ---- */

static int compare(const void *a, const void *b)
{
	const struct part *x = a, *y = b;

	return (x->serial > y->serial) - (x->serial < y->serial);
}

/* Has its user had more of a set than he may? Then his filters run alone, as far as he has time. */
static bool is_overdrawn(const struct npf_consumer *c)
{
	for (unsigned int i = 0; i < c->port->n_taps; i++) {
		const struct npf_tap_budget *b = npf_account_tap(c->payer, c->port->taps[i]);

		if (b != NULL && npf_tap_budget_is_overdrawn(b))
			return true;
	}
	return false;
}

static unsigned int count_overdrawn(const struct npf_engine_port *p)
{
	unsigned int n = 0;

	for (const struct npf_consumer *c = p->consumers; c != NULL; c = c->next)
		n += is_overdrawn(c);
	return n;
}

/* Could it be a member? A dump counts packets that its filter rejects, burst by burst. */
static bool is_eligible(const struct npf_consumer *c)
{
	const struct npf_tap_client *form = npf_consumer_form(c);

	return npf_consumer_is_planned(c) && c->form.dump == NULL && form->filter_in != NULL &&
	       form->want_in && !npf_filter_is_loose(form->filter_in) && !is_overdrawn(c);
}

/* The port's filters, each once. Return: NULL: no memory. */
static struct npf_joint_set *collect(const struct npf_engine_port *p)
{
	unsigned int n = 0, n_different = 0;
	struct npf_joint_set *s;

	for (const struct npf_consumer *c = p->consumers; c != NULL; c = c->next)
		n += is_eligible(c);
	s = calloc(1, sizeof(*s) + n * sizeof(*s->parts));
	if (s == NULL)
		return NULL;
	s->n_overdrawn = count_overdrawn(p);
	for (const struct npf_consumer *c = p->consumers; c != NULL; c = c->next) {
		const struct npf_filter *f = npf_consumer_form(c)->filter_in;

		if (is_eligible(c))
			s->parts[s->n++] = (struct part){npf_filter_serial(f), f, NPF_NO_MEMBER};
	}
	qsort(s->parts, s->n, sizeof(*s->parts), compare);
	for (unsigned int i = 0; i < s->n; i++)
		if (i == 0 || s->parts[i].serial != s->parts[i - 1].serial)
			s->parts[n_different++] = s->parts[i];
	s->n = n_different;
	return s;
}

static const struct part *find(const struct npf_joint_set *s, uint64_t serial)
{
	const struct part key = {.serial = serial};

	return s == NULL ? NULL : bsearch(&key, s->parts, s->n, sizeof(*s->parts), compare);
}

/* Is a set with these filters of as much use as one of what there is now? */
static bool is_good(const struct npf_joint_set *have, const struct npf_joint_set *now)
{
	unsigned int n_known = 0;

	if (have != NULL && have->set != NULL && now->n_overdrawn > have->n_overdrawn)
		return false;
	for (unsigned int i = 0; i < now->n; i++) {
		if (find(have, now->parts[i].serial) == NULL)
			return now->n < MIN_FILTERS && (have == NULL || have->n < MIN_FILTERS);
		n_known++;
	}
	return have == NULL || have->set == NULL || n_known * 2 >= have->n;
}

/* ---- the task ---- */

static size_t n_insns_of(const struct npf_filter *f)
{
	const struct npf_bpf_insn *insns;
	const struct npf_bpf_aux *aux;
	uint32_t n = npf_filter_program(f, &insns, &aux);

	return n <= MAX_INSNS ? n : 0;
}

/* Members with copies of programs and ancillary values: the filters may go while the task runs.
 * A program that is too long is none. Return: NULL: no memory. */
static struct npf_filter_set_member *copy_programs(const struct npf_joint_set *s)
{
	struct npf_filter_set_member *members;
	struct npf_bpf_aux *aux_at;
	struct npf_bpf_insn *at;
	size_t n_insns = 0;
	void *end;

	for (unsigned int i = 0; i < s->n; i++)
		n_insns += n_insns_of(s->parts[i].filter);
	members =
		calloc(1, s->n * (sizeof(*members) + sizeof(*aux_at)) + n_insns * sizeof(*at) + 1);
	if (members == NULL)
		return NULL;
	end = members + s->n;
	aux_at = end;
	end = aux_at + s->n;
	at = end;
	for (unsigned int i = 0; i < s->n; i++) {
		const struct npf_bpf_insn *insns;
		const struct npf_bpf_aux *aux;
		uint32_t n = npf_filter_program(s->parts[i].filter, &insns, &aux);

		if (n > MAX_INSNS)
			continue;
		members[i] = (struct npf_filter_set_member){.insns = at, .n_insns = n};
		at = mempcpy(at, insns, n * sizeof(*insns));
		if (aux == NULL)
			continue;
		aux_at[i] = *aux;
		members[i].aux = &aux_at[i];
	}
	return members;
}

static bool make_scratches(struct npf_joint_set *s)
{
	for (unsigned int q = 0; q < s->n_queues; q++) {
		s->scratch[q] = npf_filter_set_scratch_new(s->set);
		if (s->scratch[q] == NULL)
			return false;
	}
	return true;
}

static void drop_compiled(struct npf_joint_set *s)
{
	for (unsigned int q = 0; q < s->n_queues; q++)
		s->scratch[q] = npf_filter_set_scratch_free(s->scratch[q]);
	s->set = npf_filter_set_free(s->set);
}

/* Which members the set answers for. Return: does that pay? */
static bool settle_members(struct npf_joint_set *s)
{
	struct npf_filter_set_facts facts = {.estimate = 0};
	unsigned int n_fit = 0;

	if (s->set != NULL)
		npf_filter_set_explain(s->set, &facts);
	for (unsigned int i = 0; i < s->n; i++) {
		struct part *part = &s->parts[i];

		if (part->member != NPF_NO_MEMBER && s->set != NULL &&
			npf_filter_set_fit(s->set, part->member) == NPF_FILTER_SET_FITS)
			n_fit++;
		else
			part->member = NPF_NO_MEMBER;
	}
	return n_fit >= MIN_FILTERS && facts.estimate <= n_fit * NPF_FILTER_SET_ALONE_NS;
}

/* Of the programs that are there, without a hole. Without memory each runs alone. */
static void run_compile(struct npf_task *task)
{
	static const struct npf_filter_set_opts opts = {.always = true};
	struct npf_set_compilation *c = NPF_CONTAINER_OF(task, struct npf_set_compilation, task);
	struct npf_joint_set *s = c->made_set;
	unsigned int n = 0;

	for (unsigned int i = 0; i < s->n && n < NPF_FILTER_SET_MAX; i++) {
		if (c->members[i].insns == NULL)
			continue;
		s->parts[i].member = n;
		c->members[n++] = c->members[i];
	}
	if (n >= MIN_FILTERS &&
		(npf_filter_set_new(c->members, n, &opts, &s->set) < 0 || !make_scratches(s)))
		drop_compiled(s);
	if (settle_members(s))
		return;
	drop_compiled(s);
	for (unsigned int i = 0; i < s->n; i++)
		s->parts[i].member = NPF_NO_MEMBER;
}

static void compiled(struct npf_task *task)
{
	struct npf_set_compilation *c = NPF_CONTAINER_OF(task, struct npf_set_compilation, task);
	struct npf_engine_port *p = c->port;
	struct npf_engine *e = c->engine;

	p->set_compiles = false;
	if (p->removed) {
		npf_joint_set_free(c->made_set);
	} else {
		npf_joint_set_free(p->next_set);
		p->next_set = c->made_set;
		c->made(e);
	}
	npf_engine_port_put(p);
	free(c->members);
	free(c);
}

static bool begin(struct npf_engine *e, struct npf_engine_port *p, struct npf_joint_set *s,
	void (*made)(struct npf_engine *e))
{
	struct npf_set_compilation *c = calloc(1, sizeof(*c));

	if (c != NULL)
		c->members = copy_programs(s);
	if (c == NULL || c->members == NULL) {
		free(c);
		return false;
	}
	c->task = (struct npf_task){.run = run_compile, .done = compiled};
	c->engine = e;
	c->port = npf_engine_port_get(p);
	c->made = made;
	c->made_set = s;
	s->n_queues = p->port.n_queues;
	p->set_compiles = true;
	npf_tasks_submit(e->tasks, &c->task);
	return true;
}

void npf_joint_set_update(
	struct npf_engine *e, struct npf_engine_port *p, void (*made)(struct npf_engine *e))
{
	struct npf_joint_set *now;

	if (e->tasks == NULL || p->set_compiles || p->removed ||
		p->port.conf->overflow == NPF_OVERFLOW_WAIT)
		return;
	now = collect(p);
	if (now == NULL)
		return;
	if (is_good(npf_joint_set_for_plans(p), now) || !begin(e, p, now, made))
		npf_joint_set_free(now);
}

bool npf_joint_set_is_abused(const struct npf_engine_port *p)
{
	return p->set != NULL && p->set->set != NULL && count_overdrawn(p) > p->set->n_overdrawn;
}

void npf_joint_set_settle(struct npf_engine_port *p)
{
	if (p->next_set == NULL)
		return;
	npf_joint_set_free(p->set);
	p->set = npf_steal_ptr(&p->next_set);
}

struct npf_joint_set *npf_joint_set_free(struct npf_joint_set *s)
{
	if (s != NULL)
		drop_compiled(s);
	free(s);
	return NULL;
}

/* ---- for plans ---- */

struct npf_joint_set *npf_joint_set_for_plans(const struct npf_engine_port *p)
{
	return p->next_set != NULL ? p->next_set : p->set;
}

const struct npf_filter_set *npf_joint_set_compiled(const struct npf_joint_set *s)
{
	return s != NULL ? s->set : NULL;
}

struct npf_filter_set_scratch *npf_joint_set_scratch(const struct npf_joint_set *s, unsigned int q)
{
	return s->scratch[q];
}

uint32_t npf_joint_set_member(
	const struct npf_joint_set *s, const struct npf_filter *filter, uint32_t *keepp)
{
	const struct part *part = filter != NULL && s != NULL && s->set != NULL
					  ? find(s, npf_filter_serial(filter))
					  : NULL;

	if (part == NULL || part->member == NPF_NO_MEMBER)
		return NPF_NO_MEMBER;
	*keepp = npf_filter_set_keep(s->set, part->member);
	return part->member;
}
