/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stub.c - libpcap.so.0.8 in name only: it needs libnpfdp.so.0, which has everything.
 *
 * The reference below makes the linker record that need, also with --as-needed.
 */
#include "npfdp.h"

__attribute__((used)) static const char *(*const needs)(void) = npfdp_version;
