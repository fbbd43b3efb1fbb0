/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * worker.c - from ring to disk, in two ways.
 *
 * By blocks, the ordinary way: aligned parts of the ring are written from where they lie, one
 * asynchronous write at a time (see io.h why one), past the page cache. What is left at
 * the end of a file, less than a block, goes through the page cache, so that a file is at no moment
 * longer than its data; so does, once a second, what a slow dump has collected.
 *
 * As a stream, when files are compressed or their header is not in the ring.
 *
 * A finished file is brought to stable storage and renamed while the next is being written.
 */
#include "engine/dump/worker.h"

#include "base/clock.h"
#include "engine/dump/io.h"
#include "engine/dump/keeper.h"
#include "engine/dump/retro.h"
#include "engine/dump/zip.h"
#include "engine/log.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

#define WRITE_MAX    (8u << 20)   /* longest write, bytes */
#define WRITE_MIN    (1u << 20)   /* collected before one is started, direct ... */
#define BUFFERED_MIN (256u << 10) /* ... and through the page cache */
#define STREAM_MAX   (1u << 20)
#define FLUSH_NS     NPF_NS_PER_S /* what has waited so long is written whatever its length */
#define RETRY_NS     (200 * NPF_NS_PER_MS)
#define SLEEP_NS     (1 * NPF_NS_PER_MS)
#define LONG_NS      (5 * NPF_NS_PER_MS)
#define QUIET_TURNS  200 /* sleeps before they become long */

/* A finished file on its way to stable storage. */
struct closing {
	bool synced;
	int rc; /* of that */
	struct npf_dump_out out;
	struct npf_dump_summary summary;
};

/* Where the stream is in a file. */
enum phase {
	PHASE_HEAD,
	PHASE_BODY,
	PHASE_TRAILER,
	PHASE_END,
};

struct npf_dump_worker {
	struct npf_dump_worker_conf conf;
	struct npf_dump_io io;
	struct npf_dump_out out;
	struct npf_dump_zip *zip;
	struct npf_dump_keeper keeper;
	uint64_t number; /* of the open file */
	uint64_t finished_bytes;
	uint64_t start;   /* of the open file in the ring */
	uint64_t at;      /* written up to here */
	uint64_t flushed; /* what a flush wrote beyond that */
	uint32_t writing; /* bytes in flight from there */
	uint64_t last_write_ns, retry_ns;
	uint64_t now_ns; /* CLOCK_MONOTONIC, of this turn */
	/* streams */
	enum phase phase;
	const uint8_t *span; /* header or trailer, what is left of it */
	size_t span_len;
	uint8_t trailer[NPF_DUMP_TRAILER];
	uint64_t walked; /* records were counted up to here */
	uint64_t packets, first_ns;

	/* in order: number n is at [n % NPF_DUMP_SYNCS] */
	struct closing closings[NPF_DUMP_SYNCS];
	uint64_t closed, settled;
	_Atomic bool abandon;
	pthread_t thread;
	int done_fd;
	pthread_mutex_t lock; /* of what follows */
	struct npf_dump_state state;
};

/* ---- state ---- */

static void set_error(struct npf_dump_worker *w, int rc, const char *what, const char *path)
{
	struct npf_dump_state *s = &w->state;
	bool news;

	w->retry_ns = w->now_ns + RETRY_NS;
	pthread_mutex_lock(&w->lock);
	news = s->error != rc;
	s->error = rc;
	s->errors++;
	snprintf(s->error_text, sizeof(s->error_text), "%s %.100s: %s", what, path, strerror(-rc));
	pthread_mutex_unlock(&w->lock);
	if (news)
		npf_warn("dump: %s; trying on, packets are dropped meanwhile", s->error_text);
}

static void clear_error(struct npf_dump_worker *w)
{
	if (w->state.error == 0)
		return; /* only this thread writes it */
	pthread_mutex_lock(&w->lock);
	w->state.error = 0;
	w->state.error_text[0] = '\0';
	pthread_mutex_unlock(&w->lock);
	npf_info("dump: %s can be written again", w->out.name);
}

static void tell_file(struct npf_dump_worker *w)
{
	pthread_mutex_lock(&w->lock);
	snprintf(w->state.file, sizeof(w->state.file), "%s", w->out.fd >= 0 ? w->out.part : "");
	w->state.direct = w->out.direct;
	pthread_mutex_unlock(&w->lock);
}

