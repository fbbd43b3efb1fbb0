/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench.c - how long a filter takes: ns a packet for each back end, and to compile.
 *
 * Rounds of all contenders are interleaved, so that what else the machine does hits all alike, and
 * the least, the median and the greatest round are printed. A round runs all packets in bursts
 * of 32, timed by the clock of the thread. Packets of a savefile are repeated up to a few ten
 * thousand.
 */
#include "npf-filter/npf-filter.h"
#include "npf-filter/mix.h"
#include "base/clock.h"

#include <stdio.h>
#include <string.h>

#define ROUNDS      31
#define BURST       32u
#define MIN_PACKETS 65536u
#define MAX_BYTES   (256u << 20)

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

static double time_round(const struct contender *c, const struct program *prog, const struct mix *m)
{
	const uint64_t begin = npf_clock_ns(CLOCK_THREAD_CPUTIME_ID);

	for (uint32_t i = 0; i < m->n; i += BURST) {
		const struct packets burst = {
			m->pkts + i, m->lens + i, m->caplens + i, NPF_MIN(BURST, m->n - i)};

		contender_run(c, prog, &burst, m->results + i);
	}
	return (double)(npf_clock_ns(CLOCK_THREAD_CPUTIME_ID) - begin) / m->n;
}

static void bench_packets(const char *what, const struct program *prog, const struct mix *m,
	const struct contenders *c)
{
	double ns[MAX_CONTENDERS][ROUNDS];
	uint32_t accepted = 0;

	for (unsigned int r = 0; r < ROUNDS; r++) {
		for (unsigned int i = 0; i < c->n; i++)
			ns[i][r] = time_round(&c->list[i], prog, m);
	}
	for (uint32_t i = 0; i < m->n; i++)
		accepted += m->results[i] != 0;
	printf("%s: %u packets, %.1f %% accepted\n", what, m->n, 100.0 * accepted / m->n);
	for (unsigned int i = 0; i < c->n; i++) {
		qsort(ns[i], ROUNDS, sizeof(ns[i][0]), by_value);
		printf("  %-8s %7.2f ns a packet (%.2f to %.2f)\n", c->list[i].name,
			ns[i][ROUNDS / 2], ns[i][0], ns[i][ROUNDS - 1]);
	}
}

static int bench_compile(const struct options *o, const struct program *prog)
{
	const struct npf_filter_opts opts = {
		.backend = o->backend, .aux = prog->aux, .loose = true};
	double us[ROUNDS];

	for (unsigned int r = 0; r < ROUNDS; r++) {
		const uint64_t begin = npf_clock_ns(CLOCK_THREAD_CPUTIME_ID);
		struct npf_filter *f;

		if (npf_filter_compile(prog->insns, prog->n, &opts, &f, NULL) < 0)
			return print_error("out of memory");
		us[r] = (double)(npf_clock_ns(CLOCK_THREAD_CPUTIME_ID) - begin) / NPF_NS_PER_US;
		npf_filter_free(f);
	}
	qsort(us, ROUNDS, sizeof(us[0]), by_value);
	printf("compiling %u instructions: %.1f us (%.1f to %.1f)\n", prog->n, us[ROUNDS / 2],
		us[0], us[ROUNDS - 1]);
	return 0;
}

/* All packets of the file, over and over until there are enough for a round. */
int read_packets(const struct options *o, pcap_t *p, struct mix *m)
{
	struct pcap_pkthdr *hdr;
	const uint8_t *bytes;
	size_t used = 0, cap = 0;
	uint32_t n = 0, room = 0;
	size_t *at = NULL;
	int got;
	int rc = 0;

	*m = (struct mix){0};
	while (rc == 0 && (got = pcap_next_ex(p, &hdr, &bytes)) == 1) {
		if (used + hdr->caplen > cap) {
			cap = 2 * cap + hdr->caplen + 65536;
			m->bytes = realloc(m->bytes, cap);
		}
		if (n == room) {
			room = 2 * room + MIN_PACKETS;
			at = realloc(at, room * sizeof(*at));
			m->lens = realloc(m->lens, room * sizeof(*m->lens));
			m->caplens = realloc(m->caplens, room * sizeof(*m->caplens));
		}
		if (m->bytes == NULL || at == NULL || m->lens == NULL || m->caplens == NULL) {
			rc = print_error("out of memory");
			break;
		}
		memcpy(m->bytes + used, bytes, hdr->caplen);
		at[n] = used;
		m->lens[n] = hdr->len;
		m->caplens[n++] = hdr->caplen;
		used += hdr->caplen;
		if (used > MAX_BYTES)
			break;
	}
	if (rc == 0 && got == PCAP_ERROR)
		rc = print_error("%s: %s", o->savefile, pcap_geterr(p));
	else if (rc == 0 && n == 0)
		rc = print_error("%s: there are no packets in it", o->savefile);
	if (rc == 0) {
		m->n = NPF_MAX(n, MIN_PACKETS);
		m->pkts = malloc(m->n * sizeof(*m->pkts));
		m->results = calloc(m->n, sizeof(*m->results));
		if (m->pkts == NULL || m->results == NULL)
			rc = print_error("out of memory");
	}
	for (uint32_t i = 0; rc == 0 && i < m->n; i++) {
		m->pkts[i] = m->bytes + at[i % n];
		m->lens[i] = m->lens[i % n];
		m->caplens[i] = m->caplens[i % n];
	}
	free(at);
	return rc;
}

int bench(
	const struct options *o, pcap_t *p, const struct program *prog, const struct contenders *c)
{
	struct mix m;
	int rc;

	if (p != NULL) {
		rc = read_packets(o, p, &m);
		if (rc == 0)
			bench_packets(o->savefile, prog, &m, c);
	} else if (o->linktype != DLT_EN10MB) {
		return print_error("the mix is Ethernet: give packets of link type %s with -r",
			pcap_datalink_val_to_name(o->linktype));
	} else {
		rc = mix_init(&m) < 0 ? print_error("out of memory") : 0;
		if (rc == 0) {
			bench_packets("mixed traffic", prog, &m, c);
			mix_repeat(&m, mix_find_tcp(&m, 0));
			bench_packets("one TCP packet, repeated", prog, &m, c);
		}
	}
	if (rc == 0)
		rc = bench_compile(o, prog);
	mix_fini(&m);
	return rc;
}
