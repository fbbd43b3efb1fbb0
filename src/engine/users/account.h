/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * account.h - one account for each user: what a user holds of the daemon, and how much of it he
 * may.
 *
 * Code that takes something for a client charges it first and discharges it when it is free again.
 * A charge is a small structure beside the thing that it pays for, so a thing and its charge are
 * made, moved and freed together. An empty charge ({0}) pays for nothing, and may be discharged.
 *
 * Every function belongs to the control thread.
 */
#ifndef NPF_ENGINE_USERS_ACCOUNT_H
#define NPF_ENGINE_USERS_ACCOUNT_H

#include "base/clock.h"
#include "base/error.h"
#include "base/doorbell.h"
#include "engine/config/config.h"
#include "engine/datapath/datapath.h"
#include "wire/wire.h"

#include <sys/types.h>

enum npf_resource {
	NPF_RES_CONNECTIONS, /* npf.limits.connections */
	NPF_RES_REFUSALS,    /* connections that only get the error that there are too many */
	NPF_RES_SESSIONS,    /* npf.limits.sessions */
	NPF_RES_DUMPS,       /* npf.limits.sessions */
	NPF_RES_MEMORY,      /* bytes that clients' packets are kept in: npf.limits.memory */
	NPF_RES_DESCRIPTORS, /* that were sent and not taken yet */
	NPF_N_RESOURCES,
};

#define NPF_REFUSALS_MAX    8 /* of one user at a time */
#define NPF_DESCRIPTORS_MAX 512

struct npf_accounts;
struct npf_account;

struct npf_charge {
	struct npf_account *account; /* NULL: it pays for nothing */
	enum npf_resource what;
	uint64_t n;
	bool is_releasing;
};

/* @limits: must outlive the accounts. Return: NULL: no memory. */
struct npf_accounts *npf_accounts_new(const struct npf_config_limits *limits);

/* Charges that are still held must not be discharged any more. NULL is fine; returns NULL. */
struct npf_accounts *npf_accounts_free(struct npf_accounts *a);

/*
 * npf_charge - let user @uid hold @n more.
 * @c:   an empty charge, filled in
 * Return: 0; -EDQUOT: more than the limit; -EAGAIN: more than the limit until what is being
 * released is free; -ENOMEM; with a text for the client in err.
 */
int npf_charge(struct npf_accounts *a, uid_t uid, enum npf_resource what, uint64_t n,
	struct npf_charge *c, struct npf_error *err);

/* Correct a charge to @n, what was really taken. No limit is checked. */
void npf_charge_adjust(struct npf_charge *c, uint64_t n);

/* Take a charge out of its place, for another one. */
struct npf_charge npf_charge_steal(struct npf_charge *c);

/* What it pays for is being freed, which takes a while. It still counts until it is discharged. */
void npf_charge_begin_release(struct npf_charge *c);

/* What it paid for is free. */
void npf_discharge(struct npf_charge *c);

/*
 * npf_account_get - the user's account itself, for what has no limit but a price: the wake-ups of
 * his readers and senders, which all his sessions pay from one budget.
 * An account outlives the last session of its user as long as it holds something against the user:
 * who leaves and comes back starts where it was.
 * Return: NULL: no memory. Owns: the caller gives it back by npf_account_put().
 */
struct npf_account *npf_account_get(struct npf_accounts *a, uid_t uid);
void npf_account_put(struct npf_account *of); /* NULL is fine */

/* Lifetime: until the account is given back. Any thread may ring by it. */
struct npf_doorbell_budget *npf_account_wakes(struct npf_account *of);

/*
 * npf_account_tap - the user's budget on a tap.
 * @of:    NULL: the daemon itself
 * @taps:  its number
 * Return: NULL: the user has no limit. Lifetime: as long as the account is somebody's or pays for
 *         something.
 */
struct npf_tap_budget *npf_account_tap(struct npf_account *of, unsigned int tap);

/*
 * npf_account_take_turn - the control thread was busy for the user from @begun to @now,
 * CLOCK_MONOTONIC. What frees his things again is not counted.
 */
void npf_account_take_turn(struct npf_account *of, uint64_t begun, uint64_t now);

/* May the control thread be busy for the user, or has he had his part of its time? Others than root
 * have a NPF_TURN_SHARE-th of it, and may take NPF_TURN_SAVED_NS at once. */
bool npf_account_has_turn(const struct npf_account *of, uint64_t now);

#define NPF_TURN_SHARE    4
#define NPF_TURN_SAVED_NS (5 * NPF_NS_PER_MS)

/* What one user holds and may hold, by enum npf_resource. */
struct npf_account_info {
	uid_t uid;
	uint64_t held[NPF_N_RESOURCES];
	uint64_t releasing[NPF_N_RESOURCES]; /* of what is held */
	uint64_t limit[NPF_N_RESOURCES];
	uint64_t wakes_ns;   /* of NPF_DOORBELL_BUDGET_NS */
	uint64_t tap_cycles; /* TSC: what his filters and copies have taken so far of all taps */
	uint64_t turns_ns;   /* what his requests have taken so far of the control thread */
};

/*
 * npf_accounts_next - the accounts that there are, in ascending order of uid.
 * @of: NULL: the first
 * Return: NULL: there are no more.
 */
const struct npf_account *npf_accounts_next(
	const struct npf_accounts *a, const struct npf_account *of);

void npf_account_info(const struct npf_account *of, struct npf_account_info *info);

/* What the user holds now. */
uint64_t npf_accounts_held(const struct npf_accounts *a, uid_t uid, enum npf_resource what);

#endif
