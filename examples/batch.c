/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * batch.c - count packets by ethertype without copying one: usage: batch PORT [SECONDS]
 *
 * npfdp_next_batch() hands out many packets at once, as they lie in the shared buffer. They stay
 * there until the next call, so the loop looks at them and keeps nothing but its counts.
 */
#include <npfdp.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BATCH 256

int main(int argc, char **argv)
{
	static uint64_t by_type[65536];
	struct npfdp_pkt pkts[BATCH];
	char errbuf[PCAP_ERRBUF_SIZE];
	uint64_t n_packets = 0, n_batches = 0, n_lost = 0;
	struct npfdp_stats stats;
	time_t end;
	pcap_t *p;
	int n = 0;

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: batch PORT [SECONDS]\n");
		return 2;
	}
	end = time(NULL) + (argc > 2 ? atoi(argv[2]) : 5);
	p = pcap_open_live(argv[1], 64, 1, 100, errbuf);
	if (p == NULL || !npfdp_is_port(p)) {
		fprintf(stderr, "batch: %s\n", p == NULL ? errbuf : "not a DPDK port");
		return 1;
	}
	/* Look at the clock also when nothing comes. */
	npfdp_set_timeout_returns(p, 1);
	while (time(NULL) < end) {
		n = npfdp_next_batch(p, pkts, BATCH);
		if (n < 0)
			break;
		for (int i = 0; i < n; i++) {
			const uint8_t *data = pkts[i].data;

			n_lost += pkts[i].gap;
			if (pkts[i].caplen >= 14)
				by_type[data[12] << 8 | data[13]]++;
		}
		n_packets += (uint64_t)n;
		n_batches += n > 0;
	}
	if (n < 0)
		fprintf(stderr, "batch: %s\n", pcap_geterr(p));
	for (unsigned int type = 0; type < 65536; type++)
		if (by_type[type] > 0)
			printf("ethertype %04x: %" PRIu64 "\n", type, by_type[type]);
	printf("%" PRIu64 " packets in %" PRIu64 " batches, %" PRIu64 " lost on the way\n",
		n_packets, n_batches, n_lost);
	if (npfdp_stats(p, &stats, sizeof(stats)) == 0)
		printf("port: %" PRIu64 " received, %" PRIu64 " accepted, %" PRIu64 " captured\n",
			stats.received, stats.accepted, stats.captured);
	pcap_close(p);
	return n < 0;
}
