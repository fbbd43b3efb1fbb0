/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * send.c - `npfctl send`: the packets of a savefile, out on a port; without a port: the
 * report on the standing sends.
 *
 * The file is read into memory first, so that no disk disturbs the timing; the daemon's send worker
 * keeps the schedule. What is reported as sent is what the port took.
 */
#include "npfctl/npfctl.h"
#include "common/screen.h"

#include "base/clock.h"
#include "client/client.h"
#include "replay/replay.h"

#include <ctype.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PROGRESS_NS (200 * NPF_NS_PER_MS)
#define MAXBAR      40 /* characters */
#define MINBAR      10 /* rather none than a shorter one */

static const char usage_text[] =
	"usage: npfctl send [--json]\n"
	"       npfctl send PORT -r FILE [--rate RATE] [--loop N] [--repeat N] [--json]\n"
	"\n"
	"Without PORT: the sends that stand in the configuration, and how far they are.\n"
	"\n"
	"  -r, --read FILE     a savefile, pcap or pcapng\n"
	"  -R, --rate RATE     asap (the default); original: with the distances of the time\n"
	"                      stamps; original x2, or x0.5, ...: so many times as fast as\n"
	"                      that; or a number of packets or bits a second: 100kpps,\n"
	"                      1.5Mpps, 1Gbps (of frames), 1GbpsL1 (with preamble and gap)\n"
	"  -l, --loop N        send the file N times; 0: until interrupted\n"
	"  -n, --repeat N      send each packet N times in a row\n"
	"      --json          report in JSON\n"
	"      --socket PATH   of the daemon\n"
	"\n"
	"Exit status: 0 when all was sent; 1 when not, or when interrupted; 2 for a wrong command\n"
	"line.\n";

struct options {
	const char *port, *file;
	struct npf_replay replay; /* without the file */
};

/* ---- Sends of the configuration ---- */

static void print_configured(const json_t *j)
{
	const json_t *s;
	size_t i;

	printf("%-16s %-10s %-8s %14s %18s %10s %10s %12s  %s\n", "NAME", "PORT", "STATE",
		"PACKETS", "BYTES", "LOOPS", "FAILED", "LATE p99 us", "RATE, FILE");
	json_array_foreach(json_object_get(j, "sends"), i, s)
	{
		printf("%-16s %-10s %-8s %14" JSON_INTEGER_FORMAT " %18" JSON_INTEGER_FORMAT
		       " %10" JSON_INTEGER_FORMAT " %10" JSON_INTEGER_FORMAT " %12.1f  %s, %s\n",
			npfctl_str(s, "name"), npfctl_str(s, "port"), npfctl_str(s, "state"),
			npfctl_num(s, "packets"), npfctl_num(s, "bytes"), npfctl_num(s, "loops"),
			npfctl_num(s, "failed"), (double)npfctl_num(s, "late_p99_ns") / 1000,
			npfctl_str(s, "rate"), npfctl_str(s, "file"));
		if (json_is_string(json_object_get(s, "error")))
			printf("%16s error: %s\n", "", npfctl_str(s, "error"));
	}
}

/* ---- Sending ---- */

struct run {
	const char *port;
	struct npf_replay replay;
	struct npf_client *client;
	struct npf_tx *tx; /* the client's lane */
	uint64_t start_ns, shown_ns;
	int error;         /* the first one: what we take back after it fails for another reason */
	size_t n_left_out; /* packets of the file that no port, or not this one, can send */
	bool begun, json;
	struct screen progress;
};

static int open_lane(const struct npfctl *ctl, struct run *r)
{
	const struct npf_client_conf conf = {
		.socket = ctl->socket,
		.program = "npfctl send",
		.port = r->port,
		.snaplen = 1,
		.flags = NPF_WIRE_OPEN_SEND_ONLY,
	};
	struct npf_error err;

	if (npf_client_open(&conf, &r->client, &err) < 0 ||
		npf_client_lane(r->client, &r->tx, &err) < 0)
		return npfctl_fail("%s", err.text);
	return 0;
}

static bool is_timed(const struct run *r)
{
	return r->replay.rate.kind != NPF_RATE_ASAP;
}

/* The bar takes what the words leave of the terminal's width. */
static void paint(struct run *r)
{
	double seconds = (double)(npf_clock_monotonic() - r->start_ns) / (double)NPF_NS_PER_S;
	double all = (double)r->replay.loops * (double)npf_replay_round(&r->replay), part;
	char words[96], bar[MAXBAR + 1] = "", line[160];
	unsigned int room;
	struct npf_tx_state st;

	npf_tx_state(r->tx, &st);
	snprintf(words, sizeof(words), "%" PRIu64 " packets, %.0f a second", st.sent,
		seconds > 0 ? (double)st.sent / seconds : 0.0);
	screen_begin(&r->progress);
	if (all > 0) {
		part = NPF_MIN((double)st.sent / all, 1.0);
		room = (unsigned int)(strlen(words) + strlen("[] 100 %  ") + 1);
		room = r->progress.columns > room ? r->progress.columns - room : 0;
		room = NPF_MIN(room, (unsigned int)MAXBAR);
		memset(bar, '.', room);
		memset(bar, '#', (size_t)(room * part));
		snprintf(line, sizeof(line),
			room >= MINBAR ? "[%s] %3.0f %%  %s" : "%.0s%3.0f %%  %s", bar, 100 * part,
			words);
	} else {
		snprintf(line, sizeof(line), "%s", words);
	}
	screen_line(&r->progress, line);
	screen_end(&r->progress);
}

