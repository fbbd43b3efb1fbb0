/* SPDX-License-Identifier: BSD-3-Clause */
/* test_raw.c - packets from hex files and savefiles, sent as they are or with fields changed. */
#include "unit/txgen/check.h"

#include "txgen/program/source.h"

#include <pcap/pcap.h>
#include <stdlib.h>
#include <unistd.h>

/* UDP 10.0.0.1:1000 -> 10.0.0.2:53, three bytes of payload, padded by Ethernet to 60. */
static const uint8_t dns[60] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 0, 31, 0, 0, 0,
	0, 64, 17, 0x66, 0xcc, 10, 0, 0, 1, 10, 0, 0, 2, 3, 0xe8, 0, 53, 0, 11, 0x63, 0x76, 0x41,
	0x42, 0x43};

static char dir[] = "/tmp/npf-raw-test-XXXXXX";
static char hex_path[64], pcap_path[64];

static int make_files(void **state)
{
	pcap_t *p =
		pcap_open_dead_with_tstamp_precision(DLT_EN10MB, 65535, PCAP_TSTAMP_PRECISION_NANO);
	pcap_dumper_t *d;
	FILE *f;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(hex_path, sizeof(hex_path), "%s/p.hex", dir);
	snprintf(pcap_path, sizeof(pcap_path), "%s/p.pcap", dir);
	f = fopen(hex_path, "w");
	assert_non_null(f);
	fprintf(f, "# two packets\n\n");
	for (size_t i = 0; i < sizeof(dns); i++)
		fprintf(f, "%02x%s", dns[i], i % 16 == 15 ? "\n" : " ");
	fprintf(f, "# the first\n\n\n02:00:00:00:00:02-020000000001 88b5 # a short one\n");
	fclose(f);

	d = pcap_dump_open(p, pcap_path);
	assert_non_null(d);
	for (unsigned int i = 0; i < 4; i++) {
		static const int us[] = {0, 100, 50, 300}; /* the third goes back in time */
		uint8_t pkt[60];
		struct pcap_pkthdr h = {
			.ts = {.tv_sec = 1000, .tv_usec = us[i] * 1000},
			.caplen = i == 3 ? 50 : 60,
			.len = 60,
		};

		memcpy(pkt, dns, sizeof(pkt));
		pkt[33] = (uint8_t)(i + 2);
		pcap_dump((u_char *)d, &h, pkt);
	}
	pcap_dump_close(d);
	pcap_close(p);
	return 0;
}

static int remove_files(void **state)
{
	(void)state;
	unlink(hex_path);
	unlink(pcap_path);
	return rmdir(dir);
}

static void one(
	const char *text, const struct npf_txgen_prog_conf *conf, uint8_t *out, uint16_t *len)
{
	struct npf_txgen_tmpl *t = NULL;
	struct npf_txgen_prog *p = NULL;
	struct npf_error err;
	const uint8_t *image;
	uint64_t sum = 0;
	uint16_t image_len;

	if (npf_txgen_tmpl_parse(text, &t, &err) || npf_txgen_prog_new(t, conf, &p, &err))
		fail_msg("%s: %s", text, err.text);
	image = npf_txgen_prog_image(p, &image_len);
	memcpy(out, image, image_len);
	npf_txgen_prog_run(p, &out, len, &sum, 1);
	if (conf->sign)
		npf_txgen_prog_sign(p, out, *len, sum, npf_txgen_sign_head(0, 0, 0), 99);
	npf_txgen_prog_free(p);
	npf_txgen_tmpl_free(t);
}

static void untouched_bytes_are_sent_as_they_are(void **state)
{
	struct npf_txgen_prog_conf conf = {.stride = 1};
	char text[128];
	uint8_t out[2048];
	uint16_t len;

	(void)state;
	snprintf(text, sizeof(text), "raw(file=%s)", hex_path);
	one(text, &conf, out, &len);
	assert_int_equal(len, 60);
	assert_memory_equal(out, dns, 60);
	snprintf(text, sizeof(text), "raw(file=%s,n=1)", pcap_path);
	one(text, &conf, out, &len);
	assert_memory_equal(out, dns, 60);
}

static uint32_t udp_sum(const uint8_t *p, size_t l4_len)
{
	uint32_t sum = slow_sum(17 + (uint32_t)l4_len, p + 26, 8);

	return slow_sum(sum, p + 34, l4_len);
}

