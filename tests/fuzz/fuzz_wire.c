/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The daemon's first look at a request. Whatever it lets through must be readable as what it claims
 * to be: every field and the whole tail are read, so that a sanitizer sees a lie.
 */
#include "wire/wire.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t sum;

static void read_all(const void *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sum += ((const uint8_t *)p)[i];
}

static void read_tail(const struct npf_wire_msg *msg)
{
	switch (msg->hdr.type) {
	case NPF_WIRE_HELLO:
		sum += strlen(((const struct npf_wire_hello *)msg->body)->program);
		break;
	case NPF_WIRE_OPEN:
		sum += strlen(((const struct npf_wire_open *)msg->body)->port);
		read_all(npf_wire_tail(msg),
			8ul * ((const struct npf_wire_open *)msg->body)->n_insns);
		break;
	case NPF_WIRE_SET_FILTER:
		read_all(npf_wire_tail(msg),
			8ul * ((const struct npf_wire_filter *)msg->body)->n_insns);
		break;
	case NPF_WIRE_SEND:
		read_all(npf_wire_tail(msg), ((const struct npf_wire_send *)msg->body)->len);
		break;
	case NPF_WIRE_QUERY:
		sum += strlen(((const struct npf_wire_query *)msg->body)->what);
		break;
	case NPF_WIRE_DUMP: {
		const struct npf_wire_dump *m = msg->body;

		sum += strlen(m->name) + strlen(m->port) + strlen(m->file) + strlen(m->filter) +
		       strlen(m->comment);
		read_all(npf_wire_tail(msg), 8ul * m->n_insns);
		break;
	}
	case NPF_WIRE_DUMP_CONTROL:
		sum += strlen(((const struct npf_wire_dump_control *)msg->body)->name);
		break;
	case NPF_WIRE_PORT_ADD: {
		const struct npf_wire_port_add *m = msg->body;

		sum += strlen(m->name) + strlen(m->device) + strlen(m->allow);
		break;
	}
	case NPF_WIRE_PORT_DEL:
		sum += strlen(((const struct npf_wire_port_name *)msg->body)->name);
		break;
	case NPF_WIRE_SET_MODE: {
		const struct npf_wire_set_mode *m = msg->body;
		const struct npf_wire_row *rows = npf_wire_tail(msg);
		const uint8_t *insns = (const uint8_t *)(rows + m->n_rows);

		for (uint32_t i = 0; i < m->n_rows; i++) {
			read_all(insns, 8ul * rows[i].n_insns);
			insns += 8ul * rows[i].n_insns;
		}
		break;
	}
	default:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct npf_wire_msg msg = {0};
	struct npf_error err;
	uint8_t *body;

	if (size < sizeof(msg.hdr))
		return 0;
	memcpy(&msg.hdr, data, sizeof(msg.hdr));
	msg.body_len = size - sizeof(msg.hdr);
	body = malloc(msg.body_len > 0 ? msg.body_len : 1);
	if (body == NULL)
		return 0;
	memcpy(body, data + sizeof(msg.hdr), msg.body_len);
	msg.body = body;
	if (npf_wire_check_request(&msg, &err) == 0)
		read_tail(&msg);
	free(body);
	return 0;
}
