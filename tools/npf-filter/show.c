/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * show.c - a filter explained: the program, what each pass makes of it, machine code.
 *
 * Sections have a heading when there is more than one, so that `-d` alone prints what tcpdump -d
 * prints and can be compared or piped.
 */
#include "npf-filter/npf-filter.h"
#include "jit/inspect/explain.h"

#include <capstone/capstone.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct shower {
	const struct options *o;
	FILE *out;
	unsigned int stages;
	char *last; /* text of the last pass */
	bool failed;
};

static void heading(FILE *out, bool wanted, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void heading(FILE *out, bool wanted, const char *fmt, ...)
{
	va_list ap;

	if (!wanted)
		return;
	va_start(ap, fmt);
	vfprintf(out, fmt, ap);
	va_end(ap);
	fputc('\n', out);
}

static void show_cbpf(const struct npf_bpf_insn *insns, uint32_t n, unsigned int form, FILE *out)
{
	if (form == 3)
		fprintf(out, "%u\n", n);
	for (uint32_t i = 0; i < n; i++) {
		const struct npf_bpf_insn *in = &insns[i];
		const struct bpf_insn pcap_in = {in->code, in->jt, in->jf, in->k};

		if (form == 1)
			fprintf(out, "%s\n", bpf_image(&pcap_in, (int)i));
		else if (form == 2)
			fprintf(out, "{ 0x%x, %u, %u, 0x%08x },\n", in->code, in->jt, in->jf,
				in->k);
		else
			fprintf(out, "%u %u %u %u\n", in->code, in->jt, in->jf, in->k);
	}
}

static void show_stage(void *ctx, const struct npf_explain_stage *stage)
{
	struct shower *s = ctx;

	if ((s->stages & STAGE_PASSES) != 0) {
		fprintf(s->out, "-- %s: %s\n", stage->name, stage->what);
		if (!stage->changed)
			fprintf(s->out, "   (nothing changed)\n");
		else
			fprintf(s->out, "%s   %u blocks, %u branches\n", stage->text,
				stage->n_blocks, stage->n_branches);
	}
	free(s->last);
	s->last = strdup(stage->text);
	s->failed |= s->last == NULL;
}

/* The targets of jumps inside the code get labels, in the order of their addresses. */
static size_t find_labels(const cs_insn *in, size_t n, uint64_t *labels)
{
	size_t n_labels = 0;

	for (size_t i = 0; i < n; i++) {
		size_t at;

		if (in[i].detail->x86.op_count != 1 ||
			in[i].detail->x86.operands[0].type != X86_OP_IMM ||
			in[i].mnemonic[0] != 'j')
			continue;
		for (at = 0;
			at < n_labels && labels[at] < (uint64_t)in[i].detail->x86.operands[0].imm;
			at++)
			;
		if (at < n_labels && labels[at] == (uint64_t)in[i].detail->x86.operands[0].imm)
			continue;
		memmove(labels + at + 1, labels + at, (n_labels - at) * sizeof(*labels));
		labels[at] = (uint64_t)in[i].detail->x86.operands[0].imm;
		n_labels++;
	}
	return n_labels;
}

static size_t label_of(const uint64_t *labels, size_t n, uint64_t address)
{
	size_t i = 0;

	while (i < n && labels[i] != address)
		i++;
	return i;
}

/* Registers that mean the same all through the code, named for the reader. */
static void annotate(const cs_insn *in, FILE *out)
{
	static const struct {
		const char *pattern;
		const char *note;
	} notes[] = {
		{"qword ptr [rdi + r13*8]", "the packet"},
		{"dword ptr [rsi + r13*4]", "its caplen"},
		{"dword ptr [r8 + r13*4]", "the result"},
	};

	for (size_t i = 0; i < NPF_ARRAY_LEN(notes); i++) {
		if (strstr(in->op_str, notes[i].pattern) != NULL) {
			fprintf(out, "\t; %s", notes[i].note);
			return;
		}
	}
	if (strncmp(in->mnemonic, "cmp", 3) == 0 && strncmp(in->op_str, "r15d", 4) == 0)
		fprintf(out, "\t; are there that many bytes?");
	else if (strncmp(in->mnemonic, "inc", 3) == 0)
		fprintf(out, "\t; next packet");
}

static int show_function(csh cs, const uint8_t *code, size_t n_code, size_t address, FILE *out)
{
	npf_autofree uint64_t *labels = NULL;
	size_t n_labels;
	cs_insn *in;
	size_t n = cs_disasm(cs, code, n_code, address, 0, &in);

	/* Functions are padded with int3. */
	while (n > 0 && in[n - 1].id == X86_INS_INT3)
		n--;
	labels = malloc((n + 1) * sizeof(*labels));
	if (labels == NULL) {
		cs_free(in, n);
		return print_error("out of memory");
	}
	n_labels = find_labels(in, n, labels);
	for (size_t i = 0; i < n; i++) {
		const size_t here = label_of(labels, n_labels, in[i].address);

		if (here < n_labels)
			fprintf(out, ".L%zu:\n", here);
		fprintf(out, "%6" PRIx64 "  ", in[i].address);
		if (in[i].mnemonic[0] == 'j') {
			const uint64_t to = (uint64_t)in[i].detail->x86.operands[0].imm;

			fprintf(out, "%-7s .L%zu", in[i].mnemonic, label_of(labels, n_labels, to));
		} else {
			fprintf(out, "%-7s %s", in[i].mnemonic, in[i].op_str);
		}
		annotate(&in[i], out);
		fputc('\n', out);
	}
	fprintf(out, "; %zu bytes in %zu instructions\n", n_code, n);
	cs_free(in, n);
	return 0;
}

static int show_asm(const struct npf_filter *f, FILE *out)
{
	struct npf_code_view view;
	int rc;
	csh cs;

	if (!npf_filter_code(f, &view)) {
		fprintf(out, npf_filter_is_unproven(f)
				     ? "(the interpreter runs the program: its code could not be "
				       "shown to stay in bounds)\n"
				     : "(the interpreter runs the program; there is no code)\n");
		return 0;
	}
	if (cs_open(CS_ARCH_X86, CS_MODE_64, &cs) != CS_ERR_OK)
		return print_error("capstone can't be used");
	cs_option(cs, CS_OPT_DETAIL, CS_OPT_ON);
	rc = 0;
	if (view.n_code > view.n_branching) {
		heading(out, true,
			"== native code for a burst, without branches: for mixed "
			"traffic");
		rc = show_function(cs, view.code + view.n_branching, view.n_code - view.n_branching,
			view.n_branching, out);
		heading(out, true,
			"== native code for a burst, with branches: for packets that "
			"are alike");
	} else {
		heading(out, true, "== native code for a burst");
	}
	if (rc == 0)
		rc = show_function(cs, view.code, view.n_branching, 0, out);
	if (view.n_table > 0)
		fprintf(out, "; %zu bytes of lookup tables\n", view.n_table);
	cs_close(&cs);
	return rc;
}

int show_program(const struct options *o, const struct program *prog, FILE *out)
{
	const bool everything = o->dump == 0 && o->stages == 0;
	struct shower s = {.o = o, .out = out, .stages = o->stages};
	struct npf_filter_opts opts = {.loose = true, .backend = o->backend, .aux = prog->aux};
	struct npf_filter *f = NULL;
	bool many;
	int rc = 0;

	if (everything)
		s.stages = STAGE_CBPF | STAGE_IR | STAGE_ASM;
	else if (o->dump > 0)
		s.stages |= STAGE_CBPF;
	many = (s.stages & (s.stages - 1)) != 0;
	if ((s.stages & STAGE_CBPF) != 0) {
		heading(out, many, "== the program: %u instructions of classic BPF, link type %s",
			prog->n, pcap_datalink_val_to_name(o->linktype));
		show_cbpf(prog->insns, prog->n, NPF_MIN(NPF_MAX(o->dump, 1u), 3u), out);
	}
	if ((s.stages & (STAGE_IR | STAGE_PASSES)) != 0) {
		heading(out, many && (s.stages & STAGE_PASSES) != 0,
			"== its decisions, pass after pass (b, h, w[k]: byte, half, word at k; "
			"raw-: "
			"bytes as they lie; x &? y: any bit of y set in x, x !& y: none)");
		if (npf_filter_explain(prog->insns, prog->n, prog->aux, show_stage, &s) < 0 ||
			s.failed) {
			free(s.last);
			return print_error("out of memory");
		}
		if ((s.stages & STAGE_IR) != 0) {
			heading(out, many,
				"== what is compiled (b, h, w[k]: byte, half, word at k; raw-: "
				"bytes "
				"as they lie; x &? y: any bit of y set in x, x !& y: none)");
			fputs(s.last, out);
		}
		free(s.last);
	}
	if ((s.stages & STAGE_ASM) != 0) {
		rc = npf_filter_compile(prog->insns, prog->n, &opts, &f, NULL);
		if (rc < 0)
			return print_error(
				"the back end %s is not to be had", npf_backend_name(o->backend));
		rc = show_asm(f, out);
		npf_filter_free(f);
	}
	return rc;
}
