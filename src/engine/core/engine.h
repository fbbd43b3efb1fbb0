/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * engine.h - the engine's state: ports, taps and their users.
 *
 * Every function here belongs to the control thread (the EAL's main lcore). What changes
 * for the taps reaches them as a new plan: npf_engine_replan().
 */
#ifndef NPF_ENGINE_CORE_ENGINE_H
#define NPF_ENGINE_CORE_ENGINE_H

#include "base/error.h"
#include "engine/config/config.h"
#include "engine/port/port.h"
#include "engine/datapath/datapath.h"
#include "ringbuf/ring.h"
#include "wire/wire.h"

#define NPF_TAPS_MAX NPF_LANES_MAX

struct npf_accounts;
struct npf_allow;
struct npf_tasks;
struct npf_session;
struct npf_dump;
struct npf_shadow;
struct npf_tap;
struct npf_monitor;
struct npf_collector_worker;
struct npf_sender;
struct npf_configured_send;

#define NPF_PORT_REMOVED "port %s was removed"

struct npf_consumer;
struct npf_meter_consumer;
struct npf_plan_hook;
struct npf_joint_set;

/* A port, its users, and which tap polls which of its queues. Lifetime: freed when the port is
 * removed and no reference to it is left. */
struct npf_engine_port {
	struct npf_engine_port *next;     /* among the removed ones */
	struct npf_config_port *own_conf; /* of a port added at run time, else NULL */
	struct npf_allow *allow;          /* who may use it */
	unsigned int n_refs;              /* npf_engine_port_get() */
	bool removed;                     /* in no plan, and its device is closed */
	bool shadow_served;               /* the control loop waits for the shadow */
	struct npf_port port;
	uint8_t queue_tap[NPF_TAPS_MAX]; /* tap of each rx queue */
	uint8_t taps[NPF_TAPS_MAX]; /* the taps among these, each once: lane i of a session is fed
				       by taps[i] */
	uint8_t n_taps;
	struct npf_tap_stall stalls[NPF_TAPS_MAX]; /* one a queue */
	struct npf_consumer *consumers;            /* see consumer.h */
	struct npf_meter_consumer *meters;
	struct npf_plan_hook *hooks;
	struct npf_joint_set *set,
		*next_set;         /* of the plans in force, and of the next; see joint_set.h */
	bool set_compiles;         /* one more is being compiled */
	struct npf_shadow *shadow; /* or NULL */
};

struct npf_engine {
	const struct npf_config *conf;
	struct npf_engine_port *ports[NPF_WIRE_MAXPORTS];
	unsigned int n_ports;
	struct npf_engine_port *removed; /* removed ports that are still referred to */
	uint16_t next_index;             /* of the next port, if it is free */
	unsigned int next_tap;           /* that gets the next queue */
	struct npf_tap *taps[NPF_TAPS_MAX];
	unsigned int n_taps;
	struct npf_session *sessions; /* in ascending order of id */
	struct npf_session *leaving;  /* closed, and still in plans: there was no memory */
	struct npf_monitor *monitors; /* of sessions and of the configuration */
	struct npf_collector_worker *collector_worker;
	struct npf_dump *dumps; /* in ascending order of id */
	uint64_t next_session;  /* id of the next session or dump */
	uint64_t started_ns;    /* CLOCK_REALTIME */
	bool hugepages;         /* the EAL has them; sessions' buffers try for them then */
	struct npf_accounts *accounts;
	struct npf_tasks *tasks;   /* NULL while no clients are served */
	struct npf_sender *sender; /* NULL until there is a send lane */
	int links_fd;              /* netlink socket for the kernel's interfaces; -1: none */
	bool sets_stale;           /* plans have changed since npf_engine_tick() */
	bool links_requested;      /* a list of all interfaces; its end has not come yet */
	bool links_stale;          /* the list must be requested again then */
	struct npf_configured_send *sends; /* of the configuration, in its order */
	unsigned int n_sends;
};

/*
 * npf_engine_replan - bring the taps' plans in line with ports and their consumers.
 * Return: 0: no tap uses anything that is in none of them; -ENOMEM: the old plans stay in force.
 */
int npf_engine_replan(struct npf_engine *e);

/* Have the ports' filter sets compiled that are out of date, or that a user costs others too much
 * by. To be called now and then: clients may come and go much faster. */
void npf_engine_tick(struct npf_engine *e);

/*
 * npf_engine_use - a consumer's port runs for it, and is in the plans: it is about to send or to
 * dump. Return: 0, or -errno with a text in err.
 */
int npf_engine_use(struct npf_engine *e, struct npf_consumer *c, struct npf_error *err);

/*
 * npf_engine_release_port - replan after a consumer was removed from a port's list. A port with
 * `start: attach` and no user left is stopped. A removed port is in no plan anyway. Return: 0, or
 * -ENOMEM: the old plans stay in force.
 */
int npf_engine_release_port(struct npf_engine *e, struct npf_engine_port *p);

/* Free what is left of bursts in work; the port is in no plan. */
void npf_engine_port_drop_stalls(struct npf_engine_port *p);

struct npf_engine_port *npf_engine_find_port(struct npf_engine *e, const char *name);

/* Who keeps a pointer to a port, removed or not, holds a reference. */
static inline struct npf_engine_port *npf_engine_port_get(struct npf_engine_port *p)
{
	p->n_refs++;
	return p;
}

/* NULL is fine; returns NULL. */
static inline struct npf_engine_port *npf_engine_port_put(struct npf_engine_port *p)
{
	if (p != NULL)
		p->n_refs--;
	return NULL;
}

#endif
