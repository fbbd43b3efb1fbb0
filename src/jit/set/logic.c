/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * logic.c - decisions as logic: s ? t : f, made once and simplified when made.
 *
 * A block's plane is chosen from those of the two blocks behind it, so a program needs one
 * operation a block at most, and programs share what ends alike. Most length checks go: a field
 * that has a value other than 0 was in range.
 */
#include "jit/set/builder.h"

#define MAX_DEPTH 6 /* how deep a plane is looked into: at most 2 to the power of so many nodes */

static uint32_t node(struct set_builder *bld, bool is_test, uint32_t s, uint32_t t, uint32_t f)
{
	const uint64_t high = s;
	const uint64_t middle = t;
	const uint64_t h =
		finder_mix(finder_mix(bld->key, high << 32 | f), middle << 1 | is_test) >> 32;
	uint32_t i;

	if (bld->failed || bld->full)
		return 0;
	for (i = finder_first(&bld->node_finder, h); i != 0;
		i = finder_next(&bld->node_finder, i)) {
		const struct set_node *n = &bld->nodes[i];

		if (n->is_test == is_test && n->s == s && n->t == t && n->f == f)
			return i;
	}
	bld->full = bld->n_nodes == SET_MAX_PLANES;
	i = bld->full ? 0 : SET_GROW(bld, nodes);
	if (i != 0) {
		bld->nodes[i] = (struct set_node){.is_test = is_test, .s = s, .t = t, .f = f};
		bld->failed |= finder_add(&bld->node_finder, i, h) < 0;
	}
	return i;
}

uint32_t set_node_of_test(struct set_builder *bld, uint32_t test)
{
	return node(bld, true, test, 0, 0);
}

static bool is_and(const struct set_node *n)
{
	return !n->is_test && n->f == NODE_FALSE;
}

static bool is_or(const struct set_node *n)
{
	return !n->is_test && n->t == NODE_TRUE;
}

/* What a test being 1 says about the length: end bytes from column base on are in range. */
static bool reach_of(
	const struct set_builder *bld, const struct set_test *t, uint32_t *basep, uint32_t *endp)
{
	const struct set_col *c = &bld->cols[t->a];
	const struct set_list *list;
	bool is_not_0;

	if (t->kind == TEST_INR) {
		*basep = t->a;
		*endp = t->k;
		return true;
	}
	if (t->kind == TEST_GT && t->a == COL_CAPLEN && t->b == 0) {
		*basep = 0;
		*endp = t->k + 1;
		return true;
	}
	list = t->kind == TEST_IN ? &bld->lists[t->k] : NULL;
	is_not_0 = list != NULL ? list->n > 0 && list->k[0] != 0
				: t->kind != TEST_EQ || (t->b == 0 && t->k != 0);
	*basep = c->near_base;
	*endp = c->near_end;
	return is_not_0 && c->near_end != 0;
}

/* Where test x is 1, is test y, too? False where this is not seen. */
static bool test_implies(
	const struct set_builder *bld, const struct set_test *x, const struct set_test *y)
{
	const bool is_length =
		y->kind == TEST_INR || (y->kind == TEST_GT && y->a == COL_CAPLEN && y->b == 0);
	uint32_t x_base, x_end, y_base, y_end;

	if (!is_length || !reach_of(bld, x, &x_base, &x_end) || !reach_of(bld, y, &y_base, &y_end))
		return false;
	return (x_base == y_base || y_base == 0) && y_end <= x_end;
}

/* Where x is 1, is y, too? False where this is not seen. */
static bool implies(const struct set_builder *bld, uint32_t x, uint32_t y, unsigned int depth)
{
	const struct set_node *nx = &bld->nodes[x];
	const struct set_node *ny = &bld->nodes[y];

	if (x == y || x == NODE_FALSE || y == NODE_TRUE)
		return true;
	if (depth == 0 || x == NODE_TRUE || y == NODE_FALSE)
		return false;
	if (nx->is_test)
		return ny->is_test && test_implies(bld, &bld->tests[nx->s], &bld->tests[ny->s]);
	if (is_and(nx))
		return implies(bld, nx->s, y, depth - 1) || implies(bld, nx->t, y, depth - 1);
	if (is_or(nx))
		return implies(bld, nx->s, y, depth - 1) && implies(bld, nx->f, y, depth - 1);
	return implies(bld, nx->t, y, depth - 1) && implies(bld, nx->f, y, depth - 1);
}

static uint32_t both(struct set_builder *bld, uint32_t a, uint32_t b)
{
	if (a == NODE_FALSE || b == NODE_FALSE)
		return NODE_FALSE;
	if (implies(bld, a, b, MAX_DEPTH))
		return a;
	if (implies(bld, b, a, MAX_DEPTH))
		return b;
	return node(bld, false, NPF_MIN(a, b), NPF_MAX(a, b), NODE_FALSE);
}

static uint32_t either(struct set_builder *bld, uint32_t a, uint32_t b)
{
	if (a == NODE_TRUE || b == NODE_TRUE)
		return NODE_TRUE;
	if (implies(bld, a, b, MAX_DEPTH))
		return b;
	if (implies(bld, b, a, MAX_DEPTH))
		return a;
	return node(bld, false, NPF_MIN(a, b), NODE_TRUE, NPF_MAX(a, b));
}

uint32_t set_choose(struct set_builder *bld, uint32_t s, uint32_t t, uint32_t f)
{
	struct set_node other;

	if (bld->failed || bld->full)
		return 0;
	if (s == NODE_FALSE || t == f)
		return f;
	if (s == NODE_TRUE)
		return t;
	if (t == s)
		t = NODE_TRUE;
	if (f == s)
		f = NODE_FALSE;
	if (f == NODE_FALSE)
		return both(bld, s, t);
	if (t == NODE_TRUE)
		return either(bld, s, f);
	/* s ? t : (q & t) is t & (s | q), and s ? (f | q) : f is f | (s & q). */
	other = bld->nodes[f];
	if (is_and(&other) && (other.s == t || other.t == t))
		return both(bld, t, either(bld, s, other.s == t ? other.t : other.s));
	other = bld->nodes[t];
	if (is_or(&other) && (other.s == f || other.f == f))
		return either(bld, f, both(bld, s, other.s == f ? other.f : other.s));
	return node(bld, false, s, t, f);
}
