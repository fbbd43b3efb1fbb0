/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * filter.c - making a filter of a program: verify, choose a back end, compile; and running it.
 *
 * A filter has a copy of its program and of the ancillary values, so that npf_filter_compile()
 * keeps no pointer of the caller's. A filter does not change afterwards, except for what adapt.c
 * learns about its speed.
 *
 * AUTO falls back to the interpreter when the system grants no executable memory, when compiling
 * takes more work than a program of this length may, and when the code can't be shown to stay in
 * bounds. A back end chosen by name does not fall back.
 */
#include "jit/filter.h"
#include "jit/x86/emit.h"

#include <string.h>

/* A program needs about as many steps as it has instructions; many more: sharing does not pay. */
#define SHARED_STEPS(n)   (8 * (n) + 4096)
#define UNSHARED_STEPS(n) (16 * (n) + 4096)
/* Work, counted by ir_spend(): the worst programs known take 800 steps an instruction. */
#define MAX_WORK(n) (2000 * (uint64_t)(n) + 1000000)

/* Make both forms of a program just built. */
static int generate_forms(struct generated *g, struct ir *ir, uint32_t passes, uint32_t max_steps,
	const struct ir_watch *watch)
{
	struct emit_tables tables = {0};
	uint32_t n_blocks;
	int rc;

	rc = ir_optimise(ir, 0, ir_flatten_at, passes, watch);
	if (rc == 0)
		rc = emit_function(&g->x, ir, max_steps, &tables, &g->start[FORM_BRANCHING]);
	if (rc == 0) {
		g->n_forms = 1;
		g->start[FORM_FLAT] = g->start[FORM_BRANCHING];
		n_blocks = ir->n_blocks;
		rc = ir_optimise(ir, ir_flatten_at, ir_n_passes, passes, watch);
		/* Flattening makes blocks; where it did not there is only one form. */
		if (rc == 0 && ir->n_blocks > n_blocks) {
			g->n_forms = 2;
			rc = emit_function(&g->x, ir, max_steps, &tables, &g->start[FORM_FLAT]);
		}
	}
	g->n_code = g->x.len;
	if (rc == 0)
		rc = emit_tables_finish(&g->x, &tables);
	emit_tables_fini(&tables);
	return rc;
}

int filter_generate(struct generated *g, const struct npf_bpf_insn *insns, uint32_t n_insns,
	const struct npf_bpf_aux *aux, uint32_t passes, const struct ir_watch *watch)
{
	uint64_t steps = 0;
	int rc = -E2BIG;

	for (int share = 1; share >= 0 && rc == -E2BIG; share--) {
		struct ir ir;

		*g = (struct generated){0};
		ir_init(&ir, NULL);
		ir.may_spend = MAX_WORK(n_insns);
		x86_init(&g->x);
		rc = ir_build(&ir, insns, n_insns, aux, share != 0);
		if (rc == 0 && watch != NULL)
			watch->seen(watch->ctx, "build", &ir);
		if (rc == 0)
			rc = generate_forms(g, &ir, passes,
				share != 0 ? SHARED_STEPS(n_insns) : UNSHARED_STEPS(n_insns),
				watch);
		g->steps = steps += ir.spent;
		if (ir_is_too_dear(&ir))
			rc = -E2BIG;
		ir_fini(&ir);
		if (rc < 0)
			x86_fini(&g->x);
	}
	return rc;
}

/* ---- Back ends ---- */

static bool is_x86_64(void)
{
#ifdef __x86_64__
	return true;
#else
	return false;
#endif
}

static int compile_scalar(struct npf_filter *f)
{
	struct generated g;
	int rc = filter_generate(
		&g, f->insns, f->n_insns, f->has_aux ? &f->aux : NULL, IR_ALL_PASSES, NULL);

	if (rc < 0)
		return rc;
	rc = code_map(&f->code, g.x.code, g.x.len);
	if (rc == 0) {
		f->n_code = g.n_code;
		f->n_table = g.x.len - g.n_code;
		f->n_forms = g.n_forms;
		for (unsigned int i = 0; i < FORM_MAX; i++) {
			f->start[i] = g.start[i];
			f->form[i] = (npf_burst_fn *)((uint8_t *)f->code.at + g.start[i]);
		}
		f->debug = debug_announce(&f->code, f->n_code);
	}
	x86_fini(&g.x);
	return rc;
}

/* What makes code of a filter's program; the later, the faster. */
static const struct jit_backend {
	const char *name;
	bool (*is_supported)(void); /* by this CPU */
	/* Sets what runs the filter: form, n_forms, code. Return: 0 or -errno, nothing is set. */
	int (*compile)(struct npf_filter *f);
} backends[NPF_N_BACKENDS] = {
	[NPF_BACKEND_AUTO] = {.name = "auto"},
	[NPF_BACKEND_INTERP] = {.name = "interp"}, /* what runs a filter without code */
	[NPF_BACKEND_SCALAR] = {"scalar", is_x86_64, compile_scalar},
};

