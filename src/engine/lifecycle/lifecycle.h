/* SPDX-License-Identifier: BSD-3-Clause */
/* lifecycle.h - the engine from its first port to its last. Context: the control thread. */
#ifndef NPF_ENGINE_LIFECYCLE_LIFECYCLE_H
#define NPF_ENGINE_LIFECYCLE_LIFECYCLE_H

#include "base/error.h"
#include "engine/core/core.h"
#include "engine/lifecycle/links.h"
#include "engine/lifecycle/ports.h"

/*
 * npf_lifecycle_begin - open every port of the configuration, start the taps and the ports. The EAL
 * is up. Return: 0, or -errno with a text in err.
 */
int npf_lifecycle_begin(const struct npf_config *conf, bool hugepages, struct npf_engine **ep,
	struct npf_error *err);

/* Ends sessions, taps and ports. NULL is fine; returns NULL. */
struct npf_engine *npf_lifecycle_end(struct npf_engine *e);

#endif
