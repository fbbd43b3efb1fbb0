/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_cases.c - the data set: programs, packets and results, run by every one that can run them.
 *
 * usage: test_cases CASES
 *
 * Each case of the file is assembled and run by libpcap's bpf_filter(), the interpreter, the
 * intermediate program after each pass, with values shared and not, and native code in each form,
 * the packet ending where memory does. After the file come programs that are too long to be written
 * down: the longest straight line, the deepest chains of jumps, many joins.
 */
#include "conformance/gen.h"
#include "jit/inspect/inspect.h"
#include "jit/filter.h"
#include "jit/opcode.h"

#include <pcap/pcap.h>
#include <stdio.h>
#include <string.h>

#define MAX_INSNS 128

struct subject {
	const struct npf_bpf_insn *insns;
	uint32_t n;
	const uint8_t *pkt;
	uint32_t len, caplen;
	uint32_t want;
	const char *what;
	unsigned int n_wrong;
};

static struct gen_guard guard;

static void result(struct subject *s, const char *who, uint32_t got)
{
	if (got == s->want)
		return;
	fprintf(stderr, "%s: %s gives %u, not %u\n", s->what, who, got, s->want);
	s->n_wrong++;
}

static void eval(void *ctx, const char *name, const struct ir *ir)
{
	struct subject *s = ctx;
	uint32_t got = 0;
	int rc = ir_eval(ir, s->pkt, s->len, s->caplen, &got);

	if (rc < 0) {
		fprintf(stderr, "%s: unsafe after %s\n", s->what, name);
		s->n_wrong++;
	} else {
		result(s, name, got);
	}
}

static void run_everywhere(struct subject *s)
{
	const struct npf_filter_opts opts = {.backend = NPF_BACKEND_SCALAR};
	const struct ir_watch watch = {.seen = eval, .ctx = s};
	struct npf_bpf_error err;
	struct npf_filter *f = NULL;
	uint32_t got;

	if (npf_bpf_verify(s->insns, s->n, &err) < 0) {
		fprintf(stderr, "%s: refused: (%03u) %s\n", s->what, err.pc, err.reason);
		s->n_wrong++;
		return;
	}
	result(s, "bpf_filter()",
		bpf_filter((const struct bpf_insn *)s->insns, s->pkt, s->len, s->caplen));
	result(s, "the interpreter", npf_bpf_interpret(s->insns, s->pkt, s->len, s->caplen, NULL));
	for (int share = 0; share < 2; share++) {
		struct ir ir;

		ir_init(&ir, NULL);
		if (ir_build(&ir, s->insns, s->n, NULL, share != 0) < 0)
			abort();
		eval(s, share != 0 ? "build" : "build without sharing", &ir);
		if (ir_optimise(&ir, 0, ir_n_passes, IR_ALL_PASSES, &watch) < 0)
			abort();
		ir_fini(&ir);
	}
#ifdef __x86_64__
	if (npf_filter_compile(s->insns, s->n, &opts, &f, NULL) < 0) {
		fprintf(stderr, "%s: does not compile\n", s->what);
		s->n_wrong++;
		return;
	}
	for (unsigned int form = 0; form < f->n_forms; form++) {
		f->form[form](&s->pkt, &s->caplen, &got, &s->len, 1);
		result(s, form == FORM_FLAT ? "flat code" : "branching code", got);
	}
	npf_filter_free(f);
#else
	(void)opts;
	(void)f;
	(void)got;
#endif
}

/* ---- the assembler ---- */

static const struct {
	const char *name;
	uint16_t abs, ind, imm, mem, len; /* 0xffff: there is none */
} loads[] = {
	{"ld", OP_LD_W_ABS, OP_LD_W_IND, OP_LD_IMM, OP_LD_MEM, OP_LD_LEN},
	{"ldh", OP_LD_H_ABS, OP_LD_H_IND, 0xffff, 0xffff, 0xffff},
	{"ldb", OP_LD_B_ABS, OP_LD_B_IND, 0xffff, 0xffff, 0xffff},
	{"ldx", 0xffff, 0xffff, OP_LDX_IMM, OP_LDX_MEM, OP_LDX_LEN},
};

static const struct {
	const char *name;
	uint16_t code; /* by a constant; 8 more by X */
} alus[] = {{"add", OP_ADD_K}, {"sub", OP_SUB_K}, {"mul", OP_MUL_K}, {"div", OP_DIV_K},
	{"or", OP_OR_K}, {"and", OP_AND_K}, {"lsh", OP_LSH_K}, {"rsh", OP_RSH_K}, {"mod", OP_MOD_K},
	{"xor", OP_XOR_K}, {"jeq", OP_JEQ_K}, {"jgt", OP_JGT_K}, {"jge", OP_JGE_K},
	{"jset", OP_JSET_K}};

