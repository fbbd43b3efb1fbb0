/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench_filter.c - the filter machine against its peers, in one process on one pinned core.
 *
 * usage: bench_filter [--rounds N] [--cpu N] [--only TEXT] [--one]
 *
 * Peers: libpcap's bpf_filter(); DPDK's rte_bpf JIT, where this was built with DPDK and where it
 * gives the right results; the same classic BPF translated to C line by line and compiled
 * by `gcc -O3 -march=native` when the benchmark runs, called once a packet through a pointer
 * ("gcc"), and with the loop over the burst compiled around it, so that it is inlined
 * ("gcc-burst").
 *
 * Traffic: tools/npf-filter/mix.c, 65 536 packets in random order, and one packet repeated (--one).
 * Rounds of all contenders are interleaved and each round gives one ratio; printed are the least,
 * the median and the greatest. Time is that of the thread on the core, so what runs beside does not
 * count. Every contender's results are compared with bpf_filter()'s.
 */
#include "peers.h"
#include "base/clock.h"
#include "filters.h"
#include "jit/bpf.h"
#include "npf-filter/mix.h"

#include <getopt.h>
#include <math.h>
#include <pcap/pcap.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#define BURST      32u
#define MAX_ROUNDS 999

enum {
	OURS,
	PCAP,
	GCC,
	GCC_BURST,
	RTE,
	N_CONTENDERS
};
static const char *const names[N_CONTENDERS] = {"npf", "bpf_filter", "gcc", "gcc-burst", "rte_bpf"};

static unsigned int n_rounds = 41;

struct run {
	const struct npf_bpf_insn *insns;
	uint32_t n_insns;
	struct npf_filter *f;
	struct peer_gcc *gcc;
	struct peer_rte *rte;
	uint32_t *expected;
};

static void run_once(struct run *r, unsigned int who, const struct mix *m)
{
	switch (who) {
	case OURS:
		for (uint32_t i = 0; i < m->n; i += BURST)
			npf_filter_run_burst(r->f, m->pkts + i, m->lens + i, m->caplens + i, BURST,
				m->results + i);
		return;
	case PCAP:
		for (uint32_t i = 0; i < m->n; i++)
			m->results[i] = bpf_filter((const struct bpf_insn *)r->insns, m->pkts[i],
				m->lens[i], m->caplens[i]);
		return;
	case GCC:
		for (uint32_t i = 0; i < m->n; i++)
			m->results[i] = peer_gcc_run(r->gcc, m->pkts[i], m->lens[i], m->caplens[i]);
		return;
	case GCC_BURST:
		for (uint32_t i = 0; i < m->n; i += BURST)
			peer_gcc_burst(r->gcc, m->pkts + i, m->lens + i, m->caplens + i, BURST,
				m->results + i);
		return;
	default:
		peer_rte_run(r->rte, m->results);
		return;
	}
}

static bool is_there(const struct run *r, unsigned int who)
{
	return who == OURS || who == PCAP || (who == RTE ? r->rte != NULL : r->gcc != NULL);
}

static double time_once(struct run *r, unsigned int who, const struct mix *m)
{
	const uint64_t begin = npf_clock_ns(CLOCK_THREAD_CPUTIME_ID);

	run_once(r, who, m);
	return (double)(npf_clock_ns(CLOCK_THREAD_CPUTIME_ID) - begin) / m->n;
}

/* In a child, since what rte_bpf makes of some programs crashes. */
static bool rte_is_right(struct run *r, const struct mix *m)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		run_once(r, RTE, m);
		_exit(memcmp(m->results, r->expected, m->n * sizeof(*m->results)) != 0);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static void check(struct run *r, const struct mix *m)
{
	run_once(r, PCAP, m);
	memcpy(r->expected, m->results, m->n * sizeof(*m->results));
	if (r->rte != NULL && !rte_is_right(r, m)) {
		peer_rte_free(r->rte);
		r->rte = NULL;
	}
	for (unsigned int who = 0; who < N_CONTENDERS; who++) {
		if (!is_there(r, who))
			continue;
		memset(m->results, 0xee, m->n * sizeof(*m->results));
		run_once(r, who, m);
		if (memcmp(m->results, r->expected, m->n * sizeof(*m->results)) == 0)
			continue;
		fprintf(stderr, "%s gives wrong results\n", names[who]);
		exit(1);
	}
}

struct mean {
	double log_sum[N_CONTENDERS];
	unsigned int n[N_CONTENDERS];
};

