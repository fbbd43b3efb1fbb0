/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * play.c - send a savefile through a port: usage: play [-s] FILE PORT [TIMES]
 *
 * The packets are collected in a send queue first, as WinPcap's sendcap does, and then sent in one
 * call: as fast as the port takes them, or, with -s, with the distances of their time stamps. The
 * queue is sized by the file, whose packet headers have 16 bytes: that is enough here, too.
 */
#include <Win32-Extensions.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* The whole file as a queue, NULL when it can't be read. */
static pcap_send_queue *load(const char *path, unsigned int *n_packets)
{
	char errbuf[PCAP_ERRBUF_SIZE];
	struct pcap_pkthdr *hdr;
	const unsigned char *data;
	pcap_send_queue *queue;
	struct stat st;
	pcap_t *file;

	file = pcap_open_offline(path, errbuf);
	if (file == NULL || stat(path, &st) < 0) {
		fprintf(stderr, "play: %s\n", errbuf);
		return NULL;
	}
	queue = pcap_sendqueue_alloc((unsigned int)st.st_size - 24);
	while (queue != NULL && pcap_next_ex(file, &hdr, &data) == 1) {
		if (pcap_sendqueue_queue(queue, hdr, data) < 0) {
			fprintf(stderr, "play: the queue is too small\n");
			break;
		}
		++*n_packets;
	}
	pcap_close(file);
	return queue;
}

int main(int argc, char **argv)
{
	int sync = argc > 1 && strcmp(argv[1], "-s") == 0;
	char errbuf[PCAP_ERRBUF_SIZE];
	unsigned int n_packets = 0, sent = 0;
	pcap_send_queue *queue;
	double start;
	pcap_t *port;
	int times;
	int status;

	argc -= sync;
	argv += sync;
	if (argc < 3 || argc > 4) {
		fprintf(stderr, "usage: play [-s] FILE PORT [TIMES]\n");
		return 2;
	}
	times = argc > 3 ? atoi(argv[3]) : 1;
	queue = load(argv[1], &n_packets);
	if (queue == NULL)
		return 1;
	port = pcap_open(argv[2], 65536, PCAP_OPENFLAG_NOCAPTURE_LOCAL, 1000, NULL, errbuf);
	if (port == NULL) {
		fprintf(stderr, "play: %s\n", errbuf);
		return 1;
	}
	start = now();
	for (int i = 0; i < times; i++) {
		sent = pcap_sendqueue_transmit(port, queue, sync);
		if (sent < queue->len) {
			fprintf(stderr, "play: %s after %u of %u bytes\n", pcap_geterr(port), sent,
				queue->len);
			break;
		}
	}
	if (sent == queue->len)
		printf("%u packets, %d times, in %.3f s\n", n_packets, times, now() - start);
	status = sent < queue->len;
	pcap_sendqueue_destroy(queue);
	pcap_close(port);
	return status;
}
