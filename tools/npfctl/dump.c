/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dump.c - npfctl dump list | start | stop | trigger.
 *
 * The filter is compiled here, so that the daemon need not parse a stranger's expressions. Root
 * lets the daemon make the files; anybody else opens his one file himself and passes it on.
 */
#include "npfctl/npfctl.h"
#include "expression/expression.h"

#include "base/doorbell.h"
#include "base/units.h"
#include "jit/bpf.h"
#include "ringbuf/ring.h"

#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define STOP_TIMEOUT_MS 30000
#define STAY_LOOK_MS    200 /* an interrupt may come just before poll() */

static const char usage_text[] =
	"usage: npfctl dump [list]\n"
	"       npfctl dump start PORT -w FILE [OPTION...] [FILTER...]\n"
	"       npfctl dump stop NAME\n"
	"       npfctl dump trigger NAME [--after TIME]\n"
	"\n"
	"  -w, --write FILE      where to; %Y %m %d %H %M %S %F %T %j %s: time of the first "
	"packet,\n"
	"                        %N: number of the file; -: standard output, if that is a "
	"file\n"
	"  -n, --name NAME       of the dump, for stop and trigger\n"
	"  -f, --format FORMAT   pcap (microseconds, the default), pcap-ns, pcapng\n"
	"  -s, --snaplen N       bytes of each packet\n"
	"      --max-size SIZE   ends after so much, exactly; headers counted in\n"
	"  -c, --max-packets N   ends after so many\n"
	"  -C, --size SIZE       a new file before this one gets larger\n"
	"  -G, --time TIME       a new file at each multiple of this\n"
	"      --packets N       a new file after so many\n"
	"  -W, --keep N          only the newest N finished files stay\n"
	"      --keep-size SIZE  only so much of finished files stays\n"
	"      --comment TEXT    into the header (pcapng)\n"
	"      --mode OCTAL      of the files; default 0640\n"
	"      --buffer SIZE     memory between tap and disk\n"
	"      --zstd            compress\n"
	"      --retro SIZE      remember so much, and write it when triggered\n"
	"      --retro-time TIME ... and not longer than so\n"
	"      --wait            until the dump has ended, as all but root do anyway\n"
	"      --detach          the dump goes on by itself, as root's does anyway\n"
	"      --after TIME      trigger: and what comes in the time after it\n";

enum {
	OPT_MAX_SIZE = 256,
	OPT_PACKETS,
	OPT_KEEP_SIZE,
	OPT_COMMENT,
	OPT_MODE,
	OPT_BUFFER,
	OPT_ZSTD,
	OPT_RETRO,
	OPT_RETRO_TIME,
	OPT_WAIT,
	OPT_DETACH,
	OPT_AFTER,
};

static const struct option longs[] = {
	{"write", required_argument, NULL, 'w'},
	{"name", required_argument, NULL, 'n'},
	{"format", required_argument, NULL, 'f'},
	{"snaplen", required_argument, NULL, 's'},
	{"max-size", required_argument, NULL, OPT_MAX_SIZE},
	{"max-packets", required_argument, NULL, 'c'},
	{"size", required_argument, NULL, 'C'},
	{"time", required_argument, NULL, 'G'},
	{"packets", required_argument, NULL, OPT_PACKETS},
	{"keep", required_argument, NULL, 'W'},
	{"keep-size", required_argument, NULL, OPT_KEEP_SIZE},
	{"comment", required_argument, NULL, OPT_COMMENT},
	{"mode", required_argument, NULL, OPT_MODE},
	{"buffer", required_argument, NULL, OPT_BUFFER},
	{"zstd", no_argument, NULL, OPT_ZSTD},
	{"retro", required_argument, NULL, OPT_RETRO},
	{"retro-time", required_argument, NULL, OPT_RETRO_TIME},
	{"wait", no_argument, NULL, OPT_WAIT},
	{"detach", no_argument, NULL, OPT_DETACH},
	{"after", required_argument, NULL, OPT_AFTER},
	{"help", no_argument, NULL, 'h'},
	{0},
};

struct start {
	struct npf_wire_dump req;
	const char *file;
	bool wait, detach;
	uint64_t after_ns;
};

static int wrong_usage(void)
{
	fputs(usage_text, stderr);
	return 2;
}

static int put_text(char *field, size_t size, const char *text, const char *what)
{
	if (strlen(text) >= size)
		return npfctl_fail("the %s is longer than %zu characters", what, size - 1);
	strcpy(field, text);
	return 0;
}

static int put_size(uint64_t *v, const char *text)
{
	return npf_parse_size(text, v) == 0 && *v > 0 && *v <= INT64_MAX
		       ? 0
		       : npfctl_fail("\"%s\" is not a size: write 64MiB, 1GiB, 1500000", text);
}

