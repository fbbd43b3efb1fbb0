/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * configured.h - the lanes that the send worker serves, and the sends of the configuration.
 *
 * A configured send begins when its port runs, pauses while the port does not run, and goes on
 * behind the last packet that was sent. It ends with its port, and begins anew when a port of that
 * name is added. Context: the control thread.
 */
#ifndef NPF_ENGINE_SEND_CONFIGURED_H
#define NPF_ENGINE_SEND_CONFIGURED_H

#include "base/error.h"
#include "engine/core/core.h"
#include "engine/send/sender.h"

#include <jansson.h>

/* ---- Lanes ---- */

/* Add a lane to those that the send worker serves, or remove it. The first lane starts the worker.
 * Return: 0, or -errno, and nothing has changed. A removal does not fail. */
int npf_sender_add_lane(struct npf_engine *e, struct npf_send_lane *lane);
void npf_sender_remove_lane(struct npf_engine *e, const struct npf_send_lane *lane);

/* ---- Sends of the configuration ---- */

/* Check the files of the configuration's sends. No port is needed. Return: 0, or -errno with
 * err. */
int npf_sends_check(const struct npf_config *conf, struct npf_error *err);

/* Read the files: once, before the daemon gives up its rights. Return: 0, or -errno with err. */
int npf_sends_load(struct npf_engine *e, struct npf_error *err);

/* Start those of all ports, or of one that was added. Return: 0, or -errno with a text in err. */
int npf_sends_start_configured(
	struct npf_engine *e, const struct npf_engine_port *only, struct npf_error *err);

/* The port is removed, and no plan has it. Return: how many sends have ended with it. */
unsigned int npf_sends_end_port(struct npf_engine *e, const struct npf_engine_port *p);
void npf_sends_end_all(struct npf_engine *e);

json_t *npf_sends_report(const struct npf_engine *e);   /* "sends": all that is known */
json_t *npf_sends_counters(const struct npf_engine *e); /* for "stats" */

#endif
