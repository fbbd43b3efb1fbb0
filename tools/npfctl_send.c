/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * npfctl_send.c - `npfctl send`: the packets of a savefile, out on a port.
 *
 * The file is read into memory first, so that no disk disturbs the timing; the daemon's send worker
 * keeps the schedule. What is reported as sent is what the port took.
 */
#include "npfctl.h"

#include "base/clock.h"
#include "ringbuf/tx.h"

#include <ctype.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <pcap/pcap.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define FLUSH_EVERY 32 /* frames */
#define PROGRESS_NS (200 * NPF_NS_PER_MS)

static const char usage_text[] =
	"usage: npfctl send PORT -r FILE [--rate RATE] [--loop N] [--repeat N] [--json]\n"
	"\n"
	"  -r, --read FILE     a savefile, pcap or pcapng\n"
	"  -R, --rate RATE     asap (the default); original: with the distances of the time\n"
	"                      stamps; x2, x0.5, ...: so many times as fast as that; or a\n"
	"                      number of packets or bits a second: 100kpps, 1.5Mpps, 1Gbps\n"
	"  -l, --loop N        send the file N times; 0: until interrupted\n"
	"  -n, --repeat N      send each packet N times in a row\n"
	"      --json          report in JSON\n"
	"      --socket PATH   of the daemon\n"
	"\n"
	"Exit status: 0 when all was sent; 1 when not, or when interrupted; 2 for a wrong command\n"
	"line.\n";

enum rate_kind {
	RATE_ASAP,
	RATE_ORIGINAL, /* value: times as fast */
	RATE_PPS,
	RATE_BPS,
};

struct options {
	const char *port, *file;
	enum rate_kind rate;
	double value;
	uint64_t loops; /* 0: without end */
	uint32_t repeat;
	bool json;
};

struct packet {
	uint64_t at_ns; /* since the first one, as in the file */
	const uint8_t *data;
	uint32_t len;
};

struct trace {
	struct packet *packets;
	uint64_t n, room;
	uint64_t bytes;
	uint64_t span_ns; /* from the first packet to where the next loop begins */
};

static volatile sig_atomic_t interrupted;

static void interrupt(int sig)
{
	(void)sig;
	interrupted = 1;
}

/* ---- The file ---- */

static int append(struct trace *t, const struct pcap_pkthdr *hdr, const u_char *data, uint64_t at)
{
	uint8_t *copy = malloc(hdr->caplen > 0 ? hdr->caplen : 1);

	if (t->n == t->room) {
		uint64_t room = t->room > 0 ? 2 * t->room : 1024;
		struct packet *grown = realloc(t->packets, room * sizeof(*grown));

		if (grown != NULL) {
			t->packets = grown;
			t->room = room;
		}
	}
	if (copy == NULL || t->n == t->room) {
		free(copy);
		return npfctl_fail("not enough memory for the file");
	}
	memcpy(copy, data, hdr->caplen);
	t->packets[t->n++] = (struct packet){.at_ns = at, .data = copy, .len = hdr->caplen};
	t->bytes += hdr->caplen;
	return 0;
}

static void free_trace(struct trace *t)
{
	for (uint64_t i = 0; i < t->n; i++)
		free((void *)t->packets[i].data);
	free(t->packets);
}

static int load(const char *file, struct trace *t)
{
	char text[PCAP_ERRBUF_SIZE];
	pcap_t *p = pcap_open_offline_with_tstamp_precision(file, PCAP_TSTAMP_PRECISION_NANO, text);
	struct pcap_pkthdr *hdr;
	const u_char *data;
	uint64_t first = 0, last = 0;
	int rc, bad = 0;

	if (p == NULL)
		return npfctl_fail("%s", text);
	if (pcap_datalink(p) != DLT_EN10MB)
		bad = npfctl_fail("%s: its packets are not Ethernet frames", file);
	while (bad == 0 && (rc = pcap_next_ex(p, &hdr, &data)) == 1) {
		uint64_t ns = (uint64_t)hdr->ts.tv_sec * NPF_NS_PER_S + (uint64_t)hdr->ts.tv_usec;

		if (t->n == 0)
			first = ns;
		/* A stamp that goes back is due at once. */
		last = NPF_MAX(ns > first ? ns - first : 0, last);
		bad = append(t, hdr, data, last);
	}
	if (bad == 0 && rc == PCAP_ERROR)
		bad = npfctl_fail("%s: %s", file, pcap_geterr(p));
	if (bad == 0 && t->n == 0)
		bad = npfctl_fail("%s: there is no packet in it", file);
	/* The next loop begins after the mean distance. */
	t->span_ns = last + (t->n > 1 ? last / (t->n - 1) : 0);
	pcap_close(p);
	return bad;
}

