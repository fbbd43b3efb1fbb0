/* SPDX-License-Identifier: BSD-3-Clause */
/* refuse.h - the text that a client gets beside an error. */
#ifndef NPF_ENGINE_BASE_REFUSE_H
#define NPF_ENGINE_BASE_REFUSE_H

#include "wire/wire.h"

/* Puts the text into *err. Return: rc, so that it can be returned in one breath. */
int npf_refuse(struct npf_wire_error *err, int rc, const char *fmt, ...) NPF_PRINTF(3, 4);

#endif
