/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * account.c - sums by user and resource. A user is known here from the first charge to the last
 * discharge, or until his wake-ups are paid for, so users who hold nothing cost nothing.
 */
#include "engine/users/account.h"

#include "base/clock.h"
#include "engine/users/access.h"
#include "ringbuf/ring.h"

#include <assert.h>

#define MIB (1ull << 20)

struct npf_account {
	struct npf_account *next;
	struct npf_accounts *home;
	uid_t uid;
	bool is_root; /* or the daemon's own user: asked once, it is a system call */
	unsigned int n_charges;
	unsigned int n_users; /* that npf_account_get() returned it to */
	struct npf_doorbell_budget wakes;
	struct npf_tap_budget taps[NPF_LANES_MAX];
	uint64_t turn_until_ns; /* all before is paid for */
	uint64_t turns_ns;
	uint64_t held[NPF_N_RESOURCES];
	uint64_t releasing[NPF_N_RESOURCES]; /* of these */
};

struct npf_accounts {
	const struct npf_config_limits *limits;
	struct npf_account *first; /* in ascending order of uid */
};

struct npf_accounts *npf_accounts_new(const struct npf_config_limits *limits)
{
	struct npf_accounts *a = calloc(1, sizeof(*a));

	if (a != NULL)
		a->limits = limits;
	return a;
}

struct npf_accounts *npf_accounts_free(struct npf_accounts *a)
{
	while (a != NULL && a->first != NULL) {
		struct npf_account *of = a->first;

		a->first = of->next;
		free(of);
	}
	free(a);
	return NULL;
}

static struct npf_account *find(const struct npf_accounts *a, uid_t uid)
{
	struct npf_account *of = a->first;

	while (of != NULL && of->uid != uid)
		of = of->next;
	return of;
}

/* Nothing is held, nobody has it, and no wake-up or turn is still to be paid for. */
static bool is_over(const struct npf_account *of)
{
	uint64_t now = npf_clock_monotonic();

	return of->n_charges == 0 && of->n_users == 0 && of->turn_until_ns <= now &&
	       atomic_load_explicit(&of->wakes.used_until_ns, memory_order_relaxed) <= now;
}

static void sweep(struct npf_accounts *a)
{
	for (struct npf_account **at = &a->first; *at != NULL;) {
		struct npf_account *of = *at;

		if (!is_over(of)) {
			at = &of->next;
			continue;
		}
		*at = of->next;
		free(of);
	}
}

static struct npf_account *add(struct npf_accounts *a, uid_t uid)
{
	struct npf_account *of, **at = &a->first;

	sweep(a);
	of = aligned_alloc(NPF_CACHELINE, sizeof(*of));
	if (of == NULL)
		return NULL;
	*of = (struct npf_account){0};
	of->home = a;
	of->uid = uid;
	of->is_root = npf_access_is_root(uid);
	while (*at != NULL && (*at)->uid < uid)
		at = &(*at)->next;
	of->next = *at;
	*at = of;
	return of;
}

static uint64_t limit_of(const struct npf_accounts *a, enum npf_resource what)
{
	switch (what) {
	case NPF_RES_CONNECTIONS:
		return a->limits->connections;
	case NPF_RES_REFUSALS:
		return NPF_REFUSALS_MAX;
	case NPF_RES_SESSIONS:
	case NPF_RES_DUMPS:
		return a->limits->sessions;
	case NPF_RES_MEMORY:
		return a->limits->memory * MIB;
	case NPF_RES_DESCRIPTORS:
		return NPF_DESCRIPTORS_MAX;
	case NPF_N_RESOURCES:
		break;
	}
	return 0;
}

static int over_limit(const struct npf_accounts *a, uid_t uid, enum npf_resource what,
	uint64_t held, uint64_t n, struct npf_error *err)
{
	unsigned int user = (unsigned int)uid;
	unsigned long long has = held;

	switch (what) {
	case NPF_RES_CONNECTIONS:
	case NPF_RES_REFUSALS:
		return npf_error_set(err, -EDQUOT,
			"user %u has %llu connections, the limit (npf.limits.connections)", user,
			has);
	case NPF_RES_SESSIONS:
		return npf_error_set(err, -EDQUOT,
			"user %u has %llu sessions open, the limit (npf.limits.sessions)", user,
			has);
	case NPF_RES_DUMPS:
		return npf_error_set(err, -EDQUOT,
			"user %u has %llu dumps running, the limit (npf.limits.sessions)", user,
			has);
	case NPF_RES_DESCRIPTORS:
		return npf_error_set(err, -EDQUOT,
			"user %u has not taken %llu descriptors, the limit", user, has);
	case NPF_RES_MEMORY:
	case NPF_N_RESOURCES:
		break;
	}
	return npf_error_set(err, -EDQUOT,
		"user %u would hold %llu MiB of buffers, the limit is %u MiB (npf.limits.memory)",
		user, (unsigned long long)(held / MIB + n / MIB), a->limits->memory);
}

