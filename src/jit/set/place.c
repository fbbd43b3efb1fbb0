/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * place.c - the order in which a set is evaluated: columns, tests and logic get their places.
 *
 * Only what the outputs need is placed. Logic is sorted into levels, as a simulator of circuits
 * does it: an operation needs nothing of its own level. Within a level, operations whose operands
 * lie side by side become runs, which kernels do a vector at a time: filters that differ in a
 * constant only are alike in all else.
 */
#include "jit/set/builder.h"

#include <string.h>

#define MIN_RUN 4 /* fewer operations are done one by one */
/* Fewer constants of a column are compared one by one. A compare costs little, a value that is
 * found some ns. */
#define MIN_PROBE 24

struct placer {
	struct set_builder *bld;
	struct set_program *p;
	bool *live;      /* by node */
	uint32_t *level; /* by node */
	uint16_t *plane; /* by node */
	bool *is_needed; /* by column */
	uint16_t *col;   /* by column: its number in the program */
	/* By column: its tests for equality with constants. */
	uint32_t *n_same;
	struct place_test {
		bool is_probed, by_col;
		uint8_t kind;
		uint16_t col;
		uint32_t node;
	} * tests;
	uint32_t n_tests;
	struct place_op {
		uint32_t node, level;
		struct set_op op;
	} * ops;
	uint32_t n_ops;
};

static void mark(struct placer *pl, const uint32_t *nodes, uint32_t n_out)
{
	const struct set_builder *bld = pl->bld;

	for (uint32_t i = 0; i < n_out; i++)
		pl->live[nodes[i]] = true;
	for (uint32_t i = bld->n_nodes; i-- > NODE_FIRST;) {
		const struct set_node *n = &bld->nodes[i];

		if (pl->live[i] && !n->is_test)
			pl->live[n->s] = pl->live[n->t] = pl->live[n->f] = true;
	}
	for (uint32_t i = NODE_FIRST; i < bld->n_nodes; i++) {
		const struct set_node *n = &bld->nodes[i];
		const struct set_test *t = &bld->tests[n->s];

		if (!pl->live[i])
			continue;
		if (!n->is_test) {
			const uint32_t branches = NPF_MAX(pl->level[n->t], pl->level[n->f]);

			pl->level[i] = 1 + NPF_MAX(pl->level[n->s], branches);
			pl->ops[pl->n_ops++] = (struct place_op){.node = i, .level = pl->level[i]};
			continue;
		}
		pl->is_needed[t->a] = pl->is_needed[t->b] = true;
		pl->n_same[t->a] += t->kind == TEST_EQ && t->b == 0;
		pl->tests[pl->n_tests++] = (struct place_test){
			.node = i, .kind = t->kind, .col = t->a, .by_col = t->b != 0};
	}
}

static int place_columns(struct placer *pl)
{
	const struct set_builder *bld = pl->bld;
	struct set_program *p = pl->p;

	p->cols = calloc(bld->n_cols, sizeof(*p->cols));
	if (p->cols == NULL)
		return -ENOMEM;
	for (uint32_t i = bld->n_cols; i-- > COL_FIRST;) {
		if (pl->is_needed[i])
			pl->is_needed[bld->cols[i].a] = pl->is_needed[bld->cols[i].b] = true;
	}
	p->n_cols = COL_FIRST;
	for (uint32_t i = 0; i < bld->n_cols; i++) {
		struct set_col c = bld->cols[i];

		if (i < COL_FIRST) {
			pl->col[i] = i;
		} else if (pl->is_needed[i]) {
			c.a = pl->col[c.a];
			c.b = pl->col[c.b];
			p->cols[p->n_cols] = c;
			pl->col[i] = p->n_cols++;
		}
	}
	return set_find_windows(p);
}

/* ---- tests ---- */

static int by_place(const void *a, const void *b)
{
	const struct place_test *x = a;
	const struct place_test *y = b;

	if (x->is_probed != y->is_probed)
		return x->is_probed ? 1 : -1;
	if (x->col != y->col)
		return x->col < y->col ? -1 : 1;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->by_col != y->by_col)
		return x->by_col ? 1 : -1;
	return x->node < y->node ? -1 : 1;
}

/* The tests in the order of their planes; those from n_plain on are answered by lookups. */
static uint32_t sort_tests(struct placer *pl)
{
	struct set_program *p = pl->p;
	uint32_t n_plain = 0;

	for (uint32_t i = 0; i < pl->n_tests; i++) {
		struct place_test *t = &pl->tests[i];

		t->is_probed =
			(t->kind == TEST_EQ && !t->by_col && pl->n_same[t->col] >= MIN_PROBE) ||
			t->kind == TEST_IN;
		n_plain += !t->is_probed;
	}
	qsort(pl->tests, pl->n_tests, sizeof(*pl->tests), by_place);
	for (uint32_t i = 0; i < pl->n_tests; i++)
		pl->plane[pl->tests[i].node] = NODE_FIRST + i;
	p->probed = NODE_FIRST + n_plain;
	p->n_probed = pl->n_tests - n_plain;
	p->n_planes = NODE_FIRST + pl->n_tests;
	return n_plain;
}

