/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * npf-txgen.c - a traffic generator that testpmd's users feel at home with: ports and lcores by
 * the EAL's options, traffic by its own, from the command line or at a prompt.
 *
 * The result goes to stdout (or --output), all else to stderr, so that --json can be piped. Exit
 * status: 0 all was sent and the check, if any, has passed; 1 it did not; 2 nothing could be
 * done at all.
 */
#include "txgen/txgen.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static int error(const char *what)
{
	fprintf(stderr, "npf-txgen: %s\n", what);
	return TXGEN_ERROR;
}

static void report(struct txgen *tx, FILE *f, const struct npf_txgen_result *r)
{
	switch (tx->output) {
	case TXGEN_JSON:
		npf_txgen_result_json(f, r, &tx->limits);
		break;
	case TXGEN_CSV:
		if (tx->period == 0)
			npf_txgen_result_csv_head(f);
		npf_txgen_result_csv(f, r);
		break;
	default:
		npf_txgen_result_print(f, r, &tx->limits);
	}
	fflush(f);
}

static int run_once(struct txgen *tx, FILE *f, struct npf_txgen_result *r, struct npf_error *err)
{
	int rc = npf_txgen_start(tx->gen, &tx->run, err);

	if (rc < 0)
		return rc;
	txgen_watch(tx, f);
	npf_txgen_result(tx->gen, r);
	return 0;
}

/* RFC 2544's throughput: the first trial is the rate given, or as fast as it goes. */
static int search(struct txgen *tx, FILE *f)
{
	static struct npf_txgen_result r;
	struct npf_txgen_search s;
	struct npf_error err;

	if (tx->run.duration_ns == 0 && tx->run.count == 0)
		tx->run.duration_ns = 1000000000;
	tx->period = 0;
	if (tx->run.rate.kind == NPF_RATE_ORIGINAL)
		return error("a search cannot keep the original timing");
	if (tx->run.rate.kind == NPF_RATE_ASAP) {
		struct npf_txgen_result_totals t;

		if (run_once(tx, f, &r, &err) < 0)
			return error(err.text);
		npf_txgen_result_totals(&r, &t);
		tx->run.rate = (struct npf_rate){NPF_RATE_PPS,
			(double)t.tx_packets / r.seconds / npf_txgen_n_ports(tx->gen)};
		fprintf(stderr, "npf-txgen: as fast as it goes: %.0f pps, %.6f %% lost\n",
			tx->run.rate.value, npf_txgen_result_loss(&r));
	}
	npf_txgen_search_init(&s, tx->run.rate.value, tx->search_loss, tx->search_precision);
	tx->limits.max_loss = tx->search_loss;
	do {
		char text[64];

		tx->run.rate.value = s.rate;
		if (run_once(tx, f, &r, &err) < 0)
			return error(err.text);
		fprintf(stderr, "npf-txgen: trial %u: %s: %.6f %% lost%s\n", s.trials + 1,
			npf_rate_format(&tx->run.rate, text, sizeof(text)),
			npf_txgen_result_loss(&r), r.behind ? ", rate not reached" : "");
	} while (npf_txgen_search_step(
			 &s, r.behind || r.stalled ? NAN : npf_txgen_result_loss(&r)) &&
		 !txgen_interrupted());
	if (s.low == 0) {
		fprintf(stderr, "npf-txgen: no rate passed\n");
		report(tx, f, &r);
		return TXGEN_FAILED;
	}
	tx->run.rate.value = s.low;
	if (!txgen_interrupted() && run_once(tx, f, &r, &err) < 0)
		return error(err.text);
	if (tx->output == TXGEN_TEXT) {
		char text[64];

		fprintf(f, "throughput at %g %% loss: %s, after %u trials; confirmed by:\n",
			s.max_loss, npf_rate_format(&tx->run.rate, text, sizeof(text)), s.trials);
	}
	report(tx, f, &r);
	return npf_txgen_result_passed(&r, &tx->limits) ? 0 : TXGEN_FAILED;
}

