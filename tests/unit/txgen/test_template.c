/* SPDX-License-Identifier: BSD-3-Clause */
/* test_template.c - from a template's text to the packets, read back by plain code. */
#include "unit/txgen/check.h"

#include "txgen/program/program.h"

#define FRAME_MAX 9216

struct packet {
	uint8_t bytes[FRAME_MAX];
	uint16_t len;
};

static struct npf_txgen_tmpl *parse(const char *text)
{
	struct npf_txgen_tmpl *t = NULL;
	struct npf_error err;

	if (npf_txgen_tmpl_parse(text, &t, &err))
		fail_msg("%s: %s", text, err.text);
	return t;
}

static struct npf_txgen_prog *compile(
	const struct npf_txgen_tmpl *t, const struct npf_txgen_prog_conf *conf)
{
	struct npf_txgen_prog *p = NULL;
	struct npf_error err;

	if (npf_txgen_prog_new(t, conf, &p, &err))
		fail_msg("%s", err.text);
	return p;
}

/* The first n packets, each made in a buffer that was used before, as mbufs are. */
static void make(struct npf_txgen_prog *p, struct packet *out, unsigned int n, bool sign)
{
	static struct packet bufs[100];
	uint8_t *data[100];
	uint16_t len[100], image_len;
	uint64_t sum[100];
	const uint8_t *image = npf_txgen_prog_image(p, &image_len);

	assert_in_range(n, 1, 100);
	for (unsigned int i = 0; i < n; i++) {
		data[i] = bufs[i].bytes;
		memcpy(data[i], image, image_len);
	}
	npf_txgen_prog_run(p, data, len, sum, n);
	for (unsigned int i = 0; i < n; i++) {
		if (sign)
			npf_txgen_prog_sign(p, data[i], len[i], sum[i],
				npf_txgen_sign_head(1, 2, i), 0x0123456789abcdefull * (i + 1));
		memcpy(out[i].bytes, data[i], len[i]);
		out[i].len = len[i];
	}
}

/* Are lengths and checksums of this Ethernet packet right? A reader that knows the formats. */
static void expect_sound(const struct packet *k, const char *text)
{
	size_t off = 14;
	unsigned int type = be16_at(k->bytes + 12), proto;
	const uint8_t *l3, *l4;
	uint32_t sum = 0;
	size_t l4_len;

	while (type == 0x8100 || type == 0x88a8) {
		type = be16_at(k->bytes + off + 2);
		off += 4;
	}
	l3 = k->bytes + off;
	if (type == 0x0800) {
		if (be16_at(l3 + 2) != k->len - off)
			fail_msg("%s: IPv4 length %u of %zu", text, be16_at(l3 + 2), k->len - off);
		if (slow_sum(0, l3, 20) != 0xffff)
			fail_msg("%s: IPv4 checksum wrong", text);
		proto = l3[9];
		l4 = l3 + 20;
		if (proto != 1)
			sum = slow_sum(proto, l3 + 12, 8);
	} else if (type == 0x86dd) {
		if (be16_at(l3 + 4) != k->len - off - 40)
			fail_msg("%s: IPv6 length %u", text, be16_at(l3 + 4));
		proto = l3[6];
		l4 = l3 + 40;
		sum = slow_sum(proto, l3 + 8, 32);
	} else {
		return;
	}
	l4_len = (size_t)(k->bytes + k->len - l4);
	if (proto == 17 && be16_at(l4 + 4) != l4_len)
		fail_msg("%s: UDP length %u", text, be16_at(l4 + 4));
	if (proto != 1)
		sum += (uint32_t)l4_len;
	if (proto == 253)
		return;
	if (proto == 17 && !be16_at(l4 + 6))
		fail_msg("%s: UDP without a checksum", text);
	if (slow_sum((sum & 0xffff) + (sum >> 16), l4, l4_len) != 0xffff)
		fail_msg("%s: checksum of protocol %u wrong", text, proto);
}

