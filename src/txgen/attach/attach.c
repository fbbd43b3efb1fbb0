/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * attach.c - send through a port of a running npf-dpdk, as any of its clients may.
 *
 * Packets go through the session's send lane; the schedule is kept here, so that a rate means what
 * it means on a port of the generator's own. Its clock is CLOCK_MONOTONIC. A packet counts as sent
 * when the daemon has counted it. The first one that can't be sent ends the run, since what follows
 * would fare no better. No DPDK here, and no EAL needed.
 */
#include "txgen/run/txgen.h"

#include "base/clock.h"
#include "client/client.h"
#include "txgen/program/source.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define BURST    32    /* packets made at once */
#define N_LENS   65536 /* packets in the lane at most; a power of two */
#define CHECK_MS 100   /* how often a wait looks whether it is to stop */
#define STOP_MS  2000  /* until the daemon has settled what was taken back */
#define LATE_NS  (100 * NPF_NS_PER_MS)

struct attached {
	struct npf_client *client;
	struct npf_tx *tx; /* the client's lane */
	const struct npf_wire_port *port;
	struct npf_txgen_source *source;
	const struct npf_savefile *savefile;
	struct npf_txgen_pace pace;
	bool paced, original;
	double original_factor;
	uint64_t t0, end;
	uint64_t limit; /* packets of the run; UINT64_MAX: none */
	uint64_t left;  /* ... still to be made */
	uint8_t *room;  /* BURST buffers of max_len bytes */
	uint16_t max_len;
	uint8_t *data[BURST];
	uint16_t len[BURST];
	uint64_t due[BURST];
	unsigned int head, n_made;
	uint64_t n_put;
	uint16_t
		*lens; /* of the packets put, N_LENS; of those from tx_packets on they are needed */
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

static bool is_stopped(void)
{
	return atomic_load_explicit(&stop_asked, memory_order_relaxed);
}

static int open_port(struct attached *a, const char *socket, const char *port)
{
	const struct npf_client_conf conf = {
		.socket = socket,
		.program = "npf-txgen",
		.port = port,
		.snaplen = 65535,
		.flags = NPF_WIRE_OPEN_SEND_ONLY,
	};
	int rc = npf_client_open(&conf, &a->client, a->err);

	if (rc < 0)
		return rc;
	a->port = npf_client_port(a->client);
	return npf_client_lane(a->client, &a->tx, a->err);
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
		.mac = a->port->mac,
	};
	int rc = npf_txgen_source_new(&sc, &a->source, a->err);

	if (rc < 0)
		return rc;
	a->savefile = run->savefile;
	a->max_len = npf_txgen_source_max_len(a->source);
	a->room = malloc((size_t)a->max_len * BURST);
	a->lens = malloc(N_LENS * sizeof(*a->lens));
	a->off = malloc(sizeof(*a->off));
	a->late = malloc(sizeof(*a->late));
	if (a->room == NULL || a->lens == NULL || a->off == NULL || a->late == NULL)
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
		if (a->port->speed == 0)
			return npf_error_set(a->err, -EINVAL,
				"%s does not tell its link's speed: give the rate in bps or pps",
				a->port->name);
		pc.rate = (struct npf_rate){
			NPF_RATE_BPS_L1, a->port->speed * 1e6 * run->rate.value / 100};
	}
	if (run->savefile != NULL && run->loop > 0)
		limit = NPF_MIN(limit, run->loop * run->savefile->n_packets);
	by_rate = run->duration_ns > 0 && run->train == 0
			  ? npf_txgen_pace_total(&run->rate, run->duration_ns)
			  : 0;
	a->limit = a->left = by_rate > 0 ? NPF_MIN(limit, by_rate) : limit;
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

/* Count what the daemon has sent. Return: 0; -errno with a text: a packet can't be sent. */
static int count_sent(struct attached *a)
{
	struct npf_txgen_port_result *p = &a->res->port[0];
	struct npf_tx_state st;
	char which[48];

	npf_tx_state(a->tx, &st);
	for (; p->tx_packets < st.sent; p->tx_packets++)
		p->tx_bytes += a->lens[p->tx_packets % N_LENS];
	if (st.failed == 0 || st.error == -ECANCELED)
		return 0;
	snprintf(which, sizeof(which), "a frame of %u bytes", a->lens[p->tx_packets % N_LENS]);
	return npf_client_send_error(a->client, st.error, which, a->err);
}

