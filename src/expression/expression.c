/* SPDX-License-Identifier: BSD-3-Clause */
/* expression.c - pcap_compile() without a device. */
#include "expression/expression.h"

#include <assert.h>
#include <pcap/pcap.h>
#include <string.h>

static_assert(sizeof(struct npf_bpf_insn) == sizeof(struct bpf_insn), "one layout");

int npf_expression_compile(const struct npf_expression *x, struct npf_bpf_insn **insnsp,
	uint32_t *np, struct npf_error *err)
{
	struct bpf_program prog;
	pcap_t *dead;
	int rc = 0;

	*insnsp = NULL;
	*np = 0;
	if (x->text == NULL || x->text[strspn(x->text, " \t")] == '\0')
		return 0;
	dead = pcap_open_dead(x->linktype, (int)x->snaplen);
	if (dead == NULL)
		return npf_error_set(err, -ENOMEM, "out of memory");
	if (pcap_compile(dead, &prog, x->text, !x->is_plain, PCAP_NETMASK_UNKNOWN) < 0) {
		rc = npf_error_set(
			err, -EINVAL, "filter \"%.100s\": %s", x->text, pcap_geterr(dead));
		pcap_close(dead);
		return rc;
	}
	*insnsp = malloc(prog.bf_len * sizeof(**insnsp));
	if (*insnsp != NULL) {
		memcpy(*insnsp, prog.bf_insns, prog.bf_len * sizeof(**insnsp));
		*np = prog.bf_len;
	} else {
		rc = npf_error_set(err, -ENOMEM, "out of memory");
	}
	pcap_freecode(&prog);
	pcap_close(dead);
	return rc;
}
