/* SPDX-License-Identifier: BSD-3-Clause */
/* index.c - the lines of finished files. Keys are only ever added. The index is opened for each
 * line, so that it can be moved away at any time. */
#include "engine/dump/index.h"

#include "engine/base/json_text.h"
#include "engine/base/jsonl.h"
#include "base/log.h"

#include <string.h>

#define INDEX_MODE 0640

static json_t *describe(const struct npf_dump *d, const struct npf_writer_summary *s)
{
	const struct npf_writer_file_stats *st = &s->stats;
	json_t *error = npf_json_text(s->error != 0 ? strerror(-s->error) : NULL);

	return json_pack("{s:o, s:s, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}",
		"dump", npf_json_text(d->name), "port", d->port_name, "file",
		npf_json_text(s->path), "number", (json_int_t)s->number, "bytes",
		(json_int_t)s->size, "packets", (json_int_t)st->delivered, "first_ns",
		(json_int_t)st->first_ns, "last_ns", (json_int_t)st->last_ns, "received",
		(json_int_t)st->received, "accepted", (json_int_t)st->accepted, "dropped",
		(json_int_t)st->dropped, "port_missed", (json_int_t)st->missed, "error", error);
}

int npf_dump_index_check(const char *path, struct npf_error *err)
{
	npf_autofd int fd = npf_jsonl_open(path, INDEX_MODE);

	return fd < 0 ? npf_error_set(err, fd,
				"index: the daemon (user %u) can't append to %.100s: %s",
				(unsigned int)geteuid(), path,
				fd == -ENOTSUP ? "not a regular file" : strerror(-fd))
		      : 0;
}

static int append_line(const char *path, const char *line)
{
	npf_autofd int fd = npf_jsonl_open(path, INDEX_MODE);

	return fd < 0 ? fd : npf_jsonl_append(fd, line);
}

void npf_dump_index_append(struct npf_dump *d, const struct npf_writer_summary *s)
{
	json_t *j = describe(d, s);
	npf_autofree char *line = json_dumps(j, JSON_COMPACT);
	int rc;

	json_decref(j);
	if (line == NULL)
		return;
	if (d->index == NULL) {
		npf_info("dump: %s", line);
		return;
	}
	rc = append_line(d->index, line);
	pthread_mutex_lock(&d->lock);
	d->index_error = rc;
	pthread_mutex_unlock(&d->lock);
	if (rc < 0)
		npf_warn(
			"dump %s: %s: %s; the line was %s", d->name, d->index, strerror(-rc), line);
}
