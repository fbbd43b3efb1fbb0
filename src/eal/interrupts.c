/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * interrupts.c - stopping the EAL's interrupt thread: an interrupt of our own never returns.
 *
 * No alarm, though one would be simpler: rte_eal_cleanup() waits for those that run.
 */
#include "eal/eal.h"

#include <errno.h>
#include <rte_interrupts.h>
#include <semaphore.h>
#include <stdbool.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define WAIT_S 5

static sem_t parked;

static void park(void *arg)
{
	(void)arg;
	sem_post(&parked);
	for (;;)
		pause();
}

/* Its handle and descriptor last as long as the process. Return: 0 or -errno. */
static int raise_interrupt(void)
{
	struct rte_intr_handle *handle = rte_intr_instance_alloc(RTE_INTR_INSTANCE_F_PRIVATE);
	int fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);

	if (handle == NULL || fd < 0 || rte_intr_fd_set(handle, fd) != 0 ||
		rte_intr_type_set(handle, RTE_INTR_HANDLE_EXT) != 0)
		return -ENOMEM;
	return rte_intr_callback_register(handle, park, NULL);
}

void npf_eal_stop_interrupts(void)
{
	static bool stopped;
	struct timespec end;

	if (stopped)
		return;
	stopped = true;
	sem_init(&parked, 0, 0);
	if (raise_interrupt() != 0)
		return;
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += WAIT_S;
	while (sem_clockwait(&parked, CLOCK_MONOTONIC, &end) != 0 && errno == EINTR)
		;
}
