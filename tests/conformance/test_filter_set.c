/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_filter_set.c - a set of filters answers for each member what the member alone would.
 *
 * usage: test_filter_set [SETS [SEED]]
 *
 * Sets of 1 to 80 members: expressions as people write them, programs of shape.c and gen.c, some
 * equal, some with ancillary values. Packets lie on the edges of members, between unreadable
 * pages, in bursts of every length. The members change, and the set is made anew. Every kernel that
 * the CPU has must give the interpreter's verdicts. At the end a large part of the members must
 * have been in sets, not alone.
 */
#include "conformance/aim.h"
#include "conformance/shape.h"
#include "jit/set/set.h"

#include <pcap/pcap.h>
#include <stdio.h>
#include <string.h>

#define BURST       32
#define MAX_MEMBERS 80
#define MAX_INSNS   600 /* of a member; the interpreter takes most of the time */
#define ROUNDS      24
#define MEMBERSHIPS 3
#define N_EXPRS     1000

struct filter {
	struct npf_bpf_insn insns[MAX_INSNS];
	uint32_t n;
	bool has_aux;
	struct npf_bpf_aux aux;
	struct npf_filter *filter;
};

struct burst {
	struct gen_guard guards[BURST];
	struct aim_packet packets[BURST];
	const uint8_t *pkts[BURST];
	uint32_t lens[BURST], caplens[BURST];
};

static struct burst burst;
static struct filter filters[MAX_MEMBERS];
static struct npf_filter_set_member members[MAX_MEMBERS];
static uint32_t expected[MAX_MEMBERS][BURST];
static struct bpf_program exprs[N_EXPRS];
static char expr_texts[N_EXPRS][160];
static uint64_t seed;
static uint64_t n_probed, n_in_runs; /* tests by lookup, logic in runs */
static uint64_t n_verdicts, n_accepted, n_members, n_fitting, n_alone[NPF_FILTER_SET_N_FITS];
static unsigned int n_runs[NPF_FILTER_SET_N_KERNELS];

/* ---- members ---- */

static void write_expr(struct gen *g, char *text, size_t room)
{
	const uint32_t a = gen_below(g, gen_below(g, 2) == 0 ? 12 : 250);
	const uint32_t b = gen_below(g, 4);
	static const uint16_t ports[] = {80, 53, 22, 0xbb, 0, 65535, 80 << 8, 256, 8080, 25};
	const uint32_t p = ports[gen_below(g, NPF_ARRAY_LEN(ports))];
	static const char *const dirs[] = {"", "src ", "dst ", "src and dst "};
	static const char *const protos[] = {"", "tcp ", "udp ", ""};

	switch (gen_below(g, 18)) {
	case 0:
	case 1:
	case 2:
		snprintf(text, room, "%shost 10.0.0.%u", dirs[b], a);
		return;
	case 3:
		snprintf(text, room, "%snet 10.%u.0.0/%u", dirs[b], a, 9 + gen_below(g, 20));
		return;
	case 4:
	case 5:
		snprintf(text, room, "%s%sport %u", protos[gen_below(g, 4)], dirs[b], p);
		return;
	case 6:
		snprintf(text, room, "%sportrange %u-%u", dirs[b], p, p + gen_below(g, 65536 - p));
		return;
	case 7:
		snprintf(text, room, "%s and host 10.0.0.%u", b % 2 != 0 ? "tcp" : "udp", a);
		return;
	case 8:
		snprintf(text, room, "ip6 host 2001:db8::%u", b);
		return;
	case 9:
		snprintf(text, room, "tcp[tcpflags] & %u %s 0", 1u << gen_below(g, 8),
			b % 2 != 0 ? "!=" : "=");
		return;
	case 10:
		snprintf(text, room, "%s %u", b % 2 != 0 ? "less" : "greater", gen_below(g, 120));
		return;
	case 11:
		snprintf(text, room, "vlan %u and host 10.0.0.%u", b, a);
		return;
	case 12:
		snprintf(text, room, "not (port %u or arp) and ip[8] %s %u", p,
			b % 2 != 0 ? ">" : "<=", a);
		return;
	case 13:
		snprintf(text, room, "port %u or port %u or port %u or port %u or host 10.0.0.%u",
			p, (p + 1) & 0xffff, a, b, a);
		return;
	case 14:
		snprintf(text, room, "tcp port %u and tcp[(tcp[12]>>4)*4:4] = 0x47455420", p);
		return;
	case 15:
		snprintf(text, room, "ether[%u:%u] %s 0x%x", gen_below(g, 70),
			1u << gen_below(g, 3),
			b < 2    ? "="
			: b == 2 ? ">"
				 : "!=",
			gen_below(g, 300));
		return;
	case 16:
		snprintf(
			text, room, "ip[ip[8]:1] = %u or ip[2:2] - ip[0] > ip[4:2] & %u", a, p | 1);
		return;
	default:
		snprintf(text, room, "%s", gen_exprs[gen_below(g, gen_n_exprs)]);
		return;
	}
}

