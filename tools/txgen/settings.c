/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * settings.c - npf-txgen's settings.
 *
 * Options and the prompt's `set` go through the same table, so both take the same values and give
 * the same errors. Where testpmd has an option for the same thing, its name is used.
 */
#include "txgen/settings.h"

#include "base/units.h"

#include <stdio.h>
#include <string.h>

static int set_number(
	unsigned int *to, const char *v, unsigned int min, unsigned int max, struct npf_error *err)
{
	uint64_t n;

	if (npf_parse_count(v, &n) < 0 || n < min || n > max)
		return npf_error_set(
			err, -EINVAL, "'%.60s': a number from %u to %u is wanted", v, min, max);
	*to = (unsigned int)n;
	return 0;
}

static int set_count(uint64_t *to, const char *v, struct npf_error *err)
{
	return npf_parse_count(v, to) < 0
		       ? npf_error_set(err, -EINVAL, "'%.60s' is not a number (1000, 64k, 10M)", v)
		       : 0;
}

static int set_time(uint64_t *to, const char *v, struct npf_error *err)
{
	return npf_parse_duration(v, to) < 0
		       ? npf_error_set(err, -EINVAL, "'%.60s' is not a time (10s, 100ms, 50us)", v)
		       : 0;
}

static int set_percent(double *to, const char *v, struct npf_error *err)
{
	char *end;
	double p = strtod(v, &end);

	if (end == v || (*end != '\0' && strcmp(end, "%") != 0) || !(p >= 0 && p <= 100))
		return npf_error_set(err, -EINVAL, "'%.60s' is not a percentage (0 to 100)", v);
	*to = p;
	return 0;
}

static int replace(char **to, const char *v, struct npf_error *err)
{
	char *copy = strdup(v);

	if (copy == NULL)
		return npf_error_set(err, -EINVAL, "out of memory");
	free(*to);
	*to = copy;
	return 0;
}

static int add_packet(struct txgen *tx, const char *arg, const char *size, uint32_t weight)
{
	struct txgen_packet *p = reallocarray(tx->packets, tx->n_packets + 1, sizeof(*tx->packets));

	if (p == NULL)
		return -ENOMEM;
	tx->packets = p;
	p += tx->n_packets++;
	*p = (struct txgen_packet){
		.arg = strdup(arg),
		.size = size != NULL ? strdup(size) : NULL,
		.weight = weight,
	};
	return p->arg != NULL && (size == NULL || p->size != NULL) ? 0 : -ENOMEM;
}

static int set_packet(struct txgen *tx, const char *v, struct npf_error *err)
{
	struct npf_txgen_tmpl **ts;
	unsigned int n;
	int rc = npf_txgen_tmpl_load(v, &ts, &n, err);

	if (rc < 0)
		return rc;
	npf_txgen_tmpl_list_free(ts, n); /* only looked at: read again when traffic starts */
	return add_packet(tx, v, NULL, 1) < 0 ? npf_error_set(err, -EINVAL, "out of memory") : 0;
}

static int set_pcap(struct txgen *tx, const char *v, struct npf_error *err)
{
	return replace(&tx->pcap, v, err);
}

static int set_size(struct txgen *tx, const char *v, struct npf_error *err)
{
	struct npf_txgen_values sizes;
	int rc = npf_txgen_sizes_parse(v, &sizes, err);

	if (rc < 0)
		return rc;
	npf_txgen_values_fini(&sizes);
	return replace(&tx->size, v, err);
}

/* testpmd's lengths of segments; we send the sum of them in one. */
static int set_txpkts(struct txgen *tx, const char *v, struct npf_error *err)
{
	unsigned long sum = 0;
	char text[32];

	for (const char *s = v;; s++) {
		char *end;
		unsigned long n = strtoul(s, &end, 10);

		if (end == s || (*end != '\0' && *end != ',') || n > NPF_TXGEN_TMPL_SIZE_MAX)
			return npf_error_set(err, -EINVAL,
				"'%.60s': lengths of segments are wanted (64 or 64,64)", v);
		sum += n;
		s = end;
		if (*s == '\0')
			break;
	}
	snprintf(text, sizeof(text), "%lu", sum);
	return set_size(tx, text, err);
}

