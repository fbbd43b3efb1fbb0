/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tx.c - the sending job: packets are made ahead of time and leave when they are due.
 *
 * Mbufs come from a pool of the job's own, small and last-in-first-out, so that they stay in the
 * cache. Each has a tag for the program whose image its data room holds: in an mbuf that comes
 * back, only the bytes that differ are written. Its metadata is always written, since a driver or
 * the receiving side of a ring may have changed it.
 *
 * Packets that a port does not take are kept and offered again; the generator never drops. A signed
 * packet gets its number and time right before each offer. In paced runs the schedule advances when
 * a packet is released, and the departure error is measured there.
 */
#include "txgen/run/job.h"

#include "wire/wire.h"

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <stdio.h>
#include <string.h>

int npf_txgen_job_tag_offset = -1;
static uint32_t last_tag;

int npf_txgen_job_init_tags(void)
{
	static const struct rte_mbuf_dynfield field = {
		.name = "npf_txgen_image",
		.size = sizeof(uint32_t),
		.align = __alignof__(uint32_t),
	};

	if (npf_txgen_job_tag_offset < 0)
		npf_txgen_job_tag_offset = rte_mbuf_dynfield_register(&field);
	return npf_txgen_job_tag_offset < 0 ? -ENOSPC : 0;
}

static inline uint8_t *data_of(struct rte_mbuf *m)
{
	return (uint8_t *)m->buf_addr + RTE_PKTMBUF_HEADROOM;
}

/* The 8 bytes that hold data_off, refcnt, nb_segs and port: written as one. */
static inline uint64_t *rearm_of(struct rte_mbuf *m)
{
	return (uint64_t *)(void *)((uint8_t *)m + offsetof(struct rte_mbuf, data_off));
}

static inline void set_meta(const struct npf_txgen_tx_job *j, struct rte_mbuf *m,
	const struct npf_txgen_job_meta *meta, uint16_t len)
{
	*rearm_of(m) = j->rearm;
	m->ol_flags = meta->ol_flags;
	m->pkt_len = len;
	m->data_len = len;
	m->tx_offload = meta->tx_offload;
}

static void make_meta(struct npf_txgen_tx_job *j)
{
	for (unsigned int i = 0; i < npf_txgen_source_n_progs(j->source); i++) {
		struct npf_txgen_prog_offload o;
		struct rte_mbuf m;

		memset(&m, 0, sizeof(m));
		npf_txgen_prog_offload(npf_txgen_source_prog(j->source, i), &o);
		m.l2_len = o.l2_len;
		m.l3_len = o.l3_len;
		if (o.ip4)
			m.ol_flags |= RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM;
		else if (o.udp || o.tcp)
			m.ol_flags |= RTE_MBUF_F_TX_IPV6;
		if (o.udp)
			m.ol_flags |= RTE_MBUF_F_TX_UDP_CKSUM;
		if (o.tcp)
			m.ol_flags |= RTE_MBUF_F_TX_TCP_CKSUM;
		j->meta[i] = (struct npf_txgen_job_meta){
			.tag = ++last_tag,
			.ol_flags = m.ol_flags,
			.tx_offload = m.ol_flags != 0 ? m.tx_offload : 0,
		};
	}
}

/* Is a frame of the source longer than the MTU allows? Return: 0, or -EMSGSIZE with a text. */
static int check_mtu(const struct npf_txgen_tx_job *j, const struct npf_txgen_source_conf *conf,
	struct npf_error *err)
{
	const struct npf_savefile *f = conf->savefile;
	uint32_t longest = 0;
	uint16_t len;

	for (size_t i = 0; f != NULL && i < f->n_packets && longest == 0; i++) {
		if (!npf_wire_can_send(j->mtu, f->data + f->packets[i].off, f->packets[i].len))
			longest = f->packets[i].len;
	}
	for (unsigned int i = 0; i < npf_txgen_source_n_progs(j->source) && longest == 0; i++) {
		const uint8_t *image =
			npf_txgen_prog_image(npf_txgen_source_prog(j->source, i), &len);

		if (!npf_wire_can_send(j->mtu, image, len))
			longest = len;
	}
	if (longest == 0)
		return 0;
	return npf_error_set(err, -EMSGSIZE,
		"packets of %u bytes can't be sent on port %u: its MTU of %u allows %u to %u, and "
		"4 "
		"more for each VLAN tag: give smaller sizes, or raise the MTU",
		longest, j->port, j->mtu, NPF_WIRE_FRAME_MIN, NPF_WIRE_FRAME_MAX(j->mtu));
}

