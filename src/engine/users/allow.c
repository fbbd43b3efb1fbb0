/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * allow.c - looks up the names of a list.
 *
 * A task writes what it found beside what is known; the control thread takes it over when the task
 * is done. So a task that hangs leaves the numbers that checks compare as they are.
 */
#include "engine/users/access.h"

#include "base/log.h"

#include <grp.h>
#include <pwd.h>
#include <string.h>

#define FIRST_ROOM 1024u
#define MAX_ROOM   (16u << 20) /* of one entry: a group lists its members */

/* No peer has it. So a directory service that hangs holds up the tasks of no user. */
#define NO_USER UINT32_MAX

struct rule {
	enum {
		ANY,
		USER,
		GROUP
	} kind;
	char *name;  /* NULL: any */
	bool known;  /* id is what the name stands for */
	bool warned; /* that it is not known */
	uint32_t id;
	/* The look-up's: 1: found; 0: there is none; or -errno. */
	int result;
	uint32_t found;
};

struct npf_allow {
	struct npf_task task;
	char *port;
	struct rule *rules;
	unsigned int n_rules;
	bool has_names;
	bool is_busy;     /* the task is under way */
	bool is_unwanted; /* freed when it ends */
	uint64_t due_ns;  /* CLOCK_MONOTONIC: of the next look-up */
	void (*ready)(void *ctx);
	void *ctx;
};

/* ---- life ---- */

static int set_rule(struct rule *r, const char *text)
{
	if (strncmp(text, "user:", 5) == 0)
		*r = (struct rule){.kind = USER, .name = strdup(text + 5)};
	else if (strncmp(text, "group:", 6) == 0)
		*r = (struct rule){.kind = GROUP, .name = strdup(text + 6)};
	else
		return 0; /* any */
	return r->name != NULL ? 0 : -ENOMEM;
}

static void destroy(struct npf_allow *a)
{
	for (unsigned int i = 0; i < a->n_rules; i++)
		free(a->rules[i].name);
	free(a->rules);
	free(a->port);
	free(a);
}

struct npf_allow *npf_allow_new(const struct npf_config_port *conf)
{
	struct npf_allow *a = calloc(1, sizeof(*a));
	int rc = 0;

	if (a == NULL)
		return NULL;
	a->port = strdup(conf->name);
	a->rules = calloc(NPF_MAX(conf->n_allow, 1u), sizeof(*a->rules));
	if (a->port == NULL || a->rules == NULL)
		rc = -ENOMEM;
	for (unsigned int i = 0; rc == 0 && i < conf->n_allow; i++) {
		rc = set_rule(&a->rules[i], conf->allow[i]);
		a->has_names |= a->rules[i].kind != ANY;
		a->n_rules++;
	}
	if (rc == 0)
		return a;
	destroy(a);
	return NULL;
}

struct npf_allow *npf_allow_free(struct npf_allow *a)
{
	if (a == NULL)
		return NULL;
	if (a->is_busy)
		a->is_unwanted = true;
	else
		destroy(a);
	return NULL;
}

bool npf_allow_has_names(const struct npf_allow *a)
{
	return a->has_names;
}

/* ---- look-ups ---- */

/* The C library says so, for a name that is in none of its sources. */
static bool is_absent(int error)
{
	return error == 0 || error == ENOENT || error == ESRCH;
}

/* Return: 1: *idp is filled in; 0: there is no such name; -ERANGE: no room in buf; or -errno. */
static int look_up(const struct rule *r, char *buf, size_t room, uint32_t *idp)
{
	struct passwd pw, *user = NULL;
	struct group gr, *group = NULL;
	int error;

	if (r->kind == USER) {
		error = getpwnam_r(r->name, &pw, buf, room, &user);
		if (user != NULL)
			*idp = pw.pw_uid;
	} else {
		error = getgrnam_r(r->name, &gr, buf, room, &group);
		if (group != NULL)
			*idp = gr.gr_gid;
	}
	if (user != NULL || group != NULL)
		return 1;
	return is_absent(error) ? 0 : -error;
}