static int set_rate(struct txgen *tx, const char *v, struct npf_error *err)
{
	if (npf_rate_parse(v, &tx->run.rate) < 0)
		return npf_error_set(err, -EINVAL,
			"'%.60s' is not a rate (100kpps, 10Gbps, 10GbpsL1, 50%%, asap, original*2)",
			v);
	tx->has_rate = true;
	return 0;
}

static int set_run_count(struct txgen *tx, const char *v, struct npf_error *err)
{
	return set_count(&tx->run.count, v, err);
}

static int set_duration(struct txgen *tx, const char *v, struct npf_error *err)
{
	return set_time(&tx->run.duration_ns, v, err);
}

static int set_loop(struct txgen *tx, const char *v, struct npf_error *err)
{
	return set_count(&tx->run.loop, v, err);
}

static int set_train(struct txgen *tx, const char *v, struct npf_error *err)
{
	return set_count(&tx->run.train, v, err);
}

static int set_gap(struct txgen *tx, const char *v, struct npf_error *err)
{
	return set_time(&tx->run.gap_ns, v, err);
}

static int set_seed(struct txgen *tx, const char *v, struct npf_error *err)
{
	return set_count(&tx->run.seed, v, err);
}

static int set_check(struct txgen *tx, const char *v, struct npf_error *err)
{
	(void)err;
	tx->run.check = v == NULL || strcmp(v, "off") != 0;
	return 0;
}

static int set_max_loss(struct txgen *tx, const char *v, struct npf_error *err)
{
	return set_percent(&tx->limits.max_loss, v, err);
}

static int set_allow_reorder(struct txgen *tx, const char *v, struct npf_error *err)
{
	(void)err;
	tx->limits.allow_reorder = v == NULL || strcmp(v, "off") != 0;
	return 0;
}

static int set_search_loss(struct txgen *tx, const char *v, struct npf_error *err)
{
	tx->search = tx->run.check = true;
	return set_percent(&tx->search_loss, v, err);
}

static int set_search_precision(struct txgen *tx, const char *v, struct npf_error *err)
{
	return set_percent(&tx->search_precision, v, err);
}

static int set_drain(struct txgen *tx, const char *v, struct npf_error *err)
{
	return set_time(&tx->run.drain_ns, v, err);
}

static int set_linger(struct txgen *tx, const char *v, struct npf_error *err)
{
	return set_time(&tx->linger_ns, v, err);
}

static int set_mode(struct txgen *tx, const char *v, struct npf_error *err)
{
	int mode = npf_txgen_mode_find(v);

	if (mode < 0)
		return npf_error_set(err, -EINVAL,
			"'%.60s': modes are txonly, rxonly, io, macswap and flowgen", v);
	tx->run.mode = (enum npf_txgen_mode)mode;
	return 0;
}

static int set_burst(struct txgen *tx, const char *v, struct npf_error *err)
{
	return set_number(&tx->run.burst, v, 1, NPF_TXGEN_BURST_MAX, err);
}

static int set_tx_first(struct txgen *tx, const char *v, struct npf_error *err)
{
	(void)v;
	(void)err;
	tx->run.tx_first = true;
	return 0;
}

static int set_nb_cores(struct txgen *tx, const char *v, struct npf_error *err)
{
	return set_number(&tx->run.n_cores, v, 1, 1024, err);
}

static int set_txq(struct txgen *tx, const char *v, struct npf_error *err)
{
	return set_number(&tx->ports.n_txq, v, 1, 32, err);
}

static int set_rxq(struct txgen *tx, const char *v, struct npf_error *err)
{
	return set_number(&tx->ports.n_rxq, v, 1, 32, err);
}

static int set_txd(struct txgen *tx, const char *v, struct npf_error *err)
{
	return set_number(&tx->ports.n_txd, v, 32, 32768, err);
}

static int set_rxd(struct txgen *tx, const char *v, struct npf_error *err)
{
	return set_number(&tx->ports.n_rxd, v, 32, 32768, err);
}

static int set_mbufs(struct txgen *tx, const char *v, struct npf_error *err)
{
	return set_number(&tx->ports.n_mbufs, v, 512, 1u << 24, err);
}

