/* SPDX-License-Identifier: BSD-3-Clause */
/* params.c - conflicts and defaults of a dump's options. */
#include "writer/feed/params.h"

#include "ringbuf/ring.h"
#include "writer/feed/retro.h"

#define RING_DEFAULT  (64ull << 20)
#define RETRO_DEFAULT (64ull << 20) /* where only a time is given */
#define MODE_DEFAULT  0640

const char *npf_writer_params_conflict(const struct npf_writer_params *p)
{
	bool has_limit = p->limits.max_size != 0 || p->limits.max_packets != 0;

	if (npf_writer_params_is_retro(p) && (has_limit || npf_writer_params_rotates(p)))
		return "a retrospective dump makes one file for each trigger: it does not go "
		       "with limits and rotation";
	return NULL;
}

void npf_writer_params_complete(struct npf_writer_params *p)
{
	if (p->snaplen == 0 || p->snaplen > NPF_REC_MAXCAP)
		p->snaplen = NPF_REC_MAXCAP;
	if (p->access.mode == 0)
		p->access.mode = MODE_DEFAULT;
	if (npf_writer_params_is_retro(p)) {
		if (p->retro.bytes == 0)
			p->retro.bytes = RETRO_DEFAULT;
		p->ring = npf_writer_retro_ring_size(p->retro.bytes);
	} else if (p->ring == 0) {
		p->ring = RING_DEFAULT;
	}
}
