/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench_dumper.c [FILE] - nanoseconds that a program spends in pcap_dump() for each packet: the
 * real libpcap's and ours, in turn. FILE is /dev/null unless given.
 */
#include "npfdp.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define N_ROUNDS  11
#define N_PACKETS 2000000

typedef void dump_fn(u_char *, const struct pcap_pkthdr *, const u_char *);

static struct api {
	const char *name;
	pcap_dumper_t *(*open)(pcap_t *, const char *);
	dump_fn *dump;
	void (*close)(pcap_dumper_t *);
	pcap_t *(*open_dead)(int, int);
	double ns[N_ROUNDS];
} real = {.name = "libpcap"},
  ours = {"libnpfdp", pcap_dump_open, pcap_dump, pcap_dump_close, pcap_open_dead, {0}};

static void run(struct api *api, int round, const char *path, unsigned int len)
{
	static const u_char data[2048];
	struct pcap_pkthdr hdr = {.caplen = len, .len = len};
	pcap_dumper_t *d = api->open(api->open_dead(DLT_EN10MB, 65535), path);
	struct timespec from, to;

	if (d == NULL) {
		fprintf(stderr, "%s can't be written\n", path);
		exit(1);
	}
	clock_gettime(CLOCK_MONOTONIC, &from);
	for (int i = 0; i < N_PACKETS; i++) {
		hdr.ts.tv_usec = i % 1000000;
		api->dump((u_char *)d, &hdr, data);
	}
	api->close(d);
	clock_gettime(CLOCK_MONOTONIC, &to);
	api->ns[round] =
		((to.tv_sec - from.tv_sec) * 1e9 + (to.tv_nsec - from.tv_nsec)) / N_PACKETS;
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void print(const struct api *api, unsigned int len, double ratio)
{
	printf("%-9s %5u bytes %8.2f %8.2f %8.2f   %.2f\n", api->name, len, api->ns[0],
		api->ns[N_ROUNDS / 2], api->ns[N_ROUNDS - 1], ratio);
}

int main(int argc, char **argv)
{
	static const unsigned int lengths[] = {64, 512, 1514};
	void *lib = dlopen(npfdp_libpcap(), RTLD_NOW | RTLD_LOCAL);

	real.open = dlsym(lib, "pcap_dump_open");
	real.dump = dlsym(lib, "pcap_dump");
	real.close = dlsym(lib, "pcap_dump_close");
	real.open_dead = dlsym(lib, "pcap_open_dead");
	printf("nanoseconds a packet, min median max; how many times the real one takes\n");
	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		for (int round = 0; round < N_ROUNDS; round++) {
			run(&real, round, argc > 1 ? argv[1] : "/dev/null", lengths[i]);
			run(&ours, round, argc > 1 ? argv[1] : "/dev/null", lengths[i]);
		}
		qsort(real.ns, N_ROUNDS, sizeof(*real.ns), compare);
		qsort(ours.ns, N_ROUNDS, sizeof(*ours.ns), compare);
		print(&real, lengths[i], 1);
		print(&ours, lengths[i], real.ns[N_ROUNDS / 2] / ours.ns[N_ROUNDS / 2]);
	}
	return 0;
}
