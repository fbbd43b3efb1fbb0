/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * prompt.c - the prompt: testpmd's commands for what both can do, with completion and
 * history by libedit on a terminal, plain lines from a pipe or file.
 *
 * One table of commands serves execution, completion and help. Traffic runs in the background: a
 * command that is not possible meanwhile is an error. Ctrl-C stops the traffic, not the program.
 */
#include "txgen/prompt.h"

#include "base/clock.h"
#include "base/units.h"

#include <histedit.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define WORDS 8

struct txgen_prompt {
	struct txgen *tx;
	EditLine *el;
	History *history;
	bool quit;
	bool failed;  /* the last run's check did not pass */
	bool running; /* a run was started whose result was not printed yet */
	uint64_t shown_ns[NPF_TXGEN_MAXPORTS]; /* when a port's counters were last shown */
	struct npf_txgen_port_stats shown[NPF_TXGEN_MAXPORTS];
};

static void print_line(const char *what)
{
	printf("%s\n", what);
}

/* "all" or a number: calls f for each port meant. */
static void each_port(
	struct txgen_prompt *p, const char *arg, void (*f)(struct txgen_prompt *p, unsigned int i))
{
	unsigned int n = npf_txgen_n_ports(p->tx->gen);
	char *end;
	unsigned long i = strtoul(arg, &end, 10);

	if (strcmp(arg, "all") == 0) {
		for (i = 0; i < n; i++)
			f(p, (unsigned int)i);
	} else if (*arg != '\0' && *end == '\0' && i < n) {
		f(p, (unsigned int)i);
	} else {
		printf("'%s' is neither a port (0 to %u) nor all\n", arg, n - 1);
	}
}

static void show_stats(struct txgen_prompt *p, unsigned int i)
{
	struct npf_txgen_port_stats s, *was = &p->shown[i];
	uint64_t now = npf_clock_monotonic();
	double t = (double)(now - p->shown_ns[i]) / 1e9;

	npf_txgen_port_stats(p->tx->gen, i, &s);
	printf("\n  ######################## NIC statistics for port %-2u "
	       "########################\n"
	       "  RX-packets: %-10" PRIu64 " RX-missed: %-10" PRIu64 " RX-bytes:  %-10" PRIu64 "\n"
	       "  RX-errors: %-10" PRIu64 "\n"
	       "  RX-nombuf:  %-10" PRIu64 "\n"
	       "  TX-packets: %-10" PRIu64 " TX-errors: %-10" PRIu64 " TX-bytes:  %-10" PRIu64 "\n",
		i, s.rx_packets, s.rx_missed, s.rx_bytes, s.rx_errors, s.rx_nombuf, s.tx_packets,
		s.tx_errors, s.tx_bytes);
	printf("\n  Throughput (since last show)\n"
	       "  Rx-pps: %12.0f          Rx-bps: %12.0f\n"
	       "  Tx-pps: %12.0f          Tx-bps: %12.0f\n"
	       "  ############################################################################\n",
		(double)(s.rx_packets - was->rx_packets) / t,
		(double)(s.rx_bytes - was->rx_bytes) * 8 / t,
		(double)(s.tx_packets - was->tx_packets) / t,
		(double)(s.tx_bytes - was->tx_bytes) * 8 / t);
	*was = s;
	p->shown_ns[i] = now;
}

static void cmd_port_stats(struct txgen_prompt *p, const char *arg)
{
	each_port(p, arg, show_stats);
}

static void show_info(struct txgen_prompt *p, unsigned int i)
{
	struct npf_txgen_port_info info;

	npf_txgen_port_info(p->tx->gen, i, &info);
	printf("port %u: %s (%s)  MAC %02x:%02x:%02x:%02x:%02x:%02x  %s, link %s", i, info.name,
		info.driver, info.mac[0], info.mac[1], info.mac[2], info.mac[3], info.mac[4],
		info.mac[5], info.started ? "started" : "stopped", info.up ? "up" : "down");
	if (info.speed > 0)
		printf(" at %u Mbit/s", info.speed);
	printf("  %u rx, %u tx queues  checksums by %s\n", info.n_rxq, info.n_txq,
		info.hw_csum ? "the port" : "software");
}

