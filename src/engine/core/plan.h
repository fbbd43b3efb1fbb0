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
 * npf_plan_sent_meters - the meters of those who count what is sent on a port.
 * Return: 0, and *smp is NULL when there are none; or -ENOMEM.
 */
int npf_plan_sent_meters(const struct npf_engine_port *p, struct npf_sent_meters **smp);

/* Whose sent packets are copied to the port's tx mirror: NPF_MIRROR_*, or the id of the only
 * session that captures what others send. */
uint64_t npf_plan_mirror_policy(const struct npf_engine_port *p);

#endif