static void show(struct run *r)
{
	uint64_t now = npf_clock_monotonic();

	if (!r->progress.live || now - r->shown_ns < PROGRESS_NS)
		return;
	r->shown_ns = now;
	paint(r);
}

/* The last progress line: further output comes below it. */
static void show_end(struct run *r)
{
	if (r->progress.live)
		paint(r);
	r->progress.live = false;
}

/* Waits until at most pending bytes are in the lane. Return: 0; 1: stop, having said why unless
 * interrupted. */
static int wait_for(struct run *r, uint64_t pending)
{
	for (;;) {
		int rc = npf_tx_wait(r->tx, pending, npf_client_socket(r->client), 100);
		struct npf_tx_state st;

		show(r);
		npf_tx_state(r->tx, &st);
		if (st.failed > 0 && r->error == 0)
			r->error = st.error;
		if (st.failed > 0 || npfctl_interrupted)
			return 1;
		if (rc == -EPIPE) {
			show_end(r);
			return npfctl_fail("the npf-dpdk daemon has gone away");
		}
		if (rc == 0)
			return 0;
	}
}

static int put(struct run *r, const struct npf_replay_item *it)
{
	uint32_t flags = it->timed ? NPF_TX_TIMED : 0;
	int rc;

	if (!r->begun)
		flags |= NPF_TX_START;
	while ((rc = npf_tx_put(r->tx, it->frame, it->len, it->repeat, it->at_ns, flags)) ==
		-EAGAIN)
		if (wait_for(r, npf_tx_size(r->tx) / 2) != 0)
			return 1;
	/* What waits before it is sent all the same. */
	if (rc < 0) {
		r->error = rc;
		return 1;
	}
	npf_replay_advance(&r->replay);
	r->begun = true;
	return npfctl_interrupted;
}

static const char *reason(int error)
{
	switch (error) {
	case -ENODEV:
		return "the port was removed";
	case -ENETDOWN:
		return "the port is stopped, or its network is down";
	case -EIO:
		return "the port's driver took it and lost it";
	case -ENOBUFS:
		return "the port takes nothing any more";
	case -EMSGSIZE:
		return "it is too short or too long for the port";
	default:
		return strerror(-error);
	}
}

static int report(const struct run *r, bool complete)
{
	double seconds = (double)(npf_clock_monotonic() - r->start_ns) / (double)NPF_NS_PER_S;
	struct npf_tx_state st;
	uint64_t bytes;
	int error;

	npf_tx_state(r->tx, &st);
	bytes = npf_replay_bytes(&r->replay, st.sent);
	if (r->json) {
		json_t *j = json_pack("{s:I, s:I, s:f, s:b, s:I, s:I}", "packets",
			(json_int_t)st.sent, "bytes", (json_int_t)bytes, "seconds", seconds,
			"complete", complete && r->n_left_out == 0, "file_cut",
			(json_int_t)r->replay.file->n_cut, "file_left_out",
			(json_int_t)r->n_left_out);

		if (is_timed(r))
			json_object_update_new(
				j, json_pack("{s:I, s:I, s:I}", "late_p50_ns",
					   (json_int_t)npf_tx_late(&st, 0.5), "late_p99_ns",
					   (json_int_t)npf_tx_late(&st, 0.99), "late_max_ns",
					   (json_int_t)st.late_max_ns));
		npfctl_print_json(j, JSON_INDENT(2));
	} else {
		printf("%" PRIu64 " packets, %" PRIu64 " bytes in %.3f s: %.0f packets/s, %.0f "
		       "bit/s\n",
			st.sent, bytes, seconds, (double)st.sent / seconds,
			(double)bytes * 8 / seconds);
		if (is_timed(r))
			printf("late: half by at most %" PRIu64 " ns, 99 %% by %" PRIu64
			       " ns, all by %" PRIu64 " ns\n",
				npf_tx_late(&st, 0.5), npf_tx_late(&st, 0.99), st.late_max_ns);
	}
	error = r->error != 0 ? r->error : st.error;
	if (error == 0 || error == -ECANCELED)
		return r->n_left_out > 0;
	return npfctl_fail("packet %" PRIu64 " was not sent: %s", st.sent + 1, reason(error));
}

static int send_all(struct run *r)
{
	struct npf_replay_item it;
	int stop = 0;

	r->start_ns = npf_clock_monotonic();
	while (stop == 0 && npf_replay_next(&r->replay, &it))
		stop = put(r, &it);
	if (stop == 0 || (r->error < 0 && !npfctl_interrupted))
		stop |= wait_for(r, 0);
	if (stop != 0) {
		/* Take back what was not sent; then the counts are final. */
		npf_tx_flush(r->tx);
		npf_tx_cancel(r->tx);
		npf_tx_wait(r->tx, 0, npf_client_socket(r->client), 2000);
	}
	show_end(r);
	if (report(r, stop == 0) != 0)
		return 1;
	return stop != 0 && !(npfctl_interrupted && r->replay.loops == 0) ? 1 : 0;
}

