/* SPDX-License-Identifier: BSD-3-Clause */
/* rate_peer_none.c - without DPDK there is no rte_ring to compare with. */
#include "rate.h"

double rate_rte_ring(const struct rate *t)
{
	(void)t;
	return -1;
}
