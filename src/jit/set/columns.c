/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * columns.c - columns and tests of all members, equal ones made once.
 *
 * A load that is out of range gives 0. So where a load is not 0, its bytes are in range, and the
 * same holds for what stays 0 when computed of 0: logic.c drops length checks by this.
 */
#include "jit/set/builder.h"

#include <string.h>

#define MAX_LISTS  1024
#define MAX_LISTED 32000 /* constants of all lists; with those of tests they have 16 bits */

static uint32_t hash_of(
	const struct set_builder *bld, uint32_t op, uint64_t a, uint64_t b, uint64_t k)
{
	return finder_mix(finder_mix(bld->key, a << 32 | b), k << 8 | op) >> 32;
}

static void remember(struct set_builder *bld, struct finder *f, uint32_t i, uint32_t hash)
{
	if (i != 0 && finder_add(f, i, hash) < 0)
		bld->failed = true;
}

/* What is known to be in range where the column is not 0. */
static void find_near(const struct set_builder *bld, struct set_col *c)
{
	const struct set_col *a = &bld->cols[c->a];

	switch (c->op) {
	case IR_LD8:
	case IR_LD16:
	case IR_LD32:
		if (c->k <= UINT32_MAX - ir_load_size(c->op)) {
			c->near_base = c->a;
			c->near_end = c->k + ir_load_size(c->op);
		}
		return;
	case IR_AND:
	case IR_SHL:
	case IR_SHR:
	case IR_MUL:
	case IR_DIV:
	case IR_MOD:
	case IR_NEG:
		c->near_base = a->near_base;
		c->near_end = a->near_end;
		return;
	default:
		return;
	}
}

uint32_t set_col(struct set_builder *bld, uint8_t op, uint32_t a, uint32_t b, uint32_t k)
{
	const uint32_t h = hash_of(bld, op, a, b, k);
	uint32_t i;

	if (bld->failed || bld->full)
		return 0;
	for (i = finder_first(&bld->col_finder, h); i != 0; i = finder_next(&bld->col_finder, i)) {
		const struct set_col *c = &bld->cols[i];

		if (c->op == op && c->a == a && c->b == b && c->k == k)
			return i;
	}
	bld->full = bld->n_cols == SET_MAX_COLS;
	i = bld->full ? 0 : SET_GROW(bld, cols);
	if (i != 0) {
		bld->cols[i] = (struct set_col){.op = op, .a = a, .b = b, .k = k};
		find_near(bld, &bld->cols[i]);
		remember(bld, &bld->col_finder, i, h);
	}
	return i;
}

uint32_t set_test(struct set_builder *bld, uint8_t kind, uint32_t a, uint32_t b, uint32_t k)
{
	const uint32_t h = hash_of(bld, kind, a, b, k);
	uint32_t i;

	if (bld->failed || bld->full)
		return 0;
	for (i = finder_first(&bld->test_finder, h); i != 0;
		i = finder_next(&bld->test_finder, i)) {
		const struct set_test *t = &bld->tests[i];

		if (t->kind == kind && t->a == a && t->b == b && t->k == k)
			return set_node_of_test(bld, i);
	}
	bld->full = bld->n_tests == SET_MAX_PLANES;
	i = bld->full ? 0 : SET_GROW(bld, tests);
	if (i == 0)
		return 0;
	bld->tests[i] = (struct set_test){.kind = kind, .a = a, .b = b, .k = k};
	remember(bld, &bld->test_finder, i, h);
	return set_node_of_test(bld, i);
}

uint32_t set_test_in(struct set_builder *bld, uint32_t a, const uint32_t *k, uint32_t n)
{
	struct set_list list = {.n = n};
	uint32_t i;

	if (bld->failed || bld->full)
		return 0;
	for (i = 0; i < bld->n_lists; i++) {
		if (bld->lists[i].n == n && memcmp(bld->lists[i].k, k, n * sizeof(*k)) == 0)
			return set_test(bld, TEST_IN, a, 0, i);
	}
	bld->full = bld->n_lists == MAX_LISTS || bld->n_listed + n > MAX_LISTED;
	if (bld->full)
		return 0;
	list.k = malloc(n * sizeof(*k));
	i = SET_GROW(bld, lists);
	bld->failed |= list.k == NULL;
	if (bld->failed) {
		free(list.k);
		return 0;
	}
	memcpy(list.k, k, n * sizeof(*k));
	bld->lists[i] = list;
	bld->n_listed += n;
	return set_test(bld, TEST_IN, a, 0, i);
}
