/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * set.c - making a set of members, and running it.
 *
 * Equal programs are one member inside. Each is lowered into logic that all share, or runs alone. A
 * set whose evaluation is likely to cost more than its members alone is given up: they all run
 * alone then, as those do that need no logic, since they accept all or nothing.
 */
#include "jit/set/builder.h"

#include <string.h>

_Static_assert(SET_LANES == NPF_FILTER_SET_BURST, "a burst has a lane for each packet");

struct member {
	enum npf_filter_set_fit fit;
	uint32_t same_as;
	uint32_t keep;
	uint32_t row; /* of one that does not fit */
	bool screens;
	const struct npf_filter *filter;
};

struct npf_filter_set {
	enum npf_filter_set_kernel kernel;
	void (*eval)(const struct set_program *p, const struct set_frame *f);
	struct set_program program;
	uint16_t *planes; /* by member */
	struct row {
		uint32_t member; /* runs alone */
		uint16_t plane;  /* behind those of the program */
	} * rows;
	uint32_t n_rows;
	uint32_t estimate;
	uint32_t n;
	struct member members[];
};

struct npf_filter_set_scratch {
	uint32_t (*cols)[SET_LANES];
	uint32_t *planes;
	uint32_t *accepted; /* by member */
	uint32_t (*rows)[SET_LANES];
};

static const struct kernel {
	const char *name;
	bool (*is_supported)(void);
	void (*eval)(const struct set_program *p, const struct set_frame *f);
} kernels[NPF_FILTER_SET_N_KERNELS] = {
	[NPF_FILTER_SET_AUTO] = {.name = "auto"},
	[NPF_FILTER_SET_PLAIN] = {"plain", NULL, set_eval_plain},
	[NPF_FILTER_SET_AVX2] = {"avx2", set_has_avx2, set_eval_avx2},
	[NPF_FILTER_SET_AVX512] = {"avx512", set_has_avx512, set_eval_avx512},
};

const char *npf_filter_set_kernel_name(enum npf_filter_set_kernel kernel)
{
	return kernel < NPF_FILTER_SET_N_KERNELS ? kernels[kernel].name : "unknown";
}

const char *npf_filter_set_fit_text(enum npf_filter_set_fit fit)
{
	static const char *const texts[NPF_FILTER_SET_N_FITS] = {
		[NPF_FILTER_SET_FITS] = "fits",
		[NPF_FILTER_SET_LOOSE] = "only libpcap runs it",
		[NPF_FILTER_SET_LONG] = "too many instructions",
		[NPF_FILTER_SET_RESULTS] = "accepts with more than one result",
		[NPF_FILTER_SET_MEMORY] = "ways join with different values",
		[NPF_FILTER_SET_DEAR] = "too many tests and loads to pay",
		[NPF_FILTER_SET_FULL] = "the set is full",
		[NPF_FILTER_SET_FEW] = "too few filters to pay",
	};

	return fit < NPF_FILTER_SET_N_FITS ? texts[fit] : "unknown";
}

static bool choose_kernel(enum npf_filter_set_kernel *kernel)
{
	if (*kernel != NPF_FILTER_SET_AUTO)
		return *kernel < NPF_FILTER_SET_N_KERNELS &&
		       (kernels[*kernel].is_supported == NULL || kernels[*kernel].is_supported());
	*kernel = set_has_avx512() ? NPF_FILTER_SET_AVX512
		  : set_has_avx2() ? NPF_FILTER_SET_AVX2
				   : NPF_FILTER_SET_PLAIN;
	return true;
}

/* ---- equal members ---- */

static bool are_equal(const struct npf_filter_set_member *x, const struct npf_filter_set_member *y)
{
	if ((x->insns == NULL) != (y->insns == NULL) || x->n_insns != y->n_insns ||
		x->screens != y->screens || (x->aux == NULL) != (y->aux == NULL))
		return false;
	if (x->aux != NULL &&
		(x->aux->pkttype != y->aux->pkttype || x->aux->ifindex != y->aux->ifindex))
		return false;
	return x->insns == NULL || memcmp(x->insns, y->insns, x->n_insns * sizeof(*x->insns)) == 0;
}