static int set_max_len(struct txgen *tx, const char *v, struct npf_error *err)
{
	return set_number(&tx->ports.max_len, v, 64, NPF_TXGEN_TMPL_SIZE_MAX, err);
}

static int set_csum(struct txgen *tx, const char *v, struct npf_error *err)
{
	static const char *const names[] = {[NPF_TXGEN_CSUM_AUTO] = "auto",
		[NPF_TXGEN_CSUM_SW] = "sw",
		[NPF_TXGEN_CSUM_HW] = "hw"};

	for (unsigned int i = 0; i < NPF_ARRAY_LEN(names); i++) {
		if (strcmp(v, names[i]) == 0) {
			tx->ports.csum = (enum npf_txgen_csum)i;
			return 0;
		}
	}
	return npf_error_set(err, -EINVAL, "'%.60s': checksums are made auto, sw or hw", v);
}

static int set_link_wait(struct txgen *tx, const char *v, struct npf_error *err)
{
	return set_time(&tx->ports.link_wait_ns, v, err);
}

static int set_no_link_check(struct txgen *tx, const char *v, struct npf_error *err)
{
	(void)v;
	(void)err;
	tx->ports.link_wait_ns = 0;
	return 0;
}

static int set_period(struct txgen *tx, const char *v, struct npf_error *err)
{
	uint64_t ns;
	int rc = set_time(&ns, v, err);

	tx->period = (double)ns / 1e9;
	tx->has_period = true;
	return rc;
}

static int set_attach(struct txgen *tx, const char *v, struct npf_error *err)
{
	return replace(&tx->attach, v, err);
}

static int set_socket(struct txgen *tx, const char *v, struct npf_error *err)
{
	return replace(&tx->socket, v, err);
}

static int set_json(struct txgen *tx, const char *v, struct npf_error *err)
{
	(void)v;
	(void)err;
	tx->output = TXGEN_JSON;
	return 0;
}

static int set_csv(struct txgen *tx, const char *v, struct npf_error *err)
{
	(void)v;
	(void)err;
	tx->output = TXGEN_CSV;
	return 0;
}

static int set_output(struct txgen *tx, const char *v, struct npf_error *err)
{
	return replace(&tx->output_file, v, err);
}

static int set_interactive(struct txgen *tx, const char *v, struct npf_error *err)
{
	(void)v;
	(void)err;
	tx->interactive = true;
	return 0;
}

static int set_auto_start(struct txgen *tx, const char *v, struct npf_error *err)
{
	(void)v;
	(void)err;
	tx->auto_start = true;
	return 0;
}

static int set_streams(struct txgen *tx, const char *v, struct npf_error *err)
{
	static const char *const names[] = {"rate", "count", "duration", "size", "train", "gap"};
	struct npf_txgen_streamfile *f;
	int rc = npf_txgen_streamfile_load(v, &f, err);

	if (rc < 0)
		return rc;
	const char *const values[] = {f->rate, f->count, f->duration, f->size, f->train, f->gap};

	for (size_t i = 0; i < NPF_ARRAY_LEN(names) && rc == 0; i++) {
		if (values[i] != NULL)
			rc = txgen_set(tx, names[i], values[i], err);
	}
	if (f->seed > 0)
		tx->run.seed = f->seed;
	for (uint32_t i = 0; i < f->streams_count && rc == 0; i++) {
		const struct npf_txgen_stream *s = &f->streams[i];

		if (add_packet(tx, s->packet, s->size, s->weight > 0 ? s->weight : 1) < 0)
			rc = npf_error_set(err, -EINVAL, "out of memory");
	}
	npf_txgen_streamfile_free(f);
	return rc;
}