int npf_txgen_tx_job_init(
	struct npf_txgen_tx_job *j, const struct npf_txgen_source_conf *conf, struct npf_error *err)
{
	unsigned int room = rte_pktmbuf_data_room_size(j->pool) - RTE_PKTMBUF_HEADROOM;
	struct rte_mbuf m;
	int rc = npf_txgen_source_new(conf, &j->source, err);

	if (rc < 0)
		return rc;
	if (npf_txgen_source_max_len(j->source) > room)
		return npf_error_set(err, -ERANGE,
			"packets of %u bytes do not fit the ports' buffers of %u: start with "
			"--max-pkt-len=%u",
			npf_txgen_source_max_len(j->source), room,
			npf_txgen_source_max_len(j->source));
	rc = j->mtu > 0 ? check_mtu(j, conf, err) : 0;
	if (rc < 0)
		return rc;
	j->savefile = conf->savefile;
	j->meta = calloc(npf_txgen_source_n_progs(j->source) + 1, sizeof(*j->meta));
	if (j->meta == NULL)
		return npf_error_set(err, -ENOMEM, "out of memory");
	make_meta(j);
	memset(&m, 0, sizeof(m));
	m.data_off = RTE_PKTMBUF_HEADROOM;
	m.nb_segs = 1;
	m.port = j->port;
	rte_mbuf_refcnt_set(&m, 1);
	j->rearm = *rearm_of(&m);
	return 0;
}

void npf_txgen_tx_job_fini(struct npf_txgen_tx_job *j)
{
	if (j->n_made > j->head)
		rte_pktmbuf_free_bulk(j->pkts + j->head, j->n_made - j->head);
	j->head = j->n_made = 0;
	j->source = npf_txgen_source_free(j->source);
	free(j->meta);
	free(j->off);
	free(j->late);
	j->meta = NULL;
	j->off = j->late = NULL;
}

static void make_saved(struct npf_txgen_tx_job *j, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		static const struct npf_txgen_job_meta plain;
		struct rte_mbuf *m = j->pkts[i];
		uint64_t offset_ns;
		const struct npf_saved *k = npf_txgen_source_saved(j->source, &offset_ns);

		rte_memcpy(data_of(m), j->savefile->data + k->off, k->len);
		*npf_txgen_job_tag(m) = 0;
		set_meta(j, m, &plain, (uint16_t)k->len);
		j->len[i] = (uint16_t)k->len;
		if (j->original)
			j->due[i] = (uint64_t)((double)offset_ns * j->cycles_per_ns);
	}
}

/* n packets of one program, from place `at` on. */
static void make_of(struct npf_txgen_tx_job *j, unsigned int prog, unsigned int at, unsigned int n)
{
	struct npf_txgen_prog *p = npf_txgen_source_prog(j->source, prog);
	const struct npf_txgen_job_meta *meta = &j->meta[prog];
	uint32_t want = npf_txgen_prog_reusable(p) ? meta->tag : 0;
	struct rte_mbuf **pkts = j->pkts + at;
	uint16_t image_len, *len = j->len + at;
	const uint8_t *image = npf_txgen_prog_image(p, &image_len);
	uint8_t *data[NPF_TXGEN_BURST_MAX];

	for (unsigned int i = 0; i < n; i++) {
		uint32_t *tag = npf_txgen_job_tag(pkts[i]);

		data[i] = data_of(pkts[i]);
		if (NPF_UNLIKELY(*tag != want || !want)) {
			rte_memcpy(data[i], image, image_len);
			*tag = want;
		}
	}
	npf_txgen_prog_run(p, data, len, j->sum + at, n);
	for (unsigned int i = 0; i < n; i++)
		set_meta(j, pkts[i], meta, len[i]);
	if (j->sign) {
		for (unsigned int i = 0; i < n; i++)
			j->prog[at + i] = (uint16_t)prog;
	}
}

