/* SPDX-License-Identifier: BSD-3-Clause */
/* admission.h - may one more client connect? */
#ifndef NPF_ENGINE_CONTROL_ADMISSION_H
#define NPF_ENGINE_CONTROL_ADMISSION_H

#include "engine/control/requests.h"

/*
 * npf_admit - charge a new connection to its peer. One too many is admitted as well, if there are
 * few of those: with conn->refusal, the only reply that it gets.
 * @n_conns: that there are, this one included
 * Return: 0; -errno: hang up.
 */
int npf_admit(struct npf_accounts *accounts, struct npf_conn *conn, unsigned int n_conns);

#endif