static uint32_t hash_of(const struct npf_filter_set_member *m, uint64_t key)
{
	for (uint32_t i = 0; m->insns != NULL && i < m->n_insns; i++) {
		const struct npf_bpf_insn *in = &m->insns[i];
		const uint64_t high = in->code << 16 | in->jt << 8 | in->jf;

		key = finder_mix(key, high << 32 | in->k);
	}
	return finder_mix(key, m->aux != NULL ? m->aux->pkttype : 7) >> 32;
}

static int find_equal(struct npf_filter_set *set, const struct npf_filter_set_member *members)
{
	const uint64_t key = finder_key();
	struct finder found = {.n = 0};
	int rc = 0;

	for (uint32_t i = 0; i < set->n && rc == 0; i++) {
		const uint32_t hash = hash_of(&members[i], key);
		uint32_t e = finder_first(&found, hash);

		while (e != 0 && !are_equal(&members[e - 1], &members[i]))
			e = finder_next(&found, e);
		set->members[i].same_as = e != 0 ? e - 1 : i;
		if (e == 0)
			rc = finder_add(&found, i + 1, hash);
	}
	finder_fini(&found);
	return rc;
}

/* ---- making ---- */

/* The node of a member that is the first of its equals. Return: 0 or -errno. */
static int lower(struct set_builder *bld, const struct npf_filter_set_member *from,
	struct member *m, uint32_t *node)
{
	int how;

	*node = NODE_FALSE;
	if (from->insns == NULL) {
		*node = NODE_TRUE;
		m->keep = UINT32_MAX;
		return 0;
	}
	how = npf_bpf_verify_loose(from->insns, from->n_insns, NULL);
	if (how < 0)
		return how;
	m->fit = NPF_FILTER_SET_LOOSE;
	if (how == 0)
		*node = set_lower(bld, from, &m->fit, &m->keep);
	return bld->failed ? -ENOMEM : 0;
}

/* Roughly the ns that a burst takes. */
static uint32_t estimate(const struct npf_filter_set *set)
{
	const bool has_windows = set->kernel == NPF_FILTER_SET_AVX512;
	const struct set_program *p = &set->program;
	uint32_t ns = 45 + set->n / 2 + p->n_probes * 25 + p->n_in_runs / 8 + p->n_steps * 3;

	for (uint32_t i = COL_FIRST; i < p->n_cols; i++) {
		const struct set_col *c = &p->cols[i];

		if (has_windows && c->window != 0)
			ns += 1;
		else
			ns += !ir_is_load(c->op) ? 5 : c->a == 0 ? 20 : 35;
	}
	for (uint32_t i = 0; i < p->n_groups; i++)
		ns += 2 + p->groups[i].n;
	return ns + p->n_ops + (has_windows ? p->n_windows * 60 : 0);
}

/* Members that fit, and need logic, run alone after all. */
static void give_up(struct npf_filter_set *set, uint32_t *nodes)
{
	for (uint32_t i = 0; i < set->n; i++) {
		struct member *m = &set->members[i];

		if (m->fit == NPF_FILTER_SET_FITS && nodes[i] >= NODE_FIRST)
			m->fit = NPF_FILTER_SET_FEW;
		if (m->fit != NPF_FILTER_SET_FITS)
			nodes[i] = NODE_FALSE;
	}
}

/* Members that run alone get rows, those that are equal one. */
static void place_rows(struct npf_filter_set *set)
{
	const uint32_t first = set->program.n_planes + SET_PLANES_SLACK;

	for (uint32_t i = 0; i < set->n; i++) {
		struct member *m = &set->members[i];

		if (m->fit == NPF_FILTER_SET_FITS || m->filter == NULL)
			continue;
		m->row = set->members[m->same_as].row;
		if (m->same_as == i) {
			m->row = set->n_rows++;
			set->rows[m->row] = (struct row){.member = i, .plane = first + m->row};
		}
		set->planes[i] = first + m->row;
	}
}