/* Fill the staging area; leaves it empty when the pool is. */
static void make(struct npf_txgen_tx_job *j)
{
	unsigned int n = (unsigned int)NPF_MIN((uint64_t)j->burst, j->left);

	j->head = j->n_made = j->n_due = 0;
	if (n == 0)
		return;
	if (rte_mempool_get_bulk(j->pool, (void **)j->pkts, n) != 0) {
		npf_txgen_counter_add(&j->full, 1); /* all are in the port's hands */
		return;
	}
	if (j->savefile != NULL) {
		make_saved(j, n);
	} else {
		for (unsigned int at = 0, prog; at < n;) {
			unsigned int some = npf_txgen_source_take(j->source, n - at, &prog);

			make_of(j, prog, at, some);
			at += some;
		}
	}
	j->left -= n;
	j->n_made = n;
}

void npf_txgen_tx_job_prime(struct npf_txgen_tx_job *j)
{
	make(j);
}

/* Release the packets that are due: advances n_due. */
static void release(struct npf_txgen_tx_job *j, uint64_t now)
{
	while (j->n_due < j->n_made) {
		uint64_t due;

		if (j->original)
			npf_txgen_pace_set_due(&j->pace, j->t0 + j->due[j->n_due]);
		due = j->pace.due;
		if (!npf_txgen_pace_is_due(&j->pace, now) || due >= j->end)
			break;
		npf_txgen_hist_record(j->late, now - due);
		if (j->last_sent > 0) {
			int64_t off = (int64_t)((now - j->last_sent) - (due - j->last_due));

			npf_txgen_hist_record(j->off, (uint64_t)(off < 0 ? -off : off));
		}
		j->last_sent = now;
		j->last_due = due;
		npf_txgen_pace_step(&j->pace, j->len[j->n_due], now);
		j->n_due++;
	}
}

static void sign(struct npf_txgen_tx_job *j, unsigned int n)
{
	uint32_t seq = (uint32_t)npf_txgen_counter_get(&j->packets);
	uint64_t now = rte_rdtsc(); /* once more: packets may have been made meanwhile */

	for (unsigned int i = j->head; i < j->head + n; i++)
		npf_txgen_prog_sign(npf_txgen_source_prog(j->source, j->prog[i]),
			data_of(j->pkts[i]), j->len[i], j->sum[i],
			npf_txgen_sign_head(j->run, j->stream, seq++), now);
}

static void finish(struct npf_txgen_tx_job *j, uint64_t now, bool behind)
{
	j->behind = behind;
	j->left += j->n_made - j->head;
	if (j->n_made > j->head)
		rte_pktmbuf_free_bulk(j->pkts + j->head, j->n_made - j->head);
	j->head = j->n_made = j->n_due = 0;
	atomic_store_explicit(&j->end_tsc, now, memory_order_relaxed);
	atomic_store_explicit(&j->done, true, memory_order_release);
}

/* Is there nothing more to send? Paced packets due before the end may leave a little later. */
static bool is_over(struct npf_txgen_tx_job *j, uint64_t now)
{
	if (j->head == j->n_made && j->left == 0) {
		finish(j, now, false);
		return true;
	}
	if (now < j->end)
		return false;
	if (!j->paced) {
		finish(j, now, false);
		return true;
	}
	if (j->head == j->n_due && j->pace.due >= j->end) {
		finish(j, now, false);
		return true;
	}
	if (now >= j->end + j->give_up) {
		finish(j, now, true);
		return true;
	}
	return false;
}

void npf_txgen_tx_job_poll(struct npf_txgen_tx_job *j)
{
	uint64_t now = rte_rdtsc(), bytes = 0;
	unsigned int n, sent;

	if (NPF_UNLIKELY(atomic_load_explicit(&j->done, memory_order_relaxed)))
		return;
	if (j->head == j->n_made)
		make(j);
	if (j->paced) {
		release(j, now);
		n = j->n_due - j->head;
	} else {
		n = j->n_made - j->head;
	}
	if (NPF_UNLIKELY(now >= j->end || (!n && !j->left))) {
		if (is_over(j, now))
			return;
	}
	if (n == 0) {
		rte_pause();
		return;
	}
	if (j->sign)
		sign(j, n);
	sent = rte_eth_tx_burst(j->port, j->queue, j->pkts + j->head, (uint16_t)n);
	for (unsigned int i = j->head; i < j->head + sent; i++)
		bytes += j->len[i];
	j->head += sent;
	npf_txgen_counter_add(&j->packets, sent);
	npf_txgen_counter_add(&j->bytes, bytes);
	if (NPF_UNLIKELY(sent < n))
		npf_txgen_counter_add(&j->full, 1);
}
