/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * adapt.c - logic or branches: the choice by trials on the traffic at hand.
 *
 * On mixed traffic a filter without branches is two to three times as fast as one with branches.
 * Where packets are alike, or come in a pattern that the branch predictor can learn, every branch
 * is predicted. Then the branching form, which stops at the first decisive test, is two to three
 * times as fast as the other. A compiler cannot know, so a filter keeps both forms (a few hundred
 * bytes), and a trial times them now and then. Both give the same results; only time differs.
 *
 * A predictor learns a pattern only from the form that runs; a pattern of 2 048 packets takes it
 * some four rounds. So a trial runs the other form for a number of bursts, and the first half of
 * these only trains the predictor. Trials of 32 bursts show what needs no learning, trials of 1 024
 * what does. The length doubles from trial to trial, then begins again. The cost is bounded: after
 * a trial there is none for ADAPT_SHARE times as many bursts.
 *
 * The slower half of the timed bursts does not count: an interrupt, or caches that another program
 * has emptied, say nothing about the form. A form has to win two trials in a row to be put into
 * use; the second comes soon after the first.
 *
 * The results are in the filter, shared by its threads, in relaxed atomics that are only written at
 * a trial: the cache line stays in all caches. Each thread draws the bursts at which it asks for a
 * trial from a sequence of its own, since a shared counter would cost more than it gains. A thread
 * makes one trial at a time, for any of its filters that is due.
 */
#include "jit/adapt.h"

#include "jit/filter.h"

static uint32_t get(const _Atomic uint32_t *a)
{
	return atomic_load_explicit(a, memory_order_relaxed);
}

static void set(_Atomic uint32_t *a, uint32_t v)
{
	atomic_store_explicit(a, v, memory_order_relaxed);
}

uint32_t adapt_poll(struct adapt *a)
{
	const uint32_t wait = get(&a->wait);

	if (wait > 0) {
		set(&a->wait, wait - 1);
		return 0;
	}
	return NPF_MAX(get(&a->length), ADAPT_SHORTEST);
}

void adapt_begin(struct adapt_trial *t, uint32_t now, uint32_t length)
{
	*t = (struct adapt_trial){.now = now, .length = length};
}

uint32_t adapt_form(const struct adapt_trial *t)
{
	return t->n_bursts < t->length / 2 ? t->now : t->now ^ 1;
}

bool adapt_note(struct adapt_trial *t, uint64_t cycles, uint32_t n)
{
	const uint32_t half = t->length / 2;
	const uint32_t form = adapt_form(t);
	const uint32_t part = t->n_bursts % half * ADAPT_PARTS / half;

	/* The second half only trains the predictor. */
	if (t->n_bursts / half != 1) {
		t->packets[form][part] += n;
		t->spent[form][part] += cycles;
	}
	return ++t->n_bursts == 3 * half;
}

/* Cycles for 1 024 packets, without the slower half of the parts. */
static uint64_t cost(const struct adapt_trial *t, uint32_t form)
{
	uint64_t c[ADAPT_PARTS];
	uint64_t sum = 0;

	for (uint32_t i = 0; i < ADAPT_PARTS; i++) {
		uint64_t v = t->spent[form][i] * 1024 / NPF_MAX(t->packets[form][i], 1u);
		uint32_t at = i;

		for (; at > 0 && c[at - 1] > v; at--)
			c[at] = c[at - 1];
		c[at] = v;
	}
	for (uint32_t i = 0; i < ADAPT_PARTS / 2; i++)
		sum += c[i];
	return sum / (ADAPT_PARTS / 2);
}

/* The form that the trial found to be the better one. The other has to win by a sixteenth. */
static uint32_t verdict(const struct adapt_trial *t)
{
	const uint32_t other = t->now ^ 1;

	return cost(t, other) * 17 < cost(t, t->now) * 16 ? other : t->now;
}

static void put_off(struct adapt *a, uint32_t length, uint32_t bursts)
{
	set(&a->length, length);
	set(&a->wait, bursts * ADAPT_SHARE / ADAPT_LOOK);
}

void adapt_settle(struct adapt *a, const struct adapt_trial *t)
{
	const uint32_t winner = verdict(t);
	const bool is_first = winner != t->now && get(&a->won) == 0;

	set(&a->won, is_first);
	if (is_first) {
		put_off(a, t->length, ADAPT_SHORTEST);
		return;
	}
	set(&a->preferred, winner);
	put_off(a, t->length < ADAPT_LONGEST ? 2 * t->length : ADAPT_SHORTEST, t->length);
}

/* ---- The bursts of a thread ---- */

/* Bursts of other filters after which a trial is abandoned: its filter is gone, or gets no bursts
 * that are long enough. */
#define GIVE_UP 1024u

_Thread_local struct adapt_seat adapt_seat = {.drawn = 1};

#ifdef __x86_64__
static uint64_t cycles(void)
{
	return __builtin_ia32_rdtsc();
}
#else
static uint64_t cycles(void)
{
	return 0;
}
#endif

static bool take_seat(const struct npf_filter *f, uint32_t n)
{
	uint32_t length;

	if (adapt_seat.filter != NULL && ++adapt_seat.idle < GIVE_UP)
		return false;
	adapt_seat.filter = NULL;
	if (n < ADAPT_MIN_BURST)
		return false;
	length = adapt_poll(f->learns);
	if (length == 0)
		return false;
	adapt_begin(&adapt_seat.trial, get(&f->adapt.preferred), length);
	adapt_seat.filter = f;
	adapt_seat.idle = 0;
	return true;
}

void adapt_run(const struct npf_filter *f, const uint8_t *const *pkts, const uint32_t *lens,
	const uint32_t *caplens, uint32_t n, uint32_t *results)
{
	uint64_t begin;
	uint64_t spent;

	if (adapt_seat.filter != f && !take_seat(f, n)) {
		f->form[get(&f->adapt.preferred)](pkts, caplens, results, lens, n);
		return;
	}
	begin = cycles();
	f->form[adapt_form(&adapt_seat.trial)](pkts, caplens, results, lens, n);
	spent = cycles() - begin;
	if (n < ADAPT_MIN_BURST)
		return;
	adapt_seat.idle = 0;
	if (adapt_note(&adapt_seat.trial, spent, n)) {
		adapt_settle(f->learns, &adapt_seat.trial);
		adapt_seat.filter = NULL;
	}
}
