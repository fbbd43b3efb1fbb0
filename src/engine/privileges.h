/* SPDX-License-Identifier: BSD-3-Clause */
/* privileges.h - from root, needed to open devices, to the user that the daemon runs as. */
#ifndef NPF_ENGINE_PRIVILEGES_H
#define NPF_ENGINE_PRIVILEGES_H

#include "base/error.h"
#include "engine/config/config.h"

/*
 * npf_privileges_settle - npf.user as it holds: without one root becomes user npf, if there is one;
 * `root` is no other user than root is already.
 * Return: 0 or -ENOMEM.
 */
int npf_privileges_settle(struct npf_config *conf);

/* Is there such a user, and may we become it? To be asked before anything is opened. Return: 0, or
 * -errno with a text in err. */
int npf_privileges_check(const struct npf_config *conf, struct npf_error *err);

/*
 * npf_privileges_confine - no program that is executed gains rights; of root's capabilities only
 * those remain that devices and dumps may need, and with npf.user the bounding set is empty.
 * Context: before there is another thread.
 * Return: 0, or -errno with a text in err; the daemon must not go on then.
 */
int npf_privileges_confine(const struct npf_config *conf, struct npf_error *err);

/* May devices that the configuration names use I/O ports? */
bool npf_privileges_have_io_ports(const struct npf_config *conf);

/*
 * npf_privileges_drop - become npf.user, if there is one: every thread, all capabilities gone, for
 * good.
 * @dumpable: core is dumped, and the user that the daemon runs as may debug it
 * Return: 0, or -errno with a text in err; the daemon must not go on then.
 */
int npf_privileges_drop(const struct npf_config *conf, bool dumpable, struct npf_error *err);

#endif