static void changed_fields_keep_length_padding_and_checksums_right(void **state)
{
	struct npf_txgen_prog_conf conf = {.stride = 1};
	char text[128];
	uint8_t out[2048];
	uint16_t len;

	(void)state;
	snprintf(text, sizeof(text), "raw(file=%s)/ip(dst=10.9.9.9-10.9.9.12)/udp(dport=99)",
		hex_path);
	one(text, &conf, out, &len);
	assert_int_equal(len, 60);
	assert_int_equal(be16_at(out + 16), 31);
	assert_int_equal(be32_at(out + 30), 0x0a090909);
	assert_int_equal(be16_at(out + 36), 99);
	assert_int_equal(slow_sum(0, out + 14, 20), 0xffff);
	assert_int_equal(udp_sum(out, 11), 0xffff);
	assert_memory_equal(out + 42, dns + 42, 18);

	snprintf(text, sizeof(text), "raw(file=%s)/size=80", hex_path);
	one(text, &conf, out, &len);
	assert_int_equal(len, 80);
	assert_int_equal(be16_at(out + 16), 66);
	assert_int_equal(slow_sum(0, out + 14, 20), 0xffff);
	assert_int_equal(udp_sum(out, 46), 0xffff);
}

static void a_signature_turns_padding_into_payload(void **state)
{
	struct npf_txgen_prog_conf conf = {.stride = 1, .sign = true};
	char text[128];
	uint8_t out[2048];
	uint16_t len;

	(void)state;
	snprintf(text, sizeof(text), "raw(file=%s)", hex_path);
	one(text, &conf, out, &len);
	assert_int_equal(len, 60);
	assert_int_equal(be16_at(out + 16), 46);
	assert_int_equal(slow_sum(0, out + 14, 20), 0xffff);
	assert_int_equal(udp_sum(out, 26), 0xffff);
	assert_int_equal(be16_at(out + 44), NPF_TXGEN_SIGN_MAGIC);
}

static void files_give_all_or_some_of_their_packets(void **state)
{
	static const struct {
		const char *suffix;
		unsigned int n;
	} t[] = {{"", 4}, {"#2", 1}, {"#2-3", 2}, {"#3-9", 2}};
	char arg[128];
	struct npf_error err;
	struct npf_txgen_tmpl **ts;
	unsigned int n;

	(void)state;
	for (size_t i = 0; i < NPF_ARRAY_LEN(t); i++) {
		snprintf(arg, sizeof(arg), "%s%s", pcap_path, t[i].suffix);
		assert_int_equal(npf_txgen_tmpl_load(arg, &ts, &n, &err), 0);
		assert_int_equal(n, t[i].n);
		npf_txgen_tmpl_list_free(ts, n);
	}
	snprintf(arg, sizeof(arg), "@%s", hex_path);
	assert_int_equal(npf_txgen_tmpl_load(arg, &ts, &n, &err), 0);
	assert_int_equal(n, 2);
	assert_int_equal(ts[1]->base_len, 14);
	npf_txgen_tmpl_list_free(ts, n);
	assert_int_equal(
		npf_txgen_tmpl_load("ff:ff:ff:ff:ff:ff 020000000001 0806 00010800", &ts, &n, &err),
		0);
	assert_int_equal(ts[0]->base_len, 18);
	npf_txgen_tmpl_list_free(ts, n);
	snprintf(arg, sizeof(arg), "%s#5", pcap_path);
	assert_true(npf_txgen_tmpl_load(arg, &ts, &n, &err) < 0);
	assert_non_null(strstr(err.text, "no packet 5"));
}

static void broken_packets_never_mislead_the_dissector(void **state)
{
	(void)state;
	for (size_t len = 14; len <= sizeof(dns); len++) {
		for (unsigned int bit = 96; bit < 8 * len; bit++) {
			struct npf_txgen_prog_conf conf = {.stride = 1, .sign = len > 44};
			struct npf_error err;
			struct npf_txgen_tmpl *t;
			struct npf_txgen_prog *p;
			uint8_t *pkt = malloc(len); /* exact, so that a sanitizer sees overruns */

			memcpy(pkt, dns, len);
			pkt[bit / 8] ^= (uint8_t)(1u << bit % 8);
			assert_int_equal(npf_txgen_tmpl_from_bytes(pkt, len, &t, &err), 0);
			free(pkt);
			assert_true(t->hdr_len + t->tail <= len);
			if (!npf_txgen_prog_new(t, &conf, &p, &err)) {
				uint16_t got, image_len;
				uint64_t sum;
				uint8_t *data = malloc(len); /* as long as the packet */

				const uint8_t *image = npf_txgen_prog_image(p, &image_len);

				memcpy(data, image, image_len);
				npf_txgen_prog_run(p, &data, &got, &sum, 1);
				assert_int_equal(got, len);
				if (conf.sign)
					npf_txgen_prog_sign(p, data, got, sum, 0, 0);
				free(data);
				npf_txgen_prog_free(p);
			}
			npf_txgen_tmpl_free(t);
		}
	}
}

