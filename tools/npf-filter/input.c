/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * input.c - where the program comes from: libpcap's compiler, tcpdump -ddd, a set file.
 *
 * Whatever the source, the program passes the verifier before it is handed on.
 */
#include "npf-filter/npf-filter.h"
#include "expression/expression.h"

#include <stdio.h>
#include <string.h>

#define MAX_FILE (64u << 20)

int input_file(const char *name, char **textp, size_t *lenp)
{
	FILE *in = strcmp(name, "-") == 0 ? stdin : fopen(name, "re");
	size_t cap = 65536;
	size_t len = 0;
	char *text = malloc(cap + 1);

	if (in == NULL) {
		free(text);
		return print_error("%s: %s", name, strerror(errno));
	}
	while (text != NULL && !feof(in) && !ferror(in) && len < MAX_FILE) {
		if (len == cap) {
			char *more = realloc(text, 2 * cap + 1);

			if (more == NULL)
				break;
			text = more;
			cap *= 2;
		}
		len += fread(text + len, 1, cap - len, in);
	}
	if (text == NULL || ferror(in) || !feof(in)) {
		int rc = print_error("%s: %s", name,
			ferror(in)        ? strerror(errno)
			: len >= MAX_FILE ? "the file is too large"
					  : "out of memory");

		free(text);
		if (in != stdin)
			fclose(in);
		return rc;
	}
	text[len] = '\0';
	if (in != stdin)
		fclose(in);
	*textp = text;
	*lenp = len;
	return 0;
}

/* Up to four numbers on a line, decimal; how many there were, or -1 for anything else. */
static int parse_numbers(char *line, unsigned long long v[4])
{
	int n = 0;

	for (;;) {
		char *end;

		line += strspn(line, " \t\r");
		if (*line == '\0')
			return n;
		if (n == 4 || *line < '0' || *line > '9')
			return -1;
		errno = 0;
		v[n++] = strtoull(line, &end, 10);
		if (errno != 0)
			return -1;
		line = end;
	}
}

/* The format of tcpdump -ddd: the number of instructions, then `code jt jf k` a line. */
static int parse_insns(const char *name, char *text, struct npf_bpf_insn **insnsp, uint32_t *np)
{
	struct npf_bpf_insn *insns = NULL;
	unsigned long long v[4];
	unsigned int line = 0;
	uint32_t want = 0;
	uint32_t n = 0;

	for (char *at = text, *next; at != NULL; at = next) {
		int n_numbers;

		next = strchr(at, '\n');
		if (next != NULL)
			*next++ = '\0';
		line++;
		n_numbers = parse_numbers(at, v);
		if (n_numbers == 0)
			continue;
		if (insns == NULL) {
			if (n_numbers != 1 || v[0] == 0 || v[0] > NPF_BPF_MAXINSNS)
				return print_error(
					"%s, line %u: the number of instructions, 1 to %u, "
					"is expected here",
					name, line, NPF_BPF_MAXINSNS);
			want = (uint32_t)v[0];
			insns = calloc(want, sizeof(*insns));
			if (insns == NULL)
				return print_error("out of memory");
			continue;
		}
		if (n_numbers != 4 || v[0] > UINT16_MAX || v[1] > UINT8_MAX || v[2] > UINT8_MAX ||
			v[3] > UINT32_MAX) {
			free(insns);
			return print_error(
				"%s, line %u: not an instruction (code jt jf k)", name, line);
		}
		if (n == want) {
			free(insns);
			return print_error("%s, line %u: more than the %u instructions announced",
				name, line, want);
		}
		insns[n++] = (struct npf_bpf_insn){
			(uint16_t)v[0], (uint8_t)v[1], (uint8_t)v[2], (uint32_t)v[3]};
	}
	if (insns == NULL)
		return print_error("%s: there is no program in it", name);
	if (n < want) {
		free(insns);
		return print_error("%s: %u instructions announced, %u found", name, want, n);
	}
	*insnsp = insns;
	*np = n;
	return 0;
}

static int compile_expr(const struct options *o, struct npf_bpf_insn **insnsp, uint32_t *np)
{
	const struct npf_expression x = {
		.text = o->expr,
		.linktype = o->linktype,
		.snaplen = (uint32_t)o->snaplen,
		.is_plain = !o->optimize,
	};
	struct npf_error err;

	if (npf_expression_compile(&x, insnsp, np, &err) < 0)
		return print_error("%s", err.text);
	if (*np > 0)
		return 0;
	/* Also the filter that accepts all is a program to be shown. */
	*insnsp = malloc(sizeof(**insnsp));
	if (*insnsp == NULL)
		return print_error("out of memory");
	**insnsp = (struct npf_bpf_insn){.code = BPF_RET | BPF_K, .k = x.snaplen};
	*np = 1;
	return 0;
}

/* Not an error: people should know that this is no filter like others. */
static void warn_loose(int how, const struct npf_bpf_error *why, uint32_t n)
{
	fprintf(stderr,
		"npf-filter: libpcap runs this filter itself, since no kernel does: (%03u) %s\n",
		why->pc, why->reason);
	if ((how & NPF_BPF_LOOPS) != 0)
		fprintf(stderr,
			"npf-filter: a capture leaves to the library what the loop has to decide; "
			"monitors, dumps and this program give up after %u steps, and reject\n",
			n + NPF_BPF_MAXSTEPS);
}

int input_program(const struct options *o, struct program *prog)
{
	struct npf_bpf_error err;
	char *text = NULL;
	size_t len = 0;
	int rc;

	if (o->set_file != NULL && o->linktype != DLT_EN10MB)
		return print_error("a set file describes Ethernet packets, not %s",
			pcap_datalink_val_to_name(o->linktype));
	if (o->expr != NULL) {
		rc = compile_expr(o, &prog->insns, &prog->n);
	} else {
		const char *name = o->insns_file != NULL ? o->insns_file : o->set_file;

		rc = input_file(name, &text, &len);
		if (rc != 0)
			return rc;
		if (o->insns_file != NULL)
			rc = parse_insns(name, text, &prog->insns, &prog->n);
		else {
			rc = npf_expression_compile_set(
				text, len, (uint32_t)o->snaplen, &prog->insns, &prog->n, &err);
			if (rc == -EINVAL)
				rc = print_error("%s, line %u: %s", name, err.pc, err.reason);
			else if (rc < 0)
				rc = print_error("out of memory");
		}
		free(text);
	}
	if (rc != 0)
		return rc;
	rc = npf_bpf_verify_loose(prog->insns, prog->n, &err);
	if (rc == -EINVAL)
		return print_error("the program can't be run: (%03u) %s", err.pc, err.reason);
	if (rc < 0)
		return print_error("%s", strerror(-rc));
	if (rc > 0)
		warn_loose(rc, &err, prog->n);
	return 0;
}

int input_savefile(struct options *o, pcap_t **pp)
{
	char why[PCAP_ERRBUF_SIZE];

	*pp = pcap_open_offline(o->savefile, why);
	if (*pp == NULL)
		return print_error("%s", why);
	if (o->linktype < 0)
		o->linktype = pcap_datalink(*pp);
	return 0;
}
