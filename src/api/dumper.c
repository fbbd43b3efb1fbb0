/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dumper.c - savefiles that programs write packet by packet.
 *
 * The genuine libpcap opens them, on a handle's companion, which has our link type, snap length and
 * time stamp precision. Its dumper is a stdio stream, which programs get from
 * pcap_dump_file() and use as one. Its pcap_dump() calls fwrite() twice for each packet; here the
 * record goes straight into the stream's buffer as long as it fits, as putc_unlocked() does it, and
 * files have a larger buffer. The bytes are the same.
 */
#include "api/genuine.h"
#include "api/handle.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/single_threaded.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROOM (64u << 10)

/* ---- the buffers of files ---- */

static struct room {
	struct room *next;
	const FILE *of;
	char bytes[ROOM];
} * rooms;
static pthread_mutex_t rooms_lock = PTHREAD_MUTEX_INITIALIZER;

/* Nobody waits at the other end. */
static bool is_file(FILE *f)
{
	struct stat st;
	int fd = fileno(f);

	return f != stdout && fd >= 0 && fstat(fd, &st) == 0 &&
	       (S_ISREG(st.st_mode) || (S_ISCHR(st.st_mode) && !isatty(fd)));
}

/* Give a stream that was just opened a larger buffer. */
static pcap_dumper_t *with_room(pcap_dumper_t *d)
{
	FILE *f = d != NULL ? npf_genuine()->pcap_dump_file(d) : NULL;
	struct room *r = f != NULL && is_file(f) ? malloc(sizeof(*r)) : NULL;

	if (r == NULL)
		return d;
	if (setvbuf(f, r->bytes, _IOFBF, sizeof(r->bytes)) != 0) {
		free(r);
		return d;
	}
	r->of = f;
	pthread_mutex_lock(&rooms_lock);
	r->next = rooms;
	rooms = r;
	pthread_mutex_unlock(&rooms_lock);
	return d;
}

static struct room *take_room(const FILE *of)
{
	struct room **at = &rooms, *r;

	pthread_mutex_lock(&rooms_lock);
	while (*at != NULL && (*at)->of != of)
		at = &(*at)->next;
	r = *at;
	if (r != NULL)
		*at = r->next;
	pthread_mutex_unlock(&rooms_lock);
	return r;
}

void pcap_dump_close(pcap_dumper_t *d)
{
	const struct npf_genuine *g = npf_genuine();
	struct room *r;

	if (g->pcap_dump_close == NULL)
		return;
	r = take_room(g->pcap_dump_file(d));
	g->pcap_dump_close(d);
	free(r);
}

/* ---- records ---- */

/* A record's header, as it is in the file. */
struct record {
	uint32_t s, frac, caplen, len;
};

/* The stream is in the middle of writing, and has room. Unbuffered streams, and those that are
 * flushed line by line, never have. */
static bool fits(const FILE *f, ptrdiff_t n)
{
	return f->_IO_write_end - f->_IO_write_ptr >= n; /* may be below 0 */
}

static void write_record(FILE *f, const struct record *rec, const u_char *data)
{
	if (!fits(f, sizeof(*rec) + rec->caplen)) {
		if (fwrite_unlocked(rec, sizeof(*rec), 1, f) == 1)
			fwrite_unlocked(data, rec->caplen, 1, f);
		return;
	}
	memcpy(f->_IO_write_ptr, rec, sizeof(*rec));
	memcpy(f->_IO_write_ptr + sizeof(*rec), data, rec->caplen);
	f->_IO_write_ptr += sizeof(*rec) + rec->caplen;
}

void pcap_dump(u_char *user, const struct pcap_pkthdr *h, const u_char *data)
{
	const struct record rec = {h->ts.tv_sec, h->ts.tv_usec, h->caplen, h->len};
	FILE *f = (FILE *)user;
	bool locks = !__libc_single_threaded;

	if (locks)
		flockfile(f);
	if (!ferror_unlocked(f))
		write_record(f, &rec, data);
	if (locks)
		funlockfile(f);
}

/* ---- opening ---- */

/* Takes over the companion's word when it failed. */
static pcap_dumper_t *dumper(struct npf_handle *h, pcap_dumper_t *d)
{
	if (d == NULL)
		npf_handle_error(h, "%s", npf_genuine()->pcap_geterr(h->dead));
	return d;
}

pcap_dumper_t *pcap_dump_open(pcap_t *p, const char *fname)
{
	struct npf_handle *h = npf_handle_of(p);

	if (h == NULL)
		return with_room(npf_genuine()->pcap_dump_open(p, fname));
	if (h->client == NULL) {
		npf_handle_error(h, "%.100s: not-yet-activated pcap_t passed to pcap_dump_open",
			fname != NULL ? fname : "");
		return NULL;
	}
	return with_room(dumper(h, npf_genuine()->pcap_dump_open(h->dead, fname)));
}

pcap_dumper_t *pcap_dump_open_append(pcap_t *p, const char *fname)
{
	struct npf_handle *h = npf_handle_of(p);

	if (h == NULL)
		return with_room(npf_genuine()->pcap_dump_open_append(p, fname));
	if (h->client == NULL) {
		npf_handle_inactive(h);
		return NULL;
	}
	return with_room(dumper(h, npf_genuine()->pcap_dump_open_append(h->dead, fname)));
}

pcap_dumper_t *pcap_dump_fopen(pcap_t *p, FILE *fp)
{
	struct npf_handle *h = npf_handle_of(p);

	if (h == NULL)
		return npf_genuine()->pcap_dump_fopen(p, fp);
	if (h->client == NULL) {
		npf_handle_inactive(h);
		return NULL;
	}
	return dumper(h, npf_genuine()->pcap_dump_fopen(h->dead, fp));
}
