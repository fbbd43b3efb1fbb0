/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * live_dump.c - pcap_live_dump(): WinPcap's manual has it, no WinPcap ever had it.
 *
 * The program opens the file, so it is made with the program's rights; the daemon fills it with
 * what the handle's filter accepts. Limits are exact: not a byte over maxsize, file header
 * included, and maxpacks to the packet.
 */
#include "api/handle.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define CLOSE_TIMEOUT_MS 5000

void npf_handle_end_dump(struct npf_handle *h)
{
	struct npf_error err;

	if (h->dump_fd < 0)
		return;
	/* Whoever closes a handle expects to find the file whole. */
	if (h->dump_pid == getpid() && npf_client_dump_stop(h->client, &err) == 0)
		npf_client_dump_wait(h->client, h->dump_fd, CLOSE_TIMEOUT_MS);
	h->dump_fd = npf_close(h->dump_fd);
	h->mode &= ~MODE_DUMP;
}

int64_t npf_handle_dump_offset(struct npf_handle *h)
{
	struct npf_wire_dump_status st;
	struct npf_error err;

	if (h->dump_fd >= 0 && npf_client_dump_status(h->client, &st, &err) == 0)
		h->dump_offset = (int64_t)st.bytes;
	return h->dump_offset;
}

/* Room for another dump: the last one, if any, has ended, and its file is whole. */
static int settle_last(struct npf_handle *h)
{
	struct npf_wire_dump_status st;
	struct npf_error err;
	int rc;

	if (h->dump_fd < 0)
		return 0;
	if (npf_client_dump_status(h->client, &st, &err) == 0 && st.ended == 0)
		return npf_handle_error(h, "a dump is running on this handle already");
	do
		rc = npf_client_dump_wait(h->client, h->dump_fd, CLOSE_TIMEOUT_MS);
	while (rc == -EINTR);
	return rc != 0 ? 0
		       : npf_handle_error(h,
				 "the last dump of this handle has ended, but the disk has not "
				 "taken all of it yet");
}

/* The program's file, opened with its rights. Not emptied here: the daemon does so when it has
 * accepted. Return: a descriptor, or a pcap error. */
static int open_file(struct npf_handle *h, const char *file)
{
	struct stat st;
	int fd;

	if (stat(file, &st) == 0 && !S_ISREG(st.st_mode))
		return npf_handle_error(
			h, "%s: a dump goes into a regular file, and this is none", file);
	fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	return fd >= 0 ? fd : npf_handle_error(h, "%s: %s", file, strerror(errno));
}

int pcap_live_dump(pcap_t *p, char *file, int maxsize, int maxpacks)
{
	struct npf_handle *h = npf_handle_of(p);
	struct npf_client_dump conf = {.fd = -1};
	struct npf_error err;
	npf_autofd int fd = -1;
	int done;

	if (h == NULL)
		return PCAP_ERROR;
	if (h->client == NULL)
		return npf_handle_inactive(h);
	if (maxsize < 0 || maxpacks < 0)
		return npf_handle_error(h, "a limit of %d makes no sense; 0 is none",
			maxsize < 0 ? maxsize : maxpacks);
	if (settle_last(h) < 0)
		return PCAP_ERROR;
	fd = open_file(h, file);
	if (fd < 0)
		return fd;
	conf.fd = fd;
	conf.nanoseconds = h->precision == PCAP_TSTAMP_PRECISION_NANO;
	conf.max_size = (uint64_t)maxsize;
	conf.max_packets = (uint64_t)maxpacks;
	if (npf_client_dump(h->client, &conf, &done, &err) < 0)
		return npf_handle_error(h, "%s: %s", file, err.text);
	npf_close(h->dump_fd);
	h->dump_fd = done;
	h->dump_offset = 0;
	h->dump_pid = getpid();
	h->mode |= MODE_DUMP;
	return 0;
}

int pcap_live_dump_ended(pcap_t *p, int sync)
{
	struct npf_handle *h = npf_handle_of(p);
	int rc;

	if (h == NULL)
		return PCAP_ERROR;
	if (h->client == NULL)
		return npf_handle_inactive(h);
	if (h->dump_fd < 0)
		return npf_handle_error(h, "no dump was started on this handle");
	do
		rc = npf_client_dump_wait(h->client, h->dump_fd, sync != 0 ? -1 : 0);
	while (rc == -EINTR);
	if (rc == -EPIPE)
		return npf_handle_error(h, "the npf-dpdk daemon has gone away");
	return rc < 0 ? npf_handle_error(h, "%s", strerror(-rc)) : rc;
}
