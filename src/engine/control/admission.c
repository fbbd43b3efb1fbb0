/* SPDX-License-Identifier: BSD-3-Clause */
/* admission.c - bounds on connections: of one user, and of all with a reserve for root. */
#include "engine/control/admission.h"

#include "engine/core/core.h"

#include <stdlib.h>

#define MAX_CLIENTS        4096
#define PRIVILEGED_RESERVE 64 /* of these, for root and the daemon's own user ... */
#define REFUSAL_ROOM       32 /* ... or so many of them for the error that there are too many */

static int charge(struct npf_accounts *accounts, struct npf_conn *conn, unsigned int n_conns,
	struct npf_error *why)
{
	unsigned int reserve = npf_access_is_privileged(&conn->peer) ? 0 : PRIVILEGED_RESERVE;

	if (n_conns > MAX_CLIENTS - reserve)
		return npf_error_set(why, -EDQUOT,
			"the daemon has %u connections and takes no more but root's", n_conns);
	return npf_charge(accounts, conn->peer.uid, NPF_RES_CONNECTIONS, 1, &conn->charge, why);
}

/* A client too many gets an error for its HELLO, as long as there are few of those. */
static int charge_refusal(struct npf_accounts *accounts, struct npf_conn *conn,
	unsigned int n_conns, const struct npf_error *why)
{
	struct npf_error ignored;

	if (n_conns > MAX_CLIENTS - REFUSAL_ROOM)
		return -EDQUOT;
	conn->refusal = malloc(sizeof(*conn->refusal));
	if (conn->refusal == NULL)
		return -ENOMEM;
	*conn->refusal = *why;
	return npf_charge(accounts, conn->peer.uid, NPF_RES_REFUSALS, 1, &conn->charge, &ignored);
}

int npf_admit(struct npf_accounts *accounts, struct npf_conn *conn, unsigned int n_conns)
{
	struct npf_error why;
	int rc = charge(accounts, conn, n_conns, &why);

	return rc < 0 ? charge_refusal(accounts, conn, n_conns, &why) : 0;
}
