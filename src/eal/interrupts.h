/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * interrupts.h - the EAL's interrupt thread at the end of a process.
 *
 * rte_eal_cleanup() unmaps the EAL's memory and leaves that thread running. It walks handles that
 * drivers keep in that memory whenever anything happens: a net_memif port whose peer has just been
 * closed, a link that goes down with its port. Drivers also let their ports' callbacks run beside
 * the close of the same port. So whoever ends parks the thread first.
 */
#ifndef NPF_EAL_INTERRUPTS_H
#define NPF_EAL_INTERRUPTS_H

/*
 * Stop the interrupt thread, for the rest of the process: before its last ports are closed. It
 * ends the callback that it is in. Waits 5 s at most (for a callback that doesn't end). Call it
 * again as you like, from one thread.
 */
void npf_eal_stop_interrupts(void);

#endif