/* Wait, as long as nothing fails, until no more than so many bytes of the lane are unsettled.
 * Return: 0, also when the time is over; -errno with a text. */
static int wait_lane(struct attached *a, uint64_t pending, int timeout_ms)
{
	int rc = npf_tx_wait(a->tx, pending, npf_client_socket(a->client), timeout_ms);
	int failed = count_sent(a);

	if (failed < 0)
		return failed;
	if (rc == -EPIPE)
		return npf_error_set(a->err, rc, "the daemon has gone");
	return rc == -ETIMEDOUT || rc == -EINTR ? 0 : rc;
}

static int put(struct attached *a, unsigned int i)
{
	uint32_t flags = a->n_put == 0 ? NPF_TX_START : 0;
	int rc = -EAGAIN;

	for (;;) {
		if (a->n_put - a->res->port[0].tx_packets < N_LENS)
			rc = npf_tx_put(a->tx, a->data[i], a->len[i], 1, 0, flags);
		if (rc != -EAGAIN || is_stopped())
			break;
		rc = wait_lane(a, npf_tx_size(a->tx) / 2, CHECK_MS);
		if (rc < 0)
			return rc;
		rc = -EAGAIN;
	}
	if (rc == -EAGAIN)
		return 0; /* stopped: the caller's loop ends */
	if (rc < 0)
		return npf_error_set(a->err, rc, "a packet of %u bytes can't be sent", a->len[i]);
	a->lens[a->n_put++ % N_LENS] = a->len[i];
	a->head++;
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

/* Sleep towards the next packet's due time; what was put goes meanwhile. */
static int idle(struct attached *a, uint64_t now)
{
	uint64_t left_ns = a->pace.due > now ? a->pace.due - now : 0;

	npf_tx_flush(a->tx);
	if (a->n_put > a->res->port[0].tx_packets)
		return wait_lane(a, 0, (int)NPF_MIN(left_ns / NPF_NS_PER_MS, (uint64_t)CHECK_MS));
	if (left_ns > 100000)
		usleep((useconds_t)(NPF_MIN(left_ns - 50000, NPF_NS_PER_MS * 50) / 1000));
	return 0;
}

/* Return: 0: all of it is settled; -errno with a text. */
static int finish(struct attached *a)
{
	int rc = 0;

	while (rc == 0 && !is_stopped() && a->res->port[0].tx_packets < a->n_put)
		rc = wait_lane(a, 0, CHECK_MS);
	if (rc == 0 && is_stopped()) {
		/* Only what was shown can be taken back. */
		npf_tx_flush(a->tx);
		npf_tx_cancel(a->tx);
		rc = wait_lane(a, 0, STOP_MS);
	}
	return rc;
}

static int send_all(struct attached *a)
{
	int rc = 0;

	while (rc == 0 && !is_stopped()) {
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
		rc = put(a, a->head);
	}
	return rc == 0 ? finish(a) : rc;
}

static void detach(struct attached *a)
{
	npf_client_close(a->client);
	npf_txgen_source_free(a->source);
	free(a->room);
	free(a->lens);
	free(a->off);
	free(a->late);
}

int npf_txgen_attach(const char *socket, const char *port, const struct npf_txgen_run_conf *run,
	struct npf_txgen_result *res, struct npf_error *err)
{
	struct attached a = {.res = res, .err = err};
	int rc;

	*res = (struct npf_txgen_result){.n_ports = 1};
	if (run->check || run->mode != NPF_TXGEN_TXONLY)
		return npf_error_set(err, -EINVAL,
			"through a daemon packets can only be sent: capture them with npf-run "
			"tcpdump");
	rc = open_port(&a, socket, port);
	if (rc == 0)
		rc = make_source(&a, run);
	if (rc == 0)
		rc = make_schedule(&a, run);
	if (rc < 0) {
		detach(&a);
		return rc;
	}
	snprintf(res->port[0].name, sizeof(res->port[0].name), "%s", a.port->name);
	rc = send_all(&a);
	res->seconds = (double)(npf_clock_monotonic() - a.t0) / 1e9;
	res->sent = res->port[0].tx_packets;
	if (a.limit < UINT64_MAX / 2)
		res->planned = a.limit;
	res->generated = true;
	res->paced = a.paced;
	npf_txgen_times_from(&res->pacing, a.off, 1e9);
	npf_txgen_times_from(&res->late, a.late, 1e9);
	res->stopped = is_stopped();
	detach(&a);
	return rc;
}