static void cmd_port_info(struct txgen_prompt *p, const char *arg)
{
	each_port(p, arg, show_info);
}

static void clear_stats(struct txgen_prompt *p, unsigned int i)
{
	npf_txgen_clear_port_stats(p->tx->gen, i);
	p->shown[i] = (struct npf_txgen_port_stats){0};
	p->shown_ns[i] = npf_clock_monotonic();
}

static void cmd_clear_stats(struct txgen_prompt *p, const char *arg)
{
	each_port(p, arg, clear_stats);
}

static void cmd_fwd_stats(struct txgen_prompt *p, const char *arg)
{
	static struct npf_txgen_result r;

	(void)arg;
	npf_txgen_result(p->tx->gen, &r);
	npf_txgen_result_print(stdout, &r, &p->tx->limits);
}

static void start_port(struct txgen_prompt *p, unsigned int i)
{
	struct npf_error err;

	if (npf_txgen_start_port(p->tx->gen, i, &err) < 0)
		print_line(err.text);
}

static void stop_port(struct txgen_prompt *p, unsigned int i)
{
	struct npf_error err;

	if (npf_txgen_stop_port(p->tx->gen, i, &err) < 0)
		print_line(err.text);
}

static void cmd_port_start(struct txgen_prompt *p, const char *arg)
{
	each_port(p, arg, start_port);
}

static void cmd_port_stop(struct txgen_prompt *p, const char *arg)
{
	each_port(p, arg, stop_port);
}

/* Print the result of a run that has ended, once. */
static void print_end(struct txgen_prompt *p)
{
	static struct npf_txgen_result r;

	if (!p->running || !npf_txgen_wait(p->tx->gen, 0))
		return;
	p->running = false;
	npf_txgen_result(p->tx->gen, &r);
	npf_txgen_result_print(stdout, &r, &p->tx->limits);
	p->failed = !npf_txgen_result_passed(&r, &p->tx->limits);
}

static void cmd_start(struct txgen_prompt *p, const char *arg)
{
	struct npf_error err;

	if (*arg != '\0' && strcmp(arg, "tx_first") != 0) {
		printf("start takes nothing or tx_first\n");
		return;
	}
	if (!npf_txgen_wait(p->tx->gen, 0)) {
		print_line("traffic is running already");
		return;
	}
	print_end(p);
	p->tx->run.tx_first = *arg;
	if (txgen_load(p->tx, &err) < 0 || npf_txgen_start(p->tx->gen, &p->tx->run, &err) < 0) {
		print_line(err.text);
		p->failed = true;
		return;
	}
	p->running = true;
}

static void cmd_stop(struct txgen_prompt *p, const char *arg)
{
	(void)arg;
	if (!p->running) {
		print_line("no traffic is running");
		return;
	}
	npf_txgen_stop(p->tx->gen);
	print_end(p);
}

static void cmd_wait(struct txgen_prompt *p, const char *arg)
{
	uint64_t ns = UINT64_MAX / 2;

	if (*arg != '\0' && npf_parse_duration(arg, &ns) < 0) {
		printf("'%s' is not a time (10s, 500ms)\n", arg);
		return;
	}
	npf_txgen_wait(p->tx->gen, ns);
	print_end(p);
}

static void cmd_quit(struct txgen_prompt *p, const char *arg)
{
	(void)arg;
	p->quit = true;
}

static void set(struct txgen_prompt *p, const char *name, const char *value)
{
	struct npf_error err;

	if (*value == '\0')
		printf("set %s needs a value\n", name);
	else if (!npf_txgen_wait(p->tx->gen, 0))
		print_line("traffic is running: stop it first");
	else if (txgen_set(p->tx, name, value, &err) < 0)
		print_line(err.text);
}

static void cmd_set_fwd(struct txgen_prompt *p, const char *arg)
{
	set(p, "forward-mode", arg);
}

