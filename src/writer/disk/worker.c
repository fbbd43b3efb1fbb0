/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * worker.c - writes files in one of two ways.
 *
 * By blocks, as a rule: aligned parts of the ring are written in place, one asynchronous write at a
 * time (io.h says why one), past the page cache. The end of a file, which is less than a block,
 * goes through the page cache, so that a file is never longer than its data. So does, once a
 * second, what a slow dump has collected.
 *
 * As a stream (stream.h), when files are compressed or the ring has no header for them.
 */
#include "writer/disk/worker.h"

#include "base/clock.h"
#include "base/eventfd.h"
#include "writer/disk/sync_queue.h"
#include "writer/disk/io.h"
#include "writer/disk/retention.h"
#include "writer/feed/feed.h"
#include "writer/disk/stream.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

#define WRITE_MAX    (8u << 20)   /* longest write, bytes */
#define WRITE_MIN    (1u << 20)   /* collected before one is started, direct ... */
#define BUFFERED_MIN (256u << 10) /* ... and through the page cache */
#define FLUSH_NS     NPF_NS_PER_S /* data of this age is written however little it is */
#define RETRY_NS     (200 * NPF_NS_PER_MS)
#define SLEEP_NS     (1 * NPF_NS_PER_MS)  /* first sleep of an idle worker; doubled to ... */
#define LONG_NS      (5 * NPF_NS_PER_MS)  /* ... at least this ... */
#define LONGEST_NS   (25 * NPF_NS_PER_MS) /* ... and this, where a ring is large enough for it */

struct npf_writer_worker {
	struct npf_writer_worker_conf conf;
	struct npf_writer_target target;
	struct npf_writer_io io;
	struct npf_writer_outfile out;
	struct npf_writer_stream stream;
	bool streams; /* as a stream, not by blocks */
	struct npf_writer_retention retention;
	char *pattern;
	uint64_t number; /* of the open file */
	uint64_t finished_bytes;
	uint64_t start;   /* of the open file in the ring */
	uint64_t at;      /* written up to this position of the ring */
	uint64_t flushed; /* what a flush wrote beyond that */
	uint32_t writing; /* bytes in flight from there */
	uint64_t last_write_ns, retry_ns;
	uint64_t now_ns; /* CLOCK_MONOTONIC, of this turn */
	uint64_t sleep_ns, longest_ns;
	struct npf_writer_name_search names;
	struct npf_writer_sync_queue syncs;
	_Atomic bool abandon;
	pthread_t thread;
	int done_fd;
	struct npf_writer_progress progress;
};

/* ---- progress ---- */

/* Of a write or an open: to be tried again. */
static void set_error(struct npf_writer_worker *w, int rc, const char *what, const char *path)
{
	w->retry_ns = w->now_ns + RETRY_NS;
	npf_writer_progress_set_error(&w->progress, rc, what, path);
}

static void note_written(struct npf_writer_worker *w)
{
	w->last_write_ns = w->now_ns;
	npf_writer_progress_clear_error(&w->progress, w->out.name);
	npf_writer_progress_set_bytes(&w->progress, w->finished_bytes + w->out.size);
}

/* D4: release; weaker, the producer could overwrite what a write still reads. */
static void advance_tail(struct npf_writer_worker *w)
{
	atomic_store_explicit(&w->conf.ring->tail, w->at, memory_order_release);
}

/* ---- files ---- */

static void report_finished(struct npf_writer_worker *w, const struct npf_writer_summary *s)
{
	if (s->path[0] != '\0')
		npf_writer_retention_add(&w->retention, s->path, s->size);
	npf_writer_progress_finish(&w->progress, s->path, s->error, w->retention.deleted);
	if (w->conf.finished != NULL)
		w->conf.finished(w->conf.ctx, s);
}

static void complete_sync(struct npf_writer_worker *w, const struct npf_writer_completion *done)
{
	const struct npf_writer_summary *s;

	npf_writer_sync_queue_complete(&w->syncs, done);
	while ((s = npf_writer_sync_queue_remove(&w->syncs, &w->io)) != NULL)
		report_finished(w, s);
}

