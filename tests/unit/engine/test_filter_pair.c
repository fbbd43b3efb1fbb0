/* SPDX-License-Identifier: BSD-3-Clause */
/* Filters of requests: short ones at once, long ones by a task and handed out in a second go. */
#include "engine/core/filter_pair.h"

#include "engine/core/memory.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <poll.h>
#include <string.h>

#define LONG   30000 /* ms */
#define UID    1001
#define N_LONG 600

static const struct npf_config_limits limits = {.filter = 1000};
static struct npf_bpf_insn one[2], other[N_LONG], bad[N_LONG];
static struct npf_error err;

static struct fixture {
	struct npf_requester requester;
	unsigned int n_ready;
} f;

static void ready(struct npf_requester *requester)
{
	(void)requester;
	f.n_ready++;
}

/* A chain of comparisons of the same field, each with a value of its own. */
static void fill(struct npf_bpf_insn *insns, unsigned int n, uint32_t keep)
{
	insns[0] = (struct npf_bpf_insn){0x28, 0, 0, 12};
	for (unsigned int i = 1; i + 1 < n; i += 2) {
		insns[i] = (struct npf_bpf_insn){0x15, 0, 1, i};
		insns[i + 1] = (struct npf_bpf_insn){6, 0, 0, keep + i};
	}
	insns[n - 1] = (struct npf_bpf_insn){6, 0, 0, keep};
}

static int make(void **state)
{
	(void)state;
	fill(one, NPF_ARRAY_LEN(one), 40);
	fill(other, N_LONG, 50);
	fill(bad, N_LONG, 60);
	bad[N_LONG - 1].code = 0xff;
	f.n_ready = 0;
	f.requester = (struct npf_requester){.tasks = npf_tasks_new(), .uid = UID, .ready = ready};
	return f.requester.tasks == NULL;
}

static int unmake(void **state)
{
	(void)state;
	assert_int_equal(npf_tasks_free(f.requester.tasks, LONG), 0);
	return 0;
}

static void reap_until_ready(unsigned int n)
{
	struct pollfd pfd = {.fd = npf_tasks_fd(f.requester.tasks), .events = POLLIN};

	while (f.n_ready < n) {
		assert_int_equal(poll(&pfd, 1, LONG), 1);
		npf_tasks_reap(f.requester.tasks);
	}
}

static struct npf_filter_source source_of(const struct npf_bpf_insn *insns, uint32_t n_insns)
{
	return (struct npf_filter_source){&limits, 3, insns, n_insns};
}

/* A frame whose type is `type`; how many bytes of it the pair's first half keeps. */
static uint32_t kept(const struct npf_filter_pair *pair, uint8_t type)
{
	uint8_t frame[128] = {[13] = type};

	return npf_filter_run(pair->in, frame, sizeof(frame), sizeof(frame));
}

static void a_short_filter_is_compiled_at_once(void **state)
{
	struct npf_filter_source source = source_of(one, 2);
	struct npf_filter_pair pair;

	(void)state;
	assert_int_equal(npf_filters_ahead(&f.requester, &source, 1, &err), 0);
	assert_int_equal(npf_filter_pair_compile(&f.requester, &source, &pair, &err), 0);
	assert_non_null(pair.in);
	assert_non_null(pair.out);
	npf_filter_pair_free(&pair);
	assert_null(pair.in);
}

static void the_daemon_itself_waits_for_a_long_one(void **state)
{
	struct npf_filter_source source = source_of(other, N_LONG);
	struct npf_filter_pair pair;

	(void)state;
	assert_int_equal(npf_filters_ahead(NULL, &source, 1, &err), 0);
	assert_int_equal(npf_filter_pair_compile(NULL, &source, &pair, &err), 0);
	assert_int_equal(kept(&pair, 7), 57);
	npf_filter_pair_free(&pair);
}

static void a_long_filter_is_there_in_the_second_go(void **state)
{
	struct npf_bpf_insn copy[N_LONG];
	struct npf_filter_source source = source_of(copy, N_LONG);
	struct npf_filter_pair pair;

	(void)state;
	memcpy(copy, other, sizeof(copy));
	assert_int_equal(npf_filters_ahead(&f.requester, &source, 1, &err), -EINPROGRESS);
	memset(copy, 0xff, sizeof(copy)); /* the message is the task's no more */
	reap_until_ready(1);
	source.insns = other;
	assert_int_equal(npf_filters_ahead(&f.requester, &source, 1, &err), 0);
	assert_int_equal(npf_filter_pair_compile(&f.requester, &source, &pair, &err), 0);
	assert_int_equal(kept(&pair, 7), 57);
	npf_filter_pair_free(&pair);
	npf_requester_discard(&f.requester);
	assert_null(f.requester.compilation);
}