/* set NAME VALUE, for the settings that make sense between runs */
static void cmd_set(struct txgen_prompt *p, const char *arg)
{
	static const char names[] =
		"|rate|size|txpkts|count|duration|loop|train|gap|seed|burst|check|max-loss|"
		"allow-reorder|drain|nb-cores|";
	char name[32], pattern[40];
	const char *space = strchr(arg, ' ');

	snprintf(name, sizeof(name), "%.*s", space != NULL ? (int)(space - arg) : (int)strlen(arg),
		arg);
	snprintf(pattern, sizeof(pattern), "|%s|", name);
	if (*name == '\0' || strstr(names, pattern) == NULL) {
		printf("set NAME VALUE, with one of these names: %.*s packet pcap fwd\n",
			(int)sizeof(names) - 3, names + 1);
		return;
	}
	set(p, name, space != NULL ? space + 1 : "");
}

static void cmd_set_packet(struct txgen_prompt *p, const char *arg)
{
	if (npf_txgen_wait(p->tx->gen, 0))
		txgen_clear_packets(p->tx);
	set(p, "packet", arg);
}

static void cmd_set_pcap(struct txgen_prompt *p, const char *arg)
{
	if (npf_txgen_wait(p->tx->gen, 0))
		txgen_clear_packets(p->tx);
	set(p, "pcap", arg);
}

static void cmd_add_packet(struct txgen_prompt *p, const char *arg)
{
	if (p->tx->pcap != NULL)
		print_line("a savefile is being replayed: set packet TEMPLATE ends that");
	else
		set(p, "packet", arg);
}

static void cmd_show_config(struct txgen_prompt *p, const char *arg)
{
	const struct npf_txgen_run_conf *r = &p->tx->run;
	char rate[64];

	(void)arg;
	printf("%s packet forwarding - ports=%u - rxq=%u txq=%u - burst=%u\n",
		npf_txgen_mode_name(r->mode), npf_txgen_n_ports(p->tx->gen), p->tx->ports.n_rxq,
		p->tx->ports.n_txq, r->burst);
	printf("  rate %s  size %s  count %" PRIu64 "  duration %.3f s  check %s\n",
		npf_rate_format(&r->rate, rate, sizeof(rate)),
		p->tx->size != NULL ? p->tx->size : "as small as possible", r->count,
		(double)r->duration_ns / 1e9, r->check ? "on" : "off");
	if (p->tx->pcap != NULL)
		printf("  savefile %s, %" PRIu64 " rounds\n", p->tx->pcap, r->loop);
	for (unsigned int i = 0; i < p->tx->n_packets; i++)
		printf("  packet %s\n", p->tx->packets[i].arg);
}

static void cmd_help(struct txgen_prompt *p, const char *arg);

/* Longer beginnings first: the first that fits is meant. */
static const struct txgen_command commands[] = {
	{"help", NULL, "this list", cmd_help},
	{"start", "tx_first", "begin sending or forwarding", cmd_start},
	{"stop", NULL, "end it, and show the result", cmd_stop},
	{"wait", "", "for the end of the run, or so long (wait 5s)", cmd_wait},
	{"quit", NULL, "stop and leave", cmd_quit},
	{"show port stats", "all|0", "counters of ports", cmd_port_stats},
	{"show port info", "all|0", "what ports are", cmd_port_info},
	{"show fwd stats", "all", "the present or last run", cmd_fwd_stats},
	{"show config", NULL, "settings", cmd_show_config},
	{"clear port stats", "all|0", "counters of ports begin at 0", cmd_clear_stats},
	{"port start", "all|0", "", cmd_port_start},
	{"port stop", "all|0", "", cmd_port_stop},
	{"set fwd", "txonly|rxonly|io|macswap|flowgen", "mode", cmd_set_fwd},
	{"set packet", "", "send this template (or file) alone", cmd_set_packet},
	{"add packet", "", "and this one in turn", cmd_add_packet},
	{"set pcap", "", "replay a savefile", cmd_set_pcap},
	{"set",
		"rate|size|txpkts|count|duration|loop|train|gap|seed|burst|check|max-loss|"
		"allow-reorder|drain|nb-cores",
		"any of these settings, as the options of the same names", cmd_set},
};

static void cmd_help(struct txgen_prompt *p, const char *arg)
{
	(void)p;
	(void)arg;
	for (size_t i = 0; i < NPF_ARRAY_LEN(commands); i++)
		printf("  %-18s %-34.34s %s\n", commands[i].words,
			commands[i].choices != NULL ? commands[i].choices : "", commands[i].help);
}

