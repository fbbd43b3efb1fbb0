/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * genuine.c - finds and loads the real libpcap.
 *
 * It is opened by absolute path, with RTLD_LOCAL: its symbols stay out of the program's scope,
 * which is ours. Its own internal calls do land in our symbols (the program's scope comes first
 * in symbol look-up), which is harmless: our functions send a foreign handle straight back.
 * RTLD_DEEPBIND and dlmopen() are no alternatives: the first breaks programs that replace
 * malloc(), the second gives the library a stdio of its own, whose buffers nobody flushes at exit.
 *
 * Loading happens before main(), so that a program which then changes its root or drops its rights
 * keeps working; a library constructor that runs earlier and calls us triggers it itself.
 */
#include "api/genuine.h"

#include "base/base.h"

#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "genuine-config.h"

/* As in libpcap: names of Ethernet protocols, ended by a NULL. The real library reads this copy. */
struct eproto {
	const char *s;
	u_short p;
};

extern char pcap_version[NPF_GENUINE_VERSION_SIZE];
extern struct eproto eproto_db[NPF_GENUINE_EPROTO_SIZE / sizeof(struct eproto)];

/* Sizes are part of the ABI: programs that were linked against libpcap copy these objects. */
PCAP_API_DEF char pcap_version[NPF_GENUINE_VERSION_SIZE] = NPF_GENUINE_VERSION;
PCAP_API_DEF struct eproto eproto_db[NPF_GENUINE_EPROTO_SIZE / sizeof(struct eproto)];

static const char *const candidates[] = {
	NPF_GENUINE_PATH,
	"/usr/lib/x86_64-linux-gnu/libpcap.so.0.8",
	"/usr/lib64/libpcap.so.1",
	"/usr/lib/libpcap.so.1",
	"/usr/lib/libpcap.so.0.8",
	"/usr/local/lib/libpcap.so.1",
};

static struct {
	struct npf_genuine table;
	const char *path;
	char why[PCAP_ERRBUF_SIZE];
} genuine;

static pthread_once_t once = PTHREAD_ONCE_INIT;

/* The compat library, an installed copy of it, or this very object under another name. */
static bool is_ourselves(void *dl)
{
	return dlsym(dl, "npfdp_version") != NULL;
}

static void *try(const char *path)
{
	void *dl = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	const char *error;

	if (dl == NULL) {
		error = dlerror();
		if (genuine.why[0] == '\0')
			snprintf(genuine.why, sizeof(genuine.why),
				"the real libpcap can't be loaded: %s",
				error != NULL ? error : path);
		return NULL;
	}
	if (!is_ourselves(dl))
		return dl;
	snprintf(genuine.why, sizeof(genuine.why),
		"%s is not the real libpcap but a copy of libnpfdp", path);
	dlclose(dl);
	return NULL;
}

/* Copies a data object of the real library into ours of the same name. */
static void copy_object(void *dl, const char *name, void *to, size_t size)
{
	void *from = dlsym(dl, name);
	void *sym = NULL;
	Dl_info info;

	if (from == NULL || from == to)
		return;
	if (dladdr1(from, &info, &sym, RTLD_DL_SYMENT) != 0 && sym != NULL)
		memcpy(to, from, NPF_MIN(size, (size_t)((const ElfW(Sym) *)sym)->st_size));
}

static void load(void)
{
	const char *asked = secure_getenv("NPF_LIBPCAP");
	void *dl = NULL;

	if (asked != NULL && asked[0] == '/')
		dl = try(genuine.path = asked);
	for (size_t i = 0; dl == NULL && i < NPF_ARRAY_LEN(candidates); i++)
		dl = try(genuine.path = candidates[i]);
	if (dl == NULL) {
		genuine.path = NULL;
		return;
	}
#define LOAD(name)                            *(void **)&genuine.table.name = dlsym(dl, #name);
#define LOAD_P(ret, name, params, args, none) LOAD(name)
#define LOAD_V(name, params, args)            LOAD(name)
	NPF_GENUINE_PASS(LOAD_P)
	NPF_GENUINE_PASS_VOID(LOAD_V)
	NPF_GENUINE_TAKE(LOAD)
	copy_object(dl, "eproto_db", eproto_db, sizeof(eproto_db) - sizeof(eproto_db[0]));
	copy_object(dl, "pcap_version", pcap_version, sizeof(pcap_version) - 1);
}

const struct npf_genuine *npf_genuine(void)
{
	pthread_once(&once, load);
	return &genuine.table;
}

const char *npf_genuine_path(void)
{
	npf_genuine();
	return genuine.path;
}

int npf_genuine_text(char *errbuf)
{
	if (errbuf != NULL)
		snprintf(errbuf, PCAP_ERRBUF_SIZE, "%s",
			genuine.why[0] != '\0' ? genuine.why
					       : "the real libpcap lacks this function");
	return PCAP_ERROR;
}

__attribute__((constructor)) static void load_early(void)
{
	npf_genuine();
}
