/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * trace.c - a savefile as libpcap reads it, with the position in the file.
 *
 * libpcap finds out format, byte order and resolution. A record that libpcap does not accept ends
 * the file: whatever it would find behind that is chance. The file is read, not mapped: a file
 * that becomes shorter meanwhile has an early end and causes no SIGBUS.
 */
#include "replay/trace.h"

#include "base/clock.h"

#include <fcntl.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <string.h>
#include <sys/stat.h>

#define READ_AHEAD (256u << 10) /* bytes asked of the kernel at once */

struct npf_trace {
	pcap_t *pcap;
	FILE *file;
	uint64_t packets;
	uint64_t offset;
	int end; /* 1: not yet; else what npf_trace_next() returns from now on */
	char buf[READ_AHEAD];
};

static int open_path(const char *path, int spare)
{
	/* O_NONBLOCK: a FIFO is refused below, not waited for. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd >= 0)
		return fd;
	if (errno != EACCES || spare < 0)
		return -errno;
	fd = fcntl(spare, F_DUPFD_CLOEXEC, 0);
	if (fd < 0 || lseek(fd, 0, SEEK_SET) < 0) {
		npf_close(fd);
		return -EACCES;
	}
	return fd;
}

static int complain(struct npf_error *err, const char *path, int rc, const char *why)
{
	return npf_error_set(err, rc, "%.120s: %s", path, why);
}

/* Return: a descriptor of a regular file that is not empty. */
static int open_file(const char *path, int spare, struct npf_error *err)
{
	npf_autofd int fd = open_path(path, spare);
	struct stat st;

	if (fd < 0)
		return complain(err, path, fd, strerror(-fd));
	if (fstat(fd, &st) < 0)
		return complain(err, path, -errno, strerror(errno));
	if (S_ISDIR(st.st_mode))
		return complain(err, path, -EISDIR, "it is a directory, not a savefile");
	if (!S_ISREG(st.st_mode))
		return complain(err, path, -ENOTSUP,
			"it is no regular file, and a replay must be able to begin anew");
	if (st.st_size == 0)
		return complain(err, path, -EINVAL, "it is empty, not a savefile");
	posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	return npf_steal_fd(&fd);
}

static int begin(struct npf_trace *t, int fd, const char *path, struct npf_error *err)
{
	char why[PCAP_ERRBUF_SIZE];

	t->end = 1;
	t->file = fdopen(fd, "rb");
	if (t->file == NULL) {
		npf_close(fd);
		return complain(err, path, -ENOMEM, strerror(ENOMEM));
	}
	setvbuf(t->file, t->buf, _IOFBF, sizeof(t->buf));
	__fsetlocking(t->file, FSETLOCKING_BYCALLER); /* one thread reads it */
	/* From now on stdio keeps the position: ftello() makes no system call. */
	if (fseeko(t->file, 0, SEEK_SET) < 0)
		return complain(err, path, -errno, strerror(errno));
	t->pcap =
		pcap_fopen_offline_with_tstamp_precision(t->file, PCAP_TSTAMP_PRECISION_NANO, why);
	if (t->pcap == NULL)
		return complain(err, path, -EINVAL, why);
	t->offset = (uint64_t)ftello(t->file);
	return 0;
}

int npf_trace_open(const char *path, int spare, struct npf_trace **tp, struct npf_error *err)
{
	int fd = open_file(path, spare, err);
	struct npf_trace *t;
	int rc;

	if (fd < 0)
		return fd;
	t = malloc(sizeof(*t));
	if (t == NULL) {
		npf_close(fd);
		return complain(err, path, -ENOMEM, strerror(ENOMEM));
	}
	memset(t, 0, offsetof(struct npf_trace, buf));
	rc = begin(t, fd, path, err);
	if (rc < 0) {
		npf_trace_close(t);
		return rc;
	}
	*tp = t;
	return 0;
}

struct npf_trace *npf_trace_close(struct npf_trace *t)
{
	if (t == NULL)
		return NULL;
	if (t->pcap != NULL)
		pcap_close(t->pcap); /* and the file */
	else if (t->file != NULL)
		fclose(t->file);
	free(t);
	return NULL;
}

int npf_trace_linktype(const struct npf_trace *t)
{
	return pcap_datalink(t->pcap);
}

int npf_trace_dup(const struct npf_trace *t)
{
	int fd = fcntl(fileno(t->file), F_DUPFD_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

int npf_trace_next(struct npf_trace *t, struct npf_trace_packet *p)
{
	struct pcap_pkthdr *h;
	const uint8_t *data;
	int got;

	if (t->end <= 0)
		return t->end;
	got = pcap_next_ex(t->pcap, &h, &data);
	if (NPF_UNLIKELY(got != 1)) {
		t->end = got == PCAP_ERROR_BREAK ? 0 : -EBADMSG;
		return t->end;
	}
	*p = (struct npf_trace_packet){
		.data = data,
		.ts_ns = (uint64_t)h->ts.tv_sec * NPF_NS_PER_S + (uint64_t)h->ts.tv_usec,
		.caplen = h->caplen,
		.len = h->len,
	};
	t->packets++;
	t->offset = (uint64_t)ftello(t->file);
	return 1;
}

uint64_t npf_trace_packets(const struct npf_trace *t)
{
	return t->packets;
}

uint64_t npf_trace_offset(const struct npf_trace *t)
{
	return t->offset;
}

const char *npf_trace_error(const struct npf_trace *t)
{
	return t->end < 0 ? pcap_geterr(t->pcap) : "";
}

int npf_trace_survey(const char *path, struct npf_trace_survey *s, struct npf_error *err)
{
	struct npf_trace_packet p;
	struct npf_trace *t;
	int rc = npf_trace_open(path, -1, &t, err);

	if (rc < 0)
		return rc;
	*s = (struct npf_trace_survey){.linktype = npf_trace_linktype(t)};
	while ((rc = npf_trace_next(t, &p)) == 1) {
		s->n_packets++;
		s->n_cut += p.caplen < p.len;
		s->longest = NPF_MAX(s->longest, p.caplen);
	}
	if (rc < 0)
		npf_error_set(err, rc, "%.120s: damaged at packet %llu, byte %llu: %s", path,
			(unsigned long long)t->packets + 1, (unsigned long long)t->offset,
			npf_trace_error(t));
	npf_trace_close(t);
	return rc;
}

/* libpcap exports no table: the header of a file that it writes tells. */
uint32_t npf_trace_file_linktype(int dlt)
{
	struct pcap_file_header header = {.linktype = (uint32_t)dlt};
	pcap_t *dead = pcap_open_dead(dlt, 1);
	pcap_dumper_t *dumper = NULL;
	char *bytes = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&bytes, &n);

	if (dead != NULL && f != NULL)
		dumper = pcap_dump_fopen(dead, f);
	if (dumper != NULL)
		pcap_dump_close(dumper);
	else if (f != NULL)
		fclose(f);
	if (dumper != NULL && n >= sizeof(header))
		memcpy(&header, bytes, sizeof(header));
	free(bytes);
	if (dead != NULL)
		pcap_close(dead);
	return header.linktype;
}
