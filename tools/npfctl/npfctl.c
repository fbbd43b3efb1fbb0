/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * npfctl.c - the reports of the daemon, and the dispatch of commands, which have files of their
 * own. A report comes in JSON; this program prints it as it is (--json) or as a table.
 *
 * Exit status: 0; 1 when the daemon can't be reached or refuses; 2 for a wrong command line.
 */
#include "npfctl/npfctl.h"

#include "base/units.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <pcap/dlt.h>
#include <string.h>

volatile sig_atomic_t npfctl_interrupted;

static const char usage_text[] =
	"usage: npfctl [--socket PATH] [--json] COMMAND\n"
	"\n"
	"  status      the daemon: version, lcores, how busy they are\n"
	"  ports       its ports\n"
	"  sessions    who captures what, and how well\n"
	"  users       what each user holds of the daemon, and may hold\n"
	"  stats       all counters\n"
	"  monitor     the monitors that stand in the configuration; or, with\n"
	"              PORT [FILTER...], what passes there now: see npfctl monitor --help\n"
	"  dump        dumps to disk: list, start, stop, trigger: see npfctl dump --help\n"
	"  port        add a port, or remove one: see npfctl port --help\n"
	"  send        the sends that stand in the configuration; or send a savefile's\n"
	"              packets: see npfctl send --help\n"
	"\n"
	"      --socket PATH   of the daemon (default: NPF_SOCKET, else " NPF_WIRE_SOCKET ")\n"
	"      --json          the daemon's own words, for programs\n"
	"  -h, --help          this text\n"
	"  -V, --version       the version\n";

json_int_t npfctl_num(const json_t *j, const char *key)
{
	return json_integer_value(json_object_get(j, key));
}

const char *npfctl_str(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s != NULL ? s : "-";
}

static bool is_on(const json_t *j, const char *key)
{
	return json_is_true(json_object_get(j, key));
}

/* "1536 KiB" and the like: three digits at least, never rounded to a lie. */
static const char *bytes(json_int_t n)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	static _Thread_local char text[8][32];
	static _Thread_local unsigned int next;
	char *s = text[next++ % NPF_ARRAY_LEN(text)];
	unsigned int u = 0;

	while (n >= 1024 && n % 1024 == 0 && u + 1 < NPF_ARRAY_LEN(units)) {
		n /= 1024;
		u++;
	}
	snprintf(s, sizeof(text[0]), "%" JSON_INTEGER_FORMAT " %s", n, units[u]);
	return s;
}

static void print_status(const json_t *j)
{
	const json_t *lcore;
	size_t i;

	printf("npf-dpdk %s, pid %" JSON_INTEGER_FORMAT ", up %" JSON_INTEGER_FORMAT " s\n",
		npfctl_str(j, "version"), npfctl_num(j, "pid"), npfctl_num(j, "uptime_s"));
	printf("socket    %s\n", npfctl_str(j, "socket"));
	printf("poll      %s, %s pages\n", npfctl_str(j, "poll"),
		is_on(j, "hugepages") ? "huge" : "ordinary");
	printf("ports     %" JSON_INTEGER_FORMAT "\n", npfctl_num(j, "ports"));
	printf("sessions  %" JSON_INTEGER_FORMAT "\n", npfctl_num(j, "sessions"));
	json_array_foreach(json_object_get(j, "lcores"), i, lcore)
	{
		json_int_t polls = npfctl_num(lcore, "polls");

		printf("lcore %-3" JSON_INTEGER_FORMAT " CPU %" JSON_INTEGER_FORMAT
		       ", %s: %" JSON_INTEGER_FORMAT
		       " packets, %.1f %% of polls found some, slept %" JSON_INTEGER_FORMAT
		       " times\n",
			npfctl_num(lcore, "lcore"), npfctl_num(lcore, "cpu"),
			npfctl_str(lcore, "role"), npfctl_num(lcore, "packets"),
			polls > 0 ? 100.0 * (double)npfctl_num(lcore, "busy_polls") / (double)polls
				  : 0.0,
			npfctl_num(lcore, "sleeps"));
	}
}

