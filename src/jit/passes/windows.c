/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * windows.c - several compares of neighbouring bytes become one.
 *
 * `proto == 6 and no fragment offset` reads bytes 23, 20 and 21: one load of bytes 20 to 23, one
 * mask and one compare decide both. A conjunction is split into predicates of the form (bytes &
 * mask) == constant; those from one base whose bytes fit in 4, or else in 8, are merged.
 *
 * A window ends with the last byte that one of its predicates reads and may begin before the first.
 * Bytes before a byte in range are in range, so a window needs no new check.
 */
#include "jit/ir/ir.h"

#include <string.h>

#define MAX_CONJUNCTS 24

/* (bytes [off, off + size) from base & mask) == want, byte i at bits 8i. */
struct field {
	uint32_t base;
	uint32_t off;
	uint32_t size;
	uint64_t mask;
	uint64_t want;
};

static bool field_of_load(const struct ir *ir, uint32_t v, struct field *f)
{
	const struct ir_val *val = &ir->vals[v];

	if (val->op != IR_LD8 && val->op != IR_RAW16 && val->op != IR_RAW32)
		return false;
	*f = (struct field){.base = val->a, .off = val->k, .size = ir_load_size(val->op)};
	f->mask = f->size == 4 ? UINT32_MAX : (1u << 8 * f->size) - 1;
	return true;
}

static bool field_of(const struct ir *ir, uint32_t v, struct field *f)
{
	const struct ir_val *val = &ir->vals[v];
	const struct ir_val *a = &ir->vals[val->a];
	uint32_t k;

	if (val->op == IR_WIN) {
		const struct ir_window *w = &ir->windows[val->k];

		*f = (struct field){val->a, w->off, 8, w->mask, w->want};
		return true;
	}
	if (!ir_is_const(ir, val->b))
		return false;
	k = ir->vals[val->b].k;
	switch ((enum ir_op)val->op) {
	case IR_EQ:
		if (a->op == IR_AND && ir_is_const(ir, a->b) && field_of_load(ir, a->a, f))
			f->mask &= ir->vals[a->b].k;
		else if (!field_of_load(ir, val->a, f))
			return false;
		f->want = k;
		return (k & ~f->mask) == 0;
	case IR_NTST:
		if (!field_of_load(ir, val->a, f))
			return false;
		f->mask &= k;
		return true;
	case IR_TST:
		if (!field_of_load(ir, val->a, f) || (k & (k - 1)) != 0)
			return false;
		f->mask &= k;
		f->want = k;
		return f->mask == k;
	default:
		return false;
	}
}

/* Leave out the bytes at both ends that the mask does not look at. */
static void trim(struct field *f)
{
	while (f->size > 1 && (f->mask >> (8 * (f->size - 1))) == 0)
		f->size--;
	while (f->size > 1 && (f->mask & 0xff) == 0) {
		f->mask >>= 8;
		f->want >>= 8;
		f->off++;
		f->size--;
	}
}

/* One field that says both; false if they don't fit. Contradictions are left as they are. */
static bool merge(const struct field *f, const struct field *g, uint32_t room, struct field *both)
{
	const uint64_t end = NPF_MAX((uint64_t)f->off + f->size, (uint64_t)g->off + g->size);
	const uint32_t begin = NPF_MIN(f->off, g->off);
	uint64_t mask_f, mask_g, want_f, want_g;

	if (f->base != g->base || end > UINT32_MAX || end - begin > room || end < room)
		return false;
	*both = (struct field){.base = f->base, .off = (uint32_t)end - room, .size = room};
	mask_f = f->mask << 8 * (f->off - both->off);
	want_f = f->want << 8 * (f->off - both->off);
	mask_g = g->mask << 8 * (g->off - both->off);
	want_g = g->want << 8 * (g->off - both->off);
	if (((want_f ^ want_g) & mask_f & mask_g) != 0)
		return false;
	both->mask = mask_f | mask_g;
	both->want = want_f | want_g;
	return true;
}

static uint32_t predicate(struct ir *ir, const struct field *f)
{
	uint32_t v;

	if (f->size == 8) {
		uint32_t w = ir_window_new(ir, f->off, f->mask, f->want);

		return w != 0 ? ir_op(ir, IR_WIN, f->base, 0, 0, w) : 0;
	}
	v = ir_load(ir, IR_RAW32, f->base, f->off);
	v = ir_op2(ir, IR_AND, v, ir_const(ir, (uint32_t)f->mask));
	return ir_op2(ir, IR_EQ, v, ir_const(ir, (uint32_t)f->want));
}

static void conjuncts(const struct ir *ir, uint32_t v, uint32_t *list, unsigned int *np)
{
	const struct ir_val *val = &ir->vals[v];

	if (val->op == IR_AND && val->max <= 1 && !val->pinned && *np + 2 <= MAX_CONJUNCTS) {
		conjuncts(ir, val->a, list, np);
		conjuncts(ir, val->b, list, np);
	} else if (*np < MAX_CONJUNCTS) {
		list[(*np)++] = v;
	} else {
		*np = MAX_CONJUNCTS + 1;
	}
}

static uint32_t make(struct ir *ir, const struct ir_val *val)
{
	uint32_t list[MAX_CONJUNCTS];
	unsigned int n = 0;
	bool merged = false;
	uint32_t v;

	v = ir_op(ir, val->op, val->a, val->b, val->c, val->k);
	if (ir->failed || val->op != IR_AND || ir->vals[val->a].max > 1 || ir->vals[val->b].max > 1)
		return v;
	conjuncts(ir, val->a, list, &n);
	if (n < MAX_CONJUNCTS)
		conjuncts(ir, val->b, list, &n);
	else
		return v;
	if (n > MAX_CONJUNCTS)
		return v;
	for (uint32_t room = 4; room <= 8; room += 4) {
		for (unsigned int i = 0; i < n; i++) {
			for (unsigned int j = i + 1; j < n; j++) {
				struct field f, g, both;

				if (!field_of(ir, list[i], &f) || !field_of(ir, list[j], &g))
					continue;
				trim(&f);
				trim(&g);
				if (!merge(&f, &g, room, &both))
					continue;
				list[i] = predicate(ir, &both);
				if (ir->failed)
					return 0;
				list[j--] = list[--n];
				merged = true;
			}
		}
	}
	if (!merged)
		return v;
	v = list[0];
	for (unsigned int i = 1; i < n; i++)
		v = ir_op2(ir, IR_AND, v, list[i]);
	return v;
}

int ir_pass_windows(struct ir *ir)
{
	return ir_rewrite(ir, make);
}
