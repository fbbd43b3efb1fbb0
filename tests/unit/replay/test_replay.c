/* SPDX-License-Identifier: BSD-3-Clause */
/* Savefiles and their replay: what is read, what is refused, and when which packet is due. */
#include "replay/replay.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <string.h>

static char path[] = "/tmp/npf-replay-XXXXXX";
static struct npf_error err;

/* Packets of 60, 61, ... bytes at these microseconds. */
static void write_file(int linktype, const long *us, unsigned int n)
{
	pcap_t *dead = pcap_open_dead(linktype, 65535);
	pcap_dumper_t *d;
	u_char frame[256];

	assert_non_null(dead);
	d = pcap_dump_open(dead, path);
	assert_non_null(d);
	for (unsigned int i = 0; i < n; i++) {
		struct pcap_pkthdr h = {.caplen = 60 + i, .len = 60 + i};

		h.ts.tv_sec = 1000 + us[i] / 1000000;
		h.ts.tv_usec = us[i] % 1000000;
		memset(frame, (int)i, sizeof(frame));
		pcap_dump((u_char *)d, &h, frame);
	}
	pcap_dump_close(d);
	pcap_close(dead);
}

static struct npf_savefile *load(const long *us, unsigned int n)
{
	struct npf_savefile *s;

	write_file(DLT_EN10MB, us, n);
	assert_int_equal(npf_savefile_load(path, NULL, &s, &err), 0);
	assert_int_equal(s->n_packets, n);
	return s;
}

static int make_path(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	npf_close(fd);
	return fd < 0;
}

static int remove_path(void **state)
{
	(void)state;
	return unlink(path);
}

static void a_file_is_read_with_its_distances(void **state)
{
	static const long us[] = {500000, 500010, 500005, 1500000};
	struct npf_savefile *s = load(us, 4);

	(void)state;
	assert_int_equal(s->bytes, 60 + 61 + 62 + 63);
	assert_int_equal(s->max_len, 63);
	assert_int_equal(s->packets[0].at_ns, 0);
	assert_int_equal(s->packets[1].at_ns, 10000);
	assert_int_equal(s->packets[2].at_ns, 10000); /* its stamp goes back */
	assert_int_equal(s->packets[3].at_ns, NPF_NS_PER_S);
	assert_int_equal(s->span_ns, NPF_NS_PER_S + NPF_NS_PER_S / 3);
	assert_int_equal(s->packets[3].off, 60 + 61 + 62);
	assert_int_equal(s->data[s->packets[2].off], 2);
	npf_savefile_free(s);
}

static void what_cannot_be_replayed_is_refused_by_name(void **state)
{
	static const long us[] = {0, 1, 2};
	const struct npf_savefile_want want = {.min_len = 61, .max_len = 61};
	struct npf_savefile *s;

	(void)state;
	assert_int_equal(npf_savefile_load("/nonexistent.pcap", NULL, &s, &err), -EINVAL);
	assert_non_null(strstr(err.text, "/nonexistent.pcap"));
	write_file(DLT_RAW, us, 3);
	assert_int_equal(npf_savefile_load(path, NULL, &s, &err), -EINVAL);
	assert_non_null(strstr(err.text, "Ethernet"));
	write_file(DLT_EN10MB, us, 0);
	assert_int_equal(npf_savefile_load(path, NULL, &s, &err), -ENODATA);
	assert_non_null(strstr(err.text, path));

	write_file(DLT_EN10MB, us, 3);
	assert_int_equal(npf_savefile_load(path, &want, &s, &err), 0);
	assert_int_equal(s->n_packets, 1);
	assert_int_equal(s->n_skipped, 2);
	npf_savefile_free(s);
	assert_int_equal(truncate(path, 24 + 16 + 60 + 16 + 61 + 20), 0);
	assert_int_equal(npf_savefile_load(path, NULL, &s, &err), -EINVAL);
	assert_non_null(strstr(err.text, "truncated"));
}

static void damage_is_refused_with_its_place(void **state)
{
	static const long us[] = {0, 1, 2, 3};
	const struct npf_savefile_want some = {.min_len = 61, .max_len = 61};
	const struct npf_savefile_want two = {.limit = 2, .max_len = 61};
	const uint32_t lie = 0x7fffffff;
	struct npf_savefile *s;
	FILE *f;

	(void)state;
	write_file(DLT_EN10MB, us, 4);
	f = fopen(path, "r+");
	assert_non_null(f);
	assert_int_equal(fseek(f, 24 + 16 + 60 + 16 + 61 + 8, SEEK_SET), 0);
	assert_int_equal(fwrite(&lie, sizeof(lie), 1, f), 1);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(npf_savefile_load(path, NULL, &s, &err), -EINVAL);
	assert_non_null(strstr(err.text, "damaged at packet 3, byte 177: "));
	assert_non_null(strstr(err.text, "-c 2 -w GOOD"));
	assert_int_equal(npf_savefile_load(path, &some, &s, &err), -EINVAL);
	assert_int_equal(npf_savefile_load(path, &two, &s, &err), 0);
	assert_int_equal(s->n_packets, 2);
	npf_savefile_free(s);

	assert_int_equal(truncate(path, 24 + 16 + 59), 0);
	assert_int_equal(npf_savefile_load(path, NULL, &s, &err), -EINVAL);
	assert_non_null(strstr(err.text, "damaged at packet 1, byte 24: "));
}

static bool is_odd(const void *arg, const void *frame, uint32_t len)
{
	(void)frame;
	return len % 2 == *(const uint32_t *)arg;
}

