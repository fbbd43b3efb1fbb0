/* SPDX-License-Identifier: BSD-3-Clause */
/* report.c - all dumps as JSON, for `npfctl dump list`. Keys are only ever added. */
#include "engine/dump/dump.h"

#include "engine/core/core.h"
#include "writer/feed/feed.h"
#include "engine/base/json_text.h"

#include <stdio.h>
#include <string.h>

static const char *const life_names[] = {
	[NPF_DUMP_RUNNING] = "running",
	[NPF_DUMP_ENDING] = "ending",
	[NPF_DUMP_DONE] = "done",
};

static json_t *limits(const struct npf_writer_params *p)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "file_size",
		npf_json_u64(p->limits.file_size), "file_packets",
		npf_json_u64(p->limits.file_packets), "file_time_ns",
		npf_json_u64(p->limits.file_time_ns), "size", npf_json_u64(p->limits.max_size),
		"packets", npf_json_u64(p->limits.max_packets), "keep", npf_json_u64(p->keep.files),
		"keep_size", npf_json_u64(p->keep.bytes));
}

/* How full the ring is: what was put and is not yet on disk. */
static uint64_t waiting(const struct npf_dump *d)
{
	uint64_t head, tail;

	if (d->ring == NULL || d->producer.retro != NULL)
		return 0;
	tail = atomic_load_explicit(&d->ring->tail, memory_order_relaxed);
	head = atomic_load_explicit(&d->ring->head, memory_order_relaxed);
	return head > tail ? head - tail : 0;
}

static json_t *describe(struct npf_dump *d)
{
	char last[PATH_MAX];
	int index_error;
	json_t *j;

	npf_dump_refresh(d);
	pthread_mutex_lock(&d->lock);
	snprintf(last, sizeof(last), "%s", d->last_file);
	index_error = d->index_error;
	pthread_mutex_unlock(&d->lock);
	j = json_pack("{s:o, s:o, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:b, s:o}", "name",
		npf_json_text(d->name), "id", npf_json_u64(d->id), "port", d->port_name, "state",
		life_names[d->life], "format", npf_writer_format_names[d->params.format], "filter",
		npf_json_text(d->filter), "file", npf_json_text(d->file), "uid",
		npf_json_u64(d->uid), "snaplen", npf_json_u64(d->params.snaplen), "zstd",
		d->params.zstd, "limits", limits(&d->params));
	json_object_update_new(j,
		json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "received",
			npf_json_u64(d->counters.received), "written",
			npf_json_u64(d->counters.written), "bytes", npf_json_u64(d->counters.bytes),
			"drop_disk", npf_json_u64(d->counters.drop_disk), "drop_oversize",
			npf_json_u64(d->counters.drop_oversize), "port_missed",
			npf_json_u64(d->counters.missed)));
	json_object_update_new(j,
		json_pack("{s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o}", "files",
			npf_json_u64(d->state.files), "files_deleted",
			npf_json_u64(d->state.deleted), "disk_bytes", npf_json_u64(d->state.bytes),
			"worker_cpu_ns", npf_json_u64(d->state.busy_ns), "direct", d->state.direct,
			"current", npf_json_text(d->state.file), "last", npf_json_text(last),
			"ring", npf_json_u64(d->ring != NULL ? d->ring->size : 0), "ring_used",
			npf_json_u64(waiting(d)), "errors", npf_json_u64(d->state.errors), "error",
			npf_json_text(d->state.error != 0 ? d->state.reason.text : NULL)));
	json_object_update_new(
		j, json_pack("{s:o, s:o}", "index", npf_json_text(d->index), "index_error",
			   npf_json_text(index_error != 0 ? strerror(-index_error) : NULL)));
	if (npf_writer_params_is_retro(&d->params))
		json_object_set_new(j, "retrospective",
			json_pack("{s:o, s:o, s:o}", "size", npf_json_u64(d->params.retro.bytes),
				"time_ns", npf_json_u64(d->params.retro.ns), "remembered",
				npf_json_u64(d->producer.retro != NULL
						     ? atomic_load_explicit(
							       &d->producer.retro->remembered,
							       memory_order_relaxed)
						     : 0)));
	return j;
}

json_t *npf_dumps_report(struct npf_engine *e, const struct npf_peer *peer)
{
	json_t *list = json_array();

	for (struct npf_dump *d = e->dumps; d != NULL; d = d->next)
		if (npf_access_user(peer, d->uid))
			json_array_append_new(list, describe(d));
	return json_pack("{s:o}", "dumps", list);
}
