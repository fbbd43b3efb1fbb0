/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ir.h - the intermediate program of a filter, between its instructions and machine code.
 *
 * A classic BPF program has no loops, so it is a DAG of decisions. The intermediate program is that
 * DAG: a block is one decision (branch, return), and decides on values, which are pure expressions
 * over the packet. Equal expressions are one value (they are hashed when made), so no redundant
 * load or predicate is ever made. A value has no place in the program until sched_build() gives it
 * one: passes move decisions without moving code.
 *
 * This is sound because a value may be computed wherever all its loads are in range, and a length
 * check is an ordinary decision (IR_INR) that dominates the blocks that need it. A block that
 * becomes straight-line code has to keep its loads in range when the decision did not lead to it:
 * see flatten.c.
 *
 * Two things are not pure. IR_GET reads and IR_SET writes a slot, one of A, X, M[0..15], where
 * paths join with different values that splitting could not keep apart; they are pinned to their
 * block. Values pinned to a block are computed there, in order, and nowhere else.
 *
 * Operands come before their users in `vals`, so a pass can rewrite values in one sweep. Ids are
 * indexes; 0 is no value and no block. Memory errors stay in `failed`: makers return 0 then, and
 * the driver checks it once at the end of each pass.
 */
#ifndef NPF_JIT_IR_IR_H
#define NPF_JIT_IR_IR_H

#include "jit/bpf.h"
#include "jit/ir/finder.h"

#include <stdio.h>

enum ir_op {
	IR_NONE,
	IR_CONST, /* k */
	IR_LEN,   /* length on the wire */
	IR_GET,   /* slot k; pinned */
	IR_SET,   /* slot k = a; pinned, no value */
	/* Loads from a + k (a may be 0: from k). In network order, then as they lie in memory. */
	IR_LD8,
	IR_LD16,
	IR_LD32,
	IR_RAW16,
	IR_RAW32,
	/* Arithmetic modulo 2^32 on a and b. Shifts by 32 or more give 0. DIV, MOD: b is not 0. */
	IR_ADD,
	IR_SUB,
	IR_MUL,
	IR_DIV,
	IR_MOD,
	IR_AND,
	IR_OR,
	IR_XOR,
	IR_SHL,
	IR_SHR,
	IR_NEG,
	/* Predicates, 0 or 1, each beside its negation; unsigned. */
	IR_EQ,
	IR_NE,
	IR_GT,
	IR_LE,
	IR_GE,
	IR_LT,
	IR_TST, /* (a & b) != 0 */
	IR_NTST,
	IR_INR, /* a + k <= caplen in 64 bits (a may be 0): k bytes from a on are in range */
	IR_NINR,
	IR_IN, /* a is in set k */
	IR_NIN,
	IR_WIN, /* window k: 8 bytes at a + its offset, masked, equal a constant */
	IR_NWIN,
	IR_BTW, /* a + k <= caplen < a + b, b a constant: in range so far but no further */
	IR_NBTW,
	IR_SEL, /* a ? b : c, a is 0 or 1 */
	IR_N_OPS,
};

struct ir_val {
	uint8_t op;
	bool pinned; /* never shared with an equal one */
	uint32_t a, b, c;
	uint32_t k;
	uint32_t max; /* no greater than this, ever */
};

enum ir_term {
	IR_JMP,
	IR_BR,
	IR_RET
};

struct ir_block {
	uint8_t term;
	uint32_t v;         /* BR: the predicate. RET: the result */
	uint32_t t, f;      /* BR: where to if v is 1, 0. JMP: t */
	uint32_t pin, last; /* first and last entry in `pins` */
};

struct ir_pin {
	uint32_t v;
	uint32_t next;
};

/* A set of constants that values are looked up in; sorted, without doubles. */
struct ir_set {
	uint32_t n;
	uint32_t *k;
};

/* (the 8 bytes at a + off, as they lie in memory) & mask == want */
struct ir_window {
	uint32_t off;
	uint64_t mask;
	uint64_t want;
};

#define IR_SLOT_A  0
#define IR_SLOT_X  1
#define IR_SLOT_M  2 /* M[0] */
#define IR_N_SLOTS (IR_SLOT_M + NPF_BPF_MEMWORDS)

