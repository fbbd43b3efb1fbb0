/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * load.c - from settings to what a run needs in memory: templates with their sizes, or a
 * savefile. Loaded anew for every run, so that a prompt's settings take effect in any order.
 */
#include "txgen/txgen.h"

#include <stdio.h>
#include <string.h>

static void unload(struct txgen *tx)
{
	npf_txgen_tmpl_list_free(tx->tmpls, tx->n_tmpls);
	free(tx->weights);
	tx->tmpls = NULL;
	tx->weights = NULL;
	tx->n_tmpls = 0;
	tx->savefile = npf_savefile_free(tx->savefile);
}

static int apply_size(
	struct txgen *tx, struct npf_txgen_tmpl *t, const char *own, struct npf_error *err)
{
	const char *text = own != NULL ? own : tx->size;
	struct npf_txgen_values sizes;
	int rc;

	if (t->has_size && own == NULL)
		return 0;
	if (text != NULL) {
		rc = npf_txgen_sizes_parse(text, &sizes, err);
		if (rc < 0)
			return rc;
	} else {
		/* No size is given: the least that headers and signature need. */
		unsigned int least = t->hdr_len + (tx->run.check ? 16 : 0);

		npf_txgen_values_const(
			&sizes, NPF_MAX(least, (unsigned int)NPF_TXGEN_TMPL_SIZE_DEFAULT));
	}
	rc = npf_txgen_tmpl_set_size(t, &sizes, err);
	npf_txgen_values_fini(&sizes);
	return rc;
}

static int add(struct txgen *tx, const struct txgen_packet *p, struct npf_error *err)
{
	struct npf_txgen_tmpl **ts, **all;
	uint32_t *weights;
	unsigned int n;
	int rc = npf_txgen_tmpl_load(p->arg, &ts, &n, err);

	if (rc < 0)
		return rc;
	all = reallocarray(tx->tmpls, tx->n_tmpls + n, sizeof(struct npf_txgen_tmpl *));
	if (all != NULL)
		tx->tmpls = all;
	weights = reallocarray(tx->weights, tx->n_tmpls + n, sizeof(*weights));
	if (weights != NULL)
		tx->weights = weights;
	if (all == NULL || weights == NULL) {
		npf_txgen_tmpl_list_free(ts, n);
		return npf_error_set(err, -ENOMEM, "out of memory");
	}
	for (unsigned int i = 0; i < n; i++) {
		tx->tmpls[tx->n_tmpls] = ts[i];
		tx->weights[tx->n_tmpls++] = p->weight;
	}
	for (unsigned int i = 0; i < n && rc == 0; i++)
		rc = apply_size(tx, ts[i], p->size, err);
	free(ts);
	return rc;
}

int txgen_load(struct txgen *tx, struct npf_error *err)
{
	/* testpmd's flowgen varies the destination over 1024 flows. */
	static char udp[] = "udp()", many[] = "ip(dst=198.18.0.2-198.18.4.1)/udp()";
	static const struct txgen_packet plain = {udp, NULL, 1}, flows = {many, NULL, 1};
	int rc = 0;

	unload(tx);
	if (tx->pcap != NULL)
		rc = npf_txgen_savefile_load(tx->pcap, 0, &tx->savefile, err);
	for (unsigned int i = 0; i < tx->n_packets && rc == 0; i++)
		rc = add(tx, &tx->packets[i], err);
	if (rc == 0 && tx->pcap == NULL && tx->n_packets == 0)
		rc = add(tx, tx->run.mode == NPF_TXGEN_FLOWGEN ? &flows : &plain, err);
	if (rc < 0) {
		unload(tx);
		return rc;
	}
	if (tx->savefile != NULL && tx->savefile->n_skipped > 0)
		fprintf(stderr, "npf-txgen: %s: %zu packets are too short or too long to send\n",
			tx->pcap, tx->savefile->n_skipped);
	if (tx->savefile != NULL && tx->savefile->n_cut > 0)
		fprintf(stderr,
			"npf-txgen: %s: of %zu packets only the beginning was saved: sent so\n",
			tx->pcap, tx->savefile->n_cut);
	tx->run.tmpls = tx->tmpls;
	tx->run.weights = tx->weights;
	tx->run.n_tmpls = tx->n_tmpls;
	tx->run.savefile = tx->savefile;
	return 0;
}

unsigned int txgen_max_len(const struct txgen *tx)
{
	uint64_t max = tx->savefile != NULL ? tx->savefile->max_len : 0;

	for (unsigned int i = 0; i < tx->n_tmpls; i++)
		max = NPF_MAX(max, npf_txgen_values_max(&tx->tmpls[i]->size));
	return (unsigned int)max;
}

void txgen_fini(struct txgen *tx)
{
	unload(tx);
	txgen_clear_packets(tx);
	free(tx->size);
	free(tx->output_file);
	free(tx->attach);
	free(tx->socket);
}
