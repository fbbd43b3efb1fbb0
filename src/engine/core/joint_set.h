/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * joint_set.h - the filters of a port's clients in one filter set, which the port's taps run in
 * place of each filter alone.
 *
 * A set is compiled by a task, from copies of the programs, some time after the plans that need it:
 * until it is there, a client's filter runs alone. A set that is a little out of date is of use
 * still: who has gone is not asked for, who has come runs alone.
 *
 * Context: the control thread.
 */
#ifndef NPF_ENGINE_CORE_JOINT_SET_H
#define NPF_ENGINE_CORE_JOINT_SET_H

#include "engine/core/engine.h"
#include "jit/set/set.h"

struct npf_joint_set;

/*
 * npf_joint_set_update - have a set compiled if the port's present one is too far from what its
 * clients are now, and none is being compiled.
 * @made: is called when it is there, for the plans to be made anew: port->next_set
 */
void npf_joint_set_update(
	struct npf_engine *e, struct npf_engine_port *p, void (*made)(struct npf_engine *e));

/* Does a user have more of the port's set than he may? Then it is to be updated. */
bool npf_joint_set_is_abused(const struct npf_engine_port *p);

/* All plans in force have been made with the port's next set, if there is one. */
void npf_joint_set_settle(struct npf_engine_port *p);

struct npf_joint_set *npf_joint_set_free(struct npf_joint_set *s); /* NULL is fine; returns NULL */

/* The set that new plans are to be made with; its compiled form is NULL where it would not pay. */
struct npf_joint_set *npf_joint_set_for_plans(const struct npf_engine_port *p);
const struct npf_filter_set *npf_joint_set_compiled(const struct npf_joint_set *s);

/* What queue @q of the port runs it with. */
struct npf_filter_set_scratch *npf_joint_set_scratch(const struct npf_joint_set *s, unsigned int q);

#define NPF_NO_MEMBER UINT32_MAX

/*
 * npf_joint_set_member - which member of the set is a filter?
 * @keepp: its result for the packets that it accepts
 * Return: NPF_NO_MEMBER: none; it runs alone.
 */
uint32_t npf_joint_set_member(
	const struct npf_joint_set *s, const struct npf_filter *filter, uint32_t *keepp);

#endif
