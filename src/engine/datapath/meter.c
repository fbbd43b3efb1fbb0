/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * meter.c - counts under a mask, and rotates intervals and windows.
 *
 * Slots are a ring by interval number: interval k is in slot k mod n_slots, if anything was
 * counted in it at all; the slot says so. M1 (closed): release by the lcore, acquire by the worker:
 * weaker, the worker could collect a slot before its last counts. M2 (taken): release by the
 * worker, acquire by the lcore: weaker, the lcore could clear a slot that is still being read.
 */
#include "engine/datapath/meter.h"

#include <string.h>

#define NPF_MIN_COUNTED 60 /* NPF counts a shorter packet as one of so many bytes ... */
#define NPF_OVERHEAD    12 /* ... and adds so many to each */

#define WEIGHT_LEN_BITS 29
#define WEIGHT_LEN_MASK ((1ull << WEIGHT_LEN_BITS) - 1)

struct npf_meter *npf_meter_new(const struct npf_meter_conf *conf)
{
	size_t rows = NPF_ALIGN_UP(conf->n_rows * 2 * sizeof(uint64_t), NPF_CACHELINE);
	size_t numbers = NPF_ALIGN_UP(conf->n_slots * sizeof(uint64_t), NPF_CACHELINE);
	size_t tallies = NPF_ALIGN_UP(
		conf->n_slots * conf->n_rows * sizeof(struct npf_wire_tally), NPF_CACHELINE);
	size_t memory = sizeof(struct npf_meter) + rows + numbers + tallies;
	struct npf_meter *m = aligned_alloc(NPF_CACHELINE, memory);

	if (m == NULL)
		return NULL;
	memset(m, 0, memory);
	m->conf = *conf;
	m->memory = memory;
	m->window = (uint64_t *)(m + 1);
	m->slot_number = (uint64_t *)((char *)m->window + rows);
	m->slots = (struct npf_wire_tally *)((char *)m->slot_number + numbers);
	m->tallies = m->slots;
	m->end_ns = conf->start_ns + conf->interval_ns;
	m->window_end_ns = conf->start_ns + NPF_METER_WINDOW_NS;
	return m;
}

struct npf_meter *npf_meter_free(struct npf_meter *m)
{
	free(m);
	return NULL;
}

static void end_windows(struct npf_meter *m)
{
	for (unsigned int i = 0; i < m->conf.n_rows; i++) {
		struct npf_wire_tally *t = &m->tallies[i];
		uint64_t *w = &m->window[2 * i];

		t->peak_packets = NPF_MAX(t->peak_packets, t->packets - w[0]);
		t->peak_bytes = NPF_MAX(t->peak_bytes, t->bytes - w[1]);
		w[0] = t->packets;
		w[1] = t->bytes;
	}
}

static void open_slot(struct npf_meter *m, uint64_t number)
{
	unsigned int slot = number % m->conf.n_slots;

	m->tallies = m->slots + (size_t)slot * m->conf.n_rows;
	m->slot_number[slot] = number;
	memset(m->tallies, 0, m->conf.n_rows * sizeof(*m->tallies));
	memset(m->window, 0, m->conf.n_rows * 2 * sizeof(*m->window));
	m->now = number;
	m->end_ns = m->conf.start_ns + (number + 1) * m->conf.interval_ns;
}

void npf_meter_rotate(struct npf_meter *m, uint64_t mono_ns)
{
	uint64_t since = mono_ns - m->conf.start_ns, number, taken;

	end_windows(m);
	m->window_end_ns =
		m->conf.start_ns + (since / NPF_METER_WINDOW_NS + 1) * NPF_METER_WINDOW_NS;
	if (mono_ns < m->end_ns)
		return;
	/* The slot to go on with must have been collected. */
	taken = atomic_load_explicit(&m->taken, memory_order_acquire); /* M2 */
	number = NPF_MIN(since / m->conf.interval_ns, taken + m->conf.n_slots - 1);
	if (number <= m->now)
		return;
	open_slot(m, number);
	/* All below are complete; those between the old and the new one are empty. */
	atomic_store_explicit(&m->closed, number, memory_order_release); /* M1 */
}

/*
 * Both loops below run for every burst and are of fixed length, over entries that weigh nothing
 * beyond the burst's end, so that the compiler makes whole vectors of them, as wide as the CPU has.
 * Static, since compilers do not agree on the name of what has several versions.
 */
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
#	define BY_CPU __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#	define BY_CPU
#endif

/* 0..7: bounds as in struct npf_wire_tally. */
static inline unsigned int class_of(uint32_t len)
{
	return (len > 64) + (len > 127) + (len > 255) + (len > 511) + (len > 1023) + (len > 1518) +
	       (len > 9018);
}