/* ---- The lane ---- */

static int open_lane(const struct npfctl *ctl, const char *port, int *sockp, struct npf_tx **txp)
{
	struct npf_wire_hello_reply hello;
	struct npf_wire_open req = {.snaplen = 1, .flags = NPF_WIRE_OPEN_SEND_ONLY};
	struct npf_wire_open_reply reply;
	struct npf_wire_send_lane lane = {0};
	int fds[NPF_TX_NFDS];
	struct npf_wire_call open_call = {
		.type = NPF_WIRE_OPEN,
		.body = &req,
		.body_len = sizeof(req),
		.reply = &reply,
		.reply_len = sizeof(reply),
		.reply_min = sizeof(reply),
	};
	struct npf_wire_call lane_call = {
		.type = NPF_WIRE_SEND_LANE,
		.body = &lane,
		.body_len = sizeof(lane),
		.reply = &lane,
		.reply_len = sizeof(lane),
		.reply_min = sizeof(lane),
		.fds = fds,
		.n_fds = NPF_TX_NFDS,
	};
	struct npf_wire_error err;

	*sockp = npf_wire_open_daemon(ctl->socket, "npfctl send", &hello, &err);
	if (*sockp < 0)
		return npfctl_fail("%s", err.text);
	snprintf(req.port, sizeof(req.port), "%s", port);
	if (npf_wire_do(*sockp, &open_call) < 0)
		return npfctl_fail("%s", open_call.err.text);
	if (npf_wire_do(*sockp, &lane_call) < 0)
		return npfctl_fail("%s", lane_call.err.text);
	if (lane_call.n_fds != NPF_TX_NFDS || npf_tx_map(fds, txp) < 0) {
		for (unsigned int i = 0; i < lane_call.n_fds; i++)
			npf_close(fds[i]);
		return npfctl_fail("the daemon's send lane can't be mapped");
	}
	return 0;
}

/* ---- Sending ---- */

struct run {
	const struct options *o;
	const struct trace *t;
	struct npf_tx *tx;
	int sock;
	uint64_t n;   /* frames put */
	uint64_t put; /* packets: repetitions counted */
	uint64_t start_ns, shown_ns;
	uint64_t bits; /* put so far, for a rate in bits */
	bool live;
};

/* When packet i of this loop is due, since the start. */
static uint64_t due(const struct run *r, uint64_t loop, uint64_t i)
{
	switch (r->o->rate) {
	case RATE_ORIGINAL:
		return (uint64_t)((double)(loop * r->t->span_ns + r->t->packets[i].at_ns) /
				  r->o->value);
	case RATE_PPS:
		return (uint64_t)((double)r->put * (double)NPF_NS_PER_S / r->o->value);
	case RATE_BPS:
		return (uint64_t)((double)r->bits * (double)NPF_NS_PER_S / r->o->value);
	default:
		return 0;
	}
}

static void show(struct run *r, bool last)
{
	uint64_t now = npf_clock_monotonic();
	double seconds = (double)(now - r->start_ns) / (double)NPF_NS_PER_S;
	uint64_t all = r->o->loops * r->t->n * r->o->repeat;
	char bar[41] = "";
	struct npf_tx_state st;

	if (!r->live || (!last && now - r->shown_ns < PROGRESS_NS))
		return;
	r->shown_ns = now;
	npf_tx_state(r->tx, &st);
	if (all > 0) {
		double part = (double)st.sent / (double)all;

		memset(bar, '.', 40);
		memset(bar, '#', (size_t)(40 * part));
		fprintf(stderr, "\r[%s] %3.0f %%  ", bar, 100 * part);
	} else {
		fputc('\r', stderr);
	}
	fprintf(stderr, "%" PRIu64 " packets, %.0f a second  %s", st.sent,
		seconds > 0 ? (double)st.sent / seconds : 0.0, last ? "\n" : "");
}

/* Waits until at most pending bytes are in the lane. Return: 0; 1: stop, having said why unless
 * interrupted. */
static int wait_for(struct run *r, uint64_t pending)
{
	for (;;) {
		int rc = npf_tx_wait(r->tx, pending, r->sock, 100);
		struct npf_tx_state st;

		show(r, false);
		npf_tx_state(r->tx, &st);
		if (st.failed > 0 || interrupted)
			return 1;
		if (rc == -EPIPE)
			return npfctl_fail("the npf-dpdk daemon has gone away");
		if (rc == 0)
			return 0;
	}
}

