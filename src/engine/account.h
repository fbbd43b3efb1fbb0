/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * account.h - what is reckoned by user, whatever the number of its sessions.
 *
 * An account outlives the last session of its user as long as it holds something against the user:
 * who leaves and comes back starts where it was.
 */
#ifndef NPF_ENGINE_ACCOUNT_H
#define NPF_ENGINE_ACCOUNT_H

#include "base/doorbell.h"

#include <sys/types.h>

struct npf_account {
	struct npf_account *next;
	uid_t uid;
	unsigned int n_users;             /* that npf_account_get() returned it to */
	struct npf_doorbell_budget wakes; /* for waking the user's readers and senders */
};

/* The user's account, made at need. Return: NULL: no memory. To be given back. */
struct npf_account *npf_account_get(struct npf_account **list, uid_t uid);
void npf_account_put(struct npf_account *a); /* NULL is fine */

/* All are given back. */
void npf_accounts_free(struct npf_account **list);

#endif