static int place(struct npf_filter_set *set, struct set_builder *bld, uint32_t *nodes, bool always)
{
	uint32_t n_alone = 0;
	int rc;

	set->planes = calloc(set->n + 1, sizeof(*set->planes));
	set->rows = calloc(set->n + 1, sizeof(*set->rows));
	if (set->planes == NULL || set->rows == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < set->n; i++)
		n_alone += nodes[i] >= NODE_FIRST && set->members[i].same_as == i;
	rc = set_place(bld, nodes, set->n, &set->program, set->planes);
	if (rc < 0)
		return rc;
	set->estimate = estimate(set);
	if (!always && set->estimate > n_alone * NPF_FILTER_SET_ALONE_NS) {
		give_up(set, nodes);
		set_program_fini(&set->program);
		rc = set_place(bld, nodes, set->n, &set->program, set->planes);
		set->estimate = 0;
	}
	if (rc == 0)
		place_rows(set);
	return rc;
}

static int build(
	struct npf_filter_set *set, const struct npf_filter_set_member *members, bool always)
{
	npf_autofree uint32_t *nodes = calloc(set->n + 1, sizeof(*nodes));
	struct set_builder bld;
	int rc = nodes == NULL ? -ENOMEM : find_equal(set, members);

	set_builder_init(&bld);
	for (uint32_t i = 0; i < set->n && rc == 0; i++) {
		struct member *m = &set->members[i];
		const struct member *first = &set->members[m->same_as];

		m->filter = members[i].filter;
		m->screens = members[i].screens;
		if (first == m) {
			rc = lower(&bld, &members[i], m, &nodes[i]);
		} else {
			nodes[i] = nodes[m->same_as];
			m->fit = first->fit;
			m->keep = first->keep;
		}
		if (m->fit != NPF_FILTER_SET_FITS)
			nodes[i] = NODE_FALSE;
	}
	if (rc == 0)
		rc = bld.failed ? -ENOMEM : place(set, &bld, nodes, always);
	set_builder_fini(&bld);
	return rc;
}

int npf_filter_set_new(const struct npf_filter_set_member *members, unsigned int n,
	const struct npf_filter_set_opts *opts, struct npf_filter_set **setp)
{
	enum npf_filter_set_kernel kernel = opts != NULL ? opts->kernel : NPF_FILTER_SET_AUTO;
	struct npf_filter_set *set;
	int rc;

	if (n > NPF_FILTER_SET_MAX)
		return -E2BIG;
	if (!choose_kernel(&kernel))
		return -ENOTSUP;
	set = calloc(1, sizeof(*set) + n * sizeof(*set->members));
	if (set == NULL)
		return -ENOMEM;
	set->kernel = kernel;
	set->eval = kernels[kernel].eval;
	set->n = n;
	rc = build(set, members, opts != NULL && opts->always);
	if (rc < 0) {
		npf_filter_set_free(set);
		return rc;
	}
	*setp = set;
	return 0;
}

struct npf_filter_set *npf_filter_set_free(struct npf_filter_set *set)
{
	if (set != NULL) {
		set_program_fini(&set->program);
		free(set->planes);
		free(set->rows);
	}
	free(set);
	return NULL;
}

/* ---- running ---- */

static void *lines(size_t n, size_t size)
{
	const size_t bytes = NPF_ALIGN_UP(n * size + 1, NPF_CACHELINE);
	void *at = aligned_alloc(NPF_CACHELINE, bytes);

	if (at != NULL)
		memset(at, 0, bytes);
	return at;
}

struct npf_filter_set_scratch *npf_filter_set_scratch_new(const struct npf_filter_set *set)
{
	struct npf_filter_set_scratch *sc = calloc(1, sizeof(*sc));

	if (sc == NULL)
		return NULL;
	sc->cols = lines(set->program.n_cols, sizeof(*sc->cols));
	sc->planes =
		lines(set->program.n_planes + SET_PLANES_SLACK + set->n_rows, sizeof(*sc->planes));
	sc->accepted = lines(set->n, sizeof(*sc->accepted));
	sc->rows = lines(set->n_rows, sizeof(*sc->rows));
	if (sc->cols == NULL || sc->planes == NULL || sc->accepted == NULL || sc->rows == NULL)
		return npf_filter_set_scratch_free(sc);
	sc->planes[NODE_TRUE] = UINT32_MAX;
	return sc;
}

