/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * monitor.c - `npfctl monitor`: what passes on a port, by filter and interval.
 *
 * A session in monitor mode brings one record each interval, with a row for each filter; no packet
 * is copied for it. Without a port: the report on the standing monitors.
 */
#include "npfctl/npfctl.h"

#include "base/clock.h"
#include "base/units.h"
#include "client/client.h"
#include "expression/expression.h"
#include "ringbuf/ring.h"

#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static const char usage_text[] =
	"usage: npfctl monitor [--json]\n"
	"       npfctl monitor PORT [FILTER...] [--interval TIME] [--count N] [--json | --csv]\n"
	"\n"
	"Without PORT: the monitors that stand in the configuration, their last interval and\n"
	"their totals. With it: packets and bytes that pass each FILTER (none: all packets),\n"
	"each interval, until interrupted. No packet is copied.\n"
	"\n"
	"  -i, --interval TIME   1ms, 500ms, 10s, ...; default 1s\n"
	"  -n, --count N         end after N intervals\n"
	"      --json            a line of JSON for each interval\n"
	"      --csv             a line for each filter and interval\n"
	"      --socket PATH     of the daemon\n";

struct options {
	const char *port;
	char **filters;
	uint32_t n_filters;
	uint64_t interval_ns;
	uint64_t count; /* 0: without end */
	bool json, csv;
};

/* ---- Monitors of the configuration ---- */

static void print_configured(const json_t *j)
{
	const json_t *m;
	size_t i;

	printf("%-16s %-10s %8s %12s %14s %14s %18s  %s\n", "MONITOR", "PORT", "INTERVAL",
		"LAST PACKETS", "LAST BYTES", "PACKETS", "BYTES", "FILTER");
	json_array_foreach(json_object_get(j, "monitors"), i, m)
	{
		const json_t *last = json_object_get(m, "last"), *all = json_object_get(m, "total");

		printf("%-16s %-10s %5" JSON_INTEGER_FORMAT " ms %12" JSON_INTEGER_FORMAT
		       " %14" JSON_INTEGER_FORMAT " %14" JSON_INTEGER_FORMAT
		       " %18" JSON_INTEGER_FORMAT "  %s\n",
			npfctl_str(m, "name"), npfctl_str(m, "port"), npfctl_num(m, "interval_ms"),
			npfctl_num(last, "packets"), npfctl_num(last, "bytes"),
			npfctl_num(all, "packets"), npfctl_num(all, "bytes"),
			npfctl_str(m, "filter"));
	}
}

/* ---- Our own session ---- */

/* Appends the filter's instructions. Return: 0; or 1, with the error printed. */
static int compile(const char *text, int linktype, struct npf_wire_row *row,
	struct npf_bpf_insn **insnsp, uint32_t *np)
{
	npf_autofree struct npf_bpf_insn *insns = NULL;
	struct npf_bpf_insn *grown;
	struct npf_error err;

	if (npf_expression_compile(&(struct npf_expression){text, linktype, NPF_REC_MAXCAP}, &insns,
		    &row->n_insns, &err) < 0)
		return npfctl_fail("%s", err.text);
	if (row->n_insns == 0)
		return 0;
	grown = reallocarray(*insnsp, *np + row->n_insns, sizeof(*grown));
	if (grown == NULL)
		return npfctl_fail("out of memory");
	memcpy(grown + *np, insns, row->n_insns * sizeof(*grown));
	*insnsp = grown;
	*np += row->n_insns;
	return 0;
}

