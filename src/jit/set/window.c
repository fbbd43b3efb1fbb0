/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * window.c - loads that lie near each other are read together.
 *
 * A window is 64 bytes from one base on. A kernel may read it at once from each packet and take its
 * loads from there. It begins where the fewest loads of words lie across the words of the window.
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

/* The loads, from the first on, that lie in the window that begins there. */
static uint32_t count_inside(
	const struct near_load *loads, uint32_t n, uint32_t from, uint32_t *n_acrossp)
{
	uint32_t count = 0;

	*n_acrossp = 0;
	while (count < n && loads[count].base == loads[0].base &&
		loads[count].off + loads[count].size <= from + SET_WINDOW) {
		*n_acrossp += (loads[count].off - from) % 4 + loads[count].size > 4;
		count++;
	}
	return count;
}

/* The best window that has the first load. Return: how many loads it has. */
static uint32_t choose(const struct near_load *loads, uint32_t n, uint32_t *fromp)
{
	uint32_t best = 0, least_across = 0;

	for (uint32_t d = 0; d < 4 && d <= loads[0].off; d++) {
		uint32_t n_across;
		const uint32_t count = count_inside(loads, n, loads[0].off - d, &n_across);

		if (d == 0 || count - n_across > best - least_across) {
			best = count;
			least_across = n_across;
			*fromp = loads[0].off - d;
		}
	}
	return best;
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
		uint32_t from = 0;
		const uint32_t count = choose(loads + i, n - i, &from);

		if (count < (loads[i].base == 0 ? MIN_FIXED : MIN_MOVING)) {
			i++;
			continue;
		}
		found[++n_found] = (struct set_window){.base = loads[i].base, .from = from};
		for (uint32_t end = i + count; i < end; i++) {
			p->cols[loads[i].col].window = n_found;
			p->cols[loads[i].col].at = loads[i].off - from;
		}
	}
	number_windows(p, found);
	return 0;
}
