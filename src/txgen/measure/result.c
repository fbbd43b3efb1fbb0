/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * result.c - a run's result as text for people, as JSON and as CSV.
 *
 * Rates are averages over the run. Layer 1 adds 24 bytes to each frame (base/rate.h). The JSON
 * object has all members for every kind of run.
 */
#include "txgen/measure/result.h"

#include <inttypes.h>
#include <jansson.h>

void npf_txgen_times_from(struct npf_txgen_times *t, const struct npf_txgen_hist *h, double hz)
{
	double ns = 1e9 / hz;

	*t = (struct npf_txgen_times){.n = h->n};
	if (h->n == 0)
		return;
	t->min = (double)h->min * ns;
	t->avg = (double)h->sum / (double)h->n * ns;
	t->p50 = (double)npf_txgen_hist_quantile(h, 0.5) * ns;
	t->p99 = (double)npf_txgen_hist_quantile(h, 0.99) * ns;
	t->p999 = (double)npf_txgen_hist_quantile(h, 0.999) * ns;
	t->max = (double)h->max * ns;
}

void npf_txgen_result_totals(const struct npf_txgen_result *r, struct npf_txgen_result_totals *t)
{
	*t = (struct npf_txgen_result_totals){0};
	for (unsigned int i = 0; i < r->n_ports; i++) {
		t->tx_packets += r->port[i].tx_packets;
		t->tx_bytes += r->port[i].tx_bytes;
		t->rx_packets += r->port[i].rx_packets;
		t->rx_bytes += r->port[i].rx_bytes;
		t->drops += r->port[i].tx_drop + r->port[i].tx_lost + r->port[i].rx_missed;
		t->tx_lost += r->port[i].tx_lost;
		t->uncounted |= r->port[i].tx_uncounted;
	}
}

double npf_txgen_result_loss(const struct npf_txgen_result *r)
{
	return r->sent > 0 ? (double)r->lost * 100 / (double)r->sent : 0;
}

bool npf_txgen_result_passed(const struct npf_txgen_result *r, const struct npf_txgen_limits *l)
{
	struct npf_txgen_result_totals t;

	if (r->stalled || r->behind || (r->planned > 0 && r->sent < r->planned && !r->stopped))
		return false;
	npf_txgen_result_totals(r, &t);
	if (!r->checked)
		return t.tx_lost == 0 && !t.uncounted &&
		       (r->sent > 0 || !r->generated || r->stopped);
	if ((r->sent > 0 && r->received == 0) || npf_txgen_result_loss(r) > l->max_loss ||
		r->duplicates > 0 || r->stale > 0)
		return false;
	return l->allow_reorder || r->reordered == 0;
}

static double per_second(uint64_t n, double seconds)
{
	return seconds > 0 ? (double)n / seconds : 0;
}

static double bits_l1(uint64_t packets, uint64_t bytes)
{
	return ((double)bytes + (double)packets * NPF_RATE_L1_OVERHEAD) * 8;
}

static const char *si(double v, char *buf, size_t len)
{
	static const struct {
		double factor;
		const char *prefix;
	} scale[] = {{1e9, " G"}, {1e6, " M"}, {1e3, " k"}};

	for (size_t i = 0; i < NPF_ARRAY_LEN(scale); i++) {
		if (v >= scale[i].factor) {
			snprintf(buf, len, "%.3f%s", v / scale[i].factor, scale[i].prefix);
			return buf;
		}
	}
	snprintf(buf, len, "%.0f ", v);
	return buf;
}

static void print_side(FILE *f, const char *name, uint64_t packets, uint64_t bytes, double seconds)
{
	char pps[32], l2[32], l1[32];

	fprintf(f, "%s %14" PRIu64 " packets %16" PRIu64 " bytes  %spps  L2 %sbit/s  L1 %sbit/s\n",
		name, packets, bytes, si(per_second(packets, seconds), pps, sizeof(pps)),
		si((double)bytes * 8 / (seconds > 0 ? seconds : 1), l2, sizeof(l2)),
		si(bits_l1(packets, bytes) / (seconds > 0 ? seconds : 1), l1, sizeof(l1)));
}

