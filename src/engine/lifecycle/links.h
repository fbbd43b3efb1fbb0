/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * links.h - the kernel's interfaces are watched for the ports that stand on one.
 *
 * An interface that goes down and comes up is told of: the port's link, the log, sends that fail
 * with -ENETDOWN. One that is deleted ends captures, as libpcap ends them; monitors and dumps stay,
 * and when an interface of that name comes, the port goes on with it.
 *
 * Context: the control thread.
 */
#ifndef NPF_ENGINE_LIFECYCLE_LINKS_H
#define NPF_ENGINE_LIFECYCLE_LINKS_H

#include "engine/core/engine.h"

/* npf_links_open - begin to watch. Return: a descriptor that is readable when there is news, the
 * engine's own; or -errno. */
int npf_links_open(struct npf_engine *e);

/* Take the news in; what there is none of costs one system call. */
void npf_links_serve(struct npf_engine *e);

/* End captures whose interface has disappeared. To be called now and then. */
void npf_links_tick(struct npf_engine *e);

#endif