static void wrote(struct npf_dump_worker *w)
{
	w->last_write_ns = w->now_ns;
	clear_error(w);
	pthread_mutex_lock(&w->lock);
	w->state.bytes = w->finished_bytes + w->out.size;
	pthread_mutex_unlock(&w->lock);
}

/* D4: release; weaker, the producer could overwrite what a write still reads. */
static void give_back(struct npf_dump_worker *w)
{
	atomic_store_explicit(&w->conf.ring->tail, w->at, memory_order_release);
}

/* ---- files ---- */

static void count_finished(struct npf_dump_worker *w, const struct npf_dump_summary *s)
{
	if (s->error == 0 && s->path[0] != '\0')
		npf_dump_keeper_add(&w->keeper, s->path, s->size);
	pthread_mutex_lock(&w->lock);
	w->state.files++;
	w->state.deleted = w->keeper.deleted;
	pthread_mutex_unlock(&w->lock);
	if (w->conf.finished != NULL)
		w->conf.finished(w->conf.ctx, s);
}

/* A file is on stable storage, or that failed. */
static void settle(struct npf_dump_worker *w, struct closing *c)
{
	int rc = c->rc, named = npf_dump_out_finish(&c->out);

	if (rc == -EINVAL || rc == -EROFS)
		rc = 0; /* a kind of file that can't be synchronised */
	c->summary.path = c->out.name;
	c->summary.error = rc < 0 ? rc : named;
	if (c->summary.error < 0)
		npf_warn("dump: %s: can't be finished: %s", c->out.name,
			strerror(-c->summary.error));
	count_finished(w, &c->summary);
}

/* Syncs end in any order; files get their names in theirs. */
static void take_synced(struct npf_dump_worker *w, const struct npf_dump_done *done)
{
	w->closings[done->tag].synced = true;
	w->closings[done->tag].rc = done->res;
	while (w->settled < w->closed && w->closings[w->settled % NPF_DUMP_SYNCS].synced)
		settle(w, &w->closings[w->settled++ % NPF_DUMP_SYNCS]);
}

static void take_done(struct npf_dump_worker *w, const struct npf_dump_done *done)
{
	uint32_t len = w->writing;
	int32_t n = done->res;

	if (done->tag != NPF_DUMP_IO_WRITE) {
		take_synced(w, done);
		return;
	}
	w->writing = 0;
	if (n == -EINVAL && w->out.direct) {
		/* Only now does the file system say that it can't. */
		npf_dump_out_set_direct(&w->out, false);
		w->conf.target.direct = false;
		return;
	}
	if (n == -EAGAIN || n == -EINTR)
		return;
	if (n > 0 && w->out.direct && (uint32_t)n < len)
		n &= ~(int32_t)(NPF_DUMP_BLOCK - 1);
	if (n > 0) {
		w->at += (uint32_t)n;
		w->out.size = NPF_MAX(w->out.size, w->at - w->start);
		give_back(w);
		wrote(w);
	} else {
		set_error(w, n < 0 ? n : -ENOSPC, "can't write", w->out.part);
	}
}

static struct npf_dump_file *entry(struct npf_dump_worker *w)
{
	uint64_t n = atomic_load_explicit(&w->conf.ring->n_done, memory_order_relaxed);

	return &w->conf.ring->files[n % NPF_DUMP_FILES];
}

static bool open_next(struct npf_dump_worker *w)
{
	struct npf_dump_ring *r = w->conf.ring;
	const struct npf_dump_file *f = entry(w);
	int rc;

	/* D2: acquire. */
	if (atomic_load_explicit(&r->n_started, memory_order_acquire) ==
		atomic_load_explicit(&r->n_done, memory_order_relaxed))
		return false;
	rc = npf_dump_out_open(&w->out, &w->conf.target, f->opened_ns, w->number);
	if (rc < 0) {
		set_error(w, rc, "can't make a file as",
			w->conf.target.pattern != NULL ? w->conf.target.pattern : "given");
		w->out.fd = -1;
		return false;
	}
	w->start = w->at = w->flushed = w->walked = f->start;
	w->packets = w->first_ns = 0;
	w->phase = w->conf.retro ? PHASE_HEAD : PHASE_BODY;
	w->span = w->conf.head;
	w->span_len = w->conf.head_size;
	if (w->zip != NULL)
		npf_dump_zip_reset(w->zip);
	w->last_write_ns = w->now_ns;
	clear_error(w);
	tell_file(w);
	return true;
}