static void complete_io(struct npf_writer_worker *w, const struct npf_writer_completion *done)
{
	uint32_t len = w->writing;
	int32_t n = done->res;

	if (done->tag != NPF_WRITER_IO_WRITE) {
		complete_sync(w, done);
		return;
	}
	w->writing = 0;
	if (n == -EINVAL && w->out.direct) {
		/* Some file systems refuse direct writes only here. */
		npf_writer_outfile_set_direct(&w->out, false);
		w->target.direct = false;
		return;
	}
	if (n == -EAGAIN || n == -EINTR)
		return;
	if (n > 0 && w->out.direct && (uint32_t)n < len)
		n &= ~(int32_t)(NPF_WRITER_BLOCK - 1);
	if (n > 0) {
		w->at += (uint32_t)n;
		w->out.size = NPF_MAX(w->out.size, w->at - w->start);
		advance_tail(w);
		note_written(w);
	} else {
		set_error(w, n < 0 ? n : -ENOSPC, "can't write", w->out.part);
	}
}

static struct npf_writer_file *current_file(struct npf_writer_worker *w)
{
	uint64_t n = atomic_load_explicit(&w->conf.ring->n_done, memory_order_relaxed);

	return &w->conf.ring->files[n % NPF_WRITER_FILES];
}

static bool open_next(struct npf_writer_worker *w)
{
	struct npf_writer_ring *r = w->conf.ring;
	const struct npf_writer_file *f = current_file(w);
	int rc;

	/* D2: acquire. */
	if (atomic_load_explicit(&r->n_started, memory_order_acquire) ==
		atomic_load_explicit(&r->n_done, memory_order_relaxed))
		return false;
	rc = npf_writer_outfile_open(&w->out, &w->target, &w->names, f->opened_ns, w->number);
	if (rc < 0) {
		set_error(w, rc, "can't make a file as",
			w->target.pattern != NULL ? w->target.pattern : "given");
		w->out.fd = -1;
		return false;
	}
	w->start = w->at = w->flushed = f->start;
	npf_writer_stream_begin(&w->stream, f->start);
	w->last_write_ns = w->now_ns;
	npf_writer_progress_clear_error(&w->progress, w->out.name);
	npf_writer_progress_set_file(&w->progress, &w->out);
	return true;
}

static bool close_file(struct npf_writer_worker *w)
{
	const struct npf_writer_file *f = current_file(w);
	struct npf_writer_ring *r = w->conf.ring;
	struct npf_writer_summary summary = {.stats = f->stats};

	if (npf_writer_sync_queue_is_full(&w->syncs))
		return false;
	npf_writer_outfile_trim(&w->out);
	summary.number = w->number++;
	summary.size = w->out.size;
	if (npf_writer_params_is_retro(w->conf.params))
		npf_writer_retro_complete_stats(
			&summary.stats, w->stream.packets, w->stream.first_ns);
	npf_writer_sync_queue_add(&w->syncs, &w->io, &w->out, &summary);
	w->finished_bytes += w->out.size;
	w->out.fd = -1;
	w->target.fd = -1;
	w->at = f->end;
	advance_tail(w);
	/* D4 */
	atomic_fetch_add_explicit(&r->n_done, 1, memory_order_release);
	npf_writer_progress_set_file(&w->progress, &w->out);
	return true;
}

/* The position up to which the open file can be read from the ring. */
static uint64_t readable_end(struct npf_writer_worker *w, bool *endedp)
{
	struct npf_writer_ring *r = w->conf.ring;
	/* D1: acquire; read before n_ended, so that a head beyond the end of the file is
	 * recognised. */
	uint64_t head = atomic_load_explicit(&r->head, memory_order_acquire);

	/* D3: acquire. */
	*endedp = atomic_load_explicit(&r->n_ended, memory_order_acquire) >
		  atomic_load_explicit(&r->n_done, memory_order_relaxed);
	if (*endedp)
		return current_file(w)->end;
	/* The file's header is published with the first record. */
	return NPF_MAX(head, w->start);
}

static bool is_due(const struct npf_writer_worker *w)
{
	return w->now_ns - w->last_write_ns >= FLUSH_NS;
}

/* ---- by blocks ---- */

/* Writes less than a block, through the page cache. */
static bool write_tail(struct npf_writer_worker *w, uint64_t limit)
{
	int rc = npf_writer_outfile_write(&w->out, npf_writer_ring_at(w->conf.ring, w->at),
		(size_t)(limit - w->at), w->at - w->start);

	if (rc < 0) {
		set_error(w, rc, "can't write", w->out.part);
		return false;
	}
	w->flushed = limit;
	note_written(w);
	return true;
}

