/* SPDX-License-Identifier: BSD-3-Clause */
/* monitor.h - the `monitors:` of the configuration. */
#ifndef NPF_ENGINE_CONFIG_MONITOR_H
#define NPF_ENGINE_CONFIG_MONITOR_H

#include "base/error.h"

struct cyaml_schema_value;

/* One monitor of the daemon's own. */
struct npf_config_monitor {
	char *name, *port;
	char *filter;   /* libpcap's language; NULL: all packets */
	char *interval; /* as written; NULL: 1s */
	char *file;     /* NULL: none */

	/* filled in by npf_config_monitor_check() */
	uint64_t interval_ns; /* a multiple of 1 ms */
};

extern const struct cyaml_schema_value npf_config_monitor_entry;

/*
 * npf_config_monitor_check - check beyond the schema; fills in the values.
 * Return: 0, or -EINVAL with a text in err that starts with the key.
 */
int npf_config_monitor_check(struct npf_config_monitor *m, struct npf_error *err);

#endif
