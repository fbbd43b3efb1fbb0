/* SPDX-License-Identifier: BSD-3-Clause */
/* test_check.c - requests that the daemon refuses unread. */
#include "wire/wire.h"

#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <string.h>

struct request {
	struct npf_wire_msg msg;
	_Alignas(8) unsigned char body[8192];
};

/* A good request of each type; the tests spoil it from there. */
static void good_request(struct request *r, uint16_t type)
{
	memset(r, 0, sizeof(*r));
	r->msg.hdr = (struct npf_wire_hdr){
		.magic = NPF_WIRE_MAGIC, .version = NPF_WIRE_VERSION, .type = type};
	r->msg.body = r->body;
	switch (type) {
	case NPF_WIRE_HELLO:
		r->msg.body_len = sizeof(struct npf_wire_hello);
		break;
	case NPF_WIRE_OPEN:
		((struct npf_wire_open *)r->body)->n_insns = 3;
		r->msg.body_len = sizeof(struct npf_wire_open) + 24;
		break;
	case NPF_WIRE_SET_FILTER:
		((struct npf_wire_filter *)r->body)->n_insns = 2;
		r->msg.body_len = sizeof(struct npf_wire_filter) + 16;
		break;
	case NPF_WIRE_SET_PARAMS:
		r->msg.body_len = sizeof(struct npf_wire_params);
		break;
	case NPF_WIRE_SET_BUFFER:
		r->msg.body_len = sizeof(struct npf_wire_set_buffer);
		break;
	case NPF_WIRE_SEND:
		((struct npf_wire_send *)r->body)->len = 60;
		r->msg.body_len = sizeof(struct npf_wire_send) + 60;
		break;
	case NPF_WIRE_QUERY:
		r->msg.body_len = sizeof(struct npf_wire_query);
		break;
	case NPF_WIRE_DUMP:
		((struct npf_wire_dump *)r->body)->n_insns = 2;
		r->msg.body_len = sizeof(struct npf_wire_dump) + 16;
		break;
	case NPF_WIRE_DUMP_CONTROL:
		r->msg.body_len = sizeof(struct npf_wire_dump_control);
		break;
	case NPF_WIRE_SEND_LANE:
		r->msg.body_len = sizeof(struct npf_wire_send_lane);
		break;
	case NPF_WIRE_PORT_ADD:
		r->msg.body_len = sizeof(struct npf_wire_port_add);
		break;
	case NPF_WIRE_PORT_DEL:
		r->msg.body_len = sizeof(struct npf_wire_port_name);
		break;
	case NPF_WIRE_SET_MODE: {
		struct npf_wire_set_mode *m = (struct npf_wire_set_mode *)r->body;
		struct npf_wire_row *rows = (struct npf_wire_row *)(m + 1);

		*m = (struct npf_wire_set_mode){
			.mode = NPF_WIRE_MONITOR, .n_rows = 2, .n_insns = 3};
		rows[0].n_insns = 1;
		rows[1].n_insns = 2;
		r->msg.body_len = sizeof(*m) + 2 * sizeof(*rows) + 24;
		break;
	}
	default:
		break;
	}
}

static int check(const struct request *r)
{
	struct npf_error err = {{0}};
	int rc = npf_wire_check_request(&r->msg, &err);

	if (rc < 0)
		assert_int_not_equal(err.text[0], '\0'); /* a refusal always says why */
	return rc;
}

static void good_requests_of_every_type_pass(void **state)
{
	struct request r;

	(void)state;
	for (uint16_t type = 1; type < NPF_WIRE_N_TYPES; type++) {
		good_request(&r, type);
		assert_int_equal(check(&r), 0);
	}
}

static void a_body_one_byte_short_or_long_is_refused_for_every_type(void **state)
{
	struct request r;

	(void)state;
	for (uint16_t type = 1; type < NPF_WIRE_N_TYPES; type++) {
		good_request(&r, type);
		r.msg.body_len++;
		assert_int_equal(check(&r), -EPROTO);
		if (r.msg.body_len < 2)
			continue;
		r.msg.body_len -= 2;
		assert_int_equal(check(&r), -EPROTO);
	}
}

static void unknown_types_are_refused(void **state)
{
	static const uint16_t types[] = {0, NPF_WIRE_N_TYPES, 0x7fff, 0x8001, 0xffff};
	struct request r;

	(void)state;
	for (size_t i = 0; i < NPF_ARRAY_LEN(types); i++) {
		good_request(&r, NPF_WIRE_PORTS);
		r.msg.hdr.type = types[i];
		assert_int_equal(check(&r), -EPROTO);
	}
}

