/* SPDX-License-Identifier: BSD-3-Clause */
/* access.c - allow lists against the kernel's credentials of a peer. No DPDK, no state. */
#include "engine/core/access.h"

#include <grp.h>
#include <pwd.h>
#include <string.h>
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

static bool is_in_group(const struct npf_peer *peer, gid_t gid)
{
	if (peer->gid == gid)
		return true;
	for (unsigned int i = 0; i < peer->n_groups; i++)
		if (peer->groups[i] == gid)
			return true;
	return false;
}

static bool admits(const char *rule, const struct npf_peer *peer)
{
	if (strcmp(rule, "any") == 0)
		return true;
	if (strncmp(rule, "user:", 5) == 0) {
		const struct passwd *pw = getpwnam(rule + 5);

		return pw != NULL && pw->pw_uid == peer->uid;
	}
	if (strncmp(rule, "group:", 6) == 0) {
		const struct group *gr = getgrnam(rule + 6);

		return gr != NULL && is_in_group(peer, gr->gr_gid);
	}
	return false;
}

bool npf_access_is_privileged(const struct npf_peer *peer)
{
	return peer->uid == 0 || peer->uid == geteuid();
}

bool npf_access_user(const struct npf_peer *peer, uid_t uid)
{
	return npf_access_is_privileged(peer) || peer->uid == uid;
}

bool npf_access_port(const struct npf_config_port *port, const struct npf_peer *peer)
{
	if (npf_access_is_privileged(peer) || port->n_allow == 0)
		return true;
	for (unsigned int i = 0; i < port->n_allow; i++)
		if (admits(port->allow[i], peer))
			return true;
	return false;
}
