/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sends.h - lanes and who serves them: the sessions', and those of the sends that stand in the
 * configuration.
 *
 * A standing send begins when its port runs, pauses while it does not, and goes on behind the last
 * packet that was sent. It ends with its port; should one of that name be added it begins anew.
 * All belongs to the control thread.
 */
#ifndef NPF_ENGINE_SEND_CONFIGURED_H
#define NPF_ENGINE_SEND_CONFIGURED_H

#include "base/error.h"
#include "engine/core/engine.h"
#include "engine/send/sender.h"

#include <jansson.h>

/* ---- Lanes ---- */

/* Put a lane into the send worker's hands, or take it out of them; the first one starts it.
 * Return: 0 or -errno, and nothing has changed. Taking out does not fail. */
int npf_sends_serve(struct npf_engine *e, struct npf_send_lane *lane);
void npf_sends_drop(struct npf_engine *e, const struct npf_send_lane *lane);

/* ---- Standing sends ---- */

/* Are the files of the configuration good? No port is needed. Return: 0, or -errno with err. */
int npf_sends_check(const struct npf_config *conf, struct npf_error *err);

/* Read the files: once, before the daemon gives up its rights. Return: 0, or -errno with err. */
int npf_sends_load(struct npf_engine *e, struct npf_error *err);

/* Begin those of all ports, or of one that was added. Return: 0, or -errno with a text in err. */
int npf_sends_standing(
	struct npf_engine *e, const struct npf_engine_port *only, struct npf_error *err);

/* A port that is in no plan any more goes. Return: how many standing sends have ended with it. */
unsigned int npf_sends_leave_port(struct npf_engine *e, const struct npf_engine_port *p);
void npf_sends_end_all(struct npf_engine *e);

json_t *npf_sends_report(const struct npf_engine *e);   /* "sends": all that is known */
json_t *npf_sends_counters(const struct npf_engine *e); /* for "stats" */

#endif