BY_CPU static void load_burst(struct npf_meter_burst *b, const uint32_t *len, unsigned int n)
{
	uint32_t padded[NPF_METER_BURST] = {0};
	uint64_t all_weight = 0, all_size = 0;

	memcpy(padded, len, n * sizeof(*len));
	for (unsigned int i = 0; i < NPF_METER_BURST; i++) {
		uint64_t npf_len = NPF_MAX(padded[i], (uint32_t)NPF_MIN_COUNTED);
		uint64_t one = i < n, live = -one;

		b->weight[i] =
			(1ull << (2 * WEIGHT_LEN_BITS) | npf_len << WEIGHT_LEN_BITS | padded[i]) &
			live;
		b->size[i] = one << (8 * class_of(padded[i]));
		all_weight += b->weight[i];
		all_size += b->size[i];
	}
	b->all_weight = all_weight;
	b->all_size = all_size;
}

void npf_meter_burst_load(struct npf_meter_burst *b, const uint32_t *len, unsigned int n)
{
	load_burst(b, len, n);
}

BY_CPU static uint32_t count_kept(const uint32_t *keep, unsigned int n)
{
	uint32_t kept = 0;

	for (unsigned int i = 0; i < NPF_METER_BURST; i++)
		kept += (i < n) & (keep[i] != 0);
	return kept;
}

uint32_t npf_meter_kept(const uint32_t *keep, unsigned int n)
{
	return count_kept(keep, n);
}

/* What the accepted packets weigh. */
BY_CPU static void add_up(
	const struct npf_meter_burst *b, const uint32_t *keep, uint64_t *weightp, uint64_t *sizep)
{
	uint64_t weight = 0, size = 0;

	for (unsigned int i = 0; i < NPF_METER_BURST; i++) {
		weight += keep[i] != 0 ? b->weight[i] : 0;
		size += keep[i] != 0 ? b->size[i] : 0;
	}
	*weightp = weight;
	*sizep = size;
}

uint32_t npf_meter_count(struct npf_meter *m, unsigned int row, const struct npf_meter_burst *b,
	const uint32_t *keep, uint64_t now_ns)
{
	struct npf_wire_tally *t = &m->tallies[row];
	uint64_t weight = b->all_weight, size = b->all_size;
	uint32_t n;

	if (keep != NULL)
		add_up(b, keep, &weight, &size);
	n = (uint32_t)(weight >> (2 * WEIGHT_LEN_BITS));
	if (n == 0)
		return 0;
	t->packets += n;
	t->bytes += weight & WEIGHT_LEN_MASK;
	t->npf_bytes += ((weight >> WEIGHT_LEN_BITS) & WEIGHT_LEN_MASK) + n * NPF_OVERHEAD;
	for (unsigned int c = 0; c < NPF_WIRE_N_SIZES; c++)
		t->sizes[c] += (size >> (8 * c)) & 0xff;
	if (t->first_ns == 0)
		t->first_ns = now_ns;
	t->last_ns = now_ns;
	return n;
}

static void add_counts(struct npf_wire_tally *sum, const struct npf_wire_tally *t)
{
	sum->packets += t->packets;
	sum->bytes += t->bytes;
	sum->npf_bytes += t->npf_bytes;
	for (unsigned int c = 0; c < NPF_WIRE_N_SIZES; c++)
		sum->sizes[c] += t->sizes[c];
	if (t->first_ns != 0 && (sum->first_ns == 0 || t->first_ns < sum->first_ns))
		sum->first_ns = t->first_ns;
	sum->last_ns = NPF_MAX(sum->last_ns, t->last_ns);
}

void npf_meter_add(struct npf_wire_tally *sum, const struct npf_wire_tally *t)
{
	add_counts(sum, t);
	sum->peak_packets += t->peak_packets;
	sum->peak_bytes += t->peak_bytes;
}

void npf_meter_merge_max(struct npf_wire_tally *sum, const struct npf_wire_tally *t)
{
	add_counts(sum, t);
	sum->peak_packets = NPF_MAX(sum->peak_packets, t->peak_packets);
	sum->peak_bytes = NPF_MAX(sum->peak_bytes, t->peak_bytes);
}

void npf_meter_collect(struct npf_meter *m, uint64_t number, struct npf_wire_tally *sum)
{
	unsigned int slot = number % m->conf.n_slots;

	if (m->slot_number[slot] == number)
		for (unsigned int i = 0; i < m->conf.n_rows; i++)
			npf_meter_add(&sum[i], &m->slots[(size_t)slot * m->conf.n_rows + i]);
	atomic_store_explicit(&m->taken, number + 1, memory_order_release); /* M2 */
}
