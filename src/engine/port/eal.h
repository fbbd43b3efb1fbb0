/* SPDX-License-Identifier: BSD-3-Clause */
/* eal.h - DPDK's environment, set up as the configuration asks and the machine allows. */
#ifndef NPF_ENGINE_PORT_EAL_H
#define NPF_ENGINE_PORT_EAL_H

#include "base/error.h"
#include "engine/config/config.h"

/*
 * npf_dpdk_init - start the EAL; the calling thread becomes its main lcore.
 * @hugepagesp: whether it runs on hugepages
 * Return: 0, or -errno with a text in err. The EAL can't be tried twice in one process.
 */
int npf_dpdk_init(const struct npf_config *conf, bool *hugepagesp, struct npf_error *err);
void npf_dpdk_cleanup(void);

#endif