struct ir;

/* A value equal to the operation and simpler than it; 0 if there is none. */
typedef uint32_t ir_fold_fn(
	struct ir *ir, enum ir_op op, uint32_t a, uint32_t b, uint32_t c, uint32_t k);

struct ir {
	bool failed;      /* out of memory or room */
	ir_fold_fn *fold; /* makers try this first; NULL: they do not fold */
	uint32_t entry;
	struct ir_val *vals;
	uint32_t n_vals, cap_vals;
	struct ir_block *blocks;
	uint32_t n_blocks, cap_blocks;
	struct ir_pin *pins;
	uint32_t n_pins, cap_pins;
	struct ir_set *sets;
	uint32_t n_sets, cap_sets;
	struct ir_window *windows;
	uint32_t n_windows, cap_windows;
	struct finder val_finder, set_finder, window_finder;
	uint64_t key;   /* of the hashes */
	uint64_t spent; /* steps of work so far, and how many may be: see ir_spend() */
	uint64_t may_spend;
	uint64_t may_search; /* beyond this a pass that can do less does less */
};

/*
 * ir_spend - count work: a step is about one look at one element.
 *
 * Filters come from people who may want the compiler to take long, so each loop that could take
 * more than a few steps an element is counted. What a pass searches is bounded by may_search, which
 * makes programs slower, not wrong; beyond may_spend all fails (`failed`, ir_is_too_dear()). What
 * only reads the program counts its work, too, and so has the program without const.
 */
static inline void ir_spend(struct ir *ir, uint64_t steps)
{
	ir->spent += steps;
}

static inline bool ir_may_search(const struct ir *ir)
{
	return ir->spent <= ir->may_search;
}

static inline bool ir_is_too_dear(const struct ir *ir)
{
	return ir->spent > ir->may_spend;
}

/* @fold: ir_simplify, or NULL */
void ir_init(struct ir *ir, ir_fold_fn *fold);
void ir_fini(struct ir *ir);

/* Makers. Each returns the id of the value, an old one where an equal one is there. */
uint32_t ir_const(struct ir *ir, uint32_t k);
uint32_t ir_op(struct ir *ir, enum ir_op op, uint32_t a, uint32_t b, uint32_t c, uint32_t k);
uint32_t ir_op2(struct ir *ir, enum ir_op op, uint32_t a, uint32_t b);
uint32_t ir_load(struct ir *ir, enum ir_op op, uint32_t base, uint32_t off);
uint32_t ir_in_range(struct ir *ir, uint32_t base, uint64_t end);
uint32_t ir_sel(struct ir *ir, uint32_t cond, uint32_t t, uint32_t f);
uint32_t ir_not(struct ir *ir, uint32_t v); /* of a predicate */
uint32_t ir_fresh(struct ir *ir, enum ir_op op, uint32_t a, uint32_t b, uint32_t k); /* pinned */
/* Owns: the array is taken over, on failure too. It is sorted, and doubles are dropped. */
uint32_t ir_set_new(struct ir *ir, uint32_t *k, uint32_t n);
uint32_t ir_window_new(struct ir *ir, uint32_t off, uint64_t mask, uint64_t want);

uint32_t ir_block_new(struct ir *ir);
void ir_ret(struct ir *ir, uint32_t b, uint32_t v);
void ir_jmp(struct ir *ir, uint32_t b, uint32_t t);
void ir_br(struct ir *ir, uint32_t b, uint32_t v, uint32_t t, uint32_t f);
void ir_pin(struct ir *ir, uint32_t b, uint32_t v);

static inline bool ir_is_const(const struct ir *ir, uint32_t v)
{
	return ir->vals[v].op == IR_CONST;
}

static inline bool ir_is(const struct ir *ir, uint32_t v, uint32_t k)
{
	return ir_is_const(ir, v) && ir->vals[v].k == k;
}

static inline bool ir_is_load(enum ir_op op)
{
	return op >= IR_LD8 && op <= IR_RAW32;
}

static inline bool ir_is_predicate(enum ir_op op)
{
	return op >= IR_EQ && op <= IR_NBTW;
}

