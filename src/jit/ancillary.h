/* SPDX-License-Identifier: BSD-3-Clause */
/* ancillary.h - Linux's loads of a packet's properties, which are constants in a filter here. */
#ifndef NPF_JIT_ANCILLARY_H
#define NPF_JIT_ANCILLARY_H

#include "jit/bpf.h"

/* Absolute loads from here on mean a property of the packet. */
#define NPF_AD_OFF              0xfffff000u
#define NPF_AD_PKTTYPE          (NPF_AD_OFF + 4)
#define NPF_AD_IFINDEX          (NPF_AD_OFF + 8)
#define NPF_AD_VLAN_TAG         (NPF_AD_OFF + 44)
#define NPF_AD_VLAN_TAG_PRESENT (NPF_AD_OFF + 48)

/*
 * npf_bpf_aux_value - the constant that an ancillary load gives, whatever its size.
 * Return: false: the offset is not one of those known here, and the load is an ordinary one.
 */
static inline bool npf_bpf_aux_value(const struct npf_bpf_aux *aux, uint32_t k, uint32_t *valuep)
{
	if (aux == NULL)
		return false;
	switch (k) {
	case NPF_AD_PKTTYPE:
		*valuep = aux->pkttype;
		return true;
	case NPF_AD_IFINDEX:
		*valuep = aux->ifindex;
		return true;
	case NPF_AD_VLAN_TAG:
	case NPF_AD_VLAN_TAG_PRESENT:
		*valuep = 0; /* tags stay in the packet: there is never one beside it */
		return true;
	default:
		return false;
	}
}

#endif
