/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * attach.c - send through a port of a running npf-dpdk, as any of its clients may.
 *
 * Packets go as SEND requests, up to WINDOW of them ahead of their replies, so that the daemon
 * always has one to work on. The clock of the schedule is CLOCK_MONOTONIC. A packet counts as sent
 * when the daemon says so; the first refusal ends the run, since what follows would fare no
 * better. No DPDK here, and no EAL needed.
 */
#include "txgen/run/txgen.h"

#include "base/clock.h"
#include "txgen/packet/source.h"
#include "wire/wire.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#define WINDOW  32 /* requests under way */
#define BURST   32 /* packets made at once */
#define LATE_NS (100 * NPF_NS_PER_MS)

struct attached {
	int fd;
	struct npf_wire_port port;
	struct npf_txgen_source *source;
	const struct npf_savefile *savefile;
	struct npf_txgen_pace pace;
	bool paced, original;
	double original_factor;
	uint64_t t0, end;
	uint64_t left; /* packets still to be made */
	uint8_t *room; /* BURST buffers of max_len bytes */
	uint16_t max_len;
	uint8_t *data[BURST];
	uint16_t len[BURST];
	uint64_t due[BURST];
	unsigned int head, n_made;
	uint16_t under_way[WINDOW]; /* lengths of the packets whose replies are due, a ring */
	unsigned int oldest, n_under_way;
	uint32_t seq;
	uint8_t *reply; /* NPF_WIRE_BUFLEN bytes */
	struct npf_txgen_hist *off, *late;
	uint64_t last_sent, last_due;
	struct npf_txgen_result *res;
	struct npf_error *err;
};

static _Atomic bool stop_asked;

void npf_txgen_request_attach_stop(void)
{
	atomic_store_explicit(&stop_asked, true, memory_order_relaxed);
}