static void compile_exprs(struct gen *g)
{
	pcap_t *p = pcap_open_dead(DLT_EN10MB, 262144);

	for (unsigned int i = 0; i < N_EXPRS;) {
		write_expr(g, expr_texts[i], sizeof(expr_texts[i]));
		/* libpcap rejects what can't be true. */
		if (pcap_compile(p, &exprs[i], expr_texts[i], gen_below(g, 4) != 0,
			    PCAP_NETMASK_UNKNOWN) == 0)
			i++;
	}
	pcap_close(p);
}

static void take(struct filter *f, const struct npf_bpf_insn *insns, uint32_t n)
{
	f->n = n;
	memcpy(f->insns, insns, n * sizeof(*insns));
}

static void draw_program(struct gen *g, struct filter *f)
{
	static struct npf_bpf_insn big[SHAPE_MAX_INSNS];
	const struct bpf_program *prog;
	uint32_t n;

	do {
		switch (gen_below(g, 8)) {
		case 0:
			n = shape_program(g, big);
			break;
		case 1:
			n = gen_program(g, big);
			break;
		default:
			prog = &exprs[gen_below(g, N_EXPRS)];
			n = prog->bf_len;
			if (n <= MAX_INSNS)
				memcpy(big, prog->bf_insns, n * sizeof(*big));
			break;
		}
	} while (n > MAX_INSNS);
	take(f, big, n);
}

static void draw_member(struct gen *g, uint32_t i)
{
	struct filter *f = &filters[i];
	const bool fast = gen_below(g, 16) == 0;
	struct npf_filter_opts opts = {.backend = fast ? NPF_BACKEND_AUTO : NPF_BACKEND_INTERP};

	f->filter = npf_filter_free(f->filter);
	f->has_aux = gen_below(g, 8) == 0;
	f->aux = (struct npf_bpf_aux){.pkttype = 4 * gen_below(g, 2), .ifindex = gen_below(g, 3)};
	if (i > 0 && gen_below(g, 8) == 0) {
		const struct filter *like = &filters[gen_below(g, i)];

		take(f, like->insns, like->n);
		f->has_aux = like->has_aux;
		f->aux = like->aux;
	} else {
		draw_program(g, f);
	}
	opts.aux = f->has_aux ? &f->aux : NULL;
	if (npf_filter_compile(f->insns, f->n, &opts, &f->filter, NULL) < 0) {
		fprintf(stderr, "set %llu: member %u does not compile\n", (unsigned long long)seed,
			i);
		exit(1);
	}
	members[i] = (struct npf_filter_set_member){
		.insns = f->insns, .n_insns = f->n, .aux = opts.aux, .filter = f->filter};
}

/* ---- runs ---- */