static int place_groups(struct placer *pl, uint32_t n)
{
	struct set_program *p = pl->p;

	p->constants = malloc((n + 1) * sizeof(*p->constants));
	p->groups = malloc((n + 1) * sizeof(*p->groups));
	if (p->constants == NULL || p->groups == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		const struct place_test *pt = &pl->tests[i];
		const struct set_test *t = &pl->bld->tests[pl->bld->nodes[pt->node].s];
		struct set_group *g = &p->groups[p->n_groups];

		p->constants[i] = pt->by_col ? pl->col[t->b] : t->k;
		if (i > 0 && pt->col == pt[-1].col && pt->kind == pt[-1].kind &&
			pt->by_col == pt[-1].by_col) {
			g[-1].n++;
			continue;
		}
		*g = (struct set_group){.kind = pt->kind,
			.by_col = pt->by_col,
			.col = pl->col[t->a],
			.plane = pl->plane[pt->node],
			.n = 1,
			.first = i};
		p->n_groups++;
	}
	return 0;
}

/* The pairs of one column's tests, from `from` up to `to`. */
static int place_probe(struct placer *pl, uint32_t from, uint32_t to)
{
	const struct set_builder *bld = pl->bld;
	struct set_probe *pr = &pl->p->probes[pl->p->n_probes++];
	npf_autofree struct set_pair *pairs = NULL;
	uint32_t n = 0;

	for (uint32_t i = from; i < to; i++) {
		const struct set_test *t = &bld->tests[bld->nodes[pl->tests[i].node].s];

		n += t->kind == TEST_IN ? bld->lists[t->k].n : 1;
	}
	pairs = malloc(n * sizeof(*pairs));
	if (pairs == NULL)
		return -ENOMEM;
	n = 0;
	for (uint32_t i = from; i < to; i++) {
		const uint32_t node = pl->tests[i].node;
		const struct set_test *t = &bld->tests[bld->nodes[node].s];
		const struct set_list one = {.n = 1, .k = npf_unconst(&t->k)};
		const struct set_list *list = t->kind == TEST_IN ? &bld->lists[t->k] : &one;

		for (uint32_t j = 0; j < list->n; j++)
			pairs[n++] = (struct set_pair){.k = list->k[j], .plane = pl->plane[node]};
	}
	pr->col = pl->col[pl->tests[from].col];
	return set_probe_init(pr, pairs, n, bld->key);
}

static int place_probes(struct placer *pl, uint32_t n_plain)
{
	uint32_t from = n_plain;
	int rc = 0;

	pl->p->probes = calloc(pl->p->n_probed + 1, sizeof(*pl->p->probes));
	if (pl->p->probes == NULL)
		return -ENOMEM;
	for (uint32_t i = n_plain; i < pl->n_tests && rc == 0; i++) {
		if (i + 1 == pl->n_tests || pl->tests[i + 1].col != pl->tests[i].col) {
			rc = place_probe(pl, from, i + 1);
			from = i + 1;
		}
	}
	return rc;
}

/* ---- logic ---- */

static int by_level(const void *a, const void *b)
{
	const struct place_op *x = a;
	const struct place_op *y = b;

	if (x->level != y->level)
		return x->level < y->level ? -1 : 1;
	return x->node < y->node ? -1 : 1;
}

static int by_operands(const void *a, const void *b)
{
	const struct place_op *one = a;
	const struct place_op *other = b;
	const struct set_op *x = &one->op;
	const struct set_op *y = &other->op;

	if (x->s != y->s)
		return x->s < y->s ? -1 : 1;
	if (x->t != y->t)
		return x->t < y->t ? -1 : 1;
	return x->f < y->f ? -1 : x->f > y->f;
}

/* The operation with the planes of its operands; what commutes has the lesser first. */
static struct set_op op_of(const struct placer *pl, uint32_t i)
{
	const struct set_node *n = &pl->bld->nodes[i];
	struct set_op op = {pl->plane[n->s], pl->plane[n->t], pl->plane[n->f]};
	const uint16_t s = op.s;

	if (n->f == NODE_FALSE && op.t < s) {
		op.s = op.t;
		op.t = s;
	} else if (n->t == NODE_TRUE && op.f < s) {
		op.s = op.f;
		op.f = s;
	}
	return op;
}

/* How operands move from x to y, a bit each; -1: not as in a run. */
static int moves_between(const struct set_op *x, const struct set_op *y)
{
	const uint16_t from[3] = {x->s, x->t, x->f};
	const uint16_t to[3] = {y->s, y->t, y->f};
	int moves = 0;

	for (unsigned int i = 0; i < 3; i++) {
		if (to[i] == from[i] + 1)
			moves |= 1 << i;
		else if (to[i] != from[i])
			return -1;
	}
	return moves;
}

