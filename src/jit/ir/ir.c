/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ir.c - making values and blocks, and finding an equal value that exists already.
 *
 * Every value passes through ir_op(), which first calls the fold function, if there is one, so
 * that passes need not fold what they make. Storage grows by doubling and is only freed as a whole.
 * A failure to grow sets `failed` and leaves the program consistent but wrong.
 */
#include "jit/ir/ir.h"

#include <string.h>

#define FIRST_CAP 256

/* Room for one more in a growing array; the element's index, or 0 with `failed` set. */
static uint32_t grow(struct ir *ir, void **arrayp, uint32_t *np, uint32_t *capp, size_t size)
{
	if (*np == *capp) {
		uint32_t cap = *capp == 0 ? FIRST_CAP : *capp * 2;
		void *array = cap > *capp ? realloc(*arrayp, cap * size) : NULL;

		if (array == NULL) {
			ir->failed = true;
			return 0;
		}
		*arrayp = array;
		*capp = cap;
	}
	memset((char *)*arrayp + *np * size, 0, size);
	return (*np)++;
}

#define GROW(ir, field)                                                                            \
	grow(ir, (void **)&(ir)->field, &(ir)->n_##field, &(ir)->cap_##field, sizeof(*(ir)->field))

void ir_init(struct ir *ir, ir_fold_fn *fold)
{
	*ir = (struct ir){.fold = fold,
		.key = finder_key(),
		.may_spend = UINT64_MAX,
		.may_search = UINT64_MAX};
	/* Element 0 of each is "none". Sets and windows count from 0 as well: k names them. */
	GROW(ir, vals);
	GROW(ir, blocks);
	GROW(ir, pins);
	GROW(ir, sets);
	GROW(ir, windows);
}

void ir_fini(struct ir *ir)
{
	for (uint32_t i = 0; i < ir->n_sets; i++)
		free(ir->sets[i].k);
	free(ir->vals);
	free(ir->blocks);
	free(ir->pins);
	free(ir->sets);
	free(ir->windows);
	finder_fini(&ir->val_finder);
	finder_fini(&ir->set_finder);
	finder_fini(&ir->window_finder);
	*ir = (struct ir){.failed = true};
}

static uint32_t hash_of(const struct ir *ir, const struct ir_val *val)
{
	uint64_t h = finder_mix(ir->key, (uint64_t)val->op << 32 | val->k);

	h = finder_mix(h, (uint64_t)val->a << 32 | val->b);
	return (uint32_t)(finder_mix(h, val->c) >> 32);
}

static void remember(struct ir *ir, struct finder *f, uint32_t i, uint32_t hash)
{
	if (finder_add(f, i, hash) < 0)
		ir->failed = true;
}

/* The greatest value that val can have, as far as its operands show. */
static uint32_t max_of(const struct ir *ir, const struct ir_val *val)
{
	const uint32_t a = ir->vals[val->a].max;
	const uint32_t b = ir->vals[val->b].max;
	const bool by_const = ir_is_const(ir, val->b);
	const uint32_t kb = by_const ? ir->vals[val->b].k : 0;

	switch ((enum ir_op)val->op) {
	case IR_CONST:
		return val->k;
	case IR_LD8:
		return UINT8_MAX;
	case IR_LD16:
	case IR_RAW16:
		return UINT16_MAX;
	case IR_ADD:
		return a + b >= a ? a + b : UINT32_MAX;
	case IR_MUL:
		return (uint64_t)a * b <= UINT32_MAX ? a * b : UINT32_MAX;
	case IR_DIV:
		return by_const && kb != 0 ? a / kb : a;
	case IR_MOD:
		return by_const && kb != 0 ? NPF_MIN(a, kb - 1) : a;
	case IR_AND:
		return NPF_MIN(a, b);
	case IR_OR:
	case IR_XOR:
		return ir_bits(a | b);
	case IR_SHL:
		return by_const && kb < 32 && ir_bits(a) <= UINT32_MAX >> kb ? a << kb : UINT32_MAX;
	case IR_SHR:
		return by_const && kb < 32 ? a >> kb : a;
	case IR_SEL:
		return NPF_MAX(b, ir->vals[val->c].max);
	default:
		return ir_is_predicate(val->op) ? 1 : UINT32_MAX;
	}
}

static uint32_t append(struct ir *ir, enum ir_op op, uint32_t a, uint32_t b, uint32_t c, uint32_t k)
{
	uint32_t v = GROW(ir, vals);

	if (v != 0) {
		ir->vals[v] = (struct ir_val){.op = (uint8_t)op, .a = a, .b = b, .c = c, .k = k};
		ir->vals[v].max = max_of(ir, &ir->vals[v]);
	}
	return v;
}

static bool is_commutative(enum ir_op op)
{
	switch (op) {
	case IR_ADD:
	case IR_MUL:
	case IR_AND:
	case IR_OR:
	case IR_XOR:
	case IR_EQ:
	case IR_NE:
	case IR_TST:
	case IR_NTST:
		return true;
	default:
		return false;
	}
}

uint32_t ir_op(struct ir *ir, enum ir_op op, uint32_t a, uint32_t b, uint32_t c, uint32_t k)
{
	uint32_t v;
	uint32_t h;

	ir_spend(ir, 1);
	ir->failed |= ir_is_too_dear(ir);
	if (ir->failed)
		return 0;
	if (is_commutative(op) && (ir_is_const(ir, a) || (!ir_is_const(ir, b) && a > b))) {
		v = a;
		a = b;
		b = v;
	}
	if (ir->fold != NULL) {
		v = ir->fold(ir, op, a, b, c, k);
		if (v != 0 || ir->failed)
			return v;
	}
	h = hash_of(ir, &(struct ir_val){.op = (uint8_t)op, .a = a, .b = b, .c = c, .k = k});
	for (v = finder_first(&ir->val_finder, h); v != 0; v = finder_next(&ir->val_finder, v)) {
		const struct ir_val *val = &ir->vals[v];

		ir_spend(ir, 1);
		if (val->op == op && val->a == a && val->b == b && val->c == c && val->k == k)
			return v;
	}
	v = append(ir, op, a, b, c, k);
	if (v != 0)
		remember(ir, &ir->val_finder, v, h);
	return v;
}

uint32_t ir_const(struct ir *ir, uint32_t k)
{
	return ir_op(ir, IR_CONST, 0, 0, 0, k);
}

uint32_t ir_op2(struct ir *ir, enum ir_op op, uint32_t a, uint32_t b)
{
	return ir_op(ir, op, a, b, 0, 0);
}

uint32_t ir_load(struct ir *ir, enum ir_op op, uint32_t base, uint32_t off)
{
	return ir_op(ir, op, base, 0, 0, off);
}

uint32_t ir_in_range(struct ir *ir, uint32_t base, uint64_t end)
{
	if (end > UINT32_MAX) /* no packet is that long */
		return ir_const(ir, 0);
	return ir_op(ir, IR_INR, base, 0, 0, (uint32_t)end);
}

uint32_t ir_sel(struct ir *ir, uint32_t cond, uint32_t t, uint32_t f)
{
	return ir_op(ir, IR_SEL, cond, t, f, 0);
}

uint32_t ir_not(struct ir *ir, uint32_t v)
{
	struct ir_val val;

	if (ir->failed)
		return 0;
	val = ir->vals[v];
	if (val.op == IR_CONST)
		return ir_const(ir, val.k == 0);
	if (val.op == IR_XOR && ir_is(ir, val.b, 1) && ir->vals[val.a].max == 1)
		return val.a;
	if (ir_is_predicate(val.op) && !val.pinned) {
		/* Predicates and their negations lie in pairs. */
		enum ir_op not = IR_EQ + ((val.op - IR_EQ) ^ 1);

		return ir_op(ir, not, val.a, val.b, val.c, val.k);
	}
	return ir_op2(ir, IR_XOR, v, ir_const(ir, 1));
}

uint32_t ir_fresh(struct ir *ir, enum ir_op op, uint32_t a, uint32_t b, uint32_t k)
{
	uint32_t v = ir->failed ? 0 : append(ir, op, a, b, 0, k);

	if (v != 0)
		ir->vals[v].pinned = true;
	return v;
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a;
	uint32_t y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

uint32_t ir_set_new(struct ir *ir, uint32_t *k, uint32_t n)
{
	uint64_t h = ir->key;
	uint32_t set;
	uint32_t m = 0;

	qsort(k, n, sizeof(*k), by_value);
	for (uint32_t i = 0; i < n; i++) {
		if (m == 0 || k[m - 1] != k[i])
			k[m++] = k[i];
	}
	for (uint32_t i = 0; i < m; i++)
		h = finder_mix(h, k[i]);
	ir_spend(ir, (uint64_t)n);
	/* Equal sets are one, so that lookups in them are one value. */
	for (set = finder_first(&ir->set_finder, (uint32_t)(h >> 32)); set != 0;
		set = finder_next(&ir->set_finder, set)) {
		ir_spend(ir, (uint64_t)m);
		if (ir->sets[set].n == m && memcmp(ir->sets[set].k, k, m * sizeof(*k)) == 0) {
			free(k);
			return set;
		}
	}
	set = GROW(ir, sets);
	if (set == 0) {
		free(k);
		return 0;
	}
	ir->sets[set] = (struct ir_set){.n = m, .k = k};
	remember(ir, &ir->set_finder, set, (uint32_t)(h >> 32));
	return set;
}

bool ir_set_has(const struct ir_set *set, uint32_t k)
{
	return bsearch(&k, set->k, set->n, sizeof(k), by_value) != NULL;
}

uint32_t ir_window_new(struct ir *ir, uint32_t off, uint64_t mask, uint64_t want)
{
	const uint64_t h = finder_mix(finder_mix(finder_mix(ir->key, off), mask), want) >> 32;
	uint32_t w;

	for (w = finder_first(&ir->window_finder, (uint32_t)h); w != 0;
		w = finder_next(&ir->window_finder, w)) {
		ir_spend(ir, 1);
		if (ir->windows[w].off == off && ir->windows[w].mask == mask &&
			ir->windows[w].want == want)
			return w;
	}
	w = GROW(ir, windows);
	if (w != 0) {
		ir->windows[w] = (struct ir_window){.off = off, .mask = mask, .want = want};
		remember(ir, &ir->window_finder, w, (uint32_t)h);
	}
	return w;
}

uint32_t ir_block_new(struct ir *ir)
{
	uint32_t b = ir->failed ? 0 : GROW(ir, blocks);

	return b;
}

void ir_ret(struct ir *ir, uint32_t b, uint32_t v)
{
	ir->blocks[b].term = IR_RET;
	ir->blocks[b].v = v;
	ir->blocks[b].t = ir->blocks[b].f = 0;
}

void ir_jmp(struct ir *ir, uint32_t b, uint32_t t)
{
	ir->blocks[b].term = IR_JMP;
	ir->blocks[b].v = ir->blocks[b].f = 0;
	ir->blocks[b].t = t;
}

void ir_br(struct ir *ir, uint32_t b, uint32_t v, uint32_t t, uint32_t f)
{
	if (ir_is_const(ir, v)) {
		ir_jmp(ir, b, ir->vals[v].k != 0 ? t : f);
		return;
	}
	if (t == f) {
		ir_jmp(ir, b, t);
		return;
	}
	ir->blocks[b].term = IR_BR;
	ir->blocks[b].v = v;
	ir->blocks[b].t = t;
	ir->blocks[b].f = f;
}

void ir_pin(struct ir *ir, uint32_t b, uint32_t v)
{
	uint32_t pin = ir->failed ? 0 : GROW(ir, pins);

	if (pin == 0)
		return;
	ir->pins[pin].v = v;
	if (ir->blocks[b].pin == 0)
		ir->blocks[b].pin = pin;
	else
		ir->pins[ir->blocks[b].last].next = pin;
	ir->blocks[b].last = pin;
}
