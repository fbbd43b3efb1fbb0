/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * port.c - `npfctl port`: ports added and removed while the daemon runs.
 *
 * The options are the settings that a port has in the configuration, with the same names and the
 * same defaults; the daemon checks them as it checks its file.
 */
#include "npfctl/npfctl.h"

#include "base/doorbell.h"

#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#define ADD_TIMEOUT_MS  30000 /* a device may take a while to open */
#define DUMP_TIMEOUT_MS 30000

static const char usage_text[] =
	"usage: npfctl port add NAME SPEC [OPTION...]\n"
	"       npfctl port del NAME\n"
	"\n"
	"SPEC is a device as in the configuration: iface:eth1, 0000:3b:00.0, net_null0.\n"
	"The options are those of a port in the configuration, npf-dpdk.yaml(5):\n"
	"\n"
	"      --start always|attach     attach: run only while somebody reads\n"
	"      --overflow drop|wait      wait: a full ring stops the port\n"
	"      --rx-queues N             (1)\n"
	"      --rx-desc N               descriptors of each\n"
	"      --mtu N                   (the device's)\n"
	"      --promiscuous[=BOOL]      (true)\n"
	"      --send[=BOOL]             may clients send? (false)\n"
	"      --shadow[=BOOL]           make a kernel interface of its name (false)\n"
	"      --allow RULE              any, user:NAME or group:NAME; repeatable\n"
	"      --json                    print what the daemon says in JSON\n"
	"      --socket PATH             of the daemon\n"
	"\n"
	"Exit status: 0; 1 when the daemon says no; 2 for a wrong command line.\n";

enum {
	OPT_START = 256,
	OPT_OVERFLOW,
	OPT_RX_QUEUES,
	OPT_RX_DESC,
	OPT_MTU,
	OPT_PROMISCUOUS,
	OPT_SEND,
	OPT_SHADOW,
	OPT_ALLOW,
};

static const struct option longs[] = {
	NPFCTL_OPTIONS,
	{"start", required_argument, NULL, OPT_START},
	{"overflow", required_argument, NULL, OPT_OVERFLOW},
	{"rx-queues", required_argument, NULL, OPT_RX_QUEUES},
	{"rx-desc", required_argument, NULL, OPT_RX_DESC},
	{"mtu", required_argument, NULL, OPT_MTU},
	{"promiscuous", optional_argument, NULL, OPT_PROMISCUOUS},
	{"send", optional_argument, NULL, OPT_SEND},
	{"shadow", optional_argument, NULL, OPT_SHADOW},
	{"allow", required_argument, NULL, OPT_ALLOW},
	{0},
};

static int wrong_usage(void)
{
	fputs(usage_text, stderr);
	return 2;
}

/* One of two words chooses the flag. Return: false: it is neither. */
static bool take_word(
	const char *s, const char *off, const char *on, uint32_t flag, uint32_t *flags)
{
	if (strcmp(s, off) != 0 && strcmp(s, on) != 0)
		return false;
	*flags = strcmp(s, on) == 0 ? *flags | flag : *flags & ~flag;
	return true;
}

/* The words that the configuration has for a switch. */
static bool take_switch(const char *s, uint32_t flag, uint32_t *flags)
{
	if (s == NULL)
		s = "true";
	return take_word(s, "false", "true", flag, flags) ||
	       take_word(s, "no", "yes", flag, flags) || take_word(s, "off", "on", flag, flags);
}

static bool take_number(const char *s, uint32_t *vp)
{
	uint64_t v = 0;
	bool good = npfctl_count(s, 1, UINT16_MAX, &v);

	*vp = (uint32_t)v;
	return good;
}

static bool take_rule(const char *s, char *allow, size_t size)
{
	size_t used = strlen(allow);

	return strchr(s, '\n') == NULL && (size_t)snprintf(allow + used, size - used, "%s%s",
						  used > 0 ? "\n" : "", s) < size - used;
}

static bool take(struct npf_wire_port_add *req, int opt, const char *arg)
{
	switch (opt) {
	case OPT_START:
		return take_word(arg, "always", "attach", NPF_WIRE_ADD_ATTACH, &req->flags);
	case OPT_OVERFLOW:
		return take_word(arg, "drop", "wait", NPF_WIRE_ADD_WAIT, &req->flags);
	case OPT_RX_QUEUES:
		return take_number(arg, &req->rx_queues);
	case OPT_RX_DESC:
		return take_number(arg, &req->rx_desc);
	case OPT_MTU:
		return take_number(arg, &req->mtu);
	case OPT_PROMISCUOUS:
		/* The flag says no. */
		if (!take_switch(arg, NPF_WIRE_ADD_NO_PROMISC, &req->flags))
			return false;
		req->flags ^= NPF_WIRE_ADD_NO_PROMISC;
		return true;
	case OPT_SEND:
		return take_switch(arg, NPF_WIRE_ADD_SEND, &req->flags);
	case OPT_SHADOW:
		return take_switch(arg, NPF_WIRE_ADD_SHADOW, &req->flags);
	case OPT_ALLOW:
		return take_rule(arg, req->allow, sizeof(req->allow));
	default:
		return false;
	}
}

