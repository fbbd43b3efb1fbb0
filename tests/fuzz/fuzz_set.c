/* SPDX-License-Identifier: BSD-3-Clause */
/* Any text as a set file: refused with a line and a reason, or a program that the verifier accepts.
 */
#include "expression/expression.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct npf_bpf_insn *insns = NULL;
	struct npf_bpf_error err = {.reason = ""};
	uint8_t pkt[64] = {0};
	uint32_t n = 0;
	int rc;

	rc = npf_expression_compile_set((const char *)data, size, 100, &insns, &n, &err);
	if (rc == -EINVAL && strlen(err.reason) == 0)
		abort();
	if (rc < 0)
		return 0;
	if (npf_bpf_verify(insns, n, NULL) < 0)
		abort();
	pkt[12] = 8;
	for (uint32_t caplen = 0; caplen <= sizeof(pkt); caplen += 4) {
		uint32_t keep = npf_bpf_interpret(insns, pkt, sizeof(pkt), caplen, NULL);

		if (keep != 0 && keep != 100)
			abort();
	}
	free(insns);
	return 0;
}