const char *npf_backend_name(enum npf_backend b)
{
	return b < NPF_N_BACKENDS ? backends[b].name : "unknown";
}

int npf_backend_find(const char *name, enum npf_backend *b)
{
	for (unsigned int i = 0; i < NPF_N_BACKENDS; i++) {
		if (strcmp(name, backends[i].name) == 0) {
			*b = (enum npf_backend)i;
			return 0;
		}
	}
	return -EINVAL;
}

int npf_backend_from_env(enum npf_backend *b)
{
	const char *name = getenv("NPF_JIT");

	return npf_backend_find(name == NULL || *name == '\0' ? "auto" : name, b);
}

static int compile_by(struct npf_filter *f, enum npf_backend b)
{
	int rc = backends[b].is_supported() ? backends[b].compile(f) : -ENOTSUP;

	if (rc == 0)
		f->backend = b;
	f->is_unproven |= rc == -EFAULT;
	return rc;
}

/* The best that succeeds; without one the filter is interpreted. */
static void compile_by_best(struct npf_filter *f)
{
	unsigned int b = NPF_N_BACKENDS - 1;

	while (b > NPF_BACKEND_INTERP && compile_by(f, (enum npf_backend)b) < 0)
		b--;
}

/* ---- Filters ---- */

static _Atomic uint64_t last_serial;

/* A filter with a copy of the program, to be interpreted. */
static struct npf_filter *make(
	const struct npf_bpf_insn *insns, uint32_t n_insns, const struct npf_filter_opts *opts)
{
	struct npf_filter *f = malloc(sizeof(*f) + n_insns * sizeof(*insns));

	if (f == NULL)
		return NULL;
	*f = (struct npf_filter){
		.backend = NPF_BACKEND_INTERP,
		.serial = atomic_fetch_add_explicit(&last_serial, 1, memory_order_relaxed) + 1,
		.has_aux = opts != NULL && opts->aux != NULL,
		.n_insns = n_insns,
	};
	f->learns = &f->adapt;
	if (f->has_aux)
		f->aux = *opts->aux;
	memcpy(f->insns, insns, n_insns * sizeof(*insns));
	return f;
}

/* A filter of a loose program: the tight program made of it, and the loose one behind. */
static struct npf_filter *make_loose(const struct npf_bpf_insn *insns, uint32_t n_insns, int how,
	const struct npf_filter_opts *opts)
{
	npf_autofree struct npf_bpf_insn *tight = NULL;
	struct npf_bpf_insn *both;
	struct npf_filter *f;
	uint32_t n;

	if (npf_bpf_tighten(insns, n_insns, &tight, &n) < 0)
		return NULL;
	both = realloc(tight, (n + n_insns) * sizeof(*both));
	if (both == NULL)
		return NULL;
	tight = both;
	memcpy(both + n, insns, n_insns * sizeof(*insns));
	f = make(both, n + n_insns, opts);
	if (f != NULL) {
		f->n_insns = n;
		f->loose = f->insns + n;
		f->max_steps = (how & NPF_BPF_LOOPS) != 0 ? n_insns + NPF_BPF_MAXSTEPS : 0;
	}
	return f;
}

int npf_filter_compile(const struct npf_bpf_insn *insns, uint32_t n_insns,
	const struct npf_filter_opts *opts, struct npf_filter **fp, struct npf_bpf_error *err)
{
	enum npf_backend backend = opts != NULL ? opts->backend : NPF_BACKEND_AUTO;
	struct npf_filter *f;
	int rc = 0;
	int how;

	if (backend >= NPF_N_BACKENDS)
		return -ENOTSUP;
	how = npf_bpf_verify_loose(insns, n_insns, err);
	if (how < 0)
		return how;
	if (how > 0 && (opts == NULL || !opts->loose))
		return -EINVAL;
	f = how > 0 ? make_loose(insns, n_insns, how, opts) : make(insns, n_insns, opts);
	if (f == NULL)
		return -ENOMEM;
	if (backend == NPF_BACKEND_AUTO)
		compile_by_best(f);
	else if (backend != NPF_BACKEND_INTERP)
		rc = compile_by(f, backend);
	if (rc < 0) {
		free(f);
		return rc == -ENOMEM ? rc : -ENOTSUP;
	}
	*fp = f;
	return 0;
}

struct npf_filter *npf_filter_free(struct npf_filter *f)
{
	if (f != NULL) {
		debug_withdraw(f->debug);
		code_unmap(&f->code);
	}
	free(f);
	return NULL;
}

