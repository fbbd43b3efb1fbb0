/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * explain.c - compilation stage by stage: the calls that filter.c makes, and the text of the
 * intermediate program after each.
 */
#include "jit/inspect/explain.h"
#include "jit/filter.h"
#include "jit/inspect/inspect.h"

#include <string.h>

struct watcher {
	void (*show)(void *ctx, const struct npf_explain_stage *stage);
	void *ctx;
	char *before;
	int rc;
};

static const char *what_of(const char *name)
{
	for (unsigned int i = 0; i < ir_n_passes; i++) {
		if (ir_passes[i].name == name)
			return ir_passes[i].what;
	}
	return "the decisions that the program makes";
}

static void seen(void *ctx, const char *name, const struct ir *ir)
{
	struct watcher *w = ctx;
	struct npf_explain_stage stage = {.name = name, .what = what_of(name)};
	struct ir_order o;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (out == NULL || ir_order_init(&o, ir) < 0) {
		if (out != NULL)
			fclose(out);
		free(text);
		w->rc = -ENOMEM;
		return;
	}
	ir_print(ir, out);
	fclose(out);
	stage.n_blocks = o.n;
	for (uint32_t i = 0; i < o.n; i++)
		stage.n_branches += ir->blocks[o.block[i]].term == IR_BR;
	ir_order_fini(&o);
	if (text == NULL) {
		w->rc = -ENOMEM;
		return;
	}
	stage.text = text;
	stage.changed = w->before == NULL || strcmp(w->before, text) != 0;
	w->show(w->ctx, &stage);
	free(w->before);
	w->before = text;
}

int npf_filter_explain(const struct npf_bpf_insn *insns, uint32_t n_insns,
	const struct npf_bpf_aux *aux,
	void (*show)(void *ctx, const struct npf_explain_stage *stage), void *ctx)
{
	struct watcher w = {.show = show, .ctx = ctx};
	const struct ir_watch watch = {.seen = seen, .ctx = &w};
	npf_autofree struct npf_bpf_insn *tight = NULL;
	struct ir ir;
	int rc = npf_bpf_verify_loose(insns, n_insns, NULL);

	if (rc > 0) {
		rc = npf_bpf_tighten(insns, n_insns, &tight, &n_insns);
		insns = tight;
	}
	if (rc < 0)
		return rc;
	ir_init(&ir, NULL);
	rc = ir_build(&ir, insns, n_insns, aux, true);
	if (rc == 0) {
		seen(&w, "build", &ir);
		rc = ir_optimise(&ir, 0, ir_n_passes, IR_ALL_PASSES, &watch);
	}
	ir_fini(&ir);
	free(w.before);
	return rc < 0 ? rc : w.rc;
}

bool npf_filter_code(const struct npf_filter *f, struct npf_code_view *view)
{
	if (f->n_forms == 0)
		return false;
	*view = (struct npf_code_view){
		.code = f->code.at, .n_code = f->n_code, .n_table = f->n_table};
	/* The branching form comes first, then, if there is one, the flat one. */
	view->n_branching = f->n_forms > 1 ? f->start[FORM_FLAT] : f->n_code;
	return true;
}