static void a_savefile_replays_in_order_with_its_own_timing(void **state)
{
	struct npf_savefile *f;
	struct npf_error err;
	struct npf_txgen_source_conf conf = {.n_queues = 1};
	struct npf_txgen_source *s;
	static const uint64_t due_us[] = {0, 100, 100, 300, 400, 500, 500, 700, 800};

	(void)state;
	assert_true(npf_savefile_is(pcap_path));
	assert_false(npf_savefile_is(hex_path));
	assert_int_equal(npf_txgen_savefile_load(pcap_path, 0, &f, &err), 0);
	assert_int_equal(f->n_packets, 4);
	assert_int_equal(f->n_cut, 1);
	assert_int_equal(f->max_len, 60);
	conf.savefile = f;
	assert_int_equal(npf_txgen_source_new(&conf, &s, &err), 0);
	for (unsigned int i = 0; i < NPF_ARRAY_LEN(due_us); i++) {
		uint64_t due;
		const struct npf_saved *k = npf_txgen_source_saved(s, &due);

		assert_ptr_equal(k, &f->packets[i % 4]);
		assert_int_equal(due, due_us[i] * 1000);
		assert_int_equal(f->data[k->off + 33], i % 4 + 2);
	}
	npf_txgen_source_free(s);
	npf_savefile_free(f);
}

static void three_queues_share_a_savefile(void **state)
{
	struct npf_savefile *f;
	struct npf_error err;
	struct npf_txgen_source *s[3];

	(void)state;
	assert_int_equal(npf_txgen_savefile_load(pcap_path, 0, &f, &err), 0);
	for (unsigned int q = 0; q < 3; q++) {
		struct npf_txgen_source_conf conf = {.n_queues = 3, .queue = q, .savefile = f};

		assert_int_equal(npf_txgen_source_new(&conf, &s[q], &err), 0);
	}
	for (unsigned int i = 0; i < 24; i++) {
		uint64_t due;

		assert_ptr_equal(npf_txgen_source_saved(s[i % 3], &due), &f->packets[i % 4]);
	}
	for (unsigned int q = 0; q < 3; q++)
		npf_txgen_source_free(s[q]);
	npf_savefile_free(f);
}

static void a_sequence_repeats_each_template_by_its_weight(void **state)
{
	static const char *const texts[] = {"udp(sport=1-9)", "udp(sport=100-109)/size=70"};
	static const uint32_t weights[] = {2, 1};
	struct npf_error err;
	struct npf_txgen_tmpl *t[2];
	struct npf_txgen_source *s[2];
	unsigned int got[2][9], all[2] = {0, 0};

	(void)state;
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(npf_txgen_tmpl_parse(texts[i], &t[i], &err), 0);
	for (unsigned int q = 0; q < 2; q++) {
		struct npf_txgen_source_conf conf = {
			.tmpls = t, .weights = weights, .n_tmpls = 2, .queue = q, .n_queues = 2};

		assert_int_equal(npf_txgen_source_new(&conf, &s[q], &err), 0);
		for (unsigned int n = 0; n < 9;) {
			unsigned int prog, m = npf_txgen_source_take(s[q], 9 - n, &prog);
			struct npf_txgen_prog *p = npf_txgen_source_prog(s[q], prog);
			uint8_t buf[70], *data = buf;
			uint16_t len;

			while (m--) {
				memcpy(buf, npf_txgen_prog_image(p, &len), prog ? 70 : 64);
				npf_txgen_prog_run(p, &data, &len, NULL, 1);
				got[q][n++] = be16_at(buf + 34);
			}
			all[prog]++;
		}
		npf_txgen_source_free(s[q]);
	}
	/* Cycles 0, 2, 4 on queue 0 and 1, 3, 5 on queue 1. */
	static const unsigned int want[2][9] = {
		{1, 2, 100, 5, 6, 102, 9, 1, 104}, {3, 4, 101, 7, 8, 103, 2, 3, 105}};

	for (unsigned int q = 0; q < 2; q++) {
		for (unsigned int i = 0; i < 9; i++)
			assert_int_equal(got[q][i], want[q][i]);
	}
	npf_txgen_tmpl_free(t[0]);
	npf_txgen_tmpl_free(t[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(untouched_bytes_are_sent_as_they_are),
		cmocka_unit_test(changed_fields_keep_length_padding_and_checksums_right),
		cmocka_unit_test(a_signature_turns_padding_into_payload),
		cmocka_unit_test(files_give_all_or_some_of_their_packets),
		cmocka_unit_test(broken_packets_never_mislead_the_dissector),
		cmocka_unit_test(a_savefile_replays_in_order_with_its_own_timing),
		cmocka_unit_test(three_queues_share_a_savefile),
		cmocka_unit_test(a_sequence_repeats_each_template_by_its_weight),
	};

	return cmocka_run_group_tests(tests, make_files, remove_files);
}
