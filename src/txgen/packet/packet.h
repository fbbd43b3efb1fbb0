/* SPDX-License-Identifier: BSD-3-Clause */
/* packet.h - the door of packets as they are described: templates, files of them, and checksums. */
#ifndef NPF_TXGEN_PACKET_PACKET_H
#define NPF_TXGEN_PACKET_PACKET_H

#include "txgen/packet/csum.h"
#include "txgen/packet/streamfile.h"
#include "txgen/packet/template.h"

#endif
