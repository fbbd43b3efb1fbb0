/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dumps.c - the life of a dump: made whole or not at all, put into the plans, taken out, reaped.
 *
 * The producer changes hands: the creator's until the first plan, then the tap's (or, with several
 * taps, the worker's, in feed_merged()), then, once no plan has the dump, ours again to end it.
 */
#include "engine/dumps.h"

#include "base/clock.h"
#include "engine/dump/name.h"
#include "engine/dump/retro.h"
#include "engine/expression.h"
#include "engine/log.h"
#include "engine/session.h"

#include <fcntl.h>
#include <poll.h>
#include <rte_lcore.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

#define SNAPLEN_ALL   NPF_REC_MAXCAP
#define MERGE_BATCH   4096           /* records that the worker merges in one turn */
#define RESERVE_MAX   (256ull << 20) /* disk space reserved ahead of a file's end */
#define GRACE_NS      (10 * NPF_NS_PER_S)
#define RETRO_DEFAULT (64ull << 20) /* memory where only a time was asked for */

static int refuse(struct npf_wire_error *err, int rc, const char *fmt, ...) NPF_PRINTF(3, 4);

static int refuse(struct npf_wire_error *err, int rc, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return rc;
}

/* ---- several taps: the worker merges ---- */

static bool feed_merged(void *ctx)
{
	struct npf_dump *d = ctx;
	struct npf_dump_producer *p = &d->producer;
	uint64_t received = 0;
	unsigned int n = 0;
	struct npf_view v;
	int rc = 0;

	if (d->buffer == NULL || p->over)
		return false;
	for (unsigned int i = 0; i < d->port->n_taps; i++)
		received += __atomic_load_n(&d->feeds[i].received, __ATOMIC_RELAXED);
	p->received = received;
	npf_dump_tick(p, npf_clock_realtime());
	for (; n < MERGE_BATCH; n++) {
		struct npf_rec hdr;

		/* Room for any record first: what was handed out can't be put back. */
		if (!npf_dump_has_room(p))
			break;
		rc = npf_reader_next(d->reader, &v);
		if (rc <= 0)
			break;
		npf_dump_drop(p, v.gap);
		hdr = (struct npf_rec){
			.ts_ns = v.ts_ns, .caplen = v.caplen, .len = v.len, .flags = v.flags};
		if (!npf_dump_put(p, &hdr, v.data))
			npf_dump_drop(p, 1);
	}
	npf_reader_release(d->reader);
	if (rc < 0)
		npf_dump_end(p); /* every lane was closed and is drained */
	else
		npf_dump_commit(p);
	return n > 0;
}

static int make_lanes(struct npf_engine *e, struct npf_dump *d, uint64_t size)
{
	struct npf_buffer_conf conf = {
		.size = size / d->port->n_taps,
		.n_lanes = d->port->n_taps,
		.hugepages = e->hugepages,
		.mintocopy = UINT64_MAX,
	};
	struct npf_buffer_info info;
	int fds[NPF_BUFFER_NFDS];
	int rc;

	d->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (d->wake_fd < 0)
		return -ENOMEM;
	rc = npf_buffer_new(&conf, &d->buffer);
	if (rc < 0)
		return rc;
	npf_buffer_info(d->buffer, &info);
	d->lane_size = info.size;
	rc = npf_reader_new(d->wake_fd, &d->reader);
	if (rc < 0)
		return rc;
	return npf_reader_add(d->reader, fds, npf_buffer_fds(d->buffer, fds));
}

/* ---- making one ---- */

static void finished(void *ctx, const struct npf_dump_summary *s)
{
	struct npf_dump *d = ctx;

	pthread_mutex_lock(&d->lock);
	snprintf(d->last_file, sizeof(d->last_file), "%s", s->path);
	pthread_mutex_unlock(&d->lock);
	npf_dump_tell_file(d, s);
}

/* What can be freed once the worker has ended: all but what the report shows. */
static void free_works(struct npf_dump *d)
{
	d->ring = npf_dump_ring_free(d->ring);
	d->reader = npf_reader_free(d->reader);
	d->buffer = npf_buffer_free(d->buffer);
	d->filter_in = npf_filter_free(d->filter_in);
	d->filter_out = npf_filter_free(d->filter_out);
	d->wake_fd = npf_close(d->wake_fd);
	free(d->feeds);
	free(d->head);
	free(d->producer.retro);
	d->feeds = NULL;
	d->head = NULL;
	d->producer.retro = NULL;
}

static void free_dump(struct npf_dump *d)
{
	if (d == NULL)
		return;
	free_works(d);
	npf_close(d->done_fd);
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

static int check_spec(
	const struct npf_engine *e, const struct npf_dump_spec *spec, struct npf_wire_error *err)
{
	bool rotates = spec->limits.file_size != 0 || spec->limits.file_packets != 0 ||
		       spec->limits.file_time_ns != 0;
	bool retro = spec->retro_bytes != 0 || spec->retro_ns != 0;

	if (spec->file == NULL && spec->fd < 0)
		return refuse(err, -EINVAL, "a dump needs a file");
	if (spec->file == NULL && (rotates || retro || spec->keep != 0 || spec->keep_size != 0))
		return refuse(err, -EINVAL,
			"a dump into several files needs a name pattern, not one opened file");
	if (spec->file != NULL && npf_dump_name_check(spec->file, err->text, sizeof(err->text)) < 0)
		return -EINVAL;
	if (spec->file != NULL && spec->file[0] != '/')
		return refuse(err, -EINVAL, "\"%.100s\" is not an absolute path", spec->file);
	if (retro && (rotates || spec->limits.max_size != 0 || spec->limits.max_packets != 0))
		return refuse(err, -EINVAL,
			"a retrospective dump makes one file a trigger: it does not go with limits "
			"and rotation");
	for (const struct npf_dump *d = e->dumps; d != NULL; d = d->next) {
		if (d->life == NPF_DUMP_DONE)
			continue;
		if (spec->name != NULL && strcmp(spec->name, d->name) == 0)
			return refuse(
				err, -EEXIST, "there is a dump \"%.60s\" already", spec->name);
		/* Each would take the other's files for its own. */
		if (spec->file != NULL && d->file != NULL && strcmp(spec->file, d->file) == 0)
			return refuse(err, -EEXIST, "dump \"%.60s\" writes to %.100s already",
				d->name, d->file);
	}
	return 0;
}

static int64_t utc_offset_ns(void)
{
	time_t now = time(NULL);
	struct tm tm;

	localtime_r(&now, &tm);
	return (int64_t)tm.tm_gmtoff * (int64_t)NPF_NS_PER_S;
}

static int make_producer(struct npf_engine *e, struct npf_dump *d, const struct npf_dump_spec *spec,
	struct npf_wire_error *err)
{
	uint64_t size = spec->ring != 0 ? spec->ring : NPF_DUMP_RING_DEFAULT;
	bool retro = spec->retro_bytes != 0 || spec->retro_ns != 0;
	struct npf_dump_head head = {
		.format = spec->format,
		.snaplen = d->snaplen,
		.if_name = d->port_name,
		.if_description = d->port->port.conf->device,
		.filter = spec->filter,
		.comment = spec->comment,
	};
	struct npf_dump_producer_conf conf = {
		.format = spec->format,
		.limits = spec->limits,
		.utc_offset_ns = utc_offset_ns(),
	};
	int rc = npf_dump_format_head(&head, &d->head);

	if (rc < 0)
		return rc;
	conf.head = d->head;
	conf.head_size = (uint32_t)rc;
	d->retro_bytes = spec->retro_bytes;
	if (retro && d->retro_bytes == 0)
		d->retro_bytes = RETRO_DEFAULT;
	if (retro)
		size = npf_dump_retro_ring_size(d->retro_bytes);
	rc = npf_dump_ring_new(size, e->hugepages, &d->ring);
	if (rc < 0)
		return refuse(err, rc, "%llu MiB for the dump can't be had: %s; ask for less",
			(unsigned long long)(size >> 20), strerror(-rc));
	conf.ring = d->ring;
	rc = npf_dump_producer_init(&d->producer, &conf);
	if (rc < 0)
		return refuse(err, rc, "the limit is smaller than the header of a file, %u bytes",
			conf.head_size + npf_dump_trailer_size(spec->format));
	if (retro)
		rc = npf_dump_retro_init(&d->producer, d->retro_bytes, spec->retro_ns);
	if (rc == 0 && d->port->n_taps > 1)
		rc = make_lanes(e, d, size);
	if (rc < 0)
		return refuse(err, rc, "the daemon is out of memory");
	d->producer.now_ns = npf_clock_realtime();
	/* One file whose name says no time is there from the start. */
	if (!retro && spec->limits.file_time_ns == 0 &&
		(spec->file == NULL || !npf_dump_name_varies(spec->file)))
		npf_dump_open_now(&d->producer, d->producer.now_ns);
	return 0;
}

static int make_worker(struct npf_dump *d, const struct npf_dump_spec *spec)
{
	struct npf_dump_worker_conf conf = {
		.ring = d->ring,
		.format = d->format,
		.head = d->head,
		.head_size = d->producer.cut.head,
		.retro = d->producer.retro != NULL,
		.zstd = d->zstd,
		.target = {.pattern = d->file,
			.fd = d->fd,
			.mode = spec->mode != 0 ? spec->mode : 0640,
			.uid = spec->file_uid,
			.gid = spec->file_gid,
			.direct = true},
		.keep = d->keep,
		.keep_size = d->keep_size,
		.cpu = rte_lcore_to_cpu_id((int)rte_get_main_lcore()),
		.feed = d->buffer != NULL ? feed_merged : NULL,
		.finished = finished,
		.ctx = d,
	};

	int rc;

	/* Never more than a file can grow to: what is reserved is nobody else's. */
	conf.target.reserve = RESERVE_MAX;
	if (d->limits.file_size != 0)
		conf.target.reserve = NPF_MIN(conf.target.reserve, d->limits.file_size);
	if (d->limits.max_size != 0)
		conf.target.reserve = NPF_MIN(conf.target.reserve, d->limits.max_size);
	rc = npf_dump_worker_start(&conf, &d->worker);
	if (rc == 0)
		d->fd = -1;
	return rc;
}

static void append(struct npf_engine *e, struct npf_dump *d)
{
	struct npf_dump **at = &e->dumps;

	while (*at != NULL)
		at = &(*at)->next;
	*at = d;
	d->port->n_captures++;
}

static int describe(struct npf_engine *e, struct npf_dump *d, const struct npf_dump_spec *spec)
{
	d->id = e->next_session++;
	d->uid = spec->uid;
	d->session = spec->session;
	d->format = spec->format;
	d->snaplen = spec->snaplen != 0 ? NPF_MIN(spec->snaplen, SNAPLEN_ALL) : SNAPLEN_ALL;
	d->limits = spec->limits;
	d->keep = spec->keep;
	d->keep_size = spec->keep_size;
	d->retro_ns = spec->retro_ns;
	d->zstd = spec->zstd;
	d->started_ns = npf_clock_realtime();
	d->wake_fd = -1;
	d->fd = spec->fd >= 0 ? fcntl(spec->fd, F_DUPFD_CLOEXEC, 0) : -1;
	d->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pthread_mutex_init(&d->lock, NULL);
	snprintf(d->port_name, sizeof(d->port_name), "%s", d->port->port.conf->name);
	d->filter = copy(spec->filter);
	d->file = copy(spec->file);
	d->index = copy(spec->index);
	d->feeds = aligned_alloc(NPF_CACHELINE, d->port->n_taps * sizeof(*d->feeds));
	if (d->feeds == NULL)
		return -ENOMEM;
	memset(d->feeds, 0, d->port->n_taps * sizeof(*d->feeds));
	d->name = copy(spec->name);
	if (d->name == NULL && asprintf(&d->name, "dump-%llu", (unsigned long long)d->id) < 0)
		d->name = NULL;
	if (d->done_fd < 0 || (spec->fd >= 0 && d->fd < 0) || d->name == NULL ||
		(spec->file != NULL && d->file == NULL))
		return -ENOMEM;
	return 0;
}

static uint64_t port_missed(const struct npf_dump *d)
{
	struct rte_eth_stats st;

	npf_port_stats(&d->port->port, &st);
	return st.imissed + st.rx_nombuf;
}

/* Everything but the start of the port and new plans. */
static int prepare(struct npf_engine *e, const struct npf_dump_spec *spec, struct npf_dump **dp,
	struct npf_wire_error *err)
{
	struct npf_engine_port *port = npf_engine_find_port(e, spec->port);
	struct npf_dump *d;
	int rc;

	if (port == NULL)
		return refuse(err, -ENODEV, "there is no port %.60s; `npfctl ports` lists them",
			spec->port);
	rc = check_spec(e, spec, err);
	if (rc < 0)
		return rc;
	d = calloc(1, sizeof(*d));
	if (d == NULL)
		return refuse(err, -ENOMEM, "the daemon is out of memory");
	d->port = port;
	rc = describe(e, d, spec);
	if (rc < 0)
		refuse(err, rc, "the daemon is out of memory");
	if (rc == 0)
		rc = npf_session_compile(e, &port->port, spec->insns, spec->n_insns, &d->filter_in,
			&d->filter_out, err);
	if (rc == 0)
		rc = make_producer(e, d, spec, err);
	if (rc == 0) {
		rc = make_worker(d, spec);
		if (rc < 0)
			refuse(err, rc, "no thread for the dump: %s", strerror(-rc));
	}
	if (rc < 0) {
		free_dump(d);
		return rc;
	}
	/* From here on the dump has a thread: it is ended like any other. */
	append(e, d);
	d->base_missed = port_missed(d);
	*dp = d;
	return 0;
}

static int start_port(const struct npf_dump *d, struct npf_wire_error *err)
{
	int rc = npf_port_start(&d->port->port);

	return rc < 0 ? refuse(err, rc, "port %s can't be started: %s", d->port_name, strerror(-rc))
		      : 0;
}

int npf_dump_start(struct npf_engine *e, const struct npf_dump_spec *spec, struct npf_dump **dp,
	struct npf_wire_error *err)
{
	struct npf_dump *d;
	int rc = prepare(e, spec, &d, err);

	if (rc < 0)
		return rc;
	if (d->session != NULL)
		d->session->dump_id = d->id;
	rc = start_port(d, err);
	if (rc == 0) {
		rc = npf_engine_replan(e);
		if (rc < 0)
			refuse(err, rc, "the daemon is out of memory");
	}
	if (rc < 0) {
		if (d->session != NULL)
			d->session->dump_id = 0;
		npf_dump_stop(e, d);
		return rc;
	}
	*dp = d;
	return 0;
}

static int prepare_standing(
	struct npf_engine *e, const struct npf_config_dump *c, struct npf_wire_error *err)
{
	npf_autofree struct npf_bpf_insn *insns = NULL;
	struct npf_dump_spec spec = {
		.name = c->name,
		.port = c->port,
		.filter = c->filter,
		.comment = c->comment,
		.file = c->file,
		.index = c->index,
		.fd = -1,
		.format = c->format,
		.snaplen = c->snaplen,
		.limits = c->limits,
		.keep = c->rotate.keep,
		.keep_size = c->keep_size,
		.ring = c->ring,
		.retro_bytes = c->retro_bytes,
		.retro_ns = c->retro_ns,
		.mode = c->file_mode,
		.file_uid = c->uid,
		.file_gid = c->gid,
		.zstd = c->compress == NPF_COMPRESS_ZSTD,
		.uid = geteuid(),
	};
	struct npf_dump *d;
	int rc;

	rc = npf_expression_compile(
		c->filter, NPF_REC_MAXCAP, &insns, &spec.n_insns, err->text, sizeof(err->text));
	spec.insns = insns;
	return rc == 0 ? prepare(e, &spec, &d, err) : rc;
}

int npf_dumps_standing(
	struct npf_engine *e, const struct npf_engine_port *only, char *err, size_t err_len)
{
	struct npf_wire_error why = {""};
	int rc = 0;

	for (unsigned int i = 0; i < e->conf->n_dumps; i++) {
		if (only != NULL && strcmp(e->conf->dumps[i].port, only->port.conf->name) != 0)
			continue;
		rc = prepare_standing(e, &e->conf->dumps[i], &why);
		if (rc < 0) {
			snprintf(err, err_len, "dump %s: %s", e->conf->dumps[i].name,
				why.text[0] != '\0' ? why.text : strerror(-rc));
			return rc;
		}
	}
	/* All at once, so that of a replay none misses the beginning. */
	for (struct npf_dump *d = e->dumps; d != NULL && rc == 0; d = d->next)
		if (only == NULL || (d->port == only && d->life == NPF_DUMP_RUNNING))
			rc = start_port(d, &why);
	if (rc < 0)
		snprintf(err, err_len, "%s", why.text);
	return rc == 0 && e->dumps != NULL ? npf_engine_replan(e) : rc;
}

/* ---- ending one ---- */

int npf_dump_stop(struct npf_engine *e, struct npf_dump *d)
{
	int rc;

	if (d->life != NPF_DUMP_RUNNING)
		return 0;
	d->life = NPF_DUMP_ENDING;
	d->port->n_captures--;
	rc = npf_engine_leave(e, d->port);
	if (rc < 0) {
		/* No memory for a plan without it: it goes on, and is asked again. */
		d->port->n_captures++;
		d->life = NPF_DUMP_RUNNING;
		return rc;
	}
	d->session = NULL;
	if (d->buffer != NULL) {
		for (unsigned int i = 0; i < d->port->n_taps; i++)
			npf_lane_close(npf_buffer_lane(d->buffer, i));
		return 0;
	}
	npf_dump_end(&d->producer);
	return 0;
}

void npf_dump_stop_session(struct npf_engine *e, struct npf_session *s)
{
	for (struct npf_dump *d = e->dumps; d != NULL; d = d->next)
		if (d->session == s)
			npf_dump_stop(e, d);
}

struct npf_dump *npf_dump_find(const struct npf_engine *e, const char *name)
{
	struct npf_dump *found = NULL;

	/* A running one before one that is only remembered. */
	for (struct npf_dump *d = e->dumps; d != NULL; d = d->next)
		if (strcmp(d->name, name) == 0 && (found == NULL || d->life != NPF_DUMP_DONE))
			found = d;
	return found;
}

void npf_dump_look(struct npf_dump *d)
{
	const struct npf_dump_counters *c = &d->producer.counters;

	if (d->life == NPF_DUMP_DONE)
		return;
	npf_dump_worker_state(d->worker, &d->state);
	d->counters.received = atomic_load_explicit(&c->received, memory_order_relaxed);
	d->counters.written = atomic_load_explicit(&c->written, memory_order_relaxed);
	d->counters.bytes = atomic_load_explicit(&c->bytes, memory_order_relaxed);
	d->counters.drop_disk = atomic_load_explicit(&c->drop_disk, memory_order_relaxed);
	d->counters.drop_oversize = atomic_load_explicit(&c->drop_oversize, memory_order_relaxed);
	if (d->life == NPF_DUMP_RUNNING) {
		d->counters.missed = port_missed(d) - d->base_missed;
		atomic_store_explicit(
			&d->producer.missed, d->counters.missed, memory_order_relaxed);
	}
}

static bool has_exited(const struct npf_dump *d, int timeout_ms)
{
	struct pollfd pfd = {.fd = npf_dump_worker_fd(d->worker), .events = POLLIN};

	return poll(&pfd, 1, timeout_ms) > 0;
}

static void reap(struct npf_dump *d)
{
	uint64_t one = 1;

	npf_dump_look(d);
	d->worker = npf_dump_worker_join(d->worker);
	d->life = NPF_DUMP_DONE;
	free_works(d);
	if (write(d->done_fd, &one, sizeof(one)) < 0)
		return;                     /* can't fail on a fresh eventfd */
	d->done_fd = npf_close(d->done_fd); /* whoever waits has his own */
}

/* Forget the oldest of those that are only remembered. */
static void forget(struct npf_engine *e)
{
	unsigned int n_done = 0;

	for (const struct npf_dump *d = e->dumps; d != NULL; d = d->next)
		n_done += d->life == NPF_DUMP_DONE;
	for (struct npf_dump **at = &e->dumps; *at != NULL && n_done > NPF_DUMPS_DONE_MAX;) {
		struct npf_dump *d = *at;

		if (d->life != NPF_DUMP_DONE) {
			at = &d->next;
			continue;
		}
		*at = d->next;
		free_dump(d);
		n_done--;
	}
}

void npf_dumps_tick(struct npf_engine *e)
{
	for (struct npf_dump *d = e->dumps; d != NULL; d = d->next) {
		if (d->life == NPF_DUMP_DONE)
			continue;
		npf_dump_look(d);
		if (d->life == NPF_DUMP_RUNNING &&
			atomic_load_explicit(&d->ring->over, memory_order_acquire))
			npf_dump_stop(e, d);
		if (d->life == NPF_DUMP_ENDING && has_exited(d, 0))
			reap(d);
	}
	forget(e);
}

void npf_dumps_end_all(struct npf_engine *e)
{
	uint64_t end = npf_clock_monotonic() + GRACE_NS;

	for (struct npf_dump *d = e->dumps; d != NULL; d = d->next)
		npf_dump_stop(e, d);
	while (e->dumps != NULL) {
		struct npf_dump *d = e->dumps;
		uint64_t now = npf_clock_monotonic();

		e->dumps = d->next;
		if (d->life != NPF_DUMP_DONE) {
			if (!has_exited(d, now < end ? (int)((end - now) / NPF_NS_PER_MS) : 0)) {
				npf_dump_worker_abandon(d->worker);
				if (!has_exited(d, 1000)) {
					npf_warn("dump %s: its disk does not answer: left as it is",
						d->name);
					continue;
				}
				npf_warn("dump %s: the disk did not take what was left", d->name);
			}
			reap(d);
		}
		free_dump(d);
	}
}

uint64_t npf_dumps_memory(const struct npf_engine *e, uid_t uid)
{
	uint64_t sum = 0;

	for (const struct npf_dump *d = e->dumps; d != NULL; d = d->next)
		if (d->uid == uid && d->ring != NULL)
			sum += d->ring->size;
	return sum;
}

/* ---- plans ---- */

unsigned int npf_dumps_on(const struct npf_engine *e, const struct npf_engine_port *p)
{
	unsigned int n = 0;

	for (const struct npf_dump *d = e->dumps; d != NULL; d = d->next)
		n += d->life == NPF_DUMP_RUNNING && d->port == p;
	return n;
}

static void plan_one(const struct npf_dump *d, unsigned int lane, struct npf_tap_client *c)
{
	const struct npf_session *s = d->session;

	*c = (struct npf_tap_client){
		.session = d->id,
		.feed = &d->feeds[lane],
		.filter_in = s != NULL ? s->filter_in : d->filter_in,
		.filter_out = s != NULL ? s->filter_out : d->filter_out,
		.snaplen = d->snaplen,
		.want_in = s == NULL || s->params.direction != NPF_WIRE_OUT,
		.want_out = s == NULL || s->params.direction != NPF_WIRE_IN,
		.want_own = s == NULL || (s->params.flags & NPF_WIRE_OPEN_NO_OWN) == 0,
		.wake_fd = d->wake_fd,
	};
	if (d->buffer != NULL) {
		c->lane = npf_buffer_lane(d->buffer, lane);
		c->lane_size = d->lane_size;
		c->is_merged = true;
	} else {
		c->dump = (struct npf_dump_producer *)&d->producer;
	}
}

void npf_dumps_plan(const struct npf_dump **dp, const struct npf_engine_port *p, unsigned int lane,
	uint64_t below, struct npf_tap_queue *queue, struct npf_tap_client **clients)
{
	for (; *dp != NULL && (*dp)->id < below; *dp = (*dp)->next) {
		if ((*dp)->port != p || (*dp)->life != NPF_DUMP_RUNNING)
			continue;
		plan_one(*dp, lane, (*clients)++);
		queue->n_clients++;
	}
}
