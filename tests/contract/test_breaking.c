/* SPDX-License-Identifier: BSD-3-Clause */
/* test_breaking.c - pcap_breakloop() from everywhere; threads; fork. */
#include "contract.h"

#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static pcap_t *handle;

static void count(u_char *user, const struct pcap_pkthdr *hdr, const u_char *data)
{
	(void)hdr;
	(void)data;
	++*(int *)user;
}

static void count_and_break(u_char *user, const struct pcap_pkthdr *hdr, const u_char *data)
{
	count(user, hdr, data);
	pcap_breakloop(handle);
}

static void on_signal(int sig)
{
	(void)sig;
	pcap_breakloop(handle);
}

static void *from_thread(void *arg)
{
	usleep(100000);
	pcap_breakloop(handle);
	return arg;
}

static void break_from_everywhere(void)
{
	struct sigaction act = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	struct itimerval soon = {.it_value = {.tv_usec = 100000}};
	struct pcap_pkthdr *hdr;
	const u_char *data;
	pthread_t thread;
	int n = 0;

	handle = activated(fresh());
	only_ours(handle);
	sigaction(SIGALRM, &act, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	finding("signal: loop", "%d", pcap_loop(handle, -1, count, (u_char *)&n));
	setitimer(ITIMER_REAL, &soon, NULL);
	finding("signal: next_ex", "%d", pcap_next_ex(handle, &hdr, &data));
	pthread_create(&thread, NULL, from_thread, NULL);
	finding("thread: dispatch", "%d", pcap_dispatch(handle, -1, count, (u_char *)&n));
	pthread_join(thread, NULL);
	finding("nothing delivered so far", "%d", n);

	pcap_breakloop(handle);
	finding("before: dispatch", "%d", pcap_dispatch(handle, -1, count, (u_char *)&n));
	wire_send(5, 100, 1);
	is_readable(pcap_get_selectable_fd(handle), 2000);
	usleep(100000);
	n = 0;
	finding("callback: loop", "%d", pcap_loop(handle, -1, count_and_break, (u_char *)&n));
	finding("callback: delivered", "%d", n);
	finding("callback: dispatch 1", "%d",
		pcap_dispatch(handle, 1, count_and_break, (u_char *)&n));
	pcap_setnonblock(handle, 1, errbuf);
	finding("the rest is still there", "%d", pcap_dispatch(handle, -1, count, (u_char *)&n));
	pcap_breakloop(handle);
	finding("nonblocking: dispatch", "%d", pcap_dispatch(handle, -1, count, (u_char *)&n));
	finding("nonblocking: and again", "%d", pcap_dispatch(handle, -1, count, (u_char *)&n));
	pcap_close(handle);
}

/* A signal that breaks nothing leaves a blocked read alone. */
static void idle_signal(int sig)
{
	(void)sig;
}

static void *signal_then_send(void *arg)
{
	usleep(50000);
	pthread_kill(*(pthread_t *)arg, SIGUSR1);
	usleep(50000);
	wire_send(1, 100, 1);
	return NULL;
}

static void other_signals(void)
{
	struct sigaction act = {.sa_handler = idle_signal};
	pthread_t self = pthread_self(), thread;
	int n = 0;

	handle = activated(fresh());
	only_ours(handle);
	sigaction(SIGUSR1, &act, NULL);
	pthread_create(&thread, NULL, signal_then_send, &self);
	finding("other signal: dispatch", "%d", pcap_dispatch(handle, -1, count, (u_char *)&n));
	pthread_join(thread, NULL);
	pcap_close(handle);
}

static void *ask_for_stats(void *arg)
{
	struct pcap_stat ps;
	int *bad = arg;

	for (int i = 0; i < 200; i++)
		*bad += pcap_stats(handle, &ps) != 0;
	pcap_breakloop(handle);
	return NULL;
}

static void threads(void)
{
	pthread_t thread;
	int n = 0, bad = 0, rc;

	handle = activated(fresh());
	only_ours(handle);
	pthread_create(&thread, NULL, ask_for_stats, &bad);
	wire_send(100, 100, 1);
	while ((rc = pcap_dispatch(handle, -1, count, (u_char *)&n)) >= 0)
		;
	pthread_join(thread, NULL);
	finding("stats from another thread: loop ends by", "%d", rc);
	finding("stats from another thread: failures", "%d", bad);
	pcap_close(handle);
}

/* A daemon forks after it has opened its devices; the parent goes. */
static void forked(void)
{
	int done[2], go[2], n = 0;
	char c;
	pid_t pid;

	handle = activated(fresh());
	only_ours(handle);
	if (pipe(done) < 0 || pipe(go) < 0)
		give_up("pipe");
	pid = fork();
	if (pid == 0) {
		struct pcap_stat ps;

		if (read(go[0], &c, 1) != 1)
			_exit(100);
		n = (int)gather(handle, 3);
		_exit(pcap_stats(handle, &ps) == 0 ? n : 101);
	}
	pcap_close(handle);
	usleep(100000);
	wire_send(3, 100, 1);
	if (write(go[1], "x", 1) != 1 || waitpid(pid, &n, 0) != pid)
		give_up("fork");
	finding("child after its parent has closed: packets", "%d",
		WIFEXITED(n) ? WEXITSTATUS(n) : -1);
	close(done[0]);
	close(done[1]);
	close(go[0]);
	close(go[1]);
}

void contract_breaking(void)
{
	break_from_everywhere();
	other_signals();
	threads();
	forked();
}
