/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * program.h - the door of the kernels: what a set is evaluated by, and the frame that it is
 * evaluated in.
 *
 * A column has one value for each packet of the burst: a load, or what is computed of other
 * columns. A load that is out of range gives 0. A plane has one bit a packet. Planes come in the
 * order in which they are made: the two constants, tests, probes, logic.
 */
#ifndef NPF_JIT_SET_EVAL_PROGRAM_H
#define NPF_JIT_SET_EVAL_PROGRAM_H

#include "jit/ir/ir.h"

#define SET_LANES      32u /* packets of a burst */
#define SET_MAX_COLS   4096u
#define SET_MAX_PLANES 32000u /* and nodes of logic; their numbers have 16 bits */
/* Kernels write whole vectors: so many planes behind the last may be written, too. */
#define SET_PLANES_SLACK 16u

enum {
	COL_NONE,
	COL_CAPLEN,
	COL_LEN,
	COL_FIRST /* of those that are computed */
};

struct set_col {
	uint8_t op;    /* IR_CONST, a load, or arithmetic of enum ir_op */
	uint16_t a, b; /* columns, 0 none. A load's base is a. Arithmetic without b is with k */
	uint32_t k;
	/* Where the column is not 0, so many bytes from column near_base on (0: from the first
	 * byte) are in range. near_end 0: nothing is known. */
	uint16_t near_base;
	uint32_t near_end;
	uint8_t window; /* 1 and up: the load lies in window number window - 1; 0: in none */
};

#define SET_WINDOW 64u /* bytes of a window, */
#define SET_FIELDS 16u /* and the most loads from it */

/* Loads from one base that a kernel may read together: field i is word i of a vector. */
struct set_window {
	uint16_t base; /* column, or 0 */
	uint32_t from; /* bytes behind the base */
	uint8_t n;
	uint16_t col[SET_FIELDS]; /* by field: the column that it is, */
	uint32_t end[SET_FIELDS]; /* and the bytes of the window that must be in range */
	uint64_t used;            /* bytes of the vector that come from the window; others are 0 */
	uint8_t byte[SET_WINDOW]; /* by byte of the vector: that of the window */
};

enum set_test_kind {
	TEST_EQ, /* column a is k, or equal to column b */
	TEST_GT,
	TEST_TST, /* they have a bit in common */
	TEST_INR, /* a + k <= caplen, in 64 bits; a is never 0 */
	TEST_IN,  /* column a is in list k */
};

struct set_test {
	uint8_t kind;
	uint16_t a, b;
	uint32_t k;
};

/* Tests of one kind on one column. Their planes lie side by side. */
struct set_group {
	uint8_t kind;
	bool by_col; /* what a column is compared with are columns */
	uint16_t col;
	uint16_t plane;
	uint16_t n;
	uint32_t first; /* in the constants */
};

/* A table of the constants that a column is compared with. */
struct set_probe {
	uint16_t col;
	uint8_t shift;
	uint8_t n_steps; /* slots to look at, from that of the hash on */
	uint32_t mul;
	uint32_t n_slots;
	uint32_t *keys;   /* n_slots, and */
	uint16_t *which;  /* by slot: the constant's number; 0: the slot is empty */
	uint32_t *first;  /* by number: the first of its targets; and a last one, where they end */
	uint16_t *target; /* planes */
};

/* plane = s ? t : f, bit by bit */
struct set_op {
	uint16_t s, t, f;
};

/* A sequence of operations whose results lie side by side from dst on. */
struct set_step {
	bool is_run; /* one operation, whose operands move on by 1 where a bit of moves is set */
	uint8_t moves;
	uint16_t dst;
	uint16_t n;
	uint32_t first; /* in the operations; of a run that is the only one */
};

struct set_program {
	struct set_col *cols; /* from COL_FIRST on; operands come first */
	uint32_t n_cols;
	struct set_window *windows; /* in the order of the columns that need them first */
	uint32_t n_windows;
	struct set_group *groups;
	uint32_t n_groups;
	uint32_t *constants;
	struct set_probe *probes;
	uint32_t n_probes;
	uint32_t probed, n_probed; /* planes of the probes: the first, how many */
	struct set_op *ops;
	struct set_step *steps;
	uint32_t n_steps;
	uint32_t n_planes;
	uint32_t n_levels, n_runs, n_in_runs, n_ops;
};

struct set_frame {
	const uint8_t *const *pkts;
	uint32_t n;
	uint32_t valid;              /* the bits of n packets */
	uint32_t least;              /* caplen of the burst */
	uint32_t (*cols)[SET_LANES]; /* by column */
	uint32_t *planes;
};

/* ---- kernels: give all planes of the program, from the columns of the lengths on ---- */
void set_eval_plain(const struct set_program *p, const struct set_frame *f);
void set_eval_avx2(const struct set_program *p, const struct set_frame *f);
void set_eval_avx512(const struct set_program *p, const struct set_frame *f);
bool set_has_avx2(void);
bool set_has_avx512(void);

#endif