int npf_charge(struct npf_accounts *a, uid_t uid, enum npf_resource what, uint64_t n,
	struct npf_charge *c, struct npf_error *err)
{
	struct npf_account *of = find(a, uid);
	uint64_t held = of != NULL ? of->held[what] : 0, limit = limit_of(a, what);

	assert(c->account == NULL);
	if (n > limit || held > limit - n) {
		bool will_fit = n <= limit && of != NULL && held - of->releasing[what] <= limit - n;
		int rc = over_limit(a, uid, what, held, n, err);

		return will_fit ? -EAGAIN : rc;
	}
	if (of == NULL)
		of = add(a, uid);
	if (of == NULL)
		return npf_error_set(err, -ENOMEM, "the daemon is out of memory");
	of->held[what] += n;
	of->n_charges++;
	*c = (struct npf_charge){.account = of, .what = what, .n = n};
	return 0;
}

void npf_charge_adjust(struct npf_charge *c, uint64_t n)
{
	if (c->account == NULL)
		return;
	assert(!c->is_releasing);
	c->account->held[c->what] += n - c->n;
	c->n = n;
}

struct npf_charge npf_charge_steal(struct npf_charge *c)
{
	struct npf_charge taken = *c;

	*c = (struct npf_charge){0};
	return taken;
}

void npf_charge_begin_release(struct npf_charge *c)
{
	if (c->account == NULL || c->is_releasing)
		return;
	c->account->releasing[c->what] += c->n;
	c->is_releasing = true;
}

void npf_discharge(struct npf_charge *c)
{
	struct npf_charge gone = npf_charge_steal(c);

	if (gone.account == NULL)
		return;
	assert(gone.account->held[gone.what] >= gone.n);
	gone.account->held[gone.what] -= gone.n;
	if (gone.is_releasing)
		gone.account->releasing[gone.what] -= gone.n;
	if (--gone.account->n_charges == 0)
		sweep(gone.account->home);
}

struct npf_account *npf_account_get(struct npf_accounts *a, uid_t uid)
{
	struct npf_account *of = find(a, uid);

	if (of == NULL)
		of = add(a, uid);
	if (of != NULL)
		of->n_users++;
	return of;
}

void npf_account_put(struct npf_account *of)
{
	if (of == NULL)
		return;
	if (--of->n_users == 0)
		sweep(of->home);
}

struct npf_doorbell_budget *npf_account_wakes(struct npf_account *of)
{
	return &of->wakes;
}

struct npf_tap_budget *npf_account_tap(struct npf_account *of, unsigned int tap)
{
	if (of == NULL || of->is_root || of->home->limits->tap >= 100)
		return NULL;
	return &of->taps[tap];
}

void npf_account_take_turn(struct npf_account *of, uint64_t begun, uint64_t now)
{
	of->turns_ns += now - begun;
	of->turn_until_ns = NPF_MAX(of->turn_until_ns, begun) + (now - begun) * NPF_TURN_SHARE;
}

bool npf_account_has_turn(const struct npf_account *of, uint64_t now)
{
	return of->is_root || of->turn_until_ns <= now + NPF_TURN_SAVED_NS * NPF_TURN_SHARE;
}

uint64_t npf_accounts_held(const struct npf_accounts *a, uid_t uid, enum npf_resource what)
{
	const struct npf_account *of = find(a, uid);

	return of != NULL ? of->held[what] : 0;
}

const struct npf_account *npf_accounts_next(
	const struct npf_accounts *a, const struct npf_account *of)
{
	return of == NULL ? a->first : of->next;
}

void npf_account_info(const struct npf_account *of, struct npf_account_info *info)
{
	info->uid = of->uid;
	for (enum npf_resource r = 0; r < NPF_N_RESOURCES; r++) {
		info->held[r] = of->held[r];
		info->releasing[r] = of->releasing[r];
		info->limit[r] = limit_of(of->home, r);
	}
	info->wakes_ns = npf_doorbell_budget_used(&of->wakes);
	info->turns_ns = of->turns_ns;
	info->tap_cycles = 0;
	for (unsigned int t = 0; t < NPF_LANES_MAX; t++)
		info->tap_cycles += npf_tap_budget_spent(&of->taps[t]);
}
