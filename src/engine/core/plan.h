/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * plan.h - plans made from the lists of ports' clients; nothing else is known here of who they are.
 *
 * Context: the control thread. Plans are handed out by npf_engine_replan().
 */
#ifndef NPF_ENGINE_CORE_PLAN_H
#define NPF_ENGINE_CORE_PLAN_H

#include "engine/core/engine.h"

struct npf_sent_meters;

/* What tap number t does. A plan and all that is made with it are one block: free() it. Return:
 * NULL: no memory. */
struct npf_plan *npf_plan_make(const struct npf_engine *e, unsigned int t);

/*
 * npf_plan_sent_meters - who counts what is sent on a port.
 * Return: 0; *smp is NULL when nobody does; or -ENOMEM.
 */
int npf_plan_sent_meters(const struct npf_engine_port *p, struct npf_sent_meters **smp);

/* Whose sent packets are to be shown to captures of the port: NPF_SHOWN_*, or the id of the only
 * session that wants to see what others send. */
uint64_t npf_plan_shown(const struct npf_engine_port *p);

#endif
