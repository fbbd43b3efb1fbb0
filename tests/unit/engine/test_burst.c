/* SPDX-License-Identifier: BSD-3-Clause */
/* test_burst.c - whatever mbufs a burst has, all of them come back to their pools, as new ones. */
#include "engine/datapath/burst.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <rte_eal.h>

#define N_MBUFS 127

static struct rte_mempool *pools[2];

static int set_up(void **state)
{
	static char words[][16] = {"test_burst", "--no-huge", "--no-shconf", "--no-pci",
		"--no-telemetry", "--log-level=4", "-m64", "-l0"};
	char *args[NPF_ARRAY_LEN(words)];

	(void)state;
	for (unsigned int i = 0; i < NPF_ARRAY_LEN(words); i++)
		args[i] = words[i];
	if (rte_eal_init(NPF_ARRAY_LEN(args), args) < 0)
		return -1;
	pools[0] = rte_pktmbuf_pool_create("a", N_MBUFS, 32, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	pools[1] = rte_pktmbuf_pool_create("b", N_MBUFS, 32, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	return pools[0] == NULL || pools[1] == NULL;
}

static int tear_down(void **state)
{
	(void)state;
	return rte_eal_cleanup();
}

static void pools_are_whole(void)
{
	struct rte_mbuf *mbufs[N_MBUFS];

	for (unsigned int p = 0; p < NPF_ARRAY_LEN(pools); p++) {
		assert_int_equal(rte_mempool_avail_count(pools[p]), N_MBUFS);
		/* rte_pktmbuf_alloc() of a build for debugging checks them; so do we. */
		assert_int_equal(rte_pktmbuf_alloc_bulk(pools[p], mbufs, N_MBUFS), 0);
		for (unsigned int i = 0; i < N_MBUFS; i++) {
			assert_int_equal(mbufs[i]->nb_segs, 1);
			assert_null(mbufs[i]->next);
			assert_int_equal(rte_mbuf_refcnt_read(mbufs[i]), 1);
		}
		rte_pktmbuf_free_bulk(mbufs, N_MBUFS);
	}
}

static void take(struct rte_mbuf **mbufs, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		mbufs[i] = rte_pktmbuf_alloc(pools[0]);
		assert_non_null(mbufs[i]);
	}
}

static void plain_ones(void **state)
{
	struct rte_mbuf *mbufs[NPF_TAP_BURST];

	(void)state;
	for (unsigned int n = 0; n <= NPF_TAP_BURST; n++) {
		take(mbufs, n);
		npf_burst_free(mbufs, n);
		pools_are_whole();
	}
}

static void one_of_several_segments(void **state)
{
	struct rte_mbuf *mbufs[NPF_TAP_BURST];

	(void)state;
	for (unsigned int at = 0; at < 4; at++) {
		take(mbufs, 4);
		assert_int_equal(rte_pktmbuf_chain(mbufs[at], rte_pktmbuf_alloc(pools[0])), 0);
		npf_burst_free(mbufs, 4);
		pools_are_whole();
	}
}

static void one_that_somebody_else_has(void **state)
{
	struct rte_mbuf *mbufs[NPF_TAP_BURST];

	(void)state;
	for (unsigned int at = 0; at < 4; at++) {
		struct rte_mbuf *shared;

		take(mbufs, 4);
		shared = mbufs[at];
		rte_mbuf_refcnt_update(shared, 1);
		npf_burst_free(mbufs, 4);
		assert_int_equal(rte_mbuf_refcnt_read(shared), 1);
		assert_int_equal(rte_mempool_avail_count(pools[0]), N_MBUFS - 1);
		rte_pktmbuf_free(shared);
		pools_are_whole();
	}
}

static void one_of_another_pool(void **state)
{
	struct rte_mbuf *mbufs[NPF_TAP_BURST];

	(void)state;
	for (unsigned int at = 0; at < 4; at++) {
		take(mbufs, 4);
		rte_pktmbuf_free(mbufs[at]);
		mbufs[at] = rte_pktmbuf_alloc(pools[1]);
		npf_burst_free(mbufs, 4);
		pools_are_whole();
	}
}

static void one_with_the_bytes_of_another(void **state)
{
	struct rte_mbuf *mbufs[NPF_TAP_BURST], *origin;

	(void)state;
	for (unsigned int at = 0; at < 4; at++) {
		take(mbufs, 4);
		origin = rte_pktmbuf_alloc(pools[1]);
		rte_pktmbuf_attach(mbufs[at], origin);
		rte_pktmbuf_free(origin);
		npf_burst_free(mbufs, 4);
		pools_are_whole();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_ones),
		cmocka_unit_test(one_of_several_segments),
		cmocka_unit_test(one_that_somebody_else_has),
		cmocka_unit_test(one_of_another_pool),
		cmocka_unit_test(one_with_the_bytes_of_another),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