static void equal_rows_and_rows_without_a_filter_have_one_each(void **state)
{
	struct npf_filter_source sources[] = {source_of(other, N_LONG), source_of(NULL, 0),
		source_of(other, N_LONG), source_of(one, 2)};
	struct npf_filter_pair pairs[NPF_ARRAY_LEN(sources)];

	(void)state;
	assert_int_equal(npf_filters_ahead(&f.requester, sources, 4, &err), -EINPROGRESS);
	reap_until_ready(1);
	assert_int_equal(npf_filters_ahead(&f.requester, sources, 4, &err), 0);
	for (unsigned int i = 0; i < NPF_ARRAY_LEN(sources); i++)
		assert_int_equal(
			npf_filter_pair_compile(&f.requester, &sources[i], &pairs[i], &err), 0);
	assert_ptr_not_equal(pairs[0].in, pairs[2].in);
	assert_null(pairs[1].in);
	for (unsigned int i = 0; i < NPF_ARRAY_LEN(sources); i++)
		npf_filter_pair_free(&pairs[i]);
	npf_requester_discard(&f.requester);
}

static void what_has_been_taken_is_compiled_again(void **state)
{
	struct npf_filter_source source = source_of(other, N_LONG);
	struct npf_filter_pair pair;

	(void)state;
	assert_int_equal(npf_filters_ahead(&f.requester, &source, 1, &err), -EINPROGRESS);
	reap_until_ready(1);
	assert_int_equal(npf_filter_pair_compile(&f.requester, &source, &pair, &err), 0);
	npf_filter_pair_free(&pair); /* the request was put aside once more */
	assert_int_equal(npf_filters_ahead(&f.requester, &source, 1, &err), -EINPROGRESS);
	reap_until_ready(2);
	assert_int_equal(npf_filters_ahead(&f.requester, &source, 1, &err), 0);
	npf_requester_discard(&f.requester);
}

static void a_filter_for_another_port_is_compiled_anew(void **state)
{
	struct npf_filter_source source = source_of(other, N_LONG);

	(void)state;
	assert_int_equal(npf_filters_ahead(&f.requester, &source, 1, &err), -EINPROGRESS);
	reap_until_ready(1);
	source.port = 4;
	assert_int_equal(npf_filters_ahead(&f.requester, &source, 1, &err), -EINPROGRESS);
	reap_until_ready(2);
	assert_int_equal(npf_filters_ahead(&f.requester, &source, 1, &err), 0);
	npf_requester_discard(&f.requester);
}

static void a_bad_filter_gets_its_text(void **state)
{
	struct npf_filter_source source = source_of(bad, N_LONG);
	struct npf_filter_pair pair;

	(void)state;
	assert_int_equal(npf_filters_ahead(&f.requester, &source, 1, &err), -EINPROGRESS);
	reap_until_ready(1);
	assert_int_equal(npf_filters_ahead(&f.requester, &source, 1, &err), 0);
	assert_int_equal(npf_filter_pair_compile(&f.requester, &source, &pair, &err), -EINVAL);
	assert_non_null(strstr(err.text, "instruction 599"));
	assert_null(pair.in);
	npf_requester_discard(&f.requester);
}

static void a_client_may_leave_while_its_filter_is_compiled(void **state)
{
	struct npf_filter_source source = source_of(other, N_LONG);

	(void)state;
	assert_int_equal(npf_filters_ahead(&f.requester, &source, 1, &err), -EINPROGRESS);
	npf_requester_detach(&f.requester);
	assert_null(f.requester.compilation);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_short_filter_is_compiled_at_once, make, unmake),
		cmocka_unit_test_setup_teardown(
			the_daemon_itself_waits_for_a_long_one, make, unmake),
		cmocka_unit_test_setup_teardown(
			a_long_filter_is_there_in_the_second_go, make, unmake),
		cmocka_unit_test_setup_teardown(
			equal_rows_and_rows_without_a_filter_have_one_each, make, unmake),
		cmocka_unit_test_setup_teardown(
			what_has_been_taken_is_compiled_again, make, unmake),
		cmocka_unit_test_setup_teardown(
			a_filter_for_another_port_is_compiled_anew, make, unmake),
		cmocka_unit_test_setup_teardown(a_bad_filter_gets_its_text, make, unmake),
		cmocka_unit_test_setup_teardown(
			a_client_may_leave_while_its_filter_is_compiled, make, unmake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