static const char *const sound[] = {
	"udp()",
	"udp",
	"tcp()",
	"icmp()",
	"icmp6()",
	"ip()",
	"ip6()/udp()",
	"ip6()/tcp(flags=SA,seq=1-9)",
	"eth()",
	"arp()",
	"vlan(id=5)/udp()",
	"vlan(id=1-9,pcp=0-7)/vlan(id=random)/ip6(src=random,dst=::1-::7)/udp()/size=90|91|97",
	"eth(dst=random,src=02:00:00:00:00:01-02:00:00:00:00:ff)/udp()/size=64-99",
	"ip(src=random,dst=10.0.0.2-10.0.0.9)/udp(sport=random,dport=53)/size=128",
	"ip(src=10.0.0.0/24,ttl=1-255,id=0-65535,dscp=0-63,ecn=random)/udp()/size=64-1518",
	"ip(df=1,tos=8)/tcp(sport=1-9,dport=random,seq=random,ack=random,flags=S|SA|F,win=0-99)/"
	"size=random",
	"ip(ttl=random)/icmp(type=random,code=random,id=random,seq=0-65535)/payload=random/"
	"size=65-99",
	"ip6(tc=random,flow=random,hlim=0-255)/icmp6(seq=1-9)/payload=inc/size=imix",
	"udp()/payload=\"Chargen\"/size=1518",
	"udp()/payload=hex:00ff7e/size=63-9000+7",
	"udp(sport=0,dport=0-65535)/payload=random/size=60",
};

static void every_template_makes_sound_packets(void **state)
{
	static struct packet k[100];

	(void)state;
	for (size_t i = 0; i < NPF_ARRAY_LEN(sound); i++) {
		struct npf_txgen_prog_conf conf = {.stride = 1, .seed = 42};
		struct npf_txgen_tmpl *t = parse(sound[i]);
		struct npf_txgen_prog *p = compile(t, &conf);

		for (unsigned int round = 0; round < 30; round++) {
			unsigned int n = 1 + (round * 37) % 100;

			make(p, k, n, false);
			for (unsigned int j = 0; j < n; j++)
				expect_sound(&k[j], sound[i]);
		}
		npf_txgen_prog_free(p);
		npf_txgen_tmpl_free(t);
	}
}

static void signed_packets_are_sound_and_bear_their_number(void **state)
{
	static struct packet k[100];

	(void)state;
	for (size_t i = 0; i < NPF_ARRAY_LEN(sound); i++) {
		struct npf_txgen_prog_conf conf = {.stride = 1, .seed = 42, .sign = true};
		struct npf_txgen_tmpl *t = parse(sound[i]);
		struct npf_error err;
		struct npf_txgen_prog *p;

		if (npf_txgen_prog_new(t, &conf, &p, &err)) { /* too small for it, as it says */
			assert_non_null(strstr(err.text, "has no room"));
			assert_true(npf_txgen_values_min(&t->size) < t->hdr_len + 16u);
			npf_txgen_tmpl_free(t);
			continue;
		}
		make(p, k, 100, true);
		for (unsigned int j = 0; j < 100; j++) {
			uint64_t head, tsc;

			expect_sound(&k[j], sound[i]);
			npf_txgen_sign_read(k[j].bytes + k[j].len - 16, &head, &tsc);
			assert_true(head == (0x4e47ull << 48 | 1ull << 40 | 2ull << 32 | j));
			assert_true(tsc == 0x0123456789abcdefull * (j + 1));
		}
		npf_txgen_prog_free(p);
		npf_txgen_tmpl_free(t);
	}
}

static void buffers_in_any_order_give_the_same_packets(void **state)
{
	static struct packet once[100], again[100];
	static uint8_t bufs[32][FRAME_MAX];

	(void)state;
	for (size_t i = 0; i < NPF_ARRAY_LEN(sound); i++) {
		struct npf_txgen_prog_conf conf = {.stride = 1, .seed = 7};
		struct npf_txgen_tmpl *t = parse(sound[i]);
		struct npf_txgen_prog *p = compile(t, &conf), *q = compile(t, &conf);
		uint16_t image_len;
		const uint8_t *image = npf_txgen_prog_image(q, &image_len);

		make(p, once, 96, false);
		for (unsigned int b = 0; b < 32; b++)
			memcpy(bufs[b], image, image_len);
		for (unsigned int done = 0; done < 96;) { /* buffers come back in reverse */
			unsigned int n = 1 + done % 32;
			uint8_t *data[32];
			uint16_t len[32];

			if (n > 96 - done)
				n = 96 - done;
			for (unsigned int b = 0; b < n; b++)
				data[b] = bufs[(done + 31 - b) % 32];
			npf_txgen_prog_run(q, data, len, NULL, n);
			for (unsigned int b = 0; b < n; b++) {
				memcpy(again[done + b].bytes, data[b], len[b]);
				again[done + b].len = len[b];
			}
			done += n;
		}
		for (unsigned int j = 0; j < 96; j++) {
			assert_int_equal(once[j].len, again[j].len);
			assert_memory_equal(once[j].bytes, again[j].bytes, once[j].len);
		}
		npf_txgen_prog_free(p);
		npf_txgen_prog_free(q);
		npf_txgen_tmpl_free(t);
	}
}

