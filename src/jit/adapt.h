/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * adapt.h - private: which form of a filter is faster on the traffic at hand.
 *
 * Two parts: a trial, which one thread makes for one filter, and the filter's record of when the
 * next trial is due and what the last one found. Neither reads a clock: the caller passes the
 * cycles that a burst took, so that tests can choose them.
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
#define ADAPT_LOOK      512u  /* a thread asks for a trial at one of so many bursts */
#define ADAPT_SHORTEST  32u   /* bursts that the other form gets in the shortest trial */
#define ADAPT_LONGEST   1024u /* ... in the longest; a trial is twice as long as the last one */
#define ADAPT_SHARE     128u /* at most one of so many bursts is run by the other form for a trial */
/* Timed bursts are divided into parts; the slower half of the parts does not count. */
#define ADAPT_PARTS 4u

/* The filter's record. All relaxed: hints, which any thread may overwrite. */
struct adapt {
	_Atomic uint32_t preferred; /* the form in use */
	_Atomic uint32_t wait;      /* calls of adapt_poll() before the next trial */
	_Atomic uint32_t length;    /* of the next trial, bursts; 0: the shortest */
	_Atomic uint32_t won; /* 1: the other form has won the last trial and has to win one more */
};

/* One trial. Its bursts: length / 2 by the form in use, timed; length / 2 by the other form, which
 * train the branch predictor; length / 2 more by the other form, timed. */
struct adapt_trial {
	uint32_t now; /* the form in use */
	uint32_t length;
	uint32_t n_bursts; /* so far */
	uint32_t packets[FORM_MAX][ADAPT_PARTS];
	uint64_t spent[FORM_MAX][ADAPT_PARTS]; /* cycles */
};

/* Is a trial of this filter due? Return: its length in bursts; 0: not yet. */
uint32_t adapt_poll(struct adapt *a);

/* length: a multiple of 2 * ADAPT_PARTS. */
void adapt_begin(struct adapt_trial *t, uint32_t now, uint32_t length);

/* Which form runs the trial's next burst? */
uint32_t adapt_form(const struct adapt_trial *t);

/* A burst of n packets was run by that form and took so many cycles. Return: is the trial over? */
bool adapt_note(struct adapt_trial *t, uint64_t cycles, uint32_t n);

/* Record the result of a trial and when the next is due: soon when the other form has won for the
 * first time, else late. A form that wins twice in a row is in use from then on. */
void adapt_settle(struct adapt *a, const struct adapt_trial *t);

#endif
