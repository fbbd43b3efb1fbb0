/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * syscalls.h - the door of what the daemon never asks of the kernel, and can't from then on.
 *
 * A list of forbidden calls holds in every thread. Threads that run no code but ours have a list of
 * allowed calls on top of it, each kind its own: what such a thread asks the kernel for is ours to
 * know.
 *
 * Threads share their memory: who runs code in one can make another run it, too. A list of a thread
 * makes that necessary, no more.
 */
#ifndef NPF_ENGINE_SYSCALLS_SYSCALLS_H
#define NPF_ENGINE_SYSCALLS_SYSCALLS_H

#include "base/error.h"

enum npf_syscalls_kind {
	NPF_SYSCALLS_TASK,      /* engine/base/tasks.h */
	NPF_SYSCALLS_DISK,      /* writer/disk/worker.h, its io_uring is set up */
	NPF_SYSCALLS_COLLECTOR, /* engine/monitor/collector.h */
	NPF_SYSCALLS_READER,    /* replay/ahead.h */
	NPF_SYSCALLS_PLAYER,    /* engine/send/playback.h */
	NPF_SYSCALLS_DRIVER,    /* taps and the send worker: all calls but those of io_uring */
	NPF_SYSCALLS_KINDS
};

/*
 * npf_syscalls_forbid - system calls that a daemon at work has no use for, but an attacker in it
 * has, fail from now on with EPERM, in every thread, and for good: to run programs, to look into
 * other processes, to change mounts, namespaces, modules, clocks or keys, sockets of other families
 * than the devices and the control socket need.
 * @io_ports: the devices use I/O ports (PCI)
 *
 * Where seccomp(2) is not there, as in an old kernel or a strict container, the log has a warning,
 * and npf_syscalls_confine() does nothing.
 *
 * Context: no_new_privs is set; no thread was confined yet: the kernel would refuse.
 * Return: 0, or -errno with a text in err; the daemon must not go on then.
 */
int npf_syscalls_forbid(bool io_ports, struct npf_error *err);

/*
 * npf_syscalls_confine - all that a thread of this kind does not need fails in the calling thread
 * with EPERM, and for good. The kernel's log names the first such calls, if it keeps one (audit).
 *
 * Before npf_syscalls_forbid() it does nothing. Where the kernel does not take the list the log has
 * a warning.
 *
 * Context: the thread, first of all.
 */
void npf_syscalls_confine(enum npf_syscalls_kind kind);

#endif