static void another_version_is_refused_by_its_own_error(void **state)
{
	struct request r;

	(void)state;
	good_request(&r, NPF_WIRE_HELLO);
	r.msg.hdr.version = NPF_WIRE_VERSION + 1;
	assert_int_equal(check(&r), -EPROTONOSUPPORT);
}

static void strings_that_do_not_end_are_refused(void **state)
{
	struct request r;

	(void)state;
	good_request(&r, NPF_WIRE_HELLO);
	memset(r.body, 'x', sizeof(struct npf_wire_hello));
	assert_int_equal(check(&r), -EPROTO);
	good_request(&r, NPF_WIRE_OPEN);
	memset(r.body, 'x', NPF_WIRE_NAMELEN);
	assert_int_equal(check(&r), -EPROTO);
	good_request(&r, NPF_WIRE_QUERY);
	memset(r.body, 'x', sizeof(struct npf_wire_query));
	assert_int_equal(check(&r), -EPROTO);
}

static void counts_that_do_not_fit_the_length_are_refused(void **state)
{
	static const uint32_t counts[] = {0, 1, 4, NPF_WIRE_MAXINSNS + 1, 0x20000003u, UINT32_MAX};
	struct request r;

	(void)state;
	for (size_t i = 0; i < NPF_ARRAY_LEN(counts); i++) {
		good_request(&r, NPF_WIRE_OPEN);
		((struct npf_wire_open *)r.body)->n_insns = counts[i];
		assert_int_equal(check(&r), -EPROTO);
		good_request(&r, NPF_WIRE_SEND);
		((struct npf_wire_send *)r.body)->len = counts[i];
		assert_int_equal(check(&r), -EPROTO);
	}
}

static void filters_whose_lengths_do_not_add_up_are_refused(void **state)
{
	struct npf_wire_set_mode *m;
	struct npf_wire_row *rows;
	struct request r;

	(void)state;
	m = (struct npf_wire_set_mode *)r.body;
	rows = (struct npf_wire_row *)(m + 1);
	good_request(&r, NPF_WIRE_SET_MODE);
	rows[1].n_insns = 1;
	assert_int_equal(check(&r), -EPROTO);
	good_request(&r, NPF_WIRE_SET_MODE);
	rows[0].n_insns = UINT32_MAX;
	rows[1].n_insns = 4;
	assert_int_equal(check(&r), -EPROTO);
	good_request(&r, NPF_WIRE_SET_MODE);
	rows[0].reserved = 1;
	assert_int_equal(check(&r), -EPROTO);
	good_request(&r, NPF_WIRE_SET_MODE);
	m->n_rows = NPF_WIRE_MAXROWS + 1;
	assert_int_equal(check(&r), -EPROTO);
	good_request(&r, NPF_WIRE_SET_MODE);
	m->mode = NPF_WIRE_CAPTURE;
	assert_int_equal(check(&r), -EPROTO);
	good_request(&r, NPF_WIRE_SET_MODE);
	m->mode = NPF_WIRE_MONITOR + 1;
	assert_int_equal(check(&r), -EPROTO);
}

static void unknown_flags_and_directions_are_refused(void **state)
{
	struct request r;

	(void)state;
	good_request(&r, NPF_WIRE_OPEN);
	((struct npf_wire_open *)r.body)->flags = NPF_WIRE_OPEN_FLAGS + 1;
	assert_int_equal(check(&r), -EPROTO);
	good_request(&r, NPF_WIRE_OPEN);
	((struct npf_wire_open *)r.body)->reserved = 1;
	assert_int_equal(check(&r), -EPROTO);
	good_request(&r, NPF_WIRE_SET_PARAMS);
	((struct npf_wire_params *)r.body)->direction = NPF_WIRE_OUT + 1;
	assert_int_equal(check(&r), -EPROTO);
	good_request(&r, NPF_WIRE_SET_PARAMS);
	((struct npf_wire_params *)r.body)->flags = NPF_WIRE_OPEN_OVERWRITE;
	assert_int_equal(check(&r), -EPROTO);
}