static bool close_file(struct npf_dump_worker *w)
{
	const struct npf_dump_file *f = entry(w);
	struct npf_dump_ring *r = w->conf.ring;
	uint32_t slot = (uint32_t)(w->closed % NPF_DUMP_SYNCS);
	struct closing *c = &w->closings[slot];

	if (w->closed - w->settled == NPF_DUMP_SYNCS)
		return false; /* as many on their way as can be: one will be done soon */
	w->closed++;
	npf_dump_out_trim(&w->out);
	c->synced = false;
	c->out = w->out;
	c->summary = (struct npf_dump_summary){
		.number = w->number++,
		.size = w->out.size,
		.sums = f->sums,
	};
	if (w->conf.retro) {
		c->summary.sums.delivered = w->packets;
		c->summary.sums.first_ns = w->first_ns;
	}
	w->finished_bytes += w->out.size;
	w->out.fd = -1;
	w->conf.target.fd = -1;
	w->at = f->end;
	give_back(w);
	/* D4 */
	atomic_fetch_add_explicit(&r->n_done, 1, memory_order_release);
	npf_dump_io_sync(&w->io, c->out.fd, slot);
	tell_file(w);
	return true;
}

/* How far can the open file be read from the ring? */
static uint64_t visible(struct npf_dump_worker *w, bool *endedp)
{
	struct npf_dump_ring *r = w->conf.ring;
	/* D1: acquire, and before n_ended is looked at: a head beyond the file's end is then seen
	 * to be one. */
	uint64_t head = atomic_load_explicit(&r->head, memory_order_acquire);

	/* D3: acquire. */
	*endedp = atomic_load_explicit(&r->n_ended, memory_order_acquire) >
		  atomic_load_explicit(&r->n_done, memory_order_relaxed);
	if (*endedp)
		return entry(w)->end;
	/* The file's header is published with the first record. */
	return NPF_MAX(head, w->start);
}

static bool is_due(const struct npf_dump_worker *w)
{
	return w->now_ns - w->last_write_ns >= FLUSH_NS;
}

/* ---- by blocks ---- */

/* What is less than a block, or too little yet to be worth a write of its own. */
static bool put_rest(struct npf_dump_worker *w, uint64_t limit)
{
	int rc = npf_dump_out_put(&w->out, npf_dump_ring_at(w->conf.ring, w->at),
		(size_t)(limit - w->at), w->at - w->start);

	if (rc < 0) {
		set_error(w, rc, "can't write", w->out.part);
		return false;
	}
	w->flushed = limit;
	wrote(w);
	return true;
}

static bool step_blocks(struct npf_dump_worker *w)
{
	bool ended;
	uint64_t limit = visible(w, &ended), n = limit - w->at;
	uint64_t least = w->out.direct ? WRITE_MIN : BUFFERED_MIN;

	if (w->out.direct)
		n &= ~(uint64_t)(NPF_DUMP_BLOCK - 1);
	n = NPF_MIN(n, (uint64_t)WRITE_MAX);
	if (n >= least || (n > 0 && (ended || is_due(w)))) {
		npf_dump_out_reserve(&w->out, w->at + n - w->start);
		w->writing = (uint32_t)n;
		npf_dump_io_write(&w->io, w->out.fd, npf_dump_ring_at(w->conf.ring, w->at), n,
			w->at - w->start);
		return true;
	}
	if (ended)
		return (w->flushed >= limit || put_rest(w, limit)) && close_file(w);
	return is_due(w) && w->flushed < limit && put_rest(w, limit);
}

/* ---- as a stream ---- */

/* Write a piece behind what is there. Return: bytes taken, or -errno. */
static ssize_t put_stream(struct npf_dump_worker *w, const void *data, size_t n,
	enum npf_dump_zip_end end, bool *donep)
{
	uint64_t before = w->out.size;
	size_t used = n;
	int rc;

