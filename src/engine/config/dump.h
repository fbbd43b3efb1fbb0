/* SPDX-License-Identifier: BSD-3-Clause */
/* config_dump.h - the `dumps:` of the configuration. */
#ifndef NPF_ENGINE_CONFIG_DUMP_H
#define NPF_ENGINE_CONFIG_DUMP_H

#include "base/base.h"
#include "writer/feed/rotation.h"
#include "writer/feed/format.h"

#include <sys/types.h>

struct cyaml_schema_value;

/* One dump: first as written, then as meant. */
struct npf_config_dump {
	char *name, *port;
	char *filter, *file, *comment, *index; /* or NULL */
	enum npf_writer_format format;
	uint32_t snaplen;
	enum {
		NPF_COMPRESS_NONE,
		NPF_COMPRESS_ZSTD
	} compress;
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

	/* filled in by npf_config_dump_check() */
	struct npf_writer_limits limits;
	uint64_t ring, keep_size, retro_bytes, retro_ns;
	mode_t file_mode; /* 0: the default */
	uid_t uid;        /* -1: the daemon's */
	gid_t gid;
};

extern const struct cyaml_schema_value npf_config_dump_entry;

/*
 * npf_config_dump_clash - can a dump be retrospective and have limits?
 * Return: NULL: these go together; else a sentence for people that says what does not.
 */
const char *npf_config_dump_clash(const struct npf_writer_limits *limits, bool retrospective);

/*
 * npf_config_dump_check - what the schema can't say; fills in what is meant.
 * @linktype: DLT_* of the port's packets, for the filter
 * Return: 0, or -EINVAL with a text in err that starts with the key.
 */
int npf_config_dump_check(struct npf_config_dump *d, int linktype, char *err, size_t err_len);

#endif