static void the_contracts_example_has_every_field_it_names(void **state)
{
	struct npf_txgen_prog_conf conf = {.stride = 1};
	struct npf_txgen_tmpl *t = parse("eth(dst=02:00:00:00:00:02)/vlan(id=5)/"
					 "ip(src=10.0.0.1,dst=10.0.0.2-10.0.0.9)/"
					 "udp(sport=random,dport=53)/size=128");
	struct npf_txgen_prog *p = compile(t, &conf);
	static struct packet k[20];
	unsigned int ports = 0;

	(void)state;
	make(p, k, 20, false);
	for (unsigned int i = 0; i < 20; i++) {
		const uint8_t *b = k[i].bytes;

		assert_int_equal(k[i].len, 128);
		assert_memory_equal(b, "\2\0\0\0\0\2", 6);
		assert_int_equal(be16_at(b + 12), 0x8100);
		assert_int_equal(be16_at(b + 14), 5);
		assert_int_equal(be16_at(b + 16), 0x0800);
		assert_int_equal(be32_at(b + 18 + 12), 0x0a000001);
		assert_int_equal(be32_at(b + 18 + 16), 0x0a000002 + i % 8);
		assert_int_equal(be16_at(b + 38 + 2), 53);
		ports += be16_at(b + 38) != be16_at(k[0].bytes + 38);
	}
	assert_true(ports > 15);
	npf_txgen_prog_free(p);
	npf_txgen_tmpl_free(t);
}

static void headers_are_supplied_and_chained(void **state)
{
	struct npf_txgen_prog_conf conf = {.stride = 1, .mac = (const uint8_t *)"\2\7\7\7\7\7"};
	struct npf_txgen_tmpl *t = parse("vlan(id=1)/vlan(id=2)/tcp()");
	struct npf_txgen_prog *p = compile(t, &conf);
	struct packet k;

	(void)state;
	make(p, &k, 1, false);
	assert_memory_equal(k.bytes + 6, "\2\7\7\7\7\7", 6);
	assert_int_equal(be16_at(k.bytes + 12), 0x88a8);
	assert_int_equal(be16_at(k.bytes + 16), 0x8100);
	assert_int_equal(be16_at(k.bytes + 20), 0x0800);
	assert_int_equal(k.bytes[22 + 9], 6);
	npf_txgen_prog_free(p);
	npf_txgen_tmpl_free(t);

	t = parse("eth(src=02:00:00:00:00:09)/vlan(tpid=0x9100)/arp(op=2,spa=10.0.0.1)");
	p = compile(t, &conf);
	make(p, &k, 1, false);
	assert_memory_equal(k.bytes + 6, "\2\0\0\0\0\11", 6);
	assert_int_equal(be16_at(k.bytes + 12), 0x9100);
	assert_int_equal(be16_at(k.bytes + 16), 0x0806);
	assert_memory_equal(k.bytes + 18 + 8, "\2\7\7\7\7\7\12\0\0\1", 10);
	npf_txgen_prog_free(p);
	npf_txgen_tmpl_free(t);
}

static void given_lengths_and_checksums_are_kept(void **state)
{
	struct npf_txgen_prog_conf conf = {.stride = 1};
	struct npf_txgen_tmpl *t = parse("ip(len=77,csum=0x1234,dst=1.1.1.1-1.1.1.9)/"
					 "udp(csum=0,len=9)/size=64-80");
	struct npf_txgen_prog *p = compile(t, &conf);
	static struct packet k[9];

	(void)state;
	make(p, k, 9, false);
	for (unsigned int i = 0; i < 9; i++) {
		assert_int_equal(be16_at(k[i].bytes + 16), 77);
		assert_int_equal(be16_at(k[i].bytes + 24), 0x1234);
		assert_int_equal(be16_at(k[i].bytes + 34 + 4), 9);
		assert_int_equal(be16_at(k[i].bytes + 34 + 6), 0);
	}
	npf_txgen_prog_free(p);
	npf_txgen_tmpl_free(t);
}

