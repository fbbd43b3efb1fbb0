/* SPDX-License-Identifier: BSD-3-Clause */
/* test_outcome.c - searching a rate, stream files, and what is said of a run. */
#include "unit/txgen/check.h"

#include "txgen/measure/result.h"
#include "txgen/measure/search.h"
#include "txgen/packet/streamfile.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

/* Search on a device that loses everything above `limit`. */
static double find(double max, double limit, double precision, unsigned int *trials)
{
	struct npf_txgen_search s;

	npf_txgen_search_init(&s, max, 0, precision);
	while (npf_txgen_search_step(&s, s.rate > limit ? 5 : 0))
		assert_in_range(s.trials, 1, 40);
	*trials = s.trials;
	return s.low;
}

static void a_search_closes_in_on_the_devices_limit(void **state)
{
	static const double limits[] = {999, 1000, 500, 137.3, 33, 999.9};
	unsigned int trials;

	(void)state;
	for (size_t i = 0; i < NPF_ARRAY_LEN(limits); i++) {
		double got = find(1000, limits[i], 1, &trials);

		if (got > limits[i] || got < limits[i] * 0.989)
			fail_msg("limit %g: found %g", limits[i], got);
	}
	find(1000, 2000, 1, &trials);
	assert_int_equal(trials, 1); /* the maximum passes at once */
	assert_true(find(1000, 0.0001, 1, &trials) == 0);
	assert_in_range(trials, 10, 12);
}

static void a_rate_that_is_not_reached_fails_its_trial(void **state)
{
	struct npf_txgen_search s;

	(void)state;
	npf_txgen_search_init(&s, 100, 50, 10);
	assert_true(npf_txgen_search_step(&s, NAN));
	assert_true(s.high == 100 && s.rate == 50);
	assert_true(npf_txgen_search_step(&s, 50)); /* loss that is allowed passes */
	assert_true(s.low == 50);
}

static char path[] = "/tmp/npf-streams-XXXXXX";

static int load(const char *text, struct npf_txgen_streamfile **f, struct npf_error *err)
{
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	fputs(text, out);
	fclose(out);
	return npf_txgen_streamfile_load(path, f, err);
}

static void stream_files_say_what_options_say(void **state)
{
	struct npf_error err;
	struct npf_txgen_streamfile *f;

	(void)state;
	assert_int_equal(load("rate: 1Mpps\nduration: 10s\nseed: 7\nstreams:\n"
			      "  - {packet: \"udp(dport=53)/size=128\", weight: 7}\n"
			      "  - {packet: tcp(), size: imix}\n",
				 &f, &err),
		0);
	assert_string_equal(f->rate, "1Mpps");
	assert_string_equal(f->duration, "10s");
	assert_null(f->count);
	assert_int_equal(f->seed, 7);
	assert_int_equal(f->streams_count, 2);
	assert_string_equal(f->streams[0].packet, "udp(dport=53)/size=128");
	assert_int_equal(f->streams[0].weight, 7);
	assert_string_equal(f->streams[1].size, "imix");
	npf_txgen_streamfile_free(f);
}

static void stream_files_that_are_wrong_are_told_why(void **state)
{
	static const char *const bad[] = {"", "rate: 1\n", "streams: []\n",
		"streams:\n  - {size: 1}\n", "streams:\n  - {packet: x, colour: red}\n",
		"streams:\n  - {packet: x\n", "streams:\n  - {packet: x, weight: -1}\n"};
	struct npf_error err;
	struct npf_txgen_streamfile *f;

	(void)state;
	for (size_t i = 0; i < NPF_ARRAY_LEN(bad); i++) {
		err.text[0] = '\0';
		if (load(bad[i], &f, &err) >= 0 || !strstr(err.text, path))
			fail_msg("'%s': '%s'", bad[i], err.text);
	}
	load("streams:\n  - {packet: x, colour: red}\n", &f, &err);
	assert_non_null(strstr(err.text, "colour"));
	assert_true(npf_txgen_streamfile_load("/nonexistent", &f, &err) < 0);
}

static struct npf_txgen_result run(void)
{
	struct npf_txgen_result r = {
		.seconds = 2,
		.n_ports = 1,
		.planned = 1000,
		.sent = 1000,
		.checked = true,
		.by_sequence = true,
		.received = 1000,
	};

