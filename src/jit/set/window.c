/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * window.c - loads that lie near each other are read together.
 *
 * A window is 64 bytes from one base on. A kernel may read it at once from each packet, and take
 * all its loads from there.
 */
#include "jit/set/builder.h"

#define MAX_OFFSET  4096 /* of loads that are looked at */
#define MAX_WINDOWS 200
#define MIN_FIXED   4 /* fewer loads are cheaper one by one, */
#define MIN_MOVING  3 /* and with a base that has to be checked for each packet */

struct near_load {
	uint32_t col;
	uint32_t base, off, size;
};

static int by_place(const void *a, const void *b)
{
	const struct near_load *x = a;
	const struct near_load *y = b;

	if (x->base != y->base)
		return x->base < y->base ? -1 : 1;
	if (x->off != y->off)
		return x->off < y->off ? -1 : 1;
	return x->col < y->col ? -1 : 1;
}

/* The loads, from the first on, that one window has. */
static uint32_t count_inside(const struct near_load *loads, uint32_t n)
{
	uint32_t count = 0;

	while (count < NPF_MIN(n, SET_FIELDS) && loads[count].base == loads[0].base &&
		loads[count].off + loads[count].size <= loads[0].off + SET_WINDOW)
		count++;
	return count;
}

/* Field by field, the least byte of a number first. */
static void fill_window(struct set_window *w, const struct near_load *loads, uint32_t n)
{
	*w = (struct set_window){.base = loads[0].base, .from = loads[0].off, .n = n};
	for (uint32_t i = 0; i < SET_FIELDS; i++)
		w->end[i] = UINT32_MAX;
	for (uint32_t i = 0; i < n; i++) {
		w->col[i] = loads[i].col;
		w->end[i] = loads[i].off + loads[i].size - w->from;
		for (uint32_t j = 0; j < loads[i].size; j++) {
			w->byte[4 * i + j] = w->end[i] - 1 - j;
			w->used |= 1ull << (4 * i + j);
		}
	}
}

/* Windows get numbers in the order in which columns use them. */
static void number_windows(struct set_program *p, const struct set_window *found)
{
	uint8_t number[MAX_WINDOWS + 1] = {0};

	for (uint32_t i = COL_FIRST; i < p->n_cols; i++) {
		struct set_col *c = &p->cols[i];

		if (c->window == 0)
			continue;
		if (number[c->window] == 0) {
			p->windows[p->n_windows] = found[c->window];
			number[c->window] = ++p->n_windows;
		}
		c->window = number[c->window];
	}
}

int set_find_windows(struct set_program *p)
{
	npf_autofree struct near_load *loads = malloc(p->n_cols * sizeof(*loads));
	npf_autofree struct set_window *found = calloc(MAX_WINDOWS + 1, sizeof(*found));
	uint32_t n = 0, n_found = 0;

	p->windows = calloc(MAX_WINDOWS + 1, sizeof(*p->windows));
	if (loads == NULL || found == NULL || p->windows == NULL)
		return -ENOMEM;
	for (uint32_t i = COL_FIRST; i < p->n_cols; i++) {
		const struct set_col *c = &p->cols[i];

		if (ir_is_load(c->op) && c->k < MAX_OFFSET)
			loads[n++] = (struct near_load){i, c->a, c->k, ir_load_size(c->op)};
	}
	qsort(loads, n, sizeof(*loads), by_place);
	for (uint32_t i = 0; i < n && n_found < MAX_WINDOWS;) {
		const uint32_t count = count_inside(loads + i, n - i);

		if (count < (loads[i].base == 0 ? MIN_FIXED : MIN_MOVING)) {
			i++;
			continue;
		}
		fill_window(&found[++n_found], loads + i, count);
		for (uint32_t end = i + count; i < end; i++)
			p->cols[loads[i].col].window = n_found;
	}
	number_windows(p, found);
	return 0;
}