/* Each packet takes a step towards the edges of one member. */
static void fill(struct gen *g, uint32_t n_filters, bool anew)
{
	for (uint32_t i = 0; i < BURST; i++) {
		struct aim_packet *packet = &burst.packets[i];
		const struct gen_guard *guard = &burst.guards[i];
		uint8_t *at;

		if (anew)
			aim_begin(g, packet);
		if (gen_below(g, 4) == 0) {
			packet->caplen = gen_packet(g, packet->bytes);
			packet->len = packet->caplen + gen_below(g, 2) * gen_below(g, 1000);
		} else {
			aim_step(g, filters[gen_below(g, n_filters)].insns, packet);
		}
		at = gen_below(g, 4) == 0 ? guard->begin : guard->end - packet->caplen;
		memcpy(at, packet->bytes, packet->caplen);
		burst.pkts[i] = at;
		burst.caplens[i] = packet->caplen;
		burst.lens[i] = packet->len;
	}
}

static void differ(const struct npf_filter_set *set, uint32_t m, uint32_t i, uint32_t got)
{
	struct npf_filter_set_facts facts;
	const struct filter *f = &filters[m];

	npf_filter_set_explain(set, &facts);
	fprintf(stderr, "set %llu: %s: member %u (%s) gives %u for packet %u, alone %u\n%u\n",
		(unsigned long long)seed, npf_filter_set_kernel_name(facts.kernel), m,
		npf_filter_set_fit_text(npf_filter_set_fit(set, m)), got, i, expected[m][i], f->n);
	for (uint32_t j = 0; j < f->n; j++)
		fprintf(stderr, "%u %u %u %u\n", f->insns[j].code, f->insns[j].jt, f->insns[j].jf,
			f->insns[j].k);
	fprintf(stderr, "packet: len %u, caplen %u:", burst.lens[i], burst.caplens[i]);
	for (uint32_t j = 0; j < burst.caplens[i]; j++)
		fprintf(stderr, " %02x", burst.pkts[i][j]);
	fprintf(stderr, "\n");
	exit(1);
}

static void check(const struct npf_filter_set *set, struct npf_filter_set_scratch *scratch,
	uint32_t n_filters, uint32_t n)
{
	const uint32_t *planes =
		npf_filter_set_run(set, scratch, burst.pkts, burst.lens, burst.caplens, n);

	for (uint32_t m = 0; m < n_filters; m++) {
		const uint32_t *row = npf_filter_set_row(set, scratch, m);
		const uint32_t keep = row == NULL ? npf_filter_set_keep(set, m) : 0;

		if (n < BURST && planes[m] >> n != 0)
			differ(set, m, n, planes[m]);
		for (uint32_t i = 0; i < n; i++) {
			const bool accepts = (planes[m] >> i & 1) != 0;
			const uint32_t got = row != NULL ? row[i] : accepts ? keep : 0;

			if (got != expected[m][i] || accepts != (expected[m][i] != 0))
				differ(set, m, i, got);
			n_accepted += accepts;
		}
	}
	n_verdicts += (uint64_t)n_filters * n;
}

static void expect(uint32_t n_filters)
{
	for (uint32_t m = 0; m < n_filters; m++) {
		for (uint32_t i = 0; i < BURST; i++)
			expected[m][i] = npf_bpf_interpret(filters[m].insns, burst.pkts[i],
				burst.lens[i], burst.caplens[i], members[m].aux);
	}
}

static void count_fitting(const struct npf_filter_set *set, uint32_t n_filters)
{
	struct npf_filter_set_facts facts;

	npf_filter_set_explain(set, &facts);
	n_probed += facts.n_probed;
	n_in_runs += facts.n_in_runs;
	for (uint32_t m = 0; m < n_filters; m++) {
		const enum npf_filter_set_fit fit = npf_filter_set_fit(set, m);

		n_members++;
		n_fitting += fit == NPF_FILTER_SET_FITS;
		n_alone[fit]++;
	}
}

