/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_polling.c - programs with timers: they wait for the descriptor for a while, read one packet
 * when it is readable, and do their own work when it is not. So a read after `readable` may not
 * block, and the descriptor may not be readable when nothing is there.
 */
#include "contract.h"
#include "one_packet.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#define SOON_MS  5000 /* what must come comes within this time */
#define QUIET_MS 100  /* what must not come has not come after this time */

static pcap_t *handle;

static void end_it(int sig)
{
	(void)sig;
	pcap_breakloop(handle);
}

/* A read that blocks is ended, and gives PCAP_ERROR_BREAK. */
static void guard(bool on)
{
	struct itimerval soon = {.it_value.tv_sec = on ? 2 : 0};
	struct sigaction act = {.sa_handler = end_it, .sa_flags = SA_RESTART};

	sigaction(SIGALRM, &act, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
}

struct way {
	const char *name;
	int (*read)(pcap_t *p);
};

static const struct way ways[] = {
	{"next_ex", by_next_ex},
	{"next", by_next},
	{"dispatch of 1", by_dispatch},
};

static int read_by(const struct way *way)
{
	int rc;

	guard(true);
	rc = way->read(handle);
	guard(false);
	return rc;
}

static int open_handle(int timeout_ms, int immediate)
{
	handle = pcap_create(device, errbuf);
	if (handle == NULL)
		give_up(errbuf);
	pcap_set_snaplen(handle, 65535);
	pcap_set_promisc(handle, 1);
	pcap_set_timeout(handle, timeout_ms);
	pcap_set_immediate_mode(handle, immediate);
	activated(handle);
	only_ours(handle);
	/* What a fresh filter lets pass in user space is over. */
	warm_up(handle);
	pcap_setnonblock(handle, 0, errbuf);
	return pcap_get_selectable_fd(handle);
}

/* One packet now and then: one read each, and the timer fires between them. */
static void one_at_a_time(const struct way *way, int fd)
{
	for (int i = 0; i < 2; i++) {
		wire_send(1, 100, 1);
		finding("one packet: readable", "%d", is_readable(fd, SOON_MS));
		finding("one packet: read", "%s: %d", way->name, read_by(way));
		finding("one packet: the timer fires", "%d", !is_readable(fd, QUIET_MS));
	}
}

/* Three at once, each read by itself: readable until the last one is out. */
static void three_at_once(const struct way *way, int fd)
{
	wire_send(3, 100, 1);
	for (int i = 0; i < 3; i++) {
		finding("three packets: readable", "%d", is_readable(fd, SOON_MS));
		finding("three packets: read", "%s: %d", way->name, read_by(way));
	}
	finding("three packets: the timer fires", "%d", !is_readable(fd, QUIET_MS));
}

static void new_filter(void)
{
	filter(handle, "ether proto 0x88b5 and ether[20] == 9");
}

static void new_direction(void)
{
	if (pcap_setdirection(handle, PCAP_D_OUT) < 0)
		give_up(pcap_geterr(handle));
}

static void old_direction(void)
{
	if (pcap_setdirection(handle, PCAP_D_INOUT) < 0)
		give_up(pcap_geterr(handle));
}

/* What is there is rejected by what was set since: the read ends with nothing. */
static void all_rejected(
	const char *by, void (*set)(void), void (*unset)(void), const struct way *way, int fd)
{
	wire_send(2, 100, 1);
	finding("rejected: readable", "%d", is_readable(fd, SOON_MS));
	usleep(QUIET_MS * 1000); /* both are there */
	set();
	finding("rejected: read", "%s, %s: %d", by, way->name, read_by(way));
	/* The genuine library passes over one packet a read, or over a block. */
	for (int i = 0; i < 3 && is_readable(fd, QUIET_MS); i++)
		if (read_by(way) != 0)
			finding("rejected: read again", "not 0");
	finding("rejected: the timer fires", "%d", !is_readable(fd, QUIET_MS));
	unset();
	wire_send(1, 100, 9);
	finding("after that: readable", "%d", is_readable(fd, SOON_MS));
	finding("after that: read", "%d", read_by(way));
}

static void nothing_to_undo(void)
{
}

void contract_polling(void)
{
	static const int timeouts[] = {20, 1000};

	for (int mode = 0; mode < 2; mode++) {
		int fd = open_handle(timeouts[mode], mode);

		finding("polling", "%s", mode != 0 ? "immediate" : "by the timeout");
		for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
			one_at_a_time(&ways[i], fd);
			three_at_once(&ways[i], fd);
		}
		for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
			all_rejected("by direction", new_direction, old_direction, &ways[i], fd);
			all_rejected("by filter", new_filter, nothing_to_undo, &ways[i], fd);
			only_ours(handle);
			warm_up(handle);
			pcap_setnonblock(handle, 0, errbuf);
		}
		pcap_close(handle);
	}
}