static void for_the_port_only_the_pseudo_header_is_summed(void **state)
{
	struct npf_txgen_prog_conf conf = {.stride = 1, .hw_csum = true};
	struct npf_txgen_tmpl *t = parse("ip(dst=10.0.0.1-10.0.0.9)/udp(sport=random)/size=64-99");
	struct npf_txgen_prog *p = compile(t, &conf);
	struct npf_txgen_prog_offload o;
	static struct packet k[50];

	(void)state;
	npf_txgen_prog_offload(p, &o);
	assert_true(o.ip4 && o.udp && !o.tcp);
	assert_int_equal(o.l2_len, 14);
	assert_int_equal(o.l3_len, 20);
	make(p, k, 50, false);
	for (unsigned int i = 0; i < 50; i++) {
		const uint8_t *l3 = k[i].bytes + 14;
		uint32_t sum = slow_sum(17 + k[i].len - 34u, l3 + 12, 8);

		assert_int_equal(be16_at(l3 + 10), 0);
		assert_int_equal(be16_at(l3 + 26), sum);
	}
	npf_txgen_prog_free(p);
	npf_txgen_tmpl_free(t);
}

static void sizes_follow_the_mix(void **state)
{
	struct npf_txgen_prog_conf conf = {.stride = 1};
	struct npf_txgen_tmpl *t = parse("udp()/size=imix");
	struct npf_txgen_prog *p = compile(t, &conf);
	static struct packet k[96];
	unsigned int n64 = 0, n594 = 0, n1514 = 0;

	(void)state;
	make(p, k, 96, false);
	for (unsigned int i = 0; i < 96; i++) {
		n64 += k[i].len == 64;
		n594 += k[i].len == 594;
		n1514 += k[i].len == 1514;
	}
	assert_int_equal(n64, 56);
	assert_int_equal(n594, 32);
	assert_int_equal(n1514, 8);
	npf_txgen_prog_free(p);
	npf_txgen_tmpl_free(t);
}

static void templates_refuse_nonsense_and_say_what_would_be_right(void **state)
{
	static const struct {
		const char *text, *word;
	} bad[] = {
		{"", "name is missing"},
		{"udp(", "parenthesis"},
		{"udp()x", "parenthesis"},
		{"foo()", "no header 'foo'"},
		{"ip()/eth()", "eth cannot follow ip"},
		{"udp()/tcp()", "tcp cannot follow udp"},
		{"udp()/ip()", "ip cannot follow udp"},
		{"arp()/udp()", "udp cannot follow"},
		{"ip(srcc=1.1.1.1)", "it has: src dst"},
		{"ip(src)", "field=value"},
		{"ip(src=1.1.1)", "not an IPv4 address"},
		{"vlan(id=4096)", "above 4095"},
		{"udp(sport=1-9,sport=2-3)", "varies twice"},
		{"ip(dscp=1-3,tos=4-5)", "varies twice"},
		{"size=12", "at least 14"},
		{"udp()/size=41", "headers take 42"},
		{"tcp()/size=70-50", "headers take 54"},
		{"udp()/size=x", "not a number"},
		{"udp()/size=70000", "above 65000"},
		{"udp()/payload=nothing", "write zero"},
		{"udp()/colour=red", "neither size= nor payload="},
		{"raw()", "raw(hex=...)"},
		{"raw(hex=0)", "pairs of hex"},
		{"raw(hex=00)", "cannot be sent"},
		{"raw(file=/nonexistent)", "No such file"},
	};

	(void)state;
	for (size_t i = 0; i < NPF_ARRAY_LEN(bad); i++) {
		struct npf_txgen_tmpl *t = NULL;
		struct npf_error err;
		int rc = npf_txgen_tmpl_parse(bad[i].text, &t, &err);

		if (rc >= 0 || !strstr(err.text, bad[i].word))
			fail_msg("'%s': rc %d, '%s'", bad[i].text, rc, err.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_template_makes_sound_packets),
		cmocka_unit_test(signed_packets_are_sound_and_bear_their_number),
		cmocka_unit_test(buffers_in_any_order_give_the_same_packets),
		cmocka_unit_test(the_contracts_example_has_every_field_it_names),
		cmocka_unit_test(headers_are_supplied_and_chained),
		cmocka_unit_test(given_lengths_and_checksums_are_kept),
		cmocka_unit_test(for_the_port_only_the_pseudo_header_is_summed),
		cmocka_unit_test(sizes_follow_the_mix),
		cmocka_unit_test(templates_refuse_nonsense_and_say_what_would_be_right),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