static void print_times(FILE *f, const char *name, const struct npf_txgen_times *t)
{
	fprintf(f, "%s min %.0f  avg %.0f  p50 %.0f  p99 %.0f  p99.9 %.0f  max %.0f ns\n", name,
		t->min, t->avg, t->p50, t->p99, t->p999, t->max);
}

void npf_txgen_result_print(
	FILE *f, const struct npf_txgen_result *r, const struct npf_txgen_limits *l)
{
	struct npf_txgen_result_totals t;

	npf_txgen_result_totals(r, &t);
	for (unsigned int i = 0; i < r->n_ports && r->n_ports > 1; i++) {
		const struct npf_txgen_port_result *p = &r->port[i];

		fprintf(f, "port %u (%s)\n", i, p->name);
		print_side(f, "  tx", p->tx_packets, p->tx_bytes, r->seconds);
		print_side(f, "  rx", p->rx_packets, p->rx_bytes, r->seconds);
	}
	fprintf(f, "%.3f s\n", r->seconds);
	print_side(f, "tx", t.tx_packets, t.tx_bytes, r->seconds);
	if (r->checked || t.rx_packets > 0)
		print_side(f, "rx", t.rx_packets, t.rx_bytes, r->seconds);
	if (t.drops > 0)
		fprintf(f, "dropped by ports %" PRIu64 "\n", t.drops);
	if (t.tx_lost > 0)
		fprintf(f,
			"lost on the way out %" PRIu64 ": ports took them and did not count them "
			"as sent\n",
			t.tx_lost);
	if (t.uncounted)
		fprintf(f, "a port does not count what it sends: nothing shows that it left\n");
	if (r->paced && r->pacing.n > 0)
		print_times(f, "pacing error:", &r->pacing);
	if (r->paced && r->late.n > 0)
		print_times(f, "departure after due time:", &r->late);
	if (r->behind)
		fprintf(f, "the rate was not reached\n");
	if (r->stalled)
		fprintf(f, "a port took no more packets (does anyone receive them?)\n");
	if (r->planned > 0 && r->sent < r->planned && !r->stopped)
		fprintf(f, "only %" PRIu64 " of %" PRIu64 " packets were sent\n", r->sent,
			r->planned);
	if (!r->checked)
		return;
	fprintf(f, "lost %" PRIu64 " (%.6f %%)  ", r->lost, npf_txgen_result_loss(r));
	if (r->by_sequence)
		fprintf(f,
			"reordered %" PRIu64 " (extent %" PRIu64 ")  duplicates %" PRIu64
			"  too late %" PRIu64 "  foreign %" PRIu64,
			r->reordered, r->max_extent, r->duplicates, r->stale, r->foreign);
	fprintf(f, "\n");
	if (r->latency.n > 0) {
		print_times(f, "latency:", &r->latency);
		fprintf(f, "jitter: %.0f ns\n", r->jitter_ns);
	}
	fprintf(f, "check %s\n", npf_txgen_result_passed(r, l) ? "passed" : "FAILED");
}

static json_t *side(uint64_t packets, uint64_t bytes, double seconds)
{
	return json_pack("{s:I,s:I,s:f,s:f,s:f}", "packets", (json_int_t)packets, "bytes",
		(json_int_t)bytes, "pps", per_second(packets, seconds), "bps_l2",
		seconds > 0 ? (double)bytes * 8 / seconds : 0.0, "bps_l1",
		seconds > 0 ? bits_l1(packets, bytes) / seconds : 0.0);
}

static json_t *times(const struct npf_txgen_times *t)
{
	return json_pack("{s:I,s:f,s:f,s:f,s:f,s:f,s:f}", "samples", (json_int_t)t->n, "min",
		t->min, "avg", t->avg, "p50", t->p50, "p99", t->p99, "p99.9", t->p999, "max",
		t->max);
}

