/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * access.h - who may do what. Peers are known by the kernel's word (SO_PEERCRED, SO_PEERGROUPS),
 * never by their own.
 */
#ifndef NPF_ENGINE_CORE_ACCESS_H
#define NPF_ENGINE_CORE_ACCESS_H

#include "wire/wire.h"

#include <sys/types.h>

struct npf_allow;

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

/* Is the peer root or the daemon's own user? */
bool npf_access_is_privileged(const struct npf_peer *peer);

/* May the peer see, and end, what user @uid has? Its own; root and the daemon's own user anybody's.
 */
bool npf_access_user(const struct npf_peer *peer, uid_t uid);

/* May the peer use this port at all? root and the daemon's own user always; else the port's allow
 * list (core/allow.h); an empty one admits all. */
bool npf_access_port(const struct npf_allow *allow, const struct npf_peer *peer);

#endif