/* Does line begin with the words (any white space between)? Returns what follows, or NULL. */
static const char *after_words(const char *words, const char *line)
{
	for (;;) {
		size_t len = strcspn(words, " ");

		line += strspn(line, " \t");
		if (strncmp(line, words, len) != 0 ||
			(line[len] != '\0' && strchr(" \t", line[len]) == NULL))
			return NULL;
		line += len;
		words += len;
		if (*words == '\0')
			return line + strspn(line, " \t");
		words++;
	}
}

static void execute(struct txgen_prompt *p, char *line)
{
	size_t len = strlen(line);

	while (len > 0 && strchr(" \t\r\n", line[len - 1]) != NULL)
		line[--len] = '\0';
	line += strspn(line, " \t");
	print_end(p);
	if (*line == '\0' || *line == '#')
		return;
	for (size_t i = 0; i < NPF_ARRAY_LEN(commands); i++) {
		const char *arg = after_words(commands[i].words, line);

		if (arg == NULL)
			continue;
		if (*arg != '\0' && commands[i].choices == NULL)
			printf("%s takes nothing\n", commands[i].words);
		else
			commands[i].run(p, arg);
		fflush(stdout);
		return;
	}
	printf("'%s' is not a command; help lists them\n", line);
}

static unsigned char on_tab(EditLine *el, int ch)
{
	const LineInfo *li = el_line(el);
	char line[512];
	struct txgen_found f;
	const char *begun;

	(void)ch;
	snprintf(line, sizeof(line), "%.*s", (int)(li->cursor - li->buffer), li->buffer);
	txgen_complete(commands, NPF_ARRAY_LEN(commands), line, &f);
	begun = strrchr(line, ' ');
	begun = begun != NULL ? begun + 1 : line;
	if (f.n == 0)
		return CC_ERROR;
	if (f.n == 1)
		strncat(f.common, " ", sizeof(f.common) - strlen(f.common) - 1);
	if (strlen(f.common) <= strlen(begun) || el_insertstr(el, f.common + strlen(begun)) < 0)
		return CC_ERROR;
	return CC_REFRESH;
}

static char *prompt_text(EditLine *el)
{
	static char text[] = "npf-txgen> ";

	(void)el;
	return text;
}

static void read_terminal(struct txgen_prompt *p)
{
	HistEvent ev;
	int len;

	p->el = el_init("npf-txgen", stdin, stdout, stderr);
	p->history = history_init();
	if (p->el == NULL || p->history == NULL)
		return;
	history(p->history, &ev, H_SETSIZE, 500);
	el_set(p->el, EL_PROMPT, prompt_text);
	el_set(p->el, EL_EDITOR, "emacs");
	el_set(p->el, EL_HIST, history, p->history);
	el_set(p->el, EL_ADDFN, "npf-complete", "complete a word", on_tab);
	el_set(p->el, EL_BIND, "^I", "npf-complete", NULL);
	el_source(p->el, NULL);
	while (!p->quit) {
		const char *text = el_gets(p->el, &len);
		char line[8192];

		if (text == NULL || len <= 0) {
			if (text == NULL && errno == EINTR) { /* Ctrl-C has stopped the traffic */
				print_end(p);
				continue;
			}
			break;
		}
		if (strspn(text, " \t\r\n") < (size_t)len)
			history(p->history, &ev, H_ENTER, text);
		snprintf(line, sizeof(line), "%s", text);
		execute(p, line);
	}
	history_end(p->history);
	el_end(p->el);
}

static void read_lines(struct txgen_prompt *p)
{
	char *line = NULL;
	size_t room = 0;

	while (!p->quit && getline(&line, &room, stdin) > 0)
		execute(p, line);
	free(line);
}

int txgen_prompt(struct txgen *tx)
{
	struct txgen_prompt p = {.tx = tx};

	for (unsigned int i = 0; i < NPF_TXGEN_MAXPORTS; i++)
		p.shown_ns[i] = npf_clock_monotonic();
	txgen_catch_signals(tx);
	if (tx->auto_start)
		cmd_start(&p, tx->run.tx_first ? "tx_first" : "");
	if (isatty(STDIN_FILENO))
		read_terminal(&p);
	else
		read_lines(&p);
	if (p.running)
		cmd_stop(&p, "");
	return p.failed ? TXGEN_FAILED : 0;
}
