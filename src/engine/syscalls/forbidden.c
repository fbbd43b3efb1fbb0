/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * forbidden.c - a list for all threads of what is forbidden, not of what is allowed: what drivers,
 * glibc and the libraries below them call differs from version to version, and a call that is
 * missing from a list would end captures in the field.
 */
#include "engine/syscalls/syscalls.h"

#include "engine/syscalls/allowed.h"
#include "base/log.h"

#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/socket.h>

#ifndef AF_XDP
#	define AF_XDP 44
#endif
#define AF_END 64 /* beyond all families that there are */

static const int forbidden[] = {
	/* other programs */
	SCMP_SYS(execve),
	SCMP_SYS(execveat),
	/* other processes */
	SCMP_SYS(ptrace),
	SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev),
	SCMP_SYS(pidfd_getfd),
	SCMP_SYS(kcmp),
	SCMP_SYS(perf_event_open),
	SCMP_SYS(userfaultfd),
	/* files by other names than their paths */
	SCMP_SYS(open_by_handle_at),
	SCMP_SYS(fanotify_init),
	SCMP_SYS(chroot),
	SCMP_SYS(pivot_root),
	SCMP_SYS(mount),
	SCMP_SYS(umount2),
	SCMP_SYS(open_tree),
	SCMP_SYS(move_mount),
	SCMP_SYS(fsopen),
	SCMP_SYS(fsconfig),
	SCMP_SYS(fsmount),
	SCMP_SYS(fspick),
	SCMP_SYS(mount_setattr),
	SCMP_SYS(unshare),
	SCMP_SYS(setns),
	/* the machine */
	SCMP_SYS(init_module),
	SCMP_SYS(finit_module),
	SCMP_SYS(delete_module),
	SCMP_SYS(kexec_load),
	SCMP_SYS(kexec_file_load),
	SCMP_SYS(reboot),
	SCMP_SYS(swapon),
	SCMP_SYS(swapoff),
	SCMP_SYS(acct),
	SCMP_SYS(quotactl),
	SCMP_SYS(quotactl_fd),
	SCMP_SYS(syslog),
	SCMP_SYS(vhangup),
	SCMP_SYS(settimeofday),
	SCMP_SYS(clock_settime),
	SCMP_SYS(clock_adjtime),
	SCMP_SYS(adjtimex),
	SCMP_SYS(sethostname),
	SCMP_SYS(setdomainname),
	SCMP_SYS(add_key),
	SCMP_SYS(request_key),
	SCMP_SYS(keyctl),
	SCMP_SYS(personality),
	SCMP_SYS(modify_ldt),
};

static const unsigned int allowed_families[] = {
	AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_XDP};

static bool is_allowed(unsigned int family)
{
	for (unsigned int i = 0; i < NPF_ARRAY_LEN(allowed_families); i++)
		if (allowed_families[i] == family)
			return true;
	return false;
}

static bool is_for_sanitizers(int call)
{
#ifdef NPF_SYSCALLS_SANITIZED
	return call == SCMP_SYS(ptrace) || call == SCMP_SYS(personality);
#else
	(void)call;
	return false;
#endif
}

static int forbid_families(scmp_filter_ctx ctx)
{
	int rc = seccomp_rule_add(
		ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_GE, AF_END));

	for (unsigned int family = 0; rc == 0 && family < AF_END; family++)
		if (!is_allowed(family))
			rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 1,
				SCMP_A0(SCMP_CMP_EQ, family));
	return rc;
}

/* Threads are made by clone() where clone3(), whose flags a filter can't see, is not there. */
static int forbid_namespaces(scmp_filter_ctx ctx)
{
	static const unsigned int flags[] = {CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET,
		CLONE_NEWIPC, CLONE_NEWUTS, CLONE_NEWCGROUP};
	int rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);

	for (unsigned int i = 0; rc == 0 && i < NPF_ARRAY_LEN(flags); i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
			SCMP_A0(SCMP_CMP_MASKED_EQ, flags[i], flags[i]));
	return rc;
}

static int fill(scmp_filter_ctx ctx, bool io_ports)
{
	int rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);

	for (unsigned int i = 0; rc == 0 && i < NPF_ARRAY_LEN(forbidden); i++)
		if (!is_for_sanitizers(forbidden[i]))
			rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), forbidden[i], 0);
	if (rc == 0 && !io_ports)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(iopl), 0);
	if (rc == 0 && !io_ports)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioperm), 0);
	if (rc == 0)
		rc = forbid_families(ctx);
	return rc == 0 ? forbid_namespaces(ctx) : rc;
}

int npf_syscalls_forbid(bool io_ports, struct npf_error *err)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int rc = ctx != NULL ? fill(ctx, io_ports) : -ENOMEM;

	if (rc == 0)
		rc = seccomp_load(ctx);
	/* seccomp(2) failed when it was asked for SCMP_FLTATR_CTL_TSYNC, or when it was to load. */
	if (rc == -EOPNOTSUPP || rc == -ECANCELED) {
		npf_warn("the kernel, or the container, takes no filter for system calls: the "
			 "daemon does without");
		rc = 0;
	} else if (rc == 0)
		rc = npf_syscalls_prepare();
	seccomp_release(ctx);
	return rc < 0 ? npf_error_set(err, rc, "can't forbid system calls: %s", strerror(-rc)) : 0;
}
