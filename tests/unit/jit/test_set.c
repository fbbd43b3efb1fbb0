/* SPDX-License-Identifier: BSD-3-Clause */
/* test_set.c - filter sets: what fits and what does not, and that each part gives the verdicts. */
#include "set_bench.h"

#include "jit/set/builder.h"

#include <stdio.h>

/* ---- probes ---- */

static uint32_t look_up(const struct set_probe *pr, uint32_t v, uint16_t *targets)
{
	const uint32_t home = v * pr->mul >> pr->shift;
	uint32_t n = 0;

	for (uint32_t slot = home; slot < home + pr->n_steps; slot++) {
		assert_true(slot < pr->n_slots);
		if (pr->keys[slot] != v)
			continue;
		for (uint32_t t = pr->first[pr->which[slot]]; t < pr->first[pr->which[slot] + 1];
			t++)
			targets[n++] = pr->target[t];
	}
	return n;
}

/* Constants that have their high bits, or their low bits, or nothing in common. */
static void a_probe_finds_each_constant_however_they_collide(void **state)
{
	static const uint32_t factors[] = {1, 1u << 21, 0x9e3779b1, 0xffffffff, 3u << 16};
	static struct set_pair pairs[2048];
	uint16_t targets[16];

	(void)state;
	for (unsigned int f = 0; f < NPF_ARRAY_LEN(factors); f++) {
		for (uint32_t n = 1; n <= 2048; n = n * 3 + 1) {
			struct set_probe pr = {0};

			for (uint32_t i = 0; i < n; i++)
				pairs[i] = (struct set_pair){i * factors[f], (uint16_t)(i + 7)};
			assert_int_equal(set_probe_init(&pr, pairs, n, 1), 0);
			for (uint32_t i = 0; i < n; i++) {
				const uint32_t got = look_up(&pr, i * factors[f], targets);

				/* 2048 of them are one constant, with the factor 2^21. */
				assert_true(got >= 1);
				if (got == 1)
					assert_int_equal(targets[0], i + 7);
			}
			assert_int_equal(look_up(&pr, 0x12345677, targets), 0);
			set_probe_fini(&pr);
		}
	}
}

static void a_constant_of_many_tests_sets_all_their_planes(void **state)
{
	struct set_pair pairs[] = {{5, 10}, {0, 11}, {5, 12}, {UINT32_MAX, 13}, {5, 14}};
	struct set_probe pr = {0};
	uint16_t targets[16];

	(void)state;
	assert_int_equal(set_probe_init(&pr, pairs, NPF_ARRAY_LEN(pairs), 99), 0);
	assert_int_equal(look_up(&pr, 5, targets), 3);
	assert_int_equal(targets[0] + targets[1] + targets[2], 36);
	assert_int_equal(look_up(&pr, 0, targets), 1);
	assert_int_equal(targets[0], 11);
	assert_int_equal(look_up(&pr, 6, targets), 0);
	set_probe_fini(&pr);
}

/* ---- what fits ---- */

static void hosts_share_their_lookups(void **state)
{
	struct bench *b = *state;
	char expr[64];

	for (unsigned int i = 0; i < 64; i++) {
		snprintf(expr, sizeof(expr), "host 10.0.0.%u", i);
		set_bench_add(b, expr);
	}
	set_bench_fill_hosts(b);
	set_bench_run(b);
	assert_int_equal(b->facts.n_fit[NPF_FILTER_SET_FITS], 64);
	assert_int_equal(b->facts.n_loads, 5);
	assert_int_equal(b->facts.n_probes, 4);
	assert_int_equal(b->facts.n_probed, 256);
	assert_true(b->facts.n_in_runs > 250);
}

static void a_long_list_is_a_set_of_constants(void **state)
{
	struct bench *b = *state;
	static char expr[8192];
	size_t len = 0;

	for (unsigned int i = 0; i < 100; i++)
		len += (size_t)snprintf(expr + len, sizeof(expr) - len, "%ssrc host 10.0.0.%u",
			i > 0 ? " or " : "", 2 * i);
	set_bench_add(b, expr);
	set_bench_add(b, "src host 10.0.0.4");
	set_bench_add(b, "src host 10.0.0.5");
	set_bench_fill_hosts(b);
	set_bench_run(b);
	assert_int_equal(b->facts.n_fit[NPF_FILTER_SET_FITS], 3);
	assert_true(b->facts.n_tests + b->facts.n_probed < 12);
}