static int put(struct run *r, uint64_t loop, uint64_t i)
{
	const struct packet *p = &r->t->packets[i];
	uint32_t flags = r->o->rate != RATE_ASAP ? NPF_TX_TIMED : 0;
	int rc;

	if (r->put == 0)
		flags |= NPF_TX_START;
	while ((rc = npf_tx_put(r->tx, p->data, p->len, r->o->repeat, due(r, loop, i), flags)) ==
		-EAGAIN)
		if (wait_for(r, npf_tx_size(r->tx) / 2) != 0)
			return 1;
	if (rc < 0)
		return npfctl_fail("packet %" PRIu64 " of %u bytes can't be sent: %s", i + 1,
			p->len, strerror(-rc));
	r->put += r->o->repeat;
	r->bits += 8ull * p->len * r->o->repeat;
	if (++r->n % FLUSH_EVERY == 1)
		npf_tx_flush(r->tx);
	return interrupted;
}

/* Bytes of the first n packets sent. */
static uint64_t bytes_of(const struct run *r, uint64_t n)
{
	uint64_t per_loop = r->t->n * r->o->repeat;
	uint64_t bytes = n / per_loop * r->t->bytes * r->o->repeat;

	n %= per_loop;
	for (uint64_t i = 0; n > 0; i++) {
		uint64_t k = NPF_MIN(n, (uint64_t)r->o->repeat);

		bytes += k * r->t->packets[i].len;
		n -= k;
	}
	return bytes;
}

