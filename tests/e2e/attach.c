/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * attach.c - clients that come and are killed: attach SOCKET PORT CYCLES [SEED].
 *
 * Each cycle forks a client that opens a session, perhaps resizes its ring or changes its filter,
 * reads records, and is killed by SIGKILL at a random moment: while connecting, in a request,
 * reading, asleep, stopped, or with a child of its own that holds the same descriptors. Four
 * clients live at a time. Prints how many got as far as capturing. What must be true of the daemon
 * afterwards is checked by the caller.
 */
#include "ringbuf/ring.h"
#include "wire/wire.h"

#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define N_CLIENTS 4

static _Atomic unsigned int *captured; /* shared with the clients */

static void set_filter(int fd)
{
	/* ldh [12]; jeq #0x800; ret #64; ret #0 */
	static const uint64_t ip[] = {
		0x0000000c00000028, 0x0000080001000015, 0x0000004000000006, 0x0000000000000006};
	struct npf_wire_filter req = {.n_insns = NPF_ARRAY_LEN(ip)};
	struct npf_wire_filter_reply reply;
	struct npf_wire_call call = {
		NPF_WIRE_ASKS(NPF_WIRE_SET_FILTER, req),
		.tail = ip,
		.tail_len = sizeof(ip),
		NPF_WIRE_GETS(reply),
	};

	if (npf_wire_do(fd, &call) < 0) {
		fprintf(stderr, "attach: the filter was refused: %s\n", call.err.text);
		_exit(1);
	}
}

static void set_buffer(int fd, struct npf_reader *r, uint64_t size)
{
	struct npf_wire_set_buffer req = {.size = size};
	struct npf_wire_buffer_reply reply;
	int fds[NPF_BUFFER_NFDS];
	struct npf_wire_call call = {
		NPF_WIRE_ASKS(NPF_WIRE_SET_BUFFER, req),
		NPF_WIRE_GETS(reply),
		.fds = fds,
		.n_fds = NPF_BUFFER_NFDS,
	};

	if (npf_wire_do(fd, &call) < 0 || npf_reader_add(r, fds, call.n_fds) < 0)
		_exit(1);
	for (unsigned int i = 0; i < call.n_fds; i++)
		close(fds[i]);
}

static void read_for_ever(int fd, struct npf_reader *r, int efd, unsigned int dice)
{
	bool seen = false;

	for (unsigned int n = 0;; n++) {
		struct npf_view v;
		int rc = npf_reader_next(r, &v);

		if (rc < 0) {
			fprintf(stderr, "attach: the ring makes no sense: %d\n", rc);
			_exit(1);
		}
		if (rc > 0) {
			if (!seen)
				atomic_fetch_add(captured, 1);
			seen = true;
		} else if (npf_reader_arm(r, 16000)) {
			poll(&(struct pollfd){.fd = efd, .events = POLLIN}, 1, 2);
			npf_reader_disarm(r);
		}
		if (dice % 4 == 0 && n % 1000 == 999)
			set_filter(fd);
		if (dice % 5 == 0 && n % 2000 == 1999)
			set_buffer(fd, r, (uint64_t)(1 + n % 7) << 18);
	}
}

static void client(const char *socket, const char *port, unsigned int dice)
{
	struct npf_wire_open req = {
		.params = {.mintocopy = 16000, .timeout_ms = 1 + dice % 20},
		.buffer_size = (uint64_t)(1 + dice % 16) << 18,
		.snaplen = 1 + dice % 2000,
		.flags = dice % 3 == 0 ? NPF_WIRE_OPEN_OVERWRITE : 0,
	};
	struct npf_wire_hello_reply hello;
	struct npf_wire_open_reply reply;
	struct npf_error err;
	int fds[1 + NPF_BUFFER_NFDS];
	struct npf_wire_call call = {
		NPF_WIRE_ASKS(NPF_WIRE_OPEN, req),
		NPF_WIRE_GETS(reply),
		.fds = fds,
		.n_fds = NPF_ARRAY_LEN(fds),
	};
	struct npf_reader *r;
	int fd;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dice % 11 == 0) /* too few for the session's descriptors: a clean error, not a hang */
		setrlimit(RLIMIT_NOFILE, &(struct rlimit){5, 5});
	fd = npf_wire_open_daemon(socket, "attach", &hello, &err);
	if (fd < 0) {
		fprintf(stderr, "attach: %s\n", err.text);
		_exit(1);
	}
	snprintf(req.port, sizeof(req.port), "%s", port);
	if (npf_wire_do(fd, &call) < 0) {
		if (dice % 11 == 0)
			_exit(0);
		fprintf(stderr, "attach: %s\n", call.err.text);
		_exit(1);
	}
	if (call.n_fds < 4)
		_exit(dice % 11 == 0 ? 0 : 1);
	if (npf_reader_new(fds[0], &r) < 0 || npf_reader_add(r, fds + 1, call.n_fds - 1) < 0)
		_exit(1);
	if (dice % 7 == 0 && fork() == 0) /* holds everything open beyond its parent's death */
		pause();
	read_for_ever(fd, r, fds[0], dice);
}

static int reap(pid_t pid, unsigned int dice)
{
	int status;

	if (dice % 13 == 0) {
		kill(-pid, SIGSTOP);
		usleep(2000);
	}
	kill(-pid, SIGKILL);
	kill(pid, SIGKILL); /* before it made its group */
	if (waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) && WEXITSTATUS(status) != 0 ? -1 : 0;
}

int main(int argc, char **argv)
{
	pid_t pids[N_CLIENTS] = {0};
	unsigned int dice[N_CLIENTS] = {0};
	unsigned int bad = 0;
	long cycles;

	if (argc < 4) {
		fputs("usage: attach SOCKET PORT CYCLES [SEED]\n", stderr);
		return 2;
	}
	cycles = strtol(argv[3], NULL, 10);
	srand48(argc > 4 ? strtol(argv[4], NULL, 10) : 1);
	captured = mmap(
		NULL, sizeof(*captured), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (captured == MAP_FAILED)
		return 1;
	for (long i = 0; i < cycles + N_CLIENTS; i++) {
		unsigned int slot = (unsigned int)(i % N_CLIENTS);

		if (pids[slot] > 0)
			bad += reap(pids[slot], dice[slot]) < 0;
		pids[slot] = 0;
		if (i >= cycles)
			continue;
		dice[slot] = (unsigned int)mrand48();
		pids[slot] = fork();
		if (pids[slot] == 0)
			client(argv[1], argv[2], dice[slot]);
		usleep((useconds_t)(drand48() * 6000));
	}
	printf("%ld clients killed, %u of them while capturing, %u failed\n", cycles, *captured,
		bad);
	return bad > 0 || *captured == 0;
}