static int open_session(
	const struct npfctl *ctl, const struct options *o, struct npf_client **clientp)
{
	const struct npf_client_conf conf = {
		.socket = ctl->socket,
		.program = "npfctl monitor",
		.port = o->port,
		.snaplen = 1,
		.flags = NPF_WIRE_OPEN_PROMISC | NPF_WIRE_OPEN_IDLE,
	};
	npf_autofree struct npf_bpf_insn *insns = NULL;
	struct npf_wire_row rows[NPF_WIRE_MAXROWS] = {{0}};
	struct npf_client_monitor monitor = {
		.interval_ms = (uint32_t)(o->interval_ns / NPF_NS_PER_MS),
		.rows = rows,
		.n_rows = o->n_filters,
	};
	struct npf_error err;

	if (npf_client_open(&conf, clientp, &err) < 0)
		return npfctl_fail("%s", err.text);
	for (uint32_t i = 0; i < o->n_filters; i++)
		if (compile(o->filters[i], (int)npf_client_port(*clientp)->linktype, &rows[i],
			    &insns, &monitor.n_insns) != 0)
			return 1;
	monitor.insns = insns;
	if (npf_client_set_monitor(*clientp, &monitor, &err) < 0)
		return npfctl_fail("%s", err.text);
	return 0;
}

/* ---- Output ---- */

static const char *name_of(const struct options *o, uint32_t row)
{
	return o->n_filters > 0 ? o->filters[row] : "";
}

static void print_json(const struct options *o, const struct npf_wire_interval *iv, uint64_t end_ns)
{
	json_t *rows = json_array(), *j;

	for (uint32_t r = 0; r < iv->n_rows; r++) {
		const struct npf_wire_tally *t = &iv->rows[r];
		json_t *sizes = json_array();

		for (unsigned int i = 0; i < NPF_WIRE_N_SIZES; i++)
			json_array_append_new(sizes, json_integer((json_int_t)t->sizes[i]));
		json_array_append_new(rows,
			json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "filter",
				name_of(o, r), "packets", (json_int_t)t->packets, "bytes",
				(json_int_t)t->bytes, "npf_bytes", (json_int_t)t->npf_bytes,
				"first_ns", (json_int_t)t->first_ns, "last_ns",
				(json_int_t)t->last_ns, "peak_packets", (json_int_t)t->peak_packets,
				"peak_bytes", (json_int_t)t->peak_bytes, "sizes", sizes));
	}
	j = json_pack("{s:I, s:I, s:I, s:I, s:o}", "number", (json_int_t)iv->number, "start_ns",
		(json_int_t)iv->start_ns, "end_ns", (json_int_t)end_ns, "intervals",
		(json_int_t)iv->covers, "rows", rows);
	npfctl_print_json(j, JSON_COMPACT);
}

/* In double quotes, those inside doubled (RFC 4180). */
static void print_quoted(const char *s)
{
	putchar('"');
	for (; *s != '\0'; s++) {
		if (*s == '"')
			putchar('"');
		putchar(*s);
	}
	putchar('"');
}

static void print_csv(const struct options *o, const struct npf_wire_interval *iv, uint64_t end_ns)
{
	for (uint32_t r = 0; r < iv->n_rows; r++) {
		const struct npf_wire_tally *t = &iv->rows[r];

		printf("%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu32 ",", iv->number, iv->start_ns,
			end_ns, iv->covers);
		print_quoted(name_of(o, r));
		printf(",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64
		       ",%" PRIu64,
			t->packets, t->bytes, t->npf_bytes, t->first_ns, t->last_ns,
			t->peak_packets, t->peak_bytes);
		for (unsigned int i = 0; i < NPF_WIRE_N_SIZES; i++)
			printf(",%" PRIu64, t->sizes[i]);
		putchar('\n');
	}
}

/* ---- The loop ---- */

/* Return: 1: go on; 0: interrupted; -1: the daemon has gone, with the error printed. */
static int wait_for_record(struct npf_client *client)
{
	int rc = npf_client_wait(client, 1000);

	if (npfctl_interrupted)
		return 0;
	return rc == -EPIPE ? -npfctl_fail("the npf-dpdk daemon has gone away") : 1;
}

