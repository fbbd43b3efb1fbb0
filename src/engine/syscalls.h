/* SPDX-License-Identifier: BSD-3-Clause */
/* syscalls.h - what the daemon never asks of the kernel, and can't from then on. */
#ifndef NPF_ENGINE_SYSCALLS_H
#define NPF_ENGINE_SYSCALLS_H

#include "base/error.h"

/*
 * npf_syscalls_forbid - system calls that a daemon at work has no use for, but an attacker in it
 * has, fail from now on with EPERM, in every thread, and for good: to run programs, to look into
 * other processes, to change mounts, namespaces, modules, clocks or keys, sockets of other families
 * than the devices and the control socket need.
 * @io_ports: the devices use I/O ports (PCI)
 *
 * Where seccomp(2) is not there, as in an old kernel or a strict container, the log has a warning.
 * What io_uring does, filters do not see.
 *
 * Context: no_new_privs is set.
 * Return: 0, or -errno with a text in err; the daemon must not go on then.
 */
int npf_syscalls_forbid(bool io_ports, struct npf_error *err);

#endif
