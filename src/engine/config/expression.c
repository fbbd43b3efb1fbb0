/* SPDX-License-Identifier: BSD-3-Clause */
/* expression.c - pcap_compile() without a device: what comes out is verified by
 * npf_filter_compile() like any other program. */
#include "engine/config/expression.h"

#include <assert.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <string.h>

static_assert(sizeof(struct npf_bpf_insn) == sizeof(struct bpf_insn), "one layout");

int npf_expression_compile(const char *text, int linktype, uint32_t snaplen,
	struct npf_bpf_insn **insnsp, uint32_t *n_insnsp, char *err, size_t err_len)
{
	struct bpf_program prog;
	pcap_t *dead;
	int rc = 0;

	*insnsp = NULL;
	*n_insnsp = 0;
	if (text == NULL || text[strspn(text, " \t")] == '\0')
		return 0;
	dead = pcap_open_dead(linktype, (int)snaplen);
	if (dead == NULL)
		return -ENOMEM;
	if (pcap_compile(dead, &prog, text, 1, PCAP_NETMASK_UNKNOWN) < 0) {
		snprintf(err, err_len, "filter \"%.100s\": %s", text, pcap_geterr(dead));
		pcap_close(dead);
		return -EINVAL;
	}
	*insnsp = malloc(prog.bf_len * sizeof(**insnsp));
	if (*insnsp != NULL) {
		memcpy(*insnsp, prog.bf_insns, prog.bf_len * sizeof(**insnsp));
		*n_insnsp = prog.bf_len;
	} else {
		rc = -ENOMEM;
	}
	pcap_freecode(&prog);
	pcap_close(dead);
	return rc;
}
