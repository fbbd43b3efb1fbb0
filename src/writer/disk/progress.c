/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * progress.c - two kinds of error share one place: a write that fails, which stops the dump until
 * it succeeds, goes before a file that can't be finished, which stops nothing.
 */
#include "writer/disk/progress.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

void npf_writer_progress_init(struct npf_writer_progress *p)
{
	*p = (struct npf_writer_progress){0};
	pthread_mutex_init(&p->lock, NULL);
}

void npf_writer_progress_fini(struct npf_writer_progress *p)
{
	pthread_mutex_destroy(&p->lock);
}

/* Return: whether it is another error than before. */
static bool set_error(struct npf_writer_progress *p, int rc, const char *what, const char *path)
{
	struct npf_writer_status *s = &p->status;
	bool is_new;

	pthread_mutex_lock(&p->lock);
	is_new = s->error != rc;
	s->error = rc;
	s->errors++;
	npf_error_set(&s->reason, rc, "%s %.100s: %s", what, path, strerror(-rc));
	pthread_mutex_unlock(&p->lock);
	return is_new;
}

/* Return: whether there was an error of this kind. */
static bool clear_error(struct npf_writer_progress *p, bool unfinished)
{
	/* Read without the lock: only this thread writes it. */
	if (p->status.error == 0 || p->unfinished != unfinished)
		return false;
	p->unfinished = false;
	pthread_mutex_lock(&p->lock);
	p->status.error = 0;
	p->status.reason = (struct npf_error){""};
	pthread_mutex_unlock(&p->lock);
	return true;
}

void npf_writer_progress_set_error(
	struct npf_writer_progress *p, int rc, const char *what, const char *path)
{
	p->unfinished = false;
	if (set_error(p, rc, what, path))
		npf_warn("dump: %s; trying on, packets are dropped meanwhile",
			p->status.reason.text);
}

void npf_writer_progress_clear_error(struct npf_writer_progress *p, const char *path)
{
	if (clear_error(p, false))
		npf_info("dump: %s can be written again", path);
}

void npf_writer_progress_set_bytes(struct npf_writer_progress *p, uint64_t bytes)
{
	pthread_mutex_lock(&p->lock);
	p->status.bytes = bytes;
	pthread_mutex_unlock(&p->lock);
}

void npf_writer_progress_set_file(
	struct npf_writer_progress *p, const struct npf_writer_outfile *out)
{
	struct npf_writer_status *s = &p->status;

	pthread_mutex_lock(&p->lock);
	snprintf(s->file, sizeof(s->file), "%s", out->fd >= 0 ? out->part : "");
	s->direct = out->direct;
	pthread_mutex_unlock(&p->lock);
}

static void finish_failed(struct npf_writer_progress *p, const char *path, int error)
{
	if (p->status.error == 0 || p->unfinished) {
		p->unfinished = true;
		set_error(p, error, "can't finish", path);
	} else {
		pthread_mutex_lock(&p->lock);
		p->status.errors++;
		pthread_mutex_unlock(&p->lock);
	}
	npf_warn("dump: can't finish %s: %s", path, strerror(-error));
}

void npf_writer_progress_finish(
	struct npf_writer_progress *p, const char *path, int error, uint64_t deleted)
{
	if (error != 0)
		finish_failed(p, path[0] != '\0' ? path : "the file", error);
	else if (clear_error(p, true))
		npf_info("dump: files can be finished again");
	pthread_mutex_lock(&p->lock);
	p->status.files += error == 0;
	p->status.deleted = deleted;
	pthread_mutex_unlock(&p->lock);
}

void npf_writer_progress_exit(struct npf_writer_progress *p, uint64_t lost)
{
	pthread_mutex_lock(&p->lock);
	p->status.lost = lost;
	p->status.busy_ns = npf_clock_ns(CLOCK_THREAD_CPUTIME_ID);
	p->status.exited = true;
	p->status.file[0] = '\0';
	pthread_mutex_unlock(&p->lock);
}

void npf_writer_progress_get(
	struct npf_writer_progress *p, pthread_t thread, struct npf_writer_status *s)
{
	clockid_t clock;

	pthread_mutex_lock(&p->lock);
	*s = p->status;
	/* While exited is not set, and it can't be now, the thread is there. */
	if (!s->exited && pthread_getcpuclockid(thread, &clock) == 0)
		s->busy_ns = npf_clock_ns(clock);
	pthread_mutex_unlock(&p->lock);
}