	if (w->zip != NULL)
		rc = npf_dump_zip_put(w->zip, &w->out, data, n, end, &used);
	else
		rc = npf_dump_out_put(&w->out, data, n, before) ?: 1;
	if (w->zip == NULL && rc < 0)
		used = (size_t)(w->out.size - before);
	*donep = rc == 1;
	if (rc < 0)
		set_error(w, rc, "can't write", w->out.part);
	else
		wrote(w);
	return (ssize_t)used;
}

/* Counts the records of a retrospective file: nobody did when they were remembered. */
static void walk(struct npf_dump_worker *w, uint64_t limit)
{
	while (w->walked < limit) {
		uint64_t ts_ns;

		w->walked += npf_dump_retro_record(
			w->conf.format, npf_dump_ring_at(w->conf.ring, w->walked), &ts_ns);
		if (w->packets++ == 0)
			w->first_ns = ts_ns;
	}
}

static void make_trailer(struct npf_dump_worker *w)
{
	struct npf_dump_sums sums = entry(w)->sums;

	sums.delivered = w->packets;
	sums.first_ns = w->first_ns;
	/* What was received while these were remembered was not counted apart. */
	sums.accepted = sums.delivered + sums.dropped;
	sums.received = NPF_MAX(sums.received, sums.accepted);
	w->span = w->trailer;
	w->span_len = npf_dump_put_trailer(w->conf.format, w->trailer, &sums);
}

static bool step_span(struct npf_dump_worker *w, enum phase next)
{
	bool done;
	size_t used = (size_t)put_stream(w, w->span, w->span_len, NPF_ZIP_MORE, &done);

	w->span += used;
	w->span_len -= used;
	if (w->span_len == 0)
		w->phase = next;
	return w->span_len == 0;
}

static bool step_body(struct npf_dump_worker *w)
{
	bool ended, done, flush = is_due(w);
	uint64_t limit = visible(w, &ended);
	size_t n = (size_t)NPF_MIN(limit - w->at, (uint64_t)STREAM_MAX);

	if (w->conf.retro)
		walk(w, limit);
	if (n == 0 && ended) {
		w->phase = w->conf.retro ? PHASE_TRAILER : PHASE_END;
		if (w->conf.retro)
			make_trailer(w);
		return true;
	}
	if (n < BUFFERED_MIN && !ended && !(flush && w->flushed < limit))
		return false;
	w->at += (uint64_t)put_stream(w, npf_dump_ring_at(w->conf.ring, w->at), n,
		flush ? NPF_ZIP_FLUSH : NPF_ZIP_MORE, &done);
	if (w->at == limit && done)
		w->flushed = limit;
	give_back(w);
	return true;
}

static bool step_stream(struct npf_dump_worker *w)
{
	bool done = true;

	switch (w->phase) {
	case PHASE_HEAD:
		return step_span(w, PHASE_BODY);
	case PHASE_BODY:
		return step_body(w);
	case PHASE_TRAILER:
		return step_span(w, PHASE_END);
	case PHASE_END:
		if (w->zip != NULL)
			put_stream(w, NULL, 0, NPF_ZIP_END, &done);
		return done && close_file(w);
	}
	return false;
}

/* ---- the thread ---- */

static bool advance(struct npf_dump_worker *w)
{
	if (w->writing > 0)
		return false;
	if (w->out.fd < 0)
		return open_next(w);
	return w->conf.retro || w->zip != NULL ? step_stream(w) : step_blocks(w);
}

static bool is_over(struct npf_dump_worker *w)
{
	struct npf_dump_ring *r = w->conf.ring;

	if (w->io.in_flight > 0)
		return false;
	if (atomic_load_explicit(&w->abandon, memory_order_relaxed))
		return true;
	return atomic_load_explicit(&r->over, memory_order_acquire) && w->out.fd < 0 &&
	       atomic_load_explicit(&r->n_started, memory_order_acquire) ==
		       atomic_load_explicit(&r->n_done, memory_order_relaxed);
}

