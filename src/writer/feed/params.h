/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * params.h - the options of a dump, in one struct from the request to the disk.
 *
 * The configuration and the wire's request each fill in one npf_writer_params. It is checked and
 * completed once, then the dump keeps it, and the producer and the worker read it.
 */
#ifndef NPF_WRITER_FEED_PARAMS_H
#define NPF_WRITER_FEED_PARAMS_H

#include "writer/feed/format.h"

#include <sys/types.h>

/* Where files end. 0: no limit. */
struct npf_writer_limits {
	uint64_t file_size;    /* bytes of a file */
	uint64_t file_packets; /* packets of a file */
	uint64_t file_time_ns; /* a file does not cross multiples of this */
	uint64_t max_size;     /* bytes of all files of the dump; then it ends */
	uint64_t max_packets;  /* packets of all files; then it ends */
};

/* The newest finished files, which stay when older ones are deleted. 0: no limit. */
struct npf_writer_keep {
	uint64_t files; /* number */
	uint64_t bytes; /* of all of them */
};

/* What a retrospective dump remembers. Both 0: the dump is not retrospective. */
struct npf_writer_retro_params {
	uint64_t bytes; /* of memory; 0: the default */
	uint64_t ns;    /* of time; 0: as much as fits */
};

/* Mode and owner of the files. */
struct npf_writer_access {
	mode_t mode; /* 0: 0640 */
	uid_t uid;   /* -1: the daemon's */
	gid_t gid;   /* -1: the daemon's */
};

struct npf_writer_params {
	enum npf_writer_format format;
	uint32_t snaplen; /* bytes; 0: all of each packet */
	bool zstd;        /* files are compressed */
	struct npf_writer_limits limits;
	struct npf_writer_keep keep;
	struct npf_writer_retro_params retro;
	uint64_t ring; /* bytes of memory between tap and disk; 0: the default */
	struct npf_writer_access access;
};

static inline bool npf_writer_params_is_retro(const struct npf_writer_params *p)
{
	return p->retro.bytes != 0 || p->retro.ns != 0;
}

/* Does the dump write more than one file? */
static inline bool npf_writer_params_rotates(const struct npf_writer_params *p)
{
	return p->limits.file_size != 0 || p->limits.file_packets != 0 ||
	       p->limits.file_time_ns != 0;
}

/* Are older files deleted? */
static inline bool npf_writer_params_deletes(const struct npf_writer_params *p)
{
	return p->keep.files != 0 || p->keep.bytes != 0;
}

/*
 * npf_writer_params_conflict - options that exclude each other.
 * Return: NULL: there are none; else a sentence for people that names them.
 */
const char *npf_writer_params_conflict(const struct npf_writer_params *p);

/* Fill in the defaults. Afterwards retro.bytes and ring are the memory that the dump takes. */
void npf_writer_params_complete(struct npf_writer_params *p);

#endif
