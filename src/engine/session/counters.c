/* SPDX-License-Identifier: BSD-3-Clause */
/* counters.c - what a session has counted: in its buffers, on the taps, in its dumps. */
#include "engine/session/session.h"

#include "base/log.h"
#include "engine/dump/dump.h"

#include <inttypes.h>

void npf_session_count_buffer(const struct npf_buffer *b, struct npf_ring_counters *sum)
{
	struct npf_ring_counters c;

	npf_buffer_counters(b, &c);
	sum->packets += c.packets;
	sum->bytes += c.bytes;
	for (unsigned int i = 0; i < NPF_N_DROP; i++)
		sum->drop[i] += c.drop[i];
}

uint64_t npf_session_over_budget(const struct npf_session *s)
{
	uint64_t n = 0;

	for (unsigned int i = 0; s->consumer.buffer != NULL && i < npf_session_n_counters(s->port);
		i++)
		n += atomic_load_explicit(
			&s->consumer.tap_counters[i].over_budget, memory_order_relaxed);
	return n;
}

void npf_session_tell_over_budget(struct npf_session *s)
{
	if (s->told_over_budget || npf_session_over_budget(s) == 0)
		return;
	s->told_over_budget = true;
	npf_warn("session %" PRIu64
		 " (%s, pid %d, uid %u): its user's filters and copies take more "
		 "time of a tap than others leave them (npf.limits.tap), so packets pass it by; "
		 "`npfctl sessions --json` counts them as over_budget",
		s->id, s->peer.program, s->peer.pid, s->peer.uid);
}

void npf_session_stats(const struct npf_session *s, struct npf_wire_stats *st)
{
	struct npf_ring_counters c = s->retired;
	struct rte_eth_stats now;
	struct npf_tx_state tx;

	npf_session_send_state(s, &tx);
	*st = s->dumped;
	st->sent = tx.sent;
	st->send_failed = tx.failed;
	npf_dump_add_stats(s->dump, st);
	npf_port_stats(&s->port->port, &now);
	st->port_missed =
		now.imissed + now.rx_nombuf - s->port_base.imissed - s->port_base.rx_nombuf;
	st->port_errors = now.ierrors - s->port_base.ierrors;
	if (s->consumer.buffer == NULL)
		return;
	/* Records of a monitor are no packets. */
	if (s->monitor == NULL)
		npf_session_count_buffer(s->consumer.buffer, &c);
	for (unsigned int i = 0; i < npf_session_n_counters(s->port); i++) {
		npf_tap_counters_add(&s->consumer.tap_counters[i], &st->received, &st->accepted);
		st->screened += atomic_load_explicit(
			&s->consumer.tap_counters[i].screened, memory_order_relaxed);
	}
	st->drop_other += npf_session_over_budget(s);
	st->captured += c.packets;
	st->captured_bytes += c.bytes;
	st->drop_full += c.drop[NPF_DROP_FULL];
	st->drop_overwritten += c.drop[NPF_DROP_OVERWRITTEN];
	st->drop_other += c.drop[NPF_DROP_OVERSIZE];
}
