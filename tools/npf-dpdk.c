/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * npf-dpdk - the capture daemon: command line, start and stop, in the order in which they must
 * happen.
 *
 * Exit status: 0 after an orderly stop or a good --check, 1 when something failed, 2 for a wrong
 * command line.
 */
#include "engine/daemon.h"
#include "wire/wire.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_VDEVS 256

static const char usage_text[] =
	"usage: npf-dpdk -c FILE [--check] [--dumpable] [--socket PATH]\n"
	"       npf-dpdk --iface NAME | --vdev SPEC ... [--dumpable] [--socket PATH]\n"
	"\n"
	"  -c, --config FILE   read the configuration, see npf-dpdk.yaml(5)\n"
	"      --check         only say whether the configuration is good\n"
	"      --dumpable      dump core in a crash, and let a debugger in\n"
	"      --iface NAME    an interface of the kernel's, such as eth1, as port npf0, npf1, "
	"...\n"
	"                      without a configuration\n"
	"      --vdev SPEC     so a virtual device of DPDK's, for example "
	"net_pcap0,rx_pcap=trace.pcap\n"
	"      --socket PATH   where clients connect (default: NPF_SOCKET, else " NPF_WIRE_SOCKET
	")\n"
	"  -h, --help          this text\n"
	"  -V, --version       the version\n";

static int wrong_usage(const char *why)
{
	fprintf(stderr, "npf-dpdk: %s\n%s", why, usage_text);
	return 2;
}

/* The device that --iface NAME stands for. */
static char *iface(const char *name)
{
	char *spec;

	if (asprintf(&spec, "iface:%s", name) < 0)
		exit(1);
	return spec;
}

/* Return: -1: go on; else exit with that status. */
static int parse(int argc, char **argv, struct npf_daemon_options *o, char **vdevs)
{
	enum {
		OPT_CHECK = 256,
		OPT_DUMPABLE,
		OPT_VDEV,
		OPT_IFACE,
		OPT_SOCKET
	};
	static const struct option longs[] = {
		{"config", required_argument, NULL, 'c'},
		{"check", no_argument, NULL, OPT_CHECK},
		{"dumpable", no_argument, NULL, OPT_DUMPABLE},
		{"vdev", required_argument, NULL, OPT_VDEV},
		{"iface", required_argument, NULL, OPT_IFACE},
		{"socket", required_argument, NULL, OPT_SOCKET},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{0},
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "c:hV", longs, NULL)) != -1) {
		switch (opt) {
		case 'c':
			o->config = optarg;
			break;
		case OPT_CHECK:
			o->check = true;
			break;
		case OPT_DUMPABLE:
			o->dumpable = true;
			break;
		case OPT_VDEV:
		case OPT_IFACE:
			if (o->n_vdevs == MAX_VDEVS)
				return wrong_usage("too many --iface and --vdev");
			vdevs[o->n_vdevs++] = opt == OPT_VDEV ? optarg : iface(optarg);
			break;
		case OPT_SOCKET:
			o->socket = optarg;
			break;
		case 'h':
			fputs(usage_text, stdout);
			return 0;
		case 'V':
			puts("npf-dpdk " NPF_VERSION);
			return 0;
		default:
			fputs(usage_text, stderr);
			return 2;
		}
	}
	if (optind < argc)
		return wrong_usage("there are arguments that are no options");
	if ((o->config != NULL) == (o->n_vdevs > 0))
		return wrong_usage("give either -c FILE, or --iface NAME or --vdev SPEC");
	return -1;
}

int main(int argc, char **argv)
{
	static char *vdevs[MAX_VDEVS];
	struct npf_daemon_options o = {.vdevs = vdevs, .argv = argv};
	int rc = parse(argc, argv, &o, vdevs);

	if (rc >= 0)
		return rc;
	return npf_daemon_run(&o) == 0 ? 0 : 1;
}