const struct txgen_setting txgen_settings[] = {
	{NULL, NULL, "What is sent", NULL},
	{"packet", "TEMPLATE", "a packet template, or a hex file or savefile (FILE#3: its third)",
		set_packet},
	{"pcap", "FILE", "replay a savefile", set_pcap},
	{"streams", "FILE", "templates and settings of a YAML file", set_streams},
	{"size", "SIZES", "of templates that name none: 64, 64-1518, imix, random:64-99 (no FCS)",
		set_size},
	{"txpkts", "LEN[,LEN]", "the same, as the sum of segments", set_txpkts},
	{"seed", "N", "of everything random", set_seed},
	{NULL, NULL, "How much and how fast, each port", NULL},
	{"rate", "RATE",
		"100kpps, 10Gbps (of frames), 10GbpsL1 (of the wire), 50%, asap, original*2",
		set_rate},
	{"count", "N", "packets", set_run_count},
	{"duration", "TIME", "10s, 500ms, 5m", set_duration},
	{"loop", "N", "rounds of the savefile (1; 0: no end)", set_loop},
	{"train", "N", "packets in a row, then a gap", set_train},
	{"gap", "TIME", "the gap", set_gap},
	{NULL, NULL, "Checking", NULL},
	{"check", NULL, "number packets, look for them on all ports; sets the exit status",
		set_check},
	{"max-loss", "PERCENT", "loss at which the check still passes (0)", set_max_loss},
	{"allow-reorder", NULL, "let the check pass when packets change places", set_allow_reorder},
	{"search-loss", "PERCENT", "find the highest rate at which no more is lost (RFC 2544)",
		set_search_loss},
	{"search-precision", "PERCENT", "how exactly the search finds the rate (1)",
		set_search_precision},
	{"drain", "TIME", "how long to wait for the last packets (500ms)", set_drain},
	{NULL, NULL, "Ports and workers", NULL},
	{"forward-mode", "MODE", "txonly (default), rxonly, io, macswap, flowgen", set_mode},
	{"burst", "N", "packets handed to a port at once (32)", set_burst},
	{"tx-first", NULL, "io, macswap: send one burst first", set_tx_first},
	{"nb-cores", "N", "workers (as many as the lcores allow)", set_nb_cores},
	{"txq", "N", "tx queues a port", set_txq},
	{"rxq", "N", "rx queues a port", set_rxq},
	{"txd", "N", "descriptors a tx queue (512)", set_txd},
	{"rxd", "N", "descriptors an rx queue (512)", set_rxd},
	{"total-num-mbufs", "N", "of each pool", set_mbufs},
	{"max-pkt-len", "N", "longest frame (as the templates need)", set_max_len},
	{"csum", "auto|sw|hw", "who makes checksums", set_csum},
	{"link-wait", "TIME", "for links to come up (10s)", set_link_wait},
	{"linger", "TIME", "ports stay up after the end, to send what they hold (100ms)",
		set_linger},
	{"disable-link-check", NULL, "do not wait", set_no_link_check},
	{"attach", "PORT", "send through a port of a running npf-dpdk; no EAL options then",
		set_attach},
	{"socket", "PATH", "of that npf-dpdk", set_socket},
	{NULL, NULL, "Output", NULL},
	{"stats-period", "TIME", "live figures this often (1s on a terminal)", set_period},
	{"json", NULL, "the result as a JSON object", set_json},
	{"csv", NULL, "figures as CSV", set_csv},
	{"output", "FILE", "write them there", set_output},
	{"interactive", NULL, "-i: a prompt", set_interactive},
	{"auto-start", NULL, "-a: start before the first prompt", set_auto_start},
};

const size_t txgen_n_settings = NPF_ARRAY_LEN(txgen_settings);

int txgen_set(struct txgen *tx, const char *name, const char *value, struct npf_error *err)
{
	for (size_t i = 0; i < txgen_n_settings; i++) {
		int rc;

		if (txgen_settings[i].name == NULL || strcmp(txgen_settings[i].name, name) != 0)
			continue;
		rc = txgen_settings[i].set(tx, value, err);
		if (rc < 0)
			npf_error_set(err, -EINVAL, "%s: %s", name, err->text);
		return rc;
	}
	return npf_error_set(err, -EINVAL, "there is no setting '%.60s'", name);
}

void txgen_clear_packets(struct txgen *tx)
{
	for (unsigned int i = 0; i < tx->n_packets; i++) {
		free(tx->packets[i].arg);
		free(tx->packets[i].size);
	}
	free(tx->packets);
	tx->packets = NULL;
	tx->n_packets = 0;
	free(tx->pcap);
	tx->pcap = NULL;
}