	r.port[0] = (struct npf_txgen_port_result){.name = "p",
		.tx_packets = 1000,
		.tx_bytes = 64000,
		.rx_packets = 1000,
		.rx_bytes = 64000};
	return r;
}

static void the_verdict_knows_every_reason_to_fail(void **state)
{
	struct npf_txgen_limits strict = {0}, loose = {.max_loss = 1, .allow_reorder = true};
	struct npf_txgen_result r = run();

	(void)state;
	assert_true(npf_txgen_result_passed(&r, &strict));
	r.lost = 10;
	assert_false(npf_txgen_result_passed(&r, &strict));
	assert_true(npf_txgen_result_passed(&r, &loose)); /* exactly 1 % */
	r.lost = 11;
	assert_false(npf_txgen_result_passed(&r, &loose));
	r = run();
	r.reordered = 1;
	assert_false(npf_txgen_result_passed(&r, &strict));
	assert_true(npf_txgen_result_passed(&r, &loose));
	r.duplicates = 1;
	assert_false(npf_txgen_result_passed(&r, &loose));
	r = run();
	r.behind = true;
	assert_false(npf_txgen_result_passed(&r, &loose));
	r = run();
	r.stalled = true;
	assert_false(npf_txgen_result_passed(&r, &loose));
	r = run();
	r.sent = 999;
	assert_false(npf_txgen_result_passed(&r, &loose));
	r.stopped = true; /* the user's wish */
	assert_true(npf_txgen_result_passed(&r, &loose));
	r = run();
	r.checked = false;
	r.lost = 1000;
	assert_true(npf_txgen_result_passed(&r, &strict));
}

static void the_verdict_wants_evidence(void **state)
{
	struct npf_txgen_limits all = {.max_loss = 100, .allow_reorder = true};
	struct npf_txgen_result r = run();

	(void)state;
	r.lost = 999;
	r.received = 1;
	assert_true(npf_txgen_result_passed(&r, &all));
	r.lost = 1000;
	r.received = 0; /* within the limit, but nothing came */
	assert_false(npf_txgen_result_passed(&r, &all));
	r = run();
	r.checked = false;
	r.port[0].tx_lost = 1; /* the port's own count */
	assert_false(npf_txgen_result_passed(&r, &all));
	r.checked = true; /* who receives knows better */
	assert_true(npf_txgen_result_passed(&r, &all));
	r = run();
	r.checked = false;
	r.port[0].tx_uncounted = true;
	assert_false(npf_txgen_result_passed(&r, &all));
	r = run();
	r.checked = false;
	r.planned = r.sent = 0;
	assert_true(npf_txgen_result_passed(&r, &all)); /* it only received */
	r.generated = true;
	assert_false(npf_txgen_result_passed(&r, &all));
	r.stopped = true; /* at once */
	assert_true(npf_txgen_result_passed(&r, &all));
}

static void json_holds_the_figures(void **state)
{
	struct npf_txgen_limits strict = {0};
	struct npf_txgen_result r = run();
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	json_error_t why;
	json_t *j;

	(void)state;
	r.latency = (struct npf_txgen_times){1000, 1, 2, 3, 4, 5, 6};
	assert_int_equal(npf_txgen_result_json(f, &r, &strict), 0);
	fclose(f);
	j = json_loads(text, 0, &why);
	assert_non_null(j);
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(j, "tx"), "packets")), 1000);
	assert_true(json_real_value(json_object_get(json_object_get(j, "tx"), "pps")) == 500);
	assert_true(json_real_value(json_object_get(json_object_get(j, "tx"), "bps_l2")) == 256000);
	assert_true(json_real_value(json_object_get(json_object_get(j, "tx"), "bps_l1")) == 352000);
	assert_true(
		json_real_value(json_object_get(json_object_get(j, "latency_ns"), "p99.9")) == 5);
	assert_true(json_is_true(json_object_get(j, "passed")));
	json_decref(j);
	free(text);
}

static int make_file(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
	(void)state;
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_search_closes_in_on_the_devices_limit),
		cmocka_unit_test(a_rate_that_is_not_reached_fails_its_trial),
		cmocka_unit_test(stream_files_say_what_options_say),
		cmocka_unit_test(stream_files_that_are_wrong_are_told_why),
		cmocka_unit_test(the_verdict_knows_every_reason_to_fail),
		cmocka_unit_test(the_verdict_wants_evidence),
		cmocka_unit_test(json_holds_the_figures),
	};

	return cmocka_run_group_tests(tests, make_file, remove_file);
}