static void equal_members_are_one_inside(void **state)
{
	struct bench *b = *state;
	struct npf_filter_set *set = NULL;

	for (unsigned int i = 0; i < 10; i++)
		set_bench_add(b, i % 5 == 3 ? "udp port 53" : "tcp port 80");
	assert_int_equal(npf_filter_set_new(b->members, b->n, NULL, &set), 0);
	npf_filter_set_explain(set, &b->facts);
	assert_int_equal(b->facts.n_members, 10);
	assert_int_equal(b->facts.n_different, 2);
	assert_int_equal(npf_filter_set_same_as(set, 2), 0);
	assert_int_equal(npf_filter_set_same_as(set, 8), 3);
	npf_filter_set_free(set);
	set_bench_fill_hosts(b);
	set_bench_run(b);
}

/* An equal program with other ancillary values is another filter. */
static void ancillary_values_tell_members_apart(void **state)
{
	struct bench *b = *state;
	static const struct npf_bpf_aux sent = {.pkttype = 4};
	static const struct npf_bpf_aux received = {.pkttype = 0};
	static const struct npf_bpf_insn outbound[] = {{OP_LD_B_ABS, 0, 0, 0xfffff004},
		{OP_JEQ_K, 0, 1, 4}, {OP_RET_K, 0, 0, 96}, {OP_RET_K}};
	struct npf_filter_set *set = NULL;
	struct npf_filter_set_scratch *sc;
	const uint32_t *planes;

	static const struct npf_bpf_insn second[] = {{OP_LD_B_ABS, 0, 0, 0xfffff008},
		{OP_JEQ_K, 0, 1, 2}, {OP_RET_K, 0, 0, 96}, {OP_RET_K}};
	static const struct npf_bpf_aux by_second = {.ifindex = 2};

	for (unsigned int i = 0; i < 3; i++)
		set_bench_add_insns(b, outbound, NPF_ARRAY_LEN(outbound));
	set_bench_add_insns(b, second, NPF_ARRAY_LEN(second));
	set_bench_add_insns(b, second, NPF_ARRAY_LEN(second));
	b->members[0].aux = &sent;
	b->members[1].aux = &received;
	b->members[3].aux = &received;
	b->members[4].aux = &by_second;
	set_bench_fill_hosts(b);
	assert_int_equal(npf_filter_set_new(b->members, 5, NULL, &set), 0);
	sc = npf_filter_set_scratch_new(set);
	planes = npf_filter_set_run(set, sc, b->pkts, b->lens, b->caplens, 32);
	assert_int_equal(planes[0], UINT32_MAX);
	assert_int_equal(planes[1], 0);
	assert_int_equal(planes[2], 0);
	assert_int_equal(planes[3], 0);
	assert_int_equal(planes[4], UINT32_MAX);
	npf_filter_set_scratch_free(sc);
	npf_filter_set_free(set);
}

/* ---- what does not fit ---- */

static void a_member_that_does_not_fit_runs_alone(void **state)
{
	struct bench *b = *state;
	static const struct npf_bpf_insn result[] = {{OP_LD_B_ABS, 0, 0, 29}, {OP_RET_A}};
	static const struct npf_bpf_insn results[] = {{OP_LD_B_ABS, 0, 0, 29}, {OP_JGT_K, 0, 1, 9},
		{OP_RET_K, 0, 0, 20}, {OP_RET_K, 0, 0, 30}};
	static const struct npf_bpf_insn loop[] = {{OP_LD_B_ABS, 0, 0, 29}, {OP_JA, 0, 0, 0},
		{OP_JEQ_K, 0, 1, 7}, {OP_JA, 0, 0, (uint32_t)-2}, {OP_RET_K, 0, 0, 9}};
	static struct npf_bpf_insn memory[60], dear[400], slow[3000];
	uint32_t n = 0;

	set_bench_add_insns(b, result, NPF_ARRAY_LEN(result));
	set_bench_add_insns(b, results, NPF_ARRAY_LEN(results));
	/* More ways with different values in A than are kept apart. */
	for (n = 0; n < 48; n += 3) {
		memory[n] = (struct npf_bpf_insn){OP_LD_B_ABS, 0, 0, n};
		memory[n + 1] = (struct npf_bpf_insn){OP_JEQ_K, 0, 1, n};
		memory[n + 2] = (struct npf_bpf_insn){OP_JA, 0, 0, 48 - n - 3};
	}
	memory[n++] = (struct npf_bpf_insn){OP_JEQ_K, 0, 1, 9};
	memory[n++] = (struct npf_bpf_insn){OP_RET_K, 0, 0, 9};
	memory[n++] = (struct npf_bpf_insn){OP_RET_K, 0, 0, 0};
	set_bench_add_insns(b, memory, n);
	for (n = 0; n < 200; n += 2) {
		dear[n] = (struct npf_bpf_insn){OP_LD_B_ABS, 0, 0, n / 2};
		dear[n + 1] = (struct npf_bpf_insn){OP_JEQ_K, (uint8_t)(198 - n), 0, n & 0xff};
	}
	dear[n++] = (struct npf_bpf_insn){OP_RET_K, 0, 0, 0};
	dear[n++] = (struct npf_bpf_insn){OP_RET_K, 0, 0, 9};
	set_bench_add_insns(b, dear, n);
	for (n = 0; n < 2999; n++)
		slow[n] = (struct npf_bpf_insn){OP_LD_B_ABS, 0, 0, 1};
	slow[n++] = (struct npf_bpf_insn){OP_RET_K, 0, 0, 9};
	set_bench_add_insns(b, slow, n);
	set_bench_fill_hosts(b);
	set_bench_run(b);
	assert_int_equal(b->fit[0], NPF_FILTER_SET_RESULTS);
	assert_int_equal(b->fit[1], NPF_FILTER_SET_RESULTS);
	assert_int_equal(b->fit[2], NPF_FILTER_SET_MEMORY);
	assert_int_equal(b->fit[3], NPF_FILTER_SET_DEAR);
	assert_int_equal(b->fit[4], NPF_FILTER_SET_LONG);
	/* The interpreter of the others does not run this. */
	b->n_pkts = 0;
	set_bench_add_insns(b, loop, NPF_ARRAY_LEN(loop));
	set_bench_run(b);
	assert_int_equal(b->fit[5], NPF_FILTER_SET_LOOSE);
}

