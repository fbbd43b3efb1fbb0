/* SPDX-License-Identifier: BSD-3-Clause */
/* set_bench.c - see set_bench.h */
#include "set_bench.h"

#include <pcap/pcap.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int set_bench_make(void **state)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct bench *b = calloc(1, sizeof(*b));

	b->room = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (b->room == MAP_FAILED || mprotect(b->room + 2 * page, page, PROT_NONE) < 0)
		return -1;
	b->end = b->room + 2 * page;
	*state = b;
	return 0;
}

int set_bench_unmake(void **state)
{
	struct bench *b = *state;

	for (unsigned int i = 0; i < b->n; i++) {
		npf_filter_free(b->filters[i]);
		free(b->insns[i]);
	}
	munmap(b->room, 3 * (size_t)sysconf(_SC_PAGESIZE));
	free(b);
	return 0;
}

void set_bench_add_insns(struct bench *b, const struct npf_bpf_insn *insns, uint32_t n)
{
	const struct npf_filter_opts opts = {.backend = NPF_BACKEND_INTERP, .loose = true};
	const unsigned int i = b->n++;

	b->insns[i] = malloc(n * sizeof(*insns));
	memcpy(b->insns[i], insns, n * sizeof(*insns));
	assert_int_equal(npf_filter_compile(insns, n, &opts, &b->filters[i], NULL), 0);
	b->members[i] = (struct npf_filter_set_member){
		.insns = b->insns[i], .n_insns = n, .filter = b->filters[i]};
}

void set_bench_add(struct bench *b, const char *expr)
{
	pcap_t *p = pcap_open_dead(DLT_EN10MB, 262144);
	struct bpf_program prog;

	if (pcap_compile(p, &prog, expr, 1, PCAP_NETMASK_UNKNOWN) != 0)
		fail_msg("%s: %s", expr, pcap_geterr(p));
	set_bench_add_insns(b, (const struct npf_bpf_insn *)prog.bf_insns, prog.bf_len);
	pcap_freecode(&prog);
	pcap_close(p);
}

/* An IPv4 packet of TCP, whose header has so many words. */
void set_bench_write_tcp(
	uint8_t *p, uint32_t src, uint32_t dst, uint32_t sport, uint32_t dport, uint32_t words)
{
	uint8_t *l4 = p + 14 + 4 * words;

	memset(p, 0, 120);
	p[12] = 8;
	p[14] = (uint8_t)(0x40 | words);
	p[23] = 6;
	for (unsigned int i = 0; i < 4; i++) {
		p[26 + i] = (uint8_t)(src >> (24 - 8 * i));
		p[30 + i] = (uint8_t)(dst >> (24 - 8 * i));
	}
	l4[0] = (uint8_t)(sport >> 8);
	l4[1] = (uint8_t)sport;
	l4[2] = (uint8_t)(dport >> 8);
	l4[3] = (uint8_t)dport;
	l4[13] = 2;
}

/* Every kernel must give the interpreter's verdicts on the packets, in bursts of n. */
static void run_kernel(struct bench *b, enum npf_filter_set_kernel kernel, uint32_t n)
{
	const struct npf_filter_set_opts opts = {.kernel = kernel, .always = true};
	struct npf_filter_set *set = NULL;
	struct npf_filter_set_scratch *sc;
	const uint32_t *planes;
	int rc = npf_filter_set_new(b->members, b->n, &opts, &set);

	if (rc == -ENOTSUP)
		return;
	assert_int_equal(rc, 0);
	npf_filter_set_explain(set, &b->facts);
	assert_int_equal(b->facts.kernel, kernel);
	for (unsigned int m = 0; m < b->n; m++)
		b->fit[m] = npf_filter_set_fit(set, m);
	sc = npf_filter_set_scratch_new(set);
	assert_non_null(sc);
	for (uint32_t from = 0; from < b->n_pkts; from += n) {
		const uint32_t now = NPF_MIN(n, b->n_pkts - from);

		planes = npf_filter_set_run(
			set, sc, b->pkts + from, b->lens + from, b->caplens + from, now);
		for (unsigned int m = 0; m < b->n; m++) {
			const uint32_t *row = npf_filter_set_row(set, sc, m);

			assert_true(now == 32 || planes[m] >> now == 0);
			for (uint32_t i = 0; i < now; i++) {
				const uint32_t want =
					npf_bpf_interpret(b->insns[m], b->pkts[from + i],
						b->lens[from + i], b->caplens[from + i], NULL);
				const bool accepts = (planes[m] >> i & 1) != 0;

				if (accepts != (want != 0))
					fail_msg("%s: member %u, packet %u: %u, not %u",
						npf_filter_set_kernel_name(kernel), m, from + i,
						accepts, want);
				assert_int_equal(row != NULL ? row[i]
						 : accepts   ? npf_filter_set_keep(set, m)
							     : 0,
					want);
			}
		}
	}
	npf_filter_set_scratch_free(sc);
	npf_filter_set_free(set);
}

void set_bench_run(struct bench *b)
{
	for (unsigned int k = NPF_FILTER_SET_PLAIN; k < NPF_FILTER_SET_N_KERNELS; k++) {
		run_kernel(b, k, 32);
		run_kernel(b, k, 5);
	}
}

/* One packet, cut at every length, each time at the end of readable memory. */
void set_bench_run_cut(struct bench *b, const uint8_t *bytes, uint32_t len)
{
	for (uint32_t caplen = 0; caplen <= len; caplen++) {
		uint8_t *at = b->end - caplen;

		memcpy(at, bytes, caplen);
		b->n_pkts = 1;
		b->pkts[0] = at;
		b->lens[0] = len;
		b->caplens[0] = caplen;
		for (unsigned int k = NPF_FILTER_SET_PLAIN; k < NPF_FILTER_SET_N_KERNELS; k++)
			run_kernel(b, k, 32);
	}
}

void set_bench_fill_hosts(struct bench *b)
{
	static uint8_t bytes[64][128];

	b->n_pkts = 64;
	for (uint32_t i = 0; i < 64; i++) {
		set_bench_write_tcp(bytes[i], 0x0a000000 + i, 0x0a000000 + 3 * i, 60 + i, 443, 5);
		b->pkts[i] = bytes[i];
		b->lens[i] = b->caplens[i] = 54 + i % 8;
	}
}