/* ---- The file ---- */

static bool fits(const void *mtu, const void *frame, uint32_t len)
{
	return npf_wire_can_send(*(const uint32_t *)mtu, frame, len);
}

/* Leave out packets that the port can't send, with a warning. Return: 0; 1: none is left. */
static int choose(struct run *r, struct npf_savefile *file, const char *name, uint32_t mtu)
{
	npf_savefile_keep(file, fits, &mtu);
	r->n_left_out = file->n_skipped;
	if (r->n_left_out > 0)
		fprintf(stderr,
			"npfctl: %s: %zu packets are left out: port %s sends %u to %u bytes, and 4 "
			"more for each VLAN tag\n",
			name, r->n_left_out, r->port, NPF_WIRE_FRAME_MIN, NPF_WIRE_FRAME_MAX(mtu));
	return file->n_packets > 0 ? 0 : npfctl_fail("%s: no packet that can be sent", name);
}

/* ---- The command line ---- */

/* Does the word behind `--rate original` belong to it? A factor alone means the same. (A port that
 * is called like one must be written elsewhere.) */
static bool is_factor_of(const char *rate, const char *word)
{
	return strcmp(rate, "original") == 0 && word[0] == 'x' && isdigit((unsigned char)word[1]);
}

/* Return: -1: go on; else exit with that status. */
static int parse(int argc, char **argv, struct npfctl *ctl, struct options *o)
{
	static const struct option longs[] = {
		{"read", required_argument, NULL, 'r'},
		{"rate", required_argument, NULL, 'R'},
		{"loop", required_argument, NULL, 'l'},
		{"repeat", required_argument, NULL, 'n'},
		NPFCTL_OPTIONS,
		{0},
	};
	uint64_t repeat = 1;
	int opt, rc = -1;

	while (rc < 0 && (opt = getopt_long(argc, argv, "r:R:l:n:h", longs, NULL)) != -1) {
		switch (opt) {
		case 'r':
			o->file = optarg;
			break;
		case 'R':
			if (optind < argc && is_factor_of(optarg, argv[optind]))
				optarg = argv[optind++];
			if (npf_rate_parse(optarg, &o->replay.rate) < 0 ||
				o->replay.rate.kind == NPF_RATE_PERCENT)
				rc = npfctl_fail(
					     "--rate: \"%s\" is not a rate: write original, x2, "
					     "100kpps, 1Gbps, 1GbpsL1 or asap",
					     optarg) +
				     1;
			break;
		case 'l':
			if (!npfctl_count(optarg, 0, UINT32_MAX, &o->replay.loops))
				rc = npfctl_fail("--loop: a whole number is wanted, 0..%u",
					     UINT32_MAX) +
				     1;
			break;
		case 'n':
			if (!npfctl_count(optarg, 1, UINT32_MAX, &repeat))
				rc = npfctl_fail("--repeat: a whole number is wanted, 1..%u",
					     UINT32_MAX) +
				     1;
			break;
		default:
			rc = npfctl_option(ctl, opt, usage_text);
			break;
		}
	}
	if (rc >= 0)
		return rc;
	o->replay.repeat = (uint32_t)repeat;
	o->port = optind < argc ? argv[optind] : NULL;
	if (optind + (o->port != NULL) == argc && (o->port != NULL) == (o->file != NULL) &&
		(o->port == NULL || strlen(o->port) < NPF_WIRE_NAMELEN))
		return -1;
	fputs(usage_text, stderr);
	return 2;
}

int npfctl_send(const struct npfctl *ctl, int argc, char **argv)
{
	struct options o = {.replay = {.loops = 1}};
	struct npfctl mine = *ctl;
	struct run r = {.client = NULL};
	struct npf_savefile *file = NULL;
	struct npf_error err;
	int rc = parse(argc, argv, &mine, &o);

	if (rc >= 0)
		return rc;
	if (o.port == NULL)
		return npfctl_show(&mine, "sends", print_configured);
	if (npf_savefile_load(o.file, NULL, &file, &err) < 0)
		return npfctl_fail("%s", err.text);
	if (file->n_cut > 0)
		fprintf(stderr,
			"npfctl: %s: of %zu packets only the beginning was saved: sent so\n",
			o.file, file->n_cut);
	r.port = o.port;
	r.replay = o.replay;
	r.replay.file = file;
	r.json = mine.json;
	screen_init(&r.progress, stderr);
	rc = open_lane(&mine, &r);
	if (rc == 0)
		rc = choose(&r, file, o.file, npf_client_port(r.client)->mtu);
	if (rc == 0) {
		npfctl_catch_interrupts();
		rc = send_all(&r);
	}
	npf_client_close(r.client);
	npf_savefile_free(file);
	return rc;
}