static json_t *port(const struct npf_txgen_port_result *p, double seconds)
{
	return json_pack("{s:s,s:o,s:o,s:I,s:I,s:I,s:I,s:b}", "name", p->name, "tx",
		side(p->tx_packets, p->tx_bytes, seconds), "rx",
		side(p->rx_packets, p->rx_bytes, seconds), "tx_full", (json_int_t)p->tx_full,
		"tx_dropped", (json_int_t)p->tx_drop, "rx_missed", (json_int_t)p->rx_missed,
		"tx_lost", (json_int_t)p->tx_lost, "tx_counted", !p->tx_uncounted);
}

static json_t *check(const struct npf_txgen_result *r)
{
	return json_pack("{s:b,s:b,s:I,s:I,s:I,s:f,s:I,s:I,s:I,s:I,s:I}", "done", r->checked,
		"by_sequence", r->by_sequence, "sent", (json_int_t)r->sent, "received",
		(json_int_t)r->received, "lost", (json_int_t)r->lost, "loss_percent",
		npf_txgen_result_loss(r), "reordered", (json_int_t)r->reordered, "max_extent",
		(json_int_t)r->max_extent, "duplicates", (json_int_t)r->duplicates, "too_late",
		(json_int_t)r->stale, "foreign", (json_int_t)r->foreign);
}

int npf_txgen_result_json(
	FILE *f, const struct npf_txgen_result *r, const struct npf_txgen_limits *l)
{
	struct npf_txgen_result_totals t;
	json_t *ports = json_array(), *all;
	int rc;

	npf_txgen_result_totals(r, &t);
	for (unsigned int i = 0; i < r->n_ports; i++)
		json_array_append_new(ports, port(&r->port[i], r->seconds));
	all = json_pack("{s:f,s:o,s:o,s:o,s:I,s:I,s:o,s:f,s:o,s:o,s:o,s:b,s:b,s:b,s:b}", "seconds",
		r->seconds, "tx", side(t.tx_packets, t.tx_bytes, r->seconds), "rx",
		side(t.rx_packets, t.rx_bytes, r->seconds), "ports", ports, "planned",
		(json_int_t)r->planned, "dropped", (json_int_t)t.drops, "latency_ns",
		times(&r->latency), "jitter_ns", r->jitter_ns, "pacing_error_ns", times(&r->pacing),
		"late_ns", times(&r->late), "check", check(r), "stopped", r->stopped, "stalled",
		r->stalled, "behind", r->behind, "passed", npf_txgen_result_passed(r, l));
	if (all == NULL)
		return -ENOMEM;
	rc = json_dumpf(all, f, JSON_COMPACT | JSON_REAL_PRECISION(9)) != 0 ? -EIO : 0;
	fputc('\n', f);
	json_decref(all);
	return rc;
}

void npf_txgen_result_csv_head(FILE *f)
{
	fprintf(f,
		"seconds,port,tx_packets,tx_bytes,tx_pps,tx_bps_l1,tx_bps_l2,rx_packets,rx_bytes,"
		"rx_pps,rx_bps_l1,rx_bps_l2,tx_full,tx_dropped,rx_missed,tx_lost\n");
}

void npf_txgen_result_csv(FILE *f, const struct npf_txgen_result *r)
{
	double s = r->seconds > 0 ? r->seconds : 1;

	for (unsigned int i = 0; i < r->n_ports; i++) {
		const struct npf_txgen_port_result *p = &r->port[i];

		fprintf(f,
			"%.6f,%u,%" PRIu64 ",%" PRIu64 ",%.3f,%.3f,%.3f,%" PRIu64 ",%" PRIu64
			",%.3f,%.3f,%.3f,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 "\n",
			r->seconds, i, p->tx_packets, p->tx_bytes, (double)p->tx_packets / s,
			bits_l1(p->tx_packets, p->tx_bytes) / s, (double)p->tx_bytes * 8 / s,
			p->rx_packets, p->rx_bytes, (double)p->rx_packets / s,
			bits_l1(p->rx_packets, p->rx_bytes) / s, (double)p->rx_bytes * 8 / s,
			p->tx_full, p->tx_drop, p->rx_missed, p->tx_lost);
	}
}