static void try_membership(struct gen *g, uint32_t n_filters, bool anew)
{
	struct npf_filter_set *sets[NPF_FILTER_SET_N_KERNELS] = {NULL};
	struct npf_filter_set_scratch *scratches[NPF_FILTER_SET_N_KERNELS] = {NULL};
	const bool always = gen_below(g, 8) != 0;

	for (unsigned int k = NPF_FILTER_SET_PLAIN; k < NPF_FILTER_SET_N_KERNELS; k++) {
		const struct npf_filter_set_opts opts = {.kernel = k, .always = always};
		const int rc = npf_filter_set_new(members, n_filters, &opts, &sets[k]);

		if (rc == 0)
			scratches[k] = npf_filter_set_scratch_new(sets[k]);
		if ((rc < 0 && rc != -ENOTSUP) || (rc == 0 && scratches[k] == NULL)) {
			fprintf(stderr, "set %llu: %s\n", (unsigned long long)seed, strerror(-rc));
			exit(1);
		}
	}
	if (always)
		count_fitting(sets[NPF_FILTER_SET_PLAIN], n_filters);
	for (uint32_t round = 0; round < ROUNDS; round++) {
		const uint32_t n = round % 4 == 0 ? BURST : 1 + gen_below(g, BURST);

		fill(g, n_filters, anew && round == 0);
		expect(n_filters);
		for (unsigned int k = 0; k < NPF_FILTER_SET_N_KERNELS; k++) {
			if (sets[k] == NULL)
				continue;
			check(sets[k], scratches[k], n_filters, n);
			n_runs[k]++;
		}
	}
	for (unsigned int k = 0; k < NPF_FILTER_SET_N_KERNELS; k++) {
		npf_filter_set_scratch_free(scratches[k]);
		npf_filter_set_free(sets[k]);
	}
}

static void try_set(void)
{
	struct gen g;
	uint32_t n;

	gen_init(&g, seed);
	n = 1 + gen_below(&g, gen_below(&g, 3) == 0 ? 8 : MAX_MEMBERS);
	for (uint32_t i = 0; i < n; i++)
		draw_member(&g, i);
	for (unsigned int change = 0; change < MEMBERSHIPS; change++) {
		try_membership(&g, n, change == 0);
		draw_member(&g, gen_below(&g, n));
		if (n < MAX_MEMBERS && gen_below(&g, 2) == 0)
			draw_member(&g, n++);
		else if (n > 1)
			n--;
	}
}

int main(int argc, char **argv)
{
	const uint64_t n = argc > 1 ? strtoull(argv[1], NULL, 0) : 100;
	const uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	struct gen g;

	gen_init(&g, 0);
	compile_exprs(&g);
	for (uint32_t i = 0; i < BURST; i++) {
		if (gen_guard_init(&burst.guards[i], GEN_MAX_LEN) < 0)
			return 99;
	}
	for (seed = first; seed < first + n; seed++)
		try_set();
	printf("%llu sets, %llu verdicts, %llu %% accepted, %llu %% of members fit: no "
	       "difference\n",
		(unsigned long long)n, (unsigned long long)n_verdicts,
		(unsigned long long)(n_accepted * 100 / n_verdicts),
		(unsigned long long)(n_fitting * 100 / n_members));
	for (unsigned int k = NPF_FILTER_SET_PLAIN; k < NPF_FILTER_SET_N_KERNELS; k++)
		printf("%s: %u bursts\n", npf_filter_set_kernel_name(k), n_runs[k]);
	printf("%llu tests were lookups, %llu operations in runs\n", (unsigned long long)n_probed,
		(unsigned long long)n_in_runs);
	for (unsigned int fit = 1; fit < NPF_FILTER_SET_N_FITS; fit++)
		printf("alone: %6llu %s\n", (unsigned long long)n_alone[fit],
			npf_filter_set_fit_text(fit));
	for (uint32_t m = 0; m < MAX_MEMBERS; m++)
		npf_filter_free(filters[m].filter);
	for (unsigned int i = 0; i < N_EXPRS; i++)
		pcap_freecode(&exprs[i]);
	for (uint32_t i = 0; i < BURST; i++)
		gen_guard_fini(&burst.guards[i]);
	if (n_fitting * 2 < n_members || n_probed < n || n_in_runs < n) {
		fprintf(stderr, "too few members fit, or lookups or runs: this shows little\n");
		return 1;
	}
	return 0;
}
