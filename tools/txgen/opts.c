/* SPDX-License-Identifier: BSD-3-Clause */
/* opts.c - reading the command line, and its help, from the table of settings. */
#include "txgen/settings.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#define MAX_OPTIONS 128 /* all settings, help and version */

void txgen_usage(FILE *f)
{
	fprintf(f, "usage: npf-txgen [EAL options] -- [options]\n\n"
		   "e.g.   npf-txgen --vdev=net_null0 -- --duration=5s\n"
		   "       npf-txgen --vdev=net_ring0 -- --check --rate=1Mpps --count=1M\n"
		   "       npf-txgen -a 0000:3b:00.0 -- --pcap=trace.pcap --rate=original*2\n");
	for (size_t i = 0; i < txgen_n_settings; i++) {
		const struct txgen_setting *s = &txgen_settings[i];
		char left[64];

		if (s->name == NULL) {
			fprintf(f, "\n%s:\n", s->help);
			continue;
		}
		snprintf(left, sizeof(left), "--%s%s%s", s->name, s->arg != NULL ? "=" : "",
			s->arg != NULL ? s->arg : "");
		fprintf(f, "  %-28s %s\n", left, s->help);
	}
	fprintf(f, "\nA template: eth(dst=02:00:00:00:00:02)/vlan(id=5)/"
		   "ip(src=10.0.0.1,dst=10.0.0.2-10.0.0.9)/udp(sport=random,dport=53)/size=128\n"
		   "See npf-txgen(1).\n");
}

static void set_defaults(struct txgen *tx)
{
	tx->ports = (struct npf_txgen_port_conf){
		.n_txq = 1,
		.n_rxq = 1,
		.n_txd = 512,
		.n_rxd = 512,
		.link_wait_ns = 10000000000,
	};
	tx->run = (struct npf_txgen_run_conf){
		.loop = 1,
		.seed = 1,
		.burst = 32,
		.drain_ns = 500000000,
	};
	tx->search_precision = 1;
	tx->linger_ns = 100000000;
	tx->period = isatty(STDOUT_FILENO) ? 1 : 0;
}

int txgen_options(struct txgen *tx, int argc, char **argv)
{
	struct option longs[MAX_OPTIONS] = {0};
	struct npf_error err;
	unsigned int n = 0;
	int c, at;

	set_defaults(tx);
	for (size_t i = 0; i < txgen_n_settings; i++) {
		if (txgen_settings[i].name != NULL)
			longs[n++] = (struct option){txgen_settings[i].name,
				txgen_settings[i].arg != NULL ? required_argument : no_argument,
				NULL, 0};
	}
	longs[n++] = (struct option){"help", no_argument, NULL, 'h'};
	longs[n++] = (struct option){"version", no_argument, NULL, 'V'};
	optind = 0;
	while ((c = getopt_long(argc, argv, "iahV", longs, &at)) != -1) {
		int rc = 0;

		switch (c) {
		case 0:
			rc = txgen_set(tx, longs[at].name, optarg, &err);
			break;
		case 'i':
			tx->interactive = true;
			break;
		case 'a':
			tx->auto_start = true;
			break;
		case 'h':
			txgen_usage(stdout);
			return 1;
		case 'V':
			printf("npf-txgen %s\n", NPF_VERSION);
			return 1;
		default:
			fprintf(stderr, "npf-txgen: see npf-txgen -- --help\n");
			return -EINVAL;
		}
		if (rc < 0) {
			fprintf(stderr, "npf-txgen: --%s\n", err.text);
			return -EINVAL;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "npf-txgen: '%s' is not an option\n", argv[optind]);
		return -EINVAL;
	}
	if (tx->pcap != NULL && tx->n_packets > 0) {
		fprintf(stderr, "npf-txgen: --pcap and --packet cannot go together\n");
		return -EINVAL;
	}
	return 0;
}
