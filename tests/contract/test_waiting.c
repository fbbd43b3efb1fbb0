/* SPDX-License-Identifier: BSD-3-Clause */
/* test_waiting.c - how long a read waits, and for what. Times are judged with a wide margin. */
#include "contract.h"

#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

static void count(u_char *user, const struct pcap_pkthdr *hdr, const u_char *data)
{
	(void)hdr;
	(void)data;
	++*(int *)user;
}

static pcap_t *handle;

static void stop(int sig)
{
	(void)sig;
	pcap_breakloop(handle);
}

static void after(int ms)
{
	struct itimerval soon = {
		.it_value = {.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000},
	};
	struct sigaction act = {.sa_handler = stop, .sa_flags = SA_RESTART};

	sigaction(SIGALRM, &act, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
}

static pcap_t *with_timeout(int ms, int immediate)
{
	pcap_t *p = pcap_create(device, errbuf);

	pcap_set_snaplen(p, 65535);
	pcap_set_promisc(p, 1);
	pcap_set_timeout(p, ms);
	pcap_set_immediate_mode(p, immediate);
	activated(p);
	only_ours(p);
	return p;
}

/* With nothing to deliver a read goes on waiting past its timeout. */
static void past_the_timeout(void)
{
	static const int timeouts[] = {20, 0};

	for (int i = 0; i < 2; i++) {
		uint64_t start = now_ms();
		int n = 0, rc;

		handle = with_timeout(timeouts[i], 0);
		after(300);
		rc = pcap_dispatch(handle, -1, count, (u_char *)&n);
		finding("timeout with nothing there: dispatch", "%d", rc);
		finding("timeout with nothing there: waited on", "%d", now_ms() - start >= 280);
		pcap_close(handle);
	}
}

/* A packet that is alone comes by the timeout, at the latest. */
static void by_the_timeout(void)
{
	static const int timeouts[] = {300, 20};

	for (int i = 0; i < 2; i++) {
		uint64_t start;
		int n = 0, fd;

		handle = with_timeout(timeouts[i], 0);
		fd = pcap_get_selectable_fd(handle);
		pcap_setnonblock(handle, 1, errbuf);
		usleep(50000);
		start = now_ms();
		wire_send(1, 100, 1);
		finding("one packet: readable", "%d", is_readable(fd, 5000));
		finding("one packet: soon after the timeout", "%d",
			now_ms() - start <= (uint64_t)timeouts[i] + 2500);
		finding("one packet: dispatch", "%d",
			pcap_dispatch(handle, -1, count, (u_char *)&n));
		pcap_close(handle);
	}
}

static void *send_later(void *arg)
{
	usleep(100000);
	wire_send(*(unsigned int *)arg, 100, 1);
	return NULL;
}

static void blocked_reads(void)
{
	unsigned int one = 1;
	uint64_t start;
	pthread_t thread;
	int n = 0;

	handle = with_timeout(10000, 1);
	start = now_ms();
	pthread_create(&thread, NULL, send_later, &one);
	finding("immediate mode: dispatch", "%d", pcap_dispatch(handle, -1, count, (u_char *)&n));
	finding("immediate mode: at once", "%d", now_ms() - start < 1500);
	pthread_join(thread, NULL);
	pcap_close(handle);

	handle = with_timeout(200, 0);
	pthread_create(&thread, NULL, send_later, &one);
	finding("blocked loop of 1", "%d", pcap_loop(handle, 1, count, (u_char *)&n));
	pthread_join(thread, NULL);
	pcap_close(handle);
}

void contract_waiting(void)
{
	past_the_timeout();
	by_the_timeout();
	blocked_reads();
}
