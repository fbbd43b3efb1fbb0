/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * filter.c - compiling, setting a filter, setting a direction.
 *
 * Filters are compiled by the real library, against the companion handle, and run by the daemon.
 * `inbound`, `outbound` and `ifindex N` compile to loads that only Linux's own machine knows;
 * the daemon and the reader know them too: direction, and the port's index.
 */
#include "api/handle.h"

#include <string.h>

static_assert(sizeof(struct npf_bpf_insn) == sizeof(struct bpf_insn), "one layout");
static_assert(offsetof(struct npf_bpf_insn, k) == offsetof(struct bpf_insn, k), "one layout");

int pcap_compile(
	pcap_t *p, struct bpf_program *program, const char *text, int optimize, bpf_u_int32 netmask)
{
	struct npf_handle *h = npf_handle_of(p);
	int rc;

	if (h == NULL)
		return npf_genuine()->pcap_compile(p, program, text, optimize, netmask);
	if (h->client == NULL) {
		program->bf_len = 0;
		program->bf_insns = NULL;
		return npf_handle_error(h, "not-yet-activated pcap_t passed to pcap_compile");
	}
	rc = npf_genuine()->pcap_compile(h->dead, program, text, optimize, netmask);
	if (rc < 0)
		npf_handle_error(h, "%s", npf_genuine()->pcap_geterr(h->dead));
	return rc;
}

int pcap_setfilter(pcap_t *p, struct bpf_program *program)
{
	struct npf_handle *h = npf_handle_of(p);
	struct npf_error err;
	int rc;

	if (h == NULL)
		return npf_genuine()->pcap_setfilter(p, program);
	if (h->client == NULL)
		return npf_handle_inactive(h);
	if (program == NULL)
		return npf_handle_error(h, "setfilter: No filter specified");
	if (program->bf_len == 0 || program->bf_insns == NULL)
		return npf_handle_error(h, "setfilter: the program is empty");
	rc = npf_client_set_filter(
		h->client, (const struct npf_bpf_insn *)program->bf_insns, program->bf_len, &err);
	return rc < 0 ? npf_handle_error(h, "%s", err.text) : 0;
}

int pcap_setdirection(pcap_t *p, pcap_direction_t d)
{
	struct npf_handle *h = npf_handle_of(p);
	struct npf_error err;
	enum npf_wire_direction direction;

	if (h == NULL)
		return npf_genuine()->pcap_setdirection(p, d);
	if (h->client == NULL)
		return npf_handle_inactive(h);
	switch (d) {
	case PCAP_D_INOUT:
		direction = NPF_WIRE_INOUT;
		break;
	case PCAP_D_IN:
		direction = NPF_WIRE_IN;
		break;
	case PCAP_D_OUT:
		direction = NPF_WIRE_OUT;
		break;
	default:
		return npf_handle_error(h, "Invalid direction");
	}
	if (npf_client_set_direction(h->client, direction, &err) < 0)
		return npf_handle_error(h, "%s", err.text);
	return 0;
}
