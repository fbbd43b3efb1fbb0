/* SPDX-License-Identifier: BSD-3-Clause */
/* npfctl.h - what the commands of npfctl share. Each of them takes its own arguments, argv[0] being
 * its name, and returns the exit status. */
#ifndef NPFCTL_H
#define NPFCTL_H

#include "wire/wire.h"

#include <jansson.h>

struct npfctl {
	const char *socket; /* NULL: the default */
	bool json;
};

int npfctl_monitor(const struct npfctl *ctl, int argc, char **argv);
int npfctl_dump(const struct npfctl *ctl, int argc, char **argv);
int npfctl_port(const struct npfctl *ctl, int argc, char **argv);
int npfctl_send(const struct npfctl *ctl, int argc, char **argv);

/* Says on standard error what is wrong. Return: 1. */
int npfctl_fail(const char *fmt, ...) NPF_PRINTF(1, 2);

/* One report of the daemon. Return: 0 and a new reference; or 1, having said why. */
int npfctl_ask(const struct npfctl *ctl, const char *what, json_t **jp);

/* Members of an object of a report: 0, or "-", when there is none. */
json_int_t npfctl_num(const json_t *j, const char *key);
const char *npfctl_str(const json_t *j, const char *key);

#endif