static bool step_blocks(struct npf_writer_worker *w)
{
	bool ended;
	uint64_t limit = readable_end(w, &ended), n = limit - w->at;
	uint64_t least = w->out.direct ? WRITE_MIN : BUFFERED_MIN;

	if (w->out.direct)
		n &= ~(uint64_t)(NPF_WRITER_BLOCK - 1);
	n = NPF_MIN(n, (uint64_t)WRITE_MAX);
	if (n >= least || (n > 0 && (ended || is_due(w)))) {
		int rc = npf_writer_outfile_check_room(&w->out, n);

		if (rc < 0) {
			set_error(w, rc, "can't write", w->out.part);
			return false;
		}
		npf_writer_outfile_reserve(&w->out, w->at + n - w->start);
		w->writing = (uint32_t)n;
		npf_writer_io_write(&w->io, w->out.fd, npf_writer_ring_at(w->conf.ring, w->at), n,
			w->at - w->start);
		return true;
	}
	if (ended)
		return (w->flushed >= limit || write_tail(w, limit)) && close_file(w);
	return is_due(w) && w->flushed < limit && write_tail(w, limit);
}

/* ---- as a stream ---- */

static bool step_stream(struct npf_writer_worker *w)
{
	bool ended;
	uint64_t limit = readable_end(w, &ended), before = w->out.size;
	int rc = npf_writer_stream_step(
		&w->stream, &w->out, limit, ended ? &current_file(w)->stats : NULL, is_due(w));

	w->at = w->stream.at;
	advance_tail(w);
	if (rc < 0) {
		set_error(w, rc, "can't write", w->out.part);
		return false;
	}
	if (w->out.size > before)
		note_written(w);
	return rc == NPF_STREAM_END ? close_file(w) : rc == NPF_STREAM_BUSY;
}

/* ---- the thread ---- */

static bool advance(struct npf_writer_worker *w)
{
	if (w->writing > 0)
		return false;
	if (w->out.fd < 0)
		return open_next(w);
	return w->streams ? step_stream(w) : step_blocks(w);
}

static bool is_over(struct npf_writer_worker *w)
{
	struct npf_writer_ring *r = w->conf.ring;

	if (w->io.in_flight > 0)
		return false;
	if (atomic_load_explicit(&w->abandon, memory_order_relaxed))
		return true;
	return atomic_load_explicit(&r->over, memory_order_acquire) && w->out.fd < 0 &&
	       atomic_load_explicit(&r->n_started, memory_order_acquire) ==
		       atomic_load_explicit(&r->n_done, memory_order_relaxed);
}

static void idle(struct npf_writer_worker *w)
{
	struct npf_writer_completion done;

	if (w->io.in_flight == 0 || !w->io.has_uring)
		nanosleep(&(struct timespec){.tv_nsec = (long)w->sleep_ns}, NULL);
	else if (npf_writer_io_reap(&w->io, w->sleep_ns, &done))
		complete_io(w, &done);
	w->sleep_ns = NPF_MIN(2 * w->sleep_ns, w->longest_ns);
}

/* Packets in the ring that are on no disk. */
static uint64_t count_backlog(const struct npf_writer_worker *w)
{
	const bool bare = npf_writer_params_is_retro(
		w->conf.params); /* its files' headers and trailers are not in the ring */
	const struct npf_writer_backlog left = {
		.ring = w->conf.ring,
		.format = w->conf.params->format,
		.head = bare ? 0 : w->conf.head_size,
		.trailer = bare ? 0 : npf_writer_trailer_size(w->conf.params->format),
		.at = w->out.fd >= 0 ? NPF_MAX(w->at, w->flushed) : 0,
	};

	return npf_writer_backlog_count(&left);
}

static void *run(void *arg)
{
	struct npf_writer_worker *w = arg;
	uint64_t lost;

	npf_writer_io_init(&w->io, w->conf.ring->data, 2 * w->conf.ring->size, w->conf.plain_io);
	if (w->conf.begun != NULL)
		w->conf.begun(w->conf.ctx);
	while (!is_over(w)) {
		struct npf_writer_completion done;
		bool busy = false;

		w->now_ns = npf_clock_monotonic();
		if (w->conf.merge != NULL &&
			!atomic_load_explicit(&w->abandon, memory_order_relaxed))
			busy = w->conf.merge(w->conf.ctx);
		while (npf_writer_io_reap(&w->io, 0, &done)) {
			complete_io(w, &done);
			busy = true;
		}
		if (w->now_ns >= w->retry_ns &&
			!atomic_load_explicit(&w->abandon, memory_order_relaxed))
			busy |= advance(w);
		if (busy)
			w->sleep_ns = SLEEP_NS;
		else
			idle(w);
	}
	lost = atomic_load_explicit(&w->abandon, memory_order_relaxed) ? count_backlog(w) : 0;
	/* Abandoned: the file does not grow any more. */
	if (w->out.fd >= 0)
		npf_writer_outfile_trim(&w->out);
	npf_close(w->out.fd);
	npf_close(w->target.fd != w->out.fd ? w->target.fd : -1);
	npf_writer_io_fini(&w->io);
	npf_writer_progress_exit(&w->progress, lost);
	npf_eventfd_signal(w->done_fd);
	return NULL;
}

