/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * make.c - a dump is made whole or not at all: the request is checked, and memory, files and thread
 * are there, before the dump is part of any plan.
 */
#include "engine/dump/make.h"

#include "base/clock.h"
#include "engine/dump/index.h"
#include "writer/disk/worker.h"
#include "writer/feed/feed.h"
#include "engine/core/core.h"
#include "replay/replay.h"
#include "engine/syscalls/syscalls.h"

#include <fcntl.h>
#include <rte_lcore.h>
#include <stdio.h>
#include <string.h>

#define MERGE_BATCH 4096           /* records that the worker merges in one turn */
#define RESERVE_MAX (256ull << 20) /* disk space reserved ahead of a file's end */
#define GROUPS_MAX  64

/* ---- several taps: the worker merges ---- */

static void update_counts(struct npf_dump *d)
{
	uint64_t received = 0, accepted = 0;

	for (unsigned int i = 0; i < d->port->n_taps; i++)
		npf_tap_counters_add(&d->tap_counters[i], &received, &accepted);
	npf_writer_merge_counts(&d->producer, received, accepted);
}

static bool merge_taps(void *ctx)
{
	struct npf_dump *d = ctx;
	struct npf_writer_producer *p = &d->producer;
	unsigned int n = 0;
	struct npf_view v;
	int rc = 0;

	if (d->buffer == NULL || p->over)
		return false;
	update_counts(d);
	npf_writer_tick(p, npf_clock_realtime());
	for (; n < MERGE_BATCH; n++) {
		struct npf_rec hdr;

		/* Check for room first: a record that was read can't be put back. */
		if (!npf_writer_has_room(p))
			break;
		rc = npf_reader_next(d->reader, &v);
		if (rc <= 0)
			break;
		npf_writer_burst_begin(p, (unsigned int)v.gap);
		npf_writer_drop(p, v.gap);
		npf_writer_burst_begin(p, 1);
		hdr = (struct npf_rec){
			.ts_ns = v.ts_ns, .caplen = v.caplen, .len = v.len, .flags = v.flags};
		if (!npf_writer_put(p, &hdr, v.data))
			npf_writer_drop(p, 1);
	}
	npf_reader_release(d->reader);
	if (rc < 0) {
		/* Every lane is closed and drained, so the taps' counts are final: two readings
		 * of them make the producer take them. */
		p->pending = 0;
		update_counts(d);
		update_counts(d);
		npf_writer_merge_end(p);
		npf_writer_end(p);
	} else {
		npf_writer_burst_commit(p);
	}
	return n > 0;
}

static int join_lanes(struct npf_dump *d)
{
	int fds[NPF_BUFFER_NFDS];
	int rc = npf_reader_new(-1, &d->reader);

	if (rc < 0)
		return rc;
	return npf_reader_add(d->reader, fds, npf_buffer_fds(d->buffer, fds));
}

/* ---- memory ---- */

/* With several taps, their lanes beside the ring. */
static void describe_memory(const struct npf_engine *e, const struct npf_dump_spec *spec,
	unsigned int n_taps, struct npf_memory_conf *conf)
{
	uint64_t ring = spec->params.ring;

	*conf = (struct npf_memory_conf){.ring = ring, .ring_hugepages = e->hugepages};
	if (n_taps > 1)
		conf->buffer = (struct npf_buffer_conf){
			.size = npf_writer_ring_size(ring) / n_taps,
			.n_lanes = (uint16_t)n_taps,
			.hugepages = e->hugepages,
			.mintocopy = UINT64_MAX,
		};
}

/* ---- making one ---- */

static void finished(void *ctx, const struct npf_writer_summary *s)
{
	struct npf_dump *d = ctx;

	pthread_mutex_lock(&d->lock);
	snprintf(d->last_file, sizeof(d->last_file), "%s", s->path);
	pthread_mutex_unlock(&d->lock);
	npf_dump_index_append(d, s);
}

