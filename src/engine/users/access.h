/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * access.h - who may do what. Peers are known by the kernel's word (SO_PEERCRED, SO_PEERGROUPS),
 * never by their own.
 */
#ifndef NPF_ENGINE_USERS_ACCESS_H
#define NPF_ENGINE_USERS_ACCESS_H

#include "base/clock.h"
#include "engine/config/config.h"
#include "engine/base/tasks.h"
#include "wire/wire.h"

#include <sys/types.h>

/* The process at the other end of a connection, by the kernel's credentials. */
struct npf_peer {
	pid_t pid;
	uid_t uid;
	gid_t gid;
	gid_t *groups; /* supplementary */
	unsigned int n_groups;
	char program[NPF_WIRE_NAMELEN]; /* as the client names itself: for reports only */
};

/* Fill in *peer from a connected socket. Return: 0 or -errno. Owns: peer->groups is the caller's to
 * free. */
int npf_access_peer(int fd, struct npf_peer *peer);

/* Is this root or the daemon's own user? */
static inline bool npf_access_is_root(uid_t uid)
{
	return uid == 0 || uid == geteuid();
}

/* Is the peer? */
bool npf_access_is_privileged(const struct npf_peer *peer);

/* May the peer see, and end, what user @uid has? Its own; root and the daemon's own user anybody's.
 */
bool npf_access_user(const struct npf_peer *peer, uid_t uid);

/*
 * A port's `allow` list as numbers.
 *
 * To look up a name of a user or a group may take any time: a directory service may be away. So
 * names are looked up before the port is used, and again every NPF_ALLOW_REFRESH_NS, by a task. A
 * check of a peer compares numbers only.
 *
 * A name that is not known admits nobody until it is. If the look-up fails, the name keeps the
 * number that it had.
 *
 * Context: the control thread.
 */
struct npf_allow;

#define NPF_ALLOW_REFRESH_NS (60 * NPF_NS_PER_S)

/*
 * npf_allow_new - a port's list; no name is known yet.
 * Return: NULL: no memory.
 * Owns:   the caller frees it by npf_allow_free(). It keeps no pointer to the configuration.
 */
struct npf_allow *npf_allow_new(const struct npf_config_port *conf);

/* A look-up that is under way frees the list when it ends. NULL is fine; returns NULL. */
struct npf_allow *npf_allow_free(struct npf_allow *a);

/* Does the list name users or groups? Otherwise there is nothing to look up. */
bool npf_allow_has_names(const struct npf_allow *a);

/* Look up the names now. Context: may block for any time, so before clients are served only. */
void npf_allow_resolve(struct npf_allow *a);

/*
 * npf_allow_submit - look up the names in a task.
 * @uid:   whose task it is
 * @ready: called when the names have been looked up; may free the list. NULL is fine.
 * Context: no look-up is under way.
 */
void npf_allow_submit(struct npf_allow *a, struct npf_tasks *tasks, uid_t uid,
	void (*ready)(void *ctx), void *ctx);

/* Look up the names again, in a task, if that is due. @now_ns: CLOCK_MONOTONIC */
void npf_allow_tick(struct npf_allow *a, struct npf_tasks *tasks, uint64_t now_ns);

/* Is the peer one of those on the list? An empty list admits all. */
bool npf_allow_admits(const struct npf_allow *a, const struct npf_peer *peer);

/* May the peer use this port at all? root and the daemon's own user always; else the port's allow
 * list; an empty one admits all. */
bool npf_access_port(const struct npf_allow *allow, const struct npf_peer *peer);

#endif