static void ports_that_make_no_sense_are_refused(void **state)
{
	static const size_t texts[] = {offsetof(struct npf_wire_port_add, name),
		offsetof(struct npf_wire_port_add, device),
		offsetof(struct npf_wire_port_add, allow)};
	static const size_t lengths[] = {64, 256, 1024};
	static const size_t numbers[] = {offsetof(struct npf_wire_port_add, rx_queues),
		offsetof(struct npf_wire_port_add, rx_desc),
		offsetof(struct npf_wire_port_add, mtu)};
	struct request r;

	(void)state;
	for (size_t i = 0; i < NPF_ARRAY_LEN(texts); i++) {
		good_request(&r, NPF_WIRE_PORT_ADD);
		memset(r.body + texts[i], 'x', lengths[i]);
		assert_int_equal(check(&r), -EPROTO);
		r.body[texts[i] + lengths[i] - 1] = '\0';
		assert_int_equal(check(&r), 0);
	}
	for (size_t i = 0; i < NPF_ARRAY_LEN(numbers); i++) {
		good_request(&r, NPF_WIRE_PORT_ADD);
		*(uint32_t *)(r.body + numbers[i]) = UINT16_MAX;
		assert_int_equal(check(&r), 0);
		*(uint32_t *)(r.body + numbers[i]) = UINT16_MAX + 1;
		assert_int_equal(check(&r), -EPROTO);
	}
	good_request(&r, NPF_WIRE_PORT_ADD);
	((struct npf_wire_port_add *)r.body)->flags = NPF_WIRE_ADD_FLAGS;
	assert_int_equal(check(&r), 0);
	((struct npf_wire_port_add *)r.body)->flags = NPF_WIRE_ADD_FLAGS + 1;
	assert_int_equal(check(&r), -EPROTO);
	good_request(&r, NPF_WIRE_PORT_DEL);
	memset(r.body, 'x', sizeof(struct npf_wire_port_name));
	assert_int_equal(check(&r), -EPROTO);
}

static void dumps_that_make_no_sense_are_refused(void **state)
{
	static const size_t texts[] = {offsetof(struct npf_wire_dump, name),
		offsetof(struct npf_wire_dump, port), offsetof(struct npf_wire_dump, file),
		offsetof(struct npf_wire_dump, filter), offsetof(struct npf_wire_dump, comment)};
	static const size_t lengths[] = {64, 64, 1024, 2048, 1024};
	struct npf_wire_dump *m;
	struct request r;

	(void)state;
	m = (struct npf_wire_dump *)r.body;
	for (size_t i = 0; i < NPF_ARRAY_LEN(texts); i++) {
		good_request(&r, NPF_WIRE_DUMP);
		memset(r.body + texts[i], 'x', lengths[i]);
		assert_int_equal(check(&r), -EPROTO);
		r.body[texts[i] + lengths[i] - 1] = '\0';
		assert_int_equal(check(&r), 0);
	}
	good_request(&r, NPF_WIRE_DUMP);
	m->format = NPF_WIRE_DUMP_N_FORMATS;
	assert_int_equal(check(&r), -EPROTO);
	good_request(&r, NPF_WIRE_DUMP);
	m->flags = NPF_WIRE_DUMP_FLAGS + 1;
	assert_int_equal(check(&r), -EPROTO);
	good_request(&r, NPF_WIRE_DUMP);
	m->mode = 01000;
	assert_int_equal(check(&r), -EPROTO);
	/* A session's dump has the session's filter. */
	good_request(&r, NPF_WIRE_DUMP);
	m->flags = NPF_WIRE_DUMP_SESSION;
	assert_int_equal(check(&r), -EPROTO);
	m->n_insns = 0;
	r.msg.body_len = sizeof(*m);
	assert_int_equal(check(&r), 0);
	m->flags |= NPF_WIRE_DUMP_LASTS;
	assert_int_equal(check(&r), -EPROTO);
	m->flags = NPF_WIRE_DUMP_SESSION;
	m->snaplen = 1;
	assert_int_equal(check(&r), -EPROTO);
	good_request(&r, NPF_WIRE_DUMP_CONTROL);
	((struct npf_wire_dump_control *)r.body)->op = NPF_WIRE_DUMP_N_OPS;
	assert_int_equal(check(&r), -EPROTO);
}