static int report(const struct run *r, bool complete)
{
	double seconds = (double)(npf_clock_monotonic() - r->start_ns) / (double)NPF_NS_PER_S;
	struct npf_tx_state st;
	uint64_t bytes;

	npf_tx_state(r->tx, &st);
	bytes = bytes_of(r, st.sent);
	if (r->o->json) {
		json_t *j = json_pack("{s:I, s:I, s:f, s:b}", "packets", (json_int_t)st.sent,
			"bytes", (json_int_t)bytes, "seconds", seconds, "complete", complete);

		if (r->o->rate != RATE_ASAP)
			json_object_update_new(
				j, json_pack("{s:I, s:I, s:I}", "late_p50_ns",
					   (json_int_t)npf_tx_late(&st, 0.5), "late_p99_ns",
					   (json_int_t)npf_tx_late(&st, 0.99), "late_max_ns",
					   (json_int_t)st.late_max_ns));
		json_dumpf(j, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
		putchar('\n');
		json_decref(j);
	} else {
		printf("%" PRIu64 " packets, %" PRIu64 " bytes in %.3f s: %.0f packets/s, %.0f "
		       "bit/s\n",
			st.sent, bytes, seconds, (double)st.sent / seconds,
			(double)bytes * 8 / seconds);
		if (r->o->rate != RATE_ASAP)
			printf("late: half by at most %" PRIu64 " ns, 99 %% by %" PRIu64
			       " ns, all by %" PRIu64 " ns\n",
				npf_tx_late(&st, 0.5), npf_tx_late(&st, 0.99), st.late_max_ns);
	}
	if (st.failed == 0 || st.error == -ECANCELED)
		return 0;
	return npfctl_fail("packet %" PRIu64 " was not sent: %s", st.sent + 1,
		st.error == -ENODEV     ? "the port was removed"
		: st.error == -ENETDOWN ? "the port is stopped"
		: st.error == -ENOBUFS  ? "the port takes nothing any more"
		: st.error == -EMSGSIZE ? "it is too short or too long for the port"
					: strerror(-st.error));
}

static int send_all(struct run *r)
{
	int stop = 0;

	r->start_ns = npf_clock_monotonic();
	for (uint64_t loop = 0; stop == 0 && (r->o->loops == 0 || loop < r->o->loops); loop++)
		for (uint64_t i = 0; stop == 0 && i < r->t->n; i++)
			stop = put(r, loop, i);
	if (stop == 0)
		stop = wait_for(r, 0);
	if (stop != 0) {
		/* What has not gone yet must not go any more; then the counts are final. */
		npf_tx_flush(r->tx);
		npf_tx_cut(r->tx);
		npf_tx_wait(r->tx, 0, r->sock, 2000);
	}
	show(r, true);
	if (report(r, stop == 0) != 0)
		return 1;
	return stop != 0 && !(interrupted && r->o->loops == 0) ? 1 : 0;
}

/* ---- The command line ---- */

/* "100k" and the like before a unit. Return: false: not a number above 0. */
static bool parse_number(const char *s, const char *unit, double *vp)
{
	char *end;
	double v = strtod(s, &end);

	if (end == s || !isdigit((unsigned char)s[0]))
		return false;
	switch (*end) {
	case 'k':
		v *= 1e3;
		end++;
		break;
	case 'M':
		v *= 1e6;
		end++;
		break;
	case 'G':
		v *= 1e9;
		end++;
		break;
	default:
		break;
	}
	*vp = v;
	return strcmp(end, unit) == 0 && isfinite(v) && v > 0;
}

static bool parse_rate(const char *s, struct options *o)
{
	if (strcmp(s, "asap") == 0) {
		o->rate = RATE_ASAP;
		return true;
	}
	if (strncmp(s, "original", 8) == 0) {
		s += 8;
		s += strspn(s, " ");
		o->rate = RATE_ORIGINAL;
		o->value = 1;
		return *s == '\0' || (*s == 'x' && parse_number(s + 1, "", &o->value));
	}
	if (*s == 'x') {
		o->rate = RATE_ORIGINAL;
		return parse_number(s + 1, "", &o->value);
	}
	if (parse_number(s, "pps", &o->value)) {
		o->rate = RATE_PPS;
		return true;
	}
	o->rate = RATE_BPS;
	return parse_number(s, "bps", &o->value);
}

static bool parse_count(const char *s, uint64_t min, uint64_t max, uint64_t *vp)
{
	char *end;

	errno = 0;
	*vp = strtoull(s, &end, 10);
	return isdigit((unsigned char)s[0]) && *end == '\0' && errno == 0 && *vp >= min &&
	       *vp <= max;
}

/* Return: -1: go on; else exit with that status. */
static int parse(int argc, char **argv, struct npfctl *ctl, struct options *o)
{
	enum {
		OPT_SOCKET = 256,
		OPT_JSON
	};
	static const struct option longs[] = {
		{"read", required_argument, NULL, 'r'},
		{"rate", required_argument, NULL, 'R'},
		{"loop", required_argument, NULL, 'l'},
		{"repeat", required_argument, NULL, 'n'},
		{"json", no_argument, NULL, OPT_JSON},
		{"socket", required_argument, NULL, OPT_SOCKET},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	uint64_t repeat = 1;
	bool good = true;
	int opt;

	while (good && (opt = getopt_long(argc, argv, "r:R:l:n:h", longs, NULL)) != -1) {
		switch (opt) {
		case 'r':
			o->file = optarg;
			break;
		case 'R':
			good = parse_rate(optarg, o);
			break;
		case 'l':
			good = parse_count(optarg, 0, UINT32_MAX, &o->loops);
			break;
		case 'n':
			good = parse_count(optarg, 1, UINT32_MAX, &repeat);
			break;
		case OPT_JSON:
			ctl->json = true;
			break;
		case OPT_SOCKET:
			ctl->socket = optarg;
			break;
		case 'h':
			fputs(usage_text, stdout);
			return 0;
		default:
			good = false;
			break;
		}
	}
	o->repeat = (uint32_t)repeat;
	o->json = ctl->json;
	if (good && optind + 1 == argc && o->file != NULL &&
		strlen(argv[optind]) < NPF_WIRE_NAMELEN) {
		o->port = argv[optind];
		return -1;
	}
	fputs(usage_text, stderr);
	return 2;
}

int npfctl_send(const struct npfctl *ctl, int argc, char **argv)
{
	struct options o = {.loops = 1};
	struct npfctl mine = *ctl;
	struct trace t = {0};
	struct run r = {.o = &o, .t = &t, .sock = -1, .live = isatty(STDERR_FILENO)};
	int rc = parse(argc, argv, &mine, &o);

	if (rc >= 0)
		return rc;
	rc = load(o.file, &t);
	if (rc == 0)
		rc = open_lane(&mine, o.port, &r.sock, &r.tx);
	if (rc == 0) {
		struct sigaction sa = {.sa_handler = interrupt};

		sigaction(SIGINT, &sa, NULL);
		sigaction(SIGTERM, &sa, NULL);
		rc = send_all(&r);
	}
	npf_tx_unmap(r.tx);
	npf_close(r.sock);
	free_trace(&t);
	return rc;
}