static int open_port(struct attached *a, const char *socket, const char *port)
{
	struct npf_wire_hello_reply hello;
	struct npf_wire_open req = {.flags = NPF_WIRE_OPEN_SEND_ONLY, .snaplen = 65535};
	struct npf_wire_open_reply rep;
	struct npf_wire_call call = {
		NPF_WIRE_ASKS(NPF_WIRE_OPEN, req),
		NPF_WIRE_GETS(rep),
	};
	const struct timeval patience = {.tv_sec = NPF_WIRE_TIMEOUT_MS / 1000};
	int rc;

	a->fd = npf_wire_open_daemon(socket, "npf-txgen", &hello, &call.err);
	if (a->fd < 0) {
		*a->err = call.err;
		return a->fd;
	}
	if (snprintf(req.port, sizeof(req.port), "%s", port) >= (int)sizeof(req.port))
		return npf_error_set(a->err, -EINVAL, "%.60s: no port has so long a name", port);
	rc = npf_wire_do(a->fd, &call);
	if (rc < 0) {
		*a->err = call.err;
		return rc;
	}
	a->port = rep.port;
	setsockopt(a->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if ((a->port.flags & NPF_WIRE_PORT_SEND) == 0)
		return npf_error_set(a->err, -EPERM, "%s: sending through it is not allowed", port);
	return 0;
}

static int make_source(struct attached *a, const struct npf_txgen_run_conf *run)
{
	struct npf_txgen_source_conf sc = {
		.tmpls = run->tmpls,
		.weights = run->weights,
		.n_tmpls = run->n_tmpls,
		.savefile = run->savefile,
		.n_queues = 1,
		.seed = run->seed,
		.mac = a->port.mac,
	};
	int rc = npf_txgen_source_new(&sc, &a->source, a->err);

	if (rc < 0)
		return rc;
	a->savefile = run->savefile;
	a->max_len = npf_txgen_source_max_len(a->source);
	a->room = malloc((size_t)a->max_len * BURST);
	a->reply = malloc(NPF_WIRE_BUFLEN);
	a->off = malloc(sizeof(*a->off));
	a->late = malloc(sizeof(*a->late));
	if (a->room == NULL || a->reply == NULL || a->off == NULL || a->late == NULL)
		return npf_error_set(a->err, -ENOMEM, "out of memory");
	npf_txgen_hist_init(a->off);
	npf_txgen_hist_init(a->late);
	for (unsigned int i = 0; i < BURST; i++)
		a->data[i] = a->room + (size_t)i * a->max_len;
	return 0;
}

static int make_schedule(struct attached *a, const struct npf_txgen_run_conf *run)
{
	struct npf_txgen_pace_conf pc = {
		.rate = run->rate,
		.hz = NPF_NS_PER_S,
		.n_queues = 1,
		.train = run->train,
		.gap_ns = run->gap_ns,
	};
	uint64_t limit = run->count > 0 ? run->count : UINT64_MAX, by_rate;

	if (run->rate.kind == NPF_RATE_PERCENT) {
		if (a->port.speed == 0)
			return npf_error_set(a->err, -EINVAL,
				"%s does not tell its link's speed: give the rate in bps or pps",
				a->port.name);
		pc.rate = (struct npf_rate){
			NPF_RATE_BPS_L1, a->port.speed * 1e6 * run->rate.value / 100};
	}
	if (run->savefile != NULL && run->loop > 0)
		limit = NPF_MIN(limit, run->loop * run->savefile->n_packets);
	by_rate = run->duration_ns > 0 && run->train == 0
			  ? npf_txgen_pace_total(&run->rate, run->duration_ns)
			  : 0;
	a->left = by_rate > 0 ? NPF_MIN(limit, by_rate) : limit;
	a->t0 = npf_clock_monotonic();
	a->end = run->duration_ns > 0 ? a->t0 + run->duration_ns : UINT64_MAX;
	npf_txgen_pace_init(&a->pace, &pc, a->t0);
	a->paced = npf_txgen_pace_is_paced(&a->pace);
	a->original = run->rate.kind == NPF_RATE_ORIGINAL;
	a->original_factor = a->original ? run->rate.value : 1;
	return 0;
}

static void make(struct attached *a)
{
	unsigned int n = (unsigned int)NPF_MIN((uint64_t)BURST, a->left);

	for (unsigned int i = 0; a->savefile != NULL && i < n; i++) {
		uint64_t offset_ns;
		const struct npf_saved *k = npf_txgen_source_saved(a->source, &offset_ns);

		memcpy(a->data[i], a->savefile->data + k->off, k->len);
		a->len[i] = (uint16_t)k->len;
		a->due[i] = a->t0 + (uint64_t)((double)offset_ns / a->original_factor);
	}
	for (unsigned int at = 0, some, which; a->savefile == NULL && at < n; at += some) {
		struct npf_txgen_prog *p;
		const uint8_t *image;
		uint16_t image_len;

		some = npf_txgen_source_take(a->source, n - at, &which);
		p = npf_txgen_source_prog(a->source, which);
		image = npf_txgen_prog_image(p, &image_len);
		for (unsigned int i = at; i < at + some; i++)
			memcpy(a->data[i], image, image_len);
		npf_txgen_prog_run(p, a->data + at, a->len + at, NULL, some);
	}
	a->left -= n;
	a->head = 0;
	a->n_made = n;
}

/* One reply. Return: 0; -errno with a text when the daemon refused or is gone. */
static int take_reply(struct attached *a)
{
	struct npf_txgen_port_result *p = &a->res->port[0];
	const struct npf_wire_send_reply *rep;
	struct npf_wire_msg msg;
	int rc = npf_wire_recv_msg(a->fd, a->reply, NPF_WIRE_BUFLEN, &msg);

	if (rc <= 0)
		return npf_error_set(a->err, rc < 0 ? rc : -EPIPE,
			rc == -EAGAIN ? "the daemon does not answer" : "the daemon has gone");
	npf_wire_msg_close(&msg);
	if (msg.hdr.status != 0) {
		const struct npf_wire_error *e = msg.body;

		return npf_error_set(a->err, msg.hdr.status < 0 ? msg.hdr.status : -EPROTO, "%.*s",
			(int)NPF_MIN(msg.body_len, sizeof(e->text) - 1), e->text);
	}
	rep = msg.body;
	if (msg.body_len < sizeof(*rep))
		return npf_error_set(a->err, -EPROTO, "the daemon's reply makes no sense");
	if (rep->sent > 0) {
		p->tx_packets++;
		p->tx_bytes += a->under_way[a->oldest];
	} else {
		p->tx_drop++;
	}
	a->oldest = (a->oldest + 1) % WINDOW;
	a->n_under_way--;
	return 0;
}

static int offer(struct attached *a, unsigned int i)
{
	const struct npf_wire_hdr hdr = {
		.magic = NPF_WIRE_MAGIC,
		.version = NPF_WIRE_VERSION,
		.type = NPF_WIRE_SEND,
		.seq = a->seq++,
	};
	const struct npf_wire_send req = {.len = a->len[i]};
	int rc = a->n_under_way == WINDOW ? take_reply(a) : 0;

	if (rc == 0)
		rc = npf_wire_send_msg(
			a->fd, &hdr, &req, sizeof(req), a->data[i], a->len[i], NULL, 0);
	if (rc < 0) {
		if (a->err->text[0] == '\0')
			return npf_error_set(a->err, rc, "the daemon has gone: %s", strerror(-rc));
	}
	a->under_way[(a->oldest + a->n_under_way++) % WINDOW] = a->len[i];
	return 0;
}

static void record(struct attached *a, uint64_t now)
{
	uint64_t due = a->pace.due;

	npf_txgen_hist_record(a->late, now - due);
	if (a->last_sent > 0) {
		int64_t off = (int64_t)((now - a->last_sent) - (due - a->last_due));

		npf_txgen_hist_record(a->off, (uint64_t)(off < 0 ? -off : off));
	}
	a->last_sent = now;
	a->last_due = due;
}

/* Sleep towards the next packet's due time, and take replies meanwhile. */
static int idle(struct attached *a, uint64_t now)
{
	if (a->n_under_way > 0)
		return take_reply(a);
	if (a->pace.due > now + 100000) {
		uint64_t ns = NPF_MIN(a->pace.due - now - 50000, NPF_NS_PER_MS * 50);

		usleep((useconds_t)(ns / 1000));
	}
	return 0;
}

static int send_all(struct attached *a)
{
	int rc = 0;

	while (rc == 0 && !atomic_load_explicit(&stop_asked, memory_order_relaxed)) {
		uint64_t now;

		if (a->head == a->n_made)
			make(a);
		if (a->head == a->n_made)
			break;
		now = npf_clock_monotonic();
		if (a->original)
			npf_txgen_pace_set_due(&a->pace, a->due[a->head]);
		if (now >= a->end && (!a->paced || a->pace.due >= a->end))
			break;
		if (a->end != UINT64_MAX && now >= a->end + LATE_NS) {
			a->res->behind = true;
			break;
		}
		if (a->paced && !npf_txgen_pace_is_due(&a->pace, now)) {
			rc = idle(a, now);
			continue;
		}
		if (a->paced) {
			record(a, now);
			npf_txgen_pace_step(&a->pace, a->len[a->head], now);
		}
		rc = offer(a, a->head++);
	}
	while (rc == 0 && a->n_under_way > 0)
		rc = take_reply(a);
	return rc;
}

static void detach(struct attached *a)
{
	npf_close(a->fd);
	npf_txgen_source_free(a->source);
	free(a->room);
	free(a->reply);
	free(a->off);
	free(a->late);
}

int npf_txgen_attach(const char *socket, const char *port, const struct npf_txgen_run_conf *run,
	struct npf_txgen_result *res, struct npf_error *err)
{
	struct attached a = {.fd = -1, .res = res, .err = err};
	int rc;

	*res = (struct npf_txgen_result){.n_ports = 1};
	err->text[0] = '\0';
	if (run->check || run->mode != NPF_TXGEN_TXONLY)
		return npf_error_set(err, -EINVAL,
			"through a daemon packets can only be sent: capture them with npf-run "
			"tcpdump");
	rc = open_port(&a, npf_wire_socket_path(socket), port);
	if (rc == 0)
		rc = make_source(&a, run);
	if (rc == 0)
		rc = make_schedule(&a, run);
	if (rc < 0) {
		detach(&a);
		return rc;
	}
	snprintf(res->port[0].name, sizeof(res->port[0].name), "%s", a.port.name);
	err->text[0] = '\0'; /* from here on the first text counts */
	rc = send_all(&a);
	res->seconds = (double)(npf_clock_monotonic() - a.t0) / 1e9;
	res->sent = res->port[0].tx_packets;
	if (a.left < UINT64_MAX / 2)
		res->planned = a.left + (a.n_made - a.head) + res->sent + res->port[0].tx_drop;
	res->generated = true;
	res->paced = a.paced;
	npf_txgen_times_from(&res->pacing, a.off, 1e9);
	npf_txgen_times_from(&res->late, a.late, 1e9);
	res->stopped = atomic_load_explicit(&stop_asked, memory_order_relaxed);
	detach(&a);
	return rc;
}
