/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * privileges.c - sets and flags that belong to a thread are reduced while there is one thread, and
 * all others inherit them. glibc's setuid family acts on every thread, the taps included; leaving
 * uid 0 clears the capabilities of each.
 *
 * The daemon may execute itself anew when hugepages run out. Without a bounding set uid 0 gets only
 * inheritable capabilities then, so npf.user keeps what the start needs in that set as well.
 */
#include "engine/privileges.h"

#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define CAP(name) (1ull << CAP_##name)

/* Linux 5.8; in older kernels they are bits that no set has. */
#ifndef CAP_BPF
#	define CAP_PERFMON 38
#	define CAP_BPF     39
#endif

struct caps {
	uint64_t effective, permitted, inheritable;
};

static const struct passwd *wanted(const struct npf_config *conf, struct npf_error *err)
{
	const struct passwd *pw = getpwnam(conf->npf.user);

	if (pw == NULL)
		npf_error_set(err, -EINVAL,
			"npf.user: there is no user \"%s\"; make it with useradd --system",
			conf->npf.user);
	return pw;
}

int npf_privileges_settle(struct npf_config *conf)
{
	static const char by_default[] = "npf";
	const struct passwd *pw;

	if (geteuid() != 0)
		return 0;
	if (conf->npf.user == NULL) {
		if (getpwnam(by_default) == NULL)
			return 0;
		conf->npf.user = strdup(by_default);
		return conf->npf.user != NULL ? 0 : -ENOMEM;
	}
	pw = getpwnam(conf->npf.user);
	if (pw != NULL && pw->pw_uid == 0) {
		free(conf->npf.user);
		conf->npf.user = NULL;
	}
	return 0;
}

int npf_privileges_check(const struct npf_config *conf, struct npf_error *err)
{
	const struct passwd *pw;

	if (conf->npf.user == NULL)
		return 0;
	pw = wanted(conf, err);
	if (pw == NULL)
		return -EINVAL;
	if (geteuid() == 0 || geteuid() == pw->pw_uid)
		return 0;
	return npf_error_set(err, -EPERM,
		"npf.user: only root can become \"%s\"; start as root, or leave `user` out",
		conf->npf.user);
}

static uint64_t join(uint64_t high, uint64_t low)
{
	return high << 32 | low;
}

static int get_caps(struct caps *c)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[2];

	if (syscall(SYS_capget, &head, d) < 0)
		return -errno;
	c->effective = join(d[1].effective, d[0].effective);
	c->permitted = join(d[1].permitted, d[0].permitted);
	c->inheritable = join(d[1].inheritable, d[0].inheritable);
	return 0;
}

static int set_caps(const struct caps *c)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[2];

	for (int i = 0; i < 2; i++) {
		d[i].effective = c->effective >> (32 * i) & UINT32_MAX;
		d[i].permitted = c->permitted >> (32 * i) & UINT32_MAX;
		d[i].inheritable = c->inheritable >> (32 * i) & UINT32_MAX;
	}
	return syscall(SYS_capset, &head, d) < 0 ? -errno : 0;
}

bool npf_privileges_have_io_ports(const struct npf_config *conf)
{
	for (unsigned int i = 0; i < conf->n_ports; i++)
		if (npf_config_is_pci(conf->ports[i].device))
			return true;
	return conf->eal.n_args > 0; /* may name devices, too */
}

/* What root needs to open devices, at the start or later, and to write dumps wherever it is told
 * to. The manual, npf-dpdk(8), says for each why. */
static uint64_t needed(const struct npf_config *conf)
{
	uint64_t caps = CAP(NET_RAW) | CAP(NET_ADMIN) | CAP(BPF) | CAP(PERFMON) | CAP(SYS_ADMIN) |
			CAP(IPC_LOCK) | CAP(SYS_NICE) | CAP(DAC_OVERRIDE) | CAP(CHOWN) |
			CAP(FOWNER);

	if (npf_privileges_have_io_ports(conf))
		caps |= CAP(SYS_RAWIO);
	if (conf->npf.user != NULL)
		caps |= CAP(SETUID) | CAP(SETGID);
	return caps;
}

/* Takes from the bounding set what is not in keep. When the daemon was executed anew nothing is
 * left to take, nor the right to. */
static int bound(uint64_t keep)
{
	for (unsigned int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if ((keep >> cap & 1) == 0 && prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1 &&
			prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return -errno;
	return 0;
}

static int confine_root(const struct npf_config *conf)
{
	const bool leaves = conf->npf.user != NULL;
	struct caps c;
	int rc = get_caps(&c);

	if (rc < 0)
		return rc;
	c.inheritable = leaves ? c.permitted & needed(conf) : 0;
	rc = set_caps(&c); /* first: what the bounding set has lost can't become inheritable */
	if (rc == 0 && (c.effective & CAP(SETPCAP)) != 0)
		rc = bound(leaves ? 0 : needed(conf));
	if (rc < 0)
		return rc;
	c.permitted &= needed(conf);
	c.effective = c.permitted;
	rc = set_caps(&c);
	if (rc == 0 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		rc = -errno;
	return rc;
}

int npf_privileges_confine(const struct npf_config *conf, struct npf_error *err)
{
	int rc = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;

	/* What another user was given is what its administrator wants it to have. */
	if (rc == 0 && geteuid() == 0)
		rc = confine_root(conf);
	return rc < 0 ? npf_error_set(err, rc, "can't drop capabilities: %s", strerror(-rc)) : 0;
}

/* Become that user. */
static int leave_root(const struct passwd *pw)
{
	struct caps c;
	int rc;

	if (initgroups(pw->pw_name, pw->pw_gid) < 0 ||
		setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) < 0 ||
		setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) < 0)
		return -errno;
	rc = get_caps(&c);
	c.inheritable = 0;
	return rc == 0 ? set_caps(&c) : rc;
}

int npf_privileges_drop(const struct npf_config *conf, bool dumpable, struct npf_error *err)
{
	const struct passwd *pw = NULL;
	int rc = 0;

	if (conf->npf.user != NULL) {
		pw = wanted(conf, err);
		if (pw == NULL)
			return -EINVAL;
	}
	if (pw != NULL && pw->pw_uid != geteuid())
		rc = leave_root(pw);
	if (rc < 0)
		return npf_error_set(
			err, rc, "can't become user \"%s\": %s", conf->npf.user, strerror(-rc));
	/* Last: a change of user sets it anew. */
	if (prctl(PR_SET_DUMPABLE, dumpable, 0, 0, 0) < 0)
		return npf_error_set(
			err, -errno, "can't choose whether to dump core: %s", strerror(errno));
	return 0;
}
