/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * npf-filter.c - the filter workbench: shows what a filter becomes, runs it, compares, times.
 *
 * Standard output has the result and nothing else: with -r that is one number a
 * packet, and all explanations go to standard error. See npf-filter(1).
 */
#include "npf-filter/npf-filter.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
	"usage: npf-filter [-dOV] [-S STAGE] [-y LINKTYPE] [-s SNAPLEN] [--backend B]\n"
	"                  [-r FILE [--raw]] [--bench] [--received | --sent] EXPR... | --insns "
	"FILE | --set FILE\n"
	"       npf-filter [-O] [-y LINKTYPE] [-s SNAPLEN] [-r FILE] [--received | --sent] "
	"--clients "
	"FILE\n"
	"  EXPR              a filter as pcap-filter(7) describes it\n"
	"  --insns FILE      instructions as `tcpdump -ddd` prints them (- for standard input)\n"
	"  --set FILE        a list of hosts, nets and ports, one a line\n"
	"  --clients FILE    a filter a line: explain, check and time them as one set\n"
	"  -d                print the program; -dd as C, -ddd as numbers\n"
	"  -S STAGE          print a stage: cbpf, ir, passes, asm (may be repeated)\n"
	"  -r FILE           print the bytes kept of each packet of a savefile, 0 = rejected\n"
	"  --raw             with -r: the filter's result, not limited to the packet's length\n"
	"  --backend B       auto, interp, scalar; all compares them\n"
	"  --bench           time the back ends, on the packets of -r or a mix of our own\n"
	"  -y LINKTYPE       compile for this link type (EN10MB unless -r says another)\n"
	"  -s SNAPLEN        bytes to keep of an accepted packet (262144)\n"
	"  -O                don't let libpcap optimise the program\n"
	"  --received, --sent  what the packets are to inbound and outbound, which nothing is "
	"else\n"
	"  -V, -h            version, this text\n"
	"Without -d, -S, -r or --bench everything about the filter is shown.\n"
	"Exit status: 0 done, 1 back ends differ, 2 wrong usage, filter or file.\n";

int print_error(const char *fmt, ...)
{
	va_list ap;

	fputs("npf-filter: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return EXIT_USAGE;
}

enum {
	OPT_BACKEND = 256,
	OPT_INSNS,
	OPT_SET,
	OPT_CLIENTS,
	OPT_BENCH,
	OPT_RAW,
	OPT_RECEIVED,
	OPT_SENT
};

static const struct option longopts[] = {
	{"backend", required_argument, NULL, OPT_BACKEND},
	{"insns", required_argument, NULL, OPT_INSNS},
	{"set", required_argument, NULL, OPT_SET},
	{"clients", required_argument, NULL, OPT_CLIENTS},
	{"bench", no_argument, NULL, OPT_BENCH},
	{"raw", no_argument, NULL, OPT_RAW},
	{"received", no_argument, NULL, OPT_RECEIVED},
	{"sent", no_argument, NULL, OPT_SENT},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	{NULL, 0, NULL, 0},
};

static bool parse_stage(const char *name, unsigned int *stages)
{
	static const struct {
		const char *name;
		enum stage stage;
	} table[] = {{"cbpf", STAGE_CBPF}, {"ir", STAGE_IR}, {"passes", STAGE_PASSES},
		{"asm", STAGE_ASM}};

	for (size_t i = 0; i < NPF_ARRAY_LEN(table); i++) {
		if (strcmp(name, table[i].name) == 0) {
			*stages |= table[i].stage;
			return true;
		}
	}
	return false;
}

static int parse_backend(const char *name, struct options *o)
{
	if (strcmp(name, "all") == 0) {
		o->all_backends = true;
		return 0;
	}
	if (npf_backend_find(name, &o->backend) < 0)
		return print_error("no back end is called %s (interp, scalar, auto, all)", name);
	o->all_backends = false;
	return 0;
}

/* A whole number from lo to hi. */
static bool parse_int(const char *text, long lo, long hi, int *np)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 0);
	if (errno != 0 || end == text || *end != '\0' || n < lo || n > hi)
		return false;
	*np = (int)n;
	return true;
}

/* The arguments that are left make one expression, as with tcpdump. */
static char *join(char **words, int n)
{
	size_t len = 1;
	char *expr;

	for (int i = 0; i < n; i++)
		len += strlen(words[i]) + 1;
	expr = calloc(1, len);
	for (int i = 0; i < n && expr != NULL; i++) {
		if (i > 0)
			strcat(expr, " ");
		strcat(expr, words[i]);
	}
	return expr;
}