static void bench_one(const struct filter *f, const struct mix *m, struct mean *mean)
{
	static double ns[N_CONTENDERS][MAX_ROUNDS], ratio[N_CONTENDERS][MAX_ROUNDS], us[MAX_ROUNDS];
	struct npf_bpf_insn *insns = NULL;
	struct run r = {.expected = malloc(m->n * sizeof(*r.expected))};
	uint32_t accepted = 0;
	unsigned int n;

	if (filter_program(f, &insns, &r.n_insns) < 0)
		exit(1);
	r.insns = insns;
	for (unsigned int i = 0; i < 21; i++) {
		const uint64_t begin = npf_clock_ns(CLOCK_THREAD_CPUTIME_ID);

		npf_filter_free(r.f);
		if (npf_filter_compile(r.insns, r.n_insns, NULL, &r.f, NULL) < 0)
			exit(1);
		us[i] = (double)(npf_clock_ns(CLOCK_THREAD_CPUTIME_ID) - begin) / NPF_NS_PER_US;
	}
	/* The long lists take peers milliseconds a round, and gcc minutes to compile. */
	n = r.n_insns > 1000 ? NPF_MAX(n_rounds / 4, 3u) : n_rounds;
	if (r.n_insns < 5000)
		r.gcc = peer_gcc_new(r.insns, r.n_insns);
	r.rte = peer_rte_new(r.insns, r.n_insns, m->pkts, m->lens, m->caplens, m->n);
	check(&r, m);
	for (uint32_t i = 0; i < m->n; i++)
		accepted += r.expected[i] != 0;
	for (unsigned int round = 0; round < n; round++) {
		for (unsigned int who = 0; who < N_CONTENDERS; who++) {
			if (is_there(&r, who))
				ns[who][round] = time_once(&r, who, m);
			ratio[who][round] = ns[who][round] / ns[OURS][round];
		}
	}
	printf("%-22s %5u %5.1f%% %7.1f %6.2f", f->name, r.n_insns, 100.0 * accepted / m->n,
		median(us, 21), median(ns[OURS], n));
	for (unsigned int who = PCAP; who < N_CONTENDERS; who++) {
		double mid;

		if (!is_there(&r, who)) {
			printf(" |%29s", who == RTE ? "wrong or refused" : "-");
			continue;
		}
		mid = median(ratio[who], n);
		printf(" | %6.2f %5.2f (%5.2f-%6.2f)", median(ns[who], n), mid, ratio[who][0],
			ratio[who][n - 1]);
		if (f->in_mean) {
			mean->log_sum[who] += log(mid);
			mean->n[who]++;
		}
	}
	printf("\n");
	fflush(stdout);
	npf_filter_free(r.f);
	peer_gcc_free(r.gcc);
	peer_rte_free(r.rte);
	free(r.expected);
	free(insns);
}

int main(int argc, char **argv)
{
	static const struct option longopts[] = {{"rounds", required_argument, NULL, 'r'},
		{"cpu", required_argument, NULL, 'c'}, {"only", required_argument, NULL, 'o'},
		{"one", no_argument, NULL, '1'}, {NULL, 0, NULL, 0}};
	struct mean mean = {.n = {0}};
	const char *only = NULL;
	bool one = false;
	struct mix m;
	cpu_set_t cpus;
	int cpu = -1;
	int c;

	while ((c = getopt_long(argc, argv, "", longopts, NULL)) != -1) {
		if (c == 'r')
			n_rounds = (unsigned int)NPF_MIN(atoi(optarg), MAX_ROUNDS);
		else if (c == 'c')
			cpu = atoi(optarg);
		else if (c == 'o')
			only = optarg;
		else if (c == '1')
			one = true;
		else
			return 2;
	}
	CPU_ZERO(&cpus);
	CPU_SET((unsigned int)(cpu >= 0 ? cpu : sched_getcpu()), &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
	if (mix_init(&m) < 0)
		return 1;
	if (one)
		mix_repeat(&m, mix_find_tcp(&m, 0));
	printf("%s, %u packets, bursts of %u, %u interleaved rounds, core %d\n",
		one ? "one TCP packet repeated" : "mixed traffic", m.n, BURST, n_rounds,
		sched_getcpu());
	printf("%-22s %5s %6s %7s %6s", "filter", "insns", "pass", "us", "ns");
	for (unsigned int who = PCAP; who < N_CONTENDERS; who++)
		printf(" | %-10s ns, times npf's ", names[who]);
	printf("\n");
	for (size_t i = 0; i < n_filters; i++) {
		if (only == NULL || strstr(filters[i].name, only) != NULL)
			bench_one(&filters[i], &m, &mean);
	}
	printf("geometric mean of the medians, the first to `40 hosts':");
	for (unsigned int who = PCAP; who < N_CONTENDERS; who++) {
		if (mean.n[who] > 0)
			printf(" %s %.2f (%u)", names[who], exp(mean.log_sum[who] / mean.n[who]),
				mean.n[who]);
	}
	printf("\n");
	mix_fini(&m);
	return 0;
}
