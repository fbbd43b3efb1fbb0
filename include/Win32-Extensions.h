/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Win32-Extensions.h - the header under which WinPcap programs look for its extensions.
 *
 * The declarations are those of <npfdp.h>. HANDLE is a file descriptor here: what
 * pcap_getevent() returns goes into poll(), not into WaitForSingleObject().
 */
#ifndef __WIN32_EXTENSIONS_H__
#define __WIN32_EXTENSIONS_H__

#include <npfdp.h>

#ifndef HANDLE
#	define HANDLE int
#endif

#endif