static int follow(struct npf_client *client, const struct options *o)
{
	npf_autofree struct npfctl_table *table =
		npfctl_table_new(o->filters, o->n_filters, o->interval_ns);
	uint64_t n_printed = 0;
	struct npf_view v;
	struct npf_error err;
	int rc = 1;

	if (table == NULL)
		return npfctl_fail("out of memory");
	while (rc > 0 && (o->count == 0 || n_printed < o->count)) {
		const struct npf_wire_interval *iv;

		rc = npf_client_next(client, &v);
		if (rc == 0) {
			if (fflush(stdout) != 0)
				return 1;
			npfctl_table_refresh(table);
			rc = wait_for_record(client);
			continue;
		}
		if (rc < 0) {
			npf_client_reason(client, rc, &err);
			return npfctl_fail("%s", err.text);
		}
		iv = (const struct npf_wire_interval *)v.data;
		if (v.caplen < sizeof(*iv) ||
			v.caplen != sizeof(*iv) + iv->n_rows * sizeof(iv->rows[0]) ||
			iv->n_rows != NPF_MAX(o->n_filters, 1u))
			return npfctl_fail("the daemon's record makes no sense");
		if (o->json)
			print_json(o, iv, v.ts_ns);
		else if (o->csv)
			print_csv(o, iv, v.ts_ns);
		else
			npfctl_table_add(table, iv, v.ts_ns);
		n_printed += iv->covers;
	}
	return rc < 0 ? 1 : 0;
}

static int monitor(const struct npfctl *ctl, const struct options *o)
{
	struct npf_client *client = NULL;
	int rc = open_session(ctl, o, &client);

	if (rc == 0 && o->csv)
		puts("number,start_ns,end_ns,intervals,filter,packets,bytes,npf_bytes,"
		     "first_ns,last_ns,peak_packets,peak_bytes,"
		     "to_64,to_127,to_255,to_511,to_1023,to_1518,to_9018,longer");
	if (rc == 0) {
		npfctl_catch_interrupts();
		rc = follow(client, o);
	}
	npf_client_close(client);
	return rc;
}

/* Return: -1: go on; else exit with that status. */
static int parse(int argc, char **argv, struct npfctl *ctl, struct options *o)
{
	enum {
		OPT_CSV = 256
	};
	static const struct option longs[] = {
		{"interval", required_argument, NULL, 'i'},
		{"count", required_argument, NULL, 'n'},
		{"csv", no_argument, NULL, OPT_CSV},
		NPFCTL_OPTIONS,
		{0},
	};
	int opt, rc = -1;

	while (rc < 0 && (opt = getopt_long(argc, argv, "i:n:h", longs, NULL)) != -1) {
		switch (opt) {
		case 'i':
			if (npf_parse_duration(optarg, &o->interval_ns) < 0 ||
				o->interval_ns == 0 || o->interval_ns % NPF_NS_PER_MS != 0 ||
				o->interval_ns > NPF_WIRE_MAXINTERVAL_MS * NPF_NS_PER_MS) {
				npfctl_fail("--interval: a whole number of ms is wanted, 1ms..1h");
				return 2;
			}
			break;
		case 'n':
			if (!npfctl_count(optarg, 1, UINT64_MAX, &o->count)) {
				npfctl_fail("--count: a number above 0 is wanted");
				return 2;
			}
			break;
		case OPT_CSV:
			o->csv = true;
			break;
		default:
			rc = npfctl_option(ctl, opt, usage_text);
			break;
		}
	}
	if (rc >= 0)
		return rc;
	o->json = ctl->json;
	o->port = optind < argc ? argv[optind] : NULL;
	o->filters = argv + optind + 1;
	o->n_filters = optind < argc ? (uint32_t)(argc - optind - 1) : 0;
	if ((o->json && o->csv) || o->n_filters > NPF_WIRE_MAXROWS ||
		(o->port != NULL && strlen(o->port) >= NPF_WIRE_NAMELEN)) {
		fputs(usage_text, stderr);
		return 2;
	}
	return -1;
}

int npfctl_monitor(const struct npfctl *ctl, int argc, char **argv)
{
	struct options o = {.interval_ns = NPF_NS_PER_S};
	struct npfctl mine = *ctl;
	int rc = parse(argc, argv, &mine, &o);

	if (rc >= 0)
		return rc;
	return o.port != NULL ? monitor(&mine, &o)
			      : npfctl_show(&mine, "monitors", print_configured);
}
