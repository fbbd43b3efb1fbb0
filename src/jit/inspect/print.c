/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * print.c - the intermediate program as text for people.
 *
 * The blocks come in order, each with its decision as an infix expression. A value that is used in
 * several places and is more than a load gets a name (v1, v2, ...) where it first occurs, so that
 * the text is as short as the program.
 */
#include "jit/inspect/inspect.h"

#include <stdlib.h>
#include <string.h>

struct printer {
	const struct ir *ir;
	FILE *out;
	uint32_t *n_uses; /* by value */
	uint32_t *name;   /* by value: its number, 0 none yet */
	uint32_t n_names;
	uint32_t *label; /* by block */
};

static const char *const infix[IR_N_OPS] = {
	[IR_ADD] = "+",
	[IR_SUB] = "-",
	[IR_MUL] = "*",
	[IR_DIV] = "/",
	[IR_MOD] = "%",
	[IR_AND] = "&",
	[IR_OR] = "|",
	[IR_XOR] = "^",
	[IR_SHL] = "<<",
	[IR_SHR] = ">>",
	[IR_EQ] = "==",
	[IR_NE] = "!=",
	[IR_GT] = ">",
	[IR_LE] = "<=",
	[IR_GE] = ">=",
	[IR_LT] = "<",
	[IR_TST] = "&?",
	[IR_NTST] = "!&",
};

static void print_slot(FILE *out, uint32_t slot)
{
	if (slot == IR_SLOT_A)
		fputs("A", out);
	else if (slot == IR_SLOT_X)
		fputs("X", out);
	else
		fprintf(out, "M[%u]", slot - IR_SLOT_M);
}

static void print_val(struct printer *p, uint32_t v, unsigned int depth);

static void print_address(struct printer *p, const struct ir_val *val, uint32_t off)
{
	fputc('[', p->out);
	if (val->a != 0) {
		print_val(p, val->a, 8);
		fprintf(p->out, " + %u", off);
	} else {
		fprintf(p->out, "%u", off);
	}
	fputc(']', p->out);
}

static void print_set(const struct ir_set *set, FILE *out)
{
	fprintf(out, "{");
	for (uint32_t i = 0; i < set->n && i < 4; i++)
		fprintf(out, "%s0x%x", i > 0 ? " " : "", set->k[i]);
	if (set->n > 4)
		fprintf(out, " ... %u in all", set->n);
	fprintf(out, "}");
}

static void print_body(struct printer *p, uint32_t v, unsigned int depth)
{
	static const char *const loads[] = {"b", "h", "w", "raw-h", "raw-w"};
	const struct ir_val *val = &p->ir->vals[v];
	const struct ir_window *w;

	switch ((enum ir_op)val->op) {
	case IR_CONST:
		fprintf(p->out, val->k < 10 ? "%u" : "0x%x", val->k);
		return;
	case IR_LEN:
		fputs("len", p->out);
		return;
	case IR_GET:
		print_slot(p->out, val->k);
		return;
	case IR_LD8:
	case IR_LD16:
	case IR_LD32:
	case IR_RAW16:
	case IR_RAW32:
		fputs(loads[val->op - IR_LD8], p->out);
		print_address(p, val, val->k);
		return;
	case IR_NEG:
		fputs("-", p->out);
		print_val(p, val->a, depth + 1);
		return;
	case IR_INR:
	case IR_NINR:
		if (val->a != 0) {
			print_val(p, val->a, depth + 1);
			fprintf(p->out, " + ");
		}
		fprintf(p->out, "%u %s caplen", val->k, val->op == IR_INR ? "<=" : ">");
		return;
	case IR_BTW:
	case IR_NBTW:
		fprintf(p->out, "caplen - ");
		print_val(p, val->a, depth + 1);
		fprintf(p->out, val->op == IR_BTW ? " in %u..%u" : " not in %u..%u", val->k,
			p->ir->vals[val->b].k - 1);
		return;
	case IR_IN:
	case IR_NIN:
		print_val(p, val->a, depth + 1);
		fprintf(p->out, val->op == IR_IN ? " in " : " not in ");
		print_set(&p->ir->sets[val->k], p->out);
		return;
	case IR_WIN:
	case IR_NWIN:
		w = &p->ir->windows[val->k];
		fputs("(raw-q", p->out);
		print_address(p, val, w->off);
		fprintf(p->out, " & 0x%llx) %s 0x%llx", (unsigned long long)w->mask,
			val->op == IR_WIN ? "==" : "!=", (unsigned long long)w->want);
		return;
	case IR_SEL:
		print_val(p, val->a, depth + 1);
		fputs(" ? ", p->out);
		print_val(p, val->b, depth + 1);
		fputs(" : ", p->out);
		print_val(p, val->c, depth + 1);
		return;
	default:
		print_val(p, val->a, depth + 1);
		fprintf(p->out, " %s ", infix[val->op] != NULL ? infix[val->op] : "?");
		print_val(p, val->b, depth + 1);
		return;
	}
}

