/* SPDX-License-Identifier: BSD-3-Clause */
/* test_adapt.c - logic or branches: what is chosen, how soon, at what cost; with made-up times. */
#include "jit/filter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define BURST 32u
/* All lengths of trial once, with the pauses after them. */
#define SWEEP (2u * ADAPT_LONGEST * ADAPT_SHARE)

/* What traffic makes the forms cost, cycles a packet. */
struct traffic {
	uint32_t flat;
	uint32_t branching; /* once the predictor knows the traffic */
	uint32_t untrained; /* ... before that */
	uint32_t lesson;    /* bursts in a row that teach it */
};

struct thread {
	struct adapt adapt;
	struct adapt_trial trial;
	bool trying;
	uint32_t drawn;
	uint32_t learnt;
	uint32_t spike_every; /* bursts; each so many one is interrupted; 0: none */
	uint64_t n_bursts, n_run[FORM_MAX];
};

static uint64_t cycles(struct thread *t, const struct traffic *traffic, uint32_t form)
{
	uint64_t spike = 0;

	if (t->spike_every != 0 && t->n_bursts % t->spike_every == 0)
		spike = 1000000;
	if (form == FORM_FLAT) {
		t->learnt = 0;
		return spike + traffic->flat * BURST;
	}
	if (t->learnt++ < traffic->lesson)
		return spike + traffic->untrained * BURST;
	return spike + traffic->branching * BURST;
}

/* What npf_filter_run_burst() does, n times. */
static void run(struct thread *t, const struct traffic *traffic, uint64_t n)
{
	for (; n > 0; n--) {
		uint32_t form = atomic_load(&t->adapt.preferred);
		uint32_t length;
		uint64_t spent;

		t->drawn = t->drawn * 1664525u + 1013904223u;
		if (!t->trying && t->drawn < UINT32_MAX / ADAPT_LOOK) {
			length = adapt_poll(&t->adapt);
			t->trying = length > 0;
			if (t->trying)
				adapt_begin(&t->trial, form, length);
		}
		if (t->trying)
			form = adapt_form(&t->trial);
		t->n_bursts++;
		t->n_run[form]++;
		spent = cycles(t, traffic, form);
		if (t->trying && adapt_note(&t->trial, spent, BURST)) {
			adapt_settle(&t->adapt, &t->trial);
			t->trying = false;
		}
	}
}

static uint32_t chosen(struct thread *t)
{
	return atomic_load(&t->adapt.preferred);
}

static const struct traffic mixed = {10, 30, 30, 0}, alike = {10, 4, 4, 0};

static void logic_stays_where_nothing_can_be_predicted(void **state)
{
	struct thread t = {.drawn = 1};

	(void)state;
	for (unsigned int i = 0; i < 100; i++) {
		run(&t, &mixed, SWEEP / 10);
		assert_int_equal(chosen(&t), FORM_FLAT);
	}
}

static void branches_are_found_soon_where_packets_are_alike(void **state)
{
	struct thread t = {.drawn = 1};

	(void)state;
	run(&t, &alike, 10 * ADAPT_LOOK);
	assert_int_equal(chosen(&t), FORM_BRANCHING);
}

static void what_has_to_be_learnt_is_found_within_a_sweep(void **state)
{
	static const uint32_t lessons[] = {16, 64, 256, 480};

	(void)state;
	for (size_t i = 0; i < NPF_ARRAY_LEN(lessons); i++) {
		const struct traffic periodic = {10, 4, 25, lessons[i]};
		struct thread t = {.drawn = (uint32_t)i};

		run(&t, &periodic, SWEEP + SWEEP / 4);
		assert_int_equal(chosen(&t), FORM_BRANCHING);
		/* And is kept, whatever the length of the trials that follow. */
		for (unsigned int j = 0; j < 40; j++) {
			run(&t, &periodic, SWEEP / 8);
			assert_int_equal(chosen(&t), FORM_BRANCHING);
		}
	}
}

static void traffic_that_changes_is_followed(void **state)
{
	struct thread t = {.drawn = 7};

	(void)state;
	for (unsigned int i = 0; i < 10; i++) {
		run(&t, i % 2 ? &mixed : &alike, SWEEP);
		assert_int_equal(chosen(&t), i % 2 ? FORM_FLAT : FORM_BRANCHING);
	}
}

