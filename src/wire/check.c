/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * check.c - the shape of a request: can its body be read as the structure of its type?
 *
 * Each type has a row: the length of its fixed part and a function that checks the fields. After
 * npf_wire_check_request() has returned 0 it is safe to cast the body to its structure, and to read
 * the tail as long as its counts say. The check keeps no state and reads only the message.
 */
#include "wire/wire.h"

#include "base/utf8.h"

#include <string.h>

struct shape {
	size_t fixed; /* bytes before the tail */
	bool (*check)(const void *body, size_t *tail, const char **whyp);
	bool (*check_tail)(const void *body, const void *tail, const char **whyp);
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

static bool check_mode(const void *body, size_t *tail, const char **whyp)
{
	const struct npf_wire_set_mode *m = body;

	*whyp = "unknown mode or flags, or a field is not zero that must be";
	if (m->mode > NPF_WIRE_MONITOR || (m->flags & ~NPF_WIRE_MODE_DETAIL) != 0 ||
		m->reserved != 0)
		return false;
	if (m->mode == NPF_WIRE_CAPTURE &&
		(m->flags | m->interval_ms | m->n_rows | m->n_insns) != 0)
		return false;
	*whyp = "too many filters, or too long an interval";
	if (m->n_rows > NPF_WIRE_MAXROWS || m->interval_ms > NPF_WIRE_MAXINTERVAL_MS)
		return false;
	if (!tail_of_insns(m->n_insns, tail, whyp))
		return false;
	*tail += m->n_rows * sizeof(struct npf_wire_row);
	return true;
}

static bool check_rows(const void *body, const void *tail, const char **whyp)
{
	const struct npf_wire_set_mode *m = body;
	const struct npf_wire_row *rows = tail;
	uint64_t n_insns = 0;

	*whyp = "the filters' lengths do not add up, or a reserved field is not zero";
	for (uint32_t i = 0; i < m->n_rows; i++) {
		n_insns += rows[i].n_insns;
		if (rows[i].reserved != 0)
			return false;
	}
	return n_insns == m->n_insns;
}

/* Reports are JSON: no text that is not UTF-8, no number beyond 2^63; and a name must not paint a
 * terminal or begin a line of a log. Names of files are bytes. */
static bool is_reportable(const struct npf_wire_dump *m, const char **whyp)
{
	const uint64_t numbers[] = {m->file_size, m->file_packets, m->file_time_ns, m->max_size,
		m->max_packets, m->keep, m->keep_size, m->buffer, m->retro_size, m->retro_ns};

	*whyp = "the dump's name, filter or comment is not UTF-8";
	if (!npf_is_utf8(m->name) || !npf_is_utf8(m->filter) || !npf_is_utf8(m->comment))
		return false;
	*whyp = "the dump's name holds a control character";
	for (const char *c = m->name; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return false;
	*whyp = "a size, time or number is too large";
	for (size_t i = 0; i < NPF_ARRAY_LEN(numbers); i++)
		if (numbers[i] > INT64_MAX)
			return false;
	return true;
}

static bool check_dump(const void *body, size_t *tail, const char **whyp)
{
	const struct npf_wire_dump *m = body;

	*whyp = "a text does not end";
	if (!ends(m->name, sizeof(m->name)) || !ends(m->port, sizeof(m->port)) ||
		!ends(m->file, sizeof(m->file)) || !ends(m->filter, sizeof(m->filter)) ||
		!ends(m->comment, sizeof(m->comment)))
		return false;
	*whyp = "unknown format or flags, or a field is not zero that must be";
	if (m->format >= NPF_WIRE_DUMP_N_FORMATS || (m->flags & ~NPF_WIRE_DUMP_FLAGS) != 0 ||
		(m->mode & ~0777u) != 0 || m->reserved != 0)
		return false;
	if ((m->flags & NPF_WIRE_DUMP_SESSION) != 0 &&
		(m->port[0] != '\0' || m->snaplen != 0 || m->n_insns != 0 ||
			(m->flags & NPF_WIRE_DUMP_LASTS) != 0))
		return false;
	return is_reportable(m, whyp) && tail_of_insns(m->n_insns, tail, whyp);
}

static bool check_dump_control(const void *body, size_t *tail, const char **whyp)
{
	const struct npf_wire_dump_control *m = body;

	(void)tail;
	*whyp = "the dump's name does not end, or an unknown operation";
	return ends(m->name, sizeof(m->name)) && m->op < NPF_WIRE_DUMP_N_OPS && m->reserved == 0;
}

static bool check_port_add(const void *body, size_t *tail, const char **whyp)
{
	const struct npf_wire_port_add *m = body;

	(void)tail;
	*whyp = "a text does not end";
	if (!ends(m->name, sizeof(m->name)) || !ends(m->device, sizeof(m->device)) ||
		!ends(m->allow, sizeof(m->allow)))
		return false;
	*whyp = "unknown flags, or a number is too large";
	return (m->flags & ~NPF_WIRE_ADD_FLAGS) == 0 && m->rx_queues <= UINT16_MAX &&
	       m->rx_desc <= UINT16_MAX && m->mtu <= UINT16_MAX;
}

static bool check_port_del(const void *body, size_t *tail, const char **whyp)
{
	const struct npf_wire_port_name *m = body;

	(void)tail;
	*whyp = "the port's name does not end";
	return ends(m->name, sizeof(m->name));
}

static const struct shape shapes[NPF_WIRE_N_TYPES] = {
	[NPF_WIRE_HELLO] = {sizeof(struct npf_wire_hello), check_hello, NULL},
	[NPF_WIRE_PORTS] = {0, NULL, NULL},
	[NPF_WIRE_OPEN] = {sizeof(struct npf_wire_open), check_open, NULL},
	[NPF_WIRE_SET_FILTER] = {sizeof(struct npf_wire_filter), check_filter, NULL},
	[NPF_WIRE_SET_PARAMS] = {sizeof(struct npf_wire_params), check_params, NULL},
	[NPF_WIRE_SET_BUFFER] = {sizeof(struct npf_wire_set_buffer), NULL, NULL},
	[NPF_WIRE_STATS] = {0, NULL, NULL},
	[NPF_WIRE_SEND] = {sizeof(struct npf_wire_send), check_send, NULL},
	[NPF_WIRE_DUMP] = {sizeof(struct npf_wire_dump), check_dump},
	[NPF_WIRE_DUMP_CONTROL] = {sizeof(struct npf_wire_dump_control), check_dump_control},
	[NPF_WIRE_DUMP_STATUS] = {0, NULL},
	[NPF_WIRE_QUERY] = {sizeof(struct npf_wire_query), check_query, NULL},
	[NPF_WIRE_SET_MODE] = {sizeof(struct npf_wire_set_mode), check_mode, check_rows},
	[NPF_WIRE_SEND_LANE] = {sizeof(struct npf_wire_send_lane), NULL, NULL},
	[NPF_WIRE_PORT_ADD] = {sizeof(struct npf_wire_port_add), check_port_add, NULL},
	[NPF_WIRE_PORT_DEL] = {sizeof(struct npf_wire_port_name), check_port_del, NULL},
	[NPF_WIRE_READ] = {0, NULL, NULL},
	[NPF_WIRE_FILE] = {0, NULL, NULL},
};

static int refuse(struct npf_error *err, const char *why)
{
	return npf_error_set(err, -EPROTO, "bad request: %s", why);
}

int npf_wire_check_request(const struct npf_wire_msg *msg, struct npf_error *err)
{
	const char *why = "its length does not fit its type";
	const struct shape *shape;
	size_t tail = 0;

	if (msg->hdr.version != NPF_WIRE_VERSION)
		return npf_error_set(err, -EPROTONOSUPPORT,
			"this daemon speaks protocol version %d, the client %u: install libnpfdp "
			"and npf-dpdk of the same release",
			NPF_WIRE_VERSION, msg->hdr.version);
	if (msg->hdr.type == 0 || msg->hdr.type >= NPF_WIRE_N_TYPES)
		return refuse(err, "unknown type");
	if (msg->n_fds > 0)
		return refuse(err, "it carries descriptors");
	shape = &shapes[msg->hdr.type];
	if (msg->body_len < shape->fixed)
		return refuse(err, why);
	if (shape->check != NULL && !shape->check(msg->body, &tail, &why))
		return refuse(err, why);
	if (msg->body_len != shape->fixed + tail)
		return refuse(err, "its length does not fit its type");
	if (shape->check_tail != NULL && !shape->check_tail(msg->body, npf_wire_tail(msg), &why))
		return refuse(err, why);
	return 0;
}

const void *npf_wire_tail(const struct npf_wire_msg *msg)
{
	return (const char *)msg->body + shapes[msg->hdr.type].fixed;
}
