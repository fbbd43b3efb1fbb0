/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * adapt.h - private: which form of a filter is faster on the traffic at hand.
 *
 * Two parts: a trial, which a thread makes for one filter, and the filter's own record of when the
 * next one is due and what the last one found. Neither reads a clock: who runs the bursts passes
 * in what they took, so that tests can make it up.
 */
#ifndef NPF_JIT_ADAPT_H
#define NPF_JIT_ADAPT_H

#include "base/base.h"

#include <stdatomic.h>

/* The forms of one filter: as logic, and as the branches that its program makes. */
enum {
	FORM_FLAT,
	FORM_BRANCHING,
	FORM_MAX
};

#define ADAPT_MIN_BURST 8u    /* packets; a shorter burst is not timed: the clock costs too much */
#define ADAPT_LOOK      512u  /* of so many bursts a thread stops at one to ask for a trial */
#define ADAPT_SHORTEST  32u   /* bursts that a trial gives the other form */
#define ADAPT_LONGEST   1024u /* ... twice as many each time up to this, then the shortest again */
#define ADAPT_SHARE     128u /* of so many bursts one at most is run by the other form for a trial */
/* Parts that timed bursts are divided into; the dearer half does not count. */
#define ADAPT_PARTS 4u

/* What a filter knows. All relaxed: hints that any thread may overwrite, not facts. */
struct adapt {
	_Atomic uint32_t preferred; /* the form in use */
	_Atomic uint32_t wait;      /* looks to pass over before the next trial */
	_Atomic uint32_t length;    /* of the next trial, bursts; 0: the shortest */
	_Atomic uint32_t won; /* 1: the other form has won the last trial, and needs one more */
};

/* One trial. Its bursts: length / 2 of the form in use, timed; length / 2 of the other, which
 * teach the branch predictor; length / 2 more of the other, timed. */
struct adapt_trial {
	uint32_t now; /* the form in use */
	uint32_t length;
	uint32_t n_bursts; /* so far */
	uint32_t packets[FORM_MAX][ADAPT_PARTS];
	uint64_t spent[FORM_MAX][ADAPT_PARTS]; /* cycles */
};

/* A thread looks whether this filter is due for a trial. Return: its length, or 0: not yet. */
uint32_t adapt_look(struct adapt *a);

/* length: a multiple of 2 * ADAPT_PARTS. */
void adapt_begin(struct adapt_trial *t, uint32_t now, uint32_t length);

/* Which form runs the trial's next burst? */
uint32_t adapt_form(const struct adapt_trial *t);

/* A burst of n packets was run by that form and took so many cycles. Return: was it the last? */
bool adapt_note(struct adapt_trial *t, uint64_t cycles, uint32_t n);

/* The trial is over, and the next one is put off: for long, or, when the other form has won for the
 * first time, for a short while. The form that wins twice in a row is the one in use from then on.
 */
void adapt_settle(struct adapt *a, const struct adapt_trial *t);

#endif
