/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * eal.h - what a program needs around DPDK's EAL: hugepages, a directory for its files, and an end
 * at which nothing of it runs any more.
 */
#ifndef NPF_EAL_EAL_H
#define NPF_EAL_EAL_H

#include "base/base.h"
#include "base/error.h"

/*
 * ---- Hugepages ----
 *
 * Hugepages that were free a moment ago may be taken by another process before the EAL has them: it
 * allocates them one by one. It can't be initialised twice in one process, so the program then
 * begins anew and does without hugepages.
 */

/* Memory in hugepages of any size that is free and not reserved by a mapping, MiB. */
unsigned long npf_eal_free_hugepages(void);

/*
 * npf_eal_begin_anew - execute this program again, with the same process id; in the new one
 * npf_eal_is_second_try() is true.
 * @argv: the program's own, NULL at its end
 * Returns only when that failed.
 */
void npf_eal_begin_anew(char **argv);

/* Has this program failed to get hugepages before? */
bool npf_eal_is_second_try(void);

/*
 * ---- The runtime directory ----
 *
 * Without a runtime directory of its user the EAL uses /tmp/dpdk, where anybody may have been
 * first, and it makes and removes sockets in whatever it finds under its names there.
 */

/*
 * npf_eal_check_runtime_dir - see that the directory is ours, before the EAL starts.
 * Return: 0, or -errno with a text in err: it can't be made, or it is someone else's or a link.
 */
int npf_eal_check_runtime_dir(struct npf_error *err);

/*
 * npf_eal_sweep_runtime_dirs - the EAL leaves its directory behind: remove ours after
 * rte_eal_cleanup(), and those of processes that were killed.
 * @prefix: of --file-prefix; the process id follows it
 */
void npf_eal_sweep_runtime_dirs(const char *prefix);

/*
 * ---- The interrupt thread ----
 *
 * rte_eal_cleanup() unmaps the EAL's memory and leaves that thread running. It walks handles that
 * drivers keep in that memory whenever anything happens: a net_memif port whose peer has just been
 * closed, a link that goes down with its port. Drivers also let their ports' callbacks run beside
 * the close of the same port. So whoever ends parks the thread first.
 */

/*
 * Stop the interrupt thread, for the rest of the process: before its last ports are closed. It
 * ends the callback that it is in. Waits 5 s at most (for a callback that doesn't end). Call it
 * again as you like, from one thread.
 */
void npf_eal_stop_interrupts(void);

#endif