static int start_thread(struct npf_writer_worker *w)
{
	pthread_attr_t attr;
	cpu_set_t set;
	int rc;

	pthread_attr_init(&attr);
	if (w->conf.cpu >= 0) {
		CPU_ZERO(&set);
		CPU_SET(w->conf.cpu, &set);
		pthread_attr_setaffinity_np(&attr, sizeof(set), &set);
	}
	rc = -pthread_create(&w->thread, &attr, run, w);
	pthread_attr_destroy(&attr);
	if (rc == 0)
		pthread_setname_np(w->thread, "npf-dump");
	return rc;
}

static void free_worker(struct npf_writer_worker *w)
{
	npf_writer_zstd_free(w->stream.zstd);
	npf_writer_retention_fini(&w->retention);
	npf_close(w->done_fd);
	npf_writer_progress_fini(&w->progress);
	free(w->pattern);
	free(w);
}

/* The time in which a sudden 10 Gbit/s fills half of the ring. */
static uint64_t longest_sleep(const struct npf_writer_ring *r)
{
	uint64_t half_full = r->size / 2 * 4 / 5; /* 1.25 bytes a ns */

	return NPF_MIN(NPF_MAX(half_full, LONG_NS), LONGEST_NS);
}

int npf_writer_worker_start(
	const struct npf_writer_worker_conf *conf, struct npf_writer_worker **wp)
{
	struct npf_writer_worker *w = calloc(1, sizeof(*w));
	const struct npf_writer_params *params = conf->params;
	int rc = 0;

	if (w == NULL)
		return -ENOMEM;
	w->conf = *conf;
	w->out.fd = -1;
	w->number = 1;
	w->sleep_ns = SLEEP_NS;
	w->longest_ns = longest_sleep(conf->ring);
	npf_writer_progress_init(&w->progress);
	w->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	w->streams = params->zstd || npf_writer_params_is_retro(params);
	w->target = (struct npf_writer_target){
		.fd = conf->fd,
		.access = params->access,
		.reserve = conf->reserve,
		.unprivileged = conf->unprivileged,
		.direct = !conf->buffered && !w->streams,
	};
	if (conf->pattern != NULL) {
		uint64_t highest = 0;

		w->target.pattern = w->pattern = strdup(conf->pattern);
		npf_writer_retention_init(&w->retention, conf->pattern, &params->keep, &highest);
		w->number = highest + 1;
	}
	if (w->done_fd < 0 || (conf->pattern != NULL && w->pattern == NULL))
		rc = -ENOMEM;
	w->stream = (struct npf_writer_stream){
		.ring = conf->ring,
		.format = params->format,
		.head = conf->head,
		.head_size = conf->head_size,
		.retro = npf_writer_params_is_retro(params),
	};
	if (rc == 0 && params->zstd)
		rc = npf_writer_zstd_new(&w->stream.zstd);
	if (rc == 0)
		rc = start_thread(w);
	if (rc < 0) {
		free_worker(w);
		return rc;
	}
	*wp = w;
	return 0;
}

void npf_writer_worker_status(struct npf_writer_worker *w, struct npf_writer_status *s)
{
	npf_writer_progress_get(&w->progress, w->thread, s);
}

void npf_writer_worker_abandon(struct npf_writer_worker *w)
{
	atomic_store_explicit(&w->abandon, true, memory_order_relaxed);
}

int npf_writer_worker_fd(const struct npf_writer_worker *w)
{
	return w->done_fd;
}

struct npf_writer_worker *npf_writer_worker_join(struct npf_writer_worker *w)
{
	if (w == NULL)
		return NULL;
	pthread_join(w->thread, NULL);
	free_worker(w);
	return NULL;
}