static bool assemble_load(const char *op, const char *arg, struct npf_bpf_insn *in)
{
	for (size_t i = 0; i < NPF_ARRAY_LEN(loads); i++) {
		if (strcmp(op, loads[i].name) != 0)
			continue;
		if (strcmp(arg, "len") == 0)
			in->code = loads[i].len;
		else if (sscanf(arg, "#%i", (int *)&in->k) == 1)
			in->code = loads[i].imm;
		else if (sscanf(arg, "M[%i]", (int *)&in->k) == 1)
			in->code = loads[i].mem;
		else if (sscanf(arg, "[x + %i]", (int *)&in->k) == 1)
			in->code = loads[i].ind;
		else if (sscanf(arg, "[%i]", (int *)&in->k) == 1)
			in->code = loads[i].abs;
		else
			return false;
		return in->code != 0xffff;
	}
	return false;
}

static bool assemble(const char *text, struct npf_bpf_insn *in)
{
	char op[8] = "", arg[48] = "";
	int jt = 0, jf = 0;
	char *jumps;

	*in = (struct npf_bpf_insn){0};
	if (sscanf(text, " %7[^ ;] %47[^;]", op, arg) < 1)
		return false;
	for (size_t n = strlen(arg); n > 0 && arg[n - 1] == ' '; n--)
		arg[n - 1] = '\0';
	if (assemble_load(op, arg, in))
		return true;
	if (strcmp(op, "ldxb") == 0) {
		in->code = OP_LDX_MSH;
		return sscanf(arg, "4*([%i]&0xf)", (int *)&in->k) == 1;
	}
	if (strcmp(op, "st") == 0 || strcmp(op, "stx") == 0) {
		in->code = op[2] == 'x' ? OP_STX : OP_ST;
		return sscanf(arg, "M[%i]", (int *)&in->k) == 1;
	}
	if (strcmp(op, "ret") == 0) {
		in->code = strcmp(arg, "a") == 0 ? OP_RET_A : OP_RET_K;
		return in->code == OP_RET_A || sscanf(arg, "#%i", (int *)&in->k) == 1;
	}
	if (strcmp(op, "ja") == 0) {
		in->code = OP_JA;
		return sscanf(arg, "%i", (int *)&in->k) == 1;
	}
	if (strcmp(op, "neg") == 0 || strcmp(op, "tax") == 0 || strcmp(op, "txa") == 0) {
		in->code = op[0] == 'n' ? OP_NEG : op[1] == 'a' ? OP_TAX : OP_TXA;
		return *arg == '\0';
	}
	for (size_t i = 0; i < NPF_ARRAY_LEN(alus); i++) {
		if (strcmp(op, alus[i].name) != 0)
			continue;
		in->code = alus[i].code | (arg[0] == 'x' ? 8 : 0);
		jumps = strchr(arg, ',');
		if (op[0] == 'j' && (jumps == NULL || sscanf(jumps, ", %d, %d", &jt, &jf) != 2))
			return false;
		in->jt = (uint8_t)jt;
		in->jf = (uint8_t)jf;
		return arg[0] == 'x' || sscanf(arg, "#%i", (int *)&in->k) == 1;
	}
	return false;
}

/* Return: bytes at pkt, -1 if the text is no packet. */
static int parse_packet(const char *text, uint8_t *pkt, uint32_t *len)
{
	unsigned int byte;
	int n = 0;

	text += strspn(text, " ");
	if (sscanf(text, "*%u", &byte) == 1) {
		for (n = 0; n < (int)byte; n++)
			pkt[n] = (uint8_t)(n + 1);
		text += strcspn(text, " |");
	} else {
		while (sscanf(text, "%2x", &byte) == 1 && strncmp(text, "len", 3) != 0) {
			pkt[n++] = (uint8_t)byte;
			text += 2;
		}
	}
	*len = (uint32_t)n;
	text += strspn(text, " ");
	if (sscanf(text, "len=%u", len) == 1)
		text += strcspn(text, " |");
	text += strspn(text, " ");
	return *text == '\0' || *text == '|' ? n : -1;
}

static bool run_line(char *line, struct subject *s)
{
	struct npf_bpf_insn insns[MAX_INSNS];
	uint8_t pkt[GEN_MAX_LEN];
	char *bar = strchr(line, '|');
	char *bar2 = bar != NULL ? strchr(bar + 1, '|') : NULL;
	uint8_t *at;
	int n;

	if (bar2 == NULL)
		return false;
	s->n = 0;
	*bar = '\0';
	for (const char *p = line; p != NULL; p = strchr(p, ';')) {
		p += *p == ';';
		if (s->n == MAX_INSNS || !assemble(p, &insns[s->n++]))
			return false;
	}
	n = parse_packet(bar + 1, pkt, &s->len);
	if (n < 0 || sscanf(bar2, "| %i", (int *)&s->want) != 1)
		return false;
	at = guard.end - n;
	memcpy(at, pkt, (size_t)n);
	s->pkt = at;
	s->caplen = (uint32_t)n;
	s->insns = insns;
	run_everywhere(s);
	return true;
}