static uint32_t length_of_run(const struct place_op *ops, uint32_t n, int *movesp)
{
	uint32_t len = 1;

	*movesp = n > 1 ? moves_between(&ops[0].op, &ops[1].op) : -1;
	while (*movesp > 0 && len < n && moves_between(&ops[len - 1].op, &ops[len].op) == *movesp)
		len++;
	return len;
}

static void place_op(struct placer *pl, const struct place_op *op, struct set_step *step)
{
	pl->plane[op->node] = pl->p->n_planes++;
	if (!step->is_run || step->n == 0)
		pl->p->ops[pl->p->n_ops++] = op->op;
	step->n++;
}

/* The operations of one level: runs first, then those that are left. */
static void place_level(struct placer *pl, struct place_op *ops, uint32_t n)
{
	struct set_program *p = pl->p;
	struct set_step *step;
	uint32_t left = 0;

	for (uint32_t i = 0; i < n; i++)
		ops[i].op = op_of(pl, ops[i].node);
	qsort(ops, n, sizeof(*ops), by_operands);
	for (uint32_t i = 0; i < n;) {
		int moves;
		const uint32_t len = length_of_run(ops + i, n - i, &moves);

		if (len < MIN_RUN) {
			ops[left++] = ops[i++];
			continue;
		}
		step = &p->steps[p->n_steps++];
		*step = (struct set_step){
			.is_run = true, .moves = moves, .dst = p->n_planes, .first = p->n_ops};
		for (uint32_t j = 0; j < len; j++)
			place_op(pl, &ops[i + j], step);
		i += len;
		p->n_runs++;
		p->n_in_runs += len;
	}
	if (left == 0)
		return;
	step = &p->steps[p->n_steps++];
	*step = (struct set_step){.dst = p->n_planes, .first = p->n_ops};
	for (uint32_t i = 0; i < left; i++)
		place_op(pl, &ops[i], step);
}

static int place_ops(struct placer *pl)
{
	struct set_program *p = pl->p;
	uint32_t from = 0;

	p->ops = calloc(pl->n_ops + 1, sizeof(*p->ops));
	p->steps = calloc(pl->n_ops + 1, sizeof(*p->steps));
	if (p->ops == NULL || p->steps == NULL)
		return -ENOMEM;
	qsort(pl->ops, pl->n_ops, sizeof(*pl->ops), by_level);
	for (uint32_t i = 0; i < pl->n_ops; i++) {
		if (i + 1 < pl->n_ops && pl->ops[i + 1].level == pl->ops[i].level)
			continue;
		place_level(pl, pl->ops + from, i + 1 - from);
		from = i + 1;
		p->n_levels++;
	}
	return 0;
}

int set_place(struct set_builder *bld, const uint32_t *nodes, uint32_t n_out, struct set_program *p,
	uint16_t *planes)
{
	npf_autofree bool *live = calloc(bld->n_nodes, sizeof(*live));
	npf_autofree uint32_t *level = calloc(bld->n_nodes, sizeof(*level));
	npf_autofree uint16_t *plane = calloc(bld->n_nodes, sizeof(*plane));
	npf_autofree bool *is_needed = calloc(bld->n_cols, sizeof(*is_needed));
	npf_autofree uint16_t *col = calloc(bld->n_cols, sizeof(*col));
	npf_autofree uint32_t *n_same = calloc(bld->n_cols, sizeof(*n_same));
	npf_autofree struct place_test *tests = calloc(bld->n_nodes, sizeof(*tests));
	npf_autofree struct place_op *ops = calloc(bld->n_nodes, sizeof(*ops));
	struct placer pl = {bld, p, live, level, plane, is_needed, col, n_same, tests, 0, ops, 0};
	uint32_t n_plain;
	int rc;

	*p = (struct set_program){0};
	if (live == NULL || level == NULL || plane == NULL || is_needed == NULL || col == NULL ||
		n_same == NULL || tests == NULL || ops == NULL)
		return -ENOMEM;
	mark(&pl, nodes, n_out);
	rc = place_columns(&pl);
	plane[NODE_TRUE] = NODE_TRUE;
	n_plain = sort_tests(&pl);
	if (rc == 0)
		rc = place_groups(&pl, n_plain);
	if (rc == 0)
		rc = place_probes(&pl, n_plain);
	if (rc == 0)
		rc = place_ops(&pl);
	for (uint32_t i = 0; i < n_out && rc == 0; i++)
		planes[i] = plane[nodes[i]];
	if (rc < 0)
		set_program_fini(p);
	return rc;
}

void set_program_fini(struct set_program *p)
{
	for (uint32_t i = 0; i < p->n_probes; i++)
		set_probe_fini(&p->probes[i]);
	free(p->cols);
	free(p->windows);
	free(p->groups);
	free(p->constants);
	free(p->probes);
	free(p->ops);
	free(p->steps);
	*p = (struct set_program){0};
}
