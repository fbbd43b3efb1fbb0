/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * peer_gcc.c - classic BPF to C, one statement an instruction, and the compiler does the rest.
 *
 * Loads are written as a good C programmer would: one comparison, memcpy, __builtin_bswap.
 */
#include "peers.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

typedef uint32_t run_fn(const uint8_t *, uint32_t, uint32_t);
typedef void burst_fn(
	const uint8_t *const *, const uint32_t *, const uint32_t *, uint32_t, uint32_t *);

struct peer_gcc {
	void *lib;
	run_fn *run;
	burst_fn *burst;
};

static const char head[] =
	"#include <stdint.h>\n#include <string.h>\n"
	"#define LD(dst, type, off, conv) do { uint64_t o = (off); type t; \\\n"
	"\tif (o + sizeof(t) > caplen) return 0; memcpy(&t, p + o, sizeof(t)); dst = conv(t); } "
	"while (0)\n"
	"#define B(x) (x)\n#define H(x) __builtin_bswap16(x)\n#define W(x) __builtin_bswap32(x)\n"
	"static inline uint32_t filter(const uint8_t *p, uint32_t len, uint32_t caplen)\n{\n"
	"\tuint32_t a = 0, x = 0, m[16];\n\t(void)a; (void)x; (void)m; (void)len;\n";

static const char tail[] = "}\nuint32_t run(const uint8_t *p, uint32_t len, uint32_t caplen)\n"
			   "{\n\treturn filter(p, len, caplen);\n}\n"
			   "void burst(const uint8_t *const *p, const uint32_t *len, const "
			   "uint32_t *caplen, uint32_t n, "
			   "uint32_t *r)\n{\n\tfor (uint32_t i = 0; i < n; i++)\n"
			   "\t\tr[i] = filter(p[i], len[i], caplen[i]);\n}\n";

static void write_load(FILE *c, const struct npf_bpf_insn *in)
{
	const unsigned int size = in->code & 0x18;
	const char *type = size == 0x10 ? "uint8_t" : size == 8 ? "uint16_t" : "uint32_t";
	const char conv = size == 0x10 ? 'B' : size == 8 ? 'H' : 'W';

	if ((in->code & 0xe0) == 0x40)
		fprintf(c, "LD(a, %s, (uint64_t)x + %uu, %c);\n", type, in->k, conv);
	else
		fprintf(c, "LD(a, %s, %uu, %c);\n", type, in->k, conv);
}

static void write_alu(FILE *c, const struct npf_bpf_insn *in)
{
	static const char *const ops[] = {"+", "-", "*", "/", "|", "&", "<<", ">>", "", "%", "^"};
	const unsigned int op = in->code >> 4;
	const bool by_x = (in->code & 8) != 0;

	if (in->code == 0x84)
		fprintf(c, "a = -a;\n");
	else if (by_x && (op == 3 || op == 9))
		fprintf(c, "if (x == 0) return 0; a = a %s x;\n", ops[op]);
	else if (by_x && (op == 6 || op == 7))
		fprintf(c, "a = x < 32 ? a %s x : 0;\n", ops[op]);
	else if (by_x)
		fprintf(c, "a = a %s x;\n", ops[op]);
	else
		fprintf(c, "a = a %s %uu;\n", ops[op], in->k);
}

static void write_insn(FILE *c, const struct npf_bpf_insn *in, uint32_t pc)
{
	static const char *const compares[] = {"", "a == %s", "a > %s", "a >= %s", "a & %s"};
	char operand[16];

	fprintf(c, "L%u: __attribute__((unused));\n\t", pc);
	switch (in->code & 7) {
	case 0:
		if (in->code == 0x00)
			fprintf(c, "a = %uu;\n", in->k);
		else if (in->code == 0x60)
			fprintf(c, "a = m[%u];\n", in->k);
		else if (in->code == 0x80)
			fprintf(c, "a = len;\n");
		else
			write_load(c, in);
		return;
	case 1:
		if (in->code == 0xb1)
			fprintf(c, "LD(x, uint8_t, %uu, B); x = (x & 15) << 2;\n", in->k);
		else if (in->code == 0x61)
			fprintf(c, "x = m[%u];\n", in->k);
		else if (in->code == 0x81)
			fprintf(c, "x = len;\n");
		else
			fprintf(c, "x = %uu;\n", in->k);
		return;
	case 2:
		fprintf(c, "m[%u] = a;\n", in->k);
		return;
	case 3:
		fprintf(c, "m[%u] = x;\n", in->k);
		return;
	case 4:
		write_alu(c, in);
		return;
	case 5:
		if (in->code == 0x05) {
			fprintf(c, "goto L%u;\n", pc + 1 + in->k);
			return;
		}
		snprintf(operand, sizeof(operand), (in->code & 8) ? "x" : "%uu", in->k);
		fprintf(c, "if (");
		fprintf(c, compares[in->code >> 4], operand);
		fprintf(c, ") goto L%u; else goto L%u;\n", pc + 1 + in->jt, pc + 1 + in->jf);
		return;
	case 6:
		if (in->code == 0x16)
			fprintf(c, "return a;\n");
		else
			fprintf(c, "return %uu;\n", in->k);
		return;
	default:
		fprintf(c, in->code == 0x07 ? "x = a;\n" : "a = x;\n");
		return;
	}
}

static int compile(const char *dir)
{
	char src[64], lib[64];
	int status;
	pid_t pid;

	snprintf(src, sizeof(src), "%s/filter.c", dir);
	snprintf(lib, sizeof(lib), "%s/filter.so", dir);
	pid = fork();
	if (pid == 0) {
		execlp("gcc", "gcc", "-O3", "-march=native", "-w", "-shared", "-fPIC", "-o", lib,
			src, (char *)NULL);
		_exit(127);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0 ? 0 : -1;
}

struct peer_gcc *peer_gcc_new(const struct npf_bpf_insn *insns, uint32_t n)
{
	char dir[] = "/tmp/npf-bench-XXXXXX";
	struct peer_gcc *p = calloc(1, sizeof(*p));
	char path[64];
	FILE *c;

	if (p == NULL || mkdtemp(dir) == NULL) {
		free(p);
		return NULL;
	}
	snprintf(path, sizeof(path), "%s/filter.c", dir);
	c = fopen(path, "w");
	if (c != NULL) {
		fputs(head, c);
		for (uint32_t i = 0; i < n; i++)
			write_insn(c, &insns[i], i);
		fputs(tail, c);
		if (fclose(c) == 0 && compile(dir) == 0) {
			snprintf(path, sizeof(path), "%s/filter.so", dir);
			p->lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
		}
	}
	if (p->lib != NULL) {
		p->run = (run_fn *)dlsym(p->lib, "run");
		p->burst = (burst_fn *)dlsym(p->lib, "burst");
	}
	snprintf(path, sizeof(path), "%s/filter.so", dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/filter.c", dir);
	unlink(path);
	rmdir(dir);
	if (p->run == NULL || p->burst == NULL) {
		free(p);
		return NULL;
	}
	return p;
}

uint32_t peer_gcc_run(const struct peer_gcc *p, const uint8_t *pkt, uint32_t len, uint32_t caplen)
{
	return p->run(pkt, len, caplen);
}

void peer_gcc_burst(const struct peer_gcc *p, const uint8_t *const *pkts, const uint32_t *lens,
	const uint32_t *caplens, uint32_t n, uint32_t *results)
{
	p->burst(pkts, lens, caplens, n, results);
}

void peer_gcc_free(struct peer_gcc *p)
{
	if (p != NULL)
		dlclose(p->lib);
	free(p);
}