static unsigned int run_file(const char *name, struct subject *s)
{
	FILE *in = fopen(name, "re");
	unsigned int n_cases = 0;
	unsigned int n_line = 0;
	char line[2048], what[2200];

	if (in == NULL) {
		perror(name);
		exit(99);
	}
	while (fgets(line, sizeof(line), in) != NULL) {
		n_line++;
		line[strcspn(line, "\n")] = '\0';
		if (*line == '#' || *line == '\0')
			continue;
		snprintf(what, sizeof(what), "line %u: %s", n_line, line);
		s->what = what;
		if (!run_line(line, s)) {
			fprintf(stderr, "line %u: not a case\n", n_line);
			s->n_wrong++;
		}
		n_cases++;
	}
	fclose(in);
	return n_cases;
}

/* ---- programs made here ---- */

static void run_made(struct subject *s, const char *what, const struct npf_bpf_insn *insns,
	uint32_t n, uint32_t want)
{
	static const uint8_t bytes[] = {0, 0, 0, 200, 0x45};
	uint8_t *at = guard.end - sizeof(bytes);

	memcpy(at, bytes, sizeof(bytes));
	s->pkt = at;
	s->len = s->caplen = sizeof(bytes);
	s->insns = insns;
	s->n = n;
	s->want = want;
	s->what = what;
	run_everywhere(s);
}

static void run_long_programs(struct subject *s)
{
	static struct npf_bpf_insn p[NPF_BPF_MAXINSNS];
	const uint32_t sizes[] = {4096, 20000};
	uint32_t n;

	for (unsigned int i = 0; i < 2; i++) {
		n = sizes[i];
		/* Straight: A = 200, then one more n - 2 times. */
		p[0] = (struct npf_bpf_insn){OP_LD_W_ABS, 0, 0, 0};
		for (uint32_t pc = 1; pc < n - 1; pc++)
			p[pc] = (struct npf_bpf_insn){OP_ADD_K, 0, 0, 1};
		p[n - 1] = (struct npf_bpf_insn){OP_RET_A, 0, 0, 0};
		run_made(s, "a long straight line", p, n, 200 + n - 2);

		/* Sums that double: shared values, exponentially many when they are not. */
		for (uint32_t pc = 1; pc < n - 1; pc++)
			p[pc] = (struct npf_bpf_insn){pc & 1 ? OP_TAX : OP_ADD_X, 0, 0, 0};
		run_made(s, "a long line of doublings", p, n, n >= 66 ? 0 : 200u << (n - 2) / 2);

		/* Compares that all fail, each with the same way out. */
		for (uint32_t pc = 1; pc < n - 1; pc++)
			p[pc] = (struct npf_bpf_insn){
				OP_JEQ_K, (uint8_t)NPF_MIN(255u, n - 2 - pc), 0, 100000 + pc};
		run_made(s, "a deep chain of compares", p, n, 200);

		/* Jumps as far as they go, and a step on each. */
		for (uint32_t pc = 1; pc < n - 1; pc++)
			p[pc] = (struct npf_bpf_insn){
				OP_JSET_K, (uint8_t)(pc & 1 && pc + 257 < n ? 255 : 0), 0, 8};
		run_made(s, "a deep chain of jumps", p, n, 200);

		/* A join after every other instruction, where A and X differ by the way. */
		for (uint32_t pc = 1; pc + 4 < n; pc += 4) {
			p[pc] = (struct npf_bpf_insn){OP_JSET_K, 1, 0, 1u << pc / 4 % 32};
			p[pc + 1] = (struct npf_bpf_insn){OP_ADD_K, 0, 0, 2};
			p[pc + 2] = (struct npf_bpf_insn){OP_TAX, 0, 0, 0};
			p[pc + 3] = (struct npf_bpf_insn){OP_XOR_K, 0, 0, 1};
		}
		for (uint32_t pc = 1 + (n - 2) / 4 * 4; pc < n - 1; pc++)
			p[pc] = (struct npf_bpf_insn){OP_TXA, 0, 0, 0};
		run_made(s, "many joins", p, n,
			bpf_filter((const struct bpf_insn *)p,
				(const uint8_t[]){0, 0, 0, 200, 0x45}, 5, 5));
	}
}

int main(int argc, char **argv)
{
	struct subject s = {.n_wrong = 0};
	unsigned int n_cases;

	if (argc != 2 || gen_guard_init(&guard, GEN_MAX_LEN) < 0)
		return 99;
	n_cases = run_file(argv[1], &s);
	run_long_programs(&s);
	gen_guard_fini(&guard);
	printf("%u cases and 10 long programs, %u wrong\n", n_cases, s.n_wrong);
	return s.n_wrong != 0 || n_cases < 500;
}