void npf_dump_release_resources(struct npf_dump *d)
{
	d->reader = npf_reader_free(d->reader);
	npf_memory_free(d->engine->tasks, &d->memory);
	npf_discharge(&d->charge);
	d->ring = NULL;
	d->buffer = NULL;
	d->filter_in = npf_filter_free(d->filter_in);
	d->filter_out = npf_filter_free(d->filter_out);
	free(d->tap_counters);
	free(d->head);
	npf_writer_producer_fini(&d->producer);
	npf_writer_timezone_free(d->timezone);
	d->tap_counters = NULL;
	d->head = NULL;
	d->timezone = NULL;
}

void npf_dump_free(struct npf_dump *d)
{
	if (d == NULL)
		return;
	npf_dump_release_resources(d);
	npf_engine_port_put(d->port);
	npf_doorbell_fini(&d->done);
	npf_close(d->fd);
	pthread_mutex_destroy(&d->lock);
	free(d->name);
	free(d->filter);
	free(d->file);
	free(d->index);
	free(d);
}

static char *copy(const char *s)
{
	return s != NULL && s[0] != '\0' ? strdup(s) : NULL;
}

static bool is_member(gid_t gid)
{
	gid_t groups[GROUPS_MAX];
	int n = getgroups(GROUPS_MAX, groups);

	for (int i = 0; i < n; i++)
		if (groups[i] == gid)
			return true;
	return gid == getegid();
}

/* Can the daemon make such files as the user that it runs as? Checked now, since the worker tries
 * again whatever fails, and this would fail for ever. */
static int check_rights(const struct npf_dump_spec *spec, struct npf_error *err)
{
	const struct npf_writer_access *access = &spec->params.access;
	char folder[PATH_MAX];

	if (npf_writer_pattern_dir(spec->file, folder, sizeof(folder)) < 0)
		return npf_error_set(err, -ENAMETOOLONG, "the file's name is too long");
	if (faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) < 0) {
		int rc = -errno;

		return npf_error_set(err, rc, "the daemon (user %u) can't make files in %.100s: %s",
			(unsigned int)geteuid(), folder, strerror(-rc));
	}
	if (geteuid() == 0)
		return 0;
	if (access->uid != (uid_t)-1 && access->uid != geteuid())
		return npf_error_set(err, -EPERM,
			"owner: the daemon runs as user %u (npf.user), which can't give files to "
			"user %u",
			(unsigned int)geteuid(), (unsigned int)access->uid);
	if (access->gid != (gid_t)-1 && !is_member(access->gid))
		return npf_error_set(err, -EPERM,
			"owner: the daemon runs as user %u (npf.user), which is not in group %u",
			(unsigned int)geteuid(), (unsigned int)access->gid);
	return 0;
}

/* Could one dump take the other's files for its own? */
static int check_apart(
	const struct npf_dump_spec *spec, const struct npf_dump *d, struct npf_error *err)
{
	bool deletes =
		npf_writer_params_deletes(&spec->params) || npf_writer_params_deletes(&d->params);

	if (!npf_writer_pattern_shares_dir(spec->file, d->file))
		return 0;
	if (npf_writer_pattern_intersects(spec->file, d->file, false))
		return npf_error_set(
			err, -EEXIST, "dump \"%.60s\" writes to %.100s already", d->name, d->file);
	if (deletes && npf_writer_pattern_intersects(spec->file, d->file, true))
		return npf_error_set(err, -EEXIST,
			"dump \"%.60s\" writes to %.100s: one of the two would delete files of the "
			"other (keep); let its names begin in another way, or use another "
			"directory",
			d->name, d->file);
	return 0;
}

static int check_spec(
	const struct npf_engine *e, const struct npf_dump_spec *spec, struct npf_error *err)
{
	const struct npf_writer_params *p = &spec->params;

	if (spec->file == NULL && spec->fd < 0)
		return npf_error_set(err, -EINVAL, "a dump needs a file");
	if (spec->file == NULL && (npf_writer_params_rotates(p) || npf_writer_params_is_retro(p) ||
					  npf_writer_params_deletes(p)))
		return npf_error_set(err, -EINVAL,
			"a dump into several files needs a name pattern, not one opened file");
	if (spec->file != NULL && npf_writer_pattern_check(spec->file, err) < 0)
		return -EINVAL;
	if (spec->file != NULL && npf_writer_pattern_check_target(spec->file, err) < 0)
		return -EEXIST;
	if (spec->file != NULL && spec->file[0] != '/')
		return npf_error_set(
			err, -EINVAL, "\"%.100s\" is not an absolute path", spec->file);
	for (const struct npf_dump *d = e->dumps; d != NULL; d = d->next) {
		if (d->life == NPF_DUMP_DONE)
			continue;
		if (strcmp(spec->name, d->name) == 0)
			return npf_error_set(
				err, -EEXIST, "there is a dump \"%.60s\" already", spec->name);
		if (spec->file != NULL && d->file != NULL && check_apart(spec, d, err) < 0)
			return -EEXIST;
	}
	return spec->file != NULL ? check_rights(spec, err) : 0;
}