/* How far each savefile of a port was replayed. */
static void print_replays(const json_t *port)
{
	const json_t *f;
	size_t i;

	json_array_foreach(json_object_get(port, "replay"), i, f)
	{
		bool damaged = json_is_string(json_object_get(f, "error"));

		printf("%10s %s, %" JSON_INTEGER_FORMAT " packets of %s: %s%s%s\n", "",
			npfctl_str(port, "link_type"), npfctl_num(f, "packets"),
			npfctl_str(f, "file"), npfctl_str(f, "state"), damaged ? " " : "",
			damaged ? npfctl_str(f, "error") : "");
	}
}

static void print_ports(const json_t *j)
{
	const json_t *p;
	size_t i;

	printf("%-10s %-8s %-4s %-17s %5s %6s %8s %14s %12s  %s\n", "PORT", "STATE", "LINK", "MAC",
		"MTU", "QUEUES", "CAPTURES", "RX PACKETS", "MISSED", "DEVICE");
	json_array_foreach(json_object_get(j, "ports"), i, p)
	{
		printf("%-10s %-8s %-4s %-17s %5" JSON_INTEGER_FORMAT " %6" JSON_INTEGER_FORMAT
		       " %8" JSON_INTEGER_FORMAT " %14" JSON_INTEGER_FORMAT
		       " %12" JSON_INTEGER_FORMAT "  %s\n",
			npfctl_str(p, "name"), npfctl_str(p, "state"),
			is_on(p, "link") ? "up" : "down", npfctl_str(p, "mac"),
			npfctl_num(p, "mtu"), npfctl_num(p, "rx_queues"), npfctl_num(p, "captures"),
			npfctl_num(p, "rx_packets"),
			npfctl_num(p, "rx_missed") + npfctl_num(p, "rx_nombuf"),
			npfctl_str(p, "device"));
		print_replays(p);
	}
}

static void print_sessions(const json_t *j)
{
	const json_t *s;
	size_t i;

	printf("%5s %-10s %-16s %8s %6s %7s %7s %12s %12s %10s %9s  %s\n", "ID", "PORT", "PROGRAM",
		"PID", "UID", "SNAPLEN", "FILTER", "ACCEPTED", "CAPTURED", "DROPPED", "SENT",
		"BUFFER");
	json_array_foreach(json_object_get(j, "sessions"), i, s)
	{
		const json_t *b = json_object_get(s, "buffer");

		printf("%5" JSON_INTEGER_FORMAT " %-10s %-16s %8" JSON_INTEGER_FORMAT
		       " %6" JSON_INTEGER_FORMAT " %7" JSON_INTEGER_FORMAT " %7" JSON_INTEGER_FORMAT
		       " %12" JSON_INTEGER_FORMAT " %12" JSON_INTEGER_FORMAT
		       " %10" JSON_INTEGER_FORMAT " %9" JSON_INTEGER_FORMAT "  ",
			npfctl_num(s, "id"), npfctl_str(s, "port"), npfctl_str(s, "program"),
			npfctl_num(s, "pid"), npfctl_num(s, "uid"), npfctl_num(s, "snaplen"),
			npfctl_num(s, "filter_insns"), npfctl_num(s, "accepted"),
			npfctl_num(s, "captured"),
			npfctl_num(s, "drop_full") + npfctl_num(s, "drop_overwritten") +
				npfctl_num(s, "drop_other"),
			npfctl_num(s, "sent"));
		if (json_is_object(b))
			printf("%s, %.0f %% full\n", bytes(npfctl_num(b, "size")),
				100.0 * (double)npfctl_num(b, "used") /
					(double)(npfctl_num(b, "size") *
						 NPF_MAX(npfctl_num(b, "lanes"), (json_int_t)1)));
		else
			printf("none\n");
	}
}

/* "3/256": what is held, and the limit. */
static void print_share(const json_t *user, const char *held, const char *limit)
{
	char text[48];

	snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT "/%" JSON_INTEGER_FORMAT,
		npfctl_num(user, held), npfctl_num(user, limit));
	printf(" %12s", text);
}

