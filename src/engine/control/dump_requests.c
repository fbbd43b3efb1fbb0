/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dump_requests.c - dumps on request.
 *
 * Rights: whoever may capture from a port may dump it into a file that he has opened himself and
 * handed over (passed_file.h). Files
 * that the daemon makes are made with the daemon's rights, which are nobody else's to use: root and
 * the daemon's own user only. A dump ends with the connection that began it, unless it is to last,
 * which is the right of these two, and of others as far as npf.limits.lasting_dumps goes: who has
 * gone can't be asked any more. A dump is stopped and triggered by who started it, and by these.
 */
#include "engine/control/dump_requests.h"

#include "engine/core/core.h"
#include "writer/feed/feed.h"
#include "engine/dump/dump.h"
#include "engine/lifecycle/lifecycle.h"

#include <stdio.h>
#include <string.h>

/* Ring of a dump that a client asked for without saying how large: it counts as the client's. */
#define CLIENT_RING (32ull << 20)
#define MIB         (1ull << 20)

static_assert((int)NPF_WIRE_DUMP_PCAP == (int)NPF_WRITER_PCAP &&
		      (int)NPF_WIRE_DUMP_PCAP_NS == (int)NPF_WRITER_PCAP_NS &&
		      (int)NPF_WIRE_DUMP_PCAPNG == (int)NPF_WRITER_PCAPNG,
	"formats on the wire are formats");

static int check_file(
	const struct npf_conn *conn, const struct npf_wire_dump *req, struct npf_error *err)
{
	bool has_opened = conn->passed_file.fd >= 0;

	if (req->file[0] != '\0' && has_opened)
		return npf_error_set(
			err, -EINVAL, "either a file's name or an opened file, not both");
	if (req->file[0] != '\0' && !npf_access_is_privileged(&conn->peer))
		return npf_error_set(err, -EPERM,
			"only root and the daemon's own user can let the daemon make files; a dump "
			"into one file, without rotation, is everybody's");
	if (req->file[0] == '\0' && !has_opened)
		return npf_error_set(err, -EINVAL, "a dump needs a file");
	return 0;
}

/* May the dump outlive the connection? */
static int check_lasting(const struct npf_engine *e, const struct npf_conn *conn,
	const struct npf_wire_dump *req, struct npf_error *err)
{
	uint32_t limit = e->conf->npf.limits.lasting_dumps;

	if ((req->flags & NPF_WIRE_DUMP_LASTS) == 0 || npf_access_is_privileged(&conn->peer) ||
		npf_dumps_count_lasting(e, conn->peer.uid) < limit)
		return 0;
	return npf_error_set(err, -EPERM,
		"of a user's dumps %u may outlive their clients (npf.limits.lasting_dumps); leave "
		"the client running instead, for example under nohup",
		limit);
}

/* What the kernel does not let the client write, the daemon does not write for it. */
static uint64_t limit_size(const struct npf_passed_file *file, uint64_t max_size)
{
	if (file->fd < 0 || file->max_size == 0)
		return max_size;
	return max_size == 0 ? file->max_size : NPF_MIN(max_size, file->max_size);
}

/* Return: 0 or -errno: the descriptor can't be had. */
static int answer_for(const struct npf_dump *d, struct npf_dump_answer *answer)
{
	struct npf_doorbell over;
	int rc;

	*answer = (struct npf_dump_answer){.reply.id = d->id, .fd = d->done.wait_fd};
	snprintf(answer->reply.name, sizeof(answer->reply.name), "%s", d->name);
	if (d->life != NPF_DUMP_DONE)
		return 0;
	rc = npf_doorbell_init(&over, NULL);
	if (rc == 0) {
		npf_doorbell_ring(&over);
		answer->fd = npf_steal_fd(&over.wait_fd);
		answer->is_new = true;
	}
	npf_doorbell_fini(&over);
	return rc;
}

/* May the client dump this? */
static int check_source(struct npf_engine *e, const struct npf_conn *conn,
	const struct npf_wire_dump *req, struct npf_error *err)
{
	const struct npf_session *s = conn->session;
	const struct npf_engine_port *port;

	if ((req->flags & NPF_WIRE_DUMP_SESSION) != 0) {
		if (s == NULL || (s->flags & NPF_WIRE_OPEN_SEND_ONLY) != 0)
			return npf_error_set(
				err, -EINVAL, "no session is open that could be dumped");
		return s->port->removed ? npf_error_set(err, -ENODEV, NPF_PORT_REMOVED,
						  s->port->port.conf->name)
					: 0;
	}
	port = npf_engine_find_port(e, req->port);
	if (port != NULL && !npf_access_port(port->allow, &conn->peer))
		return npf_error_set(err, -EACCES, "user %u may not use port %s",
			(unsigned int)conn->peer.uid, req->port);
	return 0;
}

