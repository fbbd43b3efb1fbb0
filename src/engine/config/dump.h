/* SPDX-License-Identifier: BSD-3-Clause */
/* dump.h - the `dumps:` of the configuration. */
#ifndef NPF_ENGINE_CONFIG_DUMP_H
#define NPF_ENGINE_CONFIG_DUMP_H

#include "base/error.h"
#include "writer/feed/feed.h"

struct cyaml_schema_value;

/* One dump: the keys as written, then their values. */
struct npf_config_dump {
	char *name, *port;
	char *filter, *file, *comment, *index; /* or NULL */
	char *buffer, *mode, *owner;
	struct {
		char *size, *time;
		uint64_t packets;
		uint64_t keep;
		char *keep_size;
	} rotate;
	struct {
		char *size;
		uint64_t packets;
	} limit;
	struct {
		char *size, *time;
	} retrospective;

	/* format, snaplen and zstd as read; the rest filled in by npf_config_dump_check() */
	struct npf_writer_params params;
};

extern const struct cyaml_schema_value npf_config_dump_entry;

/*
 * npf_config_dump_check - check beyond the schema; fills in the values.
 * @linktype: DLT_* of the port's packets, for the filter
 * Return: 0, or -EINVAL with a text in err that starts with the key.
 */
int npf_config_dump_check(struct npf_config_dump *d, int linktype, struct npf_error *err);

#endif