/* @least: ns; 0 where no time at all makes sense, else 1. */
static int put_time(uint64_t *v, const char *text, uint64_t least)
{
	return npf_parse_duration(text, v) == 0 && *v >= least && *v <= INT64_MAX
		       ? 0
		       : npfctl_fail("\"%s\" is not a duration: write 60s, 5min, 1h", text);
}

static int put_number(uint64_t *v, const char *text, int base, uint64_t max)
{
	char *end;

	errno = 0;
	*v = strtoull(text, &end, base);
	return *end == '\0' && end != text && text[0] != '-' && errno == 0 && *v > 0 && *v <= max
		       ? 0
		       : npfctl_fail(base == 8 ? "\"%s\" is not an octal number from 1 to %llo"
					       : "\"%s\" is not a number from 1 to %llu",
				 text, (unsigned long long)max);
}

static int put_format(uint32_t *v, const char *text)
{
	static const char *const names[NPF_WIRE_DUMP_N_FORMATS] = {
		[NPF_WIRE_DUMP_PCAP] = "pcap",
		[NPF_WIRE_DUMP_PCAP_NS] = "pcap-ns",
		[NPF_WIRE_DUMP_PCAPNG] = "pcapng",
	};

	for (uint32_t i = 0; i < NPF_WIRE_DUMP_N_FORMATS; i++)
		if (strcmp(text, names[i]) == 0) {
			*v = i;
			return 0;
		}
	return npfctl_fail("\"%s\" is not a format: use pcap, pcap-ns, pcapng", text);
}

/* One option. Return: 0; else exit with that status. */
static int take(struct start *s, int opt, const char *arg)
{
	struct npf_wire_dump *r = &s->req;
	uint64_t v = 0;
	int rc = 0;

	switch (opt) {
	case 'w':
		s->file = arg;
		return 0;
	case 'n':
		return put_text(r->name, sizeof(r->name), arg, "name");
	case 'f':
		return put_format(&r->format, arg);
	case 's':
		rc = put_number(&v, arg, 10, UINT32_MAX);
		r->snaplen = (uint32_t)v;
		return rc;
	case 'c':
		return put_number(&r->max_packets, arg, 10, INT64_MAX);
	case 'C':
		return put_size(&r->file_size, arg);
	case 'G':
		return put_time(&r->file_time_ns, arg, 1);
	case 'W':
		return put_number(&r->keep, arg, 10, INT64_MAX);
	case OPT_MAX_SIZE:
		return put_size(&r->max_size, arg);
	case OPT_PACKETS:
		return put_number(&r->file_packets, arg, 10, INT64_MAX);
	case OPT_KEEP_SIZE:
		return put_size(&r->keep_size, arg);
	case OPT_COMMENT:
		return put_text(r->comment, sizeof(r->comment), arg, "comment");
	case OPT_MODE:
		rc = put_number(&v, arg, 8, 0777);
		r->mode = (uint32_t)v;
		return rc;
	case OPT_BUFFER:
		return put_size(&r->buffer, arg);
	case OPT_ZSTD:
		r->flags |= NPF_WIRE_DUMP_ZSTD;
		return 0;
	case OPT_RETRO:
		return put_size(&r->retro_size, arg);
	case OPT_RETRO_TIME:
		return put_time(&r->retro_ns, arg, 1);
	case OPT_WAIT:
		s->wait = true;
		return 0;
	case OPT_DETACH:
		s->detach = true;
		return 0;
	case OPT_AFTER:
		return put_time(&s->after_ns, arg, 0);
	default:
		return wrong_usage();
	}
}

/* The words of the filter as one expression, and compiled. */
static int compile(const struct npfctl *ctl, struct start *s, char **words, int n,
	struct npf_bpf_insn **insnsp)
{
	struct npf_wire_dump *r = &s->req;
	size_t used = 0;
	struct npf_error err;
	int linktype;

	for (int i = 0; i < n; i++) {
		size_t len = strlen(words[i]);

		if (used + len + 2 > sizeof(r->filter))
			return npfctl_fail(
				"the filter is longer than %zu characters", sizeof(r->filter) - 1);
		if (i > 0)
			r->filter[used++] = ' ';
		memcpy(r->filter + used, words[i], len + 1);
		used += len;
	}
	if (used == 0)
		return 0;
	if (npfctl_linktype(ctl, r->port, &linktype) != 0)
		return 1;
	if (npf_expression_compile(&(struct npf_expression){r->filter, linktype, NPF_REC_MAXCAP},
		    insnsp, &r->n_insns, &err) < 0)
		return npfctl_fail("%s", err.text);
	return 0;
}