enum npf_backend npf_filter_backend(const struct npf_filter *f)
{
	return f->backend;
}

bool npf_filter_is_unproven(const struct npf_filter *f)
{
	return f->is_unproven;
}

bool npf_filter_is_loose(const struct npf_filter *f)
{
	return f->loose != NULL;
}

static npf_burst_fn *preferred_form(const struct npf_filter *f)
{
	return f->form[atomic_load_explicit(&f->adapt.preferred, memory_order_relaxed)];
}

static const struct npf_bpf_aux *aux_of(const struct npf_filter *f)
{
	return f->has_aux ? &f->aux : NULL;
}

/* The result of the program without loops. */
static uint32_t run_tight(
	const struct npf_filter *f, const uint8_t *pkt, uint32_t len, uint32_t caplen)
{
	uint32_t result;

	if (f->n_forms == 0)
		return npf_bpf_interpret(f->insns, pkt, len, caplen, aux_of(f));
	preferred_form(f)(&pkt, &caplen, &result, &len, 1);
	return result;
}

static __attribute__((noinline)) void interpret_burst(const struct npf_filter *f,
	const uint8_t *const *pkts, const uint32_t *lens, const uint32_t *caplens, uint32_t n,
	uint32_t *results)
{
	for (uint32_t i = 0; i < n; i++)
		results[i] = npf_bpf_interpret(f->insns, pkts[i], lens[i], caplens[i], aux_of(f));
}

static void run_tight_burst(const struct npf_filter *f, const uint8_t *const *pkts,
	const uint32_t *lens, const uint32_t *caplens, uint32_t n, uint32_t *results)
{
	if (NPF_UNLIKELY(f->n_forms == 0))
		interpret_burst(f, pkts, lens, caplens, n, results);
	else if (f->n_forms > 1 && NPF_UNLIKELY(adapt_is_due(f)))
		adapt_run(f, pkts, lens, caplens, n, results);
	else
		preferred_form(f)(pkts, caplens, results, lens, n);
}

/* The result for a packet, where result is that of the program without loops. */
static uint32_t decide(const struct npf_filter *f, uint32_t result, const uint8_t *pkt,
	uint32_t len, uint32_t caplen)
{
	if (result != UINT32_MAX)
		return result;
	return npf_bpf_interpret_loose(f->loose, pkt, len, caplen, aux_of(f), f->max_steps);
}

static __attribute__((noinline)) void run_loops_burst(const struct npf_filter *f,
	const uint8_t *const *pkts, const uint32_t *lens, const uint32_t *caplens, uint32_t n,
	uint32_t *results)
{
	run_tight_burst(f, pkts, lens, caplens, n, results);
	for (uint32_t i = 0; i < n; i++)
		results[i] = decide(f, results[i], pkts[i], lens[i], caplens[i]);
}

uint64_t npf_filter_serial(const struct npf_filter *f)
{
	return f->serial;
}

uint32_t npf_filter_program(const struct npf_filter *f, const struct npf_bpf_insn **insnsp,
	const struct npf_bpf_aux **auxp)
{
	*insnsp = f->insns;
	*auxp = aux_of(f);
	return f->n_insns;
}

uint32_t npf_filter_run(
	const struct npf_filter *f, const uint8_t *pkt, uint32_t len, uint32_t caplen)
{
	const uint32_t result = run_tight(f, pkt, len, caplen);

	return NPF_UNLIKELY(f->max_steps > 0) ? decide(f, result, pkt, len, caplen) : result;
}

void npf_filter_run_burst(const struct npf_filter *f, const uint8_t *const *pkts,
	const uint32_t *lens, const uint32_t *caplens, uint32_t n, uint32_t *results)
{
	if (NPF_UNLIKELY(f->max_steps > 0))
		run_loops_burst(f, pkts, lens, caplens, n, results);
	else
		run_tight_burst(f, pkts, lens, caplens, n, results);
}

uint32_t npf_filter_screen(
	const struct npf_filter *f, const uint8_t *pkt, uint32_t len, uint32_t caplen)
{
	const uint32_t result = run_tight(f, pkt, len, caplen);

	return result != 0 && f->loose != NULL ? UINT32_MAX : result;
}

void npf_filter_screen_burst(const struct npf_filter *f, const uint8_t *const *pkts,
	const uint32_t *lens, const uint32_t *caplens, uint32_t n, uint32_t *results)
{
	run_tight_burst(f, pkts, lens, caplens, n, results);
	for (uint32_t i = 0; f->loose != NULL && i < n; i++)
		results[i] = results[i] != 0 ? UINT32_MAX : 0;
}