static void print_users(const json_t *j)
{
	const json_t *u;
	size_t i;

	printf("%10s %12s %12s %12s %12s %9s %10s %10s  %s\n", "UID", "CONNECTIONS", "SESSIONS",
		"DUMPS", "DESCRIPTORS", "WAKE-UPS", "REQUESTS", "TAPS", "MEMORY");
	json_array_foreach(json_object_get(j, "users"), i, u)
	{
		json_int_t limit = npfctl_num(u, "wakeups_limit_ns");

		printf("%10" JSON_INTEGER_FORMAT, npfctl_num(u, "uid"));
		print_share(u, "connections", "connections_limit");
		print_share(u, "sessions", "sessions_limit");
		print_share(u, "dumps", "dumps_limit");
		print_share(u, "descriptors", "descriptors_limit");
		printf(" %7" JSON_INTEGER_FORMAT " %% %8.3f s %8.3f s  %s of %s\n",
			limit > 0 ? 100 * npfctl_num(u, "wakeups_ns") / limit : 0,
			npfctl_num(u, "requests_ns") / 1e9, npfctl_num(u, "taps_ns") / 1e9,
			bytes(npfctl_num(u, "memory")), bytes(npfctl_num(u, "memory_limit")));
	}
}

static void print_counters(const json_t *list, const char *what)
{
	json_t *item, *value;
	const char *key;
	size_t i;

	json_array_foreach(list, i, item)
	{
		printf("%s %s%s", what,
			json_is_integer(json_object_get(item, "id")) ? ""
								     : npfctl_str(item, "name"),
			json_is_integer(json_object_get(item, "id")) ? "" : "\n");
		if (json_is_integer(json_object_get(item, "id")))
			printf("%" JSON_INTEGER_FORMAT " on %s\n", npfctl_num(item, "id"),
				npfctl_str(item, "port"));
		json_object_foreach(
			item, key, value) if (json_is_integer(value) && strcmp(key, "id") != 0)
			printf("  %-18s %20" JSON_INTEGER_FORMAT "\n", key,
				json_integer_value(value));
	}
}

static void print_stats(const json_t *j)
{
	print_counters(json_object_get(j, "ports"), "port");
	print_counters(json_object_get(j, "sessions"), "session");
	print_counters(json_object_get(j, "sends"), "send");
}

struct command {
	const char *name;
	void (*print)(const json_t *);
};

static const struct command commands[] = {
	{"status", print_status},
	{"ports", print_ports},
	{"sessions", print_sessions},
	{"users", print_users},
	{"stats", print_stats},
};

struct tool {
	const char *name;
	int (*run)(const struct npfctl *ctl, int argc, char **argv);
};

static const struct tool tools[] = {
	{"monitor", npfctl_monitor},
	{"dump", npfctl_dump},
	{"port", npfctl_port},
	{"send", npfctl_send},
};