static int batch(struct txgen *tx, FILE *f)
{
	static struct npf_txgen_result r;
	struct npf_error err;

	txgen_catch_signals(tx);
	if (tx->search)
		return search(tx, f);
	if (run_once(tx, f, &r, &err) < 0)
		return error(err.text);
	report(tx, f, &r);
	return npf_txgen_result_passed(&r, &tx->limits) ? 0 : TXGEN_FAILED;
}

static int through_daemon(struct txgen *tx, FILE *f)
{
	static struct npf_txgen_result r;
	struct npf_error err;
	int rc;

	if (tx->interactive || tx->search)
		return error("--attach goes with neither a prompt nor a search");
	txgen_catch_signals(tx);
	rc = npf_txgen_attach(tx->socket, tx->attach, &tx->run, &r, &err);
	if (rc < 0 && r.sent == 0)
		return error(err.text);
	tx->period = 0;
	report(tx, f, &r);
	if (rc < 0)
		error(err.text);
	return rc == 0 && npf_txgen_result_passed(&r, &tx->limits) ? 0 : TXGEN_FAILED;
}

static FILE *open_output(struct txgen *tx)
{
	FILE *f = tx->output_file != NULL ? fopen(tx->output_file, "w") : stdout;

	if (f == NULL)
		fprintf(stderr, "npf-txgen: %s: %s\n", tx->output_file, strerror(errno));
	return f;
}

static int close_output(FILE *f, int rc)
{
	if (f != stdout && fclose(f) != 0)
		return error("the output could not be written in full");
	return rc;
}

static int with_ports(struct txgen *tx, FILE *f)
{
	struct npf_error err;
	int rc;

	if (tx->ports.max_len == 0)
		tx->ports.max_len = txgen_max_len(tx);
	tx->ports.forwards = tx->interactive || tx->run.mode == NPF_TXGEN_IO ||
			     tx->run.mode == NPF_TXGEN_MACSWAP;
	if (npf_txgen_open(&tx->ports, &tx->gen, &err) < 0)
		return error(err.text);
	rc = tx->interactive ? txgen_prompt(tx) : batch(tx, f);
	/* What was sent may still lie in the ports' queues, and would go with them. */
	if (!tx->interactive && !txgen_interrupted())
		usleep((useconds_t)(tx->linger_ns / 1000));
	tx->gen = npf_txgen_close(tx->gen);
	return rc;
}

/* --help and --version work without "--", too, and without an EAL. */
static bool is_question(const char *arg)
{
	return strcmp(arg, "-h") == 0 || strcmp(arg, "--help") == 0 ||
	       strcmp(arg, "--version") == 0;
}

int main(int argc, char **argv)
{
	struct txgen tx = {0};
	struct npf_error err;
	int sep = 1, rc;
	FILE *f;

	while (sep < argc && strcmp(argv[sep], "--") != 0)
		sep++;
	if (argc == 2 && is_question(argv[1]))
		sep = 0;
	rc = sep < argc ? txgen_options(&tx, argc - sep, argv + sep) : txgen_options(&tx, 1, argv);
	if (rc == 0 && txgen_load(&tx, &err) < 0)
		rc = -error(err.text);
	if (rc != 0) {
		txgen_fini(&tx);
		return rc > 0 ? 0 : TXGEN_ERROR;
	}
	f = open_output(&tx);
	if (f == NULL) {
		rc = TXGEN_ERROR;
	} else if (tx.attach != NULL) {
		rc = close_output(f, through_daemon(&tx, f));
	} else if (npf_txgen_eal_init(argc, argv, &err) < 0) {
		rc = error(err.text);
	} else {
		rc = close_output(f, with_ports(&tx, f));
		npf_txgen_eal_fini();
	}
	txgen_fini(&tx);
	return rc;
}