/* Bytes that a load reads. */
static inline uint32_t ir_load_size(enum ir_op op)
{
	return op == IR_LD8 ? 1 : op == IR_LD16 || op == IR_RAW16 ? 2 : 4;
}

/* All bits that a value up to max can have. */
static inline uint32_t ir_bits(uint32_t max)
{
	return max == 0 ? 0 : UINT32_MAX >> __builtin_clz(max);
}

bool ir_set_has(const struct ir_set *set, uint32_t k);

/* ---- simplify.c ---- */

ir_fold_fn ir_simplify;

/* What an operation on constants gives; not for loads, slots, IR_LEN, IR_INR and the like. */
uint32_t ir_compute(enum ir_op op, uint32_t a, uint32_t b, uint32_t c);

/* ---- build.c ---- */

/*
 * ir_build - make the intermediate program of a verified program.
 * @share: values are shared between blocks and placed later. Where that takes too many steps (see
 *         sched_build) build again without: then every value is pinned where it was computed.
 */
int ir_build(struct ir *ir, const struct npf_bpf_insn *insns, uint32_t n_insns,
	const struct npf_bpf_aux *aux, bool share);

/* ---- order.c ---- */

/* Blocks in an order in which every edge goes forward, and their dominators. */
struct ir_order {
	uint32_t n;
	uint32_t *block;  /* [n], the entry first */
	uint32_t *pos;    /* by block: its place, ~0 if it is not reached */
	uint32_t *n_pred; /* by block: edges that come in */
	bool *by_true;    /* by block: the last edge is the true side of a branch */
	uint32_t *idom;   /* by block: immediate dominator, 0 for the entry */
	uint32_t *depth;
	uint32_t *jump; /* a dominator further up, to climb in O(log n) */
	uint64_t steps; /* that finding all this took */
};

/* Return: 0 or -ENOMEM. */
int ir_order_init(struct ir_order *o, const struct ir *ir);
/* The same as a part of compiling the program: its steps are spent. */
int ir_order_init_counted(struct ir_order *o, struct ir *ir);
void ir_order_fini(struct ir_order *o);
bool ir_dominates(const struct ir_order *o, uint32_t a, uint32_t b);

/* ---- facts.c: what is known on the way to a block ---- */

/*
 * ir_decide - the truth of predicate @v at the end of block @b.
 * @side: on the way out of the block's branch that is taken when its predicate is 0 or 1; -1: on
 *        either
 * Return: 0, 1, or -1: not known.
 */
int ir_decide(struct ir *ir, const struct ir_order *o, uint32_t b, int side, uint32_t v);

/*
 * ir_rewrite - make every value that is used anew, from its new operands.
 * @make: returns the new value for @val, whose operands are the new ones
 */
int ir_rewrite(struct ir *ir, uint32_t (*make)(struct ir *ir, const struct ir_val *val));

/* ---- the passes: each leaves a program of equal meaning ---- */

struct ir_pass {
	const char *name;
	const char *what; /* one line for people */
	int (*run)(struct ir *ir);
	uint32_t search; /* steps that it may search, for each block */
};

extern const struct ir_pass ir_passes[];
extern const unsigned int ir_n_passes;
extern const unsigned int ir_flatten_at; /* before this one the program still branches */
#define IR_ALL_PASSES 0xffffffffu

int ir_pass_fold(struct ir *ir);
int ir_pass_checks(struct ir *ir);
int ir_pass_thread(struct ir *ir);
int ir_pass_chains(struct ir *ir);
int ir_pass_netorder(struct ir *ir);
int ir_pass_flatten(struct ir *ir);
int ir_pass_windows(struct ir *ir);
int ir_pass_sweep(struct ir *ir);

/* Called with the name of each pass after it ran, "build" first. */
struct ir_watch {
	void (*seen)(void *ctx, const char *name, const struct ir *ir);
	void *ctx;
};

/*
 * ir_optimise - run the passes from number `from` up to `to` whose bits are set in @mask.
 * @watch: may be NULL
 */
int ir_optimise(struct ir *ir, unsigned int from, unsigned int to, uint32_t mask,
	const struct ir_watch *watch);

#endif