struct npf_filter_set_scratch *npf_filter_set_scratch_free(struct npf_filter_set_scratch *sc)
{
	if (sc != NULL) {
		free(sc->cols);
		free(sc->planes);
		free(sc->accepted);
		free(sc->rows);
	}
	free(sc);
	return NULL;
}

static uint32_t run_alone(const struct member *m, const struct set_frame *f, const uint32_t *lens,
	const uint32_t *caplens, uint32_t *row)
{
	uint32_t plane = 0;

	(m->screens ? npf_filter_screen_burst : npf_filter_run_burst)(
		m->filter, f->pkts, lens, caplens, f->n, row);
	for (uint32_t i = 0; i < f->n; i++) {
		const uint32_t bit = row[i] != 0;

		plane |= bit << i;
	}
	return plane;
}

static void pick(const struct npf_filter_set *set, const uint32_t *restrict planes, uint32_t valid,
	uint32_t *restrict accepted)
{
	const uint16_t *restrict of = set->planes;
	const uint32_t n = set->n;

	for (uint32_t i = 0; i < n; i++)
		accepted[i] = planes[of[i]] & valid;
}

const uint32_t *npf_filter_set_run(const struct npf_filter_set *set,
	struct npf_filter_set_scratch *scratch, const uint8_t *const *pkts, const uint32_t *lens,
	const uint32_t *caplens, uint32_t n)
{
	struct set_frame f = {.pkts = pkts,
		.n = NPF_MIN(n, SET_LANES),
		.least = UINT32_MAX,
		.cols = scratch->cols,
		.planes = scratch->planes};

	f.valid = f.n == SET_LANES ? UINT32_MAX : (1u << f.n) - 1;
	if (f.n > 0 && set->program.n_planes > NODE_FIRST) {
		memcpy(f.cols[COL_CAPLEN], caplens, f.n * sizeof(*caplens));
		memcpy(f.cols[COL_LEN], lens, f.n * sizeof(*lens));
		for (uint32_t i = 0; i < f.n; i++)
			f.least = NPF_MIN(f.least, caplens[i]);
		set->eval(&set->program, &f);
	}
	for (uint32_t r = 0; r < set->n_rows; r++)
		f.planes[set->rows[r].plane] = run_alone(
			&set->members[set->rows[r].member], &f, lens, caplens, scratch->rows[r]);
	pick(set, f.planes, f.valid, scratch->accepted);
	return scratch->accepted;
}

uint32_t npf_filter_set_keep(const struct npf_filter_set *set, unsigned int member)
{
	return set->members[member].keep;
}

const uint32_t *npf_filter_set_row(const struct npf_filter_set *set,
	const struct npf_filter_set_scratch *scratch, unsigned int member)
{
	const struct member *m = &set->members[member];

	return m->fit == NPF_FILTER_SET_FITS || m->filter == NULL ? NULL : scratch->rows[m->row];
}

/* ---- what became of the members ---- */

enum npf_filter_set_fit npf_filter_set_fit(const struct npf_filter_set *set, unsigned int member)
{
	return set->members[member].fit;
}

unsigned int npf_filter_set_same_as(const struct npf_filter_set *set, unsigned int member)
{
	return set->members[member].same_as;
}

void npf_filter_set_explain(const struct npf_filter_set *set, struct npf_filter_set_facts *facts)
{
	const struct set_program *p = &set->program;

	*facts = (struct npf_filter_set_facts){
		.kernel = set->kernel,
		.n_members = set->n,
		.n_probes = p->n_probes,
		.n_probed = p->n_probed,
		.n_levels = p->n_levels,
		.n_runs = p->n_runs,
		.n_in_runs = p->n_in_runs,
		.n_ops = p->n_planes - p->probed - p->n_probed,
		.n_tests = p->probed - NODE_FIRST,
		.estimate = set->estimate,
	};
	for (uint32_t i = 0; i < set->n; i++) {
		if (set->members[i].same_as != i)
			continue;
		facts->n_different++;
		facts->n_fit[set->members[i].fit]++;
	}
	for (uint32_t i = COL_FIRST; i < p->n_cols; i++) {
		if (ir_is_load(p->cols[i].op))
			facts->n_loads++;
		else
			facts->n_derived++;
	}
}