static bool makes_many(const struct npf_wire_dump *r, const char *file)
{
	return r->file_size != 0 || r->file_packets != 0 || r->file_time_ns != 0 || r->keep != 0 ||
	       r->keep_size != 0 || r->retro_size != 0 || r->retro_ns != 0 ||
	       strchr(file, '%') != NULL;
}

static bool is_stdout(const char *file)
{
	return strcmp(file, "-") == 0;
}

/* A dump is written at positions, from the file's beginning on: no pipe can take it. */
static int take_stdout(const struct start *s, int *fdp)
{
	struct stat st;

	if (makes_many(&s->req, s->file))
		return npfctl_fail("-w -: standard output is one file: it goes with neither "
				   "rotation nor --retro");
	if (fstat(STDOUT_FILENO, &st) < 0 || !S_ISREG(st.st_mode))
		return npfctl_fail("-w -: standard output is no regular file: write > FILE, or "
				   "capture with npf-run tcpdump -i PORT -w -");
	*fdp = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	return *fdp >= 0 ? 0 : npfctl_fail("standard output: %s", strerror(errno));
}

/* We open it, with our rights. Not emptied here: the daemon does so when it has accepted. */
static int open_file(const char *file, int *fdp)
{
	struct stat st;

	if (stat(file, &st) == 0 && !S_ISREG(st.st_mode))
		return npfctl_fail("%s: a dump goes into a regular file, and this is none", file);
	*fdp = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	return *fdp >= 0 ? 0 : npfctl_fail("%s: %s", file, strerror(errno));
}

/* Who makes the file, the daemon or we? Return: 0, *fdp >= 0 when it was opened here. */
static int settle_file(struct start *s, int *fdp)
{
	char cwd[PATH_MAX], path[PATH_MAX + 1024];

	if (s->file == NULL)
		return wrong_usage();
	if (is_stdout(s->file))
		return take_stdout(s, fdp);
	if (geteuid() != 0 && !makes_many(&s->req, s->file))
		return open_file(s->file, fdp);
	if (s->file[0] == '/')
		return put_text(s->req.file, sizeof(s->req.file), s->file, "file's name");
	if (getcwd(cwd, sizeof(cwd)) == NULL)
		return npfctl_fail("no current directory: %s", strerror(errno));
	snprintf(path, sizeof(path), "%s/%s", cwd, s->file);
	return put_text(s->req.file, sizeof(s->req.file), path, "file's name");
}

/* Until the dump's descriptor says that all is on disk. */
static int wait_done(int fd, int timeout_ms, const char *name)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};

	if (poll(&pfd, 1, timeout_ms) > 0)
		return npf_doorbell_is_rung(fd) ? 0
						: npfctl_fail("the npf-dpdk daemon has gone away");
	return npfctl_fail("dump %s is still being written; `npfctl dump list` says why", name);
}

/* Over a connection. @file: open for writing, goes along; -1: none */
static int request(
	int fd, struct npf_wire_call *call, int file, struct npf_wire_dump_reply *reply, int *donep)
{
	if (fd < 0)
		return 1;
	call->reply = reply;
	call->reply_len = call->reply_min = sizeof(*reply);
	call->fds = donep;
	call->n_fds = 1;
	call->timeout_ms = 10000;
	if (file >= 0 && npf_wire_hand_over(fd, file, &call->err) < 0)
		return npfctl_fail("%s", call->err.text);
	if (npf_wire_do(fd, call) < 0)
		return npfctl_fail("%s", call->err.text);
	reply->name[sizeof(reply->name) - 1] = '\0';
	return call->n_fds == 1 ? 0 : npfctl_fail("the daemon sent no descriptor");
}

/* The dump ends with this connection: at its limit, when it is stopped, or when we are interrupted.
 */
static int stay(int *fd, int done, const char *name)
{
	struct pollfd pfd = {.fd = done, .events = POLLIN};

	fprintf(stderr, "npfctl: dump %s ends with this command: interrupt it (Ctrl-C) to end it\n",
		name);
	npfctl_catch_interrupts();
	while (!npfctl_interrupted && poll(&pfd, 1, STAY_LOOK_MS) <= 0)
		;
	npf_close(npf_steal_fd(fd));
	return wait_done(done, STOP_TIMEOUT_MS, name);
}

