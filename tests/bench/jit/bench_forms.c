/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench_forms.c - the two forms of each filter and the choice between them, on one pinned core.
 *
 * usage: bench_forms [--rounds N] [--cpu N] [--only TEXT]
 *
 * Traffic: one TCP packet repeated; 512 and 2 048 packets in turn, as replays have them, which a
 * branch predictor can learn; and a random mix, which it can't (tools/npf-filter/mix.c).
 *
 * Contenders: the filter as logic, the filter with its branches, and the filter left to choose,
 * which has seen the traffic for some ten million packets before. A round gives each of them the
 * traffic twice, 65 536 packets each time, and times the second: the first trains the predictor
 * anew. The ratio is the choice's time by the better form's, one a round; printed are the least,
 * the median and the greatest. Time is that of the thread on the core.
 */
#include "base/clock.h"
#include "filters.h"
#include "jit/filter.h"
#include "npf-filter/mix.h"

#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BURST      32u
#define MAX_ROUNDS 999
#define SETTLE     160u /* times the traffic: two sweeps of trial lengths */
#define CHOICE     FORM_MAX

struct traffic {
	const char *name;
	uint32_t period; /* packets; 0: as the mix is */
};

static const struct traffic traffics[] = {
	{"one", 1},
	{"512", 512},
	{"2048", 2048},
	{"mix", 0},
};

static unsigned int n_rounds = 31;

static void run(struct npf_filter *f, unsigned int who, const struct mix *m)
{
	for (uint32_t i = 0; i < m->n; i += BURST) {
		if (who == CHOICE)
			npf_filter_run_burst(
				f, m->pkts + i, m->lens + i, m->caplens + i, BURST, m->results + i);
		else
			f->form[who](
				m->pkts + i, m->caplens + i, m->results + i, m->lens + i, BURST);
	}
}

static double time_once(struct npf_filter *f, unsigned int who, const struct mix *m)
{
	uint64_t begin;

	run(f, who, m);
	begin = npf_clock_ns(CLOCK_THREAD_CPUTIME_ID);
	run(f, who, m);
	return (double)(npf_clock_ns(CLOCK_THREAD_CPUTIME_ID) - begin) / m->n;
}

static void bench_one(struct npf_filter *f, const struct traffic *t, const struct mix *m)
{
	static double ns[FORM_MAX + 1][MAX_ROUNDS], ratio[MAX_ROUNDS];
	static const char *const form_names[] = {"logic", "branches"};
	double least;

	for (unsigned int i = 0; i < SETTLE; i++)
		run(f, CHOICE, m);
	for (unsigned int round = 0; round < n_rounds; round++) {
		for (unsigned int who = 0; who <= CHOICE; who++)
			ns[who][round] = time_once(f, who, m);
		least = NPF_MIN(ns[FORM_FLAT][round], ns[FORM_BRANCHING][round]);
		ratio[round] = ns[CHOICE][round] / least;
	}
	median(ratio, n_rounds);
	printf(" | %-5s %6.2f %6.2f %6.2f %5.2f (%.2f-%.2f) %s", t->name,
		median(ns[FORM_FLAT], n_rounds), median(ns[FORM_BRANCHING], n_rounds),
		median(ns[CHOICE], n_rounds), ratio[n_rounds / 2], ratio[0], ratio[n_rounds - 1],
		form_names[atomic_load(&f->adapt.preferred)]);
	fflush(stdout);
}

static void bench_filter(const struct filter *filter)
{
	npf_autofree struct npf_bpf_insn *insns = NULL;
	struct npf_filter *f;
	uint32_t n_insns;

	if (filter_program(filter, &insns, &n_insns) < 0 ||
		npf_filter_compile(insns, n_insns, NULL, &f, NULL) < 0)
		exit(1);
	printf("%-22s", filter->name);
	if (f->n_forms < FORM_MAX) {
		printf(" has one form\n");
		npf_filter_free(f);
		return;
	}
	for (size_t i = 0; i < NPF_ARRAY_LEN(traffics); i++) {
		const struct traffic *t = &traffics[i];
		struct mix m;

		if (mix_init(&m) < 0)
			exit(1);
		if (t->period == 1)
			mix_repeat(&m, mix_find_tcp(&m, 0));
		else if (t->period > 1)
			mix_turn(&m, t->period);
		bench_one(f, t, &m);
		mix_fini(&m);
	}
	printf("\n");
	npf_filter_free(f);
}

int main(int argc, char **argv)
{
	static const struct option longopts[] = {{"rounds", required_argument, NULL, 'r'},
		{"cpu", required_argument, NULL, 'c'}, {"only", required_argument, NULL, 'o'},
		{NULL, 0, NULL, 0}};
	const char *only = NULL;
	cpu_set_t cpus;
	int cpu = -1;
	int c;

	while ((c = getopt_long(argc, argv, "", longopts, NULL)) != -1) {
		if (c == 'r')
			n_rounds = (unsigned int)NPF_MAX(NPF_MIN(atoi(optarg), MAX_ROUNDS), 1);
		else if (c == 'c')
			cpu = atoi(optarg);
		else if (c == 'o')
			only = optarg;
		else
			return 2;
	}
	CPU_ZERO(&cpus);
	CPU_SET((unsigned int)(cpu >= 0 ? cpu : sched_getcpu()), &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
	printf("bursts of %u, %u interleaved rounds, core %d; for each traffic: ns as logic, with "
	       "branches, as chosen; choice by the better form, median (least-greatest); what was "
	       "chosen last\n",
		BURST, n_rounds, sched_getcpu());
	for (size_t i = 0; i < n_filters; i++) {
		if (filters[i].in_mean && (only == NULL || strstr(filters[i].name, only) != NULL))
			bench_filter(&filters[i]);
	}
	return 0;
}
