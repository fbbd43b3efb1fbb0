/* SPDX-License-Identifier: BSD-3-Clause */
/* npfctl.h - what the commands of npfctl share. Each of them takes its own arguments, argv[0] being
 * its name, and returns the exit status. */
#ifndef NPF_NPFCTL_NPFCTL_H
#define NPF_NPFCTL_NPFCTL_H

#include "wire/wire.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>

struct npfctl {
	const char *socket; /* NULL: the default */
	bool json;
};

int npfctl_monitor(const struct npfctl *ctl, int argc, char **argv);
int npfctl_dump(const struct npfctl *ctl, int argc, char **argv);
int npfctl_port(const struct npfctl *ctl, int argc, char **argv);
int npfctl_send(const struct npfctl *ctl, int argc, char **argv);

/* The options of all commands, for a list of getopt_long(), and what to do with one that it found.
 * Return: -1: it was one of them: go on; else exit with that status, having printed the usage. */
enum {
	NPFCTL_OPT_JSON = 0x1000,
	NPFCTL_OPT_SOCKET,
};
/* clang-format off */
#define NPFCTL_OPTIONS \
	{"json", no_argument, NULL, NPFCTL_OPT_JSON}, \
	{"socket", required_argument, NULL, NPFCTL_OPT_SOCKET}, \
	{"help", no_argument, NULL, 'h'}
/* clang-format on */
int npfctl_option(struct npfctl *ctl, int opt, const char *usage);

/* A whole number within min..max. */
bool npfctl_count(const char *s, uint64_t min, uint64_t max, uint64_t *vp);

/* From now on SIGINT and SIGTERM only set npfctl_interrupted. */
extern volatile sig_atomic_t npfctl_interrupted;
void npfctl_catch_interrupts(void);

/* Connect. Return: the descriptor; or -1, with the error printed. */
int npfctl_connect(const struct npfctl *ctl, const char *program);

/* Send a request. Return: 0; or 1, with the error printed. */
int npfctl_do(int fd, struct npf_wire_call *call);

/* What libpcap calls the packets of a port (DLT_*); Ethernet where there is no such port, which the
 * daemon will say. Return: 0; or 1, with the error printed. */
int npfctl_linktype(const struct npfctl *ctl, const char *port, int *linktypep);

/* Print an error to standard error. Return: 1. */
int npfctl_fail(const char *fmt, ...) NPF_PRINTF(1, 2);

/* Fetch a report of the daemon. Return: 0 and a new reference; or 1, with the error printed. */
int npfctl_query(const struct npfctl *ctl, const char *what, json_t **jp);

/* Fetch a report and print it: as JSON if that was asked for, else by @print. Return: the exit
 * status. */
int npfctl_show(const struct npfctl *ctl, const char *what, void (*print)(const json_t *));

/* Print a line, or indented lines. Owns: takes the reference. */
void npfctl_print_json(json_t *j, size_t flags);

/* What `npfctl monitor` counts, as a table on standard output. Lifetime: the filters outlive it.
 * Return: NULL: out of memory; else free() it. */
struct npfctl_table *npfctl_table_new(char **filters, uint32_t n_filters, uint64_t interval_ns);
void npfctl_table_add(struct npfctl_table *t, const struct npf_wire_interval *iv, uint64_t end_ns);
/* Paints it again after a resize of the terminal. */
void npfctl_table_refresh(struct npfctl_table *t);

/* Members of an object of a report: 0, or "-", when there is none. */
json_int_t npfctl_num(const json_t *j, const char *key);
const char *npfctl_str(const json_t *j, const char *key);

#endif