static bool is_leaf(const struct ir *ir, uint32_t v)
{
	const enum ir_op op = ir->vals[v].op;

	return op == IR_CONST || op == IR_LEN || op == IR_GET ||
	       (ir_is_load(op) && ir->vals[v].a == 0);
}

static void print_val(struct printer *p, uint32_t v, unsigned int depth)
{
	bool parens;

	if (p->name[v] != 0) {
		fprintf(p->out, "v%u", p->name[v]);
		return;
	}
	parens = depth > 0 && !is_leaf(p->ir, v) && !ir_is_load(p->ir->vals[v].op);
	if (parens)
		fputc('(', p->out);
	print_body(p, v, depth);
	if (parens)
		fputc(')', p->out);
}

/* Give names, operands first, to what v needs and what is used elsewhere too. */
static void name_shared(struct printer *p, uint32_t v, unsigned int depth)
{
	const struct ir_val *val = &p->ir->vals[v];

	if (v == 0 || p->name[v] != 0 || is_leaf(p->ir, v))
		return;
	/* What is nested deep gets a name as well: lines stay short, and recursion shallow. */
	if (depth < 64) {
		name_shared(p, val->a, depth + 1);
		name_shared(p, val->b, depth + 1);
		name_shared(p, val->c, depth + 1);
	}
	if (p->n_uses[v] > 1 || (depth > 0 && depth % 4 == 0)) {
		fprintf(p->out, "        v%u = ", p->n_names + 1);
		print_body(p, v, 0);
		fputc('\n', p->out);
		p->name[v] = ++p->n_names;
	}
}

static void print_block(struct printer *p, uint32_t b)
{
	const struct ir_block *bl = &p->ir->blocks[b];

	fprintf(p->out, "b%u:\n", p->label[b]);
	for (uint32_t pin = bl->pin; pin != 0; pin = p->ir->pins[pin].next) {
		const uint32_t v = p->ir->pins[pin].v;
		const struct ir_val *val = &p->ir->vals[v];

		if (val->op == IR_SET) {
			name_shared(p, val->a, 1);
			fputs("        ", p->out);
			print_slot(p->out, val->k);
			fputs(" = ", p->out);
			print_val(p, val->a, 0);
			fputc('\n', p->out);
		} else {
			fprintf(p->out, "        v%u = ", p->n_names + 1);
			print_body(p, v, 0);
			fputc('\n', p->out);
			p->name[v] = ++p->n_names;
		}
	}
	if (bl->term != IR_JMP)
		name_shared(p, bl->v, 0);
	fputs("        ", p->out);
	switch ((enum ir_term)bl->term) {
	case IR_JMP:
		fprintf(p->out, "goto b%u\n", p->label[bl->t]);
		break;
	case IR_BR:
		fputs("if ", p->out);
		print_val(p, bl->v, 0);
		fprintf(p->out, " goto b%u else b%u\n", p->label[bl->t], p->label[bl->f]);
		break;
	case IR_RET:
		fputs("return ", p->out);
		print_val(p, bl->v, 0);
		fputc('\n', p->out);
		break;
	}
}

void ir_print(const struct ir *ir, FILE *out)
{
	npf_autofree uint32_t *n_uses = calloc(ir->n_vals, sizeof(*n_uses));
	npf_autofree uint32_t *name = calloc(ir->n_vals, sizeof(*name));
	npf_autofree uint32_t *label = calloc(ir->n_blocks, sizeof(*label));
	struct printer p = {.ir = ir, .out = out, .n_uses = n_uses, .name = name, .label = label};
	struct ir_order o;

	if (n_uses == NULL || name == NULL || label == NULL || ir_order_init(&o, ir) < 0)
		return;
	for (uint32_t i = 0; i < o.n; i++) {
		const struct ir_block *bl = &ir->blocks[o.block[i]];

		label[o.block[i]] = i;
		if (bl->term != IR_JMP)
			n_uses[bl->v]++;
		for (uint32_t pin = bl->pin; pin != 0; pin = ir->pins[pin].next)
			n_uses[ir->pins[pin].v]++;
	}
	for (uint32_t v = ir->n_vals; v-- > 1;) {
		if (n_uses[v] != 0) {
			n_uses[ir->vals[v].a]++;
			n_uses[ir->vals[v].b]++;
			n_uses[ir->vals[v].c]++;
		}
	}
	for (uint32_t i = 0; i < o.n; i++)
		print_block(&p, o.block[i]);
	ir_order_fini(&o);
}