static void rest(struct npf_dump_worker *w, unsigned int quiet)
{
	uint64_t ns = quiet < QUIET_TURNS || w->conf.feed != NULL ? SLEEP_NS : LONG_NS;
	struct npf_dump_done done;

	pthread_mutex_lock(&w->lock);
	w->state.busy_ns = npf_clock_ns(CLOCK_THREAD_CPUTIME_ID);
	pthread_mutex_unlock(&w->lock);
	if (w->io.in_flight == 0 || !w->io.has_uring)
		nanosleep(&(struct timespec){.tv_nsec = (long)ns}, NULL);
	else if (npf_dump_io_reap(&w->io, ns, &done))
		take_done(w, &done);
}

static void *run(void *arg)
{
	struct npf_dump_worker *w = arg;
	unsigned int quiet = 0;
	uint64_t one = 1;

	while (!is_over(w)) {
		struct npf_dump_done done;
		bool busy = false;

		w->now_ns = npf_clock_monotonic();
		if (w->conf.feed != NULL)
			busy = w->conf.feed(w->conf.ctx);
		while (npf_dump_io_reap(&w->io, 0, &done)) {
			take_done(w, &done);
			busy = true;
		}
		if (w->now_ns >= w->retry_ns &&
			!atomic_load_explicit(&w->abandon, memory_order_relaxed))
			busy |= advance(w);
		quiet = busy ? 0 : quiet + 1;
		if (!busy)
			rest(w, quiet);
	}
	npf_close(w->out.fd);
	npf_close(w->conf.target.fd != w->out.fd ? w->conf.target.fd : -1);
	npf_dump_io_fini(&w->io);
	pthread_mutex_lock(&w->lock);
	w->state.busy_ns = npf_clock_ns(CLOCK_THREAD_CPUTIME_ID);
	w->state.exited = true;
	w->state.file[0] = '\0';
	pthread_mutex_unlock(&w->lock);
	if (write(w->done_fd, &one, sizeof(one)) < 0)
		return NULL; /* can't fail on a fresh eventfd */
	return NULL;
}

static int start_thread(struct npf_dump_worker *w)
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

static void free_worker(struct npf_dump_worker *w)
{
	npf_dump_zip_free(w->zip);
	npf_dump_keeper_fini(&w->keeper);
	npf_close(w->done_fd);
	pthread_mutex_destroy(&w->lock);
	free((char *)w->conf.target.pattern);
	free(w);
}

int npf_dump_worker_start(const struct npf_dump_worker_conf *conf, struct npf_dump_worker **wp)
{
	struct npf_dump_worker *w = calloc(1, sizeof(*w));
	const char *pattern = conf->target.pattern;
	int rc = 0;

	if (w == NULL)
		return -ENOMEM;
	w->conf = *conf;
	w->out.fd = -1;
	w->number = 1;
	pthread_mutex_init(&w->lock, NULL);
	w->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (pattern != NULL) {
		uint64_t highest = 0;

		w->conf.target.pattern = strdup(pattern);
		npf_dump_keeper_init(&w->keeper, pattern, conf->keep, conf->keep_size, &highest);
		w->number = highest + 1;
	}
	if (w->done_fd < 0 || (pattern != NULL && w->conf.target.pattern == NULL))
		rc = -ENOMEM;
	if (rc == 0 && conf->zstd)
		rc = npf_dump_zip_new(&w->zip);
	if (conf->zstd || conf->retro)
		w->conf.target.direct = false;
	if (rc == 0) {
		npf_dump_io_init(&w->io, conf->ring->data, 2 * conf->ring->size, conf->plain_io);
		rc = start_thread(w);
		if (rc < 0)
			npf_dump_io_fini(&w->io);
	}
	if (rc < 0) {
		free_worker(w);
		return rc;
	}
	*wp = w;
	return 0;
}

void npf_dump_worker_state(struct npf_dump_worker *w, struct npf_dump_state *s)
{
	pthread_mutex_lock(&w->lock);
	*s = w->state;
	pthread_mutex_unlock(&w->lock);
}

void npf_dump_worker_abandon(struct npf_dump_worker *w)
{
	atomic_store_explicit(&w->abandon, true, memory_order_relaxed);
}

int npf_dump_worker_fd(const struct npf_dump_worker *w)
{
	return w->done_fd;
}

struct npf_dump_worker *npf_dump_worker_join(struct npf_dump_worker *w)
{
	if (w == NULL)
		return NULL;
	pthread_join(w->thread, NULL);
	free_worker(w);
	return NULL;
}