static void texts_of_a_dump_are_utf8_but_its_file_is_bytes(void **state)
{
	static const size_t texts[] = {offsetof(struct npf_wire_dump, name),
		offsetof(struct npf_wire_dump, filter), offsetof(struct npf_wire_dump, comment)};
	struct npf_error err;
	struct request r;

	(void)state;
	for (size_t i = 0; i < NPF_ARRAY_LEN(texts); i++) {
		good_request(&r, NPF_WIRE_DUMP);
		strcpy((char *)r.body + texts[i], "na\xc3\xaf"
						  "ve");
		assert_int_equal(check(&r), 0);
		strcpy((char *)r.body + texts[i], "bad\xff");
		assert_int_equal(npf_wire_check_request(&r.msg, &err), -EPROTO);
		assert_non_null(strstr(err.text, "UTF-8"));
	}
	good_request(&r, NPF_WIRE_DUMP);
	strcpy(((struct npf_wire_dump *)r.body)->file, "/f\xff.pcap");
	assert_int_equal(check(&r), 0);
	strcpy(((struct npf_wire_dump *)r.body)->name, "a\033[2J");
	assert_int_equal(npf_wire_check_request(&r.msg, &err), -EPROTO);
	assert_non_null(strstr(err.text, "control character"));
}

static void numbers_of_a_dump_that_no_report_can_show_are_refused(void **state)
{
	static const size_t numbers[] = {offsetof(struct npf_wire_dump, file_size),
		offsetof(struct npf_wire_dump, file_packets),
		offsetof(struct npf_wire_dump, file_time_ns),
		offsetof(struct npf_wire_dump, max_size),
		offsetof(struct npf_wire_dump, max_packets), offsetof(struct npf_wire_dump, keep),
		offsetof(struct npf_wire_dump, keep_size), offsetof(struct npf_wire_dump, buffer),
		offsetof(struct npf_wire_dump, retro_size),
		offsetof(struct npf_wire_dump, retro_ns)};
	struct request r;

	(void)state;
	for (size_t i = 0; i < NPF_ARRAY_LEN(numbers); i++) {
		good_request(&r, NPF_WIRE_DUMP);
		*(uint64_t *)(r.body + numbers[i]) = INT64_MAX;
		assert_int_equal(check(&r), 0);
		*(uint64_t *)(r.body + numbers[i]) = 1ull << 63;
		assert_int_equal(check(&r), -EPROTO);
	}
}

static void utf8_is_told_from_what_only_looks_like_it(void **state)
{
	static const char *const good[] = {"", "a", "\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80",
		"\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80",
		"\xf4\x8f\xbf\xbf"};
	static const char *const bad[] = {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2z",
		"\xe0\x9f\xbf", "\xe2\x82", "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf",
		"\xf0\x9f\x98", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "a\xff"};

	(void)state;
	for (size_t i = 0; i < NPF_ARRAY_LEN(good); i++)
		assert_true(npf_is_utf8(good[i]));
	for (size_t i = 0; i < NPF_ARRAY_LEN(bad); i++)
		assert_false(npf_is_utf8(bad[i]));
}

static void no_request_takes_a_descriptor(void **state)
{
	struct request r;

	(void)state;
	for (uint16_t type = 1; type < NPF_WIRE_N_TYPES; type++) {
		good_request(&r, type);
		r.msg.n_fds = 1;
		assert_int_equal(check(&r), -EPROTO);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_requests_of_every_type_pass),
		cmocka_unit_test(a_body_one_byte_short_or_long_is_refused_for_every_type),
		cmocka_unit_test(unknown_types_are_refused),
		cmocka_unit_test(another_version_is_refused_by_its_own_error),
		cmocka_unit_test(strings_that_do_not_end_are_refused),
		cmocka_unit_test(counts_that_do_not_fit_the_length_are_refused),
		cmocka_unit_test(filters_whose_lengths_do_not_add_up_are_refused),
		cmocka_unit_test(unknown_flags_and_directions_are_refused),
		cmocka_unit_test(ports_that_make_no_sense_are_refused),
		cmocka_unit_test(dumps_that_make_no_sense_are_refused),
		cmocka_unit_test(texts_of_a_dump_are_utf8_but_its_file_is_bytes),
		cmocka_unit_test(numbers_of_a_dump_that_no_report_can_show_are_refused),
		cmocka_unit_test(utf8_is_told_from_what_only_looks_like_it),
		cmocka_unit_test(no_request_takes_a_descriptor),
	};

	return cmocka_run_group_tests_name("check", tests, NULL, NULL);
}