static int request(const struct npfctl *ctl, struct npf_wire_call *call)
{
	npf_autofd int fd = npfctl_connect(ctl, "npfctl port");

	call->timeout_ms = ADD_TIMEOUT_MS;
	return fd < 0 ? 1 : npfctl_do(fd, call);
}

static int put_text(char *dst, size_t size, const char *src, const char *what)
{
	if ((size_t)snprintf(dst, size, "%s", src) < size)
		return 0;
	return npfctl_fail("the %s is longer than %zu letters", what, size - 1);
}

static int add(const struct npfctl *ctl, struct npf_wire_port_add *req, char **argv)
{
	struct npf_wire_port port;
	struct npf_wire_call call = {
		.type = NPF_WIRE_PORT_ADD,
		.body = req,
		.body_len = sizeof(*req),
		NPF_WIRE_GETS(port),
	};
	int rc = put_text(req->name, sizeof(req->name), argv[0], "port's name");

	if (rc == 0)
		rc = put_text(req->device, sizeof(req->device), argv[1], "device");
	if (rc == 0)
		rc = request(ctl, &call);
	if (rc != 0)
		return rc;
	if (ctl->json)
		npfctl_print_json(
			json_pack("{s:s#, s:s#, s:i, s:i}", "name", port.name,
				(int)strnlen(port.name, sizeof(port.name)), "driver", port.driver,
				(int)strnlen(port.driver, sizeof(port.driver)), "index",
				(int)port.index, "mtu", (int)port.mtu),
			JSON_INDENT(2));
	else
		printf("%.64s added: %.64s, MTU %" PRIu32 "\n", port.name, port.driver, port.mtu);
	return 0;
}

/* Until all that was dumped from the port is on disk. */
static int wait_for_dumps(const int *fds, unsigned int n)
{
	int rc = 0;

	for (unsigned int i = 0; i < n; i++) {
		struct pollfd pfd = {.fd = fds[i], .events = POLLIN};

		if (rc == 0 && poll(&pfd, 1, DUMP_TIMEOUT_MS) <= 0)
			rc = npfctl_fail(
				"a dump is still being written; `npfctl dump list` says why");
		else if (rc == 0 && !npf_doorbell_is_rung(fds[i]))
			rc = npfctl_fail("the npf-dpdk daemon has gone away");
		npf_close(fds[i]);
	}
	return rc;
}

static int del(const struct npfctl *ctl, const char *name)
{
	struct npf_wire_port_name req = {{0}};
	struct npf_wire_port_ended ended;
	int fds[NPF_WIRE_MAXFDS];
	struct npf_wire_call call = {
		NPF_WIRE_ASKS(NPF_WIRE_PORT_DEL, req),
		NPF_WIRE_GETS(ended),
		.fds = fds,
		.n_fds = NPF_WIRE_MAXFDS,
	};
	int rc = put_text(req.name, sizeof(req.name), name, "port's name");

	if (rc == 0)
		rc = request(ctl, &call);
	if (rc != 0)
		return rc;
	rc = wait_for_dumps(fds, call.n_fds);
	if (ctl->json)
		npfctl_print_json(json_pack("{s:s, s:i, s:i, s:i, s:i}", "name", name, "sessions",
					  (int)ended.sessions, "monitors", (int)ended.monitors,
					  "dumps", (int)ended.dumps, "sends", (int)ended.sends),
			JSON_INDENT(2));
	else
		printf("%s removed; with it ended: %" PRIu32 " sessions, %" PRIu32
		       " monitors, %" PRIu32 " dumps, %" PRIu32 " sends\n",
			name, ended.sessions, ended.monitors, ended.dumps, ended.sends);
	return rc;
}

int npfctl_port(const struct npfctl *ctl, int argc, char **argv)
{
	struct npf_wire_port_add req = {.flags = 0};
	struct npfctl mine = *ctl;
	const char *what;
	bool has_settings = false;
	int opt;

	while ((opt = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		if (opt < OPT_START || opt > OPT_ALLOW) {
			int rc = npfctl_option(&mine, opt, usage_text);

			if (rc >= 0)
				return rc;
			continue;
		}
		has_settings = true;
		if (!take(&req, opt, optarg)) {
			npfctl_fail("\"%s\" makes no sense here", optarg);
			return wrong_usage();
		}
	}
	what = optind < argc ? argv[optind] : "";
	argc -= optind + 1;
	argv += optind + 1;
	if (strcmp(what, "add") == 0 && argc == 2)
		return add(&mine, &req, argv);
	if (strcmp(what, "del") == 0 && argc == 1 && !has_settings)
		return del(&mine, argv[0]);
	return wrong_usage();
}