static void a_loose_member_can_be_screened(void **state)
{
	struct bench *b = *state;
	static const struct npf_bpf_insn loop[] = {{OP_LD_B_ABS, 0, 0, 29}, {OP_JEQ_K, 0, 2, 7},
		{OP_JA, 0, 0, 0}, {OP_JA, 0, 0, (uint32_t)-2}, {OP_RET_K, 0, 0, 9}};
	struct npf_filter_set *set = NULL;
	struct npf_filter_set_scratch *sc;
	const uint32_t *planes;

	set_bench_add_insns(b, loop, NPF_ARRAY_LEN(loop));
	set_bench_add_insns(b, loop, NPF_ARRAY_LEN(loop));
	b->members[1].screens = true;
	set_bench_fill_hosts(b);
	assert_int_equal(npf_filter_set_new(b->members, 2, NULL, &set), 0);
	sc = npf_filter_set_scratch_new(set);
	planes = npf_filter_set_run(set, sc, b->pkts, b->lens, b->caplens, 32);
	/* It never ends on packet 7, which its reader has to find out where it screens. */
	assert_int_equal(planes[0], ~(1u << 7));
	assert_int_equal(planes[1], UINT32_MAX);
	assert_int_equal(npf_filter_set_row(set, sc, 0)[8], 9);
	assert_int_equal(npf_filter_set_row(set, sc, 1)[8], UINT32_MAX);
	npf_filter_set_scratch_free(sc);
	npf_filter_set_free(set);
}

static void few_filters_run_alone_unless_told_otherwise(void **state)
{
	struct bench *b = *state;
	struct npf_filter_set *set = NULL;

	set_bench_add(b, "tcp port 80 and host 10.0.0.1");
	assert_int_equal(npf_filter_set_new(b->members, 1, NULL, &set), 0);
	assert_int_equal(npf_filter_set_fit(set, 0), NPF_FILTER_SET_FEW);
	npf_filter_set_free(set);
	set_bench_fill_hosts(b);
	set_bench_run(b);
	assert_int_equal(b->fit[0], NPF_FILTER_SET_FITS);
}

/* ---- edges of the door ---- */