int npfctl_fail(const char *fmt, ...)
{
	va_list ap;

	fputs("npfctl: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return 1;
}

static void interrupt(int sig)
{
	(void)sig;
	npfctl_interrupted = 1;
}

void npfctl_catch_interrupts(void)
{
	struct sigaction sa = {.sa_handler = interrupt};

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
}

bool npfctl_count(const char *s, uint64_t min, uint64_t max, uint64_t *vp)
{
	return npf_parse_count(s, vp) == 0 && *vp >= min && *vp <= max;
}

int npfctl_option(struct npfctl *ctl, int opt, const char *usage)
{
	switch (opt) {
	case NPFCTL_OPT_JSON:
		ctl->json = true;
		return -1;
	case NPFCTL_OPT_SOCKET:
		ctl->socket = optarg;
		return -1;
	case 'h':
		fputs(usage, stdout);
		return 0;
	default:
		fputs(usage, stderr);
		return 2;
	}
}

int npfctl_connect(const struct npfctl *ctl, const char *program)
{
	struct npf_wire_hello_reply hello;
	struct npf_error err;
	int fd = npf_wire_open_daemon(ctl->socket, program, &hello, &err);

	return fd >= 0 ? fd : -npfctl_fail("%s", err.text);
}

int npfctl_do(int fd, struct npf_wire_call *call)
{
	return npf_wire_do(fd, call) < 0 ? npfctl_fail("%s", call->err.text) : 0;
}

int npfctl_linktype(const struct npfctl *ctl, const char *port, int *linktypep)
{
	struct npf_wire_port ports[NPF_WIRE_MAXPORTS];
	struct npf_wire_call call = {
		.type = NPF_WIRE_PORTS,
		.reply = ports,
		.reply_len = sizeof(ports),
	};
	npf_autofd int fd = npfctl_connect(ctl, "npfctl");

	*linktypep = DLT_EN10MB;
	if (fd < 0 || npfctl_do(fd, &call) != 0)
		return 1;
	for (size_t i = 0; i < call.reply_len / sizeof(ports[0]); i++)
		if (strncmp(ports[i].name, port, sizeof(ports[i].name)) == 0)
			*linktypep = (int)ports[i].linktype;
	return 0;
}

void npfctl_print_json(json_t *j, size_t flags)
{
	json_dumpf(j, stdout, flags | JSON_PRESERVE_ORDER);
	putchar('\n');
	json_decref(j);
}

int npfctl_query(const struct npfctl *ctl, const char *what, json_t **jp)
{
	struct npf_wire_query query = {0};
	npf_autofd int fd = npfctl_connect(ctl, "npfctl"), report = -1;
	struct npf_wire_call call = {
		NPF_WIRE_ASKS(NPF_WIRE_QUERY, query),
		.fds = &report,
		.n_fds = 1,
	};
	json_error_t bad;

	snprintf(query.what, sizeof(query.what), "%s", what);
	if (fd < 0 || npfctl_do(fd, &call) != 0)
		return 1;
	if (call.n_fds != 1 || lseek(report, 0, SEEK_SET) < 0)
		return npfctl_fail("the daemon sent no report");
	*jp = json_loadfd(report, 0, &bad);
	return *jp != NULL ? 0 : npfctl_fail("%s", bad.text);
}

static int wrong_usage(void)
{
	fputs(usage_text, stderr);
	return 2;
}

/*
 * The options that all commands have, up to the first argument that is none.
 * Return: -1: go on; else exit with that status.
 */
static int parse(int argc, char **argv, struct npfctl *ctl)
{
	static const struct option longs[] = {
		{"version", no_argument, NULL, 'V'},
		NPFCTL_OPTIONS,
		{0},
	};
	int opt, rc = -1;

	while (rc < 0 && (opt = getopt_long(argc, argv, "+hV", longs, NULL)) != -1) {
		if (opt == 'V') {
			puts("npfctl " NPF_VERSION);
			return 0;
		}
		rc = npfctl_option(ctl, opt, usage_text);
	}
	return rc;
}

int npfctl_show(const struct npfctl *ctl, const char *what, void (*print)(const json_t *))
{
	json_t *j;

	if (npfctl_query(ctl, what, &j) != 0)
		return 1;
	if (ctl->json) {
		npfctl_print_json(j, JSON_INDENT(2));
		return 0;
	}
	print(j);
	json_decref(j);
	return 0;
}

static int run(struct npfctl *ctl, int argc, char **argv)
{
	int rc;

	for (size_t i = 0; i < NPF_ARRAY_LEN(tools); i++)
		if (strcmp(argv[0], tools[i].name) == 0) {
			optind = 0;
			return tools[i].run(ctl, argc, argv);
		}
	for (size_t i = 0; i < NPF_ARRAY_LEN(commands); i++) {
		if (strcmp(argv[0], commands[i].name) != 0)
			continue;
		/* Options may stand behind a report's name, too. */
		optind = 0;
		rc = parse(argc, argv, ctl);
		if (rc >= 0)
			return rc;
		return optind == argc ? npfctl_show(ctl, commands[i].name, commands[i].print)
				      : wrong_usage();
	}
	return wrong_usage();
}

int main(int argc, char **argv)
{
	struct npfctl ctl = {NULL, false};
	int rc = parse(argc, argv, &ctl);

	if (rc < 0)
		rc = optind < argc ? run(&ctl, argc - optind, argv + optind) : wrong_usage();
	if (fflush(stdout) != 0 || ferror(stdout))
		return npfctl_fail("can't write the output");
	return rc;
}