static int make_producer(
	struct npf_dump *d, const struct npf_dump_spec *spec, struct npf_error *err)
{
	const struct npf_writer_params *params = &d->params;
	struct npf_writer_header head = {
		.format = params->format,
		.linktype = npf_trace_file_linktype(d->port->port.linktype),
		.snaplen = params->snaplen,
		.if_name = d->port_name,
		.if_description = d->port->port.conf->device,
		.filter = spec->filter,
		.comment = spec->comment,
	};
	struct npf_writer_producer_conf conf = {.ring = d->ring, .params = params};
	int rc = npf_writer_encode_header(&head, &d->head);

	if (rc < 0)
		return npf_error_set(err, rc, "the daemon is out of memory");
	conf.head = d->head;
	conf.head_size = (uint32_t)rc;
	if (params->limits.file_time_ns != 0 && npf_writer_timezone_new(&d->timezone) < 0)
		return npf_error_set(err, -ENOMEM, "the daemon is out of memory");
	conf.timezone = d->timezone;
	rc = npf_writer_producer_init(&d->producer, &conf);
	if (rc == -EINVAL)
		return npf_error_set(err, rc,
			"the limit is smaller than the header of a file, %u bytes",
			conf.head_size + npf_writer_trailer_size(params->format));
	if (rc == 0 && d->port->n_taps > 1)
		rc = join_lanes(d);
	if (rc < 0)
		return npf_error_set(err, rc, "the daemon is out of memory");
	d->producer.now_ns = npf_clock_realtime();
	/* A single file is there from the start, unless its name has the time of its first packet.
	 */
	if (!npf_writer_params_is_retro(params) && params->limits.file_time_ns == 0 &&
		(spec->file == NULL || !npf_writer_pattern_varies(spec->file)))
		npf_writer_open_file(&d->producer, d->producer.now_ns);
	return 0;
}

static void confine(void *ctx)
{
	(void)ctx;
	npf_syscalls_confine(NPF_SYSCALLS_DISK);
}

static int make_worker(struct npf_dump *d)
{
	const struct npf_writer_limits *limits = &d->params.limits;
	struct npf_writer_worker_conf conf = {
		.ring = d->ring,
		.params = &d->params,
		.head = d->head,
		.head_size = d->producer.rotation.head,
		.pattern = d->file,
		.fd = d->fd,
		.reserve = RESERVE_MAX,
		.unprivileged = d->uid != 0 && d->uid != geteuid(),
		.cpu = rte_lcore_to_cpu_id((int)rte_get_main_lcore()),
		.merge = d->buffer != NULL ? merge_taps : NULL,
		.finished = finished,
		.begun = confine,
		.ctx = d,
	};
	int rc;

	/* Never more than a file can grow to: others can't use what is reserved. */
	if (limits->file_size != 0)
		conf.reserve = NPF_MIN(conf.reserve, limits->file_size);
	if (limits->max_size != 0)
		conf.reserve = NPF_MIN(conf.reserve, limits->max_size);
	rc = npf_writer_worker_start(&conf, &d->worker);
	if (rc == 0)
		d->fd = -1;
	return rc;
}