/* What is to be run: one of four. Return: -1 to go on, else the exit code. */
static int parse_filter(int argc, char **argv, struct options *o)
{
	const int n = (optind < argc) + (o->insns_file != NULL) + (o->set_file != NULL) +
		      (o->clients_file != NULL);

	if (n > 1)
		return print_error("give one of a filter expression, --insns, --set and --clients");
	if (n == 0) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	if (o->clients_file != NULL && (o->dump > 0 || o->stages != 0 || o->raw || o->all_backends))
		return print_error(
			"-d, -S, --raw and --backend all are for one filter, not --clients");
	if (optind < argc) {
		o->expr = join(argv + optind, argc - optind);
		if (o->expr == NULL)
			return print_error("out of memory");
	}
	return -1;
}

/* Return: -1 to go on, else the exit code. */
static int parse_options(int argc, char **argv, struct options *o)
{
	int c;

	while ((c = getopt_long(argc, argv, "dS:r:y:s:OVh", longopts, NULL)) != -1) {
		switch (c) {
		case 'd':
			o->dump++;
			break;
		case 'S':
			if (!parse_stage(optarg, &o->stages))
				return print_error(
					"no stage is called %s (cbpf, ir, passes, asm)", optarg);
			break;
		case 'r':
			o->savefile = optarg;
			break;
		case 'y':
			o->linktype = pcap_datalink_name_to_val(optarg);
			if (o->linktype < 0)
				return print_error("no link type is called %s", optarg);
			break;
		case 's':
			if (!parse_int(optarg, 0, INT32_MAX, &o->snaplen))
				return print_error("not a snapshot length: %s", optarg);
			if (o->snaplen == 0)
				o->snaplen = 262144;
			break;
		case 'O':
			o->optimize = false;
			break;
		case OPT_BACKEND:
			if (parse_backend(optarg, o) != 0)
				return EXIT_USAGE;
			break;
		case OPT_INSNS:
			o->insns_file = optarg;
			break;
		case OPT_SET:
			o->set_file = optarg;
			break;
		case OPT_CLIENTS:
			o->clients_file = optarg;
			break;
		case OPT_BENCH:
			o->bench = true;
			break;
		case OPT_RAW:
			o->raw = true;
			break;
		case OPT_RECEIVED:
			o->has_aux = true;
			o->aux.pkttype = 0;
			break;
		case OPT_SENT:
			o->has_aux = true;
			o->aux.pkttype = 4;
			break;
		case 'V':
			printf("npf-filter %s, %s\n", NPF_VERSION, pcap_lib_version());
			return EXIT_SAME;
		case 'h':
			fputs(usage, stdout);
			return EXIT_SAME;
		default:
			fputs(usage, stderr);
			return EXIT_USAGE;
		}
	}
	return parse_filter(argc, argv, o);
}

static int work(struct options *o)
{
	struct program prog = {.aux = o->has_aux ? &o->aux : NULL};
	struct contenders contenders = {.n = 0};
	const bool explain = o->dump > 0 || o->stages != 0 || (o->savefile == NULL && !o->bench);
	pcap_t *p = NULL;
	int rc;

	if (o->savefile != NULL) {
		rc = input_savefile(o, &p);
		if (rc != 0)
			return rc;
	}
	if (o->linktype < 0)
		o->linktype = DLT_EN10MB;
	if (o->clients_file != NULL) {
		rc = clients(o, p);
		if (p != NULL)
			pcap_close(p);
		return rc;
	}
	rc = input_program(o, &prog);
	if (rc == 0)
		rc = contenders_open(o, &prog, &contenders);
	if (rc == 0 && explain)
		rc = show_program(o, &prog, o->savefile != NULL && !o->bench ? stderr : stdout);
	if (rc == 0 && o->bench)
		rc = bench(o, p, &prog, &contenders);
	else if (rc == 0 && o->savefile != NULL)
		rc = run_savefile(o, p, &prog, &contenders);
	contenders_close(&contenders);
	free(prog.insns);
	if (p != NULL)
		pcap_close(p);
	return rc;
}

int main(int argc, char **argv)
{
	struct options o = {.linktype = -1, .snaplen = 262144, .optimize = true};
	int rc;

	if (npf_backend_from_env(&o.backend) < 0)
		return print_error("NPF_JIT names no back end: %s", getenv("NPF_JIT"));
	rc = parse_options(argc, argv, &o);
	if (rc < 0)
		rc = work(&o);
	free(o.expr);
	if (fflush(stdout) != 0 || ferror(stdout) != 0)
		return print_error("standard output: %s", strerror(errno));
	return rc;
}