static void what_does_not_fit_is_left_out_and_the_rest_stays_as_it_was(void **state)
{
	static const long us[] = {0, 10, 20, 30, 40};
	const uint32_t odd = 1, never = 2;
	struct npf_savefile *s = load(us, 5);

	(void)state;
	assert_int_equal(npf_savefile_keep(s, is_odd, &odd), 3);
	assert_int_equal(s->n_packets, 2);
	assert_int_equal(s->n_skipped, 3);
	assert_int_equal(s->bytes, 61 + 63);
	assert_int_equal(s->max_len, 63);
	assert_int_equal(s->packets[1].off, 61);
	assert_int_equal(s->packets[1].at_ns, 30000);
	assert_int_equal(s->data[0], 1);
	assert_int_equal(s->data[61 + 62], 3);
	assert_int_equal(npf_savefile_keep(s, is_odd, &never), 2);
	assert_int_equal(s->n_packets, 0);
	npf_savefile_free(s);
}

static void each_rate_has_its_schedule(void **state)
{
	static const long us[] = {0, 10, 100};
	struct npf_savefile *s = load(us, 3);
	const struct {
		struct npf_rate rate;
		uint64_t at[7]; /* two rounds of three, then the end */
	} rows[] = {
		{{NPF_RATE_ORIGINAL, 1}, {0, 10000, 100000, 150000, 160000, 250000}},
		{{NPF_RATE_ORIGINAL, 2}, {0, 5000, 50000, 75000, 80000, 125000}},
		{{NPF_RATE_PPS, 1e6}, {0, 1000, 2000, 3000, 4000, 5000}},
		{{NPF_RATE_BPS_L2, 8e9}, {0, 60, 121, 183, 243, 304}},
		{{NPF_RATE_BPS_L1, 8e9}, {0, 84, 169, 255, 339, 424}},
	};
	struct npf_replay_item it;

	(void)state;
	for (unsigned int row = 0; row < NPF_ARRAY_LEN(rows); row++) {
		struct npf_replay r = {.file = s, .rate = rows[row].rate, .loops = 2, .repeat = 1};

		for (unsigned int i = 0; i < 6; i++) {
			assert_true(npf_replay_next(&r, &it));
			assert_true(it.timed);
			assert_int_equal(it.at_ns, rows[row].at[i]);
			assert_int_equal(it.len, 60 + i % 3);
			assert_memory_equal(it.frame, s->data + s->packets[i % 3].off, it.len);
			npf_replay_advance(&r);
		}
		assert_false(npf_replay_next(&r, &it));
		assert_int_equal(r.n, 6);
	}
	npf_savefile_free(s);
}

static void repetitions_count_in_rates_and_bytes(void **state)
{
	static const long us[] = {0, 10, 100};
	struct npf_savefile *s = load(us, 3);
	struct npf_replay r = {.file = s, .rate = {NPF_RATE_PPS, 1e6}, .loops = 2, .repeat = 5};
	struct npf_replay_item it;
	uint64_t bytes = 0;

	(void)state;
	assert_int_equal(npf_replay_round(&r), 15);
	for (unsigned int i = 0; npf_replay_next(&r, &it); i++) {
		assert_int_equal(it.repeat, 5);
		assert_int_equal(it.at_ns, 5000 * i);
		assert_int_equal(npf_replay_bytes(&r, r.n), bytes);
		bytes += 5 * it.len;
		npf_replay_advance(&r);
	}
	assert_int_equal(npf_replay_bytes(&r, 30), bytes);
	assert_int_equal(bytes, 10 * (60 + 61 + 62));
	npf_savefile_free(s);
}

/* Whatever was sent before an interruption, the rest makes it whole. */
static void a_replay_goes_on_anywhere(void **state)
{
	static const long us[] = {0, 10, 100};
	struct npf_savefile *s = load(us, 3);

	(void)state;
	for (uint64_t at = 0; at < 24; at++) {
		struct npf_replay r = {.file = s, .loops = 2, .repeat = 4};
		uint64_t n = at, bytes = npf_replay_bytes(&r, at);
		struct npf_replay_item it;

		npf_replay_seek(&r, at);
		while (npf_replay_next(&r, &it)) {
			n += it.repeat;
			bytes += (uint64_t)it.repeat * it.len;
			npf_replay_advance(&r);
			assert_int_equal(r.n, n);
		}
		assert_int_equal(n, 24);
		assert_int_equal(bytes, 8 * (60 + 61 + 62));
	}
	npf_savefile_free(s);
}

static void an_endless_replay_does_not_end(void **state)
{
	static const long us[] = {0, 10};
	struct npf_savefile *s = load(us, 2);
	struct npf_replay r = {.file = s, .rate = {NPF_RATE_ORIGINAL, 1}, .repeat = 1};
	struct npf_replay_item it;

	(void)state;
	npf_replay_seek(&r, 1ull << 40);
	assert_true(npf_replay_next(&r, &it));
	assert_int_equal(it.at_ns, (1ull << 39) * 20000);
	assert_int_equal(npf_replay_bytes(&r, 1ull << 40), (1ull << 39) * 121);
	npf_savefile_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_read_with_its_distances),
		cmocka_unit_test(what_cannot_be_replayed_is_refused_by_name),
		cmocka_unit_test(damage_is_refused_with_its_place),
		cmocka_unit_test(what_does_not_fit_is_left_out_and_the_rest_stays_as_it_was),
		cmocka_unit_test(each_rate_has_its_schedule),
		cmocka_unit_test(repetitions_count_in_rates_and_bytes),
		cmocka_unit_test(a_replay_goes_on_anywhere),
		cmocka_unit_test(an_endless_replay_does_not_end),
	};

	return cmocka_run_group_tests(tests, make_path, remove_path);
}
