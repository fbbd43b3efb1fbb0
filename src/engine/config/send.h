/* SPDX-License-Identifier: BSD-3-Clause */
/* send.h - the `sends:` of the configuration. */
#ifndef NPF_ENGINE_CONFIG_SEND_H
#define NPF_ENGINE_CONFIG_SEND_H

#include "base/error.h"
#include "replay/replay.h"

struct cyaml_schema_value;

/* One replay that the daemon sends on its own. */
struct npf_config_send {
	char *name, *port, *file;
	char *rate;      /* as written; NULL: original */
	uint32_t loop;   /* rounds; 0: without end */
	uint32_t repeat; /* of each packet; absent: 1 */

	/* filled in by npf_config_send_check() */
	struct npf_rate meant;
};

extern const struct cyaml_schema_value npf_config_send_entry;

/*
 * npf_config_send_check - check beyond the schema; fills in the values and the defaults.
 * Return: 0, or -EINVAL with a text in err that starts with the key.
 */
int npf_config_send_check(struct npf_config_send *s, struct npf_error *err);

#endif
