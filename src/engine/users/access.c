/* SPDX-License-Identifier: BSD-3-Clause */
/* access.c - the kernel's credentials of a peer. No DPDK, no state. */
#include "engine/users/access.h"

#include <sys/socket.h>

int npf_access_peer(int fd, struct npf_peer *peer)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	*peer = (struct npf_peer){0};
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return -errno;
	peer->pid = cred.pid;
	peer->uid = cred.uid;
	peer->gid = cred.gid;
	len = 0;
	/* The first call says how many there are. */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &len) < 0 && errno != ERANGE)
		return -errno;
	if (len == 0)
		return 0;
	peer->groups = malloc(len);
	if (peer->groups == NULL)
		return -ENOMEM;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, peer->groups, &len) < 0) {
		free(npf_steal_ptr(&peer->groups));
		return -errno;
	}
	peer->n_groups = len / sizeof(gid_t);
	return 0;
}

bool npf_access_is_privileged(const struct npf_peer *peer)
{
	return npf_access_is_root(peer->uid);
}

bool npf_access_user(const struct npf_peer *peer, uid_t uid)
{
	return npf_access_is_privileged(peer) || peer->uid == uid;
}

bool npf_access_port(const struct npf_allow *allow, const struct npf_peer *peer)
{
	return npf_access_is_privileged(peer) || npf_allow_admits(allow, peer);
}