static int describe(struct npf_engine *e, struct npf_dump *d, const struct npf_dump_spec *spec)
{
	int rc;

	d->id = e->next_session++;
	d->uid = spec->uid;
	d->keeper = spec->keeper;
	d->params = spec->params;
	d->started_ns = npf_clock_realtime();
	d->fd = spec->fd >= 0 ? fcntl(spec->fd, F_DUPFD_CLOEXEC, 0) : -1;
	rc = npf_doorbell_init(&d->done, NULL);
	pthread_mutex_init(&d->lock, NULL);
	snprintf(d->port_name, sizeof(d->port_name), "%s", d->port->port.conf->name);
	d->filter = copy(spec->filter);
	d->file = copy(spec->file);
	d->index = copy(spec->index);
	d->tap_counters = aligned_alloc(NPF_CACHELINE, d->port->n_taps * sizeof(*d->tap_counters));
	if (d->tap_counters == NULL)
		return -ENOMEM;
	memset(d->tap_counters, 0, d->port->n_taps * sizeof(*d->tap_counters));
	d->name = copy(spec->name);
	if (rc < 0 || (spec->fd >= 0 && d->fd < 0) || d->name == NULL ||
		(spec->file != NULL && d->file == NULL))
		return -ENOMEM;
	return 0;
}

uint64_t npf_dump_port_missed(const struct npf_dump *d)
{
	struct rte_eth_stats st;

	npf_port_stats(&d->port->port, &st);
	return st.imissed + st.rx_nombuf;
}

/* The resources of a dump that are charged and allocated first. */
struct resources {
	struct npf_charge charge;
	struct npf_memory memory;
};

static void release_resources(struct npf_engine *e, struct resources *m)
{
	npf_memory_free(e->tasks, &m->memory);
	npf_discharge(&m->charge);
}

static int get_resources(struct npf_engine *e, const struct npf_dump_spec *spec,
	unsigned int n_taps, struct resources *m, struct npf_error *err)
{
	struct npf_requester *requester = spec->requester;
	struct npf_memory_conf conf;
	int rc = 0;

	*m = (struct resources){0};
	describe_memory(e, spec, n_taps, &conf);
	if (requester != NULL)
		rc = npf_charge(
			requester->accounts, requester->uid, NPF_RES_DUMPS, 1, &m->charge, err);
	if (rc == 0)
		rc = npf_memory_get(requester, &conf, &m->memory, err);
	if (rc < 0)
		npf_discharge(&m->charge);
	return rc;
}

static struct npf_dump *new_dump(
	struct npf_engine *e, struct npf_engine_port *port, const struct resources *m)
{
	struct npf_dump *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	d->engine = e;
	d->port = npf_engine_port_get(port);
	d->charge = m->charge;
	d->memory = m->memory;
	d->ring = m->memory.ring;
	d->buffer = m->memory.buffer;
	return d;
}

int npf_dump_make(struct npf_engine *e, const struct npf_dump_spec *spec, struct npf_dump **dp,
	struct npf_error *err)
{
	struct npf_engine_port *port = npf_engine_find_port(e, spec->port);
	struct npf_filter_source source;
	struct npf_filter_pair filters;
	struct resources resources;
	struct npf_dump *d;
	int rc;

	if (port == NULL)
		return npf_error_set(err, -ENODEV,
			"there is no port %.60s; `npfctl ports` lists them", spec->port);
	source = npf_filter_source(e, port, spec->insns, spec->n_insns);
	rc = check_spec(e, spec, err);
	if (rc == 0)
		rc = npf_filters_ahead(spec->requester, &source, 1, err);
	if (rc == 0)
		rc = get_resources(e, spec, port->n_taps, &resources, err);
	if (rc < 0)
		return rc;
	d = new_dump(e, port, &resources);
	if (d == NULL) {
		release_resources(e, &resources);
		return npf_error_set(err, -ENOMEM, "the daemon is out of memory");
	}
	rc = describe(e, d, spec);
	if (rc < 0)
		npf_error_set(err, rc, "the daemon is out of memory");
	if (rc == 0)
		rc = npf_filter_pair_compile(spec->requester, &source, &filters, err);
	if (rc == 0) {
		d->filter_in = filters.in;
		d->filter_out = filters.out;
		rc = make_producer(d, spec, err);
	}
	if (rc == 0) {
		rc = make_worker(d);
		if (rc < 0)
			npf_error_set(err, rc, "no thread for the dump: %s", strerror(-rc));
	}
	if (rc < 0) {
		npf_dump_free(d);
		return rc;
	}
	d->base_missed = npf_dump_port_missed(d);
	*dp = d;
	return 0;
}
