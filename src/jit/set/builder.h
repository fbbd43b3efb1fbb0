/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * builder.h - private: a set while it is made. Columns, tests and logic are those of all members,
 * and equal ones are made once. As with struct ir, a failure stays in `failed`.
 */
#ifndef NPF_JIT_SET_BUILDER_H
#define NPF_JIT_SET_BUILDER_H

#include "jit/set/eval/program.h"
#include "jit/set/set.h"

/* Logic: a plane is chosen by a plane. Two nodes are constants; a test is a node, too. */
enum {
	NODE_FALSE,
	NODE_TRUE,
	NODE_FIRST
};

struct set_node {
	bool is_test;
	uint32_t s, t, f; /* s ? t : f; of a test s is its number */
};

/* Constants of a TEST_IN. */
struct set_list {
	uint32_t n;
	uint32_t *k;
};

struct set_builder {
	bool failed; /* out of memory */
	bool full;   /* out of room: the member being added has to run alone */
	uint64_t key;
	struct set_col *cols;
	uint32_t n_cols, cap_cols;
	struct set_test *tests;
	uint32_t n_tests, cap_tests;
	struct set_node *nodes;
	uint32_t n_nodes, cap_nodes;
	struct set_list *lists;
	uint32_t n_lists, cap_lists;
	uint64_t n_listed; /* constants of all lists */
	struct finder col_finder, test_finder, node_finder;
};

/* ---- builder.c ---- */
/* Room for one more, zeroed, in a growing array of the builder. Return: its index; 0: failed. */
uint32_t set_grow(
	struct set_builder *bld, void **arrayp, uint32_t *np, uint32_t *capp, size_t size);
#define SET_GROW(bld, array)                                                                       \
	({                                                                                         \
		void *set_grown = (bld)->array;                                                    \
		uint32_t set_index = set_grow(bld, &set_grown, &(bld)->n_##array,                  \
			&(bld)->cap_##array, sizeof(*(bld)->array));                               \
		(bld)->array = set_grown;                                                          \
		set_index;                                                                         \
	})

void set_builder_init(struct set_builder *bld);
void set_builder_fini(struct set_builder *bld);

/* ---- columns.c ---- */
uint32_t set_col(struct set_builder *bld, uint8_t op, uint32_t a, uint32_t b, uint32_t k);
/* The node of a test. */
uint32_t set_test(struct set_builder *bld, uint8_t kind, uint32_t a, uint32_t b, uint32_t k);
/* The node of: column a is one of n constants, which are copied. */
uint32_t set_test_in(struct set_builder *bld, uint32_t a, const uint32_t *k, uint32_t n);

/* ---- logic.c ---- */
uint32_t set_node_of_test(struct set_builder *bld, uint32_t test);
uint32_t set_choose(struct set_builder *bld, uint32_t s, uint32_t t, uint32_t f);

/* ---- lower.c ---- */
/*
 * set_lower - the logic of one program.
 * @keepp: the one result with which it accepts
 * Return: its node. Where it does not fit *fitp says why; where memory is out bld->failed does.
 */
uint32_t set_lower(struct set_builder *bld, const struct npf_filter_set_member *m,
	enum npf_filter_set_fit *fitp, uint32_t *keepp);

/* ---- place.c ---- */
/*
 * set_place - the program that gives the planes of n_out nodes.
 * @planes: by output: its plane
 * Return: 0 or -ENOMEM.
 */
int set_place(struct set_builder *bld, const uint32_t *nodes, uint32_t n_out, struct set_program *p,
	uint16_t *planes);
void set_program_fini(struct set_program *p);

/* ---- window.c ---- */
/* Return: 0 or -ENOMEM. */
int set_find_windows(struct set_program *p);

/* ---- probe.c ---- */
/* A constant and the plane that it sets. */
struct set_pair {
	uint32_t k;
	uint16_t plane;
};
/* Sorts the pairs. Return: 0 or -ENOMEM. */
int set_probe_init(struct set_probe *pr, struct set_pair *pairs, uint32_t n, uint64_t key);
void set_probe_fini(struct set_probe *pr);

#endif
