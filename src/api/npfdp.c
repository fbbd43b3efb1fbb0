/* SPDX-License-Identifier: BSD-3-Clause */
/* npfdp.c - libnpfdp's own small calls: who it is, what a handle is, options of ours. */
#include "api/handle.h"

const char *npfdp_version(void)
{
	return NPF_VERSION;
}

const char *npfdp_libpcap(void)
{
	return npf_genuine_path();
}

int npfdp_is_port(pcap_t *p)
{
	return npf_handle_of(p) != NULL;
}

int npfdp_set_timeout_returns(pcap_t *p, int on)
{
	struct npf_handle *h = npf_handle_of(p);

	if (h == NULL)
		return PCAP_ERROR;
	h->timeout_returns = on != 0;
	return 0;
}

/* Sets or clears a flag of the session to be opened. */
static int set_open_flag(pcap_t *p, uint32_t flag, bool on)
{
	struct npf_handle *h = npf_handle_of(p);

	if (h == NULL)
		return PCAP_ERROR;
	if (h->client != NULL) {
		npf_handle_error(h, "this is chosen before activation");
		return PCAP_ERROR_ACTIVATED;
	}
	h->open_flags = on ? h->open_flags | flag : h->open_flags & ~flag;
	return 0;
}

int npfdp_set_overwrite(pcap_t *p, int on)
{
	return set_open_flag(p, NPF_WIRE_OPEN_OVERWRITE, on != 0);
}

int npfdp_set_own_sends(pcap_t *p, int on)
{
	return set_open_flag(p, NPF_WIRE_OPEN_NO_OWN, on == 0);
}