static void members_may_accept_all_or_nothing(void **state)
{
	struct bench *b = *state;
	static const struct npf_bpf_insn nothing[] = {{OP_RET_K}};
	static const struct npf_bpf_insn all[] = {{OP_RET_K, 0, 0, 77}};
	struct npf_filter_set *set = NULL;
	struct npf_filter_set_scratch *sc;
	const uint32_t *planes;

	set_bench_add_insns(b, nothing, 1);
	set_bench_add_insns(b, all, 1);
	set_bench_fill_hosts(b);
	set_bench_run(b);
	b->members[b->n] = (struct npf_filter_set_member){.insns = NULL};
	assert_int_equal(npf_filter_set_new(b->members, 3, NULL, &set), 0);
	sc = npf_filter_set_scratch_new(set);
	for (uint32_t n = 0; n <= 33; n++) {
		const uint32_t valid = n >= 32 ? UINT32_MAX : (1u << n) - 1;

		planes = npf_filter_set_run(set, sc, b->pkts, b->lens, b->caplens, n);
		assert_int_equal(planes[0], 0);
		assert_int_equal(planes[1], valid);
		assert_int_equal(planes[2], valid);
	}
	assert_int_equal(npf_filter_set_keep(set, 1), 77);
	assert_int_equal(npf_filter_set_keep(set, 2), UINT32_MAX);
	npf_filter_set_scratch_free(sc);
	npf_filter_set_free(set);
}

static void an_empty_set_has_no_planes_and_runs(void **state)
{
	struct bench *b = *state;
	struct npf_filter_set *set = NULL;
	struct npf_filter_set_scratch *sc;

	set_bench_fill_hosts(b);
	assert_int_equal(npf_filter_set_new(NULL, 0, NULL, &set), 0);
	sc = npf_filter_set_scratch_new(set);
	assert_non_null(npf_filter_set_run(set, sc, b->pkts, b->lens, b->caplens, 32));
	assert_null(npf_filter_set_scratch_free(sc));
	assert_null(npf_filter_set_free(set));
	assert_null(npf_filter_set_free(NULL));
	assert_null(npf_filter_set_scratch_free(NULL));
}

static void what_does_not_fit_and_has_no_filter_says_nothing(void **state)
{
	static const struct npf_bpf_insn computed[] = {
		{OP_LD_B_ABS, 0, 0, 0}, {OP_ADD_K, 0, 0, 1}, {OP_RET_A, 0, 0, 0}};
	const struct npf_filter_set_opts opts = {.always = true};
	const uint8_t packet[64] = {[12] = 8}, *data = packet;
	const uint32_t len = sizeof(packet);
	struct npf_filter_set_scratch *scratch;
	struct npf_filter_set *set = NULL;
	struct bench *b = *state;

	set_bench_add(b, "ip");
	set_bench_add(b, "ip6");
	b->members[1] = (struct npf_filter_set_member){.insns = computed, .n_insns = 3};
	assert_int_equal(npf_filter_set_new(b->members, 2, &opts, &set), 0);
	assert_int_equal(npf_filter_set_fit(set, 1), NPF_FILTER_SET_RESULTS);
	scratch = npf_filter_set_scratch_new(set);
	assert_int_equal(npf_filter_set_run(set, scratch, &data, &len, &len, 1)[0], 1);
	assert_int_equal(npf_filter_set_run(set, scratch, &data, &len, &len, 1)[1], 0);
	assert_null(npf_filter_set_row(set, scratch, 1));
	npf_filter_set_scratch_free(scratch);
	npf_filter_set_free(set);
}

static void what_is_no_set_is_refused(void **state)
{
	struct bench *b = *state;
	static const struct npf_bpf_insn bad[] = {{OP_LD_B_ABS, 0, 0, 29}};
	struct npf_filter_set_opts opts = {.kernel = NPF_FILTER_SET_N_KERNELS};
	struct npf_filter_set *set = NULL;

	set_bench_add(b, "ip");
	assert_int_equal(npf_filter_set_new(b->members, 1, &opts, &set), -ENOTSUP);
	assert_int_equal(
		npf_filter_set_new(b->members, NPF_FILTER_SET_MAX + 1, NULL, &set), -E2BIG);
	b->members[0] =
		(struct npf_filter_set_member){.insns = bad, .n_insns = 1, .filter = b->filters[0]};
	assert_int_equal(npf_filter_set_new(b->members, 1, NULL, &set), -EINVAL);
	assert_null(set);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_bench_make, set_bench_unmake)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_probe_finds_each_constant_however_they_collide),
		cmocka_unit_test(a_constant_of_many_tests_sets_all_their_planes),
		TEST(hosts_share_their_lookups),
		TEST(a_long_list_is_a_set_of_constants),
		TEST(equal_members_are_one_inside),
		TEST(ancillary_values_tell_members_apart),
		TEST(a_member_that_does_not_fit_runs_alone),
		TEST(a_loose_member_can_be_screened),
		TEST(few_filters_run_alone_unless_told_otherwise),
		TEST(members_may_accept_all_or_nothing),
		TEST(an_empty_set_has_no_planes_and_runs),
		TEST(what_does_not_fit_and_has_no_filter_says_nothing),
		TEST(what_is_no_set_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