static void resolve_rule(struct rule *r)
{
	r->result = -ERANGE;
	for (size_t room = FIRST_ROOM; r->result == -ERANGE && room <= MAX_ROOM; room *= 4) {
		char *buf = malloc(room);

		r->result = buf != NULL ? look_up(r, buf, room, &r->found) : -ENOMEM;
		free(buf);
	}
}

static void run(struct npf_task *task)
{
	struct npf_allow *a = NPF_CONTAINER_OF(task, struct npf_allow, task);

	for (unsigned int i = 0; i < a->n_rules; i++)
		if (a->rules[i].kind != ANY)
			resolve_rule(&a->rules[i]);
}

static void report_rule(const struct npf_allow *a, struct rule *r)
{
	const char *kind = r->kind == USER ? "user" : "group";

	if (r->known && r->warned)
		npf_info("port %s: allow: %s \"%s\" is known now", a->port, kind, r->name);
	else if (!r->known && !r->warned && r->result == 0)
		npf_warn("port %s: allow: there is no %s \"%s\"; nobody is admitted by that name "
			 "until there is",
			a->port, kind, r->name);
	else if (!r->known && !r->warned)
		npf_warn("port %s: allow: %s \"%s\" can't be looked up: %s; nobody is admitted by "
			 "that name until it can",
			a->port, kind, r->name, strerror(-r->result));
	r->warned = !r->known;
}

/* Take over what the look-up found. */
static void apply(struct npf_allow *a)
{
	for (unsigned int i = 0; i < a->n_rules; i++) {
		struct rule *r = &a->rules[i];

		if (r->kind == ANY)
			continue;
		if (r->result >= 0)
			r->known = r->result > 0;
		if (r->result > 0)
			r->id = r->found;
		report_rule(a, r);
	}
	a->due_ns = npf_clock_monotonic() + NPF_ALLOW_REFRESH_NS;
}

static void done(struct npf_task *task)
{
	struct npf_allow *a = NPF_CONTAINER_OF(task, struct npf_allow, task);

	a->is_busy = false;
	if (a->is_unwanted) {
		destroy(a);
		return;
	}
	apply(a);
	if (a->ready != NULL)
		a->ready(a->ctx);
}

void npf_allow_resolve(struct npf_allow *a)
{
	run(&a->task);
	apply(a);
}

void npf_allow_submit(struct npf_allow *a, struct npf_tasks *tasks, uid_t uid,
	void (*ready)(void *ctx), void *ctx)
{
	a->task = (struct npf_task){.uid = uid, .run = run, .done = done};
	a->is_busy = true;
	a->ready = ready;
	a->ctx = ctx;
	npf_tasks_submit(tasks, &a->task);
}

void npf_allow_tick(struct npf_allow *a, struct npf_tasks *tasks, uint64_t now_ns)
{
	if (a->has_names && !a->is_busy && now_ns >= a->due_ns)
		npf_allow_submit(a, tasks, NO_USER, NULL, NULL);
}

/* ---- checks ---- */

static bool is_in_group(const struct npf_peer *peer, gid_t gid)
{
	if (peer->gid == gid)
		return true;
	for (unsigned int i = 0; i < peer->n_groups; i++)
		if (peer->groups[i] == gid)
			return true;
	return false;
}

static bool admits(const struct rule *r, const struct npf_peer *peer)
{
	switch (r->kind) {
	case ANY:
		return true;
	case USER:
		return r->known && r->id == peer->uid;
	case GROUP:
		return r->known && is_in_group(peer, r->id);
	}
	return false;
}

bool npf_allow_admits(const struct npf_allow *a, const struct npf_peer *peer)
{
	if (a->n_rules == 0)
		return true;
	for (unsigned int i = 0; i < a->n_rules; i++)
		if (admits(&a->rules[i], peer))
			return true;
	return false;
}