static void trials_cost_what_is_stated_and_no_more(void **state)
{
	struct thread t = {.drawn = 3};

	(void)state;
	run(&t, &mixed, 20 * (uint64_t)SWEEP);
	assert_in_range(t.n_run[FORM_BRANCHING], 1, t.n_bursts / ADAPT_SHARE * 11 / 10);
	t = (struct thread){.drawn = 3};
	run(&t, &alike, 20 * (uint64_t)SWEEP);
	assert_in_range(t.n_run[FORM_FLAT], 1, t.n_bursts / ADAPT_SHARE * 11 / 10);
}

static void no_trial_is_longer_than_the_longest(void **state)
{
	struct thread t = {.drawn = 11};
	uint32_t longest = 0;

	(void)state;
	for (unsigned int i = 0; i < 400; i++) {
		run(&t, &mixed, SWEEP / 100);
		longest = NPF_MAX(longest, atomic_load(&t.adapt.length));
	}
	assert_int_equal(longest, ADAPT_LONGEST);
}

static void an_interrupt_decides_nothing(void **state)
{
	struct thread t = {.drawn = 5, .spike_every = 2003};

	(void)state;
	for (unsigned int i = 0; i < 40; i++) {
		run(&t, &mixed, SWEEP / 8);
		assert_int_equal(chosen(&t), FORM_FLAT);
	}
	t = (struct thread){.drawn = 5, .spike_every = 2003};
	run(&t, &alike, SWEEP);
	for (unsigned int i = 0; i < 40; i++) {
		run(&t, &alike, SWEEP / 8);
		assert_int_equal(chosen(&t), FORM_BRANCHING);
	}
}

static void one_lost_trial_decides_nothing(void **state)
{
	static const struct traffic cold = {50, 30, 30, 0};
	struct thread t = {.drawn = 9};

	(void)state;
	for (unsigned int i = 0; i < 20; i++) {
		run(&t, &mixed, SWEEP / 8);
		/* Until a trial, a whole one, has found logic slower than branches. */
		while (!t.trying)
			run(&t, &mixed, 1);
		while (t.trying)
			run(&t, &cold, 1);
		run(&t, &mixed, SWEEP / 8);
		assert_int_equal(chosen(&t), FORM_FLAT);
	}
}

static void forms_that_are_nearly_equal_do_not_take_turns(void **state)
{
	static const struct traffic equal = {100, 96, 96, 0};
	struct thread t = {.drawn = 1};

	(void)state;
	run(&t, &equal, 2 * SWEEP);
	assert_int_equal(chosen(&t), FORM_FLAT);
}

static void a_trial_needs_no_clock_that_works(void **state)
{
	static const struct traffic timeless = {0, 0, 0, 0};
	struct thread t = {.drawn = 1};

	(void)state;
	run(&t, &timeless, SWEEP);
	assert_int_equal(chosen(&t), FORM_FLAT);
}

/* ---- The bursts of this thread, with real filters ---- */

static struct npf_filter *two_forms(void)
{
	/* ip or arp */
	static const struct npf_bpf_insn insns[] = {{0x28, 0, 0, 12}, {0x15, 1, 0, 0x800},
		{0x15, 0, 1, 0x806}, {6, 0, 0, 96}, {6, 0, 0, 0}};
	const struct npf_filter_opts opts = {.backend = NPF_BACKEND_SCALAR};
	struct npf_filter *f;

	if (npf_filter_compile(insns, NPF_ARRAY_LEN(insns), &opts, &f, NULL) < 0)
		skip();
	if (f->n_forms < FORM_MAX) {
		npf_filter_free(f);
		skip();
	}
	return f;
}

static void run_real(const struct npf_filter *f, uint32_t burst, uint64_t n)
{
	static const uint8_t pkt[64] = {[12] = 8};
	const uint8_t *pkts[BURST];
	uint32_t lens[BURST], results[BURST];

	for (uint32_t i = 0; i < BURST; i++) {
		pkts[i] = pkt;
		lens[i] = sizeof(pkt);
	}
	for (; n > 0; n--) {
		npf_filter_run_burst(f, pkts, lens, lens, burst, results);
		assert_int_equal(results[burst - 1], 96);
	}
}

static void filters_of_a_thread_have_their_trials_in_turn(void **state)
{
	struct npf_filter *f = two_forms(), *g = two_forms();

	(void)state;
	for (unsigned int i = 0; i < 2 * 40 * ADAPT_LOOK; i++)
		run_real(i % 2 ? f : g, BURST, 1);
	assert_true(atomic_load(&f->adapt.length) > ADAPT_SHORTEST);
	assert_true(atomic_load(&g->adapt.length) > ADAPT_SHORTEST);
	npf_filter_free(f);
	npf_filter_free(g);
}