static int start(const struct npfctl *ctl, struct start *s, int argc, char **argv)
{
	npf_autofd int fd = -1, file = -1, done = -1;
	bool lasts = geteuid() == 0 || s->detach;
	struct npf_wire_dump_reply reply;
	npf_autofree struct npf_bpf_insn *insns = NULL;
	struct npf_wire_call call = {
		NPF_WIRE_ASKS(NPF_WIRE_DUMP, s->req),
	};
	int rc;

	if (argc < 1)
		return wrong_usage();
	rc = put_text(s->req.port, sizeof(s->req.port), argv[0], "port's name");
	if (rc == 0)
		rc = compile(ctl, s, argv + 1, argc - 1, &insns);
	if (rc == 0)
		rc = settle_file(s, &file);
	if (rc == 0) {
		s->req.flags |= lasts ? NPF_WIRE_DUMP_LASTS : 0;
		call.tail = insns;
		call.tail_len = s->req.n_insns * sizeof(struct npf_bpf_insn);
		fd = npfctl_connect(ctl, "npfctl");
		rc = request(fd, &call, file, &reply, &done);
	}
	if (rc != 0)
		return rc;
	fprintf(is_stdout(s->file) ? stderr : stdout, "%s\n", reply.name);
	fflush(stdout);
	if (!lasts)
		return stay(&fd, done, reply.name);
	return s->wait ? wait_done(done, -1, reply.name) : 0;
}

static int control(
	const struct npfctl *ctl, enum npf_wire_dump_op op, uint64_t after_ns, const char *name)
{
	struct npf_wire_dump_control req = {.op = op, .after_ns = after_ns};
	struct npf_wire_call call = {
		NPF_WIRE_ASKS(NPF_WIRE_DUMP_CONTROL, req),
	};
	struct npf_wire_dump_reply reply;
	npf_autofd int fd = -1, done = -1;
	int rc = put_text(req.name, sizeof(req.name), name, "name");

	if (rc == 0) {
		fd = npfctl_connect(ctl, "npfctl");
		rc = request(fd, &call, -1, &reply, &done);
	}
	if (rc == 0 && op == NPF_WIRE_DUMP_STOP)
		rc = wait_done(done, STOP_TIMEOUT_MS, name);
	return rc;
}

static void print_dumps(const json_t *j)
{
	const json_t *d;
	size_t i;

	printf("%-16s %-8s %-8s %-8s %14s %16s %16s %12s %7s  %s\n", "NAME", "PORT", "STATE",
		"FORMAT", "PACKETS", "BYTES", "ON DISK", "DROPPED", "FILES", "FILE");
	json_array_foreach(json_object_get(j, "dumps"), i, d)
	{
		const char *current = npfctl_str(d, "current");
		const json_t *retro = json_object_get(d, "retrospective");

		printf("%-16s %-8s %-8s %-8s %14" JSON_INTEGER_FORMAT " %16" JSON_INTEGER_FORMAT
		       " %16" JSON_INTEGER_FORMAT " %12" JSON_INTEGER_FORMAT
		       " %7" JSON_INTEGER_FORMAT "  %s\n",
			npfctl_str(d, "name"), npfctl_str(d, "port"), npfctl_str(d, "state"),
			npfctl_str(d, "format"), npfctl_num(d, "written"), npfctl_num(d, "bytes"),
			npfctl_num(d, "disk_bytes"),
			npfctl_num(d, "drop_disk") + npfctl_num(d, "drop_oversize"),
			npfctl_num(d, "files"),
			current[0] != '\0' ? current : npfctl_str(d, "last"));
		if (json_is_object(retro))
			printf("%16s remembers %" JSON_INTEGER_FORMAT " bytes\n", "",
				npfctl_num(retro, "remembered"));
		if (json_is_string(json_object_get(d, "error")))
			printf("%16s error: %s\n", "", npfctl_str(d, "error"));
		if (json_is_string(json_object_get(d, "index_error")))
			printf("%16s error: can't append to %s: %s\n", "", npfctl_str(d, "index"),
				npfctl_str(d, "index_error"));
	}
}

int npfctl_dump(const struct npfctl *ctl, int argc, char **argv)
{
	struct start s = {.file = NULL};
	const char *what;
	int opt, rc;

	/* Options may stand anywhere; a filter that looks like one comes after "--". */
	what = argc > 1 && argv[1][0] != '-' ? argv[1] : "list";
	while ((opt = getopt_long(argc, argv, "hw:n:f:s:c:C:G:W:", longs, NULL)) != -1) {
		if (opt == 'h') {
			fputs(usage_text, stdout);
			return 0;
		}
		rc = take(&s, opt, optarg);
		if (rc != 0)
			return rc;
	}
	argc -= optind + 1;
	argv += optind + 1;
	if (strcmp(what, "list") == 0)
		return argc <= 0 ? npfctl_show(ctl, "dumps", print_dumps) : wrong_usage();
	if (strcmp(what, "start") == 0)
		return start(ctl, &s, argc, argv);
	if (strcmp(what, "stop") == 0 && argc == 1)
		return control(ctl, NPF_WIRE_DUMP_STOP, 0, argv[0]);
	if (strcmp(what, "trigger") == 0 && argc == 1)
		return control(ctl, NPF_WIRE_DUMP_TRIGGER, s.after_ns, argv[0]);
	return wrong_usage();
}
