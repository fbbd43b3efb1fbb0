/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * engine.h - the engine's state: ports, taps and sessions, held together by the control thread.
 *
 * Every function here belongs to the control thread (the EAL's main lcore). What changes
 * for the taps reaches them as a new plan: npf_engine_replan().
 */
#ifndef NPF_ENGINE_CORE_ENGINE_H
#define NPF_ENGINE_CORE_ENGINE_H

#include "engine/config/config.h"
#include "engine/port/port.h"
#include "engine/datapath/tap.h"
#include "wire/wire.h"

#define NPF_TAPS_MAX NPF_LANES_MAX

struct npf_accounts;
struct npf_errands;
struct npf_session;
struct npf_dump;
struct npf_shadow;
struct npf_watch;
struct npf_monitors;
struct npf_sender;
struct npf_standing;

/* A port and which tap polls which of its queues. Lifetime: pointers stay good until
 * npf_ports_forget() finds that nobody holds one. */
struct npf_engine_port {
	struct npf_engine_port *next;     /* among those that are gone */
	struct npf_config_port *own_conf; /* of a port added at run time, else NULL */
	bool gone;                        /* removed: in no plan, its device is closed */
	bool shadow_served;               /* the control loop waits for the shadow */
	struct npf_port port;
	uint8_t queue_tap[NPF_TAPS_MAX]; /* tap of each rx queue */
	uint8_t taps[NPF_TAPS_MAX]; /* the taps among these, each once: lane i of a session is fed
				       by taps[i] */
	uint8_t n_taps;
	struct npf_tap_stall stalls[NPF_TAPS_MAX]; /* one a queue */
	struct npf_shadow *shadow;                 /* or NULL */
	unsigned int n_captures;                   /* sessions with a buffer, and dumps */
	unsigned int n_readers;                    /* those of them that read; see attend.h */
	unsigned int n_users; /* readers, and sessions that have sent or dumped */
};

struct npf_engine {
	const struct npf_config *conf;
	struct npf_engine_port *ports[NPF_WIRE_MAXPORTS];
	unsigned int n_ports;
	struct npf_engine_port *gone; /* removed ports to which somebody still points */
	uint16_t next_index;          /* of the next port, if it is free */
	unsigned int next_tap;        /* that gets the next queue */
	struct npf_tap *taps[NPF_TAPS_MAX];
	unsigned int n_taps;
	struct npf_session *sessions; /* in ascending order of id */
	struct npf_watch *watches;    /* sessions' and standing monitors */
	struct npf_monitors *monitors;
	struct npf_dump *dumps; /* in ascending order of id */
	uint64_t next_session;  /* id of the next session or dump */
	uint64_t started_ns;    /* CLOCK_REALTIME */
	bool hugepages;         /* the EAL has them; sessions' buffers try for them then */
	struct npf_accounts *accounts;
	struct npf_errands *errands; /* NULL while no clients are served */
	struct npf_sender *sender;   /* NULL until somebody has a send lane */
	int links_fd;                /* where the kernel tells of its interfaces; -1 */
	bool links_asked;            /* for all of them; the answer has not ended */
	bool links_again;            /* it must be asked again then */
	struct npf_standing *sends;  /* of the configuration, in its order */
	unsigned int n_sends;
};

/*
 * npf_engine_new - open every port of the configuration, start the taps and the ports. The EAL is
 * up. Return: 0, or -errno with a text in err.
 */
int npf_engine_new(const struct npf_config *conf, bool hugepages, struct npf_engine **ep, char *err,
	size_t err_len);

/* Ends sessions, taps and ports. */
struct npf_engine *npf_engine_free(struct npf_engine *e);

/* Bring the taps' plans in line with ports and sessions; on return no tap uses anything that is in
 * none of them. */
int npf_engine_replan(struct npf_engine *e);

/*
 * npf_engine_leave - replan after somebody has left a port (its counts say so already); a port
 * with `start: attach` that nobody uses any more is stopped. One that is gone is in no plan anyway.
 * Return: 0, or -ENOMEM: the old plans stand.
 */
int npf_engine_leave(struct npf_engine *e, struct npf_engine_port *p);

struct npf_engine_port *npf_engine_find_port(struct npf_engine *e, const char *name);

#endif
