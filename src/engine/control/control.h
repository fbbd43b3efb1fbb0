/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * control.h - the control socket: connections of clients and their requests. One thread, one epoll;
 * it waits for no client.
 */
#ifndef NPF_ENGINE_CONTROL_CONTROL_H
#define NPF_ENGINE_CONTROL_CONTROL_H

#include "base/error.h"
#include "engine/core/core.h"

struct npf_control;

/*
 * npf_control_listen - bind the socket and set who may connect; nobody is answered yet.
 *
 * A socket left behind by a daemon that died is replaced; one that a living daemon serves is not.
 * The directory is made if it is missing (one level).
 *
 * Return: 0, or -errno with a text in err (-EADDRINUSE: another daemon).
 */
int npf_control_listen(
	const struct npf_config *conf, struct npf_control **cp, struct npf_error *err);

/* Serve clients until SIGTERM or SIGINT. Return: 0, or -errno when it can't go on. */
int npf_control_run(struct npf_control *c, struct npf_engine *e);

/* Closes all connections and removes the socket. */
struct npf_control *npf_control_free(struct npf_control *c);

#endif