int npf_request_dump(struct npf_engine *e, struct npf_conn *conn, const struct npf_wire_msg *msg,
	struct npf_dump_answer *answer, struct npf_error *err)
{
	const struct npf_wire_dump *req = msg->body;
	struct npf_dump_spec spec = {
		.name = req->name[0] != '\0' ? req->name : NULL,
		.port = req->port,
		.filter = req->filter,
		.comment = req->comment,
		.file = req->file[0] != '\0' ? req->file : NULL,
		.fd = conn->passed_file.fd,
		.params =
			{
				.format = (enum npf_writer_format)req->format,
				.snaplen = req->snaplen,
				.zstd = (req->flags & NPF_WIRE_DUMP_ZSTD) != 0,
				.limits = {.file_size = req->file_size,
					.file_packets = req->file_packets,
					.file_time_ns = req->file_time_ns,
					.max_size = limit_size(&conn->passed_file, req->max_size),
					.max_packets = req->max_packets},
				.keep = {.files = req->keep, .bytes = req->keep_size},
				.retro = {.bytes = req->retro_size, .ns = req->retro_ns},
				.ring = req->buffer != 0 ? req->buffer : CLIENT_RING,
				.access = {(mode_t)req->mode, (uid_t)-1, (gid_t)-1},
			},
		.insns = npf_wire_tail(msg),
		.n_insns = req->n_insns,
		.requester = &conn->requester,
		.uid = conn->peer.uid,
		.keeper = (req->flags & NPF_WIRE_DUMP_LASTS) != 0 ? NULL : conn,
	};
	struct npf_dump *d;
	int rc = check_file(conn, req, err);

	if (rc == 0)
		rc = check_source(e, conn, req, err);
	if (rc == 0)
		rc = check_lasting(e, conn, req, err);
	if (rc == 0)
		rc = npf_memory_check_size(&e->conf->npf.limits,
			NPF_MAX(spec.params.ring, spec.params.retro.bytes), err);
	if (rc == 0 && (req->flags & NPF_WIRE_DUMP_SESSION) != 0)
		rc = npf_session_start_dump(e, conn->session, &spec, &d, err);
	else if (rc == 0)
		rc = npf_dump_start(e, &spec, &d, err);
	if (rc < 0)
		return rc;
	npf_passed_file_end(&conn->passed_file);
	return answer_for(d, answer);
}

int npf_request_dump_control(struct npf_engine *e, struct npf_conn *conn,
	const struct npf_wire_dump_control *req, struct npf_dump_answer *answer,
	struct npf_error *err)
{
	struct npf_dump *d;
	int rc;

	if (req->name[0] == '\0')
		d = conn->session != NULL ? conn->session->dump : NULL;
	else
		d = npf_dump_find(e, req->name);
	if (d == NULL)
		return npf_error_set(err, -ENOENT,
			"there is no dump \"%s\"; `npfctl dump list` shows all", req->name);
	if (!npf_access_user(&conn->peer, d->uid))
		return npf_error_set(err, -EPERM, "dump \"%s\" belongs to user %u", d->name,
			(unsigned int)d->uid);
	rc = answer_for(d, answer);
	if (rc < 0)
		return npf_error_set(
			err, rc, "no descriptor to tell of the end by: %s", strerror(-rc));
	if (req->op == NPF_WIRE_DUMP_STOP) {
		rc = npf_dump_stop(e, d);
		if (rc == 0 && conn->session != NULL && conn->session->dump == d)
			npf_session_detach_dump(conn->session);
		if (rc == 0)
			rc = npf_engine_replan(e);
		return rc < 0 ? npf_error_set(err, rc, "the daemon is out of memory") : 0;
	}
	if (d->life != NPF_DUMP_RUNNING || d->producer.retro == NULL)
		return npf_error_set(err, -EINVAL,
			"dump \"%s\" is not a running retrospective one: there is nothing to "
			"trigger",
			d->name);
	rc = npf_writer_retro_trigger(&d->producer, req->after_ns);
	return rc < 0 ? npf_error_set(
				err, rc, "the file of the last trigger is still being written")
		      : 0;
}

int npf_request_dump_status(
	const struct npf_conn *conn, struct npf_wire_dump_status *st, struct npf_error *err)
{
	struct npf_dump *d = conn->session->dump;

	*st = (struct npf_wire_dump_status){.ended = 2};
	if (d == NULL)
		return npf_error_set(err, -ENOENT, "this session has no dump");
	npf_dump_refresh(d);
	st->packets = d->counters.written;
	st->bytes = d->counters.bytes;
	st->dropped = d->counters.drop_disk + d->counters.drop_oversize;
	st->error = d->state.error;
	st->text = d->state.reason;
	if (d->life != NPF_DUMP_DONE)
		st->ended = npf_dump_is_over(d);
	return 0;
}
