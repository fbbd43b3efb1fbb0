/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * check.c - the daemon's first look at a request: can its body be read as what it claims to be?
 *
 * Each type has a row: the length of the fixed part and a function for what that holds. After
 * npf_wire_check_request() said 0, casting the body to its structure and reading it, with
 * the tail that its counts promise, is safe. It keeps no state and reads only the message.
 */
#include "wire/wire.h"

#include <stdio.h>
#include <string.h>

struct shape {
	size_t fixed; /* bytes before the tail */
	bool (*check)(const void *body, size_t *tail, const char **whyp);
};

static bool ends(const char *s, size_t size)
{
	return memchr(s, '\0', size) != NULL;
}

static bool tail_of_insns(uint32_t n_insns, size_t *tail, const char **whyp)
{
	*whyp = "the filter has too many instructions";
	if (n_insns > NPF_WIRE_MAXINSNS)
		return false;
	*tail = (size_t)n_insns * 8;
	return true;
}

static bool check_hello(const void *body, size_t *tail, const char **whyp)
{
	const struct npf_wire_hello *m = body;

	(void)tail;
	*whyp = "the program's name does not end";
	return ends(m->program, sizeof(m->program));
}

static bool check_params(const void *body, size_t *tail, const char **whyp)
{
	const struct npf_wire_params *m = body;

	(void)tail;
	*whyp = "unknown direction or flags";
	return m->direction <= NPF_WIRE_OUT &&
	       (m->flags & ~(NPF_WIRE_OPEN_IMMEDIATE | NPF_WIRE_OPEN_NO_OWN)) == 0;
}

static bool check_open(const void *body, size_t *tail, const char **whyp)
{
	const struct npf_wire_open *m = body;

	*whyp = "the port's name does not end";
	if (!ends(m->port, sizeof(m->port)))
		return false;
	if (!check_params(&m->params, tail, whyp))
		return false;
	*whyp = "unknown flags, or a reserved field is not zero";
	if ((m->flags & ~NPF_WIRE_OPEN_FLAGS) != 0 || m->reserved != 0)
		return false;
	return tail_of_insns(m->n_insns, tail, whyp);
}

static bool check_filter(const void *body, size_t *tail, const char **whyp)
{
	const struct npf_wire_filter *m = body;

	*whyp = "a reserved field is not zero";
	if (m->reserved != 0)
		return false;
	return tail_of_insns(m->n_insns, tail, whyp);
}

static bool check_send(const void *body, size_t *tail, const char **whyp)
{
	const struct npf_wire_send *m = body;

	*whyp = "the frame is too long, or a reserved field is not zero";
	if (m->len > NPF_WIRE_MAXFRAME || m->reserved != 0)
		return false;
	*tail = m->len;
	return true;
}

static bool check_query(const void *body, size_t *tail, const char **whyp)
{
	const struct npf_wire_query *m = body;

	(void)tail;
	*whyp = "the query's name does not end";
	return ends(m->what, sizeof(m->what));
}

static const struct shape shapes[NPF_WIRE_N_TYPES] = {
	[NPF_WIRE_HELLO] = {sizeof(struct npf_wire_hello), check_hello},
	[NPF_WIRE_PORTS] = {0, NULL},
	[NPF_WIRE_OPEN] = {sizeof(struct npf_wire_open), check_open},
	[NPF_WIRE_SET_FILTER] = {sizeof(struct npf_wire_filter), check_filter},
	[NPF_WIRE_SET_PARAMS] = {sizeof(struct npf_wire_params), check_params},
	[NPF_WIRE_SET_BUFFER] = {sizeof(struct npf_wire_set_buffer), NULL},
	[NPF_WIRE_STATS] = {0, NULL},
	[NPF_WIRE_SEND] = {sizeof(struct npf_wire_send), check_send},
	[NPF_WIRE_QUERY] = {sizeof(struct npf_wire_query), check_query},
};

static int refuse(struct npf_wire_error *err, int rc, const char *why)
{
	snprintf(err->text, sizeof(err->text), "bad request: %s", why);
	return rc;
}

int npf_wire_check_request(const struct npf_wire_msg *msg, struct npf_wire_error *err)
{
	const char *why = "its length does not fit its type";
	const struct shape *shape;
	size_t tail = 0;

	if (msg->hdr.version != NPF_WIRE_VERSION) {
		snprintf(err->text, sizeof(err->text),
			"this daemon speaks protocol version %d, the client %u: install libnpfdp "
			"and "
			"npf-dpdk of the same release",
			NPF_WIRE_VERSION, msg->hdr.version);
		return -EPROTONOSUPPORT;
	}
	if (msg->hdr.type == 0 || msg->hdr.type >= NPF_WIRE_N_TYPES)
		return refuse(err, -EPROTO, "unknown type");
	if (msg->n_fds > 0)
		return refuse(err, -EPROTO, "no request carries descriptors");
	shape = &shapes[msg->hdr.type];
	if (msg->body_len < shape->fixed)
		return refuse(err, -EPROTO, why);
	if (shape->check != NULL && !shape->check(msg->body, &tail, &why))
		return refuse(err, -EPROTO, why);
	if (msg->body_len != shape->fixed + tail)
		return refuse(err, -EPROTO, "its length does not fit its type");
	return 0;
}

const void *npf_wire_tail(const struct npf_wire_msg *msg)
{
	return (const char *)msg->body + shapes[msg->hdr.type].fixed;
}