static void a_trial_whose_filter_is_gone_is_given_up(void **state)
{
	struct npf_filter *gone = two_forms(), *f = two_forms();

	(void)state;
	for (unsigned int i = 0; i < 100 * ADAPT_LOOK && adapt_seat.filter != gone; i++)
		run_real(gone, BURST, 1);
	assert_ptr_equal(adapt_seat.filter, gone);
	run_real(f, BURST, 4000 * (uint64_t)ADAPT_LOOK);
	assert_true(atomic_load(&f->adapt.length) > 0);
	npf_filter_free(gone);
	npf_filter_free(f);
}

static void short_bursts_begin_no_trial(void **state)
{
	struct npf_filter *f = two_forms();

	(void)state;
	adapt_seat = (struct adapt_seat){.drawn = 1};
	run_real(f, ADAPT_MIN_BURST - 1, 100 * ADAPT_LOOK);
	assert_null(adapt_seat.filter);
	assert_int_equal(atomic_load(&f->adapt.length), 0);
	npf_filter_free(f);
}

static uint32_t n_run[FORM_MAX];

static void run_flat(const uint8_t *const *pkts, const uint32_t *caplens, uint32_t *results,
	const uint32_t *lens, size_t n)
{
	(void)pkts, (void)caplens, (void)results, (void)lens, (void)n;
	n_run[FORM_FLAT]++;
}

static void run_branching(const uint8_t *const *pkts, const uint32_t *caplens, uint32_t *results,
	const uint32_t *lens, size_t n)
{
	(void)pkts, (void)caplens, (void)results, (void)lens, (void)n;
	n_run[FORM_BRANCHING]++;
}

static void between_trials_the_form_in_use_runs(void **state)
{
	struct npf_filter f = {.form = {run_flat, run_branching}, .learns = &f.adapt};

	(void)state;
	adapt_seat = (struct adapt_seat){.drawn = 1};
	atomic_store(&f.adapt.preferred, FORM_BRANCHING);
	atomic_store(&f.adapt.wait, 10);
	for (unsigned int i = 0; i < 10; i++)
		adapt_run(&f, NULL, NULL, NULL, BURST, NULL);
	assert_int_equal(n_run[FORM_FLAT], 0);
	assert_int_equal(n_run[FORM_BRANCHING], 10);
}

static void short_bursts_of_a_trial_do_not_count(void **state)
{
	struct npf_filter *f = two_forms();
	uint32_t n_bursts;

	(void)state;
	for (unsigned int i = 0; i < 100 * ADAPT_LOOK && adapt_seat.filter != f; i++)
		run_real(f, BURST, 1);
	assert_ptr_equal(adapt_seat.filter, f);
	n_bursts = adapt_seat.trial.n_bursts;
	run_real(f, ADAPT_MIN_BURST - 1, 10 * ADAPT_SHORTEST);
	assert_ptr_equal(adapt_seat.filter, f);
	assert_int_equal(adapt_seat.trial.n_bursts, n_bursts);
	npf_filter_free(f);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(logic_stays_where_nothing_can_be_predicted),
		cmocka_unit_test(branches_are_found_soon_where_packets_are_alike),
		cmocka_unit_test(what_has_to_be_learnt_is_found_within_a_sweep),
		cmocka_unit_test(traffic_that_changes_is_followed),
		cmocka_unit_test(trials_cost_what_is_stated_and_no_more),
		cmocka_unit_test(no_trial_is_longer_than_the_longest),
		cmocka_unit_test(an_interrupt_decides_nothing),
		cmocka_unit_test(one_lost_trial_decides_nothing),
		cmocka_unit_test(forms_that_are_nearly_equal_do_not_take_turns),
		cmocka_unit_test(a_trial_needs_no_clock_that_works),
		cmocka_unit_test(filters_of_a_thread_have_their_trials_in_turn),
		cmocka_unit_test(a_trial_whose_filter_is_gone_is_given_up),
		cmocka_unit_test(short_bursts_begin_no_trial),
		cmocka_unit_test(between_trials_the_form_in_use_runs),
		cmocka_unit_test(short_bursts_of_a_trial_do_not_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
