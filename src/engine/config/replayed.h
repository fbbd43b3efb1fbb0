/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * replayed.h - the savefiles that a net_pcap device replays, and their link type, before the device
 * is opened. No DPDK in here.
 */
#ifndef NPF_ENGINE_CONFIG_REPLAYED_H
#define NPF_ENGINE_CONFIG_REPLAYED_H

#include "base/error.h"
#include "engine/config/port.h"

struct npf_config;

#define NPF_REPLAYED_DEVICE 256 /* bytes of a device in the configuration */
#define NPF_REPLAYED_FILES  32

struct npf_replayed {
	unsigned int n_files;                  /* 0: the device replays no savefile */
	const char *files[NPF_REPLAYED_FILES]; /* one for each rx queue; in words */
	bool endless;                          /* infinite_rx: net_pcap's own, again and again */
	bool has_tx;                           /* tx_pcap or tx_iface beside them */
	char others[NPF_REPLAYED_DEVICE];      /* the device without rx_pcap and infinite_rx */
	char words[NPF_REPLAYED_DEVICE];
};

/* Parse the arguments of a device. With `iface` or `rx_iface` it replays no savefile. */
void npf_replayed_parse(const char *device, struct npf_replayed *r);

/*
 * npf_replayed_probe - read the headers of the port's savefiles, and check that they can be
 * replayed.
 * @linktypep: gets their link type; Ethernet's for a port that replays none
 * Return: 0; -errno of open(2); -EINVAL: not a savefile, or not one that goes with the rest; with a
 *         text in err.
 */
int npf_replayed_probe(const struct npf_config_port *conf, int *linktypep, struct npf_error *err);

/* The link type of the port; Ethernet's if its savefiles can't be read now. */
int npf_replayed_linktype(const struct npf_config_port *conf);

/*
 * npf_replayed_check - check the savefiles of all ports. A file that this user may not read is
 * skipped: the daemon may read it.
 * Return: 0, or -errno with a text in err.
 */
int npf_replayed_check(const struct npf_config *conf, struct npf_error *err);

#endif
